/*
 * y = g x, learning g by the log-magnitude STFT loss against d:
 *
 *   L = mean over frames and bins of | ln |Y| - ln |D| |,  ln |Z| = ln(|Z|^2 + 1e-8) / 2
 *
 * with Hann frames of 1024 samples, 256 apart, that end within the window and reach back before it to
 * samples as they were played then, and bins 0 to 512. The gradient goes back to every sample of y in
 * the window. One complex FFT takes a frame of y and of d at once, one
 * inverse FFT the gradients of two frames; it is Stockham's, radix 4.
 */
#include "bench.h"
#include <math.h>
#include <string.h>

enum { SIZE = 1024, HOP = 256, BINS = SIZE / 2 + 1, LEAD = SIZE - HOP };

static const double TURN = 6.283185307179586;
static float hann[SIZE], slope[LEAD + MAX_FRAMES];
/* Of y and d, the samples before the window in front. */
static float estimates[LEAD + MAX_FRAMES], targets[LEAD + MAX_FRAMES];
/* Twiddle factors of each pass, one after the other. */
static float cosine[3 * SIZE], sine[3 * SIZE];
static float re[2][SIZE + 1], im[2][SIZE + 1], gradient_re[SIZE + 1], gradient_im[SIZE + 1];
static float real[BINS], imaginary[BINS], power[BINS], wanted[BINS], held_re[BINS], held_im[BINS];

static void reset(const Bench *bench) {
  (void)bench;
  memset(estimates, 0, sizeof estimates);
  memset(targets, 0, sizeof targets);
  for (int n = 0; n < SIZE; n++) hann[n] = 0.5 - 0.5 * cos(TURN * n / SIZE);
  int at = 0;
  for (int length = SIZE; length > 1; length /= 4)
    for (int power = 1; power < 4; power++)
      for (int p = 0; p < length / 4; p++, at++) {
        cosine[at] = cos(TURN * p * power / length);
        sine[at] = -sin(TURN * p * power / length);
      }
}

/* Butterflies of `count` twiddle factors, each over `stride` neighbours. */
static always_inline void pass(const int count, const int stride, const int at,
                               const float *restrict a, const float *restrict b,
                               float *restrict c, float *restrict d) {
  const float *restrict w1 = cosine + at, *restrict w2 = w1 + count, *restrict w3 = w2 + count;
  const float *restrict v1 = sine + at, *restrict v2 = v1 + count, *restrict v3 = v2 + count;
  const int quarter = SIZE / 4;
  for (int p = 0; p < count; p++)
    for (int k = 0; k < stride; k++) {
      const int i = p * stride + k, o = 4 * p * stride + k;
      const float even_r = a[i] + a[i + 2 * quarter], even_i = b[i] + b[i + 2 * quarter];
      const float less_r = a[i] - a[i + 2 * quarter], less_i = b[i] - b[i + 2 * quarter];
      const float odd_r = a[i + quarter] + a[i + 3 * quarter];
      const float odd_i = b[i + quarter] + b[i + 3 * quarter];
      const float turn_r = b[i + quarter] - b[i + 3 * quarter];
      const float turn_i = a[i + 3 * quarter] - a[i + quarter];
      const float r1 = less_r + turn_r, i1 = less_i + turn_i;
      const float r2 = even_r - odd_r, i2 = even_i - odd_i;
      const float r3 = less_r - turn_r, i3 = less_i - turn_i;
      c[o] = even_r + odd_r;
      d[o] = even_i + odd_i;
      c[o + stride] = r1 * w1[p] - i1 * v1[p];
      d[o + stride] = r1 * v1[p] + i1 * w1[p];
      c[o + 2 * stride] = r2 * w2[p] - i2 * v2[p];
      d[o + 2 * stride] = r2 * v2[p] + i2 * w2[p];
      c[o + 3 * stride] = r3 * w3[p] - i3 * v3[p];
      d[o + 3 * stride] = r3 * v3[p] + i3 * w3[p];
    }
}

/* From (a, b) to (c, d), real and imaginary; (a, b) is overwritten. */
static void fft(float *a, float *b, float *c, float *d) {
  pass(256, 1, 0, a, b, c, d);
  pass(64, 4, 768, c, d, a, b);
  pass(16, 16, 960, a, b, c, d);
  pass(4, 64, 1008, c, d, a, b);
  pass(1, 256, 1020, a, b, c, d);
}

static void block(Bench *bench) {
  const int window = bench->window, frames = window / HOP;
  const float scale = 1.0f / (frames * BINS);
  for (int begin = 0; begin < bench->frames; begin += window) {
    const float *restrict x = bench->x + begin, *restrict d = bench->d + begin;
    float *restrict y = bench->y + begin;
    const float g = bench->param[0];
    for (int n = 0; n < window; n++) y[n] = g * x[n];
    memcpy(estimates + LEAD, y, window * sizeof *y);
    memcpy(targets + LEAD, d, window * sizeof *d);
    memset(slope, 0, (LEAD + window) * sizeof *slope);

    float loss = 0;
    for (int f = 0; f < frames; f++) {
      const float *restrict estimate = estimates + f * HOP, *restrict target = targets + f * HOP;
      for (int n = 0; n < SIZE; n++) {
        re[0][n] = hann[n] * estimate[n];
        im[0][n] = hann[n] * target[n];
      }
      fft(re[0], im[0], re[1], im[1]);
      /* Spectra of y and of d: the even and the odd part. Bin `SIZE` is bin 0. */
      re[1][SIZE] = re[1][0];
      im[1][SIZE] = im[1][0];
      for (int k = 0; k < BINS; k++) {
        const int m = SIZE - k;
        const float dr = im[1][k] + im[1][m], di = re[1][m] - re[1][k];
        real[k] = 0.5f * (re[1][k] + re[1][m]);
        imaginary[k] = 0.5f * (im[1][k] - im[1][m]);
        power[k] = real[k] * real[k] + imaginary[k] * imaginary[k] + 1e-8f;
        wanted[k] = 0.25f * (dr * dr + di * di) + 1e-8f;
      }
      for (int k = 0; k < BINS; k++) {
        const float difference = 0.5f * (logf(power[k]) - logf(wanted[k]));
        const float sign = difference > 0 ? 1.0f : difference < 0 ? -1.0f : 0.0f;
        loss += fabsf(difference);
        real[k] *= sign * scale / power[k];
        imaginary[k] *= sign * scale / power[k];
      }
      /* Made symmetric, so that its transform is real; an odd frame's is the imaginary part. */
      for (int k = 1; k < SIZE / 2; k++) real[k] *= 0.5f, imaginary[k] *= 0.5f;
      if (f % 2 == 0) {
        for (int k = 0; k < BINS; k++) {
          gradient_re[k] = real[k], gradient_im[k] = imaginary[k];
          gradient_re[SIZE - k] = real[k], gradient_im[SIZE - k] = -imaginary[k];
        }
      } else {
        for (int k = 0; k < BINS; k++) held_re[k] = gradient_re[k], held_im[k] = gradient_im[k];
        for (int k = 0; k < BINS; k++) {
          gradient_re[k] = held_re[k] - imaginary[k], gradient_im[k] = held_im[k] + real[k];
          gradient_re[SIZE - k] = held_re[k] + imaginary[k];
          gradient_im[SIZE - k] = real[k] - held_im[k];
        }
      }
      if (f % 2 == 0 && f + 1 < frames) continue;
      /* With real and imaginary parts exchanged, the transform is the inverse one. */
      fft(gradient_im, gradient_re, im[0], re[0]);
      float *restrict last = slope + f * HOP;
      if (f % 2 == 0) {
        for (int n = 0; n < SIZE; n++) last[n] += hann[n] * re[0][n];
      } else {
        float *restrict before = slope + (f - 1) * HOP;
        for (int n = 0; n < SIZE; n++) before[n] += hann[n] * re[0][n];
        for (int n = 0; n < SIZE; n++) last[n] += hann[n] * im[0][n];
      }
    }
    bench->loss = loss * scale;
    float sum = 0;
    for (int n = 0; n < window; n++) sum += slope[LEAD + n] * x[n];
    bench->gradient[0] = sum;
    descend(bench);
    memmove(estimates, estimates + window, LEAD * sizeof *estimates);
    memmove(targets, targets + window, LEAD * sizeof *targets);
  }
}

extern const Kernel STFT_LOSS = {"stft", reset, block};
