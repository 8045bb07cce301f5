/**
 * Pictures of signals from a real engine process: a sine from a file, looked at through IPC; nothing
 * without anyone who looks; again after a restart; recordings; and how late the estimate is.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { decodeScope, decodeSpectrum } from '../../../server/api/frame.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import { WavWriter, mendWav, readWav } from '../../../server/audio/wav.ts';
import { programOf, supervise, type Supervised } from '../../support/supervised.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const RATE = 48000;

/** Hears one second of a wave, again and again. */
async function hear(wave: (n: number) => number): Promise<Supervised> {
  const folder = mkdtempSync(join(tmpdir(), 'livegrad-'));
  opened.push(() => rmSync(folder, { recursive: true, force: true }));
  const inputFile = join(folder, 'in.wav');
  const writer = new WavWriter(inputFile, { sampleRate: RATE, channels: 1, encoding: 'float32' });
  writer.write([Float32Array.from({ length: RATE }, (_, n) => wave(n))], RATE);
  writer.close();
  const host = await supervise({ backend: 'file', inputFile, loop: true });
  opened.push(() => host.close());
  return host;
}

/** A program that hears its estimate `late` samples later than its target. */
function lateBy(late: number) {
  const patch = buildPatch('late', (p) => {
    const x = p.input(1, 'x');
    const gain = p.param('gain', { initial: 0.5, min: 0, max: 1 });
    const y = p.op('mul', [late > 0 ? p.delay(x, late) : x, gain], 'y');
    const schedule = { kind: 'constant', rate: 0 } as const;
    return {
      outputs: [y],
      training: { estimate: y, target: x, loss: 'mse', window: 64, schedule },
    };
  });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  return programOf(patch.value);
}

test('a sine that is heard is 0 dB at its bin and a sine in the scope, for those who look', async () => {
  // 100 periods of 480 samples: no jump at the end of the file.
  const sine = (n: number): number => Math.sin((2 * Math.PI * 16 * 100 * n) / RATE);
  const host = await hear(sine);
  await host.supervisor.load(lateBy(0));
  const before = host.last().frames;
  await host.until('more sound', () => host.last().frames > before + RATE / 4);
  expect(host.pictures).toEqual([]);
  host.supervisor.watchSignals({ scope: 20, spectrum: 20 });
  await host.until('pictures', () => host.pictures.length > 10);
  const scope = host.pictures.findLast(({ topic }) => topic === 'scope')!;
  expect(scope.program).toBe(1);
  expect(Math.abs(scope.frames - host.last().frames)).toBeLessThan(RATE);
  const { signals } = decodeScope(scope.values);
  expect(signals).toHaveLength(6);
  const [target, estimate, error, heard] = signals as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  expect(target).toEqual(heard);
  expect(Math.abs(heard[0]!)).toBeLessThan(Math.sin((2 * Math.PI * 1600) / RATE));
  heard.forEach((x, n) => {
    if (n > 0 && n < 1023) {
      const next = 2 * Math.cos((2 * Math.PI * 1600) / RATE) * x - heard[n - 1]!;
      expect(heard[n + 1]).toBeCloseTo(next, 5);
    }
    expect(estimate[n]).toBe(x / 2);
    expect(error[n]).toBe(x / 2);
  });
  const spectrum = host.pictures.findLast(({ topic }) => topic === 'spectrum')!;
  const decoded = decodeSpectrum(spectrum.values);
  const bins = decoded.signals[3]!;
  const loudest = bins.indexOf(Math.max(...bins));
  expect(Math.abs(loudest * decoded.binHz - 1600)).toBeLessThan(decoded.binHz);
  // Between two bins of a Hann window the peak is at most 1.42 dB lower.
  expect(bins[loudest]).toBeGreaterThan(-1.43);
  expect(bins[loudest]).toBeLessThan(0.01);

  host.supervisor.watchSignals({ scope: 0, spectrum: 0 });
  const seen = host.pictures.length;
  const then = host.last().frames;
  await host.until('more sound', () => host.last().frames > then + RATE / 4);
  expect(host.pictures.length).toBeLessThanOrEqual(seen + 2);
});

test('pictures go on after a restart of the engine, and their time does', async () => {
  const host = await hear((n) => Math.sin(n / 10));
  host.supervisor.watchSignals({ scope: 60, spectrum: 0 });
  await host.until('pictures', () => host.pictures.length > 3);
  const { frames } = host.pictures.at(-1)!;
  process.kill(host.supervisor.status.pid!, 'SIGKILL');
  await host.until('another engine', () => host.supervisor.status.restarts === 1);
  const before = host.pictures.length;
  await host.until('pictures', () => host.pictures.length > before + 3);
  expect(host.pictures.at(-1)!.frames).toBeGreaterThan(frames);
});

test('a recording is what was heard, to the bit, while one program takes over from another', async () => {
  const wave = (n: number): number => Math.fround(n / 2 ** 17 - 0.2);
  const host = await hear(wave);
  const { supervisor } = host;
  const file = join(mkdtempSync(join(tmpdir(), 'livegrad-')), 'take.wav');
  opened.push(() => rmSync(dirname(file), { recursive: true, force: true }));
  await supervisor.load(lateBy(0));
  expect(supervisor.lookback).toBe(2);
  const tracks = [0, 2, 3, 4];
  const order = { file, tracks, back: 0, frames: null, bytes: 1e9, note: {} };
  const { id, ended } = supervisor.record(order)!;
  for (let k = 1; k <= 4; k++) {
    await supervisor.load(lateBy(k));
    const then = host.last().frames;
    await host.until('some of it', () => host.last().frames > then + RATE / 4);
  }
  supervisor.endRecord(id);
  const { frames, lost, reason } = await ended;
  expect({ lost, reason }).toEqual({ lost: 0, reason: 'asked' });
  expect(frames).toBeGreaterThan(RATE);
  const read = readWav(file);
  if (!read.ok) throw new Error('unreadable');
  const [heard, , target, estimate] = read.value.channels as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const first = Math.round((heard[0]! + 0.2) * 2 ** 17);
  expect(heard).toEqual(Float32Array.from(heard, (_, n) => wave((first + n) % RATE)));
  expect(target).toEqual(heard);
  expect(estimate.at(-1)).toBe(wave((first + frames - 5) % RATE) / 2);

  const past = supervisor.record({ ...order, back: RATE, frames: RATE })!;
  expect(await past.ended).toMatchObject({ frames: RATE, lost: 0, reason: 'length' });
  const again = readWav(file);
  const [kept] = again.ok ? again.value.channels : [];
  const from = Math.round((kept![0]! + 0.2) * 2 ** 17);
  expect(kept).toEqual(Float32Array.from({ length: RATE }, (_, n) => wave((from + n) % RATE)));
});

test('a recording ends with the engine, and can be mended', async () => {
  const host = await hear((n) => Math.sin(n / 10));
  const file = join(mkdtempSync(join(tmpdir(), 'livegrad-')), 'take.wav');
  opened.push(() => rmSync(dirname(file), { recursive: true, force: true }));
  const { supervisor } = host;
  const order = { file, tracks: [0], back: 0, frames: null, bytes: 1e9, note: {} };
  const { ended } = supervisor.record(order)!;
  const then = host.last().frames;
  await host.until('some of it', () => host.last().frames > then + RATE / 2);
  process.kill(supervisor.status.pid!, 'SIGKILL');
  expect((await ended).reason).toBe('engine');
  expect(mendWav(file).ok).toBe(true);
  const read = readWav(file);
  expect(read.ok && read.value.channels[0]!.length).toBeGreaterThan(RATE / 4);
});

test('the lag is measured while the program plays, and not known without one', async () => {
  let state = 1;
  const host = await hear(() => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff - 0.5);
  expect(await host.supervisor.measureLag()).toEqual({ delay: null, confidence: 0 });
  await host.supervisor.load(lateBy(240));
  const then = host.last().frames;
  await host.until('a second of it', () => host.last().frames > then + RATE);
  const [lag, same] = await Promise.all([
    host.supervisor.measureLag(),
    host.supervisor.measureLag(),
  ]);
  expect(lag.delay).toBe(240);
  expect(lag.confidence).toBeGreaterThan(0.95);
  expect(same).toEqual(lag);
});
