/** Elementary functions: value, derivative, and what happens at the edge of their domain. */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import { ELEMENTARY } from '../../../dsp/patch/functions.ts';
import { compiledInstance } from '../../support/program.ts';

type Name = keyof typeof ELEMENTARY;

interface Row {
  readonly exact: (x: number, y: number, z: number, w: number) => number;
  readonly points: readonly (readonly number[])[];
  /** Where the derivative is checked; none for what is piecewise constant. */
  readonly smooth: readonly (readonly number[])[];
  /** Relative to the larger of the result and 1e-3; 2e-6 if not given. */
  readonly error?: number;
}

const line = (from: number, to: number): number[][] =>
  Array.from({ length: 41 }, (_, k) => [from + ((to - from) * k) / 40]);
const half = (x: number): number => Math.sign(x) * Math.floor(Math.abs(x) + 0.5);

const ROWS: { readonly [K in Name]: Row } = {
  relu: { exact: (x) => Math.max(0, x), points: line(-3, 3), smooth: [[1], [-1]] },
  leakyRelu: { exact: (x) => Math.max(x, x / 100), points: line(-3, 3), smooth: [[1], [-1]] },
  prelu: {
    exact: (x, slope) => (x > 0 ? x : slope * x),
    points: [
      [2, 0.3],
      [-2, 0.3],
      [-2, -0.5],
      [0, 0.5],
    ],
    smooth: [
      [2, 0.3],
      [-2, 0.3],
    ],
  },
  elu: {
    exact: (x) => (x > 0 ? x : Math.expm1(x)),
    points: line(-9, 3),
    smooth: [[1], [-1], [-0.1]],
  },
  softsign: { exact: (x) => x / (1 + Math.abs(x)), points: line(-9, 9), smooth: [[1], [-3]] },
  silu: {
    exact: (x) => x / (1 + Math.exp(-x)),
    points: line(-9, 9),
    smooth: [[0], [2], [-3]],
    // As of its sigmoid, times 9.
    error: 2e-3,
  },
  hardTanh: {
    exact: (x) => Math.max(-1, Math.min(1, x)),
    points: line(-3, 3),
    smooth: [[0.5], [-0.5], [2]],
  },
  sigmoid: {
    exact: (x) => 1 / (1 + Math.exp(-x)),
    points: line(-9, 9),
    smooth: [[0], [2], [-3]],
    // 2e-7 of 1, where the value is 1e-3 and below.
    error: 2e-4,
  },
  softplus: {
    exact: (x) => Math.log1p(Math.exp(x)),
    points: line(-9, 40),
    smooth: [[0], [3], [-3], [20]],
  },
  log2: { exact: Math.log2, points: line(0.1, 50), smooth: [[0.5], [10]] },
  log10: { exact: Math.log10, points: line(0.1, 50), smooth: [[0.5], [10]] },
  pow: {
    exact: (x, y) => (x < 0 && !Number.isInteger(y) ? 0 : x ** y),
    points: [
      [2, 0.5],
      [0.1, 3.3],
      [7, -1.5],
      [0, 2],
      [-3, 2],
      [-2, 3],
      [-0.5, -5],
      [-2, 0.5],
      [0, 0],
      [1.5, 0],
    ],
    smooth: [
      [2, 0.5],
      [0.3, 3.3],
      [3, -1.5],
    ],
    error: 1e-5,
  },
  sinh: { exact: Math.sinh, points: line(-10, 10), smooth: [[0], [0.3], [2], [-4]] },
  cosh: { exact: Math.cosh, points: line(-10, 10), smooth: [[0.3], [2], [-4]] },
  asinh: { exact: Math.asinh, points: line(-50, 50), smooth: [[0], [0.2], [2], [-9]] },
  acosh: { exact: Math.acosh, points: line(1.1, 50), smooth: [[1.5], [9]] },
  atanh: {
    exact: Math.atanh,
    points: line(-0.99, 0.99),
    smooth: [[0], [0.2], [-0.8]],
    error: 5e-6,
  },
  atan: { exact: Math.atan, points: line(-20, 20), smooth: [[0], [0.5], [-9]] },
  asin: { exact: Math.asin, points: line(-1, 1), smooth: [[0], [0.5], [-0.9]] },
  acos: { exact: Math.acos, points: line(-1, 1), smooth: [[0.1], [0.5], [-0.9]] },
  hypot: {
    exact: Math.hypot,
    points: [
      [3, 4],
      [0, 0],
      [-1, 2],
    ],
    smooth: [
      [3, 4],
      [-1, 2],
    ],
  },
  cbrt: { exact: Math.cbrt, points: line(-30, 30), smooth: [[2], [-0.5]] },
  fmod: {
    exact: (x, y) => x % y,
    points: [
      [7.5, 2],
      [-7.5, 2],
      [1, 3],
    ],
    smooth: [
      [7.5, 2],
      [-7.5, 2],
    ],
  },
  remainder: {
    exact: (x, y) => x - y * Math.round(x / y),
    points: [
      [7.4, 2],
      [-7.4, 2],
      [1, 3],
    ],
    smooth: [[7.4, 2]],
  },
  round: { exact: half, points: [[2.5], [-2.5], [0.49], [-0.2]], smooth: [] },
  fma: { exact: (x, y, z) => x * y + z, points: [[2, 3, 4]], smooth: [[2, 3, 4]] },
  exp10: { exact: (x) => 10 ** x, points: line(-9, 9), smooth: [[0], [1.5], [-2]], error: 5e-6 },
  dbToGain: {
    exact: (x) => 10 ** (x / 20),
    points: line(-100, 40),
    smooth: [[0], [6], [-20]],
    error: 5e-6,
  },
  gainToDb: {
    exact: (x) => 20 * Math.log10(Math.max(Math.abs(x), 1e-10)),
    points: [[0], [1], [-1], [0.5], [2], [1e-9], [1e-12], [60]],
    smooth: [[0.5], [-2], [9]],
  },
  mtof: {
    exact: (x) => 440 * 2 ** ((x - 69) / 12),
    points: line(0, 100),
    smooth: [[69], [20], [90.5]],
  },
  sign: { exact: Math.sign, points: [[-3], [0], [1e-30], [4]], smooth: [] },
  clip: {
    exact: (x, low, high) => Math.min(Math.max(x, low), high),
    points: [
      [0.5, -1, 2],
      [5, -1, 2],
      [-5, -1, 2],
    ],
    smooth: [
      [0.5, -1, 2],
      [5, -1, 2],
      [-5, -1, 2],
    ],
  },
  wrap: {
    exact: (x, low, high) =>
      high > low ? x - (high - low) * Math.floor((x - low) / (high - low)) : low,
    points: [
      [0.25, 0, 1],
      [3.5, -1, 2],
      [-7.25, -1, 2],
      [2, -1, 2],
      [5, 3, 3],
      [5, 3, 1],
    ],
    smooth: [
      [0.25, 0, 1],
      [3.5, -1, 2],
      [-7.25, -1, 2],
    ],
  },
  lerp: {
    exact: (x, y, t) => x + t * (y - x),
    points: [
      [2, 4, 0.25],
      [2, 4, 0],
      [2, 4, 1],
    ],
    smooth: [[2, 4, 0.25]],
  },
  select3: {
    exact: (i, x, y, z) => (i < 1 ? x : i < 2 ? y : z),
    points: [
      [-1, 5, 6, 7],
      [0, 5, 6, 7],
      [1, 5, 6, 7],
      [2, 5, 6, 7],
      [9, 5, 6, 7],
    ],
    smooth: [
      [0.5, 5, 6, 7],
      [1.5, 5, 6, 7],
      [2.5, 5, 6, 7],
    ],
  },
};

const ranged = (initial: number) => ({ initial, min: -100, max: 100 });

/** The function of sliders, as generated code computes it. */
function valueAt(name: Name, point: readonly number[]): number {
  const patch = buildPatch('f', (p) => {
    const operands = point.map((x, k) => p.slider(`s${k}`, ranged(x)));
    // An input keeps it a signal.
    const first = p.op('add', [operands[0]!, p.input(1)]);
    return { outputs: [p.fn(name, [first, ...operands.slice(1)])] };
  });
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate: 48000, maxBlock: 8, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  instance.process(8);
  return instance.outputs[0]![5]!;
}

describe.each(Object.keys(ELEMENTARY) as Name[])('%s', (name) => {
  const { exact, points, smooth, error = 2e-6 } = ROWS[name];

  test('has the exact value', () => {
    for (const point of points) {
      const single = point.map(Math.fround) as [number, number, number, number];
      const value = exact(...single);
      const off = Math.abs(valueAt(name, point) - value) / Math.max(Math.abs(value), 1e-3);
      expect(off, `${name}(${point.join()}) = ${value}`).toBeLessThan(error);
    }
  });

  test('is finite wherever its operands are', () => {
    for (const x of [0, -1, 1, -2, 2, 100, -100]) {
      const point = [x, 3, 0.5, -4].slice(0, ELEMENTARY[name].arity);
      expect(Number.isFinite(valueAt(name, point)), `${name}(${point.join()})`).toBe(true);
    }
  });

  if (smooth.length > 0) {
    test('has the derivative that differences measure', () => {
      for (const point of smooth) {
        const patch = buildPatch('f', (p) => {
          const operands = point.map((x, k) => p.param(`p${k}`, ranged(x)));
          const estimate = p.fn(name, operands, 'y');
          const target = p.input(1, 'x');
          const schedule = { kind: 'constant', rate: 0 } as const;
          const training = {
            loss: 'mse',
            window: 8,
            mode: 'auto',
            optimiser: { kind: 'sgd' },
          } as const;
          return { training: { ...training, estimate, target, schedule } };
        });
        if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
        const report = gradcheck(patch.value, { sampleRate: 48000, seed: 3 });
        if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
        for (const { maxRelativeError } of report.value.modes) {
          expect(maxRelativeError, `${name}(${point.join()})`).toBeLessThan(1e-4);
        }
      }
    });
  }
});

test('a whole exponent is written out as products, for negative numbers too', () => {
  for (const [n, exact] of [
    [3, -8],
    [2, 4],
    [0, 1],
    [-2, 0.25],
    [1, -2],
  ] as const) {
    const patch = buildPatch('p', (p) => ({
      outputs: [p.fn('pow', [p.op('add', [p.input(1), -2]), n])],
    }));
    if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
    const artifact = compile(patch.value, { sampleRate: 48000, maxBlock: 4, latency: 0 });
    if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
    const instance = compiledInstance(artifact.value);
    instance.process(4);
    expect(instance.outputs[0]![0]).toBe(exact);
  }
});
