/**
 * What the real numbers of a program's signals are: single precision, four to a vector, or double
 * precision, two to a vector.
 *
 * Everything that follows from the choice is said here: how large a number is, which instructions
 * read, write and compute it, how many samples or lanes go side by side. Code is written in terms of
 * an element and asks nowhere which one it is, but where numbers go to another precision: banks are
 * always double, the channels of a device always single.
 *
 * Invariant: an int takes as much room as a real. It is in the first four bytes of its place, in
 * memory and in a vector alike; what is in the rest of a place does not matter.
 */

import type { ValueType } from '../ir/ops.ts';
import type { Precision } from '../ir/program.ts';
import type { Instr } from './module.ts';

export interface Element {
  readonly precision: Precision;
  /** Of a number, in memory and in a vector: a place. */
  readonly bytes: 4 | 8;
  /** Their logarithm. */
  readonly shift: 2 | 3;
  /** Places of a vector. */
  readonly width: 2 | 4;
  /** How one number is held, and a vector of them. */
  readonly scalar: 'f32' | 'f64';
  readonly vector: 'f32x4' | 'f64x2';
  /** One number from memory in all lanes. */
  readonly loadSplat: 'v128.load32_splat' | 'v128.load64_splat';
  /** Numbers as they lie in memory. */
  readonly pack: (values: readonly number[]) => Uint8Array;
  /** Larger numbers count as infinite: a recursion would keep them for ever. */
  readonly loudest: number;
  /** Smaller ones count as silence: a decaying tail must not end in denormals. */
  readonly silence: number;
}

export const SINGLE: Element = {
  precision: 'single',
  bytes: 4,
  shift: 2,
  width: 4,
  scalar: 'f32',
  vector: 'f32x4',
  loadSplat: 'v128.load32_splat',
  pack: (values) => new Uint8Array(Float32Array.from(values).buffer),
  loudest: 3.4e38,
  silence: 1e-15,
};

export const DOUBLE: Element = {
  precision: 'double',
  bytes: 8,
  shift: 3,
  width: 2,
  scalar: 'f64',
  vector: 'f64x2',
  loadSplat: 'v128.load64_splat',
  pack: (values) => new Uint8Array(Float64Array.from(values).buffer),
  loudest: 1.79e308,
  // The square of it is a normal number.
  silence: 1e-150,
};

/** How values are held: one at a time, or as many as fit into a vector, in either precision. */
export type Form = Element['scalar'] | Element['vector'];

export const isVector = (form: Form): form is Element['vector'] =>
  form === 'f32x4' || form === 'f64x2';
export const realType = (form: Form): 'f32' | 'f64' | 'v128' => (isVector(form) ? 'v128' : form);
export const intType = (form: Form): 'i32' | 'v128' => (isVector(form) ? 'v128' : 'i32');

/** What holds a number. */
export const numberType = ({ scalar }: Element, type: ValueType): 'i32' | 'f32' | 'f64' =>
  type === 'int' ? 'i32' : scalar;

export const elementOf = (precision: Precision): Element =>
  precision === 'double' ? DOUBLE : SINGLE;

/** Vectors that so many lanes take; what is behind the last lane does not matter. */
export const chunksOf = ({ width }: Element, lanes: number): number => Math.ceil(lanes / width);

/** Places that a value takes in memory: vectors are padded to whole chunks. */
export const placesOf = (element: Element, lanes: number): number =>
  lanes === 1 ? 1 : element.width * chunksOf(element, lanes);

/** Numbers of a list side by side from one of them on, 0 behind its end. */
export function packed(element: Element, values: readonly number[], from: number): Instr {
  const some = Array.from({ length: element.width }, (_, k) => values[from + k] ?? 0);
  return ['v128.const', ...element.pack(some)];
}

/** A number in all lanes. */
export const splatReal = (element: Element, value: number): Instr => [
  'v128.const',
  ...element.pack(new Array<number>(element.width).fill(value)),
];

/** What makes a number one of double precision, and back: nothing where it is one. */
export const toDouble = ({ scalar }: Element): Instr[] =>
  scalar === 'f32' ? [['f64.promote_f32']] : [];
export const fromDouble = ({ scalar }: Element): Instr[] =>
  scalar === 'f32' ? [['f32.demote_f64']] : [];

/** Brings lanes of two vectors to the places of one: those of the second count on from the first's. */
export const shuffle = ({ bytes }: Element, ...lanes: readonly number[]): Instr => [
  'i8x16.shuffle',
  ...lanes.flatMap((lane) => Array.from({ length: bytes }, (_, k) => bytes * lane + k)),
];
