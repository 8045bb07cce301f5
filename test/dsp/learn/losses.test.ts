/** Losses and SGD against reference values that another library computed. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { activity } from '../../../dsp/ad/active.ts';
import { vjp } from '../../../dsp/ad/vjp.ts';
import { Interpreter } from '../../../dsp/interpret/interpret.ts';
import type { Leaves } from '../../../dsp/interpret/interpret.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import { LOSSES, LOSS_KINDS } from '../../../dsp/learn/losses.ts';
import type { LossKind } from '../../../dsp/learn/losses.ts';
import { updateGraph } from '../../../dsp/learn/optimisers.ts';

interface Golden {
  readonly losses: Readonly<
    Record<LossKind, { loss: number; grad0_8: readonly number[]; grad_norm: number }>
  >;
  readonly optimisers: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
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

test.each(LOSS_KINDS)('%s and its gradient have the reference values', (kind) => {
  const b = new Builder('backward');
  const [e, t] = [b.node('tape', [], [0]), b.node('tape', [], [1])];
  const loss = LOSSES[kind](b, e, t, N);
  const graph = b.finish([{ name: 'loss', node: loss }]);
  const { active } = activity(graph, [e], [loss]);
  const cotangent = vjp(b, graph, new Map([[loss, b.real(1)]]), active, (id) => id, N).get(e)!;
  const results = new Interpreter(
    b.finish([
      { name: 'loss', node: loss },
      { name: 'gradient', node: cotangent },
    ]),
  ).run(leaves, N);

  const reference = golden.losses[kind];
  expect(Math.abs(results.get('loss')![0]! / reference.loss - 1)).toBeLessThan(1e-6);
  const gradient = results.get('gradient')!;
  reference.grad0_8.forEach((g, n) => {
    expect(Math.abs(gradient[n]! / g - 1)).toBeLessThan(1e-6);
  });
  const norm = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
  expect(Math.abs(norm / reference.grad_norm - 1)).toBeLessThan(1e-6);
});

describe('SGD', () => {
  const spec = { initial: 0, min: -10, max: 10 };
  const step = (
    params: readonly number[],
    scalars: readonly number[],
    range = spec,
  ): readonly number[] => {
    const graph = updateGraph(
      'sgd',
      params.map(() => range),
    );
    const results = new Interpreter(graph).run(
      { ...leaves, param: (k) => params[k]!, scalar: (k) => scalars[k]! },
      1,
    );
    return [...results.get('param:0')!];
  };

  test('walks Rosenbrock’s valley as the reference does', () => {
    let p: readonly number[] = [-1.2, 1];
    for (let k = 1; k <= 50; k++) {
      const [x, y] = p as [number, number];
      const gx = -2 * (1 - x) - 400 * x * (y - x * x);
      const gy = 200 * (y - x * x);
      p = step(p, [1e-3, gx, gy, 0, 0]);
      golden.optimisers['SGD lr1e-3']![k]?.forEach((value, i) => {
        expect(Math.abs(p[i]! / value - 1)).toBeLessThan(1e-9);
      });
    }
  });

  test('never leaves the range of a parameter', () => {
    const range = { initial: 0, min: -0.5, max: 0.5 };
    expect(step([0.4, -0.4], [1, -100, 100, 0, 0], range)).toEqual([0.5, -0.5]);
  });

  test('keeps a frozen parameter to the bit, even outside of its range', () => {
    const range = { initial: 0, min: -0.5, max: 0.5 };
    expect(step([0.123456789, 7], [1, 3, 3, 1, 1], range)).toEqual([0.123456789, 7]);
  });
});
