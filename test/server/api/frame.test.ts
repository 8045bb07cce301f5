/** The telemetry frame: what is encoded is what is documented, and is decoded again. */

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeFrame,
  decodeLevels,
  decodeScope,
  decodeSpectrum,
  encodeFrame,
  markGap,
} from '../../../server/api/frame.ts';
import { TOPICS } from '../../../server/api/socket.ts';

const documented = {
  topic: 'params',
  learning: true,
  fault: false,
  gap: false,
  sequence: 7,
  program: 2,
  time: 48000,
  step: 187,
  values: Float32Array.of(0.5, -0.25),
} as const;

test('the worked example of the documentation is what the encoder makes', () => {
  const readme = readFileSync(new URL('../../../server/api/README.md', import.meta.url), 'utf8');
  const dump = [...readme.matchAll(/^[0-9a-f]{4} {2}((?:[0-9a-f]{2} ?)+)/gm)]
    .flatMap((match) => (match[1] ?? '').trim().split(' '))
    .map((byte) => Number.parseInt(byte, 16));
  expect(dump).toEqual([...encodeFrame(documented)]);
});

test('the documentation has a row for every topic', () => {
  const readme = readFileSync(new URL('../../../server/api/README.md', import.meta.url), 'utf8');
  const rows = [...readme.matchAll(/^\|\s*(\d+)\s*\|\s*`(\w+)`\s*\|/gm)].map((row) => [
    row[1],
    row[2],
  ]);
  expect(rows).toEqual(TOPICS.map((topic, i) => [String(i), topic]));
});

test('any frame is decoded to what was encoded', () => {
  const arbitrary = fc.record({
    topic: fc.constantFrom(...TOPICS),
    learning: fc.boolean(),
    fault: fc.boolean(),
    gap: fc.boolean(),
    sequence: fc.nat(),
    program: fc.nat(),
    time: fc.maxSafeNat(),
    step: fc.maxSafeNat(),
    values: fc.float32Array({ maxLength: 100 }),
  });
  fc.assert(
    fc.property(arbitrary, (frame) => {
      expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
    }),
  );
});

test('bytes that are not a frame are not decoded', () => {
  const good = encodeFrame(documented);
  expect(decodeFrame(good.slice(0, 31))).toBeUndefined();
  expect(decodeFrame(good.slice(0, 36))).toBeUndefined();
  for (const [at, value] of [
    [0, 0],
    [2, 2],
    [3, 99],
  ] as const) {
    expect(decodeFrame(good.with(at, value))).toBeUndefined();
  }
});

test('a gap can be marked in an encoded frame', () => {
  const frame = encodeFrame(documented);
  markGap(frame);
  expect(decodeFrame(frame)).toEqual({ ...documented, gap: true });
});

test('levels are read by channel', () => {
  expect(decodeLevels(Float32Array.of(1, 0.5, 0.25, 0.75, 0.5, 1, 0.5))).toEqual({
    inputs: [{ peak: 0.5, rms: 0.25 }],
    outputs: [
      { peak: 0.75, rms: 0.5 },
      { peak: 1, rms: 0.5 },
    ],
  });
});

test('the worked example of a scope is what is decoded', () => {
  const readme = readFileSync(new URL('../../../server/api/README.md', import.meta.url), 'utf8');
  const dump = [...readme.matchAll(/^ {6}((?:[0-9a-f]{2} )+)/gm)]
    .flatMap((match) => (match[1] ?? '').trim().split(' '))
    .map((byte) => Number.parseInt(byte, 16));
  const values = new Float32Array(Uint8Array.from(dump).buffer);
  expect(decodeScope(values)).toEqual({
    samplesPerPoint: 1,
    signals: [Float32Array.of(0.5, -0.25)],
  });
});

test('scope and spectrum are read signal by signal, and what is cut off is not there', () => {
  const values = Float32Array.of(2, 3, 93.75, 1, 2, 3, 4, 5, 6);
  expect(decodeSpectrum(values)).toEqual({
    binHz: 93.75,
    signals: [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)],
  });
  expect(decodeSpectrum(values.subarray(0, 8)).signals).toHaveLength(1);
  expect(decodeScope(new Float32Array()).signals).toEqual([]);
});
