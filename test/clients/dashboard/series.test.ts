/** Numbers over time, and where a loss goes. */

import { expect, it } from 'vitest';
import { histogramOf, Series, trendOf } from '../../../clients/dashboard/series.ts';

it('a series keeps the newest in order, and its columns in step', () => {
  const series = new Series(2, 4);
  for (let k = 0; k < 4; k++) series.push(k, 10 * k);
  expect([...series.column(1)]).toEqual([0, 10, 20, 30]);
  for (let k = 4; k < 23; k++) {
    series.push(k, 10 * k);
    expect([...series.column(0)]).toEqual([k - 3, k - 2, k - 1, k]);
    expect([...series.column(1)]).toEqual([...series.column(0)].map((value) => 10 * value));
  }
  expect(series.length).toBe(4);
  series.clear();
  expect([series.length, ...series.column(0)]).toEqual([0]);
});

it('a loss falls, rises or stays, also under noise; of too little nothing is said', () => {
  const losses = (rate: number, noise: number): Float64Array =>
    Float64Array.from(
      { length: 120 },
      (_, k) => Math.exp(rate * k) * (1 + noise * Math.sin(12.9898 * k * k)),
    );
  expect(trendOf(losses(-0.02, 0.3))).toBe('falling');
  expect(trendOf(losses(0.02, 0.3))).toBe('rising');
  expect(trendOf(losses(0, 0.3))).toBe('steady');
  expect(trendOf(losses(-0.02, 0).subarray(0, 10))).toBeUndefined();
});

it('a histogram counts every number once, those beyond in the last part', () => {
  const values = Float64Array.from([0, 4, 5, 12, 99, 100, 140, -1, NaN]);
  expect(histogramOf(values, 100, 20)[1]).toEqual([3, 1, 1, ...new Array(16).fill(0), 3]);
  expect(histogramOf(values, 100, 4)[0]).toEqual([12.5, 37.5, 62.5, 87.5]);
});
