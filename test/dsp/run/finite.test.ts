/** Whether a block is finite, against the plain question asked of each sample. */
import { expect, test } from 'vitest';
import { channelOf, isFiniteBlock } from '../../../dsp/run/finite.ts';

const LENGTH = 37;
const LARGE = [0, -0, 1, -1.5, 2, -3, 1e-40, 3.4e38, -65536.5];
const BAD = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

test.each([Float32Array, Float64Array])('a block is finite if each sample is: %o', (Samples) => {
  const samples = new Samples(LENGTH);
  for (let k = 0; k < LENGTH; k++) samples[k] = LARGE[k % LARGE.length]!;
  const channel = channelOf(samples);
  expect(isFiniteBlock(channel, 0, LENGTH)).toBe(true);
  for (const bad of BAD) {
    for (let at = 0; at < LENGTH; at++) {
      const kept = samples[at]!;
      samples[at] = bad;
      expect(isFiniteBlock(channel, 0, LENGTH), `${bad} at ${at}`).toBe(false);
      expect(isFiniteBlock(channel, at + 1, LENGTH)).toBe(true);
      expect(isFiniteBlock(channel, 0, at)).toBe(true);
      samples[at] = kept;
    }
  }
});
