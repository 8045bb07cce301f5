/**
 * One running program: cuts the stream at window ends, steps the optimiser, guards the parameters.
 *
 * Threads: whoever owns the instance calls everything; in the daemon that is the audio thread.
 * Invariants: after construction nothing allocates, throws or waits; results do not depend on how
 * the stream is cut into blocks; a parameter that a finite loss has not confirmed is taken back when
 * the loss or a gradient is not finite; a window that was recorded in part by another program
 * teaches nothing.
 */

import type { Artifact } from '../artifact.ts';
import { writeLearningRate } from '../learn/schedule.ts';
import type { Schedule } from '../learn/schedule.ts';
import { copyStates } from './adopt.ts';
import type { Adoption } from './adopt.ts';
import type { Kernel, Samples } from './kernel.ts';
import { wasmKernel } from './wasm-kernel.ts';

/** Why learning stopped by itself. */
export const FAULT = { none: 0, notFinite: 1 } as const;

export class Instance {
  readonly artifact: Artifact;
  /** [channel], `maxBlock` frames each: fill, process, read. */
  readonly inputs: readonly Samples[];
  readonly outputs: readonly Samples[];
  readonly sliders: Float64Array;
  readonly params: Float64Array;
  readonly gradients: Float64Array;
  /** Per parameter, not 0: it keeps its value. */
  readonly frozen: Float64Array;
  /** Per parameter: a factor of the learning rate. */
  readonly rates: Float64Array;
  /** Off: loss and gradients are still measured, parameters stay. */
  learning = false;
  /** Set by the host while what is heard says nothing of what is played: no step is taken. */
  held = false;
  /** Set by the host: another program has taken over, this one only sounds on. */
  retired = false;
  /** Optimiser steps done. */
  step = 0;
  /** Windows finished. */
  windows = 0;
  /** Of the last finished window. */
  loss = 0;
  fault: number = FAULT.none;

  readonly #kernel: Kernel;
  readonly #window: number;
  readonly #confirmed: Float64Array;
  #schedule: Schedule = { kind: 'constant', rate: 0 };
  #position = 0;
  /** Gradients of the windows since the last step, added up, and how many. */
  readonly #sums: Float64Array;
  #gathered = 0;
  /** So many windows, the present one included, are not recorded whole: no step, no loss. */
  #partial = 0;

  /** @param code  the artifact's compiled module, or any kernel that computes the same program */
  constructor(artifact: Artifact, code: WebAssembly.Module | Kernel) {
    this.artifact = artifact;
    this.#kernel = 'stream' in code ? code : wasmKernel(artifact, code);
    this.inputs = this.#kernel.inputs;
    this.outputs = this.#kernel.outputs;
    this.sliders = this.#kernel.sliders;
    this.params = this.#kernel.params;
    this.gradients = this.#kernel.gradients;
    this.frozen = this.#kernel.frozen;
    this.rates = this.#kernel.rates;
    this.#sums = new Float64Array(artifact.every > 1 ? artifact.params.length : 0);
    this.#window = artifact.window;
    this.#confirmed = new Float64Array(artifact.params.length);
    artifact.sliders.forEach((control, k) => {
      this.sliders[k] = control.initial;
    });
    artifact.params.forEach(({ rate = 1 }, k) => {
      this.rates[k] = rate;
    });
    this.reset();
  }

  /** Of the next optimiser step, or of the last one taken in this window. */
  get learningRate(): number {
    return this.#kernel.learningRate[0]!;
  }

  setSchedule(schedule: Schedule): void {
    this.#schedule = schedule;
    writeLearningRate(schedule, this.step, this.#kernel.learningRate);
  }

  /** Processes the first `frames` frames, `maxBlock` at most, of the inputs into the outputs. */
  process(frames: number): void {
    const total = Math.min(frames, this.artifact.maxBlock);
    if (this.#window === 0) {
      this.#kernel.stream(0, 0, total);
      return;
    }
    let done = 0;
    while (done < total) {
      const left = this.#window - this.#position;
      const count = total - done < left ? total - done : left;
      this.#kernel.stream(done, this.#position, count);
      done += count;
      this.#position += count;
      if (this.#position === this.#window) {
        this.#position = 0;
        this.#endWindow();
      }
    }
  }

  /** Signal state as at the start; parameters, step and sliders stay. */
  resetState(): void {
    this.#kernel.reset();
    this.#gathered = 0;
    this.#position = 0;
    this.#partial = 0;
  }

  /**
   * A warm restart: the optimiser forgets what it remembers and counts its steps from 0, so that the
   * schedule begins anew. Parameters, signal state and all else stay.
   */
  restart(): void {
    this.#kernel.restart();
    this.#gathered = 0;
    this.step = 0;
    writeLearningRate(this.#schedule, 0, this.#kernel.learningRate);
  }

  /** Goes on from parameters that are known to be good, after `step` optimiser steps. */
  resume(params: ArrayLike<number>, step: number): void {
    for (let k = 0; k < this.params.length; k++) {
      this.params[k] = params[k]!;
      this.#confirmed[k] = params[k]!;
    }
    this.step = step;
    writeLearningRate(this.#schedule, step, this.#kernel.learningRate);
  }

  /**
   * Goes on where another program is: parameters and freezes by name, within the ranges of this one,
   * a rate of a parameter where it was set while it ran, sliders by name, steps, states by name as planned. What `from` has no name for stays as it is.
   * Nothing is learned from windows that this program has not recorded whole. Schedule and whether it learns stay.
   *
   * @param plan  of the two artifacts
   * Cost: about a nanosecond per word; allocates nothing.
   */
  adopt(from: Instance, plan: Adoption): void {
    const { params, sliders } = plan;
    for (let k = 0; k < params.length; k += 2) {
      const source = params[k]!;
      const target = params[k + 1]!;
      const { min, max } = this.artifact.params[target]!;
      this.params[target] = from.params[source]!;
      this.#confirmed[target] = from.#confirmed[source]!;
      hold(this.params, target, min, max);
      hold(this.#confirmed, target, min, max);
      this.frozen[target] = from.frozen[source]!;
      const { rate = 1 } = from.artifact.params[source]!;
      if (from.rates[source]! !== rate) this.rates[target] = from.rates[source]!;
    }
    for (let k = 0; k < sliders.length; k += 2) {
      const target = sliders[k + 1]!;
      const { min, max } = this.artifact.sliders[target]!;
      this.sliders[target] = from.sliders[sliders[k]!]!;
      hold(this.sliders, target, min, max);
    }
    this.#gathered = 0;
    this.step = from.step;
    this.windows = from.windows;
    this.loss = from.loss;
    writeLearningRate(this.#schedule, this.step, this.#kernel.learningRate);
    this.#position = this.#window === 0 ? 0 : from.#position % this.#window;
    const before = from.#kernel.words;
    const after = this.#kernel.words;
    if (before !== null && after !== null) copyStates(plan, before, after, this.#position);
    this.#partial = this.#unrecorded();
  }

  /** Windows until one is recorded whole, with what its gradient looks at before it. */
  #unrecorded(): number {
    const { lead } = this.artifact.layout;
    if (this.#window === 0 || (lead === 0 && this.#position === 0)) return 0;
    const rest = this.#window - this.#position;
    return lead <= rest ? 1 : 1 + Math.ceil((lead - rest) / this.#window);
  }

  /**
   * Parameters that are not frozen to their initial values, step to 0, signal state to the start.
   * Sliders, schedule, frozen flags, rates and whether it learns stay.
   */
  reset(): void {
    for (let k = 0; k < this.params.length; k++) {
      if (this.frozen[k] === 0) this.params[k] = this.artifact.params[k]!.initial;
      this.#confirmed[k] = this.params[k]!;
      this.gradients[k] = 0;
    }
    this.step = 0;
    this.loss = 0;
    this.fault = FAULT.none;
    writeLearningRate(this.#schedule, 0, this.#kernel.learningRate);
    this.resetState();
  }

  #endWindow(): void {
    if (this.retired) return;
    const kernel = this.#kernel;
    kernel.backward();
    this.windows++;
    if (this.#partial > 0) {
      this.#partial--;
      for (let k = 0; k < this.gradients.length; k++) this.gradients[k] = 0;
      return;
    }
    const loss = kernel.loss[0]!;
    if (!this.#isFinite(loss)) {
      this.#takeBack();
      return;
    }
    this.loss = loss;
    this.#confirmed.set(this.params);
    writeLearningRate(this.#schedule, this.step, kernel.learningRate);
    if (!this.learning || this.held) {
      this.#gathered = 0;
      return;
    }
    if (this.artifact.every > 1 && !this.#gather()) return;
    kernel.update();
    this.step++;
  }

  /** Adds up gradients; true when they are enough, and their mean is in their place. */
  #gather(): boolean {
    const { gradients } = this;
    const sums = this.#sums;
    const { every } = this.artifact;
    if (this.#gathered === 0) sums.fill(0);
    for (let k = 0; k < sums.length; k++) sums[k]! += gradients[k]!;
    this.#gathered++;
    if (this.#gathered < every) return false;
    for (let k = 0; k < sums.length; k++) gradients[k] = sums[k]! / every;
    this.#gathered = 0;
    return true;
  }

  #isFinite(loss: number): boolean {
    // What is finite times 0 is 0; all else is not a number, and stays so.
    let sum = loss * 0;
    const { gradients } = this;
    for (let k = 0; k < gradients.length; k++) sum += gradients[k]! * 0;
    return sum === 0;
  }

  /** The last parameters that a finite loss has seen return; learning stops. */
  #takeBack(): void {
    for (let k = 0; k < this.params.length; k++) {
      this.params[k] = this.#confirmed[k]!;
      this.gradients[k] = 0;
    }
    this.learning = false;
    this.fault = FAULT.notFinite;
    this.#gathered = 0;
    this.#kernel.reset();
  }
}

/** Keeps an element in its range; in place, because a returned double would be allocated. */
function hold(values: Float64Array, index: number, min: number, max: number): void {
  if (values[index]! < min) values[index] = min;
  if (values[index]! > max) values[index] = max;
}
