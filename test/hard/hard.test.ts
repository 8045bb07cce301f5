/** A few trials of each hard problem: `npm run hard` tries some hundred. */

import { expect, test } from 'vitest';
import { alone } from './losses.ts';
import { PROBLEMS } from './problems.ts';

test.each(PROBLEMS)('$name: $goal', ({ wanted, few, run }) => {
  const { reached, trials } = run(few, 7);
  expect(reached).toBeGreaterThanOrEqual(Math.floor(wanted * trials));
});

test('transport alone leads near from afar, where comparing bin by bin does not', () => {
  expect(alone('transport, w2', 10, 3).near).toBeGreaterThan(0.7);
  expect(alone('logSpectral', 10, 3).near).toBeLessThan(0.3);
});

test('the same seed gives the same numbers', () => {
  const [once, again] = [1, 2].map(() => PROBLEMS[1]!.run(3, 5).errors);
  expect(once).toEqual(again);
});
