/** Snapshots and morphs: through REST and the socket, on disk, and against other patches. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type Change, type LivegradError } from '../../../clients/sdk/client.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { snapshotSchema, type Snapshot } from '../../../server/api/snapshots.ts';
import { snapshotFiles } from '../../../server/control/snapshot-files.ts';
import { hashOf, snapshotOf } from '../../../server/control/snapshot.ts';
import { stateOf } from '../../../server/control/state.ts';
import { bench, example, silent, type BenchOptions } from './fake.ts';

let stateDir: string;
const opened: { close(): unknown }[] = [];
beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'livegrad-'))));
afterEach(async () => {
  vi.useRealTimers();
  for (const thing of opened.splice(0).reverse()) await thing.close();
  rmSync(stateDir, { recursive: true, force: true });
});

async function start(options: BenchOptions = {}) {
  const host = await bench({ stateDir, ...options });
  opened.push(host);
  const url = await host.listen();
  const client = createClient({ url });
  opened.push(client);
  const told: Change[] = [];
  const ready = new Promise((resolve) => client.on('snapshot', resolve));
  client.on('change', (change) => told.push(change));
  await ready;
  const value = (id: string): number | undefined => host.session.state.values.get(id);
  return Object.assign(host, { client, told, value });
}

async function failure(promise: Promise<unknown>): Promise<LivegradError> {
  return promise.then(
    () => {
      throw new Error('expected a refusal');
    },
    (error: LivegradError) => error,
  );
}

const folder = (): string => join(stateDir, 'snapshots');

/** A patch with a slider on a logarithmic scale. */
const tuned = (): Patch => ({
  ...example('gain'),
  sliders: {
    ...example('gain').sliders,
    cutoff: { initial: 100, min: 20, max: 20_000, unit: 'Hz', scale: 'log' },
  },
});

test('snapshots and presets: what was saved is loaded in one revision, and everyone is told', async () => {
  const { client, session, told, value } = await start();
  const values = { gain: 0.123456789012345, 'hidden/gain': 1.5 };
  await client.params.update({ values, frozen: { gain: true }, rates: { gain: 0.25 } });
  const saved = await client.snapshots.save({ name: 'warm lead', doc: 'for the second verse' });
  expect(saved).toMatchObject({ name: 'warm lead', sliders: 1, params: 1, fits: true });
  await client.params.update({
    values: { gain: 0, 'hidden/gain': 0 },
    frozen: { gain: false },
    rates: { gain: 1 },
  });
  const { revision } = session;
  const loaded = await client.snapshots.load({ name: 'warm lead' });
  expect(loaded).toEqual({
    taken: ['hidden/gain', 'gain'],
    clamped: [],
    missing: [],
    untouched: [],
    revision: revision + 1,
  });
  expect(value('gain')).toBe(values.gain);
  expect(value('hidden/gain')).toBe(1.5);
  expect(session.state.frozen.has('gain')).toBe(true);
  expect(session.state.rates.get('gain')).toBe(0.25);
  await vi.waitUntil(() => told.some((change) => change.revision === revision + 1));
  expect(told.map(({ kind }) => kind)).toContain('snapshots.changed');
});

test('snapshots are renamed, replaced when asked, and deleted', async () => {
  const { client } = await start();
  await client.snapshots.save({ name: 'a' });
  await client.snapshots.save({ name: 'ä' });
  const names = async (): Promise<string[]> =>
    (await client.snapshots.list()).snapshots.map(({ name }) => name);
  expect(await names()).toEqual(['a', 'ä']);
  expect((await failure(client.snapshots.save({ name: 'a' }))).code).toBe('SNAPSHOT_EXISTS');
  await client.snapshots.save({ name: 'a', replace: true });
  expect((await failure(client.snapshots.rename({ name: 'a', to: 'ä' }))).code).toBe(
    'SNAPSHOT_EXISTS',
  );
  expect(await client.snapshots.rename({ name: 'a', to: 'b' })).toMatchObject({ name: 'b' });
  expect(await names()).toEqual(['ä', 'b']);
  await client.snapshots.delete({ name: 'ä' });
  expect(await names()).toEqual(['b']);
  expect(readdirSync(folder())).toHaveLength(1);
  const gone = await failure(client.snapshots.get({ name: 'bb' }));
  expect(gone).toMatchObject({ code: 'UNKNOWN_SNAPSHOT', status: 404 });
  expect(gone.message).toContain('did you mean "b"?');
});

test.each(['', ' warm', 'warm ', '..', 'a/b', 'a\\b', 'a\nb', 'x'.repeat(81)])(
  'a snapshot is not called %j',
  async (name) => {
    const { http, client } = await start();
    const payload = { to: name };
    await client.snapshots.save({ name: 'warm' });
    const reply = await http.inject({
      method: 'POST',
      url: '/api/v1/snapshots/warm/rename',
      payload,
    });
    expect(reply.json()).toMatchObject({ code: 'INVALID_INPUT' });
  },
);

test('an exported snapshot is imported elsewhere, and is the same document', async () => {
  const { client, session } = await start();
  await client.snapshots.save({ name: 'warm' });
  const document = await client.snapshots.get({ name: 'warm' });
  expect(snapshotSchema.parse(document)).toEqual(document);
  await client.snapshots.delete({ name: 'warm' });
  const { state } = session;
  await client.snapshots.import({ snapshot: JSON.parse(JSON.stringify(document)) as Snapshot });
  expect(await client.snapshots.get({ name: 'warm' })).toEqual(document);
  expect(session.state).toBe(state);
  const broken = { ...document, params: { gain: 'loud' } } as unknown as Snapshot;
  const refused = await failure(client.snapshots.import({ snapshot: broken, replace: true }));
  expect(refused.diagnostics[0]).toMatchObject({ path: 'snapshot.params.gain' });
});

test('a snapshot of another patch is refused with what does not fit, and taken in part when asked', async () => {
  const { client, session, host, value } = await start();
  const { sliders } = example('gain');
  const other: Patch = {
    ...example('gain'),
    name: 'other',
    sliders: { ...sliders, drive: { initial: 3, min: 0, max: 10 } },
    params: { gain: { initial: 1.5, min: -9, max: 9 } },
  };
  const state = stateOf(other);
  const values = new Map([...state.values, ['gain', 9]]) as ReadonlyMap<string, number>;
  await host.snapshots.write(snapshotOf({ ...state, values }, 'warm', new Date()));
  const { revision } = session;
  const refused = await failure(client.snapshots.load({ name: 'warm' }));
  expect(refused).toMatchObject({ code: 'SNAPSHOT_MISFIT', status: 409 });
  expect(refused.message).toBe(
    'Snapshot does not fit: snapshot "warm" is of patch other, and patch gain lacks drive and has another range for gain; "partial" takes hidden/gain, gain and leaves the rest',
  );
  expect(refused.diagnostics.map(({ message }) => message)).toEqual([
    'drive: nothing is called so in patch gain',
    'gain: expected a value from -2 to 2, got 9',
  ]);
  expect(session.revision).toBe(revision);
  expect(await client.snapshots.load({ name: 'warm', partial: true })).toMatchObject({
    taken: ['hidden/gain'],
    clamped: ['gain'],
    missing: ['drive'],
    untouched: [],
  });
  expect(value('gain')).toBe(2);
  await host.snapshots.write(snapshotOf(stateOf(example('one-pole')), 'cold', new Date()));
  const none = await failure(client.snapshots.load({ name: 'cold', partial: true }));
  expect(none.message).toContain(
    'patch gain has nothing of it: it lacks hidden/feedback, feedback',
  );
});

test('an edit of the training or of the texts leaves the hash of a patch, another sound does not', () => {
  const patch = example('gain');
  const { training: _, ...untrained } = patch;
  expect(hashOf({ ...untrained, title: 'x', doc: 'y' })).toBe(hashOf(patch));
  expect(hashOf({ ...patch, outputs: ['gain'] })).not.toBe(hashOf(patch));
});

test('snapshots outlive the daemon, and damaged or newer files do not stop it', async () => {
  const first = snapshotFiles(stateDir, silent);
  const state = stateOf(example('gain'));
  await first.write(snapshotOf(state, 'one', new Date()));
  await first.write(snapshotOf(state, 'two', new Date()));
  const [one = '', two = ''] = readdirSync(folder()).toSorted();
  const text = readFileSync(join(folder(), two), 'utf8');
  writeFileSync(join(folder(), one), text.slice(0, 100));
  const newer = text.replace('snapshot/1', 'snapshot/2');
  writeFileSync(join(folder(), 'newer.json'), newer);
  writeFileSync(join(folder(), 'by hand.json'), text.replace('"two"', '"three"'));
  const again = snapshotFiles(stateDir, silent);
  expect((await again.list()).map(({ name }) => name)).toEqual(['three', 'two']);
  expect(await again.read('three')).toMatchObject({ ok: true });
  const files = readdirSync(folder());
  expect(files.filter((file) => /^one-.*\.damaged-\d+$/u.test(file))).toHaveLength(1);
  expect(readFileSync(join(folder(), 'newer.json'), 'utf8')).toBe(newer);
  expect(files).not.toContain('by hand.json');
});

test('a snapshot is on disk before the answer, and a folder that cannot be written is told', async () => {
  const { client, session } = await start();
  await client.snapshots.save({ name: 'warm' });
  const [file = ''] = readdirSync(folder());
  expect(file).toMatch(/^warm-[0-9a-f]{16}\.json$/u);
  expect(JSON.parse(readFileSync(join(folder(), file), 'utf8'))).toMatchObject({
    format: 'livegrad.snapshot/1',
    name: 'warm',
    patch: { name: 'gain', hash: hashOf(session.state.patch) },
    sliders: { 'hidden/gain': 0.3 },
    params: { gain: 1 },
  });
  rmSync(folder(), { recursive: true });
  writeFileSync(folder(), 'no folder');
  const { revision } = session;
  expect((await failure(client.snapshots.save({ name: 'x' }))).code).toBe('NOT_KEPT');
  expect(session.revision).toBe(revision);
  rmSync(folder());
  mkdirSync(folder());
});

/** A clock that is cranked by hand, for timers and `performance` alone. */
const stopClock = (): unknown =>
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });

async function morphing() {
  const host = await start({ patch: tuned() });
  const { client, session } = host;
  await client.params.update({ values: { gain: 0, 'hidden/gain': 0, cutoff: 100 } });
  await client.snapshots.save({ name: 'low' });
  await client.params.update({ values: { gain: 1, 'hidden/gain': 0.3, cutoff: 10_000 } });
  await client.snapshots.save({ name: 'high' });
  host.told.length = 0;
  const values = (): Record<string, number> => Object.fromEntries(session.state.values);
  return Object.assign(host, { values });
}

test('a morph moves each value on its own scale and ends exactly', async () => {
  const { client, values, told } = await morphing();
  stopClock();
  const began = await client.morph.start({ from: 'low', to: 'high', seconds: 10 });
  expect(began).toMatchObject({ state: 'running', position: 0, fit: { missing: [] } });
  expect(values()).toEqual({ gain: 0, 'hidden/gain': 0, cutoff: 100 });
  vi.advanceTimersByTime(5000);
  const { position } = await client.morph.get();
  expect(position).toBeCloseTo(0.5, 2);
  expect(values()['gain']).toBeCloseTo(0.5, 2);
  expect(values()['hidden/gain']).toBeCloseTo(0.15, 2);
  expect(Math.log10(values()['cutoff']!)).toBeCloseTo(3, 2);
  vi.advanceTimersByTime(5100);
  expect(values()).toEqual({ gain: 1, 'hidden/gain': 0.3, cutoff: 10_000 });
  expect(await client.morph.get()).toEqual({
    state: 'arrived',
    from: 'low',
    to: 'high',
    seconds: 10,
    position: 1,
  });
  vi.useRealTimers();
  await vi.waitUntil(() => told.at(-1)?.kind === 'morph.changed');
  const kinds = told.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'morph.changed')).toHaveLength(2);
  expect(kinds.filter((kind) => kind === 'params.changed').length).toBeGreaterThan(300);
});

test('a hand-set slider ends a morph, another one does not', async () => {
  const { client, values, session } = await morphing();
  const low = await client.snapshots.get({ name: 'low' });
  const { gain: _gain, ...params } = low.params;
  await client.snapshots.import({ snapshot: { ...low, name: 'sliders', params } });
  stopClock();
  await client.morph.start({ to: 'sliders', seconds: 1 });
  vi.advanceTimersByTime(500);
  await client.params.set({ id: 'gain', value: -1 });
  await client.params.update({ frozen: { gain: true } });
  expect((await client.morph.get()).state).toBe('running');
  session.setParams({ values: { cutoff: 777 } }, undefined);
  expect(await client.morph.get()).toMatchObject({ state: 'overtaken', to: 'sliders' });
  const { 'hidden/gain': hidden } = values();
  vi.advanceTimersByTime(1000);
  expect(values()).toEqual({ gain: -1, 'hidden/gain': hidden, cutoff: 777 });
});

test('a second morph takes over from where the first one is, another patch ends it', async () => {
  const { client, values, told } = await morphing();
  stopClock();
  await client.morph.start({ to: 'low', seconds: 1 });
  vi.advanceTimersByTime(500);
  const half = values()['gain']!;
  expect(half).toBeCloseTo(0.5, 1);
  await client.morph.start({ to: 'high', seconds: 1 });
  expect(values()['gain']).toBeCloseTo(half, 6);
  vi.advanceTimersByTime(1100);
  expect(values()).toEqual({ gain: 1, 'hidden/gain': 0.3, cutoff: 10_000 });
  await client.morph.start({ to: 'low', seconds: 1 });
  expect((await client.morph.stop()).state).toBe('stopped');
  await client.morph.start({ to: 'low', seconds: 1 });
  await client.patch.set({ example: 'one-pole' });
  expect((await client.morph.get()).state).toBe('overtaken');
  const refused = await failure(client.morph.start({ to: 'low', seconds: 1 }));
  expect(refused.code).toBe('SNAPSHOT_MISFIT');
  vi.useRealTimers();
  const states = (): string[] =>
    told.flatMap((c) => (c.kind === 'morph.changed' ? [c.data.state] : []));
  await vi.waitUntil(() => states().length === 8);
  expect(states()).toEqual([
    'running',
    'overtaken',
    'running',
    'arrived',
    'running',
    'stopped',
    'running',
    'overtaken',
  ]);
});

test('what is measured of a learnable parameter does not end its morph', async () => {
  const { client, engine } = await morphing();
  stopClock();
  await client.morph.start({ to: 'low', seconds: 1 });
  vi.advanceTimersByTime(200);
  engine.crank({ params: Float64Array.of(0.987) });
  vi.advanceTimersByTime(200);
  expect((await client.morph.get()).state).toBe('running');
});
