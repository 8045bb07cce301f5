/** The library: patches kept under names, through REST and the socket, on disk, and played. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type Change, type LivegradError } from '../../../clients/sdk/client.ts';
import { MAX_PATCHES, libraryEntrySchema } from '../../../server/api/library.ts';
import { hashOf } from '../../../server/control/snapshot.ts';
import { bench, example, type BenchOptions } from './fake.ts';

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
  return Object.assign(host, { client, told });
}

async function failure(promise: Promise<unknown>): Promise<LivegradError> {
  return promise.then(
    () => {
      throw new Error('expected a refusal');
    },
    (error: LivegradError) => error,
  );
}

const SOURCE = 'process = _ * hslider("gain", 0.5, 0, 1, 0.01);\n';

test('a patch is kept without being played, listed, and played when it is asked for', async () => {
  const { client, session, told } = await start();
  const { state } = session;
  const put = await client.library.put({
    name: 'night filter',
    patch: { ...example('one-pole') },
    doc: 'for the second verse',
  });
  expect(put).toMatchObject({ name: 'night filter', patch: 'one-pole', kind: 'patch', ok: true });
  expect(put.hash).toMatch(/^[0-9a-f]{64}$/u);
  expect(put).toMatchObject({ plays: false, diagnostics: [] });
  expect(session.state).toBe(state);
  await vi.waitUntil(() => told.some(({ kind }) => kind === 'library.changed'));
  const info = await client.library.activate({ name: 'night filter' });
  expect(info.name).toBe('one-pole');
  expect(session.state.patch.name).toBe('one-pole');
  expect(hashOf(session.state.patch)).toBe(put.hash);
  const { patches } = await client.library.list();
  expect(patches).toMatchObject([{ name: 'night filter', plays: true, title: expect.any(String) }]);
});

test('what plays is kept with its present values', async () => {
  const { client } = await start();
  await client.params.update({ values: { 'hidden/gain': 0.75, gain: -0.5 } });
  await client.library.put({ name: 'now' });
  await client.params.update({ values: { 'hidden/gain': 0, gain: 0 } });
  await client.patch.set({ example: 'one-pole' });
  await client.library.activate({ name: 'now' });
  const { params } = await client.params.list();
  expect(params.map(({ id, value }) => [id, value])).toEqual([
    ['hidden/gain', 0.75],
    ['gain', -0.5],
  ]);
});

test('a patch that does not compile is kept with its diagnostics, and refused when it is to play', async () => {
  const { client, session } = await start();
  const broken = { ...example('gain'), outputs: ['nowhere'] };
  const put = await client.library.put({ name: 'broken', patch: broken });
  expect(put).toMatchObject({ ok: false, hash: null, patch: 'gain' });
  expect(put.diagnostics[0]).toMatchObject({ path: 'outputs[0]' });
  const { state } = session;
  const refused = await failure(client.library.activate({ name: 'broken' }));
  expect(refused).toMatchObject({ code: 'PATCH_INVALID', status: 422 });
  expect(session.state).toBe(state);
  const entry = await client.library.get({ name: 'broken' });
  expect(entry.document).toEqual(JSON.parse(JSON.stringify(broken)));
  expect(await client.library.put({ name: 'odd', patch: { colour: 'red' } })).toMatchObject({
    ok: false,
    patch: '',
  });
});

test('a Faust program comes and goes as its source', async () => {
  const { http, session } = await start();
  const faust = (url: string, payload: string) =>
    http.inject({
      method: 'PUT',
      url: `/api/v1/library/${url}`,
      headers: { 'content-type': 'text/x-faust' },
      payload,
    });
  const put = await faust('night%20gain', SOURCE);
  expect(put.json()).toMatchObject({ kind: 'faust', patch: 'night-gain', ok: true });
  expect((await faust('night%20gain', 'process = _;')).json()).toMatchObject({
    code: 'PATCH_EXISTS',
  });
  const wrong = await faust('night%20gain?replace=true', '\nprocess = nothing;\n');
  expect(wrong.json()).toMatchObject({ ok: false, diagnostics: [{ line: 2 }] });
  await faust('night%20gain?replace=true', SOURCE);
  const got = await http.inject({
    method: 'GET',
    url: '/api/v1/library/night%20gain',
    headers: { accept: 'text/x-faust' },
  });
  expect(got.headers['content-type']).toContain('text/x-faust');
  expect(got.body).toBe(SOURCE);
  const played = await http.inject({
    method: 'POST',
    url: '/api/v1/library/night%20gain/activate',
  });
  expect(played.json()).toMatchObject({ name: 'night-gain', sliders: ['gain'] });
  expect(session.state.patch.name).toBe('night-gain');
});

test('patches of the library are renamed, replaced when asked, and deleted', async () => {
  const { client } = await start();
  await client.library.put({ name: 'a', patch: { example: 'gain' } });
  await client.library.put({ name: 'b', patch: { example: 'one-pole' } });
  const again = { name: 'a', patch: { example: 'one-pole' } };
  expect((await failure(client.library.put(again))).code).toBe('PATCH_EXISTS');
  expect((await failure(client.library.rename({ name: 'a', to: 'b' }))).code).toBe('PATCH_EXISTS');
  expect((await failure(client.library.put({ name: 'c', patch: { example: 'gian' } }))).code).toBe(
    'UNKNOWN_EXAMPLE',
  );
  await client.library.rename({ name: 'a', to: 'ä' });
  await client.library.delete({ name: 'b' });
  const { patches } = await client.library.list();
  expect(patches.map(({ name, patch }) => [name, patch])).toEqual([['ä', 'gain']]);
  const gone = await failure(client.library.get({ name: 'ää' }));
  expect(gone).toMatchObject({ code: 'UNKNOWN_PATCH', status: 404 });
  expect(gone.message).toContain('did you mean "ä"?');
});

test('a patch of the library is a document on disk before the answer, and there after a restart', async () => {
  const first = await start();
  await first.client.library.put({ name: 'kept', patch: { example: 'gain' } });
  const [file = ''] = readdirSync(join(stateDir, 'library'));
  expect(file).toMatch(/^kept-[0-9a-f]{16}\.json$/u);
  const text = readFileSync(join(stateDir, 'library', file), 'utf8');
  const entry = libraryEntrySchema.parse(JSON.parse(text));
  expect(entry.document).toEqual(JSON.parse(JSON.stringify(example('gain'))));
  const second = await start();
  expect(await second.client.library.get({ name: 'kept' })).toEqual(entry);
});

test('the library is bounded in number and size', async () => {
  const { client, host } = await start();
  await client.library.put({ name: 'first', patch: { example: 'gain' } });
  const entry = await client.library.get({ name: 'first' });
  const large = { ...entry, name: 'large', document: { text: 'x'.repeat(64 * 2 ** 20) } };
  expect(await host.library.write(large)).toMatchObject({
    ok: false,
    problem: { code: 'NOT_KEPT', detail: expect.stringContaining('64 MiB') },
  });
  const small = { ...entry, document: {} };
  for (let k = 1; k < MAX_PATCHES; k++) await host.library.write({ ...small, name: `p ${k}` });
  const refused = await failure(client.library.put({ name: 'last', patch: { example: 'gain' } }));
  expect(refused).toMatchObject({ code: 'NOT_KEPT', status: 507 });
  expect(refused.message).toContain('at most 500');
});
