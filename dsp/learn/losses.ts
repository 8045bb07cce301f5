/**
 * Losses: how far an estimate is from its target, over one training window.
 *
 * Invariant: a loss is built of IR nodes in the backward graph, from two signals to one value per
 * window; its gradient follows by differentiation and is never written by hand. A loss has a value
 * and a gradient, and both are finite, for silence on either side too.
 */

import { z } from 'zod';
import type { Loss } from '../ad/gradient.ts';
import { WINDOW_KINDS } from '../blocks/spectra.ts';
import type { WindowKind } from '../blocks/spectra.ts';
import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { framesInside, insideWindow, lnMagnitude, spectra } from './spectra.ts';

const mean = (b: Builder, x: NodeId, window: number): NodeId =>
  b.node('mul', [b.node('sum', [x]), b.real(1 / window)]);

export interface SpectralOptions {
  /** Lengths of the frames, samples; those of `SIZES` that fit the window if not given. */
  readonly sizes?: readonly number[] | undefined;
  /** Frames that cover a sample: the hop is size / overlap. */
  readonly overlap?: number | undefined;
  readonly window?: WindowKind | undefined;
  /** A magnitude; that of a sine of amplitude 1 is 1. */
  readonly floor?: number | undefined;
}

/** Tried one by one where none are given. */
const SIZES = [2048, 512, 128];
const OVERLAP = 4;
/** −80 dB. */
const FLOOR = 1e-4;

/** Of the usual sizes those that end often enough in a window, at its end as well. */
const sizesFor = (
  window: number,
  { sizes, overlap = OVERLAP }: SpectralOptions,
): readonly number[] =>
  sizes ?? SIZES.filter((size) => 2 * size <= window && window % (size / overlap) === 0);

/**
 * Mean squared difference of natural log magnitudes, over frames and bins, averaged over the sizes:
 *
 * mean over sizes of mean over frames and bins of (ln|E|_floor − ln|T|_floor)²,
 * |X|_floor = √(|X|² + floor²), spectra as `spectra` scales them.
 *
 * Frames lie in the window from their first sample to their last, so the loss depends on nothing
 * else; the first and last samples are in few of them: a window is best some times as long as the
 * longest frame. Units: 1 is a factor of e, 8.7 dB, in every bin. Gradient: finite, as
 * `lnMagnitude`; where the estimate is silent it is 0, so that nothing is learnt from there.
 */
const logSpectral =
  (options: SpectralOptions): Loss =>
  (b, estimate, target, window) => {
    const { overlap = OVERLAP, window: kind = 'hann', floor = FLOOR } = options;
    const sizes = sizesFor(window, options);
    const losses = sizes.map((size) => {
      const hop = size / overlap;
      const [e, t] = [estimate, target].map((x) =>
        lnMagnitude(b, spectra(b, x, size, hop, kind), floor),
      ) as [NodeId, NodeId];
      const error = b.node('sub', [e, t]);
      const distance = b.node('laneSum', [b.node('mul', [error, error])]);
      const counted = b.node('mul', [distance, insideWindow(b, size, hop, window)]);
      const count = framesInside(size, hop, window) * (size / 2 + 1) * sizes.length;
      return b.node('mul', [b.node('sum', [counted]), b.real(1 / count)]);
    });
    return losses.reduce((sum, loss) => b.node('add', [sum, loss]));
  };

export const LOSSES = {
  /** Mean squared error: (1/N) Σ (estimate − target)²; gradient 2 (estimate − target) / N. */
  mse: (b, estimate, target, window) => {
    const error = b.node('sub', [estimate, target]);
    return mean(b, b.node('mul', [error, error]), window);
  },
  /** Mean absolute error: (1/N) Σ |estimate − target|; gradient sign(estimate − target) / N, 0 at 0. */
  mae: (b, estimate, target, window) =>
    mean(b, b.node('abs', [b.node('sub', [estimate, target])]), window),
  logSpectral: logSpectral({}),
} as const satisfies Record<string, Loss>;

export type LossKind = keyof typeof LOSSES;

export const LOSS_KINDS = Object.keys(LOSSES) as [LossKind, ...LossKind[]];

const size = z.literal([64, 128, 256, 512, 1024, 2048, 4096, 8192]);

/** A loss with its options. */
const optionsSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('mse') }),
  z.strictObject({ kind: z.literal('mae') }),
  z.strictObject({
    kind: z.literal('logSpectral'),
    sizes: z.array(size).min(1).max(8).optional(),
    overlap: z.literal([1, 2, 4, 8]).optional(),
    window: z.enum(WINDOW_KINDS).optional(),
    floor: z.number().min(1e-12).max(1).optional(),
  }),
]);

/** A loss by its name, or with options. */
export const lossSchema = z.union([z.enum(LOSS_KINDS), optionsSchema]);

export type LossChoice = z.infer<typeof lossSchema>;

export function lossOf(choice: LossChoice): Loss {
  if (typeof choice === 'string') return LOSSES[choice];
  return choice.kind === 'logSpectral' ? logSpectral(choice) : LOSSES[choice.kind];
}

/** Why a loss cannot be taken over a window of so many samples, or null. */
export function wrongWindow(choice: LossChoice, window: number): string | null {
  const { kind, ...options }: { readonly kind: LossKind } & SpectralOptions =
    typeof choice === 'string' ? { kind: choice } : choice;
  if (kind !== 'logSpectral') return null;
  const { overlap = OVERLAP } = options;
  const sizes = sizesFor(window, options);
  if (sizes.length === 0) {
    return `"logSpectral" without "sizes" needs a window of 256 samples or more, a multiple of ${128 / overlap}: got ${window}`;
  }
  const longest = Math.max(...sizes);
  if (longest > window) {
    return `a frame must go into the training window: expected at least ${longest} samples, got ${window}`;
  }
  const wrong = sizes.find((one) => window % (one / overlap) !== 0);
  if (wrong === undefined) return null;
  const hop = wrong / overlap;
  return `frames of ${wrong} samples must not be divided by the training window: expected a multiple of the hop of ${hop} samples, got ${window}`;
}
