/**
 * Operations with a memory of their own: lines and tables, and their adjoints in reversed time.
 *
 * Invariant: one step stores before it reads, so that an index of 0 sees the same sample; indices
 * are held to their range. Slow and plain, as the interpreter is.
 */

import { nodeOf } from '../ir/graph.ts';
import type { Graph, MemoryOp, Node } from '../ir/graph.ts';
import { held } from './rules.ts';

export interface Memory {
  reset(): void;
  /** The next sample: of all operands, and into the result, all lanes. */
  step(into: Float64Array, operands: readonly Float64Array[]): void;
}

type Make = (lanes: number, size: number, start: readonly number[], round: Round) => Memory;
type Round = (x: number) => number;

const MAKE: { readonly [K in MemoryOp]: Make } = {
  // The past, a ring: y[t] = x[t − d].
  line: (lanes, max) => {
    const ring = new Float64Array((max + 1) * lanes);
    let head = 0;
    return {
      reset: () => ring.fill(0),
      step: (into, [x, d]) => {
        ring.set(x!, head * lanes);
        const from = (head + max + 1 - held(d![0]!, max + 1)) % (max + 1);
        into.set(ring.subarray(from * lanes, (from + 1) * lanes));
        head = (head + 1) % (max + 1);
      },
    };
  },
  // What later steps will give, a ring: d steps on, v is added.
  lineT: (lanes, max, _, round) => {
    const ring = new Float64Array((max + 1) * lanes);
    let head = 0;
    return {
      reset: () => ring.fill(0),
      step: (into, [v, d]) => {
        const to = (head + held(d![0]!, max + 1)) % (max + 1);
        for (let k = 0; k < lanes; k++) {
          ring[to * lanes + k] = round(ring[to * lanes + k]! + v![k]!);
          into[k] = ring[head * lanes + k]!;
          ring[head * lanes + k] = 0;
        }
        head = (head + 1) % (max + 1);
      },
    };
  },
  rwtable: (lanes, size, start, round) => {
    const table = new Float64Array(size * lanes);
    return {
      reset: () => {
        for (let k = 0; k < table.length; k++) table[k] = round(start[Math.floor(k / lanes)]!);
      },
      step: (into, [, w, wi, ri]) => {
        table.set(w!, held(wi![0]!, size) * lanes);
        const from = held(ri![0]!, size) * lanes;
        into.set(table.subarray(from, from + lanes));
      },
    };
  },
  rwtableT: (lanes, size, _, round) => {
    const table = new Float64Array(size * lanes);
    return {
      reset: () => table.fill(0),
      step: (into, [v, wi, ri]) => {
        const to = held(ri![0]!, size) * lanes;
        for (let k = 0; k < lanes; k++) table[to + k] = round(table[to + k]! + v![k]!);
        const from = held(wi![0]!, size) * lanes;
        into.set(table.subarray(from, from + lanes));
        table.fill(0, from, from + lanes);
      },
    };
  },
};

/** The memory of a node, as yet without a state: it needs a reset. */
export function memoryOf(graph: Graph, { op, args, attrs, shape }: Node, round: Round): Memory {
  const start = op === 'rwtable' ? nodeOf(graph, args[0]!).attrs : [];
  return MAKE[op as MemoryOp](shape, attrs[0] ?? start.length, start, round);
}
