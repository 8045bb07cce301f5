/**
 * Are all samples of a block finite? Asked of every block, so it must cost next to nothing.
 *
 * A binary32 number is finite unless all eight bits of its exponent are set. Samples are read as words
 * and joined bit by bit, eight at a time: below 2 in magnitude the highest of those bits is never set,
 * so audio passes without a second look. Invariant: nothing is allocated, and the answer is exact.
 */

import type { Samples } from './kernel.ts';

const EXPONENT = 0x7f800000;

/** A channel and, in single precision, the words that its samples are stored in. */
export interface Channel {
  readonly samples: Samples;
  readonly words: Int32Array | null;
}

export const channelOf = (samples: Samples): Channel => {
  const { buffer, byteOffset, length } = samples;
  const isSingle = samples instanceof Float32Array;
  return { samples, words: isSingle ? new Int32Array(buffer, byteOffset, length) : null };
};

export function isFiniteBlock({ samples, words }: Channel, from: number, end: number): boolean {
  if (words === null) {
    for (let i = from; i < end; i++) if (samples[i]! - samples[i]! !== 0) return false;
    return true;
  }
  let joined = 0;
  let i = from;
  for (; i + 7 < end; i += 8) {
    const first = words[i]! | words[i + 1]! | words[i + 2]! | words[i + 3]!;
    const second = words[i + 4]! | words[i + 5]! | words[i + 6]! | words[i + 7]!;
    joined |= first | second;
  }
  for (; i < end; i++) joined |= words[i]!;
  if ((joined & EXPONENT) !== EXPONENT) return true;
  for (i = from; i < end; i++) if ((words[i]! & EXPONENT) === EXPONENT) return false;
  return true;
}
