/** The update-to-weight ratio, by hand. */

import { expect, test } from 'vitest';
import { UpdateRatios } from '../../../server/engine/updates.ts';

const control = (id: string, min: number, max: number) => ({ id, min, max, initial: 0 });
const ratios = () => new UpdateRatios([control('a', -1, 1), control('b', 0, 1000)]);
const values = (...of: number[]) => Float64Array.from(of);

test('a step is measured beside the value before it, a weight at 0 beside its range', () => {
  const of = ratios();
  expect([...of.measure(0, values(0, 100))]).toEqual([0, 0]);
  const [a, b] = of.measure(1, values(0.001, 101));
  expect(a).toBeCloseTo(0.001 / 0.002);
  expect(b).toBeCloseTo(0.01);
});

test('many steps between two measurements count each, none leave what was', () => {
  const of = ratios();
  of.measure(10, values(0.5, 100));
  expect(of.measure(20, values(0.6, 100))[0]).toBeCloseTo(0.02);
  expect(of.measure(20, values(0.6, 100))[0]).toBeCloseTo(0.02);
  expect([...of.measure(21, values(0.6, 100))]).toEqual([0, 0]);
});

test('a reset begins at 0', () => {
  const of = ratios();
  of.measure(10, values(0.5, 100));
  of.measure(11, values(0.6, 100));
  expect([...of.measure(0, values(0, 1))]).toEqual([0, 0]);
  expect(of.measure(1, values(0, 1.5))[1]).toBeCloseTo(0.5);
});
