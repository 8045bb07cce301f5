/**
 * Values of a Faust program in delay lines and tables, which hold reals.
 *
 * An int that one real cannot hold exactly goes in two halves of 16 bits, each through a line or
 * table of its own. Where a gradient is asked for through an index, it is the centred slope of the
 * values around. Invariant: what is read is what was written, to the bit.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import type { ValueType } from '../ir/ops.ts';
import { centredSlope } from '../patch/delays.ts';
import type { Taps } from '../patch/delays.ts';
import { choose, scale, sub } from '../patch/terms.ts';
import type { Range } from './ranges.ts';

/** Whole numbers up to this size are exact in single precision. */
const EXACT = 2 ** 24;

export const isExact = ({ low, high }: Range): boolean => Math.max(-low, high) <= EXACT;

export const spanOf = (values: readonly number[]): Range => ({
  low: values.reduce((least, v) => Math.min(least, v), Infinity),
  high: values.reduce((most, v) => Math.max(most, v), -Infinity),
});

/** What of a value goes through one real. */
export type Part = 'whole' | 'high' | 'low';

export const partOf = (value: number, part: Part): number =>
  part === 'whole' ? value : part === 'high' ? value >> 16 : value & 0xffff;

/** An int from its halves, or from one real that holds it. */
function whole(b: Builder, fits: boolean, read: (part: Part) => NodeId): NodeId {
  const int = (part: Part): NodeId => b.node('toInt', [read(part)]);
  if (fits) return int('whole');
  return b.node('or', [b.node('shl', [int('high'), b.int(16)]), int('low')]);
}

/**
 * A value through something that keeps reals.
 *
 * @param fits  does one real hold every int that comes?
 * @param keep  makes it, for the whole value or for either half
 */
export function through(
  b: Builder,
  x: NodeId,
  type: ValueType,
  fits: boolean,
  keep: (real: NodeId, part: Part) => NodeId,
): NodeId {
  if (type === 'real') return keep(b.asReal(x), 'whole');
  const halves = {
    whole: () => x,
    high: () => b.node('shr', [x, b.int(16)]),
    low: () => b.node('and', [x, b.int(0xffff)]),
  };
  return whole(b, fits, (part) => keep(b.node('toReal', [halves[part]()]), part));
}

export interface Reading {
  readonly type: ValueType;
  readonly double: boolean;
  /** Is a gradient asked for through the place? */
  readonly isSteep: boolean;
}

/** What a constant table holds at a place, an int, which is held to it. */
export function lookUp(
  b: Builder,
  values: readonly number[],
  place: NodeId,
  { type, double, isSteep }: Reading,
): NodeId {
  const at = (list: readonly number[], index: NodeId): NodeId =>
    b.node('lookup', [b.node('const', [], list), index]);
  if (type === 'int') {
    const fits = double || isExact(spanOf(values));
    const parts = (part: Part): readonly number[] =>
      part === 'whole' ? values : values.map((value) => partOf(value, part));
    return whole(b, fits, (part) => at(parts(part), place));
  }
  if (!isSteep) return at(values, place);
  const real = b.node('toReal', [place]);
  const rise = centredSlope(b, (k) => at(values, k), b.node('detach', [real]));
  return b.node('withSlope', [at(values, place), real, rise]);
}

/**
 * x, so many samples ago.
 *
 * @param place    samples, an int that is held to 0 … max
 * @param isSteep  is a gradient asked for through it?
 */
export function delayBy(
  b: Builder,
  x: NodeId,
  place: NodeId,
  max: number,
  isSteep: boolean,
): NodeId {
  const past: Taps = (at) => b.node('line', [x, at], [max + 2]);
  if (b.rate(place) === 'const' || !isSteep) return past(place);
  const known: Taps = (at) => {
    // What would come next, as the last two go on.
    const next = sub(b, scale(b, past(b.int(0)), 2), past(b.int(1)));
    return choose(b, b.node('lt', [at, b.int(0)]), next, past(at));
  };
  const held = b.node('min', [b.node('max', [place, b.int(0)]), b.int(max)]);
  const at = b.node('toReal', [held]);
  return b.node('withSlope', [past(place), at, centredSlope(b, known, b.node('detach', [at]))]);
}
