/**
 * Losses between spectra: frames of the window, their magnitudes compared bin by bin.
 *
 * Frames lie in the window from their first sample to their last, so a loss depends on nothing else;
 * the first and last samples are in few of them: a window is best some times as long as the longest
 * frame. A spectrum is scaled so that a sine of amplitude 1 has the magnitude 1 (`../spectra.ts`).
 */

import { z } from 'zod';
import type { Loss } from '../../ad/gradient.ts';
import { WINDOW_KINDS } from '../../blocks/spectra.ts';
import type { NodeId } from '../../ir/graph.ts';
import { framesInside, insideWindow, lnMagnitude, spectra } from '../spectra.ts';
import { mul, row, scaled, square, sub, total } from './row.ts';

/** Tried one by one where none are given. */
const SIZES = [2048, 512, 128];
const OVERLAP = 4;
/** −80 dB. */
const FLOOR = 1e-4;

const size = z.literal([64, 128, 256, 512, 1024, 2048, 4096, 8192]);

const framing = {
  sizes: z.array(size).min(1).max(8).optional(),
  overlap: z.literal([1, 2, 4, 8]).optional(),
  window: z.enum(WINDOW_KINDS).optional(),
};
const floor = z.number().min(1e-12).max(1).optional();

type Framing = z.infer<z.ZodObject<typeof framing>>;

/** Of the usual sizes those that end often enough in a window, at its end as well. */
const sizesFor = (window: number, { sizes, overlap = OVERLAP }: Framing): readonly number[] =>
  sizes ?? SIZES.filter((one) => 2 * one <= window && window % (one / overlap) === 0);

/** Why frames do not fit a window, or null. */
const misframed =
  (name: string) =>
  (options: Framing, window: number): string | null => {
    const { overlap = OVERLAP } = options;
    const sizes = sizesFor(window, options);
    if (sizes.length === 0) {
      return `"${name}" without "sizes" needs a window of 256 samples or more, a multiple of ${128 / overlap}: got ${window}`;
    }
    const longest = Math.max(...sizes);
    if (longest > window) {
      return `a frame must go into the training window: expected at least ${longest} samples, got ${window}`;
    }
    const wrong = sizes.find((one) => window % (one / overlap) !== 0);
    if (wrong === undefined) return null;
    const hop = wrong / overlap;
    return `frames of ${wrong} samples must not be divided by the training window: expected a multiple of the hop of ${hop} samples, got ${window}`;
  };

/**
 * Mean squared difference of natural log magnitudes, over frames and bins, averaged over the sizes:
 *
 * mean over sizes of mean over frames and bins of (ln|E|_floor − ln|T|_floor)²,
 * |X|_floor = √(|X|² + floor²), spectra as `spectra` scales them.
 *
 * Units: 1 is a factor of e, 8.7 dB, in every bin. Gradient: finite, as `lnMagnitude`; where the
 * estimate is silent it is 0, so that nothing is learnt from there.
 */
const logSpectral =
  (options: Framing & { readonly floor?: number | undefined }): Loss =>
  (b, estimate, target, window) => {
    const { overlap = OVERLAP, window: kind = 'hann', floor: quietest = FLOOR } = options;
    const sizes = sizesFor(window, options);
    const losses = sizes.map((one) => {
      const hop = one / overlap;
      const [e, t] = [estimate, target].map((x) =>
        lnMagnitude(b, spectra(b, x, one, hop, kind), quietest),
      ) as [NodeId, NodeId];
      const distance = b.node('laneSum', [square(b, sub(b, e, t))]);
      const counted = mul(b, distance, insideWindow(b, one, hop, window));
      const count = framesInside(one, hop, window) * (one / 2 + 1) * sizes.length;
      return scaled(b, total(b, counted), 1 / count);
    });
    return losses.reduce((sum, loss) => b.node('add', [sum, loss]));
  };

export const SPECTRAL = {
  logSpectral: row({
    options: { ...framing, floor },
    takes: 'sound',
    formula: 'mean (ln √(|E|² + floor²) − ln √(|T|² + floor²))²',
    unit: '1 is 8.7 dB in every bin',
    doc: 'log magnitudes',
    build: logSpectral,
    wrong: misframed('logSpectral'),
  }),
} as const;
