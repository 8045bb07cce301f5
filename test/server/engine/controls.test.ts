/** Steering through shared memory: every change arrives once, in order, at the next block. */
import { beforeEach, expect, test } from 'vitest';

import { ControlReader, ProgramControls, Switches } from '../../../server/engine/controls.ts';
import { encode } from '../../../dsp/learn/schedules/schedule.ts';
import type { Schedule } from '../../../server/engine/types.ts';

class Target {
  readonly sliders = new Float64Array(2);
  readonly params = Float64Array.of(10, 20);
  readonly frozen = new Float64Array(2);
  readonly rates = Float64Array.of(1, 1);
  readonly schedules: number[][] = [];
  learning = false;
  resets = 0;
  restarts = 0;
  follow(code: Float64Array): void {
    this.schedules.push([...code]);
  }
  restart(): void {
    this.restarts++;
  }
  reset(): void {
    this.resets++;
    this.params.set([1, 2]);
  }
}

let target: Target;
let writer: ProgramControls;
let reader: ControlReader;

beforeEach(() => {
  target = new Target();
  writer = new ProgramControls([5, 6], 2);
  reader = new ControlReader(writer.buffer, 2, 2);
});

test('nothing is touched before something was changed', () => {
  reader.apply(target);
  expect([...target.params, ...target.sliders]).toEqual([10, 20, 0, 0]);
  expect(target.resets).toBe(0);
  expect(target.schedules).toEqual([]);
});

test('a slider arrives, and the ones not moved keep what they were loaded with', () => {
  writer.setSlider(1, 0.25);
  reader.apply(target);
  expect([...target.sliders]).toEqual([5, 0.25]);
});

test('a parameter is written once, so learning goes on from there', () => {
  writer.setParam(1, 0.5);
  reader.apply(target);
  expect([...target.params]).toEqual([10, 0.5]);
  target.params[1] = 0.6;
  writer.setSlider(0, 1);
  reader.apply(target);
  expect(target.params[1]).toBe(0.6);
});

test('of a reset and a parameter in the same block the later one wins', () => {
  writer.setParam(0, 7);
  writer.reset();
  writer.setParam(1, 8);
  reader.apply(target);
  expect([...target.params]).toEqual([1, 8]);
  reader.apply(target);
  expect(target.resets).toBe(1);
});

test('frozen and learning arrive, and learning switched off by a fault stays off', () => {
  writer.setFrozen(1, true);
  writer.setLearning(true);
  reader.apply(target);
  expect([...target.frozen]).toEqual([0, 1]);
  expect(target.learning).toBe(true);
  target.learning = false;
  writer.setFrozen(1, false);
  reader.apply(target);
  expect([...target.frozen]).toEqual([0, 0]);
  expect(target.learning).toBe(false);
});

test('every kind of schedule arrives whole, and only the newest', () => {
  const schedules: Schedule[] = [
    { kind: 'constant', rate: 0.1 },
    { kind: 'exponential', rate: 0.2, delta: -0.5, every: 10 },
    { kind: 'step', rate: 0.3, factor: 0.5, every: 20 },
    {
      kind: 'cosine',
      rate: 0.4,
      final: 0.01,
      steps: 1000,
      start: 70,
      glide: { at: 70, steps: 9, from: 2 },
    },
    {
      kind: 'multiStep',
      rate: 0.5,
      factor: 0.5,
      milestones: Array.from({ length: 32 }, (_, k) => k),
    },
    { kind: 'plateau', rate: 0.6, warmup: { steps: 10 } },
  ];
  for (const schedule of schedules) {
    writer.setSchedule({ kind: 'constant', rate: 99 });
    writer.setSchedule(schedule);
    reader.apply(target);
    reader.apply(target);
  }
  expect(target.schedules).toEqual(schedules.map((schedule) => [...encode(schedule)]));
});

test('switches are seen through the shared buffer', () => {
  const main = new Switches();
  const thread = new Switches(main.buffer);
  main.muted = true;
  main.gainMilliDb = -12_345;
  main.announceMail();
  main.requestStop();
  thread.playing = 42;
  expect([thread.muted, thread.gainMilliDb, thread.mail, thread.stop]).toEqual([
    true,
    -12_345,
    1,
    true,
  ]);
  expect(main.playing).toBe(42);
});

test('rates and restarts arrive once', () => {
  writer.setRate(1, 0.25);
  writer.restart();
  reader.apply(target);
  expect([...target.rates]).toEqual([1, 0.25]);
  expect(target.restarts).toBe(1);
  target.rates[1] = 3;
  writer.setSlider(0, 1);
  reader.apply(target);
  expect([target.rates[1], target.restarts]).toEqual([3, 1]);
});
