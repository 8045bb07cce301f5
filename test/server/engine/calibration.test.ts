/** Latency from recordings made with a known delay, gain, sign and noise. */
import { expect, test } from 'vitest';

import { correlate, createProbe, locate } from '../../../server/engine/calibration.ts';

/** Seeded noise in ±1. */
function noise(seed: number): () => number {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return seed / 2 ** 31;
  };
}

function hear(recording: Float32Array, signal: Float32Array, delay: number, gain: number): void {
  signal.forEach((x, i) => {
    if (i + delay < recording.length) recording[i + delay]! += gain * x;
  });
}

test('finds the exact delay through an attenuator, an inverter and a noisy line', async () => {
  for (const [delay, gain, floor] of [
    [0, 1, 0],
    [512, 0.5, 0],
    [513, -0.37, 0.01],
    [23_999, 0.05, 0.25],
  ] as const) {
    const probe = createProbe(48000, 1);
    const random = noise(delay + 1);
    const recording = probe.recordings[0]!;
    recording.forEach((_, i) => (recording[i] = floor * random()));
    hear(recording, probe.signal, delay, gain);
    const found = await locate(probe, 48000);
    expect(found?.latency).toBe(delay);
    expect(found?.confidence).toBeGreaterThan(2);
  }
});

test('names the input that heard the probe', async () => {
  const probe = createProbe(48000, 3);
  const random = noise(7);
  for (const r of probe.recordings) r.forEach((_, i) => (r[i] = 0.1 * random()));
  hear(probe.recordings[2]!, probe.signal, 700, 0.5);
  hear(probe.recordings[1]!, probe.signal, 300, 0.02);
  expect(await locate(probe, 48000)).toMatchObject({ latency: 700, input: 2 });
});

test('hears nothing in silence, in noise, or in a tone', async () => {
  const probe = createProbe(48000, 3);
  const random = noise(3);
  probe.recordings[1]!.forEach((_, i, r) => (r[i] = random()));
  probe.recordings[2]!.forEach((_, i, r) => (r[i] = Math.sin(i / 10)));
  expect(await locate(probe, 48000)).toBeNull();
});

test('the probe is the same every time and peaks at -12 dBFS', () => {
  const { signal } = createProbe(48000, 0);
  expect(signal).toEqual(createProbe(48000, 0).signal);
  expect(signal).toHaveLength(12_000);
  const peak = signal.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
  expect(20 * Math.log10(peak)).toBeCloseTo(-12, 5);
});

test('the correlation by transform is the direct sum', () => {
  const random = noise(11);
  const signal = Float32Array.from({ length: 50 }, random);
  const recording = Float32Array.from({ length: 120 }, random);
  const heights = Array.from({ length: 71 }, (_, lag) =>
    Math.abs(signal.reduce((sum, x, i) => sum + x * recording[i + lag]!, 0)),
  );
  const peak = Math.max(...heights);
  const latency = heights.indexOf(peak);
  const next = Math.max(...heights.filter((_, lag) => Math.abs(lag - latency) > 2));
  const found = correlate(signal, recording, 2);
  expect(found.latency).toBe(latency);
  expect(found.confidence).toBeCloseTo(peak / next, 9);
});
