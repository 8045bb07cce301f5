/**
 * Reduce on plateau: the one schedule that listens. What it remembers of the losses so far are
 * REMEMBERED numbers in the scratch array, zeros at its start.
 *
 * Invariant: the same losses give the same rates; nothing allocates. Source: PyTorch's
 * ReduceLROnPlateau, whose rates it gives when it is fed the same losses.
 */

import { z } from 'zod';
import { LASTS, MEMORY, OWN, RATE, rate, steps } from './numbers.ts';

const count = z.number().int().min(0).max(1e12);

export const PLATEAU_SHAPE = {
  kind: z.literal('plateau'),
  rate,
  factor: z.number().min(0).max(1).optional(),
  patience: count.optional(),
  threshold: z.number().min(0).max(1e30).optional(),
  relative: z.boolean().optional(),
  mode: z.enum(['min', 'max']).optional(),
  cooldown: count.optional(),
  lowest: rate.optional(),
  epsilon: z.number().min(0).max(1e6).optional(),
  /** Steps of an observation: their mean loss. */
  every: steps.optional(),
} as const;

export type Plateau = z.infer<z.ZodObject<typeof PLATEAU_SHAPE>>;

const FIRST = OWN;
const FACTOR = OWN + 1;
const PATIENCE = OWN + 2;
const THRESHOLD = OWN + 3;
const RELATIVE = OWN + 4;
const MAX = OWN + 5;
const COOLDOWN = OWN + 6;
const LOWEST = OWN + 7;
const EPSILON = OWN + 8;
const EVERY = OWN + 9;

/** Rate that is left, best loss, observations that were no better, those still to cool down. */
const LEFT = MEMORY;
const BEST = MEMORY + 1;
const BAD = MEMORY + 2;
const COOLING = MEMORY + 3;
/** Sum and count of the losses of the present observation; a count of 0 and no BEST: nothing seen. */
const SUM = MEMORY + 4;
/** Losses in the sum, plus SEEN once there was an observation. */
const COUNT = MEMORY + 5;
const SEEN = 2 ** 48;

export function plateauNumbers(schedule: Plateau): readonly number[] {
  const { factor = 0.1, patience = 10, threshold = 1e-4, relative = true } = schedule;
  const { mode = 'min', cooldown = 0, lowest = 0, epsilon = 1e-8, every = 1 } = schedule;
  const flags = [relative ? 1 : 0, mode === 'max' ? 1 : 0];
  return [schedule.rate, factor, patience, threshold, ...flags, cooldown, lowest, epsilon, every];
}

export function writePlateau(n: Float64Array, w: Float64Array): void {
  w[RATE] = w[COUNT]! >= SEEN ? w[LEFT]! : n[FIRST]!;
}

/** Until so many observations could be no better that it falls. */
export function lastsPlateau(n: Float64Array, w: Float64Array): void {
  const counted = w[COUNT]! >= SEEN ? w[COUNT]! - SEEN : w[COUNT]!;
  const left = (n[PATIENCE]! - w[BAD]! + 1) * n[EVERY]! - counted;
  w[LASTS] = left > 1 ? left : 1;
}

/** Takes the loss of a step from `loss[0]`. */
export function observePlateau(n: Float64Array, w: Float64Array, loss: Float64Array): void {
  const first = w[COUNT]! < SEEN;
  const seen = first ? 0 : SEEN;
  w[SUM]! += loss[0]!;
  w[COUNT]! += 1;
  if (w[COUNT]! - seen < n[EVERY]!) return;
  const mean = w[SUM]! / n[EVERY]!;
  w[SUM] = 0;
  w[COUNT] = SEEN;
  if (first) {
    w[LEFT] = n[FIRST]!;
    w[BEST] = n[MAX]! === 1 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  const sign = n[MAX]! === 1 ? 1 : -1;
  const bound =
    n[RELATIVE]! === 1 ? w[BEST]! * (1 + sign * n[THRESHOLD]!) : w[BEST]! + sign * n[THRESHOLD]!;
  const better = n[MAX]! === 1 ? mean > bound : mean < bound;
  if (better) {
    w[BEST] = mean;
    w[BAD] = 0;
  } else {
    w[BAD]! += 1;
  }
  if (w[COOLING]! > 0) {
    w[COOLING]! -= 1;
    w[BAD] = 0;
  }
  if (w[BAD]! <= n[PATIENCE]!) return;
  const next = Math.max(w[LEFT]! * n[FACTOR]!, n[LOWEST]!);
  if (w[LEFT]! - next > n[EPSILON]!) w[LEFT] = next;
  w[COOLING] = n[COOLDOWN]!;
  w[BAD] = 0;
}
