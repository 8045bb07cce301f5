/**
 * Patch → stream graph, for one sample rate and one device round trip.
 *
 * Sources and windows that a patch names (`sine`, `noise`, `runningMean`, `align`) become plain IR
 * here, so that they need no rules of their own. Invariant: everything that depends on the sample
 * rate is decided here, and reported as diagnostics with the path in the patch.
 */

import { diagnostic, ok } from '../diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { Builder, resultType } from '../ir/builder.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { OPS } from '../ir/ops.ts';
import type { ValueType } from '../ir/ops.ts';
import { outName } from '../ir/program.ts';
import { instantOperands, pathOf } from './schema.ts';
import type { Operand, Patch, PatchNode, PlainOp } from './schema.ts';

export interface LowerOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Device round trip, frames. */
  readonly latency: number;
}

export interface Lowered {
  /** Outputs `out:0`, `out:1`, … */
  readonly graph: Graph;
  /** Training signals, real; null without training. */
  readonly estimate: NodeId | null;
  readonly target: NodeId | null;
  /** Does the patch compare what it plays with what it hears, by `align`? */
  readonly throughDevice: boolean;
  /** Highest input channel used. */
  readonly inputs: number;
  /** Where a graph node came from, for messages. */
  readonly origin: ReadonlyMap<NodeId, string>;
}

const MAX_DELAY_FRAMES = 2 ** 24;

export function lower(patch: Patch, options: LowerOptions): Result<Lowered> {
  const diagnostics: Diagnostic[] = [];
  const b = new Builder('stream');
  const types = inferTypes(patch);
  const values = new Map<string, NodeId>();
  const origin = new Map<NodeId, string>();
  Object.keys(patch.sliders).forEach((id, k) => values.set(id, b.node('slider', [], [k])));
  Object.keys(patch.params).forEach((id, k) => values.set(id, b.node('param', [], [k])));

  // Delays first: they are what recursion goes through.
  const open: { readonly id: string; readonly delay: NodeId; readonly source: Operand }[] = [];
  let delayFrames = 0;
  for (const [id, node] of Object.entries(patch.nodes)) {
    if (node.op !== 'delay') continue;
    delayFrames += node.frames;
    const type = types.get(id) ?? 'real';
    const delay = b.feedback(type, node.frames, node.init ?? 0);
    values.set(id, delay);
    origin.set(delay, id);
    open.push({ id, delay, source: node.in[0] });
  }
  if (delayFrames > MAX_DELAY_FRAMES) {
    diagnostics.push(
      diagnostic(
        'PATCH_TOO_LARGE',
        'nodes',
        `all delays together: expected at most ${MAX_DELAY_FRAMES} frames, got ${delayFrames}`,
      ),
    );
  }

  const operand = (value: Operand, type: ValueType): NodeId => {
    if (typeof value === 'number') return type === 'int' ? b.int(value) : b.real(value);
    const id = values.get(value)!;
    return type === 'real' ? b.asReal(id) : id;
  };

  for (const id of inOrder(patch)) {
    const node = patch.nodes[id]!;
    if (node.op === 'delay') continue;
    const first = b.nodes.length;
    values.set(id, lowerNode(b, id, node, operand, types, options, diagnostics));
    for (let k = first; k < b.nodes.length; k++) origin.set(k as NodeId, id);
  }
  for (const { id, delay, source } of open) {
    b.close(delay, operand(source, types.get(id) ?? 'real'));
  }

  const outputs = patch.outputs.map((value, k) => ({
    name: outName(k),
    node: operand(value, 'real'),
  }));
  const signal = (id: string | undefined): NodeId | null =>
    id === undefined ? null : operand(id, 'real');
  const estimate = signal(patch.training?.estimate);
  const target = signal(patch.training?.target);
  if (diagnostics.length > 0) return { ok: false, diagnostics };
  return ok({
    graph: b.finish(outputs),
    estimate,
    target,
    throughDevice: Object.values(patch.nodes).some((n) => n.op === 'align'),
    inputs: Math.max(
      0,
      ...Object.values(patch.nodes).map((n) => (n.op === 'input' ? n.channel : 0)),
    ),
    origin,
  });
}

type Resolve = (value: Operand, type: ValueType) => NodeId;

function lowerNode(
  b: Builder,
  id: string,
  node: Exclude<PatchNode, { op: 'delay' }>,
  operand: Resolve,
  types: ReadonlyMap<string, ValueType>,
  { sampleRate, latency }: LowerOptions,
  diagnostics: Diagnostic[],
): NodeId {
  switch (node.op) {
    case 'input':
      return b.node('input', [], [node.channel - 1]);
    case 'noise':
      return noise(b, node.seed ?? 0);
    case 'sine': {
      const [frequency] = node.in;
      if (typeof frequency === 'number' && Math.abs(frequency) >= sampleRate / 2) {
        diagnostics.push(
          diagnostic(
            'PATCH_SIGNAL_RANGE',
            pathOf(['nodes', id, 'in', 0]),
            `the frequency must be below Nyquist: expected < ${sampleRate / 2} Hz, got ${frequency} Hz`,
          ),
        );
      }
      return sine(b, operand(frequency, 'real'), sampleRate);
    }
    case 'runningMean':
      return runningMean(b, operand(node.in[0], 'real'), node.frames);
    case 'align': {
      const x = operand(node.in[0], 'real');
      return latency > 0 ? b.delay(x, latency) : x;
    }
    default:
      return plain(b, id, node, operand, types, diagnostics);
  }
}

/** An operation of the IR, its operands brought to the types that it takes. */
function plain(
  b: Builder,
  id: string,
  node: { readonly op: PlainOp; readonly in: readonly Operand[] },
  operand: Resolve,
  types: ReadonlyMap<string, ValueType>,
  diagnostics: Diagnostic[],
): NodeId {
  const wanted = operandTypes(node.op, node.in, types);
  const args = node.in.map((value, i) => {
    const type = wanted[i]!;
    if (type === 'int' && typeOf(value, types) === 'real') {
      diagnostics.push(
        diagnostic(
          'PATCH_OPERAND_TYPE',
          pathOf(['nodes', id, 'in', i]),
          `"${node.op}" takes a whole number here, got ${typeof value === 'number' ? value : `the real signal "${value}"`}`,
          'use "toInt", or a comparison for a condition',
        ),
      );
      return b.int(0);
    }
    return operand(value, type);
  });
  return b.node(node.op, args);
}

/** A literal is an int only where its neighbours are; a control is real. */
function typeOf(value: Operand, types: ReadonlyMap<string, ValueType>): ValueType | 'literal' {
  if (typeof value === 'number') return Number.isInteger(value) ? 'literal' : 'real';
  return types.get(value) ?? 'real';
}

function operandTypes(
  op: PlainOp,
  operands: readonly Operand[],
  types: ReadonlyMap<string, ValueType>,
): readonly ValueType[] {
  const known = operands.map((o) => typeOf(o, types));
  const common = (of: readonly (ValueType | 'literal')[]): ValueType =>
    of.includes('real') || !of.includes('int') ? 'real' : 'int';
  switch (OPS[op].signature) {
    case 'same':
      return operands.map(() => (op === 'div' ? 'real' : common(known)));
    case 'same→int':
      return operands.map(() => common(known));
    case 'select': {
      const sides = common(known.slice(1));
      return ['int', sides, sides];
    }
    case 'int→real':
    case 'int→int':
      return operands.map(() => 'int');
    case 'real→real':
    case 'real→int':
      return operands.map(() => 'real');
  }
}

/**
 * The type of every node, to a fixpoint over the patch. A recursion whose type nothing decides is
 * real.
 */
function inferTypes(patch: Patch): ReadonlyMap<string, ValueType> {
  const types = new Map<string, ValueType>();
  const entries = Object.entries(patch.nodes);
  // Start from int wherever it is possible and take it back where a real shows: the smallest
  // solution that keeps a recursion of ints int.
  for (const [id, node] of entries) {
    const plainOp = 'in' in node && Object.hasOwn(OPS, node.op) && node.op !== 'delay';
    const mayBeInt =
      node.op === 'delay' ||
      (plainOp && resultType(node.op as PlainOp, asInts(node.op as PlainOp)) === 'int');
    types.set(id, mayBeInt ? 'int' : 'real');
  }
  const decide = (id: string, node: PatchNode): ValueType => {
    if (types.get(id) === 'real') return 'real';
    if (node.op === 'delay') {
      const [source] = node.in;
      if (node.init !== undefined && !Number.isInteger(node.init)) return 'real';
      return typeof source === 'string' ? (types.get(source) ?? 'real') : 'real';
    }
    if (!('in' in node) || !Object.hasOwn(OPS, node.op)) return 'real';
    const op = node.op as PlainOp;
    return resultType(op, operandTypes(op, node.in, types)) ?? 'real';
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const [id, node] of entries) {
      const type = decide(id, node);
      if (type !== types.get(id)) {
        types.set(id, type);
        changed = true;
      }
    }
  }
  return types;
}

/** Operand types that let an operation give an int, if any do. */
function asInts(op: PlainOp): readonly ValueType[] {
  const arity = OPS[op].arity;
  return Array.from({ length: arity }, () => (OPS[op].signature === 'real→int' ? 'real' : 'int'));
}

/** Node ids so that operands come first; delays do not count. The patch has no instant loop. */
function inOrder(patch: Patch): readonly string[] {
  const order: string[] = [];
  const done = new Set<string>();
  for (const start of Object.keys(patch.nodes)) {
    const trail = [{ id: start, next: 0 }];
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const node = patch.nodes[top.id];
      const next = node === undefined ? undefined : instantOperands(node)[top.next++];
      if (next === undefined) {
        trail.pop();
        if (node !== undefined && !done.has(top.id)) {
          done.add(top.id);
          order.push(top.id);
        }
      } else if (typeof next === 'string' && Object.hasOwn(patch.nodes, next) && !done.has(next)) {
        trail.push({ id: next, next: 0 });
      }
    }
  }
  return order;
}

/**
 * White noise: the high bits of a 32-bit linear congruential generator.
 *
 * s[n] = 1664525 · s[n−1] + 1013904223 mod 2³², y[n] = s[n] / 2³¹, uniform in [−1, 1].
 * Source: Numerical Recipes, "quick and dirty" generator. Neighbouring seeds are mixed apart.
 */
function noise(b: Builder, seed: number): NodeId {
  const before = b.feedback('int', 1, mixBits(seed));
  const now = b.node('add', [b.node('mul', [before, b.int(1664525)]), b.int(1013904223)]);
  b.close(before, now);
  return b.node('mul', [b.node('toReal', [now]), b.real(2 ** -31)]);
}

/** A seed spread over 32 bits (the finaliser of MurmurHash3, public domain). */
function mixBits(seed: number): number {
  let h = (seed + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}

/**
 * A sine: y[n] = sin(2π φ[n]), φ[0] = 0, φ[n+1] = φ[n] + frequency / sampleRate.
 *
 * The phase is a 32-bit integer whose wrap is the wrap of the circle, so it keeps its precision
 * (sampleRate / 2³² = 11 µHz at 48 kHz) for as long as it runs.
 * Gradient: exact through the frequency, which moves the phase more the longer it runs.
 */
function sine(b: Builder, frequency: NodeId, sampleRate: number): NodeId {
  const step = b.node('toInt', [b.node('mul', [frequency, b.real(2 ** 32 / sampleRate)])]);
  const phase = b.feedback('int', 1, 0);
  b.close(phase, b.node('add', [phase, step]));
  return b.node('sin', [
    b.node('mul', [b.node('toReal', [phase]), b.real((2 * Math.PI) / 2 ** 32)]),
  ]);
}

/**
 * y[n] = (1/N) Σ_{k<N} x[n−k], zeros before the start.
 *
 * Made of sums of 2, 4, 8, … neighbours, so it has no recursion: nothing drifts, and it runs four
 * samples at a time. Cost: about 2·log₂ N additions.
 */
function runningMean(b: Builder, x: NodeId, frames: number): NodeId {
  let total: NodeId | null = null;
  let covered = 0;
  let block = x;
  for (let size = 1; size <= frames; size *= 2) {
    if ((frames & size) !== 0) {
      const part = covered === 0 ? block : b.delay(block, covered);
      total = total === null ? part : b.node('add', [total, part]);
      covered += size;
    }
    if (size * 2 <= frames) block = b.node('add', [block, b.delay(block, size)]);
  }
  return b.node('mul', [total ?? x, b.real(1 / frames)]);
}
