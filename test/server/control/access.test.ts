/**
 * Who may do what: every operation in every role over REST and the socket, foreign pages, limits,
 * and what answers tell of this machine.
 */

import { fail } from 'node:assert';
import type * as Crypto from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { includes, ROLES, type Role } from '../../../server/api/roles.ts';
import { OPERATION_IDS, ROUTES, type OperationId } from '../../../server/api/routes.ts';
import { Access, digestOf } from '../../../server/control/access.ts';
import { GUESSES } from '../../../server/control/limits.ts';
import { bench, record, type Bench, type BenchOptions } from './fake.ts';

const compared = vi.hoisted(() => ({ count: 0 }));
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof Crypto>();
  const timingSafeEqual = (a: Buffer, b: Buffer): boolean => {
    compared.count++;
    return crypto.timingSafeEqual(a, b);
  };
  return { ...crypto, timingSafeEqual };
});

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

const TOKENS = ROLES.map((role) => record(`one of ${role}`, role, `lg_${role}`));

async function start(options: BenchOptions = {}): Promise<Bench> {
  const host = await bench(options);
  opened.push(host);
  return host;
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** Status, and code of the problem, of a request. */
async function rest(
  { http }: Bench,
  id: OperationId,
  headers: Record<string, string> = {},
): Promise<{ status: number; code: string | undefined }> {
  const [method, path] = ROUTES[id];
  const url = `/api/v1${path.replace('{id}', 'gain')}`;
  const reply = await http.inject({ method, url, headers });
  const { code } = reply.json<{ code?: string }>();
  return { status: reply.statusCode, code };
}

async function join(host: Bench, options: ClientOptions = {}): Promise<WebSocket> {
  const { port } = host.http.server.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}/api/v1/ws`;
  const socket = new WebSocket(url, options);
  opened.push({ close: () => socket.terminate() });
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket));
    socket.on('unexpected-response', (_, { statusCode }) => reject(new Error(String(statusCode))));
    socket.on('error', reject);
  });
}

async function ask(socket: WebSocket, method: string, params?: object): Promise<Answer> {
  const answer = new Promise<Answer>((resolve) => {
    const hear = (data: Buffer): void => {
      const message = JSON.parse(data.toString()) as Answer;
      if (message.id !== method) return;
      socket.off('message', hear);
      resolve(message);
    };
    socket.on('message', hear);
  });
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: method, method, params }));
  return answer;
}

interface Answer {
  readonly id?: string;
  readonly result?: unknown;
  readonly error?: { readonly data: { readonly code: string; readonly detail: string } };
}

test.each(ROLES)(
  'a token of the role %s does over REST what the table says, no more',
  async (role) => {
    const host = await start({ tokens: TOKENS });
    for (const id of OPERATION_IDS) {
      const { status, code } = await rest(host, id, bearer(`lg_${role}`));
      const allowed = includes(role, ROUTES[id][2]);
      expect([id, code === 'FORBIDDEN_ROLE', status === 403]).toEqual([id, !allowed, !allowed]);
    }
  },
);

test.each(ROLES)(
  'a token of the role %s does over the socket what the table says',
  async (role) => {
    const host = await start({ tokens: TOKENS });
    await host.listen();
    const socket = await join(host, { headers: bearer(`lg_${role}`) });
    for (const id of OPERATION_IDS) {
      const params = ROUTES[id][1].includes('{id}') ? { id: 'gain' } : {};
      const { error } = await ask(socket, id, params);
      expect([id, error?.data.code === 'FORBIDDEN_ROLE']).toEqual([
        id,
        !includes(role, ROUTES[id][2]),
      ]);
    }
  },
);

test('what a role may not do changes nothing, and says which role it needs', async () => {
  const host = await start({ tokens: TOKENS });
  const { revision } = host.session;
  const reply = await host.http.inject({
    method: 'PUT',
    url: '/api/v1/output',
    payload: { muted: false },
    headers: bearer('lg_view'),
  });
  expect(reply.json()).toMatchObject({
    code: 'FORBIDDEN_ROLE',
    detail: 'output.set needs the role control; your token has view',
  });
  expect(host.session.revision).toBe(revision);
});

test('the status tells a client its role; without any token everyone has all of them', async () => {
  const host = await start({ tokens: TOKENS, token: 'configured' });
  const roleOf = async (token: string): Promise<unknown> =>
    (await host.http.inject({ url: '/api/v1/status', headers: bearer(token) })).json<{
      role: Role;
    }>().role;
  expect(await roleOf('lg_view')).toBe('view');
  expect(await roleOf('lg_control')).toBe('control');
  expect(await roleOf('configured')).toBe('admin');
  const open = await start();
  expect((await open.http.inject('/api/v1/status')).json()).toMatchObject({ role: 'admin' });
});

test('a token is compared in constant time with every one that is known', () => {
  const access = new Access({ token: 'configured', tokens: TOKENS });
  for (const token of ['configured', 'lg_view', 'lg_admin', 'wrong', '']) {
    compared.count = 0;
    access.grantOf(token);
    expect([token, compared.count]).toEqual([token, 1 + TOKENS.length]);
  }
  expect(access.grantOf('lg_view')?.name).toBe('one of view');
  expect(access.grantOf('lg_vie')).toBeUndefined();
  expect(access.grantOf(digestOf('lg_view').toString('hex'))).toBeUndefined();
});

test('a daemon that others reach lets nobody in without a token, also when none is left', async () => {
  const host = await start({ isLocal: false });
  expect(await rest(host, 'status.get')).toEqual({ status: 401, code: 'UNAUTHORIZED' });
});

test('a token that is removed closes its sockets, and those of others stay', async () => {
  const access = new Access({ token: '', tokens: TOKENS });
  const host = await start({ access });
  await host.listen();
  const removed = await join(host, { headers: bearer('lg_control') });
  const other = await join(host, { headers: bearer('lg_view') });
  const closed = new Promise((resolve) => removed.on('close', resolve));
  access.keep(TOKENS.filter(({ role }) => role !== 'control'));
  expect(await closed).toBe(1008);
  expect((await ask(other, 'status.get')).result).toMatchObject({ role: 'view' });
  expect(await rest(host, 'training.stop', bearer('lg_control'))).toMatchObject({ status: 401 });
});

test('the first token closes the sockets that came without one', async () => {
  const access = new Access({ token: '' });
  const host = await start({ access });
  await host.listen();
  const early = await join(host);
  const closed = new Promise((resolve) => early.on('close', resolve));
  access.keep(TOKENS);
  expect(await closed).toBe(1008);
});

const FOREIGN: readonly (readonly [string, Record<string, string>])[] = [
  ['a page of another site', { origin: 'https://example.org' }],
  ['a page of another port', { host: 'localhost:8440', origin: 'http://localhost:3000' }],
  ['a sandboxed page', { origin: 'null' }],
  [
    'a page behind a name that was bound anew',
    { host: 'rebound.example', origin: 'http://rebound.example' },
  ],
  ['a name that only begins like ours', { host: 'localhost.example.org' }],
  ['an address that only begins like ours', { host: '127.0.0.1.example.org' }],
  ['an image of another site', { host: 'localhost', 'sec-fetch-site': 'cross-site' }],
  ['a proxy', { host: 'localhost', 'x-forwarded-for': '192.0.2.7' }],
  ['a proxy of another kind', { host: 'localhost', forwarded: 'for=192.0.2.7' }],
  ['an image of another port', { host: 'localhost', 'sec-fetch-site': 'same-site' }],
];

test.each(FOREIGN)('%s is refused, over REST and at the socket', async (_, headers) => {
  const host = await start();
  await host.listen();
  const { revision } = host.session;
  for (const id of ['status.get', 'training.stop'] as const) {
    expect(await rest(host, id, headers)).toEqual({ status: 403, code: 'FORBIDDEN_ORIGIN' });
  }
  await expect(join(host, { headers })).rejects.toThrow('403');
  expect(host.session.revision).toBe(revision);
});

test('a link of another site is followed, a frame or an image is not', async () => {
  const { http } = await start();
  const asked = async (use: string): Promise<number> => {
    const headers = { host: 'localhost', 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': use };
    return (await http.inject({ url: '/docs', headers })).statusCode;
  };
  expect([await asked('document'), await asked('iframe'), await asked('image')]).toEqual([
    200, 403, 403,
  ]);
});

test.each([
  ['/api/v1/status'],
  ['/%61pi/v1/status'],
  ['/api/v1/%73tatus'],
  ['/api/v1/params/gain'],
  ['/api/v1/params/hidden/gain'],
  ['/metrics'],
  ['/met%72ics'],
])('%s is answered to nobody without a token, however it is written', async (url) => {
  const { http } = await start({ tokens: TOKENS });
  for (const method of ['GET', 'HEAD'] as const) {
    expect((await http.inject({ method, url })).statusCode).toBe(401);
    const headers = bearer('lg_view');
    expect((await http.inject({ method, url, headers })).statusCode).not.toBe(401);
  }
});

test('a body is not read where no token is given', async () => {
  const { http } = await start({ tokens: TOKENS });
  const reply = await http.inject({
    method: 'PUT',
    url: '/api/v1/patch',
    headers: { 'content-type': 'application/json' },
    payload: '{ no JSON',
  });
  expect(reply.json()).toMatchObject({ code: 'UNAUTHORIZED' });
});

test('what a hostile page sends does not use up what its reader may ask', async () => {
  const host = await start({ rateLimit: 2 });
  for (let i = 0; i < 5; i++) await rest(host, 'status.get', { origin: 'https://example.org' });
  expect(await rest(host, 'status.get')).toMatchObject({ status: 200 });
});

test('messages that make no sense count as well, and each request of a batch', async () => {
  const host = await start({ rateLimit: 4 });
  await host.listen();
  const socket = await join(host);
  socket.send('no JSON');
  const status = { jsonrpc: '2.0', method: 'status.get' };
  socket.send(JSON.stringify([status, status]));
  expect((await ask(socket, 'status.get')).error).toBeUndefined();
  expect((await ask(socket, 'status.get')).error?.data.code).toBe('RATE_LIMITED');
});

const HOME = '/srv/ada/studio';

test('no path of this machine is in an answer, whatever fails', async () => {
  const missing = `ENOENT: no such file or directory, open '${HOME}/gain.json'`;
  const host = await start({ file: `${HOME}/gain.json` });
  await host.listen();
  const socket = await join(host);
  const heard: string[] = [];
  socket.on('message', (data: Buffer) => heard.push(data.toString()));
  const { engine, session } = host;
  engine.failLoad = engine.failSelect = engine.failCalibrate = missing;
  host.host.devices = {
    ok: false,
    diagnostics: [{ code: 'AUDIO_LIST_FAILED', path: '', message: missing }],
  };
  const message = missing;
  await session.reload(
    { ok: false, diagnostics: [{ code: 'PATCH_UNREADABLE', path: '', message }] },
    `${HOME}/gain.json`,
  );
  engine.set({ state: 'degraded', reason: missing });
  const told: string[] = [];
  for (const id of OPERATION_IDS) {
    const [method, path] = ROUTES[id];
    const url = `/api/v1${path.replace('{id}', 'gain')}`;
    const payload = { input: 'Scarlett', patch: EXAMPLES['gain-dc'], audio: {} };
    for (const body of method === 'GET' ? [undefined] : [undefined, {}, payload, payload.patch]) {
      const asked = body === undefined ? {} : { payload: body };
      told.push(`${id} ${(await host.http.inject({ method, url, ...asked })).body}`);
    }
  }
  for (const url of ['/readyz', '/healthz', '/metrics', '/openapi.json']) {
    told.push((await host.http.inject(url)).body);
  }
  await ask(socket, 'status.get');
  expect(told.join('\n')).toContain("open 'gain.json'");
  expect(heard.join('\n')).toContain("open 'gain.json'");
  for (const text of [...told, ...heard]) {
    expect(text).not.toContain(HOME);
    expect(text).not.toContain(process.cwd());
  }
});

test('a page of another site is refused also where it knows a token', async () => {
  const host = await start({ tokens: TOKENS });
  const headers = { ...bearer('lg_admin'), origin: 'https://example.org' };
  expect(await rest(host, 'training.stop', headers)).toMatchObject({ code: 'FORBIDDEN_ORIGIN' });
});

test("the daemon's own pages and programs without an Origin are let through", async () => {
  const host = await start();
  const url = await host.listen();
  const own = url.replace('http://', '');
  for (const headers of [
    { host: own },
    { host: own, origin: url },
    { host: own, 'sec-fetch-site': 'same-origin' },
    { host: own, 'sec-fetch-site': 'none' },
    { host: '[::1]:8440', origin: 'http://[::1]:8440' },
  ]) {
    expect(await rest(host, 'training.stop', headers)).toMatchObject({ status: 200 });
  }
  expect((await fetch(`${url}/api/v1/status`)).status).toBe(200);
  await join(host, { origin: url });
  await join(host);
});

test('pages of listed origins may call, and browsers are told so', async () => {
  const origin = 'https://studio.example';
  const host = await start({ origins: [origin], tokens: TOKENS });
  const preflight = await host.http.inject({
    method: 'OPTIONS',
    url: '/api/v1/output',
    headers: {
      origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization,content-type',
    },
  });
  expect(preflight.statusCode).toBe(204);
  expect(preflight.headers).toMatchObject({
    'access-control-allow-origin': origin,
    'access-control-allow-methods': expect.stringContaining('PUT') as string,
    'access-control-allow-headers': expect.stringContaining('authorization') as string,
  });
  expect(preflight.headers).not.toHaveProperty('access-control-allow-credentials');
  const reply = await host.http.inject({
    url: '/api/v1/status',
    headers: { origin, ...bearer('lg_view') },
  });
  expect([reply.statusCode, reply.headers['access-control-allow-origin']]).toEqual([200, origin]);
  const other = await host.http.inject({
    method: 'OPTIONS',
    url: '/api/v1/output',
    headers: { origin: 'https://example.org', 'access-control-request-method': 'PUT' },
  });
  expect(other.statusCode).toBe(403);
  expect(other.headers).not.toHaveProperty('access-control-allow-origin');
});

test('answers tell browsers to take them for nothing else', async () => {
  const { http } = await start();
  const { headers } = await http.inject('/api/v1/status');
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
  });
  expect(headers).not.toHaveProperty('strict-transport-security');
  const page = await http.inject('/docs/');
  expect(page.headers['content-security-policy']).toContain("script-src 'self'");
});

test('no browser keeps an answer, whether it was granted or not', async () => {
  const { http } = await start({ token: 'secret' });
  for (const url of ['/api/v1/status', '/metrics']) {
    for (const authorization of ['Bearer secret', 'Bearer wrong']) {
      const { headers } = await http.inject({ url, headers: { authorization } });
      expect(headers['cache-control'], `${url} ${authorization}`).toBe('no-store');
    }
  }
});

test('who guesses tokens is not heard for a while, not even with a right one', async () => {
  const host = await start({ tokens: TOKENS });
  for (let i = 0; i < GUESSES; i++) {
    expect(await rest(host, 'status.get', bearer(`guess${i}`))).toMatchObject({ status: 401 });
  }
  const reply = await host.http.inject({ url: '/api/v1/status', headers: bearer('lg_admin') });
  expect(reply.json()).toMatchObject({ code: 'RATE_LIMITED', status: 429 });
  expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
  const elsewhere = await host.http.inject({
    url: '/api/v1/status',
    headers: bearer('lg_admin'),
    remoteAddress: '192.0.2.7',
  });
  expect(elsewhere.statusCode).toBe(200);
  await host.listen();
  await expect(join(host, { headers: bearer('lg_admin') })).rejects.toThrow('429');
});

test('a client that was not told of a new token does not lock its neighbours out', async () => {
  const host = await start({ tokens: TOKENS });
  for (let i = 0; i < 5 * GUESSES; i++) await rest(host, 'status.get', bearer('of yesterday'));
  expect(await rest(host, 'status.get', bearer('lg_view'))).toMatchObject({ status: 200 });
});

test('requests are bounded for each address, and for each socket', async () => {
  const host = await start({ rateLimit: 3 });
  await host.listen();
  const socket = await join(host);
  const codes = async (): Promise<(string | undefined)[]> => {
    const asked: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) asked.push((await ask(socket, 'status.get')).error?.data.code);
    return asked;
  };
  expect(await codes()).toEqual([undefined, undefined, undefined, 'RATE_LIMITED']);
  // The socket's own opening was the first of this address.
  expect(await rest(host, 'status.get')).toMatchObject({ status: 200 });
  expect(await rest(host, 'status.get')).toMatchObject({ status: 200 });
  expect(await rest(host, 'status.get')).toEqual({ status: 429, code: 'RATE_LIMITED' });
});

test('as many sockets open as are allowed', async () => {
  const host = await start({ maxSockets: 2 });
  await host.listen();
  const [first] = [await join(host), await join(host)];
  await expect(join(host)).rejects.toThrow('503');
  const closed = new Promise((resolve) => first.on('close', resolve));
  first.close();
  await closed;
  await vi.waitUntil(() => host.sockets.count < 2);
  await join(host);
});

test('the document of the API says which role an operation needs', async () => {
  const { http } = await start();
  const document = (await http.inject('/openapi.json')).json<{
    paths: Record<string, Record<string, { operationId: OperationId; security: unknown }>>;
    components: { securitySchemes: unknown };
  }>();
  expect(document.components.securitySchemes).toMatchObject({
    token: { type: 'http', scheme: 'bearer' },
  });
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  expect(operations).toHaveLength(OPERATION_IDS.length);
  for (const { operationId, security } of operations) {
    const role = ROUTES[operationId]?.[2] ?? fail(operationId);
    expect(security).toEqual([{ token: [role] }, {}]);
  }
});
