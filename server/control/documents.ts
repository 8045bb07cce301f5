/**
 * Documents that people keep under names: a file each, in a folder of their own.
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
import type { z } from 'zod';
import { nearest } from '../../dsp/diagnostic.ts';
import type { Logger } from '../engine/supervisor.ts';
import { answer, refuse, type Outcome } from './outcome.ts';

const ENDING = '.json';

interface Named {
  readonly name: string;
}

type Refusal = ReturnType<typeof refuse>;

/** What documents of a kind have of their own. */
export interface Kind<D extends Named, H extends Named> {
  /** In the state folder, and in messages: `snapshots`. */
  readonly folder: string;
  /** In messages: `snapshot`. */
  readonly one: string;
  /** `livegrad.snapshot/1` */
  readonly format: string;
  readonly schema: z.ZodType<D>;
  /** Documents that are kept, and bytes of all of them. */
  readonly most: number;
  readonly bytes: number;
  /** What is remembered of one: the rest stays on disk. */
  headingOf(document: D): H;
  unknown(detail: string): Refusal;
  taken(detail: string): Refusal;
}

interface Kept<H> {
  readonly heading: H;
  readonly bytes: number;
}

export class Documents<D extends Named, H extends Named> {
  readonly #kind: Kind<D, H>;
  readonly #directory: string;
  readonly #log: Logger;
  /** By name; undefined before somebody asked. */
  #kept: Map<string, Kept<H>> | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(kind: Kind<D, H>, stateDir: string, log: Logger) {
    this.#kind = kind;
    this.#directory = join(stateDir, kind.folder);
    this.#log = log;
  }

  /** By name. */
  list(): Promise<readonly H[]> {
    return this.#serially(async () =>
      [...(await this.#all()).values()]
        .map(({ heading }) => heading)
        .toSorted((a, b) => a.name.localeCompare(b.name, 'en')),
    );
  }

  read(name: string): Promise<Outcome<D>> {
    return this.#serially(() => this.#read(name));
  }

  /** @param replace  whether one of the same name may be lost */
  write(document: D, replace = false): Promise<Outcome<H>> {
    return this.#serially(async () => {
      const kept = await this.#all();
      const { name } = document;
      if (kept.has(name) && !replace) return this.#taken(name);
      const text = textOf(document);
      const full = this.#full(name, Buffer.byteLength(text), kept);
      if (full !== undefined) return full;
      return this.#keep(document, text, kept);
    });
  }

  rename(name: string, to: string): Promise<Outcome<H>> {
    return this.#serially(async () => {
      const found = await this.#read(name);
      if (!found.ok) return found;
      if (name === to) return answer(this.#kind.headingOf(found.value));
      const kept = await this.#all();
      if (kept.has(to)) return this.#taken(to);
      const renamed = { ...found.value, name: to };
      // The new one first: a crash between the two loses nothing.
      const made = await this.#keep(renamed, textOf(renamed), kept);
      if (!made.ok) return made;
      const failed = await this.#attempt(() => this.#remove(name));
      if (failed !== undefined) return failed;
      kept.delete(name);
      return made;
    });
  }

  delete(name: string): Promise<Outcome<H>> {
    return this.#serially(async () => {
      const kept = await this.#all();
      const found = kept.get(name);
      if (found === undefined) return this.#unknown(name, kept.keys());
      const failed = await this.#attempt(() => this.#remove(name));
      if (failed !== undefined) return failed;
      kept.delete(name);
      return answer(found.heading);
    });
  }

  async #read(name: string): Promise<Outcome<D>> {
    const kept = await this.#all();
    if (!kept.has(name)) return this.#unknown(name, kept.keys());
    const found = await this.#readFile(this.#pathOf(name));
    if (found !== undefined) return answer(found.document);
    kept.delete(name);
    return this.#unknown(name, kept.keys());
  }

  /** Why there is no room for one. */
  #full(name: string, bytes: number, kept: ReadonlyMap<string, Kept<H>>): Refusal | undefined {
    const { most, bytes: limit, folder } = this.#kind;
    if (!kept.has(name) && kept.size >= most) {
      return refuse('NOT_KEPT', `expected at most ${most} ${folder}, got one more`);
    }
    let all = bytes - (kept.get(name)?.bytes ?? 0);
    for (const other of kept.values()) all += other.bytes;
    if (all <= limit) return undefined;
    const mebibytes = Math.round(limit / 2 ** 20);
    return refuse('NOT_KEPT', `expected at most ${mebibytes} MiB of ${folder}: delete some first`);
  }

  async #keep(document: D, text: string, kept: Map<string, Kept<H>>): Promise<Outcome<H>> {
    const failed = await this.#attempt(() => this.#put(document.name, text));
    if (failed !== undefined) return failed;
    const heading = this.#kind.headingOf(document);
    kept.set(document.name, { heading, bytes: Buffer.byteLength(text) });
    return answer(heading);
  }

  async #put(name: string, text: string): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    await writeFileAtomic(this.#pathOf(name), text, { mode: 0o600 });
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

  async #attempt(work: () => Promise<void>): Promise<Refusal | undefined> {
    const { folder } = this.#kind;
    try {
      await work();
      return undefined;
    } catch (error) {
      this.#log.error({ err: error }, `cannot keep anything in ${this.#directory}`);
      const { code = 'an error' } = error as NodeJS.ErrnoException;
      return refuse('NOT_KEPT', `the folder "${folder}" cannot be written: ${code}`);
    }
  }

  async #all(): Promise<Map<string, Kept<H>>> {
    if (this.#kept !== undefined) return this.#kept;
    const kept = new Map<string, Kept<H>>();
    for (const file of await this.#files()) {
      const found = await this.#readFile(join(this.#directory, file));
      if (found === undefined) continue;
      const { document, bytes } = found;
      kept.set(document.name, { heading: this.#kind.headingOf(document), bytes });
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

  async #readFile(
    path: string,
  ): Promise<{ readonly document: D; readonly bytes: number } | undefined> {
    const { one, schema } = this.#kind;
    try {
      const text = await readFile(path, 'utf8');
      const json: unknown = JSON.parse(text);
      const read = schema.safeParse(json);
      if (read.success) {
        const { data: document } = read;
        // One that somebody has copied under a name of his own would never be found again.
        if (path !== this.#pathOf(document.name)) {
          await this.#put(document.name, textOf(document));
          await unlink(path);
        }
        return { document, bytes: Buffer.byteLength(text) };
      }
      if (this.#isNewer(json)) {
        this.#log.warn({ file: path }, `${path} is of a newer livegrad: left as it is`);
        return undefined;
      }
    } catch (error) {
      this.#log.debug({ err: error, file: path }, `a ${one} cannot be read`);
    }
    const aside = `${path}.damaged-${Date.now()}`;
    try {
      await rename(path, aside);
      this.#log.warn({ file: aside }, `a ${one} could not be read: moved to ${aside}`);
    } catch (error) {
      this.#log.error({ err: error }, `cannot use ${path}`);
    }
    return undefined;
  }

  #isNewer(json: unknown): boolean {
    const { format } = (json ?? {}) as { readonly format?: unknown };
    const [kind] = this.#kind.format.split('/');
    if (typeof format !== 'string' || format === this.#kind.format) return false;
    return format.startsWith(`${kind}/`);
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

  #unknown(name: string, known: Iterable<string>): Refusal {
    const names = [...known];
    const near = nearest(name, names);
    const hint = near === undefined ? `there are ${names.length}` : `did you mean "${near}"?`;
    return this.#kind.unknown(`no ${this.#kind.one} is called "${name}"; ${hint}`);
  }

  #taken(name: string): Refusal {
    const detail = `a ${this.#kind.one} is called "${name}" already: choose another, or replace it`;
    return this.#kind.taken(detail);
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(task);
    this.#tail = run.catch(() => undefined);
    return run;
  }
}

const textOf = (document: unknown): string => `${JSON.stringify(document, null, 2)}\n`;
