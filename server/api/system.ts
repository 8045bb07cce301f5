/**
 * The host as a machine: what runs, and ending it.
 *
 * Invariant: versions and sizes only; nothing of the disk, of its users or of its other programs.
 */

import { z } from 'zod';
import { nothing, type OperationSpec } from './operation.ts';
import { engineSchema, revisionSchema } from './schemas.ts';

export const systemSchema = z.object({
  version: z.string().describe('Of livegrad.'),
  node: z.string(),
  v8: z.string(),
  platform: z.string().describe('linux, darwin or win32.'),
  arch: z.string().describe('x64 or arm64.'),
  cpus: z.int(),
  memoryBytes: z.number().describe('Of the machine.'),
  pid: z.int().describe('Of the control process; that of the engine is in GET /status.'),
  started: z.iso.datetime().describe('When, in UTC.'),
  uptime: z.number().describe('Of the session, seconds.'),
});

export const SYSTEM_OPERATIONS = {
  'system.get': {
    summary: 'Versions and the machine',
    doc: 'What runs here, and since when.',
    input: nothing,
    output: systemSchema,
    errors: [],
  },
  'system.restartEngine': {
    summary: 'Replace the engine process',
    doc: 'With the same device: it is closed, and opened by a new process, which goes on with the values, the step, the optimiser and the mute of now. The signals begin anew.',
    input: nothing,
    output: z.object({ revision: revisionSchema, engine: engineSchema }),
    errors: ['DEVICE_REFUSED'],
  },
  'system.shutdown': {
    summary: 'End the daemon',
    doc: 'As SIGTERM does: the session is saved, the device closed, no process left behind. Whoever supervises the daemon may start it again.',
    input: nothing,
    output: z.object({ stopping: z.literal(true) }),
    errors: [],
  },
} as const satisfies Record<string, OperationSpec>;
