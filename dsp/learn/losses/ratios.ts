/**
 * Losses that divide energies of the whole window: errors against signals, and their decibels.
 *
 * Definitions and epsilons are auraloss's, whose window is a whole recording; here it is the training
 * window. Sources: A. Wright, V. Välimäki, Perceptual loss function for neural modelling of audio
 * systems, 2019 (ESR, DC); J. Le Roux and others, SDR: half-baked or well done?, 2018.
 */

import { z } from 'zod';
import type { Loss } from '../../ad/gradient.ts';
import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';
import { insideWindow } from '../spectra.ts';
import {
  add,
  average,
  div,
  ln,
  mul,
  past,
  plusReal,
  row,
  scaled,
  square,
  sub,
  total,
} from './row.ts';

/** Of energies, signals to 1. */
const EPS = 1e-8;
const eps = z.number().min(1e-12).max(1).optional();
const zeroMean = z.boolean().optional();

const energy = (b: Builder, x: NodeId): NodeId => total(b, square(b, x));

/**
 * Σ y², y[n] = x[n] − c·x[n−1], over the window and the sample behind it, zeros around the window.
 * @param x  of recordings: at the sample itself, or before
 */
function emphasised(b: Builder, x: At, c: number, window: number): NodeId {
  if (c === 0) return energy(b, x(0));
  const before = window > 1 ? mul(b, x(1), insideWindow(b, 2, 1, window)) : b.real(0);
  // Time runs backwards: nothing has come before the last sample.
  const last = sub(b, b.real(1), b.delay(b.real(1), 1));
  const behind = mul(b, scaled(b, square(b, x(0)), c * c), last);
  return total(b, add(b, square(b, sub(b, x(0), scaled(b, before, c))), behind));
}

/** A signal so many samples ago. */
type At = (lag: number) => NodeId;

/** −10·log10(signal/(noise + eps) + eps) */
function ratioInDb(b: Builder, signal: NodeId, noise: NodeId, least: number): NodeId {
  const ratio = div(b, signal, plusReal(b, noise, least));
  return scaled(b, ln(b, plusReal(b, ratio, least)), -10 / Math.LN10);
}

/** What of the estimate is signal, and what is noise. */
type Parts = (
  b: Builder,
  estimate: NodeId,
  target: NodeId,
  least: number,
) => { readonly signal: NodeId; readonly noise: NodeId };

const distortion =
  (parts: Parts) =>
  (options: { readonly zeroMean?: boolean | undefined; readonly eps?: number | undefined }): Loss =>
  (b, estimate, target, window) => {
    const { zeroMean: isCentred = true, eps: least = EPS } = options;
    const centred = (x: NodeId): NodeId => (isCentred ? sub(b, x, average(b, x, window)) : x);
    const { signal, noise } = parts(b, centred(estimate), centred(target), least);
    return ratioInDb(b, energy(b, signal), energy(b, noise), least);
  };

/** The target as loud as it is in the estimate: t·Σet/(Σt² + eps). */
const projected = (b: Builder, e: NodeId, t: NodeId, least: number): NodeId =>
  mul(b, t, div(b, total(b, mul(b, e, t)), plusReal(b, energy(b, t), least)));

const DB = 'dB, negative where the signal is louder than the error';
/** What is said of all three. */
const RANGE =
  'Its gradient grows as the error falls, up to `eps`: signals are to be well above 1e-4. A silent target is +80 dB with gradient 0, equal signals are −10·log10(Σt²/eps)';

export const RATIOS = {
  esr: row({
    options: { preEmphasis: z.number().min(-1).max(1).optional(), eps },
    takes: 'sound',
    formula: 'Σ(e − t)² / (Σt² + eps)',
    unit: 'a ratio of energies: 1 for a silent estimate, 0.01 is −20 dB',
    doc: 'error-to-signal ratio: as much to learn from quiet sounds as from loud ones. `preEmphasis` c compares y[n] = x[n] − c·x[n−1] of both, with zeros around the window; 0.85 is usual at 44.1 kHz, none if not given. Over a silent target it is Σe²/eps, large: gate such windows',
    build:
      ({ preEmphasis: c = 0, eps: least = EPS }) =>
      (b, estimate, target, window) => {
        const t: At = (lag) => (lag === 0 ? target : past(b, target, lag));
        const error: At = (lag) => sub(b, lag === 0 ? estimate : past(b, estimate, lag), t(lag));
        const heard = plusReal(b, emphasised(b, t, c, window), least);
        return div(b, emphasised(b, error, c, window), heard);
      },
  }),
  dc: row({
    options: { eps },
    takes: 'sound',
    formula: '(mean (e − t))² / (mean t² + eps)',
    unit: 'a ratio of energies',
    doc: 'the DC of the error alone, to be added to a loss that does not hear it; for signals whose energy is well above `eps`, 1e-8',
    build:
      ({ eps: least = EPS }) =>
      (b, estimate, target, window) => {
        const error = average(b, sub(b, estimate, target), window);
        return div(b, square(b, error), plusReal(b, average(b, square(b, target), window), least));
      },
  }),
  snr: row({
    options: { zeroMean, eps },
    takes: 'sound',
    formula: '−10·log10(Σt²/(Σ(e − t)² + eps) + eps)',
    unit: DB,
    doc: `signal-to-noise ratio; both without their means over the window, unless \`zeroMean\` is false. A silent estimate is 0 dB. ${RANGE}`,
    build: distortion((b, e, t) => ({ signal: t, noise: sub(b, e, t) })),
  }),
  siSdr: row({
    options: { zeroMean, eps },
    takes: 'sound',
    formula: '−10·log10(Σs²/(Σ(e − s)² + eps) + eps), s = t·Σet/(Σt² + eps)',
    unit: DB,
    doc: `scale-invariant signal-to-distortion ratio: hears no gain and no sign, so it learns none. A silent estimate is +80 dB with gradient 0: nothing is learnt from there. All else as \`snr\``,
    build: distortion((b, e, t, least) => {
      const signal = projected(b, e, t, least);
      return { signal, noise: sub(b, e, signal) };
    }),
  }),
  sdSdr: row({
    options: { zeroMean, eps },
    takes: 'sound',
    formula: '−10·log10(Σs²/(Σ(e − t)² + eps) + eps), s as of `siSdr`',
    unit: DB,
    doc: `scale-dependent signal-to-distortion ratio: a wrong gain counts as distortion. All else as \`siSdr\``,
    build: distortion((b, e, t, least) => ({
      signal: projected(b, e, t, least),
      noise: sub(b, e, t),
    })),
  }),
} as const;
