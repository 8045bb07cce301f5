/** The WebSocket on real sockets: JSON-RPC, notifications, telemetry, bounds and hostile input. */

import { connect as connectTcp, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { decodeFrame, decodeLevels, type Frame } from '../../../server/api/frame.ts';
import { OPERATIONS } from '../../../server/api/operations.ts';
import { FILE_OPERATIONS, OPERATION_IDS, ROUTES } from '../../../server/api/routes.ts';
import { documentOf } from '../../../dsp/faust/document.ts';
import { TOPICS } from '../../../server/api/socket.ts';
import { bench, example, type Bench, type BenchOptions } from './fake.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

async function start(options: BenchOptions = {}): Promise<Bench & { readonly url: string }> {
  const host = await bench(options);
  opened.push(host);
  const url = `${(await host.listen()).replace('http', 'ws')}/api/v1/ws`;
  return Object.assign(host, { url });
}

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly data: { readonly code: string } };
}

interface Peer {
  readonly socket: WebSocket;
  /** But for those of undo, which come with every step. */
  readonly texts: (Message | Message[])[];
  readonly frames: Frame[];
  say(message: unknown): void;
  /** The answer to a request. */
  ask(method: string, params?: unknown): Promise<Message>;
  close(): void;
}

let lastId = 0;

async function join(url: string, options: ClientOptions = {}): Promise<Peer> {
  const socket = new WebSocket(url, options);
  const texts: (Message | Message[])[] = [];
  const frames: Frame[] = [];
  socket.on('message', (data: Buffer, isBinary) => {
    if (!isBinary) {
      const text = JSON.parse(data.toString()) as Message | Message[];
      if (Array.isArray(text) || text.method !== 'edits.changed') texts.push(text);
    } else frames.push(decodeFrame(data) ?? expect.unreachable('not a frame'));
  });
  await new Promise<void>((resolve, reject) => {
    socket.on('open', () => resolve());
    socket.on('error', reject);
  });
  const peer: Peer = {
    socket,
    texts,
    frames,
    say: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    ask: async (method, params) => {
      const id = `ask ${++lastId}`;
      peer.say({ jsonrpc: '2.0', id, method, ...(params === undefined ? {} : { params }) });
      const find = (): Message | undefined =>
        texts.find((text): text is Message => !Array.isArray(text) && text.id === id);
      await vi.waitUntil(find, { timeout: 10_000, interval: 5 });
      return find() ?? {};
    },
    close: () => socket.terminate(),
  };
  opened.push(peer);
  return peer;
}

const errorCode = (message: Message | Message[] | undefined): unknown =>
  Array.isArray(message) ? undefined : message?.error?.data.code;

test('every operation is a method, and answers what REST answers', async () => {
  const { url, http, engine } = await start({ isRecorded: true });
  const peer = await join(url);
  await peer.ask('snapshots.save', { name: 'warm' });
  await peer.ask('library.put', { name: 'warm' });
  await peer.ask('recordings.keep', { name: 'warm', seconds: 0.1 });
  engine.crank();
  const { runs } = (await peer.ask('history.list')).result as { runs: { run: number }[] };
  const fields = { id: 'gain', name: 'warm', run: String(runs[0]?.run) };
  for (const id of OPERATION_IDS) {
    const [method, path] = ROUTES[id];
    if (method !== 'GET' || FILE_OPERATIONS.some((file) => file === id)) continue;
    const given = Object.entries(fields).filter(([field]) => path.includes(`{${field}}`));
    const { result } = await peer.ask(id, Object.fromEntries(given));
    const address = given.reduce(
      (made: string, [field, value]) => made.replace(`{${field}}`, value),
      path,
    );
    const reply = await http.inject(`/api/v1${address}`);
    const without = (value: unknown): unknown => ({ ...(value as object), uptime: 0 });
    expect(without(OPERATIONS[id].output.parse(result)), id).toEqual(without(reply.json()));
  }
});

test('who changes something gets the answer, everyone else the notification', async () => {
  const { url, session } = await start();
  const [caller, other] = [await join(url), await join(url)];
  const { revision } = session;
  const { result } = await caller.ask('params.set', { id: 'hidden/gain', value: 0.5 });
  expect(result).toMatchObject({ value: 0.5, revision: revision + 1 });
  await vi.waitUntil(() => other.texts.length > 0);
  expect(other.texts).toMatchObject([
    {
      jsonrpc: '2.0',
      method: 'params.changed',
      params: { revision: revision + 1, params: [{ id: 'hidden/gain', value: 0.5 }] },
    },
  ]);
  expect(caller.texts).toHaveLength(1);
});

test('a method with a loss of another name answers with the losses that there are', async () => {
  const { url } = await start();
  const caller = await join(url);
  const { error } = await caller.ask('training.update', { loss: 'msee' });
  expect(error).toMatchObject({ data: { diagnostics: [{ hint: 'did you mean "mse"?' }] } });
});

test('a slider is made learnable over the socket, and everyone else is told of the patch', async () => {
  const { url, session } = await start();
  const [caller, other] = [await join(url), await join(url)];
  const revision = session.revision + 1;
  const { result } = await caller.ask('params.set', { id: 'hidden/gain', learn: true });
  expect(result).toMatchObject({ kind: 'learnable', learn: 'linear', revision });
  await vi.waitUntil(() => other.texts.length === 3);
  expect(other.texts).toMatchObject([
    { method: 'patch.changed', params: { revision, params: ['gain', 'hidden/gain'] } },
    {
      method: 'params.changed',
      params: { revision, params: [{ id: 'gain' }, { learn: 'linear' }] },
    },
    { method: 'training.changed', params: { revision } },
  ]);
  expect(caller.texts).toHaveLength(1);
});

test('a program in Faust comes over the socket, and what is wrong with it has its line', async () => {
  const { url } = await start();
  const [caller, other] = [await join(url), await join(url)];
  const format = 'livegrad.patch/1';
  const wrong = await caller.ask('patch.set', { format, faust: { code: '\nprocess = x;' } });
  expect(wrong.error?.data).toMatchObject({
    code: 'PATCH_INVALID',
    diagnostics: [{ code: 'FAUST_SYNTAX', line: 2 }],
  });
  const code = 'process = *(hslider("gain", 1, 0, 2, 0.1));';
  const { result } = await caller.ask('patch.set', { format, name: 'mine', faust: { code } });
  expect(result).toMatchObject({ name: 'mine', sliders: ['gain'] });
  await vi.waitUntil(() => other.texts.length === 3);
  expect((await other.ask('patch.get')).result).toMatchObject({ faust: { code } });
});

test('a file that is followed is told with what is wrong with it, until it is right again', async () => {
  const { url, session } = await start({ file: 'x.dsp' });
  const peer = await join(url);
  const save = (code: string) =>
    session.reload({ ok: true, value: documentOf(code, 'x') }, 'x.dsp');
  const told = () =>
    peer.texts.flatMap((text) =>
      !Array.isArray(text) && text.method === 'source.changed' ? [text.params] : [],
    );
  await save('process = *(0.5);');
  expect(session.status()).toMatchObject({
    patch: 'x',
    source: { file: 'x.dsp', diagnostics: [] },
  });
  await save('process =;');
  await save('process =;');
  await session.reload(
    { ok: false, diagnostics: [{ code: 'GONE', path: '', message: 'gone' }] },
    'x.dsp',
  );
  await save('process = *(0.5); // right');
  await vi.waitUntil(() => told().length === 3);
  expect(told()).toMatchObject([
    { file: 'x.dsp', diagnostics: [{ code: 'FAUST_SYNTAX', line: 1 }] },
    { file: 'x.dsp', diagnostics: [{ code: 'GONE' }] },
    { file: 'x.dsp', diagnostics: [] },
  ]);
  // The same program: only its text is another.
  expect(session.state.program).toBe(2);
  expect((await peer.ask('patch.get')).result).toMatchObject({
    faust: { code: 'process = *(0.5); // right' },
  });
  // Another file, or one that somebody has replaced, is none of its business.
  await session.reload({ ok: true, value: documentOf('process = _;') }, 'y.dsp');
  await peer.ask('patch.set', { example: 'gain' });
  await save('process = _;');
  expect(session.status()).toMatchObject({ patch: 'gain', source: { file: null } });
  await vi.waitUntil(() => told().length === 4);
});

test('a change over REST is told to every socket', async () => {
  const { url, http } = await start();
  const peers = [await join(url), await join(url)];
  await http.inject({ method: 'PUT', url: '/api/v1/patch', payload: { example: 'gain-dc' } });
  await vi.waitUntil(() => peers.every((peer) => peer.texts.length === 3));
  for (const { texts } of peers) {
    expect(texts.map((text) => (text as Message).method)).toEqual([
      'patch.changed',
      'params.changed',
      'training.changed',
    ]);
  }
});

test('requests of one socket are run and answered in their order', async () => {
  const { url } = await start();
  const peer = await join(url);
  peer.say({ jsonrpc: '2.0', id: 1, method: 'patch.set', params: example('one-pole') });
  peer.say({ jsonrpc: '2.0', id: 2, method: 'params.get', params: { id: 'feedback' } });
  peer.say({ jsonrpc: '2.0', id: 3, method: 'training.stop' });
  await vi.waitUntil(() => peer.texts.length === 3);
  expect(peer.texts).toMatchObject([
    { id: 1, result: { name: 'one-pole' } },
    { id: 2, result: { id: 'feedback' } },
    { id: 3, result: { running: false } },
  ]);
});

test('a batch is answered as one, without its notifications', async () => {
  const { url } = await start();
  const peer = await join(url);
  peer.say([
    { jsonrpc: '2.0', id: 1, method: 'training.stop' },
    { jsonrpc: '2.0', method: 'params.set', params: { id: 'gain', value: 0.5 } },
    { jsonrpc: '2.0', id: 2, method: 'params.get', params: { id: 'gain' } },
    7,
  ]);
  await vi.waitUntil(() => peer.texts.length === 1);
  expect(peer.texts[0]).toMatchObject([
    { id: 1, result: { running: false } },
    { id: 2, result: { value: 0.5 } },
    { id: null, error: { code: -32600 } },
  ]);
});

test.each([
  ['{', null, 'MALFORMED_JSON', -32700],
  ['', null, 'MALFORMED_JSON', -32700],
  ['[]', null, 'INVALID_REQUEST', -32600],
  ['null', null, 'INVALID_REQUEST', -32600],
  ['{"jsonrpc":"1.0","id":1,"method":"status.get"}', 1, 'INVALID_REQUEST', -32600],
  ['{"jsonrpc":"2.0","id":{},"method":"status.get"}', null, 'INVALID_REQUEST', -32600],
  ['{"jsonrpc":"2.0","id":1,"method":7}', 1, 'INVALID_REQUEST', -32600],
  ['{"jsonrpc":"2.0","id":1,"method":"status.get","params":3}', 1, 'INVALID_REQUEST', -32600],
  ['{"jsonrpc":"2.0","id":1,"method":"nothing"}', 1, 'UNKNOWN_METHOD', -32601],
  ['{"jsonrpc":"2.0","id":1,"method":"constructor"}', 1, 'UNKNOWN_METHOD', -32601],
  ['{"jsonrpc":"2.0","id":1,"method":"status.get","params":[1]}', 1, 'INVALID_INPUT', -32602],
  [
    '{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topics":[]}}',
    1,
    'INVALID_INPUT',
    -32602,
  ],
  [
    '{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topics":["loss"],"rate":61}}',
    1,
    'INVALID_INPUT',
    -32602,
  ],
])('%s is answered with its error', async (text, id, code, number) => {
  const { url, session } = await start();
  const { revision } = session;
  const peer = await join(url);
  peer.say(text);
  await vi.waitUntil(() => peer.texts.length === 1);
  expect(peer.texts[0]).toMatchObject({
    jsonrpc: '2.0',
    id,
    error: { code: number, data: { code } },
  });
  expect(session.revision).toBe(revision);
});

test('a batch that is too long is refused whole', async () => {
  const { url, session } = await start();
  const { revision } = session;
  const peer = await join(url);
  peer.say(Array.from({ length: 65 }, () => ({ jsonrpc: '2.0', id: 1, method: 'training.stop' })));
  await vi.waitUntil(() => peer.texts.length === 1);
  expect(errorCode(peer.texts[0])).toBe('TOO_LARGE');
  expect(session.revision).toBe(revision);
});

test('a batch whose answers grow too large is not run further', async () => {
  const { url } = await start({ patch: { ...example('gain'), doc: 'x'.repeat(9_000) } });
  const peer = await join(url);
  const preview = { count: 10_000, schedule: { kind: 'cosine', rate: 1, final: 0, steps: 1e6 } };
  peer.say(
    Array.from({ length: 64 }, (_, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'schedule.preview',
      params: preview,
    })),
  );
  await vi.waitUntil(() => peer.texts.length === 1, { timeout: 10_000 });
  const answers = peer.texts[0] as Message[];
  expect(answers).toHaveLength(64);
  expect(errorCode(answers[0])).toBeUndefined();
  expect(errorCode(answers[63])).toBe('TOO_LARGE');
});

test('binary and oversized messages are refused, and other clients go on', async () => {
  const { url } = await start();
  const [good, bad] = [await join(url), await join(url)];
  bad.socket.send(Buffer.from([1, 2, 3]));
  await vi.waitUntil(() => bad.texts.length === 1);
  expect(errorCode(bad.texts[0])).toBe('INVALID_REQUEST');
  const closed = new Promise<number>((resolve) => bad.socket.on('close', resolve));
  bad.socket.on('error', () => {});
  bad.say('x'.repeat(2 ** 20 + 1));
  expect(await closed).toBe(1009);
  expect((await good.ask('status.get')).result).toMatchObject({ patch: 'gain' });
});

test('nothing that is said at random breaks the daemon or changes the session', async () => {
  const { url, session } = await start();
  const peer = await join(url);
  const { revision } = session;
  const looking = OPERATION_IDS.filter((id) => ROUTES[id][0] === 'GET' || id.endsWith('.check'));
  const request = fc.record(
    {
      jsonrpc: fc.constantFrom('2.0', '1.0', 2),
      id: fc.jsonValue({ maxDepth: 1 }),
      method: fc.oneof(fc.constantFrom(...looking, 'unsubscribe', '__proto__'), fc.string()),
      params: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    request.map((r) => JSON.stringify(r)),
    fc.array(request, { maxLength: 5 }).map((batch) => JSON.stringify(batch)),
    request.map((r) => JSON.stringify(r).slice(0, -1)),
  );
  for (const said of fc.sample(text, { numRuns: 400, seed: 8440 })) peer.say(said);
  expect((await peer.ask('status.get')).result).toMatchObject({ revision });
});

test.each(['subscribe', 'output.set', 'params.update', 'patch.check', 'nothing'])(
  'params of %s that are deeper than the call stack are refused',
  async (method) => {
    const { url } = await start();
    const peer = await join(url);
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    peer.say(
      `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"topics":${deep},"muted":${deep}}}`,
    );
    await vi.waitUntil(() => peer.texts.length === 1, { timeout: 10_000 });
    expect(errorCode(peer.texts[0])).toMatch(/^(INVALID_INPUT|COMPILE_FAILED|UNKNOWN_METHOD)$/);
  },
);

test.each(['//', '/api/v1/ws//', '/%', '*', 'http://[', '/api/v1/ws\\..'])(
  'an upgrade of the strange address %s is refused, and the daemon goes on',
  async (address) => {
    const { url } = await start();
    const { port } = new URL(url);
    const raw = connectTcp(Number(port), '127.0.0.1');
    raw.write(
      `GET ${address} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    );
    const reply = await new Promise<string>((resolve) => {
      raw.once('data', (data) => resolve(data.toString()));
    });
    raw.destroy();
    expect(reply).toMatch(/^HTTP\/1.1 4\d\d /);
    expect((await (await join(url)).ask('status.get')).result).toMatchObject({ patch: 'gain' });
  },
);

test('frames that are no WebSocket frames close that socket only', async () => {
  const { url } = await start();
  const good = await join(url);
  const { port } = new URL(url);
  const raw = await new Promise<Socket>((resolve) => {
    const stream = connectTcp(Number(port), '127.0.0.1', () => resolve(stream));
  });
  raw.write(
    'GET /api/v1/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await new Promise((resolve) => raw.once('data', resolve));
  const closed = new Promise((resolve) => raw.on('close', resolve));
  raw.resume();
  raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x00, 0x01]));
  await closed;
  expect((await good.ask('status.get')).result).toMatchObject({ patch: 'gain' });
});

async function refusedWith(url: string, options: ClientOptions = {}): Promise<number | undefined> {
  const socket = new WebSocket(url, options);
  return new Promise((resolve, reject) => {
    socket.on('open', () => reject(new Error('it opened')));
    socket.on('error', () => {});
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
  });
}

test('a page of another site cannot open the socket, one of the daemon can', async () => {
  const { url } = await start();
  expect(await refusedWith(url, { origin: 'https://example.org' })).toBe(403);
  expect(await refusedWith(url, { headers: { host: 'rebound.example' } })).toBe(403);
  await join(url, { origin: url.replace('ws', 'http').replace('/api/v1/ws', '') });
});

test('with a token the socket opens by header or by query, and not without', async () => {
  const { url } = await start({ token: 'secret', origins: ['https://studio.example'] });
  expect(await refusedWith(url)).toBe(401);
  expect(await refusedWith(`${url}?token=wrong`)).toBe(401);
  await join(url, { headers: { authorization: 'Bearer secret' } });
  await join(`${url}?token=secret`, { origin: 'https://studio.example' });
});

test('a socket at another address is refused', async () => {
  const { url } = await start();
  expect(await refusedWith(url.replace('/ws', '/socket'))).toBe(404);
});

test('levels that fall slowly hold a peak for who looks seldom', async () => {
  const { url, engine } = await start();
  const peer = await join(url);
  const asked = { topics: ['levels'], rate: 60, release: 10_000 };
  expect(await peer.ask('subscribe', asked)).toMatchObject({ result: { rates: { levels: 60 } } });
  engine.crank();
  await vi.waitUntil(() => peer.frames.length === 1);
  engine.crank({ inputPeak: Float32Array.of(0, 0) });
  await vi.waitUntil(() => peer.frames.length === 2);
  const [, fallen] = peer.frames.map(({ values }) => decodeLevels(values).inputs[0]!.peak);
  expect(fallen).toBeGreaterThan(0.4);
  expect(fallen).toBeLessThan(0.5);
});

test('telemetry has every topic, with the values of the measurement', async () => {
  const { url, engine } = await start();
  const peer = await join(url);
  const { result } = await peer.ask('subscribe', { topics: TOPICS, rate: 60 });
  expect(result).toEqual({ rates: Object.fromEntries(TOPICS.map((topic) => [topic, 60])) });
  engine.crank();
  engine.show('scope', Float32Array.of(1, 1, 1, 0.5));
  engine.show('spectrum', Float32Array.of(1, 1, 93.75, -160));
  await vi.waitUntil(() => peer.frames.length === TOPICS.length);
  const values = (topic: string): number[] => [
    ...(peer.frames.find((frame) => frame.topic === topic)?.values ?? []),
  ];
  expect(peer.frames[0]).toMatchObject({ learning: true, fault: false, gap: false, sequence: 0 });
  expect(peer.frames[0]).toMatchObject({ program: 1, time: 800, step: 3 });
  expect(values('loss')).toEqual([Math.fround(1 / 3)]);
  expect(values('learningRate')).toEqual([0.5]);
  expect(values('params')).toEqual([1]);
  expect(values('gradients')).toEqual([-0.25]);
  expect(values('load')).toEqual([0.1, 0.2, 0.3, 0].map(Math.fround));
  expect(values('updates')).toEqual([Math.fround(0.001)]);
  expect(values('xruns')).toEqual([0, 0, 0]);
  expect(values('loadHistogram')).toEqual([Math.fround(0.1), 7, ...new Array<number>(19).fill(0)]);
  expect(values('scope')).toEqual([1, 1, 1, 0.5]);
  expect(values('spectrum')).toEqual([1, 1, 93.75, -160]);
  expect(decodeLevels(Float32Array.from(values('levels')))).toEqual({
    inputs: [
      { peak: 0.5, rms: 0.125 },
      { peak: 0.25, rms: 0.0625 },
    ],
    outputs: [
      { peak: 0.75, rms: 0.375 },
      { peak: 0.5, rms: 0.25 },
    ],
  });
});

test('nobody gets telemetry without asking, and nobody after unsubscribing', async () => {
  const { url, engine } = await start();
  const [asks, silent] = [await join(url), await join(url)];
  await asks.ask('subscribe', { topics: ['loss', 'load'] });
  expect((await asks.ask('unsubscribe', { topics: ['load'] })).result).toEqual({
    rates: { loss: 30 },
  });
  engine.crank();
  await asks.ask('unsubscribe');
  engine.crank();
  await asks.ask('status.get');
  await silent.ask('status.get');
  expect(asks.frames.map((frame) => frame.topic)).toEqual(['loss']);
  expect(silent.frames).toEqual([]);
});

test('a client that does not read is bounded, loses telemetry only, and is told', async () => {
  const queueLimit = 128 * 1024;
  const { url, engine, sockets, session } = await start({ queueLimit });
  const peer = await join(url);
  const other = await join(url);
  await peer.ask('subscribe', { topics: ['params'], rate: 60 });
  peer.socket.pause();
  const params = new Float64Array(16_000);
  const now = vi.spyOn(performance, 'now');
  let time = performance.now();
  for (let i = 0; i < 400; i++) {
    now.mockReturnValue((time += 17));
    engine.crank({ params });
    if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const { queued } of sockets.queues) expect(queued).toBeLessThanOrEqual(queueLimit);
  }
  const dropped = Math.max(...sockets.queues.map((queue) => queue.dropped));
  expect(dropped).toBeGreaterThan(100);
  session.setParams({ values: { 'hidden/gain': 0.25 } }, undefined);
  expect((await other.ask('status.get')).result).toMatchObject({ patch: 'gain' });

  peer.socket.resume();
  const told = (): Message | undefined =>
    peer.texts.find((text): text is Message => (text as Message).method === 'telemetry.dropped');
  await vi.waitUntil(
    () => {
      now.mockReturnValue((time += 1000));
      engine.crank({ params });
      return told();
    },
    { timeout: 10_000 },
  );
  now.mockRestore();
  expect(told()?.params?.['dropped']).toBeGreaterThanOrEqual(dropped);
  expect(peer.texts).toContainEqual(expect.objectContaining({ method: 'params.changed' }));
  await vi.waitUntil(() => peer.frames.some((frame) => frame.gap));
  const sequences = peer.frames.map((frame) => frame.sequence);
  expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
  const gapAt = peer.frames.findIndex((frame) => frame.gap);
  expect((sequences[gapAt] ?? 0) - (sequences[gapAt - 1] ?? 0)).toBeGreaterThan(1);
});

test('a client that does not read costs the others nothing: they get every frame', async () => {
  const { url, engine, sockets } = await start({ queueLimit: 128 * 1024 });
  const [idle, reader] = [await join(url), await join(url)];
  for (const peer of [idle, reader]) await peer.ask('subscribe', { topics: ['params'], rate: 60 });
  idle.socket.pause();
  const now = vi.spyOn(performance, 'now');
  let time = performance.now();
  const params = new Float64Array(4000);
  for (let i = 0; i < 300; i++) {
    now.mockReturnValue((time += 17));
    engine.crank({ params });
    if (i % 5 === 0) await vi.waitUntil(() => reader.frames.length > i, { interval: 1 });
  }
  now.mockRestore();
  await vi.waitUntil(() => reader.frames.length === 300);
  expect(reader.frames.map(({ sequence }) => sequence)).toEqual([...Array(300).keys()]);
  expect(reader.frames.some(({ gap }) => gap)).toBe(false);
  const dropped = sockets.queues.map((queue) => queue.dropped);
  expect(Math.min(...dropped)).toBe(0);
  expect(Math.max(...dropped)).toBeGreaterThan(0);
});

test('a client that lets even answers pile up is disconnected', async () => {
  const { url, sockets } = await start({ queueLimit: 64 * 1024 });
  const peer = await join(url);
  peer.socket.pause();
  const schedule = { kind: 'cosine', rate: 1, final: 0, steps: 1e6 };
  for (let id = 0; id < 200; id++) {
    const params = { count: 10_000, schedule };
    peer.say({ jsonrpc: '2.0', id, method: 'schedule.preview', params });
  }
  await vi.waitUntil(() => sockets.count === 0, { timeout: 20_000 });
});

test('a client that does not answer pings is closed, one that does stays', async () => {
  const { url, sockets } = await start({ heartbeat: 50 });
  await join(url);
  const dead = await join(url, { autoPong: false });
  await new Promise((resolve) => dead.socket.on('close', resolve));
  await vi.waitUntil(() => sockets.count === 1);
});

test('closing tells the clients that the daemon goes away', async () => {
  const { url, http } = await start();
  const peer = await join(url);
  const code = new Promise((resolve) => peer.socket.on('close', resolve));
  await http.close();
  expect(await code).toBe(1001);
});
