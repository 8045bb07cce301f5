/** The host as a machine: versions, another engine, the end; and the test of its outputs. */

import { afterEach, expect, test } from 'vitest';
import { createClient, type LivegradError } from '../../../clients/sdk/client.ts';
import { bench, record, type Bench } from './fake.ts';

let open: Bench | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function start(role: 'view' | 'control' | 'admin' = 'admin') {
  open = await bench({ tokens: [record('someone', role, 'lg_me')] });
  const client = createClient({ url: await open.listen(), token: 'lg_me' });
  return { ...open, client };
}

async function failure(promise: Promise<unknown>): Promise<LivegradError> {
  return promise.then(
    () => {
      throw new Error('expected a refusal');
    },
    (error: LivegradError) => error,
  );
}

test('the system tells versions and the machine, and nothing of the disk', async () => {
  const { client } = await start('view');
  const found = await client.system.get();
  expect(found).toMatchObject({ version: '0.0.0', node: process.versions.node, pid: process.pid });
  expect(JSON.stringify(found)).not.toContain('/');
});

test('a new engine goes on with what there was, one that does not open is told', async () => {
  const { client, engine, session } = await start();
  const { values, step } = session.state;
  const renewed = await client.system.restartEngine();
  expect(renewed.engine).toMatchObject({ state: 'running', pid: 4243 });
  expect(session.state).toMatchObject({ values, step });
  engine.failSelect = 'it is gone';
  expect((await failure(client.system.restartEngine())).code).toBe('DEVICE_REFUSED');
});

test('the daemon ends when an administrator says so, and nobody else', async () => {
  const { client, engine } = await start();
  expect(await client.system.shutdown()).toEqual({ stopping: true });
  expect(engine.calls.at(-1)).toBe('shut down');
  await open?.close();
  const { client: other } = await start('control');
  for (const attempt of [other.system.shutdown, other.system.restartEngine, other.devices.test]) {
    expect((await failure(attempt())).code).toBe('FORBIDDEN_ROLE');
  }
});

test('a test tone goes to all outputs, or to those that are named, counted from 1', async () => {
  const { client, engine } = await start();
  expect((await failure(client.devices.test())).code).toBe('NOT_TESTED');
  await client.output.set({ muted: false });
  expect(await client.devices.test()).toEqual({
    signal: 'sine',
    frequency: 1000,
    levelDb: -20,
    seconds: 1,
    outputs: [1, 2],
  });
  await client.devices.test({ signal: 'noise', outputs: [2] });
  expect(JSON.parse(engine.calls.at(-1)!.slice(5))).toMatchObject({
    signal: 'noise',
    outputs: [1],
  });
  expect((await failure(client.devices.test({ levelDb: 0 }))).code).toBe('INVALID_INPUT');
});
