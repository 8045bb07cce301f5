/** A few trials of each hard problem: `npm run hard` tries some hundred. */

import { expect, test } from 'vitest';
import { PROBLEMS } from './problems.ts';

test.each(PROBLEMS)('$name: $goal', ({ wanted, few, run }) => {
  const { reached, trials } = run(few, 7);
  expect(reached).toBeGreaterThanOrEqual(Math.floor(wanted * trials));
});

test('the same seed gives the same numbers', () => {
  const [once, again] = [1, 2].map(() => PROBLEMS[1]!.run(3, 5).errors);
  expect(once).toEqual(again);
});
