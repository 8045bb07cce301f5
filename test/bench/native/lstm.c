/*
 * One LSTM layer of `size` cells from one input, and a linear output:
 *
 *   z = w x + U h + b,  i f o = sigmoid(z), g = tanh(z),  c <- f c + i g,  h <- o tanh(c),
 *   y = v h + v0
 *
 * Weights: w[4H] U[H][4H] (from, to) b[4H] v[H] v0, gates in the order i f o g. lstm-forward: the
 * signal alone. lstm-train: backpropagation through the window, truncated at its end, and a step;
 * weight gradients are one matrix product over the window.
 */
#include "bench.h"
#include <math.h>
#include <string.h>

enum { MAX_CELLS = 40, MAX_WINDOW = 2048, ROWS = 4, CHUNK = 32 };

static float h[(MAX_WINDOW + 1) * MAX_CELLS], c[(MAX_WINDOW + 1) * MAX_CELLS];
static float gates[MAX_WINDOW * 4 * MAX_CELLS], tanh_c[MAX_WINDOW * MAX_CELLS];
static float dz[MAX_WINDOW * 4 * MAX_CELLS], e[MAX_WINDOW];
static float transposed[4 * MAX_CELLS * MAX_CELLS], rows[4 * MAX_CELLS * MAX_CELLS];

static void reset(const Bench *bench) {
  (void)bench;
  memset(h, 0, sizeof h);
  memset(c, 0, sizeof c);
}

static always_inline void forward(Bench *bench, const int H, int begin) {
  const int window = bench->window;
  const float *restrict w = bench->param, *restrict U = w + 4 * H, *restrict b = U + 4 * H * H,
                       *restrict v = b + 4 * H;
  const float *restrict x = bench->x + begin;
  float *restrict y = bench->y + begin;
  for (int n = 0; n < window; n++) {
    const float *restrict past = h + n * H, *restrict cell = c + n * H;
    float *restrict gate = gates + n * 4 * H;
    float *restrict next = h + (n + 1) * H, *restrict next_cell = c + (n + 1) * H;
    float z[4 * MAX_CELLS];
    for (int r = 0; r < 4 * H; r++) z[r] = b[r] + w[r] * x[n];
    for (int k = 0; k < H; k++)
      for (int r = 0; r < 4 * H; r++) z[r] += U[k * 4 * H + r] * past[k];
    for (int r = 0; r < 3 * H; r++) gate[r] = 1 / (1 + expf(-z[r]));
    /* Sixteen calls in a row would be taken apart before they can be one of vectors. */
#pragma GCC unroll 1
    for (int r = 3 * H; r < 4 * H; r++) gate[r] = tanhf(z[r]);
    float to[MAX_CELLS], t[MAX_CELLS];
    for (int k = 0; k < H; k++) to[k] = gate[H + k] * cell[k] + gate[k] * gate[3 * H + k];
#pragma GCC unroll 1
    for (int k = 0; k < H; k++) t[k] = tanhf(to[k]);
    float sum = v[H];
    for (int k = 0; k < H; k++) {
      const float out = gate[2 * H + k] * t[k];
      sum += v[k] * out;
      next[k] = out;
      next_cell[k] = to[k];
      tanh_c[n * H + k] = t[k];
    }
    y[n] = sum;
  }
}

/* The state after the window is where the next one starts. */
static void carry(int window, int H) {
  memcpy(h, h + window * H, H * sizeof *h);
  memcpy(c, c + window * H, H * sizeof *c);
}

static always_inline void backward(Bench *bench, const int H, int begin) {
  const int window = bench->window;
  const float *restrict U = bench->param + 4 * H, *restrict v = U + 4 * H * H + 4 * H;
  const float *restrict x = bench->x + begin, *restrict d = bench->d + begin;
  const float *restrict y = bench->y + begin;
  for (int k = 0; k < H; k++)
    for (int r = 0; r < 4 * H; r++) transposed[r * H + k] = U[k * 4 * H + r];

  float loss = 0, de = 0;
  for (int n = 0; n < window; n++) {
    const float error = y[n] - d[n];
    loss += error * error;
    e[n] = 2 * error / window;
    de += e[n];
  }
  bench->loss = loss / window;

  float dh[MAX_CELLS], dc[MAX_CELLS];
  for (int k = 0; k < H; k++) dh[k] = dc[k] = 0;
  for (int n = window - 1; n >= 0; n--) {
    const float *restrict gate = gates + n * 4 * H;
    float *restrict z = dz + n * 4 * H;
    for (int k = 0; k < H; k++) {
      const float i = gate[k], f = gate[H + k], o = gate[2 * H + k], g = gate[3 * H + k];
      const float t = tanh_c[n * H + k];
      const float to_h = dh[k] + e[n] * v[k];
      const float to_c = dc[k] + to_h * o * (1 - t * t);
      z[k] = to_c * g * i * (1 - i);
      z[H + k] = to_c * c[n * H + k] * f * (1 - f);
      z[2 * H + k] = to_h * t * o * (1 - o);
      z[3 * H + k] = to_c * i * (1 - g * g);
      dc[k] = to_c * f;
    }
    float sums[ROWS][MAX_CELLS];
    for (int q = 0; q < ROWS; q++)
      for (int k = 0; k < H; k++) sums[q][k] = 0;
    for (int r = 0; r < H; r++)
#pragma GCC unroll 4
      for (int q = 0; q < ROWS; q++)
        for (int k = 0; k < H; k++) sums[q][k] += transposed[(q * H + r) * H + k] * z[q * H + r];
    for (int k = 0; k < H; k++) dh[k] = sums[0][k] + sums[1][k] + sums[2][k] + sums[3][k];
  }

  float *restrict dw = bench->gradient, *restrict dU = dw + 4 * H, *restrict db = dU + 4 * H * H,
                 *restrict dv = db + 4 * H;
  for (int r = 0; r < 4 * H; r++) dw[r] = db[r] = 0;
  for (int r = 0; r < 4 * H * H; r++) rows[r] = 0;
  /* As many frames at a time as the nearest cache holds. */
  for (int at = 0; at < window; at += CHUNK) {
    for (int n = at; n < at + CHUNK; n++)
      for (int r = 0; r < 4 * H; r++) {
        dw[r] += dz[n * 4 * H + r] * x[n];
        db[r] += dz[n * 4 * H + r];
      }
    for (int r = 0; r < 4 * H; r += ROWS) {
      float sums[ROWS][MAX_CELLS];
      for (int q = 0; q < ROWS; q++)
        for (int k = 0; k < H; k++) sums[q][k] = rows[(r + q) * H + k];
      for (int n = at; n < at + CHUNK; n++)
#pragma GCC unroll 4
        for (int q = 0; q < ROWS; q++)
          for (int k = 0; k < H; k++) sums[q][k] += dz[n * 4 * H + r + q] * h[n * H + k];
      for (int q = 0; q < ROWS; q++)
        for (int k = 0; k < H; k++) rows[(r + q) * H + k] = sums[q][k];
    }
  }
  for (int r = 0; r < 4 * H; r++)
    for (int k = 0; k < H; k++) dU[k * 4 * H + r] = rows[r * H + k];
  float to_v[MAX_CELLS];
  for (int k = 0; k < H; k++) to_v[k] = 0;
  for (int n = 0; n < window; n++)
    for (int k = 0; k < H; k++) to_v[k] += e[n] * h[(n + 1) * H + k];
  for (int k = 0; k < H; k++) dv[k] = to_v[k];
  dv[H] = de;
}

static always_inline void run(Bench *bench, const int H, const bool learn) {
  for (int begin = 0; begin < bench->frames; begin += bench->window) {
    forward(bench, H, begin);
    if (learn) {
      backward(bench, H, begin);
      descend(bench);
    }
    carry(bench->window, H);
  }
}

/* The sizes that are measured are known to the compiler. */
static void block_forward(Bench *bench) {
  if (bench->size == 16) run(bench, 16, false);
  if (bench->size == 40) run(bench, 40, false);
}

static void block_train(Bench *bench) {
  if (bench->size == 16) run(bench, 16, true);
  if (bench->size == 40) run(bench, 40, true);
}

extern const Kernel LSTM_FORWARD = {"lstm-forward", reset, block_forward};
extern const Kernel LSTM_TRAIN = {"lstm-train", reset, block_train};
