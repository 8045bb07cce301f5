/**
 * The guards of one running program: they judge each window's loss, gradients and step, and keep the
 * last good parameters.
 *
 * A loss is *usual* up to `factor` times the geometric mean of the losses before (of their levels,
 * `ir/judging.ts`, over some 32 windows; what is not usual counts half, or at once where no
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
import {
  ADMITS,
  FACTOR,
  KEPT,
  LEARNS,
  LEAST,
  MOVE,
  PARDON,
  YIELDS,
  levelOf,
  lossAt,
  reachOf,
  riseOf,
} from '../ir/judging.ts';
import { DETAIL, FAULT } from './faults.ts';
import type { Judged } from './kernel.ts';

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
  readonly #scale: Float64Array;
  readonly #isLog: Uint8Array;
  readonly #hasLog: boolean;
  /** What is a long step, and a leap: a way, of a logarithmic parameter a ratio. */
  readonly #long: Float64Array;
  readonly #leap: Float64Array;
  readonly #kept: Float64Array;
  readonly #rise: number;

  constructor(
    artifact: Artifact,
    params: Float64Array,
    gradients: Float64Array,
    frozen: Float64Array,
    judged: Judged,
  ) {
    const { params: controls } = artifact;
    const count = controls.length;
    this.#settings = artifact.guards;
    const { rising, leap } = this.#settings;
    this.#rise = riseOf(rising === null ? FACTOR : rising.factor);
    this.#params = params;
    this.#gradients = gradients;
    this.#frozen = frozen;
    this.#kept = judged.kept;
    this.#good = judged.good;
    this.#before = judged.before;
    this.#left = new Float64Array(count);
    this.#min = Float64Array.from(controls, (c) => c.min);
    this.#max = Float64Array.from(controls, (c) => c.max);
    const { isLog, scale, over } = reachOf(controls);
    this.#isLog = isLog;
    this.#scale = scale;
    this.#hasLog = isLog.includes(1);
    this.#long = over(rising === null ? MOVE : rising.move);
    this.#leap = over(leap);
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
    const count = gradients.length;
    let square = 0;
    let other = 0;
    for (let k = 1; k < count; k += 2) {
      square += gradients[k - 1]! * gradients[k - 1]!;
      other += gradients[k]! * gradients[k]!;
    }
    if (count % 2 === 1) square += gradients[count - 1]! * gradients[count - 1]!;
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
    if (value < 0) kept[KEPT.signed] = 1;
    const level = levelOf(value > LEAST ? value : LEAST);
    const isKnown = kept[KEPT.seen]! > 0 && kept[KEPT.signed] === 0;
    const isUsual = !isKnown || level <= kept[KEPT.usual]! + this.#rise;
    const isLong = kept[KEPT.moved] !== 0;
    const isStrike = rising !== null && active && !isUsual && isLong && value >= kept[KEPT.last]!;
    const before = kept[KEPT.strikes]!;
    const strikes = isStrike ? before + 1 : before > PARDON ? before - PARDON : 0;
    if (rising !== null && isKnown && strikes > rising.times - 0.5) {
      return this.#fault(FAULT.rising, loss, lossAt(kept[KEPT.usual]!) * rising.factor, -1);
    }
    kept[KEPT.strikes] = strikes;
    // A rise that no long step came before is not of learning's making: it soon is the usual.
    const known = isUsual ? LEARNS : isLong ? ADMITS : YIELDS;
    const share = kept[KEPT.seen]! > 0 ? known : 1;
    kept[KEPT.usual]! += (level - kept[KEPT.usual]!) * share;
    kept[KEPT.last] = value;
    kept[KEPT.moved] = 0;
    // Nothing compared with nothing, before the sound begins, says nothing of what is usual.
    if (value > LEAST) kept[KEPT.seen]! += 1;
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
    const long = this.#long;
    const leap = this.#leap;
    let isLong = 0;
    if (!this.#hasLog) {
      let isShort = 1;
      for (let k = 0; k < params.length; k++) {
        const way = params[k]! - before[k]!;
        const size = way < 0 ? -way : way;
        if (size >= long[k]!) isLong = 1;
        // Also what is not a number.
        if (!(size < leap[k]! && size < Infinity)) isShort = 0;
      }
      if (isShort === 1) {
        copy(this.#left, params);
        this.#kept[KEPT.moved] = isLong;
        return FAULT.none;
      }
    }
    // Where there may be something to say, one by one.
    for (let k = 0; k < params.length; k++) {
      const value = params[k]!;
      if (value - value !== 0) return this.#firstBad(FAULT.parameter, params);
      const from = before[k]!;
      const isLog = this.#isLog[k] === 1;
      const size = value > from ? value - from : from - value;
      if (isLog ? isApart(value, from, long[k]!) : size >= long[k]!) isLong = 1;
      if (value > this.#min[k]! && value < this.#max[k]!) continue;
      if (isLog ? isApart(value, from, leap[k]!) : size >= leap[k]!) {
        const way = isLog ? Math.abs(Math.log(value / from)) : size;
        this.detail[DETAIL.value] = way * this.#scale[k]!;
        return this.#fault(FAULT.leap, this.detail, this.#settings.leap, k);
      }
    }
    copy(this.#left, params);
    this.#kept[KEPT.moved] = isLong;
    return FAULT.none;
  }

  /** Was a parameter set by hand since the last step? */
  get touched(): boolean {
    const params = this.#params;
    const left = this.#left;
    for (let k = 0; k < params.length; k++) if (params[k] !== left[k]) return true;
    return false;
  }

  /** What differs from here on was set by hand: windows have been judged and steps taken elsewhere. */
  leave(): void {
    copy(this.#left, this.#params);
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

/** Is one of two positive numbers at least so many times the other? */
function isApart(a: number, b: number, ratio: number): boolean {
  return a >= b * ratio || a * ratio <= b;
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
