/**
 * Adds last what a recursion has to wait for.
 *
 * A recursion takes as long per sample as the longest way from a state to the next one. In a sum
 * such as (b·x − a·y) + s, of which y comes last, two additions wait for y; in (b·x + s) − a·y it is
 * one. Of each sum of real terms inside of a recursion the two that are there first are added first,
 * then the next two. A sum is left as it is where that shortens nothing, so a recursion that is
 * written well keeps its rounding.
 *
 * When: after `fold`, before the last `prune`, which removes the sums in between. This is the only
 * pass that changes rounding: by at most (n − 1)·2⁻²⁴ of the sum of magnitudes of n terms. What adds
 * up rounding errors on purpose stays as it is: a sum in which a term occurs twice, as in
 * (x + c) − c, or is a sum of others, as in (t − s) − y with t = s + y. Cost: linear, but for long sums.
 */

import { rewrite } from '../ir/builder.ts';
import type { Builder } from '../ir/builder.ts';
import { components } from '../ir/components.ts';
import { dependencies, isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, Node, NodeId } from '../ir/graph.ts';
import { OPS } from '../ir/ops.ts';

/** Cycles of an operation of cost 1. */
const STEP = 4;
/** A state of one sample more can come so much later: about the length of a recursion. */
const SAMPLE = 3 * STEP;

/** Something to add, and when it is there: cycles after the newest state. */
interface Term {
  readonly made: Sum | NodeId;
  readonly ready: number;
  readonly isNegative: boolean;
}

interface Sum {
  readonly first: Term;
  readonly second: Term;
}

export function late(graph: Graph): Graph {
  const plans = plan(graph);
  if (plans.size === 0) return graph;
  const copies: NodeId[] = [];
  return rewrite(graph, (b, node, args) => {
    for (let k = 0; k < args.length; k++) copies[node.args[k]!] = args[k]!;
    const total = plans.get(node);
    if (total === undefined) return b.node(node.op, args, node.attrs);
    const made = write(b, total, copies);
    return total.isNegative ? b.node('neg', [made]) : made;
  });
}

/** A term without its sign. */
function write(b: Builder, { made }: Term, copies: readonly NodeId[]): NodeId {
  if (typeof made === 'number') return copies[made]!;
  const [x, y] = [write(b, made.first, copies), write(b, made.second, copies)];
  if (made.first.isNegative === made.second.isNegative) return b.node('add', [x, y]);
  return made.first.isNegative ? b.node('sub', [y, x]) : b.node('sub', [x, y]);
}

/** What to write instead of which sums. */
function plan(graph: Graph): ReadonlyMap<Node, Term> {
  const count = graph.nodes.length;
  /** Which recursion a node is part of, from 1; 0 for none. */
  const loop = new Int32Array(count);
  components(count, (id: NodeId) => dependencies(graph, id)).forEach((members, k) => {
    if (members.length > 1) for (const id of members) loop[id] = k + 1;
  });
  const uses = new Int32Array(count);
  const use = (id: NodeId): void => {
    uses[id]!++;
  };
  for (const { args } of graph.nodes) args.forEach(use);
  for (const source of graph.delays.values()) use(source);
  for (const { node } of graph.outputs) use(node);

  const isSum = (id: NodeId): boolean => {
    const { op, type } = nodeOf(graph, id);
    return type === 'real' && (op === 'add' || op === 'sub') && loop[id] !== 0;
  };
  /** When a node of the same recursion is there. */
  const ready = new Float64Array(count);
  const stateReady = (id: NodeId): number => {
    let at = 0;
    const seen = new Set<NodeId>();
    for (let state = id; isDelay(nodeOf(graph, state).op) && !seen.has(state);) {
      seen.add(state);
      at -= SAMPLE * nodeOf(graph, state).attrs[0]!;
      state = graph.delays.get(state)!;
    }
    return at + SAMPLE;
  };
  const readyIn = (id: NodeId, own: number | undefined): number => {
    if (loop[id] !== own) return -Infinity;
    return isDelay(nodeOf(graph, id).op) ? stateReady(id) : ready[id]!;
  };
  const latency = (id: NodeId): number => STEP * OPS[nodeOf(graph, id).op].cost;

  /** The terms of a sum: through sums of the same recursion that nothing else uses. */
  const terms = (id: NodeId, isNegative: boolean, into: Term[]): Term[] => {
    nodeOf(graph, id).args.forEach((arg, k) => {
      const sign = isNegative !== (k === 1 && nodeOf(graph, id).op === 'sub');
      const isInner = isSum(arg) && uses[arg] === 1 && loop[arg] === loop[id];
      if (isInner) terms(arg, sign, into);
      else into.push({ made: arg, ready: readyIn(arg, loop[id]), isNegative: sign });
    });
    return into;
  };

  /** Is there a term that others of them take away again? */
  const isDeliberate = (parts: readonly Term[]): boolean => {
    const nodes = new Set(parts.map(({ made }) => made as NodeId));
    const holdsOthers = (id: NodeId): boolean => {
      const { op, args } = nodeOf(graph, id);
      return (op === 'add' || op === 'sub') && args.some((arg) => nodes.has(arg));
    };
    return nodes.size < parts.length || [...nodes].some(holdsOthers);
  };

  const plans = new Map<Node, Term>();
  graph.nodes.forEach((node, n) => {
    const id = n as NodeId;
    if (loop[id] === 0 || isDelay(node.op)) return;
    const own = loop[id];
    const now = Math.max(...node.args.map((arg) => readyIn(arg, own))) + latency(id);
    ready[id] = now;
    if (!isSum(id)) return;
    const parts = terms(id, false, []);
    if (parts.length < 3 || isDeliberate(parts)) return;
    const total = arranged(parts);
    if (total.ready >= now) return;
    ready[id] = total.ready;
    plans.set(node, total);
  });
  return plans;
}

/** The sum of terms, those that are there first added first; of equals, those that stand first. */
function arranged(parts: readonly Term[]): Term {
  const waiting = parts.toSorted((a, b) => a.ready - b.ready);
  while (waiting.length > 1) {
    const [first, second] = waiting.splice(0, 2) as [Term, Term];
    const isNegative = first.isNegative && second.isNegative;
    const sum: Term = {
      made: { first, second },
      ready: Math.max(first.ready, second.ready) + STEP,
      isNegative,
    };
    const at = waiting.findIndex(({ ready }) => ready > sum.ready);
    waiting.splice(at < 0 ? waiting.length : at, 0, sum);
  }
  return waiting[0]!;
}
