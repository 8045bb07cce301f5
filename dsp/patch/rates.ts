/**
 * How often every node of a patch has a value: never of its own (a control or a constant), at every
 * sample, or in frames every `hop` samples.
 *
 * Rates do not mix: `frames` alone leads from samples to frames, `overlapAdd` and `hold` back. A
 * recursion has the rate of what is added to it; where nothing tells, it runs at every sample unless
 * its `delay` says `hop`. Invariant: a patch without a diagnostic here lowers without signals of two
 * rates meeting, and no recursion of it leads through frames, for which there is no order of loops.
 */

import { diagnostic, pathOf } from '../diagnostic.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { components } from '../ir/components.ts';
import { OPS } from '../ir/ops.ts';
import type { OpKind } from '../ir/ops.ts';
import { kindOf, takenBy } from '../learn/losses/table.ts';
import { isFrameOp } from './frames.ts';
import { isPointwise } from './functions.ts';
import { termsOf } from './objective.ts';
import type { Operand } from './operand.ts';
import type { Patch, PatchNode } from './schema.ts';
import { operandsOf, settle } from './settle.ts';
import { isConstant, isVectorOp } from './vectors.ts';

/** By node: samples from one value to the next, 0 for what is no signal. */
export type RatesOf = ReadonlyMap<string, number>;

/** Nodes with a past: signals, whatever they are made of. */
const WITH_PAST: ReadonlySet<string> = new Set([
  'delay',
  'mem',
  'runningSum',
  'runningMean',
  'conv1d',
  'rnn',
  'lstm',
  'gru',
]);

/** Does it work on frames as on samples? */
const takesFrames = (op: string): boolean =>
  WITH_PAST.has(op) ||
  (isVectorOp(op) && !isFrameOp(op)) ||
  (isFrameOp(op) && op !== 'frames') ||
  isPointwise(op) ||
  (Object.hasOwn(OPS, op) && OPS[op as OpKind].inPatch);

/** Between samples and frames. */
const isBorder = (op: string): boolean => op === 'frames' || op === 'overlapAdd' || op === 'hold';

/** The rate that a node says itself, whatever its operands are. */
function ownRate(node: PatchNode): number | undefined {
  if (node.op === 'frames') return node.hop;
  if (node.op === 'delay') return node.hop;
  if (isConstant(node.op) || node.op === 'sampleRate') return 0;
  if (node.op === 'table' || takesFrames(node.op)) return isBorder(node.op) ? 1 : undefined;
  return 1;
}

/** Rates of every node and control. */
export function inferRates(patch: Patch): RatesOf {
  const known = new Map<string, number>();
  for (const id of [...Object.keys(patch.sliders), ...Object.keys(patch.params)]) known.set(id, 0);
  const decide = (node: PatchNode): number | undefined => {
    const own = ownRate(node);
    if (own !== undefined) return own;
    const x = operandsOf(node).map((o) => (typeof o === 'number' ? 0 : known.get(o)));
    const signal = x.find((hop) => hop !== undefined && hop > 0);
    if (signal !== undefined) return signal;
    if (x.includes(undefined)) return undefined;
    return WITH_PAST.has(node.op) ? 1 : 0;
  };
  settle(patch, known, decide, 1);
  return known;
}

const rateName = (hop: number): string => {
  if (hop === 0) return 'no signal';
  return hop === 1 ? 'samples' : `frames every ${hop} samples`;
};

const BORDERS = 'use "frames" to collect samples, "overlapAdd" or "hold" to come back to them';

/**
 * @returns       PATCH_RATE where signals of different rates meet, where frames are no samples, where
 *                a table holds what moves, and where a recursion leads through frames
 */
export function checkRates(patch: Patch): Diagnostic[] {
  const found: Diagnostic[] = [];
  const known = inferRates(patch);
  const rateOf = (operand: Operand): number =>
    typeof operand === 'number' ? 0 : (known.get(operand) ?? 0);
  const refuse = (
    path: readonly PropertyKey[],
    what: string,
    expected: string,
    got: number,
    hint = BORDERS,
  ): void => {
    const message = `${what}: expected ${expected}, got ${rateName(got)}`;
    found.push(diagnostic('PATCH_RATE', pathOf(path), message, hint));
  };
  for (const [id, node] of Object.entries(patch.nodes)) {
    const rates = operandsOf(node).map(rateOf);
    const where = (k: number): readonly PropertyKey[] => ['nodes', id, 'in', k];
    if (node.op === 'frames' && rates[0] === 0) {
      refuse(where(0), '"frames" collects a signal', 'samples', 0, 'a "vector" is as constant');
      continue;
    }
    if (node.op === 'overlapAdd' && rates[0] === 0) {
      if (node.hop !== undefined) continue;
      refuse(['nodes', id], '"overlapAdd" of what is no signal', '"hop" to say how often', 0, '');
      continue;
    }
    const held = node.op === 'table' ? node.in[1] : undefined;
    if (held !== undefined) {
      const what = 'what a table holds stays the same over a window';
      const expected = 'a param, or a vector made of params and constants';
      if (rateOf(held) > 0) {
        const hint = '"rwTable" is written at every sample';
        refuse(where(1), what, expected, rateOf(held), hint);
        continue;
      }
      if (restsOnSlider(patch, held)) {
        const message = `${what}: expected ${expected}, got one that a slider moves`;
        found.push(diagnostic('PATCH_RATE', pathOf(where(1)), message));
      }
    }
    // What all operands must be, and who said so.
    let wanted = takesFrames(node.op) ? undefined : 1;
    let because = '';
    if ((node.op === 'overlapAdd' || node.op === 'delay') && node.hop !== undefined) {
      wanted = node.hop;
      because = ', as "hop" says';
    }
    rates.forEach((rate, k) => {
      if (rate === 0) return;
      if (wanted === undefined) {
        wanted = rate;
        because = `, as in[${k}]`;
      } else if (rate !== wanted) {
        refuse(where(k), `rates of "${node.op}"`, `${rateName(wanted)}${because}`, rate);
      }
    });
  }
  const samples = (path: readonly PropertyKey[], operand: Operand, what: string): void => {
    const rate = rateOf(operand);
    if (rate > 1) refuse(path, what, 'samples', rate);
  };
  patch.outputs.forEach((operand, k) =>
    samples(['outputs', k], operand, 'a signal that leaves the patch'),
  );
  if (patch.training !== undefined) {
    for (const { estimate, target, loss, path } of termsOf(patch.training)) {
      if (takenBy(loss) === 'sound') {
        const what = `"${kindOf(loss)}" compares sounds`;
        samples([...path, 'estimate'], estimate, what);
        if (target !== null) samples([...path, 'target'], target, what);
        continue;
      }
      if (target === null) continue;
      const [rate, other] = [rateOf(estimate), rateOf(target)];
      if (rate !== other && rate !== 0 && other !== 0) {
        const expected = `${rateName(rate)}, as the estimate`;
        refuse([...path, 'target'], 'rates of estimate and target', expected, other);
      }
    }
  }
  return found.length > 0 ? found : checkRecursions(patch);
}

/** Does a slider, which may move within a window, move what is no signal? */
function restsOnSlider(patch: Patch, held: Operand): boolean {
  const seen = new Set<Operand>();
  const open = [held];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (typeof id === 'number' || seen.has(id)) continue;
    seen.add(id);
    if (Object.hasOwn(patch.sliders, id)) return true;
    const node = patch.nodes[id];
    if (node !== undefined) open.push(...operandsOf(node));
  }
  return false;
}

/** A recursion that leads from samples to frames and back, however long its delays are. */
function checkRecursions(patch: Patch): Diagnostic[] {
  const names = Object.keys(patch.nodes);
  const numbers = new Map(names.map((name, k) => [name, k]));
  if (!names.some((name) => isBorder(patch.nodes[name]!.op))) return [];
  const needs = names.map((name) =>
    operandsOf(patch.nodes[name]!).flatMap((o) =>
      typeof o === 'string' ? (numbers.get(o) ?? []) : [],
    ),
  );
  return components(names.length, (k: number) => needs[k]!).flatMap((component) => {
    if (component.length === 1) return [];
    const border = component.find((k) => isBorder(patch.nodes[names[k]!]!.op));
    if (border === undefined) return [];
    const id = names[border]!;
    return [
      diagnostic(
        'PATCH_RATE',
        pathOf(['nodes', id]),
        `a recursion through "${patch.nodes[id]!.op}": expected samples to depend on samples and frames on frames, got "${id}" that depends on itself`,
        'frames may be fed back to frames by a "delay", which counts in frames',
      ),
    ];
  });
}
