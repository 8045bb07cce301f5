/**
 * Optimisers that know more than the gradient: what they demand of a patch, and which way its
 * parameters are then differentiated.
 *
 * Rows of the Jacobian are exact in forward mode always, in reverse mode where no memory lies between
 * a parameter and the error. Invariant: a patch that passes here gets exact rows; one that does not
 * is told what to change.
 */

import { activity, hasMemory } from './ad/active.ts';
import { diagnostic, pathOf } from './diagnostic.ts';
import type { Diagnostic } from './diagnostic.ts';
import { nodeOf } from './ir/graph.ts';
import type { Graph, NodeId } from './ir/graph.ts';
import type { Measure } from './ir/program.ts';
import { kindOf } from './learn/losses/table.ts';
import { rowOf } from './learn/optimisers/table.ts';
import { termsOf } from './patch/objective.ts';
import type { Training } from './patch/schema.ts';

/** What the optimiser wants of a window besides the gradient. */
export const measuresOf = ({ optimiser, window }: Training): readonly Measure[] =>
  rowOf(optimiser.kind).measures?.(window) ?? [];

/** What keeps an optimiser from a training as it is written. */
export function wrongTraining(training: Training, params: number): Diagnostic[] {
  const measures = measuresOf(training);
  if (measures.length === 0) return [];
  const { kind } = training.optimiser;
  const { most = Infinity, longest = Infinity } = rowOf(kind);
  const found: Diagnostic[] = [];
  const wrong = (path: readonly PropertyKey[], message: string, hint: string): void => {
    found.push(diagnostic('PATCH_OPTIMISER', pathOf(path), `"${kind}" ${message}`, hint));
  };
  const terms = termsOf(training);
  for (const { loss, weight, path } of terms) {
    if (kindOf(loss) !== 'mse') {
      wrong(
        [...path, 'loss'],
        `takes steps of least squares: expected "mse", got "${kindOf(loss)}"`,
        'use "mse", or an optimiser of gradients alone, as "adam"',
      );
    }
    if (weight <= 0) {
      wrong(
        [...path, 'weight'],
        `adds up squares: expected a weight above 0, got ${weight}`,
        'exchange what is wrong with the other sign',
      );
    }
  }
  if (training.optimiser.clip !== undefined) {
    wrong(
      ['training', 'optimiser', 'clip'],
      'makes its own steps, of which the gradient is a part: expected no clipping',
      'use a lower rate, or more "regularisation" or "damping"',
    );
  }
  if ((training.every ?? 1) > 1) {
    wrong(
      ['training', 'every'],
      `looks at every window: expected a step for each, got one in ${training.every}`,
      'use a longer window',
    );
  }
  if (training.window > longest) {
    wrong(
      ['training', 'window'],
      `takes a step at every sample: expected a window of ${longest}, got ${training.window}`,
      'use "window": 1, or "nlms" or "rls" for longer windows',
    );
  }
  if (measures.includes('row') && terms.length > 1) {
    wrong(
      ['training', 'terms'],
      `takes one error a step: expected one term, got ${terms.length}`,
      'use "nlms" or "gaussNewton", or "rls" with a longer window',
    );
  }
  if (params > most) {
    wrong(
      ['training', 'optimiser'],
      `makes a matrix of all pairs of parameters: expected at most ${most}, got ${params}`,
      'use "nlms" or "apa"',
    );
  }
  return found;
}

/** The parameters whose rows only forward mode knows: those with memory between them and the error. */
export const rememberedParams = (
  graph: Graph,
  params: readonly NodeId[],
  signals: readonly NodeId[],
): readonly NodeId[] =>
  params.filter((param) => hasMemory(graph, activity(graph, [param], signals).active));

/** What keeps a graph from giving a row at every sample. */
export function wrongRows(
  graph: Graph,
  kind: string,
  { reversed, signals, nameOf }: RowsWanted,
): Diagnostic[] {
  const framed = signals.find((id) => nodeOf(graph, id).hop > 1 || nodeOf(graph, id).shape > 1);
  if (framed !== undefined) {
    const { hop, shape } = nodeOf(graph, framed);
    const message = `"${kind}" looks at numbers that come at every sample: expected those, got ${shape} lanes every ${Math.max(1, hop)} samples`;
    return [diagnostic('PATCH_OPTIMISER', 'training', message, 'use "hold" or "overlapAdd"')];
  }
  const [first] = rememberedParams(graph, reversed, signals);
  if (first === undefined) return [];
  const name = nameOf(nodeOf(graph, first).attrs[0]!);
  const message = `"${kind}" wants to know what each sample says of each parameter, which reverse mode cannot tell of "${name}": a delay, line or table lies between it and the error`;
  const hint = 'use "forward" or "auto", or move the delay in front of the parameter';
  return [diagnostic('PATCH_OPTIMISER', 'training.mode', message, hint)];
}

/** Whose rows: parameters in reverse mode, and of what. */
interface RowsWanted {
  readonly reversed: readonly NodeId[];
  readonly signals: readonly NodeId[];
  /** The parameter at a place of the bank. */
  readonly nameOf: (place: number) => string;
}
