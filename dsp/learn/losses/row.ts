/**
 * What a row of the table of losses says, and the words that losses are written in.
 *
 * Invariant: a loss is built of IR nodes in the backward graph, from recordings of two signals to one
 * value per window; its gradient follows by differentiation and is never written by hand. A loss and
 * its gradient are finite, for silence on either side and for equal signals too.
 */

import type { z } from 'zod';
import type { Loss } from '../../ad/gradient.ts';
import type { Builder } from '../../ir/builder.ts';
import { nodeOf } from '../../ir/graph.ts';
import type { NodeId } from '../../ir/graph.ts';

/**
 * What estimate and target may be. `values`: numbers or vectors, at every sample or in frames.
 * `sound`: numbers at every sample. `estimate`: as `values`, and there is no target.
 */
export type Takes = 'values' | 'sound' | 'estimate';

export interface LossRow<Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** Fields besides `kind`; all of them may be left out. */
  readonly options: Shape;
  readonly takes: Takes;
  readonly formula: string;
  readonly unit: string;
  /** What it is for, where it holds, and what its options do. */
  readonly doc: string;
  readonly build: (options: z.infer<z.ZodObject<Shape>>, sampleRate: number) => Loss;
  /** Why its options do not go together. */
  readonly invalid?: (options: z.infer<z.ZodObject<Shape>>, sampleRate: number) => string | null;
  /** Why it cannot be taken over a window of so many samples. */
  readonly wrong?: (
    options: z.infer<z.ZodObject<Shape>>,
    window: number,
    sampleRate: number,
  ) => string | null;
}

/** A row, its options' types told from their schema. */
export const row = <Shape extends z.ZodRawShape>(one: LossRow<Shape>): LossRow<Shape> => one;

export const add = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('add', [x, y]);
export const sub = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('sub', [x, y]);
export const mul = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('mul', [x, y]);
export const div = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('div', [x, y]);
export const square = (b: Builder, x: NodeId): NodeId => mul(b, x, x);
export const scaled = (b: Builder, x: NodeId, by: number): NodeId =>
  by === 1 ? x : mul(b, x, b.real(by));
export const plusReal = (b: Builder, x: NodeId, y: number): NodeId =>
  y === 0 ? x : add(b, x, b.real(y));
export const ln = (b: Builder, x: NodeId): NodeId => b.node('ln', [x]);
export const abs = (b: Builder, x: NodeId): NodeId => b.node('abs', [x]);
export const atLeast = (b: Builder, x: NodeId, least: number): NodeId =>
  b.node('max', [x, b.real(least)]);

/** How many samples or frames a window of so many samples has of a signal. */
const count = (b: Builder, x: NodeId, window: number): number => window / Math.max(1, b.hop(x));

/** Σ over the samples or frames of the window, lane by lane. */
export const total = (b: Builder, x: NodeId): NodeId => b.node('sum', [x]);

/** The mean over the samples or frames of the window, lane by lane. */
export const average = (b: Builder, x: NodeId, window: number): NodeId =>
  scaled(b, total(b, x), 1 / count(b, x, window));

/** The mean of all lanes. */
export const overLanes = (b: Builder, x: NodeId): NodeId =>
  b.shape(x) === 1 ? x : scaled(b, b.node('laneSum', [x]), 1 / b.shape(x));

/** The mean over samples or frames and lanes: one number. */
export const mean = (b: Builder, x: NodeId, window: number): NodeId =>
  average(b, overLanes(b, x), window);

/**
 * x[n − lag] of a recording: before the window it is what was heard there, which has no gradient.
 * @param x  a tape
 */
export function past(b: Builder, x: NodeId, lag: number): NodeId {
  const { op, attrs } = nodeOf(b, x);
  if (op !== 'tape') throw new Error(`only a recording has a past, got ${op}`);
  const [index, before, ...rest] = attrs as [number, number, ...number[]];
  return b.node('tape', [], [index, before + lag, ...rest]);
}
