/** Recordings as clients make, list, fetch and delete them; what is bounded, and who is told. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { createClient, type Change } from '../../../clients/sdk/client.ts';
import type { RecordingChange } from '../../../server/api/recordings.ts';
import { HEAD_BYTES, WavWriter, openWav } from '../../../server/audio/wav.ts';
import { bench, record, type BenchOptions } from './fake.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function start(options: BenchOptions & { readonly as?: string } = {}) {
  const stateDir = mkdtempSync(join(tmpdir(), 'livegrad-'));
  opened.push(() => rmSync(stateDir, { recursive: true, force: true }));
  const host = await bench({ stateDir, ...options });
  opened.push(() => host.close());
  const url = await host.listen();
  const client = createClient({ url, token: options.as });
  opened.push(() => client.close());
  const changes: RecordingChange[] = [];
  client.on('change', (change: Change) => {
    if (change.kind === 'recordings.changed') changes.push(change.data);
  });
  return { ...host, client, url, changes, folder: join(stateDir, 'recordings') };
}

const SECOND = HEAD_BYTES + 4 * 6 * 48000;

test('a recording is started, stopped, listed, fetched and deleted', async () => {
  const { client, engine, folder, changes } = await start();
  expect(await client.recordings.list()).toEqual({
    recordings: [],
    current: null,
    lookback: 30,
    bytes: 0,
    maxBytes: 1e9,
  });
  const begun = await client.recordings.start({ name: 'take 1' });
  expect(begun).toMatchObject({ name: 'take 1', sampleRate: 48000, patch: 'gain' });
  expect(begun.channels).toEqual(['in1', 'in2', 'out1', 'out2', 'target', 'estimate']);
  expect(engine.calls.at(-1)).toBe('record 0 1 2 3 4 5 null');
  expect((await client.recordings.list()).current).toMatchObject({ name: 'take 1' });
  expect(readdirSync(folder)).toEqual(['take 1.wav.part']);

  const { revision, reason, ...kept } = await client.recordings.stop();
  expect(reason).toBe('asked');
  expect(revision).toBeGreaterThan(begun.revision);
  expect(kept).toMatchObject({ name: 'take 1', frames: 48000, seconds: 1, lost: 0 });
  expect(kept.bytes).toBe(SECOND);
  expect(kept.began).toBe(begun.began);
  expect(readdirSync(folder)).toEqual(['take 1.wav']);
  const listed = await client.recordings.list();
  expect(listed).toMatchObject({ recordings: [kept], current: null, bytes: SECOND });
  expect(await client.recordings.get({ name: 'take 1' })).toEqual(kept);

  const bytes = await client.recordings.download({ name: 'take 1' });
  expect(bytes.byteLength).toBe(SECOND);
  expect(new TextDecoder().decode(bytes.slice(0, 4))).toBe('RIFF');

  await client.recordings.delete({ name: 'take 1' });
  expect(readdirSync(folder)).toEqual([]);
  await vi.waitUntil(() => changes.length === 3);
  expect(changes).toEqual([
    { name: 'take 1', what: 'began', reason: null },
    { name: 'take 1', what: 'ended', reason: 'asked' },
    { name: 'take 1', what: 'deleted', reason: null },
  ]);
});

test('what just happened is kept beside a recording that is made', async () => {
  const { client, engine, changes } = await start();
  await client.recordings.start({ channels: ['in1'] });
  const kept = await client.recordings.keep({ seconds: 5, channels: ['out2', 'in1'], name: 'now' });
  expect(kept).toMatchObject({ channels: ['out2', 'in1'], frames: 240_000, seconds: 5 });
  expect(engine.calls.slice(-2)).toEqual(['record 3 0 240000', `limit 1 ${1e9 - kept.bytes}`]);
  const age = Date.now() - Date.parse(kept.began);
  expect(age).toBeGreaterThanOrEqual(5000);
  expect(age).toBeLessThan(60_000);
  expect((await client.recordings.keep({ seconds: 1000 })).seconds).toBe(30);
  await vi.waitUntil(() => changes.length === 3);
  expect(changes.map(({ what }) => what)).toEqual(['began', 'kept', 'kept']);
});

test('one that ends by itself is told, and another may begin', async () => {
  const { client, engine, changes } = await start();
  await client.recordings.start({ seconds: 0.5 });
  expect(engine.calls.at(-1)).toBe('record 0 1 2 3 4 5 24000');
  engine.recording.get(1)!('length');
  await vi.waitUntil(() => changes.length === 2);
  expect(changes[1]).toMatchObject({ what: 'ended', reason: 'length' });
  await expect(client.recordings.stop()).rejects.toMatchObject({ code: 'NOT_RECORDING' });
  await client.recordings.start();
  engine.recording.get(2)!('engine');
  await vi.waitUntil(() => changes.length === 4);
  expect(changes[3]).toMatchObject({ what: 'ended', reason: 'engine' });
  expect((await client.recordings.list()).recordings).toHaveLength(2);
});

test('all recordings together are bounded, and what has no room is refused in numbers', async () => {
  const { client, engine } = await start({ maxBytes: 3 * SECOND });
  await client.recordings.keep({ seconds: 2 });
  await expect(client.recordings.start({ seconds: 2 })).rejects.toMatchObject({
    code: 'NOT_KEPT',
    message: expect.stringMatching(/have 2\.3 of 3\.5 MB, and this one needs 2\.3: delete some/u),
  });
  await expect(client.recordings.keep({ seconds: 2 })).rejects.toMatchObject({ code: 'NOT_KEPT' });
  await client.recordings.start({ seconds: 0.9 });
  expect(engine.calls.at(-1)).toBe('record 0 1 2 3 4 5 43200');
});

test('names, channels and lengths are checked, and nothing is made', async () => {
  const { client, folder } = await start();
  const wrong = [
    [{ name: '../out' }, /name/u],
    [{ name: 'x'.repeat(61) }, /name/u],
    [
      { channels: ['in3'] },
      /channels: expected some of in1, in2, out1, out2, target, estimate; got in3/u,
    ],
    [{ channels: ['error'] }, /got error/u],
    [{ seconds: 0 }, /seconds/u],
  ] as const;
  for (const [input, message] of wrong) {
    const made = client.recordings.start(input as object);
    await expect(made).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(message),
    });
  }
  const file = await client.recordings.download({ name: 'none' }).catch((error: unknown) => error);
  expect(file).toMatchObject({ code: 'UNKNOWN_RECORDING' });
  expect(() => readdirSync(folder)).toThrow('ENOENT');
});

test('who may look fetches, and does not record', async () => {
  const { client } = await start({ tokens: [record('onlooker', 'view', 'lg_see')], as: 'lg_see' });
  expect((await client.recordings.list()).recordings).toEqual([]);
  for (const refused of [
    client.recordings.start(),
    client.recordings.stop(),
    client.recordings.keep({ seconds: 1 }),
    client.recordings.delete({ name: 'x' }),
  ]) {
    await expect(refused).rejects.toMatchObject({ code: 'FORBIDDEN_ROLE' });
  }
});

test('a file is sent as one, with its name, and no folder of the disk', async () => {
  const { client, url, folder } = await start();
  await client.recordings.keep({ seconds: 0.1, name: 'Größe 1' });
  const address = `${url}/api/v1/recordings/${encodeURIComponent('Größe 1')}/audio`;
  const response = await fetch(address);
  expect(response.headers.get('content-type')).toBe('audio/wav');
  expect(response.headers.get('content-disposition')).toBe(
    `attachment; filename="Gr__e 1.wav"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.wav`,
  );
  expect((await response.arrayBuffer()).byteLength).toBe(HEAD_BYTES + 4 * 6 * 4800);
  const said = JSON.stringify(await client.recordings.list());
  expect(said).not.toContain(folder);
  expect(said).not.toContain(tmpdir());
});

test('what a killed daemon was recording is mended, and other sound files are listed', async () => {
  const { client, folder } = await start();
  mkdirSync(folder, { recursive: true });
  const format = { sampleRate: 44100, channels: 1, encoding: 'float32' } as const;
  const note = JSON.stringify({
    channels: ['out1'],
    patch: 'gain',
    began: '2026-01-01T00:00:00.000Z',
    lost: 0,
  });
  const left = new WavWriter(join(folder, 'left.wav.part'), format, note);
  left.write([new Float32Array(1000).fill(0.5)], 1000);
  const other = new WavWriter(join(folder, 'other.wav'), { ...format, encoding: 'pcm16' });
  other.write([new Float32Array(441)], 441);
  other.close();
  writeFileSync(join(folder, 'empty.wav.part'), '');
  writeFileSync(join(folder, 'text.wav'), 'no sound');
  const { recordings } = await client.recordings.list();
  expect(recordings).toMatchObject([
    { name: 'other', channels: ['1'], frames: 441, seconds: 0.01, patch: '' },
    { name: 'left', channels: ['out1'], frames: 1000, patch: 'gain' },
  ]);
  expect(readdirSync(folder).toSorted()).toEqual(['left.wav', 'other.wav', 'text.wav']);
  const read = openWav(join(folder, 'left.wav'));
  expect(read.ok && read.value.frames).toBe(1000);
});
