/**
 * Where each signal is kept: which loops store it, and from where others load it.
 *
 * A signal that lives in one loop alone is in locals there and has no place. All others are arrays,
 * [frames][places] of numbers: a channel, a recording, the past of a delay, or
 * room of their own. Invariant: one array is written by one loop; nothing is stored twice in a loop
 * but into arrays that are asked for from outside (outputs, recordings, lines).
 */

import { isDelay, isFraming, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { placesOf } from './element.ts';
import type { Line, Storage } from './memory.ts';
import type { Local } from './module.ts';
import { loopNumber } from './stages.ts';
import type { Schedule } from './stages.ts';

/** A place in memory for a signal: static address plus, maybe, a local that moves it by frames. */
export interface Site {
  readonly address: number;
  /** In bytes of one place: multiplied by `places`. */
  readonly base: Local | null;
  /** Places from frame to frame. */
  readonly places: number;
  /** The past of a signal that lies there. */
  readonly line?: Line;
  /** Are its numbers those of a device, in single precision, and the program's are not? */
  readonly isDevice?: boolean;
}

/** Static addresses of the signals that come from outside or go there. */
export interface Channels {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Of what the loss compares; undefined where it lies in a channel anyway. */
  readonly compared: readonly (number | undefined)[];
  /** Of the first frame of the window. */
  readonly tapes: readonly number[];
}

export interface Bases {
  /** Where in the channels a run starts, and where in the window; null outside of streams. */
  readonly offset: Local | null;
  /** Where outputs go that keep the precision of the program; null where they go to a device. */
  readonly exact?: Local | null;
  readonly position: Local | null;
  /** The newest sample of each line. */
  readonly heads: ReadonlyMap<Line, Local>;
}

export interface Sites {
  /** Where a signal is read by whoever did not compute it. */
  readonly sources: ReadonlyMap<NodeId, Site>;
  /** Where whoever computes it stores it. */
  readonly sinks: ReadonlyMap<NodeId, readonly Site[]>;
  /** By stage: what must be stored but is computed in no loop. */
  readonly copies: ReadonlyMap<number, readonly NodeId[]>;
}

/** @param temps  room for so many bytes */
export function placeSignals(
  graph: Graph,
  schedule: Schedule,
  storage: Storage,
  channels: Channels,
  bases: Bases,
  temps: (bytes: number) => number,
  frames: number,
): Sites {
  const isStream = graph.domain === 'stream';
  const { element } = storage;
  const { bytes } = element;
  const sources = new Map<NodeId, Site>();
  const sinks = new Map<NodeId, Site[]>();
  const addSink = (id: NodeId, site: Site): void => {
    const list = sinks.get(id);
    if (list === undefined) sinks.set(id, [site]);
    else list.push(site);
  };
  const placesIn = (id: NodeId): number => placesOf(element, nodeOf(graph, id).shape);

  for (const line of storage.allLines) {
    const { base, places, depth, source } = line;
    const address = isStream ? base + bytes * places * depth : base;
    addSink(source, { address, base: bases.heads.get(line) ?? null, places, line });
  }
  const isDevice = element.precision === 'double';
  for (const { name, node } of graph.outputs) {
    const [kind, index] = name.split(':') as [string, string | undefined];
    const places = placesIn(node);
    if (kind === 'out') {
      const address = channels.outputs[Number(index)]!;
      const { exact = null, offset } = bases;
      const site = exact === null ? { base: offset, isDevice } : { base: exact };
      addSink(node, { address, places, ...site });
    }
    const shown = kind === 'compared' ? channels.compared[Number(index)] : undefined;
    if (shown !== undefined) {
      addSink(node, { address: shown, base: bases.offset, places, isDevice });
    }
    if (kind === 'tape' && nodeOf(graph, node).hop <= 1) {
      addSink(node, { address: channels.tapes[Number(index)]!, base: bases.position, places });
    }
  }
  graph.nodes.forEach((node, n) => {
    const id = n as NodeId;
    const places = placesOf(element, node.shape);
    const [first = 0, lag = 0] = node.attrs;
    if (node.hop > 1) return;
    const overlap = storage.overlaps.get(id);
    if (overlap !== undefined) {
      // Frames that came before the first sample reach back over the size of one.
      const before = isStream ? 0 : bytes * (overlap.size - 1);
      sources.set(id, { address: overlap.base + before, base: null, places });
    }
    if (node.op === 'input') {
      sources.set(id, { address: channels.inputs[first]!, base: bases.offset, places, isDevice });
    }
    if (node.op === 'tape' || node.op === 'tapeInt') {
      const address = channels.tapes[first]! - bytes * places * lag;
      sources.set(id, { address, base: null, places });
    }
    if (isFraming(node.op)) {
      // A vector of the last samples, at every sample: they lie side by side already.
      const source = nodeOf(graph, node.args[0]!);
      const framed = storage.framed.get(id);
      const [index = 0, far = 0] = source.attrs;
      const address =
        framed === undefined
          ? channels.tapes[index]! - bytes * (far + node.shape - 1)
          : framed.base + (isStream ? bytes * (framed.depth - node.shape + 1) : 0);
      const base = framed === undefined ? null : (bases.heads.get(framed) ?? null);
      sources.set(id, { address, base, places: 1 });
    }
    const line = storage.lines.get(id);
    if (line !== undefined && isDelay(node.op)) {
      const back = isStream ? line.depth - first : first;
      const address = line.base + bytes * places * back;
      sources.set(id, { address, base: bases.heads.get(line) ?? null, places });
    }
  });

  const loopOf = (id: NodeId): number | undefined => {
    const at = schedule.place.get(id);
    return at === undefined ? undefined : loopNumber(at);
  };
  /** Signals that cross from one loop to another, and the last stage that reads them. */
  const crossing = new Map<NodeId, number>();
  graph.nodes.forEach((node, n) => {
    const user = loopOf(n as NodeId);
    if (user === undefined) return;
    for (const arg of node.args) {
      const isForeign = nodeOf(graph, arg).hop === 1 && !isFraming(node.op);
      if (!isForeign || sources.has(arg) || loopOf(arg) === user) continue;
      const { stage } = schedule.place.get(n as NodeId)!;
      crossing.set(arg, Math.max(stage, crossing.get(arg) ?? 0));
    }
  });
  /** Delays that lie in the array of what they delay, so many frames further on. */
  const shifted = new Map<NodeId, { readonly origin: NodeId; readonly frames: number }>();
  /** Frames behind the last one that are read as well: 0, the start of those delays. */
  const behind = new Map<NodeId, number>();
  for (const [id, stage] of graph.domain === 'backward' ? [...crossing] : []) {
    const found = originOf(graph, storage, id);
    if (found === null || sinks.has(id) || sinks.has(found.origin)) continue;
    const { origin, frames: lag } = found;
    if (sources.has(origin) || loopOf(origin) !== loopOf(id)) continue;
    shifted.set(id, found);
    crossing.delete(id);
    crossing.set(origin, Math.max(stage, crossing.get(origin) ?? 0));
    behind.set(origin, Math.max(lag, behind.get(origin) ?? 0));
  }
  const stageOf = (id: NodeId): number => schedule.place.get(id)?.stage ?? 0;
  const room = new Room(temps);
  for (const id of [...crossing.keys()].toSorted((a, b) => stageOf(a) - stageOf(b) || a - b)) {
    const places = placesIn(id);
    const asked = sinks.get(id)?.find((site) => site.isDevice !== true);
    const own = (): Site => {
      const tail = behind.get(id);
      // What is behind the last frame stays 0, so the array is nobody else's.
      const address =
        tail === undefined
          ? room.take(bytes * places * frames + 16, stageOf(id), crossing.get(id)!)
          : temps(bytes * places * (frames + tail) + 16);
      return { address, base: null, places };
    };
    const site = asked ?? own();
    if (asked === undefined) addSink(id, site);
    sources.set(id, site);
  }
  for (const [id, { origin, frames: lag }] of shifted) {
    const { address, base, places } = sources.get(origin)!;
    sources.set(id, { address: address + bytes * places * lag, base, places });
  }
  const copies = new Map<number, NodeId[]>();
  for (const id of sinks.keys()) {
    const at = schedule.place.get(id);
    // What frames are put together to is copied by the next stage.
    const isMade = at !== undefined && at.kind !== 'value' && at.kind !== 'frame';
    if (isMade) continue;
    const stage = (at?.stage ?? 0) + (at?.kind === 'frame' ? 1 : 0);
    copies.set(stage, [...(copies.get(stage) ?? []), id]);
  }
  return { sources, sinks, copies };
}

/** What delays that start at 0 delay, in all, and by how much; null for anything else. */
function originOf(
  graph: Graph,
  storage: Storage,
  id: NodeId,
): { origin: NodeId; frames: number } | null {
  let [origin, frames] = [id, 0];
  while (storage.carries.has(origin)) {
    const [lag = 0, init] = nodeOf(graph, origin).attrs;
    if (!Object.is(init, 0)) return null;
    frames += lag;
    origin = graph.delays.get(origin)!;
    if (origin === id) return null;
  }
  return frames === 0 ? null : { origin, frames };
}

/** Arrays that serve one signal after the other: free again when the last stage has read them. */
class Room {
  readonly #temps: (bytes: number) => number;
  /** By size. */
  readonly #arrays = new Map<number, Arrays>();

  constructor(temps: (bytes: number) => number) {
    this.#temps = temps;
  }

  /** @param from  stage that writes, never one before the last time; @param until  last stage that reads */
  take(bytes: number, from: number, until: number): number {
    const arrays: Arrays = this.#arrays.get(bytes) ?? { free: [], busy: new Map() };
    this.#arrays.set(bytes, arrays);
    for (const [stage, addresses] of arrays.busy) {
      if (stage >= from) continue;
      arrays.free.push(...addresses);
      arrays.busy.delete(stage);
    }
    const address = arrays.free.pop() ?? this.#temps(bytes);
    const others = arrays.busy.get(until);
    if (others === undefined) arrays.busy.set(until, [address]);
    else others.push(address);
    return address;
  }
}

interface Arrays {
  readonly free: number[];
  /** By the last stage that reads them. */
  readonly busy: Map<number, number[]>;
}
