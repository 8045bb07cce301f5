/**
 * From a program and a loss to the graphs that compute the gradient.
 *
 * The loss is always pulled back to one cotangent per sample of estimate and target. Forward mode
 * multiplies those with recorded tangents; reverse mode goes on backwards through the program.
 * Invariant: what the backward graph needs of a window it finds on tapes, or computes again from
 * tapes where that is cheap; it never looks into the stream graph's state.
 */

import { Builder } from '../ir/builder.ts';
import { dependents, isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, Node, NodeId, Output } from '../ir/graph.ts';
import { OPS } from '../ir/ops.ts';
import { gradientName, tapeName } from '../ir/program.ts';
import { activity } from './active.ts';
import type { Activity } from './active.ts';
import { jvp, paramNodes } from './jvp.ts';
import { plus } from './partials.ts';
import { vjp } from './vjp.ts';

/** A loss over one window: from two signals of length `window` to one value. */
export type Loss = (b: Builder, estimate: NodeId, target: NodeId, window: number) => NodeId;

export interface Objective {
  readonly estimate: NodeId;
  readonly target: NodeId;
  readonly loss: Loss;
  /** Frames. */
  readonly window: number;
  /** Length of the parameter bank. */
  readonly params: number;
}

export interface Differentiated {
  /** The given graph with tangents (forward mode) and `tape:K` outputs. */
  readonly stream: Graph;
  readonly backward: Graph;
  readonly tapes: number;
}

/** Cheap values are computed again, up to this many operations deep, rather than recorded. */
const RECOMPUTE_DEPTH = 8;
const RECOMPUTE_COST = 1;

/** What the parameters' derivatives pass through on their way to estimate and target. */
export function objectiveActivity(stream: Graph, objective: Objective): Activity {
  return activity(stream, [...paramNodes(stream).values()], [objective.estimate, objective.target]);
}

export function differentiate(
  stream: Graph,
  objective: Objective,
  active: ReadonlySet<NodeId>,
  mode: 'forward' | 'reverse',
): Differentiated {
  const { estimate, target, window } = objective;
  const forward = Builder.from(stream);
  const backward = new Builder('backward');
  /** What is recorded, and its tape. */
  const recorded = new Map<NodeId, number>();
  const tape = (id: NodeId): NodeId => {
    const op = forward.type(id) === 'int' ? 'tapeInt' : 'tape';
    const index = recorded.get(id) ?? recorded.size;
    recorded.set(id, index);
    return backward.node(op, [], [index]);
  };

  // The loss, on leaves of its own: estimate and target are recorded as they are.
  const estimateLeaf = tape(estimate);
  const targetLeaf = tape(target);
  const loss = objective.loss(backward, estimateLeaf, targetLeaf, window);
  const lossGraph = backward.finish([{ name: 'loss', node: loss }]);
  const leaves = [estimateLeaf, targetLeaf];
  const pulled = vjp(
    backward,
    lossGraph,
    new Map([[loss, backward.real(1)]]),
    activity(lossGraph, leaves, [loss]).active,
    (id) => id,
    window,
  );
  const seeds = new Map<NodeId, NodeId>();
  for (const [signal, leaf] of [
    [estimate, estimateLeaf],
    [target, targetLeaf],
  ] as const) {
    const cotangent = pulled.get(leaf);
    if (cotangent !== undefined && active.has(signal)) seeds.set(signal, cotangent);
  }

  const gradients = new Map<number, NodeId>();
  if (mode === 'forward') {
    for (const [index, param] of paramNodes(stream)) {
      if (!active.has(param)) continue;
      const seed = new Map([[param, forward.real(1)]]);
      const own = activity(stream, [param], [...seeds.keys()]).active;
      const tangents = jvp(forward, stream, seed, own);
      let gradient: NodeId | null = null;
      for (const [signal, cotangent] of seeds) {
        const tangent = tangents.get(signal);
        if (tangent === undefined) continue;
        const term = backward.node('mul', [cotangent, tape(tangent)]);
        gradient = plus(backward, gradient, backward.node('sum', [term]));
      }
      if (gradient !== null) gradients.set(index, gradient);
    }
  } else {
    const isConstant = constantOverWindow(stream);
    const primal = recompute(stream, backward, tape, isConstant);
    const cotangents = vjp(backward, stream, seeds, active, primal, window, isConstant);
    for (const [index, param] of paramNodes(stream)) {
      const cotangent = cotangents.get(param);
      if (cotangent !== undefined) gradients.set(index, cotangent);
    }
  }

  const outputs: Output[] = [{ name: 'loss', node: loss }];
  for (let k = 0; k < objective.params; k++) {
    outputs.push({ name: gradientName(k), node: gradients.get(k) ?? backward.real(0) });
  }
  return {
    stream: forward.finish([
      ...stream.outputs,
      ...Array.from(recorded, ([node, k]) => ({ name: tapeName(k), node })),
    ]),
    backward: backward.finish(outputs),
    tapes: recorded.size,
  };
}

/** Parameters change at window ends only; a slider may be moved anywhere in a window. */
function constantOverWindow(stream: Graph): (id: NodeId) => boolean {
  const sliders = stream.nodes.flatMap(({ op }, id) => (op === 'slider' ? [id as NodeId] : []));
  const moving = dependents(stream, sliders);
  return (id) => nodeOf(stream, id).rate !== 'sample' && !moving.has(id);
}

/** Values of the stream graph inside of the backward graph: computed again, or from a tape. */
function recompute(
  stream: Graph,
  backward: Builder,
  tape: (id: NodeId) => NodeId,
  isConstant: (id: NodeId) => boolean,
): (id: NodeId) => NodeId {
  const known = new Map<NodeId, NodeId>();
  const again = ({ op, args, attrs }: Node): NodeId =>
    backward.node(
      op,
      args.map((a) => known.get(a)!),
      attrs,
    );
  // What is constant over the window stays so: a tape of it would be a signal.
  stream.nodes.forEach((node, i) => {
    if (isConstant(i as NodeId)) known.set(i as NodeId, again(node));
  });
  const value = (id: NodeId, depth: number): NodeId => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const node = nodeOf(stream, id);
    const isLeaf = node.args.length === 0;
    const isDear = isDelay(node.op) || OPS[node.op].cost > RECOMPUTE_COST;
    let made: NodeId;
    if (isLeaf || isDear || depth >= RECOMPUTE_DEPTH) {
      made = tape(id);
    } else {
      for (const arg of node.args) value(arg, depth + 1);
      made = again(node);
    }
    known.set(id, made);
    return made;
  };
  return (id) => value(id, 0);
}
