/**
 * Undo and redo: what clients have done, in words, and the way back.
 *
 * Invariant: one history for all clients, newest first. The clock of coalescing and the bound are
 * here, for clients that say so to their users.
 */

import { z } from 'zod';
import { nothing, type OperationSpec } from './operation.ts';
import { revisionSchema } from './schemas.ts';

/** Steps that can be undone. */
export const MAX_EDITS = 100;
/** The same client at the same controls within this time is one step, ms. */
export const COALESCING = 1000;

const words = z.string().describe('What it did: "set cutoff to 1000 Hz".');

export const editsSchema = z.object({
  undo: z.array(words).describe('What can be undone, the newest first.'),
  redo: z.array(words).describe('What can be done again, the next first.'),
});

const doneSchema = editsSchema.extend({
  done: words.describe('What was undone, or done again.'),
  revision: revisionSchema,
});

const APPLIES = [
  'AUDITION_UNDER_WAY',
  'PATCH_INVALID',
  'COMPILE_FAILED',
  'ENGINE_REFUSED',
] as const;

export const EDIT_OPERATIONS = {
  'edits.list': {
    summary: 'What can be undone and done again',
    doc: 'Steps of all clients, at most a hundred, since the daemon started: values, freezes, rates, patches, what is learned and how. What the same client does with the same controls within a second is one step. Learning is one when it stops: undone, the values of before are back. Mute, gain and device are none.',
    input: nothing,
    output: editsSchema,
    errors: [],
  },
  'edits.undo': {
    summary: 'Undo the last step',
    doc: 'Whoever made it. Only what the step changed goes back; what has been learned of the rest stays. While learning goes on that was started after all other steps, it stops, and the values of before are back.',
    input: nothing,
    output: doneSchema,
    errors: ['NOTHING_TO_UNDO', ...APPLIES],
  },
  'edits.redo': {
    summary: 'Do again what was undone last',
    doc: 'Until somebody makes another step. Learning is not done again: the values that it ended with are back.',
    input: nothing,
    output: doneSchema,
    errors: ['NOTHING_TO_UNDO', ...APPLIES],
  },
} as const satisfies Record<string, OperationSpec>;

export type EditsState = z.output<typeof editsSchema>;

/** What a button says: the next of either, null where there is none. */
export interface NextEdits {
  readonly undo: string | null;
  readonly redo: string | null;
}
