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

/**
 * As `sound`, the lanes of a vector.
 *
 * @param splat  code of a number in all lanes: in a loop a local, because engines make a constant anew
 *               at every round
 */
export function soundLanes(
  element: Element,
  value: Local,
  splat: (value: number) => Instr = (value) => splatReal(element, value),
): Instr[] {
  const { vector: f, silence, loudest } = element;
  const size: Instr[] = [get(value), [`${f}.abs`]];
  return [
    get(value),
    ...([...size, splat(silence), [`${f}.gt`]] as Instr[]),
    ...([...size, splat(loudest), [`${f}.lt`]] as Instr[]),
    ['v128.and'],
    ['v128.and'],
  ];
}

/** An int in all places of a vector, however large they are. */
export function splatInt(value: number): Instr {
  return ['v128.const', ...new Uint8Array(new Int32Array(4).fill(value).buffer)];
}

/** Bytes that are moved one vector after the other; more are worth a call. */
const INLINE = 512;

/**
 * Moves bytes from one static address to another. Where they overlap they move down: forwards, each
 * vector is read before what was in its place is overwritten.
 */
export function move(into: number, from: number, bytes: number): Instr[] {
  if (bytes > INLINE || bytes % 4 !== 0 || (into > from && into < from + bytes)) {
    return [['i32.const', into], ['i32.const', from], ['i32.const', bytes], ['memory.copy']];
  }
  const code: Instr[] = [];
  for (let k = 0; k < bytes;) {
    const type = bytes - k >= 16 ? 'v128' : bytes - k >= 8 ? 'f64' : 'f32';
    code.push(['i32.const', 0], ['i32.const', 0]);
    code.push([`${type}.load`, from + k], [`${type}.store`, into + k]);
    k += { v128: 16, f64: 8, f32: 4 }[type];
  }
  return code;
}
