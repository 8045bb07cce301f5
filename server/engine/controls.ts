/**
 * What steers the audio thread, in shared memory: `Switches` for the engine as a whole, and
 * `ProgramControls` for the sliders, parameters and training of one program.
 *
 * Invariants: the engine's main thread writes, the audio thread reads, nobody waits. Every
 * change carries a stamp, later changes larger ones, so of a reset and a parameter written
 * around it the later one wins even when both arrive in the same block. A schedule is several
 * numbers and is guarded by a version that is odd while it is being written.
 * Doubles are aligned, which 64-bit processors read and write whole.
 */
import { CODE } from '../../dsp/learn/schedules/numbers.ts';
import { encode } from '../../dsp/learn/schedules/schedule.ts';
import type { Schedule } from './types.ts';

/** Words of the engine-wide switches. */
const MAIL = 0;
const STOP = 1;
const MUTED = 2;
const GAIN = 3;
const SWAPPED = 4;
const WORDS = 8;

export class Switches {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffer = new SharedArrayBuffer(WORDS * 4)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  /** Messages posted to the audio thread so far: it looks into its mailbox when this changed. */
  get mail(): number {
    return Atomics.load(this.#words, MAIL);
  }
  announceMail(): void {
    Atomics.add(this.#words, MAIL, 1);
  }

  get stop(): boolean {
    return Atomics.load(this.#words, STOP) === 1;
  }
  requestStop(): void {
    Atomics.store(this.#words, STOP, 1);
  }

  get muted(): boolean {
    return Atomics.load(this.#words, MUTED) === 1;
  }
  set muted(on: boolean) {
    Atomics.store(this.#words, MUTED, on ? 1 : 0);
  }

  /** Output gain in thousandths of a decibel: one word, so it cannot be read half-written. */
  get gainMilliDb(): number {
    return Atomics.load(this.#words, GAIN);
  }
  set gainMilliDb(value: number) {
    Atomics.store(this.#words, GAIN, Math.round(value));
  }

  /** Generation of the program that is playing; written by the audio thread. */
  get playing(): number {
    return Atomics.load(this.#words, SWAPPED);
  }
  set playing(generation: number) {
    Atomics.store(this.#words, SWAPPED, generation);
  }
}

/** What the reader sets: the part of an Instance that is steered. */
export interface Steered {
  readonly sliders: Float64Array;
  readonly params: Float64Array;
  /** Per parameter, not 0: it keeps its value. */
  readonly frozen: Float64Array;
  /** Per parameter: a factor of the learning rate. */
  readonly rates: Float64Array;
  learning: boolean;
  /** Goes over to a schedule, from its numbers. */
  follow(code: Float64Array): void;
  reset(): void;
  restart(): void;
}

const CHANGES = 0;
const VERSION = 1;
const LEARNING = 2;

interface Views {
  readonly words: Int32Array;
  /**
   * 0 newest, 1 learning, 2 reset, 3 restart, then one per parameter value, then one per frozen
   * flag, then one per rate.
   */
  readonly stamps: Float64Array;
  readonly schedule: Float64Array;
  readonly sliders: Float64Array;
  readonly params: Float64Array;
  readonly rates: Float64Array;
  readonly frozen: Uint8Array;
}

const NEWEST = 0;
const LEARNING_STAMP = 1;
const RESET_STAMP = 2;
const RESTART_STAMP = 3;
const PARAM_STAMPS = 4;

function views(buffer: SharedArrayBuffer, sliders: number, params: number): Views {
  const stamps = PARAM_STAMPS + 3 * params;
  let at = 16;
  const doubles = (count: number): Float64Array => {
    const view = new Float64Array(buffer, at, count);
    at += count * 8;
    return view;
  };
  return {
    words: new Int32Array(buffer, 0, 4),
    stamps: doubles(stamps),
    schedule: doubles(CODE),
    sliders: doubles(sliders),
    params: doubles(params),
    rates: doubles(params),
    frozen: new Uint8Array(buffer, at, params),
  };
}

function bytes(sliders: number, params: number): number {
  return 16 + 8 * (PARAM_STAMPS + 3 * params + CODE + sliders + 2 * params) + params;
}

/** The main thread's side. Indices must be in range: the supervisor checks them. */
export class ProgramControls {
  readonly buffer: SharedArrayBuffer;
  readonly #views: Views;
  readonly #params: number;

  constructor(sliders: readonly number[], params: number) {
    this.buffer = new SharedArrayBuffer(bytes(sliders.length, params));
    this.#views = views(this.buffer, sliders.length, params);
    this.#views.sliders.set(sliders);
    this.#params = params;
  }

  setSlider(index: number, value: number): void {
    this.#views.sliders[index] = value;
    this.#publish(this.#stamp());
  }

  setParam(index: number, value: number): void {
    const stamp = this.#stamp();
    this.#views.params[index] = value;
    this.#views.stamps[PARAM_STAMPS + index] = stamp;
    this.#publish(stamp);
  }

  setFrozen(index: number, on: boolean): void {
    const stamp = this.#stamp();
    this.#views.frozen[index] = on ? 1 : 0;
    this.#views.stamps[PARAM_STAMPS + this.#params + index] = stamp;
    this.#publish(stamp);
  }

  setRate(index: number, factor: number): void {
    const stamp = this.#stamp();
    this.#views.rates[index] = factor;
    this.#views.stamps[PARAM_STAMPS + 2 * this.#params + index] = stamp;
    this.#publish(stamp);
  }

  setLearning(on: boolean): void {
    const stamp = this.#stamp();
    Atomics.store(this.#views.words, LEARNING, on ? 1 : 0);
    this.#views.stamps[LEARNING_STAMP] = stamp;
    this.#publish(stamp);
  }

  setSchedule(schedule: Schedule): void {
    const { words, schedule: numbers } = this.#views;
    const code = encode(schedule);
    Atomics.add(words, VERSION, 1);
    numbers.set(code);
    Atomics.add(words, VERSION, 1);
  }

  reset(): void {
    const stamp = this.#stamp();
    this.#views.stamps[RESET_STAMP] = stamp;
    this.#publish(stamp);
  }

  restart(): void {
    const stamp = this.#stamp();
    this.#views.stamps[RESTART_STAMP] = stamp;
    this.#publish(stamp);
  }

  #stamp(): number {
    return this.#views.stamps[NEWEST]! + 1;
  }

  #publish(stamp: number): void {
    this.#views.stamps[NEWEST] = stamp;
    Atomics.add(this.#views.words, CHANGES, 1);
  }
}

/** The audio thread's side. */
export class ControlReader {
  readonly #views: Views;
  readonly #params: number;
  #changes = 0;
  #version = 0;
  #seen = 0;
  /** A copy, so that what is followed was read whole. */
  readonly #code = new Float64Array(CODE);

  constructor(buffer: SharedArrayBuffer, sliders: number, params: number) {
    this.#views = views(buffer, sliders, params);
    this.#params = params;
  }

  /** Brings `target` up to date; an atomic load or two when nothing changed. */
  apply(target: Steered): void {
    const { words } = this.#views;
    const changes = Atomics.load(words, CHANGES);
    if (changes !== this.#changes) {
      this.#changes = changes;
      this.#applyValues(target);
    }
    const version = Atomics.load(words, VERSION);
    if (version !== this.#version && (version & 1) === 0) this.#applySchedule(target, version);
  }

  #applyValues(target: Steered): void {
    const { stamps, sliders, params, frozen, rates, words } = this.#views;
    const seen = this.#seen;
    const newest = stamps[NEWEST]!;
    this.#seen = newest;
    target.sliders.set(sliders);
    const reset = stamps[RESET_STAMP]!;
    // A reset spares what is frozen at its time: flags written before it count, later ones do not.
    if (reset > seen && reset <= newest) {
      for (let p = 0; p < this.#params; p++) {
        const written = stamps[PARAM_STAMPS + this.#params + p]!;
        if (written > seen && written < reset) target.frozen[p] = frozen[p]!;
      }
      target.reset();
    }
    for (let p = 0; p < this.#params; p++) {
      const written = stamps[PARAM_STAMPS + p]!;
      if (written > seen && written <= newest && (reset <= seen || written > reset)) {
        target.params[p] = params[p]!;
      }
      if (stamps[PARAM_STAMPS + this.#params + p]! > seen) target.frozen[p] = frozen[p]!;
      if (stamps[PARAM_STAMPS + 2 * this.#params + p]! > seen) target.rates[p] = rates[p]!;
    }
    if (stamps[RESTART_STAMP]! > seen) target.restart();
    if (stamps[LEARNING_STAMP]! > seen) target.learning = Atomics.load(words, LEARNING) === 1;
  }

  #applySchedule(target: Steered, version: number): void {
    const { words, schedule } = this.#views;
    for (let k = 0; k < CODE; k++) this.#code[k] = schedule[k]!;
    if (Atomics.load(words, VERSION) !== version) return;
    this.#version = version;
    target.follow(this.#code);
  }
}
