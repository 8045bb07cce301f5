/** The history: runs and their series, thinned, bounded, and on disk whatever becomes of the daemon. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Run, Series } from '../../../server/api/history.ts';
import {
  HistoryDatabase,
  NewerSchema,
  SCHEMA,
  type Limits,
  type Point,
} from '../../../server/control/history/database.ts';
import { History } from '../../../server/control/history/history.ts';
import { Recorder } from '../../../server/control/history/recorder.ts';
import { startDaemon } from '../../support/daemon.ts';
import { bench, example, silent, type BenchOptions } from './fake.ts';

let stateDir: string;
const opened: { close(): unknown }[] = [];
beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'livegrad-'))));
afterEach(async () => {
  vi.useRealTimers();
  for (const thing of opened.splice(0).reverse()) await thing.close();
  rmSync(stateDir, { recursive: true, force: true });
});

const LIMITS: Limits = { points: 1000, bytes: 2 ** 30 };

function database(limits: Limits = LIMITS): HistoryDatabase {
  const made = new HistoryDatabase(join(stateDir, 'history.db'), limits);
  opened.push(made);
  return made;
}

const beginning = (run: number, params: readonly string[] = ['gain']) =>
  ({ run, patch: 'gain', hash: 'f'.repeat(64), params, step: 0, spacing: 100 }) as const;

/** A tenth of a second apart, with a loss that is the number of the point. */
const points = (run: number, from: number, count: number, params = 1): Point[] =>
  Array.from({ length: count }, (_, k) => ({
    run,
    at: 100 * (from + k),
    step: 10 * (from + k),
    loss: from + k,
    low: from + k - 0.25,
    high: from + k + 0.25,
    rate: 0.5,
    params: new Float64Array(params).fill((from + k) / 8),
  }));

const all = { from: 0, to: Number.MAX_SAFE_INTEGER, points: 1e6 };

/** A host whose measurements come every 16 ms of a clock that is cranked by hand. */
async function start(options: BenchOptions = {}) {
  const host = await bench({ stateDir, isRecorded: true, ...options });
  opened.push(host);
  const { http, engine } = host;
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) });
  const run = (count: number): void => {
    for (let k = 0; k < count; k++) {
      vi.setSystemTime(Date.now() + 16);
      engine.crank();
    }
  };
  const get = async <T>(path: string): Promise<T> =>
    (await http.inject(`/api/v1${path}`)).json<T>();
  return Object.assign(host, { run, get });
}

test('history: runs with their loss and parameters are listed, queried and exported', async () => {
  const { run, get, session, http, engine } = await start();
  run(125);
  engine.program?.params.splice(0, 1, 0.25);
  run(125);
  await session.setLearning(false, undefined);
  run(1);
  const { runs } = await get<{ runs: Run[] }>('/history');
  expect(runs).toMatchObject([
    {
      patch: 'gain',
      began: '2026-01-01T00:00:00.016Z',
      ended: '2026-01-01T00:00:04.016Z',
      end: 'stopped',
      params: ['gain'],
      spacing: 100,
      steps: 747,
    },
  ]);
  expect(runs[0]!.points).toBeGreaterThan(30);
  const path = `/history/${runs[0]!.run}`;
  const series = await get<Series>(path);
  expect(series.at).toHaveLength(runs[0]!.points);
  expect(series.at.toSorted((a, b) => a - b)).toEqual(series.at);
  expect(series.step.at(-1)).toBeGreaterThan(700);
  expect(series.params['gain']?.[0]).toBe(1);
  expect(series.params['gain']?.at(-1)).toBe(0.25);
  const second = await get<Series>(`${path}?from=1&to=2&params=`);
  expect(second.at.every((at) => at >= 1 && at <= 2)).toBe(true);
  expect(second.at.length).toBeGreaterThan(7);
  expect(second.params).toEqual({});
  const thin = await get<Series>(`${path}?points=4`);
  expect(thin.at).toHaveLength(4);
  expect(thin.low[0]).toBe(Math.min(...(series.low.slice(0, 9) as number[])));
  expect(thin.high[0]).toBe(Math.max(...(series.high.slice(0, 9) as number[])));
  const csv = await get<{ text: string; file: string }>(`${path}/export?points=3`);
  expect(csv.file).toBe('gain-2026-01-01T00-00-00Z.csv');
  const lines = csv.text.split('\r\n');
  expect(lines[0]).toBe('at,step,loss,low,high,rate,gain');
  expect(lines).toHaveLength(5);
  expect(Number(lines[1]!.split(',')[6])).toBe(1);
  const json = await get<{ text: string }>(`${path}/export?format=json`);
  expect(JSON.parse(json.text)).toMatchObject({ patch: 'gain', series: { step: series.step } });
  const wrong = await get<{ code: string; detail: string }>(`${path}?params=gian`);
  expect(wrong).toMatchObject({ code: 'INVALID_INPUT' });
  expect(wrong.detail).toContain('no series of gian; it has gain');
  const deleted = await http.inject({ method: 'DELETE', url: `/api/v1${path}` });
  expect(deleted.json()).toEqual({ revision: session.revision });
  expect((await get<{ runs: Run[] }>('/history')).runs).toEqual([]);
});

test('a run ends with learning, a reset, another patch, and begins with the next step', async () => {
  const { run, get, session, engine } = await start();
  const told: unknown[] = [];
  session.listen(({ kind, data }) => kind === 'history.changed' && told.push(data));
  run(10);
  await session.reset(undefined);
  engine.step = 0;
  run(20);
  await session.setPatch(example('one-pole'), undefined);
  run(20);
  engine.crank({ fault: 1, learning: false });
  run(3);
  await session.setLearning(true, undefined);
  engine.frames += 48000;
  run(5);
  const { runs } = await get<{ runs: Run[] }>('/history');
  expect(runs.map(({ patch, end }) => [patch, end])).toEqual([
    ['one-pole', null],
    ['one-pole', 'fault'],
    ['gain', 'patch'],
    ['gain', 'reset'],
  ]);
  expect(told).toHaveLength(7);
  expect(told[0]).toEqual({ run: runs[3]!.run, what: 'began' });
  const older = await get<{ runs: Run[] }>(`/history?limit=2&before=${runs[1]!.run}`);
  expect(older.runs.map(({ run: number }) => number)).toEqual([runs[2]!.run, runs[3]!.run]);
});

test('after a reset the loss of before is none of the new run', async () => {
  const { run, get, session, engine } = await start();
  run(10);
  await session.reset(undefined);
  engine.step = 0;
  engine.crank({ step: 0, loss: 0 });
  run(10);
  const { runs } = await get<{ runs: Run[] }>('/history');
  expect(runs.map(({ end }) => end)).toEqual([null, 'reset']);
  expect(runs[0]!.best).toBeGreaterThan(0);
});

test('without a step there is no run, and a loss that is no number is not known', async () => {
  const { get, engine, run } = await start();
  engine.crank({ learning: false });
  expect((await get<{ runs: Run[] }>('/history')).runs).toEqual([]);
  run(1);
  for (let k = 0; k < 20; k++) {
    vi.setSystemTime(Date.now() + 16);
    engine.crank({ loss: Number.NaN });
  }
  const { runs } = await get<{ runs: Run[] }>('/history');
  const series = await get<Series>(`/history/${runs[0]!.run}`);
  expect(series.loss.at(-1)).toBeNull();
});

test('a point is the mean of its time, and a series thinned for an answer keeps the extremes', () => {
  const db = database();
  db.write({ begun: [beginning(1000)], points: points(1000, 0, 100), ended: [] });
  expect(db.series({ run: 1000, ...all, points: 10 })).toEqual({
    run: 1000,
    at: Array.from({ length: 10 }, (_, k) => (10 * k + 9) / 10),
    step: Array.from({ length: 10 }, (_, k) => 100 * k + 90),
    loss: Array.from({ length: 10 }, (_, k) => 10 * k + 4.5),
    low: Array.from({ length: 10 }, (_, k) => 10 * k - 0.25),
    high: Array.from({ length: 10 }, (_, k) => 10 * k + 9.25),
    rate: Array.from({ length: 10 }, () => 0.5),
    params: { gain: Array.from({ length: 10 }, (_, k) => (10 * k + 9) / 8) },
  });
  expect(db.series({ run: 1, ...all })).toBeUndefined();
});

test('a run with too many points is thinned by half, again and again, and keeps its extremes', () => {
  const db = database({ ...LIMITS, points: 100 });
  db.write({ begun: [beginning(1000)], points: points(1000, 0, 100), ended: [] });
  expect(db.write({ begun: [], points: points(1000, 100, 1), ended: [] })).toEqual([1000]);
  expect(db.run(1000)).toMatchObject({ points: 50, spacing: 200, first: 0.5, best: -0.25 });
  const series = db.series({ run: 1000, ...all })!;
  expect(series.loss.slice(0, 3)).toEqual([0.5, 2.5, 4.5]);
  expect(series.low.slice(0, 3)).toEqual([-0.25, 1.75, 3.75]);
  expect(series.high.slice(0, 3)).toEqual([1.25, 3.25, 5.25]);
  expect(series.step.slice(0, 3)).toEqual([10, 30, 50]);
  for (let k = 101; k < 1000; k += 50) {
    db.write({ begun: [], points: points(1000, k, 50), ended: [] });
    expect(db.run(1000)!.points).toBeLessThanOrEqual(100);
  }
});

test('beyond its bytes the oldest runs go, the newest stays', () => {
  const db = database({ ...LIMITS, bytes: 2 ** 20 });
  for (let run = 1; run <= 20; run++) {
    db.write({
      begun: [
        beginning(
          run,
          Array.from({ length: 100 }, (_, k) => `w/${k}`),
        ),
      ],
      points: points(run, 0, 200, 100),
      ended: [{ run, at: 20_000, reason: 'stopped' }],
    });
    expect(db.bytes).toBeLessThan(2 ** 20 + 2 ** 18);
  }
  const runs = db.runs(100).map(({ run }) => run);
  expect(runs[0]).toBe(20);
  expect(runs.length).toBeGreaterThan(2);
  expect(runs.length).toBeLessThan(8);
});

test('points come half as often once their run was thinned', async () => {
  const { session, engine } = await start();
  const recorder = new Recorder(() => {});
  const { onMeasurement } = engine;
  const fed = (count: number): number => {
    engine.onMeasurement = (measurement) =>
      recorder.feed(session.state, measurement, 1e12 + 16 * engine.step);
    for (let k = 0; k < count; k++) {
      engine.step -= 2;
      engine.crank();
    }
    engine.onMeasurement = onMeasurement;
    return recorder.take()?.points.length ?? 0;
  };
  expect(fed(1)).toBe(0);
  const often = fed(280);
  expect(often).toBe(40);
  recorder.thinned(recorder.current!);
  expect(fed(280)).toBeLessThanOrEqual(22);
});

test('what was written outlives a daemon that is killed, and its run is ended', async () => {
  const env = { LIVEGRAD_STATE_DIR: stateDir, LIVEGRAD_PATCH: 'gain' };
  const daemon = await startDaemon(env);
  const runsOf = async (of: typeof daemon): Promise<Run[]> =>
    ((await of.request('GET', '/history')) as { runs: Run[] }).runs;
  await vi.waitUntil(async () => ((await runsOf(daemon))[0]?.points ?? 0) > 5, {
    timeout: 30_000,
    interval: 100,
  });
  const [before] = await runsOf(daemon);
  process.kill(daemon.pid, 'SIGKILL');
  await daemon.stop();
  const again = await startDaemon(env);
  const runs = await runsOf(again);
  const killed = runs.find(({ run }) => run === before!.run)!;
  expect(killed.end).toBe('lost');
  expect(killed.points).toBeGreaterThanOrEqual(before!.points);
  await sleep(200);
  expect(await again.stop()).toBe(0);
  const db = database();
  expect(db.runs(10).map(({ end }) => end)).toContain('lost');
  expect(db.runs(10).every(({ ended }) => ended !== null)).toBe(true);
});

test('a damaged file is moved aside, one of a newer schema is let be', async () => {
  const path = join(stateDir, 'history.db');
  writeFileSync(path, 'no database '.repeat(1000));
  const warn = vi.fn();
  const log = { ...silent, debug: warn, info: warn, warn, error: warn };
  const history = new History({ stateDir, log, tell: () => {} });
  expect(await history.ask('list', { limit: 1, before: undefined })).toMatchObject({
    ok: true,
    value: { runs: [] },
  });
  await history.close();
  expect(readdirSync(stateDir).filter((file) => file.includes('.damaged-'))).toHaveLength(1);
  expect(warn).toHaveBeenCalledTimes(1);
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA user_version = ${SCHEMA + 1}`);
  db.close();
  expect(() => database()).toThrow(NewerSchema);
  const other = new History({ stateDir, log: silent, tell: () => {} });
  expect(await other.ask('run', { run: 1 })).toMatchObject({
    ok: false,
    problem: { code: 'HISTORY_UNAVAILABLE' },
  });
  await other.close();
});

test('the control thread is not held up by what is written', async () => {
  const { session, host, engine } = await start();
  const { history } = host;
  vi.useRealTimers();
  const took: number[] = [];
  for (let k = 0; k < 600; k++) {
    engine.step += 3;
    const begin = performance.now();
    engine.crank();
    if (k % 60 === 59) void history.flush();
    took.push(performance.now() - begin);
  }
  expect(session.state.learning).toBe(true);
  await history.flush();
  expect(took.toSorted((a, b) => a - b)[300]).toBeLessThan(1);
});
