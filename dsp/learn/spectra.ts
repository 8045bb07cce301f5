/**
 * Spectra of recordings, for losses.
 *
 * Invariant: a spectrum is scaled so that a sine of amplitude 1 in the middle of a bin has the
 * magnitude 1 there, whatever the window and the length: losses of several lengths have one unit.
 */

import { powerOf, windowOf } from '../blocks/spectra.ts';
import type { WindowKind } from '../blocks/spectra.ts';
import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';

/**
 * X_k = 2/Σw · Σₙ wₙ·xₙ·e^(−2πikn/N) of every frame that ends in the window.
 *
 * @param b     of a backward graph
 * @param tape  a recording, a number a sample; the first frames hold what was before the window,
 *              which has no gradient: `insideWindow` tells them
 * @param size  N, samples, a power of two from 64 to 8192
 * @param hop   samples; divides the training window
 * @returns     frames of N + 2 lanes: N/2 + 1 real parts, then the imaginary parts
 * Gradient: exact through the samples of the window, none to samples before it.
 */
export function spectra(
  b: Builder,
  tape: NodeId,
  size: number,
  hop: number,
  window: WindowKind,
): NodeId {
  const weights = windowOf(window, size);
  const scale = 2 / weights.reduce((sum, w) => sum + w, 0);
  const scaled = weights.map((w) => w * scale);
  const frame = b.node('frames', [tape], [hop, size]);
  return b.node('rfft', [b.node('mul', [frame, b.node('const', [], scaled)])]);
}

/** How many frames lie in a window of `samples` from their first sample to their last. */
export const framesInside = (size: number, hop: number, samples: number): number =>
  Math.floor((samples - size) / hop) + 1;

/**
 * 1 for frames that lie in the window from their first sample to their last, 0 for those that begin
 * before it.
 *
 * @param b        of a backward graph
 * @param samples  of the window, a multiple of `hop`, at least `size`
 * @returns        a number a frame
 */
export function insideWindow(b: Builder, size: number, hop: number, samples: number): NodeId {
  const inside = framesInside(size, hop, samples);
  if (inside === samples / hop) return b.real(1);
  // Time runs backwards: there is nothing behind the end to come so many frames later.
  return b.node('sub', [b.real(1), b.delay(b.real(1), inside, 0, hop)]);
}

/**
 * ln √(|X|² + floor²) of every bin.
 *
 * @param floor  > 0, a magnitude: what is far below it counts as it, so silence is ln floor
 * Gradient: X/(|X|² + floor²), at most 1/(2·floor), 0 for silence.
 */
export function lnMagnitude(b: Builder, spectrum: NodeId, floor: number): NodeId {
  const power = b.node('add', [powerOf(b, spectrum), b.real(floor * floor)]);
  return b.node('mul', [b.node('ln', [power]), b.real(0.5)]);
}
