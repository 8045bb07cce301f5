/**
 * What a patch becomes before code is made of it: a few graphs and how they meet.
 *
 * stream    runs on every sample: outputs, and a recording of every signal the gradient needs
 * loss      runs once a window, where there is a carry-over: loss, and its cotangents on tapes
 * backward  runs once a window, from its last sample to its first: gradients, and without a
 *           carry-over the loss; with one it goes on through the samples before the window
 * update    runs after it, once in `every` windows: the optimiser
 *
 * Invariant: graphs meet by output name only. `out:K` is output channel K; of `meter:K`, a real
 * number, the last value of a run is kept; `compared:K` is what the loss compares, for who looks on;
 * `tape:K` is recorded for
 * the backward graph's `tape` K; `loss`, `gradient:K` and `param:K` go into the banks, a vector into
 * as many places from K on; `measure:NAME` goes behind the banks, where the update graph finds it.
 */

import type { Control, Meter } from '../control.ts';
import { isTape, nodeOf } from './graph.ts';
import type { Graph, Node } from './graph.ts';

/** Of signals and their gradients; the optimiser works in double precision always. */
export type Precision = 'single' | 'double';

export type GraphName = 'stream' | 'loss' | 'backward' | 'update';

/** What stops learning by itself, and when none is done; Infinity and null: never. */
export interface GuardSettings {
  readonly maxLoss: number;
  /** Largest 2-norm of all gradients. */
  readonly maxGradient: number;
  /** Share of its range that a step may carry a parameter over if it ends at an end of it. */
  readonly leap: number;
  readonly rising: {
    readonly factor: number;
    readonly move: number;
    readonly times: number;
  } | null;
  /** Peak of the inputs, 1 at full scale: no steps are taken up to it; 0 takes them always. */
  readonly silence: number;
}

/** What an optimiser may want to know of a window besides the gradient (`ad/rows`). */
export type Measure = 'error' | 'row' | 'squares' | 'products';

/** Numbers that a measure is, for so many parameters. */
export const measureLanes = (measure: Measure, params: number): number =>
  ({ error: 1, row: params, squares: params, products: params * params })[measure];

export interface Program {
  readonly name: string;
  readonly precision: Precision;
  readonly stream: Graph;
  readonly loss: Graph | null;
  readonly backward: Graph | null;
  readonly update: Graph | null;
  /**
   * The same for parameters none of which is frozen or has a rate of its own, with the same states:
   * only faster.
   */
  readonly freeUpdate?: Graph | null;
  /** Outputs of `backward` for `update` besides the gradient, in the order in which they lie. */
  readonly measures?: readonly Measure[];
  /** Samples; 0 without training. */
  readonly window: number;
  /** Windows from one step of the optimiser to the next; 1 if not given. */
  readonly every?: number;
  /** Samples before the window that the backward graph runs through. */
  readonly carry: number;
  readonly mode: 'forward' | 'reverse' | 'mixed' | 'none';
  /** Ids of parameters that the loss does not feel: their gradient is 0 always. None if not given. */
  readonly idle?: readonly string[];
  /** Sentences: why this mode. */
  readonly reasons: readonly string[];
  /** Training compares what is played with what is heard: meaningless while the output is muted. */
  readonly throughDevice: boolean;
  readonly inputs: number;
  readonly outputs: number;
  readonly sliders: readonly Control[];
  readonly params: readonly Control[];
  /** In the order of the outputs `meter:K`; none if not given. */
  readonly meters?: readonly Meter[];
  /** Absent: none but those against what is not finite. */
  readonly guards?: GuardSettings;
}

/** For a program that says nothing. */
export const NO_GUARDS: GuardSettings = {
  maxLoss: Infinity,
  maxGradient: Infinity,
  leap: Infinity,
  rising: null,
  silence: 0,
};

/** One that only plays, without inputs, outputs and controls. */
export const withoutTraining = (name: string, precision: Precision, stream: Graph): Program => ({
  name,
  precision,
  stream,
  loss: null,
  backward: null,
  update: null,
  window: 0,
  carry: 0,
  mode: 'none',
  reasons: [],
  throughDevice: false,
  inputs: 0,
  outputs: 0,
  sliders: [],
  params: [],
});

/** Where graphs find numbers that are no controls: `scalar` indices. */
export const updateScalars = {
  learningRate: 0,
  gradient: (param: number): number => 1 + param,
  frozen: (param: number, params: number): number => 1 + params + param,
  /** A factor of the learning rate. */
  rate: (param: number, params: number): number => 1 + 2 * params + param,
  /** The first number of a measure, behind those before it. */
  measure: (measure: Measure, measures: readonly Measure[], params: number): number => {
    const before = measures.slice(0, measures.indexOf(measure));
    return before.reduce((sum, one) => sum + measureLanes(one, params), 1 + 3 * params);
  },
  /** Of the direction that derivatives along one direction are taken in. */
  direction: (param: number, params: number): number => 1 + 3 * params + param,
} as const;

export const outName = (channel: number): string => `out:${channel}`;
export const meterName = (index: number): string => `meter:${index}`;
/** Of the first term of the loss, where they are signals; their places are the numbers of outputs. */
export const COMPARED = ['estimate', 'target'] as const;
export const comparedName = (which: (typeof COMPARED)[number]): string =>
  `compared:${COMPARED.indexOf(which)}`;
export const tapeName = (index: number): string => `tape:${index}`;
export const gradientName = (param: number): string => `gradient:${param}`;
export const tangentName = (index: number): string => `tangent:${index}`;
export const productName = (param: number): string => `product:${param}`;
export const measureName = (measure: Measure): string => `measure:${measure}`;
export const paramName = (param: number): string => `param:${param}`;

/** A recording of a signal over the training window. */
export interface Tape {
  readonly lanes: number;
  /** Samples from value to value: 1, or the hop of frames. */
  readonly hop: number;
  /** Samples before the window that are looked at, a multiple of `hop`. */
  readonly lead: number;
  /** Are the samples before the window those of the windows before? They are zeros otherwise. */
  readonly isKept: boolean;
}

/** The recordings of a program, by index. */
export function tapesOf(
  program: Pick<Program, 'stream' | 'loss' | 'backward' | 'carry'>,
): readonly Tape[] {
  const { stream, loss, backward, carry } = program;
  const lead = new Map<number, number>();
  const look = (graph: Graph | null, before: number): void => {
    const reach = ({ attrs }: Node, further: number): void => {
      const [index = 0, lag = 0] = attrs;
      lead.set(index, Math.max(before + lag + further, lead.get(index) ?? 0));
    };
    for (const node of graph?.nodes ?? []) {
      if (isTape(node.op)) reach(node, 0);
      if (node.op === 'frames') reach(nodeOf(graph!, node.args[0]!), node.shape - 1);
    }
  };
  look(loss, 0);
  look(backward, carry);
  const tapes: Tape[] = [];
  for (const graph of [stream, loss]) {
    for (const { name, node } of graph?.outputs ?? []) {
      const [kind, index] = name.split(':');
      if (kind !== 'tape') continue;
      const k = Number(index);
      const { shape, hop } = nodeOf(graph!, node);
      const isKept = graph === stream;
      tapes[k] = { lanes: shape, hop: Math.max(1, hop), lead: lead.get(k) ?? 0, isKept };
    }
  }
  return tapes;
}

/** Channels of the inputs that matter, in order. */
export function listensTo(stream: Graph): number[] {
  const channels = stream.nodes.flatMap(({ op, attrs }) => (op === 'input' ? [attrs[0] ?? 0] : []));
  return [...new Set(channels)].sort((a, b) => a - b);
}
