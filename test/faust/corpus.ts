/**
 * The corpus of Faust programs that our compiler is compared with libfaust on: what is in
 * `corpus/*.dsp`, how many signals go in and out, and what to feed it.
 *
 * Each program is a few lines of our own that do one thing a Faust user does, stays finite over
 * the whole range of its sliders, and can be heard from its first second. corpus.test.ts holds this
 * table to what libfaust says, and writes `corpus/README.md`. Nothing random: the signals are the
 * same on every machine.
 */

import { readFileSync } from 'node:fs';
import type { Sound } from '../support/libfaust.ts';

export type SignalKind = 'noise' | 'sine' | 'impulses';

export interface CorpusProgram {
  readonly name: string;
  readonly section: string;
  readonly code: string;
  /** The comment that it begins with. */
  readonly summary: string;
  readonly inputs: number;
  readonly outputs: number;
  /** What to feed every input; noise differs from channel to channel, the others do not. */
  readonly signal: SignalKind;
}

type Row = readonly [inputs: number, outputs: number, signal?: SignalKind];

const SECTIONS: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  filters: {
    'lowpass-orders': [1, 4],
    'highpass-orders': [1, 2],
    'resonant-trio': [1, 1],
    'svf-morph': [1, 1],
    'svf-equaliser': [1, 1],
    'graphic-equaliser': [1, 1],
    shelves: [1, 4],
    crossover: [1, 4],
    filterbank: [1, 5],
    elliptic: [1, 4],
    'spectral-tilt': [1, 1],
    'allpass-diffuser': [1, 1],
    lattice: [1, 2],
    'notch-hum': [1, 1],
    combs: [1, 4],
    'biquad-forms': [1, 4],
    'fir-and-iir': [1, 3],
    'complex-resonator': [1, 2, 'impulses'],
    'median-filter': [1, 1],
    'moog-ladders': [1, 4],
    'korg-35': [1, 1],
    oberheim: [1, 4],
    'diode-and-sallen': [1, 3],
    'wah-pedals': [1, 1],
    'tone-stack': [1, 1, 'sine'],
    'wave-digital': [1, 1, 'sine'],
  },
  oscillators: {
    sines: [0, 7],
    additive: [0, 1],
    sawtooths: [0, 5],
    pulses: [0, 4],
    'lfo-shapes': [0, 2],
    'phase-distortion': [0, 1],
    'fm-feedback': [0, 1],
    'dx7-brass': [0, 1],
    'hard-sync': [0, 2],
    unison: [0, 2],
    drone: [0, 2],
    quadrature: [1, 2, 'sine'],
    formants: [0, 1],
  },
  envelopes: {
    'adsr-tone': [0, 1],
    envelopes: [0, 6],
    'drum-synth': [0, 2],
    'plucked-drum': [0, 1],
    smoothers: [0, 6],
    followers: [1, 5],
  },
  delays: {
    'delay-integer': [1, 5],
    'delay-fractional': [1, 6],
    vibrato: [1, 1],
    'echo-tape': [1, 1],
    'echo-library': [1, 2],
    'ping-pong': [2, 2],
    multitap: [1, 2],
    'pitch-transpose': [1, 1, 'sine'],
  },
  reverbs: {
    'reverb-schroeder': [1, 1, 'impulses'],
    'freeverb-mono': [1, 1],
    'freeverb-stereo': [2, 2],
    'reverbs-classic': [1, 6, 'impulses'],
    'reverb-zita': [2, 2],
    'reverb-plate': [2, 2],
    'reverb-fdn': [1, 2, 'impulses'],
    'reverb-greyhole': [2, 2],
    'reverb-spring': [1, 1],
    'reverb-ring': [2, 2],
  },
  dynamics: {
    compressor: [1, 1],
    'compressor-stereo': [2, 2],
    'multiband-compressor': [1, 1],
    limiters: [1, 2],
    'gate-and-expander': [1, 2],
    ducker: [2, 1],
  },
  models: {
    'karplus-strong': [0, 1],
    strings: [0, 2],
    djembe: [0, 1],
    marimba: [0, 1],
    clarinet: [0, 1],
    'flute-and-brass': [0, 2],
    'modal-bell': [1, 1, 'impulses'],
    'church-bell': [0, 1],
    'mass-spring': [0, 1],
    'mass-spring-library': [1, 2, 'impulses'],
    waveguide: [1, 1, 'impulses'],
    'finite-differences': [1, 1, 'impulses'],
  },
  effects: {
    phaser: [1, 2],
    flanger: [1, 2],
    chorus: [1, 2],
    'tremolo-and-ring': [1, 2, 'sine'],
    vocoder: [1, 1],
    ambisonics: [1, 4],
    'distortion-cubic': [1, 1, 'sine'],
    'antialiased-clipping': [1, 4, 'sine'],
    'bit-crusher': [1, 3],
    waveshapers: [0, 2],
    hysteresis: [1, 1, 'sine'],
  },
  analysis: {
    meters: [2, 2],
    'octave-analyser': [1, 1, 'sine'],
    'pitch-tracker': [1, 1],
    goertzel: [1, 3],
    descriptors: [1, 5],
    'fft-16': [1, 9, 'sine'],
    'fft-round-trip': [1, 1],
    'rfft-features': [1, 2],
  },
  tables: {
    'table-generated': [0, 3],
    'waveform-melody': [0, 1],
    'wavetable-oscillator': [0, 1],
    'table-delay': [1, 1],
    looper: [1, 1],
    'tabulated-functions': [1, 5],
    interpolators: [0, 4],
    'soundfile-loop': [0, 6],
  },
  noise: {
    noises: [0, 7],
    'noise-low-frequency': [0, 2],
    'quantised-melody': [0, 2],
  },
  integers: {
    'integer-operators': [0, 7],
    'integer-division': [0, 5],
    'random-generators': [0, 3],
    'shift-register': [0, 1],
    'byte-beat': [0, 1],
    'euclidean-rhythm': [0, 1],
  },
  language: {
    selects: [1, 6],
    comparisons: [0, 7],
    'prefix-and-mem': [1, 6],
    iterations: [1, 6],
    letrec: [0, 2],
    environments: [0, 3],
    routes: [3, 3],
    matrix: [2, 5],
    'sample-rate': [1, 6],
    'block-size': [1, 2],
  },
  maths: {
    'maths-circular': [1, 7],
    'maths-exponential': [1, 10],
    'maths-rounding': [1, 9],
    'maths-extremes': [1, 9],
    'hyperbolic-foreign': [1, 8],
  },
  interface: {
    'ui-groups': [0, 1],
    'ui-modulation': [1, 1],
    'ui-bargraphs': [1, 3],
  },
  learning: {
    'match-equaliser': [1, 2],
    'distortion-match': [1, 2],
    'match-reverb': [1, 2],
    'match-harmonics': [0, 2],
    perceptron: [1, 1],
    'gated-unit': [1, 1],
    'adaptive-filter': [1, 2],
    'dual-gain': [1, 3],
    'dual-gain-and-dc': [1, 4],
    'dual-one-pole': [1, 3],
    'dual-fir': [1, 8],
    'dual-delay': [1, 3],
    'dual-oscillator': [0, 4],
    'dual-adam': [1, 3],
    'dual-momentum': [1, 4],
    'dual-cutoff': [1, 3],
    'dual-neuron': [2, 5],
  },
};

/** The text of a program by its name. */
export function corpusCode(name: string): string {
  return readFileSync(new URL(`corpus/${name}.dsp`, import.meta.url), 'utf8');
}

/** Every program, section by section. */
export const CORPUS: readonly CorpusProgram[] = Object.entries(SECTIONS).flatMap(
  ([section, programs]) =>
    Object.entries(programs).map(([name, [inputs, outputs, signal = 'noise']]) => {
      const code = corpusCode(name);
      const summary = /^\/\/ (.*)/.exec(code)?.[1] ?? '';
      return { name, section, code, summary, inputs, outputs, signal };
    }),
);

/** Programs whose output says how many frames are computed at once, and so depends on the host. */
export const BLOCK_DEPENDENT: ReadonlySet<string> = new Set(['block-size']);

/** Contents of the soundfiles that programs ask for, by file name: a plucked note in stereo. */
export const CORPUS_SOUNDS: Readonly<Record<string, Sound>> = {
  'pluck.wav': {
    sampleRate: 48000,
    channels: [220, 221].map((pitch) =>
      Float64Array.from(
        { length: 12000 },
        // In single precision, as a file of 32-bit floats holds it.
        (_, t) => Math.fround(Math.exp(-t / 3000) * Math.sin((2 * Math.PI * pitch * t) / 48000)),
      ),
    ),
  },
};

/**
 * A test signal of magnitude at most ½: white noise, a sine of 440 Hz, or an impulse four times a
 * second, so that no tail decays into denormals.
 *
 * @param channel  from 0; seeds the noise
 * @returns [frames]; every value is one of single precision
 */
export function corpusSignal(
  kind: SignalKind,
  channel: number,
  frames: number,
  sampleRate = 48000,
): Float64Array {
  let state = 12345 + 7919 * channel;
  const next: Readonly<Record<SignalKind, (t: number) => number>> = {
    noise: () => (state = (Math.imul(state, 1664525) + 1013904223) | 0) / 2 ** 32,
    sine: (t) => 0.5 * Math.sin((2 * Math.PI * 440 * t) / sampleRate),
    impulses: (t) => (t % Math.floor(sampleRate / 4) === 0 ? 0.5 : 0),
  };
  return Float64Array.from({ length: frames }, (_, t) => Math.fround(next[kind](t)));
}

/** The signals of all inputs of a program, [inputs, frames]. */
export function corpusInputs(
  program: CorpusProgram,
  frames: number,
  sampleRate?: number,
): Float64Array[] {
  return Array.from({ length: program.inputs }, (_, channel) =>
    corpusSignal(program.signal, channel, frames, sampleRate),
  );
}
