/**
 * Transcendental functions as inlined code, for one number or a vector of them in single or double
 * precision. Nothing is imported: a call out of a loop costs more than the function.
 *
 * Invariants: scalar and vector forms of a precision compute the same operations in the same order; finite arguments give finite results (overflow saturates, poles are large numbers), so no
 * function makes a NaN or an infinity that was not there. Error bounds, in units in the last place
 * of single precision, are checked in `test/dsp/wasm/maths.test.ts` over the whole range.
 *
 * Coefficients: minimax fits of relative error on the stated interval (Remez), unless said to be a
 * series. Reductions after W. J. Cody and W. Waite, Software Manual for the Elementary Functions.
 */

import type { Arithmetic, Code, Mask } from './code.ts';

/** Largest result and smallest: the range of normal numbers, with a margin for the reduction. */
const EXP_RANGE = { single: [-87.33, 88.37], double: [-708, 709] } as const;
const LN2_PARTS = {
  single: [0.693145751953125, 1.4286067653501e-6],
  double: [0.6931471803691238, 1.9082149292705877e-10],
} as const;

/** eʳ = 1 + r + r²·P(r) on |r| ≤ ln 2 / 2. Single: 3.1e-9. Double: Taylor to r¹³. */
const EXP = {
  single: [
    0.49999993431632145, 0.1666652039420793, 0.0416683908833244, 0.008368745558204702,
    0.0013814535407527624,
  ],
  double: [
    1 / 2,
    1 / 6,
    1 / 24,
    1 / 120,
    1 / 720,
    1 / 5040,
    1 / 40320,
    1 / 362880,
    1 / 3628800,
    1 / 39916800,
    1 / 479001600,
    1 / 6227020800,
  ],
} as const;

/** ln(1 + f) = f − f²/2 + f³·P(f) on [√½ − 1, √2 − 1], 5.8e-9. */
const LN_SINGLE = [
  0.33333331707288505, -0.25000820979150506, 0.2000122697078359, -0.16623358985646866,
  0.14201756218052392, -0.13160165117782005, 0.1276158363942947, -0.07634551179163361,
];
/** ln(1 + f) = 2s + s·z·Q(z), s = f/(2 + f), z = s²: the series 2/3, 2/5, …, 5e-18 at the end. */
const LN_DOUBLE = Array.from({ length: 11 }, (_, k) => 2 / (2 * k + 3));

/** atan t = t + t³·P(t²) on |t| ≤ tan(π/8). Single: 2.1e-8. Double: series, 1e-17 at the end. */
const ATAN = {
  single: [-0.33332949094417036, 0.19977708149332718, -0.13877656722741008, 0.08053646351497486],
  double: Array.from({ length: 21 }, (_, k) => (k % 2 === 0 ? -1 : 1) / (2 * k + 3)),
} as const;

/** tanh x = x·P(x²)/Q(x²) on |x| ≤ 9, 6.6e-9. */
const TANH_SINGLE = {
  numerator: [
    0.9999999933732002, 0.13084005005152516, 0.003103950640879885, 1.1154253191670145e-5,
    -2.022502140890595e-8, 5.277860099164431e-11, -8.488508265536524e-14,
  ],
  denominator: [1, 0.4641733210113986, 0.02449515587813329, 2.54613729447961e-4],
} as const;
/** sinh x / x and cosh x in x², series; with changing signs those of the sine and the cosine. */
const LONG_SINH_SERIES = series((k) => 2 * k + 1, 11);
const SINH_SERIES = LONG_SINH_SERIES.slice(0, 9);
const COSH_SERIES = series((k) => 2 * k, 9);

function series(factorialOf: (k: number) => number, terms: number): number[] {
  return Array.from({ length: terms }, (_, k) => {
    let product = 1;
    for (let n = 2; n <= factorialOf(k); n++) product *= n;
    return 1 / product;
  });
}

const precision = (m: Arithmetic): 'single' | 'double' => (m.isDouble ? 'double' : 'single');

/** What a logarithm takes 0 and less for, in either precision: see `interpret/rules`. */
const SMALLEST = 2 ** -126;

/** Smallest normal number. */
const tiny = (m: Arithmetic): number => (m.isDouble ? 2 ** -1022 : 2 ** -126);

/**
 * eˣ. With n = nearest(x / ln 2), r = x − n·ln 2: 2ⁿ·eʳ.
 * Saturates at e^−87.33 and e^88.37 (single) instead of leaving the normal numbers. 1.1 ULP.
 */
export function exp(m: Arithmetic, x: Code): Code {
  const kind = precision(m);
  const [low, high] = EXP_RANGE[kind];
  const held = m.let(m.min(m.max(x, m.real(low)), m.real(high)));
  return expOf(m, held);
}

/** 2ˣ, as `exp`: 2ⁿ · e^((x − n)·ln 2), without rounding the argument first. 1.1 ULP. */
export function exp2(m: Arithmetic, x: Code): Code {
  const kind = precision(m);
  const [low, high] = EXP_RANGE[kind];
  const least = m.real(low / Math.LN2);
  const held = m.let(m.min(m.max(x, least), m.real(high / Math.LN2)));
  const n = m.let(m.nearest(held));
  return scaled(m, m.let(m.mul(m.sub(held, n), m.real(Math.LN2))), n);
}

/** As `exp`, for an argument that is known to be in range. */
function expOf(m: Arithmetic, x: Code): Code {
  const { n, r } = reduced(m, x);
  return scaled(m, r, n);
}

/** x = n·ln 2 + r, |r| ≤ ln 2 / 2. */
function reduced(m: Arithmetic, x: Code): { readonly n: Code; readonly r: Code } {
  const [high, low] = LN2_PARTS[precision(m)];
  const n = m.let(m.nearest(m.mul(x, m.real(Math.LOG2E))));
  const r = m.let(m.sub(m.sub(x, m.mul(n, m.real(high))), m.mul(n, m.real(low))));
  return { n, r };
}

/** 2ⁿ · eʳ, |r| ≤ ln 2 / 2. */
const scaled = (m: Arithmetic, r: Code, n: Code): Code =>
  m.scale(m.add(beyondOne(m, r), m.real(1)), n);

/** eʳ − 1. */
const beyondOne = (m: Arithmetic, r: Code): Code =>
  m.add(m.mul(m.mul(r, r), m.polynomial(r, EXP[precision(m)])), r);

/**
 * The natural logarithm. With x = m·2ᵉ, m in [√½, √2): ln m + e·ln 2.
 * Arguments below the smallest normal number of single precision, 0 and negative ones included, count
 * as that number: −87.3. 0.9 ULP.
 */
export function ln(m: Arithmetic, x: Code): Code {
  const { mantissa, exponent } = m.split(m.max(x, m.real(SMALLEST)));
  const e = m.let(exponent);
  const f = m.let(m.sub(mantissa, m.real(1)));
  if (m.isDouble) {
    const [high, low] = LN2_PARTS.double;
    const s = m.let(m.div(f, m.add(m.real(2), f)));
    const z = m.let(m.mul(s, s));
    const tail = m.mul(m.mul(s, z), m.polynomial(z, LN_DOUBLE));
    const small = m.add(m.add(tail, m.mul(e, m.real(low))), m.add(s, s));
    return m.add(small, m.mul(e, m.real(high)));
  }
  const f2 = m.let(m.mul(f, f));
  // ln 2 in two parts, the first exact for every exponent.
  const cubic = m.mul(m.mul(f, f2), m.polynomial(f, LN_SINGLE));
  const low = m.add(cubic, m.mul(e, m.real(-2.1219444e-4)));
  const small = m.sub(low, m.mul(f2, m.real(0.5)));
  return m.add(m.add(small, f), m.mul(e, m.real(0.693359375)));
}

/** The angle of the point (x, y), in [−π, π]; 0 at the origin. 2 ULP. */
export function atan2(m: Arithmetic, y: Code, x: Code): Code {
  const ay = m.let(m.abs(y));
  const ax = m.let(m.abs(x));
  const large = m.let(m.max(m.max(ax, ay), m.real(tiny(m))));
  const small = m.let(m.min(ax, ay));
  const inFirst = firstOctant(m, small, large);
  const octant = m.let(m.select(m.gt(ay, ax), m.sub(m.real(Math.PI / 2), inFirst), inFirst));
  const behind = m.lt(x, m.real(0));
  return m.copySign(m.select(behind, m.sub(m.real(Math.PI), octant), octant), y);
}

/** atan(small / large), 0 ≤ small ≤ large. */
function firstOctant(m: Arithmetic, small: Code, large: Code): Code {
  const kind = precision(m);
  // Above tan(π/8): atan(t) = π/4 + atan((t − 1)/(t + 1)).
  const upper = m.let(
    m.select(m.gt(small, m.mul(large, m.real(Math.SQRT2 - 1))), m.real(1), m.real(0)),
  );
  const numerator = m.sub(small, m.mul(upper, large));
  const denominator = m.add(large, m.mul(upper, small));
  const t = m.let(m.div(numerator, denominator));
  const z = m.let(m.mul(t, t));
  const angle = m.add(m.mul(m.mul(m.polynomial(z, ATAN[kind]), z), t), t);
  return m.let(m.add(angle, m.mul(upper, m.real(Math.PI / 4))));
}

/** The hyperbolic tangent. 6 ULP (single), 3 (double), within ±1. */
export function tanh(m: Arithmetic, x: Code): Code {
  if (!m.isDouble) {
    const { numerator, denominator } = TANH_SINGLE;
    const held = m.let(m.min(m.max(x, m.real(-9)), m.real(9)));
    const z = m.let(m.mul(held, held));
    const top = m.mul(held, m.polynomial(z, numerator));
    const quotient = m.div(top, m.polynomial(z, denominator));
    return m.min(m.max(quotient, m.real(-1)), m.real(1));
  }
  // e/(e + 2) with e = e²ᵃ − 1 = 2ⁿ·(eʳ − 1) + (2ⁿ − 1): nothing is lost where a is small.
  const a = m.let(m.min(m.abs(x), m.real(22)));
  const { n, r } = reduced(m, m.let(m.add(a, a)));
  const power = m.let(m.scale(m.real(1), n));
  const e = m.let(m.add(m.mul(power, beyondOne(m, r)), m.sub(power, m.real(1))));
  return m.copySign(m.div(e, m.add(e, m.real(2))), x);
}

/** The sine. 1.5e-7 absolute for |x| ≤ 100, 1.5e-6 for |x| ≤ 2.5e4; always within ±1. */
export const sin = (m: Arithmetic, x: Code): Code => sinusoid(m, x, 0);

/** The cosine, as `sin`. */
export const cos = (m: Arithmetic, x: Code): Code => sinusoid(m, x, 0.5);

/**
 * sin(x + shift · π). With k = nearest(x/π + shift) and r = x − (k − shift)·π, |r| ≤ π/2:
 * (−1)ᵏ · sin r. Beyond |x| = 2.5e4 (single) or 1e9 (double) precision is lost gradually.
 */
function sinusoid(m: Arithmetic, x: Code, shift: 0 | 0.5): Code {
  const kind = precision(m);
  const turns = m.mul(x, m.real(1 / Math.PI));
  const k = m.let(m.nearest(shift === 0 ? turns : m.add(turns, m.real(shift))));
  const whole = shift === 0 ? k : m.let(m.sub(k, m.real(shift)));
  const rest = PI[kind].reduce<Code>((sum, part) => m.sub(sum, m.mul(whole, m.real(part))), x);
  // Far out of range the rest is arbitrary: held where the polynomial stays within ±1.
  const limit = 1.5708;
  const r = m.let(m.max(m.min(rest, m.real(limit)), m.real(-limit)));
  const z = m.let(m.mul(r, r));
  const sine = m.let(m.add(m.mul(m.mul(m.polynomial(z, SIN_TO_HALF_PI[kind]), z), r), r));
  return m.select(isEven(m, k), sine, m.neg(sine));
}

/** Is a whole number even? */
function isEven(m: Arithmetic, n: Code): Mask {
  const half = m.let(m.mul(n, m.real(0.5)));
  return m.eq(m.nearest(half), half);
}

/** π in parts that a small whole number multiplies exactly; the last is rounded. */
const PI = {
  single: [3.140625, 9.675025939941406e-4, 1.5099580252808664e-7],
  double: [3.141592502593994, 1.5099578831723193e-7, 1.0780605716316238e-14],
} as const;
/** sin r = r + r³·P(r²) on |r| ≤ π/2. Single: 6.1e-9. Double: series, 4e-18 at the end. */
const SIN_TO_HALF_PI = {
  single: [
    -0.16666659520648816, 0.008333065419231407, -0.00019809538304474392, 2.605629834392568e-6,
  ],
  double: Array.from({ length: 10 }, (_, k) => (k % 2 === 0 ? -1 : 1) * LONG_SINH_SERIES[k + 1]!),
} as const;

/**
 * The tangent. With n = nearest(2x/π), r = x − n·π/2, |r| ≤ π/4: sin r / cos r, or −cos r / sin r
 * where n is odd. At a pole it is a large number. 3.5 ULP on [−1.5, 1.5].
 */
export function tan(m: Arithmetic, x: Code): Code {
  const kind = precision(m);
  const n = m.let(m.nearest(m.mul(x, m.real(2 / Math.PI))));
  const rest = HALF_PI[kind].reduce<Code>((sum, part) => m.sub(sum, m.mul(n, m.real(part))), x);
  const limit = 0.786;
  const r = m.let(m.max(m.min(rest, m.real(limit)), m.real(-limit)));
  const z = m.let(m.mul(r, r));
  const sine = m.let(m.add(r, m.mul(m.mul(r, z), m.polynomial(z, SIN[kind]))));
  const halved = m.sub(m.real(1), m.mul(z, m.real(0.5)));
  const cosine = m.let(m.add(halved, m.mul(m.mul(z, z), m.polynomial(z, COS[kind]))));
  const even = m.gt(m.let(m.select(isEven(m, n), m.real(1), m.real(0))), m.real(0.5));
  const numerator = m.select(even, sine, m.neg(cosine));
  const bottom = m.let(m.select(even, cosine, sine));
  const kept = m.copySign(m.max(m.abs(bottom), m.real(POLE)), bottom);
  return m.div(numerator, kept);
}

/** π/2 in parts that a small whole number multiplies exactly; the last is rounded. */
const HALF_PI = {
  single: [1.5703125, 4.837512969970703e-4, 7.549790126404332e-8],
  double: [1.570796251296997, 7.549789415861596e-8, 5.390302858158119e-15],
} as const;
/** sin r = r + r³·P(r²) on |r| ≤ π/4: 3.8e-9; double: series, 2e-19 at the end. */
const SIN = {
  single: [-0.1666665457239308, 0.008332158375072162, -0.00019514953882794668],
  double: Array.from({ length: 8 }, (_, k) => (k % 2 === 0 ? -1 : 1) * SINH_SERIES[k + 1]!),
} as const;
/** cos r = 1 − r²/2 + r⁴·P(r²) on |r| ≤ π/4: 1.2e-10; double: series. */
const COS = {
  single: [0.04166664561866012, -0.0013887313057026757, 0.00002443278453059543],
  double: Array.from({ length: 7 }, (_, k) => (k % 2 === 0 ? 1 : -1) * COSH_SERIES[k + 2]!),
} as const;
/** Smallest denominator: the tangent stays a finite number. */
const POLE = 1e-30;
