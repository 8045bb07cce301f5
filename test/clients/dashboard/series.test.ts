/** Numbers over time, and where a loss goes. */

import { expect, it } from 'vitest';
import { Series, trendOf } from '../../../clients/dashboard/series.ts';

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
