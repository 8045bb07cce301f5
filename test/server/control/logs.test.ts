/** The end of the log: what is kept, what is asked for, what is not shown, and who is told. */

import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { createClient } from '../../../clients/sdk/client.ts';
import { MAX_ENTRIES, type LogEntry } from '../../../server/api/logs.ts';
import { LogTail } from '../../../server/control/log-tail.ts';
import { bench, record, type BenchOptions } from './fake.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

async function start(options: BenchOptions = {}) {
  const host = await bench(options);
  opened.push(host);
  const url = await host.listen();
  const client = createClient({ url, token: 'lg_admin' });
  opened.push(client);
  const log = pino({ level: 'debug' }, host.host.logs);
  return Object.assign(host, { client, url, log });
}

const texts = (entries: readonly LogEntry[]): string[] => entries.map(({ message }) => message);

test('logs: the tail is asked for by number, level and length', async () => {
  const { client, log } = await start();
  expect(await client.logs.tail()).toEqual({ entries: [], last: 0 });
  log.info({ step: 7, device: { input: 'x' } }, 'one');
  log.warn('two');
  log.debug('three');
  log.error({ err: new Error('it broke') }, 'four');
  const { entries, last } = await client.logs.tail();
  expect(texts(entries)).toEqual(['one', 'two', 'three', 'four']);
  expect(last).toBe(4);
  expect(entries[0]).toMatchObject({
    number: 1,
    level: 'info',
    fields: { step: 7, device: '{"input":"x"}' },
  });
  expect(Date.parse(entries[0]!.time)).toBeGreaterThan(Date.now() - 60_000);
  expect(entries[3]!.fields).toEqual({ error: 'it broke' });
  expect(texts((await client.logs.tail({ after: 2 })).entries)).toEqual(['three', 'four']);
  expect(texts((await client.logs.tail({ level: 'warn' })).entries)).toEqual(['two', 'four']);
  expect(texts((await client.logs.tail({ limit: 2 })).entries)).toEqual(['three', 'four']);
  expect(texts((await client.logs.tail({ after: 0, limit: 2 })).entries)).toEqual(['one', 'two']);
  expect((await client.logs.tail({ after: 4 })).entries).toEqual([]);
});

test('a thousand entries are kept, and the numbers say what is gone', () => {
  const tail = new LogTail();
  const log = pino({}, tail);
  for (let k = 1; k <= MAX_ENTRIES + 50; k++) log.info(`entry ${k}`);
  const { entries, last } = tail.tail({ limit: MAX_ENTRIES });
  expect(last).toBe(MAX_ENTRIES + 50);
  expect(entries).toHaveLength(MAX_ENTRIES);
  expect(entries[0]).toMatchObject({ number: 51, message: 'entry 51' });
  expect(tail.tail({ after: 3, limit: 1 }).entries[0]?.number).toBe(51);
});

test('of paths of the disk only the last part is shown, addresses stay as they are', () => {
  const tail = new LogTail();
  const log = pino({}, tail);
  log.info({ file: '/srv/live/state/session.json' }, "moved to '/srv/live/state/x.damaged-1'");
  log.info('Server listening at http://127.0.0.1:8440/api/v1, 3/4 of ../x/y and a/b/c');
  log.error({ err: new Error('ENOENT: no such file, open "/etc/livegrad/key.pem"') }, 'no');
  log.info('x'.repeat(20_000));
  const { entries } = tail.tail({ limit: 10 });
  expect(entries[0]).toMatchObject({
    message: "moved to 'x.damaged-1'",
    fields: { file: 'session.json' },
  });
  expect(entries[1]!.message).toBe(
    'Server listening at http://127.0.0.1:8440/api/v1, 3/4 of ../x/y and a/b/c',
  );
  expect(entries[2]!.fields).toEqual({ error: 'ENOENT: no such file, open "key.pem"' });
  expect(JSON.stringify(entries[3]).length).toBeLessThan(300);
});

test('who subscribes to the log is told what comes, others are not', async () => {
  const { client, log } = await start();
  const told: LogEntry[] = [];
  const end = client.on('log', (entry) => told.push(entry));
  await new Promise((resolve) => client.on('snapshot', resolve));
  log.info('one');
  log.info('two');
  await vi.waitUntil(() => told.length === 2);
  expect(texts(told)).toEqual(['one', 'two']);
  end();
  await client.status.get();
  await vi.waitUntil(async () => {
    const { length } = told;
    log.info('three');
    await new Promise((resolve) => setTimeout(resolve, 250));
    return told.length === length;
  });
});

test('the log is for those who may change the machine, as answers and as a topic', async () => {
  const tokens = [record('a', 'admin', 'lg_admin'), record('b', 'control', 'lg_control')];
  const { client, url, log } = await start({ tokens });
  log.info('one');
  expect(texts((await client.logs.tail()).entries)).toContain('one');
  const other = createClient({ url, token: 'lg_control' });
  opened.push(other);
  await expect(other.logs.tail()).rejects.toMatchObject({ code: 'FORBIDDEN_ROLE' });
  const told: LogEntry[][] = [[], []];
  client.on('log', (entry) => told[0]!.push(entry));
  other.on('log', (entry) => told[1]!.push(entry));
  await vi.waitUntil(() => {
    log.info('two');
    return told[0]!.length > 2;
  });
  expect(told[1]).toEqual([]);
});
