/**
 * Every error code of the table is provoked here, over REST or the socket, and changes nothing. The
 * list is total over the table by its type, and nothing but the table's codes can be sent.
 */

import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import type { InjectOptions } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ERRORS, ERROR_CODES, problemSchema, type ErrorCode } from '../../../server/api/errors.ts';
import { LIBRARY_FORMAT } from '../../../server/api/library.ts';
import { COMMON_ERRORS, OPERATIONS } from '../../../server/api/operations.ts';
import { Compiler } from '../../../server/compile/compiler.ts';
import type { PatchCompiler } from '../../../server/control/session.ts';
import { snapshotOf } from '../../../server/control/snapshot.ts';
import { stateOf } from '../../../server/control/state.ts';
import { bench, example, record, refusal, type Bench, type BenchOptions } from './fake.ts';

let open: Bench | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

interface Answered {
  readonly status?: number;
  readonly type?: string;
  /** Code of the JSON-RPC error. */
  readonly rpc?: number;
  readonly problem: unknown;
}

interface Provocation {
  readonly options?: BenchOptions;
  /** What has to be there, and is no part of what changes nothing. */
  readonly prepare?: (bench: Bench) => unknown;
  readonly provoke: (bench: Bench) => Promise<Answered>;
}

const rest =
  (request: InjectOptions) =>
  async ({ http }: Bench): Promise<Answered> => {
    const reply = await http.inject(request);
    const type = String(reply.headers['content-type']);
    return { status: reply.statusCode, type, problem: reply.json() };
  };

const api = (method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) =>
  rest({ method, url: `/api/v1${path}`, ...(body === undefined ? {} : { payload: body }) });

const says =
  (text: string) =>
  async (host: Bench): Promise<Answered> => {
    const url = await host.listen();
    const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/ws`);
    await new Promise((resolve) => socket.on('open', resolve));
    const reply = new Promise<string>((resolve) => {
      socket.on('message', (data: Buffer) => resolve(data.toString()));
    });
    socket.send(text);
    const { error } = JSON.parse(await reply) as { error: { code: number; data: unknown } };
    socket.close();
    return { rpc: error.code, problem: error.data };
  };

/** Compiles the first patch, and then gives up. */
function weary(): PatchCompiler {
  const compiler = new Compiler();
  let calls = 0;
  return {
    exportFaust: (json, values) => compiler.exportFaust(json, values),
    compile: async (json, options) => {
      if (calls++ > 0) return { kind: 'failed', reason: 'it was told to' };
      const compiled = await compiler.compile(json, options);
      await compiler.stop();
      return compiled;
    },
  };
}

const untrained = (): BenchOptions => {
  const { training: _, ...patch } = example('gain');
  return { patch: { ...patch, expect: [] } };
};

const PROVOCATIONS: { readonly [K in ErrorCode]: Provocation } = {
  MALFORMED_JSON: {
    provoke: rest({
      method: 'PUT',
      url: '/api/v1/patch',
      headers: { 'content-type': 'application/json' },
      payload: '{"format":',
    }),
  },
  INVALID_REQUEST: { provoke: says('{"id":1,"method":"training.stop"}') },
  UNKNOWN_METHOD: { provoke: says('{"jsonrpc":"2.0","id":1,"method":"training.halt"}') },
  INVALID_INPUT: { provoke: api('PUT', '/params/gain', { value: 'loud' }) },
  INTERNAL: {
    provoke: async (host) => {
      host.engine.throwOnOutput = true;
      return api('PUT', '/output', { muted: false })(host);
    },
  },
  UNKNOWN_ROUTE: { provoke: api('GET', '/nothing') },
  METHOD_NOT_ALLOWED: { provoke: api('POST', '/params/hidden/gain') },
  UNSUPPORTED_MEDIA_TYPE: {
    provoke: rest({
      method: 'PUT',
      url: '/api/v1/patch',
      headers: { 'content-type': 'text/plain' },
      payload: 'gain',
    }),
  },
  TOO_LARGE: { provoke: api('PUT', '/patch', { doc: 'x'.repeat(2 ** 20) }) },
  UNAUTHORIZED: {
    options: { token: 'secret' },
    provoke: rest({
      method: 'POST',
      url: '/api/v1/training/stop',
      headers: { authorization: 'Bearer guess' },
    }),
  },
  FORBIDDEN_ORIGIN: {
    provoke: rest({
      method: 'POST',
      url: '/api/v1/training/stop',
      headers: { origin: 'https://example.org' },
    }),
  },
  FORBIDDEN_ROLE: {
    options: { tokens: [record('onlooker', 'view', 'lg_see')] },
    provoke: rest({
      method: 'POST',
      url: '/api/v1/training/stop',
      headers: { authorization: 'Bearer lg_see' },
    }),
  },
  RATE_LIMITED: {
    options: { rateLimit: 1 },
    provoke: async (host) => {
      await api('GET', '/status')(host);
      return api('POST', '/training/stop')(host);
    },
  },
  TOO_MANY_CLIENTS: {
    options: { maxSockets: 0 },
    provoke: async (host) => {
      const url = await host.listen();
      const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/ws`);
      socket.on('error', () => {});
      const reply = await new Promise<IncomingMessage>((resolve) => {
        socket.on('unexpected-response', (_, response) => resolve(response));
      });
      const type = reply.headers['content-type'] ?? '';
      return { status: reply.statusCode ?? 0, type, problem: await json(reply) };
    },
  },
  UNKNOWN_PARAM: { provoke: api('PUT', '/params/hidden/gian', { value: 1 }) },
  VALUE_OUT_OF_RANGE: {
    provoke: api('PATCH', '/params', { values: { gain: 0, 'hidden/gain': 3 } }),
  },
  NOT_LEARNABLE: { provoke: api('PUT', '/params/hidden%2Fgain', { frozen: true }) },
  NOT_TRAINABLE: { options: untrained(), provoke: api('POST', '/training/start') },
  UNKNOWN_EXAMPLE: { provoke: api('PUT', '/patch', { example: 'gian' }) },
  PATCH_INVALID: { provoke: api('PUT', '/patch', { ...example('gain'), outputs: ['nowhere'] }) },
  COMPILE_FAILED: {
    options: { compiler: weary() },
    provoke: api('PUT', '/patch', example('one-pole')),
  },
  ENGINE_REFUSED: {
    provoke: async (host) => {
      host.engine.failLoad = 'there is no room for it';
      return api('PUT', '/patch', { example: 'one-pole' })(host);
    },
  },
  NOT_EXPORTABLE: { provoke: api('GET', '/patch/export?format=faust') },
  NOT_FAUST: {
    provoke: rest({ method: 'GET', url: '/api/v1/patch', headers: { accept: 'text/x-faust' } }),
  },
  UNKNOWN_DEVICE: { provoke: api('PUT', '/devices/selected', { output: 'nothing' }) },
  DEVICE_REFUSED: {
    provoke: async (host) => {
      host.engine.failSelect = 'no such device';
      return api('PUT', '/devices/selected', { input: 'virtual' })(host);
    },
  },
  DEVICES_UNKNOWN: {
    provoke: async (host) => {
      host.host.devices = refusal('the listing process crashed');
      return api('GET', '/devices')(host);
    },
  },
  NOT_CALIBRATED: {
    provoke: async (host) => {
      host.engine.failCalibrate = 'the output is muted';
      return api('POST', '/devices/calibrate')(host);
    },
  },
  MIDI_UNAVAILABLE: { provoke: api('POST', '/midi/learn', { id: 'gain' }) },
  UNKNOWN_MAPPING: { provoke: api('DELETE', '/midi/map/gain') },
  UNKNOWN_SNAPSHOT: { provoke: api('POST', '/snapshots/warm/load', {}) },
  SNAPSHOT_EXISTS: {
    provoke: async (host) => {
      await host.host.snapshots.write(snapshotOf(host.session.state, 'warm', new Date()));
      return api('PUT', '/snapshots/warm', {})(host);
    },
  },
  SNAPSHOT_MISFIT: {
    provoke: async (host) => {
      const other = stateOf(example('one-pole'));
      await host.host.snapshots.write(snapshotOf(other, 'warm', new Date()));
      return api('POST', '/morph', { to: 'warm', seconds: 1 })(host);
    },
  },
  NOT_KEPT: {
    options: { stateDir: '/dev/null' },
    provoke: api('PUT', '/snapshots/warm', {}),
  },
  UNKNOWN_RECORDING: { provoke: api('GET', '/recordings/nothing') },
  RECORDING_EXISTS: {
    prepare: api('POST', '/recordings/keep', { name: 'take', seconds: 1 }),
    provoke: api('POST', '/recordings/start', { name: 'take' }),
  },
  RECORDING_RUNS: {
    prepare: api('POST', '/recordings/start'),
    provoke: api('POST', '/recordings/start'),
  },
  NOT_RECORDING: { provoke: api('POST', '/recordings/stop') },
  NOTHING_TO_RECORD: {
    prepare: ({ engine }) => engine.set({ state: 'degraded' }),
    provoke: api('POST', '/recordings/start'),
  },
  ONLY_REST: {
    provoke: says(
      '{"jsonrpc":"2.0","id":1,"method":"recordings.download","params":{"name":"take"}}',
    ),
  },
  UNKNOWN_RUN: { provoke: api('GET', '/history/7') },
  HISTORY_UNAVAILABLE: { options: { stateDir: '/dev/null' }, provoke: api('GET', '/history') },
  UNKNOWN_PATCH: { provoke: api('POST', '/library/night/activate', {}) },
  PATCH_EXISTS: {
    provoke: async (host) => {
      const entry = {
        format: LIBRARY_FORMAT,
        name: 'night',
        kind: 'patch',
        patch: 'gain',
      } as const;
      const saved = new Date().toISOString();
      const rest = { saved, hash: null, diagnostics: [], document: { ...example('gain') } };
      await host.host.library.write({ ...entry, ...rest });
      return api('PUT', '/library/night', {})(host);
    },
  },
  AUDITION_UNDER_WAY: {
    provoke: async (host) => {
      host.session.bar('an audition is under way');
      return api('POST', '/edits/undo')(host);
    },
  },
  NO_AUDITION: { provoke: api('POST', '/audition/commit') },
  CHANNELS_REFUSED: { provoke: api('PUT', '/devices/channels', { inputs: [3, 1] }) },
  NOT_TESTED: { provoke: api('POST', '/devices/test', {}) },
  NOTHING_TO_UNDO: { provoke: api('POST', '/edits/redo') },
};

test.each(ERROR_CODES)('%s is provoked, sent as a problem, and changes nothing', async (code) => {
  const { options, prepare, provoke } = PROVOCATIONS[code];
  open = await bench(options);
  await prepare?.(open);
  const { revision, state } = open.session;
  const { status, type, rpc, problem } = await provoke(open);
  const parsed = problemSchema.parse(problem);
  expect(parsed).toMatchObject({ code, status: ERRORS[code].status, title: ERRORS[code].title });
  expect(parsed.detail.length).toBeGreaterThan(10);
  if (rpc === undefined) {
    expect(status).toBe(ERRORS[code].status);
    expect(type).toContain('application/problem+json');
  } else {
    expect(rpc).toBe(ERRORS[code].rpc);
  }
  expect(open.session.revision).toBe(revision);
  expect(open.session.state).toBe(state);
});

test('no two errors share a JSON-RPC number', () => {
  const numbers = ERROR_CODES.map((code) => ERRORS[code].rpc);
  expect(new Set(numbers).size).toBe(numbers.length);
});

test('every code belongs to an operation or to the transport', () => {
  const transport: ErrorCode[] = [
    'MALFORMED_JSON',
    'INVALID_REQUEST',
    'UNKNOWN_METHOD',
    'UNKNOWN_ROUTE',
    'METHOD_NOT_ALLOWED',
    'UNSUPPORTED_MEDIA_TYPE',
    'TOO_LARGE',
    'TOO_MANY_CLIENTS',
  ];
  const used = Object.values(OPERATIONS).flatMap(
    (operation): readonly ErrorCode[] => operation.errors,
  );
  const all = new Set([...transport, ...COMMON_ERRORS, ...used]);
  expect([...all].sort()).toEqual([...ERROR_CODES].sort());
});

test('the codes that the control plane mentions are those of the table', () => {
  const sources = [
    'access',
    'ahead',
    'audition',
    'app',
    'documents',
    'export',
    'gate',
    'history/history',
    'jsonrpc',
    'library-files',
    'limits',
    'machine',
    '../midi/files',
    '../midi/midi',
    'operations',
    'patch-input',
    'recordings',
    'runners/history',
    'session',
    'settings',
    'snapshot',
    'snapshot-files',
    'socket',
    'state',
  ];
  const mentioned = sources.flatMap((name) => {
    const path = new URL(`../../../server/control/${name}.ts`, import.meta.url);
    const text = readFileSync(path, 'utf8');
    return [...text.matchAll(/(?:refuse|problem|passOn)\(\s*'([A-Z_]+)'/g)].map(
      (match) => match[1],
    );
  });
  expect(new Set(mentioned)).toEqual(new Set(ERROR_CODES));
});

/** Code, HTTP status and JSON-RPC number as clients know them: to these things are added, and nothing else. */
const FROZEN: Readonly<Record<string, readonly [status: number, rpc: number]>> = {
  MALFORMED_JSON: [400, -32700],
  INVALID_REQUEST: [400, -32600],
  UNKNOWN_METHOD: [404, -32601],
  INVALID_INPUT: [400, -32602],
  INTERNAL: [500, -32603],
  UNKNOWN_ROUTE: [404, -32001],
  METHOD_NOT_ALLOWED: [405, -32002],
  UNSUPPORTED_MEDIA_TYPE: [415, -32003],
  TOO_LARGE: [413, -32004],
  UNAUTHORIZED: [401, -32005],
  FORBIDDEN_ORIGIN: [403, -32006],
  FORBIDDEN_ROLE: [403, -32007],
  RATE_LIMITED: [429, -32008],
  TOO_MANY_CLIENTS: [503, -32009],
  UNKNOWN_PARAM: [404, -32010],
  VALUE_OUT_OF_RANGE: [422, -32011],
  NOT_LEARNABLE: [422, -32012],
  NOT_TRAINABLE: [409, -32013],
  UNKNOWN_EXAMPLE: [404, -32014],
  PATCH_INVALID: [422, -32015],
  COMPILE_FAILED: [422, -32016],
  ENGINE_REFUSED: [409, -32017],
  NOT_EXPORTABLE: [409, -32022],
  NOT_FAUST: [406, -32023],
  UNKNOWN_DEVICE: [404, -32021],
  DEVICE_REFUSED: [409, -32018],
  DEVICES_UNKNOWN: [503, -32019],
  NOT_CALIBRATED: [409, -32020],
  MIDI_UNAVAILABLE: [503, -32060],
  UNKNOWN_MAPPING: [404, -32061],
  UNKNOWN_SNAPSHOT: [404, -32030],
  SNAPSHOT_EXISTS: [409, -32031],
  SNAPSHOT_MISFIT: [409, -32032],
  NOT_KEPT: [507, -32033],
  UNKNOWN_PATCH: [404, -32040],
  PATCH_EXISTS: [409, -32041],
  NOTHING_TO_UNDO: [409, -32034],
  UNKNOWN_RUN: [404, -32035],
  HISTORY_UNAVAILABLE: [503, -32036],
};

test('what clients know of errors stays as it is', () => {
  for (const [code, known] of Object.entries(FROZEN)) {
    const { status, rpc } = ERRORS[code as ErrorCode] ?? { status: 0, rpc: 0 };
    expect([status, rpc], code).toEqual(known);
  }
});
