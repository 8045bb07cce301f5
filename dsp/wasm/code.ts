/**
 * Expressions over WebAssembly values, written once for every form: one single- or double-precision
 * number, four single-precision ones, or two of double precision.
 *
 * Invariant: a Code leaves exactly one value on the stack. Conditions are `Mask`s: an i32 in scalar
 * forms, lanes of 0 or −1 in vector form. Bits of a real are an i32, i64 or v128; `bits` and
 * `fromBits` cost nothing in vector form. Nothing is evaluated twice unless it is written twice:
 * what is needed again goes through `let`.
 */

import { isVector as isVectorForm, realType } from './element.ts';
import type { Form } from './element.ts';
import type { Mnemonic } from './instructions.ts';
import { get, set } from './module.ts';
import type { Instr, Local, WasmType } from './module.ts';
import type { Scope } from './rules.ts';

export type Code = readonly Instr[];
export type Mask = Code & { readonly mask?: never };

/** What the bits of a real are. */
const BITS = { f32: 'i32', f64: 'i64', f32x4: 'v128', f64x2: 'v128' } as const;
/** The instruction set for those bits. */
const BIT_OPS = { f32: 'i32', f64: 'i64', f32x4: 'i32x4', f64x2: 'i64x2' } as const;

export interface Arithmetic {
  readonly form: Form;
  readonly isDouble: boolean;
  real(value: number): Code;
  add(a: Code, b: Code): Code;
  sub(a: Code, b: Code): Code;
  mul(a: Code, b: Code): Code;
  div(a: Code, b: Code): Code;
  /** a · b + c, rounded once where that is allowed. */
  madd(a: Code, b: Code, c: Code): Code;
  neg(a: Code): Code;
  abs(a: Code): Code;
  sqrt(a: Code): Code;
  floor(a: Code): Code;
  ceil(a: Code): Code;
  trunc(a: Code): Code;
  nearest(a: Code): Code;
  /** a where a < b, else b; of two equals either. */
  min(a: Code, b: Code): Code;
  max(a: Code, b: Code): Code;
  lt(a: Code, b: Code): Mask;
  gt(a: Code, b: Code): Mask;
  eq(a: Code, b: Code): Mask;
  select(condition: Mask, yes: Code, no: Code): Code;
  /** Evaluates once; the result reads it again. */
  let(code: Code): Code;
  /** c₀ + c₁·x + c₂·x² + …, by Horner's rule; x is read once per coefficient. */
  polynomial(x: Code, coefficients: readonly number[]): Code;
  /** The bits of a real. */
  bits(a: Code): Code;
  fromBits(a: Code): Code;
  /** Magnitude of the first, sign of the second. */
  copySign(magnitude: Code, sign: Code): Code;
  /** a · 2ⁿ by its exponent bits; n is a whole real, the result a normal number. */
  scale(a: Code, n: Code): Code;
  /** x = m · 2ᵉ with m in [√½, √2): both as reals. x is positive and normal. */
  split(x: Code): { readonly mantissa: Code; readonly exponent: Code };
}

const lanesOf = (form: Form): 'f64x2' | 'f32x4' =>
  form === 'f64' || form === 'f64x2' ? 'f64x2' : 'f32x4';

/**
 * An instruction of one operand as that of a vector, for a number as well: of a number alone x86-64's
 * leaves the rest of its result as it was, and so waits for whatever was there, of a sample before.
 * (An envelope of Faust's in one loop: 21 to 6.5 ns.)
 */
export function inLanes(form: Form, a: Code, name: string): Code {
  const lanes = lanesOf(form);
  const made: Instr = [`${lanes}.${name}` as Mnemonic];
  if (isVectorForm(form)) return [...a, made];
  return [...a, [`${lanes}.splat`], made, [`${lanes}.extract_lane`, 0]];
}

/** As `inLanes`, of two operands: of numbers engines choose one with a jump, of vectors without. */
export function pairInLanes(form: Form, a: Code, b: Code, name: string): Code {
  const lanes = lanesOf(form);
  const made: Instr = [`${lanes}.${name}` as Mnemonic];
  if (isVectorForm(form)) return [...a, ...b, made];
  const both: Code = [...a, [`${lanes}.splat`], ...b, [`${lanes}.splat`]];
  return [...both, made, [`${lanes}.extract_lane`, 0]];
}

/** A number truncated to an int, saturating, NaN to 0: as lanes, because alone it asks with jumps. */
export const toIntAlone = (form: 'f32' | 'f64', a: Code): Code => [
  ...a,
  [`${lanesOf(form)}.splat`],
  [form === 'f64' ? 'i32x4.trunc_sat_f64x2_s_zero' : 'i32x4.trunc_sat_f32x4_s'],
  ['i32x4.extract_lane', 0],
];

/** An int as a real, as a lane for the reason of `inLanes`. */
export const toRealAlone = (form: 'f32' | 'f64', a: Code): Code => [
  ...a,
  ['i32x4.splat'],
  [form === 'f64' ? 'f64x2.convert_low_i32x4_s' : 'f32x4.convert_i32x4_s'],
  [`${lanesOf(form)}.extract_lane`, 0],
];

export function arithmetic(s: Scope): Arithmetic {
  const { form } = s;
  const isDouble = form === 'f64' || form === 'f64x2';
  const isVector = isVectorForm(form);
  const i = BIT_OPS[form];
  const op = (name: string): Instr => [name as Mnemonic];
  const real = (value: number): Code => [s.real(value)];
  const unary =
    (name: string) =>
    (a: Code): Code => [...a, op(`${form}.${name}`)];
  const alone =
    (name: string) =>
    (a: Code): Code =>
      inLanes(form, a, name);
  const binary =
    (name: string) =>
    (a: Code, b: Code): Code => [...a, ...b, op(`${form}.${name}`)];
  const bitOp =
    (name: string) =>
    (a: Code, b: Code): Code => [...a, ...b, op(`${i}.${name}`)];
  const keep = (type: WasmType, code: Code): { readonly before: Code; readonly local: Local } => {
    const local = s.local(type);
    return { before: [...code, set(local)], local };
  };
  /** The statement comes with the first use: locals are set before the expression goes on. */
  const letAs = (type: WasmType, code: Code): Code => {
    const { before, local } = keep(type, code);
    s.before(before);
    return [get(local)];
  };
  const shift = (name: string, a: Code, by: number): Code =>
    form === 'f64'
      ? [...a, ['i64.const', by], op(`i64.${name}`)]
      : [...a, ['i32.const', by], op(`${i}.${name}`)];
  const bits = (a: Code): Code =>
    isVector ? a : [...a, op(isDouble ? 'i64.reinterpret_f64' : 'i32.reinterpret_f32')];
  const fromBits = (a: Code): Code =>
    isVector ? a : [...a, op(isDouble ? 'f64.reinterpret_i64' : 'f32.reinterpret_i32')];
  const toIntBits = (a: Code): Code => {
    if (form === 'f32x4') return [...a, op('i32x4.trunc_sat_f32x4_s')];
    // No instruction does it for two, and the one for a number jumps: the low bits of the sum are those
    // of the whole number.
    if (form === 'f64x2') return [...a, s.real(WHOLE), op('f64x2.add')];
    if (isDouble) return bits([...a, s.real(WHOLE), op('f64.add')]);
    return toIntAlone('f32', a);
  };
  const fromIntBits = (a: Code): Code => {
    if (form === 'f32x4') return [...a, op('f32x4.convert_i32x4_s')];
    if (form === 'f64x2') {
      return [...a, s.real(WHOLE), op('i64x2.add'), s.real(WHOLE), op('f64x2.sub')];
    }
    if (isDouble) {
      const sum: Code = [...a, ['i64.const', WHOLE_BITS], op('i64.add')];
      return [...sum, op('f64.reinterpret_i64'), s.real(WHOLE), op('f64.sub')];
    }
    return toRealAlone('f32', a);
  };
  const mantissaBits = isDouble ? 52 : 23;
  const signBit = (): Instr => (isDouble ? s.real(-0) : s.int(-2147483648));
  const sqrtHalfBits = (): Code => {
    if (form === 'f64x2') return [s.real(SQRT_HALF_64)];
    return isDouble ? [['i64.const', SQRT_HALF_BITS_64]] : [s.int(SQRT_HALF_BITS_32)];
  };
  const arith: Arithmetic = {
    form,
    isDouble,
    real,
    add: binary('add'),
    sub: binary('sub'),
    mul: binary('mul'),
    div: binary('div'),
    madd: (a, b, c) =>
      s.fused
        ? [...a, ...b, ...c, op(`${form}.relaxed_madd`)]
        : [...a, ...b, op(`${form}.mul`), ...c, op(`${form}.add`)],
    neg: unary('neg'),
    abs: unary('abs'),
    sqrt: alone('sqrt'),
    floor: alone('floor'),
    ceil: alone('ceil'),
    trunc: alone('trunc'),
    nearest: alone('nearest'),
    min: (a, b) => pairInLanes(form, a, b, 'pmin'),
    max: (a, b) => pairInLanes(form, a, b, 'pmax'),
    lt: binary('lt'),
    gt: binary('gt'),
    eq: binary('eq'),
    select: (condition, yes, no) => [
      ...yes,
      ...no,
      ...condition,
      [isVector ? 'v128.bitselect' : 'select'],
    ],
    let: (code) => letAs(realType(form), code),
    polynomial: (x, coefficients) =>
      coefficients
        .slice(0, -1)
        .reduceRight<Code>((sum, c) => arith.madd(sum, x, real(c)), real(coefficients.at(-1)!)),
    bits,
    fromBits,
    copySign: (magnitude, sign) =>
      isVector
        ? [...magnitude, ...sign, signBit(), ['v128.and'], ['v128.or']]
        : [...magnitude, ...sign, op(`${form}.copysign`)],
    scale: (a, n) => {
      const shifted = shift('shl', toIntBits(n), mantissaBits);
      return fromBits(bitOp('add')(bits(a), shifted));
    },
    split: (x) => {
      // Exponent of x / √½, so that the mantissa lies around 1.
      const all = letAs(BITS[form], bits(x));
      const above = bitOp('sub')(all, sqrtHalfBits());
      const e = letAs(BITS[form], shift('shr_s', above, mantissaBits));
      const mantissa = fromBits(bitOp('sub')(all, shift('shl', e, mantissaBits)));
      return { mantissa: arith.let(mantissa), exponent: fromIntBits(e) };
    },
  };
  return arith;
}

const SQRT_HALF_BITS_32 = 0x3f3504f3;
/** Near enough: it only says where the mantissa turns over, and JavaScript holds it exactly. */
const SQRT_HALF_BITS_64 = 0x3fe6a09e667f3c00;
/** The number that has them. */
const SQRT_HALF_64 = new Float64Array(BigInt64Array.of(BigInt(SQRT_HALF_BITS_64)).buffer)[0]!;
/** 1.5·2⁵²: a whole number that is added to it stands in the lowest bits. */
const WHOLE = 1.5 * 2 ** 52;
const WHOLE_BITS = 0x4338000000000000;
