/**
 * Where every operation is: its HTTP method and its path under `/api/v1`. The id is also its
 * JSON-RPC method. A `{name}` in a path is a field of the operation's input; the others are the
 * body, or the query of a GET.
 *
 * Invariant: plain constants, so that the SDK can use them in a browser without the schemas.
 * `operations.ts` says what goes in and out, and the type checker proves that it has every id.
 */

export const API_PREFIX = '/api/v1';
/** Type of the source of a Faust program, which stands for a patch of it. */
export const FAUST_TYPE = 'text/x-faust';
export const SOCKET_PATH = `${API_PREFIX}/ws`;

export const ROUTES = {
  'status.get': ['GET', '/status'],
  'devices.list': ['GET', '/devices'],
  'devices.select': ['PUT', '/devices/selected'],
  'devices.calibrate': ['POST', '/devices/calibrate'],
  'output.get': ['GET', '/output'],
  'output.set': ['PUT', '/output'],
  'examples.list': ['GET', '/examples'],
  'patch.get': ['GET', '/patch'],
  'patch.set': ['PUT', '/patch'],
  'patch.check': ['POST', '/patch/check'],
  'patch.export': ['GET', '/patch/export'],
  'patch.info': ['GET', '/patch/info'],
  'params.list': ['GET', '/params'],
  'params.update': ['PATCH', '/params'],
  'params.get': ['GET', '/params/{id}'],
  'params.set': ['PUT', '/params/{id}'],
  'meters.list': ['GET', '/meters'],
  'training.get': ['GET', '/training'],
  'training.update': ['PATCH', '/training'],
  'training.start': ['POST', '/training/start'],
  'training.stop': ['POST', '/training/stop'],
  'training.reset': ['POST', '/training/reset'],
  'training.restart': ['POST', '/training/restart'],
  'schedule.get': ['GET', '/schedule'],
  'schedule.set': ['PUT', '/schedule'],
  'schedule.ahead': ['GET', '/schedule/preview'],
  'schedule.preview': ['POST', '/schedule/preview'],
  'snapshots.list': ['GET', '/snapshots'],
  'snapshots.get': ['GET', '/snapshots/{name}'],
  'snapshots.save': ['PUT', '/snapshots/{name}'],
  'snapshots.import': ['POST', '/snapshots'],
  'snapshots.load': ['POST', '/snapshots/{name}/load'],
  'snapshots.rename': ['POST', '/snapshots/{name}/rename'],
  'snapshots.delete': ['DELETE', '/snapshots/{name}'],
  'morph.get': ['GET', '/morph'],
  'morph.start': ['POST', '/morph'],
  'morph.stop': ['POST', '/morph/stop'],
  'edits.list': ['GET', '/edits'],
  'edits.undo': ['POST', '/edits/undo'],
  'edits.redo': ['POST', '/edits/redo'],
} as const satisfies Record<string, readonly ['GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE', string]>;

export type OperationId = keyof typeof ROUTES;
export const OPERATION_IDS = Object.keys(ROUTES) as readonly OperationId[];

/** Names of the input fields that are part of an operation's path. */
export function pathFields(id: OperationId): string[] {
  return [...ROUTES[id][1].matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
}
