/**
 * The Fourier transform of real signals and its transpose, in plain double precision: what the
 * generated transforms are held to, and a transform for whoever is not in a hurry.
 *
 * Bins are laid out as everywhere in dsp: those of 0 to N/2, all real parts, then all imaginary
 * parts. Invariant: N is a power of two, at least 2. Does not scale anything.
 */

/**
 * X(k) = Σₙ x(n)·e^(−2πikn/N)
 *
 * @param x  [N]
 * @returns  [2, N/2 + 1]; the imaginary parts of the first and the last bin are 0
 * Cost: O(N log N). Tested: test/dsp/interpret/fourier.test.ts, against the sum above.
 */
export function rfft(x: Float64Array): Float64Array<ArrayBuffer> {
  const half = x.length / 2;
  const re = Float64Array.from(x);
  const im = new Float64Array(x.length);
  fft(re, im);
  const bins = new Float64Array(2 * (half + 1));
  bins.set(re.subarray(0, half + 1));
  bins.set(im.subarray(1, half), half + 2);
  return bins;
}

/**
 * Transpose of `rfft`: x(n) = Σₖ re(k)·cos(2πkn/N) − im(k)·sin(2πkn/N), k = 0 … N/2
 *
 * It is the inverse transform of bins weighted by 1/N (the first and the last) or 2/N (all others).
 *
 * @param bins  [2, N/2 + 1]; the imaginary parts of the first and the last do not count
 * @returns     [N]
 * Cost and tests: as for `rfft`.
 */
export function rfftTranspose(bins: Float64Array): Float64Array<ArrayBuffer> {
  const half = bins.length / 2 - 1;
  const re = new Float64Array(2 * half);
  const im = new Float64Array(2 * half);
  // x is the real part of Σₖ X(k)·e^(+…), and so of its conjugate.
  re.set(bins.subarray(0, half + 1));
  for (let k = 1; k < half; k++) im[k] = -bins[half + 1 + k]!;
  fft(re, im);
  return re;
}

/** In-place radix-2 transform of complex numbers. */
function fft(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
  for (let length = 2; length <= n; length *= 2) {
    const half = length / 2;
    for (let k = 0; k < half; k++) {
      const c = Math.cos((-2 * Math.PI * k) / length);
      const s = Math.sin((-2 * Math.PI * k) / length);
      for (let i = k; i < n; i += length) {
        const j = i + half;
        const tr = re[j]! * c - im[j]! * s;
        const ti = re[j]! * s + im[j]! * c;
        re[j] = re[i]! - tr;
        im[j] = im[i]! - ti;
        re[i]! += tr;
        im[i]! += ti;
      }
    }
  }
}
