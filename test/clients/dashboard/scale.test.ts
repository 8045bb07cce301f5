/** Where a value is on a fader, and back. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  between,
  originOf,
  placeOf,
  settle,
  valueAt,
  type Range,
} from '../../../clients/dashboard/scale.ts';

const linear: Range = { min: -2, max: 2, scale: 'linear' };
const log: Range = { min: 20, max: 20_000, scale: 'log' };

it('a place of a value leads back to it, on either scale', () => {
  for (const range of [linear, log]) {
    fc.assert(
      fc.property(fc.double({ min: range.min, max: range.max, noNaN: true }), (value) => {
        const error = Math.abs(valueAt(placeOf(value, range), range) - value);
        expect(error).toBeLessThan(1e-9 * range.max);
      }),
    );
  }
});

it('the ends are exact, and what is outside is at an end', () => {
  for (const range of [linear, log]) {
    expect([valueAt(0, range), valueAt(1, range)]).toEqual([range.min, range.max]);
    expect([valueAt(-1, range), valueAt(2, range)]).toEqual([range.min, range.max]);
    expect([placeOf(-1e9, range), placeOf(1e9, range)]).toEqual([0, 1]);
    expect(placeOf(NaN, range)).toBe(0);
  }
});

it('a logarithmic scale has each decade alike', () => {
  expect([20, 200, 2000, 20_000].map((f) => placeOf(f, log))).toEqual([
    0,
    expect.closeTo(1 / 3),
    expect.closeTo(2 / 3),
    1,
  ]);
});

it('a step is kept, without the dust of floating point', () => {
  const stepped = { min: 0, max: 1, scale: 'linear', step: 0.1 } as const;
  expect([0.31, 0.29, 0.72].map((value) => settle(value, stepped))).toEqual([0.3, 0.3, 0.7]);
  expect(valueAt(0.68, stepped)).toBe(0.7);
  expect(settle(3, stepped)).toBe(1);
});

it('a bar begins at zero where the range has it inside', () => {
  expect(originOf(linear)).toBe(0.5);
  expect(originOf(log)).toBe(0);
  expect(originOf({ min: 0, max: 1, scale: 'linear' })).toBe(0);
});

it('half of the way is half of it on the scale, and the ends are the values', () => {
  const log = { min: 20, max: 20_000, scale: 'log' } as const;
  expect(between(100, 10_000, 0.5, log)).toBeCloseTo(1000, 6);
  expect(between(100, 10_000, 0, log)).toBe(100);
  expect(between(100, 10_000, 1, log)).toBe(10_000);
  expect(between(1, -1, 0.25, { min: -2, max: 2, scale: 'linear', step: 0.1 })).toBe(0.5);
});
