/**
 * A number that a person or the optimiser sets: a slider or a learnable parameter; and one that is
 * only looked at: a meter.
 *
 * One description drives validation, clamping, documentation and every client's control.
 */

/** The scale in which the optimiser moves a parameter: see `learn/optimisers/scaling.ts`. */
export const LEARN_SCALES = ['linear', 'log', 'logit', 'softplus'] as const;
export type LearnScale = (typeof LEARN_SCALES)[number];

export interface ControlSpec {
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  /** Smallest sensible change by hand; values in between are legal. */
  readonly step?: number | undefined;
  readonly unit?: string | undefined;
  /** How a client lays out the range. */
  readonly scale?: 'linear' | 'log' | undefined;
  readonly doc?: string | undefined;
  /** Of a learnable parameter; linear if not given. */
  readonly learn?: LearnScale | undefined;
  /** Of a learnable parameter: a factor of the learning rate; 1 if not given. */
  readonly rate?: number | undefined;
}

/** With its id; its place in the array is its place in the bank. */
export interface Control extends ControlSpec {
  readonly id: string;
  /** Where it is not that of the optimiser. */
  readonly weightDecay?: number | undefined;
}

/** A signal that is shown as a number. Nothing holds it to its range: that is for who draws it. */
export interface MeterSpec {
  readonly min: number;
  readonly max: number;
  readonly unit?: string | undefined;
  /** How a client lays out the range. */
  readonly scale?: 'linear' | 'log' | undefined;
  readonly doc?: string | undefined;
}

/** With its id; its place in the array is its place in the bank. */
export interface Meter extends MeterSpec {
  readonly id: string;
}

/** Of a program. */
export const MAX_METERS = 256;
