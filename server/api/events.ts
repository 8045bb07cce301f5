/**
 * What happened to the engine, for who was not there: crashes, lost devices, xruns, faults.
 *
 * Invariant: entries are numbered without gaps from the start of the daemon, and the newest
 * `MAX_EVENTS` are kept.
 */

import { z } from 'zod';
import type { OperationSpec } from './operation.ts';

/** Events that are kept. */
export const MAX_EVENTS = 200;

export const EVENT_KINDS = [
  'crashed',
  'hung',
  'device-lost',
  'device-returned',
  'ended',
  'xrun',
  'nan',
  'fault',
  'realtime',
  'revectorized',
  'program-refused',
] as const;

export const eventSchema = z.object({
  number: z.int().describe('Counts from 1.'),
  time: z.string().describe('UTC.'),
  kind: z.enum(EVENT_KINDS),
  message: z.string(),
});

export const EVENT_OPERATIONS = {
  'events.list': {
    summary: 'What happened to the engine',
    doc: `The newest, the oldest of them first; ${MAX_EVENTS} are kept. The topic \`events\` tells them as they happen.`,
    input: z.strictObject({
      after: z.coerce.number().int().min(0).optional().describe('Only events after this one.'),
    }),
    output: z.object({
      events: z.array(eventSchema),
      last: z.int().describe('Number of the newest event of all; 0 before the first.'),
    }),
    errors: [],
  },
} as const satisfies Record<string, OperationSpec>;

export type EventEntry = z.output<typeof eventSchema>;
