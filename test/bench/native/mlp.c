/*
 * Multilayer perceptron 1-16-16-1, tanh in the hidden layers, on each sample by itself; learning
 * all 321 weights by gradient descent once a window.
 *
 * Weights: w1[16] b1[16] w2[16][16] (to, from) b2[16] w3[16] b3. Signals are [unit][frame], so that
 * every inner loop runs over frames; sums over frames and over units are held in small arrays that
 * fit into registers.
 */
#include "bench.h"
#include <math.h>

enum { UNITS = 16, TILE = 16, ROWS = 4, MAX_WINDOW = 1024 };
enum { W1 = 0, B1 = 16, W2 = 32, B2 = 288, W3 = 304, B3 = 320 };

static float h1[UNITS][MAX_WINDOW], h2[UNITS][MAX_WINDOW];
/* Cotangents of what goes into the tanh. */
static float z1[UNITS][MAX_WINDOW], z2[UNITS][MAX_WINDOW];
static float e[MAX_WINDOW];

static void reset(const Bench *bench) { (void)bench; }

/* out[j][n] = sum_i m[j][i] in[i][n] (+ start[j]), ROWS rows and TILE frames at a time. */
static always_inline void product(const float *restrict m, int row, int column,
                                  const float *restrict start, const float (*in)[MAX_WINDOW],
                                  float (*out)[MAX_WINDOW], int window) {
  for (int j = 0; j < UNITS; j += ROWS)
    for (int n = 0; n < window; n += TILE) {
      float sums[ROWS][TILE];
      for (int r = 0; r < ROWS; r++)
        for (int t = 0; t < TILE; t++) sums[r][t] = start ? start[j + r] : 0;
      for (int i = 0; i < UNITS; i++)
#pragma GCC unroll 4
        for (int r = 0; r < ROWS; r++) {
          const float weight = m[(j + r) * row + i * column];
          for (int t = 0; t < TILE; t++) sums[r][t] += weight * in[i][n + t];
        }
      for (int r = 0; r < ROWS; r++)
        for (int t = 0; t < TILE; t++) out[j + r][n + t] = sums[r][t];
    }
}

static void block(Bench *bench) {
  const int window = bench->window;
  const float *restrict p = bench->param;
  float *restrict g = bench->gradient;
  for (int begin = 0; begin < bench->frames; begin += window) {
    const float *restrict x = bench->x + begin, *restrict d = bench->d + begin;
    float *restrict y = bench->y + begin;

    for (int i = 0; i < UNITS; i++) {
      const float w = p[W1 + i], b = p[B1 + i];
      for (int n = 0; n < window; n++) h1[i][n] = tanhf(w * x[n] + b);
    }
    product(p + W2, UNITS, 1, p + B2, h1, h2, window);
    for (int j = 0; j < UNITS; j++)
      for (int n = 0; n < window; n++) h2[j][n] = tanhf(h2[j][n]);
    for (int n = 0; n < window; n++) y[n] = p[B3];
    for (int j = 0; j < UNITS; j++)
      for (int n = 0; n < window; n++) y[n] += p[W3 + j] * h2[j][n];

    float loss = 0, sum = 0;
    for (int n = 0; n < window; n++) {
      const float error = y[n] - d[n];
      loss += error * error;
      e[n] = 2 * error / window;
      sum += e[n];
    }
    bench->loss = loss / window;
    g[B3] = sum;
    for (int j = 0; j < UNITS; j++) {
      float dw = 0, db = 0;
      for (int n = 0; n < window; n++) {
        const float h = h2[j][n];
        const float z = e[n] * p[W3 + j] * (1 - h * h);
        dw += e[n] * h;
        db += z;
        z2[j][n] = z;
      }
      g[W3 + j] = dw;
      g[B2 + j] = db;
    }
    product(p + W2, 1, UNITS, nullptr, z2, z1, window);
    for (int i = 0; i < UNITS; i++) {
      float dw = 0, db = 0;
      for (int n = 0; n < window; n++) {
        const float h = h1[i][n];
        const float z = z1[i][n] * (1 - h * h);
        dw += z * x[n];
        db += z;
      }
      g[W1 + i] = dw;
      g[B1 + i] = db;
    }
    for (int j = 0; j < UNITS; j += 2)
      for (int i = 0; i < UNITS; i += ROWS) {
        float sums[2][ROWS] = {{0}};
        for (int n = 0; n < window; n++)
          for (int s = 0; s < 2; s++)
            for (int r = 0; r < ROWS; r++) sums[s][r] += z2[j + s][n] * h1[i + r][n];
        for (int s = 0; s < 2; s++)
          for (int r = 0; r < ROWS; r++) g[W2 + (j + s) * UNITS + i + r] = sums[s][r];
      }
    descend(bench);
  }
}

extern const Kernel MLP = {"mlp", reset, block};
