/** Numbers as the dashboard writes and reads them. */

import { expect, it } from 'vitest';
import { csvOf } from '../../../clients/dashboard/save.ts';
import {
  decibels,
  duration,
  inRange,
  number,
  parseNumber,
  plural,
} from '../../../clients/dashboard/format.ts';

it('numbers have four digits that count, and a true minus', () => {
  const written = [0, 0.5, -12.345, 1234.5, 3.1e-7, -2e6, null, NaN].map((value) => number(value));
  expect(written).toEqual(['0', '0.5000', '−12.35', '1235', '3.10e−7', '−2.00e+6', '–', '–']);
});

it('a value of a range has as many decimals wherever it is, and no minus before zero', () => {
  const gain = { min: -1, max: 1, scale: 'linear' } as const;
  expect([0.5, -0.25, -0.0001, 1].map((v) => inRange(v, gain))).toEqual([
    '0.500',
    '−0.250',
    '0.000',
    '1.000',
  ]);
  expect(inRange(440, { min: 20, max: 20_000, scale: 'log' })).toBe('440.0');
  expect(inRange(3, { min: 0, max: 12, scale: 'linear', step: 1 })).toBe('3.0');
});

it('what a person types is a number with a sign, a comma, a k or a unit, or it is none', () => {
  const read = ['1.5', '−3 dB', '2k', '2 kHz', '1,5', '.5', '1e-3', ' 7 '].map(parseNumber);
  expect(read).toEqual([1.5, -3, 2000, 2000, 1.5, 0.5, 1e-3, 7]);
  expect(['', 'x', '1 2', '--1', '1.2.3', 'Infinity'].map(parseNumber)).toEqual(
    Array(6).fill(undefined),
  );
});

it('a table has its names first, and nothing where a number is unknown', () => {
  const columns = { seconds: Float64Array.of(0, 0.5, 1), loss: [1e-7, NaN, -2] };
  expect(csvOf(columns)).toBe('seconds,loss\n0,1e-7\n0.5,\n1,-2\n');
});

it('times, levels and counts read as speech', () => {
  expect([0.4, 59.9, 65, 7800].map(duration)).toEqual(['0 s', '59 s', '1 min 05 s', '2 h 10 min']);
  expect([1, 0.5, 0].map(decibels)).toEqual([0, expect.closeTo(-6.02, 2), -Infinity]);
  expect([0, 1, 2].map((count) => plural(count, 'step'))).toEqual(['0 steps', '1 step', '2 steps']);
});
