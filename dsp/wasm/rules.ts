/**
 * How each operation is written in WebAssembly, per form of its operands.
 *
 * Invariant: a rule leaves exactly one value on the stack, reads its operands from locals, and
 * computes what `interpret/rules` says: to the bit, except the functions of `maths` (bounds there). The scalar
 * and the vector form of an operation round alike, so how a loop is cut does not change a result.
 * `null`: there is no such form; the scheduler keeps the operation out of loops that would need it.
 */

import type { ValueOp } from '../interpret/rules.ts';
import type { Mnemonic } from './instructions.ts';
import { arithmetic, inLanes, pairInLanes, toIntAlone, toRealAlone } from './code.ts';
import type { Arithmetic, Code } from './code.ts';
import { SINGLE, shuffle } from './element.ts';
import type { Element, Form } from './element.ts';
import * as m from './maths.ts';
import { get } from './module.ts';
import type { Instr, Local, WasmType } from './module.ts';

export interface Scope {
  readonly form: Form;
  /** May a product and a sum be rounded once? */
  readonly fused: boolean;
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
  /** Real operands: one, or a vector of them, in either precision. */
  readonly scalar: Rule | null;
  readonly vector: Rule | null;
  /** Int operands. */
  readonly intScalar: Rule | null;
  readonly intVector: Rule | null;
}

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
  intVector: (x, s) => [...x.map(get), op(`i32x4.${intName}`), ...widened(s)],
});

/** Ints brought to other places. */
const ints = (s: Scope, ...from: readonly [number, number, number, number]): Instr[] =>
  // The second operand of a shuffle does not count.
  s.form === 'f64x2' ? [s.int(0), shuffle(SINGLE, ...from)] : [];
/** Where places are twice as large as ints: a mask of ints over the whole of each place. */
const widened = (s: Scope): Instr[] => ints(s, 0, 0, 2, 2);
/** The same: ints that are side by side to their places, or back. */
const turned = (s: Scope): Instr[] => ints(s, 0, 2, 1, 3);
const TO_INTS = {
  f32x4: 'i32x4.trunc_sat_f32x4_s',
  f64x2: 'i32x4.trunc_sat_f64x2_s_zero',
} as const;
const TO_REALS = { f32x4: 'f32x4.convert_i32x4_s', f64x2: 'f64x2.convert_low_i32x4_s' } as const;

/** See `inLanes`. */
const alone =
  (name: string): Rule =>
  ([a], s) =>
    inLanes(s.form, [get(a!)], name);

const paired =
  (name: string): Rule =>
  ([a, b], s) =>
    pairInLanes(s.form, [get(a!)], [get(b!)], name);

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
  return mask === undefined ? [get(c), s.int(0), ['i32x4.ne'], ...widened(s)] : [get(mask)];
};
const selectScalar: Rule = ([c, a, b]) => [get(a!), get(b!), get(c!), ['select']];
const selectVector: Rule = ([c, a, b], s) => [
  get(a!),
  get(b!),
  ...vectorMask(c!, s),
  ['v128.bitselect'],
];

const first: Rule = ([a]) => [get(a!)];

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
    scalar: paired('pmin'),
    vector: direct('pmin'),
    intScalar: pick('lt'),
    intVector: directIntVector('min_s'),
  },
  max: {
    scalar: paired('pmax'),
    vector: direct('pmax'),
    intScalar: pick('gt'),
    intVector: directIntVector('max_s'),
  },
  div: realOnly(direct('div')),
  sqrt: realOnly(alone('sqrt')),
  sin: realOnly(maths(m.sin)),
  cos: realOnly(maths(m.cos)),
  tan: realOnly(maths(m.tan)),
  atan2: realOnly(maths(m.atan2)),
  exp: realOnly(maths(m.exp)),
  exp2: realOnly(maths(m.exp2)),
  ln: realOnly(maths(m.ln)),
  tanh: realOnly(maths(m.tanh)),
  floor: realOnly(alone('floor')),
  ceil: realOnly(alone('ceil')),
  trunc: realOnly(alone('trunc')),
  rint: realOnly(alone('nearest')),
  toInt: realOnly(
    ([a], s) => toIntAlone(s.form === 'f64' ? 'f64' : 'f32', [get(a!)]),
    ([a], s) => [get(a!), op(TO_INTS[s.form as Element['vector']]), ...turned(s)],
  ),
  toReal: intOnly(
    ([a], s) => toRealAlone(s.form === 'f64' ? 'f64' : 'f32', [get(a!)]),
    ([a], s) => [get(a!), ...turned(s), op(TO_REALS[s.form as Element['vector']])],
  ),
  and: intOnly(directInt('and'), (x) => [...x.map(get), ['v128.and']]),
  or: intOnly(directInt('or'), (x) => [...x.map(get), ['v128.or']]),
  xor: intOnly(directInt('xor'), (x) => [...x.map(get), ['v128.xor']]),
  // Lanes cannot be shifted by different amounts.
  shl: intOnly(directInt('shl'), null),
  shr: intOnly(directInt('shr_s'), null),
  // Nothing is divided by 0: there b counts as 1.
  rem: intOnly(
    ([a, b]) => [
      get(a!),
      get(b!),
      get(b!),
      op('i32.eqz'),
      op('i32.add'),
      op('i32.rem_s'),
      get(a!),
      get(b!),
      op('select'),
    ],
    null,
  ),
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
  // The passes take them out; a graph that saw none of them still runs.
  detach: { scalar: first, vector: first, intScalar: first, intVector: first },
  withSlope: realOnly(first),
} as const satisfies { readonly [K in ValueOp]: FormRules };

/** Comparisons give 0 or 1 in scalar form and a lane mask, 0 or −1, in vector form. */
export const COMPARISONS: ReadonlySet<string> = new Set(['lt', 'le', 'gt', 'ge', 'eq', 'ne']);
