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
import { gradientName, measureName, tapeName } from '../ir/program.ts';
import type { Measure } from '../ir/program.ts';
import { activity, hasMemory } from './active.ts';
import type { Activity } from './active.ts';
import { isPackable, jvp, paramNodes } from './jvp.ts';
import { plus } from './partials.ts';
import { difference, joinRow, measured } from './rows.ts';
import type { Difference, Side } from './rows.ts';
import { vjp } from './vjp.ts';

/**
 * A loss over one window of `window` samples: from recordings of two signals of one rate to one
 * value. It may ask for the past of a recording, a tape of the same index with a lag.
 */
export type Loss = (b: Builder, estimate: NodeId, target: NodeId, window: number) => NodeId;

/** Two signals and how far they are apart. */
export interface Term {
  readonly estimate: NodeId;
  /** Null for a loss of the estimate alone, which gets it as its target too. */
  readonly target: NodeId | null;
  readonly loss: Loss;
  /** 1 if not given. */
  readonly weight?: number;
}

export interface Objective {
  /** The loss is the sum of theirs, each times its weight; at least one. */
  readonly terms: readonly Term[];
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
  /**
   * What the optimiser wants besides the gradient. Parameters in reverse mode must then have no
   * memory between them and the error, and there is no carry-over.
   */
  readonly measures?: readonly Measure[];
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

/** The signals that an objective compares, each once. */
export const signalsOf = ({ terms }: Objective): NodeId[] => [
  ...new Set(
    terms.flatMap(({ estimate, target }) => [estimate, ...(target === null ? [] : [target])]),
  ),
];

/** What the parameters' derivatives pass through on their way to estimates and targets. */
export function objectiveActivity(stream: Graph, objective: Objective): Activity {
  return activity(stream, [...paramNodes(stream).values()], signalsOf(objective));
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
  const { terms, window, carry = 0 } = objective;
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

  // The loss, on leaves of its own: estimates and targets are recorded as they are.
  const own = carry > 0 ? new Builder('backward') : backward;
  const leaves = new Map(signalsOf(objective).map((id) => [id, read(own, id, 0)]));
  const isConstant = constantOverWindow(stream);
  /** What is no signal, or is one number of every sample, beside frames: as it is at their ends. */
  const heard = (id: NodeId, hop: number): NodeId => {
    const leaf = leaves.get(id)!;
    if (own.hop(leaf) === hop) return leaf;
    const { op, attrs } = nodeOf(stream, id);
    return op === 'const' ? own.node(op, [], attrs) : own.node('frames', [leaf], [hop, 1]);
  };
  let loss: NodeId | null = null;
  for (const { estimate, target, loss: distance, weight = 1 } of terms) {
    const pair = [estimate, target ?? estimate] as const;
    const hop = Math.max(...pair.map((id) => own.hop(leaves.get(id)!)));
    const [e, t] = pair.map((id) => heard(id, hop)) as [NodeId, NodeId];
    const value = distance(own, e, t, window);
    loss = plus(own, loss, weight === 1 ? value : own.node('mul', [value, own.real(weight)]));
  }
  if (loss === null) throw new Error('an objective without terms');
  const lossGraph = own.finish([{ name: 'loss', node: loss }]);
  /** The tapes that the loss reads of each signal, with and without a lag. */
  const tapesOf = (signal: NodeId): NodeId[] => {
    const { attrs } = nodeOf(own, leaves.get(signal)!);
    return ids(lossGraph).filter((id) => {
      const node = nodeOf(lossGraph, id);
      return node.op === 'tape' && node.attrs[0] === attrs[0];
    });
  };
  const heardTapes = new Map([...leaves.keys()].map((signal) => [signal, tapesOf(signal)]));
  const pulled = vjp(
    own,
    lossGraph,
    new Map([[loss, own.real(1)]]),
    activity(lossGraph, [...heardTapes.values()].flat(), [loss]).active,
    (id) => id,
    window,
  );
  const seeds = new Map<NodeId, NodeId>();
  const seedOutputs: Output[] = [];
  for (const [signal, read] of heardTapes) {
    if (!active.has(signal)) continue;
    let cotangent: NodeId | null = null;
    for (const id of read) {
      const share = pulled.get(id);
      if (share === undefined) continue;
      const lag = nodeOf(own, id).attrs[1]!;
      // In reversed time what is heard `lag` samples later has come before.
      cotangent = plus(own, cotangent, lag > 0 ? own.delay(share, lag) : share);
    }
    if (cotangent === null) continue;
    if (carry === 0) {
      seeds.set(signal, cotangent);
      continue;
    }
    const index = tapes.push(null) - 1;
    seedOutputs.push({ name: tapeName(index), node: cotangent });
    const { hop, shape } = nodeOf(own, leaves.get(signal)!);
    seeds.set(signal, backward.node('tape', [], [index, 0, hop, shape]));
  }

  const wayOf = typeof way === 'function' ? way : () => way;
  const signals = [...seeds.keys()];
  /** What the derivatives of the parameters of one way pass through. */
  const through = (which: Way): ReadonlySet<NodeId> => {
    const wrt = [...paramNodes(stream).values()].filter((p) => active.has(p) && wayOf(p) === which);
    return wrt.length === 0 ? new Set() : activity(stream, wrt, signals).active;
  };

  const gradients = new Map<number, NodeId>();
  const { measures = [] } = objective;
  /** How each signal changes with the parameters at each sample. */
  const rows = new Map(signals.map((signal) => [signal, new Map<number, NodeId>()]));
  for (const group of tangentGroups(stream, through('forward'))) {
    const wrt = group.map(({ node }) => node);
    const reached = activity(stream, wrt, signals).active;
    const name = group.map(({ index }) => objective.names?.[index] ?? index).join('+');
    const tangents = jvp(forward, stream, oneHot(forward, group), reached, group.length, name);
    let gradient: NodeId | null = null;
    const isShared = group.length > 1;
    const one = (of: NodeId, lane: number): NodeId =>
      isShared ? backward.node('slice', [of], [lane, 1]) : of;
    for (const [signal, cotangent] of seeds) {
      const tangent = tangents.get(signal);
      if (tangent === undefined) continue;
      const recorded = tape(tangent);
      const products = backward.node('mul', [cotangent, recorded]);
      const isVector = nodeOf(stream, signal).shape > 1;
      const term = isVector ? backward.node('laneSum', [products]) : products;
      gradient = plus(backward, gradient, backward.node('sum', [term]));
      if (measures.length === 0) continue;
      group.forEach(({ index }, lane) => rows.get(signal)!.set(index, one(recorded, lane)));
    }
    if (gradient === null) continue;
    const total: NodeId = gradient;
    group.forEach(({ index }, lane) => {
      gradients.set(index, one(total, lane));
    });
  }

  const reverse = through('reverse');
  if (reverse.size > 0) {
    const primal = recompute(stream, backward, tape, (id) => indexOf.has(id), isConstant);
    // A carry-over may reach back to before the first sample, where recordings hold zeros: no
    // parameter has done anything there.
    const hasRun = (hop: number): NodeId => {
      const one = tape(forward.real(1));
      const here = hop > 1 ? backward.node('frames', [one], [hop, 1]) : one;
      return backward.node('gt', [here, backward.real(0)]);
    };
    // What is the same at every sample comes once for what has one value in all of them.
    const given = [...seeds].map(([signal, cotangent]): [NodeId, NodeId] => {
      const isOne = isConstant(signal) && backward.hop(cotangent) === 0;
      return [signal, isOne ? backward.node('mul', [cotangent, backward.real(window)]) : cotangent];
    });
    const cotangents = vjp(
      backward,
      stream,
      new Map(given),
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
    for (const signal of measures.length > 0 ? signals : []) {
      // No parameter counts as constant: a row is what each sample alone has to say of it.
      const unit = new Map([[signal, backward.real(1)]]);
      const cotangents = vjp(backward, stream, unit, reverse, primal, window, () => false);
      for (const [index, param] of paramNodes(stream)) {
        const part = cotangents.get(param);
        if (part !== undefined) rows.get(signal)!.set(index, part);
      }
    }
  }

  const lossOutput: Output = { name: 'loss', node: loss };
  const outputs: Output[] = carry === 0 ? [lossOutput] : [];
  for (let k = 0; k < objective.params;) {
    const node = gradients.get(k) ?? backward.real(0);
    outputs.push({ name: gradientName(k), node });
    k += backward.shape(node);
  }
  const compared = measures.length === 0 ? [] : terms;
  const differences = compared.map(({ estimate, target, weight = 1 }): Difference => {
    const pair = [estimate, target ?? estimate] as const;
    const [e, t] = pair.map((signal) => ({
      row: joinRow(backward, rows.get(signal) ?? new Map(), objective.params),
      value: tape(signal),
    })) as [Side, Side];
    return { ...difference(backward, e, t), weight };
  });
  for (const measure of measures) {
    const node = measured(backward, measure, differences, window);
    outputs.push({ name: measureName(measure), node });
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
  isRecorded: (id: NodeId) => boolean,
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
  /** What would have to be recorded, and is not yet, for a number to be computed again. */
  const missing = (id: NodeId, depth: number, into: Set<NodeId>): Set<NodeId> => {
    if (known.has(id)) return into;
    const { op, args, attrs, hop } = nodeOf(stream, id);
    const isPast = isDelay(op) && hop === 1 && Object.is(attrs[1], 0);
    const isDear = OPS[op].cost > RECOMPUTE_COST || isFraming(op) || isOverlap(op);
    if (isPast || isDear || args.length === 0 || depth >= RECOMPUTE_DEPTH) {
      const from = isPast ? stream.delays.get(id)! : id;
      if (!isRecorded(from)) into.add(from);
    } else for (const arg of args) missing(arg, depth + 1, into);
    return into;
  };
  return (id, hop) => {
    const { hop: own, shape } = nodeOf(stream, id);
    const isMoved = own === 0 && !isConstant(id);
    if (isMoved && hop > 1) return atFrames(id, hop);
    // One recording instead of several.
    const isSampled = own === 1 && shape === 1 && !known.has(id);
    if (isSampled && missing(id, 0, new Set()).size > 1) known.set(id, tape(id));
    return value(id, 0);
  };
}
