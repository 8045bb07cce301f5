/** The test tone: level, fades, spectrum, and the outputs that it comes from. */

import { expect, test } from 'vitest';
import { rfft } from '../../../dsp/interpret/fourier.ts';
import { Switches } from '../../../server/engine/controls.ts';
import { Host } from '../../../server/engine/host.ts';
import { recordLayout } from '../../../server/engine/record.ts';
import { Ring } from '../../../server/engine/ring.ts';
import { Tap } from '../../../server/engine/tap.ts';
import { createTone } from '../../../server/engine/tone.ts';

const RATE = 48000;
const FRAMES = 256;

const rms = (signal: ArrayLike<number>): number =>
  Math.sqrt(Array.from(signal).reduce((sum, x) => sum + x * x, 0) / signal.length);

test.each(['sine', 'noise'] as const)(
  '%s has its level and begins and ends in silence',
  (signal) => {
    const tone = createTone(RATE, { signal, levelDb: -20, seconds: 2, outputs: [0] });
    expect(tone.signal).toHaveLength(2 * RATE);
    expect(20 * Math.log10(rms(tone.signal.subarray(4800, 91_200)))).toBeCloseTo(-20, 0);
    for (const x of [tone.signal[0], tone.signal.at(-1)]) expect(x).toBeCloseTo(0, 9);
    const leaps = tone.signal.subarray(0, 96).map((x) => Math.abs(x));
    expect(Math.max(...leaps)).toBeLessThan(0.01);
  },
);

test('the sine is at its frequency, the noise falls by 3 dB an octave', () => {
  const sine = createTone(RATE, {
    signal: 'sine',
    frequency: 3000,
    levelDb: -20,
    seconds: 1,
    outputs: [0],
  });
  const powerOf = (signal: Float32Array, from: number): Float64Array => {
    const size = 16384;
    const spectrum = rfft(Float64Array.from(signal.subarray(from, from + size)));
    const bins = size / 2 + 1;
    return Float64Array.from(
      { length: bins },
      (_, k) => spectrum[k]! ** 2 + spectrum[bins + k]! ** 2,
    );
  };
  const bins = powerOf(sine.signal, 8192);
  expect(bins.indexOf(Math.max(...bins))).toBe(Math.round((3000 * 16384) / RATE));
  const noise = createTone(RATE, { signal: 'noise', levelDb: -20, seconds: 10, outputs: [0] });
  const bands = [250, 500, 1000, 2000, 4000];
  const sums = bands.map(() => 0);
  for (let from = 4800; from + 16384 < noise.signal.length; from += 16384) {
    const power = powerOf(noise.signal, from);
    bands.forEach((low, b) => {
      for (let k = Math.round((low * 16384) / RATE); k < (2 * low * 16384) / RATE; k++) {
        sums[b]! += power[k]!;
      }
    });
  }
  // Octaves of pink noise have the same power.
  const levels = sums.map((sum) => 10 * Math.log10(sum / sums[0]!));
  for (const level of levels) expect(Math.abs(level)).toBeLessThan(2);
});

test('the outputs play it one after the other, and what played comes back', () => {
  const outputs = [0, 1, 2].map(() => new Float32Array(FRAMES));
  const switches = new Switches();
  const layout = recordLayout(0, 1, 3);
  const ring = Ring.create(layout.length, 16);
  const idle = { generation: 0, instance: null, controls: null, ring, layout, memory: 0 };
  const host = new Host({
    sampleRate: RATE,
    inputs: [new Float32Array(FRAMES)],
    outputs,
    switches,
    idle: { ...idle, inherits: null, recall: null },
    now: () => 0,
    lateBlocks: () => 0,
    onMail: () => undefined,
    tap: Tap.create({ inputs: 1, outputs: 3, blockSize: FRAMES }, 4096),
  });
  const play = (): number[] => {
    host.block(FRAMES);
    return outputs.map((channel) => rms(channel));
  };
  for (let k = 0; k < 20; k++) play();
  const tone = createTone(RATE, { signal: 'sine', levelDb: -20, seconds: 0.2, outputs: [2, 0] });
  host.calibrate(tone);
  const heard: number[][] = [];
  for (let k = 0; k < 400 && Atomics.load(tone.done, 0) === 0; k++) heard.push(play());
  expect(Atomics.load(tone.done, 0)).toBe(1);
  const loud = heard.map((levels) => levels.flatMap((level, c) => (level > 0.01 ? [c] : [])));
  const turns = loud.flat().filter((c, k, all) => c !== all[k - 1]);
  expect(turns).toEqual([2, 0]);
  expect(heard.every((levels) => levels[1] === 0)).toBe(true);
  expect(Math.max(...heard.flat())).toBeCloseTo(0.1, 2);
  for (let k = 0; k < 5; k++) expect(play()).toEqual([0, 0, 0]);
});
