/**
 * Measuring the round trip: a seeded noise burst goes out, the inputs are recorded, and their
 * cross-correlation with the burst peaks at the latency.
 *
 * The correlation is by FFT (16 ms for a second of audio; the direct sum takes longer than the
 * watchdog would wait), its absolute value is searched, so a box that inverts the phase is heard
 * as well, and an attenuator only lowers the peak together with everything around it.
 * Runs off the audio thread; the thread itself only plays and records.
 */
import { setImmediate } from 'node:timers/promises';

import { rfft, rfftTranspose } from '../../dsp/interpret/fourier.ts';
import type { Calibration } from './types.ts';

/** Seconds of probe, and seconds listened after it: the longest round trip that can be found. */
const PROBE_SECONDS = 0.25;
const LISTEN_SECONDS = 0.5;
/** −12 dBFS. */
const PROBE_PEAK = 10 ** (-12 / 20);
/** Half-width of the main peak, seconds: echoes and ringing of the box in here are not rivals. */
const PEAK_SECONDS = 0.002;
/** Pure noise gives a ratio near 1; anything above this is the probe. */
export const HEARD = 2;

/** Everything the audio thread needs, in shared memory. */
export interface Probe {
  readonly signal: Float32Array;
  /** On which it is played, one after the other, from 0; null: on all at once. */
  readonly outputs: readonly number[] | null;
  /** One recording per input, as long as the probe and the listening time together. */
  readonly recordings: readonly Float32Array[];
  /** Set to 1 by the audio thread when the recordings are full. */
  readonly done: Int32Array;
}

export function createProbe(sampleRate: number, inputs: number): Probe {
  const length = Math.round(PROBE_SECONDS * sampleRate);
  const total = length + Math.round(LISTEN_SECONDS * sampleRate);
  const floats = (count: number) => new Float32Array(new SharedArrayBuffer(count * 4));
  const signal = floats(length);
  let seed = 0x2545f491;
  for (let i = 0; i < length; i++) {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    signal[i] = seed < 0 ? -PROBE_PEAK : PROBE_PEAK;
  }
  return {
    signal,
    outputs: null,
    recordings: Array.from({ length: inputs }, () => floats(total)),
    done: new Int32Array(new SharedArrayBuffer(4)),
  };
}

/**
 * The input on which the probe stands out most, or null when it was heard on none. Lets other
 * work of the thread run between inputs.
 */
export async function locate(probe: Probe, sampleRate: number): Promise<Calibration | null> {
  let best: Calibration | null = null;
  for (const [input, recording] of probe.recordings.entries()) {
    const found = correlate(probe.signal, recording, Math.round(PEAK_SECONDS * sampleRate));
    if (found.confidence >= HEARD && (best === null || found.confidence > best.confidence)) {
      best = { ...found, input };
    }
    await setImmediate();
  }
  return best;
}

/**
 * Lag of the highest absolute cross-correlation, and its height over the next highest one
 * further than `width` away.
 */
export function correlate(
  signal: Float32Array,
  recording: Float32Array,
  width: number,
): { readonly latency: number; readonly confidence: number } {
  const size = 2 ** Math.ceil(Math.log2(signal.length + recording.length));
  const a = spectrum(recording, size);
  const b = spectrum(signal, size);
  const bins = size / 2 + 1;
  for (let k = 0; k < bins; k++) {
    // All bins but the first and the last stand for two.
    const weight = k === 0 || k === bins - 1 ? 1 : 2;
    const [ar, ai] = [a[k]!, a[bins + k]!];
    const [br, bi] = [b[k]!, b[bins + k]!];
    a[k] = weight * (ar * br + ai * bi);
    a[bins + k] = weight * (ai * br - ar * bi);
  }
  const correlation = rfftTranspose(a);
  const lags = recording.length - signal.length + 1;
  let latency = 0;
  let peak = 0;
  for (let lag = 0; lag < lags; lag++) {
    const height = Math.abs(correlation[lag]!);
    if (height > peak) {
      peak = height;
      latency = lag;
    }
  }
  if (!(peak > 0)) return { latency: 0, confidence: 0 };
  let next = peak * 1e-6;
  for (let lag = 0; lag < lags; lag++) {
    if (Math.abs(lag - latency) <= width) continue;
    const height = Math.abs(correlation[lag]!);
    if (height > next) next = height;
  }
  return { latency, confidence: peak / next };
}

function spectrum(signal: Float32Array, size: number): Float64Array {
  const padded = new Float64Array(size);
  padded.set(signal);
  return rfft(padded);
}
