/**
 * The end of the daemon's log, for who cannot see its standard error.
 *
 * Invariant: entries are numbered without gaps from the start of the daemon, so that a client that
 * asks `after` the last one it has misses none, or sees by the numbers how many. No path of the disk
 * and no secret is in them.
 */

import { z } from 'zod';
import type { OperationSpec } from './operation.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
/** Entries that are kept. */
export const MAX_ENTRIES = 1000;

export const logEntrySchema = z.object({
  number: z.int().describe('Counts from 1.'),
  time: z.string().describe('UTC.'),
  level: z.enum(LOG_LEVELS),
  message: z.string(),
  fields: z.record(z.string(), z.unknown()).describe('What else was logged with it.'),
});

export const LOG_OPERATIONS = {
  'logs.tail': {
    summary: 'The end of the log',
    doc: 'The oldest first. Of paths only the last part is shown. What is below the configured `log.level` is not there.',
    input: z.strictObject({
      after: z.coerce.number().int().min(0).optional().describe('Only entries after this one.'),
      level: z.enum(LOG_LEVELS).optional().describe('Only as severe as this, or more.'),
      limit: z.coerce.number().int().min(1).max(MAX_ENTRIES).default(100).describe('How many.'),
    }),
    output: z.object({
      entries: z.array(logEntrySchema),
      last: z.int().describe('Number of the newest entry of all; 0 before the first.'),
    }),
    errors: [],
  },
} as const satisfies Record<string, OperationSpec>;

export type LogEntry = z.output<typeof logEntrySchema>;
