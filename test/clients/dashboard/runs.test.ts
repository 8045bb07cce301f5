/** Runs side by side: one axis for all, their ends, and which are drawn at first. */

import { expect, it } from 'vitest';
import {
  endOf,
  finalParams,
  firstChoice,
  overlay,
  quantitiesOf,
  secondsOf,
} from '../../../clients/dashboard/runs.ts';
import type { Run, RunSeries } from '../../../clients/dashboard/types.ts';

const series = (run: number, at: number[], loss: (number | null)[], gain: (number | null)[]) =>
  ({
    run,
    at,
    step: at.map((t) => 10 * t),
    loss,
    low: loss,
    high: loss,
    rate: at.map(() => 0.1),
    params: { gain },
  }) satisfies RunSeries;
const one = series(1, [0, 1, 2], [8, null, 2], [1, 2, null]);
const two = series(2, [0.5, 1, 1.5], [4, 3, 1], [5, 6, 7]);

const run = (number: number, patch: string, rest: Partial<Run> = {}): Run => ({
  run: number,
  patch,
  hash: '',
  began: '2026-11-23T12:00:00.000Z',
  ended: '2026-11-23T12:01:30.000Z',
  end: 'stopped',
  params: ['gain'],
  points: 20,
  spacing: 100,
  steps: 7,
  first: 1,
  last: 0.1,
  best: 0.1,
  ...rest,
});

it('two runs share one axis in order, and no point is made up', () => {
  const [xs, a, b] = overlay([one, two], 'loss', 'at');
  expect(xs).toEqual([0, 0.5, 1, 1.5, 2]);
  expect(a).toEqual([8, undefined, null, undefined, 2]);
  expect(b).toEqual([undefined, 4, 3, 1, undefined]);
  expect(overlay([one, two], 'gain', 'step')[0]).toEqual([0, 5, 10, 15, 20]);
});

it('of points at one place the last counts, and what a run lacks is empty', () => {
  const still = { ...one, step: [5, 5, 6] };
  expect(overlay([still], 'gain', 'step')).toEqual([
    [5, 6],
    [2, null],
  ]);
  expect(overlay([one], 'cutoff', 'at')[1]).toEqual([null, null, null]);
  expect(overlay([], 'loss', 'at')).toEqual([[]]);
  expect(quantitiesOf([one, { ...two, params: { q: [1, 1, 1] } }])).toEqual([
    'loss',
    'rate',
    'gain',
    'q',
  ]);
});

it('the last value that is known is where a parameter ended', () => {
  expect(finalParams([one, two])).toEqual([['gain', [2, 7]]]);
  expect(finalParams([one, { ...two, params: {} }])).toEqual([['gain', [2, null]]]);
});

it('a run that goes on is as long as it has been told of', () => {
  expect(secondsOf(run(1, 'eq'))).toBe(90);
  expect(secondsOf(run(1, 'eq', { ended: null, end: null }))).toBe(2);
  expect(endOf(run(1, 'eq', { ended: null, end: null }))).toBe('goes on');
});

it('the two newest of the patch that plays are drawn first', () => {
  const runs = [run(4, 'gain'), run(3, 'eq'), run(2, 'gain', { points: 0 }), run(1, 'gain')];
  expect(firstChoice(runs, 'gain')).toEqual([4, 1]);
  expect(firstChoice(runs, 'reverb')).toEqual([4]);
  expect(firstChoice([], 'gain')).toEqual([]);
});
