/**
 * The history on disk: SQLite, in WAL mode.
 *
 * Invariants: a batch is written whole or not at all, and what was written survives the death of the
 * process (`synchronous` is normal: after a loss of power the last batches may be missing, the file
 * is sound); a run that nobody ended is ended when the file is opened; points and bytes are bounded:
 * a run that has too many points is thinned by half, and of too many bytes the oldest runs go. Each
 * call blocks: it is made on a thread of its own (`worker.ts`).
 *
 * Source: sqlite.org/wal.html, sqlite.org/pragma.html.
 */

import { DatabaseSync } from 'node:sqlite';
import type { Run, RunEnd, Series } from '../../api/history.ts';

/** Of the tables below. */
export const SCHEMA = 1;

const TABLES = `
  CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    patch TEXT NOT NULL,
    hash TEXT NOT NULL,
    params TEXT NOT NULL,
    first_step REAL NOT NULL,
    spacing INTEGER NOT NULL,
    ended INTEGER,
    reason TEXT
  ) STRICT;
  CREATE TABLE points (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    at INTEGER NOT NULL,
    step REAL NOT NULL,
    loss REAL,
    low REAL,
    high REAL,
    rate REAL,
    params BLOB NOT NULL
  ) STRICT;
  CREATE INDEX points_of_runs ON points (run, at);
  PRAGMA user_version = ${SCHEMA};
`;

export interface Limits {
  readonly points: number;
  readonly bytes: number;
}

/** A run that begins. */
export interface Beginning {
  readonly run: number;
  readonly patch: string;
  readonly hash: string;
  readonly params: readonly string[];
  readonly step: number;
  readonly spacing: number;
}

export interface Point {
  readonly run: number;
  /** Milliseconds since the run began. */
  readonly at: number;
  readonly step: number;
  readonly loss: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly rate: number | null;
  readonly params: Float64Array;
}

export interface Ending {
  readonly run: number;
  readonly at: number;
  readonly reason: RunEnd;
}

export interface Batch {
  readonly begun: readonly Beginning[];
  readonly points: readonly Point[];
  readonly ended: readonly Ending[];
}

export interface SeriesQuery {
  readonly run: number;
  /** Seconds. */
  readonly from: number;
  readonly to: number;
  readonly points: number;
  /** All if not given. */
  readonly params?: readonly string[] | undefined;
}

type Row = Record<string, unknown>;

export class HistoryDatabase {
  readonly #db: DatabaseSync;
  readonly #limits: Limits;

  /** Errors: throws where the file is none of SQLite's, damaged, or of a newer schema. */
  constructor(path: string, limits: Limits) {
    this.#limits = limits;
    this.#db = new DatabaseSync(path, { enableForeignKeyConstraints: true });
    try {
      this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      this.#db.exec('PRAGMA busy_timeout = 1000; PRAGMA journal_size_limit = 4194304;');
      const version = Number(this.#value('PRAGMA user_version'));
      if (version > SCHEMA) throw new NewerSchema(version);
      if (version === 0) this.#whole(() => this.#db.exec(TABLES));
      const sound = this.#value('PRAGMA quick_check(1)');
      if (sound !== 'ok') throw new Error(`the history is damaged: ${String(sound)}`);
      this.#endLost();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }

  /** @returns the runs that were thinned: their points come half as often from now on */
  write({ begun, points, ended }: Batch): number[] {
    this.#whole(() => {
      const begin = this.#db.prepare(
        'INSERT INTO runs (run, patch, hash, params, first_step, spacing) VALUES (?, ?, ?, ?, ?, ?)',
      );
      for (const { run, patch, hash, params, step, spacing } of begun) {
        begin.run(run, patch, hash, JSON.stringify(params), step, spacing);
      }
      // Points of a run that was deleted meanwhile go with it.
      const add = this.#db.prepare(
        'INSERT INTO points (run, at, step, loss, low, high, rate, params) SELECT run, ?, ?, ?, ?, ?, ?, ? FROM runs WHERE run = ?',
      );
      for (const { run, at, step, loss, low, high, rate, params } of points) {
        add.run(at, step, loss, low, high, rate, new Uint8Array(params.buffer), run);
      }
      const end = this.#db.prepare('UPDATE runs SET ended = ?, reason = ? WHERE run = ?');
      for (const { run, at, reason } of ended) end.run(run + at, reason, run);
    });
    const runs = [...new Set(points.map(({ run }) => run))];
    const thinned = runs.filter((run) => this.#count(run) > this.#limits.points);
    for (const run of thinned) this.#thin(run);
    if (this.bytes > this.#limits.bytes) this.#forget();
    return thinned;
  }

  /** Of the file, what is free in it left out. */
  get bytes(): number {
    const pages = this.#value('PRAGMA page_count') as number;
    const free = this.#value('PRAGMA freelist_count') as number;
    return (pages - free) * (this.#value('PRAGMA page_size') as number);
  }

  /** The newest first. */
  runs(limit: number, before = Number.MAX_SAFE_INTEGER): Run[] {
    const rows = this.#db
      .prepare(
        `SELECT run, patch, hash, runs.params AS params, spacing, ended, reason, first_step,
           (SELECT count(*) FROM points WHERE points.run = runs.run) AS points,
           (SELECT min(low) FROM points WHERE points.run = runs.run) AS best,
           (SELECT loss FROM points WHERE points.run = runs.run ORDER BY at LIMIT 1) AS first,
           (SELECT loss FROM points WHERE points.run = runs.run ORDER BY at DESC LIMIT 1) AS last,
           (SELECT step FROM points WHERE points.run = runs.run ORDER BY at DESC LIMIT 1) AS step
         FROM runs WHERE run < ? ORDER BY run DESC LIMIT ?`,
      )
      .all(before, limit) as Row[];
    return rows.map((row) => ({
      run: Number(row['run']),
      patch: String(row['patch']),
      hash: String(row['hash']),
      began: new Date(Number(row['run'])).toISOString(),
      ended: row['ended'] === null ? null : new Date(Number(row['ended'])).toISOString(),
      end: row['reason'] as RunEnd | null,
      params: JSON.parse(String(row['params'])) as string[],
      points: Number(row['points']),
      spacing: Number(row['spacing']),
      steps: Math.max(0, Number(row['step'] ?? row['first_step']) - Number(row['first_step'])),
      first: row['first'] as number | null,
      last: row['last'] as number | null,
      best: row['best'] as number | null,
    }));
  }

  run(run: number): Run | undefined {
    const [found] = this.runs(1, run + 1);
    return found?.run === run ? found : undefined;
  }

  /**
   * At most `points` of a run, each of as many that are kept.
   * Cost: reads all that are kept of the time asked for.
   */
  series({ run, from, to, points, params: wanted }: SeriesQuery): Series | undefined {
    const ids = this.#db.prepare('SELECT params FROM runs WHERE run = ?').get(run) as
      Row | undefined;
    if (ids === undefined) return undefined;
    const all = JSON.parse(String(ids['params'])) as string[];
    const columns = all.flatMap((id, index) =>
      wanted === undefined || wanted.includes(id) ? [{ id, index }] : [],
    );
    const rows = this.#db
      .prepare(
        'SELECT at, step, loss, low, high, rate, params FROM points WHERE run = ? AND at >= ? AND at <= ? ORDER BY at',
      )
      .all(run, 1000 * from, Math.min(1000 * to, Number.MAX_SAFE_INTEGER)) as Row[];
    const size = Math.max(1, Math.ceil(rows.length / points));
    const series: Series = {
      run,
      at: [],
      step: [],
      loss: [],
      low: [],
      high: [],
      rate: [],
      params: {},
    };
    const values = columns.map(({ id }): (number | null)[] => (series.params[id] = []));
    for (let k = 0; k < rows.length; k += size) {
      const group = rows.slice(k, k + size);
      const last = group.at(-1)!;
      const numbers = (key: string): number[] =>
        group.flatMap((row) => (typeof row[key] === 'number' ? [row[key]] : []));
      const [losses, lows, highs] = [numbers('loss'), numbers('low'), numbers('high')];
      series.at.push(Number(last['at']) / 1000);
      series.step.push(Number(last['step']));
      series.loss.push(losses.length === 0 ? null : mean(losses));
      series.low.push(lows.length === 0 ? null : Math.min(...lows));
      series.high.push(highs.length === 0 ? null : Math.max(...highs));
      series.rate.push(last['rate'] as number | null);
      const bytes = last['params'] as Uint8Array;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      columns.forEach(({ index }, c) => {
        const value = 8 * index < bytes.byteLength ? view.getFloat64(8 * index, true) : NaN;
        values[c]!.push(Number.isFinite(value) ? value : null);
      });
    }
    return series;
  }

  /** @returns whether there was one */
  delete(run: number): boolean {
    return this.#db.prepare('DELETE FROM runs WHERE run = ?').run(run).changes > 0;
  }

  #count(run: number): number {
    const row = this.#db.prepare('SELECT count(*) AS n FROM points WHERE run = ?').get(run) as Row;
    return Number(row['n']);
  }

  /** Every second point takes in the one before it, which goes. */
  #thin(run: number): void {
    this.#whole(() => {
      this.#db
        .prepare(
          `WITH pairs AS (
             SELECT id, row_number() OVER w AS place,
               lag(loss) OVER w AS loss, lag(low) OVER w AS low, lag(high) OVER w AS high
             FROM points WHERE run = ? WINDOW w AS (ORDER BY at)
           )
           UPDATE points SET
             loss = coalesce((points.loss + pairs.loss) / 2, points.loss, pairs.loss),
             low = coalesce(min(points.low, pairs.low), points.low, pairs.low),
             high = coalesce(max(points.high, pairs.high), points.high, pairs.high)
           FROM pairs WHERE points.id = pairs.id AND pairs.place % 2 = 0`,
        )
        .run(run);
      this.#db
        .prepare(
          `DELETE FROM points WHERE id IN (
             SELECT id FROM (
               SELECT id, row_number() OVER (ORDER BY at) AS place FROM points WHERE run = ?
             ) WHERE place % 2 = 1
           )`,
        )
        .run(run);
      this.#db.prepare('UPDATE runs SET spacing = 2 * spacing WHERE run = ?').run(run);
    });
  }

  /** The oldest runs go, never the newest. */
  #forget(): void {
    const runs = this.#db.prepare('SELECT run FROM runs ORDER BY run').all() as Row[];
    for (const { run } of runs.slice(0, -1)) {
      if (this.bytes <= this.#limits.bytes) return;
      this.delete(Number(run));
    }
  }

  /** Runs of a daemon that did not end as it should. */
  #endLost(): void {
    this.#db.exec(
      `UPDATE runs SET reason = 'lost', ended =
         run + coalesce((SELECT max(at) FROM points WHERE points.run = runs.run), 0)
       WHERE ended IS NULL`,
    );
  }

  #value(sql: string): unknown {
    const row = this.#db.prepare(sql).get() as Row | undefined;
    return row === undefined ? undefined : Object.values(row)[0];
  }

  #whole(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

/** A file that a later version has written: it is let be. */
export class NewerSchema extends Error {
  constructor(version: number) {
    super(`the history is of schema ${version}, and this livegrad knows ${SCHEMA}: it is let be`);
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
