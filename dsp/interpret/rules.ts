/**
 * What each operation computes, in plain double precision: the meaning of the IR.
 *
 * Invariant: every rule is a function of its operand values alone. `round` is applied to each real
 * result by the interpreter, so that binary32 can be followed to the bit for the operations that
 * IEEE 754 rounds correctly.
 */

import { rfft, rfftTranspose } from './fourier.ts';
import { solve } from './solve.ts';
import { transportCost, transportSlope } from './transport.ts';
import type { OpKind } from '../ir/ops.ts';
import type { ValueType } from '../ir/ops.ts';

const MACHINE = [
  'const',
  'constInt',
  'input',
  'slider',
  'param',
  'scalar',
  'tape',
  'tapeInt',
  'delay',
  'delayInt',
  'line',
  'lineT',
  'rwtable',
  'rwtableT',
  'sum',
  'sumOuter',
  'frames',
  'framesT',
  'overlap',
  'overlapT',
  'sumScatter',
] as const satisfies OpKind[];

const STRUCTURE = [
  'concat',
  'slice',
  'splat',
  'laneSum',
  'matvec',
  'matvecT',
  'outer',
  'solve',
  'rfft',
  'rfftT',
  'lookup',
  'scatter',
  'cumulate',
  'cumulateT',
  'transport',
  'transportSlope',
] as const satisfies OpKind[];

/**
 * Leaves, delays, lines, tables, frames and reductions over the window: the machine computes them
 * itself.
 */
type MachineOp = (typeof MACHINE)[number];
/** Operations that do not work lane by lane. */
export type StructureOp = (typeof STRUCTURE)[number];
/** Operations that compute each lane of their result from the same lane of their operands. */
export type ValueOp = Exclude<OpKind, MachineOp | StructureOp>;

type Rule = (a: number, b: number, c: number) => number;
type Rules = { readonly [K in ValueOp]: { readonly real: Rule; readonly int: Rule } };

const both = (rule: Rule) => ({ real: rule, int: rule });
const never: Rule = () => {
  throw new Error('the verifier does not let this operand type through');
};
const bool = (value: boolean): number => (value ? 1 : 0);

/** Chosen by the type of the (last) operand. */
export const RULES: Rules = {
  add: { real: (a, b) => a + b, int: (a, b) => (a + b) | 0 },
  sub: { real: (a, b) => a - b, int: (a, b) => (a - b) | 0 },
  mul: { real: (a, b) => a * b, int: (a, b) => Math.imul(a, b) },
  neg: { real: (a) => -a, int: (a) => -a | 0 },
  abs: { real: (a) => Math.abs(a), int: (a) => Math.abs(a) | 0 },
  min: both((a, b) => (b < a ? b : a)),
  max: both((a, b) => (a < b ? b : a)),
  div: { real: (a, b) => a / b, int: never },
  sqrt: { real: (a) => Math.sqrt(a), int: never },
  sin: { real: (a) => Math.sin(a), int: never },
  cos: { real: (a) => Math.cos(a), int: never },
  tan: { real: (a) => Math.tan(a), int: never },
  atan2: { real: (a, b) => (a === 0 && b === 0 ? 0 : Math.atan2(a, b)), int: never },
  exp: { real: (a) => Math.exp(a), int: never },
  exp2: { real: (a) => Math.pow(2, a), int: never },
  ln: { real: (a) => Math.log(Math.max(a, SMALLEST)), int: never },
  tanh: { real: (a) => Math.tanh(a), int: never },
  floor: { real: (a) => Math.floor(a), int: never },
  ceil: { real: (a) => Math.ceil(a), int: never },
  trunc: { real: (a) => Math.trunc(a), int: never },
  rint: { real: nearestEven, int: never },
  toInt: { real: saturate, int: never },
  toReal: { real: never, int: (a) => a },
  and: { real: never, int: (a, b) => a & b },
  or: { real: never, int: (a, b) => a | b },
  xor: { real: never, int: (a, b) => a ^ b },
  shl: { real: never, int: (a, b) => a << b },
  shr: { real: never, int: (a, b) => a >> b },
  rem: { real: never, int: (a, b) => (b === 0 ? a : (a % b) | 0) },
  lt: both((a, b) => bool(a < b)),
  le: both((a, b) => bool(a <= b)),
  gt: both((a, b) => bool(a > b)),
  ge: both((a, b) => bool(a >= b)),
  eq: both((a, b) => bool(a === b)),
  ne: both((a, b) => bool(a !== b)),
  select: both((c, a, b) => (c === 0 ? b : a)),
  detach: both((a) => a),
  withSlope: { real: (a) => a, int: never },
};

/** The smallest normal number of single precision: what a logarithm takes 0 and less for. */
const SMALLEST = 2 ** -126;

/** The nearest whole number, of two the even one. */
function nearestEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

/** A real as an int: toward zero, held at the ends of the range, NaN to 0. */
export function saturate(value: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.max(-2147483648, Math.min(2147483647, Math.trunc(value)));
}

/** Computes one operation on plain numbers. */
export function evaluate(
  op: ValueOp,
  operandType: ValueType,
  a: number,
  b: number,
  c: number,
): number {
  return RULES[op][operandType](a, b, c);
}

type Lanes = ArrayLike<number>;

/** Lanes of the result from the lanes of the operands. `into` has the length of the result. */
type StructureRule = (into: Float64Array, attrs: readonly number[], x: readonly Lanes[]) => void;

export const STRUCTURES = {
  concat: (into, _, x) => {
    let at = 0;
    for (const part of x) for (let k = 0; k < part.length; k++) into[at++] = part[k]!;
  },
  slice: (into, [from = 0], [a]) => {
    for (let k = 0; k < into.length; k++) into[k] = a![from + k]!;
  },
  splat: (into, _, [a]) => into.fill(a![0]!),
  laneSum: (into, _, [a]) => {
    into[0] = 0;
    for (let k = 0; k < a!.length; k++) into[0] += a![k]!;
  },
  matvec: (into, _, [m, x]) => {
    for (let r = 0; r < into.length; r++) {
      into[r] = 0;
      for (let k = 0; k < x!.length; k++) into[r]! += m![k * into.length + r]! * x![k]!;
    }
  },
  matvecT: (into, _, [m, y]) => {
    for (let k = 0; k < into.length; k++) {
      into[k] = 0;
      for (let r = 0; r < y!.length; r++) into[k]! += m![k * y!.length + r]! * y![r]!;
    }
  },
  outer: (into, _, [a, b]) => {
    for (let k = 0; k < b!.length; k++) {
      for (let r = 0; r < a!.length; r++) into[k * a!.length + r] = a![r]! * b![k]!;
    }
  },
  solve: (into, _, [a, ridge, c]) => solve(into, a!, ridge!, c!),
  rfft: (into, _, [a]) => into.set(rfft(Float64Array.from(a!))),
  rfftT: (into, _, [a]) => into.set(rfftTranspose(Float64Array.from(a!))),
  lookup: (into, _, [a, i]) => {
    into[0] = a![held(i![0]!, a!.length)]!;
  },
  scatter: (into, _, [a, i]) => {
    into.fill(0);
    into[held(i![0]!, into.length)] = a![0]!;
  },
  cumulate: (into, _, [a]) => {
    let sum = 0;
    for (let k = 0; k < into.length; k++) into[k] = sum += a![k]!;
  },
  cumulateT: (into, _, [a]) => {
    let sum = 0;
    for (let k = into.length - 1; k >= 0; k--) into[k] = sum += a![k]!;
  },
  transport: (into, [order = 1], [a, b, places]) => {
    into[0] = transportCost(a!, b!, places!, order);
  },
  transportSlope: (into, [order = 1], [a, b, places]) => {
    transportSlope(into, a!, b!, places!, order);
  },
} as const satisfies { readonly [K in StructureOp]: StructureRule };

/** An index held to the places of a table. */
export const held = (index: number, size: number): number => Math.max(0, Math.min(size - 1, index));

const MACHINE_OPS: ReadonlySet<OpKind> = new Set(MACHINE);
const STRUCTURE_OPS: ReadonlySet<OpKind> = new Set(STRUCTURE);

export const isStructureOp = (op: OpKind): op is StructureOp => STRUCTURE_OPS.has(op);
export const isValueOp = (op: OpKind): op is ValueOp =>
  !MACHINE_OPS.has(op) && !STRUCTURE_OPS.has(op);
