/**
 * The border between what computes and who drives it.
 *
 * A kernel computes three things and decides nothing: a piece of signal, the gradient over a full
 * window, one optimiser step. `Instance` says when. The WASM module is one kernel, the reference
 * interpreter another, so both are driven by the same code and can be compared step by step.
 */

export type Samples = Float32Array | Float64Array;

/** The word of infinity: those of larger magnitudes are not numbers. */
export const NOT_FINITE = 0x7f800000;

/** A memory as the numbers that may lie in it. */
export interface Memory {
  readonly words: Int32Array;
  readonly singles: Float32Array;
  readonly doubles: Float64Array;
}

export interface Kernel {
  /** [channel][frame], `maxBlock` frames each. */
  readonly inputs: readonly Samples[];
  readonly outputs: readonly Samples[];
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
