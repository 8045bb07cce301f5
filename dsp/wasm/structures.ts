/**
 * Operations that do not work lane by lane, on vectors held in locals four lanes each.
 *
 * Invariants: what is behind the last lane of a vector is junk that never reaches a result; sums
 * over lanes add in a fixed order of their own, so they agree with the interpreter
 * up to rounding, at most 1e-6 of the sum of magnitudes per 16 terms.
 */

import { chunksOf } from './body.ts';
import type { Value } from './body.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';

/** sum ← sum + a · b, or a · b where it is the first. */
export function addProduct(
  w: Writer,
  sum: Local,
  a: readonly Instr[],
  b: readonly Instr[],
  isFirst: boolean,
): void {
  const { into } = w;
  if (isFirst) into.push(...a, ...b, ['f32x4.mul'], set(sum));
  else if (w.func.fused) into.push(...a, ...b, get(sum), ['f32x4.relaxed_madd'], set(sum));
  else into.push(get(sum), ...a, ...b, ['f32x4.mul'], ['f32x4.add'], set(sum));
}

/** Where a lane comes from: a lane of four, or a number. */
type Source = { readonly of: Local; readonly lane: number };

/** Code that goes into `into`, with locals of `func`. */
export interface Writer {
  readonly func: Func;
  readonly into: Instr[];
}

export const lanesOf = (value: Value, lanes: number): Source[] =>
  Array.from({ length: lanes }, (_, k) =>
    value[0]!.type === 'v128' ? { of: value[k >> 2]!, lane: k & 3 } : { of: value[0]!, lane: 0 },
  );

/** A vector whose lanes are given one by one. */
export function gather(w: Writer, sources: readonly Source[]): Value {
  return Array.from({ length: chunksOf(sources.length) }, (_, c) => {
    const four = sources.slice(4 * c, 4 * c + 4);
    const target = w.func.local('v128');
    const vectors = [...new Set(four.filter((s) => s.of.type === 'v128').map((s) => s.of))];
    const [a, b = a] = vectors;
    if (a === undefined) {
      w.into.push(get(four[0]!.of), ['f32x4.splat']);
    } else {
      // One shuffle brings every lane of the first two vectors to its place.
      const bytes = Array.from({ length: 4 }, (_lane, k) => {
        const source = four[k];
        if (source === undefined || (source.of !== a && source.of !== b)) return [0, 1, 2, 3];
        const from = (source.of === a ? 0 : 16) + 4 * source.lane;
        return [from, from + 1, from + 2, from + 3];
      }).flat();
      w.into.push(get(a), get(b!), ['i8x16.shuffle', ...bytes]);
    }
    four.forEach(({ of, lane }, k) => {
      if (of.type === 'v128' && (of === a || of === b)) return;
      if (a === undefined && k === 0) return;
      w.into.push(get(of));
      if (of.type === 'v128') w.into.push(['f32x4.extract_lane', lane]);
      w.into.push(['f32x4.replace_lane', k]);
    });
    w.into.push(set(target));
    return target;
  });
}

export function concat(w: Writer, parts: readonly Value[], lanes: readonly number[]): Value {
  return gather(
    w,
    parts.flatMap((part, i) => lanesOf(part, lanes[i]!)),
  );
}

export function slice(w: Writer, value: Value, from: number, lanes: number): Value {
  const sources = Array.from({ length: lanes }, (_, k) => ({
    of: value[(from + k) >> 2]!,
    lane: (from + k) & 3,
  }));
  if (lanes > 1) return gather(w, sources);
  const [{ of, lane }] = sources as [Source];
  const target = w.func.local('f32');
  w.into.push(get(of), ['f32x4.extract_lane', lane], set(target));
  return [target];
}

/** Lanes behind the last one made 0. */
export function masked(w: Writer, value: Value, lanes: number): Value {
  const rest = lanes & 3;
  if (rest === 0) return value;
  const last = w.func.local('v128');
  w.into.push(get(value.at(-1)!), maskOf(lanes), ['v128.and'], set(last));
  return [...value.slice(0, -1), last];
}

/** The lanes of the last four that belong to the vector. */
export function maskOf(lanes: number): Instr {
  const rest = lanes & 3;
  const keep = Array.from({ length: 16 }, (_, byte) => (byte < 4 * rest ? 255 : 0));
  return ['v128.const', ...keep];
}

/** Adds the four lanes of a local. */
export function addLanes(w: Writer, four: Local): Local {
  const total = w.func.local('f32');
  const pairs = w.func.local('v128');
  w.into.push(get(four), get(four), get(four), UPPER_HALF, ['f32x4.add'], set(pairs));
  w.into.push(get(pairs), ['f32x4.extract_lane', 0], get(pairs), ['f32x4.extract_lane', 1]);
  w.into.push(['f32.add'], set(total));
  w.func.release(pairs);
  return total;
}

const UPPER_HALF: Instr = [
  'i8x16.shuffle',
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
];
const LOW_HALVES: Instr = ['i8x16.shuffle', 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];

/** Sums that a long one is divided into, so that additions do not wait for each other. */
const CHAINS = 4;

/** Σ of the products of all lanes; numbers count in every lane of the other operand. */
export function dotProduct(w: Writer, a: Value, b: Value, lanes: number): Value {
  const { func } = w;
  const chunks = chunksOf(lanes);
  const sums = Array.from({ length: Math.min(CHAINS, chunks) }, () => func.local('v128'));
  for (let c = 0; c < chunks; c++) {
    const sum = sums[c % sums.length]!;
    const isTail = c === chunks - 1 && lanes % 4 !== 0;
    const first: Instr[] = [get(a[c] ?? a[0]!)];
    if (isTail) first.push(maskOf(lanes), ['v128.and']);
    const second: Instr[] = [get(b[c] ?? b[0]!)];
    // What is behind the last lane may be anything: it has to be 0 in both.
    if (isTail) second.push(maskOf(lanes), ['v128.and']);
    addProduct(w, sum, first, second, c < sums.length);
  }
  w.into.push(get(sums[0]!));
  for (const sum of sums.slice(1)) w.into.push(get(sum), ['f32x4.add']);
  w.into.push(set(sums[0]!));
  const total = addLanes(w, sums[0]!);
  for (const sum of sums) func.release(sum);
  return [total];
}

export function laneSum(w: Writer, value: Value, lanes: number): Value {
  const parts = masked(w, value, lanes);
  const sum = w.func.local('v128');
  w.into.push(get(parts[0]!));
  for (const part of parts.slice(1)) w.into.push(get(part), ['f32x4.add']);
  w.into.push(set(sum));
  const total = addLanes(w, sum);
  w.func.release(sum);
  if (parts.at(-1) !== value.at(-1)) w.func.release(parts.at(-1)!);
  return [total];
}

/** A sample-rate matrix held in locals, put where a matrix product can read it. */
export function spill(w: Writer, value: Value, address: number): void {
  value.forEach((four, c) => {
    w.into.push(['i32.const', 0], get(four));
    w.into.push([four.type === 'v128' ? 'v128.store' : 'f32.store', address + 16 * c]);
  });
}

/** Single precision from double precision, `count` numbers; what is behind them in a chunk is 0. */
export function demote(w: Writer, from: number, into: number, count: number): void {
  convert(w, count, (i, k) => {
    if (k === 'one') {
      const single: Instr[] = [
        ['i32.const', 0],
        ['i32.const', 0],
        ['f64.load', from + 8 * i],
      ];
      w.into.push(...single, ['f32.demote_f64'], ['f32.store', into + 4 * i]);
      return;
    }
    const half = (of: number): Instr[] => [
      get(k.by8),
      ['v128.load', from + of],
      ['f32x4.demote_f64x2_zero'],
    ];
    w.into.push(get(k.by4), ...half(0), ...half(16));
    w.into.push(LOW_HALVES);
    w.into.push(['v128.store', into]);
  });
}

/** Double precision from single precision, `count` numbers. */
export function promote(w: Writer, from: number, into: number, count: number): void {
  const four = w.func.local('v128');
  convert(w, count, (i, k) => {
    if (k === 'one') {
      const single: Instr[] = [
        ['i32.const', 0],
        ['i32.const', 0],
        ['f32.load', from + 4 * i],
      ];
      w.into.push(...single, ['f64.promote_f32'], ['f64.store', into + 8 * i]);
      return;
    }
    w.into.push(get(k.by4), ['v128.load', from], set(four));
    w.into.push(get(k.by8), get(four), ['f64x2.promote_low_f32x4'], ['v128.store', into]);
    w.into.push(get(k.by8), get(four), get(four), UPPER_HALF, ['f64x2.promote_low_f32x4']);
    w.into.push(['v128.store', into + 16]);
  });
  w.func.release(four);
}

/** Runs over `count` numbers: whole fours in a loop, the rest one by one. */
function convert(
  w: Writer,
  count: number,
  step: (i: number, k: 'one' | { readonly by4: Local; readonly by8: Local }) => void,
): void {
  const whole = count - (count % 4);
  if (whole > 0) {
    const [by4, by8] = [w.func.local('i32'), w.func.local('i32')];
    w.into.push(['i32.const', 0], set(by4), ['i32.const', 0], set(by8), ['loop', whole / 4]);
    step(0, { by4, by8 });
    w.into.push(get(by8), ['i32.const', 32], ['i32.add'], set(by8));
    w.into.push(get(by4), ['i32.const', 16], ['i32.add'], ['local.tee', by4.index]);
    w.into.push(['i32.const', 4 * whole], ['i32.lt_u'], ['br_if', 0], ['end']);
    w.func.release(by4);
    w.func.release(by8);
  }
  for (let i = whole; i < count; i++) step(i, 'one');
}
