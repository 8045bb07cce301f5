/**
 * The words that functions of a patch are written in: short names for the operations of the IR, and
 * the two shapes of state, the last value and recursion by one frame.
 *
 * Invariant: each is exactly the operation that it names; nothing is simplified here.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';

/** Makes a function's nodes from its operands, which are real. */
export type Build = (b: Builder, ...operands: NodeId[]) => NodeId;

export interface Described {
  readonly arity: number;
  /** What the operands are called; a, b, c if not given. */
  readonly names?: readonly string[];
  readonly doc: string;
}

/** A function that needs no sample rate. */
export interface PlainFunction extends Described {
  readonly build: Build;
}

/** A function that counts in hertz or seconds. */
export interface TimedFunction extends Described {
  /** @param sampleRate  Hz */
  readonly at: (sampleRate: number) => Build;
}

export type PatchFunction = PlainFunction | TimedFunction;

export const add = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('add', [x, y]);
export const sub = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('sub', [x, y]);
export const mul = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('mul', [x, y]);
export const div = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('div', [x, y]);
export const neg = (b: Builder, x: NodeId): NodeId => b.node('neg', [x]);
export const abs = (b: Builder, x: NodeId): NodeId => b.node('abs', [x]);
export const scale = (b: Builder, x: NodeId, by: number): NodeId => mul(b, x, b.real(by));
export const choose = (b: Builder, condition: NodeId, yes: NodeId, no: NodeId): NodeId =>
  b.node('select', [condition, yes, no]);
export const below = (b: Builder, x: NodeId, limit: number): NodeId =>
  b.node('lt', [x, b.real(limit)]);

/** x in [low, high]; derivative 1 there, 0 outside. */
export const hold = (b: Builder, x: NodeId, low: number, high: number): NodeId =>
  b.node('max', [b.node('min', [x, b.real(high)]), b.real(low)]);

/** x[n−1]; 0 before the start. */
export const last = (b: Builder, x: NodeId): NodeId => b.delay(x, 1);

/** Lanes of what is made of these lane by lane. */
export const lanesOfAll = (b: Builder, ...x: readonly NodeId[]): number =>
  Math.max(...x.map((id) => b.shape(id)));

/** y[n] = next(y[n−1]), y[−1] = 0, in so many lanes. */
export function recursion(b: Builder, lanes: number, next: (past: NodeId) => NodeId): NodeId {
  const past = b.feedback('real', 1, 0, lanes);
  const now = next(past);
  b.close(past, b.asLanes(now, lanes));
  return now;
}

/** A function of numbers, lane by lane: for what has one past or place for each lane. */
export function eachLane(
  b: Builder,
  operands: readonly NodeId[],
  of: (...numbers: NodeId[]) => NodeId,
): NodeId {
  const lanes = lanesOfAll(b, ...operands);
  if (lanes === 1) return of(...operands);
  const one = (x: NodeId, k: number): NodeId =>
    b.shape(x) === 1 ? x : b.node('slice', [x], [k, 1]);
  const made = Array.from({ length: lanes }, (_, k) => of(...operands.map((x) => one(x, k))));
  return b.node('concat', made);
}
