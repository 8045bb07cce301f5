/** The ring of what went through the audio thread: what is read was written, or is known to be gone. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Tap, TapReader, capacityWithin, tracksOf } from '../../../server/engine/tap.ts';

const SHAPE = { inputs: 1, outputs: 1, blockSize: 16 };
const CAPACITY = 128;
const TRACKS = tracksOf(SHAPE).count;

/** Sample n of track k is n + k / 8. */
function write(tap: Tap, from: number, frames: number): void {
  for (let k = 0; k < TRACKS; k++) {
    const block = Float32Array.from({ length: frames }, (_, i) => from + i + k / 8);
    tap.put(k, block, frames);
  }
  tap.advance(frames);
}

function read(reader: TapReader, from: number, count: number): number[][] | null {
  const into = [new Float32Array(count), new Float32Array(count)];
  return reader.read([0, 3], from, count, into) ? into.map((track) => [...track]) : null;
}

test('any frames within reach are those that were written, across every edge', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 16 }), { maxLength: 60 }), (blocks) => {
      const tap = Tap.create(SHAPE, CAPACITY);
      const reader = new TapReader(new Tap(tap.buffer, TRACKS));
      let written = 0;
      for (const frames of blocks) {
        write(tap, written, frames);
        written += frames;
      }
      expect(reader.written).toBe(written);
      const { oldest } = reader;
      expect(oldest).toBe(Math.max(0, written - (CAPACITY - 2 * SHAPE.blockSize)));
      const count = written - oldest;
      const frames = Array.from({ length: count }, (_, i) => oldest + i);
      expect(read(reader, oldest, count)).toEqual([frames, frames.map((n) => n + 3 / 8)]);
    }),
  );
});

test('what is overwritten, or still to come, is not read', () => {
  const tap = Tap.create(SHAPE, CAPACITY);
  const reader = new TapReader(tap);
  for (let n = 0; n < 20; n++) write(tap, 16 * n, 16);
  expect(read(reader, reader.oldest - 1, 4)).toBeNull();
  expect(read(reader, reader.written - 3, 4)).toBeNull();
  expect(read(reader, -1, 4)).toBeNull();
  expect(read(reader, reader.oldest, 4)).not.toBeNull();
});

test('what is overwritten while it is read is noticed', () => {
  const tap = Tap.create(SHAPE, CAPACITY);
  const reader = new TapReader(tap);
  for (let n = 0; n < 20; n++) write(tap, 16 * n, 16);
  const { oldest } = reader;
  const [first, second] = [new Float32Array(8), new Float32Array(8)];
  const slow = new Proxy([first, second], {
    get(target, key) {
      // A block comes after the first track was copied.
      if (key === '1') write(tap, 20 * 16, 16);
      return Reflect.get(target, key) as unknown;
    },
  });
  expect(reader.read([0, 3], oldest, 8, slow)).toBe(false);
});

test('frames count on where the words in memory begin again', () => {
  const tap = Tap.create(SHAPE, CAPACITY);
  const reader = new TapReader(tap);
  // Day after day, and a reader that looks twice in 2³² frames.
  let total = 0;
  for (let k = 1; k <= 12; k++) {
    tap.advance(2 ** 30);
    total += 2 ** 30;
    if (k % 2 === 0) expect(reader.written).toBe(total);
  }
  write(tap, 7, 16);
  const late = new TapReader(tap);
  expect(late.written).toBe((total + 16) % 2 ** 32);
  for (const [one, from] of [[reader, total] as const, [late, late.written - 16] as const]) {
    expect(read(one, from, 16)?.[0]).toEqual(Array.from({ length: 16 }, (_, i) => 7 + i));
  }
});

test('a capacity is a power of two within its memory', () => {
  expect(capacityWithin(2 ** 20, 6, 10_000)).toBe(16384);
  expect(capacityWithin(2 ** 20, 6, 1_000_000)).toBe(32768);
  expect(() => new Tap(new SharedArrayBuffer(16 + 4 * 3 * 6), 6)).toThrow('power of two');
  expect(() => Tap.create(SHAPE, 32)).toThrow('four blocks');
});
