/*
 * FIR filter that learns its taps, y[n] = sum_k h[k] x[n - k].
 *
 * fir-sample: 64 taps and a step after every sample (LMS). fir-block: the gradient of a whole window, then a
 * step; sums are held in small arrays that fit into registers. Taps are a multiple of 8. The past
 * of x lies in front of the window in one array; taps are stored backwards, so that both run
 * upwards: y[n] = sum_j r[j] past[n + j] with r[j] = h[taps - 1 - j].
 */
#include "bench.h"
#include <string.h>

enum { MAX_TAPS = 1024, LMS_TAPS = 64, TILE = 64 };

static float past[MAX_TAPS + MAX_FRAMES];
static float reversed[MAX_TAPS], slope[MAX_TAPS];
static float error[MAX_FRAMES];

static void reset(const Bench *bench) {
  (void)bench;
  memset(past, 0, sizeof past);
}

static void begin_window(const Bench *bench, const float *x) {
  memcpy(past + bench->size - 1, x, bench->window * sizeof *x);
}

static void end_window(const Bench *bench) {
  memmove(past, past + bench->window, (bench->size - 1) * sizeof *past);
}

static void block_sample(Bench *bench) {
  const float *restrict x = past, *restrict d = bench->d;
  float *restrict y = bench->y;
  const float rate = bench->rate, low = bench->low, high = bench->high;
  const int frames = bench->frames;
  memcpy(past + LMS_TAPS - 1, bench->x, frames * sizeof *past);
  float r[LMS_TAPS];
  float e = 0;
  for (int j = 0; j < LMS_TAPS; j++) r[j] = bench->param[LMS_TAPS - 1 - j];
  for (int n = 0; n < frames; n++) {
    float sum = 0;
    for (int j = 0; j < LMS_TAPS; j++) sum += r[j] * x[n + j];
    y[n] = sum;
    e = sum - d[n];
    const float step = rate * 2 * e;
    for (int j = 0; j < LMS_TAPS; j++) r[j] = hold(r[j] - step * x[n + j], low, high);
  }
  bench->loss = e * e;
  for (int j = 0; j < LMS_TAPS; j++) {
    bench->gradient[LMS_TAPS - 1 - j] = 2 * e * x[frames - 1 + j];
    bench->param[LMS_TAPS - 1 - j] = r[j];
  }
  memmove(past, past + frames, (LMS_TAPS - 1) * sizeof *past);
}

/* out[i] = sum_j a[j] b[i + j], i < width, j < length. */
static always_inline void products(float *restrict out, const float *restrict a,
                                   const float *restrict b, int length, const int width) {
  float sums[TILE];
  for (int i = 0; i < width; i++) sums[i] = 0;
  for (int j = 0; j < length; j++)
    for (int i = 0; i < width; i++) sums[i] += a[j] * b[i + j];
  for (int i = 0; i < width; i++) out[i] = sums[i];
}

static void block_window(Bench *bench) {
  const int taps = bench->size, window = bench->window;
  for (int begin = 0; begin < bench->frames; begin += window) {
    const float *restrict d = bench->d + begin;
    float *restrict y = bench->y + begin;
    begin_window(bench, bench->x + begin);
    for (int j = 0; j < taps; j++) reversed[j] = bench->param[taps - 1 - j];
    float loss = 0;
    for (int n = 0; n < window; n += TILE) products(y + n, reversed, past + n, taps, TILE);
    for (int n = 0; n < window; n++) {
      error[n] = y[n] - d[n];
      loss += error[n] * error[n];
    }
    bench->loss = loss / window;
    int j = 0;
    for (; j + TILE <= taps; j += TILE) products(slope + j, error, past + j, window, TILE);
    for (; j + 16 <= taps; j += 16) products(slope + j, error, past + j, window, 16);
    for (; j < taps; j += 8) products(slope + j, error, past + j, window, 8);
    for (int k = 0; k < taps; k++) bench->gradient[k] = 2 * slope[taps - 1 - k] / window;
    descend(bench);
    end_window(bench);
  }
}

extern const Kernel FIR_SAMPLE = {"fir-sample", reset, block_sample};
extern const Kernel FIR_BLOCK = {"fir-block", reset, block_window};
