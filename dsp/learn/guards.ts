/**
 * Guards of the training as a document: what freezes learning, and what counts as silence.
 *
 * Invariant: a patch that says nothing has every guard that can be told from normal learning by
 * itself; bounds in units of a patch (`maxLoss`, `maxGradient`) are off until it gives them.
 * How they are applied is in `dsp/run/guards.ts`.
 */

import { z } from 'zod';
import type { GuardSettings } from '../ir/program.ts';

export const guardsSchema = z.strictObject({
  /** Largest loss. */
  maxLoss: z.number().positive().max(1e300).optional(),
  /** Largest 2-norm of all gradients together. */
  maxGradient: z.number().positive().max(1e300).optional(),
  /** Share of its range that one step may carry a parameter over if it ends at an end of it. */
  leap: z.union([z.literal(false), z.number().positive().max(1)]).optional(),
  rising: z
    .union([
      z.boolean(),
      z.strictObject({
        /** A loss this many times the usual one is a rise. */
        factor: z.number().min(1).max(1e12).optional(),
        /** Share of its range that the step before must have carried a parameter over. */
        move: z.number().min(0).max(1).optional(),
        /** Such rises, each window without one taking a sixteenth away. */
        times: z.number().int().min(1).max(1000).optional(),
      }),
    ])
    .optional(),
  /** dBFS: no step is taken while no input has a peak above it in a window. */
  silence: z.union([z.literal(false), z.number().min(-400).max(0)]).optional(),
});

export type Guards = z.infer<typeof guardsSchema>;

/** What each stops, and what it is where nothing is said. */
export const GUARDS: {
  readonly [K in keyof Required<Guards>]: readonly [otherwise: string, doc: string];
} = {
  maxLoss: ['none', 'a loss above it'],
  maxGradient: ['none', 'gradients whose 2-norm, of all together, is above it'],
  leap: [
    '0.25, off for `apa`, `gaussNewton`, `nlms` and `rls`; `false`: off',
    'a step that carries a parameter over this share of its range and to an end of it, before a sample is played with it',
  ],
  rising: [
    '`{ "factor": 4, "move": 0.05, "times": 3 }`; `false`: off',
    'a loss that is over `factor` times the usual, and no lower than the one before, after a step that carried a parameter over `move` of its range: `times` times, less a sixteenth for each window without. Usual is the geometric mean of some 32 windows; a loss that is ever negative is not judged',
  ],
  silence: [
    '−90, in dBFS; `false`: off',
    'nothing, but no step is taken while no input that the patch listens to has a peak above it in a window',
  ],
};

const RISING = { factor: 4, move: 0.05, times: 3 };

/**
 * With what holds where nothing is said.
 *
 * @param mayLeap  an optimiser that solves for the parameters rightly goes to an end of a range in
 *   one step
 */
export function guardsOf(guards: Guards = {}, mayLeap = false): GuardSettings {
  const { maxLoss = Infinity, maxGradient = Infinity, leap = mayLeap ? false : 0.25 } = guards;
  const { rising = true, silence = -90 } = guards;
  const {
    factor = RISING.factor,
    move = RISING.move,
    times = RISING.times,
  } = typeof rising === 'object' ? rising : {};
  return {
    maxLoss,
    maxGradient,
    leap: leap === false ? Infinity : leap,
    rising: rising === false ? null : { factor, move, times },
    silence: silence === false ? 0 : 10 ** (silence / 20),
  };
}
