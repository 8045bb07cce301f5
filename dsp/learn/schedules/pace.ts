/**
 * A schedule at work: where it begins, its warm-up, the glide into it, and what it remembers.
 *
 * With t = step − start and w = warmup.steps:
 *   r = schedule(0) · (from + (1 − from) · t / w)  while t < w,  else schedule(t − w)
 *   rate = glide.from + (r − glide.from) · (step − glide.at) / glide.steps  while glide.at ≤ step < glide.at + glide.steps, else r
 * held to [0, 1e6]: what grows without end is held there, not at infinity. Before `start` t is 0.
 *
 * Threads: whoever owns it calls everything; in the daemon that is the audio thread.
 * Invariant: after construction nothing allocates; rates are a function of the step, the numbers and
 * the losses observed, so a preview by another pace is what happens, to the bit.
 */

import { SCHEDULES, SCHEDULE_KINDS } from './kinds.ts';
import {
  CODE,
  GLIDE_AT,
  GLIDE_FROM,
  GLIDE_STEPS,
  KIND,
  LASTS,
  MEMORY,
  OWN,
  RATE,
  REMEMBERED,
  SCRATCH,
  START,
  STEP,
  WARM_FROM,
  WARM_STEPS,
} from './numbers.ts';
import { observePlateau } from './plateau.ts';

const CEILING = 1e6;
const WRITE = SCHEDULE_KINDS.map((kind) => SCHEDULES[kind].write);
const LAST = SCHEDULE_KINDS.map((kind) => SCHEDULES[kind].lasts ?? changing);
const PLATEAU = SCHEDULE_KINDS.indexOf('plateau');

export class Pace {
  readonly #code = new Float64Array(CODE);
  readonly #work = new Float64Array(SCRATCH);
  /** What a plateau has seen of the losses; zeros at its start. Others leave it as it is. */
  readonly memory = this.#work.subarray(MEMORY, MEMORY + REMEMBERED);

  /**
   * Follows another schedule, as `encode` gives it. A plateau that begins at the same rate and step as
   * the one before keeps what it has seen: its patience may be changed without a jump.
   */
  follow(code: Float64Array): void {
    const own = this.#code;
    const isSame =
      code[KIND]! === PLATEAU &&
      own[KIND]! === PLATEAU &&
      code[START]! === own[START]! &&
      code[OWN]! === own[OWN]!;
    for (let k = 0; k < CODE; k++) own[k] = code[k]!;
    if (!isSame) this.memory.fill(0);
  }

  /** The rate at an optimiser step into the first element of an array: a returned double would be allocated. */
  write(step: number, into: Float64Array): void {
    this.#compute(step);
    into[0] = this.#work[RATE]!;
  }

  /**
   * The rates of the steps from `step` on, as far as they do not depend on losses still to come.
   *
   * @param most  how many are wanted, at least one
   * @returns     how many are there
   */
  ahead(step: number, most: number, into: Float64Array): number {
    const w = this.#work;
    let count = 0;
    while (count < most) {
      this.#compute(step + count);
      this.#last(step + count);
      const left = most - count;
      const end = w[LASTS]! < left ? count + w[LASTS]! : most;
      for (let k = count; k < end; k++) into[k] = w[RATE]!;
      count = end;
      if (this.listens) break;
    }
    return count;
  }

  /** Do rates depend on losses? */
  get listens(): boolean {
    return this.#code[KIND]! === PLATEAU;
  }

  /** To w[LASTS]: for how many steps from this one on the rate is as computed for it. */
  #last(step: number): void {
    const n = this.#code;
    const w = this.#work;
    w[LASTS] = 1;
    if (step < n[START]! + n[WARM_STEPS]!) return;
    const gone = step - n[GLIDE_AT]!;
    if (gone >= 0 && gone < n[GLIDE_STEPS]!) return;
    LAST[n[KIND]!]!(n, w);
    if (gone < 0 && w[LASTS]! > -gone) w[LASTS] = -gone;
  }

  /** To w[RATE]. */
  #compute(step: number): void {
    const n = this.#code;
    const w = this.#work;
    const t = step > n[START]! ? step - n[START]! : 0;
    const warm = n[WARM_STEPS]!;
    w[STEP] = t < warm ? 0 : t - warm;
    WRITE[n[KIND]!]!(n, w);
    if (t < warm) w[RATE]! *= n[WARM_FROM]! + ((1 - n[WARM_FROM]!) * t) / warm;
    // Also what is no number: 0 times infinity.
    if (!(w[RATE]! <= CEILING)) w[RATE] = CEILING;
    const gone = step - n[GLIDE_AT]!;
    // One that lies ahead is of another run.
    if (gone >= 0 && gone < n[GLIDE_STEPS]!) {
      const share = gone / n[GLIDE_STEPS]!;
      w[RATE] = n[GLIDE_FROM]! + (w[RATE]! - n[GLIDE_FROM]!) * share;
    }
  }

  /** Takes the loss of a step that was taken, the `step`-th, from `loss[0]`. */
  observe(step: number, loss: Float64Array): void {
    const n = this.#code;
    if (n[KIND]! !== PLATEAU || step < n[START]! + n[WARM_STEPS]!) return;
    observePlateau(n, this.#work, loss);
  }

  /** Where `from` is, if this follows the same plateau as it does; else nothing changes. */
  adopt(from: Pace): void {
    const n = this.#code;
    const other = from.#code;
    if (n[KIND]! !== PLATEAU || other[KIND]! !== PLATEAU) return;
    if (n[START]! !== other[START]! || n[OWN]! !== other[OWN]!) return;
    this.memory.set(from.memory);
  }

  /** From step 0 again, nothing seen, without a glide. */
  restart(): void {
    this.#code[START] = 0;
    this.#code[GLIDE_AT] = 0;
    this.#code[GLIDE_STEPS] = 0;
    this.memory.fill(0);
  }
}

function changing(_: Float64Array, w: Float64Array): void {
  w[LASTS] = 1;
}
