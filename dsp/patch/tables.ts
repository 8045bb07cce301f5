/**
 * Tables that a patch reads at an index between their places, and tables that it writes.
 *
 * With v_k the values, i the index, n = ⌊i⌋ and f = i − n:
 * none     v_n
 * linear   v_n + f·(v_{n+1} − v_n)
 * cubic    the polynomial of degree 3 through v_{n−1}, v_n, v_{n+1}, v_{n+2} (Lagrange)
 *
 * With `wrap` the table is a cycle, v_{k+size} = v_k, and i may be anything; without, i is held to
 * [0, size − 1], and around the ends values go on along straight lines. Gradient through the index:
 * the slope of the interpolation, and for `none` that of the centred differences (v_{k+1} − v_{k−1})/2
 * of the two places around i; 0 where i is held. Gradient to v_k, where the table is learnt: how much v_k
 * counts, and for `none` 1 at the place that is read. Invariant: an index never leaves its table.
 * Cost: one read for each v above, two to four integer operations more for those of a learnt table that
 * lie beyond an end. Tested: test/dsp/patch/tables.test.ts.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { cubic, mix, moved } from './delays.ts';
import { choose, eachLane, hold, mul, scale, sub } from './terms.ts';

export const TABLE_INTERPOLATIONS = ['none', 'linear', 'cubic'] as const;
export type TableInterpolation = (typeof TABLE_INTERPOLATIONS)[number];

/** One cycle of a wave, by its phase in [0, 1): the shapes of the oscillators of these names. */
const SHAPES = {
  sine: (t: number) => Math.sin(2 * Math.PI * t),
  cosine: (t: number) => Math.cos(2 * Math.PI * t),
  saw: (t: number) => (t < 0.5 ? 2 * t : 2 * t - 2),
  triangle: (t: number) => 1 - 4 * Math.abs(((t + 0.25) % 1) - 0.5),
  square: (t: number) => (t < 0.5 ? 1 : -1),
} as const;
export type Waveform = keyof typeof SHAPES;
export const WAVEFORMS = Object.keys(SHAPES) as [Waveform, ...Waveform[]];

/** `size` samples of one cycle. */
export const cycleOf = (waveform: Waveform, size: number): readonly number[] =>
  Array.from({ length: size }, (_, k) => SHAPES[waveform](k / size));

/** Values in front of a constant table and behind it, so that its neighbours need no test for its ends. */
const BEFORE = 1;
const BEHIND = 3;

/** v_k for every k that an interpolation looks at. */
function extended(values: readonly number[], wrap: boolean): readonly number[] {
  const size = values.length;
  const last = size - 1;
  const at = (k: number): number => {
    if (wrap) return values[(k + size) % size]!;
    if (k < 0) return values[0]! + k * (values[Math.min(1, last)]! - values[0]!);
    if (k > last) {
      return values[last]! + (k - last) * (values[last]! - values[Math.max(0, last - 1)]!);
    }
    return values[k]!;
  };
  return Array.from({ length: BEFORE + size + BEHIND }, (_, k) => at(k - BEFORE));
}

/** The value `by` places after the whole place n, an int. */
type Around = (n: NodeId, by: number) => NodeId;

function constantTable(b: Builder, values: readonly number[], wrap: boolean): Around {
  const table = b.node('const', [], extended(values, wrap));
  return (n, by) => b.node('lookup', [table, moved(b, n, BEFORE + by)]);
}

/** Of a table that may be large and changes with every step: as it lies in memory. */
function learntTable(b: Builder, values: NodeId, wrap: boolean): Around {
  const size = b.shape(values);
  const at = (k: NodeId): NodeId => b.node('lookup', [values, k]);
  if (wrap) return (n, by) => at(wrapped(b, moved(b, n, by), size));
  const beyond = (here: NodeId, inner: NodeId): NodeId => sub(b, scale(b, here, 2), inner);
  return (n, by) => {
    const [own, next] = [at(n), at(moved(b, n, 1))];
    if (by === 0) return own;
    // The last place is the far end of the last line, so n + 1 is in the table.
    if (by === 1 || size === 1) return next;
    const [edge, line] = by < 0 ? [0, beyond(own, next)] : [size - 2, beyond(next, own)];
    return choose(b, b.node('eq', [n, b.int(edge)]), line, at(moved(b, n, by)));
  };
}

/** The whole place k, less than a table beyond either of its ends, as one of the table. */
function wrapped(b: Builder, k: NodeId, size: number): NodeId {
  if (Number.isInteger(Math.log2(size))) return b.node('and', [k, b.int(size - 1)]);
  const [zero, all] = [b.int(0), b.int(size)];
  const over = choose(b, b.node('ge', [k, all]), b.node('sub', [k, all]), k);
  return choose(b, b.node('lt', [k, zero]), b.node('add', [k, all]), over);
}

/**
 * A table at an index, which is real; with an index in lanes, at each of them.
 *
 * @param values  numbers, or a vector that is no signal: of parameters, or made of them
 * Gradient: through the index, and to each value by how much it counts.
 */
export function readTable(
  b: Builder,
  values: readonly number[] | NodeId,
  index: NodeId,
  interpolation: TableInterpolation,
  wrap: boolean,
): NodeId {
  const isLearnt = typeof values === 'number';
  const size = isLearnt ? b.shape(values) : values.length;
  const around = isLearnt ? learntTable(b, values, wrap) : constantTable(b, values, wrap);
  const cycles = b.node('floor', [scale(b, index, 1 / size)]);
  const place = wrap ? sub(b, index, mul(b, cycles, b.real(size))) : hold(b, index, 0, size - 1);
  const floor = b.node('floor', [place]);
  const isHeld = isLearnt && !wrap;
  const start = isHeld ? b.node('min', [floor, b.real(Math.max(0, size - 2))]) : floor;
  const rest = sub(b, place, start);
  const from = (real: NodeId, by: number): NodeId =>
    eachLane(b, [real], (one) => around(b.node('toInt', [one]), by));
  const tap = (by: number): NodeId => from(start, by);
  switch (interpolation) {
    case 'none': {
      const centred = (by: number): NodeId => scale(b, sub(b, tap(by + 1), tap(by - 1)), 1 / 2);
      const slope = mix(b, centred(0), centred(1), b.node('detach', [rest]));
      return b.node('withSlope', [from(floor, 0), place, slope]);
    }
    case 'linear':
      return mix(b, tap(0), tap(1), rest);
    case 'cubic':
      return cubic(b, [tap(-1), tap(0), tap(1), tap(2)], rest);
  }
}

/** The whole number at or below an index, which is real or int already. */
export const wholeIndex = (b: Builder, index: NodeId): NodeId =>
  b.type(index) === 'int' ? index : b.node('toInt', [b.node('floor', [index])]);
