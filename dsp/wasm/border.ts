/**
 * The border of a stream in double precision: samples of the device, which are single, to and from
 * the arrays that its loops read and write.
 *
 * Invariant: two samples at a time to the end of a run and over it, as all loops of a stream; what
 * is behind is written again. A run begins at the first element of an array and anywhere in a
 * channel. Cost: three instructions a sample and channel.
 */

import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';

/** Static addresses of a channel and an array, source first. */
type Pair = readonly [number, number];

/** What goes over the border, each once. */
export const crossings = (
  which: Iterable<number>,
  from: readonly number[],
  into: readonly number[],
): Pair[] => [...new Set(which)].map((k) => [from[k]!, into[k]!]);

/**
 * @param offset  byte in the channels at which the run begins
 * @param length  of the run, bytes of double precision
 * @param frames  of a run at most
 */
export function fromDevice(
  func: Func,
  pairs: readonly Pair[],
  offset: Local,
  length: Local,
  frames: number,
): void {
  alongside(func, offset, length, frames, pairs, (at, channel, [from, into]) => [
    ...([get(at), get(channel), ['v128.load64_zero', from]] as Instr[]),
    ['f64x2.promote_low_f32x4'],
    ['v128.store', into],
  ]);
}

/** As `fromDevice`, the other way. */
export function toDevice(
  func: Func,
  pairs: readonly Pair[],
  offset: Local,
  length: Local,
  frames: number,
): void {
  alongside(func, offset, length, frames, pairs, (at, channel, [from, into]) => [
    ...([get(channel), get(at), ['v128.load', from], ['f32x4.demote_f64x2_zero']] as Instr[]),
    // Two numbers of four bytes are stored as one of eight.
    ['f64x2.extract_lane', 0],
    ['f64.store', into],
  ]);
}

function alongside(
  func: Func,
  offset: Local,
  length: Local,
  frames: number,
  pairs: readonly Pair[],
  step: (at: Local, channel: Local, pair: Pair) => Instr[],
): void {
  if (pairs.length === 0) return;
  const [at, channel] = [func.local('i32'), func.local('i32')];
  func.emit(get(offset), set(channel), ['i32.const', 0], set(at));
  func.emit(['block'], get(at), get(length), ['i32.ge_u'], ['br_if', 0]);
  func.emit(['loop', Math.ceil(frames / 2)]);
  for (const pair of pairs) func.append(step(at, channel, pair));
  func.emit(get(channel), ['i32.const', 8], ['i32.add'], set(channel));
  func.emit(get(at), ['i32.const', 16], ['i32.add'], ['local.tee', at.index]);
  func.emit(get(length), ['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
  func.release(at);
  func.release(channel);
}
