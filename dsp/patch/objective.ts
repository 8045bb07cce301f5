/**
 * What a patch learns: the terms of its loss, as one pair of signals or as a list of them.
 *
 * Invariant: `termsOf` of a checked patch gives at least one term, with a target wherever its loss
 * compares two signals; nobody else looks at `estimate`, `target`, `loss` and `terms` themselves.
 */

import { z } from 'zod';
import { diagnostic, pathOf } from '../diagnostic.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { kindOf, lossSchema, takenBy } from '../learn/losses/table.ts';
import type { LossChoice } from '../learn/losses/table.ts';
import { idSchema, number } from './operand.ts';

/** Most terms of a loss. */
const MAX_TERMS = 64;

export const termSchema = z.strictObject({
  estimate: idSchema,
  target: idSchema.optional(),
  loss: lossSchema,
  weight: number.optional(),
});
export type PatchTerm = z.infer<typeof termSchema>;

/** One term as it is written, or several. */
export const objectiveFields = {
  estimate: idSchema.optional(),
  target: idSchema.optional(),
  loss: lossSchema.optional(),
  terms: z.array(termSchema).min(1).max(MAX_TERMS).optional(),
};
type Written = z.infer<z.ZodObject<typeof objectiveFields>>;

/** A term, and where it stands in the patch. */
export interface PlacedTerm {
  readonly estimate: string;
  /** Null for a loss of the estimate alone. */
  readonly target: string | null;
  readonly loss: LossChoice;
  readonly weight: number;
  readonly path: readonly PropertyKey[];
}

/** The terms of a training that `checkObjective` found nothing wrong with. */
export function termsOf({ estimate, target, loss, terms }: Written): readonly PlacedTerm[] {
  if (terms !== undefined) {
    return terms.map((term, k) => ({
      estimate: term.estimate,
      target: term.target ?? null,
      loss: term.loss,
      weight: term.weight ?? 1,
      path: ['training', 'terms', k],
    }));
  }
  if (estimate === undefined || loss === undefined) return [];
  return [{ estimate, target: target ?? null, loss, weight: 1, path: ['training'] }];
}

/** Said once, whole, and with a target where there is something to compare. */
export function checkObjective(training: Written): Diagnostic[] {
  const found: Diagnostic[] = [];
  const wrong = (path: readonly PropertyKey[], message: string, hint?: string): void => {
    found.push(diagnostic('PATCH_INVALID', pathOf(path), message, hint));
  };
  const alone = ['estimate', 'target', 'loss'] as const;
  if (training.terms === undefined) {
    for (const field of alone) {
      if (training[field] !== undefined) continue;
      if (field === 'target' && training.loss !== undefined && !hasTarget(training.loss)) continue;
      const expected = field === 'loss' ? 'a loss' : 'the id of a node, slider or param';
      wrong(
        ['training', field],
        `missing: expected ${expected}`,
        'several pairs of signals are a list under "terms"',
      );
    }
  } else {
    for (const field of alone) {
      if (training[field] === undefined) continue;
      const expected = `expected "${field}" in each of "terms", or no "terms"`;
      wrong(['training', field], `what is learnt is said twice: ${expected}, got both`);
    }
  }
  for (const { target, loss, path } of termsOf(training)) {
    const kind = kindOf(loss);
    if (!hasTarget(loss) && target !== null) {
      wrong(
        [...path, 'target'],
        `"${kind}" is a loss of the estimate alone: expected no target, got "${target}"`,
      );
    }
    if (hasTarget(loss) && target === null && training.terms !== undefined) {
      wrong(
        [...path, 'target'],
        `missing: "${kind}" compares two signals: expected the id of a node, slider or param`,
        'a patch that computes its own loss has "loss": "value"',
      );
    }
  }
  return found;
}

const hasTarget = (loss: LossChoice): boolean => takenBy(loss) !== 'estimate';

/** Training with other settings: a list of terms takes the place of one, and one that of a list. */
export function withObjective<T extends Written>(training: T, change: Partial<T>): T {
  const { estimate: _estimate, target: _target, loss: _loss, terms, ...rest } = training;
  if (change.terms !== undefined) return { ...rest, ...change } as T;
  if (terms !== undefined && change.estimate !== undefined && change.loss !== undefined) {
    return { ...rest, ...change } as T;
  }
  return { ...training, ...change };
}
