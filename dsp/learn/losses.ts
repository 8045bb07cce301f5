/**
 * Losses: how far an estimate is from its target, over one training window.
 *
 * Invariant: a loss is built of IR nodes in the backward graph, from two signals to one value per
 * window; its gradient follows by differentiation and is never written by hand.
 */

import type { Loss } from '../ad/gradient.ts';
import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';

const mean = (b: Builder, x: NodeId, window: number): NodeId =>
  b.node('mul', [b.node('sum', [x]), b.real(1 / window)]);

export const LOSSES = {
  /** Mean squared error: (1/N) Σ (estimate − target)²; gradient 2 (estimate − target) / N. */
  mse: (b, estimate, target, window) => {
    const error = b.node('sub', [estimate, target]);
    return mean(b, b.node('mul', [error, error]), window);
  },
  /** Mean absolute error: (1/N) Σ |estimate − target|; gradient sign(estimate − target) / N, 0 at 0. */
  mae: (b, estimate, target, window) =>
    mean(b, b.node('abs', [b.node('sub', [estimate, target])]), window),
} as const satisfies Record<string, Loss>;

export type LossKind = keyof typeof LOSSES;

export const LOSS_KINDS = Object.keys(LOSSES) as [LossKind, ...LossKind[]];
