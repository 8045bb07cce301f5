/**
 * Reading a line at a place that moves, and its adjoint: adding at a place that moves. And the
 * adjoint of the last samples of a line.
 *
 * A line in memory is linear (see `Line`), so a sample that lies d frames back is d·places numbers
 * below; neighbouring samples are gathered one by one and are the same to the bit. Invariants: the sample at
 * hand is in the line before the line is read, so d = 0 reads it; d is held to its range, so that no
 * index leaves the line, whatever it is.
 */

import type { Value } from './body.ts';
import { chunksOf } from './element.ts';
import type { Element } from './element.ts';
import type { Line } from './memory.ts';
import { get, set } from './module.ts';
import type { Instr, Local } from './module.ts';
import type { Scope } from './rules.ts';
import { masked } from './structures.ts';
import type { Writer } from './structures.ts';

/** An index held to 0 … top: one, or a vector of them. */
export function heldIndex(w: Writer, s: Scope, index: Local, top: number): Local {
  const held = w.func.local(index.type);
  const [low, high] = [s.int(0), s.int(top)];
  if (index.type === 'v128') {
    w.into.push(get(index), high, ['i32x4.min_s'], low, ['i32x4.max_s'], set(held));
    return held;
  }
  w.into.push(get(index), high, get(index), high, ['i32.lt_s'], ['select'], set(held));
  w.into.push(get(held), low, get(held), low, ['i32.gt_s'], ['select'], set(held));
  return held;
}

/**
 * Numbers from anywhere, as the lanes of one local. The offsets go through memory: taking lanes
 * apart and putting them together both need the one unit that moves lanes, and it is the bottleneck
 * (cubic delay, x86-64: 3.5 instead of 5.1 ns a sample).
 *
 * @param from     byte offset of each: lanes of one local
 * @param base     code of what is added to it, if anything
 * @param address  static part of the address
 * @param step     bytes that are added from lane to lane
 * @param scratch  16 bytes
 */
export function gather(
  w: Writer,
  from: Local,
  base: readonly Instr[],
  address: number,
  step: number,
  scratch: number,
): Local {
  const { bytes, scalar, vector, width, loadSplat } = w.func.element;
  const all = w.func.local('v128');
  w.into.push(['i32.const', 0], get(from), ['v128.store', scratch]);
  for (let k = 0; k < width; k++) {
    if (k > 0) w.into.push(get(all));
    w.into.push(['i32.const', 0], ['i32.load', scratch + bytes * k]);
    for (const instr of base) w.into.push(instr);
    if (base.length > 0) w.into.push(['i32.add']);
    if (k === 0) w.into.push([loadSplat, address], set(all));
    else
      w.into.push([`${scalar}.load`, address + step * k], [`${vector}.replace_lane`, k], set(all));
  }
  return all;
}

/**
 * y[t] = x[t − d[t]]
 *
 * @param here  code: byte offset of this frame in the line, or of the first of several
 * @param d     held to 0 … max; a vector of them for as many frames of numbers
 * @param scratch  16 bytes
 */
export function readLine(
  w: Writer,
  s: Scope,
  line: Line,
  lanes: number,
  here: readonly Instr[],
  d: Local,
  max: number,
  scratch: () => number,
): Value {
  const back = heldIndex(w, s, d, max);
  const { bytes, shift } = w.func.element;
  const depth = s.int(line.depth);
  if (d.type === 'v128') {
    w.into.push(depth, get(back), ['i32x4.sub'], ['i32.const', shift], ['i32x4.shl'], set(back));
    const all = gather(w, back, here, line.base, bytes, scratch());
    w.func.release(back);
    return [all];
  }
  w.into.push(depth, get(back), ['i32.sub'], ['i32.const', bytes * line.places], ['i32.mul']);
  for (const instr of here) w.into.push(instr);
  w.into.push(['i32.add'], set(back));
  const value = loadPlace(w, back, line.base, lanes);
  w.func.release(back);
  return value;
}

/**
 * As `readLine`, at a place that stays where it is in a loop: neighbouring samples are one vector.
 *
 * @param body    what runs before the loop
 * @param d       one index, which holds before the loop
 * @param head    what is added to places in this line, if anything
 * @param here    code: byte offset of this frame in a run
 * @param load    of numbers: one, one in all lanes, or a vector of as many frames
 */
export function readSteadily(
  w: Writer,
  { prologue: before, hoisted }: { readonly prologue: Instr[]; readonly hoisted: Local[] },
  line: Line,
  lanes: number,
  head: Local | null,
  here: readonly Instr[],
  d: Instr,
  max: number,
  load: 'one' | 'spread' | 'several',
): Value {
  const { bytes, scalar, loadSplat } = w.func.element;
  const back = w.func.fresh('i32');
  hoisted.push(back);
  holdSteadily(before, back, d, max);
  before.push(['i32.const', line.depth], get(back), ['i32.sub']);
  before.push(['i32.const', bytes * line.places], ['i32.mul']);
  if (head !== null) before.push(get(head), ['i32.const', line.places], ['i32.mul'], ['i32.add']);
  before.push(set(back));
  const chunks = lanes === 1 ? 1 : chunksOf(w.func.element, lanes);
  return Array.from({ length: chunks }, (_, c) => {
    const isOne = lanes === 1 && load === 'one';
    const value = w.func.local(isOne ? scalar : 'v128');
    const how = isOne ? (`${scalar}.load` as const) : load === 'spread' ? loadSplat : 'v128.load';
    w.into.push(...here, get(back), ['i32.add'], [how, line.base + 16 * c], set(value));
    return value;
  });
}

/** An index held to 0 … top before a loop. */
function holdSteadily(before: Instr[], held: Local, d: Instr, max: number): void {
  const [top, low]: [Instr, Instr] = [
    ['i32.const', max],
    ['i32.const', 0],
  ];
  before.push(d, top, d, top, ['i32.lt_s'], ['select'], set(held));
  before.push(get(held), low, get(held), low, ['i32.gt_s'], ['select'], set(held));
}

/** All lanes from an address: what a local holds, and a static part. */
export function loadPlace(w: Writer, at: Local, address: number, lanes: number): Value {
  const { element } = w.func;
  if (lanes === 1) {
    const value = w.func.local(element.scalar);
    w.into.push(get(at), [`${element.scalar}.load`, address], set(value));
    return [value];
  }
  return Array.from({ length: chunksOf(element, lanes) }, (_, c) => {
    const value = w.func.local('v128');
    w.into.push(get(at), ['v128.load', address + 16 * c], set(value));
    return value;
  });
}

/** Adds all lanes to what lies at an address. */
export function addToPlace(w: Writer, at: Local, address: number, value: Value): void {
  const { scalar, vector } = w.func.element;
  value.forEach((local, c) => {
    const isVector = local.type === 'v128';
    const of = isVector ? 'v128' : scalar;
    w.into.push(get(at), get(at), [`${of}.load`, address + 16 * c]);
    w.into.push(get(local), [`${isVector ? vector : scalar}.add`]);
    w.into.push([`${of}.store`, address + 16 * c]);
  });
}

/**
 * acc[t − lanes + 1 + k] += v[t][k], result acc[t]: the adjoint of the last samples at every sample,
 * from the last one of a window to its first.
 *
 * @param address  of acc, which begins `lanes − 1` samples before the window
 * @param here     code: byte offset of this sample
 */
export function addFrame(
  w: Writer,
  address: number,
  here: readonly Instr[],
  v: Value,
  lanes: number,
): Value {
  const at = w.func.local('i32');
  w.into.push(...here, set(at));
  const frame = lanes === 1 ? v : masked(w, v, lanes);
  addToPlace(w, at, address, frame);
  if (frame.at(-1) !== v.at(-1)) w.func.release(frame.at(-1)!);
  const value = loadPlace(w, at, address + w.func.element.bytes * (lanes - 1), 1);
  w.func.release(at);
  return value;
}

/** What the adjoint of a line has still to give, at each frame of a window. */
export interface Returns {
  readonly address: number;
  /** Frames in front of the window: what goes there is lost. */
  readonly lead: number;
  readonly places: number;
  readonly bytes: number;
}

export function placeReturns(
  element: Element,
  max: number,
  frames: number,
  places: number,
  temps: (bytes: number) => number,
): Returns {
  const lead = Math.min(max, frames);
  const bytes = element.bytes * places * (lead + frames);
  return { address: temps(bytes + 16), lead, places, bytes };
}

/**
 * acc[t − d[t]] += v[t], result acc[t], from the last frame of a window to its first.
 *
 * @param here  code: byte offset of this frame
 */
export function addBack(
  w: Writer,
  s: Scope,
  returns: Returns,
  here: readonly Instr[],
  v: Value,
  lanes: number,
  d: Local,
): Value {
  const { lead, places } = returns;
  const width = w.func.element.bytes * places;
  const at = heldIndex(w, s, d, lead);
  w.into.push(s.int(lead), get(at), ['i32.sub'], ['i32.const', width], ['i32.mul']);
  return addAndRead(w, returns, at, here, v, lanes);
}

/** As `addBack`, at a place that stays where it is in a loop. @param body, d  as in `readSteadily` */
export function addSteadily(
  w: Writer,
  { prologue, hoisted }: { readonly prologue: Instr[]; readonly hoisted: Local[] },
  returns: Returns,
  here: readonly Instr[],
  v: Value,
  lanes: number,
  d: Instr,
): Value {
  const { lead, places } = returns;
  const back = w.func.fresh('i32');
  hoisted.push(back);
  holdSteadily(prologue, back, d, lead);
  prologue.push(['i32.const', lead], get(back), ['i32.sub']);
  prologue.push(['i32.const', w.func.element.bytes * places], ['i32.mul'], set(back));
  const at = w.func.local('i32');
  w.into.push(get(back));
  return addAndRead(w, returns, at, here, v, lanes);
}

/** @param at  takes where it is added: what lies on the stack, from this frame */
function addAndRead(
  w: Writer,
  { address, lead, places }: Returns,
  at: Local,
  here: readonly Instr[],
  v: Value,
  lanes: number,
): Value {
  const width = w.func.element.bytes * places;
  for (const instr of here) w.into.push(instr);
  w.into.push(['i32.add'], set(at));
  addToPlace(w, at, address, v);
  for (const instr of here) w.into.push(instr);
  w.into.push(set(at));
  const value = loadPlace(w, at, address + width * lead, lanes);
  w.func.release(at);
  return value;
}
