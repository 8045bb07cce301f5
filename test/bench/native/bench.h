/*
 * What the native kernels share: the signals and parameters of the kernel under test.
 *
 * Plain C that g++ compiles with -O3 -march=native -ffast-math: arrays, `restrict`, loops of known
 * length, state in locals over a loop; no intrinsics, nothing vectorised by hand. Each kernel does
 * what the generated program of the same name does: estimate y from x, mean squared error against
 * d over a window, gradient of every parameter, one step of gradient descent held to a range.
 * Linking with -ffast-math makes the processor take denormals as zero, as audio hosts do.
 */
#ifndef BENCH_H
#define BENCH_H

#define restrict __restrict
#define always_inline inline __attribute__((always_inline))

enum { MAX_FRAMES = 8192, MAX_PARAMS = 8192 };

typedef struct {
  /* Of one block, of one training window, and a number that the kernel knows: taps, cells. */
  int frames, window, size;
  int params;
  float rate, low, high;
  float loss;
  float x[MAX_FRAMES], d[MAX_FRAMES], y[MAX_FRAMES];
  float param[MAX_PARAMS], gradient[MAX_PARAMS];
} Bench;

typedef struct {
  const char *name;
  /* Signal state as at the start. */
  void (*reset)(const Bench *bench);
  /* One block of the signal with all that its windows cost. */
  void (*block)(Bench *bench);
} Kernel;

static inline float hold(float value, float low, float high) {
  value = value < low ? low : value;
  return value > high ? high : value;
}

/* p <- clamp(p - rate * g) for every parameter. */
static inline void descend(Bench *bench) {
  float *restrict p = bench->param;
  const float *restrict g = bench->gradient;
  const float rate = bench->rate, low = bench->low, high = bench->high;
  const int n = bench->params;
  for (int k = 0; k < n; k++) p[k] = hold(p[k] - rate * g[k], low, high);
}

extern const Kernel GAIN_DC, GAIN_DC_SAMPLE, BIQUADS, BIQUADS_FORWARD_MODE, BIQUADS_REVERSE_MODE,
    FIR_SAMPLE, FIR_BLOCK, MLP, LSTM_FORWARD, LSTM_TRAIN, STFT_LOSS;

#endif
