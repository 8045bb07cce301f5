/**
 * What a schedule is: stages one after the other, in each up to one loop of every kind.
 *
 * Invariant: plain data. `schedule.ts` makes it, `estimate.ts` says what it costs, all of code
 * generation reads it.
 */

import type { NodeId } from '../ir/graph.ts';

export type Kind = 'value' | 'vector' | 'serial' | 'product' | 'frame';

export interface Stage {
  readonly value: readonly NodeId[];
  readonly vector: readonly NodeId[];
  readonly serial: readonly NodeId[];
  readonly product: readonly NodeId[];
  /** With what is put together from frames, and sums of frames. */
  readonly frame: readonly NodeId[];
}

/** A loop, or the values between two. */
export interface Place {
  readonly stage: number;
  readonly kind: Kind;
}

export interface Schedule {
  readonly stages: readonly Stage[];
  /** Where each scheduled node is. Leaves that are memory already are not scheduled. */
  readonly place: ReadonlyMap<NodeId, Place>;
  /** Delays, frames and lines that are part of a recursion. */
  readonly recursive: ReadonlySet<NodeId>;
  /** Delays of a recursion that goes round within a run. */
  readonly circling: ReadonlySet<NodeId>;
}

/** Of what runs in a stage. */
export const ORDER: Readonly<Record<Kind, number>> = {
  value: 0,
  vector: 1,
  serial: 2,
  product: 3,
  frame: 4,
};
const KINDS = Object.keys(ORDER).length;

/** Tells loops apart, by one number. */
export const loopNumber = ({ stage, kind }: Place): number => KINDS * stage + ORDER[kind];
