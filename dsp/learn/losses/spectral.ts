/**
 * Losses between spectra: frames of the window, compared bin by bin.
 *
 * Frames lie in the window from their first sample to their last, so a loss depends on nothing else;
 * the first and last samples are in few of them: a window is best some times as long as the longest
 * frame. Frames are a power of two long and come `overlap` times as often as they are long; a loss is
 * the mean over several lengths, and over the frames of each. A spectrum is scaled so that a sine of
 * amplitude 1 has the magnitude 1 (`../spectra.ts`), and magnitudes are √(|X|² + floor²): silence is
 * the floor, and a silent estimate has gradient 0, so nothing is learnt from there.
 */

import { z } from 'zod';
import type { Loss } from '../../ad/gradient.ts';
import { WINDOW_KINDS, emptyBand, melBands, powerOf, sumBands } from '../../blocks/spectra.ts';
import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';
import { framesInside, insideWindow, lnMagnitude, spectra } from '../spectra.ts';
import {
  abs,
  add,
  div,
  ln,
  mul,
  overLanes,
  plusReal,
  row,
  scaled,
  square,
  sub,
  total,
} from './row.ts';

/** Tried one by one where none are given. */
const SIZES = [2048, 512, 128];
const OVERLAP = 4;
/** −80 dB. */
const FLOOR = 1e-4;

export const sizeSchema = z.literal([64, 128, 256, 512, 1024, 2048, 4096, 8192]);

export const framing = {
  sizes: z.array(sizeSchema).min(1).max(8).optional(),
  overlap: z.literal([1, 2, 4, 8]).optional(),
  window: z.enum(WINDOW_KINDS).optional(),
  floor: z.number().min(1e-12).max(1).optional(),
};
const distance = z.enum(['l1', 'l2']).optional();

type Framing = z.infer<z.ZodObject<typeof framing>>;
type Distance = z.infer<typeof distance>;

/** Of the usual sizes those that end often enough in a window, at its end as well. */
const sizesFor = (
  window: number,
  { sizes, overlap = OVERLAP }: Framing,
  usual = SIZES,
): readonly number[] =>
  sizes ?? usual.filter((one) => 2 * one <= window && window % (one / overlap) === 0);

/** Why frames do not fit a window, or null. */
export const misframed =
  (name: string, usual = SIZES) =>
  (options: Framing, window: number): string | null => {
    const { overlap = OVERLAP } = options;
    const sizes = sizesFor(window, options, usual);
    if (sizes.length === 0) {
      const least = usual.at(-1)!;
      return `"${name}" without "sizes" needs a window of ${2 * least} samples or more, a multiple of ${least / overlap}: got ${window}`;
    }
    for (const one of sizes) {
      const wrong = misfit(one, one / overlap, window);
      if (wrong !== null) return wrong;
    }
    return null;
  };

/** Why frames of one length do not fit a window, or null. */
export function misfit(size: number, hop: number, window: number): string | null {
  if (size > window) {
    return `a frame must go into the training window: expected at least ${size} samples, got ${window}`;
  }
  if (window % hop === 0) return null;
  return `frames of ${size} samples must not be divided by the training window: expected a multiple of the hop of ${hop} samples, got ${window}`;
}

/** What two spectra are apart, a number a frame. */
type Apart = (
  b: Builder,
  estimate: NodeId,
  target: NodeId,
  options: { readonly floor: number; readonly size: number },
) => NodeId;

/** The mean over the frames of the window and the lengths of frames. */
export const framewise =
  (apart: Apart, options: Framing, usual = SIZES): Loss =>
  (b, estimate, target, window) => {
    const { overlap = OVERLAP, window: kind = 'hann', floor = FLOOR } = options;
    const sizes = sizesFor(window, options, usual);
    const losses = sizes.map((size) => {
      const hop = size / overlap;
      const [e, t] = [estimate, target].map((x) => spectra(b, x, size, hop, kind)) as [
        NodeId,
        NodeId,
      ];
      const counted = mul(b, apart(b, e, t, { floor, size }), insideWindow(b, size, hop, window));
      return scaled(b, total(b, counted), 1 / (framesInside(size, hop, window) * sizes.length));
    });
    return losses.reduce((sum, loss) => add(b, sum, loss));
  };

/** |X|² + floor² of every bin. */
const floored = (b: Builder, spectrum: NodeId, floor: number): NodeId =>
  plusReal(b, powerOf(b, spectrum), floor * floor);

const magnitude = (b: Builder, spectrum: NodeId, floor: number): NodeId =>
  b.node('sqrt', [floored(b, spectrum, floor)]);

/** The mean over lanes of |d| or d². */
const apartBy = (b: Builder, x: NodeId, y: NodeId, how: Distance): NodeId => {
  const d = sub(b, x, y);
  return overLanes(b, how === 'l1' ? abs(b, d) : square(b, d));
};

const lanes = (b: Builder, x: NodeId): NodeId => b.node('laneSum', [x]);

/** Powers or magnitudes as parts of their sum: never 0, and equal for silence. */
const distribution = (b: Builder, spectrum: NodeId, floor: number, of: Spectrum): NodeId => {
  const parts = of === 'magnitude' ? magnitude(b, spectrum, floor) : floored(b, spectrum, floor);
  return div(b, parts, lanes(b, parts));
};
const spectrum = z.enum(['power', 'magnitude']).optional();
type Spectrum = z.infer<typeof spectrum>;

/** Σ p·ln(p/q) */
const divergence = (b: Builder, p: NodeId, q: NodeId): NodeId =>
  lanes(b, mul(b, p, sub(b, ln(b, p), ln(b, q))));

/** X·|X|^(c−1), with the magnitude held up by the floor. */
function compressed(b: Builder, x: NodeId, floor: number, c: number): NodeId {
  if (c === 1) return x;
  const slope = b.node('exp', [scaled(b, ln(b, floored(b, x, floor)), (c - 1) / 2)]);
  return mul(b, x, b.node('concat', [slope, slope]));
}

const bands = z.number().int().min(1).max(512).optional();
const BANDS = 40;
const MEL_SIZES = [2048];

const melOptions = {
  ...framing,
  distance,
  bands,
  low: z.number().min(0).optional(),
  high: z.number().positive().optional(),
};
type MelOptions = z.infer<z.ZodObject<typeof melOptions>>;

const melOf = (o: MelOptions, size: number, sampleRate: number) =>
  melBands(size / 2 + 1, {
    bands: o.bands ?? BANDS,
    low: o.low ?? 0,
    high: o.high ?? sampleRate / 2,
    sampleRate,
  });

function wrongMel(o: MelOptions, sampleRate: number): string | null {
  const [low, high] = [o.low ?? 0, o.high ?? sampleRate / 2];
  if (high > sampleRate / 2) {
    return `the bands of "mel" must end at or below Nyquist: expected "high" at most ${sampleRate / 2} Hz, got ${high} Hz`;
  }
  if (low >= high)
    return `no room for the bands of "mel": expected "low" below ${high} Hz, got ${low} Hz`;
  for (const size of o.sizes ?? MEL_SIZES) {
    const empty = emptyBand(melOf(o, size, sampleRate));
    if (empty !== null) return bandless('mel', size, empty);
  }
  return null;
}

/** A band between two bins. */
export const bandless = (name: string, size: number, band: number): string =>
  `the bands of "${name}" must each have a bin: band ${band + 1} has none in frames of ${size} samples: expected fewer bands or longer frames`;

const ABOUT_FRAMES =
  '`sizes`: lengths of frames, by default those of 2048, 512 and 128 that go into the training window at least twice; `overlap`: frames over each sample, 1, 2, 4 (default) or 8, and the training window a multiple of every size / overlap; `window`: `hann` by default; `floor`: 1e-4 by default, the magnitude, 1 being that of a sine of amplitude 1, below which bins count as silent';
export const SAME = 'Frames as of `logSpectral`';
const LOCAL =
  'a local loss: it does not find a frequency from afar, as bins that do not overlap have no slope';

export const SPECTRAL = {
  logSpectral: row({
    options: { ...framing, distance },
    takes: 'sound',
    formula: 'mean (ln ‖E‖ − ln ‖T‖)², ‖X‖ = √(|X|² + floor²)',
    unit: '1 is 8.7 dB in every bin',
    doc: `log magnitudes: learns levels and colours of sounds that are not aligned, as phases count for nothing. \`distance\`: \`l2\` (default), or \`l1\` for mean |ln ‖E‖ − ln ‖T‖|. ${ABOUT_FRAMES}`,
    build: (o) =>
      framewise((b, e, t, { floor }) => {
        const [x, y] = [e, t].map((one) => lnMagnitude(b, one, floor)) as [NodeId, NodeId];
        return apartBy(b, x, y, o.distance);
      }, o),
    wrong: misframed('logSpectral'),
  }),
  linearSpectral: row({
    options: { ...framing, distance },
    takes: 'sound',
    formula: 'mean (‖E‖ − ‖T‖)²',
    unit: 'square of the magnitude of a sine',
    doc: `linear magnitudes: hears what is loud. \`distance\`: \`l2\` (default) or \`l1\`. ${SAME}`,
    build: (o) =>
      framewise((b, e, t, { floor }) => {
        const [x, y] = [e, t].map((one) => magnitude(b, one, floor)) as [NodeId, NodeId];
        return apartBy(b, x, y, o.distance);
      }, o),
    wrong: misframed('linearSpectral'),
  }),
  spectralConvergence: row({
    options: framing,
    takes: 'sound',
    formula: 'mean of √Σ(‖E‖ − ‖T‖)² / √Σ‖T‖² over frames',
    unit: 'a ratio of amplitudes: 1 for a silent estimate',
    doc: `linear magnitudes against those of the target, frame by frame: quiet frames count as much as loud ones. auraloss’s, over all frames at once, is in \`stft\`. ${SAME}`,
    build: (o) =>
      framewise((b, e, t, { floor }) => {
        const [x, y] = [e, t].map((one) => magnitude(b, one, floor)) as [NodeId, NodeId];
        const norm = (v: NodeId): NodeId => b.node('sqrt', [lanes(b, square(b, v))]);
        return div(b, norm(sub(b, x, y)), norm(y));
      }, o),
    wrong: misframed('spectralConvergence'),
  }),
  mel: row({
    options: melOptions,
    takes: 'sound',
    formula: 'mean (ln Σw‖E‖ − ln Σw‖T‖)² over bands',
    unit: '1 is 8.7 dB in every band',
    doc: `log magnitudes of mel bands (triangles evenly spaced in mel, as the operation \`mel\`): weighs frequencies as hearing does, and forgives detuning within a band. \`bands\`: 40; \`low\`, \`high\`: 0 Hz and Nyquist; \`sizes\`: 2048; \`distance\`: \`l2\` or \`l1\`. ${SAME}`,
    build: (o, sampleRate) =>
      framewise(
        (b, e, t, { floor, size }) => {
          const weights = melOf(o, size, sampleRate);
          const [x, y] = [e, t].map((one) =>
            ln(b, sumBands(b, magnitude(b, one, floor), weights)),
          ) as [NodeId, NodeId];
          return apartBy(b, x, y, o.distance);
        },
        o,
        MEL_SIZES,
      ),
    invalid: wrongMel,
    wrong: misframed('mel', MEL_SIZES),
  }),
  klDivergence: row({
    options: { ...framing, spectrum },
    takes: 'sound',
    formula: 'mean Σ p·ln(p/q), p = ‖T‖²/Σ‖T‖², q = ‖E‖²/Σ‖E‖²',
    unit: 'nat; 0 for equal colours, at any level',
    doc: `Kullback-Leibler divergence of the estimate’s spectrum from the target’s, each as parts of its sum; \`spectrum\`: \`power\` (default) or \`magnitude\`. Hears no level; silence is as white noise, and counts as any other colour. It is ${LOCAL}. ${SAME}`,
    build: (o) =>
      framewise((b, e, t, { floor }) => {
        const [q, p] = [e, t].map((one) => distribution(b, one, floor, o.spectrum)) as [
          NodeId,
          NodeId,
        ];
        return divergence(b, p, q);
      }, o),
    wrong: misframed('klDivergence'),
  }),
  jensenShannon: row({
    options: { ...framing, spectrum },
    takes: 'sound',
    formula: 'mean ½Σ p·ln(p/m) + ½Σ q·ln(q/m), m = ½(p + q)',
    unit: 'nat, from 0 to ln 2',
    doc: `Jensen-Shannon divergence: as \`klDivergence\`, both ways, and bounded. It is ${LOCAL}. ${SAME}`,
    build: (o) =>
      framewise((b, e, t, { floor }) => {
        const [q, p] = [e, t].map((one) => distribution(b, one, floor, o.spectrum)) as [
          NodeId,
          NodeId,
        ];
        const middle = scaled(b, add(b, p, q), 0.5);
        return scaled(b, add(b, divergence(b, p, middle), divergence(b, q, middle)), 0.5);
      }, o),
    wrong: misframed('jensenShannon'),
  }),
  complexSpectral: row({
    options: { ...framing, compression: z.number().min(0.1).max(1).optional() },
    takes: 'sound',
    formula: 'mean |E·‖E‖^(c−1) − T·‖T‖^(c−1)|²',
    unit: 'square of the magnitude of a sine, to the power c',
    doc: `complex spectra: phases count, so the sounds must be aligned. \`compression\` c: 1 by default, as they are; 0.3 is common, so that quiet bins count too. ${SAME}`,
    build: (o) =>
      framewise((b, e, t, { floor }) => {
        const [x, y] = [e, t].map((one) => compressed(b, one, floor, o.compression ?? 1)) as [
          NodeId,
          NodeId,
        ];
        // Two lanes a bin.
        return scaled(b, overLanes(b, square(b, sub(b, x, y))), 2);
      }, o),
    wrong: misframed('complexSpectral'),
  }),
  binSum: row({
    options: framing,
    takes: 'sound',
    formula: 'mean (Σ‖E‖ − Σ‖T‖)²',
    unit: 'square of the magnitude of a sine',
    doc: `for comparison only: FaustNet’s spectral loss, which sums the bins first, so different spectra of one sum score 0. ${SAME}`,
    build: (o) =>
      framewise((b, e, t, { floor }) => {
        const [x, y] = [e, t].map((one) => lanes(b, magnitude(b, one, floor))) as [NodeId, NodeId];
        return square(b, sub(b, x, y));
      }, o),
    wrong: misframed('binSum'),
  }),
} as const;
