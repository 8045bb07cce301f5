/*
 * y = g x + c, learning g and c by gradient descent once a window.
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

extern const Kernel GAIN_DC = {"gain-dc", reset, block};
