/** The SDK against a real control plane on real sockets, with an engine cranked by hand. */

import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import {
  createClient,
  LivegradError,
  type Change,
  type Client,
  type Frame,
  type Snapshot,
} from '../../../clients/sdk/client.ts';
import { OPERATION_IDS } from '../../../server/api/routes.ts';
import { bench, example, type Bench, type BenchOptions } from '../../server/control/fake.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

async function start(options: BenchOptions = {}): Promise<Bench & { client: Client; url: string }> {
  const host = await bench(options);
  opened.push(host);
  const url = await host.listen();
  const client = createClient({ url, token: options.token });
  opened.push(client);
  return Object.assign(host, { client, url });
}

async function failure(promise: Promise<unknown>): Promise<LivegradError> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof LivegradError))
    throw new Error(`expected a LivegradError, got ${String(error)}`);
  return error;
}

test('the SDK runs without any package, schema or Node.js module', () => {
  const client = new URL('../../../clients/sdk/client.ts', import.meta.url);
  const script = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({
      resolve(name, context, next) {
        const found = next(name, context);
        loaded.push(found.url.replace(/.*\\/(?=clients|server|dsp|node_modules)/, ''));
        return found;
      },
    });
    await import(${JSON.stringify(client.href)});
    console.log(JSON.stringify(loaded));`;
  const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script]);
  const loaded = JSON.parse(printed.toString()) as string[];
  expect(loaded).toContain('server/api/frame.ts');
  expect(loaded.filter((url) => !/^(clients\/sdk|server\/api)\//.test(url))).toEqual([]);
  expect(loaded).not.toContain('server/api/schemas.ts');
});

test('there is a method for every operation', async () => {
  const { client } = await start();
  for (const id of OPERATION_IDS) {
    const [group = '', name = ''] = id.split('.');
    const methods = (client as unknown as Record<string, Record<string, unknown>>)[group];
    expect(methods?.[name], id).toBeTypeOf('function');
  }
});

test('methods take and give what the operations say', async () => {
  const { client } = await start();
  expect((await client.status.get()).engine.state).toBe('running');
  expect(await client.params.set({ id: 'hidden/gain', value: 0.5 })).toMatchObject({ value: 0.5 });
  expect(await client.params.get({ id: 'hidden/gain' })).toMatchObject({ value: 0.5 });
  expect((await client.training.stop()).running).toBe(false);
  expect(await client.schedule.preview({ count: 3 })).toEqual([1, 1, 1]);
  expect((await client.patch.set(example('gain-dc'))).params).toEqual(['gain', 'dc']);
  expect(await client.patch.get()).toEqual(example('gain-dc'));
  expect((await client.devices.list()).devices).toHaveLength(1);
});

test('a refusal is a LivegradError with the code and diagnostics of the daemon', async () => {
  const { client } = await start();
  const range = await failure(client.params.set({ id: 'gain', value: 99 }));
  expect(range).toMatchObject({ code: 'VALUE_OUT_OF_RANGE', status: 422 });
  const patch = await failure(client.patch.set({ ...example('gain'), outputs: ['nowhere'] }));
  expect(patch.code).toBe('PATCH_INVALID');
  expect(patch.diagnostics[0]?.path).toBe('outputs[0]');
});

test('no daemon is UNREACHABLE, another server is a BAD_ANSWER', async () => {
  const nobody = createClient({ url: 'http://127.0.0.1:1' });
  expect((await failure(nobody.status.get())).code).toBe('UNREACHABLE');
  const stranger = createServer((_, response) => response.end('hello'));
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  opened.push(stranger);
  const { port } = stranger.address() as AddressInfo;
  const client = createClient({ url: `http://127.0.0.1:${port}` });
  expect((await failure(client.status.get())).code).toBe('BAD_ANSWER');
});

test('a token opens REST and the socket, and its absence neither', async () => {
  const { client, url } = await start({ token: 'secret' });
  const snapshot = new Promise((resolve) => client.on('snapshot', resolve));
  expect((await client.status.get()).patch).toBe('gain');
  await snapshot;
  const stranger = createClient({ url });
  expect((await failure(stranger.status.get())).code).toBe('UNAUTHORIZED');
});

test('frames arrive decoded, and stop when the subscription ends', async () => {
  const { client, engine } = await start();
  const frames: Frame[] = [];
  const end = client.subscribe({ topics: ['params', 'gradients'], rate: 60 }, (frame) => {
    frames.push(frame);
  });
  await vi.waitUntil(() => {
    engine.crank();
    return frames.length >= 2;
  });
  expect(frames[0]).toMatchObject({ topic: 'params', sequence: 0, program: 1, learning: true });
  expect([...(frames[1]?.values ?? [])]).toEqual([-0.25]);
  end();
  const { length } = frames;
  engine.crank();
  await client.status.get();
  expect(frames).toHaveLength(length);
});

test('changes of others arrive after a snapshot, each once', async () => {
  const { client, session } = await start();
  const events: (Snapshot | Change)[] = [];
  const ready = new Promise((resolve) => client.on('snapshot', resolve));
  client.on('snapshot', (snapshot) => events.push(snapshot));
  client.on('change', (change) => {
    if (change.kind !== 'edits.changed') events.push(change);
  });
  await ready;
  session.setParams({ values: { gain: 0.5 } }, undefined);
  await vi.waitUntil(() => events.length >= 2);
  expect(events[0]).toMatchObject({ status: { patch: 'gain' }, params: { program: 1 } });
  expect(events[0]).toMatchObject({ meters: { program: 1, meters: [] } });
  expect(events[1]).toMatchObject({ kind: 'params.changed', data: { params: [{ value: 0.5 }] } });
});

test('a broken socket is opened again, with its subscriptions and a new snapshot', async () => {
  const { client, url, http } = await start();
  const snapshots: Snapshot[] = [];
  const states: string[] = [];
  const frames: Frame[] = [];
  client.on('snapshot', (snapshot) => snapshots.push(snapshot));
  client.on('state', (state) => states.push(state));
  client.subscribe({ topics: ['loss'], rate: 60 }, (frame) => frames.push(frame));
  await vi.waitUntil(() => snapshots.length === 1);
  await http.close();
  await vi.waitUntil(() => states.includes('closed'));
  const again = await bench();
  opened.push(again);
  await again.http.listen({ host: '127.0.0.1', port: Number(new URL(url).port) });
  await vi.waitUntil(() => snapshots.length === 2, { timeout: 5000 });
  // It may try before anyone listens there again.
  const changes = states.filter((state, k) => state !== states[k - 1]);
  expect(changes).toEqual(['open', 'closed', 'open']);
  frames.length = 0;
  await vi.waitUntil(() => {
    again.engine.crank();
    return frames.length > 0;
  });
});

test('telemetry is read in a loop, which ends it, and which close ends', async () => {
  const { client, engine } = await start();
  const cranking = setInterval(() => engine.crank(), 10);
  opened.push({ close: () => clearInterval(cranking) });
  const sequences: number[] = [];
  for await (const { topic, sequence } of client.frames({ topics: ['loss'], rate: 60 })) {
    expect(topic).toBe('loss');
    sequences.push(sequence);
    if (sequences.length === 5) break;
  }
  expect(sequences).toEqual([0, 1, 2, 3, 4].map((k) => sequences[0]! + k));

  let count = 0;
  for await (const _frame of client.frames({ topics: ['params'], rate: 60 })) {
    if (++count === 3) client.close();
  }
  expect(count).toBeGreaterThanOrEqual(3);
});

test('a loop that is slow misses the oldest frames, and never more wait than a few hundred', async () => {
  const { client, engine } = await start();
  const frames = client.frames({ topics: ['loss'], rate: 60 });
  const first = frames.next();
  const cranking = setInterval(() => engine.crank(), 10);
  expect((await first).value).toMatchObject({ topic: 'loss' });
  let heard = 0;
  client.subscribe({ topics: ['loss'], rate: 60 }, () => heard++);
  await vi.waitUntil(() => heard > 300, { timeout: 60_000 });
  clearInterval(cranking);
  const sequences: number[] = [];
  for (let k = 0; k < 256; k++) {
    const { value } = await frames.next();
    sequences.push(value?.sequence ?? -1);
  }
  expect(sequences[0]).toBeGreaterThan(1);
  expect(sequences.at(-1)).toBe(sequences[0]! + 255);
  await frames.return();
});
