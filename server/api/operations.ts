/**
 * What every operation takes, gives and can fail with. `routes.ts` says where it is; together they
 * are REST, JSON-RPC, OpenAPI and the types of the SDK, each written once.
 *
 * Invariant: total over `ROUTES` (the type checker proves it). `errors` lists what the operation
 * itself can answer; what any request can meet (INVALID_INPUT, UNAUTHORIZED, ...) is in
 * `COMMON_ERRORS`. It does not run anything: `server/control` does.
 */

import { z } from 'zod';
import { rateFactor } from '../../dsp/learn/optimisers/table.ts';
import { scheduleChangeSchema } from '../../dsp/learn/schedules/schedule.ts';
import { patchSchema } from '../../dsp/patch/schema.ts';
import { AUDITION_OPERATIONS } from './audition.ts';
import { EDIT_OPERATIONS } from './edits.ts';
import type { ErrorCode } from './errors.ts';
import { CONFIG_OPERATIONS } from './config.ts';
import { EVENT_OPERATIONS } from './events.ts';
import { HISTORY_OPERATIONS } from './history.ts';
import { LIBRARY_OPERATIONS } from './library.ts';
import { LOG_OPERATIONS } from './logs.ts';
import { MIDI_OPERATIONS } from './midi.ts';
import { nothing, type OperationSpec } from './operation.ts';
import { RECORDING_OPERATIONS } from './recordings.ts';
import { ROLES } from './roles.ts';
import type { OperationId } from './routes.ts';
import * as s from './schemas.ts';
import { SIGNAL_OPERATIONS } from './signals.ts';
import { SNAPSHOT_OPERATIONS } from './snapshots.ts';
import { SYSTEM_OPERATIONS } from './system.ts';

export const COMMON_ERRORS = [
  'INVALID_INPUT',
  'UNAUTHORIZED',
  'FORBIDDEN_ROLE',
  'FORBIDDEN_ORIGIN',
  'RATE_LIMITED',
  'INTERNAL',
] as const satisfies readonly ErrorCode[];

const id = z.string().max(120).describe('Id of a slider or learnable parameter: hidden/gain.');
const revision = { revision: s.revisionSchema };
const COMPILES = ['PATCH_INVALID', 'COMPILE_FAILED', 'ENGINE_REFUSED'] as const;
const LEARNS = [
  'UNKNOWN_PARAM',
  'VALUE_OUT_OF_RANGE',
  'NOT_LEARNABLE',
  'NOT_TRAINABLE',
  'AUDITION_UNDER_WAY',
  ...COMPILES,
] as const;
const training = s.trainingUpdateSchema
  .optional()
  .describe('As PATCH /training takes it; a patch without a training gets one.');

const trainingAnswer = s.trainingStateSchema.extend(revision).meta({ id: 'Training' });
const scheduleAnswer = s.schedulePositionSchema.extend(revision).meta({ id: 'SchedulePosition' });

export const OPERATIONS = {
  'status.get': {
    summary: 'State of the engine and of the training',
    doc: 'A snapshot; `load` and the counters move without a new revision.',
    input: nothing,
    output: s.statusSchema.extend({ role: z.enum(ROLES).describe('What the caller may do.') }),
    errors: [],
  },
  'devices.list': {
    summary: 'Audio devices of this machine',
    doc: 'Read anew at every call, in a process of its own.',
    input: nothing,
    output: z.object({ devices: z.array(s.deviceSchema) }),
    errors: ['DEVICES_UNKNOWN'],
  },
  'devices.select': {
    summary: 'Play on another device',
    doc: 'Fields left out stay as they are; a named device brings its backend with it. When it does not open, the old one is opened again.',
    input: s.selectionSchema,
    output: z.object({ ...revision, engine: s.engineSchema }),
    errors: ['UNKNOWN_DEVICE', 'DEVICES_UNKNOWN', 'DEVICE_REFUSED'],
  },
  'devices.calibrate': {
    summary: 'Measure the round trip of the device',
    doc: 'Plays a probe on every output, finds it on the inputs, and compiles the patch for it.',
    input: nothing,
    output: s.calibrationSchema.extend(revision),
    errors: ['NOT_CALIBRATED'],
  },
  'devices.map': {
    summary: 'Choose the channels that the program hears and plays',
    doc: 'Of the open device, from 1, for each input and output of the program; an empty list is as they are. In the fade of 10 ms, kept until the configuration says something else. What the device does not have is silence.',
    input: z.strictObject({
      inputs: s.channelsSchema.optional(),
      outputs: s.channelsSchema.optional(),
    }),
    output: z.object({ ...revision, engine: s.engineSchema }),
    errors: ['CHANNELS_REFUSED'],
  },
  'devices.test': {
    summary: 'Play a test tone',
    doc: 'On each of the outputs in turn, faded; the program waits meanwhile and learns nothing. Before the output gain and the limiter, so what is muted is refused; muting ends what is heard. Answers when it is over.',
    input: s.testInputSchema,
    output: s.testInputSchema,
    errors: ['NOT_TESTED'],
  },
  'output.get': {
    summary: 'Mute and gain',
    doc: 'Hardware is muted at every start until a client unmutes it.',
    input: nothing,
    output: s.outputSchema,
    errors: [],
  },
  'output.set': {
    summary: 'Mute, unmute, set the gain',
    doc: 'Ramped. The limiter after it is always on.',
    input: z.strictObject({
      muted: z.boolean().optional(),
      gainDb: z.number().min(-120).max(24).optional(),
    }),
    output: s.outputSchema.extend(revision),
    errors: [],
  },
  'examples.list': {
    summary: 'Shipped example patches',
    doc: 'With what each is expected to learn, and how soon.',
    input: nothing,
    output: z.object({ examples: z.array(s.exampleSchema) }),
    errors: [],
  },
  'patch.get': {
    summary: 'The patch that plays',
    doc: 'With its present training settings and schedule; what PUT takes. `Accept: text/x-faust` asks for the source of a Faust program.',
    input: nothing,
    output: patchSchema,
    errors: ['NOT_FAUST'],
    faust: 'output',
  },
  'patch.set': {
    summary: 'Play another patch',
    doc: 'Compiled off to the side while the old one plays; taken over at a block boundary in 20 ms, or not at all. A patch of the same name keeps its values, its step, and the state of its filters and delays by the ids of their nodes; another one starts with its own. A Faust program may come as its source, `text/x-faust`; a new source of the program of the same name keeps what clients have said of learning and training.',
    input: s.patchInputSchema,
    output: s.patchInfoSchema.extend(revision),
    errors: ['UNKNOWN_EXAMPLE', ...COMPILES, 'AUDITION_UNDER_WAY'],
    checkedByWorker: true,
    faust: 'input',
  },
  'patch.check': {
    summary: 'Compile a patch without playing it',
    doc: 'Answers with every diagnostic of a faulty patch; that is not an error of the request.',
    input: s.patchInputSchema,
    output: s.checkSchema,
    errors: ['UNKNOWN_EXAMPLE', 'COMPILE_FAILED'],
    checkedByWorker: true,
    faust: 'input',
  },
  'patch.export': {
    summary: 'The patch with what it has learned',
    doc: 'The values of now as initial values: a document, or the source of a Faust program with other defaults of its sliders. Where the source has no place for one of them, a slider of a library as it may be, imports and definitions are put in.',
    input: s.exportInputSchema,
    output: s.exportedSchema,
    errors: ['NOT_EXPORTABLE', 'COMPILE_FAILED'],
  },
  'patch.info': {
    summary: 'What the compiler made of the patch',
    doc: 'Mode, window, channels and sizes of the program that plays.',
    input: nothing,
    output: s.patchInfoSchema.extend(revision),
    errors: ['ENGINE_REFUSED'],
  },
  'params.list': {
    summary: 'Sliders and learnable parameters',
    doc: 'Values of learnables are those of the newest measurement.',
    input: nothing,
    output: z.object({ ...revision, program: z.int(), params: z.array(s.paramSchema) }),
    errors: [],
  },
  'params.update': {
    summary: 'Set many at once',
    doc: 'All of them in one revision, or none. With `learn` or `training` the patch is compiled anew and taken over as an edit is: values, optimiser and signals go on; the answer then has all parameters.',
    input: z.strictObject({
      values: z.record(z.string(), z.number()).optional(),
      frozen: z.record(z.string(), z.boolean()).optional(),
      rates: z
        .record(z.string(), rateFactor)
        .optional()
        .describe('Factors of the learning rate, of each parameter by itself.'),
      learn: z
        .record(z.string(), s.learnSchema)
        .optional()
        .describe('Which sliders become learnable parameters, or parameters sliders.'),
      training,
    }),
    output: z.object({ ...revision, params: z.array(s.paramSchema) }),
    errors: LEARNS,
  },
  'params.get': {
    summary: 'One slider or learnable parameter',
    doc: 'The id may be written with its slashes, or URL-encoded.',
    input: z.strictObject({ id }),
    output: s.paramSchema,
    errors: ['UNKNOWN_PARAM'],
  },
  'params.set': {
    summary: 'Set, freeze or learn one',
    doc: 'A frozen parameter keeps its value while the others learn; `rate` is a factor of the learning rate, for this one alone; `learn` makes a slider learnable, and back.',
    input: z.strictObject({
      id,
      value: z.number().optional(),
      frozen: z.boolean().optional(),
      rate: rateFactor.optional(),
      learn: s.learnSchema.optional(),
      training,
    }),
    output: s.paramSchema.extend(revision),
    errors: LEARNS,
  },
  'meters.list': {
    summary: 'What the patch shows',
    doc: 'Signals as numbers, those of the newest measurement; the topic `meters` sends them live. They belong to the program that plays: none before the first.',
    input: nothing,
    output: z.object({ ...revision, program: z.int(), meters: z.array(s.meterSchema) }),
    errors: [],
  },
  'training.get': {
    summary: 'Training: settings, schedule and progress',
    doc: 'Settings are null where the patch has no training section.',
    input: nothing,
    output: trainingAnswer,
    errors: [],
  },
  'training.update': {
    summary: 'Change training settings',
    doc: 'Schedule and `running` take effect at once, all else is compiled anew. A patch without a training gets one, with mse, Adam and 256 samples where nothing else is said: `estimate` and `target` must be.',
    input: s.trainingUpdateSchema,
    output: trainingAnswer,
    errors: ['NOT_TRAINABLE', ...COMPILES, 'AUDITION_UNDER_WAY'],
  },
  'training.start': {
    summary: 'Learn',
    doc: 'Goes on from the present values and step.',
    input: nothing,
    output: trainingAnswer,
    errors: ['NOT_TRAINABLE', 'AUDITION_UNDER_WAY'],
  },
  'training.stop': {
    summary: 'Stop learning',
    doc: 'The patch keeps playing with the values learned so far.',
    input: nothing,
    output: trainingAnswer,
    errors: ['AUDITION_UNDER_WAY'],
  },
  'training.reset': {
    summary: 'Forget what was learned',
    doc: 'Learnable parameters go back to their initial values, the step to 0. Sliders and frozen parameters stay.',
    input: nothing,
    output: trainingAnswer,
    errors: ['AUDITION_UNDER_WAY'],
  },
  'training.restart': {
    summary: 'Start the optimiser anew',
    doc: 'What it remembers is forgotten, the step is 0, so the schedule begins again; parameters stay.',
    input: nothing,
    output: trainingAnswer,
    errors: ['NOT_TRAINABLE', 'AUDITION_UNDER_WAY'],
  },
  'schedule.get': {
    summary: 'Learning-rate schedule',
    doc: 'A function of the optimiser step, with where it is and its rate now.',
    input: nothing,
    output: scheduleAnswer,
    errors: ['NOT_TRAINABLE'],
  },
  'schedule.set': {
    summary: 'Exchange the learning-rate schedule',
    doc: 'In flight; the step goes on. With `begin: "now"` it begins at the present step, without at its own `start`, step 0 if not given; with `glideSteps` the rate goes over in a straight line of so many steps. The answer has the step as `start` and the line as `glide`, so that a preview of it is what happens.',
    input: scheduleChangeSchema,
    output: scheduleAnswer,
    errors: ['NOT_TRAINABLE'],
  },
  'schedule.ahead': {
    summary: 'The learning rates from now on',
    doc: 'Of the schedule in use, from the present step on: steps from, from + stride, ...',
    input: s.aheadInputSchema,
    output: s.aheadSchema,
    errors: ['NOT_TRAINABLE'],
  },
  'schedule.preview': {
    summary: 'The learning rates to come',
    doc: 'Exactly what happens at the steps from, from + stride, ...',
    input: s.previewInputSchema,
    output: z.array(z.number()),
    errors: ['NOT_TRAINABLE'],
  },
  ...LIBRARY_OPERATIONS,
  ...AUDITION_OPERATIONS,
  ...SNAPSHOT_OPERATIONS,
  ...EDIT_OPERATIONS,
  ...HISTORY_OPERATIONS,
  ...RECORDING_OPERATIONS,
  ...LOG_OPERATIONS,
  ...SYSTEM_OPERATIONS,
  ...EVENT_OPERATIONS,
  ...CONFIG_OPERATIONS,
  ...SIGNAL_OPERATIONS,
  ...MIDI_OPERATIONS,
} as const satisfies { readonly [K in OperationId]: OperationSpec };

type Operations = typeof OPERATIONS;
/** What a caller of the operation gives. */
export type Input<K extends OperationId> = z.input<Operations[K]['input']>;
/** What its runner gets: defaults filled in. */
export type Parsed<K extends OperationId> = z.output<Operations[K]['input']>;
export type Output<K extends OperationId> = z.output<Operations[K]['output']>;
