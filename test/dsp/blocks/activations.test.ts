/** Activations: values against their formulas, gradients, kinks, and the two that mix lanes. */

import { describe, expect, test } from 'vitest';
import {
  ACTIVATION_NAMES,
  activate,
  gated,
  prelu,
  softmax,
} from '../../../dsp/blocks/activations.ts';
import type { ActivationName } from '../../../dsp/blocks/activations.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import { agree } from '../../support/gradients.ts';
import { apart, lanesOf } from '../../support/layers.ts';
import { constantOf, numbers } from '../../support/vectors.ts';

const FORMULAS: Readonly<Record<ActivationName, (x: number) => number>> = {
  linear: (x) => x,
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  relu: (x) => Math.max(0, x),
  leakyRelu: (x) => (x > 0 ? x : x / 100),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  softplus: (x) => Math.log1p(Math.exp(x)),
  softsign: (x) => x / (1 + Math.abs(x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  hardTanh: (x) => Math.max(-1, Math.min(1, x)),
};

/** Derivatives at 0 and at 1, where some have a kink. */
const SLOPES: Readonly<Record<ActivationName, readonly [number, number]>> = {
  linear: [1, 1],
  tanh: [1, 1 - Math.tanh(1) ** 2],
  sigmoid: [0.25, 0.19661193324148185],
  relu: [0, 1],
  leakyRelu: [0.01, 1],
  elu: [1, 1],
  softplus: [0.5, 0.7310585786300049],
  softsign: [1, 0.25],
  silu: [0.5, 0.9276705118714867],
  hardTanh: [1, 1],
};

const POINTS = [-20, -6, -4, -1, -0.3, 0, 0.3, 1, 5, 14, 40];

describe.each(ACTIVATION_NAMES)('%s', (name) => {
  test('is its formula', () => {
    const { code, exact } = lanesOf(
      (b) => activate(b, name, b.node('add', [constantOf(b, POINTS), b.node('input', [], [0])])),
      [],
      { frames: 1, blocks: [1], input: () => 0 },
    );
    POINTS.forEach((x, k) => {
      const y = FORMULAS[name](x);
      expect(Math.abs(exact[k]![0]! - y)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(y)));
      expect(Math.abs(code[k]![0]! - y)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(y)));
    });
  });

  test('has its slope, on a kink as well', () => {
    const slopes = [0, 1].map((x) => slopeAt((b, p) => activate(b, name, p), x));
    slopes.forEach((slope, k) => expect(slope).toBeCloseTo(SLOPES[name][k]!, 6));
  });

  test('has one gradient, however it is computed', () => {
    check((b, v) => activate(b, name, v));
  });
});

/** The derivative of f at x, by forward and reverse mode. */
function slopeAt(f: (b: Builder, p: NodeId) => NodeId, x: number): number {
  const b = new Builder('stream');
  const p = b.node('param', [], [0]);
  const estimate = b.node('add', [f(b, p), b.node('mul', [b.node('input', [], [0]), b.real(0)])]);
  // At a kink differences of losses see half of both sides: far from it they need not.
  const linear = { b, estimate, target: b.real(0), params: 1, window: 1, at: [x] };
  return agree('slope', { ...linear, loss: (of, e) => of.node('sum', [e]), differences: false })
    .gradients[0]!;
}

/** f of six lanes that are parameters times a signal. */
function check(f: (b: Builder, v: NodeId) => NodeId): void {
  const b = new Builder('stream');
  const x = b.node('add', [b.node('input', [], [0]), b.real(1.1)]);
  const v = b.node('mul', [b.node('param', [], [0, 6]), x]);
  const lanes = apart(b, f(b, v)).map((lane, k) => b.node('mul', [lane, b.real(1 + k)]));
  const estimate = lanes.reduce((sum, lane) => b.node('add', [sum, lane]));
  agree('activation', { b, estimate, target: b.node('input', [], [1]), params: 6, window: 13 });
}

test('prelu has a slope per lane, or one for all', () => {
  const x = [-2, -1, 0, 3];
  for (const slopes of [[0.1], [0.1, 0.2, 0.3, 0.4]]) {
    const { code } = lanesOf(
      (b) => {
        const moved = b.node('add', [constantOf(b, x), b.node('input', [], [0])]);
        return prelu(b, moved, constantOf(b, slopes));
      },
      [],
      { frames: 1, blocks: [1], input: () => 0 },
    );
    x.forEach((value, k) => {
      const expected = value > 0 ? value : value * (slopes[k] ?? slopes[0]!);
      expect(code[k]![0]).toBeCloseTo(expected, 6);
    });
  }
  check((b, v) => prelu(b, v, b.node('slice', [v], [0, 1])));
});

describe('softmax', () => {
  test.each([1, 2, 3, 5, 8, 13])('of %i lanes is its formula, however large they are', (n) => {
    for (const size of [1, 50]) {
      const at = numbers(n, n).map((v) => v * size);
      const { code, exact } = lanesOf(
        (b) => softmax(b, b.node('add', [constantOf(b, at), b.node('input', [], [0])])),
        [],
        { frames: 1, blocks: [1], input: () => 0 },
      );
      const top = Math.max(...at);
      const all = at.reduce((sum, v) => sum + Math.exp(v - top), 0);
      at.forEach((v, k) => {
        expect(exact[k]![0]).toBeCloseTo(Math.exp(v - top) / all, 12);
        expect(code[k]![0]).toBeCloseTo(Math.exp(v - top) / all, 6);
      });
    }
  });

  test('has one gradient, however it is computed', () => check(softmax));
});

test('a gate is tanh of one half times sigmoid of the other', () => {
  const at = [0.5, -1, 2, 0.1, -3, 0.7];
  const { code } = lanesOf(
    (b) => gated(b, b.node('add', [constantOf(b, at), b.node('input', [], [0])])),
    [],
    { frames: 1, blocks: [1], input: () => 0 },
  );
  for (let k = 0; k < 3; k++) {
    expect(code[k]![0]).toBeCloseTo(Math.tanh(at[k]!) / (1 + Math.exp(-at[k + 3]!)), 6);
  }
  check(gated);
  const b = new Builder('stream');
  expect(() => gated(b, b.filled(1, 3))).toThrow('even number of lanes');
});
