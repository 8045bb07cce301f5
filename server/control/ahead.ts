/**
 * The schedule of a state: where it is, what a client means by another one, and the rates to come.
 *
 * Invariant: pure functions; a preview is exactly what happens (`dsp/learn/schedules`).
 */

import {
  MAX_FOLLOWED,
  goOver,
  preview,
  type Schedule,
  type ScheduleChange,
} from '../../dsp/learn/schedules/schedule.ts';
import type { AheadOutput, PreviewInput, SchedulePosition } from '../api/schemas.ts';
import { answer, refuse, type Outcome } from './outcome.ts';
import { learningRateOf, untrainable, type State } from './state.ts';

export function positionOf(state: State): Outcome<SchedulePosition> {
  const { training } = state.patch;
  if (training === undefined) return untrainable(state);
  const { schedule } = training;
  const { step } = state;
  const position = Math.max(0, step - (schedule.start ?? 0));
  return answer({ schedule, step, position, learningRate: learningRateOf(state) ?? 0 });
}

/** The schedule that a client means, with the present step and rate in it. */
export function meant(state: State, change: ScheduleChange): Schedule {
  const { step, fault } = state;
  const { glideSteps: _glideSteps, ...direct } = change;
  // After a fault the rate of before is the one that must not come again.
  const wanted = fault ? direct : change;
  return goOver(wanted, { step, rate: learningRateOf(state) ?? 0 });
}

/** The rates that the schedule in use will have from the present step on. */
export function aheadOf(
  state: State,
  input: Omit<PreviewInput, 'schedule' | 'from' | 'losses'>,
): Outcome<AheadOutput> {
  const from = state.step;
  const rates = previewOf(state, { ...input, from });
  return rates.ok ? answer({ from, stride: input.stride, rates: rates.value }) : rates;
}

export function previewOf(state: State, input: PreviewInput): Outcome<number[]> {
  const { from, count, stride, losses } = input;
  const inUse = state.patch.training?.schedule;
  const schedule = input.schedule === undefined ? inUse : meant(state, input.schedule);
  if (schedule === undefined) return untrainable(state);
  if (schedule.kind === 'plateau' && losses !== undefined && count * stride > MAX_FOLLOWED) {
    const got = count * stride;
    const message = `count · stride: expected at most ${MAX_FOLLOWED} steps of a plateau, got ${got}`;
    return refuse('INVALID_INPUT', message);
  }
  // What the one in use has seen counts from the present step on.
  const isOurs = input.schedule === undefined && from >= state.step;
  const memory = isOurs ? state.paceMemory : undefined;
  return answer(preview(schedule, { from, count, stride, losses, memory }));
}
