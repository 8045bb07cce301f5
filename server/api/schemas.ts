/**
 * What travels over the API, as zod schemas: the shapes that REST, JSON-RPC, OpenAPI and the SDK
 * share.
 *
 * Invariant: every mutation answers with the revision that it made. Numbers that may be unknown
 * (no window finished yet, not finite) are null, never absent. No behaviour lives here.
 */

import { z } from 'zod';
import { LEARN_SCALES } from '../../dsp/control.ts';
import { scheduleChangeSchema, scheduleSchema } from '../../dsp/learn/schedules/schedule.ts';
import { FAULT_NAMES } from '../../dsp/run/faults.ts';
import { faustSchema } from '../../dsp/patch/faust.ts';
import {
  PATCH_FORMAT,
  expectationSchema,
  idSchema,
  patchSchema,
  trainingFields,
} from '../../dsp/patch/schema.ts';
import { diagnosticSchema } from './errors.ts';

export const revisionSchema = z
  .int()
  .min(0)
  .describe('Grows by one with every change of the session, whoever made it.');

const known = z.number().nullable();

export const loadSchema = z
  .object({ mean: z.number(), p99: z.number(), max: z.number() })
  .describe("Processing time as a share of a block's period, over the last second.");

export const outputSchema = z.object({
  muted: z.boolean(),
  gainDb: z.number().describe('Gain before the limiter, dB.'),
});

export const engineSchema = outputSchema.extend({
  state: z.enum(['starting', 'running', 'degraded', 'restarting', 'stopped']),
  pid: z.int().nullable(),
  backend: z.enum(['auto', 'portaudio', 'virtual', 'file']),
  device: z.object({ input: z.string(), output: z.string() }).nullable(),
  sampleRate: z.number().describe('Hz.'),
  blockSize: z.int().describe('Frames.'),
  inputs: z.int(),
  outputs: z.int(),
  latency: z.number().describe('Calibrated round trip, frames; 0 until calibrated.'),
  inputMap: z
    .array(z.int())
    .readonly()
    .describe('Channels of the device that the program hears, from 1; empty: as they are.'),
  outputMap: z.array(z.int()).readonly().describe('Channels of the device that it plays.'),
  load: loadSchema,
  xruns: z.int(),
  lateBlocks: z.int(),
  nanBlocks: z.int(),
  framesProcessed: z.number(),
  restarts: z.int(),
  realtime: z.boolean().nullable().describe('Whether the audio thread has real-time priority.'),
  revectorized: z
    .boolean()
    .nullable()
    .describe('Whether the program runs on eight numbers at a time; null while not asked for.'),
  reason: z.string().nullable().describe('Why the state is what it is; null when all is well.'),
});

export const progressSchema = z.object({
  running: z.boolean(),
  waiting: z
    .boolean()
    .describe('Takes no steps: the patch learns from what it plays, and the output is muted.'),
  step: z.number().describe('Optimiser steps done.'),
  loss: known.describe('Of the last finished window.'),
  learningRate: known.describe('Of the last step, or of the next one before the first.'),
  fault: z.boolean().describe('A guard stopped learning; it is forgotten when learning starts.'),
  cause: z
    .object({
      guard: z.enum(FAULT_NAMES),
      value: known.describe('What was met; null where it is no finite number.'),
      bound: known.describe('What it was compared with; null where it had to be finite.'),
      step: z.number().describe('Optimiser steps done.'),
      param: z.string().nullable().describe('The parameter, where it was one.'),
      message: z.string().describe('All of it, in a sentence.'),
    })
    .nullable()
    .describe('Which guard stopped learning, and why; null while none did.'),
});

export const sourceSchema = z
  .object({
    file: z.string().nullable().describe('Its name; null where a client brought the patch.'),
    diagnostics: z
      .array(diagnosticSchema)
      .describe('Why the file, as it was saved last, does not play; what played before does.'),
  })
  .describe('The file that the patch comes from: saving it plays it.');

export const statusSchema = z.object({
  name: z.literal('livegrad'),
  version: z.string(),
  uptime: z.number().describe('Seconds.'),
  revision: revisionSchema,
  patch: z.string().describe('Name of the patch that plays.'),
  program: z.int().describe('Generation of the compiled program; 0 before the first.'),
  source: sourceSchema,
  engine: engineSchema,
  training: progressSchema,
});

export const deviceSchema = z.object({
  id: z.string(),
  name: z.string(),
  hostApi: z.string(),
  inputs: z.int(),
  outputs: z.int(),
  sampleRate: z.number(),
  isDefaultInput: z.boolean(),
  isDefaultOutput: z.boolean(),
  backend: z.enum(['portaudio', 'virtual']),
});

/** The audio settings that a client may change; the rest is for who starts the daemon. */
export const selectionSchema = z.strictObject({
  backend: z.enum(['auto', 'portaudio', 'virtual']).optional(),
  input: z.string().max(1024).optional().describe('Name or id; empty takes the default.'),
  output: z.string().max(1024).optional().describe('Name or id; empty takes the default.'),
  sampleRate: z
    .union([z.int().min(8000).max(384000), z.literal('device')])
    .optional()
    .describe('Hz; `device` follows that of the device.'),
  blockSize: z.int().min(16).max(8192).optional(),
  inputChannels: z.int().min(1).max(64).optional(),
  outputChannels: z.int().min(1).max(64).optional(),
});

export const calibrationSchema = z.object({
  latency: z.number().describe('Frames from an output to the input that heard it.'),
  confidence: z.number().describe('Height of the correlation peak over the next highest.'),
});

export const learnSchema = z
  .literal([true, false, ...LEARN_SCALES])
  .describe('The scale in which it is learned; `true`: that of the slider; `false`: a slider.');

export const paramSchema = z
  .object({
    id: idSchema,
    kind: z.enum(['slider', 'learnable']),
    index: z.int().describe('Place in the telemetry of `params` and `gradients`, for learnables.'),
    value: z.number(),
    gradient: known.describe('Of the last finished window; null for sliders.'),
    frozen: z.boolean(),
    rate: known.describe('Factor of the learning rate, for this one alone; null for sliders.'),
    learn: z
      .enum(LEARN_SCALES)
      .nullable()
      .describe('Scale in which it is learned; null for sliders.'),
    initial: z.number(),
    min: z.number(),
    max: z.number(),
    step: z.number().optional(),
    unit: z.string().optional(),
    scale: z.enum(['linear', 'log']),
    doc: z.string().optional(),
  })
  .meta({ id: 'Param' });

export const meterSchema = z.object({
  id: idSchema,
  index: z.int().describe('Place in the telemetry of `meters`.'),
  value: known.describe('At the last sample; null where it is not finite, or not measured yet.'),
  min: z.number().describe('Of the range to draw, which the value may leave.'),
  max: z.number(),
  unit: z.string().optional(),
  scale: z.enum(['linear', 'log']),
  doc: z.string().optional(),
});

const { schedule: _schedule, ...settingsFields } = trainingFields;

/** Of a patch, but for the schedule. */
export const trainingSettingsSchema = z.object(settingsFields);

export const trainingUpdateSchema = z
  .strictObject({ ...trainingFields, schedule: scheduleChangeSchema, running: z.boolean() })
  .partial()
  .meta({ id: 'TrainingUpdate' });

export const trainingStateSchema = progressSchema.extend({
  settings: trainingSettingsSchema.nullable().describe('Null when the patch has no training.'),
  schedule: scheduleSchema.nullable(),
});

export const previewInputSchema = z.strictObject({
  schedule: scheduleChangeSchema.optional().describe('The one in use when absent.'),
  from: z.int().min(0).max(1e12).default(0).describe('First step.'),
  count: z.int().min(1).max(10_000).default(256).describe('How many values.'),
  stride: z.int().min(1).max(1e9).default(1).describe('Steps from one value to the next.'),
  losses: z
    .array(z.number())
    .max(100_000)
    .optional()
    .describe(
      'For a plateau: losses of the steps from `from` on, the last for all that follow; one is a loss that stays. Without them its rate stays.',
    ),
});

/** Numbers of a query come as text. */
export const aheadInputSchema = z.strictObject({
  count: z.coerce.number().int().min(1).max(10_000).default(256).describe('How many rates.'),
  stride: z.coerce
    .number()
    .int()
    .min(1)
    .max(1e9)
    .default(1)
    .describe('Steps from one to the next.'),
});

export const aheadSchema = z.object({
  from: z.number().describe('The present step.'),
  stride: z.int(),
  rates: z.array(z.number()),
});

export const schedulePositionSchema = z.object({
  schedule: scheduleSchema,
  step: z.number().describe('Optimiser steps done.'),
  position: z.number().describe('Steps since the schedule began.'),
  learningRate: z.number().describe('Of the next step.'),
});

export const channelsSchema = z
  .array(z.int().min(1).max(64))
  .max(64)
  .describe('Channels of the device, from 1.');

export const testInputSchema = z.strictObject({
  signal: z.enum(['sine', 'noise']).default('sine').describe('noise is pink.'),
  frequency: z.number().min(20).max(20_000).default(1000).describe('Of the sine, Hz.'),
  levelDb: z.number().min(-80).max(-9).default(-20).describe('RMS, dBFS.'),
  seconds: z.number().min(0.1).max(10).default(1).describe('On each output.'),
  outputs: z
    .array(z.int().min(1).max(64))
    .min(1)
    .max(64)
    .optional()
    .describe('Of the device, from 1, one after the other; all of them if not given.'),
});

export const exampleSchema = z.object({
  name: z.string(),
  title: z.string().optional(),
  doc: z.string().optional(),
  expect: z.array(expectationSchema),
});

/** A whole patch, or a shipped example by its name. */
export const patchInputSchema = z
  .union([
    z.strictObject({ example: z.string().max(60) }).describe('A shipped example by its name.'),
    z
      .strictObject({
        format: z.literal(PATCH_FORMAT),
        name: z.string().optional(),
        faust: faustSchema,
      })
      .describe('A Faust program, which may say all else itself.'),
    patchSchema.describe('A livegrad.patch/1 document.'),
  ])
  .meta({ id: 'GivenPatch' });

/** Whatever `patchInputSchema` takes, beside other fields; the compile thread checks it. */
export const patchObjectSchema = z
  .record(z.string(), z.unknown())
  .describe('As PUT /patch takes it: a document, a Faust program, or a shipped example.');

export const patchInfoSchema = z.object({
  name: z.string(),
  title: z.string().optional(),
  doc: z.string().optional(),
  sampleRate: z.number(),
  maxBlock: z.int(),
  latency: z.number().describe('Round trip it was compiled for, frames.'),
  window: z.int().describe('Frames per optimiser step; 0 without training.'),
  mode: z.enum(['forward', 'reverse', 'mixed', 'none']),
  inputs: z.int(),
  outputs: z.int(),
  sliders: z.array(z.string()),
  params: z.array(z.string()),
  meters: z.array(z.string()),
  wasmBytes: z.int(),
  memoryBytes: z.int(),
  why: z.array(z.string()).describe('Why this differentiation mode, in sentences.'),
});

const exportFormatSchema = z.enum(['patch', 'faust']);

export const exportInputSchema = z.strictObject({
  format: exportFormatSchema
    .optional()
    .describe('A JSON document, or the Faust program; without it what the patch came as.'),
});

export const exportedSchema = z.object({
  format: exportFormatSchema,
  file: z.string().describe('A name for a file: gain.json.'),
  text: z.string(),
  notes: z.array(z.string()).describe('What is not as it was, in sentences.'),
});

export const checkSchema = z.object({
  ok: z.boolean(),
  diagnostics: z.array(diagnosticSchema),
  info: patchInfoSchema.nullable(),
});

export type Status = z.output<typeof statusSchema>;
export type SourceState = z.output<typeof sourceSchema>;
export type Meter = z.output<typeof meterSchema>;
export type Param = z.output<typeof paramSchema>;
export type TrainingState = z.output<typeof trainingStateSchema>;
export type TrainingUpdate = z.output<typeof trainingUpdateSchema>;
export type Selection = z.output<typeof selectionSchema>;
export type PatchInfo = z.output<typeof patchInfoSchema>;
export type Exported = z.output<typeof exportedSchema>;
export type OutputState = z.output<typeof outputSchema>;
export type AheadOutput = z.output<typeof aheadSchema>;
export type SchedulePosition = z.output<typeof schedulePositionSchema>;
export type PreviewInput = z.output<typeof previewInputSchema>;
export type Device = z.output<typeof deviceSchema>;
