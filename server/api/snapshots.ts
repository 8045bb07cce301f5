/**
 * Snapshots: all values of a patch under a name, kept on disk; and the way from one to another.
 *
 * Invariant: a snapshot is a document (`livegrad.snapshot/1`) that stands by itself: what `get` gives,
 * `import` takes, on any machine. It holds values by id and the hash of the patch that they belong
 * to, never the patch. What is on disk is the same document.
 */

import { z } from 'zod';
import { REMEMBERED } from '../../dsp/learn/schedules/numbers.ts';
import { nameSchema } from './names.ts';
import { nothing, type OperationSpec } from './operation.ts';
import { revisionSchema } from './schemas.ts';

export const SNAPSHOT_FORMAT = 'livegrad.snapshot/1';

/** Snapshots that are kept. */
export const MAX_SNAPSHOTS = 1000;
/** Seconds of a morph. */
const LONGEST_MORPH = 3600;

const snapshotNameSchema = nameSchema.describe('Of a snapshot: "warm lead".');

const values = z.record(z.string().max(120), z.number());

/** Numbers of an optimiser that are kept. */
export const MAX_REMEMBERED = 20_000;

const learnerSchema = z.strictObject({
  paceMemory: z.array(z.number()).max(REMEMBERED).describe('What the schedule has seen of losses.'),
  optimiser: z
    .record(z.string().max(200), z.union([values, z.array(z.number()).max(MAX_REMEMBERED)]))
    .describe('Its states by name: by the ids of the parameters, or as a list.'),
});

/** Of the patch that a snapshot was saved from. */
const ownerSchema = z.object({
  name: z.string().max(60),
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/u, 'expected 64 hexadecimal digits')
    .describe('SHA-256 of the patch without its training, title and texts.'),
});

const heading = {
  name: snapshotNameSchema,
  doc: z.string().max(2000).optional().describe('For people.'),
  saved: z.iso.datetime().describe('When, in UTC.'),
  patch: ownerSchema,
  step: z.number().min(0).describe('Optimiser steps that had been done.'),
};

export const snapshotSchema = z.strictObject({
  format: z.literal(SNAPSHOT_FORMAT),
  ...heading,
  sliders: values,
  params: values.describe('Learnable parameters.'),
  frozen: z.array(z.string().max(120)).describe('Of the learnable parameters.'),
  rates: values.describe('Factors of the learning rate that somebody has set.'),
  learner: learnerSchema
    .optional()
    .describe(
      'What the learner remembered besides; absent where it was too much, or not to be had.',
    ),
});

export const headingSchema = z.object({
  ...heading,
  sliders: z.int().describe('How many.'),
  params: z.int().describe('How many.'),
  learner: z.boolean().describe('Whether it can go on learning where it was.'),
  fits: z.boolean().describe('Whether it is of the patch that plays.'),
});

const partial = z
  .boolean()
  .optional()
  .describe('Takes what the patch has, within its ranges, where that is not everything.');

/** How a snapshot meets the patch that plays, id by id. */
const fitSchema = z.object({
  taken: z.array(z.string()).describe('Set as they were saved.'),
  clamped: z.array(z.string()).describe('Set as near as the present ranges allow.'),
  missing: z.array(z.string()).describe('Saved, and not in the patch that plays.'),
  untouched: z.array(z.string()).describe('Of the patch that plays, and not saved: as they were.'),
});

export const morphSchema = z.object({
  state: z
    .enum(['none', 'running', 'arrived', 'stopped', 'overtaken'])
    .describe('overtaken: somebody set what it moves, or played another patch.'),
  from: z.string().nullable().describe('Null: from where everything was.'),
  to: z.string().nullable().describe('Null before the first morph.'),
  seconds: z.number(),
  position: z.number().describe('0 at the start, 1 at the end.'),
});

const name = snapshotNameSchema;
const revision = { revision: revisionSchema };
const replace = z.boolean().optional().describe('One of the same name may be lost.');
const list = z.object({ snapshots: z.array(headingSchema) });

export const SNAPSHOT_OPERATIONS = {
  'snapshots.list': {
    summary: 'Snapshots that are kept',
    doc: 'By name. `fits` says which are of the patch that plays.',
    input: nothing,
    output: list,
    errors: [],
  },
  'snapshots.get': {
    summary: 'One snapshot, as a document',
    doc: 'An export: what `POST /snapshots` takes, here or elsewhere.',
    input: z.strictObject({ name }),
    output: snapshotSchema,
    errors: ['UNKNOWN_SNAPSHOT'],
  },
  'snapshots.save': {
    summary: 'Keep the values of now',
    doc: 'Sliders and learnable parameters with their freezes and rates, of one moment between two blocks, with the step and what the optimiser remembers. On disk before the answer.',
    input: z.strictObject({ name, doc: heading.doc, replace }),
    output: headingSchema.extend(revision),
    errors: ['SNAPSHOT_EXISTS', 'NOT_KEPT'],
  },
  'snapshots.import': {
    summary: 'Keep a snapshot that was exported',
    doc: 'It changes nothing of what plays.',
    input: z.strictObject({ snapshot: snapshotSchema, replace }),
    output: headingSchema.extend(revision),
    errors: ['SNAPSHOT_EXISTS', 'NOT_KEPT'],
  },
  'snapshots.load': {
    summary: 'Take the values of a snapshot',
    doc: 'All in one revision. Learning goes on from them, with the step and the memory that the optimiser has; with `optimiser` with those that were saved, of the same patch and optimiser alone, in a crossfade of 20 ms. Where the patch lacks some of them, or has another range, nothing is changed, unless it may be `partial`.',
    input: z.strictObject({
      name,
      partial,
      optimiser: z
        .boolean()
        .default(false)
        .describe('Go on learning where it was: with its step and what the optimiser remembered.'),
    }),
    output: fitSchema.extend(revision),
    errors: [
      'UNKNOWN_SNAPSHOT',
      'SNAPSHOT_MISFIT',
      'AUDITION_UNDER_WAY',
      'PATCH_INVALID',
      'COMPILE_FAILED',
      'ENGINE_REFUSED',
    ],
  },
  'snapshots.rename': {
    summary: 'Rename a snapshot',
    doc: 'A name that is taken is refused.',
    input: z.strictObject({ name, to: snapshotNameSchema }),
    output: headingSchema.extend(revision),
    errors: ['UNKNOWN_SNAPSHOT', 'SNAPSHOT_EXISTS', 'NOT_KEPT'],
  },
  'snapshots.delete': {
    summary: 'Delete a snapshot',
    doc: 'For good. The patch and its values stay as they are.',
    input: z.strictObject({ name }),
    output: z.object(revision),
    errors: ['UNKNOWN_SNAPSHOT', 'NOT_KEPT'],
  },
  'morph.get': {
    summary: 'Where the morph is',
    doc: 'The one that runs, or how the last one ended.',
    input: nothing,
    output: morphSchema,
    errors: [],
  },
  'morph.start': {
    summary: 'Go over to a snapshot in so many seconds',
    doc: 'From another one, or from the values of now. Each parameter moves on its own scale, linear or logarithmic, and ends exactly where it was saved; freezes and rates stay. It ends where it is when somebody sets one of what it moves, plays another patch, or starts another morph.',
    input: z.strictObject({
      to: snapshotNameSchema,
      from: snapshotNameSchema.optional().describe('From the values of now if not given.'),
      seconds: z.number().min(0).max(LONGEST_MORPH),
      partial,
    }),
    output: morphSchema.extend({ ...revision, fit: fitSchema }),
    errors: ['UNKNOWN_SNAPSHOT', 'SNAPSHOT_MISFIT'],
  },
  'morph.stop': {
    summary: 'Stop the morph where it is',
    doc: 'Without one that runs it does nothing.',
    input: nothing,
    output: morphSchema.extend(revision),
    errors: [],
  },
} as const satisfies Record<string, OperationSpec>;

export type Snapshot = z.output<typeof snapshotSchema>;
export type SnapshotHeading = z.output<typeof headingSchema>;
export type SnapshotFit = z.output<typeof fitSchema>;
export type MorphState = z.output<typeof morphSchema>;
