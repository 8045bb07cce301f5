/** The output stage: nothing above the ceiling, nothing non-finite, no jumps, no needless change. */
import fc from 'fast-check';
import { expect, test } from 'vitest';

import {
  aim,
  applyRamp,
  CEILING,
  createLimiter,
  createRamp,
  crossfade,
  decibels,
  guard,
  limit,
} from '../../../server/engine/output.ts';

const sample = fc.float({ min: Math.fround(-1e30), max: Math.fround(1e30), noNaN: true });
const stereo = fc
  .array(fc.tuple(sample, sample), { minLength: 1, maxLength: 300 })
  .map((frames) => [
    Float32Array.from(frames, (f) => f[0]),
    Float32Array.from(frames, (f) => f[1]),
  ]);

test('the ceiling is -1 dBFS', () => {
  expect(20 * Math.log10(CEILING)).toBeCloseTo(-1, 6);
});

test('no sample leaves the limiter above the ceiling, whatever went in', () => {
  fc.assert(
    fc.property(stereo, (channels) => {
      limit(createLimiter(48000), channels, channels[0]!.length);
      for (const channel of channels) {
        for (const x of channel) expect(Math.abs(x)).toBeLessThanOrEqual(CEILING);
      }
    }),
  );
});

test('a signal below the ceiling passes the limiter bit for bit', () => {
  fc.assert(
    fc.property(fc.float32Array({ min: -0.875, max: 0.875, noNaN: true }), (channel) => {
      const before = channel.slice();
      limit(createLimiter(48000), [channel], channel.length);
      expect(channel).toEqual(before);
    }),
  );
});

test('a crossfade goes over in a straight line across blocks, and leaves equal signals alone', () => {
  const mix = createRamp(0);
  aim(mix, 1, 6);
  const [now, former] = [new Float32Array(4), new Float32Array(4).fill(0.3)];
  const heard: number[] = [];
  for (let k = 0; k < 2; k++) {
    now.fill(0.9);
    crossfade(mix, [now], [former], 4);
    heard.push(...now);
  }
  heard.forEach((y, n) => expect(y).toBeCloseTo(0.3 + 0.6 * Math.min(1, (n + 1) / 6), 6));
  expect(mix.left).toBe(0);
  expect(heard.slice(5)).toEqual([0.9, 0.9, 0.9].map(Math.fround));
  aim(mix, 0, 1);
  applyRamp(mix, [], 1);
  aim(mix, 1, 100);
  now.fill(0.3);
  crossfade(mix, [now], [former], 4);
  expect(now).toEqual(former);
});

test('the limiter gives its gain back, to exactly 1, and keeps the balance of the channels', () => {
  const limiter = createLimiter(48000);
  const left = new Float32Array(4800).fill(0.1);
  const right = new Float32Array(4800).fill(0.2);
  right[0] = 4;
  limit(limiter, [left, right], 4800);
  for (let i = 1; i < 4800; i++) {
    expect(right[i]! / left[i]!).toBeCloseTo(2, 5);
    expect(left[i]!).toBeGreaterThanOrEqual(left[i - 1]!);
  }
  for (let i = 0; i < 40; i++) limit(limiter, [left.fill(0.1), right.fill(0.2)], 4800);
  expect(limiter.gain).toBe(1);
});

test('a ramp is monotone, ends on its target and is the same however it is cut into blocks', () => {
  fc.assert(
    fc.property(
      fc.float({ min: 0, max: 4, noNaN: true }),
      fc.float({ min: 0, max: 4, noNaN: true }),
      fc.integer({ min: 1, max: 400 }),
      fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 40 }),
      (from, to, frames, cuts) => {
        const total = cuts.reduce((a, b) => a + b, 0);
        const whole = new Float32Array(total).fill(1);
        const ramp = createRamp(from);
        aim(ramp, to, frames);
        applyRamp(ramp, [whole], total);
        const pieces: number[] = [];
        const cutRamp = createRamp(from);
        aim(cutRamp, to, frames);
        for (const cut of cuts) {
          const piece = new Float32Array(cut).fill(1);
          applyRamp(cutRamp, [piece], cut);
          pieces.push(...piece);
        }
        expect(pieces).toEqual([...whole]);
        const direction = Math.sign(to - from);
        for (let i = 1; i < total; i++) {
          expect((whole[i]! - whole[i - 1]!) * direction).toBeGreaterThanOrEqual(0);
        }
        if (total >= frames) expect(whole[total - 1]).toBe(Math.fround(to));
      },
    ),
  );
});

test('a ramp that is redirected goes on from where it was', () => {
  const ramp = createRamp(0);
  aim(ramp, 1, 100);
  applyRamp(ramp, [new Float32Array(50)], 50);
  expect(ramp.value).toBeCloseTo(0.5, 12);
  aim(ramp, 0, 100);
  const channel = new Float32Array(100).fill(1);
  applyRamp(ramp, [channel], 100);
  expect(channel[0]).toBeLessThan(0.5);
  expect(channel[0]).toBeGreaterThan(0.49);
  expect(channel[99]).toBe(0);
});

test('a gain of 1 that does not move leaves every bit alone', () => {
  const channel = Float32Array.of(0.1, -0.3, 1e-40, 3e38);
  const before = channel.slice();
  applyRamp(createRamp(1), [channel], 4);
  expect(channel).toEqual(before);
});

test('a muted output is zero', () => {
  const channel = new Float32Array(64).fill(0.7);
  applyRamp(createRamp(0), [channel], 64);
  expect(channel.every((x) => x === 0)).toBe(true);
});

test('one sample that is not finite silences the block, on every channel', () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (const at of [0, 31, 63]) {
      const left = new Float32Array(64).fill(0.5);
      const right = new Float32Array(64).fill(0.5);
      right[at] = bad;
      expect(guard([left, right], 64)).toBe(false);
      expect([...left, ...right].every((x) => x === 0)).toBe(true);
    }
  }
});

test('the guard looks at the frames of the block only, and passes finite ones untouched', () => {
  const channel = Float32Array.of(3e38, -3e38, 1e-45, Number.NaN);
  expect(guard([channel], 3)).toBe(true);
  expect(channel[0]).toBe(Math.fround(3e38));
  expect(guard([channel], 4)).toBe(false);
});

test('gain in decibels', () => {
  expect(decibels(0)).toBe(1);
  expect(decibels(20)).toBeCloseTo(10, 12);
  expect(decibels(-6.0206)).toBeCloseTo(0.5, 5);
});
