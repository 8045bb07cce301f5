/**
 * What clients say for a patch: a document as it came, or the shipped example that it names.
 *
 * Invariant: nothing else is looked at here; the compile thread checks documents.
 */

import { nearest } from '../../dsp/diagnostic.ts';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { answer, refuse, type Outcome } from './outcome.ts';

export function namedPatch(input: unknown): Outcome<unknown> {
  if (typeof input !== 'object' || input === null || !('example' in input)) return answer(input);
  const name = String(input.example);
  const example: Patch | undefined = Object.hasOwn(EXAMPLES, name) ? EXAMPLES[name] : undefined;
  if (example !== undefined) return answer(example);
  const near = nearest(name, Object.keys(EXAMPLES));
  const known = Object.keys(EXAMPLES).join(', ');
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return refuse('UNKNOWN_EXAMPLE', `expected one of ${known}, got "${name}"${hint}`);
}
