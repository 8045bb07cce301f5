/**
 * Losses that compare value with value: the mean over the window of f(estimate, target).
 *
 * Numbers or vectors, at every sample or in frames: the mean is over samples or frames and lanes.
 * `of: "windowMeans"` is FaustNet's window instead: f of the two means of the signals, once per lane.
 * It hears what is slower than the window only; of audio without DC it hears nothing.
 */

import { z } from 'zod';
import type { Loss } from '../../ad/gradient.ts';
import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';
import {
  abs,
  add,
  atLeast,
  average,
  ln,
  mean,
  mul,
  overLanes,
  plusReal,
  row,
  scaled,
  square,
  sub,
} from './row.ts';

const of = z.enum(['samples', 'windowMeans']).optional();
type Of = z.infer<typeof of>;

type Distance = (b: Builder, estimate: NodeId, target: NodeId) => NodeId;

const pointwise =
  (distance: Distance, of: Of = 'samples'): Loss =>
  (b, estimate, target, window) => {
    if (of === 'samples') return mean(b, distance(b, estimate, target), window);
    const [e, t] = [estimate, target].map((x) => average(b, x, window)) as [NodeId, NodeId];
    return overLanes(b, distance(b, e, t));
  };

/** Mean squared error. */
export const mse: Loss = pointwise((b, e, t) => square(b, sub(b, e, t)));

/** The least that a logarithm is taken of. */
const LEAST = 1e-6;

/**
 * sign(x)·ln(1 + |x|): odd, of slope 1 at 0, and ln(1 + x) where x ≥ 0.
 *
 * One side at a time, so that the derivative at 0 is 1 and not that of |x|.
 */
const signedLn = (b: Builder, x: NodeId): NodeId => {
  const zero = b.real(0);
  const side = (y: NodeId): NodeId => ln(b, plusReal(b, y, 1));
  const below = b.node('max', [zero, b.node('neg', [x])]);
  return sub(b, side(b.node('max', [x, zero])), side(below));
};

/** ½d² up to `delta`, then a straight line of slope `delta`. */
const huber = (b: Builder, d: NodeId, delta: number): NodeId => {
  const size = abs(b, d);
  const bent = b.node('min', [size, b.real(delta)]);
  const straight = scaled(b, sub(b, size, bent), delta);
  return add(b, scaled(b, square(b, bent), 0.5), straight);
};

/** Below it, cosh z − 1 is a series: 1 + z²/2 would lose what counts. */
const NEAR = 0.25;

/**
 * ln(cosh z + eps), for any z.
 *
 * |z| + ln(½(1 + e^(−2|z|)) + eps·e^(−|z|)), which does not overflow; near 0, where that cancels,
 * ln(1 + y) for y = cosh z − 1 + eps, both as series: 1e-9 of the value.
 */
const lnCosh = (b: Builder, z: NodeId, eps: number): NodeId => {
  const size = abs(b, z);
  const decay = b.node('exp', [b.node('neg', [size])]);
  const half = plusReal(b, scaled(b, square(b, decay), 0.5), 0.5);
  const far = add(b, size, ln(b, add(b, half, scaled(b, decay, eps))));
  const small = b.node('min', [size, b.real(NEAR)]);
  const squared = square(b, small);
  const series = (x: NodeId, terms: readonly number[]): NodeId =>
    terms.reduceRight((sum: NodeId, c) => plusReal(b, mul(b, sum, x), c), b.real(0));
  const y = plusReal(b, mul(b, squared, series(squared, [1 / 2, 1 / 24, 1 / 720, 1 / 40320])), eps);
  const near = mul(b, y, series(y, [1, -1 / 2, 1 / 3, -1 / 4, 1 / 5, -1 / 6]));
  return b.node('select', [b.node('lt', [size, b.real(NEAR)]), near, far]);
};

const positive = z.number().min(1e-6).max(1e6);

export const POINTWISE = {
  mse: row({
    options: { of },
    takes: 'values',
    formula: 'mean (e − t)²',
    unit: 'square of the signals',
    doc: 'mean squared error',
    build: (o) => pointwise((b, e, t) => square(b, sub(b, e, t)), o.of),
  }),
  mae: row({
    options: { of },
    takes: 'values',
    formula: 'mean |e − t|',
    unit: 'of the signals',
    doc: 'mean absolute error; derivative 0 where the signals are equal',
    build: (o) => pointwise((b, e, t) => abs(b, sub(b, e, t)), o.of),
  }),
  msle: row({
    options: { of, shift: z.number().min(-1).max(1e6).optional() },
    takes: 'values',
    formula: 'mean (slog e − slog t)², slog x = sign(x)·ln(1 + |x|)',
    unit: '1 is a factor of e far above 1; the square of the signals far below',
    doc: 'mean squared logarithmic error, for signals of both signs; of signals ≥ 0 it is the usual one. With `shift` s it is mean (ln(1 + e + s) − ln(1 + t + s))² instead, for signals above −1 − s: what is below counts as 1e-6, derivative 0',
    build: ({ of: which, shift }) => {
      const level = (b: Builder, x: NodeId): NodeId =>
        shift === undefined ? signedLn(b, x) : ln(b, atLeast(b, plusReal(b, x, 1 + shift), LEAST));
      return pointwise((b, e, t) => square(b, sub(b, level(b, e), level(b, t))), which);
    },
  }),
  huber: row({
    options: { of, delta: positive.optional() },
    takes: 'values',
    formula: 'mean of ½d² where |d| < delta, else delta·(|d| − ½delta), d = e − t',
    unit: 'square of the signals',
    doc: 'an outlier pulls no harder than `delta`, 1 if not given; PyTorch’s `huber_loss`',
    build: ({ of: which, delta = 1 }) =>
      pointwise((b, e, t) => huber(b, sub(b, e, t), delta), which),
  }),
  smoothL1: row({
    options: { of, beta: positive.optional() },
    takes: 'values',
    formula: 'mean of ½d²/beta where |d| < beta, else |d| − ½beta',
    unit: 'of the signals',
    doc: '`mae`, rounded up to `beta`, 1 if not given: `huber` divided by beta; PyTorch’s `smooth_l1_loss`',
    build: ({ of: which, beta = 1 }) =>
      pointwise((b, e, t) => scaled(b, huber(b, sub(b, e, t), beta), 1 / beta), which),
  }),
  logCosh: row({
    options: { of, a: positive.optional(), eps: z.number().min(0).max(1e-3).optional() },
    takes: 'values',
    formula: 'mean ln(cosh(a·(e − t)) + eps) / a',
    unit: 'of the signals',
    doc: 'about ½a·d² for small differences, |d| − ln(2)/a for large ones; `a` is 1, `eps` 1e-8; auraloss’s',
    build: ({ of: which, a = 1, eps = 1e-8 }) =>
      pointwise((b, e, t) => scaled(b, lnCosh(b, scaled(b, sub(b, e, t), a), eps), 1 / a), which),
  }),
  value: row({
    options: {},
    takes: 'estimate',
    formula: 'mean e',
    unit: 'of the signal',
    doc: 'a patch that computes its own loss, at every sample or in frames; it has no `target`',
    build: () => (b, estimate, _, window) => mean(b, estimate, window),
  }),
} as const;
