/**
 * What a loop holds in locals of the samples before: of one sample for a loop of one, of whole vectors
 * for a loop of several.
 *
 * What has just been stored as two vectors cannot be loaded as one without waiting, and a recursion
 * waits for every load; so short delays read locals. Invariant: between runs the samples of a loop of
 * one lie in memory as those of any line do.
 */

import { isDelay, nodeOf } from '../ir/graph.ts';
import type { NodeId } from '../ir/graph.ts';
import type { Body } from './body.ts';
import { shuffle } from './element.ts';
import type { Element } from './element.ts';
import type { Line, Storage } from './memory.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import type { FunctionContext } from './operands.ts';
import { sound, soundLanes } from './snippets.ts';

/** So many vectors of samples before the present one are held in locals. */
const RECENT = 2;

/** What a loop of one sample has computed in the samples before. */
export interface Past {
  readonly line: Line;
  readonly delays: readonly NodeId[];
  /** The last one first. */
  readonly before: Local[];
}

/** What a loop of several samples has computed just now. */
export interface Recent {
  readonly line: Line;
  readonly source: NodeId;
  readonly delays: readonly NodeId[];
  /** The vectors of samples before this one, the last one first. */
  readonly before: readonly Local[];
}

/** The short pasts that a loop of one sample holds, each once. */
export function pastsIn(storage: Storage, members: readonly NodeId[]): Past[] {
  const found = new Map<Line, Past & { readonly delays: NodeId[] }>();
  for (const id of members) {
    const line = storage.held.get(id);
    if (line === undefined) continue;
    const past = found.get(line) ?? { line, delays: [], before: [] };
    past.delays.push(id);
    found.set(line, past);
  }
  return [...found.values()];
}

/**
 * Delays of a few samples of what the same loop of several samples computes: from the vectors before,
 * in locals. What has been stored just now as two vectors cannot be loaded as one without waiting.
 */
export function recentIn(
  { func, graph, storage }: FunctionContext,
  members: readonly NodeId[],
  copied: readonly NodeId[],
): Recent[] {
  const { element } = func;
  if (graph.domain === 'once') return [];
  const here = new Set([...members, ...copied]);
  const found = new Map<Line, NodeId[]>();
  for (const id of members) {
    const line = storage.lines.get(id);
    if (line === undefined || !isDelay(nodeOf(graph, id).op) || nodeOf(graph, id).shape > 1)
      continue;
    const [length = 1] = nodeOf(graph, id).attrs;
    if (length > RECENT * element.width || !here.has(line.source)) continue;
    const list = found.get(line);
    if (list === undefined) found.set(line, [id]);
    else list.push(id);
  }
  return [...found].map(([line, delays]) => {
    const longest = Math.max(...delays.map((id) => nodeOf(graph, id).attrs[0]!));
    const count = Math.ceil(longest / element.width);
    const before = Array.from({ length: count }, () => func.local('v128'));
    return { line, source: line.source, delays, before };
  });
}

/** A vector of samples that lies so many samples back, backwards in time so many on. */
export function earlier(
  { func, graph }: FunctionContext,
  body: Body,
  frames: number,
  now: Local,
  before: readonly Local[],
): Local {
  const { element } = func;
  const { width } = element;
  const all = [now, ...before];
  const [whole, part] = [Math.floor(frames / width), frames % width];
  const value = func.local('v128');
  if (part === 0) body.code.push(get(all[whole]!));
  else {
    const pair = [all[whole]!, all[whole + 1]!] as const;
    const [low, high] = graph.domain === 'stream' ? [pair[1], pair[0]] : pair;
    const from = graph.domain === 'stream' ? width - part : part;
    const lanes = Array.from({ length: width }, (_, lane) => from + lane);
    body.code.push(get(low), get(high), shuffle(element, ...lanes));
  }
  body.code.push(set(value));
  return value;
}

/** Where a sample of the past lies between runs that a loop holds: the last one, the one before, … */
export const heldAt = (element: Element, { base, depth }: Line, k: number): number =>
  base + element.bytes * (depth - 1 - k);

/** Leaves what a loop has held for the next run. @param mayDecay  is it to be made sound? */
export function keepState(
  func: Func,
  local: Local,
  address: number,
  lanes: number,
  mayDecay: boolean,
): void {
  const { element } = func;
  func.emit(['i32.const', 0]);
  if (local.type !== 'v128') {
    const quiet: Instr[] = mayDecay ? sound(element, local) : [get(local)];
    func.emit(...quiet, [`${local.type as 'i32' | 'f32'}.store`, address]);
  } else if (lanes === 1) {
    const one = func.local('f32');
    func.emit(get(local), ['f32x4.extract_lane', 0], set(one));
    func.emit(...(mayDecay ? sound(element, one) : [get(one)]), ['f32.store', address]);
    func.release(one);
  } else {
    const quiet: Instr[] = mayDecay ? soundLanes(element, local) : [get(local)];
    func.emit(...quiet, ['v128.store', address]);
  }
}
