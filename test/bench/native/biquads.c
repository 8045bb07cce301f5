/*
 * Four biquads in a row, transposed direct form II:
 *
 *   y = b0 x + s1,  s1 <- b1 x - a1 y + s2,  s2 <- b2 x - a2 y
 *
 * with 20 coefficients b0 b1 b2 a1 a2 of each section in turn. biquads: the filter alone.
 * biquads-forward: tangents of all coefficients ride along, exact over all time.
 * biquads-reverse: the adjoint filter runs back over the window, truncated at its end; with
 * v = dL/dy of a section, dL/db_i = sum_n v[n + i] x[n] and dL/da_i = -sum_n v[n + i] y[n].
 */
#include "bench.h"
#include <string.h>

enum { SECTIONS = 4, COEFFICIENTS = 5, PARAMS = SECTIONS * COEFFICIENTS, LANES = 24 };

static float state1[SECTIONS], state2[SECTIONS];
static float tangent1[SECTIONS][LANES], tangent2[SECTIONS][LANES];
static float unit[PARAMS][LANES];
/* What goes into each section, and the output of the last; adjoints with zeros behind the end. */
static float tape[SECTIONS + 1][MAX_FRAMES];
static float adjoint[SECTIONS][MAX_FRAMES + 2];

static void reset(const Bench *bench) {
  (void)bench;
  memset(state1, 0, sizeof state1);
  memset(state2, 0, sizeof state2);
  memset(tangent1, 0, sizeof tangent1);
  memset(tangent2, 0, sizeof tangent2);
  for (int p = 0; p < PARAMS; p++) unit[p][p] = 1;
}

typedef struct {
  float b0[SECTIONS], b1[SECTIONS], b2[SECTIONS], a1[SECTIONS], a2[SECTIONS];
} Coefficients;

static always_inline Coefficients coefficients(const Bench *bench) {
  Coefficients c;
  for (int k = 0; k < SECTIONS; k++) {
    const float *p = bench->param + COEFFICIENTS * k;
    c.b0[k] = p[0], c.b1[k] = p[1], c.b2[k] = p[2], c.a1[k] = p[3], c.a2[k] = p[4];
  }
  return c;
}

static void block_filter(Bench *bench) {
  const Coefficients c = coefficients(bench);
  const float *restrict x = bench->x;
  float *restrict y = bench->y;
  float s1[SECTIONS], s2[SECTIONS];
  memcpy(s1, state1, sizeof s1);
  memcpy(s2, state2, sizeof s2);
  const int frames = bench->frames;
  for (int n = 0; n < frames; n++) {
    float in = x[n];
#pragma GCC unroll 4
    for (int k = 0; k < SECTIONS; k++) {
      const float out = c.b0[k] * in + s1[k];
      s1[k] = c.b1[k] * in - c.a1[k] * out + s2[k];
      s2[k] = c.b2[k] * in - c.a2[k] * out;
      in = out;
    }
    y[n] = in;
  }
  memcpy(state1, s1, sizeof s1);
  memcpy(state2, s2, sizeof s2);
}

static void block_forward(Bench *bench) {
  const int window = bench->window;
  for (int begin = 0; begin < bench->frames; begin += window) {
    const Coefficients c = coefficients(bench);
    const float *restrict x = bench->x + begin, *restrict d = bench->d + begin;
    float *restrict y = bench->y + begin;
    float s1[SECTIONS], s2[SECTIONS], t1[SECTIONS][LANES], t2[SECTIONS][LANES];
    memcpy(s1, state1, sizeof s1);
    memcpy(s2, state2, sizeof s2);
    memcpy(t1, tangent1, sizeof t1);
    memcpy(t2, tangent2, sizeof t2);
    float sums[PARAMS] = {0};
    float loss = 0;
    for (int n = 0; n < window; n++) {
      float in = x[n];
      /* Tangents of `in`. A section's own coefficients come in by unit vectors. */
      float v[LANES] = {0};
#pragma GCC unroll 4
      for (int k = 0; k < SECTIONS; k++) {
        const float out = c.b0[k] * in + s1[k];
        /* Coefficients up to this section's, a whole number of vectors. */
        const int width = (COEFFICIENTS * (k + 1) + 7) / 8 * 8;
        const float(*one)[LANES] = unit + COEFFICIENTS * k;
        for (int p = 0; p < width; p++) {
          const float dx = v[p];
          const float dy = c.b0[k] * dx + t1[k][p] + in * one[0][p];
          t1[k][p] = c.b1[k] * dx - c.a1[k] * dy + t2[k][p] + in * one[1][p] - out * one[3][p];
          t2[k][p] = c.b2[k] * dx - c.a2[k] * dy + in * one[2][p] - out * one[4][p];
          v[p] = dy;
        }
        s1[k] = c.b1[k] * in - c.a1[k] * out + s2[k];
        s2[k] = c.b2[k] * in - c.a2[k] * out;
        in = out;
      }
      y[n] = in;
      const float e = in - d[n];
      loss += e * e;
      for (int p = 0; p < PARAMS; p++) sums[p] += e * v[p];
    }
    memcpy(state1, s1, sizeof s1);
    memcpy(state2, s2, sizeof s2);
    memcpy(tangent1, t1, sizeof t1);
    memcpy(tangent2, t2, sizeof t2);
    bench->loss = loss / window;
    for (int p = 0; p < PARAMS; p++) bench->gradient[p] = 2 * sums[p] / window;
    descend(bench);
  }
}

static float correlation(const float *restrict a, const float *restrict b, int n) {
  float sum = 0;
  for (int k = 0; k < n; k++) sum += a[k] * b[k];
  return sum;
}

static void block_reverse(Bench *bench) {
  const int window = bench->window;
  for (int begin = 0; begin < bench->frames; begin += window) {
    const Coefficients c = coefficients(bench);
    const float *restrict x = bench->x + begin, *restrict d = bench->d + begin;
    float *restrict y = bench->y + begin;
    float s1[SECTIONS], s2[SECTIONS];
    memcpy(s1, state1, sizeof s1);
    memcpy(s2, state2, sizeof s2);
    for (int n = 0; n < window; n++) {
      float in = x[n];
#pragma GCC unroll 4
      for (int k = 0; k < SECTIONS; k++) {
        tape[k][n] = in;
        const float out = c.b0[k] * in + s1[k];
        s1[k] = c.b1[k] * in - c.a1[k] * out + s2[k];
        s2[k] = c.b2[k] * in - c.a2[k] * out;
        in = out;
      }
      tape[SECTIONS][n] = in;
      y[n] = in;
    }
    memcpy(state1, s1, sizeof s1);
    memcpy(state2, s2, sizeof s2);

    float loss = 0;
    /* v of the two later samples. */
    float v1[SECTIONS] = {0}, v2[SECTIONS] = {0};
    for (int n = window - 1; n >= 0; n--) {
      const float e = y[n] - d[n];
      loss += e * e;
      float out = 2 * e / window;
#pragma GCC unroll 4
      for (int k = SECTIONS - 1; k >= 0; k--) {
        const float v = out - c.a1[k] * v1[k] - c.a2[k] * v2[k];
        out = c.b0[k] * v + c.b1[k] * v1[k] + c.b2[k] * v2[k];
        v2[k] = v1[k];
        v1[k] = v;
        adjoint[k][n] = v;
      }
    }
    bench->loss = loss / window;
    for (int k = 0; k < SECTIONS; k++) {
      float *g = bench->gradient + COEFFICIENTS * k;
      const float *v = adjoint[k];
      g[0] = correlation(v, tape[k], window);
      g[1] = correlation(v + 1, tape[k], window - 1);
      g[2] = correlation(v + 2, tape[k], window - 2);
      g[3] = -correlation(v + 1, tape[k + 1], window - 1);
      g[4] = -correlation(v + 2, tape[k + 1], window - 2);
    }
    descend(bench);
  }
}

extern const Kernel BIQUADS = {"biquads", reset, block_filter};
extern const Kernel BIQUADS_FORWARD_MODE = {"biquads-forward", reset, block_forward};
extern const Kernel BIQUADS_REVERSE_MODE = {"biquads-reverse", reset, block_reverse};
