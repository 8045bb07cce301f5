/** Pictures of signals: they stand still, keep their scale, and are read as they are. */

import { expect, it } from 'vitest';
import {
  beginOf,
  colourOf,
  firstShown,
  frequenciesOf,
  FULL_SCALE,
  fullScale,
  levelsAround,
  linesOf,
  peakOf,
  phaseOf,
  rmsOf,
  titleOf,
} from '../../../clients/dashboard/signals.ts';
import type { Signal } from '../../../clients/dashboard/types.ts';

const sine = (phase: number, period = 100) =>
  Float32Array.from({ length: 1024 }, (_, k) => 0.5 * Math.sin(2 * Math.PI * (k / period + phase)));

it('a sine begins where it rises through zero, whatever its phase', () => {
  for (const phase of [0, 0.2, 0.5, 0.9]) {
    const signal = sine(phase);
    const from = beginOf(signal, 768);
    expect(signal[from - 1]!).toBeLessThan(0);
    expect(signal[from]!).toBeGreaterThanOrEqual(0);
    expect(from).toBeLessThanOrEqual(256);
  }
});

it('what does not rise, is silent or short is shown as it came last', () => {
  expect(beginOf(sine(0, 10_000), 768)).toBe(256);
  expect(beginOf(new Float32Array(1024), 768)).toBe(256);
  expect(beginOf(new Float32Array(0), 768)).toBe(0);
  // Noise at the crossing does not count as one.
  const noisy = sine(0).map((value, k) => (k < 2 ? (k === 0 ? -0.01 : 0.01) : value));
  expect(beginOf(noisy, 768)).toBeGreaterThan(90);
});

it('the scale is a round number above the peak, and stays where it fits', () => {
  expect([0.11, 0.3, 0.7, 1, 1.1, 6].map((peak) => fullScale(peak, 1e-9))).toEqual([
    0.2, 0.5, 1, 1, 2, 10,
  ]);
  expect(fullScale(0.4, 1)).toBe(1);
  expect(fullScale(0.2, 1)).toBe(0.2);
  expect(fullScale(0, 1)).toBe(1);
  expect(fullScale(NaN, 1)).toBe(1);
});

it('levels are drawn from full scale down, or from above what is louder', () => {
  expect(levelsAround(-12, FULL_SCALE)).toEqual([-120, 6]);
  expect(levelsAround(33, FULL_SCALE)).toEqual([-86, 40]);
  expect(levelsAround(25, [-86, 40])).toEqual([-86, 40]);
  expect(levelsAround(-12, [-86, 40])).toEqual([-120, 6]);
  expect(levelsAround(-Infinity, FULL_SCALE)).toEqual([-120, 6]);
  expect(linesOf(-86, 40)).toEqual([-80, -60, -40, -20, 0, 20, 40]);
  expect(linesOf(-120, 6)).toEqual([-120, -100, -80, -60, -40, -20, 0]);
});

it('peak, RMS and the phase of a delay are what they are called', () => {
  expect(peakOf(sine(0))).toBeCloseTo(0.5, 3);
  expect(rmsOf(sine(0).subarray(0, 1000))).toBeCloseTo(0.5 * Math.SQRT1_2, 4);
  expect(rmsOf(new Float32Array())).toBe(0);
  expect(phaseOf(1000, 12, 48_000)).toBe(90);
  expect(phaseOf(1000, 36, 48_000)).toBeCloseTo(-90);
  expect(frequenciesOf(46.875, 513).length).toBe(512);
  expect(frequenciesOf(46.875, 513).at(-1)).toBe(24_000);
});

it('what is compared is shown first, each in a colour of its own', () => {
  const signals: Signal[] = [
    { id: 'target', kind: 'target', channel: null },
    { id: 'estimate', kind: 'estimate', channel: null },
    { id: 'error', kind: 'error', channel: null },
    { id: 'in1', kind: 'input', channel: 0 },
    { id: 'out1', kind: 'output', channel: 0 },
  ];
  expect([...firstShown(signals)]).toEqual(['target', 'estimate', 'error']);
  expect([...firstShown(signals.slice(3))]).toEqual(['in1', 'out1']);
  expect(new Set(signals.map(colourOf)).size).toBe(5);
  expect(signals.map(titleOf)).toEqual(['Target', 'Estimate', 'Error', 'Input 1', 'Output 1']);
});
