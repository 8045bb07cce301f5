/**
 * The optimisers, one row each: schema, reference and code come from here.
 *
 * Invariant: a row says everything about an optimiser; to add one is to write a row. Options that
 * all have, weight decay and clipping, are said once, here.
 */

import { z } from 'zod';
import type { NodeId } from '../../ir/graph.ts';
import { apa } from './apa.ts';
import { sgd } from './descent.ts';
import { adam, adamax, adamw, nadam, radam } from './moments.ts';
import { gaussNewton, rls } from './newton.ts';
import { nlms } from './nlms.ts';
import type { Inputs, Row, Shape } from './row.ts';
import { lion, rprop } from './signs.ts';
import { adadelta, adagrad, rmsprop } from './squares.ts';

export const OPTIMISERS = {
  sgd,
  adam,
  adamw,
  nadam,
  radam,
  adamax,
  rmsprop,
  adagrad,
  adadelta,
  lion,
  rprop,
  nlms,
  apa,
  rls,
  gaussNewton,
} as const;

type Rows = typeof OPTIMISERS;
export type OptimiserKind = keyof Rows;

export const OPTIMISER_KINDS = Object.keys(OPTIMISERS) as [OptimiserKind, ...OptimiserKind[]];

/** A row, whatever its options are. */
export const rowOf = (kind: OptimiserKind): Row => OPTIMISERS[kind];

/** Names of all options, for suggestions. */
export const OPTIMISER_FIELDS: readonly string[] = [
  ...new Set(OPTIMISER_KINDS.flatMap((kind) => Object.keys(rowOf(kind).options))),
];

/** A factor of the learning rate. */
export const rateFactor = z.number().min(0).max(1e6);
export const weightDecaySchema = z.number().min(0).max(1e6);

const limit = z.number().min(1e-30).max(1e30).optional();
export const clipSchema = z.strictObject({
  /** Every number of the gradient is held to ±value. */
  value: limit,
  /** Then all are multiplied by min(1, norm / (|g| + 1e-6)), |g| over what is not frozen. */
  norm: limit,
});

const withCommon = <const K extends string, S extends Shape>(
  kind: K,
  { options, weightDecay }: Row<S>,
) =>
  z.strictObject({
    ...options,
    kind: z.literal(kind),
    weightDecay: weightDecaySchema.default(weightDecay ?? 0),
    clip: clipSchema.optional(),
  });

type RowSchema = {
  [K in OptimiserKind]: ReturnType<typeof withCommon<K, Rows[K]['options']>>;
}[OptimiserKind];

/** An optimiser with its options. */
export const optimiserSchema = z.discriminatedUnion(
  'kind',
  OPTIMISER_KINDS.map((kind) => withCommon(kind, rowOf(kind))) as unknown as readonly [
    RowSchema,
    ...RowSchema[],
  ],
);

export type OptimiserChoice = z.infer<typeof optimiserSchema>;

/** Plain descent. */
export const SGD: OptimiserChoice = optimiserSchema.parse({ kind: 'sgd' });

/** New values of a step. */
export const stepOf = (choice: OptimiserChoice, inputs: Inputs): NodeId =>
  rowOf(choice.kind).step(inputs, choice);
