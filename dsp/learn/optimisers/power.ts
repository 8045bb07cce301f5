/**
 * How large the rows of the Jacobian have been: what optimisers regularise in proportion to.
 *
 * Invariant: no level is built in but the one below which everything is silence: what is learnt from
 * a signal is learnt from the same signal ten times as loud. What the rows have been counts for a
 * while, so that a pause, in which they are noise, does not pass for a signal.
 */

import { z } from 'zod';
import type { NodeId } from '../../ir/graph.ts';
import type { Inputs } from './row.ts';
import { termsOf } from './terms.ts';

/** Of a window's squares, all together: −120 dB of a full-scale sample. */
const SILENCE = 1e-12;

/** Options of all who use it. */
export const powerOptions = (regularisation: number, gate: number) => ({
  /** Of the running power, added to what is divided by. */
  regularisation: z.number().min(1e-12).max(1e3).default(regularisation),
  /** Of the running power: rows with less teach nothing. */
  gate: z.number().min(0).max(1).default(gate),
  /** Samples after which a power that has gone counts for 1/e. */
  memory: z
    .number()
    .min(1)
    .max(2 ** 40)
    .default(2 ** 18),
});

export interface PowerOptions {
  readonly regularisation: number;
  readonly gate: number;
  readonly memory: number;
}

/** How much of a power is left a window later. */
export const left = (window: number, memory: number): number => Math.exp(-window / memory);

/**
 * P ← max(power, exp(−window/memory)·P): at once up, slowly down.
 *
 * @returns  P, and as a condition whether this window is above the gate
 */
export function runningPower(
  { b, window, recall }: Inputs,
  power: NodeId,
  { gate, memory }: Omit<PowerOptions, 'regularisation'>,
): { readonly running: NodeId; readonly isActive: NodeId; readonly before: NodeId } {
  const { max, mul, real } = termsOf(b);
  let before = real(SILENCE);
  const running = recall(`power over ${window}`, 1, (past) => {
    before = past;
    return max(max(power, mul(past, real(left(window, memory)))), real(SILENCE));
  });
  const isActive = b.node('gt', [power, mul(running, real(gate))]);
  return { running, isActive, before };
}

/** 1 where a parameter learns, 0 where it is frozen. */
export const freeOf = ({ b, frozen }: Inputs): NodeId =>
  b.node('select', [frozen, b.real(0), b.real(1)]);

/** An unknown with this ridge stays 0. */
const HELD = 1e300;

/**
 * The ridge of each unknown of a step −d: held where the parameter is frozen, or is at an end of its
 * range and would be pushed beyond, so that the others are solved for with it where it is.
 *
 * @param push  Jᵀe, [lanes]
 */
export function ridgeOf(
  { b, frozen, value, low, high, lanes }: Inputs,
  push: NodeId,
  ridge: NodeId,
): NodeId {
  const { choose, real } = termsOf(b);
  const zero = real(0);
  const held = real(HELD);
  const is = (op: 'le' | 'ge' | 'gt' | 'lt', x: NodeId, y: NodeId): NodeId => b.node(op, [x, y]);
  const atLow = choose(is('le', value, low), choose(is('gt', push, zero), held, ridge), ridge);
  const atHigh = choose(is('ge', value, high), choose(is('lt', push, zero), held, atLow), atLow);
  return b.asLanes(choose(frozen, held, atHigh), lanes);
}
