/**
 * A patch that begins where another has come: the values of its controls as their initial ones.
 *
 * Invariant: nothing else changes, but that a schedule begins at step 0, as it does for a learner that
 * begins. Vectors become lists of their numbers. What a Faust program says of its own sliders is in
 * its source: whoever exports one changes that too.
 */

import { fromTheStart } from '../learn/schedules/schedule.ts';
import { controlNames } from './params.ts';
import type { ParamSpec } from './params.ts';
import type { Patch } from './schema.ts';

/** @param valueOf  of a control, within its range; undefined where there is none: it stays */
export function withValues(patch: Patch, valueOf: (id: string) => number | undefined): Patch {
  const { sliders, params, training } = patch;
  const started = (id: string, spec: ParamSpec): ParamSpec => {
    const values = controlNames(id, spec).map(valueOf);
    if (values.includes(undefined)) return spec;
    const numbers = values as number[];
    return { ...spec, initial: spec.size === undefined ? numbers[0]! : numbers };
  };
  return {
    ...patch,
    sliders: Object.fromEntries(
      Object.entries(sliders).map(([id, spec]) => [
        id,
        { ...spec, initial: valueOf(id) ?? spec.initial },
      ]),
    ),
    params: Object.fromEntries(Object.entries(params).map(([id, spec]) => [id, started(id, spec)])),
    ...(training === undefined
      ? {}
      : { training: { ...training, schedule: fromTheStart(training.schedule) } }),
  };
}
