/** Optimal transport in one dimension: what it costs, its slope, silence. */

import { describe, expect, test } from 'vitest';
import { transportCost, transportSlope } from '../../../dsp/interpret/transport.ts';
import { numbers } from '../../support/vectors.ts';

const masses = (count: number, seed: number): number[] =>
  numbers(count, seed).map((x) => Math.max(0, x));
const rising = (count: number): number[] =>
  Array.from({ length: count }, (_, k) => k + k * k * 0.1);
const slopeOf = (a: number[], b: number[], x: number[], order: number): number[] => {
  const slope = new Float64Array(b.length);
  transportSlope(slope, a, b, x, order);
  return [...slope];
};

/** The mean of costs between quantiles, by many of them. */
function byQuantiles(a: number[], b: number[], x: number[], order: number): number {
  const count = 200_000;
  const quantiles = (m: number[]): number[] => {
    const total = m.reduce((s, v) => s + v, 0);
    let [k, soFar] = [0, m[0]! / total];
    return Array.from({ length: count }, (_, n) => {
      while (soFar < (n + 0.5) / count && k < m.length - 1) soFar += m[++k]! / total;
      return x[k]!;
    });
  };
  const [p, q] = [quantiles(a), quantiles(b)];
  return p.reduce((sum, place, n) => sum + Math.abs(place - q[n]!) ** order, 0) / count;
}

describe.each([1, 2])('of order %i', (order) => {
  test('between two points it is their distance', () => {
    const cost = transportCost([0, 3, 0, 0], [0, 0, 0, 0.5], [1, 2, 4, 8], order);
    expect(cost).toBeCloseTo(6 ** order, 12);
  });

  test('it moves quantile to quantile, whatever the sums are', () => {
    for (let seed = 1; seed < 6; seed++) {
      const [a, b, x] = [masses(9, seed), masses(9, seed + 50), rising(9)];
      const cost = transportCost(a, b, x, order);
      expect(cost).toBeCloseTo(byQuantiles(a, b, x, order), 2);
      expect(transportCost(b, a, x, order)).toBeCloseTo(cost, 12);
      const louder = b.map((m) => 7 * m);
      expect(transportCost(a, louder, x, order)).toBeCloseTo(cost, 12);
      expect(transportCost(a, a, x, order)).toBeCloseTo(0, 12);
    }
  });

  test('its slope is what differences show', () => {
    for (let seed = 1; seed < 6; seed++) {
      const [a, b, x] = [masses(9, seed), masses(9, seed + 50), rising(9)];
      const slope = slopeOf(a, b, x, order);
      b.forEach((mass, k) => {
        if (mass === 0) return;
        const moved = (by: number): number => transportCost(a, b.with(k, mass + by), x, order);
        expect(slope[k]).toBeCloseTo((moved(1e-6) - moved(-1e-6)) / 2e-6, 4);
      });
      // More of everything changes nothing.
      expect(b.reduce((sum, mass, k) => sum + mass * slope[k]!, 0)).toBeCloseTo(0, 10);
    }
  });

  test('silence on either side costs nothing and has no slope', () => {
    const [zero, some, x] = [[0, 0, 0], [1, 0, 2], rising(3)];
    for (const [a, b] of [
      [zero, some],
      [some, zero],
      [zero, zero],
      [[-1, -2, 0], some],
      [[1e-30, 0, 0], some],
    ] as const) {
      expect(transportCost(a, b, x, order)).toBe(0);
      expect(slopeOf([...a], [...b], x, order)).toEqual([0, 0, 0]);
    }
  });
});
