/**
 * The STFT losses of auraloss: spectral convergence and log magnitudes, of one length of frames and of
 * several. To the letter of its STFTLoss, epsilons included, but for the edges: torch.stft pads a
 * recording with its reflection, while a training window has frames that lie inside of it only.
 *
 * Spectra are not scaled: X_k = Σ w·x·e^(−2πikn/size); magnitudes are √max(|X|², eps). A window
 * shorter than the frame stands in its middle. `measureLoss` in dsp/check pads, so that values can be
 * compared. Sources: R. Yamamoto and others, Parallel WaveGAN, 2019; C. Steinmetz, J. Reiss, auraloss,
 * 2020; S. Arik and others, Fast spectrogram inversion, 2018.
 */

import { z } from 'zod';
import type { Loss } from '../../ad/gradient.ts';
import {
  WINDOW_KINDS,
  emptyBand,
  melBands,
  phaseOf,
  powerOf,
  sumBands,
  windowOf,
} from '../../blocks/spectra.ts';
import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';
import { framesInside, insideWindow } from '../spectra.ts';
import {
  abs,
  add,
  atLeast,
  div,
  ln,
  mul,
  plusReal,
  row,
  scaled,
  square,
  sub,
  total,
} from './row.ts';
import { bandless, misfit, sizeSchema } from './spectral.ts';

const weight = z.number().min(0).max(1e6).optional();
const hop = z
  .number()
  .int()
  .min(1)
  .max(2 ** 16);
const length = z.number().int().min(1).max(8192);

const terms = {
  window: z.enum(WINDOW_KINDS).optional(),
  convergence: weight,
  logMagnitude: weight,
  linearMagnitude: weight,
  phase: weight,
  distance: z.enum(['l1', 'l2']).optional(),
  logFactor: z.number().min(1e-6).max(1e6).optional(),
  logFloor: z.number().min(0).max(1e6).optional(),
  bands: z.number().int().min(1).max(512).optional(),
  scaleInvariant: z.boolean().optional(),
  eps: z.number().min(1e-12).max(1).optional(),
};
type Terms = z.infer<z.ZodObject<typeof terms>>;

const one = { size: sizeSchema.optional(), hop: hop.optional(), length: length.optional() };
const several = {
  sizes: z.array(sizeSchema).min(1).max(8).optional(),
  hops: z.array(hop).min(1).max(8).optional(),
  lengths: z.array(length).min(1).max(8).optional(),
};

export interface Resolution {
  /** Of the transform, samples. */
  readonly size: number;
  readonly hop: number;
  /** Of the window in it. */
  readonly length: number;
}

type One = z.infer<z.ZodObject<typeof one>>;
type Several = z.infer<z.ZodObject<typeof several>>;

const SIZES = [1024, 2048, 512];
const HOPS = [120, 240, 50];
const LENGTHS = [600, 1200, 240];

const resolutionOf = ({ size = 1024, hop: step = 256, length: long }: One): Resolution => ({
  size,
  hop: step,
  length: long ?? size,
});

/** The frames of each resolution; the three lists must be of one length, which `unequal` says. */
function resolutionsOf({ sizes, hops, lengths }: Several): readonly Resolution[] {
  const all = sizes ?? SIZES;
  return all.map((size, k) => ({
    size,
    hop: hops?.[k] ?? (sizes === undefined ? HOPS[k]! : size / 4),
    length: lengths?.[k] ?? (sizes === undefined ? LENGTHS[k]! : size),
  }));
}

/** A window in the middle of the frame, zeros around it. */
function windowIn({ size, length: long }: Resolution, kind: Terms['window']): number[] {
  const before = Math.floor((size - long) / 2);
  const weights = new Array<number>(size).fill(0);
  windowOf(kind ?? 'hann', long).forEach((w, n) => {
    weights[before + n] = w;
  });
  return weights;
}

const slaney = (bands: number, size: number, sampleRate: number) =>
  melBands(size / 2 + 1, { bands, low: 0, high: sampleRate / 2, sampleRate, scale: 'slaney' });

function stft(at: Resolution, o: Terms, sampleRate: number): Loss {
  const { size, hop: step } = at;
  const { convergence = 1, logMagnitude = 1, linearMagnitude = 0, phase = 0, eps = 1e-8 } = o;
  const weights = windowIn(at, o.window);
  return (b, estimate, target, window) => {
    const inside = insideWindow(b, size, step, window);
    const frames = framesInside(size, step, window);
    const lanes = (x: NodeId): NodeId => b.node('laneSum', [x]);
    /** Σ over the bins or bands of the frames inside. */
    const sum = (x: NodeId): NodeId => total(b, mul(b, lanes(x), inside));
    const mean = (x: NodeId): NodeId => scaled(b, sum(x), 1 / (frames * b.shape(x)));
    const apart = (x: NodeId, y: NodeId): NodeId => {
      const d = sub(b, x, y);
      return mean(o.distance === 'l2' ? square(b, d) : abs(b, d));
    };
    const spectrum = (x: NodeId): NodeId => {
      const frame = b.node('frames', [x], [step, size]);
      return b.node('rfft', [mul(b, frame, b.node('const', [], weights))]);
    };
    const magnitude = (x: NodeId): NodeId => {
      const bins = b.node('sqrt', [atLeast(b, powerOf(b, x), eps)]);
      return o.bands === undefined ? bins : sumBands(b, bins, slaney(o.bands, size, sampleRate));
    };
    const [e, t] = [spectrum(estimate), spectrum(target)];
    const x = magnitude(e);
    const own = magnitude(t);
    const y =
      o.scaleInvariant === true
        ? mul(b, own, div(b, sum(mul(b, x, own)), sum(square(b, own))))
        : own;
    const level = (m: NodeId): NodeId =>
      ln(b, plusReal(b, scaled(b, m, o.logFactor ?? 1), o.logFloor ?? 0));
    const norm = (m: NodeId): NodeId => b.node('sqrt', [sum(square(b, m))]);
    const parts: [number, () => NodeId][] = [
      [convergence, () => div(b, norm(sub(b, y, x)), norm(y))],
      [logMagnitude, () => apart(level(x), level(y))],
      [linearMagnitude, () => apart(x, y)],
      [phase, () => mean(square(b, sub(b, phaseOf(b, e), phaseOf(b, t))))],
    ];
    return sumOf(
      b,
      parts.flatMap(([by, make]) => (by === 0 ? [] : [scaled(b, make(), by)])),
    );
  };
}

const sumOf = (b: Builder, some: readonly NodeId[]): NodeId =>
  some.reduce((sum, x) => add(b, sum, x));

/** Why resolutions and terms do not go together, or null. */
function invalid(
  name: string,
  all: readonly Resolution[],
  o: Terms,
  sampleRate: number,
): string | null {
  const weights = [o.convergence ?? 1, o.logMagnitude ?? 1, o.linearMagnitude ?? 0, o.phase ?? 0];
  if (weights.every((w) => w === 0)) {
    return `"${name}" weighs nothing: expected a weight above 0 for "convergence", "logMagnitude", "linearMagnitude" or "phase"`;
  }
  for (const at of all) {
    if (at.length > at.size) {
      return `the window of "${name}" must go into its frame: expected a length of at most ${at.size} samples, got ${at.length}`;
    }
    if (o.bands === undefined) continue;
    const empty = emptyBand(slaney(o.bands, at.size, sampleRate));
    if (empty !== null) return bandless(name, at.size, empty);
  }
  return null;
}

/** The first resolution that does not fit the training window. */
function misfitting(all: readonly Resolution[], window: number): string | null {
  for (const { size, hop: step } of all) {
    const wrong = misfit(size, step, window);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** Lists that say different numbers of resolutions, or null. */
function unequal({ sizes, hops, lengths }: Several): string | null {
  const count = (sizes ?? SIZES).length;
  for (const [field, list] of Object.entries({ hops, lengths })) {
    if (list === undefined || list.length === count) continue;
    return `"${field}" of "multiStft": expected one for each of the ${count} sizes, got ${list.length}`;
  }
  return null;
}

/** What frames an STFT loss has: those of each of its resolutions, or none. */
export function resolutions(choice: unknown): readonly Resolution[] {
  const { kind, ...options } = (typeof choice === 'string' ? { kind: choice } : choice) as {
    kind: string;
  };
  if (kind === 'stft') return [resolutionOf(options)];
  return kind === 'multiStft' ? resolutionsOf(options) : [];
}

const TERMS =
  '`convergence` and `logMagnitude` weigh the two terms, `linearMagnitude` and `phase` two more, 0 by default: mean |‖E‖ − ‖T‖| and the mean squared difference of angles, which jumps at ±π and is noise in bins without sound. `distance`: `l1` or `l2`; `window`: `hann`; `bands`: so many mel bands (Slaney’s) instead of bins; `scaleInvariant`: T as loud as E; `logFactor` 1 and `logFloor` 0: ln(factor·‖X‖ + floor); `eps`: 1e-8';

export const STFT = {
  stft: row({
    options: { ...one, ...terms },
    takes: 'sound',
    formula: '√Σ(‖E‖ − ‖T‖)² / √Σ‖T‖² + mean |ln ‖E‖ − ln ‖T‖|, ‖X‖ = √max(|X|², eps)',
    unit: 'a ratio of amplitudes, and 1 is 8.7 dB in every bin',
    doc: `auraloss’s STFT loss, over the frames that lie in the window (it pads a recording by reflection instead). \`size\` 1024, \`hop\` 256, \`length\` of the window as \`size\`; the training window is a multiple of the hop. ${TERMS}. Where magnitudes fall to √eps the slope of the logarithm is 1e4, which single precision fills with noise: of recordings without any noise, gradients are good to some percent. It is a local loss: it does not find a frequency from afar`,
    build: (o, sampleRate) => stft(resolutionOf(o), o, sampleRate),
    invalid: (o, sampleRate) => invalid('stft', [resolutionOf(o)], o, sampleRate),
    wrong: (o, window) => misfitting([resolutionOf(o)], window),
  }),
  multiStft: row({
    options: { ...several, ...terms },
    takes: 'sound',
    formula: 'the mean of `stft` over resolutions',
    unit: 'as `stft`',
    doc: 'auraloss’s multi-resolution STFT loss: `sizes` 1024, 2048, 512, `hops` 120, 240, 50, `lengths` 600, 1200, 240 by default, so the training window is a multiple of 1200 samples, 2400 at least; of other sizes the hops are a quarter and the windows as long, if not given. All else as `stft`',
    build: (o, sampleRate) => {
      const all = resolutionsOf(o).map((at) => stft(at, o, sampleRate));
      return (b, estimate, target, window) =>
        scaled(
          b,
          sumOf(
            b,
            all.map((loss) => loss(b, estimate, target, window)),
          ),
          1 / all.length,
        );
    },
    invalid: (o, sampleRate) => unequal(o) ?? invalid('multiStft', resolutionsOf(o), o, sampleRate),
    wrong: (o, window) => misfitting(resolutionsOf(o), window),
  }),
} as const;
