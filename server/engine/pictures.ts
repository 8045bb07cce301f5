/**
 * Pictures of the signals for the telemetry: their newest samples, and their spectra.
 *
 * Runs on the engine's main thread, at the rates that are wanted and not at all otherwise; the audio
 * thread knows nothing of it. Invariants: all signals of a picture are of the same samples; what was
 * overwritten while it was read is not shown. What is not finite is shown as 0.
 * Cost: a scope of seven signals 0.1 ms, a spectrum 0.5 ms (Node 24, a busy x86-64, 23 November 2026).
 */
import { rfft } from '../../dsp/interpret/fourier.ts';
import {
  SCOPE_POINTS,
  SPECTRUM_BINS,
  SPECTRUM_FLOOR,
  SPECTRUM_WINDOW,
  signalsOf,
} from './signals.ts';
import type { Compared, Signal } from './signals.ts';
import { TapReader, tracksOf } from './tap.ts';
import type { Tap } from './tap.ts';
import type { DeviceInfo, Picture, PictureRates, PictureTopic } from './types.ts';
import { PICTURES } from './types.ts';

/** Samples before the newest picture that a rising zero crossing is looked for in: one of 16 Hz at 48 kHz. */
const SEARCH = 3072;
/** Time constant of the average of powers, seconds. */
const TAU = 0.1;
/** A picture that is due within this many milliseconds is made: ticks come every 16.7. */
const EARLY = 4;

/** Of the Hann window: a sine of full scale on a bin has the power 1. */
const HANN = Float64Array.from(
  { length: SPECTRUM_WINDOW },
  (_, n) => (1 - Math.cos((2 * Math.PI * n) / SPECTRUM_WINDOW)) * (2 / SPECTRUM_WINDOW),
);

export class Pictures {
  readonly #reader: TapReader;
  readonly #device: DeviceInfo;
  readonly #due: Record<PictureTopic, number> = { scope: 0, spectrum: 0 };
  #rates: PictureRates = { scope: 0, spectrum: 0 };
  /** [track][frame], as much as a picture needs. */
  readonly #tracks: readonly Float32Array[];
  readonly #order: readonly number[];
  readonly #windowed = new Float64Array(SPECTRUM_WINDOW);
  /** Powers so far, [signal][bin], and of which program and frame they are. */
  #powers: Float64Array[] = [];
  #averaged = { program: -1, frames: 0 };

  constructor(tap: Tap, device: DeviceInfo) {
    this.#reader = new TapReader(tap);
    this.#device = device;
    const { count } = tracksOf(device);
    this.#order = Array.from({ length: count }, (_, k) => k);
    this.#tracks = this.#order.map(() => new Float32Array(SCOPE_POINTS + SEARCH));
  }

  watch(rates: PictureRates): void {
    for (const topic of PICTURES) if (this.#rates[topic] === 0) this.#due[topic] = 0;
    this.#rates = rates;
  }

  /**
   * The pictures that are due.
   *
   * @param now       milliseconds of a steady clock
   * @param program   generation of the program that plays
   * @param compared  what it shows
   */
  take(now: number, program: number, compared: Compared): Picture[] {
    const frames = this.#reader.written;
    const due = PICTURES.filter((topic) => this.#isDue(topic, now));
    if (due.length === 0) return [];
    const signals = signalsOf(compared, this.#device.inputs, this.#device.outputs);
    return due.flatMap((topic) => {
      const values =
        topic === 'scope' ? this.#scope(frames, signals) : this.#spectrum(frames, signals, program);
      return values === null ? [] : [{ topic, frames, program, values }];
    });
  }

  #isDue(topic: PictureTopic, now: number): boolean {
    const rate = this.#rates[topic];
    if (rate === 0 || now < this.#due[topic] - EARLY) return false;
    const period = 1000 / rate;
    this.#due[topic] += period;
    if (this.#due[topic] < now) this.#due[topic] = now + period;
    return true;
  }

  /** [S, N, samples per point, then the points of each signal]; null where there is too little. */
  #scope(newest: number, signals: readonly Signal[]): Float32Array | null {
    const length = Math.min(SCOPE_POINTS + SEARCH, newest);
    if (length < SCOPE_POINTS || !this.#read(newest - length, length)) return null;
    const values = new Float32Array(3 + signals.length * SCOPE_POINTS);
    values.set([signals.length, SCOPE_POINTS, 1]);
    const whole = new Float32Array(length);
    let start = length - SCOPE_POINTS;
    signals.forEach((signal, k) => {
      this.#fill(signal, whole);
      if (k === 0) start = risingBefore(whole, start);
      values.set(whole.subarray(start, start + SCOPE_POINTS), 3 + k * SCOPE_POINTS);
    });
    return values;
  }

  /** [S, B, Hz per bin, then the decibels of each signal]; null where there is too little. */
  #spectrum(newest: number, signals: readonly Signal[], program: number): Float32Array | null {
    if (newest < SPECTRUM_WINDOW || !this.#read(newest - SPECTRUM_WINDOW, SPECTRUM_WINDOW)) {
      return null;
    }
    const { sampleRate } = this.#device;
    const isNew = this.#averaged.program !== program || this.#powers.length !== signals.length;
    if (isNew) this.#powers = signals.map(() => new Float64Array(SPECTRUM_BINS));
    const seconds = (newest - this.#averaged.frames) / sampleRate;
    const share = isNew ? 1 : 1 - Math.exp(-seconds / TAU);
    this.#averaged = { program, frames: newest };
    const values = new Float32Array(3 + signals.length * SPECTRUM_BINS);
    values.set([signals.length, SPECTRUM_BINS, sampleRate / SPECTRUM_WINDOW]);
    const samples = new Float32Array(SPECTRUM_WINDOW);
    signals.forEach((signal, k) => {
      this.#fill(signal, samples);
      const powers = this.#powers[k]!;
      this.#addPowers(samples, powers, share);
      for (let bin = 0; bin < SPECTRUM_BINS; bin++) {
        values[3 + k * SPECTRUM_BINS + bin] = Math.max(
          SPECTRUM_FLOOR,
          10 * Math.log10(powers[bin]!),
        );
      }
    });
    return values;
  }

  #addPowers(samples: Float32Array, powers: Float64Array, share: number): void {
    for (let n = 0; n < SPECTRUM_WINDOW; n++) this.#windowed[n] = samples[n]! * HANN[n]!;
    const bins = rfft(this.#windowed);
    for (let bin = 0; bin < SPECTRUM_BINS; bin++) {
      const [re, im] = [bins[bin]!, bins[SPECTRUM_BINS + bin]!];
      // The first and the last bin stand for one frequency, all others for two.
      const isEdge = bin === 0 || bin === SPECTRUM_BINS - 1;
      const power = (re * re + im * im) * (isEdge ? 0.25 : 1);
      powers[bin]! += (power - powers[bin]!) * share;
    }
  }

  /** Frames of all tracks, to the start of their arrays. */
  #read(from: number, count: number): boolean {
    return this.#reader.read(this.#order, from, count, this.#tracks);
  }

  /** A signal of the frames that were read. */
  #fill({ kind, channel }: Signal, into: Float32Array): void {
    const { input, output, target, estimate } = tracksOf(this.#device);
    const of = { target, estimate, error: target, input, output }[kind] + (channel ?? 0);
    const samples = this.#tracks[of]!;
    const other = kind === 'error' ? this.#tracks[estimate]! : null;
    for (let n = 0; n < into.length; n++) {
      const x = samples[n]! - (other === null ? 0 : other[n]!);
      into[n] = x - x === 0 ? x : 0;
    }
  }
}

/** The last place up to `start` where a signal comes from below 0; `start` where it never does. */
function risingBefore(samples: Float32Array, start: number): number {
  for (let n = start; n > 0; n--) if (samples[n - 1]! < 0 && samples[n]! >= 0) return n;
  return start;
}
