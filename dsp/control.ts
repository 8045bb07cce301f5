/**
 * A number that a person or the optimiser sets: a slider or a learnable parameter.
 *
 * One description drives validation, clamping, documentation and every client's control.
 */

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
}

/** With its id; its place in the array is its place in the bank. */
export interface Control extends ControlSpec {
  readonly id: string;
}
