/** Mel bands on Slaney's scale: corners and areas as librosa documents them. */

import { expect, test } from 'vitest';
import { emptyBand, melBands } from '../../../dsp/blocks/spectra.ts';

/** Bins of 1 Hz. */
const fine = { bands: 38, low: 0, high: 11025, sampleRate: 22050, scale: 'slaney' } as const;

test('bands of equal area peak where librosa’s mel_frequencies(40) are', () => {
  // From the documentation of librosa.mel_frequencies, n_mels=40, fmin=0, fmax=11025: 1 to 38.
  const documented = [
    85.317, 170.635, 255.952, 341.269, 426.586, 511.904, 597.221, 682.538, 767.855, 853.173, 938.49,
    1024.856, 1119.114, 1222.042, 1334.436, 1457.167, 1591.187, 1737.532, 1897.337, 2071.84,
    2262.393, 2470.47, 2697.686, 2945.799, 3216.731, 3512.582, 3835.643, 4188.417, 4573.636,
    4994.285, 5453.621, 5955.205, 6502.92, 7101.009, 7754.107, 8467.272, 9246.028, 10096.408,
  ];
  const bands = melBands(11026, fine);
  expect(bands).toHaveLength(documented.length);
  bands.forEach(({ from, weights }, k) => {
    const peak = from + weights.indexOf(Math.max(...weights));
    expect(Math.abs(peak - documented[k]!)).toBeLessThan(1);
    expect(weights.reduce((sum, w) => sum + w, 0)).toBeCloseTo(1, 3);
  });
});

test('a band between two bins is found', () => {
  expect(emptyBand(melBands(11026, fine))).toBe(null);
  expect(emptyBand(melBands(33, fine))).toBe(0);
});
