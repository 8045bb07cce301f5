/**
 * A/B audition: A is what played when it began, B a candidate; who listens goes from one to the other.
 *
 * Invariant: while it lasts neither side learns, and whatever else is set (values, freezes, rates,
 * schedule) belongs to the side that is heard and stays with it. What would exchange a side, another
 * patch, a lesson, learning, undo, is refused with AUDITION_UNDER_WAY until somebody ends it.
 */

import { z } from 'zod';
import { nameSchema } from './names.ts';
import { nothing, type OperationSpec } from './operation.ts';
import { patchObjectSchema, revisionSchema } from './schemas.ts';

/** Decibels that a level match may add or take away. */
export const MAX_MATCH_DB = 12;

export const SIDES = ['a', 'b'] as const;
export type SideName = (typeof SIDES)[number];
const side = z.enum(SIDES);

const sideSchema = z.object({
  patch: z.string().describe('Name of its patch.'),
  step: z.number().describe('Optimiser steps done.'),
  levelDb: z
    .number()
    .nullable()
    .describe(
      'RMS over all outputs while it was heard, dBFS, before the output gain; null before half a second.',
    ),
});

export const candidateSchema = z.object({
  kind: z.enum(['patch', 'library', 'snapshot', 'values']),
  name: z.string().nullable().describe('Of the snapshot, or in the library.'),
});

export const auditionSchema = z.object({
  state: z
    .enum(['none', 'running', 'committed', 'rolledBack'])
    .describe('How the last one ended, where none runs.'),
  heard: side.nullable().describe('Null where none runs.'),
  candidate: candidateSchema.nullable().describe('What B is; null before the first.'),
  a: sideSchema.nullable(),
  b: sideSchema.nullable(),
  match: z.boolean().describe('Whether B is played as loud as A.'),
  matchDb: z
    .number()
    .describe(
      `Added to the output gain now, at most ${MAX_MATCH_DB} dB either way; 0 while A is heard.`,
    ),
});

const match = z
  .boolean()
  .describe('Play B as loud as A: by the RMS of each, as far as both have been heard.');
const answer = auditionSchema.extend({ revision: revisionSchema });

/** One of the first four says what B is. */
export const auditionStartSchema = z.strictObject({
  patch: patchObjectSchema.optional(),
  library: nameSchema.optional().describe('A patch that is kept in the library.'),
  snapshot: nameSchema.optional().describe('Of the patch that plays.'),
  values: z
    .record(z.string().max(120), z.number())
    .optional()
    .describe('Of sliders and parameters of the patch that plays.'),
  partial: z
    .boolean()
    .optional()
    .describe('Of a snapshot, where the patch has not all, or other ranges.'),
  match: match.default(false),
});

export const AUDITION_OPERATIONS = {
  'audition.get': {
    summary: 'What is compared with what',
    doc: 'The audition that runs, or how the last one ended.',
    input: nothing,
    output: auditionSchema,
    errors: [],
  },
  'audition.start': {
    summary: 'Compare a candidate with what plays',
    doc: 'What plays is A; the candidate, exactly one of `patch`, `library`, `snapshot` and `values`, is B, compiled off to the side and then heard, in a crossfade of 20 ms. Neither learns meanwhile. A daemon that ends comes back with A.',
    input: auditionStartSchema,
    output: answer,
    errors: [
      'AUDITION_UNDER_WAY',
      'UNKNOWN_EXAMPLE',
      'UNKNOWN_PATCH',
      'UNKNOWN_SNAPSHOT',
      'SNAPSHOT_MISFIT',
      'UNKNOWN_PARAM',
      'VALUE_OUT_OF_RANGE',
      'PATCH_INVALID',
      'COMPILE_FAILED',
      'ENGINE_REFUSED',
    ],
  },
  'audition.compare': {
    summary: 'Hear the other side, or one of them',
    doc: 'Each goes on with its own values where it was left, signals that both have by name go along. Without `heard` the other one; `match` turns the level match on or off.',
    input: z.strictObject({ heard: side.optional(), match: match.optional() }),
    output: answer,
    errors: ['NO_AUDITION', 'PATCH_INVALID', 'COMPILE_FAILED', 'ENGINE_REFUSED'],
  },
  'audition.commit': {
    summary: 'Keep B',
    doc: 'One step for undo. The level match goes; learning goes on where A was learning.',
    input: nothing,
    output: answer,
    errors: ['NO_AUDITION', 'PATCH_INVALID', 'COMPILE_FAILED', 'ENGINE_REFUSED'],
  },
  'audition.rollback': {
    summary: 'Return to A',
    doc: 'To its values, training, step and what its optimiser remembers, and to learning where it was; B is forgotten.',
    input: nothing,
    output: answer,
    errors: ['NO_AUDITION', 'PATCH_INVALID', 'COMPILE_FAILED', 'ENGINE_REFUSED'],
  },
} as const satisfies Record<string, OperationSpec>;

export type AuditionState = z.output<typeof auditionSchema>;
export type Candidate = z.output<typeof candidateSchema>;
