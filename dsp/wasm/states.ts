/**
 * What of a module's memory outlives an exchange of programs: every state that has a name, and where
 * it lies.
 *
 * Invariant: the list follows from the graph and its storage alone and adds nothing to the code. A
 * past that several delays share is listed once, with all their names. Recordings for the gradient
 * are not listed: they belong to a window, not to the program.
 */

import type { StateSlot } from '../artifact.ts';
import { isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph } from '../ir/graph.ts';
import { placesOf } from './element.ts';
import type { Line, Storage } from './memory.ts';

/** Cost: linear in the states. */
export function statesOf(graph: Graph, storage: Storage): StateSlot[] {
  if (graph.domain === 'backward') return [];
  const { domain } = graph;
  const { element } = storage;
  const { bytes } = element;
  const real = element.scalar;
  const slots: StateSlot[] = [];
  const past = new Map<Line, string[]>();

  for (const [id, names] of graph.states) {
    const { op, type, shape: lanes, hop, attrs } = nodeOf(graph, id);
    const common = {
      graph: domain,
      names,
      type: type === 'int' ? 'i32' : real,
      frames: 1,
      lanes,
      places: domain === 'once' ? lanes : placesOf(element, lanes),
      bytes,
      head: 0,
      hop,
    } as const;
    const carry = storage.carries.get(id);
    const frames = storage.frameLines.get(id);
    const overlap = storage.overlaps.get(id);
    const table = storage.tables.get(id);
    const line = storage.held.get(id) ?? storage.lines.get(id) ?? storage.framed.get(id);
    if (carry !== undefined) {
      slots.push({ ...common, kind: 'carry', address: carry });
    } else if (frames !== undefined && isDelay(op)) {
      slots.push({ ...common, kind: 'line', address: frames.base, frames: frames.depth });
    } else if (overlap !== undefined) {
      const { base: address, size } = overlap;
      slots.push({ ...common, kind: 'overlap', address, frames: size, hop: attrs[0]! });
    } else if (table !== undefined) {
      slots.push({ ...common, kind: 'table', address: table.address, frames: table.size });
    } else if (line !== undefined) {
      const known = past.get(line);
      if (known === undefined) past.set(line, [...names]);
      else known.push(...names);
    }
  }
  for (const [{ source, base: address, depth: frames, places, head }, names] of past) {
    const { type: of, shape: lanes } = nodeOf(graph, source);
    const type = of === 'int' ? 'i32' : real;
    const kind = 'line';
    const hop = 1;
    const place = { kind, address, frames, lanes, places, bytes, head, hop } as const;
    slots.push({ graph: domain, names, type, ...place });
  }
  for (const [hop, address] of storage.phases) {
    const one = { frames: 1, lanes: 1, places: 1, bytes, head: 0 };
    const names = [`hop ${hop}`];
    slots.push({ graph: domain, names, type: 'i32', kind: 'phase', address, ...one, hop });
  }
  return slots;
}
