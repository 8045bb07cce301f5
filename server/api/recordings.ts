/**
 * Recordings: what was heard, played and compared, in WAV files (32-bit float), from now on or kept
 * after it happened.
 *
 * Invariant: a recording is a file of its own, with what is said of it here in its header; its samples
 * are those of the device and of the program, to the bit.
 */

import { z } from 'zod';
import { nameSchema } from './names.ts';
import { nothing, type OperationSpec } from './operation.ts';
import { revisionSchema } from './schemas.ts';

/** Recordings that are kept. */
export const MAX_RECORDINGS = 1000;
/** Channels of one. */
export const MAX_CHANNELS = 128;
/** Seconds, a day. */
const LONGEST = 86_400;

const recordingNameSchema = nameSchema.max(60).describe('Of a recording: "take 3".');

/** What there is to say of one that is made. */
const begun = {
  name: recordingNameSchema,
  channels: z
    .array(z.string())
    .describe('What is in the channels of the file: `in1`, `out1`, `target`, `estimate`.'),
  sampleRate: z.number().describe('Hz.'),
  began: z.iso.datetime().describe('When its first sample was heard, in UTC.'),
  patch: z.string().describe('What played when it was asked for.'),
  seconds: z.number().describe('How long it is.'),
  bytes: z.int().describe('Of the file.'),
};

export const begunSchema = z.object(begun);
export const recordingSchema = z.object({
  ...begun,
  frames: z.int(),
  lost: z
    .int()
    .describe('Frames of silence in the place of what the disk was too slow for; 0 is usual.'),
});

export const RECORD_ENDS = ['asked', 'length', 'full', 'failed', 'engine'] as const;

const channels = z
  .array(z.string().max(20))
  .min(1)
  .max(MAX_CHANNELS)
  .optional()
  .describe(
    'Of `GET /signals` without `error`, and all inputs and outputs; if not given all of them.',
  );
const made = {
  channels,
  name: recordingNameSchema.optional().describe('That of the patch and the time, if not given.'),
};

export const RECORDING_OPERATIONS = {
  'recordings.list': {
    summary: 'The recordings that are kept, and the one that is made',
    doc: 'The newest first.',
    input: nothing,
    output: z.object({
      recordings: z.array(recordingSchema),
      current: begunSchema.nullable().describe('What is being recorded.'),
      lookback: z
        .number()
        .describe('Seconds of the past that can be kept, once so much has been heard.'),
      bytes: z.int().describe('Of all of them.'),
      maxBytes: z.int().describe('That all of them may have.'),
    }),
    errors: [],
  },
  'recordings.get': {
    summary: 'What there is to say of a recording',
    doc: 'Its channels, how long it is, when it began.',
    input: z.strictObject({ name: recordingNameSchema }),
    output: recordingSchema,
    errors: ['UNKNOWN_RECORDING'],
  },
  'recordings.download': {
    summary: 'A recording as a WAV file',
    doc: 'Over REST alone: `audio/wav`, 32-bit float.',
    input: z.strictObject({ name: recordingNameSchema }),
    output: recordingSchema,
    errors: ['UNKNOWN_RECORDING', 'ONLY_REST'],
    file: 'audio/wav',
  },
  'recordings.start': {
    summary: 'Record from now on',
    doc: 'Until `recordings.stop`, for so many seconds, or until there is no more room. It goes on when the patch changes, and ends with the engine or the device. Everyone is told when it ends.',
    input: z.strictObject({
      ...made,
      seconds: z.number().min(0.001).max(LONGEST).optional().describe('How long, at most.'),
    }),
    output: begunSchema.extend({ revision: revisionSchema }),
    errors: ['RECORDING_RUNS', 'RECORDING_EXISTS', 'NOTHING_TO_RECORD', 'NOT_KEPT'],
  },
  'recordings.stop': {
    summary: 'End the recording',
    doc: 'The file is whole when the answer comes; where it `failed`, there may be none.',
    input: nothing,
    output: recordingSchema.extend({
      reason: z.enum(RECORD_ENDS).describe('Why it ended: `asked`, if nothing came before.'),
      revision: revisionSchema,
    }),
    errors: ['NOT_RECORDING'],
  },
  'recordings.keep': {
    summary: 'Keep what just happened',
    doc: 'The last seconds become a recording, as many of them as there are: `recordings.lookback` of the configuration at most. Also while another one is made.',
    input: z.strictObject({
      ...made,
      seconds: z.number().min(0.001).max(LONGEST).describe('How many of the last ones.'),
    }),
    output: recordingSchema.extend({ revision: revisionSchema }),
    errors: ['RECORDING_EXISTS', 'NOTHING_TO_RECORD', 'NOT_KEPT'],
  },
  'recordings.delete': {
    summary: 'Delete a recording for good',
    doc: 'Not the one that is made.',
    input: z.strictObject({ name: recordingNameSchema }),
    output: z.object({ revision: revisionSchema }),
    errors: ['UNKNOWN_RECORDING'],
  },
} as const satisfies Record<string, OperationSpec>;

export type Recording = z.output<typeof recordingSchema>;
export type RecordingBegun = z.output<typeof begunSchema>;
export type RecordReason = (typeof RECORD_ENDS)[number];

/** Params of the notification `recordings.changed`. */
export interface RecordingChange {
  readonly name: string;
  readonly what: 'began' | 'ended' | 'kept' | 'deleted';
  /** Why it ended; null where it did not. */
  readonly reason: RecordReason | null;
}
