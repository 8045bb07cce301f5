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
import type { Graph, NodeId } from '../ir/graph.ts';
import { placesOf } from './body.ts';
import type { Line, Storage } from './memory.ts';

/** Cost: linear in the states. */
export function statesOf(graph: Graph, storage: Storage): StateSlot[] {
  if (graph.domain === 'backward') return [];
  const { domain } = graph;
  const slots: StateSlot[] = [];
  const past = new Map<Line, string[]>();

  for (const [id, names] of graph.states) {
    const { op, type, shape, hop, attrs } = nodeOf(graph, id);
    const real = domain === 'once' ? 'f64' : 'f32';
    const common = { graph: domain, names, type: type === 'int' ? 'i32' : real } as const;
    const carry = storage.carries.get(id);
    const frames = storage.frameLines.get(id);
    const overlap = storage.overlaps.get(id);
    const table = storage.tables.get(id);
    const line = storage.lines.get(id) ?? storage.framed.get(id);
    if (carry !== undefined) {
      const places = domain === 'once' ? shape : placesOf(shape);
      slots.push({ ...common, kind: 'carry', address: carry, frames: 1, places, head: 0, hop });
    } else if (frames !== undefined && isDelay(op)) {
      const { base: address, depth, places } = frames;
      slots.push({ ...common, kind: 'line', address, frames: depth, places, head: 0, hop });
    } else if (overlap !== undefined) {
      const { base: address, size } = overlap;
      const [step = 1] = attrs;
      const kind = 'overlap';
      slots.push({ ...common, kind, address, frames: size, places: 1, head: 0, hop: step });
    } else if (table !== undefined) {
      const { address, size, places } = table;
      slots.push({ ...common, kind: 'table', address, frames: size, places, head: 0, hop });
    } else if (line !== undefined) {
      const known = past.get(line);
      if (known === undefined) past.set(line, [...names]);
      else known.push(...names);
    }
  }
  for (const [line, names] of past) {
    const { source, base: address, depth: frames, places, head } = line;
    const type = typeOf(graph, source);
    slots.push({ graph: domain, names, type, kind: 'line', address, frames, places, head, hop: 1 });
  }
  for (const [hop, address] of storage.phases) {
    const names = [`hop ${hop}`];
    const type = 'i32';
    const kind = 'phase';
    slots.push({ graph: domain, names, type, kind, address, frames: 1, places: 1, head: 0, hop });
  }
  return slots;
}

const typeOf = (graph: Graph, id: NodeId): 'f32' | 'i32' =>
  nodeOf(graph, id).type === 'int' ? 'i32' : 'f32';
