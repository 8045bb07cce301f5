/** Rates of telemetry, on a clock that is cranked by hand. */

import { expect, test } from 'vitest';
import { decodeFrame } from '../../../server/api/frame.ts';
import { Telemetry } from '../../../server/control/telemetry.ts';
import type { Measurement } from '../../../server/engine/types.ts';
import { FakeEngine } from './fake.ts';

function measure(change: Partial<Measurement> = {}): Measurement {
  const engine = new FakeEngine();
  let taken: Measurement | undefined;
  engine.onMeasurement = (measurement) => (taken = measurement);
  engine.crank(change);
  return taken ?? expect.unreachable();
}

test.each([60, 30, 20, 10, 1])('%d frames per second are sent of sixty measurements', (rate) => {
  const telemetry = new Telemetry();
  const measurement = measure();
  telemetry.subscribe(['loss'], rate);
  let sent = 0;
  for (let tick = 0; tick < 600; tick++) {
    const jitter = (tick % 3) - 1;
    sent += telemetry.frames(measurement, 1000 + (tick * 1000) / 60 + jitter).length;
  }
  expect(sent).toBeGreaterThanOrEqual(10 * rate - 1);
  expect(sent).toBeLessThanOrEqual(10 * rate + 1);
});

test('measurements that come faster are thinned out to the rate', () => {
  const telemetry = new Telemetry();
  telemetry.subscribe(['loss'], 60);
  let sent = 0;
  for (let tick = 0; tick < 10_000; tick++) sent += telemetry.frames(measure(), tick).length;
  expect(sent).toBeGreaterThan(590);
  expect(sent).toBeLessThanOrEqual(601);
});

test('each topic counts its own frames', () => {
  const telemetry = new Telemetry();
  telemetry.subscribe(['loss'], 60);
  telemetry.frames(measure(), 0);
  telemetry.subscribe(['load'], 60);
  const frames = telemetry.frames(measure(), 100).map((frame) => decodeFrame(frame));
  expect(frames.map((frame) => [frame?.topic, frame?.sequence])).toEqual([
    ['loss', 1],
    ['load', 0],
  ]);
});

test('a meter that is not finite, in a frame, is no number', () => {
  const telemetry = new Telemetry();
  telemetry.subscribe(['meters'], 60);
  const meters = Float64Array.of(0.5, Infinity, -Infinity, NaN, 1e300, -2);
  const [frame] = telemetry.frames(measure({ meters }), 0);
  const decoded = decodeFrame(frame ?? expect.unreachable());
  expect(decoded).toMatchObject({ topic: 'meters' });
  expect([...(decoded?.values ?? [])]).toEqual([0.5, NaN, NaN, NaN, NaN, -2]);
});
