/**
 * What a training compares, in words.
 *
 * Invariant: said of every training alike, whoever has said what it compares: a Faust program of two
 * outputs, a patch, or a client.
 */

import { kindOf } from '../../dsp/learn/losses/table.ts';
import { termsOf } from '../../dsp/patch/objective.ts';

/** Terms that are told; more are not read. */
const MOST_TERMS = 8;

/** "out2 is to become out1 (mse)" for each term. */
export const compared = (training: Parameters<typeof termsOf>[0]): string[] =>
  termsOf(training)
    .slice(0, MOST_TERMS)
    .map(({ estimate, target, loss }) => {
      const what = target === null ? `${estimate} is judged` : `${estimate} is to become ${target}`;
      return `${what} (${kindOf(loss)})`;
    });
