/**
 * Where everything lies in the module's memory, decided before code is written.
 *
 * Invariant: addresses are static and 16-byte aligned; the memory never grows; signal state is one
 * contiguous region, so that a reset is one fill. Nothing is shared between two things that live at
 * the same time.
 */

import { isDelay, isFraming, isOverlap, isTape, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { SINGLE, placesOf } from './element.ts';
import type { Element } from './element.ts';
import type { Schedule } from './stages.ts';
import type { Table } from './tables.ts';

/** Hands out addresses upwards. */
export class Memory {
  top = 1024;

  take(bytes: number): number {
    const address = Math.ceil(this.top / 16) * 16;
    this.top = address + bytes;
    return address;
  }

  floats(count: number): number {
    return this.take(count * 4);
  }

  doubles(count: number): number {
    return this.take(count * 8);
  }
}

/**
 * The past of a signal. In a stream graph it is a window that moves up through its space and is
 * copied back to the start when it reaches the end, so that every access in a loop is linear; in a
 * backward graph it is the whole training window with zeros behind its end.
 */
export interface Line {
  readonly source: NodeId;
  readonly init: number;
  /** Longest delay read, frames. */
  readonly depth: number;
  /** Places a frame takes. */
  readonly places: number;
  /** First byte of the samples. */
  readonly base: number;
  /** Bytes for samples of one place; all together are `places` times as many. */
  readonly capacity: number;
  /**
   * Where the byte offset of the oldest sample is kept between runs; 0 in a backward graph. Lines
   * that have one in common move together, and have as much room besides their longest delay.
   */
  readonly head: number;
}

export interface Storage {
  /** What all of this is counted in. */
  readonly element: Element;
  /** The line that each delay or line reads, recursive delays of one frame excepted. */
  readonly lines: ReadonlyMap<NodeId, Line>;
  readonly allLines: readonly Line[];
  /** The line that a node between samples and frames reads: as long as a frame. */
  readonly framed: ReadonlyMap<NodeId, Line>;
  /** Delays of frames: the oldest first. `capacity` and `head` are not used. */
  readonly frameLines: ReadonlyMap<NodeId, Line>;
  /** Samples that are added to frames still to come, each with room for a run behind it. */
  readonly overlaps: ReadonlyMap<NodeId, { readonly base: number; readonly size: number }>;
  /** By hop: where the samples since the last frame are counted. */
  readonly phases: ReadonlyMap<number, number>;
  /** State of each recursive one-frame delay: kept in locals inside of the loop. */
  readonly carries: ReadonlyMap<NodeId, number>;
  /**
   * By delay of a few samples: the past of what the same loop of one sample makes, the oldest first.
   * Kept in locals inside of the loop; `capacity` and `head` are not used.
   */
  readonly held: ReadonlyMap<NodeId, Line>;
  /** The tables that are written into: state. */
  readonly tables: ReadonlyMap<NodeId, Table>;
}

/** Delays and lines of one source share a line, if they start alike; 0 and −0 are not alike. */
const lineKey = (source: NodeId, init: number): string =>
  `${source}|${Object.is(init, -0) ? '-0' : init}`;

/** The longest past that a loop keeps in locals, samples. */
const LONGEST_HELD = 4;

/** Lines and carries of a graph. `frames`: the most one run can process. */
export function placeState(
  graph: Graph,
  schedule: Schedule,
  frames: number,
  memory: Memory,
  element: Element,
): Storage {
  const { bytes } = element;
  const depth = new Map<string, { source: NodeId; init: number; depth: number; places: number }>();
  const lines = new Map<NodeId, Line>();
  const carries = new Map<NodeId, number>();

  const isCarry = (id: NodeId): boolean =>
    graph.domain === 'once' || (schedule.circling.has(id) && nodeOf(graph, id).attrs[0] === 1);

  const reach = (source: NodeId, init: number, length: number, places: number): void => {
    const key = lineKey(source, init);
    const known = depth.get(key);
    if (known === undefined) depth.set(key, { source, init, depth: length, places });
    else known.depth = Math.max(known.depth, length);
  };
  const frameLines = new Map<NodeId, Line>();
  const overlaps = new Map<NodeId, { base: number; size: number }>();
  const phases = new Map<number, number>();
  const framings: NodeId[] = [];
  graph.nodes.forEach(({ op, args, attrs, shape, hop }, n) => {
    const id = n as NodeId;
    if (hop > 1 && !phases.has(hop)) phases.set(hop, memory.take(4));
    if (isFraming(op) && !isTape(nodeOf(graph, args[0]!).op)) {
      framings.push(id);
      reach(args[0]!, 0, shape, 1);
    }
    if (isOverlap(op)) {
      const size = nodeOf(graph, args[0]!).shape;
      overlaps.set(id, { base: memory.take(bytes * (size + frames) + 16), size });
    }
    if (isDelay(op) && hop > 1) {
      const [length = 1, init = 0] = attrs;
      const places = placesOf(element, shape);
      const base = memory.take(bytes * length * places);
      const source = graph.delays.get(id)!;
      frameLines.set(id, { source, init, depth: length, places, base, capacity: 0, head: 0 });
    }
  });

  const held = heldPasts(graph, schedule, memory, element);
  for (const [id, source] of graph.delays) {
    const { attrs, shape, hop } = nodeOf(graph, id);
    const [length = 1, init = 0] = attrs;
    const places = placesOf(element, shape);
    if (hop > 1 || held.has(id)) continue;
    if (isCarry(id)) {
      // Without time there are no vectors of two: room for whole fours, as single precision has it.
      const lanes = graph.domain === 'once' ? placesOf(SINGLE, shape) : places;
      carries.set(id, memory.take(bytes * lanes));
      continue;
    }
    reach(source, init, length, places);
  }
  const tables = new Map<NodeId, Table>();
  graph.nodes.forEach(({ op, args, attrs, shape }, n) => {
    if (op === 'line') reach(args[0]!, 0, attrs[0]!, placesOf(element, shape));
    if (op !== 'rwtable') return;
    const [size, places] = [nodeOf(graph, args[0]!).shape, placesOf(element, shape)];
    tables.set(n as NodeId, { address: memory.take(bytes * size * places), size, places });
  });
  const made = new Map<string, Line>();
  // Lines of about the same length move together: what says how far is one number for all of them.
  const isStream = graph.domain === 'stream';
  const roomFor = (reached: number): number => Math.max(reached, frames);
  const likeOf = (reached: number): number => Math.ceil(Math.log2(roomFor(reached)));
  const movedTogether = new Map<number, { room: number; readonly head: number }>();
  for (const line of isStream ? depth.values() : []) {
    const like = likeOf(line.depth);
    const known = movedTogether.get(like) ?? { room: 0, head: memory.take(4) };
    known.room = Math.max(known.room, roomFor(line.depth));
    movedTogether.set(like, known);
  }
  for (const [key, line] of depth) {
    const { room, head } = movedTogether.get(likeOf(line.depth)) ?? { room: frames, head: 0 };
    const capacity = bytes * (line.depth + room);
    // A vector load at the end may reach over the last sample.
    made.set(key, { ...line, base: memory.take(capacity * line.places + 16), capacity, head });
  }
  for (const [id, source] of graph.delays) {
    const line = made.get(lineKey(source, nodeOf(graph, id).attrs[1]!));
    if (line !== undefined && !carries.has(id) && !held.has(id)) lines.set(id, line);
  }
  const framed = new Map(
    framings.map((id) => [id, made.get(lineKey(nodeOf(graph, id).args[0]!, 0))!]),
  );
  graph.nodes.forEach(({ op, args }, n) => {
    const line = op === 'line' ? made.get(lineKey(args[0]!, 0)) : undefined;
    if (line !== undefined) lines.set(n as NodeId, line);
  });
  return {
    element,
    lines,
    allLines: [...made.values()],
    framed,
    frameLines,
    overlaps,
    phases,
    carries,
    held,
    tables,
  };
}

/**
 * The pasts of numbers that are short enough, and that nothing reads but the loop which makes them:
 * others find in a line, for nothing, what they would ask to be stored for them.
 */
function heldPasts(
  graph: Graph,
  schedule: Schedule,
  memory: Memory,
  element: Element,
): ReadonlyMap<NodeId, Line> {
  const held = new Map<NodeId, Line>();
  if (graph.domain === 'once') return held;
  const loopOf = (id: NodeId): number | null => {
    const at = schedule.place.get(id);
    return at?.kind === 'serial' ? at.stage : null;
  };
  /** Pasts that are read in other ways, and delays that other loops read. */
  const read = new Set<NodeId>();
  graph.nodes.forEach(({ op, args }, n) => {
    if (op === 'line' || isFraming(op)) read.add(args[0]!);
    const loop = loopOf(n as NodeId);
    for (const arg of args) {
      if (graph.delays.has(arg) && loopOf(arg) !== loop) read.add(arg);
    }
  });
  const pasts = new Map<string, NodeId[]>();
  for (const [id, source] of graph.delays) {
    const key = lineKey(source, nodeOf(graph, id).attrs[1] ?? 0);
    const known = pasts.get(key);
    if (known === undefined) pasts.set(key, [id]);
    else known.push(id);
  }
  for (const delays of pasts.values()) {
    const source = graph.delays.get(delays[0]!)!;
    const depth = Math.max(...delays.map((id) => nodeOf(graph, id).attrs[0] ?? 1));
    const { shape, hop } = nodeOf(graph, source);
    // What is no signal has no loop.
    const loop = loopOf(hop === 0 ? delays[0]! : source);
    const isShort = depth <= LONGEST_HELD && shape === 1 && hop <= 1;
    if (!isShort || loop === null || read.has(source)) continue;
    // One sample alone is a carry.
    if (depth === 1 && delays.every((id) => schedule.circling.has(id))) continue;
    if (delays.some((id) => loopOf(id) !== loop || read.has(id))) continue;
    const [, init = 0] = nodeOf(graph, delays[0]!).attrs;
    const base = memory.take(element.bytes * depth);
    const line = { source, init, depth, places: 1, base, capacity: 0, head: 0 };
    for (const id of delays) held.set(id, line);
  }
  return held;
}

/** Lines into which recursions write reals: what is in them decays. */
export const recursiveLinesOf = (
  graph: Graph,
  { recursive }: Schedule,
  { lines, framed }: Storage,
): ReadonlySet<Line> =>
  new Set(
    [...recursive].flatMap((id) => {
      const line = lines.get(id) ?? framed.get(id);
      return line !== undefined && nodeOf(graph, line.source).type === 'real' ? [line] : [];
    }),
  );
