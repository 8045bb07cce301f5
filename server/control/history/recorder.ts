/**
 * Makes runs and points of the measurements that come sixty times a second.
 *
 * Invariants: pure bookkeeping without input or output; a point is the mean, lowest and highest loss
 * of its time and the values at its end; a run begins with the first step that is measured and has no
 * point without one. Allocation: one array of parameters a point.
 */

import { MAX_RECORDED, type HistoryChange, type RunEnd } from '../../api/history.ts';
import type { Measurement } from '../../engine/types.ts';
import { hashOf } from '../snapshot.ts';
import type { State } from '../state.ts';
import type { Batch, Beginning, Ending, Point } from './database.ts';

/** From one point to the next at first, ms. */
export const SPACING = 100;

interface Current {
  readonly run: number;
  readonly patch: string;
  readonly params: readonly string[];
  spacing: number;
  /** When the present point began, ms since the run did. */
  since: number;
  /** Of the newest measurement. */
  at: number;
  newest: Measurement;
  step: number;
  sum: number;
  count: number;
  low: number;
  high: number;
}

export class Recorder {
  readonly #begun: Beginning[] = [];
  readonly #points: Point[] = [];
  readonly #ended: Ending[] = [];
  readonly #tell: (change: HistoryChange) => void;
  #current: Current | undefined;
  #lastRun = 0;

  /** @param tell  called when a run begins or ends */
  constructor(tell: (change: HistoryChange) => void) {
    this.#tell = tell;
  }

  /** The run that goes on. */
  get current(): number | undefined {
    return this.#current?.run;
  }

  /**
   * @param state  after the measurement
   * @param now  milliseconds since 1970
   */
  feed(state: State, measurement: Measurement, now: number): void {
    if (measurement.program !== state.program || state.artifact === null) return;
    const current = this.#current;
    if (!state.learning) {
      this.end(state.fault ? 'fault' : 'stopped', now);
      return;
    }
    if (!measurement.learning) return;
    const { step, loss } = measurement;
    const ids = state.artifact.params;
    if (current !== undefined) {
      if (current.patch !== state.patch.name || !isSame(current.params, ids)) {
        this.end('patch', now);
      } else if (step < current.step) this.end('reset', now);
      else if (step === current.step) return;
    }
    // Before the first step the loss is still that of what came before.
    if (step === 0) return;
    const run = this.#current ?? this.#begin(state, measurement, now);
    run.step = step;
    if (Number.isFinite(loss)) {
      run.sum += loss;
      run.count++;
      run.low = Math.min(run.low, loss);
      run.high = Math.max(run.high, loss);
    }
    run.at = Math.max(0, now - run.run);
    run.newest = measurement;
    if (run.at - run.since >= run.spacing) this.#point(run);
  }

  end(reason: RunEnd, now: number): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    // What came since the last point, which may be all of a short run.
    if (current.at > current.since || current.since === 0) this.#point(current);
    this.#ended.push({ run: current.run, at: Math.max(0, now - current.run), reason });
    this.#tell({ run: current.run, what: 'ended' });
  }

  /** Forgets the run that goes on: the next measurement begins another one. */
  drop(run: number): void {
    if (this.#current?.run === run) this.#current = undefined;
  }

  /** Points of this run come half as often from now on. */
  thinned(run: number): void {
    if (this.#current?.run === run) this.#current.spacing *= 2;
  }

  /** What came since the last time; undefined where nothing did. */
  take(): Batch | undefined {
    if (this.#begun.length + this.#points.length + this.#ended.length === 0) return undefined;
    return {
      begun: this.#begun.splice(0),
      points: this.#points.splice(0),
      ended: this.#ended.splice(0),
    };
  }

  #point(run: Current): void {
    const { at, step, sum, count, low, high, newest } = run;
    const isKnown = count > 0;
    const { learningRate, params } = newest;
    this.#points.push({
      run: run.run,
      at,
      step,
      loss: isKnown ? sum / count : null,
      low: isKnown ? low : null,
      high: isKnown ? high : null,
      rate: Number.isFinite(learningRate) ? learningRate : null,
      params: params.slice(0, MAX_RECORDED),
    });
    Object.assign(run, { since: at, sum: 0, count: 0, low: Infinity, high: -Infinity });
  }

  #begin({ patch, artifact }: State, newest: Measurement, now: number): Current {
    const { step } = newest;
    // Two runs may begin in one millisecond, and clocks go back.
    const run = (this.#lastRun = Math.max(Math.round(now), this.#lastRun + 1));
    const params = (artifact?.params ?? []).slice(0, MAX_RECORDED).map(({ id }) => id);
    this.#begun.push({
      run,
      patch: patch.name,
      hash: hashOf(patch),
      params,
      step,
      spacing: SPACING,
    });
    this.#tell({ run, what: 'began' });
    return (this.#current = {
      run,
      patch: patch.name,
      params,
      spacing: SPACING,
      since: 0,
      at: 0,
      step,
      newest,
      sum: 0,
      count: 0,
      low: Infinity,
      high: -Infinity,
    });
  }
}

const isSame = (ids: readonly string[], params: readonly { readonly id: string }[]): boolean =>
  ids.length === Math.min(params.length, MAX_RECORDED) &&
  ids.every((id, k) => params[k]!.id === id);
