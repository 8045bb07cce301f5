/**
 * The signals of a running host: which there are, and how late the estimate is.
 *
 * Invariant: the topics `scope` and `spectrum` have the signals of `signals.list`, in its order. Plain
 * schemas, usable in a browser.
 */

import { z } from 'zod';
import { nothing, type OperationSpec } from './operation.ts';

export const SIGNAL_KINDS = ['target', 'estimate', 'error', 'input', 'output'] as const;

export const signalSchema = z.object({
  id: z
    .string()
    .describe('`target`, `estimate`, `error`, or `in1`, `out2`: channels count from 1.'),
  kind: z.enum(SIGNAL_KINDS),
  channel: z.int().min(0).nullable().describe('Of the device, from 0; null where it is none.'),
});

export type Signal = z.output<typeof signalSchema>;

export const SIGNAL_OPERATIONS = {
  'signals.list': {
    summary: 'The signals that can be seen, and how late the estimate is',
    doc: 'In the order of the topics `scope` and `spectrum`, eight at most. The delay is measured anew at every call, by cross-correlation of the newest second.',
    input: nothing,
    output: z.object({
      signals: z.array(signalSchema),
      sampleRate: z.number().describe('Hz.'),
      program: z.int().describe('Generation of the program that they belong to.'),
      delay: z
        .number()
        .nullable()
        .describe(
          'Samples from target to estimate, positive where the estimate is late; null where it is not clear, or nothing is compared.',
        ),
      confidence: z
        .number()
        .describe(
          'Height of the peak of the cross-correlation, normalised: 1 where one is the other, delayed; 0 where nothing was measured.',
        ),
    }),
    errors: [],
  },
} as const satisfies Record<string, OperationSpec>;

export type SignalList = z.output<(typeof SIGNAL_OPERATIONS)['signals.list']['output']>;
