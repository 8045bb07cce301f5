/** Learning-rate schedules against reference rates and against their own formulas. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { learningRate } from '../../../dsp/learn/schedule.ts';
import type { Schedule } from '../../../dsp/learn/schedule.ts';

/** Reference rates at steps 0 … 40 with base rate 0.1, by PyTorch 1.13. */
const golden = JSON.parse(
  readFileSync(new URL('../../golden/torch-first-slice.json', import.meta.url), 'utf8'),
) as { readonly schedules: Readonly<Record<string, readonly number[]>> };

const CASES: readonly (readonly [string, Schedule, number])[] = [
  ['StepLR(10,.5)', { kind: 'step', rate: 0.1, factor: 0.5, every: 10 }, 41],
  ['ExponentialLR(.9)', { kind: 'exponential', rate: 0.1, delta: Math.log(0.9), every: 1 }, 41],
  // The reference goes up again after its period; ours stays.
  [
    'CosineAnnealingLR(T_max=20,eta_min=.001)',
    { kind: 'cosine', rate: 0.1, final: 0.001, steps: 20 },
    21,
  ],
];

test.each(CASES)('%s gives the reference rates', (name, schedule, steps) => {
  const reference = golden.schedules[name]!;
  for (let step = 0; step < steps; step++) {
    expect(Math.abs(learningRate(schedule, step) / reference[step]! - 1)).toBeLessThan(1e-9);
  }
});

test('a constant rate is constant', () => {
  expect(learningRate({ kind: 'constant', rate: 0.3 }, 1e9)).toBe(0.3);
});

test('an exponential changes every N steps by exp(delta)', () => {
  const schedule: Schedule = { kind: 'exponential', rate: 1, delta: -0.5, every: 100 };
  expect(learningRate(schedule, 99)).toBe(1);
  expect(learningRate(schedule, 100)).toBeCloseTo(Math.exp(-0.5), 12);
  expect(learningRate(schedule, 1000)).toBeCloseTo(Math.exp(-5), 12);
});

test('a cosine ends at its final rate and stays there', () => {
  const schedule: Schedule = { kind: 'cosine', rate: 1, final: 0.1, steps: 50 };
  expect(learningRate(schedule, 0)).toBe(1);
  expect(learningRate(schedule, 25)).toBeCloseTo(0.55, 12);
  expect(learningRate(schedule, 50)).toBeCloseTo(0.1, 12);
  expect(learningRate(schedule, 1e6)).toBeCloseTo(0.1, 12);
});

test('a rate of nothing stays nothing, however it grows', () => {
  expect(learningRate({ kind: 'exponential', rate: 0, delta: 1, every: 1 }, 800)).toBe(0);
  expect(learningRate({ kind: 'step', rate: 0, factor: 10, every: 1 }, 400)).toBe(0);
});

test('a growing rate stays finite', () => {
  expect(learningRate({ kind: 'exponential', rate: 1, delta: 10, every: 1 }, 1e6)).toBe(1e6);
  expect(learningRate({ kind: 'step', rate: 1, factor: 10, every: 1 }, 1e6)).toBe(1e6);
});
