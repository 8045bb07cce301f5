/** A/B audition: two sides, what belongs to which, the level match, and how it ends. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type Change, type LivegradError } from '../../../clients/sdk/client.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { recallLength, RECALL } from '../../../dsp/run/recall.ts';
import { Store } from '../../../server/control/store.ts';
import { bench, example, silent, type BenchOptions } from './fake.ts';

let stateDir: string;
const opened: { close(): unknown }[] = [];
beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'livegrad-'))));
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
  rmSync(stateDir, { recursive: true, force: true });
});

async function start(options: BenchOptions = {}) {
  const host = await bench({ stateDir, ...options });
  opened.push(host);
  const client = createClient({ url: await host.listen() });
  opened.push(client);
  const told: Change[] = [];
  const ready = new Promise((resolve) => client.on('snapshot', resolve));
  client.on('change', (change) => told.push(change));
  await ready;
  host.engine.set({ muted: false });
  const values = (): Record<string, number> => Object.fromEntries(host.session.state.values);
  /** So many measurements, as loud as that. */
  const hear = (count: number, rms: number): void => {
    for (let k = 0; k < count; k++) {
      const gain = 10 ** (host.engine.status.gainDb / 20);
      host.engine.crank({ step: host.session.state.step, outputRms: Float32Array.of(rms * gain) });
    }
  };
  return Object.assign(host, { client, told, values, hear });
}

async function failure(promise: Promise<unknown>): Promise<LivegradError> {
  return promise.then(
    () => {
      throw new Error('expected a refusal');
    },
    (error: LivegradError) => error,
  );
}

const LEARNED = { 'hidden/gain': 0.3, gain: 1 };

test('a candidate of values is heard, compared, and A is back exactly when it is rolled back', async () => {
  const { client, session, engine, told, values } = await start();
  for (let k = 0; k < 10; k++) engine.crank({ step: 3, params: Float64Array.of(0.75) });
  const before = session.state;
  const started = await client.audition.start({ values: { gain: -1, 'hidden/gain': 2 } });
  expect(started).toMatchObject({
    state: 'running',
    heard: 'b',
    candidate: { kind: 'values', name: null },
    a: { patch: 'gain', step: 3 },
    b: { patch: 'gain', step: 3 },
  });
  expect(values()).toEqual({ gain: -1, 'hidden/gain': 2 });
  expect(engine.program).toMatchObject({ isOwn: true, learning: false, params: [-1] });
  expect(session.state.learning).toBe(false);
  expect(await client.audition.compare({})).toMatchObject({ heard: 'a' });
  expect(values()).toEqual({ gain: 0.75, 'hidden/gain': 0.3 });
  expect(await client.audition.compare({ heard: 'b' })).toMatchObject({ heard: 'b' });
  await client.params.set({ id: 'gain', value: 0.125 });
  await client.audition.compare({});
  await client.audition.compare({});
  expect(values()).toEqual({ gain: 0.125, 'hidden/gain': 2 });
  const ended = await client.audition.rollback();
  expect(ended).toMatchObject({ state: 'rolledBack', heard: null });
  const { state } = session;
  expect(state.values).toEqual(before.values);
  expect([state.step, state.learning, state.frozen]).toEqual([3, true, before.frozen]);
  expect(state.patch).toEqual(before.patch);
  await vi.waitUntil(() => told.at(-1)?.kind === 'audition.changed');
  const changes = told.flatMap((c) => (c.kind === 'audition.changed' ? [c.data.heard] : []));
  expect(changes).toEqual(['b', 'a', 'b', 'a', 'b', null]);
  expect((await client.audition.get()).state).toBe('rolledBack');
  expect((await client.edits.list()).undo.filter((words) => words.includes('0.125'))).toEqual([]);
});

test('what is committed stays, is one step for undo, and learns where A did', async () => {
  const { client, session, values } = await start();
  await client.params.update({ values: { 'hidden/gain': 1.25, gain: 0.5 } });
  await client.snapshots.save({ name: 'warm' });
  await client.params.update({ values: LEARNED });
  await client.audition.start({ snapshot: 'warm' });
  await client.audition.compare({});
  const ended = await client.audition.commit();
  expect(ended).toMatchObject({ state: 'committed', candidate: { name: 'warm' } });
  expect(values()).toEqual({ 'hidden/gain': 1.25, gain: 0.5 });
  expect(session.state.learning).toBe(true);
  expect((await client.edits.undo()).done).toBe('keep "warm"');
  expect(values()).toEqual(LEARNED);
});

test('a candidate of another patch, of the library, and of the same patch edited', async () => {
  const { client, session, values, engine } = await start();
  await client.params.update({ values: { 'hidden/gain': 1.25 } });
  const edited: Patch = { ...example('gain'), doc: 'edited' };
  await client.audition.start({ patch: { ...edited } });
  expect(session.state.patch.doc).toBe('edited');
  expect(values()).toMatchObject({ 'hidden/gain': 1.25 });
  await client.audition.rollback();
  expect(session.state.patch.doc).toBe(example('gain').doc);
  await client.library.put({ name: 'pole', patch: { example: 'one-pole' } });
  const compiled = engine.calls.length;
  await client.audition.start({ library: 'pole' });
  await client.audition.compare({});
  expect(values()).toMatchObject({ 'hidden/gain': 1.25 });
  await client.audition.commit();
  expect(session.state.patch.name).toBe('one-pole');
  expect(session.state.step).toBe(0);
  expect(engine.calls.slice(compiled).filter((call) => call.startsWith('load'))).toEqual([
    'load one-pole',
    'load gain',
    'load one-pole',
  ]);
  await client.edits.undo();
  expect(session.state.patch.name).toBe('gain');
  expect(values()).toMatchObject({ 'hidden/gain': 1.25 });
});

test('a candidate that cannot be played leaves everything as it was, and learning on', async () => {
  const { client, session, engine } = await start();
  const { state } = session;
  const wrong: readonly [Parameters<typeof client.audition.start>[0], string][] = [
    [{}, 'INVALID_INPUT'],
    [{ values: {}, snapshot: 'x' }, 'INVALID_INPUT'],
    [{ values: { gian: 1 } }, 'UNKNOWN_PARAM'],
    [{ values: { gain: 99 } }, 'VALUE_OUT_OF_RANGE'],
    [{ snapshot: 'warm' }, 'UNKNOWN_SNAPSHOT'],
    [{ library: 'night' }, 'UNKNOWN_PATCH'],
    [{ patch: { example: 'gian' } }, 'UNKNOWN_EXAMPLE'],
    [{ patch: { ...example('gain'), outputs: ['nowhere'] } }, 'PATCH_INVALID'],
  ];
  for (const [input, code] of wrong) {
    expect((await failure(client.audition.start(input))).code).toBe(code);
  }
  engine.failLoad = 'no room';
  expect((await failure(client.audition.start({ values: { gain: 0 } }))).code).toBe(
    'ENGINE_REFUSED',
  );
  expect(session.state).toBe(state);
  expect((await client.audition.get()).state).toBe('none');
  engine.failLoad = undefined;
  await client.training.stop();
  for (const end of [client.audition.commit, client.audition.rollback]) {
    expect((await failure(end())).code).toBe('NO_AUDITION');
  }
});

test('what would exchange a side is refused until it ends, what others set stays with the side that is heard', async () => {
  const { client, session, values } = await start();
  await client.audition.start({ values: { gain: -1 } });
  const barred = [
    () => client.audition.start({ values: {} }),
    () => client.patch.set({ example: 'one-pole' }),
    () => client.training.start(),
    () => client.training.reset(),
    () => client.training.update({ window: 128 }),
    () => client.params.update({ learn: { 'hidden/gain': true } }),
    () => client.edits.undo(),
  ];
  const { state } = session;
  for (const attempt of barred) {
    expect(await failure(attempt())).toMatchObject({ code: 'AUDITION_UNDER_WAY', status: 409 });
  }
  expect(session.state).toBe(state);
  await client.params.update({ values: { 'hidden/gain': 1.5 }, frozen: { gain: true } });
  await client.audition.compare({});
  expect(values()).toMatchObject({ 'hidden/gain': 0.3 });
  await client.params.set({ id: 'hidden/gain', value: 0.625 });
  await client.audition.compare({});
  expect(values()).toEqual({ 'hidden/gain': 1.5, gain: -1 });
  expect(session.state.frozen.has('gain')).toBe(true);
  await client.audition.rollback();
  expect(values()).toMatchObject({ 'hidden/gain': 0.625 });
  expect(session.state.frozen.has('gain')).toBe(false);
  await client.patch.set({ example: 'one-pole' });
});

test('a file that is saved meanwhile plays when the audition is over', async () => {
  const { client, session } = await start({ file: 'gain.json' });
  await client.audition.start({ values: { gain: -1 } });
  const edited = { ...example('gain'), doc: 'edited' };
  await session.reload({ ok: true, value: edited }, 'gain.json');
  expect(session.state.patch.doc).not.toBe('edited');
  await client.audition.rollback();
  await vi.waitUntil(() => session.state.patch.doc === 'edited');
  expect(session.state.learning).toBe(true);
});

test('what the optimiser of A remembers comes back with A, of one moment with its values', async () => {
  const { client, session, engine } = await start();
  const { artifact } = session.state;
  const length = recallLength(artifact!) - RECALL.params - 1;
  const optimiser = Float64Array.from({ length }, (_, k) => k + 0.5);
  engine.crank();
  engine.remembers = { step: 41, paceMemory: [0, 0, 0, 0, 0, 0], params: [0.875], optimiser };
  await client.audition.start({ values: { gain: -1 } });
  expect(engine.program).toMatchObject({ params: [-1], optimiser });
  engine.remembers = null;
  await client.audition.rollback();
  expect(engine.program).toMatchObject({ isOwn: true, params: [0.875], step: 41, optimiser });
  expect(session.state.step).toBe(41);
});

test('the level match makes B as loud as A, within 12 dB, beside the gain of clients, and goes at the end', async () => {
  const { client, engine, hear, told } = await start();
  await client.output.set({ gainDb: -3 });
  hear(60, 0.2);
  await client.audition.start({ values: { gain: 0.5 }, match: true });
  expect(await client.audition.get()).toMatchObject({ matchDb: 0, b: { levelDb: null } });
  hear(120, 0.1);
  const matched = await client.audition.get();
  expect(matched.matchDb).toBeCloseTo(6.02, 1);
  expect(matched.a!.levelDb).toBeCloseTo(-13.98, 1);
  expect(matched.b!.levelDb).toBeCloseTo(-20, 1);
  expect(engine.status.gainDb).toBeCloseTo(3.02, 1);
  expect(await client.output.get()).toMatchObject({ gainDb: expect.closeTo(-3, 6) });
  await vi.waitUntil(() => told.some((c) => c.kind === 'audition.changed' && c.data.matchDb > 5));
  await client.audition.compare({});
  expect(engine.status.gainDb).toBeCloseTo(-3, 6);
  await client.output.set({ gainDb: -6 });
  await client.audition.compare({});
  expect(engine.status.gainDb).toBeCloseTo(0.02, 1);
  hear(1200, 0.001);
  const { matchDb } = await client.audition.get();
  expect(matchDb).toBeGreaterThan(11.7);
  expect(matchDb).toBeLessThanOrEqual(12);
  expect(await client.audition.compare({ match: false })).toMatchObject({ heard: 'b', matchDb: 0 });
  await client.audition.compare({ match: true });
  await client.audition.commit();
  expect(engine.status.gainDb).toBeCloseTo(-6, 6);
});

test('nothing is matched while nothing is heard', async () => {
  const { client, engine, hear } = await start();
  engine.set({ muted: true });
  hear(60, 0.2);
  await client.audition.start({ values: { gain: 0.5 }, match: true });
  hear(120, 0.1);
  expect(await client.audition.get()).toMatchObject({
    matchDb: 0,
    a: { levelDb: null },
    b: { levelDb: null },
  });
});

test('what is kept on disk while B is heard is A, as it was learning', async () => {
  const { client, host } = await start();
  await client.params.update({ values: { 'hidden/gain': 0.625 } });
  await client.audition.start({ patch: { example: 'one-pole' } });
  const store = new Store(stateDir, example('gain'), silent);
  await store.save(host.audition.lasting);
  const restored = new Store(stateDir, example('gain'), silent).restore();
  expect(restored?.patch.name).toBe('gain');
  expect(restored?.kept.values.get('hidden/gain')).toBe(0.625);
  expect(restored?.kept.learning).toBe(true);
  await client.audition.commit();
  expect(host.audition.lasting.patch.name).toBe('one-pole');
});

test('a device with another rate is no obstacle to going back', async () => {
  const { client, session } = await start();
  await client.audition.start({ patch: { example: 'one-pole' } });
  await client.devices.select({ sampleRate: 44100 });
  expect(session.state.artifact?.sampleRate).toBe(44100);
  await client.audition.rollback();
  expect(session.state.patch.name).toBe('gain');
  expect(session.state.artifact?.sampleRate).toBe(44100);
});
