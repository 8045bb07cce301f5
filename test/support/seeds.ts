/** Seeds of a fuzz test: FUZZ_SEED=N runs one, and another variable says how many. */

import type { Precision } from '../../dsp/ir/program.ts';
import { FUZZ_INPUTS, FUZZ_PARAMS, FUZZ_SLIDERS } from './random-graph.ts';

/** Of the programs that `randomGraph` makes. */
export const SIZES = { inputs: FUZZ_INPUTS, sliders: FUZZ_SLIDERS, params: FUZZ_PARAMS } as const;

const fixed = process.env['FUZZ_SEED'];

/** Is one seed asked for? */
export const isOneSeed = fixed !== undefined;

/** @param variable  name of the one that says how many; @param usual  how many without it */
export function seedsOf(variable: string, usual: number): readonly number[] {
  if (fixed !== undefined) return [Number(fixed)];
  return Array.from({ length: Number(process.env[variable] ?? usual) }, (_, k) => k + 1);
}

/** What a seed is run in: every third in both precisions, and one that is asked for. */
export const precisionsOf = (seed: number): readonly Precision[] =>
  isOneSeed || seed % 3 === 0 ? ['single', 'double'] : ['single'];

/** How the interpreter rounds to compute as generated code of that precision does. */
export const roundingOf = (precision: Precision): ((x: number) => number) =>
  precision === 'single' ? Math.fround : (x) => x;
