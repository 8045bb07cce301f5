/** Pictures of known signals: sines, steps and silence through a tap, looked at by hand. */

import { expect, test } from 'vitest';
import { decodeScope, decodeSpectrum } from '../../../server/api/frame.ts';
import { Pictures } from '../../../server/engine/pictures.ts';
import { SPECTRUM_FLOOR } from '../../../server/engine/signals.ts';
import { Tap, tracksOf } from '../../../server/engine/tap.ts';
import type { DeviceInfo, Picture } from '../../../server/engine/types.ts';

const RATE = 48000;
const BLOCK = 256;
const device: DeviceInfo = {
  backend: 'virtual',
  input: 'x',
  output: 'x',
  sampleRate: RATE,
  blockSize: BLOCK,
  inputs: 1,
  outputs: 1,
};
const TRACK = tracksOf(device);

type Wave = (n: number) => number;
const silence: Wave = () => 0;
const sine =
  (bin: number, amplitude = 1, phase = 0): Wave =>
  (n) =>
    amplitude * Math.sin((2 * Math.PI * bin * n) / 1024 + phase);

interface Heard {
  readonly pictures: Pictures;
  /** Plays so many blocks more. */
  readonly play: (blocks: number) => void;
}

/** The waves of input, output, target and estimate. */
function listen(waves: readonly [Wave, Wave, Wave, Wave]): Heard {
  const tap = Tap.create(device, 16384);
  let at = 0;
  return {
    pictures: new Pictures(tap, device),
    play(blocks) {
      for (let block = 0; block < blocks; block++, at += BLOCK) {
        waves.forEach((wave, track) => {
          const samples = Float32Array.from({ length: BLOCK }, (_, n) => wave(at + n));
          tap.put(track, samples, BLOCK);
        });
        tap.advance(BLOCK);
      }
    },
  };
}

const only = (pictures: readonly Picture[]): Picture =>
  pictures.length === 1 ? pictures[0]! : expect.unreachable(`${pictures.length} pictures`);

test('the tracks of the tests are those of the tap', () => {
  expect(TRACK).toEqual({ input: 0, output: 1, target: 2, estimate: 3, count: 4 });
});

test('nothing is drawn before somebody looks, nor after', () => {
  const { pictures, play } = listen([silence, silence, silence, silence]);
  play(40);
  expect(pictures.take(0, 1, 'both')).toEqual([]);
  pictures.watch({ scope: 60, spectrum: 0 });
  expect(only(pictures.take(0, 1, 'both')).topic).toBe('scope');
  pictures.watch({ scope: 0, spectrum: 0 });
  expect(pictures.take(1000, 1, 'both')).toEqual([]);
});

test('a rate is kept', () => {
  const { pictures, play } = listen([silence, silence, silence, silence]);
  play(40);
  pictures.watch({ scope: 20, spectrum: 5 });
  let drawn = 0;
  for (let tick = 0; tick < 120; tick++)
    drawn += pictures.take((tick * 1000) / 60, 1, 'none').length;
  expect(drawn).toBeGreaterThanOrEqual(49);
  expect(drawn).toBeLessThanOrEqual(51);
});

test('a scope has the samples themselves, all at the same times, from a zero crossing on', () => {
  const ramp: Wave = (n) => n;
  const { pictures, play } = listen([ramp, sine(5, 0.5), sine(10), sine(10, 0.25)]);
  play(30);
  pictures.watch({ scope: 60, spectrum: 0 });
  const { values, frames, program } = only(pictures.take(0, 7, 'both'));
  expect({ frames, program }).toEqual({ frames: 30 * BLOCK, program: 7 });
  const { signals, samplesPerPoint } = decodeScope(values);
  expect(samplesPerPoint).toBe(1);
  expect(signals).toHaveLength(5);
  const [target, estimate, error, input, output] = signals;
  const start = input![0]!;
  expect(start).toBeGreaterThan(30 * BLOCK - 1024 - 104);
  expect(Math.sin((2 * Math.PI * 10 * (start - 1)) / 1024)).toBeLessThan(0);
  expect(target![0]).toBeGreaterThanOrEqual(0);
  for (let n = 0; n < 1024; n++) {
    expect(input![n]).toBe(start + n);
    expect(target![n]).toBe(Math.fround(sine(10)(start + n)));
    expect(estimate![n]).toBe(Math.fround(sine(10, 0.25)(start + n)));
    expect(error![n]).toBe(Math.fround(target![n]! - estimate![n]!));
    expect(output![n]).toBe(Math.fround(sine(5, 0.5)(start + n)));
  }
});

test('without a crossing the newest samples are shown, and without a training the device alone', () => {
  const { pictures, play } = listen([() => 0.5, (n) => n, silence, silence]);
  play(20);
  pictures.watch({ scope: 60, spectrum: 0 });
  const { signals } = decodeScope(only(pictures.take(0, 1, 'none')).values);
  expect(signals).toHaveLength(2);
  expect(new Set(signals[0])).toEqual(new Set([0.5]));
  expect(signals[1]!.at(-1)).toBe(20 * BLOCK - 1);
});

test('before there are enough samples nothing is shown', () => {
  const { pictures, play } = listen([silence, silence, silence, silence]);
  pictures.watch({ scope: 60, spectrum: 60 });
  play(3);
  expect(pictures.take(0, 1, 'both')).toEqual([]);
  play(1);
  expect(pictures.take(20, 1, 'both')).toHaveLength(2);
});

test('a sine of full scale on a bin is 0 dB there, half of it -6, and silence the floor', () => {
  const { pictures, play } = listen([sine(100), sine(7, 0.5, 1), () => 1, silence]);
  play(20);
  pictures.watch({ scope: 0, spectrum: 60 });
  const { signals, binHz } = decodeSpectrum(only(pictures.take(0, 1, 'both')).values);
  expect(binHz).toBe(46.875);
  const [target, estimate, , input, output] = signals as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  expect(input).toHaveLength(513);
  expect(input.indexOf(Math.max(...input))).toBe(100);
  expect(input[100]).toBeCloseTo(0, 3);
  expect(input[99]).toBeCloseTo(-6.02, 2);
  expect(Math.max(...input.subarray(103), ...input.subarray(0, 98))).toBeLessThan(-100);
  expect(output[7]).toBeCloseTo(-6.02, 2);
  expect(target[0]).toBeCloseTo(0, 3);
  expect(new Set(estimate)).toEqual(new Set([SPECTRUM_FLOOR]));
});

test('powers are averaged over a tenth of a second, and begin anew with another program', () => {
  let level = 1;
  const { pictures, play } = listen([(n) => level * sine(64)(n), silence, silence, silence]);
  const look = (program: number): number => {
    const { signals } = decodeSpectrum(only(pictures.take((now += 100), program, 'none')).values);
    return signals[0]![64]!;
  };
  let now = 0;
  pictures.watch({ scope: 0, spectrum: 10 });
  play(20);
  expect(look(1)).toBeCloseTo(0, 3);
  level = 0;
  play(18.75 * 4);
  expect(look(1)).toBeCloseTo(10 * Math.log10(Math.exp(-(75 * 256) / 4800)), 1);
  expect(look(2)).toBe(SPECTRUM_FLOOR);
});

test('what is not finite is shown as 0', () => {
  const { pictures, play } = listen([silence, silence, () => NaN, () => Infinity]);
  play(20);
  pictures.watch({ scope: 60, spectrum: 60 });
  for (const { values } of pictures.take(0, 1, 'both')) {
    expect(values.every((x) => Number.isFinite(x))).toBe(true);
  }
});
