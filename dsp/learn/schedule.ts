/**
 * Learning-rate schedules: pure functions of the optimiser step.
 *
 * Invariant: a rate is computed in double precision from the step alone and keeps no state, so a preview is exactly what happens, and a running schedule can be
 * exchanged at any step.
 */

import { z } from 'zod';

const rate = z.number().min(0).max(1e6);
const steps = z.number().int().min(1).max(1e12);

export const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant'), rate }),
  z.strictObject({
    kind: z.literal('exponential'),
    rate,
    /** Natural logarithm of the factor applied every `every` steps; negative decays. */
    delta: z.number().min(-100).max(100),
    every: steps,
  }),
  z.strictObject({
    kind: z.literal('step'),
    rate,
    factor: z.number().min(0).max(10),
    every: steps,
  }),
  z.strictObject({ kind: z.literal('cosine'), rate, final: rate, steps }),
]);

export type Schedule = z.infer<typeof scheduleSchema>;

/** The largest rate a schedule can give: a growing one is held here, not at infinity. */
const CEILING = 1e6;

/**
 * The learning rate at an optimiser step.
 *
 * constant:     rate
 * exponential:  rate · exp(delta · ⌊step / every⌋)
 * step:         rate · factor^⌊step / every⌋
 * cosine:       final + (rate − final) · (1 + cos(π · min(step, steps) / steps)) / 2
 *
 * @param step  optimiser steps already taken, ≥ 0
 * @returns     the rate, in [0, 1e6]
 * Tested: test/dsp/learn/schedule.test.ts
 */
export function learningRate(schedule: Schedule, step: number): number {
  const into = new Float64Array(1);
  writeLearningRate(schedule, step, into);
  return into[0]!;
}

/** As `learningRate`, into the first element of an array: a returned double would be allocated. */
export function writeLearningRate(schedule: Schedule, step: number, into: Float64Array): void {
  switch (schedule.kind) {
    case 'constant':
      into[0] = schedule.rate;
      break;
    case 'exponential':
      into[0] = schedule.rate * Math.exp(schedule.delta * Math.floor(step / schedule.every));
      break;
    case 'step':
      into[0] = schedule.rate * Math.pow(schedule.factor, Math.floor(step / schedule.every));
      break;
    case 'cosine': {
      const t = Math.min(step, schedule.steps) / schedule.steps;
      into[0] =
        schedule.final + ((schedule.rate - schedule.final) * (1 + Math.cos(Math.PI * t))) / 2;
      break;
    }
  }
  // A rate of 0 that has grown without bound is still 0.
  if (schedule.rate === 0 && schedule.kind !== 'cosine') into[0] = 0;
  if (into[0] > CEILING) into[0] = CEILING;
}
