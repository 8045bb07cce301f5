/**
 * Tables: reading one, writing into one, and their adjoints.
 *
 * Invariants: an index is held to the places of its table, whatever it is; what is written is sound
 * (see `sound`), because a place may keep it for ever; a gradient with respect to a table is added up
 * in double precision and is made once a window, never once a sample.
 */

import type { Value } from './body.ts';
import { chunksOf, splatReal, toDouble } from './element.ts';
import { addToPlace, gather, heldIndex, loadPlace } from './lines.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import type { Scope } from './rules.ts';
import { sound, soundLanes } from './snippets.ts';
import { demote } from './structures.ts';
import type { Writer } from './structures.ts';

/** A table in memory. */
export interface Table {
  readonly address: number;
  readonly size: number;
  /** Of an entry: 1, or padded lanes. */
  readonly places: number;
}

/** Byte offset of an entry. */
function entry(w: Writer, s: Scope, { size, places }: Table, index: Local): Local {
  const at = heldIndex(w, s, index, size - 1);
  const { bytes, shift } = w.func.element;
  const width = bytes * places;
  if (at.type === 'v128') w.into.push(get(at), ['i32.const', shift], ['i32x4.shl'], set(at));
  else w.into.push(get(at), ['i32.const', width], ['i32.mul'], set(at));
  return at;
}

/**
 * One entry of a table of numbers, or a vector of them.
 *
 * @param scratch  16 bytes
 */
export function lookup(
  w: Writer,
  s: Scope,
  table: Table,
  index: Local,
  scratch: () => number,
): Value {
  const at = entry(w, s, table, index);
  const value =
    at.type === 'v128'
      ? [gather(w, at, [], table.address, 0, scratch())]
      : loadPlace(w, at, table.address, 1);
  w.func.release(at);
  return value;
}

/** A vector of zeros with one lane that is not: made in memory, where lanes have addresses. */
export function scatter(w: Writer, s: Scope, table: Table, value: Local, index: Local): Value {
  const { address, size } = table;
  const { element } = w.func;
  clear(w.into, address, 16 * chunksOf(element, size));
  const at = entry(w, s, table, index);
  w.into.push(get(at), get(value), [`${element.scalar}.store`, address]);
  w.into.push(['i32.const', 0], set(at));
  const lanes = loadPlace(w, at, address, size);
  w.func.release(at);
  return lanes;
}

/** T[wi] = w, y = T[ri] */
export function writeAndRead(
  w: Writer,
  s: Scope,
  table: Table,
  written: Value,
  lanes: number,
  [wi, ri]: readonly [Local, Local],
): Value {
  const { element } = w.func;
  const into = entry(w, s, table, wi);
  written.forEach((local, c) => {
    const isVector = local.type === 'v128';
    w.into.push(get(into), ...(isVector ? soundLanes(element, local) : sound(element, local)));
    w.into.push([isVector ? 'v128.store' : `${element.scalar}.store`, table.address + 16 * c]);
  });
  w.func.release(into);
  const from = entry(w, s, table, ri);
  const value = loadPlace(w, from, table.address, lanes);
  w.func.release(from);
  return value;
}

/** C[ri] += ȳ, w̄ = C[wi], C[wi] = 0 */
export function addAndTake(
  w: Writer,
  s: Scope,
  table: Table,
  added: Value,
  lanes: number,
  [wi, ri]: readonly [Local, Local],
): Value {
  const { element } = w.func;
  const into = entry(w, s, table, ri);
  addToPlace(w, into, table.address, added);
  w.func.release(into);
  const from = entry(w, s, table, wi);
  const value = loadPlace(w, from, table.address, lanes);
  value.forEach((local, c) => {
    const zero: Instr[] =
      local.type === 'v128'
        ? [splatReal(element, 0), ['v128.store', table.address + 16 * c]]
        : [
            [`${element.scalar}.const`, 0],
            [`${element.scalar}.store`, table.address],
          ];
    w.into.push(get(from), ...zero);
  });
  w.func.release(from);
  return value;
}

/** Zeroes a region. */
export function clear(into: Instr[], address: number, bytes: number): void {
  into.push(['i32.const', address], ['i32.const', 0], ['i32.const', bytes], ['memory.fill']);
}

/** Every place of a table as its start values say: numbers at `from`. */
export function fillTable(func: Func, table: Table, from: number): void {
  const { address, size, places } = table;
  const { bytes, loadSplat, width } = func.element;
  if (places === 1) {
    func.emit(['i32.const', address], ['i32.const', from], ['i32.const', bytes * size]);
    func.emit(['memory.copy']);
    return;
  }
  const [k, at] = [func.local('i32'), func.local('i32')];
  func.emit(['i32.const', 0], set(k), ['i32.const', 0], set(at), ['loop', size]);
  for (let c = 0; c < places / width; c++) {
    func.emit(get(at), get(k), [loadSplat, from], ['v128.store', address + 16 * c]);
  }
  func.emit(get(at), ['i32.const', bytes * places], ['i32.add'], set(at));
  func.emit(get(k), ['i32.const', bytes], ['i32.add'], ['local.tee', k.index]);
  func.emit(['i32.const', bytes * size], ['i32.lt_u'], ['br_if', 0], ['end']);
  func.release(k);
  func.release(at);
}

/** A signal of a window in memory, its frames side by side; or a value that stays the same. */
export type Operand = { readonly address: number } | Local;

/**
 * into[k] = Σ_t v[t] over all t with i[t] = k, and over all pairs of v and i.
 *
 * @param sums  room for as many double-precision numbers
 */
export function sumScatter(
  w: Writer,
  s: Scope,
  pairs: readonly { readonly value: Operand; readonly index: Operand }[],
  frames: number,
  lanes: number,
  [sums, into]: readonly [number, number],
): void {
  const { func } = w;
  const { bytes, scalar } = func.element;
  const promoted = toDouble(func.element);
  clear(w.into, sums, 8 * lanes);
  const i = func.local('i32');
  const index = func.local('i32');
  const read = (operand: Operand, load: 'f32.load' | 'f64.load' | 'i32.load'): Instr[] =>
    'address' in operand ? [get(i), [load, operand.address]] : [get(operand)];
  w.into.push(['i32.const', 0], set(i), ['loop', frames]);
  for (const pair of pairs) {
    w.into.push(...read(pair.index, 'i32.load'), set(index));
    const at = heldIndex(w, s, index, lanes - 1);
    w.into.push(get(at), ['i32.const', 3], ['i32.shl'], set(at));
    w.into.push(get(at), get(at), ['f64.load', sums]);
    w.into.push(...read(pair.value, `${scalar}.load`), ...promoted, ['f64.add']);
    w.into.push(['f64.store', sums]);
    func.release(at);
  }
  w.into.push(get(i), ['i32.const', bytes], ['i32.add'], ['local.tee', i.index]);
  w.into.push(['i32.const', bytes * frames], ['i32.lt_u'], ['br_if', 0], ['end']);
  func.release(i);
  func.release(index);
  demote(w, sums, into, lanes);
}
