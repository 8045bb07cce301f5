/** A seed's own lesson: within its spans, evenly, in steps, and the same every time. */

import { expect, test } from 'vitest';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { freshNoise, vary } from '../../../dsp/patch/vary.ts';

const control = { initial: 1, min: 0, max: 100 };
const built = buildPatch('varied', (p) => {
  p.slider('hidden', { ...control, step: 0.25 });
  p.slider('fixed', control);
  p.param('number', control);
  p.param('cutoff', { ...control, min: 0.01, scale: 'log' });
  p.param('vector', { ...control, size: 8 });
  p.param('drawn', {
    ...control,
    min: -1,
    size: 8,
    initial: { init: 'normal', seed: 3, scale: 1 },
  });
  p.noise(5, 'one');
  p.noise(5, 'same');
  p.noise(6, 'other');
  const spans: Patch['vary'] = {
    hidden: [0, 10],
    number: [-0, 50],
    cutoff: [0.1, 10],
    vector: [5, 6],
  };
  return { vary: spans };
});
if (!built.ok) throw new Error('the patch is wrong');
const patch = built.value;
const many = Array.from({ length: 500 }, (_, seed) => vary(patch, seed));

const share = (values: readonly number[], below: number): number =>
  values.filter((v) => v < below).length / values.length;

test('the same seed draws the same patch, which is still one', () => {
  expect(vary(patch, 7)).toEqual(vary(patch, 7));
  expect(vary(patch, 7)).not.toEqual(vary(patch, 8));
});

test('values are drawn evenly from their spans, on the scale of the control and in its steps', () => {
  const hidden = many.map((p) => p.sliders['hidden']!.initial);
  expect(hidden.every((v) => v >= 0 && v <= 10 && Number.isInteger(4 * v))).toBe(true);
  expect(share(hidden, 5)).toBeCloseTo(0.5, 1);
  const cutoff = many.map((p) => p.params['cutoff']!.initial as number);
  expect(cutoff.every((v) => v >= 0.1 && v <= 10)).toBe(true);
  expect(share(cutoff, 1)).toBeCloseTo(0.5, 1);
  const numbers = many.map((p) => p.params['number']!.initial as number);
  expect(share(numbers, 12.5)).toBeCloseTo(0.25, 1);
  for (const { params } of many) {
    const vector = params['vector']!.initial as number[];
    expect(new Set(vector).size).toBe(8);
    expect(vector.every((v) => v >= 5 && v <= 6)).toBe(true);
  }
});

test('what is not named stays, but for noises and recipes', () => {
  const one = many[1]!;
  expect(one.sliders['fixed']).toEqual(patch.sliders['fixed']);
  expect(one.params['drawn']!.initial).not.toEqual(patch.params['drawn']!.initial);
  const seeds = (p: Patch): unknown[] =>
    ['one', 'same', 'other'].map((id) => (p.nodes[id] as { seed?: number }).seed);
  for (const changed of [one, freshNoise(patch)]) {
    const [first, same, other] = seeds(changed);
    expect(first).not.toBe(5);
    expect(same).toBe(first);
    expect(other).not.toBe(first);
  }
  expect(freshNoise(patch).params).toEqual(patch.params);
});
