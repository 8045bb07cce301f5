/**
 * How each operation is written in WebAssembly, per form of its operands.
 *
 * Invariant: a rule leaves exactly one value on the stack, reads its operands from locals, and
 * computes what `interpret/rules` says: to the bit, except sin and cos (bound below). The scalar
 * and the vector form of an operation round alike, so how a loop is cut does not change a result.
 * `null`: there is no such form; the scheduler keeps the operation out of loops that would need it.
 */

import type { ValueOp } from '../interpret/rules.ts';
import type { Mnemonic } from './instructions.ts';
import { arithmetic } from './code.ts';
import type { Arithmetic, Code } from './code.ts';
import * as m from './maths.ts';
import { get, set, tee } from './module.ts';
import type { Instr, Local, WasmType } from './module.ts';

/** How values are held: one at a time in either precision, or four single-precision ones. */
export type Form = 'f32' | 'f64' | 'f32x4';

export interface Scope {
  readonly form: Form;
  /** A fresh local. */
  local(type: WasmType): Local;
  /** Code that runs before the value that the rule returns: for what is needed more than once. */
  before(code: readonly Instr[]): void;
  /** A real constant of this form, hoisted out of the loop. */
  real(value: number): Instr;
  /** An integer constant of this form, hoisted out of the loop. */
  int(value: number): Instr;
  /** The lane mask of a comparison, if this operand is one made in this loop. */
  mask(operand: Local): Local | undefined;
}

type Rule = (x: readonly Local[], s: Scope) => readonly Instr[];

export interface FormRules {
  /** Real operands: one, in either precision. */
  readonly scalar: Rule | null;
  readonly vector: Rule | null;
  /** Int operands. */
  readonly intScalar: Rule | null;
  readonly intVector: Rule | null;
}

export const realType = (form: Form): WasmType => (form === 'f32x4' ? 'v128' : form);
export const intType = (form: Form): WasmType => (form === 'f32x4' ? 'v128' : 'i32');

const op = (name: string): Instr => [name as Mnemonic];

/** The same instruction in every form. */
const direct =
  (name: string): Rule =>
  (x, s) => [...x.map(get), op(`${s.form}.${name}`)];
const directInt =
  (name: string): Rule =>
  (x) => [...x.map(get), op(`i32.${name}`)];
const directIntVector =
  (name: string): Rule =>
  (x) => [...x.map(get), op(`i32x4.${name}`)];

const realOnly = (scalar: Rule, vector: Rule = scalar): FormRules => ({
  scalar,
  vector,
  intScalar: null,
  intVector: null,
});

const intOnly = (intScalar: Rule, intVector: Rule | null): FormRules => ({
  scalar: null,
  vector: null,
  intScalar,
  intVector,
});

const comparison = (name: string, intName: string): FormRules => ({
  scalar: direct(name),
  vector: direct(name),
  intScalar: directInt(intName),
  intVector: directIntVector(intName),
});

/** b before a ? b : a, with the comparison that says "before". */
const pick =
  (before: string): Rule =>
  (x, s) => {
    const [a, b] = x as [Local, Local];
    return [get(b), get(a), ...compared(before, b, a, s), ['select']];
  };
const compared = (name: string, x: Local, y: Local, s: Scope): Instr[] => {
  const type = x.type === 'i32' ? 'i32' : s.form;
  return [get(x), get(y), op(`${type}.${name}${type === 'i32' ? '_s' : ''}`)];
};

const vectorMask = (c: Local, s: Scope): readonly Instr[] => {
  const mask = s.mask(c);
  return mask === undefined ? [get(c), s.int(0), ['i32x4.ne']] : [get(mask)];
};
const selectScalar: Rule = ([c, a, b]) => [get(a!), get(b!), get(c!), ['select']];
const selectVector: Rule = ([c, a, b], s) => [
  get(a!),
  get(b!),
  ...vectorMask(c!, s),
  ['v128.bitselect'],
];

/**
 * sin(x + shift · π), shift 0 for sine and ½ for cosine.
 *
 * With k = nearest(x/π + shift) and r = x − (k − shift)·π: (−1)ᵏ · sin r, |r| ≤ π/2, sin r by an odd
 * polynomial. Single precision: relative minimax, 6.1e-9 before rounding; π in three parts exact
 * for |k| < 2¹³. Double precision: Taylor to r²¹, 4e-18 at the end; π in three parts.
 * Error in single precision: 1.5e-7 for |x| ≤ 100, 1.5e-6 for |x| ≤ 2.5e4, absolute.
 * Range: |x| up to 2.5e4 in single precision, 1e9 in double; beyond, precision is lost gradually,
 * but the result stays within ±1.
 */
const sinusoid =
  (shift: 0 | 0.5): Rule =>
  ([x], s) => {
    const { form } = s;
    const double = form === 'f64';
    const type = realType(form);
    const [k, r, r2] = [s.local(type), s.local(type), s.local(type)];
    const f = (name: string): Instr => op(`${form}.${name}`);
    const pi = double ? PI_DOUBLE : PI_SINGLE;
    const coefficients = double ? SIN_DOUBLE : SIN_SINGLE;
    const code: Instr[] = [get(x!), s.real(1 / Math.PI), f('mul')];
    if (shift !== 0) code.push(s.real(shift), f('add'));
    code.push(f('nearest'), set(k));
    // r = x − (k − shift)·π, part by part.
    const turns: Instr[] = shift === 0 ? [get(k)] : [get(k), s.real(shift), f('sub')];
    code.push(get(x!));
    for (const part of pi) code.push(...turns, s.real(part), f('mul'), f('sub'));
    // Far out of range r is arbitrary: held where the polynomial stays within ±1.
    const [low, high] = form === 'f32x4' ? (['pmax', 'pmin'] as const) : (['max', 'min'] as const);
    code.push(s.real(LARGEST_REST), f(high), s.real(-LARGEST_REST), f(low));
    code.push(tee(r), get(r), f('mul'), set(r2));
    // Horner in r², then r + r·r²·P.
    code.push(s.real(coefficients.at(-1)!));
    for (const c of coefficients.slice(0, -1).toReversed()) {
      code.push(get(r2), f('mul'), s.real(c), f('add'));
    }
    code.push(get(r2), f('mul'), get(r), f('mul'), get(r), f('add'), set(r));
    // The sign of (−1)ᵏ.
    if (form === 'f32x4') {
      code.push(get(r), get(k), ['i32x4.trunc_sat_f32x4_s'], ['i32.const', 31], ['i32x4.shl']);
      code.push(['v128.xor']);
    } else {
      code.push(get(r), f('neg'), get(r), get(k));
      code.push(op(double ? 'i32.trunc_sat_f64_s' : 'i32.trunc_sat_f32_s'));
      code.push(['i32.const', 1], ['i32.and'], ['select']);
    }
    return code;
  };

/** A little over π/2, for what rounding leaves. */
const LARGEST_REST = 1.5708;
/** π cut into parts that a small integer multiplies exactly; the last is rounded. */
const PI_SINGLE = [3.140625, 9.675025939941406e-4, 1.5099580252808664e-7];
const PI_DOUBLE = [3.141592502593994, 1.5099578831723193e-7, 1.0780605716316238e-14];
/** Relative minimax of sin r = r + r³·P(r²) on [0, π/2], degree 3 in r². */
const SIN_SINGLE = [
  -0.16666659520648816, 0.008333065419231407, -0.00019809538304474392, 2.605629834392568e-6,
];
/** Taylor. */
const SIN_DOUBLE = [
  -1.6666666666666666e-1, 8.333333333333333e-3, -1.984126984126984e-4, 2.7557319223985893e-6,
  -2.505210838544172e-8, 1.6059043836821613e-10, -7.647163731819816e-13, 2.8114572543455206e-15,
  -8.22063524662433e-18, 1.9572941063391263e-20,
];

/** A function of `maths` as a rule. */
const maths =
  (write: (a: Arithmetic, x: Code, y: Code) => Code): Rule =>
  ([x, y], s) =>
    write(arithmetic(s), [get(x!)], y === undefined ? [] : [get(y)]);

export const WASM_RULES = {
  add: {
    scalar: direct('add'),
    vector: direct('add'),
    intScalar: directInt('add'),
    intVector: directIntVector('add'),
  },
  sub: {
    scalar: direct('sub'),
    vector: direct('sub'),
    intScalar: directInt('sub'),
    intVector: directIntVector('sub'),
  },
  mul: {
    scalar: direct('mul'),
    vector: direct('mul'),
    intScalar: directInt('mul'),
    intVector: directIntVector('mul'),
  },
  neg: {
    scalar: direct('neg'),
    vector: direct('neg'),
    intScalar: ([a]) => [['i32.const', 0], get(a!), ['i32.sub']],
    intVector: directIntVector('neg'),
  },
  abs: {
    scalar: direct('abs'),
    vector: direct('abs'),
    intScalar: ([a]) => [
      ['i32.const', 0],
      get(a!),
      ['i32.sub'],
      get(a!),
      get(a!),
      ['i32.const', 0],
      ['i32.lt_s'],
      ['select'],
    ],
    intVector: directIntVector('abs'),
  },
  min: {
    scalar: pick('lt'),
    vector: direct('pmin'),
    intScalar: pick('lt'),
    intVector: directIntVector('min_s'),
  },
  max: {
    scalar: pick('gt'),
    vector: direct('pmax'),
    intScalar: pick('gt'),
    intVector: directIntVector('max_s'),
  },
  div: realOnly(direct('div')),
  sqrt: realOnly(direct('sqrt')),
  sin: realOnly(sinusoid(0)),
  cos: realOnly(sinusoid(0.5)),
  tan: realOnly(maths(m.tan)),
  atan2: realOnly(maths(m.atan2)),
  exp: realOnly(maths(m.exp)),
  exp2: realOnly(maths(m.exp2)),
  ln: realOnly(maths(m.ln)),
  tanh: realOnly(maths(m.tanh)),
  floor: realOnly(direct('floor')),
  ceil: realOnly(direct('ceil')),
  trunc: realOnly(direct('trunc')),
  rint: realOnly(direct('nearest')),
  toInt: realOnly(
    ([a], s) => [get(a!), op(s.form === 'f64' ? 'i32.trunc_sat_f64_s' : 'i32.trunc_sat_f32_s')],
    ([a]) => [get(a!), ['i32x4.trunc_sat_f32x4_s']],
  ),
  toReal: intOnly(
    ([a], s) => [get(a!), op(s.form === 'f64' ? 'f64.convert_i32_s' : 'f32.convert_i32_s')],
    ([a]) => [get(a!), ['f32x4.convert_i32x4_s']],
  ),
  and: intOnly(directInt('and'), (x) => [...x.map(get), ['v128.and']]),
  or: intOnly(directInt('or'), (x) => [...x.map(get), ['v128.or']]),
  xor: intOnly(directInt('xor'), (x) => [...x.map(get), ['v128.xor']]),
  // Lanes cannot be shifted by different amounts.
  shl: intOnly(directInt('shl'), null),
  shr: intOnly(directInt('shr_s'), null),
  lt: comparison('lt', 'lt_s'),
  le: comparison('le', 'le_s'),
  gt: comparison('gt', 'gt_s'),
  ge: comparison('ge', 'ge_s'),
  eq: comparison('eq', 'eq'),
  ne: comparison('ne', 'ne'),
  select: {
    scalar: selectScalar,
    vector: selectVector,
    intScalar: selectScalar,
    intVector: selectVector,
  },
} as const satisfies { readonly [K in ValueOp]: FormRules };

/** Comparisons give 0 or 1 in scalar form and a lane mask, 0 or −1, in vector form. */
export const COMPARISONS: ReadonlySet<string> = new Set(['lt', 'le', 'gt', 'ge', 'eq', 'ne']);
