/*
 * y = g x + c, learning g and c by gradient descent: once a window, or after every sample.
 */
#include "bench.h"

static void reset(const Bench *bench) { (void)bench; }

static void block(Bench *bench) {
  const int window = bench->window;
  for (int begin = 0; begin < bench->frames; begin += window) {
    const float *restrict x = bench->x + begin, *restrict d = bench->d + begin;
    float *restrict y = bench->y + begin;
    const float g = bench->param[0], c = bench->param[1];
    float loss = 0, dg = 0, dc = 0;
    for (int n = 0; n < window; n++) {
      y[n] = g * x[n] + c;
      const float e = y[n] - d[n];
      loss += e * e;
      dg += e * x[n];
      dc += e;
    }
    bench->loss = loss / window;
    bench->gradient[0] = 2 * dg / window;
    bench->gradient[1] = 2 * dc / window;
    descend(bench);
  }
}

static void block_sample(Bench *bench) {
  const float *restrict x = bench->x, *restrict d = bench->d;
  float *restrict y = bench->y;
  const float rate = bench->rate, low = bench->low, high = bench->high;
  const int frames = bench->frames;
  float g = bench->param[0], c = bench->param[1], e = 0;
  for (int n = 0; n < frames; n++) {
    y[n] = g * x[n] + c;
    e = y[n] - d[n];
    const float step = rate * 2 * e;
    g = hold(g - step * x[n], low, high);
    c = hold(c - step, low, high);
  }
  bench->loss = e * e;
  bench->gradient[0] = 2 * e * x[frames - 1];
  bench->gradient[1] = 2 * e;
  bench->param[0] = g;
  bench->param[1] = c;
}

extern const Kernel GAIN_DC = {"gain-dc", reset, block};
extern const Kernel GAIN_DC_SAMPLE = {"gain-dc-sample", reset, block_sample};
