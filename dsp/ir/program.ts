/**
 * What a patch becomes before code is made of it: at most three graphs and how they meet.
 *
 * stream    runs on every sample: outputs, and a recording of every signal the gradient needs
 * backward  runs once a window, from its last sample to its first: loss and gradients
 * update    runs once a window after it: the optimiser
 *
 * Invariant: graphs meet by output name only. `out:K` is output channel K; `tape:K` is recorded for
 * the backward graph's `tape` K; `loss`, `gradient:K` and `param:K` go into the banks, a vector into
 * as many places from K on.
 */

import type { Control } from '../control.ts';
import { isTape, nodeOf } from './graph.ts';
import type { Graph, Node } from './graph.ts';

export interface Program {
  readonly name: string;
  readonly stream: Graph;
  readonly backward: Graph | null;
  readonly update: Graph | null;
  /** Frames; 0 without training. */
  readonly window: number;
  readonly mode: 'forward' | 'reverse' | 'none';
  /** Sentences: why this mode. */
  readonly reasons: readonly string[];
  /** Training compares what is played with what is heard: meaningless while the output is muted. */
  readonly throughDevice: boolean;
  readonly inputs: number;
  readonly outputs: number;
  readonly sliders: readonly Control[];
  readonly params: readonly Control[];
}

/** Where the update graph finds its numbers: `scalar` indices. */
export const updateScalars = {
  learningRate: 0,
  gradient: (param: number): number => 1 + param,
  frozen: (param: number, params: number): number => 1 + params + param,
} as const;

export const outName = (channel: number): string => `out:${channel}`;
export const tapeName = (index: number): string => `tape:${index}`;
export const gradientName = (param: number): string => `gradient:${param}`;
export const paramName = (param: number): string => `param:${param}`;

/** A recording of a signal over the training window. */
export interface Tape {
  readonly lanes: number;
  /** Samples from value to value: 1, or the hop of frames. */
  readonly hop: number;
  /** Samples before the window that the backward graph looks at. */
  readonly lead: number;
}

/** The recordings of a program, by index. */
export function tapesOf(program: Pick<Program, 'stream' | 'backward'>): readonly Tape[] {
  const lead = new Map<number, number>();
  const look = ({ attrs }: Node, further: number): void => {
    const [index = 0, lag = 0] = attrs;
    lead.set(index, Math.max(lag + further, lead.get(index) ?? 0));
  };
  for (const node of program.backward?.nodes ?? []) {
    if (isTape(node.op)) look(node, 0);
    if (node.op === 'frames') look(nodeOf(program.backward!, node.args[0]!), node.shape - 1);
  }
  const tapes: Tape[] = [];
  for (const { name, node } of program.stream.outputs) {
    const [kind, index] = name.split(':');
    if (kind !== 'tape') continue;
    const k = Number(index);
    const { shape, hop } = nodeOf(program.stream, node);
    tapes[k] = { lanes: shape, hop: Math.max(1, hop), lead: lead.get(k) ?? 0 };
  }
  return tapes;
}
