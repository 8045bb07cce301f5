/**
 * Whatever comes through the doors: requests, messages and bytes are answered in words of the table,
 * never with a fault of ours (5xx), never heard without a token, and the daemon goes on: its state
 * stays one, what it keeps is bounded. Half of what is sent is made from the schemas of the operations.
 *
 * 10,000 cases; FUZZ_RUNS=N for as many in all, FUZZ_SEED=N for another seed.
 */

import { connect, type AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import type { InjectOptions } from 'fastify';
import { afterAll, afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { z } from 'zod';
import { ERROR_CODES, problemSchema, type ErrorCode } from '../../../server/api/errors.ts';
import { COMMON_ERRORS, OPERATIONS } from '../../../server/api/operations.ts';
import { ROLES } from '../../../server/api/roles.ts';
import { OPERATION_IDS, ROUTES, type OperationId } from '../../../server/api/routes.ts';
import { MAX_MESSAGE } from '../../../server/api/socket.ts';
import { garbage, inputOf, textOf } from '../../support/random-input.ts';
import { bench, record, type Bench } from './fake.ts';

const total = Number(process.env['FUZZ_RUNS'] ?? 10_000);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const RUNS = {
  requests: Math.ceil(0.1 * total),
  operations: Math.ceil(0.4 * total),
  messages: Math.ceil(0.45 * total),
  lines: Math.ceil(0.05 * total),
} as const;

const began = performance.now();
let cases = 0;
afterAll(() => {
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`doors: ${cases} cases in ${seconds} s, FUZZ_SEED=${seed}`);
});

let host: Bench | undefined;
afterEach(async () => {
  await host?.close();
  host = undefined;
});

const guarded = async (): Promise<Bench> => {
  const tokens = ROLES.map((role) => record(role, role, `lg_${role}`));
  host = await bench({ tokens, origins: ['https://studio.example'], isRecorded: true });
  return host;
};

/** What the daemon itself may answer; INTERNAL it may not. */
const ANYWHERE: readonly ErrorCode[] = [
  ...COMMON_ERRORS.filter((code) => code !== 'INTERNAL'),
  'MALFORMED_JSON',
  'INVALID_REQUEST',
  'UNKNOWN_METHOD',
  'UNKNOWN_ROUTE',
  'METHOD_NOT_ALLOWED',
  'UNSUPPORTED_MEDIA_TYPE',
  'TOO_LARGE',
];

/** An answer of an operation is what it promises, or an error that it lists. */
function keepsPromise(id: OperationId, answered: { value?: unknown; problem?: unknown }): void {
  const { value, problem } = answered;
  const { output, errors } = OPERATIONS[id];
  if (problem === undefined) {
    const parsed = (output as z.ZodType).safeParse(value);
    expect(parsed.error?.issues ?? [], `${id} ${JSON.stringify(value)}`).toEqual([]);
    return;
  }
  const { code, detail } = problemSchema.parse(problem);
  expect([...ANYWHERE, ...errors], `${id}: ${detail}`).toContain(code);
}

/** The state is one: within its ranges, and as the schemas have it. */
async function stillAnswers({ http, session }: Bench): Promise<void> {
  const headers = { authorization: 'Bearer lg_admin' };
  for (const id of ['status.get', 'params.list', 'training.get', 'patch.get'] as const) {
    const reply = await http.inject({ url: `/api/v1${ROUTES[id][1]}`, headers });
    expect(reply.statusCode, id).toBe(200);
    keepsPromise(id, { value: reply.json() });
  }
  for (const value of session.state.values.values()) expect(value).toSatisfy(Number.isFinite);
  expect((await http.inject('/healthz')).statusCode).toBe(200);
  expect({}).not.toHaveProperty('isAdmin');
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** Bytes that are in use. */
function inUse(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
/** What a thousand cases may leave behind: steps that can be undone, snapshots, what JIT and tests keep. */
const KEPT = 16e6;

const inputs = new Map(OPERATION_IDS.map((id) => [id, inputOf(OPERATIONS[id].input)]));
/** Those that compile take a hundred times as long. */
const SLOW: readonly OperationId[] = [
  'patch.set',
  'patch.check',
  'params.update',
  'params.set',
  'training.update',
  'devices.select',
  'devices.calibrate',
  'edits.undo',
  'edits.redo',
];
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...OPERATION_IDS.filter((id) => !SLOW.includes(id))) },
  { weight: 1, arbitrary: fc.constantFrom(...SLOW) },
);
const asked = operation.chain((id) =>
  fc.record({
    id: fc.constant(id),
    input: fc.oneof(inputs.get(id) ?? garbage, garbage),
  }),
);

const textsOf = (fields: object): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));

test('calls of every operation are answered as it promises, and the state stays one', async () => {
  const opened = await guarded();
  const { http, engine } = opened;
  const source = fc.oneof(fc.string(), fc.constant('process = *(hslider("gain", 1, 0, 2, 0.01));'));
  const call = asked.chain(({ id, input }) =>
    fc.record({
      id: fc.constant(id),
      field: fc.oneof(fc.constantFrom('gain', 'hidden/gain', 'warm', '1'), fc.string()),
      type: fc.constantFrom('application/json', 'application/json', 'text/x-faust'),
      payload: fc.oneof(
        { weight: 8, arbitrary: textOf(fc.constant(input)) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
        { weight: 1, arbitrary: source },
      ),
      input: fc.constant(input),
    }),
  );
  let run = 0;
  const heap: number[] = [];
  await fc.assert(
    fc.asyncProperty(call, async ({ id, field, type, payload, input }) => {
      const [method, route] = ROUTES[id];
      const own = (input as Record<string, unknown> | null)?.[/\{(\w+)\}/u.exec(route)?.[1] ?? ''];
      const at = encodeURIComponent((typeof own === 'string' ? own : field).toWellFormed());
      const hasQuery = method === 'GET' && typeof input === 'object' && input !== null;
      const query = new URLSearchParams(hasQuery ? textsOf(input) : {}).toString();
      const isText = payload.length === 0;
      const reply = await http.inject({
        method,
        url: `/api/v1${route.replace(/\{\w+\}/u, at)}?${query}`,
        headers: { authorization: 'Bearer lg_admin', ...(isText ? {} : { 'content-type': type }) },
        ...(method === 'GET' ? {} : { payload: Buffer.from(payload as string) }),
      });
      cases++;
      if (reply.statusCode === 200) {
        const isJson = String(reply.headers['content-type']).startsWith('application/json');
        if (isJson) keepsPromise(id, { value: reply.json() });
      } else keepsPromise(id, { problem: reply.json() });
      if (++run % 50 === 0) engine.crank();
      if (run % 500 === 0) await stillAnswers(opened);
      if (run % 1000 === 0) heap.push(inUse());
    }),
    { numRuns: RUNS.operations, seed, endOnFailure: true },
  );
  await stillAnswers(opened);
  const [, ...warm] = heap;
  warm.slice(1).forEach((bytes, k) => expect(bytes - warm[k]!).toBeLessThan(KEPT));
}, 300_000);

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
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...METHODS),
      url,
      headers,
      body,
      async (method, path, given, payload) => {
        // Ten wrong tokens would close the doors to an address.
        const remoteAddress = `10.0.${(run >> 3) & 255}.${++run & 7}`;
        const request: InjectOptions = {
          method,
          url: path,
          headers: given,
          payload,
          remoteAddress,
        };
        cases++;
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
    { numRuns: RUNS.requests, seed, endOnFailure: true },
  );
}, 300_000);

/** What is longer costs the socket: 1009. */
const isShort = (text: string): boolean => Buffer.byteLength(text) <= MAX_MESSAGE - 1024;

interface Answer {
  readonly id?: unknown;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: { readonly data: { readonly code: ErrorCode } };
}

test('messages of all kinds are answered in words, in their order, and the socket goes on', async () => {
  const opened = await guarded();
  const at = (await opened.listen()).replace('http', 'ws');
  const join = async (role: string): Promise<WebSocket> => {
    const socket = new WebSocket(`${at}/api/v1/ws?token=lg_${role}`);
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    return socket;
  };
  const [looks, steers] = [await join('view'), await join('admin')];
  const method = fc.oneof(fc.constantFrom('subscribe', 'unsubscribe', 'then'), fc.string());
  const subscription = fc.record(
    {
      topics: fc.oneof(fc.subarray(['loss', 'params', 'meters', 'log', 'x']), garbage),
      rate: fc.oneof(fc.double(), garbage),
    },
    { requiredKeys: [] },
  );
  const call = fc
    .oneof(
      {
        weight: 4,
        arbitrary: asked.map(({ id, input }) => ({ method: id as string, params: input })),
      },
      { weight: 1, arbitrary: fc.record({ method, params: fc.oneof(subscription, garbage) }) },
    )
    .filter((one) => isShort(JSON.stringify(one)));
  const bare = fc
    .oneof(textOf(garbage), textOf(fc.array(call, { maxLength: 4 })), fc.string())
    .filter(isShort);
  /** Sends a text, and gives what was answered until the answer with this id. */
  const say = (socket: WebSocket, data: string | Buffer, id: string): Promise<Answer[]> =>
    new Promise((resolve, reject) => {
      const answers: Answer[] = [];
      const fail = (code: number): void => reject(new Error(`the socket was closed: ${code}`));
      const listen = (text: Buffer, isBinary: boolean): void => {
        if (isBinary) return;
        const told = JSON.parse(text.toString()) as Answer;
        if (told.method === undefined) answers.push(told);
        if (told.id !== id) return;
        socket.off('message', listen).off('close', fail);
        resolve(answers);
      };
      socket.on('message', listen);
      socket.once('close', fail);
      socket.send(data);
    });
  let run = 0;
  const one = fc.tuple(call, bare, fc.constantFrom('call', 'call', 'text', 'bytes'), fc.nat(9));
  await fc.assert(
    fc.asyncProperty(one, async ([{ method, params }, text, kind, who]) => {
      cases++;
      const id = `fuzz ${++run}`;
      if (run % 50 === 0) opened.engine.crank();
      if (kind !== 'call') {
        steers.send(kind === 'bytes' ? Buffer.from(text) : text);
        const last = JSON.stringify({ jsonrpc: '2.0', id, method: 'output.get' });
        const answers = await say(steers, last, id);
        expect(JSON.stringify(answers)).not.toContain('"INTERNAL"');
        return;
      }
      const socket = who === 0 ? looks : steers;
      const { state } = opened.session;
      const asks = JSON.stringify({ jsonrpc: '2.0', id, method, params });
      const answer = (await say(socket, asks, id)).at(-1);
      const operation = OPERATION_IDS.find((known) => known === method);
      if (operation === undefined) {
        expect([undefined, ...ANYWHERE]).toContain(answer?.error?.data.code);
        return;
      }
      const { error, result } = answer ?? {};
      keepsPromise(operation, error === undefined ? { value: result } : { problem: error.data });
      if (who === 0 && ROUTES[operation][2] !== 'view') {
        expect(error?.data.code).toMatch(/FORBIDDEN_ROLE|INVALID_REQUEST/u);
        expect(opened.session.state.patch).toBe(state.patch);
      }
      if (run % 1000 === 0) await stillAnswers(opened);
    }),
    { numRuns: RUNS.messages, seed, endOnFailure: true },
  );
  await stillAnswers(opened);
  looks.terminate();
  steers.terminate();
}, 300_000);

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
      cases++;
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
    { numRuns: RUNS.lines, seed, endOnFailure: true },
  );
  expect((await http.inject('/healthz')).statusCode).toBe(200);
}, 300_000);
