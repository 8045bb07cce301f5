/**
 * Learning-rate schedules as documents: the schema, the numbers that cross threads, and previews.
 *
 * Invariant: one definition of every kind (`kinds.ts`), one computation of every rate (`pace.ts`): a
 * preview is exactly what happens, and a running schedule can be exchanged at any step.
 */

import { z } from 'zod';
import { SCHEDULE_KINDS, numbersOf, scheduleUnion } from './kinds.ts';
import {
  CODE,
  GLIDE_AT,
  GLIDE_FROM,
  GLIDE_STEPS,
  KIND,
  OWN,
  START,
  WARM_FROM,
  WARM_STEPS,
  rate,
  steps,
} from './numbers.ts';
import { Pace } from './pace.ts';

const step = z.number().int().min(0).max(1e15);

/** What a schedule of any kind may have besides its own fields. */
const common = {
  /** A straight line in front of the schedule, from its first rate times `from`, 0 if not given. */
  warmup: z.strictObject({ steps, from: z.number().min(0).max(1).optional() }).optional(),
  /** Optimiser step at which it begins, 0 if not given. */
  start: step.optional(),
  /** From step `at` on, in so many steps, a straight line from the rate `from` into the schedule. */
  glide: z.strictObject({ at: step, steps, from: rate }).optional(),
};

export const scheduleSchema = scheduleUnion(common);
export type Schedule = z.infer<typeof scheduleSchema>;

/** How a running learner is to go over to a schedule. */
const goingOver = {
  /** `now`: it begins at the present step; `keep`: where it says itself, step 0 if it does not. */
  begin: z.enum(['keep', 'now']).optional(),
  /** Steps of a straight line from the present rate into the schedule. */
  glideSteps: steps.optional(),
};

export const scheduleChangeSchema = scheduleUnion({ ...common, ...goingOver });
export type ScheduleChange = z.infer<typeof scheduleChangeSchema>;

/** The numbers that a `Pace` follows. */
export function encode(schedule: Schedule): Float64Array {
  const { warmup, glide, start = 0 } = schedule;
  const code = new Float64Array(CODE);
  code[KIND] = SCHEDULE_KINDS.indexOf(schedule.kind);
  code[START] = start;
  code[WARM_STEPS] = warmup?.steps ?? 0;
  code[WARM_FROM] = warmup?.from ?? 0;
  code[GLIDE_AT] = glide?.at ?? 0;
  code[GLIDE_STEPS] = glide?.steps ?? 0;
  code[GLIDE_FROM] = glide?.from ?? 0;
  code.set(numbersOf(schedule), OWN);
  return code;
}

/**
 * The learning rate at an optimiser step; of a plateau before it has seen a loss.
 *
 * @param step  optimiser steps already taken, ≥ 0
 * @returns     the rate, in [0, 1e6]
 * Tested: test/dsp/learn/schedules/schedule.test.ts
 */
export function learningRate(schedule: Schedule, step: number): number {
  return preview(schedule, { from: step, count: 1, stride: 1 })[0]!;
}

export interface Preview {
  /** First step. */
  readonly from: number;
  readonly count: number;
  /** Steps from one rate to the next. */
  readonly stride: number;
  /** For a plateau: of the steps from `from` on, the last for all that follow; none: it stays. */
  readonly losses?: readonly number[] | undefined;
  /** Of a plateau at `from`; nothing seen if not given. */
  readonly memory?: ArrayLike<number> | undefined;
}

/** Most steps that a plateau is followed through. */
export const MAX_FOLLOWED = 2 ** 22;

/**
 * The rates at steps from, from + stride, …
 *
 * Cost: one evaluation per rate; for a plateau with losses one per step, MAX_FOLLOWED at most.
 */
export function preview(schedule: Schedule, options: Preview): number[] {
  const { from, count, stride, losses = [], memory } = options;
  const pace = new Pace();
  pace.follow(encode(schedule));
  if (memory !== undefined) pace.memory.set(memory);
  const into = new Float64Array(1);
  const loss = new Float64Array(1);
  const listens = schedule.kind === 'plateau' && losses.length > 0;
  return Array.from({ length: count }, (_, k) => {
    const now = from + k * stride;
    for (let s = now - stride; listens && k > 0 && s < now; s++) {
      loss[0] = losses[Math.min(s - from, losses.length - 1)]!;
      pace.observe(s, loss);
    }
    pace.write(now, into);
    return into[0]!;
  });
}

/** What a learner remembers of the losses, where it goes over to another schedule: as `Pace.follow`. */
export const remembered = (
  memory: readonly number[],
  from: Schedule | undefined,
  to: Schedule | undefined,
): readonly number[] =>
  from?.kind === 'plateau' &&
  to?.kind === 'plateau' &&
  from.rate === to.rate &&
  (from.start ?? 0) === (to.start ?? 0)
    ? memory
    : [];

/** As written, without where it began in another run: a learner that is at step 0 begins with it. */
export function fromTheStart(schedule: Schedule): Schedule {
  const { start: _start, glide: _glide, ...rest } = schedule;
  return rest;
}

/**
 * The schedule that a learner goes over to.
 *
 * @param now  the step and the rate of the learner
 */
export function goOver(change: ScheduleChange, now: { step: number; rate: number }): Schedule {
  const { begin, glideSteps, ...schedule } = change;
  return {
    ...schedule,
    ...(begin === 'now' ? { start: now.step } : {}),
    ...(glideSteps === undefined
      ? {}
      : { glide: { at: now.step, steps: glideSteps, from: now.rate } }),
  };
}
