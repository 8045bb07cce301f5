/**
 * Learning the frequency of a sine, or of what has a strong partial, from frames of a sound.
 *
 * No loss between waves or spectra leads to a frequency from afar: away from it they are flat or full
 * of hills. Two that do are put together here, both as squared distances in octaves, so that a
 * gradient step of the rate ½ goes all the way in either. Far from the target: optimal transport
 * between power spectra along the octaves, which knows how far its mass has to go. Within one bin:
 * the Newton step on the energy that is coherent with the frequency, whose phase and amplitude are
 * best ones in closed form (variable projection).
 *
 * Invariants: everything belongs to one frame, so its derivative needs no past; silence has the loss
 * 0 and no slope. Frequencies are numbers of octaves above 1 Hz, u = log₂ f.
 * Sources: B. Torres, G. Peeters, G. Richard, Unsupervised harmonic parameter estimation using
 * differentiable DSP and spectral optimal transport, ICASSP 2024; G. Golub, V. Pereyra, The
 * differentiation of pseudo-inverses and nonlinear least squares problems whose variables separate,
 * SIAM J. Numer. Anal. 10, 1973.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { extremeLane } from './activations.ts';
import { powerOf, windowOf } from './spectra.ts';

export interface FrequencyOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Bins of the target below this share of its largest one's power count as silent. */
  readonly gate?: number | undefined;
  /** An amplitude: a sound whose strongest partial is quieter is silence. */
  readonly floor?: number | undefined;
}

/** The octave of a partial is 6 dB below it, and a bin in between two shows 1.4 dB less. */
export const GATE = 0.4;
/** −80 dB. */
export const QUIET = 1e-4;

/** Of the sample rate: at half of it a sine's spectrum stands still. */
const HIGHEST = 0.49;

/** Frequencies that Newton's method goes on from have this share of the largest bin's power. */
const LARGE = 0.4;

const mul = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('mul', [x, y]);
const add = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('add', [x, y]);
const sub = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('sub', [x, y]);
const div = (b: Builder, x: NodeId, y: NodeId): NodeId => b.node('div', [x, y]);
const scaled = (b: Builder, x: NodeId, by: number): NodeId => mul(b, x, b.real(by));
const atLeast = (b: Builder, x: NodeId, least: number): NodeId => b.node('max', [x, b.real(least)]);
const square = (b: Builder, x: NodeId): NodeId => mul(b, x, x);
const total = (b: Builder, x: NodeId): NodeId => b.node('laneSum', [x]);

/** A constant vector: `at` of every lane. */
const vector = (b: Builder, lanes: number, at: (n: number) => number): NodeId =>
  b.node(
    'const',
    [],
    Array.from({ length: lanes }, (_, n) => at(n)),
  );

/** Bins that are less than `gate` times the largest count as 0, all others by what they have more. */
export function gated(b: Builder, bins: NodeId, gate: number): NodeId {
  const largest = extremeLane(b, bins, 'max');
  return atLeast(b, sub(b, bins, scaled(b, largest, gate)), 0);
}

/**
 * 2π·bin·(n + from)/N in radians for n = 0 … lanes − 1, less whole turns.
 *
 * Whole bins turn by multiples of 1/N, which single precision holds exactly, so only the rest of a
 * bin is rounded.
 * @param bin   a number in [0, N/2]
 * @param size  N, a power of two, at most 8192; |n + from| at most N/2
 */
export function turned(b: Builder, bin: NodeId, size: number, from: number, lanes: number): NodeId {
  const place = vector(b, lanes, (n) => (n + from) / size);
  const whole = b.node('rint', [bin]);
  const exact = mul(b, place, whole);
  const cycles = sub(b, exact, b.node('rint', [exact]));
  return scaled(b, add(b, cycles, mul(b, place, sub(b, bin, whole))), 2 * Math.PI);
}

/** The power of the bins 1 … N/2 of a frame that has been windowed. */
const powerAbove = (b: Builder, frame: NodeId): NodeId =>
  b.node('slice', [powerOf(b, b.node('rfft', [frame]))], [1, b.shape(frame) / 2]);

interface Heard {
  /** The frame times a Hann window. */
  readonly sound: NodeId;
  readonly power: NodeId;
  /** The largest of `power`. */
  readonly peak: NodeId;
  /** An int. */
  readonly isLoud: NodeId;
  /** The learnt frequency in bins, and in octaves; as often as frames come. */
  readonly bin: NodeId;
  readonly octaves: NodeId;
}

function hear(b: Builder, frame: NodeId, octaves: NodeId, options: FrequencyOptions): Heard {
  const { sampleRate, floor = QUIET } = options;
  const size = b.shape(frame);
  const sound = mul(b, frame, b.node('const', [], windowOf('hann', size)));
  const power = powerAbove(b, sound);
  const peak = extremeLane(b, power, 'max');
  const isLoud = b.node('gt', [peak, b.real(((floor * size) / 4) ** 2)]);
  const wanted = b.node('select', [isLoud, octaves, b.real(0)]);
  const highest = b.node('min', [wanted, b.real(Math.log2(HIGHEST * sampleRate))]);
  const held = b.node('detach', [atLeast(b, highest, Math.log2(sampleRate / size))]);
  // The slope goes on beyond, so that what has gone too far comes back.
  const own = b.node('withSlope', [held, wanted, b.real(1)]);
  const bin = scaled(b, b.node('exp2', [own]), size / sampleRate);
  return { sound, power, peak, isLoud, bin, octaves: own };
}

/**
 * The squared 2-Wasserstein distance in octaves between the power spectra of a sound and of a sine.
 *
 * W₂²(p, q), p ∝ max(P − gate·max P, 0), q the power of cos 2πft; Hann windows, bins 1 … N/2 at
 * log₂ of their frequencies. The sine's own spectrum is never gated: what would be cut off moves as
 * well, and without it the slope has the wrong sign.
 */
function transported(b: Builder, { power, bin }: Heard, size: number, gate: number): NodeId {
  const sine = b.node('cos', [turned(b, bin, size, -size / 2, size)]);
  const own = powerAbove(b, mul(b, sine, b.node('const', [], windowOf('hann', size))));
  const places = vector(b, size / 2, (k) => Math.log2(k + 1));
  return b.node('transport', [gated(b, power, gate), own, places], [2]);
}

/**
 * The Newton step towards the largest |X|² = |Σ wₙ·xₙ·e^(−2πi·bin·n/N)|², in bins.
 *
 * With mₙ = 2n/N − 1 about the middle and Zₖ = Σ wₙ·xₙ·mₙᵏ·e^(…): step = Im(Z₁/Z₀) / (π·v), where
 * v = Re(Z₂/Z₀ − (Z₁/Z₀)²) is above 0 where ln |X|² is concave.
 */
function newton(
  b: Builder,
  { sound, bin }: Heard,
  size: number,
): { readonly step: NodeId; readonly curve: NodeId; readonly energy: NodeId } {
  const angle = turned(b, bin, size, -size / 2, size);
  const [cos, sin] = [b.node('cos', [angle]), b.node('sin', [angle])];
  const middle = vector(b, size, (n) => (2 * n) / size - 1);
  const moments = [sound];
  for (let k = 1; k < 3; k++) moments.push(mul(b, moments[k - 1]!, middle));
  const [re0, re1, re2] = moments.map((x) => total(b, mul(b, x, cos))) as Three;
  const [im0, im1, im2] = moments.map((x) => b.node('neg', [total(b, mul(b, x, sin))])) as Three;
  const energy = add(b, square(b, re0), square(b, im0));
  const one = div(b, b.real(1), atLeast(b, energy, 1e-30));
  const real = (re: NodeId, im: NodeId): NodeId =>
    mul(b, add(b, mul(b, re, re0), mul(b, im, im0)), one);
  const first = real(re1, im1);
  const turn = mul(b, sub(b, mul(b, im1, re0), mul(b, re1, im0)), one);
  const curve = add(b, sub(b, real(re2, im2), square(b, first)), square(b, turn));
  const step = div(b, turn, scaled(b, atLeast(b, curve, 1e-6), Math.PI));
  return { step, curve, energy };
}

type Three = [NodeId, NodeId, NodeId];

/**
 * How far a learnt frequency is from that of a sound, in octaves, squared.
 *
 * loss = (log₂(1 + step/bin))² with the slope −2·log₂(1 + step/bin) where the Newton step is less
 * than a bin, the energy concave and the learnt frequency on the largest partial; W₂² elsewhere.
 *
 * @param frame    N samples, a power of two from 64 to 8192, the oldest first
 * @param octaves  u = log₂ f, of the frames' hop or no signal; f counts as held to the first bin and to
 *                 0.49·sampleRate
 * @returns        a number a frame, ≥ 0
 * Gradient: to `octaves` alone, about 2·(u − u_target): a step of the rate ½ goes all the way. None
 * in silence, and none to the frame.
 * Harmonic sounds: with the gate at 0.4 what counts is the strongest partial; below 0.2 the centre of
 * all of them leads, which is not the fundamental. Cost: two transforms, and one back.
 * Measured: test/hard/results.md. Tested: test/dsp/blocks/frequency.test.ts.
 */
export function frequencyLoss(
  b: Builder,
  frame: NodeId,
  octaves: NodeId,
  options: FrequencyOptions,
): NodeId {
  const size = b.shape(frame);
  const heard = hear(b, b.node('detach', [frame]), octaves, options);
  const far = transported(b, heard, size, options.gate ?? GATE);

  const { step, curve, energy } = newton(b, heard, size);
  const ratio = add(b, b.real(1), div(b, step, heard.bin));
  const left = b.node('detach', [scaled(b, b.node('ln', [ratio]), 1 / Math.LN2)]);
  const near = b.node('withSlope', [square(b, left), heard.octaves, scaled(b, left, -2)]);
  const isNear = [
    b.node('gt', [curve, b.real(0)]),
    b.node('lt', [b.node('abs', [step]), b.real(1)]),
    b.node('gt', [energy, scaled(b, heard.peak, LARGE)]),
  ].reduce((all, one) => b.node('and', [all, one]));
  const loss = b.node('select', [isNear, near, far]);
  return b.node('select', [heard.isLoud, loss, b.real(0)]);
}

/**
 * The sine of a known frequency that is nearest to a frame, as it goes on after it.
 *
 * y_m = c·cos ω(M + m) + s·sin ω(M + m), m = 0 … lanes − 1, M the last sample of the frame counted
 * from its middle, (c, s) the least squares of Σ wₙ·(xₙ − c·cos ω(n − N/2) − s·sin ω(n − N/2))², w a
 * Hann window: amplitude and phase in closed form. Windowed and put together with `overlap`, such
 * frames are a sine that follows the sound without a delay and without clicks.
 *
 * @param octaves  log₂ f, of the frames' hop or no signal
 * @param lanes    samples to go on for, at most N/2
 * @returns        frames; zeros after silence. No gradient: what it is, is found, not learnt.
 * Tested: test/dsp/blocks/frequency.test.ts.
 */
export function continuedSine(
  b: Builder,
  frame: NodeId,
  octaves: NodeId,
  lanes: number,
  options: FrequencyOptions,
): NodeId {
  const size = b.shape(frame);
  const heard = hear(b, frame, octaves, options);
  const angle = turned(b, heard.bin, size, -size / 2, size);
  const [cos, sin] = [b.node('cos', [angle]), b.node('sin', [angle])];
  const window = b.node('const', [], windowOf('hann', size));
  const [wc, ws] = [mul(b, cos, window), mul(b, sin, window)];
  const [cc, cs, ss] = [mul(b, wc, cos), mul(b, wc, sin), mul(b, ws, sin)].map((x) =>
    total(b, x),
  ) as Three;
  const [xc, xs] = [mul(b, heard.sound, cos), mul(b, heard.sound, sin)].map((x) => total(b, x)) as [
    NodeId,
    NodeId,
  ];
  const scale = div(b, b.real(1), atLeast(b, sub(b, mul(b, cc, ss), square(b, cs)), 1e-6));
  const even = mul(b, sub(b, mul(b, xc, ss), mul(b, xs, cs)), scale);
  const odd = mul(b, sub(b, mul(b, xs, cc), mul(b, xc, cs)), scale);
  // From the middle of the frame to behind its end, and from there to each sample.
  const half = turned(b, heard.bin, size, size / 2, 1);
  const at = add(b, turned(b, heard.bin, size, -1, lanes), half);
  const sine = add(b, mul(b, even, b.node('cos', [at])), mul(b, odd, b.node('sin', [at])));
  return b.node('detach', [b.node('select', [heard.isLoud, sine, b.real(0)])]);
}
