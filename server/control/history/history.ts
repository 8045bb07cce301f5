/**
 * The history as the control process sees it: measurements in, questions answered.
 *
 * Invariants: the control thread never waits for the disk: once a second it hands what came to a
 * thread of its own, and when that falls behind, points are dropped and counted, never queued without
 * end; without a file that can be used the daemon does without a history, and says so once.
 * Cost on the control thread, of 256 parameters: 0.03 ms a measurement, 0.1 ms a second; at worst 10 ms,
 * with others on the processor (Node 24.21, x86-64, 2 cores at a load of 12).
 */

import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { MAX_BYTES, MAX_POINTS } from '../../api/history.ts';
import type { HistoryChange } from '../../api/history.ts';
import type { Logger } from '../../engine/supervisor.ts';
import type { Measurement } from '../../engine/types.ts';
import { answer, refuse, type Outcome } from '../outcome.ts';
import type { State } from '../state.ts';
import type { Limits } from './database.ts';
import { Recorder } from './recorder.ts';
import type { HistoryAnswer, HistoryRequest, HistorySettings, Task, Tasks } from './worker.ts';

export interface HistoryOptions {
  readonly stateDir: string;
  readonly log: Logger;
  tell(change: HistoryChange): void;
  readonly limits?: Limits;
  /** Between two batches, ms. */
  readonly interval?: number;
}

/** Batches on their way, at most. */
const MAX_WAITING = 30;

type Settle = (answer: HistoryAnswer) => void;

export class History {
  readonly #options: HistoryOptions;
  readonly #recorder: Recorder;
  readonly #waiting = new Map<number, Settle>();
  readonly #timer: NodeJS.Timeout;
  #worker: Worker | undefined;
  #id = 0;
  #writing = 0;
  #dropped = 0;
  #failing = false;
  #closed = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#recorder = new Recorder((change) => options.tell(change));
    this.#timer = setInterval(() => void this.flush(), options.interval ?? 1000);
    this.#timer.unref();
  }

  /** Points that were not kept, for the disk was too slow. */
  get dropped(): number {
    return this.#dropped;
  }

  feed(state: State, measurement: Measurement): void {
    this.#recorder.feed(state, measurement, Date.now());
  }

  /** Comes back when all that came is on disk, or was given up. */
  async flush(): Promise<void> {
    const batch = this.#recorder.take();
    if (batch === undefined) return;
    if (this.#writing >= MAX_WAITING) {
      this.#dropped += batch.points.length;
      return;
    }
    this.#writing++;
    const written = await this.ask('write', batch);
    this.#writing--;
    if (!written.ok) return;
    for (const run of written.value.thinned) this.#recorder.thinned(run);
  }

  async ask<K extends Task>(task: K, input: Tasks[K]['gives']): Promise<Outcome<Tasks[K]['gets']>> {
    if (this.#closed) return unavailable('the daemon is shutting down');
    const id = ++this.#id;
    const worker = (this.#worker ??= this.#spawn());
    const given = await new Promise<HistoryAnswer>((settle) => {
      this.#waiting.set(id, settle);
      // Who waits for an answer keeps the process; who does not must not.
      worker.ref();
      worker.postMessage({ id, task, input } satisfies HistoryRequest);
    });
    if ('ok' in given && given.ok) {
      this.#failing = false;
      return answer(given.value as Tasks[K]['gets']);
    }
    const reason = 'reason' in given ? given.reason : '';
    if (!this.#failing) this.#options.log.error({ reason }, `no history is kept: ${reason}`);
    this.#failing = true;
    return unavailable(reason);
  }

  async delete(run: number): Promise<Outcome<boolean>> {
    await this.flush();
    const deleted = await this.ask('delete', { run });
    if (deleted.ok && deleted.value) this.#recorder.drop(run);
    return deleted;
  }

  /** Ends the run, and comes back when all is on disk. */
  async close(): Promise<void> {
    if (this.#closed) return;
    clearInterval(this.#timer);
    this.#recorder.end('shutdown', Date.now());
    await this.flush();
    if (this.#worker !== undefined) await this.ask('close', null);
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #spawn(): Worker {
    const { stateDir, limits = { points: MAX_POINTS, bytes: MAX_BYTES } } = this.#options;
    const workerData: HistorySettings = { path: join(stateDir, 'history.db'), limits };
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData });
    worker.on('message', (given: HistoryAnswer) => {
      if ('warning' in given) {
        this.#options.log.warn({}, given.warning);
        return;
      }
      this.#waiting.get(given.id)?.(given);
      this.#waiting.delete(given.id);
      if (this.#waiting.size === 0) worker.unref();
    });
    const end = (reason: string): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      for (const [id, settle] of this.#waiting) settle({ id, ok: false, reason });
      this.#waiting.clear();
    };
    worker.on('error', (error) => end(String(error)));
    worker.on('exit', () => end('its thread ended'));
    worker.unref();
    return worker;
  }
}

const unavailable = (reason: string): ReturnType<typeof refuse> =>
  refuse('HISTORY_UNAVAILABLE', `the history cannot be read or written: ${reason}`);
