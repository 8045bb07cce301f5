/** Learning-rate schedules against reference rates and against their own formulas. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SCHEDULE_KINDS, fieldsOf, neededOf } from '../../../../dsp/learn/schedules/kinds.ts';
import { Pace } from '../../../../dsp/learn/schedules/pace.ts';
import {
  encode,
  fromTheStart,
  goOver,
  learningRate,
  preview,
  scheduleSchema,
} from '../../../../dsp/learn/schedules/schedule.ts';
import type { Schedule } from '../../../../dsp/learn/schedules/schedule.ts';

interface Reference {
  readonly reference: string;
  readonly schedule: Schedule;
  readonly rates: readonly number[];
}

const golden = JSON.parse(
  readFileSync(new URL('../../../golden/torch-schedules.json', import.meta.url), 'utf8'),
) as { readonly schedules: readonly Reference[] };

/** The losses that the reference gave to its plateau. */
const LOSSES = Array.from({ length: 41 }, (_, i) => (i < 8 ? 1 / (i + 1) : 0.12));

/** One of every kind, with everything that it may have. */
const ALL: readonly Schedule[] = [
  { kind: 'constant', rate: 0.3, factor: 0.1, steps: 7 },
  { kind: 'exponential', rate: 0.2, delta: -0.05, every: 3 },
  { kind: 'step', rate: 0.3, factor: 0.5, every: 20 },
  { kind: 'multiStep', rate: 0.3, factor: 0.5, milestones: [30, 5, 5] },
  { kind: 'linear', rate: 0.1, final: 0.9, steps: 33 },
  { kind: 'polynomial', rate: 0.1, final: 0.01, steps: 50, power: 2.5 },
  { kind: 'cosine', rate: 0.4, final: 0.01, steps: 40, after: 'return' },
  { kind: 'cosineRestarts', rate: 0.4, final: 0.01, steps: 4, growth: 3 },
  {
    kind: 'oneCycle',
    peak: 0.4,
    steps: 60,
    rise: 0.2,
    divide: 10,
    finalDivide: 100,
    shape: 'linear',
    threePhase: true,
  },
  { kind: 'cyclic', rate: 0.01, peak: 0.4, up: 7, down: 3, mode: 'expRange', factor: 0.99 },
  {
    kind: 'plateau',
    rate: 0.4,
    factor: 0.5,
    patience: 2,
    threshold: 0.1,
    relative: false,
    mode: 'max',
    cooldown: 1,
    lowest: 0.001,
    epsilon: 0,
    every: 2,
  },
];

test.each(golden.schedules.map((row) => [row.reference, row] as const))(
  '%s gives the reference rates',
  (_, { schedule, rates }) => {
    expect(scheduleSchema.parse(schedule)).toEqual(schedule);
    const ours = preview(schedule, { from: 0, count: 41, stride: 1, losses: LOSSES });
    ours.forEach((rate, step) => {
      expect(Math.abs(rate - rates[step]!), `step ${step}`).toBeLessThan(1e-12 * 0.1);
    });
  },
);

test('every kind is tried here with every field', () => {
  expect(ALL.map((schedule) => schedule.kind)).toEqual(SCHEDULE_KINDS);
  for (const schedule of ALL) {
    expect(Object.keys(schedule).sort()).toEqual(['kind', ...fieldsOf(schedule.kind)].sort());
    expect(scheduleSchema.safeParse(schedule).success).toBe(true);
  }
});

test.each(ALL.map((schedule) => [schedule.kind, schedule] as const))(
  '%s begins with its first rate, needs only what it says, and is always a rate',
  (kind, schedule) => {
    const needed = Object.fromEntries(
      Object.entries(schedule).filter(([key]) => key === 'kind' || neededOf(kind).includes(key)),
    );
    const plain = scheduleSchema.parse(needed);
    for (const step of [0, 1, 5, 41, 1e6, 1e12, 1e15]) {
      for (const one of [schedule, plain]) {
        const rate = learningRate(one, step);
        expect(rate).toBeGreaterThanOrEqual(0);
        expect(rate).toBeLessThanOrEqual(1e6);
      }
    }
  },
);

test('an exponential is where its formula says, also where others decay to nothing', () => {
  const schedule: Schedule = { kind: 'exponential', rate: 1, delta: -0.5, every: 100 };
  expect(learningRate(schedule, 99)).toBe(1);
  expect(learningRate(schedule, 100)).toBeCloseTo(Math.exp(-0.5), 12);
  expect(learningRate(schedule, 1000)).toBeCloseTo(Math.exp(-5), 12);
  // Per step of 256 samples, a factor meant for every 2000 of them: still there after ten minutes.
  const slow: Schedule = { kind: 'exponential', rate: 0.1, delta: -0.05, every: 2000 };
  expect(learningRate(slow, 112_500) / 0.1).toBeCloseTo(Math.exp(-0.05 * 56), 12);
});

test('a cosine stays at its final rate if it is not told to return', () => {
  const schedule: Schedule = { kind: 'cosine', rate: 1, final: 0.1, steps: 50 };
  expect(learningRate(schedule, 25)).toBeCloseTo(0.55, 12);
  expect(learningRate(schedule, 50)).toBeCloseTo(0.1, 12);
  expect(learningRate(schedule, 1e6)).toBeCloseTo(0.1, 12);
});

test('a cycle goes up and down again', () => {
  const schedule: Schedule = { kind: 'cyclic', rate: 0.1, peak: 1.1, up: 4, down: 2 };
  const rates = preview(schedule, { from: 0, count: 7, stride: 1 });
  [0.1, 0.35, 0.6, 0.85, 1.1, 0.6, 0.1].forEach((r, k) => expect(rates[k]).toBeCloseTo(r, 12));
  const falling: Schedule = { ...schedule, mode: 'expRange', factor: 0.9 };
  expect(learningRate(falling, 4)).toBeCloseTo(0.1 + 0.9 ** 4, 12);
});

test('a rate of nothing stays nothing, and a growing one finite', () => {
  expect(learningRate({ kind: 'exponential', rate: 0, delta: 1, every: 1 }, 800)).toBe(0);
  expect(learningRate({ kind: 'step', rate: 0, factor: 10, every: 1 }, 400)).toBe(0);
  expect(learningRate({ kind: 'exponential', rate: 1, delta: 10, every: 1 }, 1e6)).toBe(1e6);
  expect(learningRate({ kind: 'step', rate: 1, factor: 10, every: 1 }, 1e6)).toBe(1e6);
});

describe.each(ALL.map((schedule) => [schedule.kind, schedule] as const))('%s', (_, schedule) => {
  const at = (s: Schedule, from: number, count = 40): number[] =>
    preview(s, { from, count, stride: 1, losses: [1] });

  test('comes after a warm-up as it is without one', () => {
    const warm = { ...schedule, warmup: { steps: 8, from: 0.25 } };
    const first = at(schedule, 0)[0]!;
    const rates = at(warm, 0, 48);
    for (let t = 0; t < 8; t++) expect(rates[t]).toBe(first * (0.25 + (0.75 * t) / 8));
    expect(rates.slice(8)).toEqual(at(schedule, 0));
  });

  test('begins where it is told to', () => {
    expect(at({ ...schedule, start: 1000 }, 1000)).toEqual(at(schedule, 0));
    expect(at(fromTheStart({ ...schedule, start: 1000 }), 0)).toEqual(at(schedule, 0));
  });

  test('is gone over to from the present rate without a jump', () => {
    const next = goOver({ ...schedule, begin: 'now', glideSteps: 10 }, { step: 500, rate: 0.7 });
    expect(scheduleSchema.safeParse(next).success).toBe(true);
    const [rates, plain] = [at(next, 500), at(schedule, 0)];
    expect(rates[0]).toBe(0.7);
    for (let t = 1; t < 10; t++) {
      expect(rates[t]).toBeCloseTo(0.7 + ((plain[t]! - 0.7) * t) / 10, 12);
    }
    expect(rates.slice(10)).toEqual(plain.slice(10));
  });

  test('is computed from numbers alone', () => {
    const pace = new Pace();
    pace.follow(encode(schedule));
    const into = new Float64Array(1);
    const rates = Array.from({ length: 40 }, (_unused, t) => {
      pace.write(t, into);
      const rate = into[0]!;
      pace.observe(t, Float64Array.of(1));
      return rate;
    });
    expect(rates).toEqual(at(schedule, 0));
  });
});

describe('a plateau', () => {
  const plateau: Schedule = { kind: 'plateau', rate: 1, factor: 0.5, patience: 2 };
  const rates = (schedule: Schedule, losses: number[], count = losses.length + 1): number[] =>
    preview(schedule, { from: 0, count, stride: 1, losses });

  test('stays while nothing is known of the loss', () => {
    expect(rates(plateau, [], 50).every((r) => r === 1)).toBe(true);
  });

  test('takes the mean loss of several steps for one', () => {
    const losses = [4, 2, 3, 3, 1, 5, 2.5, 3.5];
    expect(rates({ ...plateau, every: 2, patience: 1 }, losses)).toEqual([
      1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5,
    ]);
  });

  test('never falls below its lowest rate', () => {
    expect(rates({ ...plateau, lowest: 0.3 }, [1], 100).at(-1)).toBe(0.3);
  });

  test('looks for the highest if it is told to', () => {
    const rising = Array.from({ length: 20 }, (_, k) => k);
    expect(rates({ ...plateau, mode: 'max' }, rising).at(-1)).toBe(1);
    expect(rates(plateau, rising).at(-1)).toBeLessThan(0.1);
  });

  test('keeps what it has seen when only its patience changes, and forgets with another rate', () => {
    const pace = new Pace();
    const into = new Float64Array(1);
    pace.follow(encode(plateau));
    for (let t = 0; t < 5; t++) pace.observe(t, Float64Array.of(1));
    pace.follow(encode({ ...plateau, patience: 50 }));
    pace.write(5, into);
    expect(into[0]).toBe(0.5);
    pace.follow(encode({ ...plateau, rate: 0.8 }));
    pace.write(5, into);
    expect(into[0]).toBe(0.8);
  });

  test('is previewed from what it has seen', () => {
    const losses = Array.from({ length: 60 }, (_, k) => 1 / Math.min(k + 1, 9));
    const whole = rates(plateau, losses, 60);
    const pace = new Pace();
    pace.follow(encode(plateau));
    losses.slice(0, 20).forEach((loss, t) => pace.observe(t, Float64Array.of(loss)));
    const { memory } = pace;
    const rest = preview(plateau, {
      from: 20,
      count: 40,
      stride: 1,
      losses: losses.slice(20),
      memory,
    });
    expect(rest).toEqual(whole.slice(20));
    const every = preview(plateau, { from: 0, count: 12, stride: 5, losses });
    expect(every).toEqual(whole.filter((_, t) => t % 5 === 0));
  });
});
