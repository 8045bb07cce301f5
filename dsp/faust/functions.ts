/**
 * The functions that a normal form may call, by the names that libfaust writes: those of Faust and
 * those of math.h, which programs declare as foreign functions.
 *
 * Invariant: each is made of what patches are made of too, so both have the same derivatives and
 * conventions. What is not here is an error that names the function.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import type { OpKind } from '../ir/ops.ts';
import { FUNCTIONS } from '../patch/functions.ts';
import { abs, add, below, choose, hold, neg, scale, sub } from '../patch/terms.ts';
import type { Build } from '../patch/terms.ts';

const op =
  (name: OpKind): Build =>
  (b, ...x) =>
    b.node(name, x);

/** Results are real but for those of `isnan` and `isinf`. */
const REAL: Readonly<Record<string, Build>> = {
  sin: op('sin'),
  cos: op('cos'),
  tan: op('tan'),
  asin: FUNCTIONS.asin.build,
  acos: FUNCTIONS.acos.build,
  atan: FUNCTIONS.atan.build,
  atan2: op('atan2'),
  sinh: FUNCTIONS.sinh.build,
  cosh: FUNCTIONS.cosh.build,
  tanh: op('tanh'),
  asinh: FUNCTIONS.asinh.build,
  acosh: FUNCTIONS.acosh.build,
  atanh: FUNCTIONS.atanh.build,
  exp: op('exp'),
  exp2: op('exp2'),
  exp10: FUNCTIONS.exp10.build,
  // By 2t / (1 − t) with t = tanh x/2, which does not cancel near 0.
  expm1: (b, x) => {
    const t = b.node('tanh', [scale(b, hold(b, x, -1, 1), 0.5)]);
    const near = b.node('div', [scale(b, t, 2), sub(b, b.real(1), t)]);
    return choose(b, below(b, abs(b, x), 1), near, sub(b, op('exp')(b, x), b.real(1)));
  },
  log: op('ln'),
  log2: FUNCTIONS.log2.build,
  log10: FUNCTIONS.log10.build,
  // By 2·artanh of x / (2 + x), likewise.
  log1p: (b, x) => {
    const held = hold(b, x, -0.3, 0.3);
    const ratio = b.node('div', [held, add(b, b.real(2), held)]);
    const near = scale(b, FUNCTIONS.atanh.build(b, ratio), 2);
    return choose(b, below(b, abs(b, x), 0.3), near, op('ln')(b, add(b, b.real(1), x)));
  },
  pow: FUNCTIONS.pow.build,
  sqrt: op('sqrt'),
  cbrt: FUNCTIONS.cbrt.build,
  hypot: FUNCTIONS.hypot.build,
  fabs: op('abs'),
  floor: op('floor'),
  ceil: op('ceil'),
  trunc: op('trunc'),
  rint: op('rint'),
  nearbyint: op('rint'),
  round: FUNCTIONS.round.build,
  fmod: FUNCTIONS.fmod.build,
  remainder: FUNCTIONS.remainder.build,
  fmin: op('min'),
  fmax: op('max'),
  fma: FUNCTIONS.fma.build,
  copysign: (b, x, y) => {
    const size = abs(b, x);
    return choose(b, below(b, y, 0), neg(b, size), size);
  },
  isnan: (b, x) => b.node('ne', [x, x]),
  isinf: (b, x) => b.node('eq', [abs(b, x), b.real(Infinity)]),
};

/** Without the letter that C puts behind a function of single or extended precision. */
function baseName(name: string): string {
  const short = name.replace(/[fl]$/u, '');
  return Object.hasOwn(REAL, name) || !Object.hasOwn(REAL, short) ? name : short;
}

export const functionOf = (name: string): Build | undefined => {
  const base = baseName(name);
  return Object.hasOwn(REAL, base) ? REAL[base] : undefined;
};

/** Bits of an exponent: whatever is not 0 or ±1 overflows beyond. */
const EXPONENT_BITS = 5;

/**
 * aᵇ of ints, an int: exact, 0 for what is no whole number, and without its high bits where it has more
 * than 32.
 *
 * Gradient: through a, and through b where it is asked for, as if b were real.
 * Cost: a multiplication or two for each bit of b, or of 31.
 * @param isSteep  is a gradient asked for through b?
 */
export function wholePower(b: Builder, x: NodeId, y: NodeId, isSteep: boolean): NodeId {
  const known = b.constant(y);
  const real = b.node('toReal', [y]);
  const fixed = known === undefined ? b.node('toInt', [b.node('detach', [real])]) : y;
  const zero = b.int(0);
  const one = b.int(1);
  const isOdd = b.node('and', [fixed, one]);
  // As odd or even as it was.
  const few = choose(
    b,
    b.node('gt', [fixed, b.int(2 ** EXPONENT_BITS - 1)]),
    b.node('add', [b.int(2 ** EXPONENT_BITS - 2), isOdd]),
    fixed,
  );
  const last = known === undefined ? EXPONENT_BITS : Math.ceil(Math.log2(Math.max(2, known + 1)));
  let product = one;
  let square = x;
  for (let bit = 0; bit < Math.min(last, EXPONENT_BITS); bit++) {
    if (bit > 0) square = b.node('mul', [square, square]);
    const isSet = b.node('and', [few, b.int(1 << bit)]);
    product = choose(b, isSet, b.node('mul', [product, square]), product);
  }
  const unit = choose(b, isOdd, x, one);
  const inverse = choose(b, b.node('eq', [abs(b, x), one]), unit, zero);
  const made = choose(b, b.node('lt', [fixed, zero]), inverse, product);
  if (!isSteep || known !== undefined) return made;
  const size = b.node('toReal', [made]);
  const growth = b.node('ln', [abs(b, b.node('toReal', [x]))]);
  const slope = b.node('detach', [b.node('mul', [size, growth])]);
  return b.node('toInt', [b.node('withSlope', [size, real, slope])]);
}

/** Operands are brought to reals. */
export const call = (b: Builder, build: Build, operands: readonly NodeId[]): NodeId =>
  build(b, ...operands.map((x) => b.asReal(x)));
