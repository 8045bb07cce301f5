/**
 * Linear kernels: gain and offset, biquads, FIR filters, and learning cost against the number of
 * parameters. A FIR filter is a convolution of one unit; one is there as scalar operations too.
 * Native sides: gain_dc.c, biquads.c, fir.c.
 */
import type { Signal } from '../../../dsp/patch/builder.ts';
import { add, kernel, mul, noise, patched } from './kernel.ts';
import type { Estimate, Kernel } from './kernel.ts';

const gainDc: Estimate = (p, x, [g, c]) => add(p, mul(p, g!, x), c!);

/**
 * Sections in a row, transposed direct form II, [b0 b1 b2 a1 a2] each:
 * y = b0·x + s1,  s1 ← b1·x − a1·y + s2,  s2 ← b2·x − a2·y.
 */
const biquads: Estimate = (p, x, params) => {
  let signal = x;
  for (let k = 0; k < params.length; k += 5) {
    const [b0, b1, b2, a1, a2] = params.slice(k, k + 5) as [Signal, Signal, Signal, Signal, Signal];
    const input = signal;
    p.feedback(1, (s1) => {
      signal = add(p, mul(p, b0, input), s1);
      const s2 = p.delay(p.op('sub', [mul(p, b2, input), mul(p, a2, signal)]), 1);
      return add(p, p.op('sub', [mul(p, b1, input), mul(p, a1, signal)]), s2);
    });
  }
  return signal;
};

const firOfNumbers: Estimate = (p, x, taps) =>
  taps
    .map((tap, k) => mul(p, tap, k === 0 ? x : p.delay(x, k)))
    .reduce((sum, one) => add(p, sum, one));

const fir =
  (taps: number): Estimate =>
  (p, x, [weights]) =>
    p.vector('conv1d', [x, weights!], { units: 1, taps });

/** A convolution has the weight of the newest sample last. */
const convolution = (count: number) => ({
  initial: taps(count),
  places: Array.from({ length: count }, (_, k) => count - 1 - k),
  program: patched(fir(count), [count]),
});

/** Poles well inside of the circle, a different pair in each section. */
const COEFFICIENTS = [0, 1, 2, 3].flatMap((k) => [
  0.3 + 0.05 * k,
  0.2,
  0.1,
  -0.9 + 0.1 * k,
  0.4 - 0.05 * k,
]);

const taps = (count: number): number[] => [...noise(count, 3, 0.5 / Math.sqrt(count))];

const cascade = { initial: COEFFICIENTS, program: patched(biquads) } as const;

/** Learning cost against the number of parameters. */
const TAPS = [8, 16, 32, 64, 128, 256, 512, 1024];

export const FILTERS: readonly Kernel[] = [
  kernel({
    name: 'gain-dc',
    native: { name: 'gain-dc', size: 0 },
    initial: [1, 0],
    rate: 0.01,
    program: patched(gainDc),
  }),
  kernel({
    name: 'gain-dc-sample',
    native: { name: 'gain-dc-sample', size: 0 },
    initial: [1, 0],
    window: 1,
    rate: 0.01,
    program: patched(gainDc),
  }),
  kernel({
    name: 'biquads-4',
    native: { name: 'biquads', size: 0 },
    ...cascade,
    window: 0,
    target: 1.1,
  }),
  kernel({
    name: 'biquads-4-forward-20',
    native: { name: 'biquads-forward', size: 0 },
    ...cascade,
    mode: 'forward',
    rate: 1e-5,
    target: 1.3,
  }),
  ...[64, 128, 256].map((window) =>
    kernel({
      name: `biquads-4-reverse-${window}`,
      native: { name: 'biquads-reverse', size: 0 },
      ...cascade,
      window,
      mode: 'reverse',
      rate: 1e-5,
      target: 0.9,
    }),
  ),
  kernel({
    name: 'fir-64-lms',
    native: { name: 'fir-sample', size: 64 },
    ...convolution(64),
    window: 1,
    target: 1.1,
  }),
  ...TAPS.map((count) =>
    kernel({
      name: `fir-${count}-block`,
      native: { name: 'fir-block', size: count },
      ...convolution(count),
      ...(count === 64 ? { target: 1.5 } : {}),
    }),
  ),
  kernel({
    name: 'fir-64-block-numbers',
    native: { name: 'fir-block', size: 64 },
    initial: taps(64),
    program: patched(firOfNumbers),
  }),
];
