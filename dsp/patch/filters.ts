/**
 * Filters and followers: recursions of one or two frames, made of operations.
 *
 * Invariants: every operand may be a signal, a slider, a param or a number, or a vector of them, which
 * makes a bank: a filter for each lane. Coefficients are computed as often as their operands change.
 * States start at 0. Finite operands give finite coefficients of a stable filter (`biquad` alone takes
 * what it is given): frequencies are held to [10 Hz, 0.49 · sampleRate], q to [0.01, 1000], gains to
 * ±120 dB, poles to ±0.99999, and have derivative 0 outside. Gradient: exact through every operand;
 * over time as the mode says.
 *
 * Two structures for the same second-order responses, those of R. Bristow-Johnson, Cookbook formulae
 * for audio EQ biquad filter coefficients. `lowpass`, … are biquads: the fewest operations, but in
 * single precision their gain at DC is off by up to 1.1e-8 · (sampleRate / cutoff)², which at 48 kHz
 * is 0.1 % at 100 Hz and 4 % at 20 Hz. `svfLowpass`, … are state-variable filters, off by less than
 * 1e-4 at every cutoff and calm while a cutoff moves, for a third more operations.
 * Tested: test/dsp/patch/filters.test.ts (response at DC, cutoff, Nyquist and between, at three
 * sample rates; gradcheck; stability; block-size invariance).
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { abs, add, choose, div, hold, lanesOfAll, last, mul, neg } from './terms.ts';
import { recursion, scale, sub } from './terms.ts';
import type { Build, Described, PatchFunction, TimedFunction } from './terms.ts';

const LOWEST = 10;
const HIGHEST = 0.49;
const POLE = 0.99999;

const square = (b: Builder, x: NodeId): NodeId => mul(b, x, x);
const sumOf = (b: Builder, ...terms: NodeId[]): NodeId => terms.reduce((x, y) => add(b, x, y));

/**
 * How far a one-pole goes in a frame that has gone 1 − 1/e of the way after `seconds`.
 *
 * 1 − e⁻ᵘ = 2t/(1 + t), t = tanh(u/2), u = 1/(seconds · sampleRate): without the cancellation of
 * 1 − e⁻ᵘ. 0 seconds is the whole way.
 */
function stride(b: Builder, seconds: NodeId, sampleRate: number): NodeId {
  const held = hold(b, seconds, 1e-7, 1e7);
  const t = b.node('tanh', [div(b, b.real(0.5 / sampleRate), held)]);
  return div(b, scale(b, t, 2), add(b, b.real(1), t));
}

/**
 * Biquad, transposed direct form II.
 *
 * y = b0·x + s1;  s1 ← b1·x − a1·y + s2;  s2 ← b2·x − a2·y
 * H(z) = (b0 + b1·z⁻¹ + b2·z⁻²) / (1 + a1·z⁻¹ + a2·z⁻²): a1 and a2 as in the denominator, a0 = 1.
 * Stable where |a2| < 1 and |a1| < 1 + a2. Cost: 9 operations.
 */
const biquad = (
  b: Builder,
  x: NodeId,
  b0: NodeId,
  b1: NodeId,
  b2: NodeId,
  a1: NodeId,
  a2: NodeId,
): NodeId => {
  const lanes = lanesOfAll(b, x, b0, b1, b2, a1, a2);
  const [s1, s2] = [b.feedback('real', 1, 0, lanes), b.feedback('real', 1, 0, lanes)];
  const y = add(b, mul(b, b0, x), s1);
  b.close(s1, add(b, sub(b, mul(b, b1, x), mul(b, a1, y)), s2));
  b.close(s2, b.asLanes(sub(b, mul(b, b2, x), mul(b, a2, y)), lanes));
  return y;
};

/** What the formulae of the cookbook are written in. */
interface Cookbook {
  readonly cos: NodeId;
  /** 1 − cos ω without cancellation. */
  readonly versine: NodeId;
  /** sin ω / (2q) */
  readonly alpha: NodeId;
}

/** Numerator b0, b1, b2 and denominator a0, a1, a2, not yet divided by a0. */
type Coefficients = readonly [NodeId, NodeId, NodeId, NodeId, NodeId, NodeId];

export const heldQ = (b: Builder, q: NodeId): NodeId => hold(b, q, 0.01, 1000);
export const heldCutoff = (b: Builder, cutoff: NodeId, sampleRate: number): NodeId =>
  hold(b, cutoff, LOWEST, HIGHEST * sampleRate);

/** 10^(gainDb / 40): the square root of the gain. */
export const rootGain = (b: Builder, gainDb: NodeId): NodeId =>
  b.node('exp', [scale(b, hold(b, gainDb, -120, 120), Math.LN10 / 40)]);

function cookbook(b: Builder, cutoff: NodeId, q: NodeId, sampleRate: number): Cookbook {
  const half = scale(b, heldCutoff(b, cutoff, sampleRate), Math.PI / sampleRate);
  const omega = scale(b, half, 2);
  return {
    cos: b.node('cos', [omega]),
    versine: scale(b, square(b, b.node('sin', [half])), 2),
    alpha: div(b, b.node('sin', [omega]), scale(b, heldQ(b, q), 2)),
  };
}

/** A biquad of the cookbook as a function of x, cutoff, q and, if it has one, the gain in dB. */
function rbj(
  doc: string,
  arity: 3 | 4,
  coefficients: (b: Builder, c: Cookbook, rootGain: NodeId) => Coefficients,
): Described & Pick<TimedFunction, 'at'> {
  const at =
    (sampleRate: number): Build =>
    (b, x, cutoff, q, gainDb) => {
      const c = cookbook(b, cutoff, q, sampleRate);
      const gain = arity === 4 ? rootGain(b, gainDb) : b.real(1);
      const [b0, b1, b2, a0, a1, a2] = coefficients(b, c, gain);
      const inverse = div(b, b.real(1), a0);
      const over = (k: NodeId): NodeId => mul(b, k, inverse);
      return biquad(b, x, over(b0), over(b1), over(b2), over(a1), over(a2));
    };
  return { arity, names: ['x', 'cutoff', 'q', 'gainDb'].slice(0, arity), doc, at };
}

/** 1 + α, −2·cos ω, 1 − α: the denominator of all but the shelves and the peak. */
const resonance = (b: Builder, { cos, alpha }: Cookbook): [NodeId, NodeId, NodeId] => [
  add(b, b.real(1), alpha),
  scale(b, cos, -2),
  sub(b, b.real(1), alpha),
];

/**
 * Both shelves: they differ in the sign of cos ω, and of b1 and a1.
 *
 * b0 = A((A+1) − (A−1)c + 2√A·α),  b1 = 2A((A−1) − (A+1)c),  b2 = A((A+1) − (A−1)c − 2√A·α)
 * a0 = (A+1) + (A−1)c + 2√A·α,  a1 = −2((A−1) + (A+1)c),  a2 = (A+1) + (A−1)c − 2√A·α
 */
function shelf(b: Builder, { cos, alpha }: Cookbook, a: NodeId, side: 1 | -1): Coefficients {
  const c = side === 1 ? cos : neg(b, cos);
  const [up, down] = [add(b, a, b.real(1)), sub(b, a, b.real(1))];
  const skirt = mul(b, scale(b, b.node('sqrt', [a]), 2), alpha);
  const top = sub(b, up, mul(b, down, c));
  const bottom = add(b, up, mul(b, down, c));
  return [
    mul(b, a, add(b, top, skirt)),
    scale(b, mul(b, a, sub(b, down, mul(b, up, c))), 2 * side),
    mul(b, a, sub(b, top, skirt)),
    add(b, bottom, skirt),
    scale(b, add(b, down, mul(b, up, c)), -2 * side),
    sub(b, bottom, skirt),
  ];
}

/** What the outputs of a state-variable filter are mixed of: y = of x, v1 and v2. */
type Mix = (
  b: Builder,
  s: { readonly x: NodeId; readonly v1: NodeId; readonly v2: NodeId; readonly k: NodeId },
  rootGain: NodeId,
) => NodeId;

/** How the gain moves g and k: neither, k/A for the peak, g/√A and g·√A for the shelves. */
type Warp = 'plain' | 'peak' | 'low' | 'high';

/**
 * Two-pole state-variable filter (trapezoidal, zero-delay feedback).
 *
 * v1 = a1·ic1 + a2·(x − ic2),  v2 = ic2 + a2·ic1 + a3·(x − ic2)
 * ic1 ← 2·v1 − ic1,  ic2 ← 2·v2 − ic2
 * with g = tan(π·cutoff/sampleRate), k = 1/q, a1 = 1/(1 + g(g + k)), a2 = g·a1, a3 = g·a2.
 * v1 is the band around the cutoff, v2 what is below it. Cost: 12 operations and the mix; a tan
 * per change of cutoff.
 * Source: A. Simper (Cytomic), SvfLinearTrapOptimised2.pdf.
 */
function svf(
  doc: string,
  arity: 3 | 4,
  warp: Warp,
  mix: Mix,
): Described & Pick<TimedFunction, 'at'> {
  const at =
    (sampleRate: number): Build =>
    (b, x, cutoff, q, gainDb) => {
      const held = heldCutoff(b, cutoff, sampleRate);
      const tan = b.node('tan', [scale(b, held, Math.PI / sampleRate)]);
      const gain = arity === 4 ? rootGain(b, gainDb) : b.real(1);
      const root = b.node('sqrt', [gain]);
      const g = warp === 'low' ? div(b, tan, root) : warp === 'high' ? mul(b, tan, root) : tan;
      const width = heldQ(b, q);
      const k = div(b, b.real(1), warp === 'peak' ? mul(b, width, gain) : width);
      const a1 = div(b, b.real(1), add(b, b.real(1), mul(b, g, add(b, g, k))));
      const a2 = mul(b, g, a1);
      const a3 = mul(b, g, a2);
      const lanes = lanesOfAll(b, x, a3);
      const [ic1, ic2] = [b.feedback('real', 1, 0, lanes), b.feedback('real', 1, 0, lanes)];
      const rest = sub(b, x, ic2);
      const v1 = add(b, mul(b, a1, ic1), mul(b, a2, rest));
      const v2 = sumOf(b, ic2, mul(b, a2, ic1), mul(b, a3, rest));
      b.close(ic1, sub(b, scale(b, v1, 2), ic1));
      b.close(ic2, sub(b, scale(b, v2, 2), ic2));
      return mix(b, { x: x, v1, v2, k }, gain);
    };
  return { arity, names: ['x', 'cutoff', 'q', 'gainDb'].slice(0, arity), doc, at };
}

export const FILTERS = {
  onePole: {
    arity: 2,
    names: ['x', 'a'],
    doc: 'y = (1 − a)·x + a·y′, y′ the last y: a low-pass for a > 0, 1 at DC; a is held to ±0.99999',
    build: (b, x, a) => {
      const rest = sub(b, b.real(1), hold(b, a, -POLE, POLE));
      return recursion(b, lanesOfAll(b, x, rest), (past) =>
        add(b, past, mul(b, rest, sub(b, x, past))),
      );
    },
  },
  dcBlocker: {
    arity: 2,
    names: ['x', 'a'],
    doc: 'y = x − x′ + a·y′: 0 at DC, a high-pass the lower the nearer a is to 1; a is held to ±0.99999',
    build: (b, x, a) => {
      const change = sub(b, x, last(b, x));
      const held = hold(b, a, -POLE, POLE);
      return recursion(b, lanesOfAll(b, x, held), (past) => add(b, change, mul(b, held, past)));
    },
  },
  smooth: {
    arity: 2,
    names: ['x', 'seconds'],
    doc: 'x by a one-pole that goes 63 % of the way in `seconds`; from 0',
    at: (sampleRate) => (b, x, seconds) => {
      const step = stride(b, seconds, sampleRate);
      return recursion(b, lanesOfAll(b, x, step), (past) =>
        add(b, past, mul(b, step, sub(b, x, past))),
      );
    },
  },
  envelope: {
    arity: 3,
    names: ['x', 'attack', 'release'],
    doc: 'follows |x|: `smooth` with `attack` seconds while it rises, `release` seconds while it falls',
    at: (sampleRate) => (b, x, attack, release) => {
      const size = abs(b, x);
      const [rise, fall] = [stride(b, attack, sampleRate), stride(b, release, sampleRate)];
      return recursion(b, lanesOfAll(b, size, rise, fall), (past) => {
        const step = choose(b, b.node('gt', [size, past]), rise, fall);
        return add(b, past, mul(b, step, sub(b, size, past)));
      });
    },
  },
  biquad: {
    arity: 6,
    names: ['x', 'b0', 'b1', 'b2', 'a1', 'a2'],
    doc: 'y = b0·x + b1·x′ + b2·x″ − a1·y′ − a2·y″; stable where |a2| < 1 and |a1| < 1 + a2',
    build: (b, x, b0, b1, b2, a1, a2) => biquad(b, x, b0, b1, b2, a1, a2),
  },
  lowpass: rbj('biquad low-pass, 1 at DC, q at the cutoff', 3, (b, c) => {
    const half = scale(b, c.versine, 0.5);
    return [half, c.versine, half, ...resonance(b, c)];
  }),
  highpass: rbj('biquad high-pass, 1 at Nyquist, q at the cutoff', 3, (b, c) => {
    const sum = add(b, b.real(1), c.cos);
    const half = scale(b, sum, 0.5);
    return [half, neg(b, sum), half, ...resonance(b, c)];
  }),
  bandpass: rbj('biquad band-pass, 1 at the cutoff, cutoff / q wide', 3, (b, c) => [
    c.alpha,
    b.real(0),
    neg(b, c.alpha),
    ...resonance(b, c),
  ]),
  notch: rbj('biquad notch, 0 at the cutoff, cutoff / q wide', 3, (b, c) => {
    const middle = scale(b, c.cos, -2);
    return [b.real(1), middle, b.real(1), ...resonance(b, c)];
  }),
  peaking: rbj('biquad peak of gainDb at the cutoff', 4, (b, c, a) => {
    const [up, down] = [mul(b, c.alpha, a), div(b, c.alpha, a)];
    const one = b.real(1);
    const middle = scale(b, c.cos, -2);
    return [add(b, one, up), middle, sub(b, one, up), add(b, one, down), middle, sub(b, one, down)];
  }),
  lowShelf: rbj('biquad shelf: gainDb below the cutoff, half of it there', 4, (b, c, a) =>
    shelf(b, c, a, 1),
  ),
  highShelf: rbj('biquad shelf: gainDb above the cutoff, half of it there', 4, (b, c, a) =>
    shelf(b, c, a, -1),
  ),
  svfLowpass: svf('as `lowpass`, a state-variable filter', 3, 'plain', (_b, { v2 }) => v2),
  svfHighpass: svf('as `highpass`, a state-variable filter', 3, 'plain', (b, { x, v1, v2, k }) =>
    sub(b, sub(b, x, mul(b, k, v1)), v2),
  ),
  svfBandpass: svf('as `bandpass`, a state-variable filter', 3, 'plain', (b, { v1, k }) =>
    mul(b, k, v1),
  ),
  svfNotch: svf('as `notch`, a state-variable filter', 3, 'plain', (b, { x, v1, k }) =>
    sub(b, x, mul(b, k, v1)),
  ),
  svfPeaking: svf('as `peaking`, a state-variable filter', 4, 'peak', (b, { x, v1, k }, a) =>
    add(b, x, mul(b, mul(b, k, sub(b, square(b, a), b.real(1))), v1)),
  ),
  svfLowShelf: svf('as `lowShelf`, a state-variable filter', 4, 'low', (b, { x, v1, v2, k }, a) => {
    const band = mul(b, mul(b, k, sub(b, a, b.real(1))), v1);
    return sumOf(b, x, band, mul(b, sub(b, square(b, a), b.real(1)), v2));
  }),
  svfHighShelf: svf(
    'as `highShelf`, a state-variable filter',
    4,
    'high',
    (b, { x, v1, v2, k }, a) => {
      const band = mul(b, mul(b, mul(b, k, sub(b, b.real(1), a)), a), v1);
      const low = mul(b, sub(b, b.real(1), square(b, a)), v2);
      return sumOf(b, mul(b, square(b, a), x), band, low);
    },
  ),
} as const satisfies Record<string, PatchFunction>;
