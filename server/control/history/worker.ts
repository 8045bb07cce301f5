/**
 * The thread of the history: opens the file, writes batches, answers questions, one after the other.
 *
 * Invariant: every request gets one answer. A file that is damaged is moved aside, with what belongs
 * to it, and another one begun; one of a newer schema is let be, and there is no history.
 */

import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { Run, Series } from '../../api/history.ts';
import {
  HistoryDatabase,
  NewerSchema,
  type Batch,
  type Limits,
  type SeriesQuery,
} from './database.ts';

export interface HistorySettings {
  readonly path: string;
  readonly limits: Limits;
}

/** What can be asked, and what is answered. */
export interface Tasks {
  readonly write: { readonly gives: Batch; readonly gets: Written };
  readonly list: {
    readonly gives: { readonly limit: number; readonly before: number | undefined };
    readonly gets: { readonly runs: Run[]; readonly bytes: number; readonly longestWrite: number };
  };
  readonly run: { readonly gives: { readonly run: number }; readonly gets: Run | undefined };
  readonly series: { readonly gives: SeriesQuery; readonly gets: Series | undefined };
  readonly delete: { readonly gives: { readonly run: number }; readonly gets: boolean };
  readonly close: { readonly gives: null; readonly gets: null };
}
export type Task = keyof Tasks;

export interface Written {
  readonly thinned: readonly number[];
}

export interface HistoryRequest {
  readonly id: number;
  readonly task: Task;
  readonly input: unknown;
}

export type HistoryAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly reason: string }
  /** Something that the log should have. */
  | { readonly id: 0; readonly warning: string };

const { path, limits } = workerData as HistorySettings;
let longestWrite = 0;
let database: HistoryDatabase | undefined;
let failed: string | undefined;

const RUNS: {
  readonly [K in Task]: (db: HistoryDatabase, input: Tasks[K]['gives']) => Tasks[K]['gets'];
} = {
  write: (db, batch) => {
    const begin = performance.now();
    const thinned = db.write(batch);
    longestWrite = Math.max(longestWrite, performance.now() - begin);
    return { thinned };
  },
  list: (db, { limit, before }) => ({
    runs: db.runs(limit, before),
    bytes: db.bytes,
    longestWrite,
  }),
  run: (db, { run }) => db.run(run),
  series: (db, query) => db.series(query),
  delete: (db, { run }) => db.delete(run),
  close: (db) => {
    db.close();
    database = undefined;
    failed = 'the daemon is shutting down';
    return null;
  },
};

parentPort?.on('message', ({ id, task, input }: HistoryRequest) => {
  try {
    const value = RUNS[task](opened(), input as never);
    send({ id, ok: true, value });
  } catch (error) {
    send({ id, ok: false, reason: reasonOf(error) });
  }
});

function opened(): HistoryDatabase {
  if (database !== undefined) return database;
  if (failed !== undefined) throw new Error(failed);
  mkdirSync(dirname(path), { recursive: true });
  try {
    database = new HistoryDatabase(path, limits);
    chmodSync(path, 0o600);
    return database;
  } catch (error) {
    if (error instanceof NewerSchema) {
      failed = error.message;
      throw error;
    }
    if (!existsSync(path) || !isDamage(error)) throw error;
    const aside = `${path}.damaged-${Date.now()}`;
    for (const ending of ['', '-wal', '-shm']) {
      if (existsSync(path + ending)) renameSync(path + ending, aside + ending);
    }
    send({ id: 0, warning: `the history could not be read: moved to ${aside}` });
    return (database = new HistoryDatabase(path, limits));
  }
}

/** SQLite's codes for a file that is no database, or a broken one. */
const isDamage = (error: unknown): boolean => {
  const { errcode, message } = error as { readonly errcode?: number; readonly message?: string };
  return [11, 26].includes((errcode ?? 0) & 0xff) || (message ?? '').includes('damaged');
};

/** Without the paths that Node.js puts into its messages. */
const reasonOf = (error: unknown): string => {
  const { code, path: where, message } = error as NodeJS.ErrnoException;
  return where === undefined ? (message ?? String(error)) : (code ?? 'an error');
};

const send = (answer: HistoryAnswer): void => parentPort?.postMessage(answer);
