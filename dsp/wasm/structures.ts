/**
 * Operations that do not work lane by lane, on vectors held in locals.
 *
 * Invariants: what is behind the last lane of a vector is junk that never reaches a result; sums
 * over lanes add in a fixed order of their own, so they agree with the interpreter
 * up to rounding, at most 1e-6 (double precision: 2e-15) of the sum of magnitudes per 16 terms.
 */

import type { Value } from './body.ts';
import { DOUBLE, chunksOf, shuffle } from './element.ts';
import type { Element } from './element.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { move } from './snippets.ts';

/** sum ← sum + a · b, or a · b where it is the first. */
export function addProduct(
  w: Writer,
  sum: Local,
  a: readonly Instr[],
  b: readonly Instr[],
  isFirst: boolean,
): void {
  const { into } = w;
  const { vector: f } = w.func.element;
  if (isFirst) into.push(...a, ...b, [`${f}.mul`], set(sum));
  else if (w.func.fused) into.push(...a, ...b, get(sum), [`${f}.relaxed_madd`], set(sum));
  else into.push(get(sum), ...a, ...b, [`${f}.mul`], [`${f}.add`], set(sum));
}

/** Where a lane comes from: a lane of a vector, or a number. */
type Source = { readonly of: Local; readonly lane: number };

/** Code that goes into `into`, with locals of `func`. */
export interface Writer {
  readonly func: Func;
  readonly into: Instr[];
}

export const lanesOf = ({ width }: Element, value: Value, lanes: number): Source[] =>
  Array.from({ length: lanes }, (_, k) =>
    value[0]!.type === 'v128'
      ? { of: value[Math.floor(k / width)]!, lane: k % width }
      : { of: value[0]!, lane: 0 },
  );

/** A vector whose lanes are given one by one. */
export function gather(w: Writer, sources: readonly Source[]): Value {
  const { element } = w.func;
  const { vector: f, width } = element;
  return Array.from({ length: chunksOf(element, sources.length) }, (_, c) => {
    const some = sources.slice(width * c, width * (c + 1));
    const target = w.func.local('v128');
    const vectors = [...new Set(some.filter((s) => s.of.type === 'v128').map((s) => s.of))];
    const [a, b = a] = vectors;
    if (a === undefined) {
      w.into.push(get(some[0]!.of), [`${f}.splat`]);
    } else {
      // One shuffle brings every lane of the first two vectors to its place.
      const lanes = Array.from({ length: width }, (_lane, k) => {
        const source = some[k];
        if (source === undefined || (source.of !== a && source.of !== b)) return 0;
        return (source.of === a ? 0 : width) + source.lane;
      });
      w.into.push(get(a), get(b!), shuffle(element, ...lanes));
    }
    some.forEach(({ of, lane }, k) => {
      if (of.type === 'v128' && (of === a || of === b)) return;
      if (a === undefined && k === 0) return;
      w.into.push(get(of));
      if (of.type === 'v128') w.into.push([`${f}.extract_lane`, lane]);
      w.into.push([`${f}.replace_lane`, k]);
    });
    w.into.push(set(target));
    return target;
  });
}

export function concat(w: Writer, parts: readonly Value[], lanes: readonly number[]): Value {
  return gather(
    w,
    parts.flatMap((part, i) => lanesOf(w.func.element, part, lanes[i]!)),
  );
}

export function slice(w: Writer, value: Value, from: number, lanes: number): Value {
  const { element } = w.func;
  const sources = lanesOf(element, value, from + lanes).slice(from);
  if (lanes > 1) return gather(w, sources);
  const [{ of, lane }] = sources as [Source];
  const target = w.func.local(element.scalar);
  w.into.push(get(of), [`${element.vector}.extract_lane`, lane], set(target));
  return [target];
}

/** Lanes behind the last one made 0. */
export function masked(w: Writer, value: Value, lanes: number): Value {
  const { element } = w.func;
  if (lanes % element.width === 0) return value;
  const last = w.func.local('v128');
  w.into.push(get(value.at(-1)!), maskOf(element, lanes), ['v128.and'], set(last));
  return [...value.slice(0, -1), last];
}

/** The lanes of the last vector that belong to the value. */
export function maskOf({ bytes, width }: Element, lanes: number): Instr {
  const kept = bytes * (lanes % width);
  return ['v128.const', ...Array.from({ length: 16 }, (_, byte) => (byte < kept ? 255 : 0))];
}

/** Adds the lanes of a local. */
export function addLanes(w: Writer, lanes: Local): Local {
  const { scalar, vector: f, width } = w.func.element;
  const total = w.func.local(scalar);
  const two = width === 4 ? w.func.local('v128') : lanes;
  if (two !== lanes) {
    w.into.push(get(lanes), get(lanes), get(lanes), UPPER_HALF, [`${f}.add`], set(two));
  }
  w.into.push(get(two), [`${f}.extract_lane`, 0], get(two), [`${f}.extract_lane`, 1]);
  w.into.push([`${scalar}.add`], set(total));
  if (two !== lanes) w.func.release(two);
  return total;
}

const UPPER_HALF: Instr = shuffle(DOUBLE, 1, 1);
const LOW_HALVES: Instr = shuffle(DOUBLE, 0, 2);

/** Sums that a long one is divided into, so that additions do not wait for each other. */
const CHAINS = 4;

/** Σ of the products of all lanes; numbers count in every lane of the other operand. */
export function dotProduct(w: Writer, a: Value, b: Value, lanes: number): Value {
  const { func } = w;
  const { element } = func;
  const chunks = chunksOf(element, lanes);
  const sums = Array.from({ length: Math.min(CHAINS, chunks) }, () => func.local('v128'));
  for (let c = 0; c < chunks; c++) {
    const sum = sums[c % sums.length]!;
    const isTail = c === chunks - 1 && lanes % element.width !== 0;
    const first: Instr[] = [get(a[c] ?? a[0]!)];
    if (isTail) first.push(maskOf(element, lanes), ['v128.and']);
    const second: Instr[] = [get(b[c] ?? b[0]!)];
    // What is behind the last lane may be anything: it has to be 0 in both.
    if (isTail) second.push(maskOf(element, lanes), ['v128.and']);
    addProduct(w, sum, first, second, c < sums.length);
  }
  w.into.push(get(sums[0]!));
  for (const sum of sums.slice(1)) w.into.push(get(sum), [`${element.vector}.add`]);
  w.into.push(set(sums[0]!));
  const total = addLanes(w, sums[0]!);
  for (const sum of sums) func.release(sum);
  return [total];
}

export function laneSum(w: Writer, value: Value, lanes: number): Value {
  const parts = masked(w, value, lanes);
  const sum = w.func.local('v128');
  w.into.push(get(parts[0]!));
  for (const part of parts.slice(1)) w.into.push(get(part), [`${w.func.element.vector}.add`]);
  w.into.push(set(sum));
  const total = addLanes(w, sum);
  w.func.release(sum);
  if (parts.at(-1) !== value.at(-1)) w.func.release(parts.at(-1)!);
  return [total];
}

/** A sample-rate matrix held in locals, put where a matrix product can read it. */
export function spill(w: Writer, value: Value, address: number): void {
  const { scalar } = w.func.element;
  value.forEach((part, c) => {
    w.into.push(['i32.const', 0], get(part));
    w.into.push([part.type === 'v128' ? 'v128.store' : `${scalar}.store`, address + 16 * c]);
  });
}

/** Numbers of signals from double precision, `count` of them. */
export function demote(w: Writer, from: number, into: number, count: number): void {
  if (w.func.element.scalar === 'f64') {
    w.into.push(...move(into, from, 8 * count));
    return;
  }
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

/**
 * Double precision from numbers of signals, `count` of them.
 *
 * @param see  code that looks at some of them as they pass, single precision alone
 */
export function promote(
  w: Writer,
  from: number,
  into: number,
  count: number,
  see: (some: readonly Instr[]) => readonly Instr[] = () => [],
): void {
  if (w.func.element.scalar === 'f64') {
    w.into.push(...move(into, from, 8 * count));
    return;
  }
  const four = w.func.local('v128');
  convert(w, count, (i, k) => {
    if (k === 'one') {
      const single: Instr[] = [
        ['i32.const', 0],
        ['i32.const', 0],
        ['f32.load', from + 4 * i],
      ];
      w.into.push(...single, ['f64.promote_f32'], ['f64.store', into + 8 * i]);
      w.into.push(
        ...see([
          ['i32.const', 0],
          ['v128.load32_splat', from + 4 * i],
        ]),
      );
      return;
    }
    w.into.push(get(k.by4), ['v128.load', from], set(four), ...see([get(four)]));
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
