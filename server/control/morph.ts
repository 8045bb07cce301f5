/**
 * Morphs: values that go over to others in a given time.
 *
 * p(t) = a + (b − a)·t, on a logarithmic scale a·(b/a)^t where both are positive, t from 0 to 1.
 *
 * Invariants: one at a time; at the end every value is what it was to become, to the bit; whoever
 * sets something that moves has the last word, and the morph ends. It sets values as a client does,
 * so that everyone is told; it knows nothing of snapshots.
 */

import type { MorphState } from '../api/snapshots.ts';
import type { Outcome } from './outcome.ts';
import type { Origin, Session } from './session.ts';
import { specOf, type ParamChange } from './state.ts';

/** Between two steps, ms: 60 a second, fewer of many values, which cost their size with every client. */
const STEP = 16;
const SLOWEST = 90;
const PER_VALUE = 0.1;

interface Run {
  /** As a client that is none of the others. */
  readonly origin: object;
  readonly to: string;
  readonly from: string | null;
  readonly seconds: number;
  readonly began: number;
  readonly ways: readonly Way[];
  readonly timer: NodeJS.Timeout;
  /** What was set last. */
  last: Readonly<Record<string, number>>;
}

interface Way {
  readonly id: string;
  readonly start: number;
  readonly end: number;
  readonly isLog: boolean;
}

const NONE: MorphState = { state: 'none', from: null, to: null, seconds: 0, position: 0 };

export interface MorphPlan {
  readonly from: string | null;
  readonly to: string;
  readonly seconds: number;
  /** Where it begins, where that is not where everything is. */
  readonly start?: Readonly<Record<string, number>>;
  readonly end: Readonly<Record<string, number>>;
}

export class Morph {
  readonly #session: Session;
  #run: Run | undefined;
  #ended: MorphState = NONE;

  constructor(session: Session) {
    this.#session = session;
    session.listen((change, origin) => {
      const run = this.#run;
      if (run === undefined || origin === run.origin) return;
      if (change.kind === 'patch.changed') this.#end('overtaken', undefined);
      else if (change.kind === 'params.changed') {
        const isOther = change.data.params.some(
          ({ id, value }) => Object.hasOwn(run.last, id) && run.last[id] !== value,
        );
        if (isOther) this.#end('overtaken', undefined);
      }
    });
  }

  get state(): MorphState {
    const run = this.#run;
    if (run === undefined) return this.#ended;
    const { from, to, seconds } = run;
    return { state: 'running', from, to, seconds, position: positionOf(run) };
  }

  /** Everyone else is told that it began. */
  start({ from, to, seconds, start = {}, end }: MorphPlan, origin: Origin): Outcome<MorphState> {
    const { state } = this.#session;
    const ways = Object.entries(end).map(([id, value]): Way => {
      const began = start[id] ?? state.values.get(id) ?? value;
      const isLog = specOf(state.patch, id)?.scale === 'log' && began > 0 && value > 0;
      return { id, start: began, end: value, isLog };
    });
    if (this.#run !== undefined) this.#end('overtaken', origin);
    const interval = Math.max(STEP, Math.min(SLOWEST, PER_VALUE * ways.length));
    const timer = setInterval(() => this.#step(), interval);
    timer.unref();
    this.#run = {
      origin: {},
      from,
      to,
      seconds,
      began: performance.now(),
      ways,
      timer,
      last: {},
    };
    this.#session.announce('morph.changed', this.state, origin);
    const first = this.#step();
    if (!first.ok) return first;
    return { ok: true, value: this.state };
  }

  /** @param origin  who wanted it, and is not told */
  stop(origin: Origin): MorphState {
    this.#end('stopped', origin);
    return this.state;
  }

  #step(): Outcome<unknown> {
    const run = this.#run!;
    const position = positionOf(run);
    const isThere = position >= 1;
    const values = Object.fromEntries(
      run.ways.map(({ id, start, end, isLog }) => {
        if (isThere) return [id, end];
        const value = isLog ? start * (end / start) ** position : start + (end - start) * position;
        // Rounding must not leave the range, of which both ends are part.
        return [id, Math.min(Math.max(start, end), Math.max(Math.min(start, end), value))];
      }),
    );
    run.last = values;
    const change: ParamChange = { values };
    const set = this.#session.setParams(change, run.origin, `morph to "${run.to}"`);
    if (!set.ok) this.#end('overtaken', undefined);
    else if (isThere) this.#end('arrived', undefined);
    return set;
  }

  #end(state: MorphState['state'], origin: Origin): void {
    if (this.#run === undefined) return;
    clearInterval(this.#run.timer);
    this.#ended = { ...this.state, state };
    this.#run = undefined;
    this.#session.announce('morph.changed', this.#ended, origin);
  }
}

const positionOf = ({ began, seconds }: Run): number =>
  seconds === 0 ? 1 : Math.min(1, (performance.now() - began) / 1000 / seconds);
