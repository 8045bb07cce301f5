/**
 * The border between what computes and who drives it.
 *
 * A kernel computes three things and decides nothing: a piece of signal, the gradient over a full
 * window, one optimiser step. `Instance` says when; a kernel with a course does all three window by
 * window for as long as no guard has anything to say. The WASM module is one kernel, the reference
 * interpreter another, so both are driven by the same code and can be compared step by step.
 */

import { KEPT_NUMBERS } from '../ir/judging.ts';

export type Samples = Float32Array | Float64Array;

/** The word of infinity: those of larger magnitudes are not numbers. */
export const NOT_FINITE = 0x7f800000;

/** A memory as the numbers that may lie in it. */
export interface Memory {
  readonly words: Int32Array;
  readonly singles: Float32Array;
  readonly doubles: Float64Array;
}

/** What the guards keep; where code judges as well, it lies where both find it. */
export interface Judged {
  /** At `KEPT` of `ir/judging.ts`. */
  readonly kept: Float64Array;
  /** The last good parameters, and those before the last step. */
  readonly good: Float64Array;
  readonly before: Float64Array;
  /** Gradients of the windows since the last step, added up, then their losses. */
  readonly sums: Float64Array;
}

/** For `params` parameters, in arrays of its own. */
export const privately = (params: number): Judged => ({
  kept: new Float64Array(KEPT_NUMBERS),
  good: new Float64Array(params),
  before: new Float64Array(params),
  sums: new Float64Array(params + 1),
});

/** Windows and steps one after the other in one call: what `Instance` does, but for its faults. */
export interface Course {
  /** At `COURSE` of `ir/judging.ts`. */
  readonly words: Int32Array;
  /** The rate of each step from the next one on; after a run, the loss of each that was taken. */
  readonly rates: Float64Array;
  /** Plays and learns over `frames` frames, from frame `position` of the window, or stops. */
  readonly run: (offset: number, position: number, frames: number) => void;
}

/** What the first term of the loss compares, `maxBlock` frames each; null where there is none. */
export interface ComparedSamples {
  readonly estimate: Samples | null;
  readonly target: Samples | null;
}

export interface Kernel {
  /** [channel][frame], `maxBlock` frames each. */
  readonly inputs: readonly Samples[];
  readonly outputs: readonly Samples[];
  readonly compared: ComparedSamples;
  readonly sliders: Float64Array;
  readonly params: Float64Array;
  readonly gradients: Float64Array;
  /** Per parameter, not 0: keep it as it is. */
  readonly frozen: Float64Array;
  /** Per parameter: a factor of the learning rate; 1 in the beginning. */
  readonly rates: Float64Array;
  /** One value each: the loss of the last window, and the rate of the next step. */
  readonly loss: Float64Array;
  readonly learningRate: Float64Array;
  /** What each meter showed at the last sample; 0 after a reset. */
  readonly meters: Float64Array;
  readonly judged: Judged;
  /** Null where every window is to be judged and stepped outside. */
  readonly course: Course | null;
  /** The memory that the artifact's layout describes; null where there is none. */
  readonly memory: Memory | null;
  /**
   * The largest magnitude of `frames` frames of a channel, as the word of a binary32 number: from
   * `NOT_FINITE` on, one of them is not finite.
   */
  peakIn(channel: number, offset: number, frames: number): number;
  peakOut(channel: number, offset: number, frames: number): number;
  /**
   * Computes `frames` frames of inputs and outputs from frame `offset` of their arrays, and records
   * what the gradient needs at frame `position` of the window.
   */
  stream(offset: number, position: number, frames: number): void;
  /** Loss and gradients of the window just filled. */
  backward(): void;
  /** One optimiser step: new params from params, gradients, frozen, rates and learningRate. */
  update(): void;
  /** Signal state, and what the optimiser remembers, as at the start. Controls and params stay. */
  reset(): void;
  /** What the optimiser remembers as at the start. */
  restart(): void;
}
