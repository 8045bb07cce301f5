/**
 * The history: what was learned when, with its losses and parameters.
 *
 * Invariant: a run is learning from its start to its end, of one patch and one set of parameters. Its
 * series is in order of time; where it is thinned, each point is the mean (loss), the lowest and the
 * highest of what it stands for, and the last (step, rate, parameters).
 */

import { z } from 'zod';
import type { OperationSpec } from './operation.ts';
import { revisionSchema } from './schemas.ts';

/** Parameters of a patch whose series are kept, the first. */
export const MAX_RECORDED = 256;
/** Points of a run that are kept: one with more is thinned by half, again and again. */
export const MAX_POINTS = 10_000;
/** Bytes on disk: beyond it the oldest runs go. */
export const MAX_BYTES = 256 * 2 ** 20;
/** Numbers in an answer, and in an export. */
const MAX_NUMBERS = 40_000;
const MAX_EXPORTED = 200_000;

const known = z.number().nullable();

export const runSchema = z.object({
  run: z.int().describe('Its number: when it began, milliseconds since 1970.'),
  patch: z.string(),
  hash: z.string().describe('Of the patch, as snapshots have it.'),
  began: z.string().describe('UTC.'),
  ended: z.string().nullable().describe('UTC; null while it goes on.'),
  end: z
    .enum(['stopped', 'fault', 'reset', 'patch', 'shutdown', 'lost'])
    .nullable()
    .describe('Why. lost: the daemon was killed, or the power went.'),
  params: z.array(z.string()).describe('Those whose series are kept.'),
  points: z.int().describe('That are kept.'),
  spacing: z.int().describe('Milliseconds from one to the next.'),
  steps: z.number().describe('Optimiser steps.'),
  first: known.describe('The first loss.'),
  last: known.describe('The last loss.'),
  best: known.describe('The lowest loss.'),
});

export const seriesSchema = z.object({
  run: z.int(),
  at: z.array(z.number()).describe('Seconds since the run began.'),
  step: z.array(z.number()),
  loss: z.array(known),
  low: z.array(known),
  high: z.array(known),
  rate: z.array(known),
  params: z.record(z.string(), z.array(known)),
});

const run = z.coerce
  .number()
  .int()
  .min(0)
  .max(2 ** 52)
  .describe('Number of the run.');

/** Numbers of a query come as text. */
const range = {
  from: z.coerce.number().min(0).default(0).describe('Seconds since the run began.'),
  to: z.coerce.number().min(0).optional().describe('Seconds; to the end if not given.'),
  points: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_POINTS)
    .default(1000)
    .describe('At most so many: thinned evenly.'),
  params: z
    .union([z.string().max(4000), z.array(z.string().max(120)).max(MAX_RECORDED)])
    .optional()
    .describe('Ids, divided by commas; all if not given, none if empty.'),
};

const ERRORS = ['UNKNOWN_RUN', 'HISTORY_UNAVAILABLE'] as const;

export const HISTORY_OPERATIONS = {
  'history.list': {
    summary: 'Runs of learning',
    doc: 'The newest first. They outlive the daemon.',
    input: z.strictObject({
      limit: z.coerce.number().int().min(1).max(1000).default(100).describe('How many.'),
      before: z.coerce.number().optional().describe('Only runs older than this one.'),
    }),
    output: z.object({
      runs: z.array(runSchema),
      bytes: z.number().describe('On disk; runs go, the oldest first, beyond 256 MiB.'),
      longestWrite: z
        .number()
        .describe('Of all writes since the start, milliseconds, on a thread of their own.'),
    }),
    errors: ['HISTORY_UNAVAILABLE'],
  },
  'history.get': {
    summary: 'The series of a run',
    doc: `Loss, rate and parameters over time. At most ${MAX_NUMBERS} numbers: of many parameters fewer points.`,
    input: z.strictObject({ run, ...range }),
    output: seriesSchema,
    errors: ERRORS,
  },
  'history.export': {
    summary: 'The series of a run, as a file',
    doc: 'CSV with a line of names and a point a line, numbers as they are; or JSON.',
    input: z.strictObject({
      run,
      ...range,
      points: range.points.default(MAX_POINTS),
      format: z.enum(['csv', 'json']).default('csv'),
    }),
    output: z.object({
      format: z.enum(['csv', 'json']),
      file: z.string().describe('A name for a file: gain-2026-11-23T12-00-00Z.csv.'),
      text: z.string(),
    }),
    errors: ERRORS,
  },
  'history.delete': {
    summary: 'Delete a run',
    doc: 'For good. One that goes on begins anew.',
    input: z.strictObject({ run }),
    output: z.object({ revision: revisionSchema }),
    errors: ERRORS,
  },
} as const satisfies Record<string, OperationSpec>;

/** Points of so many numbers each that fit into an answer. */
export const pointsWithin = (wanted: number, params: number, isExport: boolean): number =>
  Math.max(1, Math.min(wanted, Math.floor((isExport ? MAX_EXPORTED : MAX_NUMBERS) / (6 + params))));

export type Run = z.output<typeof runSchema>;
export type Series = z.output<typeof seriesSchema>;
export type RunEnd = NonNullable<Run['end']>;

/** What became of the history. */
export interface HistoryChange {
  readonly run: number;
  readonly what: 'began' | 'ended' | 'deleted';
}
