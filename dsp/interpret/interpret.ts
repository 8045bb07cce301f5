/**
 * The reference interpreter: the oracle that generated code and gradients are checked against.
 *
 * Slow and plain on purpose: sample by sample, node by node, in double precision. With
 * `round: Math.fround` it follows binary32 code to the bit wherever IEEE 754 fixes the result.
 * It knows one graph; `run/interpreter-kernel` puts the three of a program together.
 */

import {
  dependencies,
  ids,
  isDelay,
  isFraming,
  isMemory,
  isOverlap,
  isReduction,
  isTape,
  nodeOf,
} from '../ir/graph.ts';
import type { Graph, Node, NodeId } from '../ir/graph.ts';
import { memoryOf } from './memory.ts';
import type { Memory } from './memory.ts';
import { STRUCTURES, evaluate, held, isStructureOp, isValueOp } from './rules.ts';

/** Where a graph's leaves get their values. */
export interface Leaves {
  input(channel: number, frame: number): number;
  slider(index: number): number;
  param(index: number): number;
  scalar(index: number): number;
  /** Frames before the window are negative. */
  tape(index: number, frame: number, lane: number): number;
}

const identity = (x: number): number => x;

/** One graph with its state. */
export class Interpreter {
  readonly graph: Graph;
  readonly #round: (x: number) => number;
  readonly #phases: readonly (readonly NodeId[])[];
  /** The past of each delay: [frames][lanes], a ring. */
  readonly #lines = new Map<NodeId, Float64Array>();
  readonly #heads = new Map<NodeId, number>();
  /** What `frames` has heard and `overlap` has still to say. */
  readonly #framed = new Map<NodeId, Float64Array>();
  /** Samples since the reset. */
  #clock = 0;
  /** Samples of this run. */
  #length = 0;
  /** Lines and tables. */
  readonly #memories = new Map<NodeId, Memory>();

  constructor(graph: Graph, round: (x: number) => number = identity) {
    this.graph = graph;
    this.#round = round;
    this.#phases = phases(graph);
    for (const id of graph.delays.keys()) {
      const { attrs, shape } = nodeOf(graph, id);
      this.#lines.set(id, new Float64Array(attrs[0]! * shape));
    }
    for (const id of ids(graph)) {
      const node = nodeOf(graph, id);
      if (isMemory(node.op)) this.#memories.set(id, memoryOf(graph, node, round));
    }
    this.reset();
  }

  reset(): void {
    for (const [id, line] of this.#lines) {
      line.fill(this.#typed(id, nodeOf(this.graph, id).attrs[1]!));
      this.#heads.set(id, 0);
    }
    for (const past of this.#framed.values()) past.fill(0);
    this.#clock = 0;
    for (const memory of this.#memories.values()) memory.reset();
  }

  /**
   * Runs the graph over `frames` samples.
   * @returns per output its values, [samples or frames][lanes]; a value that is no signal is [lanes]
   */
  run(leaves: Leaves, frames: number): Map<string, Float64Array> {
    const { graph } = this;
    if (graph.domain === 'backward') this.reset();
    this.#length = frames;
    const signals = graph.nodes.map(({ hop, shape }) => {
      const count = hop > 1 ? this.#ticks(hop, frames) : hop === 1 ? frames : 1;
      return new Float64Array(count * shape);
    });
    const read: Read = (id, frame) => {
      const { hop, shape } = nodeOf(graph, id);
      const values = signals[id]!;
      if (hop === 0) return values;
      const n = hop === 1 ? frame : this.#ticks(hop, frame + 1) - 1;
      return values.subarray(n * shape, (n + 1) * shape);
    };
    for (const phase of this.#phases) {
      for (const id of phase) {
        const node = nodeOf(graph, id);
        if (isReduction(node.op)) this.#reduce(node, signals[id]!, frames, read);
        else if (node.hop === 0) this.#compute(id, 0, signals[id]!, leaves, read);
      }
      for (let i = 0; i < frames; i++) {
        const frame = graph.domain === 'backward' ? frames - 1 - i : i;
        for (const id of phase) {
          const { hop, op } = nodeOf(graph, id);
          if (op === 'frames' || op === 'overlap') this.#listen(id, frame, read);
          if (hop > 0 && this.#isTick(hop, frame)) {
            this.#compute(id, frame, read(id, frame), leaves, read);
          }
        }
        for (const id of phase) {
          const { op, hop } = nodeOf(graph, id);
          if (isDelay(op) && this.#isTick(hop, frame)) {
            this.#push(id, read(graph.delays.get(id)!, frame));
          }
          if (isOverlap(op)) this.#advance(id);
        }
      }
    }
    if (graph.domain === 'once') {
      for (const [id, source] of graph.delays) this.#push(id, read(source, 0));
    }
    this.#clock += frames;
    return new Map(graph.outputs.map(({ name, node }) => [name, signals[node]!]));
  }

  /** How many frames end within so many samples from here on. */
  #ticks(hop: number, samples: number): number {
    return Math.floor(((this.#clock % hop) + samples) / hop);
  }

  /** Does a frame end at this sample of the run? */
  #isTick(hop: number, sample: number): boolean {
    return (this.#clock + sample + 1) % hop === 0;
  }

  /** What a node between samples and frames remembers: [lanes], the oldest or the next first. */
  #memory(id: NodeId): Float64Array {
    const { shape, args } = nodeOf(this.graph, id);
    let memory = this.#framed.get(id);
    if (memory === undefined) {
      memory = new Float64Array(Math.max(shape, nodeOf(this.graph, args[0]!).shape));
      this.#framed.set(id, memory);
    }
    return memory;
  }

  /** One more sample for `frames`; one more frame, if it comes now, for `overlap`. */
  #listen(id: NodeId, frame: number, read: Read): void {
    const { op, args, attrs } = nodeOf(this.graph, id);
    if (isTape(nodeOf(this.graph, args[0]!).op)) return;
    const memory = this.#memory(id);
    if (op === 'frames') {
      memory.copyWithin(0, 1);
      memory[memory.length - 1] = read(args[0]!, frame)[0]!;
    } else if (this.#isTick(attrs[0]!, frame)) {
      const values = read(args[0]!, frame);
      for (let k = 0; k < values.length; k++) memory[k]! += values[k]!;
    }
  }

  /** A sample of an overlap has been read. */
  #advance(id: NodeId): void {
    const memory = this.#memory(id);
    memory.copyWithin(0, 1);
    memory[memory.length - 1] = 0;
  }

  /** Frames and what they are put together to. */
  #frame(id: NodeId, frame: number, into: Float64Array, leaves: Leaves, read: Read): void {
    const { op, args, attrs, shape } = nodeOf(this.graph, id);
    const [source] = args as [NodeId];
    const from = nodeOf(this.graph, source);
    if (op === 'frames' && isTape(from.op)) {
      const [index = 0, lag = 0] = from.attrs;
      for (let k = 0; k < shape; k++) into[k] = leaves.tape(index, frame - shape + 1 + k - lag, 0);
    } else if (op === 'frames') {
      into.set(this.#memory(id));
    } else if (op === 'framesT') {
      const last = this.#length;
      for (let k = 0; k < shape; k++) into[k] = frame + k < last ? read(source, frame + k)[0]! : 0;
    } else {
      const memory = this.#memory(id);
      if (op === 'overlapT' && this.#isTick(attrs[0]!, frame)) {
        // In reversed time the last lane is the first that is read.
        const values = read(source, frame);
        for (let k = 0; k < values.length; k++) memory[k]! += values[values.length - 1 - k]!;
      }
      into[0] = this.#round(memory[0]!);
    }
  }

  /** A sum over the window: of a signal, or of the products of all lanes of two. */
  #reduce(node: Node, into: Float64Array, frames: number, read: Read): void {
    const totals = new Float64Array(into.length);
    if (node.op === 'sumScatter') {
      for (let k = 0; k < node.args.length; k += 2) {
        for (let n = 0; n < frames; n++) {
          const [value, index] = [read(node.args[k]!, n), read(node.args[k + 1]!, n)];
          totals[held(index[0]!, totals.length)]! += value[0]!;
        }
      }
      for (let lane = 0; lane < into.length; lane++) into[lane] = this.#round(totals[lane]!);
      return;
    }
    const hop = Math.max(1, ...node.args.map((arg) => nodeOf(this.graph, arg).hop));
    for (let n = hop - 1; n < frames; n += hop) {
      const [a, b] = node.args.map((arg) => read(arg, n)) as [Float64Array, Float64Array?];
      for (let lane = 0; lane < into.length; lane++) {
        totals[lane]! +=
          b === undefined ? a[lane]! : a[lane % a.length]! * b[Math.floor(lane / a.length)]!;
      }
    }
    for (let lane = 0; lane < into.length; lane++) into[lane] = this.#round(totals[lane]!);
  }

  /** One node at one frame, all lanes. */
  #compute(id: NodeId, frame: number, into: Float64Array, leaves: Leaves, read: Read): void {
    const { op, args, attrs, shape } = nodeOf(this.graph, id);
    if (isDelay(op)) {
      const from = this.#heads.get(id)! * shape;
      into.set(this.#lines.get(id)!.subarray(from, from + shape));
    } else if (isFraming(op) || isOverlap(op)) {
      this.#frame(id, frame, into, leaves, read);
    } else if (isMemory(op)) {
      this.#memories.get(id)!.step(
        into,
        args.map((arg) => read(arg, frame)),
      );
    } else if (isValueOp(op)) {
      const { type } = nodeOf(this.graph, args.at(-1)!);
      const operands = args.map((arg) => read(arg, frame));
      const lane = (k: number, i: number): number => {
        const values = operands[i];
        return values === undefined ? 0 : values[values.length === 1 ? 0 : k]!;
      };
      for (let k = 0; k < shape; k++) {
        into[k] = this.#typed(id, evaluate(op, type, lane(k, 0), lane(k, 1), lane(k, 2)));
      }
    } else if (isStructureOp(op)) {
      STRUCTURES[op](
        into,
        attrs,
        args.map((arg) => read(arg, frame)),
      );
      for (let k = 0; k < shape; k++) into[k] = this.#typed(id, into[k]!);
    } else {
      for (let k = 0; k < shape; k++) into[k] = this.#leaf(id, k, frame, leaves);
    }
  }

  #leaf(id: NodeId, lane: number, frame: number, leaves: Leaves): number {
    const { op, attrs } = nodeOf(this.graph, id);
    const [index = 0, lag = 0] = attrs;
    switch (op) {
      case 'const':
      case 'constInt':
        return this.#typed(id, attrs[lane]!);
      case 'input':
        return leaves.input(index, frame);
      case 'slider':
        return this.#round(leaves.slider(index));
      case 'param':
        return this.#round(leaves.param(index + lane));
      case 'scalar':
        return this.#round(leaves.scalar(index + lane));
      case 'tape':
      case 'tapeInt':
        return leaves.tape(index, frame - lag, lane);
      default:
        throw new Error(`${op} is no leaf`);
    }
  }

  #push(id: NodeId, values: Float64Array): void {
    const line = this.#lines.get(id)!;
    const head = this.#heads.get(id)!;
    line.set(values, head * values.length);
    this.#heads.set(id, (head + 1) % (line.length / values.length));
  }

  #typed(id: NodeId, value: number): number {
    return nodeOf(this.graph, id).type === 'int' ? value | 0 : this.#round(value);
  }
}

type Read = (id: NodeId, frame: number) => Float64Array;

/**
 * Nodes by the number of reductions in front of them: a sum needs the whole window of its operand
 * before anything that uses it can start.
 */
function phases(graph: Graph): NodeId[][] {
  const phase = new Array<number>(graph.nodes.length).fill(0);
  for (let changed = true; changed;) {
    changed = false;
    for (const id of ids(graph)) {
      const own = isReduction(nodeOf(graph, id).op) ? 1 : 0;
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
