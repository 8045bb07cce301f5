/**
 * Keeps the session on disk, so that a restart goes on where the last run ended: patch, values,
 * freezes, rates, step and schedule. The mute is not kept: hardware starts silent.
 *
 * Invariant: the file is replaced atomically, at most once a second, and only when something
 * changed; a file that cannot be used, or whose patch does not play, is moved aside and never stops
 * the daemon. A session is only gone on with when the configuration names the same patch as when it
 * was saved.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { z } from 'zod';
import { REMEMBERED } from '../../dsp/learn/schedules/numbers.ts';
import { withoutProgram } from '../../dsp/patch/faust.ts';
import { parsePatch, patchSchema, type Patch } from '../../dsp/patch/schema.ts';
import type { Logger } from '../engine/supervisor.ts';
import type { Kept, State } from './state.ts';

const FILE = 'session.json';
const INTERVAL = 1000;

const savedSchema = z.strictObject({
  format: z.literal('livegrad.session/1'),
  /** SHA-256 of the patch that the configuration named. */
  configured: z.string(),
  patch: patchSchema,
  values: z.record(z.string(), z.number()),
  frozen: z.array(z.string()),
  rates: z.record(z.string(), z.number()).default({}),
  learning: z.boolean(),
  step: z.number().min(0),
  /** The file that the patch came from, where the configuration names one. */
  file: z.string().optional(),
  /** What the schedule remembers of the losses. */
  paceMemory: z.array(z.number()).max(REMEMBERED).optional(),
});

export interface Restored {
  readonly patch: Patch;
  /** Whether it came from the file that the configuration names. */
  readonly isFile: boolean;
  /** Whether that file now holds something else. */
  readonly isEdited: boolean;
  readonly kept: Kept;
}

export class Store {
  readonly #path: string;
  readonly #configured: string;
  readonly #file: string | undefined;
  readonly #log: Logger;
  #written = '';
  #timer: NodeJS.Timeout | undefined;
  #failing = false;
  #writing: Promise<void> = Promise.resolve();

  /**
   * @param configured  what the configuration names: a patch, or the document of one
   * @param file  that holds it, if it is one. What came from there goes on also where it now holds
   *   something else: an edit while the daemon was away.
   */
  constructor(directory: string, configured: unknown, log: Logger, file?: string) {
    this.#path = join(directory, FILE);
    const text = JSON.stringify(withoutProgram(configured));
    this.#configured = createHash('sha256').update(text).digest('hex');
    this.#file = file;
    this.#log = log;
    try {
      mkdirSync(directory, { recursive: true });
    } catch (error) {
      this.#complain(error);
    }
  }

  /** What to go on with, if there is something and it belongs to the configured patch. */
  restore(): Restored | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#complain(error);
      return undefined;
    }
    const saved = parseSaved(text);
    if (saved === undefined) {
      this.#setAside('damaged', 'the saved session could not be read');
      return undefined;
    }
    const isFile = saved.file !== undefined && saved.file === this.#file;
    const isEdited = saved.configured !== this.#configured;
    if (isEdited && !isFile) {
      this.#log.info({ file: this.#path }, 'another patch is configured: starting afresh');
      return undefined;
    }
    const { patch, values, frozen, rates, learning, step, paceMemory } = saved;
    return {
      patch,
      isFile,
      isEdited,
      kept: {
        values: new Map(Object.entries(values)),
        frozen: new Set(frozen),
        rates: new Map(Object.entries(rates)),
        learning,
        step,
        paceMemory,
      },
    };
  }

  /** Keeps what was saved from being replaced: its patch does not play, today. */
  setAside(reason: string): void {
    this.#setAside('unplayed', `the saved patch does not play: ${reason}`);
  }

  /** Saves every second from here on, when something changed. */
  follow(state: () => State): void {
    this.#timer = setInterval(() => void this.save(state()), INTERVAL);
    this.#timer.unref();
  }

  /** Comes back when it is on disk, or was complained about. */
  save(state: State): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write(state));
    return this.#writing;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #write(state: State): Promise<void> {
    const saved: z.infer<typeof savedSchema> = {
      format: 'livegrad.session/1',
      configured: this.#configured,
      patch: withoutProgram(state.patch),
      values: Object.fromEntries(state.values),
      frozen: [...state.frozen],
      rates: Object.fromEntries(state.rates),
      learning: state.learning,
      step: state.step,
      ...(state.file === null ? {} : { file: state.file }),
      ...(state.paceMemory.some((x) => x !== 0) ? { paceMemory: [...state.paceMemory] } : {}),
    };
    const text = `${JSON.stringify(saved, null, 2)}\n`;
    if (text === this.#written) return;
    try {
      await writeFileAtomic(this.#path, text, { mode: 0o600 });
      this.#written = text;
      this.#failing = false;
    } catch (error) {
      this.#complain(error);
    }
  }

  #setAside(as: string, why: string): void {
    const aside = `${this.#path}.${as}-${Date.now()}`;
    try {
      renameSync(this.#path, aside);
      this.#log.warn({ file: aside }, `${why}: moved to ${aside}`);
    } catch (error) {
      this.#complain(error);
    }
  }

  /** Once per spell: a full disk must not fill the log as well. */
  #complain(error: unknown): void {
    if (!this.#failing) this.#log.error({ err: error }, `cannot keep the session in ${this.#path}`);
    this.#failing = true;
  }
}

function parseSaved(text: string): z.infer<typeof savedSchema> | undefined {
  try {
    const saved = savedSchema.safeParse(JSON.parse(text));
    return saved.success && parsePatch(saved.data.patch).ok ? saved.data : undefined;
  } catch {
    return undefined;
  }
}
