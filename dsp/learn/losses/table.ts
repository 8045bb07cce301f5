/**
 * The losses: how far an estimate is from its target, over one training window; one row each.
 *
 * Invariant: schema, names, messages and documentation follow from the rows. What a row may say, and
 * what holds for all of them, is in `row.ts`.
 */

import { z } from 'zod';
import type { Loss } from '../../ad/gradient.ts';
import { POINTWISE } from './pointwise.ts';
import { RATIOS } from './ratios.ts';
import type { LossRow, Takes } from './row.ts';
import { SPECTRAL } from './spectral.ts';
import { STFT } from './stft.ts';
import { TRANSPORT } from './transport.ts';

export const LOSSES = { ...POINTWISE, ...RATIOS, ...SPECTRAL, ...STFT, ...TRANSPORT } as const;

export type LossKind = keyof typeof LOSSES;

export const LOSS_KINDS = Object.keys(LOSSES) as [LossKind, ...LossKind[]];

/** The row of a loss, its type widened. */
export const rowOf = (kind: LossKind): LossRow => LOSSES[kind];

type OptionsOf<Kind extends LossKind> = z.infer<z.ZodObject<(typeof LOSSES)[Kind]['options']>>;

/** A loss by its name, or with options. */
export type LossChoice =
  LossKind | { [Kind in LossKind]: { kind: Kind } & OptionsOf<Kind> }[LossKind];

const withOptions = LOSS_KINDS.map((kind) =>
  z.strictObject({ kind: z.literal(kind), ...rowOf(kind).options }),
);
type Member = (typeof withOptions)[number];

export const lossSchema = z.union([
  z.enum(LOSS_KINDS),
  z.discriminatedUnion('kind', withOptions as unknown as [Member, ...Member[]]),
]) as unknown as z.ZodType<LossChoice, LossChoice>;

/** Fields of the options of all losses, for suggestions. */
export const LOSS_FIELDS = LOSS_KINDS.flatMap((kind) => Object.keys(rowOf(kind).options));

const parts = (choice: LossChoice) => {
  const { kind, ...options } =
    typeof choice === 'string' ? { kind: choice } : (choice as { kind: LossKind });
  return { kind, options, row: rowOf(kind) };
};

/** @param sampleRate  Hz */
export function lossOf(choice: LossChoice, sampleRate: number): Loss {
  const { row, options } = parts(choice);
  return row.build(options, sampleRate);
}

export const kindOf = (choice: LossChoice): LossKind => parts(choice).kind;

/** What the signals that it compares may be. */
export const takenBy = (choice: LossChoice): Takes => parts(choice).row.takes;

/** Does it compare frames, of which a window must hold whole ones? */
export const hasFrames = (choice: LossChoice): boolean => parts(choice).row.wrong !== undefined;

/** Why the options of a loss do not go together, or null. */
export function wrongOptions(choice: LossChoice, sampleRate: number): string | null {
  const { row, options } = parts(choice);
  return row.invalid?.(options, sampleRate) ?? null;
}

/** Why a loss cannot be taken over a window of so many samples, or null. */
export function wrongWindow(choice: LossChoice, window: number, sampleRate: number): string | null {
  const { row, options } = parts(choice);
  return row.wrong?.(options, window, sampleRate) ?? null;
}
