/** Signals as clients see them: which there are, pictures for those who look, and events. */

import { afterEach, expect, test, vi } from 'vitest';
import { createClient, decodeScope, type Frame } from '../../../clients/sdk/client.ts';
import { MAX_EVENTS, type EventEntry } from '../../../server/api/events.ts';
import { EventTail } from '../../../server/control/event-tail.ts';
import { MAX_SIGNALS, signalsOf } from '../../../server/engine/signals.ts';
import { bench, type BenchOptions } from './fake.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

async function start(options: BenchOptions = {}) {
  const host = await bench(options);
  opened.push(host);
  const client = createClient({ url: await host.listen() });
  opened.push(client);
  return Object.assign(host, { client });
}

const looks = (calls: readonly string[]): string[] =>
  calls.filter((call) => call.startsWith('watch'));

test('the signals of a program that learns are listed, with how late the estimate is', async () => {
  const { client } = await start();
  const { signals, ...rest } = await client.signals.list();
  expect(signals.map(({ id }) => id)).toEqual([
    'target',
    'estimate',
    'error',
    'in1',
    'in2',
    'out1',
    'out2',
  ]);
  expect(signals[4]).toEqual({ id: 'in2', kind: 'input', channel: 1 });
  expect(rest).toEqual({ sampleRate: 48000, program: 1, delay: 12, confidence: 0.9 });
});

test.each([
  ['none', 2, 2, 'in1 in2 out1 out2'],
  ['estimate', 1, 1, 'estimate in1 out1'],
  ['both', 8, 8, 'target estimate error in1 in2 in3 out1 out2'],
  ['both', 1, 8, 'target estimate error in1 out1 out2 out3 out4'],
  ['none', 8, 1, 'in1 in2 in3 in4 in5 in6 in7 out1'],
] as const)('%s, %d inputs, %d outputs are %s', (compared, inputs, outputs, expected) => {
  const ids = signalsOf(compared, inputs, outputs).map(({ id }) => id);
  expect(ids.join(' ')).toBe(expected);
  expect(ids.length).toBeLessThanOrEqual(MAX_SIGNALS);
});

test('pictures are made while somebody looks, at the highest rate of all', async () => {
  const { client, engine } = await start();
  expect(looks(engine.calls)).toEqual([]);
  const frames: Frame[] = [];
  const ends = [10, 30].map((rate) =>
    client.subscribe({ topics: ['scope'], rate }, (frame) => frames.push(frame)),
  );
  await vi.waitUntil(() => looks(engine.calls).at(-1) === 'watch 30 0');
  engine.crank();
  engine.show('scope', Float32Array.of(1, 2, 1, 0.5, -0.5));
  engine.show('spectrum', Float32Array.of(1, 1, 93.75, -160));
  await vi.waitUntil(() => frames.length > 0);
  expect(frames[0]).toMatchObject({ topic: 'scope', time: 800, program: 1, step: 3 });
  expect(decodeScope(frames[0]!.values).signals).toEqual([Float32Array.of(0.5, -0.5)]);
  ends[1]!();
  await vi.waitUntil(() => looks(engine.calls).at(-1) === 'watch 10 0');
  client.close();
  await vi.waitUntil(() => looks(engine.calls).at(-1) === 'watch 0 0');
  expect(frames.every(({ topic }) => topic === 'scope')).toBe(true);
});

test('what happens to the engine is told to those who listen, and listed', async () => {
  const { client, host } = await start();
  const heard: EventEntry[] = [];
  client.on('engine', (event) => heard.push(event));
  await vi.waitUntil(async () => {
    host.events.write({ kind: 'xrun', message: 'an underflow of /dev/snd/pcm' });
    return heard.length > 0;
  });
  const { events, last } = await client.events.list();
  expect(events).toHaveLength(last);
  expect(events.at(-1)).toEqual(heard.at(-1));
  expect(heard[0]).toMatchObject({ kind: 'xrun', message: 'an underflow of pcm' });
  expect((await client.events.list({ after: last })).events).toEqual([]);
});

test('the newest events are kept, and the numbers say what is gone', () => {
  const tail = new EventTail();
  for (let k = 0; k < MAX_EVENTS + 5; k++) tail.write({ kind: 'nan', message: `${k}` });
  const { events, last } = tail.list();
  expect(last).toBe(MAX_EVENTS + 5);
  expect(events).toHaveLength(MAX_EVENTS);
  expect(events[0]).toMatchObject({ number: 6, message: '5' });
});
