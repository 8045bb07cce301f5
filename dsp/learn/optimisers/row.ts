/**
 * What an optimiser is: its options, its equation, and one step as a graph.
 *
 * Invariant: a step works on all parameters as the lanes of one vector, lane by lane unless it says
 * otherwise. What it remembers starts at 0, has a name of its own and stands still while its
 * parameter is frozen, so that a parameter that joins later, or comes back, starts as all did:
 * even what would count steps for all is counted in every lane.
 */

import { z } from 'zod';
import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';
import type { Measure } from '../../ir/program.ts';

/**
 * What a step is made from. An optimiser that needs more than the gradient asks for it by a further
 * field here, which `updateGraph` fills.
 */
export interface Inputs {
  readonly b: Builder;
  /** [lanes], in the scale in which they learn; what decays by itself has decayed. */
  readonly value: NodeId;
  /** [lanes], clipped, with the weight decay that belongs to it. */
  readonly gradient: NodeId;
  /** [lanes]: the schedule's times the parameter's own. */
  readonly rate: NodeId;
  /** [lanes], int: not 0 where a parameter is kept as it is. */
  readonly frozen: NodeId;
  /** [lanes]: the range, beyond all numbers where the scale has no end. */
  readonly low: NodeId;
  readonly high: NodeId;
  readonly lanes: number;
  /** Samples that the gradient is a mean over. */
  readonly window: number;
  /** What the row asks for besides the gradient, in the scale in which parameters learn. */
  readonly measure: (of: Measure) => NodeId;
  /**
   * A state of any size, 0 at first, that belongs to all parameters together: where others come, or
   * they change places, it starts anew.
   *
   * @returns  what it becomes
   */
  readonly recall: (name: string, lanes: number, next: (past: NodeId) => NodeId) => NodeId;
  /**
   * A state with a lane for each parameter, 0 at first.
   *
   * @param next  what it becomes, from what it was
   * @returns     what it becomes; of a frozen parameter it stays what it was
   */
  readonly remember: (name: string, next: (past: NodeId) => NodeId) => NodeId;
}

export type Shape = Readonly<Record<string, z.ZodType>>;

export interface Row<S extends Shape = Shape> {
  /** The equation of a step, and what it is good for. */
  readonly doc: string;
  readonly source: string;
  readonly options: S;
  /** What weight decay, if there is one, is added to: the gradient, or the parameter itself. */
  readonly decay: 'coupled' | 'decoupled';
  /** Weight decay where none is asked for; 0 if not given. */
  readonly weightDecay?: number;
  /**
   * What it wants to know of a window besides the gradient. Only of squared errors, and clipping is
   * not for it.
   */
  measures?(window: number): readonly Measure[];
  /** Most parameters, where its cost grows faster than their number. */
  readonly most?: number;
  /** The longest window, samples. */
  readonly longest?: number;
  /** New values. */
  step(inputs: Inputs, options: z.output<z.ZodObject<S>>): NodeId;
}

/** Lets the types of the options reach the step. */
export const row = <const S extends Shape>(of: Row<S>): Row<S> => of;

/** How much of an average stays: in [0, 1). */
export const keep = (initial: number) => z.number().min(0).lt(1).default(initial);
/** Keeps a division by what may be 0 finite. */
export const epsilon = (initial: number) => z.number().min(1e-30).max(1).default(initial);
