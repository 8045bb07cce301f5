/**
 * How late one signal is behind another: the highest peak of their cross-correlation.
 *
 * Invariant: a delay is only told where it is clear: the signals are alike there, and alike nowhere
 * else. So a sine, which every period brings into line again, has none, and neither has silence.
 * The sign of the correlation is left aside: an estimate that is upside down is as late as it is.
 * Cost: three transforms of 65536, 30 ms (Node 24, a busy x86-64): a call now and then, off the audio
 * thread.
 */
import { rfft, rfftTranspose } from '../../dsp/interpret/fourier.ts';
import type { Lag } from './types.ts';

/** Samples that are compared: 0.7 s at 48 kHz. */
export const LAG_WINDOW = 32768;
/** The longest delay, either way, samples. */
const LONGEST = LAG_WINDOW / 2;
/** What is less alike is not the same signal. */
const ALIKE = 0.5;
/** How much lower every other peak must be. */
const CLEAR = 0.9;

/** @param target, estimate  as long as each other, `LAG_WINDOW` at most; finite */
export function lagOf(target: Float32Array, estimate: Float32Array): Lag {
  const count = target.length;
  const size = 2 * LAG_WINDOW;
  const t = spectrum(target, size);
  const e = spectrum(estimate, size);
  const bins = size / 2 + 1;
  for (let k = 0; k < bins; k++) {
    // All bins but the first and the last stand for two.
    const weight = (k === 0 || k === bins - 1 ? 1 : 2) / size;
    const [tr, ti, er, ei] = [t[k]!, t[bins + k]!, e[k]!, e[bins + k]!];
    t[k] = weight * (er * tr + ei * ti);
    t[bins + k] = weight * (ei * tr - er * ti);
  }
  const correlation = rfftTranspose(t);
  const longest = Math.min(LONGEST, count >> 1);
  const at = (lag: number): number => Math.abs(correlation[(lag + size) % size]!);
  let delay = 0;
  for (let lag = -longest; lag <= longest; lag++) if (at(lag) > at(delay)) delay = lag;
  const peak = at(delay);
  const confidence = alike(target, estimate, delay, peak);
  let [low, high] = [delay, delay];
  while (low >= -longest && at(low) > peak / 2) low--;
  while (high <= longest && at(high) > peak / 2) high++;
  let next = 0;
  for (let lag = -longest; lag <= longest; lag++) {
    if ((lag < low || lag > high) && at(lag) > next) next = at(lag);
  }
  const isClear = confidence >= ALIKE && next <= CLEAR * peak;
  return { delay: isClear ? delay : null, confidence };
}

/** The correlation over the root of the energies of the parts that meet. */
function alike(target: Float32Array, estimate: Float32Array, delay: number, peak: number): number {
  const energy = (of: Float32Array, from: number, to: number): number => {
    let sum = 0;
    for (let n = from; n < to; n++) sum += of[n]! * of[n]!;
    return sum;
  };
  const count = target.length;
  const [before, after] = [Math.max(0, -delay), Math.max(0, delay)];
  const energies = energy(target, before, count - after) * energy(estimate, after, count - before);
  return energies > 0 ? Math.min(1, peak / Math.sqrt(energies)) : 0;
}

function spectrum(signal: Float32Array, size: number): Float64Array {
  const padded = new Float64Array(size);
  padded.set(signal);
  return rfft(padded);
}
