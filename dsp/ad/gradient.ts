/**
 * From a program and a loss to the graphs that compute the gradient.
 *
 * The loss is always pulled back to one cotangent per sample of estimate and target. Forward mode
 * multiplies those with recorded tangents; reverse mode goes on backwards through the program.
 * Invariant: what the backward graph needs of a window it finds on tapes, or computes again from
 * tapes where that is cheap; it never looks into the stream graph's state.
 */

import { Builder } from '../ir/builder.ts';
import {
  dependents,
  ids,
  isDelay,
  isFraming,
  isOverlap,
  isSignal,
  nodeOf,
  reach,
} from '../ir/graph.ts';
import type { Graph, Node, NodeId, Output } from '../ir/graph.ts';
import { OPS } from '../ir/ops.ts';
import { gradientName, tapeName } from '../ir/program.ts';
import { activity, hasMemory } from './active.ts';
import type { Activity } from './active.ts';
import { isPackable, jvp, paramNodes } from './jvp.ts';
import { plus } from './partials.ts';
import { vjp } from './vjp.ts';

/** A loss over one window: from two signals of length `window` to one value. */
export type Loss = (b: Builder, estimate: NodeId, target: NodeId, window: number) => NodeId;

export interface Objective {
  readonly estimate: NodeId;
  readonly target: NodeId;
  readonly loss: Loss;
  /** Samples. */
  readonly window: number;
  /**
   * Samples before the window that reverse mode goes on through, with what was recorded there: what
   * the parameters did then is counted to the loss of this window. 0 truncates at the window.
   */
  readonly carry?: number;
  /** Length of the parameter bank. */
  readonly params: number;
  /** Of the numbers in the bank: tangents that are states get their names from them. */
  readonly names?: readonly string[];
}

/** Which way a parameter is differentiated. */
export type Way = 'forward' | 'reverse';

export interface Differentiated {
  /** The given graph with tangents (forward mode) and `tape:K` outputs. */
  readonly stream: Graph;
  /** With a carry-over the loss has a graph of its own, which records its cotangents on tapes. */
  readonly loss: Graph | null;
  readonly backward: Graph;
}

/** Records a node's signal: it as it was `lag` frames before, in the backward graph. */
type Record = (id: NodeId, lag?: number) => NodeId;

/** Cheap values are computed again, up to this many operations deep, rather than recorded. */
const RECOMPUTE_DEPTH = 8;
const RECOMPUTE_COST = 1;

/** What the parameters' derivatives pass through on their way to estimate and target. */
export function objectiveActivity(stream: Graph, objective: Objective): Activity {
  return activity(stream, [...paramNodes(stream).values()], [objective.estimate, objective.target]);
}

/**
 * The loss and its gradient.
 *
 * @param way  of each parameter's node; both may be used in one program
 */
export function differentiate(
  stream: Graph,
  objective: Objective,
  active: ReadonlySet<NodeId>,
  way: Way | ((param: NodeId) => Way),
): Differentiated {
  const { estimate, target, window, carry = 0 } = objective;
  const forward = Builder.from(stream);
  const backward = new Builder('backward');
  /** The recorded nodes, by tape; a tape without one is recorded by the loss. */
  const tapes: (NodeId | null)[] = [];
  const indexOf = new Map<NodeId, number>();
  const read = (b: Builder, id: NodeId, lag: number): NodeId => {
    if (forward.type(id) === 'int' && forward.shape(id) > 1) {
      // Vectors are recorded as reals, exact up to 2²⁴.
      return b.node('toInt', [read(b, forward.node('toReal', [id]), lag)]);
    }
    const index = indexOf.get(id) ?? tapes.push(id) - 1;
    indexOf.set(id, index);
    const hop = Math.max(1, nodeOf(forward, id).hop);
    return forward.type(id) === 'int'
      ? b.node('tapeInt', [], [index, lag, hop])
      : b.node('tape', [], [index, lag, hop, forward.shape(id)]);
  };
  const tape: Record = (id, lag = 0) => read(backward, id, lag);

  // The loss, on leaves of its own: estimate and target are recorded as they are.
  const own = carry > 0 ? new Builder('backward') : backward;
  const leaves = [read(own, estimate, 0), read(own, target, 0)] as const;
  const loss = objective.loss(own, ...leaves, window);
  const lossGraph = own.finish([{ name: 'loss', node: loss }]);
  const pulled = vjp(
    own,
    lossGraph,
    new Map([[loss, own.real(1)]]),
    activity(lossGraph, leaves, [loss]).active,
    (id) => id,
    window,
  );
  const seeds = new Map<NodeId, NodeId>();
  const seedOutputs: Output[] = [];
  [estimate, target].forEach((signal, k) => {
    const cotangent = pulled.get(leaves[k]!);
    if (cotangent === undefined || !active.has(signal)) return;
    if (carry === 0) {
      seeds.set(signal, cotangent);
      return;
    }
    const index = tapes.push(null) - 1;
    seedOutputs.push({ name: tapeName(index), node: cotangent });
    seeds.set(signal, backward.node('tape', [], [index]));
  });

  const wayOf = typeof way === 'function' ? way : () => way;
  const signals = [...seeds.keys()];
  /** What the derivatives of the parameters of one way pass through. */
  const through = (which: Way): ReadonlySet<NodeId> => {
    const wrt = [...paramNodes(stream).values()].filter((p) => active.has(p) && wayOf(p) === which);
    return wrt.length === 0 ? new Set() : activity(stream, wrt, signals).active;
  };

  const gradients = new Map<number, NodeId>();
  for (const group of tangentGroups(stream, through('forward'))) {
    const wrt = group.map(({ node }) => node);
    const reached = activity(stream, wrt, signals).active;
    const name = group.map(({ index }) => objective.names?.[index] ?? index).join('+');
    const tangents = jvp(forward, stream, oneHot(forward, group), reached, group.length, name);
    let gradient: NodeId | null = null;
    for (const [signal, cotangent] of seeds) {
      const tangent = tangents.get(signal);
      if (tangent === undefined) continue;
      const term = backward.node('mul', [cotangent, tape(tangent)]);
      gradient = plus(backward, gradient, backward.node('sum', [term]));
    }
    if (gradient === null) continue;
    const total: NodeId = gradient;
    const isShared = group.length > 1;
    group.forEach(({ index }, lane) => {
      gradients.set(index, isShared ? backward.node('slice', [total], [lane, 1]) : total);
    });
  }

  const reverse = through('reverse');
  if (reverse.size > 0) {
    const isConstant = constantOverWindow(stream);
    const primal = recompute(stream, backward, tape, isConstant);
    // A carry-over may reach back to before the first sample, where recordings hold zeros: no
    // parameter has done anything there.
    const hasRun = (hop: number): NodeId => {
      const one = tape(forward.real(1));
      const here = hop > 1 ? backward.node('frames', [one], [hop, 1]) : one;
      return backward.node('gt', [here, backward.real(0)]);
    };
    const cotangents = vjp(
      backward,
      stream,
      seeds,
      reverse,
      primal,
      window + carry,
      isConstant,
      carry > 0 ? hasRun : null,
    );
    for (const [index, param] of paramNodes(stream)) {
      const cotangent = cotangents.get(param);
      if (cotangent !== undefined) gradients.set(index, cotangent);
    }
  }

  const lossOutput: Output = { name: 'loss', node: loss };
  const outputs: Output[] = carry === 0 ? [lossOutput] : [];
  for (let k = 0; k < objective.params;) {
    const node = gradients.get(k) ?? backward.real(0);
    outputs.push({ name: gradientName(k), node });
    k += backward.shape(node);
  }
  const recorded = tapes.flatMap((node, k) => (node === null ? [] : [{ name: tapeName(k), node }]));
  return {
    stream: forward.finish([...stream.outputs, ...recorded]),
    loss: carry === 0 ? null : own.finish([lossOutput, ...seedOutputs]),
    backward: backward.finish(outputs),
  };
}

/** A number of the parameter bank: a parameter, or a lane of one. */
interface Direction {
  readonly index: number;
  readonly node: NodeId;
  readonly lane: number;
}

/** Tangents that ride side by side: the lanes of one machine vector. */
const DIRECTIONS = 4;

/**
 * What each forward pass differentiates with respect to. Parameters go together in the order in
 * which the signal meets them, so that a group starts as late as it can.
 */
export function tangentGroups(
  stream: Graph,
  active: ReadonlySet<NodeId>,
): readonly (readonly Direction[])[] {
  const all = [...paramNodes(stream)]
    .filter(([, node]) => active.has(node))
    .flatMap(([index, node]): Direction[] =>
      Array.from({ length: nodeOf(stream, node).shape }, (_, lane) => ({
        index: index + lane,
        node,
        lane,
      })),
    );
  const size = isPackable(stream, active) && hasMemory(stream, active) ? DIRECTIONS : 1;
  if (size > 1) {
    const first = new Map<NodeId, number>();
    stream.nodes.forEach(({ args }, id) => {
      for (const arg of args) if (!first.has(arg)) first.set(arg, id);
    });
    all.sort((a, b) => (first.get(a.node) ?? 0) - (first.get(b.node) ?? 0));
  }
  const groups: Direction[][] = [];
  for (let k = 0; k < all.length; k += size) groups.push(all.slice(k, k + size));
  return groups;
}

/** The tangents of a group's parameters: 1 in its own direction. */
function oneHot(b: Builder, group: readonly Direction[]): ReadonlyMap<NodeId, NodeId> {
  const [first] = group as [Direction];
  const unit = (lanes: number, at: number): NodeId =>
    b.node(
      'const',
      [],
      Array.from({ length: lanes }, (_, k) => (k === at ? 1 : 0)),
    );
  if (group.length > 1) {
    return new Map(group.map(({ node }, k) => [node, unit(group.length, k)]));
  }
  return new Map([[first.node, unit(b.shape(first.node), first.lane)]]);
}

/** Parameters change at window ends only; a slider may be moved anywhere in a window. */
function constantOverWindow(stream: Graph): (id: NodeId) => boolean {
  const sliders = stream.nodes.flatMap(({ op }, id) => (op === 'slider' ? [id as NodeId] : []));
  const moving = dependents(stream, sliders);
  return (id) => !isSignal(nodeOf(stream, id)) && !moving.has(id);
}

/**
 * Values of the stream graph inside of the backward graph: computed again, or from a tape.
 *
 * @returns  by node, and by the hop of whoever asks: what a slider moves is a signal here, of every
 *           sample or of every frame
 */
function recompute(
  stream: Graph,
  backward: Builder,
  tape: Record,
  isConstant: (id: NodeId) => boolean,
): (id: NodeId, hop: number) => NodeId {
  const known = new Map<NodeId, NodeId>();
  const again = ({ op, args, attrs, hop }: Node): NodeId =>
    backward.node(
      op,
      args.map((a) => (hop > 1 ? atFrames(a, hop) : known.get(a)!)),
      attrs,
    );
  /** What moves without being a signal, once a frame: all of it again, from the sliders on. */
  const framed = new Map<string, NodeId>();
  const atFrames = (id: NodeId, hop: number): NodeId => {
    if (isSignal(nodeOf(stream, id)) || isConstant(id)) return known.get(id)!;
    const wanted = reach(stream, [id]);
    for (const from of ids(stream)) {
      const key = `${from} ${hop}`;
      if (!wanted.has(from) || isConstant(from) || framed.has(key)) continue;
      const { op, args, attrs } = nodeOf(stream, from);
      const operands = args.map((a) => framed.get(`${a} ${hop}`) ?? known.get(a)!);
      const made =
        op === 'slider'
          ? backward.node('frames', [tape(from)], [hop, 1])
          : backward.node(op, operands, attrs);
      framed.set(key, made);
    }
    return framed.get(`${id} ${hop}`)!;
  };
  // What is constant over the window stays so: a tape of it would be a signal.
  stream.nodes.forEach((node, i) => {
    if (isConstant(i as NodeId)) known.set(i as NodeId, again(node));
  });
  const value = (id: NodeId, depth: number): NodeId => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const node = nodeOf(stream, id);
    const isLeaf = node.args.length === 0;
    const isDear = OPS[node.op].cost > RECOMPUTE_COST;
    let made: NodeId;
    if (isDelay(node.op) && node.hop === 1 && Object.is(node.attrs[1], 0)) {
      // Before the first sample a recording holds zeros, as such a delay does.
      made = tape(stream.delays.get(id)!, node.attrs[0]);
    } else if (node.op === 'frames' && isSignal(nodeOf(stream, node.args[0]!))) {
      // A recording knows what was before: samples are recorded, not frames that overlap.
      made = backward.node('frames', [tape(node.args[0]!)], node.attrs);
    } else if (isFraming(node.op) || isOverlap(node.op)) {
      made = tape(id);
    } else if (isLeaf || isDear || depth >= RECOMPUTE_DEPTH) {
      made = tape(id);
    } else {
      for (const arg of node.args) {
        if (node.hop <= 1 || isSignal(nodeOf(stream, arg))) value(arg, depth + 1);
      }
      made = again(node);
    }
    known.set(id, made);
    return made;
  };
  return (id, hop) => {
    const isMoved = !isSignal(nodeOf(stream, id)) && !isConstant(id);
    return isMoved && hop > 1 ? atFrames(id, hop) : value(id, 0);
  };
}
