/** Short sequences of instructions that code generation writes in more than one place. */

import { splatReal } from './element.ts';
import type { Element } from './element.ts';
import { get, set } from './module.ts';
import type { Instr, Local } from './module.ts';

/** Adds four single-precision values to two double-precision sums. */
export function addPairs(sums: Local, values: Local): Instr[] {
  // Lanes 2 and 3 brought down; what is above them does not matter.
  const upper: Instr = ['i8x16.shuffle', 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
  return [
    get(sums),
    get(values),
    ['f64x2.promote_low_f32x4'],
    ['f64x2.add'],
    get(values),
    get(values),
    upper,
    ['f64x2.promote_low_f32x4'],
    ['f64x2.add'],
    set(sums),
  ];
}

/**
 * The value where it is a sound: above silence, and a number; else 0. What is stored so must not end
 * in denormals, nor keep for ever what is not a number.
 */
export function sound({ scalar: f, silence, loudest }: Element, value: Local): Instr[] {
  const size: Instr[] = [get(value), [`${f}.abs`]];
  return [
    get(value),
    [`${f}.const`, 0],
    ...size,
    [`${f}.const`, silence],
    [`${f}.gt`],
    ...size,
    [`${f}.const`, loudest],
    [`${f}.lt`],
    ['i32.and'],
    ['select'],
  ];
}

/** As `sound`, the lanes of a vector. */
export function soundLanes(element: Element, value: Local): Instr[] {
  const { vector: f, silence, loudest } = element;
  const size: Instr[] = [get(value), [`${f}.abs`]];
  return [
    get(value),
    ...([...size, splatReal(element, silence), [`${f}.gt`]] as Instr[]),
    ...([...size, splatReal(element, loudest), [`${f}.lt`]] as Instr[]),
    ['v128.and'],
    ['v128.and'],
  ];
}

/** An int in all places of a vector, however large they are. */
export function splatInt(value: number): Instr {
  return ['v128.const', ...new Uint8Array(new Int32Array(4).fill(value).buffer)];
}
