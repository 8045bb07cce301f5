/**
 * Which nodes run in which loop.
 *
 * Nodes that take part in a recursion, operations without a vector form, what is written into
 * tables, and vectors go into serial loops, one sample after the other (a vector several lanes at a
 * time); all other signals go into vector loops, several samples at a time (four, or two in double
 * precision), and so do weights times the last samples of a signal outside of recursion. Values that
 * are not signals are computed once, between loops. What comes every `hop` samples goes into frame loops, one round a frame. A stage is:
 * values, one vector loop, one serial loop, products summed over the window, frame loops; a node is
 * in the first stage where all it needs is there.
 *
 * A recursion waits for its own latency at every sample, so two in one loop cost little more than
 * one: cheap operations on the way from one recursion to the next join the serial loop, rather than
 * to divide it in two.
 *
 * Registers are few, though, and engines translate long loops slowly: a loop that is full goes on in the
 * next stage (1,000 low-passes side by side 6.2 to 2.0 ns each, 100 in series 2.1 to 1.1).
 *
 * Invariants: within a loop, nodes are in an order in which every operand, and every delay's source
 * outside of recursion, comes first; in a recursion the delays come first. Cost: linear.
 */

import { components } from '../ir/components.ts';
import {
  dependencies,
  isDelay,
  isFraming,
  isMemory,
  isOverlap,
  isReduction,
  isSignal,
  isTape,
  nodeOf,
} from '../ir/graph.ts';
import type { Graph, Node, NodeId } from '../ir/graph.ts';
import { isValueOp } from '../interpret/rules.ts';
import { OPS } from '../ir/ops.ts';
import type { OpKind } from '../ir/ops.ts';
import { estimate } from './estimate.ts';
import { WASM_RULES } from './rules.ts';
import type { FormRules } from './rules.ts';
import { ORDER } from './stages.ts';
import type { Kind, Place, Schedule } from './stages.ts';

/** Signals that lie in memory before any loop starts: each loop reads them where it needs them. */
const isResident = (graph: Graph, id: NodeId, frames: number): boolean => {
  const { op } = nodeOf(graph, id);
  return op === 'input' || isTape(op) || isLong(graph, id, frames);
};

/** Which signals that could go several samples at a time go into serial loops as well. */
type Joining = 'steps' | 'between' | 'all';
/** What is estimated for others by so much more than for the usual way: where they are near, they lose. */
const OTHERS = { between: 1.02, all: 1.06 } as const;

/** Larger graphs are scheduled in the usual way: it is near enough, and quicker to find. */
const MOST_NODES = 20_000;

/** What comes after so many nodes goes into the next loop: engines translate long ones slowly. */
const LONGEST_LOOP = 1000;
/** The same where one sample after the other is computed, and registers run out. */
const SHORTER_LOOP = 256;
const SHORT_LOOP = 64;

/**
 * @param frames   of a run at most
 * @param width    samples of a vector
 * @param isShort  runs are of one sample: several at a time would be computed for nothing
 */
export function schedule(graph: Graph, frames: number, width: number, isShort = false): Schedule {
  const isLarge = graph.nodes.length > MOST_NODES;
  const usual = arrange(graph, frames, 'steps', isShort, isLarge ? SHORTER_LOOP : LONGEST_LOOP);
  const isSerial = usual.stages.some(({ serial }) => serial.length > 0);
  if (graph.domain === 'once' || !isSerial || isLarge) return usual;
  const needs = needsOf(graph, frames);
  const costOf = (made: Schedule): number => estimate(graph, made, needs, width);
  let best = { made: usual, joining: 'steps' as Joining, cost: costOf(usual) };
  for (const joining of graph.domain === 'stream' ? (['between', 'all'] as const) : []) {
    const made = arrange(graph, frames, joining, isShort, LONGEST_LOOP);
    const cost = OTHERS[joining] * costOf(made);
    if (cost < best.cost) best = { made, joining, cost };
  }
  for (const longest of [SHORTER_LOOP, SHORT_LOOP]) {
    const { joining } = best;
    if (best.made.stages.every(({ serial }) => serial.length <= longest)) break;
    const made = arrange(graph, frames, joining, isShort, longest);
    const cost = (joining === 'steps' ? 1 : OTHERS[joining]) * costOf(made);
    if (cost < best.cost) best = { made, joining, cost };
  }
  return best.made;
}

/** @param longest  nodes of a serial loop, about: a recursion is not divided */
function arrange(
  graph: Graph,
  frames: number,
  joining: Joining,
  isShort: boolean,
  longest: number,
): Schedule {
  const needs = needsOf(graph, frames);
  const order = components(graph.nodes.length, needs);
  const place = new Map<NodeId, Place>();
  const recursive = new Set<NodeId>();
  const circling = new Set<NodeId>();
  const stages: Record<Kind, NodeId[]>[] = [];
  /** Stages before these are full. */
  const full = { vector: 0, serial: 0 };
  const feeding = leadsToSerial(graph, order, needs);
  const looped = operandsOfLoops(graph, order);
  const filters = isShort ? new Set<NodeId>() : filtersOf(graph);
  for (const component of components(graph.nodes.length, (id: NodeId) => dependencies(graph, id))) {
    const [first] = component as [NodeId];
    if (component.length === 1 && !dependencies(graph, first).includes(first)) continue;
    for (const id of component) {
      const { op } = nodeOf(graph, id);
      if (isDelay(op) || isFraming(op) || op === 'line') recursive.add(id);
    }
  }
  const leads = joining === 'between' ? leadsTo(order, needs, isSerialAnyway) : null;
  /** Cost of the way from the last recursion to a node that joined the serial loop. */
  const bridge = new Map<NodeId, number>();

  for (const component of order) {
    const [first] = component as [NodeId];
    if (isResident(graph, first, frames)) continue;
    const cyclic = component.length > 1 || needs(first).includes(first);
    const usual = graph.domain === 'once' ? 'value' : kindOf(graph, first, cyclic);
    const kind = usual === 'vector' && joinsSerial(first) ? 'serial' : usual;
    const members = new Set(component);
    // What has been written just now is slow to read at another place: filters wait for a loop.
    const waits = kind === 'vector' && isFraming(nodeOf(graph, first).op);
    let stage = waits && !isTape(nodeOf(graph, nodeOf(graph, first).args[0]!).op) ? 1 : 0;
    for (const id of component) {
      for (const dependency of needs(id)) {
        const at = members.has(dependency) ? undefined : place.get(dependency);
        if (at === undefined) continue;
        const { op } = nodeOf(graph, dependency);
        const later =
          waits ||
          isReduction(op) ||
          joinsFrames(graph, dependency) ||
          ORDER[at.kind] > ORDER[kind];
        stage = Math.max(stage, at.stage + (later ? 1 : 0));
      }
    }
    if (kind === 'vector') stage = roomIn(kind, stage, LONGEST_LOOP);
    if (kind === 'serial') stage = roomIn(kind, stage, longest);
    // What is put together from frames may have to be copied to where it is asked for.
    const last = stage + (joinsFrames(graph, first) ? 1 : 0);
    while (stages.length <= last) {
      stages.push({ value: [], vector: [], serial: [], product: [], frame: [] });
    }
    for (const id of component.toSorted((a, b) => a - b)) {
      place.set(id, { stage, kind });
      stages[stage]![kind].push(id);
      if (cyclic && isDelay(nodeOf(graph, id).op)) circling.add(id);
    }
  }
  return { stages, place, recursive, circling };

  /** The first stage from `stage` on whose loop is not full. */
  function roomIn(loop: 'vector' | 'serial', from: number, most: number): number {
    const isFull = (at: number): boolean => (stages[at]?.[loop].length ?? 0) >= most;
    while (isFull(full[loop])) full[loop]++;
    let at = Math.max(from, full[loop]);
    while (isFull(at)) at++;
    return at;
  }

  /** Is a node a cheap step from one serial loop to what would be another one? */
  function joinsSerial(id: NodeId): boolean {
    const { op, type } = nodeOf(graph, id);
    const isStep = isValueOp(op) || isDelay(op) || isGathered(op);
    if (joining === 'all') return isStep;
    if (joining === 'between') return isStep && leads!.has(id) && follows(id);
    if (!feeding.has(id) || !isStep || type === 'int') return false;
    const serial = needs(id).filter((d) => place.get(d)?.kind === 'serial');
    if (serial.length === 0) return false;
    const cost = Math.max(...serial.map((d) => bridge.get(d) ?? 0)) + OPS[op].cost;
    if (cost > BRIDGE_COST) return false;
    bridge.set(id, cost);
    return true;
  }

  /** Does it need something of a serial loop? */
  function follows(id: NodeId): boolean {
    return needs(id).some((d) => place.get(d)?.kind === 'serial');
  }

  function isSerialAnyway(id: NodeId, cyclic: boolean): boolean {
    return graph.domain !== 'once' && kindOf(graph, id, cyclic) === 'serial';
  }

  function kindOf(g: Graph, id: NodeId, cyclic: boolean): Kind {
    const node = nodeOf(g, id);
    const isFramed = node.hop > 1 || joinsFrames(g, id);
    if (isFramed || (node.op === 'sum' && nodeOf(g, node.args[0]!).hop > 1)) return 'frame';
    if (cyclic) return 'serial';
    if (node.op === 'sumOuter' || node.op === 'sumScatter') return 'product';
    if (node.op === 'sum') {
      // Added up in the loop that computes its operand.
      const isSerial = node.shape > 1 || place.get(node.args[0]!)?.kind === 'serial';
      return isSerial ? 'serial' : 'vector';
    }
    if (!isSignal(node)) return 'value';
    if (filters.has(id)) return 'vector';
    // Numbers are gathered, but where a recursion waits anyway.
    if (isGathered(node.op) && node.shape === 1) return looped.has(id) ? 'serial' : 'vector';
    if (isMemory(node.op) || isOverlap(node.op)) return 'serial';
    if (node.shape > 1 || node.args.some((a) => nodeOf(g, a).shape > 1)) return 'serial';
    if (!isValueOp(node.op)) return 'vector';
    const rules: FormRules = WASM_RULES[node.op];
    const takesInt = nodeOf(g, node.args.at(-1)!).type === 'int';
    return (takesInt ? rules.intVector : rules.vector) === null ? 'serial' : 'vector';
  }
}

/**
 * Is a signal put together from frames in a loop of theirs? Frames that come at every sample, and
 * reach back, are added up in the loop that makes them.
 */
const joinsFrames = (graph: Graph, id: NodeId): boolean => {
  const { op, attrs } = nodeOf(graph, id);
  return isOverlap(op) && !(op === 'overlapT' && attrs[0] === 1);
};

/** No delay of less is read as what came before a run. */
export const SHORTEST_RUN = 32;

/**
 * Does a delay of a stream reach back over whole runs? All that it reads is in memory before a run
 * starts, so it waits for nothing, and a recursion through it is none within a run.
 */
export function isLong(graph: Graph, id: NodeId, frames: number): boolean {
  const { op, attrs, hop } = nodeOf(graph, id);
  const [length = 1] = attrs;
  const isSampled = graph.domain === 'stream' && isDelay(op) && hop === 1;
  return isSampled && length >= Math.max(frames, SHORTEST_RUN);
}

export type Needs = (id: NodeId) => readonly NodeId[];

/** What has to be computed in the same run, before a node or together with it. */
export const needsOf =
  (graph: Graph, frames: number): Needs =>
  (id) =>
    isLong(graph, id, frames) ? [] : dependencies(graph, id);

/** Is it a row of weights times the last samples of a signal? */
export function isFilter(graph: Graph, id: NodeId): boolean {
  const { op, args, shape } = nodeOf(graph, id);
  if (op !== 'matvec' || shape > 1) return false;
  const [weights, frame] = args.map((a) => nodeOf(graph, a)) as [Node, Node];
  return frame.op === 'frames' && frame.hop === 1 && frame.shape > 1 && !isSignal(weights);
}

/** Filters, and the samples that only filters read: outside of recursion several samples at a time. */
function filtersOf(graph: Graph): ReadonlySet<NodeId> {
  const read = new Set<NodeId>([
    ...graph.outputs.map(({ node }) => node),
    ...graph.delays.values(),
  ]);
  const filters = new Set<NodeId>();
  graph.nodes.forEach(({ args }, n) => {
    const id = n as NodeId;
    if (isFilter(graph, id)) filters.add(id).add(args[1]!);
    else for (const arg of args) read.add(arg);
  });
  return new Set([...filters].filter((id) => isFilter(graph, id) || !read.has(id)));
}

/** What can be read at several places, one by one. */
const isGathered = (op: OpKind): boolean => op === 'lookup' || op === 'line';

/** About the operations that a recursion's latency leaves room for. */
const BRIDGE_COST = 24;

/** Operands of the members of recursions. */
function operandsOfLoops(graph: Graph, order: readonly (readonly NodeId[])[]): ReadonlySet<NodeId> {
  const loops = order.filter((component) => component.length > 1);
  return new Set(loops.flat().flatMap((id) => nodeOf(graph, id).args));
}

/** Nodes that a recursion or a vector depends on. */
const leadsToSerial = (
  graph: Graph,
  order: readonly (readonly NodeId[])[],
  needs: Needs,
): ReadonlySet<NodeId> =>
  leadsTo(order, needs, (id, cyclic) => cyclic || nodeOf(graph, id).shape > 1);

/** What those nodes need, and what that needs. */
function leadsTo(
  order: readonly (readonly NodeId[])[],
  needs: Needs,
  isMeant: (id: NodeId, cyclic: boolean) => boolean,
): ReadonlySet<NodeId> {
  const feeding = new Set<NodeId>();
  for (const component of order.toReversed()) {
    const [first] = component as [NodeId];
    const cyclic = component.length > 1 || needs(first).includes(first);
    if (!isMeant(first, cyclic) && !component.some((id) => feeding.has(id))) continue;
    for (const id of component) for (const d of needs(id)) feeding.add(d);
  }
  return feeding;
}
