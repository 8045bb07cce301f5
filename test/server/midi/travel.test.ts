/** The way of a controller on a control's own scale, there and back, and picking a control up. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPickedUp, positionOf, valueAt } from '../../../server/midi/travel.ts';

const cutoff = { min: 20, max: 20000, scale: 'log' } as const;
const gain = { min: -1, max: 3 } as const;

test('a frequency goes in equal ratios, all else in equal steps', () => {
  expect(valueAt({}, cutoff, 1 / 3)).toBeCloseTo(200, 9);
  expect(valueAt({}, cutoff, 2 / 3)).toBeCloseTo(2000, 8);
  expect(valueAt({}, gain, 0.5)).toBe(1);
});

test('both ends are exact', () => {
  expect([0, 1].map((p) => valueAt({}, cutoff, p))).toEqual([20, 20000]);
  expect([0, 1].map((p) => valueAt({ min: 200, max: 100 }, cutoff, p))).toEqual([200, 100]);
});

test('a part of the range is taken, also backwards, never more than the range', () => {
  expect(valueAt({ min: 0.5, max: -0.5 }, gain, 0.25)).toBe(0.25);
  expect(valueAt({ min: -9, max: 9 }, gain, 1)).toBe(3);
  expect(positionOf({ min: 0.5, max: -0.5 }, gain, 3)).toBe(0);
  expect(positionOf({ min: 1, max: 1 }, gain, 3)).toBe(0);
});

test('there and back is the same place of 14 bits', () => {
  fc.assert(
    fc.property(fc.nat(16383), fc.constantFrom(cutoff, gain), (raw, spec) => {
      const back = positionOf({}, spec, valueAt({}, spec, raw / 16383));
      expect(Math.round(back * 16383)).toBe(raw);
    }),
  );
});

test('a control is picked up where the controller is, or comes by', () => {
  expect(isPickedUp(undefined, 0.2, 0.5)).toBe(false);
  expect(isPickedUp(undefined, 0.5, 0.5)).toBe(true);
  expect(isPickedUp(0.2, 0.4, 0.5)).toBe(false);
  expect(isPickedUp(0.4, 0.6, 0.5)).toBe(true);
  expect(isPickedUp(0.6, 0.4, 0.5)).toBe(true);
  // From where it put the control itself it goes on, however fast.
  expect(isPickedUp(0.5, 1, 0.5)).toBe(true);
});
