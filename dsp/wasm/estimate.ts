/**
 * About how long the loops of a schedule take, so that one can be chosen.
 *
 * A loop of several samples takes what its instructions take, divided by how many samples it does at a
 * time. A loop of one takes that or what its recursions wait for, whatever is more: the longest way
 * from a state to the next, by the samples in between. What one loop makes and another one reads is
 * stored and loaded. In cycles of a current x86-64, rough; only differences count. Cost: linear.
 */

import { components } from '../ir/components.ts';
import { isDelay, isSignal, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { OPS } from '../ir/ops.ts';
import type { OpKind } from '../ir/ops.ts';
import type { Needs } from './schedule.ts';
import { loopNumber } from './stages.ts';
import type { Schedule } from './stages.ts';

/** Of an instruction, where enough others are under way; of one number at a time. */
const BUSY = 0.4;
const BUSY_SERIAL = 0.5;
/** So many operations in a loop of one sample make all half as slow again: registers run out. */
const CROWDED = 400;
/** Of what takes a unit longer, alone or in a vector. */
const SLOW: Readonly<Partial<Record<OpKind, number>>> = { div: 4, sqrt: 6, rem: 6 };
/** What is read one by one, wherever the others are side by side. */
const SINGLY: Readonly<Partial<Record<OpKind, number>>> = { lookup: 1.5, line: 1.8 };
/** The same in a loop of one sample, with its index. */
const READ: Readonly<Partial<Record<OpKind, number>>> = { lookup: 3, line: 4, rwtable: 5 };
/** From operand to result. */
const WAIT: Readonly<Partial<Record<OpKind, number>>> = {
  div: 13,
  sqrt: 16,
  rem: 12,
  floor: 8,
  ceil: 8,
  trunc: 8,
  rint: 8,
  toInt: 7,
  toReal: 5,
  lookup: 7,
  line: 8,
  rwtable: 9,
  select: 2,
};
/** Counting and jumping back. */
const ROUND = 1.5;
/** Before the first round and after the last one, by the samples of a run. */
const LOOP = 40 / 128;

/** Of a function, for each unit of its cost: it is a polynomial, and waits for itself. */
const FUNCTION = 1.6;
/** Operations that cost more are functions. */
const PLAIN = 4;

function costOf(op: OpKind, busy: number): number {
  const { cost } = OPS[op];
  return SLOW[op] ?? READ[op] ?? (cost > PLAIN ? FUNCTION : busy) * cost;
}

/** Cycles of a sample. @param width  samples of a vector */
export function estimate(
  graph: Graph,
  { stages, place }: Schedule,
  needs: Needs,
  width: number,
): number {
  const waits = waitsOf(graph, needs);
  const loopOf = (id: NodeId): number | undefined => {
    const at = place.get(id);
    return at === undefined ? undefined : loopNumber(at);
  };
  /** What is read by other loops than the one that makes it, and by which. */
  const readers = new Map<NodeId, Set<number>>();
  graph.nodes.forEach(({ args }, n) => {
    const reader = loopOf(n as NodeId);
    if (reader === undefined) return;
    for (const arg of args) {
      const maker = loopOf(arg);
      if (maker === undefined || maker === reader) continue;
      const known = readers.get(arg);
      if (known === undefined) readers.set(arg, new Set([reader]));
      else known.add(reader);
    }
  });
  const stored = new Set([...graph.delays.values(), ...graph.outputs.map(({ node }) => node)]);
  let sum = 0;
  stages.forEach(({ vector, serial }) => {
    if (vector.length > 0) {
      sum += LOOP + ROUND / width;
      for (const id of vector) {
        const { op, args } = nodeOf(graph, id);
        const isSteady = op === 'line' && !isSignal(nodeOf(graph, args[1]!));
        sum += (isSteady ? BUSY / width : SINGLY[op]) ?? costOf(op, BUSY) / width;
        if (stored.has(id) || readers.has(id)) sum += 1 / width;
        sum += (BUSY * (readers.get(id)?.size ?? 0)) / width;
      }
    }
    if (serial.length > 0) {
      let busy = ROUND;
      let wait = 0;
      for (const id of serial) {
        const { op, shape } = nodeOf(graph, id);
        busy += costOf(op, BUSY_SERIAL) * Math.ceil(shape / width);
        if (readers.has(id)) busy += 1 + (BUSY * readers.get(id)!.size) / width;
        else if (stored.has(id)) busy += 0.6;
        wait = Math.max(wait, waits.get(id) ?? 0);
      }
      busy *= 1 + serial.length / (2 * CROWDED);
      sum += LOOP + Math.max(busy, wait) + 0.2 * Math.min(busy, wait);
    }
  });
  return sum;
}

/** What each member of a recursion waits for, a sample. */
function waitsOf(graph: Graph, needs: Needs): ReadonlyMap<NodeId, number> {
  const waits = new Map<NodeId, number>();
  for (const component of components(graph.nodes.length, needs)) {
    const [first] = component as [NodeId];
    if (component.length === 1 && !needs(first).includes(first)) continue;
    const ready = new Map<NodeId, number>();
    const delays: NodeId[] = [];
    for (const id of component.toSorted((a, b) => a - b)) {
      const { op, args, type } = nodeOf(graph, id);
      if (isDelay(op)) {
        delays.push(id);
        ready.set(id, 0);
        continue;
      }
      const own = WAIT[op] ?? (type === 'int' ? 1 : 4) * OPS[op].cost;
      ready.set(id, own + Math.max(0, ...args.map((arg) => ready.get(arg) ?? 0)));
    }
    const longest = delays.map((id) => {
      const [length = 1] = nodeOf(graph, id).attrs;
      return (ready.get(graph.delays.get(id)!) ?? 0) / length;
    });
    const wait = Math.max(...longest);
    for (const id of component) waits.set(id, wait);
  }
  return waits;
}
