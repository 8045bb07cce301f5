/**
 * The hard problems, tried many times: frequencies, pitches and delays from any start to any target.
 *
 * Invariant: what is tried is the shipped example, compiled and run by an Instance as the daemon runs
 * it, with the sound of a trial on its inputs in the place of the one that it hides itself; the same
 * seed gives the same numbers, but for the time taken.
 */

import { compile } from '../../dsp/compile.ts';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import type { PatchNode } from '../../dsp/patch/schema.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { random } from '../support/random-graph.ts';

export const SAMPLE_RATE = 48000;
const BLOCK = 256;
const TURN = 2 * Math.PI;

export interface Tally {
  readonly trials: number;
  /** Of these so many came as near as was asked for. */
  readonly reached: number;
  /** What is left, in the tally's unit, in rising order. */
  readonly errors: readonly number[];
  readonly unit: string;
  /** Seconds of audio per second of a processor's time, the making of the sound left out. */
  readonly speed: number;
}

type Next = () => number;

const gaussian = (next: Next): number =>
  Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(TURN * next());
const between = (next: Next, low: number, high: number): number => low + (high - low) * next();
/** Log-uniform, Hz. */
const pitch = (next: Next, low: number, high: number): number =>
  2 ** between(next, Math.log2(low), Math.log2(high));

export const centsBetween = (f: number, g: number): number => Math.abs(1200 * Math.log2(f / g));

/** An example that hears these sounds, instead of making them. */
function hearing(name: string, heard: Readonly<Record<string, PatchNode>>): Instance {
  const patch = EXAMPLES[name]!;
  const nodes = { ...patch.nodes, ...heard };
  const compiled = compile(
    { ...patch, nodes },
    { sampleRate: SAMPLE_RATE, maxBlock: BLOCK, latency: 0, fused: false },
  );
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const instance = new Instance(compiled.value, new WebAssembly.Module(compiled.value.wasm));
  instance.setSchedule(patch.training!.schedule);
  return instance;
}

const input = (channel: number): PatchNode => ({ op: 'input', channel });

/** Plays one trial from a start; `at` is called after every block. */
function learn(
  instance: Instance,
  start: number,
  sounds: readonly Float32Array[],
  at: (samples: number) => void = () => undefined,
): number {
  instance.reset();
  instance.params[0] = start;
  instance.learning = true;
  let seconds = 0;
  for (let n = 0; n + BLOCK <= sounds[0]!.length; n += BLOCK) {
    sounds.forEach((sound, c) => {
      for (let i = 0; i < BLOCK; i++) instance.inputs[c]![i] = sound[n + i]!;
    });
    const begin = process.cpuUsage();
    instance.process(BLOCK);
    const { user, system } = process.cpuUsage(begin);
    seconds += (user + system) / 1e6;
    at(n + BLOCK);
  }
  return seconds;
}

/** Adds white noise at so many dB below the sound's power. */
function withNoise(sound: Float32Array, power: number, snr: number, next: Next): Float32Array {
  const level = Math.sqrt(power) * 10 ** (-snr / 20);
  return sound.map((x) => x + level * gaussian(next));
}

const sorted = (errors: readonly number[]): number[] => errors.toSorted((a, b) => a - b);

export const quantile = ({ errors }: Tally, q: number): number =>
  errors[Math.min(errors.length - 1, Math.floor(q * errors.length))]!;

const HALF_A_SECOND = SAMPLE_RATE / 2;

/** Within 1 Hz and 5 cent of a sine in half a second: 20 Hz to 20 kHz, random amplitude and phase. */
export function frequencies(trials: number, snr: number, seed: number): Tally {
  const next = random(seed);
  const instance = hearing('oscillator-spectrum', { target: input(1) });
  const errors: number[] = [];
  let [reached, seconds] = [0, 0];
  for (let k = 0; k < trials; k++) {
    const [target, start] = [pitch(next, 20, 20000), pitch(next, 20, 20000)];
    const [amplitude, phase] = [10 ** -next(), TURN * next()];
    const sound = new Float32Array(HALF_A_SECOND).map(
      (_, n) => amplitude * Math.cos((TURN * target * n) / SAMPLE_RATE + phase),
    );
    seconds += learn(instance, Math.log2(start), [withNoise(sound, amplitude ** 2 / 2, snr, next)]);
    const learnt = 2 ** instance.params[0]!;
    const error = Math.abs(learnt - target);
    if (error < 1 && centsBetween(learnt, target) < 5) reached++;
    errors.push(error);
  }
  const speed = trials / 2 / seconds;
  return { trials, reached, errors: sorted(errors), unit: 'Hz', speed };
}

/** How long it takes to be within 1 Hz and 5 cent, and to stay, when a sine jumps every half second. */
export function jumps(trials: number, snr: number, seed: number): Tally {
  const next = random(seed);
  const instance = hearing('oscillator-spectrum', { target: input(1) });
  const targets = Array.from({ length: trials + 1 }, () => pitch(next, 20, 20000));
  let phase = 0;
  const sound = new Float32Array(targets.length * HALF_A_SECOND).map((_, n) => {
    phase += targets[Math.floor(n / HALF_A_SECOND)]! / SAMPLE_RATE;
    return Math.cos(TURN * phase);
  });
  const since = targets.map(() => Infinity);
  const seconds = learn(instance, 9, [withNoise(sound, 0.5, snr, next)], (samples) => {
    const k = Math.floor((samples - 1) / HALF_A_SECOND);
    const learnt = 2 ** instance.params[0]!;
    const target = targets[k]!;
    const isThere = Math.abs(learnt - target) < 1 && centsBetween(learnt, target) < 5;
    if (!isThere) since[k] = Infinity;
    else since[k] = Math.min(since[k]!, (1000 * (samples - k * HALF_A_SECOND)) / SAMPLE_RATE);
  });
  // The first one is no jump.
  const errors = since.slice(1);
  const reached = errors.filter((time) => time < 200).length;
  const speed = targets.length / 2 / seconds;
  return { trials, reached, errors: sorted(errors), unit: 'ms', speed };
}

/** Within 5 cent of a band-limited saw or square in half a second: 40 to 2000 Hz, random phases. */
export function pitches(wave: 'saw' | 'square', trials: number, snr: number, seed: number): Tally {
  const next = random(seed);
  const instance = hearing('pitch-tracker', { target: input(1) });
  const errors: number[] = [];
  let [reached, seconds] = [0, 0];
  for (let k = 0; k < trials; k++) {
    const [target, start] = [pitch(next, 40, 2000), pitch(next, 40, 2000)];
    const sound = new Float32Array(HALF_A_SECOND);
    let power = 0;
    for (let h = 1; h * target < 21000; h += wave === 'saw' ? 1 : 2) {
      const [omega, phase] = [(TURN * h * target) / SAMPLE_RATE, TURN * next()];
      power += 0.125 / h ** 2;
      for (let n = 0; n < sound.length; n++) sound[n]! += (0.5 / h) * Math.sin(omega * n + phase);
    }
    seconds += learn(instance, Math.log2(start), [withNoise(sound, power, snr, next)]);
    const error = centsBetween(2 ** instance.params[0]!, target);
    if (error < 5) reached++;
    errors.push(error);
  }
  const speed = trials / 2 / seconds;
  return { trials, reached, errors: sorted(errors), unit: 'cent', speed };
}

/** Taps on each side of a delay between samples. */
const TAPS = 32;
const LONGEST = 2400;

/** Within 0.05 sample in one second of noise: 1 to 2400 samples, 20 dB of other noise. */
export function delays(noise: 'white' | 'pink', trials: number, seed: number): Tally {
  const next = random(seed);
  const instance = hearing('delay', { sound: input(1), target: input(2) });
  const errors: number[] = [];
  let [reached, seconds] = [0, 0];
  const before = LONGEST + 2 * TAPS;
  for (let k = 0; k < trials; k++) {
    const [target, start] = [between(next, 1, LONGEST), between(next, 1, LONGEST)];
    const [gain, level] = [between(next, 0.3, 1), noise === 'white' ? 0.2 : 0.05];
    const colour = noise === 'white' ? (x: number): number => x : pink();
    const source = new Float32Array(before + SAMPLE_RATE).map(() => level * colour(gaussian(next)));
    const whole = Math.floor(target);
    const taps = Array.from({ length: 2 * TAPS + 1 }, (_, i) => {
      const t = i - TAPS - (target - whole);
      const sinc = t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t);
      const w = (TURN * (i + 1)) / (2 * TAPS + 2);
      return sinc * (0.42 - 0.5 * Math.cos(w) + 0.08 * Math.cos(2 * w));
    });
    const [x, y] = [source.slice(before), new Float32Array(SAMPLE_RATE)];
    for (let n = 0; n < y.length; n++) {
      let sum = 0;
      // What the filter would hear of the future does not reach it where the delay is short.
      for (let i = 0; i < taps.length; i++) {
        sum += taps[i]! * (source[before + n - whole - (i - TAPS)] ?? 0);
      }
      y[n] = gain * sum + 0.1 * gain * level * gaussian(next);
    }
    seconds += learn(instance, start, [x, y]);
    const error = Math.abs(instance.params[0]! - target);
    if (error < 0.05) reached++;
    errors.push(error);
  }
  return { trials, reached, errors: sorted(errors), unit: 'samples', speed: trials / seconds };
}

/** White noise made pink: −3 dB per octave within 0.5 dB from 10 Hz on. */
function pink(): (white: number) => number {
  const poles = [0.99886, 0.99332, 0.969, 0.8665, 0.55, -0.7616];
  const gains = [0.0555179, 0.0750759, 0.153852, 0.3104856, 0.5329522, -0.016898];
  const states = poles.map(() => 0);
  let last = 0;
  return (white) => {
    poles.forEach((pole, k) => {
      states[k] = pole * states[k]! + gains[k]! * white;
    });
    const sum = states.reduce((total, state) => total + state, last + 0.5362 * white);
    last = 0.115926 * white;
    return sum;
  };
}
