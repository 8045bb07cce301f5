/**
 * One typed method for each operation of the daemon: `client.params.set({ id, value })`.
 *
 * Invariant: made from the routes table, so an operation that is added there is here at once; the
 * types come from its schemas. Of the schemas only types are imported: a browser loads none.
 */

import type { Input, Output } from '../../server/api/operations.ts';
import {
  API_PREFIX,
  FAUST_TYPE,
  FILE_OPERATIONS,
  OPERATION_IDS,
  ROUTES,
  pathFields,
  type FileOperationId,
  type OperationId,
} from '../../server/api/routes.ts';
import { errorOf, isProblem, LivegradError } from './errors.ts';

type Group = OperationId extends `${infer G}.${string}` ? G : never;
type NameIn<G extends Group> =
  Extract<OperationId, `${G}.${string}`> extends `${G}.${infer N}` ? N : never;

/** What takes a patch takes the source of a Faust program as well, as text. */
type Given<K extends OperationId> = K extends 'patch.set' | 'patch.check'
  ? Input<K> | string
  : Input<K>;

/** What gives a file gives its bytes. */
type Taken<K extends OperationId> = K extends FileOperationId ? ArrayBuffer : Output<K>;

type Method<K extends OperationId> =
  Record<string, never> extends Input<K>
    ? (input?: Given<K>) => Promise<Taken<K>>
    : (input: Given<K>) => Promise<Taken<K>>;

export type Methods = {
  readonly [G in Group]: {
    readonly [N in NameIn<G>]: Method<Extract<OperationId, `${G}.${N}`>>;
  };
};

export interface Target {
  /** `http://127.0.0.1:8440` */
  readonly url: string;
  readonly token?: string | undefined;
}

export function createMethods(target: Target): Methods {
  const methods: Record<string, Record<string, unknown>> = {};
  for (const id of OPERATION_IDS) {
    const [group = '', name = ''] = id.split('.');
    (methods[group] ??= {})[name] = (input?: unknown) => call(target, id, input);
  }
  return methods as unknown as Methods;
}

/** Errors: LivegradError with a code of the daemon, UNREACHABLE or BAD_ANSWER. */
export async function call<K extends OperationId>(
  { url, token }: Target,
  id: K,
  input: unknown = {},
): Promise<Taken<K>> {
  const [method, path] = ROUTES[id];
  const fields = pathFields(id);
  const isSource = typeof input === 'string';
  const given = (isSource ? {} : input) as Readonly<Record<string, unknown>>;
  const address = path.replaceAll(/\{(\w+)\}/g, (_, field: string) =>
    encodeURIComponent(String(given[field])),
  );
  const body = Object.fromEntries(Object.entries(given).filter(([key]) => !fields.includes(key)));
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  if (method !== 'GET') headers['content-type'] = isSource ? FAUST_TYPE : 'application/json';
  let response: Response;
  let text: string;
  try {
    const target = new URL(`${API_PREFIX}${address}`, url);
    if (method === 'GET') {
      for (const [key, value] of Object.entries(body)) target.searchParams.set(key, String(value));
    }
    response = await fetch(target, {
      method,
      headers,
      ...(method === 'GET' ? {} : { body: isSource ? input : JSON.stringify(body) }),
    });
    if (response.ok && FILE_OPERATIONS.some((operation) => operation === id)) {
      return (await response.arrayBuffer()) as Taken<K>;
    }
    text = await response.text();
  } catch (error) {
    throw new LivegradError('UNREACHABLE', `no livegrad answers at ${url}: ${reasonOf(error)}`);
  }
  const value = parse(text);
  if (response.ok && value !== undefined) return value as Taken<K>;
  if (isProblem(value)) throw errorOf(value);
  throw new LivegradError(
    'BAD_ANSWER',
    `${url} does not answer like livegrad: expected JSON, got status ${response.status}`,
    response.status,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `fetch` hides the reason in its cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { message?: string }; message?: string };
  return cause?.message ?? message ?? String(error);
}
