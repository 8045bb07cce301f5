/**
 * The recordings: files in the state folder, which the engine writes and this keeps.
 *
 * Invariants: a file gets its name once it is whole (`NAME.wav.part` before), and one that nobody
 * finished, because the engine or the daemon was killed, is mended and kept; all of them together have
 * a bound, and the disk a reserve; one recording is made at a time, and what just happened can be kept
 * beside it. What is said of a recording is in its file. Nothing is read before somebody asks.
 * It touches no samples.
 */

import { closeSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { mkdir, readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { nearest } from '../../dsp/diagnostic.ts';
import {
  MAX_RECORDINGS,
  type RecordReason,
  type Recording,
  type RecordingBegun,
  type RecordingChange,
} from '../api/recordings.ts';
import { nameSchema } from '../api/names.ts';
import { HEAD_BYTES, mendWav, openWav } from '../audio/wav.ts';
import { comparedIn } from '../engine/signals.ts';
import type { Supervisor } from '../engine/supervisor.ts';
import { tracksOf } from '../engine/tap.ts';
import type { RecordEnd } from '../engine/types.ts';
import { answer, refuse, type Outcome } from './outcome.ts';
import type { Origin, Session } from './session.ts';

/** What this needs of the supervisor. */
export type RecordingEngine = Pick<
  Supervisor,
  'status' | 'lookback' | 'record' | 'limitRecord' | 'endRecord'
>;

export interface RecordingsOptions {
  readonly engine: RecordingEngine;
  readonly session: Session;
  readonly stateDir: string;
  readonly log: { warn(data: object, message: string): void };
  /** Of all recordings. */
  readonly maxBytes: number;
}

interface Wish {
  readonly channels?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly seconds?: number | undefined;
}

type Revised<T> = T & { readonly revision: number };
type Refusal = Extract<Outcome<never>, { ok: false }>;
type Stopped = Recording & { readonly reason: RecordReason };

/** What became of a file. */
interface Finished {
  /** Nothing of it is there where it `failed`. */
  readonly recording: Stopped;
  /** Why there is nothing. */
  readonly failure: Refusal | null;
}

/** One that is being written. */
interface Job {
  readonly begun: Omit<RecordingBegun, 'seconds' | 'bytes'>;
  readonly id: number;
  readonly finished: Promise<Finished>;
}

const ENDING = '.wav';
const PART = '.wav.part';
/** Bytes of the disk that are left to others. */
const RESERVE = 64e6;
/** Milliseconds that the end of the daemon waits for a file to be finished. */
const LAST = 1000;

/** What a file of ours says of itself. */
const noteSchema = z.object({
  channels: z.array(z.string()),
  patch: z.string(),
  began: z.string(),
  lost: z.int(),
});

export class Recordings {
  readonly #options: RecordingsOptions;
  readonly #folder: string;
  #current: Job | null = null;
  /** By name, with what tells that a file is still the same. */
  readonly #known = new Map<string, { readonly stamp: string; readonly recording: Recording }>();
  #isMended = false;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: RecordingsOptions) {
    this.#options = options;
    this.#folder = join(options.stateDir, 'recordings');
  }

  /** The newest first. */
  async list(): Promise<Recording[]> {
    return this.#serially(async () =>
      [...(await this.#all()).values()].toSorted((a, b) => b.began.localeCompare(a.began)),
    );
  }

  /** Seconds of the past that can be kept. */
  get lookback(): number {
    return this.#options.engine.lookback;
  }

  get maxBytes(): number {
    return this.#options.maxBytes;
  }

  /** The one that is made, as long as it is now. */
  get current(): RecordingBegun | null {
    return this.#current === null ? null : this.#soFar(this.#current);
  }

  get(name: string): Promise<Outcome<Recording>> {
    return this.#serially(() => this.#find(name));
  }

  /** For who sends the file. */
  pathOf(name: string): string {
    return join(this.#folder, `${name}${ENDING}`);
  }

  start(wish: Wish, origin: Origin): Promise<Outcome<Revised<RecordingBegun>>> {
    return this.#serially(async () => {
      if (this.#current !== null) {
        const { name } = this.#current.begun;
        return refuse('RECORDING_RUNS', `"${name}" is being recorded: stop it first`);
      }
      const made = await this.#make(wish, 0);
      if (!made.ok) return made;
      const job = made.value;
      this.#current = job;
      const { name } = job.begun;
      const revision = this.#tell({ name, what: 'began', reason: null }, origin);
      void job.finished.then(({ recording: { reason } }) => {
        this.#current = null;
        this.#tell({ name, what: 'ended', reason }, undefined);
      });
      return answer({ ...this.#soFar(job), revision });
    });
  }

  /** Everyone is told, the caller too: it may have ended by itself. */
  stop(): Promise<Outcome<Revised<Stopped>>> {
    return this.#serially(async () => {
      const job = this.#current;
      if (job === null) return refuse('NOT_RECORDING', 'no recording is being made');
      this.#options.engine.endRecord(job.id);
      const { recording } = await job.finished;
      return answer({ ...recording, revision: this.#options.session.revision });
    });
  }

  /** The last seconds become a recording. */
  keep(
    wish: Wish & { readonly seconds: number },
    origin: Origin,
  ): Promise<Outcome<Revised<Recording>>> {
    return this.#serially(async () => {
      const { lookback, status } = this.#options.engine;
      if (status.state === 'running' && lookback <= 0) {
        return refuse('NOTHING_TO_RECORD', 'nothing is looked back at: recordings.lookback is 0');
      }
      const made = await this.#make(wish, Math.min(wish.seconds, lookback));
      if (!made.ok) return made;
      const { recording: kept, failure } = await made.value.finished;
      if (failure !== null) return failure;
      const { reason: _, ...recording } = kept;
      if (recording.frames === 0) {
        rmSync(this.pathOf(recording.name), { force: true });
        return refuse('NOTHING_TO_RECORD', 'nothing has been heard yet');
      }
      await this.#share();
      const revision = this.#tell({ name: recording.name, what: 'kept', reason: null }, origin);
      return answer({ ...recording, revision });
    });
  }

  delete(name: string, origin: Origin): Promise<Outcome<{ readonly revision: number }>> {
    return this.#serially(async () => {
      const found = await this.#find(name);
      if (!found.ok) return found;
      rmSync(this.pathOf(name));
      this.#known.delete(name);
      return answer({ revision: this.#tell({ name, what: 'deleted', reason: null }, origin) });
    });
  }

  /** Ends the one that is made. */
  async close(): Promise<void> {
    const job = this.#current;
    if (job === null) return;
    this.#options.engine.endRecord(job.id);
    await Promise.race([job.finished, sleep(LAST, undefined, { ref: false })]);
  }

  /** @param back  seconds of the past that are all of it; 0: from now on */
  async #make(wish: Wish, back: number): Promise<Outcome<Job>> {
    const { engine, session } = this.#options;
    const { state, sampleRate } = engine.status;
    if (state !== 'running') {
      return refuse('NOTHING_TO_RECORD', `expected a running engine, got one that is ${state}`);
    }
    const channels = this.#channels(wish.channels);
    if (!channels.ok) return channels;
    const ids = channels.value.map(({ id }) => id);
    const kept = await this.#all();
    const name = wish.name ?? this.#freeName(session.state.patch.name, kept);
    if (kept.has(name) || this.#current?.begun.name === name) {
      return refuse('RECORDING_EXISTS', `a recording is called "${name}" already: choose another`);
    }
    const seconds = back > 0 ? back : wish.seconds;
    const frames = seconds === undefined ? null : Math.max(1, Math.round(seconds * sampleRate));
    const room = await this.#room(kept, ids.length, frames ?? sampleRate);
    if (!room.ok) return room;
    const began = new Date(Date.now() - back * 1000).toISOString();
    const note = { channels: ids, patch: session.state.patch.name, began };
    const part = join(this.#folder, `${name}${PART}`);
    try {
      await mkdir(this.#folder, { recursive: true });
      closeSync(openSync(part, 'w', 0o600));
    } catch (error) {
      return this.#failed(error);
    }
    const order = engine.record({
      file: part,
      tracks: channels.value.map(({ track }) => track),
      back: back > 0 ? frames! : 0,
      frames,
      bytes: room.value,
      note,
    });
    if (order === null) {
      rmSync(part, { force: true });
      return refuse('NOTHING_TO_RECORD', 'the engine ended just now');
    }
    const begun = { name, sampleRate, ...note };
    const finished = order.ended.then((end) => this.#finish(begun, part, end));
    return answer({ begun, id: order.id, finished });
  }

  /** The file gets its name. */
  #finish(begun: Job['begun'], part: string, end: RecordEnd): Finished {
    const { reason, message, lost } = end;
    const { log } = this.#options;
    const { name } = begun;
    const none: Stopped = { ...begun, seconds: 0, frames: 0, bytes: 0, lost: 0, reason: 'failed' };
    if (lost > 0) log.warn({ name, lost }, 'the disk was too slow for a recording: silence');
    if (reason === 'failed') log.warn({ name, reason: message }, 'a recording failed');
    try {
      if (reason === 'failed' || reason === 'engine') mendWav(part);
      renameSync(part, this.pathOf(name));
      const read = this.#read(name);
      if (read !== undefined) return { recording: { ...read, reason }, failure: null };
      rmSync(this.pathOf(name), { force: true });
    } catch (error) {
      return { recording: none, failure: this.#failed(error) };
    }
    const code = /\bE[A-Z]{3,}\b/u.exec(message)?.[0] ?? 'an error';
    const failure = refuse('NOT_KEPT', `the recording could not be written: ${code}`);
    return { recording: none, failure };
  }

  /** Places in the tap, by id. */
  #channels(
    wanted: readonly string[] | undefined,
  ): Outcome<{ readonly id: string; readonly track: number }[]> {
    const { engine, session } = this.#options;
    const { inputs, outputs } = engine.status;
    const { input, output, target, estimate } = tracksOf({ inputs, outputs });
    const row = (prefix: string, first: number, count: number): [string, number][] =>
      Array.from({ length: count }, (_, k) => [`${prefix}${k + 1}`, first + k]);
    const device = [...row('in', input, inputs), ...row('out', output, outputs)];
    const all = new Map([...device, ['target', target] as const, ['estimate', estimate] as const]);
    const compared = comparedIn(session.state.artifact);
    const own = { none: [], estimate: ['estimate'], both: ['target', 'estimate'] }[compared];
    const ids = [...new Set(wanted ?? [...device.map(([id]) => id), ...own])];
    const unknown = ids.filter((id) => !all.has(id));
    if (unknown.length === 0) return answer(ids.map((id) => ({ id, track: all.get(id)! })));
    const there = [...all.keys()].join(', ');
    return refuse(
      'INVALID_INPUT',
      `channels: expected some of ${there}; got ${unknown.join(', ')}`,
    );
  }

  /** Bytes that a file may have; or why so many frames have no room. */
  async #room(
    kept: ReadonlyMap<string, Recording>,
    channels: number,
    frames: number,
  ): Promise<Outcome<number>> {
    const { maxBytes } = this.#options;
    if (kept.size >= MAX_RECORDINGS) {
      return refuse('NOT_KEPT', `expected at most ${MAX_RECORDINGS} recordings, got one more`);
    }
    let used = this.#current === null ? 0 : this.#soFar(this.#current).bytes;
    for (const { bytes } of kept.values()) used += bytes;
    const needed = HEAD_BYTES + 4 * channels * frames;
    const megabytes = (bytes: number): string => (Math.max(0, bytes) / 1e6).toFixed(1);
    if (used + needed > maxBytes) {
      return refuse(
        'NOT_KEPT',
        `recordings have ${megabytes(used)} of ${megabytes(maxBytes)} MB, and this one needs ${megabytes(needed)}: delete some, or raise recordings.maxMegabytes`,
      );
    }
    try {
      await mkdir(this.#folder, { recursive: true });
      const { bavail, bsize } = await statfs(this.#folder);
      const free = bavail * bsize - RESERVE;
      if (needed <= free) return answer(Math.min(free, maxBytes - used));
      return refuse(
        'NOT_KEPT',
        `the disk has room for ${megabytes(free)} MB of recordings, and this one needs ${megabytes(needed)}`,
      );
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** What is kept beside the one that is made takes from its room. */
  async #share(): Promise<void> {
    const job = this.#current;
    if (job === null) return;
    let used = 0;
    for (const { bytes } of (await this.#all()).values()) used += bytes;
    this.#options.engine.limitRecord(job.id, this.#options.maxBytes - used);
  }

  #freeName(patch: string, kept: ReadonlyMap<string, Recording>): string {
    const stamp = new Date().toISOString().slice(0, 19).replace('T', ' ').replaceAll(':', '.');
    const wished = nameSchema.safeParse(`${patch.slice(0, 30)} ${stamp}`);
    const base = wished.success ? wished.data : `recording ${stamp}`;
    for (let k = 1; ; k++) {
      const name = k === 1 ? base : `${base} ${k}`;
      if (!kept.has(name) && this.#current?.begun.name !== name) return name;
    }
  }

  #soFar({ begun }: Job): RecordingBegun {
    let bytes = 0;
    try {
      bytes = statSync(join(this.#folder, `${begun.name}${PART}`)).size;
    } catch {
      // It gets its name just now.
    }
    const frames = Math.max(0, bytes - HEAD_BYTES) / (4 * begun.channels.length);
    return { ...begun, seconds: Math.floor(frames) / begun.sampleRate, bytes };
  }

  async #find(name: string): Promise<Outcome<Recording>> {
    const all = await this.#all();
    const found = all.get(name);
    if (found !== undefined) return answer(found);
    const near = nearest(name, [...all.keys()]);
    const hint = near === undefined ? `there are ${all.size}` : `did you mean "${near}"?`;
    return refuse('UNKNOWN_RECORDING', `no recording is called "${name}"; ${hint}`);
  }

  /** By name: the folder as it is now. */
  async #all(): Promise<Map<string, Recording>> {
    let files: string[];
    try {
      files = await readdir(this.#folder);
    } catch {
      files = [];
    }
    if (!this.#isMended) files = this.#mend(files);
    const found = new Map<string, Recording>();
    for (const file of files) {
      if (!file.endsWith(ENDING)) continue;
      const name = file.slice(0, -ENDING.length);
      const recording = await this.#remembered(name);
      if (recording !== undefined) found.set(name, recording);
    }
    return found;
  }

  /** Files that nobody finished are whole now, or nothing. */
  #mend(files: readonly string[]): string[] {
    this.#isMended = true;
    const { log } = this.#options;
    return files.map((file) => {
      if (!file.endsWith(PART)) return file;
      const part = join(this.#folder, file);
      const name = file.slice(0, -PART.length);
      try {
        if (mendWav(part).ok) {
          renameSync(part, this.pathOf(name));
          log.warn({ name }, 'a recording was not finished: kept as far as it goes');
          return `${name}${ENDING}`;
        }
        rmSync(part, { force: true });
      } catch (error) {
        log.warn({ err: error }, 'a recording that was not finished cannot be used');
      }
      return file;
    });
  }

  async #remembered(name: string): Promise<Recording | undefined> {
    try {
      const { size, mtimeMs } = await stat(this.pathOf(name));
      const stamp = `${size} ${mtimeMs}`;
      const known = this.#known.get(name);
      return known?.stamp === stamp ? known.recording : this.#read(name);
    } catch {
      return undefined;
    }
  }

  /** Of the file itself; undefined where it is none that can be played. */
  #read(name: string): Recording | undefined {
    const path = this.pathOf(name);
    const { size, mtimeMs } = statSync(path);
    const opened = openWav(path);
    if (!opened.ok) return undefined;
    const { format, frames, note } = opened.value;
    opened.value.close();
    const { sampleRate } = format;
    const said = noteSchema.safeParse(parsed(note));
    const recording: Recording = {
      name,
      channels: Array.from({ length: format.channels }, (_, k) => `${k + 1}`),
      patch: '',
      began: new Date(mtimeMs).toISOString(),
      lost: 0,
      ...(said.success ? said.data : {}),
      sampleRate,
      frames,
      seconds: frames / sampleRate,
      bytes: size,
    };
    this.#known.set(name, { stamp: `${size} ${mtimeMs}`, recording });
    return recording;
  }

  #tell(change: RecordingChange, origin: Origin): number {
    return this.#options.session.announce('recordings.changed', change, origin);
  }

  #failed(error: unknown): Refusal {
    this.#options.log.warn({ err: error }, 'a recording cannot be kept');
    const { code = 'an error' } = error as NodeJS.ErrnoException;
    return refuse('NOT_KEPT', `the folder "recordings" cannot be written: ${code}`);
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(task);
    this.#tail = run.catch(() => undefined);
    return run;
  }
}

function parsed(note: string): unknown {
  try {
    return JSON.parse(note);
  } catch {
    return undefined;
  }
}
