/**
 * Tells when a file was saved, or one beside it that it may import.
 *
 * Editors write a file twice, or another one and rename it, or empty it first: what is heard within
 * a moment counts once, and what comes while somebody is busy with it counts once more after that.
 * Folders are watched, so a file may go and come back; once a second the file itself is looked at as
 * well, for file systems that tell nothing. Invariant: one call of `onSave` at a time; it keeps no
 * process alive.
 */

import { readdirSync, realpathSync, watch, type FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Result } from '../../dsp/diagnostic.ts';
import { unreadable } from './patch-file.ts';

export interface FileWatchOptions {
  readonly file: string;
  /** Folders with what it may import; with all that is in them. */
  readonly folders?: readonly string[];
  /** Gets the text, or why it cannot be read. Must not reject. */
  readonly onSave: (text: Result<string>) => Promise<void>;
}

/** Quiet after which a burst of saves is over, ms. */
const QUIET = 60;
/** How long an empty file may stay one before that is taken for meant, ms. */
const EMPTY = 250;
const POLL = 1000;
/** Folders that are watched, at most. */
const MOST = 256;
const IMPORTED: ReadonlySet<string> = new Set(['.dsp', '.lib', '.wav']);

export class FileWatch {
  readonly #file: string;
  readonly #folders: readonly string[];
  readonly #onSave: FileWatchOptions['onSave'];
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #poll: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #stamp: string | undefined;
  #busy = false;
  #again = false;
  #closed = false;

  constructor({ file, folders = [], onSave }: FileWatchOptions) {
    this.#file = resolve(file);
    this.#folders = folders.map((folder) => resolve(folder));
    this.#onSave = onSave;
    this.#arm();
    void this.#look();
    this.#poll = setInterval(() => void this.#look(), POLL);
    this.#poll.unref();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Watches the folders that are there now. */
  #arm(): void {
    const wanted = new Set([dirname(this.#file), dirname(real(this.#file))]);
    for (const folder of this.#folders) {
      for (const inside of foldersIn(folder)) {
        if (wanted.size < MOST) wanted.add(inside);
      }
    }
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, (_, name) => this.#hear(name));
        watcher.on('error', () => {
          watcher.close();
          this.#watchers.delete(folder);
        });
        this.#watchers.set(folder, watcher);
      } catch {
        // It is not there, or there are too many: the file itself is looked at.
      }
    }
  }

  #hear(name: string | null): void {
    const isOurs =
      name === null ||
      name === basename(this.#file) ||
      // Without an extension it may be a folder.
      extname(name) === '' ||
      IMPORTED.has(extname(name).toLowerCase());
    if (isOurs) this.#soon();
  }

  /** What a file system does not tell. */
  async #look(): Promise<void> {
    const before = this.#stamp;
    const stamp = await stampOf(this.#file);
    this.#stamp = stamp;
    if (before !== undefined && before !== stamp) this.#soon();
  }

  #soon(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#tell(), QUIET);
    this.#timer.unref();
  }

  async #tell(): Promise<void> {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.#arm();
    let text = await read(this.#file);
    if (!text.ok || text.value === '') {
      await sleep(EMPTY, undefined, { ref: false });
      text = await read(this.#file);
    }
    this.#stamp = await stampOf(this.#file);
    if (!this.#closed) await this.#onSave(text);
    this.#busy = false;
    if (this.#again) this.#soon();
    this.#again = false;
  }
}

async function read(file: string): Promise<Result<string>> {
  try {
    return { ok: true, value: await readFile(file, 'utf8') };
  } catch (error) {
    return unreadable(error);
  }
}

async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return 'none';
  }
}

function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

/** A folder and those in it. */
function foldersIn(folder: string): string[] {
  const found = [folder];
  for (const one of found) {
    if (found.length > MOST) break;
    try {
      for (const entry of readdirSync(one, { withFileTypes: true })) {
        if (entry.isDirectory() && !entry.name.startsWith('.')) found.push(join(one, entry.name));
      }
    } catch {
      // Gone in the meantime.
    }
  }
  return found;
}
