/**
 * Vectors and matrices in double precision, in memory: what optimisers compute with them.
 *
 * Two lanes at a time, in loops whose code does not grow with the size. Invariant: a matrix times a
 * vector and an outer product round as the interpreter does; sums along a column, and the factors of
 * `solve`, add four lanes side by side and differ from it in the last bits.
 */

import { LEAST_PIVOT } from '../interpret/solve.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';

/** Bytes of a number, of two lanes, and of the four that a sum takes at a time. */
const ONE = 8;
const TWO = 16;
const FOUR = 32;
const ZEROS: Instr = ['v128.const', ...new Array<number>(16).fill(0)];

const advance = (pointer: Local, bytes: number): Instr[] => [
  get(pointer),
  ['i32.const', bytes],
  ['i32.add'],
  set(pointer),
];

/** Runs the body for a counter from `from` in steps up to `to`, which is further on. */
function repeat(
  func: Func,
  counter: Local,
  [from, to, step]: readonly [number, number, number],
  body: () => void,
): void {
  if (to <= from) return;
  func.emit(['i32.const', from], set(counter), ['loop', (to - from) / step]);
  body();
  func.emit(get(counter), ['i32.const', step], ['i32.add'], ['local.tee', counter.index]);
  func.emit(['i32.const', to], ['i32.lt_u'], ['br_if', 0], ['end']);
}

/** Adds the product of two pairs of lanes to a sum. */
const addProduct = (sum: Local, a: readonly Instr[], b: readonly Instr[]): Instr[] => [
  get(sum),
  ...a,
  ...b,
  ['f64x2.mul'],
  ['f64x2.add'],
  set(sum),
];

/**
 * into[r] = Σₖ m[k·rows + r] · x[k], lanes of the result side by side.
 *
 * @param into  address; not one of the operands
 */
export function matvecDouble(
  func: Func,
  into: number,
  [m, x]: readonly [number, number],
  rows: number,
  columns: number,
): void {
  const [row, column, at] = [func.local('i32'), func.local('i32'), func.local('i32')];
  const xk = func.local('v128');
  /** So many pairs of rows at a time, from the row at byte `from` to that at `to`. */
  const pairs = (count: number, from: number, to: number): void => {
    const sums = Array.from({ length: count }, () => func.local('v128'));
    repeat(func, row, [from, to, TWO * count], () => {
      for (const sum of sums) func.emit(ZEROS, set(sum));
      func.emit(get(row), set(at));
      repeat(func, column, [0, ONE * columns, ONE], () => {
        func.emit(get(column), ['v128.load64_splat', x], set(xk));
        sums.forEach((sum, k) => {
          func.append(addProduct(sum, [get(at), ['v128.load', m + TWO * k]], [get(xk)]));
        });
        func.append(advance(at, ONE * rows));
      });
      sums.forEach((sum, k) => func.emit(get(row), get(sum), ['v128.store', into + TWO * k]));
    });
    for (const sum of sums) func.release(sum);
  };
  const bytes = ONE * rows;
  const [many, even] = [bytes - (bytes % 64), bytes - (bytes % TWO)];
  pairs(4, 0, many);
  pairs(1, many, even);
  if (even < bytes) {
    const sum = func.local('f64');
    func.emit(['f64.const', 0], set(sum), ['i32.const', even], set(at));
    repeat(func, column, [0, ONE * columns, ONE], () => {
      func.emit(get(sum), get(at), ['f64.load', m], get(column), ['f64.load', x]);
      func.emit(['f64.mul'], ['f64.add'], set(sum));
      func.append(advance(at, bytes));
    });
    func.emit(['i32.const', 0], get(sum), ['f64.store', into + even]);
    func.release(sum);
  }
  for (const local of [row, column, at, xk]) func.release(local);
}

/** The sum of both lanes of two sums. */
const bothLanes = (a: Local, b: Local): Instr[] => [
  get(a),
  get(b),
  ['f64x2.add'],
  ['local.tee', a.index],
  ['f64x2.extract_lane', 0],
  get(a),
  ['f64x2.extract_lane', 1],
  ['f64.add'],
];

/** into[k] = Σᵣ m[k·rows + r] · y[r]. */
export function matvecTDouble(
  func: Func,
  into: number,
  [m, y]: readonly [number, number],
  rows: number,
  columns: number,
): void {
  const [row, column, at] = [func.local('i32'), func.local('i32'), func.local('i32')];
  const sums = [func.local('v128'), func.local('v128')] as const;
  const total = func.local('f64');
  const bytes = ONE * rows;
  const fours = bytes - (bytes % FOUR);
  func.emit(['i32.const', 0], set(at));
  repeat(func, column, [0, ONE * columns, ONE], () => {
    for (const sum of sums) func.emit(ZEROS, set(sum));
    repeat(func, row, [0, fours, FOUR], () => {
      sums.forEach((sum, k) => {
        const element: Instr[] = [get(at), ['v128.load', m + TWO * k]];
        func.append(addProduct(sum, element, [get(row), ['v128.load', y + TWO * k]]));
      });
      func.append(advance(at, FOUR));
    });
    func.emit(...bothLanes(...sums), set(total));
    for (let r = fours; r < bytes; r += ONE) {
      func.emit(get(total), get(at), ['f64.load', m], ['i32.const', r], ['f64.load', y]);
      func.emit(['f64.mul'], ['f64.add'], set(total));
      func.append(advance(at, ONE));
    }
    func.emit(get(column), get(total), ['f64.store', into]);
  });
  for (const local of [row, column, at, ...sums, total]) func.release(local);
}

/** into[k·rows + r] = a[r] · b[k]. */
export function outerDouble(
  func: Func,
  into: number,
  [a, b]: readonly [number, number],
  rows: number,
  columns: number,
): void {
  const [row, column, at] = [func.local('i32'), func.local('i32'), func.local('i32')];
  const bk = func.local('v128');
  const bytes = ONE * rows;
  const even = bytes - (bytes % TWO);
  func.emit(['i32.const', 0], set(at));
  repeat(func, column, [0, ONE * columns, ONE], () => {
    func.emit(get(column), ['v128.load64_splat', b], set(bk));
    repeat(func, row, [0, even, TWO], () => {
      func.emit(get(at), get(row), ['v128.load', a], get(bk), ['f64x2.mul'], ['v128.store', into]);
      func.append(advance(at, TWO));
    });
    if (even === bytes) return;
    func.emit(get(at), ['i32.const', even], ['f64.load', a], get(column), ['f64.load', b]);
    func.emit(['f64.mul'], ['f64.store', into]);
    func.append(advance(at, ONE));
  });
  for (const local of [row, column, at, bk]) func.release(local);
}

/** Bytes that `solveDouble` works in. */
export const solveScratch = (n: number): number => ONE * (strideOf(n) * n + 2 * strideOf(n));

/** Rows of the factor in whole fours, zeros behind what they hold. */
const strideOf = (n: number): number => 4 * Math.ceil(n / 4);

/**
 * `interpret/solve`, with sums of four lanes.
 *
 * @param scratch  address of `solveScratch(n)` bytes
 */
export function solveDouble(
  func: Func,
  into: number,
  [a, ridge, c]: readonly [number, number, number],
  n: number,
  scratch: number,
): void {
  const stride = ONE * strideOf(n);
  const factor = scratch;
  const inverse = scratch + stride * n;
  const y = inverse + stride;
  const bytes = ONE * n;
  const pointers = Array.from({ length: 6 }, () => func.local('i32'));
  const [i, j, k, rowI, rowJ, element] = pointers as [Local, Local, Local, Local, Local, Local];
  const sums = [func.local('v128'), func.local('v128')] as const;
  const [rest, whole] = [func.local('f64'), func.local('f64')];

  /**
   * How often a loop of so many columns a time runs up to the diagonal; or up to the column of an
   * element below it, on average over those.
   */
  const roundsOf = (columns: number, isBelow: boolean): number => {
    let rounds = 0;
    for (let c = 0; c < n; c++) rounds += Math.ceil(c / columns) * (isBelow ? n - 1 - c : 1);
    return rounds / Math.max(1, isBelow ? (n * (n - 1)) / 2 : n);
  };

  /**
   * rest − the product of row i with another row, up to the column at byte `upTo`.
   *
   * @param isBelow  done for each element below the diagonal, not for each row
   */
  const minusDot = (other: Local, otherAt: number, upTo: Local, isBelow: boolean): void => {
    for (const sum of sums) func.emit(ZEROS, set(sum));
    func.emit(['i32.const', 0], set(k), ['block'], get(upTo), ['i32.eqz'], ['br_if', 0]);
    func.emit(['loop', roundsOf(4, isBelow)]);
    sums.forEach((sum, half) => {
      const place = (row: Local, base: number): Instr[] => [
        get(row),
        get(k),
        ['i32.add'],
        ['v128.load', base + TWO * half],
      ];
      func.append(addProduct(sum, place(rowI, factor), place(other, otherAt)));
    });
    func.append(advance(k, FOUR));
    func.emit(get(k), get(upTo), ['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
    func.emit(get(rest), ...bothLanes(...sums), ['f64.sub'], set(rest));
  };

  func.emit(['i32.const', scratch], ['i32.const', 0], ['i32.const', solveScratch(n)]);
  func.emit(['memory.fill'], ['i32.const', 0], set(rowI));
  repeat(func, i, [0, bytes, ONE], () => {
    // Below the diagonal: element (i, j) is at byte j·bytes + i.
    func.emit(['i32.const', 0], set(j), ['i32.const', 0], set(rowJ), get(i), set(element));
    func.emit(['block'], get(i), ['i32.eqz'], ['br_if', 0], ['loop', (n - 1) / 2]);
    func.emit(get(element), ['f64.load', a], set(rest));
    minusDot(rowJ, factor, j, true);
    func.emit(get(rowI), get(j), ['i32.add'], get(rest), get(j), ['f64.load', inverse]);
    func.emit(['f64.mul'], ['f64.store', factor]);
    func.append(advance(element, bytes));
    func.append(advance(rowJ, stride));
    func.emit(get(j), ['i32.const', ONE], ['i32.add'], ['local.tee', j.index], get(i));
    func.emit(['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
    // The pivot.
    func.emit(get(element), ['f64.load', a], ['local.tee', rest.index]);
    func.emit(get(i), ['f64.load', ridge], ['f64.add'], set(whole));
    minusDot(rowI, factor, i, false);
    func.emit(get(rest), get(i), ['f64.load', ridge], ['f64.add'], set(rest));
    func.emit(get(i), ['f64.const', 1], get(rest), ['f64.sqrt'], ['f64.div'], ['f64.const', 0]);
    func.emit(get(rest), get(whole), ['f64.const', LEAST_PIVOT], ['f64.mul'], ['f64.gt']);
    func.emit(['select'], ['f64.store', inverse]);
    // L·y = c.
    func.emit(get(i), ['f64.load', c], set(rest), ['i32.const', 0], set(rowJ));
    minusDot(rowJ, y, i, false);
    func.emit(get(i), get(rest), get(i), ['f64.load', inverse], ['f64.mul'], ['f64.store', y]);
    func.append(advance(rowI, stride));
  });
  // Lᵀ·x = y, from the last unknown up: each is taken out of those before it.
  func.emit(['i32.const', bytes], set(i), ['loop', n]);
  func.append(advance(i, -ONE));
  func.append(advance(rowI, -stride));
  func.emit(get(i), get(i), ['f64.load', y], get(i), ['f64.load', inverse], ['f64.mul']);
  func.emit(['local.tee', rest.index], ['f64.store', into], ['i32.const', 0], set(k));
  func.emit(get(rest), ['f64x2.splat'], set(sums[0]));
  func.emit(['block'], get(i), ['i32.eqz'], ['br_if', 0], ['loop', roundsOf(2, false)]);
  func.emit(get(k), get(k), ['v128.load', y], get(rowI), get(k), ['i32.add']);
  func.emit(['v128.load', factor], get(sums[0]), ['f64x2.mul'], ['f64x2.sub'], ['v128.store', y]);
  func.append(advance(k, TWO));
  func.emit(get(k), get(i), ['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
  func.emit(get(i), ['br_if', 0], ['end']);
  for (const local of [...pointers, ...sums, rest, whole]) func.release(local);
}
