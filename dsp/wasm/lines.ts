/**
 * Reading a line at a place that moves, and its adjoint: adding at a place that moves. And the
 * adjoint of the last samples of a line.
 *
 * A line in memory is linear (see `Line`), so a sample that lies d frames back is 4·d·places bytes
 * below; four samples are gathered one by one and are the same to the bit. Invariants: the sample at
 * hand is in the line before the line is read, so d = 0 reads it; d is held to its range, so that no
 * index leaves the line, whatever it is.
 */

import { chunksOf } from './body.ts';
import type { Value } from './body.ts';
import type { Line } from './memory.ts';
import { get, set } from './module.ts';
import type { Instr, Local } from './module.ts';
import type { Scope } from './rules.ts';
import { masked } from './structures.ts';
import type { Writer } from './structures.ts';

/** An index held to 0 … top: one, or four of them. */
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
 * Four numbers from anywhere, as the lanes of one local. The offsets go through memory: taking lanes
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
  const four = w.func.local('v128');
  w.into.push(['i32.const', 0], get(from), ['v128.store', scratch]);
  for (let k = 0; k < 4; k++) {
    if (k > 0) w.into.push(get(four));
    w.into.push(['i32.const', 0], ['i32.load', scratch + 4 * k]);
    for (const instr of base) w.into.push(instr);
    if (base.length > 0) w.into.push(['i32.add']);
    if (k === 0) w.into.push(['v128.load32_splat', address], set(four));
    else w.into.push(['f32.load', address + step * k], ['f32x4.replace_lane', k], set(four));
  }
  return four;
}

/**
 * y[t] = x[t − d[t]]
 *
 * @param here  code: byte offset of this frame in the line, or of the first of four
 * @param d     held to 0 … max; four of them for four frames of numbers
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
  const width = 4 * line.places;
  const depth = s.int(line.depth);
  if (d.type === 'v128') {
    w.into.push(depth, get(back), ['i32x4.sub'], ['i32.const', 2], ['i32x4.shl'], set(back));
    const four = gather(w, back, here, line.base, 4, scratch());
    w.func.release(back);
    return [four];
  }
  w.into.push(depth, get(back), ['i32.sub'], ['i32.const', width], ['i32.mul']);
  for (const instr of here) w.into.push(instr);
  w.into.push(['i32.add'], set(back));
  const value = loadPlace(w, back, line.base, lanes);
  w.func.release(back);
  return value;
}

/** All lanes from an address: what a local holds, and a static part. */
export function loadPlace(w: Writer, at: Local, address: number, lanes: number): Value {
  if (lanes === 1) {
    const value = w.func.local('f32');
    w.into.push(get(at), ['f32.load', address], set(value));
    return [value];
  }
  return Array.from({ length: chunksOf(lanes) }, (_, c) => {
    const value = w.func.local('v128');
    w.into.push(get(at), ['v128.load', address + 16 * c], set(value));
    return value;
  });
}

/** Adds all lanes to what lies at an address. */
export function addToPlace(w: Writer, at: Local, address: number, value: Value): void {
  value.forEach((local, c) => {
    const four = local.type === 'v128';
    w.into.push(get(at), get(at), [four ? 'v128.load' : 'f32.load', address + 16 * c]);
    w.into.push(get(local), [four ? 'f32x4.add' : 'f32.add']);
    w.into.push([four ? 'v128.store' : 'f32.store', address + 16 * c]);
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
  const value = loadPlace(w, at, address + 4 * (lanes - 1), 1);
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
  max: number,
  frames: number,
  places: number,
  temps: (bytes: number) => number,
): Returns {
  const lead = Math.min(max, frames);
  const bytes = 4 * places * (lead + frames);
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
  const { address, lead, places } = returns;
  const at = heldIndex(w, s, d, lead);
  w.into.push(s.int(lead), get(at), ['i32.sub'], ['i32.const', 4 * places], ['i32.mul']);
  for (const instr of here) w.into.push(instr);
  w.into.push(['i32.add'], set(at));
  addToPlace(w, at, address, v);
  for (const instr of here) w.into.push(instr);
  w.into.push(set(at));
  const value = loadPlace(w, at, address + 4 * places * lead, lanes);
  w.func.release(at);
  return value;
}
