/**
 * The reference interpreter: the oracle that generated code and gradients are checked against.
 *
 * Slow and plain on purpose: sample by sample, node by node, in double precision. With
 * `round: Math.fround` it follows binary32 code to the bit wherever IEEE 754 fixes the result.
 * It knows one graph; `run/interpreter-kernel` puts the three of a program together.
 */

import { dependencies, ids, isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { evaluate, isValueOp } from './rules.ts';

/** Where a graph's leaves get their values. */
export interface Leaves {
  input(channel: number, frame: number): number;
  slider(index: number): number;
  param(index: number): number;
  scalar(index: number): number;
  tape(index: number, frame: number): number;
}

const identity = (x: number): number => x;

/** One graph with its state. */
export class Interpreter {
  readonly graph: Graph;
  readonly #round: (x: number) => number;
  readonly #phases: readonly (readonly NodeId[])[];
  readonly #lines = new Map<NodeId, Float64Array>();
  readonly #heads = new Map<NodeId, number>();

  constructor(graph: Graph, round: (x: number) => number = identity) {
    this.graph = graph;
    this.#round = round;
    this.#phases = phases(graph);
    for (const id of graph.delays.keys()) {
      this.#lines.set(id, new Float64Array(nodeOf(graph, id).attrs[0]!));
    }
    this.reset();
  }

  reset(): void {
    for (const [id, line] of this.#lines) {
      line.fill(this.#typed(id, nodeOf(this.graph, id).attrs[1]!));
      this.#heads.set(id, 0);
    }
  }

  /**
   * Runs the graph over `frames` frames.
   * @returns per output its values, [frames]; a value that is not a signal has length 1
   */
  run(leaves: Leaves, frames: number): Map<string, Float64Array> {
    const { graph } = this;
    if (graph.domain === 'backward') this.reset();
    const signals = graph.nodes.map(({ rate }) => new Float64Array(rate === 'sample' ? frames : 1));
    const read = (id: NodeId, frame: number): number => {
      const values = signals[id]!;
      return values.length === 1 ? values[0]! : values[frame]!;
    };
    for (const phase of this.#phases) {
      for (const id of phase) {
        const node = nodeOf(graph, id);
        if (node.op === 'sum') {
          const of = node.args[0]!;
          let total = 0;
          for (let n = 0; n < frames; n++) total += read(of, n);
          signals[id]![0] = this.#round(total);
        } else if (node.rate !== 'sample') {
          signals[id]![0] = this.#value(id, 0, leaves, read);
        }
      }
      for (let i = 0; i < frames; i++) {
        const frame = graph.domain === 'backward' ? frames - 1 - i : i;
        for (const id of phase) {
          if (nodeOf(graph, id).rate === 'sample') {
            signals[id]![frame] = this.#value(id, frame, leaves, read);
          }
        }
        for (const id of phase) {
          if (isDelay(nodeOf(graph, id).op)) this.#push(id, read(graph.delays.get(id)!, frame));
        }
      }
    }
    if (graph.domain === 'once') {
      for (const [id, source] of graph.delays) this.#push(id, read(source, 0));
    }
    return new Map(graph.outputs.map(({ name, node }) => [name, signals[node]!]));
  }

  #value(
    id: NodeId,
    frame: number,
    leaves: Leaves,
    read: (id: NodeId, frame: number) => number,
  ): number {
    const { op, args, attrs } = nodeOf(this.graph, id);
    const attr = attrs[0] ?? 0;
    if (isDelay(op)) return this.#lines.get(id)![this.#heads.get(id)!]!;
    if (isValueOp(op)) {
      const last = args.at(-1)!;
      return this.#typed(
        id,
        evaluate(
          op,
          nodeOf(this.graph, last).type,
          read(args[0]!, frame),
          args[1] === undefined ? 0 : read(args[1], frame),
          args[2] === undefined ? 0 : read(args[2], frame),
        ),
      );
    }
    switch (op) {
      case 'const':
      case 'constInt':
        return this.#typed(id, attr);
      case 'input':
        return leaves.input(attr, frame);
      case 'slider':
        return this.#round(leaves.slider(attr));
      case 'param':
        return this.#round(leaves.param(attr));
      case 'scalar':
        return this.#round(leaves.scalar(attr));
      case 'tape':
      case 'tapeInt':
        return leaves.tape(attr, frame);
      case 'sum':
        throw new Error('a sum is computed between phases');
    }
  }

  #push(id: NodeId, value: number): void {
    const line = this.#lines.get(id)!;
    const head = this.#heads.get(id)!;
    line[head] = value;
    this.#heads.set(id, (head + 1) % line.length);
  }

  #typed(id: NodeId, value: number): number {
    return nodeOf(this.graph, id).type === 'int' ? value | 0 : this.#round(value);
  }
}

/**
 * Nodes by the number of reductions in front of them: a sum needs the whole window of its operand
 * before anything that uses it can start.
 */
function phases(graph: Graph): NodeId[][] {
  const phase = new Array<number>(graph.nodes.length).fill(0);
  for (let changed = true; changed;) {
    changed = false;
    for (const id of ids(graph)) {
      const own = nodeOf(graph, id).op === 'sum' ? 1 : 0;
      const p = Math.max(0, ...dependencies(graph, id).map((d) => phase[d]!)) + own;
      if (p > phase[id]!) {
        phase[id] = p;
        changed = true;
      }
    }
  }
  const result: NodeId[][] = [];
  for (const id of ids(graph)) (result[phase[id]!] ??= []).push(id);
  return Array.from(result, (list) => list ?? []);
}
