/**
 * Losses that compare value with value: the mean over the window of f(estimate, target).
 *
 * Numbers or vectors, at every sample or in frames: the mean is over samples or frames and lanes.
 * `of: "windowMeans"` is FaustNet's window instead: f of the two means of the signals, once per lane.
 * It hears what is slower than the window only; of audio without DC it hears nothing.
 */

import { z } from 'zod';
import type { Loss } from '../../ad/gradient.ts';
import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';
import { abs, average, mean, overLanes, row, square, sub } from './row.ts';

const of = z.enum(['samples', 'windowMeans']).optional();
type Of = z.infer<typeof of>;

type Distance = (b: Builder, estimate: NodeId, target: NodeId) => NodeId;

const pointwise =
  (distance: Distance, of: Of = 'samples'): Loss =>
  (b, estimate, target, window) => {
    if (of === 'samples') return mean(b, distance(b, estimate, target), window);
    const [e, t] = [estimate, target].map((x) => average(b, x, window)) as [NodeId, NodeId];
    return overLanes(b, distance(b, e, t));
  };

/** Mean squared error. */
export const mse: Loss = pointwise((b, e, t) => square(b, sub(b, e, t)));

export const POINTWISE = {
  mse: row({
    options: { of },
    takes: 'values',
    formula: 'mean (e − t)²',
    unit: 'square of the signals',
    doc: 'mean squared error',
    build: (o) => pointwise((b, e, t) => square(b, sub(b, e, t)), o.of),
  }),
  mae: row({
    options: { of },
    takes: 'values',
    formula: 'mean |e − t|',
    unit: 'of the signals',
    doc: 'mean absolute error; derivative 0 where the signals are equal',
    build: (o) => pointwise((b, e, t) => abs(b, sub(b, e, t)), o.of),
  }),
  value: row({
    options: {},
    takes: 'estimate',
    formula: 'mean e',
    unit: 'of the signal',
    doc: 'a patch that computes its own loss, at every sample or in frames; it has no `target`',
    build: () => (b, estimate, _, window) => mean(b, estimate, window),
  }),
} as const;
