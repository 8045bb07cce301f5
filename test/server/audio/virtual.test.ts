/** The virtual device on a hand-cranked clock: pace, lateness, and the world outside. */
import { expect, test } from 'vitest';

import type { Clock } from '../../../server/audio/device.ts';
import { channels } from '../../../server/audio/device.ts';
import { createPacer } from '../../../server/audio/pacer.ts';
import { openVirtual } from '../../../server/audio/virtual.ts';

/** Time moves only when somebody waits, or by hand. */
class Crank implements Clock {
  time = 1000;
  now(): number {
    return this.time;
  }
  wait(time: number): void {
    this.time = time;
  }
}

const device = (clock: Clock | null, world = null as Parameters<typeof openVirtual>[0]['world']) =>
  openVirtual({ sampleRate: 48000, blockSize: 256, inputs: 2, outputs: 2, world, clock });

test('a million blocks later the clock has not drifted by a microsecond', () => {
  const clock = new Crank();
  const pacer = createPacer(clock, (256 / 44100) * 1000);
  for (let k = 0; k < 1_000_000; k++) {
    pacer.next();
    clock.time += 0.37;
  }
  const ideal = 1000 + 1_000_000 * (256 / 44.1) + 0.37;
  expect(clock.time).toBeCloseTo(ideal, 3);
  expect(pacer.late).toBe(0);
});

test('blocks arrive one period apart', () => {
  const clock = new Crank();
  const times: number[] = [];
  void device(clock).run((frames) => {
    expect(frames).toBe(256);
    return times.push(clock.time) < 10;
  });
  for (let k = 1; k < 10; k++) expect(times[k]! - times[k - 1]!).toBeCloseTo(16 / 3, 9);
});

test('a block that takes too long makes the next ones late, and time is caught up with', () => {
  const clock = new Crank();
  const virtual = device(clock);
  let k = 0;
  void virtual.run(() => {
    if (++k === 3) clock.time += 3 * (16 / 3);
    return k < 10;
  });
  expect(virtual.lateBlocks).toBe(1);
  expect(clock.time).toBeCloseTo(1000 + 10 * (16 / 3), 6);
});

test('after a long hold-up the missed blocks are dropped and counted, not played in a burst', () => {
  const clock = new Crank();
  const virtual = device(clock);
  let k = 0;
  void virtual.run(() => {
    if (++k === 3) clock.time += 1000;
    return k < 5;
  });
  expect(virtual.lateBlocks).toBeGreaterThanOrEqual(186);
  expect(virtual.lateBlocks).toBeLessThanOrEqual(188);
});

test('the host hears what it played, through the world, one block later', () => {
  const inputs = channels(1, 256);
  const outputs = channels(2, 256);
  const world = {
    inputs,
    outputs,
    process(frames: number): void {
      for (let i = 0; i < frames; i++) {
        outputs[0]![i] = 0.5 * inputs[0]![i]!;
        outputs[1]![i] = 1;
      }
    },
  };
  const virtual = device(null, world);
  let k = 0;
  void virtual.run(() => {
    expect(virtual.inputs[0]![255]).toBe(0.5 * k);
    expect(virtual.inputs[1]![0]).toBe(1);
    virtual.outputs[0]!.fill(++k);
    return k < 5;
  });
  expect(k).toBe(5);
});

test('runs free without a clock, and nothing is late', () => {
  const virtual = device(null);
  let k = 0;
  expect(virtual.run(() => ++k < 10_000)).toBe('stopped');
  expect(k).toBe(10_000);
  expect(virtual.lateBlocks).toBe(0);
});
