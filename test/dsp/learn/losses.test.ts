/** Losses against reference values that another library computed. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { activity } from '../../../dsp/ad/active.ts';
import { vjp } from '../../../dsp/ad/vjp.ts';
import { Interpreter } from '../../../dsp/interpret/interpret.ts';
import type { Leaves } from '../../../dsp/interpret/interpret.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import { lossOf } from '../../../dsp/learn/losses/table.ts';
import type { LossChoice } from '../../../dsp/learn/losses/table.ts';

interface Golden {
  readonly losses: Readonly<
    Record<'mse' | 'mae', { loss: number; grad0_8: readonly number[]; grad_norm: number }>
  >;
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/torch-first-slice.json', import.meta.url), 'utf8'),
) as Golden;

const N = 4096;
const turn = (f: number, n: number): number => (2 * Math.PI * f * n) / 48000;
const target = (n: number): number =>
  0.5 * Math.sin(turn(440, n)) + 0.25 * Math.sin(turn(1234.5, n) + 0.3) + 0.01;
const estimate = (n: number): number =>
  0.45 * Math.sin(turn(441, n) + 0.05) + 0.2 * Math.sin(turn(1200, n)) - 0.02;

const nothing = (): number => 0;
const leaves: Leaves = {
  input: nothing,
  slider: nothing,
  param: nothing,
  scalar: nothing,
  tape: (index, n) => (index === 0 ? estimate(n) : target(n)),
};

/** A loss over N samples, and its gradient to the estimate. */
function measured(choice: LossChoice, from: Leaves): { loss: number; gradient: Float64Array } {
  const b = new Builder('backward');
  const [e, t] = [b.node('tape', [], [0]), b.node('tape', [], [1])];
  const loss = lossOf(choice, 48000)(b, e, t, N);
  const graph = b.finish([{ name: 'loss', node: loss }]);
  const { active } = activity(graph, [e], [loss]);
  const cotangent = vjp(b, graph, new Map([[loss, b.real(1)]]), active, (id) => id, N).get(e)!;
  const results = new Interpreter(
    b.finish([
      { name: 'loss', node: loss },
      { name: 'gradient', node: cotangent },
    ]),
  ).run(from, N);
  return { loss: results.get('loss')![0]!, gradient: results.get('gradient')! };
}

test.each(['mse', 'mae'] as const)('%s and its gradient have the reference values', (kind) => {
  const { loss, gradient } = measured(kind, leaves);
  const reference = golden.losses[kind];
  expect(Math.abs(loss / reference.loss - 1)).toBeLessThan(1e-6);
  reference.grad0_8.forEach((g, n) => {
    expect(Math.abs(gradient[n]! / g - 1)).toBeLessThan(1e-6);
  });
  const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
  expect(Math.abs(norm / reference.grad_norm - 1)).toBeLessThan(1e-6);
});

describe('logSpectral', () => {
  test('and its gradient have the reference values', () => {
    // NumPy 2.4.6, float64: numpy.fft.rfft; the gradient by central differences of 1e-6.
    const { loss, gradient } = measured('logSpectral', leaves);
    expect(Math.abs(loss / 0.04665587456595922 - 1)).toBeLessThan(1e-9);
    const reference = [
      [0, 0.0],
      [1, -4.255620161819351e-6],
      [7, 0.00012659813475313086],
      [100, -0.0010483959880791538],
      [1000, -0.00023825427047929892],
      [2048, -0.00017497364321328313],
      [3000, 0.002848393292065321],
      [4095, -5.045124040758964e-6],
    ] as const;
    for (const [n, g] of reference) expect(Math.abs(gradient[n]! - g)).toBeLessThan(1e-8);
  });

  test('hears levels in one unit, whatever the frames', () => {
    const choices: LossChoice[] = [
      { kind: 'logSpectral', sizes: [64], overlap: 1, window: 'rectangular', floor: 1e-9 },
      { kind: 'logSpectral', sizes: [1024, 256], overlap: 2, window: 'blackman', floor: 1e-9 },
      { kind: 'logSpectral', floor: 1e-9 },
    ];
    const noise = (n: number): number => Math.sin(n * n * 0.37 + n);
    for (const choice of choices) {
      const half: Leaves = { ...leaves, tape: (index, n) => noise(n) * (index === 0 ? 1 : 0.5) };
      expect(measured(choice, half).loss).toBeCloseTo(Math.LN2 ** 2, 6);
    }
  });

  const silent = (n: number): number => n * 0;
  test.each([
    ['the estimate', silent, target],
    ['the target', estimate, silent],
    ['both', silent, silent],
  ])('silence of %s is no NaN', (_, e, t) => {
    const heard: Leaves = { ...leaves, tape: (index, n) => (index === 0 ? e(n) : t(n)) };
    const { loss, gradient } = measured('logSpectral', heard);
    expect(Number.isFinite(loss)).toBe(true);
    expect(gradient.every(Number.isFinite)).toBe(true);
    if (e === silent) expect(gradient.every((g) => g === 0)).toBe(true);
    if (e === t) expect(loss).toBe(0);
    else expect(loss).toBeGreaterThan(1);
  });
});
