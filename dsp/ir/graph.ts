/**
 * The IR: a synchronous step machine as an immutable graph.
 *
 * One step maps (state, inputs, controls) to (state', outputs). State is in delays, lines and tables
 * alone. A value is a number or a vector whose length is known when the graph is built.
 * Invariants (checked by `verify`): operands come before the nodes that use them; only a delay
 * may look at a later node, through `delays`; every delay has a source of its own type; only the
 * Builder makes nodes, and equal nodes are one node; a name of a state stands once, at a node that
 * keeps state from run to run.
 */

import type { OpKind, ValueType } from './ops.ts';

/** Index into `Graph.nodes`. */
export type NodeId = number & { readonly __brand: 'NodeId' };

/**
 * How often a value changes. `const`: never; `block`: when a control changes, or once a window for
 * a reduction; `frame`: every `hop` samples, at the last of them; `sample`: every sample.
 */
export type Rate = 'const' | 'block' | 'frame' | 'sample';

export interface Node {
  readonly op: OpKind;
  readonly args: readonly NodeId[];
  /** In the order of `OPS[op].attrs`. */
  readonly attrs: readonly number[];
  readonly type: ValueType;
  readonly rate: Rate;
  /** Lanes: 1 for a number, more for a vector. */
  readonly shape: number;
  /** Samples from one value to the next; 0 for what is no signal. */
  readonly hop: number;
}

/**
 * How a graph is run.
 * `stream`: over any number of samples in order, state kept from run to run.
 * `backward`: over one whole training window from its last sample to its first, delays reaching
 *   into the later samples of the window and reading `init` beyond its end.
 * `once`: one step per run, state kept; has no signals.
 */
export type Domain = 'stream' | 'backward' | 'once';

export interface Output {
  readonly name: string;
  readonly node: NodeId;
}

export interface Graph {
  readonly domain: Domain;
  readonly nodes: readonly Node[];
  /** The source of each delay node. */
  readonly delays: ReadonlyMap<NodeId, NodeId>;
  /**
   * Names of states, by which another version of the program takes them over. A node that several
   * parts of a patch share has all of their names; one without a name starts afresh.
   */
  readonly states: ReadonlyMap<NodeId, readonly string[]>;
  readonly outputs: readonly Output[];
}

export const isDelay = (op: OpKind): op is 'delay' | 'delayInt' =>
  op === 'delay' || op === 'delayInt';

/** Does it have its own value at every sample or frame? */
export const isSignal = ({ hop }: Node): boolean => hop > 0;

/** One value from all samples of a window. */
export const isReduction = (op: OpKind): op is 'sum' | 'sumOuter' | 'sumScatter' =>
  op === 'sum' || op === 'sumOuter' || op === 'sumScatter';

/** Operations with a memory of their own, into which an operand of the same sample goes. */
export type MemoryOp = 'line' | 'lineT' | 'rwtable' | 'rwtableT';
export const isMemory = (op: OpKind): op is MemoryOp =>
  op === 'line' || op === 'lineT' || op === 'rwtable' || op === 'rwtableT';

/** A recording of the stream graph. */
export const isTape = (op: OpKind): op is 'tape' | 'tapeInt' => op === 'tape' || op === 'tapeInt';

/** From samples to frames. */
export const isFraming = (op: OpKind): op is 'frames' | 'framesT' =>
  op === 'frames' || op === 'framesT';

/** From frames to samples. */
export const isOverlap = (op: OpKind): op is 'overlap' | 'overlapT' =>
  op === 'overlap' || op === 'overlapT';

/** Does it keep something from run to run? */
export const hasState = (op: OpKind): boolean =>
  isDelay(op) || op === 'line' || op === 'rwtable' || op === 'frames' || op === 'overlap';

/** Ids of a graph's nodes, in order. */
export const ids = (graph: Graph): readonly NodeId[] => graph.nodes.map((_, i) => i as NodeId);

/** The node behind an id; an id from another graph is a broken invariant. */
export function nodeOf(graph: Pick<Graph, 'nodes'>, id: NodeId): Node {
  const node = graph.nodes[id];
  if (node === undefined) throw new Error(`no node ${id} in a graph of ${graph.nodes.length}`);
  return node;
}

export function outputOf(graph: Graph, name: string): NodeId {
  const output = graph.outputs.find((o) => o.name === name);
  if (output === undefined) throw new Error(`the graph has no output "${name}"`);
  return output.node;
}

/** What a node is computed from: its operands, and for a delay its source. */
export function dependencies(graph: Graph, id: NodeId): readonly NodeId[] {
  const source = graph.delays.get(id);
  return source === undefined ? nodeOf(graph, id).args : [source];
}

/**
 * The nodes that `roots` depend on, through delays too. Cost: linear in the graph.
 */
export function reach(graph: Graph, roots: Iterable<NodeId>): ReadonlySet<NodeId> {
  const seen = new Set<NodeId>(roots);
  const open = [...seen];
  const visit = (id: NodeId): void => {
    if (seen.has(id)) return;
    seen.add(id);
    open.push(id);
  };
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const source = graph.delays.get(id);
    if (source === undefined) nodeOf(graph, id).args.forEach(visit);
    else visit(source);
  }
  return seen;
}

/**
 * The nodes that depend on one of `sources`, through delays too, the sources included.
 * Cost: linear in the graph.
 */
export function dependents(graph: Graph, sources: Iterable<NodeId>): ReadonlySet<NodeId> {
  const users = new Map<NodeId, NodeId[]>();
  for (const id of ids(graph)) {
    for (const dependency of dependencies(graph, id)) {
      const list = users.get(dependency);
      if (list === undefined) users.set(dependency, [id]);
      else list.push(id);
    }
  }
  const seen = new Set<NodeId>(sources);
  const open = [...seen];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const next of users.get(id) ?? []) {
      if (!seen.has(next)) {
        seen.add(next);
        open.push(next);
      }
    }
  }
  return seen;
}
