/**
 * The test tone: a sine or pink noise, on one output after the other, as a probe that listens to
 * nothing.
 *
 * Invariants: it begins and ends in silence, in a raised cosine, on every output; its level is that
 * of its RMS, before the output's gain and limiter. Made off the audio thread, which only plays it.
 */
import type { Probe } from './calibration.ts';
import type { TestTone } from './types.ts';

/** Seconds of a fade. */
const FADE = 0.02;
/** Octaves of noise that add up to pink. */
const ROWS = 12;

/** @param tone  `outputs` from 0 */
export function createTone(sampleRate: number, tone: TestTone): Probe {
  const length = Math.round(tone.seconds * sampleRate);
  const signal = new Float32Array(new SharedArrayBuffer(4 * length));
  const level = 10 ** (tone.levelDb / 20);
  if (tone.signal === 'sine') fillSine(signal, (tone.frequency ?? 1000) / sampleRate);
  else fillPink(signal);
  const scale = level / rmsOf(signal);
  const fade = Math.min(Math.round(FADE * sampleRate), length >> 1);
  for (let i = 0; i < length; i++) {
    const edge = Math.min(i, length - 1 - i);
    const gain = edge >= fade ? 1 : 0.5 - 0.5 * Math.cos((Math.PI * edge) / fade);
    signal[i]! *= scale * gain;
  }
  return {
    signal,
    outputs: [...tone.outputs],
    recordings: [],
    done: new Int32Array(new SharedArrayBuffer(4)),
  };
}

/** @param step  cycles a sample */
function fillSine(signal: Float32Array, step: number): void {
  for (let i = 0; i < signal.length; i++) signal[i] = Math.sin(2 * Math.PI * ((i * step) % 1));
}

/** Noise held for 1, 2, 4, … samples, added up: 3 dB less an octave, within 2 dB from 250 Hz to 8 kHz. */
function fillPink(signal: Float32Array): void {
  const held = new Float64Array(ROWS);
  let seed = 0x2545f491;
  const next = (): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed / 2 ** 31;
  };
  for (let row = 0; row < ROWS; row++) held[row] = next();
  let sum = held.reduce((all, x) => all + x, 0);
  for (let i = 0; i < signal.length; i++) {
    // One row a sample: the one of the lowest bit that is set.
    const row = Math.min(ROWS - 1, 31 - Math.clz32((i + 1) & -(i + 1)));
    const drawn = next();
    sum += drawn - (held[row] ?? 0);
    held[row] = drawn;
    signal[i] = sum;
  }
}

function rmsOf(signal: Float32Array): number {
  let squares = 0;
  for (const x of signal) squares += x * x;
  return Math.sqrt(squares / Math.max(1, signal.length)) || 1;
}
