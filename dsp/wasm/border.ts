/**
 * The border of a stream in double precision: samples of the device are single, and are converted
 * where a loop reads or writes them.
 *
 * Invariant: two samples at a time, to the end of a run and over it, as all loops of a stream; what
 * is behind is written again. Cost: an instruction for each reading or writing.
 */

import { get } from './module.ts';
import type { Instr, Local } from './module.ts';

/** @param where  code: byte offset in the channel; @param isVector  two samples, else one */
export function fromDevice(where: readonly Instr[], address: number, isVector: boolean): Instr[] {
  return isVector
    ? [...where, ['v128.load64_zero', address], ['f64x2.promote_low_f32x4']]
    : [...where, ['f32.load', address], ['f64.promote_f32']];
}

/** As `fromDevice`, the other way. */
export function toDevice(where: readonly Instr[], address: number, value: Local): Instr[] {
  if (value.type !== 'v128') {
    return [...where, get(value), ['f32.demote_f64'], ['f32.store', address]];
  }
  // Two numbers of four bytes are stored as one of eight.
  const both: Instr[] = [['f32x4.demote_f64x2_zero'], ['f64x2.extract_lane', 0]];
  return [...where, get(value), ...both, ['f64.store', address]];
}
