/**
 * The daemon's settings over the API: those that a client may change, in the configuration file.
 *
 * Invariant: none of them is a secret, names a file, or opens the daemon to others: who may change such
 * is who can log in to its machine. A change is in the file before the answer, with all comments kept.
 */

import { z } from 'zod';
import { nothing, type OperationSpec } from './operation.ts';
import { revisionSchema } from './schemas.ts';

const value = z.union([z.string().max(1024), z.number(), z.boolean()]);
const effect = z
  .enum(['live', 'engine', 'start'])
  .describe('When a change counts: at once, with a restart of the engine, or at the next start.');

export const CONFIG_OPERATIONS = {
  'config.get': {
    summary: 'Settings of the daemon that can be changed over the API',
    doc: 'As they are in use, and as they will be at the next start: file, variables and flags together.',
    input: nothing,
    output: z.object({
      file: z.string().nullable().describe('The name of the configuration file; null without one.'),
      settings: z.array(
        z.object({
          key: z.string().describe('As in the file: `audio.blockSize`.'),
          value: value.describe('In use.'),
          next: value.describe('At the next start.'),
          effect,
          doc: z.string(),
        }),
      ),
    }),
    errors: [],
  },
  'config.update': {
    summary: 'Change settings in the configuration file',
    doc: 'All of them or none; null takes one out of the file, so that its default holds. What counts at once does before the answer. All else in the file stays as it is, comments too. A setting that a variable or flag decides is refused.',
    input: z.strictObject({
      settings: z.record(z.string().max(120), value.nullable()).describe('By key.'),
    }),
    output: z.object({
      revision: revisionSchema,
      file: z.string(),
      changed: z
        .array(z.object({ key: z.string(), effect }))
        .describe('That are other than before.'),
    }),
    errors: ['NOT_KEPT', 'DEVICE_REFUSED'],
  },
} as const satisfies Record<string, OperationSpec>;

export type ConfigState = z.output<(typeof CONFIG_OPERATIONS)['config.get']['output']>;
export type ConfigTaken = Omit<
  z.output<(typeof CONFIG_OPERATIONS)['config.update']['output']>,
  'revision'
>;

/** What was changed, by key. */
export interface ConfigChanged {
  readonly settings: readonly string[];
}
