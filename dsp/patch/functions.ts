/**
 * Functions that a patch may name and that are made of operations of the IR, so that they need no
 * rules of their own: their derivatives follow. The elementary ones stand here; oscillators and
 * filters, which have state, in files of their own.
 *
 * Invariant: every row is total: finite operands give finite results and derivatives, at the edges of
 * a domain too, where single precision can hold them, and never a NaN for a derivative; where the
 * mathematical function ends, its row says what happens. Tested: test/dsp/finite.test.ts.
 */

import { ACTIVATIONS, prelu } from '../blocks/activations.ts';
import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { FILTERS } from './filters.ts';
import { OSCILLATORS } from './oscillators.ts';
import { RESPONSES } from './responses.ts';
import { abs, add, below, choose, div, hold, mul, neg, scale, sub } from './terms.ts';
import type { Build, PatchFunction, PlainFunction } from './terms.ts';

const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1));

/** x·(c₀ + c₁x² + c₂x⁴ + …): odd functions near 0, where their formulas cancel. */
function odd(b: Builder, x: NodeId, coefficients: readonly number[]): NodeId {
  const z = mul(b, x, x);
  let sum = b.real(coefficients.at(-1)!);
  for (const c of coefficients.slice(0, -1).toReversed()) sum = add(b, mul(b, sum, z), b.real(c));
  return mul(b, x, sum);
}

/** Terms of a series: c(k) at k = 0, 1, … */
const terms = (count: number, c: (k: number) => number): readonly number[] =>
  Array.from({ length: count }, (_, k) => c(k));

/** 1 / (2k + 1)!; below ½ the ninth is less than double precision sees. */
const SINH = terms(8, (k) => 1 / factorial(2 * k + 1));
/** (−1)ᵏ·(2k)! / (4ᵏ·k!²·(2k + 1)), below ¼ */
const ASINH = terms(
  12,
  (k) => ((-1) ** k * factorial(2 * k)) / (4 ** k * factorial(k) ** 2 * (2 * k + 1)),
);
/** 1 / (2k + 1), below ¼ */
const ATANH = terms(13, (k) => 1 / (2 * k + 1));

/**
 * A series `near` 0 where |x| is below a limit, else `far`. The series sees x held to the limit, so
 * that it stays finite where it is not taken: 0 times an infinite slope is a NaN.
 */
const around = (
  b: Builder,
  x: NodeId,
  limit: number,
  near: readonly number[],
  far: NodeId,
): NodeId => choose(b, below(b, abs(b, x), limit), odd(b, hold(b, x, -limit, limit), near), far);

/** a / b, and 0 where b is 0. */
const quotient = (b: Builder, x: NodeId, y: NodeId): NodeId =>
  choose(b, b.node('ne', [y, b.real(0)]), div(b, x, y), b.real(0));

/** f(|x|) with the sign of x. */
const mirrored = (b: Builder, x: NodeId, f: (size: NodeId) => NodeId): NodeId => {
  const value = f(abs(b, x));
  return choose(b, below(b, x, 0), neg(b, value), value);
};

/** √(1 − x²), without cancellation near ±1. */
const complement = (b: Builder, x: NodeId): NodeId =>
  b.node('sqrt', [mul(b, sub(b, b.real(1), x), add(b, b.real(1), x))]);

/** Largest exponent that is written out as products. */
const PRODUCTS = 64;

/** xⁿ by squaring. */
function power(b: Builder, x: NodeId, n: number): NodeId {
  let result: NodeId | null = null;
  let square = x;
  for (let rest = Math.abs(n); rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result === null ? square : mul(b, result, square);
    if (rest > 1) square = mul(b, square, square);
  }
  const positive = result ?? b.real(1);
  return n < 0 ? div(b, b.real(1), positive) : positive;
}

/** Beyond this single precision does not tell one cycle from the next. */
const MANY_CYCLES = 2 ** 24;

/** −200 dB: below, a logarithm's slope would be larger than any use of it. */
const QUIETEST = 1e-10;

export const ELEMENTARY = {
  relu: { arity: 1, ...ACTIVATIONS.relu },
  leakyRelu: { arity: 1, ...ACTIVATIONS.leakyRelu },
  prelu: {
    arity: 2,
    names: ['x', 'slope'],
    doc: 'x where positive, else slope · x; derivative to x at 0 the slope',
    build: prelu,
  },
  elu: { arity: 1, ...ACTIVATIONS.elu },
  sigmoid: { arity: 1, ...ACTIVATIONS.sigmoid },
  softplus: { arity: 1, ...ACTIVATIONS.softplus },
  softsign: { arity: 1, ...ACTIVATIONS.softsign },
  silu: { arity: 1, ...ACTIVATIONS.silu },
  hardTanh: { arity: 1, ...ACTIVATIONS.hardTanh },
  log2: {
    arity: 1,
    doc: 'the logarithm to base 2, as `ln`',
    build: (b, x) => scale(b, b.node('ln', [x]), Math.LOG2E),
  },
  log10: {
    arity: 1,
    doc: 'the logarithm to base 10, as `ln`',
    build: (b, x) => scale(b, b.node('ln', [x]), Math.LOG10E),
  },
  pow: {
    arity: 2,
    doc: `aᵇ: products where b is a whole number up to ±${PRODUCTS}; else e^(b·ln |a|), for a below 0 with the sign of the whole power b, 0 where b is not whole`,
    build: (b, x, y) => {
      const exponent = b.constant(y);
      if (exponent !== undefined && Number.isInteger(exponent) && Math.abs(exponent) <= PRODUCTS) {
        return power(b, x, exponent);
      }
      const zero = b.real(0);
      const size = b.node('exp', [mul(b, y, b.node('ln', [b.node('abs', [x])]))]);
      const fixed = b.node('detach', [y]);
      const isWhole = b.node('eq', [b.node('rint', [fixed]), fixed]);
      const half = scale(b, fixed, 0.5);
      const isOdd = b.node('ne', [b.node('floor', [half]), half]);
      const below = choose(b, isWhole, choose(b, isOdd, neg(b, size), size), zero);
      const atZero = choose(b, b.node('eq', [fixed, zero]), b.real(1), zero);
      const other = choose(b, b.node('lt', [x, zero]), below, atZero);
      return choose(b, b.node('gt', [x, zero]), size, other);
    },
  },
  sinh: {
    arity: 1,
    doc: 'the hyperbolic sine',
    build: (b, x) => {
      const far = scale(b, sub(b, b.node('exp', [x]), b.node('exp', [neg(b, x)])), 0.5);
      return around(b, x, 0.5, SINH, far);
    },
  },
  cosh: {
    arity: 1,
    doc: 'the hyperbolic cosine',
    build: (b, x) => scale(b, add(b, b.node('exp', [x]), b.node('exp', [neg(b, x)])), 0.5),
  },
  asinh: {
    arity: 1,
    doc: 'the inverse hyperbolic sine',
    build: (b, x) => {
      const far = mirrored(b, x, (size) =>
        b.node('ln', [add(b, size, b.node('sqrt', [add(b, mul(b, size, size), b.real(1))]))]),
      );
      return around(b, x, 0.25, ASINH, far);
    },
  },
  acosh: {
    arity: 1,
    doc: 'the inverse hyperbolic cosine; a below 1 counts as 1',
    build: (b, x) => {
      const held = b.node('max', [x, b.real(1)]);
      const root = b.node('sqrt', [mul(b, sub(b, held, b.real(1)), add(b, held, b.real(1)))]);
      return b.node('ln', [add(b, held, root)]);
    },
  },
  atanh: {
    arity: 1,
    doc: 'the inverse hyperbolic tangent; a is held to ±0.999999',
    build: (b, x) => {
      const held = hold(b, x, -0.999999, 0.999999);
      const ratio = div(b, add(b, b.real(1), held), sub(b, b.real(1), held));
      const far = scale(b, b.node('ln', [ratio]), 0.5);
      return around(b, x, 0.25, ATANH, far);
    },
  },
  atan: {
    arity: 1,
    doc: 'the arc tangent',
    build: (b, x) => b.node('atan2', [x, b.real(1)]),
  },
  asin: {
    arity: 1,
    doc: 'the arc sine; a is held to ±1, derivative 0 there',
    build: (b, x) => {
      const held = hold(b, x, -1, 1);
      return b.node('atan2', [held, complement(b, held)]);
    },
  },
  acos: {
    arity: 1,
    doc: 'the arc cosine; a is held to ±1, derivative 0 there',
    build: (b, x) => {
      const held = hold(b, x, -1, 1);
      return b.node('atan2', [complement(b, held), held]);
    },
  },
  hypot: {
    arity: 2,
    doc: '√(a² + b²); derivative 0 at the origin',
    build: (b, x, y) => {
      // In units of the larger one, so that no square is lost or infinite.
      const larger = b.node('detach', [b.node('max', [abs(b, x), abs(b, y)])]);
      const unit = choose(b, b.node('gt', [larger, b.real(0)]), larger, b.real(1));
      const [u, v] = [div(b, x, unit), div(b, y, unit)];
      return mul(b, unit, b.node('sqrt', [add(b, mul(b, u, u), mul(b, v, v))]));
    },
  },
  cbrt: {
    arity: 1,
    doc: 'the cube root; derivative 0 at 0',
    build: (b, x) =>
      mirrored(b, x, (size) => {
        const root = b.node('exp', [scale(b, b.node('ln', [size]), 1 / 3)]);
        return choose(b, b.node('gt', [size, b.real(0)]), root, b.real(0));
      }),
  },
  fmod: {
    arity: 2,
    doc: 'a − b·trunc(a / b): the rest has the sign of a; a where b is 0',
    build: (b, x, y) => sub(b, x, mul(b, y, b.node('trunc', [quotient(b, x, y)]))),
  },
  remainder: {
    arity: 2,
    doc: 'a − b·rint(a / b): the rest nearest to 0; a where b is 0',
    build: (b, x, y) => sub(b, x, mul(b, y, b.node('rint', [quotient(b, x, y)]))),
  },
  round: {
    arity: 1,
    doc: 'the nearest whole number, halves away from 0; derivative 0, or `straight-through` by choice',
    build: (b, x) => mirrored(b, x, (size) => b.node('floor', [add(b, size, b.real(0.5))])),
  },
  fma: {
    arity: 3,
    doc: 'a·b + c',
    build: (b, x, y, z) => add(b, mul(b, x, y), z),
  },
  exp10: {
    arity: 1,
    doc: '10ᵃ, as `exp`',
    build: (b, x) => b.node('exp', [scale(b, x, Math.LN10)]),
  },
  dbToGain: {
    arity: 1,
    doc: '10^(a / 20)',
    build: (b, x) => b.node('exp', [scale(b, x, Math.LN10 / 20)]),
  },
  gainToDb: {
    arity: 1,
    doc: '20·log10 |a|, at least −200; derivative 0 there',
    build: (b, x) => {
      const size = b.node('max', [abs(b, x), b.real(QUIETEST)]);
      return scale(b, b.node('ln', [size]), 20 / Math.LN10);
    },
  },
  mtof: {
    arity: 1,
    doc: 'the frequency in Hz of a MIDI key: 440·2^((a − 69) / 12)',
    build: (b, x) => {
      const octaves = scale(b, sub(b, x, b.real(69)), 1 / 12);
      return scale(b, b.node('exp2', [octaves]), 440);
    },
  },
  sign: {
    arity: 1,
    doc: '−1, 0 or 1; derivative 0',
    build: (b, x) => {
      const above = b.node('gt', [x, b.real(0)]);
      return choose(b, above, b.real(1), choose(b, below(b, x, 0), b.real(-1), b.real(0)));
    },
  },
  clip: {
    arity: 3,
    names: ['x', 'low', 'high'],
    doc: 'x held to [low, high]; at a limit the gradient goes to x, beyond it to the limit',
    build: (b, x, low, high) => b.node('max', [b.node('min', [x, high]), low]),
  },
  wrap: {
    arity: 3,
    names: ['x', 'low', 'high'],
    doc: 'x moved into [low, high) by whole ranges, low where the range is empty; derivative 1 to x',
    build: (b, x, low, high) => {
      const distance = sub(b, high, low);
      const isEmpty = b.node('le', [distance, b.real(0)]);
      const span = choose(b, isEmpty, b.real(1), distance);
      const ratio = div(b, sub(b, x, low), span);
      const cycles = b.node('floor', [hold(b, ratio, -MANY_CYCLES, MANY_CYCLES)]);
      const moved = sub(b, x, mul(b, cycles, span));
      // Rounding can leave it a little outside.
      const isInside = b.node('and', [b.node('ge', [moved, low]), b.node('lt', [moved, high])]);
      return choose(b, isInside, moved, low);
    },
  },
  lerp: {
    arity: 3,
    names: ['a', 'b', 't'],
    doc: 'a + t·(b − a)',
    build: (b, x, y, t) => add(b, x, mul(b, t, sub(b, y, x))),
  },
  select3: {
    arity: 4,
    names: ['i', 'a', 'b', 'c'],
    doc: 'a where i < 1, b where i < 2, else c; the gradient goes to the chosen one, none to i',
    build: (b, i, x, y, z) => choose(b, below(b, i, 1), x, choose(b, below(b, i, 2), y, z)),
  },
} as const satisfies Record<string, PlainFunction>;

export const FUNCTIONS = {
  ...ELEMENTARY,
  ...OSCILLATORS,
  ...FILTERS,
  ...RESPONSES,
} as const satisfies Record<string, PatchFunction>;

export type FunctionName = keyof typeof FUNCTIONS;

export const FUNCTION_NAMES = Object.keys(FUNCTIONS) as [FunctionName, ...FunctionName[]];

/** The function's nodes at a sample rate, in Hz. */
export function buildOf(name: FunctionName, sampleRate: number): Build {
  const made: PatchFunction = FUNCTIONS[name];
  return 'build' in made ? made.build : made.at(sampleRate);
}

export const isOscillator = (op: string): op is keyof typeof OSCILLATORS =>
  Object.hasOwn(OSCILLATORS, op);

/** Without state: it works lane by lane, on frames as on samples. */
export const isPointwise = (op: string): boolean =>
  Object.hasOwn(ELEMENTARY, op) || Object.hasOwn(RESPONSES, op);

export const isFunction = (op: string): op is FunctionName => Object.hasOwn(FUNCTIONS, op);
