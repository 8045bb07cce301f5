/**
 * Speech for tests, at 16 kHz: spoken by espeak-ng where it is installed, or made of pulses and hiss
 * through formants, in syllables with pauses between them. Never stored.
 *
 * Invariant: the same text or seed gives the same samples; all are scaled to one level.
 */

import { execFileSync } from 'node:child_process';

export const SPEECH_RATE = 16_000;
const LEVEL = 0.1;

/** Uniform in ±1. */
export function uniform(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** About a bell curve of variance 1. */
export const bell = (next: () => number): number => next() + next() + next();

export const power = (x: ArrayLike<number>): number => {
  let sum = 0;
  for (let n = 0; n < x.length; n++) sum += x[n]! * x[n]!;
  return sum / x.length;
};

const levelled = (x: Float64Array): Float64Array => {
  const gain = LEVEL / Math.sqrt(power(x));
  return x.map((v) => v * gain);
};

/** By a windowed sinc, 32 samples to each side. */
function resampled(x: Float64Array, from: number, to: number): Float64Array {
  const ratio = from / to;
  const cutoff = 0.95 * Math.min(1, 1 / ratio);
  return Float64Array.from({ length: Math.floor(x.length / ratio) }, (_, n) => {
    const at = n * ratio;
    let sum = 0;
    for (let k = Math.max(0, Math.ceil(at - 32)); k <= Math.min(x.length - 1, at + 32); k++) {
      const t = k - at;
      const sinc = t === 0 ? cutoff : Math.sin(Math.PI * cutoff * t) / (Math.PI * t);
      sum += x[k]! * sinc * (0.5 + 0.5 * Math.cos((Math.PI * t) / 32));
    }
    return sum;
  });
}

/** A text read out by espeak-ng. */
export function spoken(text: string, voice: string): Float64Array {
  const wav = execFileSync('espeak-ng', ['--stdout', '-v', voice, text], {
    maxBuffer: 2 ** 26,
  });
  const data = wav.indexOf('data', 12, 'latin1') + 8;
  const samples = Float64Array.from(
    { length: (wav.length - data) >> 1 },
    (_, n) => wav.readInt16LE(data + 2 * n) / 32768,
  );
  return levelled(resampled(samples, wav.readUInt32LE(24), SPEECH_RATE));
}

/** Something like speech, of so many seconds. */
export function babble(seconds: number, seed: number): Float64Array {
  const next = uniform(seed);
  const between = (low: number, high: number): number => low + ((next() + 1) / 2) * (high - low);
  const out = new Float64Array(Math.round(seconds * SPEECH_RATE));
  for (let n = 0; n < out.length;) {
    const length = Math.round(between(0.09, 0.3) * SPEECH_RATE);
    const isVoiced = next() > -0.6;
    const formants = [between(250, 900), between(900, 2400), between(2400, 3600)];
    const period = SPEECH_RATE / between(85, 240);
    const glide = between(-0.3, 0.3);
    let phase = 0;
    const states = formants.map(() => [0, 0]);
    for (let k = 0; k < length && n + k < out.length; k++) {
      const t = k / length;
      phase += (1 + glide * t) / period;
      const pulse = phase >= 1 ? 1 : 0;
      phase -= pulse;
      let sample = isVoiced ? pulse + 0.04 * next() : 0.15 * next();
      formants.forEach((frequency, f) => {
        const radius = Math.exp((-Math.PI * (100 + 60 * f)) / SPEECH_RATE);
        const state = states[f]!;
        const angle = (2 * Math.PI * frequency) / SPEECH_RATE;
        const y = sample + 2 * radius * Math.cos(angle) * state[0]! - radius * radius * state[1]!;
        state[1] = state[0]!;
        state[0] = y;
        sample = y * (1 - radius) * 4;
      });
      out[n + k] = sample * Math.sin(Math.PI * t) ** 0.5 * (isVoiced ? 1 : 0.5);
    }
    n += length + Math.round((next() > 0.4 ? between(0.1, 0.4) : between(0, 0.05)) * SPEECH_RATE);
  }
  return levelled(out);
}
