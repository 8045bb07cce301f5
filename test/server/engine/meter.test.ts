/** Levels and load, against direct computation. */
import { expect, test } from 'vitest';

import {
  addLevels,
  clearLevels,
  createLevels,
  LOAD_BINS,
  LoadMeter,
} from '../../../server/engine/meter.ts';

test('levels hold the peak and the mean square over several blocks, per channel', () => {
  const levels = createLevels(2);
  addLevels(levels, [Float32Array.of(0.5, -1), Float32Array.of(0, 0)], 2);
  addLevels(levels, [Float32Array.of(0.25, 0), Float32Array.of(0, 0.5)], 2);
  expect([...levels.peak]).toEqual([1, 0.5]);
  expect(levels.squares[0]).toBeCloseTo(1.3125, 12);
  expect(levels.squares[1]).toBeCloseTo(0.25, 12);
  expect(levels.frames).toBe(4);
  clearLevels(levels);
  expect([...levels.peak, ...levels.squares, levels.frames]).toEqual([0, 0, 0, 0, 0]);
});

function read(meter: LoadMeter): number[] {
  const row = new Float64Array(5);
  meter.read(row, 1);
  return [...row.subarray(1, 4)];
}

test('load is mean, 99th percentile and maximum of the blocks', () => {
  const meter = new LoadMeter(48000);
  for (let i = 1; i <= 100; i++) meter.add(i / 200, 256);
  const [mean, p99, max] = read(meter);
  expect(mean).toBeCloseTo(0.2525, 12);
  expect(p99).toBeCloseTo(0.5, 12);
  expect(max).toBe(0.5);
});

test('the 99th percentile is never above the maximum, nor lost when a block takes far too long', () => {
  const meter = new LoadMeter(48000);
  meter.add(0.001, 256);
  expect(read(meter)).toEqual([0.001, 0.001, 0.001]);
  meter.add(50, 256);
  expect(read(meter)[1]).toBe(50);
});

test('load older than a second is forgotten', () => {
  const meter = new LoadMeter(48000);
  meter.add(0.9, 480);
  for (let i = 0; i < 98; i++) meter.add(0.1, 480);
  expect(read(meter)[2]).toBe(0.9);
  for (let i = 0; i < 12; i++) meter.add(0.1, 480);
  expect(read(meter)[2]).toBe(0.1);
});

test('an unused meter reads zero', () => {
  expect(read(new LoadMeter(48000))).toEqual([0, 0, 0]);
});

test('counts the blocks of the last second by their load', () => {
  const meter = new LoadMeter(48000);
  for (const load of [0.05, 0.09, 0.1, 0.55, 1.95, 7]) meter.add(load, 256);
  const bins = new Float64Array(LOAD_BINS + 2).fill(9);
  meter.readHistogram(bins, 1);
  const expected = Array.from({ length: LOAD_BINS }, () => 0);
  [expected[0], expected[1], expected[5], expected[19]] = [2, 1, 1, 2];
  expect([...bins]).toEqual([9, ...expected, 9]);
});
