/** The machine of the real daemon: a test tone, channels, another engine process, and the end. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, decodeLevels, type Client } from '../../clients/sdk/client.ts';
import { WavWriter } from '../../server/audio/wav.ts';
import { startDaemon, type Daemon } from '../support/daemon.ts';

let stateDir: string;
let daemon: Daemon | undefined;
let client: Client;
beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'livegrad-'));
  await start();
});
afterEach(async () => {
  client.close();
  await daemon?.stop();
  daemon = undefined;
  rmSync(stateDir, { recursive: true, force: true });
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  daemon = await startDaemon({ LIVEGRAD_STATE_DIR: stateDir, ...env });
  client = createClient({ url: daemon.address });
}

function isGone(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

test('a tone is heard on one output after the other, and then the program again', async () => {
  const heard: number[][] = [];
  client.subscribe({ topics: ['levels'], rate: 60 }, (frame) => {
    heard.push(decodeLevels(frame.values).outputs.map(({ rms }) => rms));
  });
  await vi.waitUntil(() => heard.length > 10, { timeout: 10_000 });
  await client.training.stop();
  const tone = { frequency: 440, levelDb: -30, seconds: 0.5, outputs: [2, 1] };
  heard.length = 0;
  expect(await client.devices.test(tone)).toEqual({ signal: 'sine', ...tone });
  const level = 10 ** (-30 / 20);
  const only = (output: number): boolean =>
    heard.some(
      (rms) => Math.abs(rms[output]! - level) < 0.05 * level && rms[1 - output]! < level / 100,
    );
  expect(only(1)).toBe(true);
  expect(only(0)).toBe(true);
  heard.length = 0;
  await vi.waitUntil(() => heard.length > 20 && heard.at(-1)![0]! > 1.2 * level, {
    timeout: 10_000,
  });
});

test('another engine process goes on with what was there, channels and all', async () => {
  await client.devices.map({ inputs: [2, 1], outputs: [2, 1] });
  await client.training.stop();
  await client.params.update({ values: { gain: 0.625, 'hidden/gain': 1.5 } });
  const before = (await client.status.get()).engine;
  const { engine } = await client.system.restartEngine();
  expect(engine).toMatchObject({ state: 'running', muted: before.muted, inputMap: [2, 1] });
  expect(engine.pid).not.toBe(before.pid);
  const { params } = await client.params.list();
  expect(Object.fromEntries(params.map(({ id, value }) => [id, value]))).toEqual({
    gain: 0.625,
    'hidden/gain': 1.5,
  });
  expect((await client.training.get()).running).toBe(false);
});

test('another engine process learns on with what the optimiser of the last one remembered', async () => {
  await client.patch.set({ example: 'lowpass' });
  const isLearning = async (): Promise<boolean> => (await client.training.get()).step > 20;
  await vi.waitUntil(isLearning, { timeout: 20_000 });
  await client.training.stop();
  await client.snapshots.save({ name: 'before' });
  await client.system.restartEngine();
  await client.snapshots.save({ name: 'after' });
  await client.devices.select({ inputChannels: 1 });
  await client.snapshots.save({ name: 'elsewhere' });
  const before = await client.snapshots.get({ name: 'before' });
  expect(Object.keys(before.learner!.optimiser)).toContain('adam.mean#0');
  for (const name of ['after', 'elsewhere']) {
    const { params, step, learner } = await client.snapshots.get({ name });
    expect({ params, step, learner }).toEqual({
      params: before.params,
      step: before.step,
      learner: before.learner,
    });
  }
});

test('the end is as after SIGTERM, and the channels are there at the next start', async () => {
  await client.devices.map({ outputs: [2, 1] });
  expect(await client.system.shutdown()).toEqual({ stopping: true });
  const { pid } = daemon!;
  await vi.waitUntil(() => isGone(pid), { timeout: 10_000 });
  expect(await daemon!.stop()).toBe(0);
  client.close();
  await start();
  expect((await client.status.get()).engine.outputMap).toEqual([2, 1]);
});

test('the patch is compiled for the rate of the device, whatever that becomes', async () => {
  await daemon!.stop();
  client.close();
  const file = join(stateDir, 'in.wav');
  const writer = new WavWriter(file, { sampleRate: 44100, channels: 1, encoding: 'float32' });
  writer.write([Float32Array.from({ length: 44100 }, (_, i) => Math.sin(i / 10) / 2)], 44100);
  writer.close();
  await start({
    LIVEGRAD_AUDIO_BACKEND: 'file',
    LIVEGRAD_AUDIO_INPUT_FILE: file,
    LIVEGRAD_AUDIO_LOOP: 'true',
    LIVEGRAD_AUDIO_SAMPLE_RATE: 'device',
  });
  const rates = async (): Promise<number[]> => {
    const [{ engine }, info] = [await client.status.get(), await client.patch.info()];
    return [engine.sampleRate, info.sampleRate];
  };
  expect(await rates()).toEqual([44100, 44100]);
  await client.devices.select({ backend: 'virtual' });
  expect(await rates()).toEqual([48000, 48000]);
  await client.devices.select({ sampleRate: 32000 });
  expect(await rates()).toEqual([32000, 32000]);
});
