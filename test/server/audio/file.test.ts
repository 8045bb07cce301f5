/** The file device: in and out stay aligned to the sample; it ends, or starts over, as told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

import type { FileOptions } from '../../../server/audio/file.ts';
import { openFile } from '../../../server/audio/file.ts';
import { readWav, WavWriter } from '../../../server/audio/wav.ts';

const folder = mkdtempSync(join(tmpdir(), 'file-'));
afterAll(() => rmSync(folder, { recursive: true }));
const inputFile = join(folder, 'in.wav');
const outputFile = join(folder, 'out.wav');
const ramp = Float32Array.from({ length: 1000 }, (_, i) => i / 1000);

const writer = new WavWriter(inputFile, { sampleRate: 48000, channels: 1, encoding: 'float32' });
writer.write([ramp], 1000);
writer.close();

const options: FileOptions = {
  inputFile,
  outputFile,
  sampleRate: 48000,
  blockSize: 256,
  inputs: 2,
  outputs: 1,
  loop: false,
  clock: null,
  ready: () => true,
};

function open(change: Partial<FileOptions> = {}) {
  const opened = openFile({ ...options, ...change });
  if (!opened.ok) throw new Error(opened.diagnostics[0]!.message);
  return opened.value;
}

test('the recording is as long as the input and aligned with it', async () => {
  const device = open();
  expect(device.info).toMatchObject({ inputs: 1, outputs: 1, sampleRate: 48000 });
  const sizes: number[] = [];
  const end = device.run((frames) => {
    sizes.push(frames);
    for (let i = 0; i < frames; i++) device.outputs[0]![i] = -device.inputs[0]![i]!;
    return true;
  });
  await device.close();
  expect(end).toBe('ended');
  expect(sizes).toEqual([256, 256, 256, 232]);
  const out = readWav(outputFile);
  expect(out.ok && out.value.channels[0]).toEqual(ramp.map((x) => -x));
});

test('waits with silence, unrecorded, until somebody is ready to listen', async () => {
  let blocks = 0;
  const time = { now: 0 };
  const clock = { now: () => time.now, wait: (t: number) => void (time.now = t) };
  const device = open({ ready: () => blocks >= 3, clock });
  const first: number[] = [];
  void device.run(() => {
    first.push(device.inputs[0]![1]!);
    device.outputs[0]!.fill(++blocks);
    return true;
  });
  await device.close();
  expect(first.slice(0, 4)).toEqual([0, 0, 0, ramp[1]]);
  const out = readWav(outputFile);
  expect(out.ok && out.value.channels[0]).toHaveLength(1000);
  expect(out.ok && out.value.channels[0]![0]).toBe(4);
});

test('loops without a gap until told to stop', async () => {
  const device = open({ loop: true });
  const heard: number[] = [];
  const end = device.run((frames) => {
    expect(frames).toBe(256);
    heard.push(...device.inputs[0]!);
    return heard.length < 2560;
  });
  await device.close();
  expect(end).toBe('stopped');
  heard.forEach((x, i) => expect(x).toBe(ramp[i % 1000]));
});

test('plays at the rate of the file where that is asked for', async () => {
  const device = open({ sampleRate: 'device', outputFile: undefined });
  expect(device.info.sampleRate).toBe(48000);
  await device.close();
});

test('a wrong sample rate, a missing file and an unwritable one are refused', () => {
  const cases = [
    [{ sampleRate: 44100 }, 'AUDIO_FILE_RATE', /expected 44100 Hz .* got 48000 Hz/],
    [{ inputFile: join(folder, 'none.wav') }, 'AUDIO_FILE_UNREADABLE', /none\.wav/],
    [{ outputFile: join(folder, 'no/where.wav') }, 'AUDIO_FILE_UNREADABLE', /cannot write/],
  ] as const;
  for (const [change, code, message] of cases) {
    const opened = openFile({ ...options, ...change });
    if (opened.ok) throw new Error('it opened');
    expect(opened.diagnostics[0]!.code).toBe(code);
    expect(opened.diagnostics[0]!.message).toMatch(message);
  }
});
