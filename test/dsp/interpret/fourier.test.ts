/** The double-precision transforms against the sums that define them. */

import { describe, expect, test } from 'vitest';
import { rfft, rfftTranspose } from '../../../dsp/interpret/fourier.ts';
import { random } from '../../support/random-graph.ts';

const SIZES = [2, 4, 8, 64, 256];

function noise(length: number, seed: number): Float64Array {
  const next = random(seed);
  return Float64Array.from({ length }, () => 2 * next() - 1);
}

/** Row k of the map's matrix: bins as `rfft` lays them out. */
function rowOf(size: number, bin: number): Float64Array {
  const half = size / 2;
  const isImaginary = bin > half;
  const k = isImaginary ? bin - half - 1 : bin;
  return Float64Array.from({ length: size }, (_, n) => {
    const angle = (2 * Math.PI * ((k * n) % size)) / size;
    if (!isImaginary) return Math.cos(angle);
    return k % half === 0 ? 0 : -Math.sin(angle);
  });
}

const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, v, i) => sum + v * b[i]!, 0);

describe.each(SIZES)('of %i samples', (size) => {
  const bins = Array.from({ length: size + 2 }, (_, bin) => bin);

  test('the spectrum is the sum over samples', () => {
    const x = noise(size, 1);
    const found = rfft(x);
    for (const bin of bins) expect(found[bin]).toBeCloseTo(dot(rowOf(size, bin), x), 11);
    expect([found[size / 2 + 1], found[size + 1]]).toEqual([0, 0]);
  });

  test('the transpose is the sum over bins', () => {
    const y = noise(size + 2, 2);
    const expected = new Float64Array(size);
    for (const bin of bins) {
      rowOf(size, bin).forEach((v, n) => {
        expected[n]! += y[bin]! * v;
      });
    }
    rfftTranspose(y).forEach((v, n) => {
      expect(v).toBeCloseTo(expected[n]!, 11);
    });
  });
});

test('weighting the bins and transposing inverts the transform', () => {
  const x = noise(1024, 3);
  const weighted = rfft(x).map(
    (v, bin) => (v * (bin % 513 === 0 || bin % 513 === 512 ? 1 : 2)) / 1024,
  );
  rfftTranspose(weighted).forEach((v, n) => {
    expect(v).toBeCloseTo(x[n]!, 13);
  });
});
