/** Levels that rise with an attack and fall with a release, whatever the rate of their frames. */

import { expect, test } from 'vitest';
import { Ballistics } from '../../../server/control/ballistics.ts';

const of = (...values: number[]): Float32Array => Float32Array.from(values);

test('levels rise with the attack and fall with the release', () => {
  const meter = new Ballistics({ attack: 10, release: 100 });
  expect([...meter.follow(of(0, 1), 0)]).toEqual([0, 1]);
  const [risen, fallen] = meter.follow(of(1, 0), 10);
  expect(risen).toBeCloseTo(1 - Math.exp(-1), 6);
  expect(fallen).toBeCloseTo(Math.exp(-0.1), 6);
  // Two short steps are one long one.
  const [halfway] = new Ballistics({ attack: 0, release: 100 }).follow(of(1), 0);
  expect(halfway).toBe(1);
  meter.follow(of(1, 0), 20);
  expect(meter.follow(of(1, 0), 110)[1]).toBeCloseTo(Math.exp(-1.1), 6);
});

test('without an attack a peak is there at once, and goes with the release', () => {
  const meter = new Ballistics({ attack: 0, release: 300 });
  meter.follow(of(0), 0);
  expect(meter.follow(of(0.5), 16)[0]).toBe(0.5);
  expect(meter.follow(of(0), 316)[0]).toBeCloseTo(0.5 * Math.exp(-1), 6);
});

test('with other channels it begins anew', () => {
  const meter = new Ballistics({ attack: 1000, release: 1000 });
  meter.follow(of(1, 1), 0);
  expect([...meter.follow(of(0.25, 0.5, 0), 10)]).toEqual([0.25, 0.5, 0]);
});
