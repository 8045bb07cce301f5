/** Recordings from a tap that is written by hand: to the bit, from the past, bounded, and mended. */

import { mkdtempSync, openSync, closeSync, ftruncateSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HEAD_BYTES, mendWav, openWav, readWav } from '../../../server/audio/wav.ts';
import { Recorder } from '../../../server/engine/recorder.ts';
import { Tap, tracksOf } from '../../../server/engine/tap.ts';
import type { RecordEnd, RecordOrder } from '../../../server/engine/types.ts';

const SHAPE = { inputs: 1, outputs: 1, blockSize: 256 };
const CAPACITY = 65_536;
const REACH = CAPACITY - 2 * SHAPE.blockSize;

let folder: string;
let tap: Tap;
let played: number;
let ends: RecordEnd[];
let recorder: Recorder;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'livegrad-'));
  tap = Tap.create(SHAPE, CAPACITY);
  played = 0;
  ends = [];
  recorder = new Recorder(tap, 48000, (end) => ends.push(end));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Sample n of track k. */
const sample = (k: number, n: number): number => Math.fround(Math.sin(n * (k + 1)) / 3);

function play(blocks: number): void {
  for (let block = 0; block < blocks; block++, played += SHAPE.blockSize) {
    for (let k = 0; k < tracksOf(SHAPE).count; k++) {
      tap.put(
        k,
        Float32Array.from({ length: SHAPE.blockSize }, (_, i) => sample(k, played + i)),
        SHAPE.blockSize,
      );
    }
    tap.advance(SHAPE.blockSize);
  }
}

const order = (change: Partial<RecordOrder> = {}): RecordOrder => ({
  id: 1,
  file: join(folder, 'take.wav'),
  tracks: [0, 2],
  back: 0,
  frames: null,
  bytes: 1e9,
  note: { patch: 'gain' },
  ...change,
});

function expectFrames(from: number, count: number): void {
  const read = readWav(join(folder, 'take.wav'));
  if (!read.ok) throw new Error(JSON.stringify(read.diagnostics));
  expect(read.value.sampleRate).toBe(48000);
  [0, 2].forEach((track, channel) => {
    const expected = Float32Array.from({ length: count }, (_, n) => sample(track, from + n));
    expect(read.value.channels[channel]).toEqual(expected);
  });
}

test('what is played from start to stop is in the file, to the bit', () => {
  play(10);
  recorder.begin(order());
  for (let k = 0; k < 50; k++) {
    play(1 + (k % 5));
    if (k % 7 === 0) recorder.advance();
  }
  const until = played;
  recorder.stop(1);
  play(10);
  recorder.advance();
  expect(ends).toEqual([{ id: 1, frames: until - 2560, lost: 0, reason: 'asked', message: '' }]);
  expectFrames(2560, until - 2560);
  expect(recorder.isBusy).toBe(false);
});

test('a length is kept to the frame', () => {
  recorder.begin(order({ frames: 10_001 }));
  for (let k = 0; k < 50; k++) {
    play(1);
    recorder.advance();
  }
  expect(ends).toMatchObject([{ frames: 10_001, reason: 'length' }]);
  expectFrames(0, 10_001);
});

test('the last frames are kept, exactly those, while another recording is made', () => {
  play(600);
  recorder.begin(order({ id: 2, file: join(folder, 'other.wav') }));
  recorder.begin(order({ back: 48_000, frames: 48_000 }));
  expect(ends).toMatchObject([{ id: 1, frames: 48_000, lost: 0, reason: 'length' }]);
  expectFrames(600 * 256 - 48_000, 48_000);
  play(3);
  recorder.stop(2);
  expect(ends[1]).toMatchObject({ id: 2, frames: 768 });
});

test('of a past that is not there, what there is is kept', () => {
  play(4);
  recorder.begin(order({ back: 48_000, frames: 48_000 }));
  expect(ends).toMatchObject([{ frames: 1024, lost: 0, reason: 'length' }]);
  expectFrames(0, 1024);
  play(1000);
  recorder.begin(order({ back: 1e9, frames: 1e9 }));
  expect(ends[1]!.frames).toBe(REACH - 8192);
  expectFrames(1004 * 256 - (REACH - 8192), REACH - 8192);
});

test('a file that has no room for more ends', () => {
  const bytes = HEAD_BYTES + 4 * 2 * 1000 + 5;
  recorder.begin(order({ bytes }));
  play(10);
  recorder.advance();
  expect(ends).toMatchObject([{ frames: 1000, reason: 'full' }]);
  expect(statSync(join(folder, 'take.wav')).size).toBeLessThanOrEqual(bytes);
  expectFrames(0, 1000);
});

test('a room that becomes smaller ends a file there, or at once', () => {
  recorder.begin(order());
  play(2);
  recorder.advance();
  recorder.limit(1, HEAD_BYTES + 4 * 2 * 1000);
  expect(ends).toEqual([]);
  play(10);
  recorder.advance();
  expect(ends).toMatchObject([{ frames: 1000, reason: 'full' }]);
  expectFrames(0, 1000);
  recorder.begin(order({ id: 2, file: join(folder, 'other.wav') }));
  play(10);
  recorder.advance();
  recorder.limit(2, 100);
  expect(ends[1]).toMatchObject({ id: 2, frames: 2560, reason: 'full' });
});

test('what comes too late is silence, and counted, and the time goes on', () => {
  recorder.begin(order());
  play(1000);
  recorder.advance();
  play(1);
  recorder.stop(1);
  const [end] = ends;
  expect(end).toMatchObject({ frames: 1001 * 256, reason: 'asked' });
  expect(end!.lost).toBeGreaterThanOrEqual(1000 * 256 - REACH);
  expect(end!.lost).toBeLessThan(1000 * 256 - REACH + 8192);
  const read = readWav(join(folder, 'take.wav'));
  if (!read.ok) throw new Error('unreadable');
  const [heard] = read.value.channels;
  expect(heard!.subarray(0, end!.lost).every((x) => x === 0)).toBe(true);
  expect(heard!.at(-1)).toBe(sample(0, played - 1));
});

test('a file that cannot be written is told', () => {
  recorder.begin(order({ file: join(folder, 'nowhere', 'take.wav') }));
  expect(ends).toMatchObject([{ frames: 0, reason: 'failed' }]);
  expect(ends[0]!.message).toMatch('ENOENT');
});

test('the file of a process that was killed is mended, and says what it is', () => {
  recorder.begin(order());
  play(20);
  recorder.advance();
  // Neither stopped nor closed; a piece of a frame at the end.
  const path = join(folder, 'take.wav');
  const file = openSync(path, 'r+');
  ftruncateSync(file, HEAD_BYTES + 8 * 5000 + 3);
  closeSync(file);
  expect(mendWav(path)).toEqual({ ok: true, value: null });
  const opened = openWav(path);
  if (!opened.ok) throw new Error('unreadable');
  expect(opened.value.frames).toBe(5000);
  expect(JSON.parse(opened.value.note)).toEqual({ patch: 'gain', lost: 0 });
  opened.value.close();
  expectFrames(0, 5000);
});
