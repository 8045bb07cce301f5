/**
 * Patch → stream graph, for one sample rate and one device round trip.
 *
 * Sources and windows that a patch names (`noise`, `runningMean`, `align`) become plain IR
 * here, so that they need no rules of their own. Invariant: everything that depends on the sample
 * rate is decided here, and reported as diagnostics with the path in the patch.
 */

import { diagnostic, fail, ok, pathOf } from '../diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostic.ts';
import { Builder, resultType } from '../ir/builder.ts';
import { components } from '../ir/components.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { OPS } from '../ir/ops.ts';
import type { OpKind, ValueType } from '../ir/ops.ts';
import { meterName, outName } from '../ir/program.ts';
import { BEYOND, SHORTEST, delayBy } from './delays.ts';
import { buildOf, isFunction, isOscillator } from './functions.ts';
import { inferLanes } from './lanes.ts';
import { lanesOfParam, placesOfParams } from './params.ts';
import { inferRates } from './rates.ts';
import type { PlainOp } from './names.ts';
import { termsOf } from './objective.ts';
import type { PlacedTerm } from './objective.ts';
import type { Operand, Patch, PatchNode } from './schema.ts';
import { orderWith, roundingWith } from './surrogates.ts';
import type { Order, Rounding } from './surrogates.ts';
import { cycleOf, readTable, wholeIndex } from './tables.ts';
import { isVectorOp, ruleOf } from './vectors.ts';
import type { VectorNode } from './vectors.ts';

export interface LowerOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Device round trip, frames. */
  readonly latency: number;
}

export interface Lowered {
  /** Outputs `out:0`, `out:1`, …; `meter:0`, … in the order of the patch. */
  readonly graph: Graph;
  /** What is compared with what, and how; none without training. */
  readonly terms: readonly LoweredTerm[];
  /** Hz. */
  readonly sampleRate: number;
  /** Does the patch compare what it plays with what it hears, by `align`? */
  readonly throughDevice: boolean;
  /** Highest input channel used. */
  readonly inputs: number;
  /** Where in the document a graph node came from, for messages. */
  readonly origin: ReadonlyMap<NodeId, string>;
}

/** A term of the loss, its signals real. */
export interface LoweredTerm extends Omit<PlacedTerm, 'estimate' | 'target'> {
  readonly estimate: NodeId;
  readonly target: NodeId | null;
}

const MAX_DELAY_FRAMES = 2 ** 24;
/** Of all tables together: four bytes each in the generated module. */
const MAX_TABLE_PLACES = 2 ** 20;

export function lower(written: Patch, options: LowerOptions): Result<Lowered> {
  const patch = withoutShorthand(written);
  const diagnostics: Diagnostic[] = [];
  const b = new Builder('stream');
  const types = inferTypes(patch);
  const lanes = inferLanes(written);
  const rates = inferRates(written);
  const values = new Map<string, NodeId>();
  const origin = new Map<NodeId, string>();
  Object.keys(patch.sliders).forEach((id, k) => values.set(id, b.node('slider', [], [k])));
  for (const [id, place] of placesOfParams(patch.params)) {
    values.set(id, b.node('param', [], [place, lanesOfParam(patch.params[id]!)]));
  }

  const operand = (value: Operand, type: ValueType): NodeId => {
    if (typeof value === 'number') return type === 'int' ? b.int(value) : b.real(value);
    const id = values.get(value)!;
    return type === 'real' ? b.asReal(id) : id;
  };

  const { order, recursive } = arrange(patch);
  let delayFrames = 0;
  const lanesOf = (of: Operand): number => (typeof of === 'number' ? 1 : (lanes.get(of) ?? 1));
  const tablePlaces = Object.values(patch.nodes).reduce(
    (sum, node) => sum + placesIn(node) * (node.op === 'rwTable' ? lanesOf(node.in[0]) : 1),
    0,
  );
  if (tablePlaces > MAX_TABLE_PLACES) {
    return fail(
      diagnostic(
        'PATCH_TOO_LARGE',
        'nodes',
        `all tables together: expected at most ${MAX_TABLE_PLACES} values, got ${tablePlaces}`,
      ),
    );
  }
  for (const id of order) {
    const node = patch.nodes[id]!;
    const first = b.nodes.length;
    if (node.op === 'delayBy') delayFrames += (node.max + BEYOND) * lanesOf(node.in[0]);
    if (node.op === 'delay') {
      delayFrames += node.frames * (lanes.get(id) ?? 1);
      const type = types.get(id) ?? 'real';
      const { frames, init = 0 } = node;
      const hop = rates.get(id);
      const make = (): NodeId =>
        recursive.has(id)
          ? b.feedback(type, frames, init, lanes.get(id), hop)
          : b.delay(operand(node.in[0], type), frames, init, hop);
      values.set(id, b.within(stateName(id, node), make));
    } else {
      const make = (): NodeId => lowerNode(b, id, node, operand, types, options, diagnostics);
      values.set(id, b.within(stateName(id, node), make));
    }
    const path = pathOf(['nodes', id]);
    for (let k = first; k < b.nodes.length; k++) origin.set(k as NodeId, path);
  }
  for (const id of recursive) {
    const node = patch.nodes[id];
    if (node?.op === 'delay') {
      const delay = values.get(id)!;
      const source = operand(node.in[0], types.get(id) ?? 'real');
      b.close(delay, b.asLanes(source, b.shape(delay)));
    }
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

  const outputs = patch.outputs.map((value, k) => ({
    name: outName(k),
    node: operand(value, 'real'),
  }));
  const meters = Object.values(patch.meters).map((spec, k) => ({
    name: meterName(k),
    node: operand(spec.in, 'real'),
  }));
  const terms = (patch.training === undefined ? [] : termsOf(patch.training)).map((term) => ({
    ...term,
    estimate: operand(term.estimate, 'real'),
    target: term.target === null ? null : operand(term.target, 'real'),
  }));
  if (diagnostics.length > 0) return { ok: false, diagnostics };
  return ok({
    graph: b.finish([...outputs, ...meters]),
    terms,
    sampleRate: options.sampleRate,
    throughDevice: Object.values(patch.nodes).some((n) => n.op === 'align'),
    inputs: Math.max(
      0,
      ...Object.values(patch.nodes).map((n) => (n.op === 'input' ? n.channel : 0)),
    ),
    origin,
  });
}

const isVectorNode = (node: PatchNode): node is VectorNode => isVectorOp(node.op);

/**
 * What the states of a node are called: its id, and its operation, whose states mean something else
 * than those of another that stands in its place after an edit.
 */
const stateName = (id: string, { op }: CoreNode): string => `${id}.${op}`;

type CoreNode = Exclude<PatchNode, { op: 'mem' }>;
interface CorePatch extends Omit<Patch, 'nodes'> {
  readonly nodes: Readonly<Record<string, CoreNode>>;
}

/** A patch whose `mem` nodes are the delays that they stand for. */
function withoutShorthand(patch: Patch): CorePatch {
  const nodes = Object.fromEntries(
    Object.entries(patch.nodes).map(([id, node]): [string, CoreNode] => [
      id,
      node.op === 'mem' ? { op: 'delay', in: node.in, frames: 1 } : node,
    ]),
  );
  return { ...patch, nodes };
}

/** Values that a table holds. */
const placesIn = (node: CoreNode): number =>
  node.op === 'table' || node.op === 'rwTable' ? (node.values?.length ?? node.size ?? 0) : 0;

type Resolve = (value: Operand, type: ValueType) => NodeId;

function lowerNode(
  b: Builder,
  id: string,
  node: Exclude<CoreNode, { op: 'delay' }>,
  operand: Resolve,
  types: ReadonlyMap<string, ValueType>,
  { sampleRate, latency }: LowerOptions,
  diagnostics: Diagnostic[],
): NodeId {
  switch (node.op) {
    case 'input':
      return b.node('input', [], [node.channel - 1]);
    case 'delayBy': {
      const { in: operands, max, interpolation = 'linear' } = node;
      checkLength(id, operands[1], [SHORTEST[interpolation], max], diagnostics);
      const [x, frames] = operands.map((value) => operand(value, 'real')) as [NodeId, NodeId];
      return delayBy(b, x, frames, max, interpolation);
    }
    case 'table': {
      const { waveform = 'sine', size = 1, interpolation = 'linear', wrap = true } = node;
      const [index, learnt] = node.in.map((value) => operand(value, 'real')) as [NodeId, NodeId?];
      const held = learnt ?? node.values ?? cycleOf(waveform, size);
      return readTable(b, held, index, interpolation, wrap);
    }
    case 'rwTable': {
      const [written, ...places] = node.in;
      const [into, from] = places.map((place) => {
        const type = typeOf(place, types) === 'real' ? 'real' : 'int';
        return wholeIndex(b, operand(place, type));
      }) as [NodeId, NodeId];
      const start = node.values ?? new Array<number>(node.size ?? 1).fill(0);
      return b.node('rwtable', [b.node('const', [], start), operand(written, 'real'), into, from]);
    }
    case 'noise':
      return noise(b, node.seed ?? 0, node.lanes ?? 1);
    case 'sampleRate':
      return b.real(sampleRate);
    case 'runningSum':
      return runningSum(b, operand(node.in[0], 'real'), node.frames);
    case 'runningMean': {
      const total = runningSum(b, operand(node.in[0], 'real'), node.frames);
      return b.node('mul', [total, b.real(1 / node.frames)]);
    }
    case 'align': {
      const x = operand(node.in[0], 'real');
      return latency > 0 ? b.delay(x, latency) : x;
    }
    default: {
      if (isVectorNode(node)) {
        const x = 'in' in node ? node.in.map((value) => operand(value, 'real')) : [];
        const rule = ruleOf(node);
        const lanes = x.map((operandId) => b.shape(operandId));
        const wrong = rule.wrong?.(node, lanes, sampleRate) ?? null;
        if (wrong === null) return rule.build(b, node, x, sampleRate);
        const path = pathOf(['nodes', id, wrong.field]);
        diagnostics.push(diagnostic('PATCH_SIGNAL_RANGE', path, wrong.message));
        return b.filled(0, rule.lanes(node, lanes) ?? 1);
      }
      const reals = (): NodeId[] => node.in.map((value) => operand(value, 'real'));
      if (isOscillator(node.op)) checkFrequency(id, node.in[0], sampleRate, diagnostics);
      const made = isFunction(node.op)
        ? buildOf(node.op, sampleRate)(b, ...reals())
        : plain(b, id, { op: node.op, in: node.in }, operand, types, diagnostics);
      return 'gradient' in node ? chosen(b, node, made, reals()) : made;
    }
  }
}

/** A rounding or comparison with the derivative that its node chooses. */
function chosen(
  b: Builder,
  node: Extract<PatchNode, { op: Rounding | Order }>,
  made: NodeId,
  [x, y]: readonly NodeId[],
): NodeId {
  switch (node.op) {
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return node.gradient === 'sigmoid'
        ? orderWith(b, node.op, made, [x!, y!], node.width ?? 1)
        : made;
    default:
      return node.gradient === undefined ? made : roundingWith(b, node.gradient, made, x!);
  }
}

/** A frequency that is a number is known to be too high. */
function checkFrequency(
  id: string,
  frequency: Operand | undefined,
  sampleRate: number,
  diagnostics: Diagnostic[],
): void {
  if (typeof frequency !== 'number' || Math.abs(frequency) < sampleRate / 2) return;
  diagnostics.push(
    diagnostic(
      'PATCH_SIGNAL_RANGE',
      pathOf(['nodes', id, 'in', 0]),
      `the frequency must be below Nyquist: expected < ${sampleRate / 2} Hz, got ${frequency} Hz`,
    ),
  );
}

/** A length that is a number is known to be out of range. */
function checkLength(
  id: string,
  frames: Operand,
  [shortest, longest]: readonly [number, number],
  diagnostics: Diagnostic[],
): void {
  if (typeof frames !== 'number' || (frames >= shortest && frames <= longest)) return;
  diagnostics.push(
    diagnostic(
      'PATCH_SIGNAL_RANGE',
      pathOf(['nodes', id, 'in', 1]),
      `the delay must be in its range: expected ${shortest} to ${longest} frames, got ${frames}`,
    ),
  );
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
          `"${node.op}" takes a 32-bit whole number here, got ${typeof value === 'number' ? value : `the real signal "${value}"`}`,
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
  if (typeof value === 'number') return isInt(value) ? 'literal' : 'real';
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
    case 'real,real→real':
    case 'real,real,real→real':
    case 'real→int':
      return operands.map(() => 'real');
  }
}

/**
 * The type of every node, to a fixpoint over the patch. A recursion whose type nothing decides is
 * real.
 */
function inferTypes(patch: CorePatch): ReadonlyMap<string, ValueType> {
  const types = new Map<string, ValueType>();
  const entries = Object.entries(patch.nodes);
  // Start from int wherever it is possible and take it back where a real shows: the smallest
  // solution that keeps a recursion of ints int.
  for (const [id, node] of entries) {
    const plainOp = 'in' in node && isPlain(node.op);
    const mayBeInt =
      node.op === 'delay' ||
      (plainOp && resultType(node.op as PlainOp, asInts(node.op as PlainOp)) === 'int');
    types.set(id, mayBeInt ? 'int' : 'real');
  }
  const decide = (node: CoreNode): ValueType => {
    if (node.op === 'delay') {
      const [source] = node.in;
      if (node.init !== undefined && !isInt(node.init)) return 'real';
      return typeof source === 'string' ? (types.get(source) ?? 'real') : 'real';
    }
    if (!('in' in node) || !isPlain(node.op)) return 'real';
    const { op } = node;
    return resultType(op, operandTypes(op, node.in, types)) ?? 'real';
  };
  const users = new Map<string, string[]>();
  for (const [id, node] of entries) {
    for (const used of 'in' in node ? node.in : []) {
      if (typeof used !== 'string') continue;
      const list = users.get(used);
      if (list === undefined) users.set(used, [id]);
      else list.push(id);
    }
  }
  // A type only ever changes from int to real, so every node is looked at again a few times at most.
  const open = entries.map(([id]) => id);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (types.get(id) === 'real' || decide(patch.nodes[id]!) === 'int') continue;
    types.set(id, 'real');
    for (const user of users.get(id) ?? []) open.push(user);
  }
  return types;
}

/** Is it an operation of the IR that a patch uses as it is? */
const isPlain = (op: string): op is PlainOp => Object.hasOwn(OPS, op) && OPS[op as OpKind].inPatch;

/** Whether a number can be a 32-bit integer. */
const isInt = (value: number): boolean => Number.isInteger(value) && value === (value | 0);

/** Operand types that let an operation give an int, if any do. */
function asInts(op: PlainOp): readonly ValueType[] {
  const arity = OPS[op].arity;
  return Array.from({ length: arity }, () => (OPS[op].signature === 'real→int' ? 'real' : 'int'));
}

/**
 * Node ids so that operands come first, and the delays that are part of a recursion: those alone
 * may come before their source. The patch has no instant loop.
 */
function arrange(patch: CorePatch): {
  readonly order: readonly string[];
  readonly recursive: ReadonlySet<string>;
} {
  const names = Object.keys(patch.nodes);
  const numbers = new Map(names.map((name, k) => [name, k]));
  const needs = names.map((name) => {
    const node = patch.nodes[name]!;
    const operands: readonly Operand[] = 'in' in node ? node.in : [];
    return operands.flatMap((o) => (typeof o === 'string' ? (numbers.get(o) ?? []) : []));
  });
  const recursive = new Set<string>();
  for (const component of components(names.length, (k: number) => needs[k]!)) {
    const [first] = component as [number];
    if (component.length === 1 && !needs[first]!.includes(first)) continue;
    for (const k of component) if (patch.nodes[names[k]!]!.op === 'delay') recursive.add(names[k]!);
  }
  const ahead = (k: number): readonly number[] => (recursive.has(names[k]!) ? [] : needs[k]!);
  const order = components(names.length, ahead).map(([k]) => names[k!]!);
  return { order, recursive };
}

/**
 * White noise: the high bits of a 32-bit linear congruential generator.
 *
 * s[n] = 1664525 · s[n−1] + 1013904223 mod 2³², y[n] = s[n] / 2³¹, uniform in [−1, 1].
 * Source: Numerical Recipes, "quick and dirty" generator. Neighbouring seeds and lanes are mixed
 * apart: a state starts as one number in all lanes, so each keeps how far its own is from that.
 */
function noise(b: Builder, seed: number, lanes: number): NodeId {
  const first = mixBits(seed);
  const before = b.feedback('int', 1, first, lanes);
  const apart = Array.from({ length: lanes }, (_, k) =>
    k === 0 ? 0 : mixBits(first + k * 0x9e3779b9) - first,
  );
  const own = lanes === 1 ? before : b.node('add', [before, ints(b, apart)]);
  const now = b.node('add', [b.node('mul', [own, b.int(1664525)]), b.int(1013904223)]);
  b.close(before, lanes === 1 ? now : b.node('sub', [now, ints(b, apart)]));
  return b.node('mul', [b.node('toReal', [now]), b.real(2 ** -31)]);
}

/** A vector of 32-bit integers: of halves that a real holds exactly. */
function ints(b: Builder, values: readonly number[]): NodeId {
  const part = (of: (value: number) => number): NodeId =>
    b.node('toInt', [b.node('const', [], values.map(of))]);
  const high = b.node('mul', [part((value) => (value | 0) >> 16), b.int(2 ** 16)]);
  return b.node('add', [high, part((value) => value & 0xffff)]);
}

/** A seed spread over 32 bits (the finaliser of MurmurHash3, public domain). */
function mixBits(seed: number): number {
  let h = (seed + 0x9e3779b9) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}

/**
 * y[n] = Σ_{k<N} x[n−k], zeros before the start.
 *
 * Made of sums of 2, 4, 8, … neighbours, so it has no recursion: nothing drifts, and it runs four
 * samples at a time. Cost: about 2·log₂ N additions.
 */
function runningSum(b: Builder, x: NodeId, frames: number): NodeId {
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
  return total ?? x;
}
