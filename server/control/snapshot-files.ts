/**
 * The snapshots on disk: a file each, in a folder of their own.
 *
 * Invariants: a file is replaced atomically and is on disk (fsync) before the answer; one thing
 * happens after the other; a file that cannot be used is moved aside, one of a newer format is let
 * be, and neither stops the daemon. Nothing is read or made before somebody asks.
 * File names are for people: what counts is the name within.
 */

import { createHash } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { nearest } from '../../dsp/diagnostic.ts';
import {
  MAX_SNAPSHOTS,
  SNAPSHOT_FORMAT,
  snapshotSchema,
  type Snapshot,
  type SnapshotHeading,
} from '../api/snapshots.ts';
import type { Logger } from '../engine/supervisor.ts';
import { answer, refuse, type Outcome } from './outcome.ts';

const ENDING = '.json';

/** What is remembered of a snapshot: its values stay on disk. */
export type Kept = Omit<SnapshotHeading, 'fits'>;

export class SnapshotFiles {
  readonly #directory: string;
  readonly #log: Logger;
  /** By name; undefined before somebody asked. */
  #kept: Map<string, Kept> | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(stateDir: string, log: Logger) {
    this.#directory = join(stateDir, 'snapshots');
    this.#log = log;
  }

  /** By name. */
  list(): Promise<readonly Kept[]> {
    return this.#serially(async () =>
      [...(await this.#all()).values()].toSorted((a, b) => a.name.localeCompare(b.name, 'en')),
    );
  }

  read(name: string): Promise<Outcome<Snapshot>> {
    return this.#serially(() => this.#read(name));
  }

  /** @param replace  whether one of the same name may be lost */
  write(snapshot: Snapshot, replace = false): Promise<Outcome<Kept>> {
    return this.#serially(async () => {
      const kept = await this.#all();
      const { name } = snapshot;
      if (kept.has(name) && !replace) return taken(name);
      if (!kept.has(name) && kept.size >= MAX_SNAPSHOTS) {
        return refuse('NOT_KEPT', `expected at most ${MAX_SNAPSHOTS} snapshots, got one more`);
      }
      const failed = await this.#attempt(() => this.#put(snapshot));
      if (failed !== undefined) return failed;
      const made = keptOf(snapshot);
      kept.set(name, made);
      return answer(made);
    });
  }

  rename(name: string, to: string): Promise<Outcome<Kept>> {
    return this.#serially(async () => {
      const found = await this.#read(name);
      if (!found.ok) return found;
      if (name === to) return answer(keptOf(found.value));
      const kept = await this.#all();
      if (kept.has(to)) return taken(to);
      const renamed = { ...found.value, name: to };
      // The new one first: a crash between the two loses nothing.
      const failed = await this.#attempt(async () => {
        await this.#put(renamed);
        await this.#remove(name);
      });
      if (failed !== undefined) return failed;
      kept.delete(name);
      const made = keptOf(renamed);
      kept.set(to, made);
      return answer(made);
    });
  }

  delete(name: string): Promise<Outcome<Kept>> {
    return this.#serially(async () => {
      const kept = await this.#all();
      const found = kept.get(name);
      if (found === undefined) return unknown(name, kept.keys());
      const failed = await this.#attempt(() => this.#remove(name));
      if (failed !== undefined) return failed;
      kept.delete(name);
      return answer(found);
    });
  }

  async #read(name: string): Promise<Outcome<Snapshot>> {
    const kept = await this.#all();
    if (!kept.has(name)) return unknown(name, kept.keys());
    const snapshot = await this.#readFile(this.#pathOf(name));
    if (snapshot !== undefined) return answer(snapshot);
    kept.delete(name);
    return unknown(name, kept.keys());
  }

  async #put(snapshot: Snapshot): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const text = `${JSON.stringify(snapshot, null, 2)}\n`;
    await writeFileAtomic(this.#pathOf(snapshot.name), text, { mode: 0o600 });
    await this.#sync();
  }

  async #remove(name: string): Promise<void> {
    await unlink(this.#pathOf(name));
    await this.#sync();
  }

  /** The folder itself: which files there are. */
  async #sync(): Promise<void> {
    const folder = await open(this.#directory, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async #attempt(work: () => Promise<void>): Promise<ReturnType<typeof refuse> | undefined> {
    try {
      await work();
      return undefined;
    } catch (error) {
      this.#log.error({ err: error }, `cannot keep snapshots in ${this.#directory}`);
      const { code = 'an error' } = error as NodeJS.ErrnoException;
      return refuse('NOT_KEPT', `the folder of snapshots cannot be written: ${code}`);
    }
  }

  async #all(): Promise<Map<string, Kept>> {
    if (this.#kept !== undefined) return this.#kept;
    const kept = new Map<string, Kept>();
    for (const file of await this.#files()) {
      const snapshot = await this.#readFile(join(this.#directory, file));
      if (snapshot !== undefined) kept.set(snapshot.name, keptOf(snapshot));
    }
    return (this.#kept = kept);
  }

  async #files(): Promise<string[]> {
    try {
      const files = await readdir(this.#directory);
      return files.filter((file) => file.endsWith(ENDING)).toSorted();
    } catch (error) {
      const isNew = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isNew) this.#log.error({ err: error }, `cannot read ${this.#directory}`);
      return [];
    }
  }

  async #readFile(path: string): Promise<Snapshot | undefined> {
    try {
      const document: unknown = JSON.parse(await readFile(path, 'utf8'));
      const read = snapshotSchema.safeParse(document);
      // One that somebody has copied under a name of his own would never be found again.
      if (read.success && path === this.#pathOf(read.data.name)) return read.data;
      if (read.success) {
        await this.#put(read.data);
        await unlink(path);
        return read.data;
      }
      if (isNewer(document)) {
        this.#log.warn({ file: path }, `${path} is of a newer livegrad: left as it is`);
        return undefined;
      }
    } catch (error) {
      this.#log.debug({ err: error, file: path }, 'a snapshot cannot be read');
    }
    const aside = `${path}.damaged-${Date.now()}`;
    try {
      await rename(path, aside);
      this.#log.warn({ file: aside }, `a snapshot could not be read: moved to ${aside}`);
    } catch (error) {
      this.#log.error({ err: error }, `cannot use ${path}`);
    }
    return undefined;
  }

  /** A name for people, and enough of a hash to tell any two names apart. */
  #pathOf(name: string): string {
    const stem = name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/gu, '-')
      .slice(0, 40);
    const hash = createHash('sha256').update(name).digest('hex').slice(0, 16);
    return join(this.#directory, `${stem}-${hash}${ENDING}`);
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(task);
    this.#tail = run.catch(() => undefined);
    return run;
  }
}

function keptOf(snapshot: Snapshot): Kept {
  const { name, doc, saved, patch, step, sliders, params } = snapshot;
  return {
    name,
    ...(doc === undefined ? {} : { doc }),
    saved,
    patch,
    step,
    sliders: Object.keys(sliders).length,
    params: Object.keys(params).length,
  };
}

function unknown(name: string, known: Iterable<string>): ReturnType<typeof refuse> {
  const names = [...known];
  const near = nearest(name, names);
  const hint = near === undefined ? `there are ${names.length}` : `did you mean "${near}"?`;
  return refuse('UNKNOWN_SNAPSHOT', `no snapshot is called "${name}"; ${hint}`);
}

const taken = (name: string): ReturnType<typeof refuse> =>
  refuse(
    'SNAPSHOT_EXISTS',
    `a snapshot is called "${name}" already: choose another, or replace it`,
  );

function isNewer(document: unknown): boolean {
  const { format } = (document ?? {}) as { readonly format?: unknown };
  const [kind] = SNAPSHOT_FORMAT.split('/');
  return typeof format === 'string' && format !== SNAPSHOT_FORMAT && format.startsWith(`${kind}/`);
}
