/**
 * Every operation over REST and over the socket: the answer has the shape that is promised, to the
 * last field; everyone else is told the same revision, and only what changes something tells anyone;
 * every error that an operation lists is met, and no other. `rows.ts` has the calls, and the type
 * checker asks for one of each.
 */

import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { auditionSchema } from '../../../server/api/audition.ts';
import { ERRORS, problemSchema, type ErrorCode } from '../../../server/api/errors.ts';
import { libraryHeadingSchema } from '../../../server/api/library.ts';
import type { OperationSpec } from '../../../server/api/operation.ts';
import { COMMON_ERRORS, OPERATIONS } from '../../../server/api/operations.ts';
import { midiSchema } from '../../../server/api/midi.ts';
import { RECORD_ENDS } from '../../../server/api/recordings.ts';
import {
  FILE_OPERATIONS,
  OPERATION_IDS,
  ROUTES,
  type OperationId,
} from '../../../server/api/routes.ts';
import * as s from '../../../server/api/schemas.ts';
import { headingSchema, morphSchema } from '../../../server/api/snapshots.ts';
import type { ChangeKind } from '../../../server/api/socket.ts';
import { bench, type Bench, type BenchOptions } from './fake.ts';
import { refusalOf, ROWS } from './rows.ts';

/** What notifications carry beside the revision. */
const NOTICES: { readonly [K in ChangeKind]: z.ZodObject } = {
  'params.changed': z.strictObject({ params: z.array(s.paramSchema) }),
  'training.changed': s.trainingStateSchema,
  'patch.changed': s.patchInfoSchema,
  'source.changed': s.sourceSchema,
  'output.changed': s.outputSchema,
  'engine.changed': s.engineSchema,
  'audition.changed': auditionSchema,
  'library.changed': z.strictObject({ patches: z.array(libraryHeadingSchema) }),
  'snapshots.changed': z.strictObject({ snapshots: z.array(headingSchema) }),
  'morph.changed': morphSchema,
  'edits.changed': z.strictObject({ undo: z.string().nullable(), redo: z.string().nullable() }),
  'config.changed': z.strictObject({ settings: z.array(z.string()) }),
  'history.changed': z.strictObject({
    run: z.int(),
    what: z.enum(['began', 'ended', 'deleted']),
  }),
  'midi.changed': midiSchema,
  'recordings.changed': z.strictObject({
    name: z.string(),
    what: z.enum(['began', 'ended', 'kept', 'deleted']),
    reason: z.enum(RECORD_ENDS).nullable(),
  }),
};

interface Told {
  readonly method: ChangeKind;
  readonly params: { readonly revision: number };
}

type Answered = { readonly value: unknown } | { readonly problem: unknown };

interface Caller {
  ask(
    id: OperationId,
    input: Record<string, unknown>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answered>;
  /** Notifications since the last time; all that were sent until now. */
  told(): Promise<Told[]>;
}

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

/** A socket that calls, or only listens. */
async function socketOf({ http }: Bench): Promise<Caller> {
  const { port } = http.server.address() as AddressInfo;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/ws`);
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  opened.push({ close: () => socket.terminate() });
  const notices: Told[] = [];
  const waiting = new Map<number, (answer: Answered) => void>();
  let last = 0;
  socket.on('message', (data: Buffer) => {
    const { id, result, error, ...notice } = JSON.parse(data.toString()) as Record<string, unknown>;
    if (typeof id !== 'number') notices.push(notice as unknown as Told);
    else if (error === undefined) waiting.get(id)?.({ value: result });
    else {
      const { code, data: problem } = error as { code: number; data: { code: ErrorCode } };
      expect(code).toBe(ERRORS[problem.code].rpc);
      waiting.get(id)?.({ problem });
    }
  });
  const ask: Caller['ask'] = (method, params) =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: last, method, params }));
    });
  return {
    ask,
    async told() {
      // What was sent to a socket before an answer is there before it.
      await ask('output.get', {});
      return notices.splice(0);
    },
  };
}

const restOf = ({ http }: Bench): Caller => ({
  async ask(id, input, headers = {}) {
    const [method, route] = ROUTES[id];
    const rest = { ...input };
    const path = route.replaceAll(/\{(\w+)\}/gu, (_, name: string) => {
      const value = String(rest[name]);
      delete rest[name];
      return encodeURIComponent(value);
    });
    const query = new URLSearchParams(
      Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value)])),
    );
    const reply = await http.inject({
      method,
      headers,
      url: `/api/v1${path}${method === 'GET' && query.size > 0 ? `?${query.toString()}` : ''}`,
      ...(method === 'GET' || Object.keys(rest).length === 0 ? {} : { payload: rest }),
    });
    if (reply.statusCode === 200) return { value: reply.json() };
    expect(reply.headers['content-type']).toContain('application/problem+json');
    const problem = reply.json<{ code: ErrorCode }>();
    expect(reply.statusCode).toBe(ERRORS[problem.code].status);
    return { problem };
  },
  told: () => Promise.resolve([]),
});

const TRANSPORTS = { REST: restOf, 'the socket': socketOf } as const;
const transports = Object.keys(TRANSPORTS) as (keyof typeof TRANSPORTS)[];

async function stage(
  options: BenchOptions | undefined,
  arrange: ((host: Bench) => unknown) | undefined,
): Promise<Bench> {
  const host = await bench(options);
  opened.push(host);
  await arrange?.(host);
  await host.listen();
  return host;
}

const isFile = (id: OperationId): boolean => FILE_OPERATIONS.some((file) => file === id);

/** Refuses a value that has fields which its schema does not know. */
function conform(schema: z.ZodType, value: unknown): void {
  expect(schema.parse(value)).toEqual(value);
}

describe.each(transports)('over %s', (transport) => {
  test.each(OPERATION_IDS.filter((id) => !isFile(id)))(
    '%s answers as it promises, and tells the others',
    async (id) => {
      const { options, arrange, input, tells, echoes = [], isStep = false, noise = [] } = ROWS[id];
      const host = await stage(options?.(), arrange);
      const given = typeof input === 'function' ? await input(host) : input;
      const caller = await TRANSPORTS[transport](host);
      const others = [await socketOf(host), await socketOf(host)];
      for (const one of [caller, ...others]) await one.told();
      const { revision, state } = host.session;

      const answered = await caller.ask(id, given);
      if (!('value' in answered)) throw new Error(JSON.stringify(answered));
      conform(OPERATIONS[id].output, answered.value);

      const heard = async (one: Caller): Promise<Told[]> => {
        const all = await one.told();
        for (const { method, params } of all) {
          const { revision: told, ...data } = params;
          expect(told, method).toBeGreaterThan(revision);
          conform(NOTICES[method], data);
        }
        return all.filter(({ method }) => !noise.includes(method));
      };
      const steps = isStep ? (['edits.changed'] as const) : [];
      const kinds = (all: readonly Told[]): ChangeKind[] => all.map(({ method }) => method).sort();
      for (const other of others) {
        const told = await heard(other);
        expect(kinds(told)).toEqual([...tells, ...steps].sort());
        const named = told.filter(({ method }) => method !== 'edits.changed');
        expect(named.map(({ method }) => method)).toEqual(tells);
        const { revision: made } = answered.value as { revision?: number };
        const newest = named.at(-1)?.params.revision;
        if (newest !== undefined) expect(made).toBe(newest);
      }
      if (transport === 'the socket') {
        expect(kinds(await heard(caller))).toEqual([...echoes, ...steps].sort());
      }
      if (tells.length > 0 || noise.length > 0) return;
      expect(host.session.revision).toBe(revision);
      expect(host.session.state).toBe(state);
    },
  );

  const refusals = OPERATION_IDS.flatMap((id) =>
    (OPERATIONS[id].errors as readonly ErrorCode[])
      // The socket has no files, and says so whatever is asked for.
      .filter((code) => !isFile(id) || (code === 'ONLY_REST') === (transport === 'the socket'))
      .map((code) => [id, code] as const),
  );
  test.each(refusals)('%s meets %s, changes nothing and tells nobody', async (id, code) => {
    const row = ROWS[id];
    const refusal = refusalOf(id, code);
    // An answer in another format is a matter of HTTP.
    if (refusal.headers !== undefined && transport !== 'REST') return;
    const host = await stage((refusal.options ?? row.options)?.(), refusal.arrange ?? row.arrange);
    const input =
      refusal.input ?? (typeof row.input === 'function' ? await row.input(host) : row.input);
    const caller = await TRANSPORTS[transport](host);
    const other = await socketOf(host);
    await other.told();
    const { revision, state } = host.session;
    const answered = await caller.ask(id, input as Record<string, unknown>, refusal.headers);
    if (!('problem' in answered)) throw new Error(JSON.stringify(answered));
    conform(problemSchema, answered.problem);
    expect(answered.problem).toMatchObject({ code });
    expect(await other.told()).toEqual([]);
    expect(host.session.revision).toBe(revision);
    expect(host.session.state).toBe(state);
  });
});

test.each(OPERATION_IDS.filter(isFile))('%s sends a file of its type', async (id) => {
  const { arrange, input } = ROWS[id];
  const host = await stage(undefined, arrange);
  const fields = input as Record<string, string>;
  const path = ROUTES[id][1].replaceAll(/\{(\w+)\}/gu, (_, name: string) => fields[name] ?? '');
  const reply = await host.http.inject(`/api/v1${path}`);
  const spec: OperationSpec = OPERATIONS[id];
  expect(reply.headers['content-type']).toBe(spec.file);
  expect(reply.rawPayload.length).toBe(Number(reply.headers['content-length']));
});

test('what an operation lists is what any request may meet, or its own', () => {
  const common: readonly ErrorCode[] = COMMON_ERRORS;
  for (const id of OPERATION_IDS) {
    const own: readonly ErrorCode[] = OPERATIONS[id].errors;
    expect(new Set(own).size, id).toBe(own.length);
    expect(
      own.filter((code) => common.includes(code)),
      id,
    ).toEqual([]);
  }
});
