/**
 * The last thousand lines of the log, as clients may see them.
 *
 * Invariants: bounded in lines and in the length of each; of a path of the disk only the last part is
 * left, of an error only its message. Lines are kept as they are and read when somebody asks.
 */

import { pino } from 'pino';
import { LOG_LEVELS, MAX_ENTRIES, type LogEntry } from '../api/logs.ts';
import { withoutFolders } from './discreet.ts';

/** Characters of a line: what is longer is left out. */
const LONGEST = 8192;
/** Of a message or a field. */
const SHOWN = 1000;

export interface TailQuery {
  readonly after?: number | undefined;
  readonly level?: LogEntry['level'] | undefined;
  readonly limit: number;
}

export class LogTail {
  readonly #lines: string[] = [];
  readonly #listeners = new Set<(entry: LogEntry) => void>();
  #count = 0;

  /** A line of pino's JSON. */
  write(line: string): void {
    this.#lines[this.#count++ % MAX_ENTRIES] = line;
    if (this.#listeners.size === 0) return;
    const entry = entryOf(this.#count, line);
    for (const listener of this.#listeners) listener(entry);
  }

  /** @returns a function that ends it */
  listen(listener: (entry: LogEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The newest of those that are asked for, the oldest of them first. */
  tail({ after, level = 'trace', limit }: TailQuery): { entries: LogEntry[]; last: number } {
    const oldest = Math.max(this.#count - this.#lines.length, after ?? 0);
    const entries: LogEntry[] = [];
    // After a known entry the next ones, so that none is missed; else the newest.
    const isNext = after !== undefined;
    const [from, step] = isNext ? [oldest, 1] : [this.#count - 1, -1];
    const isWithin = (k: number): boolean => k >= oldest && k < this.#count;
    for (let k = from; isWithin(k) && entries.length < limit; k += step) {
      const entry = entryOf(k + 1, this.#lines[k % MAX_ENTRIES] ?? '');
      if (LOG_LEVELS.indexOf(entry.level) >= LOG_LEVELS.indexOf(level)) entries.push(entry);
    }
    return { entries: isNext ? entries : entries.toReversed(), last: this.#count };
  }
}

interface Line {
  readonly time?: number;
  readonly level?: number;
  readonly msg?: string;
  readonly err?: { readonly message?: string };
}

function entryOf(number: number, line: string): LogEntry {
  const { time = 0, level = 30, msg = '', err, ...rest } = parse(line);
  const { pid: _pid, hostname: _hostname, ...others } = rest as Record<string, unknown>;
  const all = { ...others, ...(err?.message === undefined ? {} : { error: err.message }) };
  const known = pino.levels.labels[level];
  return {
    number,
    time: new Date(time).toISOString(),
    level: LOG_LEVELS.find((name) => name === known) ?? 'info',
    message: shown(msg),
    fields: Object.fromEntries(
      Object.entries(all).map(([key, value]) => [
        key,
        typeof value === 'number' || typeof value === 'boolean' || value === null
          ? value
          : shown(typeof value === 'string' ? value : JSON.stringify(value)),
      ]),
    ),
  };
}

function parse(line: string): Line {
  if (line.length > LONGEST) return { msg: 'a line that is too long to be shown' };
  try {
    return JSON.parse(line) as Line;
  } catch {
    return { msg: line };
  }
}

const shown = (text: string): string => withoutFolders(text).slice(0, SHOWN);
