/**
 * MIDI: which controller moves which control, and how it comes to that.
 *
 * Invariant: a control has one controller at most, a controller may move several controls. A mapping
 * names controls by id and outlives the patch that has them. Positions of a controller are shares of
 * its way, 0 to 1; what they are worth is the business of the control's own range and scale.
 */

import { z } from 'zod';
import { nothing, type OperationSpec } from './operation.ts';
import { revisionSchema } from './schemas.ts';

export const MIDI_FORMAT = 'livegrad.midi/1';

/** Mappings that are kept. */
export const MAX_MAPPINGS = 512;
/** For so long somebody who learns is waited for, s. */
export const LEARNING_TIME = 30;

/** What else than controls of the patch can be moved. */
export const HOST_TARGETS = ['training/learning', 'output/gain'] as const;

export const CONTROLLER_KINDS = ['cc', 'cc14', 'bend', 'nrpn'] as const;
export type ControllerKind = (typeof CONTROLLER_KINDS)[number];

/** The largest number of a controller of each kind. */
const NUMBERS: Readonly<Record<ControllerKind, number>> = {
  cc: 119,
  cc14: 31,
  bend: 0,
  nrpn: 16383,
};

const id = z
  .string()
  .min(1)
  .max(120)
  .describe(`Id of a slider or learnable parameter, or one of ${HOST_TARGETS.join(', ')}.`);

const takeover = z
  .enum(['jump', 'pickup'])
  .default('jump')
  .describe('Whether the control goes to where the controller is, or waits until it comes by.');

const mapping = {
  port: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Name of the input, as `inputs` has it; every one if not given.'),
  channel: z.int().min(1).max(16),
  kind: z
    .enum(CONTROLLER_KINDS)
    .describe(
      'Control change of 7 bits, or of 14 (number 0 to 31 with its other half 32 further on), pitch bend, non-registered parameter.',
    ),
  number: z.int().min(0).max(16383).default(0).describe('Of the controller; 0 for pitch bend.'),
  min: z.number().optional().describe('Value at the beginning of its way; that of the control.'),
  max: z.number().optional().describe('Value at the end of its way; that of the control.'),
  takeover,
};

interface Numbered {
  readonly kind: ControllerKind;
  readonly number: number;
}

function checkNumber({ value: { kind, number }, issues }: z.core.ParsePayload<Numbered>): void {
  const most = NUMBERS[kind];
  if (number <= most) return;
  const message = `expected a number from 0 to ${most} for ${kind}`;
  issues.push({ code: 'custom', path: ['number'], message, input: number });
}

export const mappingSchema = z.strictObject({ id, ...mapping }).check(checkNumber);

/** As it is on disk: under the name of its control. */
export const mappingFileSchema = z
  .strictObject({ format: z.literal(MIDI_FORMAT), name: id, ...mapping })
  .check(checkNumber);

const state = {
  available: z.boolean().describe('Whether MIDI is spoken.'),
  reason: z.string().nullable().describe('Why not.'),
  inputs: z.array(z.string()).describe('Ports that are heard.'),
  outputs: z.array(z.string()).describe('Ports that can be told.'),
  map: z.array(mappingSchema).describe('By id.'),
  learning: z
    .string()
    .nullable()
    .describe('Id of the control that waits for the next controller that moves.'),
  learned: z.string().nullable().describe('Id of the control that last found one so.'),
};

export const midiSchema = z.object(state);
const revised = z.object({ ...state, revision: revisionSchema });

export const MIDI_OPERATIONS = {
  'midi.get': {
    summary: 'Ports and map of MIDI',
    doc: 'And whether somebody learns. Where MIDI is not to be had, `reason` says why and what is to be done.',
    input: nothing,
    output: midiSchema,
    errors: [],
  },
  'midi.map': {
    summary: 'Let a controller move a control',
    doc: 'In the place of the one that moved it before. Kept on disk before the answer, also where MIDI is not spoken.',
    input: mappingSchema,
    output: revised,
    errors: ['UNKNOWN_PARAM', 'NOT_KEPT'],
  },
  'midi.unmap': {
    summary: 'Take a control from its controller',
    doc: 'The control stays where it is.',
    input: z.strictObject({ id }),
    output: revised,
    errors: ['UNKNOWN_MAPPING', 'NOT_KEPT'],
  },
  'midi.learn': {
    summary: 'Map the next controller that moves',
    doc: `Answers at once; \`midi.changed\` tells when it has found one, or that nothing moved for ${LEARNING_TIME} s. A controller of 14 bits is known by its two halves.`,
    input: z.strictObject({ id, takeover }),
    output: revised,
    errors: ['MIDI_UNAVAILABLE', 'UNKNOWN_PARAM'],
  },
  'midi.cancel': {
    summary: 'Learn no controller',
    doc: 'Where nobody learns it does nothing.',
    input: nothing,
    output: revised,
    errors: [],
  },
} as const satisfies Record<string, OperationSpec>;

export type Mapping = z.output<typeof mappingSchema>;
export type MappingFile = z.output<typeof mappingFileSchema>;
export type MidiState = z.output<typeof midiSchema>;
