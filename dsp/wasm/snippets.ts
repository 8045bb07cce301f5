/** Short sequences of instructions that code generation writes in more than one place. */

import { get, set } from './module.ts';
import type { Instr, Local } from './module.ts';

/**
 * State below this is zeroed after each run: a decaying tail must not end in denormals. So is what
 * is not a number or infinite: a recursion would keep it for ever.
 */
export const SILENCE = 1e-15;
export const LOUDEST = 3.4e38;

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

/** The value where it is a sound: above silence, and a number; else 0. */
export function sound(value: Local): Instr[] {
  const size: Instr[] = [get(value), ['f32.abs']];
  return [
    get(value),
    ['f32.const', 0],
    ...size,
    ['f32.const', SILENCE],
    ['f32.gt'],
    ...size,
    ['f32.const', LOUDEST],
    ['f32.lt'],
    ['i32.and'],
    ['select'],
  ];
}

/** As `sound`, four lanes. */
export function soundLanes(value: Local): Instr[] {
  return [
    get(value),
    ...([get(value), ['f32x4.abs'], splatReal(SILENCE), ['f32x4.gt']] as Instr[]),
    ...([get(value), ['f32x4.abs'], splatReal(LOUDEST), ['f32x4.lt']] as Instr[]),
    ['v128.and'],
    ['v128.and'],
  ];
}

/** Four numbers of a list, 0 behind its end. */
export function fourReals(values: readonly number[], from: number): Instr {
  const four = Float32Array.from({ length: 4 }, (_, k) => values[from + k] ?? 0);
  return ['v128.const', ...new Uint8Array(four.buffer)];
}

export function splatReal(value: number): Instr {
  return ['v128.const', ...new Uint8Array(new Float32Array(4).fill(value).buffer)];
}

export function splatInt(value: number): Instr {
  return ['v128.const', ...new Uint8Array(new Int32Array(4).fill(value).buffer)];
}
