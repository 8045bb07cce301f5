/**
 * JSON-RPC 2.0 over text: reads a message, runs what it asks for, writes the answer.
 *
 * Invariant: every request with an id gets exactly one answer, in the order of the message; a
 * notification gets none; what is malformed gets the error that the specification asks for and
 * changes nothing. Batches are bounded in number and in the size of their answer.
 */

import type { Problem } from '../api/errors.ts';
import { ERRORS, problem } from '../api/errors.ts';
import { MAX_BATCH, MAX_MESSAGE } from '../api/socket.ts';
import type { Outcome } from './outcome.ts';

type Id = string | number | null;

/** Runs a method, or gives undefined when there is none of this name. */
export type Call = (method: string, params: unknown) => Promise<Outcome<unknown> | undefined>;

/** The text to send back, or undefined when nothing is to be answered. */
export async function respond(text: string, call: Call): Promise<string | undefined> {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return errorText(null, problem('MALFORMED_JSON', `expected JSON, got: ${reason}`));
  }
  if (!Array.isArray(message)) return respondOne(message, call);
  if (message.length === 0) {
    return errorText(null, problem('INVALID_REQUEST', 'expected requests in the batch, got none'));
  }
  if (message.length > MAX_BATCH) {
    const detail = `expected at most ${MAX_BATCH} requests in a batch, got ${message.length}`;
    return errorText(null, problem('TOO_LARGE', detail));
  }
  const answers: string[] = [];
  let size = 0;
  for (const request of message) {
    const full = size > MAX_MESSAGE;
    const answered = await respondOne(request, full ? tooLarge : call);
    if (answered === undefined) continue;
    answers.push(answered);
    size += answered.length;
  }
  return answers.length === 0 ? undefined : `[${answers.join(',')}]`;
}

/** A notification of the daemon to a client. */
export const notification = (method: string, params: unknown): string =>
  JSON.stringify({ jsonrpc: '2.0', method, params });

export const errorText = (id: Id, data: Problem): string =>
  JSON.stringify({
    jsonrpc: '2.0',
    id,
    error: { code: ERRORS[data.code].rpc, message: data.title, data },
  });

async function respondOne(request: unknown, call: Call): Promise<string | undefined> {
  const read = readRequest(request);
  if (!read.ok) return errorText(read.id, problem('INVALID_REQUEST', read.detail));
  const { id, method, params } = read;
  const outcome: Outcome<unknown> = (await call(method, params)) ?? {
    ok: false,
    problem: problem('UNKNOWN_METHOD', `no method is called ${JSON.stringify(method)}`),
  };
  if (id === undefined) return undefined;
  return outcome.ok
    ? JSON.stringify({ jsonrpc: '2.0', id, result: outcome.value })
    : errorText(id, outcome.problem);
}

type Read =
  | { readonly ok: false; readonly id: Id; readonly detail: string }
  | {
      readonly ok: true;
      readonly id: Id | undefined;
      readonly method: string;
      readonly params: unknown;
    };

function readRequest(request: unknown): Read {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    return { ok: false, id: null, detail: 'expected an object' };
  }
  const fields = request as Record<string, unknown>;
  const id = fields['id'];
  const usable = id === null || typeof id === 'string' || typeof id === 'number';
  const bad = (detail: string): Read => ({ ok: false, id: usable ? id : null, detail });
  if (id !== undefined && !usable) return bad('id: expected a string, a number or null');
  if (fields['jsonrpc'] !== '2.0') return bad('jsonrpc: expected "2.0"');
  const { method, params } = fields;
  if (typeof method !== 'string') return bad('method: expected a string');
  if (params !== undefined && (typeof params !== 'object' || params === null)) {
    return bad('params: expected an object');
  }
  return { ok: true, id, method, params };
}

const tooLarge: Call = () =>
  Promise.resolve({
    ok: false,
    problem: problem('TOO_LARGE', `the answers of the batch are over ${MAX_MESSAGE} bytes`),
  });
