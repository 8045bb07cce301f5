/** WAV files: what is written is read back, in every encoding; everything else is refused clearly. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';

import type { WavEncoding } from '../../../server/audio/wav.ts';
import { openWav, readWav, WavWriter } from '../../../server/audio/wav.ts';

const folder = mkdtempSync(join(tmpdir(), 'wav-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);

const STEP: Record<WavEncoding, number> = {
  pcm16: 2 ** -15,
  pcm24: 2 ** -23,
  pcm32: 2 ** -24, // of binary32, which is coarser than the file
  float32: 0,
};

function write(path: string, encoding: WavEncoding, data: readonly Float32Array[]): void {
  const writer = new WavWriter(path, { sampleRate: 44100, channels: data.length, encoding });
  writer.write(data, data[0]!.length);
  writer.close();
}

test('every encoding comes back within half a step', () => {
  const sample = { min: Math.fround(-0.9999), max: Math.fround(0.9999), noNaN: true } as const;
  fc.assert(
    fc.property(
      fc.constantFrom<WavEncoding>('pcm16', 'pcm24', 'pcm32', 'float32'),
      fc.integer({ min: 1, max: 4 }),
      fc.float32Array({ ...sample, minLength: 1, maxLength: 100 }),
      (encoding, count, data) => {
        const path = file('round-trip.wav');
        write(
          path,
          encoding,
          Array.from({ length: count }, (_, c) => data.map((x) => x / (c + 1))),
        );
        const read = readWav(path);
        if (!read.ok) throw new Error(read.diagnostics[0]!.message);
        expect(read.value.sampleRate).toBe(44100);
        expect(read.value.channels).toHaveLength(count);
        read.value.channels.forEach((channel, c) => {
          expect(channel).toHaveLength(data.length);
          channel.forEach((x, i) => {
            const error = Math.abs(x - Math.fround(data[i]! / (c + 1)));
            expect(error).toBeLessThanOrEqual(STEP[encoding] / 2);
          });
        });
      },
    ),
  );
});

test('PCM is clamped to full scale', () => {
  for (const encoding of ['pcm16', 'pcm24', 'pcm32'] as const) {
    write(file('clamp.wav'), encoding, [Float32Array.of(3, -3, 1, -1)]);
    const read = readWav(file('clamp.wav'));
    if (!read.ok) throw new Error(read.diagnostics[0]!.message);
    const [a, b, c, d] = read.value.channels[0]!;
    expect([b, d]).toEqual([-1, -1]);
    expect(a).toBe(c);
    expect(a).toBeGreaterThan(0.9999);
  }
});

test('reads in pieces, across its own buffer, and over again after a rewind', () => {
  const data = Float32Array.from({ length: 20_000 }, (_, i) => i);
  write(file('long.wav'), 'float32', [data, data]);
  const opened = openWav(file('long.wav'));
  if (!opened.ok) throw new Error(opened.diagnostics[0]!.message);
  const reader = opened.value;
  for (let pass = 0; pass < 2; pass++) {
    const into = [new Float32Array(20_010), new Float32Array(20_010)];
    let at = 0;
    for (const size of [1, 9000, 3, 20_000])
      at += reader.read(into, at, Math.min(size, 20_010 - at));
    expect(at).toBe(20_000);
    expect(into[1]!.subarray(0, 20_000)).toEqual(data);
    reader.rewind();
  }
  reader.close();
});

test('a file that is still being written is already a valid one', () => {
  const path = file('growing.wav');
  const writer = new WavWriter(path, { sampleRate: 8000, channels: 1, encoding: 'pcm16' });
  const second = new Float32Array(8000).fill(0.5);
  writer.write([second], 8000);
  writer.write([second], 100);
  const read = readWav(path);
  writer.close();
  expect(read.ok && read.value.channels[0]!.length).toBe(8000);
  const closed = readWav(path);
  expect(closed.ok && closed.value.channels[0]!.length).toBe(8100);
});

test('extensible headers, odd chunks in between and a data size of a cut-off recording are read', () => {
  const fmt = Buffer.alloc(48);
  fmt.write('fmt ', 0);
  fmt.writeUInt32LE(40, 4);
  fmt.writeUInt16LE(0xfffe, 8);
  fmt.writeUInt16LE(1, 10);
  fmt.writeUInt32LE(48000, 12);
  fmt.writeUInt16LE(16, 22);
  fmt.writeUInt16LE(1, 32);
  const junk = Buffer.from('LIST\x03\x00\x00\x00abc\x00', 'latin1');
  const data = Buffer.from('data\xff\xff\xff\xff\x00\x40\x00\xc0\x01', 'latin1');
  const path = file('extensible.wav');
  writeFileSync(path, Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), junk, fmt, data]));
  const read = readWav(path);
  expect(read.ok && [...read.value.channels[0]!]).toEqual([0.5, -0.5]);
});

test('what cannot be read is refused with the reason', () => {
  const good = file('good.wav');
  write(good, 'pcm16', [new Float32Array(4)]);
  const bytes = readFileSync(good);
  const variant = (name: string, change: (b: Buffer) => Buffer): string => {
    writeFileSync(file(name), change(Buffer.from(bytes)));
    return file(name);
  };
  const eight = variant('eight.wav', (b) => (b.writeUInt16LE(8, 34), b));
  const adpcm = variant('adpcm.wav', (b) => (b.writeUInt16LE(2, 20), b));
  const headless = variant('headless.wav', (b) => b.subarray(0, 50));
  const text = variant('text.wav', () => Buffer.from('this is no sound at all'));
  const rf64 = variant('rf64.wav', (b) => (b.write('RF64', 0), b));
  const cases: readonly [string, string, RegExp][] = [
    [file('missing.wav'), 'AUDIO_FILE_UNREADABLE', /cannot open .*missing\.wav/],
    [eight, 'AUDIO_FILE_FORMAT', /expected 16, 24 or 32-bit PCM.* got format 1 with 8 bits/],
    [adpcm, 'AUDIO_FILE_FORMAT', /got format 2/],
    [headless, 'AUDIO_FILE_FORMAT', /expected a "data" chunk, got none/],
    [text, 'AUDIO_FILE_FORMAT', /expected a WAV file/],
    [rf64, 'AUDIO_FILE_FORMAT', /RIFF header, got "RF64"/],
  ];
  for (const [path, code, message] of cases) {
    const read = readWav(path);
    if (read.ok) throw new Error(`${path} was read`);
    expect(read.diagnostics[0]!.code).toBe(code);
    expect(read.diagnostics[0]!.message).toMatch(message);
  }
});
