/**
 * Whatever comes through the doors: requests, messages and bytes that make no sense are refused in
 * words, never with a fault of ours (5xx), never heard without a token, and the daemon goes on.
 *
 * FUZZ_SEED=N runs one seed again, FUZZ_RUNS=N more of each.
 */

import { connect, type AddressInfo } from 'node:net';
import fc from 'fast-check';
import type { InjectOptions } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ERROR_CODES, problemSchema } from '../../../server/api/errors.ts';
import { ROLES } from '../../../server/api/roles.ts';
import { OPERATION_IDS, ROUTES } from '../../../server/api/routes.ts';
import { bench, record, type Bench } from './fake.ts';

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);

let host: Bench | undefined;
afterEach(async () => {
  await host?.close();
  host = undefined;
});

const guarded = async (): Promise<Bench> => {
  const tokens = ROLES.map((role) => record(role, role, `lg_${role}`));
  host = await bench({ tokens, origins: ['https://studio.example'] });
  return host;
};

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const paths = OPERATION_IDS.map((id) => `/api/v1${ROUTES[id][1].replace(/\{\w+\}/u, 'gain')}`);
const known = fc.constantFrom(...paths, '/metrics', '/docs', '/', '/openapi.json', '/readyz');
const bent = fc
  .tuple(known, fc.string({ maxLength: 12, unit: 'binary-ascii' }), fc.nat(40))
  .map(([path, noise, at]) => path.slice(0, at) + noise + path.slice(at));
const url = fc
  .oneof(known, bent, fc.webPath())
  .map((path) => `/${encodeURI(path).replace(/^\/+/u, '')}`);
const body = fc.oneof(
  fc.json(),
  fc.string(),
  fc.constantFrom('', 'null', '[]', '{}', '{"__proto__":{"x":1}}', '{"value":1e999}', '"'),
);
const wildHeader = fc.stringMatching(/^[\t\x20-\x7e]{0,40}$/u).map((text) => text.trim());
const headers = fc.record(
  {
    authorization: fc.oneof(
      fc.constantFrom('Bearer lg_view', 'Bearer lg_control', 'Bearer ', 'bearer lg_admin x'),
      wildHeader,
    ),
    origin: fc.oneof(fc.constantFrom('null', 'https://studio.example', 'file://'), wildHeader),
    host: fc.oneof(fc.constantFrom('localhost', '[::1]:8440', 'x@y', ''), wildHeader),
    'content-type': fc.oneof(
      fc.constantFrom('application/json', 'text/x-faust', 'text/plain', 'application/json;x'),
      wildHeader,
    ),
    accept: wildHeader,
    'sec-fetch-site': fc.constantFrom('cross-site', 'none', 'same-origin'),
  },
  { requiredKeys: [] },
);

test('requests that make no sense are refused in words, and change nothing without a token', async () => {
  const { http, session } = await guarded();
  const { revision } = session;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...METHODS),
      url,
      headers,
      body,
      async (method, path, given, payload) => {
        const request: InjectOptions = { method, url: path, headers: given, payload };
        if (method === 'GET' || method === 'HEAD') delete request.payload;
        const reply = await http.inject(request);
        expect([reply.statusCode, reply.body.slice(0, 300)]).not.toEqual([500, expect.anything()]);
        const isProblem = String(reply.headers['content-type']).startsWith(
          'application/problem+json',
        );
        if (isProblem && method !== 'HEAD') {
          const problem = problemSchema.parse(reply.json());
          expect(ERROR_CODES).toContain(problem.code);
        }
        const isKnown = /^Bearer lg_(view|control)$/iu.test(given.authorization ?? '');
        if (!isKnown) expect(session.revision).toBe(revision);
      },
    ),
    { numRuns, seed, examples: [] },
  );
}, 120_000);

test('messages that make no sense are answered in words, and the socket goes on', async () => {
  const opened = await guarded();
  const { session } = opened;
  const at = (await opened.listen()).replace('http', 'ws');
  const socket = new WebSocket(`${at}/api/v1/ws?token=lg_view`);
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  const { revision } = session;
  const method = fc.oneof(fc.constantFrom<string>(...OPERATION_IDS, 'subscribe'), fc.string());
  const call = fc.record({
    jsonrpc: fc.constant('2.0'),
    id: fc.nat(),
    method,
    params: fc.object(),
  });
  const message = fc.oneof(
    fc.json(),
    fc.string(),
    call.map((one) => JSON.stringify(one)),
    fc.array(call, { maxLength: 4 }).map((many) => JSON.stringify(many)),
  );
  const heard: string[] = [];
  socket.on('message', (data: Buffer) => heard.push(data.toString()));
  for (const text of fc.sample(message, { numRuns, seed })) socket.send(text);
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 'last', method: 'status.get' }));
  await expect.poll(() => heard.at(-1) ?? '', { timeout: 60_000 }).toContain('"last"');
  expect(heard.filter((text) => text.includes('"INTERNAL"'))).toEqual([]);
  expect(session.revision).toBe(revision);
  socket.terminate();
}, 120_000);

test('bytes that are no request are met with a 4xx or a cut line', async () => {
  const opened = await guarded();
  const { http } = opened;
  await opened.listen();
  const { port } = http.server.address() as AddressInfo;
  const start = fc.constantFrom(
    '',
    'GET / HTTP/1.1\r\n',
    'GET /api/v1/ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n',
    'GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
    'POST /api/v1/output HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n',
    'PUT /api/v1/patch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    `GET / HTTP/1.1\r\nHost: ${'x'.repeat(20_000)}\r\n\r\n`,
    'CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00',
  );
  await fc.assert(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 64 }), async (head, rest) => {
      const said = await new Promise<string>((resolve) => {
        let text = '';
        const line = connect(port, '127.0.0.1');
        line.on('data', (data: Buffer) => (text += data.toString('latin1')));
        line.on('error', () => {}).on('close', () => resolve(text));
        line.end(Buffer.concat([Buffer.from(head, 'latin1'), rest, Buffer.from('\r\n\r\n')]));
      });
      expect(said).not.toMatch(/^HTTP\/1\.1 5/u);
      expect(said).not.toMatch(/^HTTP\/1\.1 101/u);
    }),
    { numRuns: Math.ceil(numRuns / 3), seed },
  );
  expect((await http.inject('/healthz')).statusCode).toBe(200);
}, 120_000);
