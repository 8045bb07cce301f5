/**
 * One running program: cuts the stream at window ends, steps the optimiser, guards the parameters.
 * Where the kernel can it runs the windows of a block by itself (`Course`) and stops where there is
 * something to say; all else goes window by window through here, with the same results to the bit.
 *
 * Threads: whoever owns the instance calls everything; in the daemon that is the audio thread.
 * Invariants: after construction nothing allocates, throws or waits; results do not depend on how
 * the stream is cut into blocks; when a guard trips (`guards.ts`) learning stops within the block, the
 * last good parameters return and the optimiser forgets; no step is taken while what the program
 * listens to is silent, none moves a parameter while all gradients are 0; a window that was recorded in part by another program,
 * or had a sample that is not finite, teaches nothing.
 */

import type { Artifact } from '../artifact.ts';
import { Pace } from '../learn/schedules/pace.ts';
import { encode } from '../learn/schedules/schedule.ts';
import type { Schedule } from '../learn/schedules/schedule.ts';
import { COURSE, KEPT, STOPPED } from '../ir/judging.ts';
import { copyStates } from './adopt.ts';
import type { Adoption } from './adopt.ts';
import { DETAIL, FAULT } from './faults.ts';
import { ParameterGuard } from './guards.ts';
import { NOT_FINITE } from './kernel.ts';
import type { ComparedSamples, Kernel, Samples } from './kernel.ts';
import { RECALL, optimiserPlaces, readOptimiser, writeOptimiser } from './recall.ts';
import { wasmKernel } from './wasm-kernel.ts';

export class Instance {
  readonly artifact: Artifact;
  /** [channel], `maxBlock` frames each: fill, process, read. */
  readonly inputs: readonly Samples[];
  readonly outputs: readonly Samples[];
  /** What the first term of the loss compares, over the frames last processed. */
  readonly compared: ComparedSamples;
  readonly sliders: Float64Array;
  readonly params: Float64Array;
  readonly gradients: Float64Array;
  /** Per parameter, not 0: it keeps its value. */
  readonly frozen: Float64Array;
  /** Per parameter: a factor of the learning rate. */
  readonly rates: Float64Array;
  /** Of each meter what it showed at the last sample; after a reset 0. */
  readonly meters: Float64Array;
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
  /** Why learning stopped by itself: a code of `faults.ts`. */
  fault: number = FAULT.none;

  readonly #kernel: Kernel;
  readonly #window: number;
  readonly #guard: ParameterGuard;
  readonly #pace = new Pace();
  /** Where the optimiser has its states. */
  readonly #remembered: Int32Array;
  /** The largest magnitude heard in this window so far, and silence, as words of binary32 numbers. */
  #heard = 0;
  readonly #silence: number;
  #learning = false;
  #position = 0;
  /** Mean loss of the windows of the last step. */
  readonly #meanLoss = new Float64Array(1);
  /** Windows since the last step whose gradients have been added up. */
  #gathered = 0;
  /** So many windows, the present one included, are not recorded whole: no step, no loss. */
  #partial = 0;

  /** @param code  the artifact's compiled module, or any kernel that computes the same program */
  constructor(artifact: Artifact, code: WebAssembly.Module | Kernel) {
    this.artifact = artifact;
    this.#kernel = 'stream' in code ? code : wasmKernel(artifact, code);
    this.inputs = this.#kernel.inputs;
    this.outputs = this.#kernel.outputs;
    this.compared = this.#kernel.compared;
    this.#silence = new Int32Array(Float32Array.of(artifact.guards.silence).buffer)[0]!;
    this.sliders = this.#kernel.sliders;
    this.params = this.#kernel.params;
    this.gradients = this.#kernel.gradients;
    this.frozen = this.#kernel.frozen;
    this.rates = this.#kernel.rates;
    this.meters = this.#kernel.meters;
    this.#window = artifact.window;
    this.#remembered = optimiserPlaces(artifact);
    this.#guard = new ParameterGuard(
      artifact,
      this.params,
      this.gradients,
      this.frozen,
      this.#kernel.judged,
    );
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

  /** Off: loss and gradients are still measured, parameters stay. Turned on, a fault is forgotten. */
  get learning(): boolean {
    return this.#learning;
  }
  set learning(on: boolean) {
    if (on && !this.#learning) {
      this.fault = FAULT.none;
      this.#guard.restart();
    }
    this.#learning = on;
  }

  /** Numbers of the fault, at DETAIL of `faults.ts`. */
  get faultDetail(): Float64Array {
    return this.#guard.detail;
  }

  /** What the schedule remembers of the losses. */
  get paceMemory(): Float64Array {
    return this.#pace.memory;
  }

  setSchedule(schedule: Schedule): void {
    this.follow(encode(schedule));
  }

  /** As `setSchedule`, from its numbers; allocates nothing. */
  follow(code: Float64Array): void {
    this.#pace.follow(code);
    this.#pace.write(this.step, this.#kernel.learningRate);
  }

  /** Processes the first `frames` frames, `maxBlock` at most, of the inputs into the outputs. */
  process(frames: number): void {
    const total = Math.min(frames, this.artifact.maxBlock);
    let done = 0;
    while (done < total) {
      done += this.#runsByItself ? this.#run(done, total - done) : this.#piece(done, total - done);
    }
    if (this.#learning) this.#checkOutputs(total);
  }

  /**
   * Something that the program hears or plays was not finite: learning stops, and nothing is learned
   * from this window.
   *
   * @param fault  FAULT.input or FAULT.output
   * @param index  channel, −1 where it is not known
   */
  distrust(fault: number, index: number): void {
    if (this.#window === 0 || this.retired) return;
    if (fault === FAULT.input && this.artifact.listens.length === 0) return;
    if (this.#learning) this.#trip(this.#guard.note(fault, index));
    this.#partial = Math.max(this.#partial, this.#unrecorded());
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
    this.#pace.restart();
    this.#pace.write(0, this.#kernel.learningRate);
  }

  /** Goes on from parameters that are known to be good, after `step` optimiser steps. */
  resume(params: ArrayLike<number>, step: number): void {
    for (let k = 0; k < this.params.length; k++) {
      this.params[k] = params[k]!;
    }
    this.#guard.restart();
    this.step = step;
    this.#pace.write(step, this.#kernel.learningRate);
  }

  /**
   * Copies what goes on elsewhere, at RECALL of `recall.ts`: steps done, the memory of the schedule,
   * parameters, what the optimiser remembers. Allocates nothing.
   */
  recall(into: Float64Array): void {
    into[RECALL.step] = this.step;
    into.set(this.#pace.memory, RECALL.paceMemory);
    into.set(this.params, RECALL.params);
    const { memory } = this.#kernel;
    const at = RECALL.params + this.params.length;
    if (memory === null) into.fill(Number.NaN, at);
    else readOptimiser(this.#remembered, memory, into, at);
  }

  /** The optimiser remembers this, the numbers of a recall; what is not a number stays. */
  remember(optimiser: Float64Array): void {
    const { memory } = this.#kernel;
    if (memory !== null) writeOptimiser(this.#remembered, memory, optimiser);
  }

  /**
   * Goes on where another program is: parameters and freezes by name, within the ranges of this one,
   * a rate of a parameter where it was set while it ran, sliders by name, also where one has become the
   * other, steps, states by name as planned. What `from` has no name for stays as it is.
   * Nothing is learned from windows that this program has not recorded whole. Schedule and whether it learns stay.
   *
   * @param plan  of the two artifacts
   * Cost: about a nanosecond per word; allocates nothing.
   */
  adopt(from: Instance, plan: Adoption): void {
    const { params, sliders, learnt, fixed } = plan;
    for (let k = 0; k < params.length; k += 2) {
      const source = params[k]!;
      const target = params[k + 1]!;
      const { min, max } = this.artifact.params[target]!;
      this.params[target] = from.params[source]!;
      hold(this.params, target, min, max);
      this.#guard.adopt(target, from.#guard, source);
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
    for (let k = 0; k < learnt.length; k += 2) {
      const target = learnt[k + 1]!;
      const { min, max } = this.artifact.params[target]!;
      this.params[target] = from.sliders[learnt[k]!]!;
      hold(this.params, target, min, max);
      this.#guard.begin(target);
    }
    for (let k = 0; k < fixed.length; k += 2) {
      const target = fixed[k + 1]!;
      const { min, max } = this.artifact.sliders[target]!;
      this.sliders[target] = from.params[fixed[k]!]!;
      hold(this.sliders, target, min, max);
    }
    this.#gathered = 0;
    if (plan.learning) {
      this.step = from.step;
      this.windows = from.windows;
      this.loss = from.loss;
      this.#pace.adopt(from.#pace);
      this.#pace.write(this.step, this.#kernel.learningRate);
      this.#guard.adoptLoss(from.#guard);
    }
    this.#heard = from.#heard;
    this.#position = this.#window === 0 ? 0 : from.#position % this.#window;
    const before = from.#kernel.memory;
    const after = this.#kernel.memory;
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
      this.gradients[k] = 0;
    }
    this.#guard.restart();
    this.step = 0;
    this.loss = 0;
    this.fault = FAULT.none;
    this.#pace.restart();
    this.#pace.write(0, this.#kernel.learningRate);
    this.resetState();
  }

  /** Up to the end of a window, judged here. @returns frames done */
  #piece(from: number, frames: number): number {
    const left = this.#window === 0 ? frames : this.#window - this.#position;
    const count = frames < left ? frames : left;
    this.#listen(from, count);
    this.#kernel.stream(from, this.#position, count);
    if (this.#window === 0) return count;
    this.#position += count;
    if (this.#position < this.#window) return count;
    this.#position = 0;
    if (!this.retired) {
      this.#kernel.backward();
      this.#judge();
    }
    return count;
  }

  /** Windows may follow each other without being looked at from here. */
  get #runsByItself(): boolean {
    if (this.#kernel.course === null || this.#partial > 0 || this.retired) return false;
    return !this.#guard.touched;
  }

  /** As `#piece`, over as many windows as rates are known for and nothing is found in. */
  #run(from: number, frames: number): number {
    const { words, rates, run } = this.#kernel.course!;
    const window = this.#window;
    const ends = Math.ceil((this.#position + frames) / window);
    const known = this.#pace.ahead(this.step, ends, rates);
    const left = known * window - this.#position;
    words[COURSE.active] = this.#learning && !this.held ? 1 : 0;
    words[COURSE.heard] = this.#heard;
    words[COURSE.gathered] = this.#gathered;
    run(from, this.#position, frames < left ? frames : left);
    this.#heard = words[COURSE.heard]!;
    this.#gathered = words[COURSE.gathered]!;
    const done = words[COURSE.frames]!;
    this.#position = (this.#position + done) % window;
    const windows = words[COURSE.windows]!;
    if (windows > 0) {
      this.windows += windows;
      this.loss = this.#kernel.judged.kept[KEPT.last]!;
    }
    const steps = words[COURSE.steps]!;
    if (steps > 0) {
      if (this.#pace.listens) this.#observeAll(rates, steps);
      this.step += steps;
      this.#guard.leave();
    }
    const stopped = words[COURSE.stopped]!;
    if (stopped === STOPPED.listening) return done + this.#piece(from + done, frames - done);
    if (stopped === STOPPED.judging) this.#judge();
    if (stopped === STOPPED.stepping) {
      const { sums } = this.#kernel.judged;
      this.#meanLoss[0] = sums[sums.length - 1]!;
      this.#afterStep();
    }
    return done;
  }

  /** The losses of steps that have been taken. */
  #observeAll(losses: Float64Array, steps: number): void {
    for (let k = 0; k < steps; k++) {
      this.#meanLoss[0] = losses[k]!;
      this.#pace.observe(this.step + k, this.#meanLoss);
    }
  }

  /** A window is over, and its gradient is there. */
  #judge(): void {
    const kernel = this.#kernel;
    const isSilent = this.#heard < this.#silence;
    this.#heard = 0;
    this.windows++;
    if (this.#partial > 0) {
      this.#partial--;
      for (let k = 0; k < this.gradients.length; k++) this.gradients[k] = 0;
      return;
    }
    const isHushed = isSilent && this.artifact.listens.length > 0;
    const isActive = this.#learning && !this.held && !isHushed;
    const fault = this.#guard.judge(kernel.loss, isActive);
    if (fault !== FAULT.none) {
      const isFinite = fault !== FAULT.loss && fault !== FAULT.gradient;
      if (isFinite) this.loss = kernel.loss[0]!;
      this.#trip(fault);
      if (!isFinite) kernel.reset();
      return;
    }
    this.loss = kernel.loss[0]!;
    this.#pace.write(this.step, kernel.learningRate);
    if (!isActive) {
      if (!isHushed) this.#gathered = 0;
      return;
    }
    if (this.artifact.every > 1 && !this.#gather()) return;
    // Momentum and decay do not move what has no gradient; the step and the schedule go on.
    if (!this.#guard.flat) {
      this.#guard.beforeStep();
      kernel.update();
      this.#afterStep();
      return;
    }
    this.#observe();
  }

  /** Before anything is played with what a step has made. */
  #afterStep(): void {
    const leap = this.#guard.afterStep();
    if (leap === FAULT.none) this.#observe();
    else this.#trip(leap);
  }

  #observe(): void {
    this.#pace.observe(this.step, this.artifact.every > 1 ? this.#meanLoss : this.#kernel.loss);
    this.step++;
  }

  /** Adds up gradients; true when they are enough, and their mean is in their place. */
  #gather(): boolean {
    const { gradients } = this;
    const { sums } = this.#kernel.judged;
    const { every } = this.artifact;
    const last = gradients.length;
    if (this.#gathered === 0) sums.fill(0);
    for (let k = 0; k < last; k++) sums[k]! += gradients[k]!;
    sums[last]! += this.loss;
    this.#gathered++;
    if (this.#gathered < every) return false;
    for (let k = 0; k < last; k++) gradients[k] = sums[k]! / every;
    this.#meanLoss[0] = sums[last]! / every;
    this.#gathered = 0;
    return true;
  }

  /** Inputs that are not finite become silence; how loud the others are counts for the window. */
  #listen(from: number, count: number): void {
    const { listens } = this.artifact;
    for (let k = 0; k < listens.length; k++) {
      const input = listens[k]!;
      const peak = this.#kernel.peakIn(input, from, count);
      if (peak >= NOT_FINITE) {
        this.inputs[input]!.fill(0, from, from + count);
        this.distrust(FAULT.input, input);
      } else if (peak > this.#heard) {
        this.#heard = peak;
      }
    }
  }

  #checkOutputs(frames: number): void {
    for (let c = 0; c < this.outputs.length; c++) {
      if (this.#kernel.peakOut(c, 0, frames) < NOT_FINITE) continue;
      this.distrust(FAULT.output, c);
      this.resetState();
      return;
    }
  }

  /** Learning stops, the last good parameters return, the optimiser forgets. */
  #trip(fault: number): void {
    this.gradients.fill(0);
    if (!this.#learning) return;
    this.#guard.takeBack();
    this.#kernel.restart();
    this.#gathered = 0;
    this.#guard.detail[DETAIL.step] = this.step;
    this.#learning = false;
    this.fault = fault;
  }
}

/** Keeps an element in its range; in place, because a returned double would be allocated. */
function hold(values: Float64Array, index: number, min: number, max: number): void {
  if (values[index]! < min) values[index] = min;
  if (values[index]! > max) values[index] = max;
}
