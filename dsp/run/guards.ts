/**
 * The guards of one running program: they judge each window's loss, gradients and step, and keep the
 * last good parameters.
 *
 * A loss is *usual* up to `factor` times the geometric mean of the losses before (over some 32
 * windows; what is not usual counts half, or at once where no
 * long step came before it). Parameters are *good* when the loss of a whole window that was played with them was
 * finite and usual, and so are those that someone set by hand. What returns after a fault is the
 * last good ones, but for those that are frozen.
 *
 * Rising: a strike is a window whose loss is above the usual, no less than the one before, and came
 * after a step that carried a parameter over `move` of its range; `times` strikes, less a sixteenth
 * for each window without one, are a fault. The loss alone says nothing: a change of the target or an
 * onset after silence raises it by any factor, but without a step, and then learning lowers it. Steps
 * this long that make it worse, again and again, are what a rate that is too large does, at any level
 * and with any optimiser. A loss that is ever negative has no such factor and is not judged so.
 *
 * Leap: one step that carries a parameter over `leap` of its range and to an end of it, found before a
 * sample is played with it.
 *
 * Threads: those of the Instance. Invariant: nothing allocates after construction.
 */

import type { Artifact } from '../artifact.ts';
import { DETAIL, FAULT } from './faults.ts';

/** Share of a window's loss in the usual one: of a usual loss, and of one that is not. */
const LEARNS = 1 / 32;
const ADMITS = 1 / 64;
/** What a window without a strike takes away. */
const PARDON = 1 / 16;
/** Losses below this are as good as none. */
const LEAST = 1e-30;

/** Places of the numbers that are kept from window to window. */
const USUAL = 0;
const LAST = 1;
const MOVED = 2;
const STRIKES = 3;
/** Not 0: a negative loss was seen. */
const SIGNED = 4;
/** Windows judged. */
const SEEN = 5;

export class ParameterGuard {
  /** Numbers of the last fault, at DETAIL. */
  readonly detail = new Float64Array(4);
  readonly #settings: Artifact['guards'];
  readonly #params: Float64Array;
  readonly #frozen: Float64Array;
  readonly #gradients: Float64Array;
  readonly #good: Float64Array;
  /** As the last step left them: what differs was set by hand. */
  readonly #left: Float64Array;
  readonly #before: Float64Array;
  readonly #min: Float64Array;
  readonly #max: Float64Array;
  /** 1 / range; of a logarithmic one, in logarithms. */
  readonly #scale: Float64Array;
  readonly #isLog: Uint8Array;
  readonly #kept = new Float64Array(6);
  readonly #hasLog: boolean;

  constructor(
    artifact: Artifact,
    params: Float64Array,
    gradients: Float64Array,
    frozen: Float64Array,
  ) {
    const { params: controls } = artifact;
    const count = controls.length;
    this.#settings = artifact.guards;
    this.#params = params;
    this.#gradients = gradients;
    this.#frozen = frozen;
    this.#good = new Float64Array(count);
    this.#left = new Float64Array(count);
    this.#before = new Float64Array(count);
    this.#min = Float64Array.from(controls, (c) => c.min);
    this.#max = Float64Array.from(controls, (c) => c.max);
    this.#isLog = Uint8Array.from(controls, (c) => (c.scale === 'log' && c.min > 0 ? 1 : 0));
    this.#hasLog = this.#isLog.includes(1);
    this.#scale = Float64Array.from(controls, ({ min, max }, k) => {
      const range = this.#isLog[k] === 1 ? Math.log(max / min) : max - min;
      return range > 0 ? 1 / range : 0;
    });
  }

  /** The present parameters are good, and nothing is known of the loss. */
  restart(): void {
    this.trust();
    this.#kept.fill(0);
  }

  /** The present parameters are good. */
  trust(): void {
    for (let k = 0; k < this.#params.length; k++) {
      this.#good[k] = this.#params[k]!;
      this.#left[k] = this.#params[k]!;
    }
  }

  /** Parameter `target` is good as it is. */
  begin(target: number): void {
    this.#good[target] = this.#params[target]!;
    this.#left[target] = this.#params[target]!;
  }

  /** Parameter `target` goes on as `source` of another program. */
  adopt(target: number, from: ParameterGuard, source: number): void {
    const good = this.#good;
    good[target] = from.#good[source]!;
    if (good[target] < this.#min[target]!) good[target] = this.#min[target]!;
    if (good[target] > this.#max[target]!) good[target] = this.#max[target]!;
    this.#left[target] = this.#params[target]!;
  }

  /** What is known of the loss goes along with it. */
  adoptLoss(from: ParameterGuard): void {
    for (let k = 0; k < this.#kept.length; k++) this.#kept[k] = from.#kept[k]!;
  }

  /** The last good parameters, but for those that are frozen. */
  takeBack(): void {
    for (let k = 0; k < this.#params.length; k++) {
      if (this.#frozen[k] === 0) this.#params[k] = this.#good[k]!;
      this.#left[k] = this.#params[k]!;
    }
    this.#kept.fill(0);
  }

  /**
   * Judges a whole window.
   *
   * @param loss    in its first element
   * @param active  steps are being taken: bounds and rises count
   * @returns       a code of FAULT; its numbers are in `detail`
   */
  judge(loss: Float64Array, active: boolean): number {
    const value = loss[0]!;
    if (value - value !== 0) return this.#fault(FAULT.loss, loss, 0, -1);
    const gradients = this.#gradients;
    // Two sums side by side: an addition need not wait for the one before.
    let square = 0;
    let other = 0;
    for (let k = 1; k < gradients.length; k += 2) {
      square += gradients[k - 1]! * gradients[k - 1]!;
      other += gradients[k]! * gradients[k]!;
    }
    if (gradients.length % 2 === 1) other += gradients[gradients.length - 1]! ** 2;
    square += other;
    // What is not finite has no finite square; a huge number has none either.
    if (square - square !== 0 && !isFinite(gradients)) {
      return this.#firstBad(FAULT.gradient, gradients);
    }
    this.#trustHand();
    const kept = this.#kept;
    const { maxLoss, maxGradient, rising } = this.#settings;
    if (active && value > maxLoss) return this.#fault(FAULT.maxLoss, loss, maxLoss, -1);
    if (active && square > maxGradient * maxGradient) {
      this.detail[DETAIL.value] = Math.sqrt(square);
      return this.#fault(FAULT.maxGradient, this.detail, maxGradient, -1);
    }
    if (value < 0) kept[SIGNED] = 1;
    const ln = Math.log(value > LEAST ? value : LEAST);
    const factor = rising === null ? 4 : rising.factor;
    const isKnown = kept[SEEN]! > 0 && kept[SIGNED] === 0;
    const isUsual = !isKnown || ln <= kept[USUAL]! + Math.log(factor);
    const isStrike =
      rising !== null && active && !isUsual && value >= kept[LAST]! && kept[MOVED]! >= rising.move;
    const strikes = kept[STRIKES]!;
    kept[STRIKES] = isStrike ? strikes + 1 : strikes > PARDON ? strikes - PARDON : 0;
    if (rising !== null && isKnown && kept[STRIKES] > rising.times - 0.5) {
      return this.#fault(FAULT.rising, loss, Math.exp(kept[USUAL]!) * factor, -1);
    }
    // A rise that no long step came before is not of learning's making: it soon is the usual.
    const isSudden = kept[MOVED]! < (rising === null ? 0.05 : rising.move);
    const share = isUsual ? LEARNS : isSudden ? 0.5 : ADMITS;
    kept[USUAL]! += kept[SEEN] === 0 ? ln - kept[USUAL]! : (ln - kept[USUAL]!) * share;
    kept[LAST] = value;
    kept[MOVED] = 0;
    // Nothing compared with nothing, before the sound begins, says nothing of what is usual.
    if (value > LEAST) kept[SEEN]! += 1;
    if (isUsual) copy(this.#good, this.#params);
    return FAULT.none;
  }

  /** Are all gradients exactly 0? */
  get flat(): boolean {
    const gradients = this.#gradients;
    for (let k = 0; k < gradients.length; k++) if (gradients[k] !== 0) return false;
    return true;
  }

  /** Before a step. */
  beforeStep(): void {
    copy(this.#before, this.#params);
  }

  /** After a step, before anything is played with it: a code of FAULT. */
  afterStep(): number {
    const params = this.#params;
    const before = this.#before;
    const scale = this.#scale;
    const isLog = this.#isLog;
    const { leap } = this.#settings;
    let most = 0;
    let sum = 0;
    if (!this.#hasLog) {
      for (let k = 0; k < params.length; k++) {
        const way = params[k]! - before[k]!;
        const share = (way < 0 ? -way : way) * scale[k]!;
        sum += way;
        if (share > most) most = share;
      }
      if (most < leap && sum - sum === 0) {
        copy(this.#left, params);
        this.#kept[MOVED] = most;
        return FAULT.none;
      }
      most = 0;
    }
    // Where there may be something to say, one by one.
    for (let k = 0; k < params.length; k++) {
      const value = params[k]!;
      if (value - value !== 0) return this.#firstBad(FAULT.parameter, params);
      const way = isLog[k] === 1 ? Math.log(value / before[k]!) : value - before[k]!;
      const share = Math.abs(way) * scale[k]!;
      if (share > most) most = share;
      if (share >= leap && (value <= this.#min[k]! || value >= this.#max[k]!)) {
        this.detail[DETAIL.value] = share;
        return this.#fault(FAULT.leap, this.detail, leap, k);
      }
    }
    copy(this.#left, params);
    this.#kept[MOVED] = most;
    return FAULT.none;
  }

  /** For what is found elsewhere: no numbers but where. */
  note(fault: number, index: number): number {
    this.#trustHand();
    this.detail[DETAIL.value] = Number.NaN;
    return this.#fault(fault, this.detail, 0, index);
  }

  /** What someone set by hand is good. */
  #trustHand(): void {
    const params = this.#params;
    const left = this.#left;
    for (let k = 0; k < params.length; k++) {
      if (params[k] === left[k]) continue;
      this.#good[k] = params[k]!;
      left[k] = params[k]!;
    }
  }

  #firstBad(fault: number, values: Float64Array): number {
    let index = 0;
    while (values[index]! - values[index]! === 0) index++;
    this.detail[DETAIL.value] = values[index]!;
    return this.#fault(fault, this.detail, 0, index);
  }

  #fault(fault: number, value: Float64Array, bound: number, index: number): number {
    this.detail[DETAIL.value] = value[0]!;
    this.detail[DETAIL.bound] = bound;
    this.detail[DETAIL.index] = index;
    return fault;
  }
}

function isFinite(values: Float64Array): boolean {
  for (let k = 0; k < values.length; k++) if (values[k]! - values[k]! !== 0) return false;
  return true;
}

/** All of them: few one by one, many in one go, which costs a call. */
function copy(into: Float64Array, from: Float64Array): void {
  if (from.length > 48) {
    into.set(from);
    return;
  }
  for (let k = 0; k < from.length; k++) into[k] = from[k]!;
}
