/** REST by injection: routes, bodies, health and the OpenAPI document. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { learningRate } from '../../../dsp/learn/schedules/schedule.ts';
import type { Training } from '../../../dsp/patch/schema.ts';
import { OPERATIONS } from '../../../server/api/operations.ts';
import { API_PREFIX, OPERATION_IDS, ROUTES } from '../../../server/api/routes.ts';
import { bench, example, type Bench, type BenchOptions } from './fake.ts';

let open: Bench | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function start(options: BenchOptions = {}) {
  open = await bench(options);
  const { http } = open;
  const send = async (
    method: 'GET' | 'PUT' | 'POST' | 'PATCH',
    path: string,
    payload?: object,
    headers: Record<string, string> = {},
  ) => {
    const reply = await http.inject({
      method,
      url: `/api/v1${path}`,
      headers,
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: reply.statusCode, body: reply.json<unknown>(), headers: reply.headers };
  };
  return Object.assign(open, { send });
}

test('the status has the engine, the training and the revision', async () => {
  const { send, engine } = await start();
  engine.frames = 48000;
  engine.crank();
  const { status, body } = await send('GET', '/status');
  expect(status).toBe(200);
  expect(OPERATIONS['status.get'].output.parse(body)).toMatchObject({
    patch: 'gain',
    engine: {
      state: 'running',
      pid: 4242,
      sampleRate: 48000,
      blockSize: 256,
      backend: 'virtual',
      device: { input: 'rig', output: 'rig' },
      load: { mean: 0.1, p99: 0.2, max: 0.3 },
      xruns: 0,
      framesProcessed: 0,
    },
    training: { running: true, step: 3, learningRate: 0.5 },
  });
});

test('an id is taken with its slashes and URL-encoded', async () => {
  const { send } = await start();
  for (const id of ['hidden/gain', 'hidden%2Fgain']) {
    const { body } = await send('PUT', `/params/${id}`, { value: 0.75 });
    expect(body).toMatchObject({ id: 'hidden/gain', kind: 'slider', value: 0.75 });
    expect((await send('GET', `/params/${id}`)).body).toMatchObject({ value: 0.75 });
  }
});

test('parameters are set together in one revision', async () => {
  const { send, session } = await start();
  const { revision } = session;
  const { body } = await send('PATCH', '/params', {
    values: { gain: 0, 'hidden/gain': 2 },
    frozen: { gain: true },
    rates: { gain: 0.5 },
  });
  expect(body).toMatchObject({
    revision: revision + 1,
    params: [
      { id: 'gain', value: 0, frozen: true, rate: 0.5 },
      { id: 'hidden/gain', value: 2, rate: null },
    ],
  });
});

test('an empty change is answered and makes no revision', async () => {
  const { send, session } = await start();
  const { revision } = session;
  expect((await send('PUT', '/params/gain', {})).body).toMatchObject({ id: 'gain', revision });
});

test('a patch is put as a document or by the name of an example, and read back the same', async () => {
  const { send } = await start();
  expect((await send('PUT', '/patch', example('one-pole'))).status).toBe(200);
  expect((await send('GET', '/patch')).body).toEqual(example('one-pole'));
  const put = await send('PUT', '/patch', { example: 'gain-dc' });
  expect(put.body).toMatchObject({ name: 'gain-dc', params: ['gain', 'dc'], window: 256 });
  expect((await send('GET', '/patch/info')).body).toEqual(put.body);
});

test('what a patch shows is listed with what was measured last', async () => {
  const { send, session, engine } = await start();
  expect((await send('GET', '/meters')).body).toMatchObject({ program: 1, meters: [] });
  const meters = {
    level: { in: 'estimate', min: 0.01, max: 1, unit: 'V', scale: 'log', doc: 'how loud' },
    gain: { in: 'gain', min: -2, max: 2 },
  };
  const put = await send('PUT', '/patch', { ...example('gain'), name: 'shows', meters });
  expect(put.body).toMatchObject({ meters: ['level', 'gain'] });
  const { program } = session.state;
  const [level, gain] = [
    { id: 'level', index: 0, min: 0.01, max: 1, unit: 'V', scale: 'log', doc: 'how loud' },
    { id: 'gain', index: 1, min: -2, max: 2, scale: 'linear' },
  ];
  const shown = async (): Promise<unknown> => (await send('GET', '/meters')).body;
  const { revision } = session;
  const list = (values: readonly (number | null)[]) => ({
    revision,
    program,
    meters: [
      { ...level, value: values[0] },
      { ...gain, value: values[1] },
    ],
  });
  expect(await shown()).toEqual(list([null, null]));
  engine.crank();
  expect(await shown()).toEqual(list([0.5, 1.5]));
  engine.crank({ meters: Float64Array.of(-3, Infinity) });
  expect(await shown()).toEqual(list([-3, null]));
  engine.crank({ meters: Float64Array.of(7, 7), program: program - 1 });
  expect(await shown()).toEqual(list([-3, null]));
  expect((await send('GET', '/patch')).body).toMatchObject({ meters });
});

test('checking a patch gives its diagnostics and plays nothing', async () => {
  const { send, session, engine } = await start();
  const { state } = session;
  engine.calls.length = 0;
  const good = await send('POST', '/patch/check', example('one-pole'));
  expect(good.body).toMatchObject({ ok: true, diagnostics: [], info: { name: 'one-pole' } });
  const bad = await send('POST', '/patch/check', { ...example('gain'), outputs: ['a', 'b'] });
  expect(bad.body).toMatchObject({
    ok: false,
    diagnostics: [{ path: 'outputs[0]' }, { path: 'outputs[1]' }],
    info: null,
  });
  expect(session.state).toBe(state);
  expect(engine.calls).toEqual([]);
});

test('training starts, stops, resets and is changed', async () => {
  const { send } = await start();
  expect((await send('POST', '/training/stop')).body).toMatchObject({ running: false });
  expect((await send('POST', '/training/start')).body).toMatchObject({ running: true });
  expect((await send('POST', '/training/reset')).body).toMatchObject({ step: 0 });
  expect((await send('POST', '/training/restart')).body).toMatchObject({ step: 0 });
  expect((await send('PUT', '/params/gain', { rate: -1 })).status).toBe(400);
  const change = { window: 64, schedule: { kind: 'constant', rate: 0.25 }, running: false };
  const { body } = await send('PATCH', '/training', change);
  expect(body).toMatchObject({
    running: false,
    settings: { window: 64 },
    schedule: change.schedule,
  });
  expect((await send('GET', '/training')).body).toEqual(body);
});

test('a list of terms takes the place of one, and losses that are wrong are told', async () => {
  const { send } = await start();
  const { settings } = (await send('GET', '/training')).body as { settings: Training };
  const { estimate, target, loss } = settings;
  const terms = [
    { estimate, target, loss },
    { estimate, target, loss: { kind: 'huber', delta: 0.1 }, weight: 0.5 },
  ];
  const { body } = await send('PATCH', '/training', { terms });
  expect(body).toMatchObject({ settings: { terms } });
  expect((body as { settings: object }).settings).not.toHaveProperty('estimate');
  const twice = await send('PATCH', '/training', { loss: 'mae' });
  expect(twice.status).toBe(422);
  expect(twice.body).toMatchObject({ diagnostics: [{ path: 'training.loss' }] });
  const back = await send('PATCH', '/training', { estimate, target, loss: 'mae' });
  expect(back.body).toMatchObject({ settings: { estimate, target, loss: 'mae' } });
});

test.each([
  { kind: 'constant', rate: 0.1 },
  { kind: 'exponential', rate: 1, delta: -0.01, every: 2 },
  { kind: 'step', rate: 1, factor: 0.5, every: 10 },
  { kind: 'cosine', rate: 1, final: 0.1, steps: 50 },
] as const)('the schedule $kind is put, and its preview is what will happen', async (schedule) => {
  const { send } = await start();
  expect((await send('PUT', '/schedule', schedule)).status).toBe(200);
  expect((await send('GET', '/schedule')).body).toMatchObject({ schedule });
  const { body } = await send('POST', '/schedule/preview', { count: 100 });
  expect(body).toEqual(Array.from({ length: 100 }, (_, step) => learningRate(schedule, step)));
  const other = await send('POST', '/schedule/preview');
  expect(other.body).toHaveLength(256);
});

test('devices are listed and selected, and the output is muted', async () => {
  const { send } = await start();
  expect((await send('GET', '/devices')).body).toMatchObject({ devices: [{ id: 'virtual' }] });
  expect((await send('PUT', '/devices/selected', { blockSize: 512 })).body).toMatchObject({
    engine: { blockSize: 512 },
  });
  expect((await send('PUT', '/output', { muted: false, gainDb: -12 })).body).toMatchObject({
    muted: false,
    gainDb: -12,
  });
});

test('wrong input says every field that is wrong', async () => {
  const { send } = await start();
  const { status, body } = await send('PUT', '/output', { muted: 'yes', gainDb: 99, gian: 1 });
  expect(status).toBe(400);
  expect(body).toMatchObject({ code: 'INVALID_INPUT' });
  const { diagnostics } = body as { diagnostics: { path: string }[] };
  expect(diagnostics.map((d) => d.path).sort()).toEqual(['gainDb', 'gian', 'muted']);
});

test.each([
  ['/training', { loss: 'msee' }, /^loss: unknown loss: .* huber, .*; did you mean "mse"\?$/u],
  ['/training', { loss: { kind: 'hubber' } }, /^loss\.kind: .*; did you mean "huber"\?$/u],
  ['/training', { loss: { kind: 'huber', delta: 'x' } }, /^loss\.delta: expected a number/u],
  ['/training', { terms: [{ estimate: 'e', loss: 'foo' }] }, /^terms\[0\]\.loss: .* mse, mae/u],
  ['/training', { mode: 'forwrad' }, /^mode: expected one of auto, .*; did you mean "forward"\?$/u],
  ['/training', { mode: { forward: 3 } }, /^mode\.forward: expected a list, got 3$/u],
  [
    '/training',
    { optimiser: { kind: 'adma', beta1: 0 } },
    /^optimiser\.kind: .* adam, .*got "adma"/u,
  ],
  ['/params', { valeus: {} }, /^valeus: unknown field "valeus"; did you mean "values"\?$/u],
] as const)('%s says of %j what could have been given', async (path, change, words) => {
  const { send } = await start();
  const { status, body } = await send('PATCH', path, change);
  expect(status).toBe(400);
  expect((body as { detail: string }).detail).toMatch(words);
});

test.each([
  ['PUT', '/schedule/preview', 'GET, POST'],
  ['POST', '/status', 'GET'],
  ['DELETE', '/patch', 'GET, PUT'],
] as const)('%s %s is not allowed, and Allow says what is', async (method, path, allow) => {
  const { http } = await start();
  const reply = await http.inject({ method, url: `/api/v1${path}` });
  expect(reply.statusCode).toBe(405);
  expect(reply.headers['allow']).toBe(allow);
});

test('without a token only pages of this host may call', async () => {
  const { send } = await start();
  const own = { host: 'localhost:8440', origin: 'http://localhost:8440' };
  expect((await send('GET', '/status', undefined, own)).status).toBe(200);
  for (const headers of [
    { host: 'localhost:8440', origin: 'http://localhost:3000' },
    { host: 'localhost:8440', origin: 'null' },
    { host: 'rebound.example:8440' },
  ]) {
    expect((await send('GET', '/status', undefined, headers)).status).toBe(403);
  }
});

test('with a token it is asked for, everywhere under the API, and nowhere else', async () => {
  const { send, http } = await start({ token: 'secret', origins: ['https://studio.example'] });
  for (const authorization of ['', 'Bearer', 'Bearer wrong', 'Basic secret', 'Bearer secret2']) {
    const { status, headers } = await send('GET', '/status', undefined, { authorization });
    expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer realm="livegrad"']);
  }
  const good = { authorization: 'Bearer secret', origin: 'https://studio.example' };
  expect((await send('GET', '/status', undefined, good)).status).toBe(200);
  expect((await send('GET', '/status?token=secret')).status).toBe(401);
  expect((await http.inject('/metrics')).statusCode).toBe(401);
  expect((await http.inject('/healthz')).statusCode).toBe(200);
  expect((await http.inject('/openapi.json')).statusCode).toBe(200);
});

test('health says it is alive, readiness that it plays', async () => {
  const { http, engine } = await start();
  const playing = await http.inject('/readyz');
  expect(playing.statusCode).toBe(200);
  expect(playing.json()).toEqual({ ok: true, state: 'running', reasons: [] });
  engine.set({ state: 'degraded', reason: 'the device is gone' });
  const reply = await http.inject('/readyz');
  expect(reply.statusCode).toBe(503);
  expect(reply.json()).toEqual({
    ok: false,
    state: 'degraded',
    reasons: ['the engine is degraded: the device is gone'],
  });
  expect((await http.inject('/healthz')).statusCode).toBe(200);
});

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Documented>>;
  readonly components: { readonly schemas: Record<string, object> };
}

interface Documented {
  readonly operationId: string;
  readonly summary: string;
  readonly responses: Record<string, { readonly description: string }>;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: object;
}

test('the OpenAPI document has every operation, with its errors, and no other', async () => {
  const { http } = await start();
  const document = (await http.inject('/openapi.json')).json<Document>();
  expect(document.openapi).toBe('3.1.0');
  const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  expect(listed.map(({ operation }) => operation.operationId).sort()).toEqual(
    [...OPERATION_IDS].sort(),
  );
  for (const { path, method, operation } of listed) {
    const id = OPERATION_IDS.find((known) => known === operation.operationId);
    if (id === undefined) throw new Error(operation.operationId);
    expect([method.toUpperCase(), path]).toEqual([ROUTES[id][0], `${API_PREFIX}${ROUTES[id][1]}`]);
    const described = Object.values(operation.responses).map((r) => r.description);
    for (const code of OPERATIONS[id].errors) expect(described.join(), id).toContain(code);
  }
  const put = document.paths['/api/v1/params/{id}']?.['put'];
  expect(put?.parameters).toMatchObject([{ name: 'id', in: 'path', required: true }]);
  expect(put?.requestBody).toBeDefined();
  const text = JSON.stringify(document);
  expect(text).not.toContain('undefined');
  const named = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/gu)].map(
    ([, name]) => name!,
  );
  expect(named.length).toBeGreaterThan(0);
  for (const name of named) expect(document.components.schemas).toHaveProperty(name);
});

test('the dashboard is at /, for a browser to keep and without a token', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'livegrad-dashboard-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<title>livegrad</title>');
  writeFileSync(join(folder, 'assets', 'index-1a2b.js'), 'void 0;');
  const { http } = await start({ dashboard: folder, token: 'secret' });
  const page = await http.inject('/');
  expect(page).toMatchObject({ statusCode: 200, body: '<title>livegrad</title>' });
  expect(page.headers).toMatchObject({
    'cache-control': 'no-cache',
    'content-security-policy': expect.stringContaining("default-src 'self'"),
  });
  const asset = await http.inject('/assets/index-1a2b.js');
  expect(asset.headers['cache-control']).toContain('immutable');
  expect((await http.inject('/../package.json')).statusCode).toBe(404);
  expect((await http.inject('/assets/%2e%2e/%2e%2e/package.json')).statusCode).toBe(404);
  rmSync(folder, { recursive: true });
});

test('without a bundle of the dashboard / leads to the documentation', async () => {
  const { http } = await start({ dashboard: '/nowhere' });
  const reply = await http.inject('/');
  expect(reply.statusCode).toBe(302);
  expect(reply.headers.location).toBe('/docs');
});

test('there is a page with the documentation', async () => {
  const { http } = await start();
  const page = await http.inject('/docs/');
  expect(page.statusCode).toBe(200);
  expect(page.body).toContain('swagger-ui');
});
