/**
 * Frames and their spectra, as functions over the Builder: windows, the inverse transform, what is
 * read off a spectrum, and mel bands.
 *
 * A spectrum of N samples is one vector of N + 2 lanes, as `rfft` gives it: the real parts of the bins
 * 0 … N/2, then the imaginary parts. Invariant: finite operands give finite results and derivatives,
 * for silence too. What works bin by bin takes any even number of lanes, half of them real parts, so
 * it works on a part of a spectrum as well. Nothing here knows the sample rate but `melBands`.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';

const TURN = 2 * Math.PI;

/**
 * Windows by the place t = n/N in [0, 1): the periodic ones. A Hann window adds up to 1 at a hop of
 * N/2, its square to 3/2 at N/4.
 */
export const WINDOWS = {
  rectangular: { doc: '1', at: () => 1 },
  hann: { doc: '½ − ½ cos 2πt', at: (t: number) => 0.5 - 0.5 * Math.cos(TURN * t) },
  hamming: { doc: '0.54 − 0.46 cos 2πt', at: (t: number) => 0.54 - 0.46 * Math.cos(TURN * t) },
  blackman: {
    doc: '0.42 − ½ cos 2πt + 0.08 cos 4πt',
    at: (t: number) => 0.42 - 0.5 * Math.cos(TURN * t) + 0.08 * Math.cos(2 * TURN * t),
  },
} as const satisfies Record<string, { readonly doc: string; readonly at: (t: number) => number }>;

export type WindowKind = keyof typeof WINDOWS;

export const WINDOW_KINDS = Object.keys(WINDOWS) as [WindowKind, ...WindowKind[]];

/** The `size` values of a window. */
export const windowOf = (kind: WindowKind, size: number): readonly number[] =>
  Array.from({ length: size }, (_, n) => WINDOWS[kind].at(n / size));

/** Half of a vector's lanes. */
const half = (b: Builder, x: NodeId, which: 0 | 1): NodeId => {
  const lanes = b.shape(x) / 2;
  return b.node('slice', [x], [which * lanes, lanes]);
};

const mul = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('mul', [x, y]);
const add = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('add', [x, y]);

/**
 * The samples of a spectrum: x_n = 1/N · Σ over all N bins of X_k·e^(2πikn/N), where the bins above
 * N/2 are the conjugates of those below.
 *
 * @param spectrum  N + 2 lanes; the imaginary parts of bins 0 and N/2 count for nothing
 * @returns         N lanes, so that irfft(rfft(x)) = x; no state
 */
export function inverseSpectrum(b: Builder, spectrum: NodeId): NodeId {
  const lanes = b.shape(spectrum);
  const size = lanes - 2;
  // Each bin between the first and the last stands for its mirror image too.
  const weights = Array.from({ length: lanes }, (_, k) => {
    const isEdge = k % (lanes / 2) === 0 || k % (lanes / 2) === size / 2;
    return (isEdge ? 1 : 2) / size;
  });
  return b.node('rfftT', [mul(b, spectrum, b.node('const', [], weights))]);
}

/** re² + im² of every bin. */
export function powerOf(b: Builder, spectrum: NodeId): NodeId {
  const square = (x: NodeId): NodeId => mul(b, x, x);
  return add(b, square(half(b, spectrum, 0)), square(half(b, spectrum, 1)));
}

/** √(re² + im²); below 1e-22 it is 0, with derivative 0. */
export const magnitudeOf = (b: Builder, spectrum: NodeId): NodeId =>
  b.node('sqrt', [powerOf(b, spectrum)]);

/**
 * 10·log10(re² + im² + floor) of every bin, in dB.
 *
 * @param floor  > 0, a power: what is far below it is at 10·log10(floor) dB, with a derivative that
 *               goes to 0, so that silence has one
 */
export function logPowerOf(b: Builder, spectrum: NodeId, floor: number): NodeId {
  const ln = b.node('ln', [add(b, powerOf(b, spectrum), b.real(floor))]);
  return mul(b, ln, b.real(10 / Math.LN10));
}

/** The angle of every bin in radians, in [−π, π]; derivative 0 where the bin is 0. */
export const phaseOf = (b: Builder, spectrum: NodeId): NodeId =>
  b.node('atan2', [half(b, spectrum, 1), half(b, spectrum, 0)]);

/** The spectrum of magnitudes and phases. */
export const polar = (b: Builder, magnitude: NodeId, phase: NodeId): NodeId =>
  b.node('concat', [
    mul(b, magnitude, b.node('cos', [phase])),
    mul(b, magnitude, b.node('sin', [phase])),
  ]);

/** The product of two spectra, bin by bin: the convolution of the frames, around the end of them. */
export function complexProduct(b: Builder, x: NodeId, y: NodeId): NodeId {
  const [xr, xi, yr, yi] = [half(b, x, 0), half(b, x, 1), half(b, y, 0), half(b, y, 1)];
  return b.node('concat', [
    b.node('sub', [mul(b, xr, yr), mul(b, xi, yi)]),
    add(b, mul(b, xr, yi), mul(b, xi, yr)),
  ]);
}

/** Some bins, counted from `from`, and how much each of them counts. */
export interface Band {
  readonly from: number;
  readonly weights: readonly number[];
}

export interface MelOptions {
  readonly bands: number;
  /** Hz: where the first band begins and the last one ends, 0 ≤ low < high ≤ sampleRate/2. */
  readonly low: number;
  readonly high: number;
  readonly sampleRate: number;
  /** `htk` if not given. */
  readonly scale?: 'htk' | 'slaney';
}

/** Where Slaney's scale turns from straight to logarithmic, Hz and mel; a step of it there. */
const BEND = { hz: 1000, mel: 15, step: Math.log(6.4) / 27 };

/** Mel of a frequency in Hz, and back. */
const SCALES = {
  htk: {
    melOf: (hz: number): number => 2595 * Math.log10(1 + hz / 700),
    hzOf: (mel: number): number => 700 * (10 ** (mel / 2595) - 1),
  },
  slaney: {
    melOf: (hz: number): number =>
      hz < BEND.hz ? (hz * BEND.mel) / BEND.hz : BEND.mel + Math.log(hz / BEND.hz) / BEND.step,
    hzOf: (mel: number): number =>
      mel < BEND.mel
        ? (mel * BEND.hz) / BEND.mel
        : BEND.hz * Math.exp(BEND.step * (mel - BEND.mel)),
  },
} as const;

/**
 * Triangles whose corners are evenly spaced in mel, each from the middle of one neighbour to the
 * middle of the other.
 *
 * htk: mel(f) = 2595·log10(1 + f/700), height 1. slaney: 15 mel up to 1 kHz, 27 for a factor of 6.4
 * above; of height 2/width in Hz, so that all have one area.
 *
 * @param bins  of the spectrum, N/2 + 1
 * @returns     the bins that count, per band; none for a band between two bins
 * Source: S. Young et al., The HTK Book, 5.4. The same as torchaudio's `melscale_fbanks` with
 * `mel_scale="htk"` and `norm=None`; slaney as librosa's `filters.mel`.
 */
export function melBands(
  bins: number,
  { bands, low, high, sampleRate, scale = 'htk' }: MelOptions,
): Band[] {
  const { melOf, hzOf } = SCALES[scale];
  const width = sampleRate / 2 / (bins - 1);
  const [first, last] = [melOf(low), melOf(high)];
  const corner = (k: number): number => hzOf(first + ((last - first) * k) / (bands + 1));
  return Array.from({ length: bands }, (_, k) => {
    const [begin, middle, end] = [corner(k), corner(k + 1), corner(k + 2)];
    const from = Math.floor(begin / width) + 1;
    const count = Math.max(0, Math.min(bins, Math.ceil(end / width)) - from);
    const weights = Array.from({ length: count }, (_bin, j) => {
      const f = (from + j) * width;
      const height = f <= middle ? (f - begin) / (middle - begin) : (end - f) / (end - middle);
      return scale === 'slaney' ? (height * 2) / (end - begin) : height;
    });
    return { from, weights };
  });
}

/** The first band that lies between two bins, or null. */
export function emptyBand(bands: readonly Band[]): number | null {
  const first = bands.findIndex(({ weights }) => weights.length === 0);
  return first < 0 ? null : first;
}

/**
 * The weighted sums of bands: the product with a matrix that is mostly zeros, without the zeros.
 *
 * @param x      a lane per bin: magnitudes or powers
 * @param bands  each with a bin at least
 * @returns      a lane per band; no state
 * Cost: a multiplication per bin and band that it counts in, in both directions.
 */
export function sumBands(b: Builder, x: NodeId, bands: readonly Band[]): NodeId {
  // Every other band: what is cut from one vector does not overlap, so its adjoint is joined at once.
  const other = b.node('slice', [x], [0, b.shape(x)]);
  const sums = bands.map(({ from, weights }, k) => {
    const some = b.node('slice', [k % 2 === 0 ? x : other], [from, weights.length]);
    return b.node('laneSum', [mul(b, some, b.node('const', [], weights))]);
  });
  return b.node('concat', sums);
}

/** The last of a number that comes in frames, at every sample; a number of every sample is itself. */
export function held(b: Builder, x: NodeId): NodeId {
  const hop = b.hop(x);
  return hop > 1 ? b.node('overlap', [b.asLanes(x, hop)], [hop]) : x;
}
