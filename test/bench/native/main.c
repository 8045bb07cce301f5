/*
 * Runs the native kernels for the harness: reads commands from stdin, one line each, and answers
 * each with one line. The harness sends all numbers, so both sides start from the same ones.
 *
 *   signals N x[0..N) d[0..N)                                   -> ok
 *   start NAME SIZE WINDOW FRAMES RATE LOW HIGH P param[0..P)   -> ok
 *   check BLOCKS   from the start: loss, y[FRAMES], gradient[P], param[P] after so many blocks
 *   time SECONDS   median nanoseconds per sample; goes on from where the kernel is
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const Kernel *const KERNELS[] = {
    &GAIN_DC,    &GAIN_DC_SAMPLE, &BIQUADS, &BIQUADS_FORWARD_MODE, &BIQUADS_REVERSE_MODE,
    &FIR_SAMPLE, &FIR_BLOCK,      &MLP,     &LSTM_FORWARD,         &LSTM_TRAIN,
    &STFT_LOSS};

enum { MAX_TIMES = 100000, LINE_BYTES = 1 << 20 };

static Bench bench;
static const Kernel *kernel;
static float initial[MAX_PARAMS];
static double times[MAX_TIMES];
static char line[LINE_BYTES];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double timed(int blocks) {
  const double begin = now();
  for (int k = 0; k < blocks; k++) kernel->block(&bench);
  return now() - begin;
}

/* Median over pieces of at least 100 microseconds, which a clock call does not disturb. */
static double median_time(double seconds) {
  int blocks = 1;
  while (timed(blocks) < 1e5) blocks *= 2;
  const double end = now() + seconds * 1e9;
  int count = 0;
  while (count < MAX_TIMES && (count < 3 || now() < end)) times[count++] = timed(blocks);
  qsort(times, count, sizeof *times, ascending);
  return times[count / 2] / ((double)blocks * bench.frames);
}

static void restart(void) {
  memcpy(bench.param, initial, sizeof initial);
  memset(bench.gradient, 0, sizeof bench.gradient);
  bench.loss = 0;
  kernel->reset(&bench);
}

static float next(void) { return strtof(strtok(NULL, " \n"), NULL); }

static void print(const float *values, int count) {
  for (int k = 0; k < count; k++) printf(" %.9g", values[k]);
}

static void answer(const char *command) {
  if (strcmp(command, "signals") == 0) {
    const int n = (int)next();
    for (int k = 0; k < n; k++) bench.x[k] = next();
    for (int k = 0; k < n; k++) bench.d[k] = next();
    printf("ok");
  } else if (strcmp(command, "start") == 0) {
    const char *name = strtok(NULL, " \n");
    kernel = NULL;
    for (const Kernel *one : KERNELS)
      if (strcmp(one->name, name) == 0) kernel = one;
    bench.size = (int)next();
    bench.window = (int)next();
    bench.frames = (int)next();
    bench.rate = next();
    bench.low = next();
    bench.high = next();
    bench.params = (int)next();
    for (int k = 0; k < bench.params; k++) initial[k] = next();
    if (kernel != NULL) restart();
    printf(kernel != NULL ? "ok" : "no such kernel");
  } else if (strcmp(command, "check") == 0) {
    const int blocks = (int)next();
    restart();
    for (int k = 0; k < blocks; k++) kernel->block(&bench);
    printf("%.9g", bench.loss);
    print(bench.y, bench.frames);
    print(bench.gradient, bench.params);
    print(bench.param, bench.params);
  } else if (strcmp(command, "time") == 0) {
    printf("%.6g", median_time(next()));
  } else {
    printf("no such command");
  }
  printf("\n");
  fflush(stdout);
}

int main(void) {
  while (fgets(line, sizeof line, stdin) != NULL) {
    const char *command = strtok(line, " \n");
    if (command != NULL) answer(command);
  }
  return 0;
}
