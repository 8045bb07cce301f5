/**
 * Expressions over WebAssembly values, written once for every form: one single- or double-precision
 * number, or four single-precision ones.
 *
 * Invariant: a Code leaves exactly one value on the stack. Conditions are `Mask`s: an i32 in scalar
 * forms, lanes of 0 or −1 in vector form. Bits of a real are an i32, i64 or v128; `bits` and
 * `fromBits` cost nothing in vector form. Nothing is evaluated twice unless it is written twice:
 * what is needed again goes through `let`.
 */

import type { Mnemonic } from './instructions.ts';
import { get, set } from './module.ts';
import type { Instr, Local, WasmType } from './module.ts';
import type { Form, Scope } from './rules.ts';

export type Code = readonly Instr[];
export type Mask = Code & { readonly mask?: never };

const REAL: Readonly<Record<Form, WasmType>> = { f32: 'f32', f64: 'f64', f32x4: 'v128' };
/** What the bits of a real are. */
const BITS: Readonly<Record<Form, WasmType>> = { f32: 'i32', f64: 'i64', f32x4: 'v128' };
/** The instruction set for those bits. */
const BIT_OPS: Readonly<Record<Form, string>> = { f32: 'i32', f64: 'i64', f32x4: 'i32x4' };

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

export function arithmetic(s: Scope): Arithmetic {
  const { form } = s;
  const isDouble = form === 'f64';
  const isVector = form === 'f32x4';
  const i = BIT_OPS[form];
  const op = (name: string): Instr => [name as Mnemonic];
  const real = (value: number): Code => [s.real(value)];
  const unary =
    (name: string) =>
    (a: Code): Code => [...a, op(`${form}.${name}`)];
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
    isDouble
      ? [...a, ['i64.const', by], op(`i64.${name}`)]
      : [...a, ['i32.const', by], op(`${i}.${name}`)];
  const bitsConst = (value: number): Code => (isDouble ? [['i64.const', value]] : [s.int(value)]);
  const bits = (a: Code): Code =>
    isVector ? a : [...a, op(isDouble ? 'i64.reinterpret_f64' : 'i32.reinterpret_f32')];
  const fromBits = (a: Code): Code =>
    isVector ? a : [...a, op(isDouble ? 'f64.reinterpret_i64' : 'f32.reinterpret_i32')];
  const toIntBits = (a: Code): Code => {
    if (isVector) return [...a, op('i32x4.trunc_sat_f32x4_s')];
    return [...a, op(isDouble ? 'i64.trunc_sat_f64_s' : 'i32.trunc_sat_f32_s')];
  };
  const fromIntBits = (a: Code): Code => {
    if (isVector) return [...a, op('f32x4.convert_i32x4_s')];
    return [...a, op(isDouble ? 'f64.convert_i64_s' : 'f32.convert_i32_s')];
  };
  const mantissaBits = isDouble ? 52 : 23;
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
        ? [...a, ...b, ...c, ['f32x4.relaxed_madd']]
        : [...a, ...b, op(`${form}.mul`), ...c, op(`${form}.add`)],
    neg: unary('neg'),
    abs: unary('abs'),
    sqrt: unary('sqrt'),
    floor: unary('floor'),
    ceil: unary('ceil'),
    trunc: unary('trunc'),
    nearest: unary('nearest'),
    min: binary(isVector ? 'pmin' : 'min'),
    max: binary(isVector ? 'pmax' : 'max'),
    lt: binary('lt'),
    gt: binary('gt'),
    eq: binary('eq'),
    select: (condition, yes, no) => [
      ...yes,
      ...no,
      ...condition,
      [isVector ? 'v128.bitselect' : 'select'],
    ],
    let: (code) => letAs(REAL[form], code),
    polynomial: (x, coefficients) =>
      coefficients
        .slice(0, -1)
        .reduceRight<Code>((sum, c) => arith.madd(sum, x, real(c)), real(coefficients.at(-1)!)),
    bits,
    fromBits,
    copySign: (magnitude, sign) =>
      isVector
        ? [...magnitude, ...sign, s.int(-2147483648), ['v128.and'], ['v128.or']]
        : [...magnitude, ...sign, op(`${form}.copysign`)],
    scale: (a, n) => {
      const shifted = shift('shl', toIntBits(n), mantissaBits);
      return fromBits(bitOp('add')(bits(a), shifted));
    },
    split: (x) => {
      // Exponent of x / √½, so that the mantissa lies around 1.
      const all = letAs(BITS[form], bits(x));
      const offset = bitsConst(isDouble ? SQRT_HALF_BITS_64 : SQRT_HALF_BITS_32);
      const e = letAs(BITS[form], shift('shr_s', bitOp('sub')(all, offset), mantissaBits));
      const mantissa = fromBits(bitOp('sub')(all, shift('shl', e, mantissaBits)));
      return { mantissa: arith.let(mantissa), exponent: fromIntBits(e) };
    },
  };
  return arith;
}

const SQRT_HALF_BITS_32 = 0x3f3504f3;
/** Near enough: it only says where the mantissa turns over, and JavaScript holds it exactly. */
const SQRT_HALF_BITS_64 = 0x3fe6a09e667f3c00;
