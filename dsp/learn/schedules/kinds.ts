/**
 * The kinds of learning-rate schedules, a row each: fields, what it does, its equation, the numbers
 * that it is computed from, and the rate itself.
 *
 * Invariants: a rate is computed in double precision from the step alone (`plateau` apart, which also
 * sees losses: `plateau.ts`); a row allocates nothing and passes numbers through arrays only, because
 * a double that a function returns or takes may be allocated. Where PyTorch has the same schedule, the
 * rates are PyTorch's. Not here: where a schedule begins, warm-up and glide (`pace.ts`).
 */

import { z } from 'zod';
import { PLATEAU_SHAPE, lastsPlateau, plateauNumbers, writePlateau } from './plateau.ts';
import type { Plateau } from './plateau.ts';
import { LASTS, OWN, RATE, STEP, rate, steps } from './numbers.ts';

const ratio = z.number().min(0).max(1e6);
/** Most milestones of a multi-step schedule. */
export const MAX_MILESTONES = 32;

const SHAPES = {
  constant: {
    kind: z.literal('constant'),
    rate,
    factor: ratio.optional(),
    steps: steps.optional(),
  },
  exponential: {
    kind: z.literal('exponential'),
    rate,
    /** Natural logarithm of the factor applied every `every` steps; negative decays. */
    delta: z.number().min(-100).max(100),
    every: steps,
  },
  step: { kind: z.literal('step'), rate, factor: z.number().min(0).max(10), every: steps },
  multiStep: {
    kind: z.literal('multiStep'),
    rate,
    factor: ratio,
    milestones: z.array(z.number().int().min(0).max(1e12)).min(1).max(MAX_MILESTONES),
  },
  linear: { kind: z.literal('linear'), rate, final: rate, steps },
  polynomial: {
    kind: z.literal('polynomial'),
    rate,
    final: rate.optional(),
    steps,
    power: z.number().min(0).max(100).optional(),
  },
  cosine: {
    kind: z.literal('cosine'),
    rate,
    final: rate,
    steps,
    after: z.enum(['hold', 'return']).optional(),
  },
  cosineRestarts: {
    kind: z.literal('cosineRestarts'),
    rate,
    final: rate.optional(),
    steps,
    growth: z.number().int().min(1).max(1000).optional(),
  },
  oneCycle: {
    kind: z.literal('oneCycle'),
    peak: rate,
    steps: z.number().int().min(2).max(1e12),
    rise: z.number().min(0).max(1).optional(),
    divide: z.number().min(1).max(1e12).optional(),
    finalDivide: z.number().min(1).max(1e12).optional(),
    shape: z.enum(['cosine', 'linear']).optional(),
    threePhase: z.boolean().optional(),
  },
  cyclic: {
    kind: z.literal('cyclic'),
    rate,
    peak: rate,
    up: steps,
    down: steps.optional(),
    mode: z.enum(['triangular', 'triangular2', 'expRange']).optional(),
    factor: z.number().min(0).max(1).optional(),
  },
  plateau: PLATEAU_SHAPE,
} as const;

type Shapes = typeof SHAPES;
export type ScheduleKind = keyof Shapes;
export const SCHEDULE_KINDS = Object.keys(SHAPES) as ScheduleKind[];
/** What a schedule of a kind says for itself. */
export type Own<K extends ScheduleKind> = z.infer<z.ZodObject<Shapes[K]>>;

interface Row<S> {
  /** What it is for, in a sentence or two. */
  readonly doc: string;
  /** t: steps since it began. */
  readonly equation: string;
  /** The schedule of the same rates elsewhere. */
  readonly source: string;
  /** Numbers of the equation, in the order in which `write` reads them. */
  readonly numbers: (schedule: S) => readonly number[];
  /** From w[STEP], steps since it began, to w[RATE]; the numbers are n[OWN], n[OWN + 1], … */
  readonly write: (n: Float64Array, w: Float64Array) => void;
  /**
   * For so many steps from w[STEP] on, that one included, the rate is the same, whatever the losses:
   * at least 1, to w[LASTS]. Absent: it may change with every step.
   */
  readonly lasts?: (n: Float64Array, w: Float64Array) => void;
}

/** Of a rate that changes every so many steps. */
const untilNext = (n: Float64Array, w: Float64Array): void => {
  w[LASTS] = n[OWN + 2]! - (w[STEP]! % n[OWN + 2]!);
};

/** Of a rate that stays as it is after so many steps. */
const fromEnd = (n: Float64Array, w: Float64Array): void => {
  w[LASTS] = w[STEP]! < n[OWN + 2]! ? 1 : Number.POSITIVE_INFINITY;
};

export const SCHEDULES: { readonly [K in ScheduleKind]: Row<Own<K>> } = {
  constant: {
    doc: 'always the same; with `factor` and `steps`, times `factor` for so many steps first',
    equation: 'rate, and rate · factor while t < steps',
    source: 'ConstantLR',
    numbers: ({ rate: r, factor = 1, steps: count = 0 }) => [r, factor, count],
    write: (n, w) => {
      w[RATE] = w[STEP]! < n[OWN + 2]! ? n[OWN]! * n[OWN + 1]! : n[OWN]!;
    },
    lasts: (n, w) => {
      const left = n[OWN + 2]! - w[STEP]!;
      w[LASTS] = left > 0 ? left : Number.POSITIVE_INFINITY;
    },
  },
  exponential: {
    doc: 'times e^delta every `every` steps, without end: −0.05 every 1000 is a factor of 0.0067 after 100,000 steps, every 10 of e^−500',
    equation: 'rate · exp(delta · ⌊t / every⌋)',
    source: 'ExponentialLR, with gamma = e^delta',
    numbers: ({ rate: r, delta, every }) => [r, delta, every],
    write: (n, w) => {
      const times = Math.floor(w[STEP]! / n[OWN + 2]!);
      w[RATE] = n[OWN]! === 0 ? 0 : n[OWN]! * Math.exp(n[OWN + 1]! * times);
    },
    lasts: untilNext,
  },
  step: {
    doc: 'times `factor` every `every` steps',
    equation: 'rate · factor^⌊t / every⌋',
    source: 'StepLR',
    numbers: ({ rate: r, factor, every }) => [r, factor, every],
    write: (n, w) => {
      const times = Math.floor(w[STEP]! / n[OWN + 2]!);
      w[RATE] = n[OWN]! === 0 ? 0 : n[OWN]! * Math.pow(n[OWN + 1]!, times);
    },
    lasts: untilNext,
  },
  multiStep: {
    doc: `times \`factor\` at each of the \`milestones\`, ${MAX_MILESTONES} at most, in any order`,
    equation: 'rate · factor^(milestones ≤ t)',
    source: 'MultiStepLR',
    numbers: ({ rate: r, factor, milestones }) => [r, factor, milestones.length, ...milestones],
    write: (n, w) => {
      let times = 0;
      const end = OWN + 3 + n[OWN + 2]!;
      for (let k = OWN + 3; k < end; k++) if (n[k]! <= w[STEP]!) times++;
      w[RATE] = n[OWN]! === 0 ? 0 : n[OWN]! * Math.pow(n[OWN + 1]!, times);
    },
    lasts: (n, w) => {
      let next = Number.POSITIVE_INFINITY;
      const end = OWN + 3 + n[OWN + 2]!;
      for (let k = OWN + 3; k < end; k++) {
        if (n[k]! > w[STEP]! && n[k]! < next) next = n[k]!;
      }
      w[LASTS] = next - w[STEP]!;
    },
  },
  linear: {
    doc: 'a straight line to `final`, where it stays',
    equation: 'rate + (final − rate) · min(t, steps) / steps',
    source: 'LinearLR, with its factors times the rate',
    numbers: ({ rate: r, final, steps: count }) => [r, final, count],
    write: (n, w) => {
      const t = Math.min(w[STEP]!, n[OWN + 2]!) / n[OWN + 2]!;
      w[RATE] = n[OWN]! + (n[OWN + 1]! - n[OWN]!) * t;
    },
    lasts: fromEnd,
  },
  polynomial: {
    doc: 'falls to `final`, 0 if not given, as a `power` of what is left, 1 if not given',
    equation: 'final + (rate − final) · (1 − min(t, steps) / steps)^power',
    source: 'PolynomialLR',
    numbers: ({ rate: r, final = 0, steps: count, power = 1 }) => [r, final, count, power],
    write: (n, w) => {
      const t = Math.min(w[STEP]!, n[OWN + 2]!) / n[OWN + 2]!;
      w[RATE] = n[OWN + 1]! + (n[OWN]! - n[OWN + 1]!) * Math.pow(1 - t, n[OWN + 3]!);
    },
    lasts: fromEnd,
  },
  cosine: {
    doc: 'half a period of a cosine to `final`, where it stays; with `after: "return"` it swings back and forth',
    equation:
      'final + (rate − final) · (1 + cos(π · min(t, steps) / steps)) / 2; returning, without the min',
    source: 'CosineAnnealingLR, which returns',
    numbers: ({ rate: r, final, steps: count, after = 'hold' }) => [
      r,
      final,
      count,
      after === 'return' ? 1 : 0,
    ],
    write: (n, w) => {
      const count = n[OWN + 2]!;
      // Within a period, so that the cosine is as exact late as early.
      const t = n[OWN + 3]! === 1 ? w[STEP]! % (2 * count) : Math.min(w[STEP]!, count);
      const share = (1 + Math.cos((Math.PI * t) / count)) / 2;
      w[RATE] = n[OWN + 1]! + (n[OWN]! - n[OWN + 1]!) * share;
    },
  },
  cosineRestarts: {
    doc: 'a cosine to `final`, 0 if not given, again and again from the start, each `growth` times as long as the one before, 1 if not given',
    equation:
      'final + (rate − final) · (1 + cos(π · u / T)) / 2; the period that t lies in takes T = steps · growth^n, u of them gone',
    source: 'CosineAnnealingWarmRestarts',
    numbers: ({ rate: r, final = 0, steps: count, growth = 1 }) => [r, final, count, growth],
    write: (n, w) => {
      let period = n[OWN + 2]!;
      let u = w[STEP]!;
      if (n[OWN + 3]! === 1) u %= period;
      while (u >= period) {
        u -= period;
        period *= n[OWN + 3]!;
      }
      const share = (1 + Math.cos((Math.PI * u) / period)) / 2;
      w[RATE] = n[OWN + 1]! + (n[OWN]! - n[OWN + 1]!) * share;
    },
  },
  oneCycle: {
    doc: 'from `peak` / `divide`, 25 if not given, up to `peak` in the share `rise` of the `steps`, 0.3 if not given, and down to the first rate / `finalDivide`, 1e4 if not given, where it stays; with `threePhase` down to the first rate as fast as up, then on; `shape` `cosine`, if not given, or `linear`',
    equation:
      'first = peak / divide, last = first / finalDivide; between first at t = 0, peak at rise · steps − 1, with threePhase first at 2 · rise · steps − 2, and last at steps − 1 by half a cosine, or in straight lines',
    source: 'OneCycleLR, its momentum apart',
    numbers: (schedule) => {
      const { peak, steps: count, rise = 0.3, divide = 25, finalDivide = 1e4 } = schedule;
      const first = peak / divide;
      const top = rise * count - 1;
      return [
        first,
        peak,
        schedule.threePhase === true ? first : peak,
        first / finalDivide,
        top,
        schedule.threePhase === true ? 2 * rise * count - 2 : top,
        count - 1,
        schedule.shape === 'linear' ? 1 : 0,
      ];
    },
    write: (n, w) => {
      const t = Math.min(w[STEP]!, n[OWN + 6]!);
      const phase = t <= n[OWN + 4]! ? 0 : t <= n[OWN + 5]! ? 1 : 2;
      const begin = phase === 0 ? 0 : n[OWN + 3 + phase]!;
      const end = n[OWN + 4 + phase]!;
      const share = end > begin ? (t - begin) / (end - begin) : 1;
      const from = n[OWN + phase]!;
      const to = n[OWN + 1 + phase]!;
      w[RATE] =
        n[OWN + 7]! === 1
          ? (to - from) * share + from
          : to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share));
    },
  },
  cyclic: {
    doc: 'an oscillating rate: from `rate` to `peak` in `up` steps and back in `down`, as many if not given; `mode` `triangular`, if not given, `triangular2`, half as high every time, or `expRange`, times `factor`^t',
    equation: 'rate + (peak − rate) · triangle(t) · scale; scale 1, 2^−(cycles done), or factor^t',
    source: 'CyclicLR, its momentum apart',
    numbers: ({ rate: r, peak, up, down = up, mode = 'triangular', factor = 1 }) => [
      r,
      peak,
      up + down,
      up / (up + down),
      { triangular: 0, triangular2: 1, expRange: 2 }[mode],
      factor,
    ],
    write: (n, w) => {
      const cycles = w[STEP]! / n[OWN + 2]!;
      const done = Math.floor(cycles);
      const x = cycles - done;
      const up = n[OWN + 3]!;
      const height = x <= up ? x / up : (x - 1) / (up - 1);
      const mode = n[OWN + 4]!;
      const scale =
        mode === 0 ? 1 : mode === 1 ? Math.pow(2, -done) : Math.pow(n[OWN + 5]!, w[STEP]!);
      w[RATE] = n[OWN]! + (n[OWN + 1]! - n[OWN]!) * height * scale;
    },
  },
  plateau: {
    doc: 'times `factor`, 0.1 if not given, when the loss has not got better for more than `patience` observations, 10 if not given. Better is below the best so far by the share `threshold` of it, 1e-4 if not given, or by so much with `relative: false`; with `mode: "max"` above it. After a fall `cooldown` observations, 0 if not given, do not count. It never falls below `lowest`, 0 if not given, nor by less than `epsilon`, 1e-8 if not given. An observation is the mean loss of `every` steps, 1 if not given',
    equation: 'rate · factor^(falls), from the losses of the steps before',
    source: 'ReduceLROnPlateau',
    numbers: plateauNumbers,
    write: writePlateau,
    lasts: lastsPlateau,
  },
};

/**
 * For each schedule, its zod object with `more` fields: one definition for patches, REST and docs.
 */
export function scheduleUnion<More extends z.ZodRawShape>(more: More) {
  return z.discriminatedUnion('kind', [
    z.strictObject({ ...SHAPES.constant, ...more }),
    z.strictObject({ ...SHAPES.exponential, ...more }),
    z.strictObject({ ...SHAPES.step, ...more }),
    z.strictObject({ ...SHAPES.multiStep, ...more }),
    z.strictObject({ ...SHAPES.linear, ...more }),
    z.strictObject({ ...SHAPES.polynomial, ...more }),
    z.strictObject({ ...SHAPES.cosine, ...more }),
    z.strictObject({ ...SHAPES.cosineRestarts, ...more }),
    z.strictObject({ ...SHAPES.oneCycle, ...more }),
    z.strictObject({ ...SHAPES.cyclic, ...more }),
    z.strictObject({ ...SHAPES.plateau, ...more }),
  ]);
}

/** Names of the fields of a kind, its kind apart, in the order of the documents. */
export const fieldsOf = (kind: ScheduleKind): string[] =>
  Object.keys(SHAPES[kind]).filter((field) => field !== 'kind');

/** Fields that must be given. */
export const neededOf = (kind: ScheduleKind): string[] =>
  fieldsOf(kind).filter((field) => {
    const shape: Readonly<Record<string, z.ZodType>> = SHAPES[kind];
    return !shape[field]!.safeParse(undefined).success;
  });

/** The numbers of a schedule. A row and its schedule have the same kind, which the type cannot say. */
export const numbersOf = (schedule: { readonly kind: ScheduleKind } | Plateau): readonly number[] =>
  (SCHEDULES[schedule.kind].numbers as (s: unknown) => readonly number[])(schedule);
