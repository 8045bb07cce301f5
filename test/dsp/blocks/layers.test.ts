/** Dense and convolution: PyTorch's values, the formula, gradients, and the layer number by number. */

import { describe, expect, test } from 'vitest';
import { activate, ACTIVATION_NAMES } from '../../../dsp/blocks/activations.ts';
import { conv1d, dense } from '../../../dsp/blocks/layers.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import { MEAN, agree } from '../../support/gradients.ts';
import {
  REFERENCE_RUN,
  apart,
  lanesOf,
  meanSquare,
  numbersAt,
  product,
  reference,
  sum,
  transposed,
} from '../../support/layers.ts';
import { close, numbers, vectorOf } from '../../support/vectors.ts';

describe('a dense layer', () => {
  test('is the linear layer of PyTorch', () => {
    const { params, y, loss, first, norm } = reference('linear');
    const write = (b: Builder) =>
      dense(b, b.node('input', [], [0]), b.node('param', [], [0, 4]), b.node('param', [], [4, 4]));
    const at = params.flat();
    const { code, exact } = lanesOf(write, at, REFERENCE_RUN);
    y.forEach((value, k) => {
      expect(exact[k % 4]![k >> 2]).toBeCloseTo(value, 9);
      expect(code[k % 4]![k >> 2]).toBeCloseTo(value, 5);
    });
    const b = new Builder('stream');
    const estimate = meanSquare(b, write(b));
    const target = b.real(0);
    const run = REFERENCE_RUN;
    const made = agree('linear', {
      b,
      estimate,
      target,
      params: 8,
      window: 64,
      at,
      run,
      loss: MEAN,
    });
    expect(made.loss).toBeCloseTo(loss, 9);
    [0, 4].forEach((from, k) => {
      first[k]!.forEach((g, i) => expect(made.gradients[from + i]).toBeCloseTo(g, 9));
      expect(Math.hypot(...made.gradients.slice(from, from + 4))).toBeCloseTo(norm[k]!, 9);
    });
  });

  test.each([
    [1, 1],
    [1, 5],
    [5, 1],
    [3, 4],
    [16, 16],
  ])('of %i inputs and %i units is the same number by number', (inputs, units) => {
    const n = inputs * units;
    const at = numbers(n + units, 4);
    for (const activation of ACTIVATION_NAMES) {
      const vectors = lanesOf(
        (b) => {
          const x = vectorOf(b, 'sample', inputs, 1);
          const [w, c] = [b.node('param', [], [0, n]), b.node('param', [], [n, units])];
          return dense(b, x, w, c, activation);
        },
        at,
        { frames: 9, blocks: [4, 5] },
      );
      const single = lanesOf(
        (b) => {
          const x = apart(b, vectorOf(b, 'sample', inputs, 1));
          const rows = product(b, numbersAt(b, 0, n), x);
          const bias = numbersAt(b, n, units);
          const made = rows.map((row, r) =>
            activate(b, activation, b.node('add', [row, bias[r]!])),
          );
          return b.node('concat', made);
        },
        at,
        { frames: 9, blocks: [4, 5] },
      );
      close(vectors.exact, single.exact, 1e-12, activation);
      close(vectors.code, vectors.exact, 1e-5, activation);
    }
  });

  test('has the gradient of its formula, with and without bias', () => {
    for (const bias of [true, false]) {
      const b = new Builder('stream');
      const x = vectorOf(b, 'sample', 3, 2);
      const c = bias ? b.node('param', [], [12, 4]) : null;
      const hidden = dense(b, x, b.node('param', [], [0, 12]), c, 'tanh');
      const estimate = dense(b, hidden, b.node('param', [], [16, 4]), b.node('param', [], [20]));
      agree('mlp', { b, estimate, target: b.node('input', [], [1]), params: 21, window: 300 });
    }
  });
});

describe('a convolution', () => {
  test('is the causal one of PyTorch', () => {
    const { params, y, loss, first, norm } = reference('conv1d');
    const [weight, bias] = params as [number[], number[]];
    const at = [...transposed(weight, 3, 3), ...bias];
    const write = (b: Builder) =>
      conv1d(
        b,
        b.node('input', [], [0]),
        b.node('param', [], [0, 9]),
        b.node('param', [], [9, 3]),
        { taps: 3, dilation: 2 },
      );
    const { code, exact } = lanesOf(write, at, REFERENCE_RUN);
    y.forEach((value, n) => {
      expect(exact[0]![n]).toBeCloseTo(value, 9);
      expect(code[0]![n]).toBeCloseTo(value, 5);
    });
    const b = new Builder('stream');
    const made = agree('conv1d', {
      b,
      estimate: meanSquare(b, write(b)),
      target: b.real(0),
      params: 12,
      window: 64,
      at,
      run: REFERENCE_RUN,
      loss: MEAN,
    });
    expect(made.loss).toBeCloseTo(loss, 9);
    // Gradients of PyTorch's [unit][tap], of unit 0.
    first[0].forEach((g, tap) => expect(made.gradients[3 * tap]).toBeCloseTo(g, 9));
    first[1].forEach((g, r) => expect(made.gradients[9 + r]).toBeCloseTo(g, 9));
    expect(Math.hypot(...made.gradients.slice(0, 9))).toBeCloseTo(norm[0], 9);
    expect(Math.hypot(...made.gradients.slice(9))).toBeCloseTo(norm[1], 9);
  });

  test.each([
    [1, 1, 1, 1],
    [2, 3, 1, 1],
    [2, 3, 2, 1],
    [3, 2, 3, 4],
    [1, 5, 4, 16],
    [4, 4, 3, 40],
  ])(
    'of %i inputs, %i units, %i taps, dilation %i is its formula',
    (inputs, units, taps, dilation) => {
      const n = taps * inputs * units;
      const at = numbers(n + units, 5);
      const run = { frames: 140, blocks: [16, 3, 1] };
      const made = lanesOf(
        (b) =>
          conv1d(
            b,
            vectorOf(b, 'sample', inputs, 1),
            b.node('param', [], [0, n]),
            b.node('param', [], [n, units]),
            { taps, dilation },
            'tanh',
          ),
        at,
        run,
      );
      const x = lanesOf((b) => vectorOf(b, 'sample', inputs, 1), [], run).exact;
      for (let t = 0; t < run.frames; t++) {
        for (let r = 0; r < units; r++) {
          let total = at[n + r]!;
          for (let j = 0; j < taps; j++) {
            for (let k = 0; k < inputs; k++) {
              const past = x[k]![t - (taps - 1 - j) * dilation] ?? 0;
              total += at[(j * inputs + k) * units + r]! * past;
            }
          }
          expect(made.exact[r]![t]).toBeCloseTo(Math.tanh(total), 9);
          expect(made.code[r]![t]).toBeCloseTo(Math.tanh(total), 5);
        }
      }
    },
  );

  test.each([
    [2, 1],
    [3, 2],
    [2, 16],
  ])('has the gradient of its formula, %i taps, dilation %i, stacked', (taps, dilation) => {
    const b = new Builder('stream');
    const at = (from: number, lanes: number) => b.node('param', [], [from, lanes]);
    const x = b.node('input', [], [0]);
    const first = conv1d(b, x, at(0, 3 * taps), at(100, 3), { taps }, 'tanh');
    const second = conv1d(b, first, at(20, 6 * taps), at(104, 2), { taps, dilation }, 'relu');
    const estimate = sum(b, apart(b, second));
    agree('conv', { b, estimate, target: b.node('input', [], [1]), params: 106, window: 40 });
  });

  describe.each(['feeds forward', 'feeds back'])('of one number that %s', (way) => {
    test.each([1, 2, 3, 9])('has the gradient of its formula, %i taps', (taps) => {
      const b = new Builder('stream');
      const at = (from: number, lanes: number) => b.node('param', [], [from, lanes]);
      const past = b.feedback('real', 1);
      const x = b.node('mul', [b.node('input', [], [0]), at(0, 1)]);
      const fed = way === 'feeds back' ? b.node('add', [x, b.node('mul', [past, at(10, 1)])]) : x;
      const estimate = conv1d(b, fed, at(1, taps), at(10, 1), { taps }, 'tanh');
      b.close(past, estimate);
      agree('conv', { b, estimate, target: b.node('input', [], [1]), params: 11, window: 40 });
    });
  });
});
