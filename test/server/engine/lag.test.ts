/** How late one signal is behind another: noise that is moved, and what has no clear answer. */

import { expect, test } from 'vitest';
import { LAG_WINDOW, lagOf } from '../../../server/engine/lag.ts';

function noise(seed: number, length = LAG_WINDOW): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (state * 48271) % 0x7fffffff;
    return state / 0x7fffffff - 0.5;
  });
}

const moved = (of: Float32Array, by: number): Float32Array =>
  Float32Array.from(of, (_, n) => of[n - by] ?? 0);

test.each([0, 1, 37, -37, 4800, -12000])('an estimate that is %d samples late is', (delay) => {
  const target = noise(1);
  const { delay: found, confidence } = lagOf(target, moved(target, delay));
  expect(found).toBe(delay);
  expect(confidence).toBeGreaterThan(0.99);
});

test('level, sign, a filter and some noise do not hide it', () => {
  const target = noise(1);
  const [other, late] = [noise(2), moved(target, 100)];
  const smooth = late.map((x, n) => -0.1 * (x + (late[n - 1] ?? 0)) + 0.02 * other[n]!);
  const { delay, confidence } = lagOf(target, smooth);
  expect([100, 101]).toContain(delay);
  expect(confidence).toBeGreaterThan(0.6);
});

test('what is not alike, and what is alike everywhere, has no delay', () => {
  expect(lagOf(noise(1), noise(99)).delay).toBeNull();
  const sine = Float32Array.from({ length: LAG_WINDOW }, (_, n) => Math.sin(n / 10));
  expect(lagOf(sine, moved(sine, 20)).delay).toBeNull();
  expect(lagOf(new Float32Array(100), new Float32Array(100))).toEqual({
    delay: null,
    confidence: 0,
  });
});

test('a shorter piece is enough', () => {
  const target = noise(3, 5000);
  expect(lagOf(target, moved(target, 25)).delay).toBe(25);
});
