/**
 * Delays whose length is a signal: between the samples by interpolation.
 *
 * With x_k the input k frames ago, t the delay held to its range, n = ⌊t⌋ and f = t − n:
 * none      x at the whole number nearest to t
 * linear    x_n + f·(x_{n+1} − x_n)
 * cubic     the polynomial of degree 3 through x_{n−1}, x_n, x_{n+1}, x_{n+2} (Lagrange)
 * allpass   y = a·(x_m − y₁) + x_{m+1}, y₁ being y one frame ago, m = ⌊t − ½⌋, Δ = t − m and
 *           a = (1 − Δ)/(1 + Δ) (Thiran, first order): even gain at all frequencies, but a moving t is
 *           heard, because y₁ belongs to the delay before
 *
 * Gradient: exact through x. Through t it is the same for all of them, the centred slope
 * (1 − f)·(x_{n+1} − x_{n−1})/2 + f·(x_{n+2} − x_n)/2 of the input, which has no jumps where t passes
 * a whole number and follows a sine of ω rad/sample to sin ω / ω; with x_{−1} = 2·x_0 − x_1. Where t
 * is held to a limit it is 0. Cost: two to four reads of one line; the slope only in training.
 * Source: T. I. Laakso et al., Splitting the unit delay, IEEE Signal Processing Magazine 13(1), 1996.
 * Tested: test/dsp/patch/delays.test.ts.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { add, choose, eachLane, hold, lanesOfAll, mul, recursion, scale, sub } from './terms.ts';

export const DELAY_INTERPOLATIONS = ['none', 'linear', 'cubic', 'allpass'] as const;
export type DelayInterpolation = (typeof DELAY_INTERPOLATIONS)[number];

/** The shortest delay, frames: there are no samples before the newest one. */
export const SHORTEST: Readonly<Record<DelayInterpolation, number>> = {
  none: 0,
  linear: 0,
  cubic: 1,
  allpass: 0.5,
};

/** Frames beyond the longest delay that are looked at. */
export const BEYOND = 2;

/** A signal at whole places, of which there is one for every int. */
export type Taps = (place: NodeId) => NodeId;

/** The int `by` places on. */
export const moved = (b: Builder, place: NodeId, by: number): NodeId =>
  by === 0 ? place : b.node('add', [place, b.int(by)]);

/** The whole and the fractional part of t ≥ 0; the derivative of t is that of the fraction. */
export function split(b: Builder, t: NodeId): { readonly whole: NodeId; readonly rest: NodeId } {
  const floor = b.node('floor', [t]);
  return { whole: b.node('toInt', [floor]), rest: sub(b, t, floor) };
}

/** p + f·(q − p) */
export const mix = (b: Builder, p: NodeId, q: NodeId, f: NodeId): NodeId =>
  add(b, p, mul(b, f, sub(b, q, p)));

/** The polynomial through four values, the second at f = 0 and the third at f = 1. */
export function cubic(
  b: Builder,
  [o, p, q, r]: readonly [NodeId, NodeId, NodeId, NodeId],
  f: NodeId,
): NodeId {
  const half = (x: NodeId): NodeId => scale(b, x, 1 / 2);
  const third = add(b, scale(b, sub(b, r, o), 1 / 6), half(sub(b, p, q)));
  const second = sub(b, half(add(b, o, q)), p);
  const first = sub(b, sub(b, q, scale(b, o, 1 / 3)), add(b, half(p), scale(b, r, 1 / 6)));
  const high = add(b, mul(b, third, f), second);
  return add(b, mul(b, add(b, mul(b, high, f), first), f), p);
}

/** The centred differences around ⌊t⌋ and the place after it, as t lies between them. */
export function centredSlope(b: Builder, taps: Taps, t: NodeId): NodeId {
  const { whole, rest } = split(b, t);
  const [o, p, q, r] = [-1, 0, 1, 2].map((by) => taps(moved(b, whole, by))) as Four;
  return scale(b, mix(b, sub(b, q, o), sub(b, r, p), rest), 1 / 2);
}

type Four = [NodeId, NodeId, NodeId, NodeId];

/**
 * x, `frames` frames ago. Vectors are delayed as a whole by a number, lane by lane by a vector; a number
 * has one past, read at every lane's place.
 *
 * @param frames  real, held to [`SHORTEST`, max]
 * @param max     frames
 */
export const delayBy = (
  b: Builder,
  x: NodeId,
  frames: NodeId,
  max: number,
  kind: DelayInterpolation,
): NodeId =>
  b.shape(frames) > 1
    ? eachLane(b, [x, frames], (one, length) => delayOne(b, one, length, max, kind))
    : delayOne(b, x, frames, max, kind);

function delayOne(
  b: Builder,
  x: NodeId,
  frames: NodeId,
  max: number,
  interpolation: DelayInterpolation,
): NodeId {
  const length = hold(b, frames, SHORTEST[interpolation], max);
  const t = b.node('detach', [length]);
  const past: Taps = (place) => b.node('line', [x, place], [max + BEYOND]);
  const value = interpolated(b, past, t, interpolation);
  const known: Taps = (place) => {
    // What would come next, as the last two go on.
    const next = sub(b, scale(b, past(b.int(0)), 2), past(b.int(1)));
    return choose(b, b.node('lt', [place, b.int(0)]), next, past(place));
  };
  return b.node('withSlope', [value, length, centredSlope(b, known, t)]);
}

function interpolated(b: Builder, past: Taps, t: NodeId, kind: DelayInterpolation): NodeId {
  switch (kind) {
    case 'none':
      return past(b.node('toInt', [b.node('rint', [t])]));
    case 'linear': {
      const { whole, rest } = split(b, t);
      return mix(b, past(whole), past(moved(b, whole, 1)), rest);
    }
    case 'cubic': {
      const { whole, rest } = split(b, t);
      return cubic(b, [-1, 0, 1, 2].map((by) => past(moved(b, whole, by))) as Four, rest);
    }
    case 'allpass': {
      const { whole, rest } = split(b, sub(b, t, b.real(0.5)));
      // Δ = rest + ½, so 1 − Δ = ½ − rest.
      const a = b.node('div', [sub(b, b.real(0.5), rest), add(b, b.real(1.5), rest)]);
      const [near, far] = [past(whole), past(moved(b, whole, 1))];
      const lanes = lanesOfAll(b, near, a);
      return recursion(b, lanes, (before) => add(b, mul(b, a, sub(b, near, before)), far));
    }
  }
}
