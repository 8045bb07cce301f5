/**
 * Where every operation is and who may call it: its HTTP method, its path under `/api/v1`, and the
 * role it needs. The id is also its JSON-RPC method. A `{name}` in a path is a field of the
 * operation's input; the others are the body, or the query of a GET.
 *
 * Invariant: plain constants, so that the SDK can use them in a browser without the schemas.
 * `operations.ts` says what goes in and out, and the type checker proves that it has every id.
 */

import type { Role } from './roles.ts';

export const API_PREFIX = '/api/v1';
/** Type of the source of a Faust program, which stands for a patch of it. */
export const FAUST_TYPE = 'text/x-faust';
export const SOCKET_PATH = `${API_PREFIX}/ws`;

export const ROUTES = {
  'status.get': ['GET', '/status', 'view'],
  'system.get': ['GET', '/system', 'view'],
  'system.restartEngine': ['POST', '/system/engine/restart', 'admin'],
  'system.shutdown': ['POST', '/system/shutdown', 'admin'],
  'devices.list': ['GET', '/devices', 'view'],
  'devices.select': ['PUT', '/devices/selected', 'admin'],
  'devices.calibrate': ['POST', '/devices/calibrate', 'admin'],
  'devices.map': ['PUT', '/devices/channels', 'admin'],
  'devices.test': ['POST', '/devices/test', 'admin'],
  'output.get': ['GET', '/output', 'view'],
  'output.set': ['PUT', '/output', 'control'],
  'examples.list': ['GET', '/examples', 'view'],
  'patch.get': ['GET', '/patch', 'view'],
  'patch.set': ['PUT', '/patch', 'control'],
  'patch.check': ['POST', '/patch/check', 'control'],
  'patch.export': ['GET', '/patch/export', 'view'],
  'patch.info': ['GET', '/patch/info', 'view'],
  'params.list': ['GET', '/params', 'view'],
  'params.update': ['PATCH', '/params', 'control'],
  'params.get': ['GET', '/params/{id}', 'view'],
  'params.set': ['PUT', '/params/{id}', 'control'],
  'meters.list': ['GET', '/meters', 'view'],
  'training.get': ['GET', '/training', 'view'],
  'training.update': ['PATCH', '/training', 'control'],
  'training.start': ['POST', '/training/start', 'control'],
  'training.stop': ['POST', '/training/stop', 'control'],
  'training.reset': ['POST', '/training/reset', 'control'],
  'training.restart': ['POST', '/training/restart', 'control'],
  'schedule.get': ['GET', '/schedule', 'view'],
  'schedule.set': ['PUT', '/schedule', 'control'],
  'schedule.ahead': ['GET', '/schedule/preview', 'view'],
  'schedule.preview': ['POST', '/schedule/preview', 'view'],
  'library.list': ['GET', '/library', 'view'],
  'library.get': ['GET', '/library/{name}', 'view'],
  'library.put': ['PUT', '/library/{name}', 'control'],
  'library.activate': ['POST', '/library/{name}/activate', 'control'],
  'library.rename': ['POST', '/library/{name}/rename', 'control'],
  'library.delete': ['DELETE', '/library/{name}', 'control'],
  'audition.get': ['GET', '/audition', 'view'],
  'audition.start': ['POST', '/audition', 'control'],
  'audition.compare': ['PUT', '/audition', 'control'],
  'audition.commit': ['POST', '/audition/commit', 'control'],
  'audition.rollback': ['POST', '/audition/rollback', 'control'],
  'snapshots.list': ['GET', '/snapshots', 'view'],
  'snapshots.get': ['GET', '/snapshots/{name}', 'view'],
  'snapshots.save': ['PUT', '/snapshots/{name}', 'control'],
  'snapshots.import': ['POST', '/snapshots', 'control'],
  'snapshots.load': ['POST', '/snapshots/{name}/load', 'control'],
  'snapshots.rename': ['POST', '/snapshots/{name}/rename', 'control'],
  'snapshots.delete': ['DELETE', '/snapshots/{name}', 'control'],
  'morph.get': ['GET', '/morph', 'view'],
  'morph.start': ['POST', '/morph', 'control'],
  'morph.stop': ['POST', '/morph/stop', 'control'],
  'edits.list': ['GET', '/edits', 'view'],
  'edits.undo': ['POST', '/edits/undo', 'control'],
  'edits.redo': ['POST', '/edits/redo', 'control'],
  'history.list': ['GET', '/history', 'view'],
  'history.get': ['GET', '/history/{run}', 'view'],
  'history.export': ['GET', '/history/{run}/export', 'view'],
  'history.delete': ['DELETE', '/history/{run}', 'control'],
  'recordings.list': ['GET', '/recordings', 'view'],
  'recordings.get': ['GET', '/recordings/{name}', 'view'],
  'recordings.download': ['GET', '/recordings/{name}/audio', 'view'],
  'recordings.start': ['POST', '/recordings/start', 'control'],
  'recordings.stop': ['POST', '/recordings/stop', 'control'],
  'recordings.keep': ['POST', '/recordings/keep', 'control'],
  'recordings.delete': ['DELETE', '/recordings/{name}', 'control'],
  'logs.tail': ['GET', '/logs', 'admin'],
  'events.list': ['GET', '/events', 'view'],
  'config.get': ['GET', '/config', 'admin'],
  'config.update': ['PATCH', '/config', 'admin'],
  'signals.list': ['GET', '/signals', 'view'],
  'midi.get': ['GET', '/midi', 'view'],
  'midi.map': ['PUT', '/midi/map/{id}', 'control'],
  'midi.unmap': ['DELETE', '/midi/map/{id}', 'control'],
  'midi.learn': ['POST', '/midi/learn', 'control'],
  'midi.cancel': ['POST', '/midi/cancel', 'control'],
} as const satisfies Record<
  string,
  readonly ['GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE', string, Role]
>;

export type OperationId = keyof typeof ROUTES;
/** Operations whose answer over REST is a file; the socket has none of them. */
export const FILE_OPERATIONS = ['recordings.download'] as const satisfies readonly OperationId[];
export type FileOperationId = (typeof FILE_OPERATIONS)[number];
export const OPERATION_IDS = Object.keys(ROUTES) as readonly OperationId[];

/** Names of the input fields that are part of an operation's path. */
export function pathFields(id: OperationId): string[] {
  return [...ROUTES[id][1].matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
}
