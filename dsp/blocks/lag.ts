/**
 * Learning the delay between two sounds from frames of both.
 *
 * The difference of waves leads to a delay only from less than a sample away, for noise. So there are
 * two losses, both as squared distances in samples, so that a gradient step of the rate ½ goes all the
 * way in either. Far from the target: optimal transport between the learnt delay, a point, and the
 * squared correlation of the sounds over all delays, whitened so that its peak is sharp whatever they
 * are. Near it: the Gauss-Newton step on the difference of the waves, one of them shifted between the
 * samples, with the slope of what is band-limited and the best gain in closed form.
 *
 * Invariants: everything belongs to one pair of frames; silence on either side has the loss 0 and no
 * slope. Sources: C. Knapp, G. Carter, The generalized correlation method for estimation of time
 * delay, IEEE Trans. ASSP 24, 1976; for the separated gain, as `frequency.ts`.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { gated, turned } from './frequency.ts';
import { complexProduct, inverseSpectrum, magnitudeOf, windowOf } from './spectra.ts';

/** Samples of frame around the peak of a correlation that may be between two of them. */
export const AROUND = 32;
/** Correlations below this share of the largest one, squared, are noise. */
const GATE = 0.1;
/** Samples: so near, the difference of waves has one valley. */
const NEAR = 0.75;
/** Bins that hold less than this share of the largest one are not whitened any further. */
const WHITENED = 1e-4;
/** −200 dB, of both together. */
const SILENT = 1e-10;

/**
 * How far a learnt delay is from that of a sound, in samples, squared.
 *
 * Far: Σₖ pₖ·(k − d)², p ∝ the gated |irfft(R/|R|)|² with R = conj(X)·Y, k = 0 … max; near: step²
 * with the slope −2·step, step = ⟨y − g·x_d, g·q⟩ / ⟨g·q, g·q⟩, where x_d = irfft(X·e^(−iωd)),
 * g = ⟨y, x_d⟩/⟨x_d, x_d⟩, q is ∂x_d/∂d without its share of x_d, and ⟨a, b⟩ sums w·a·b over the
 * second half of the frame, w a Hann window: what is shifted into it lies in the frame of x.
 *
 * @param reference  x, N samples, a power of two from 64 to 8192, the oldest first
 * @param target     y ∝ x, d samples later; as many samples
 * @param delay      d in samples, of the frames' hop or no signal
 * @param max        the longest delay that is looked for, at most N/2 − 32
 * @returns          a number a frame, ≥ 0
 * Gradient: to `delay` alone, 2·(d − d_target). Cost: five transforms.
 * Measured: test/hard/results.md. Tested: test/dsp/blocks/lag.test.ts.
 */
export function delayLoss(
  b: Builder,
  reference: NodeId,
  target: NodeId,
  delay: NodeId,
  max: number,
): NodeId {
  const mul = (x: NodeId, y: NodeId): NodeId => b.node('mul', [x, y]);
  const sub = (x: NodeId, y: NodeId): NodeId => b.node('sub', [x, y]);
  const div = (x: NodeId, y: NodeId): NodeId => b.node('div', [x, y]);
  const atLeast = (x: NodeId, least: number): NodeId => b.node('max', [x, b.real(least)]);
  const total = (x: NodeId): NodeId => b.node('laneSum', [x]);
  const vector = (lanes: number, at: (n: number) => number): NodeId =>
    b.node(
      'const',
      [],
      Array.from({ length: lanes }, (_, n) => at(n)),
    );
  const size = b.shape(reference);
  const bins = size / 2 + 1;
  const [x, y] = [reference, target].map((frame) => b.node('detach', [frame])) as [NodeId, NodeId];
  const hann = windowOf('hann', size / 2);
  const weight = vector(size, (n) => (n < size / 2 ? 0 : hann[n - size / 2]!));
  const seen = mul(y, weight);
  const [spectrum, other] = [b.node('rfft', [x]), b.node('rfft', [seen])];
  const power = mul(total(mul(x, x)), total(mul(seen, seen)));
  const isLoud = b.node('gt', [power, b.real(SILENT * SILENT)]);
  const own = b.node('select', [isLoud, delay, b.real(0)]);

  // Both sides of a conjugate are real parts, then imaginary parts.
  const conjugate = mul(
    spectrum,
    vector(size + 2, (k) => (k < bins ? 1 : -1)),
  );
  const cross = complexProduct(b, conjugate, other);
  const loudness = magnitudeOf(b, cross);
  const least = mul(total(loudness), b.real(WHITENED / 16));
  const flat = div(
    cross,
    b.node('concat', twice(atLeast(b.node('add', [loudness, least]), 1e-30))),
  );
  const correlation = b.node('slice', [inverseSpectrum(b, flat)], [0, max + AROUND]);
  const mass = gated(b, mul(correlation, correlation), GATE);
  const share = div(b.real(1), atLeast(total(mass), 1e-30));
  const places = vector(max + AROUND, (k) => k);
  const away = sub(own, places);
  const far = mul(total(mul(mass, mul(away, away))), share);
  const centre = mul(total(mul(mass, places)), share);

  const angle = turned(b, own, size, 0, bins);
  const [cos, sin] = [b.node('cos', [angle]), b.node('neg', [b.node('sin', [angle])])];
  const shifted = complexProduct(b, spectrum, b.node('concat', [cos, sin]));
  const late = inverseSpectrum(b, shifted);
  const omega = vector(bins, (k) => (-2 * Math.PI * k) / size);
  const half = (v: NodeId, which: 0 | 1): NodeId => b.node('slice', [v], [which * bins, bins]);
  // −iω·X
  const turn = b.node('concat', [
    b.node('neg', [mul(half(shifted, 1), omega)]),
    mul(half(shifted, 0), omega),
  ]);
  const slope = inverseSpectrum(b, turn);
  const weighted = mul(late, weight);
  const level = atLeast(total(mul(weighted, late)), 1e-30);
  const gain = div(total(mul(weighted, y)), level);
  const part = div(total(mul(weighted, slope)), level);
  const across = mul(gain, sub(slope, mul(part, late)));
  const heavy = mul(across, weight);
  const error = sub(y, mul(gain, late));
  const wanted = div(total(mul(error, heavy)), atLeast(total(mul(across, heavy)), 1e-30));
  const step = b.node('detach', [b.node('max', [b.node('min', [wanted, b.real(1)]), b.real(-1)])]);
  const near = b.node('withSlope', [mul(step, step), own, mul(step, b.real(-2))]);
  const distance = b.node('abs', [b.node('detach', [sub(own, centre)])]);
  const loss = b.node('select', [b.node('lt', [distance, b.real(NEAR)]), near, far]);
  return b.node('select', [isLoud, loss, b.real(0)]);
}

const twice = (x: NodeId): NodeId[] => [x, x];
