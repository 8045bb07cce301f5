/** Starting values: their ranges and moments, orthogonality, and that a seed fixes them for ever. */

import { describe, expect, test } from 'vitest';
import { INIT_KINDS, initialValues } from '../../../dsp/blocks/initial.ts';
import type { Init } from '../../../dsp/blocks/initial.ts';

const layer = (more: Partial<Init>): Init => ({
  kind: 'uniform',
  seed: 1,
  scale: 1,
  fanIn: 64,
  fanOut: 32,
  ...more,
});

function moments(values: readonly number[]) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const power = values.reduce((a, b) => a + b * b, 0) / values.length;
  return { mean, deviation: Math.sqrt(power), largest: Math.max(...values.map(Math.abs)) };
}

describe.each([1, 2, 3])('with seed %i', (seed) => {
  const SIZE = 20_000;

  test.each([
    ['uniform', 0.5, 0.5],
    ['glorot', 2, 2 * Math.sqrt(6 / 96)],
    ['lecun', 1, 1 / 8],
  ] as const)('%s numbers fill their range evenly', (kind, scale, limit) => {
    const { mean, deviation, largest } = moments(initialValues(layer({ kind, scale, seed }), SIZE));
    expect(Math.abs(mean)).toBeLessThan(0.03 * limit);
    expect(deviation).toBeCloseTo(limit / Math.sqrt(3), 1);
    expect(Math.abs(deviation / (limit / Math.sqrt(3)) - 1)).toBeLessThan(0.02);
    expect(largest).toBeLessThanOrEqual(limit);
  });

  test.each([
    ['normal', 0.3, 0.3],
    ['he', 1, Math.sqrt(2 / 64)],
  ] as const)('%s numbers have their deviation', (kind, scale, expected) => {
    const values = initialValues(layer({ kind, scale, seed }), SIZE);
    const { mean, deviation } = moments(values);
    expect(Math.abs(mean)).toBeLessThan(0.03 * expected);
    expect(Math.abs(deviation / expected - 1)).toBeLessThan(0.02);
    const within = values.filter((v) => Math.abs(v) < expected).length / SIZE;
    expect(within).toBeCloseTo(0.6827, 1);
  });

  test.each([
    [4, 4],
    [20, 5],
    [5, 20],
    [1, 3],
  ])('an orthogonal matrix of %i x %i keeps lengths of its shorter side', (rows, columns) => {
    const m = initialValues(
      layer({ kind: 'orthogonal', scale: 2, fanIn: columns, fanOut: rows, seed }),
      rows * columns,
    );
    const at = (r: number, k: number): number => m[k * rows + r]!;
    const short = Math.min(rows, columns);
    for (let i = 0; i < short; i++) {
      for (let j = 0; j < short; j++) {
        let inner = 0;
        for (let k = 0; k < Math.max(rows, columns); k++) {
          inner += rows >= columns ? at(k, i) * at(k, j) : at(i, k) * at(j, k);
        }
        expect(inner).toBeCloseTo(i === j ? 4 : 0, 10);
      }
    }
  });
});

test('zeros and ones are what they say', () => {
  expect(initialValues(layer({ kind: 'zeros' }), 3)).toEqual([0, 0, 0]);
  expect(initialValues(layer({ kind: 'ones', scale: 0.5 }), 3)).toEqual([0.5, 0.5, 0.5]);
});

test.each(INIT_KINDS)('%s numbers are the same for the same seed', (kind) => {
  const draw = (seed: number) => initialValues(layer({ kind, seed, fanIn: 8, fanOut: 4 }), 32);
  expect(draw(5)).toEqual(draw(5));
  if (kind !== 'zeros' && kind !== 'ones') expect(draw(5)).not.toEqual(draw(6));
});

test('a seed gives these numbers, on every machine', () => {
  expect(initialValues(layer({ seed: 7 }), 3)).toMatchInlineSnapshot(`
    [
      0.11620287178084254,
      0.29307730682194233,
      -0.8057839749380946,
    ]
  `);
  expect(initialValues(layer({ kind: 'normal', seed: 7 }), 2)).toMatchInlineSnapshot(`
    [
      0.7919931090965515,
      1.9974997508953225,
    ]
  `);
});
