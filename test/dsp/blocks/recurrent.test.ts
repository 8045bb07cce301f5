/** Recurrent layers: PyTorch's values, gradients, and the layer number by number. */

import { describe, expect, test } from 'vitest';
import { sigmoid } from '../../../dsp/blocks/activations.ts';
import { gru, lstm, simpleRnn } from '../../../dsp/blocks/recurrent.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import { MEAN, agree } from '../../support/gradients.ts';
import {
  REFERENCE_RUN,
  apart,
  lanesOf,
  meanSquare,
  numbersAt,
  product,
  reference,
  reordered,
  transposed,
} from '../../support/layers.ts';
import { close, numbers, vectorOf } from '../../support/vectors.ts';

const KINDS = { rnn: 1, lstm: 4, gru: 3 } as const;
type Kind = keyof typeof KINDS;

/** Where in the bank kernel, recurrent kernel and biases are. */
function placesOf(kind: Kind, inputs: number, units: number) {
  const rows = KINDS[kind] * units;
  const recurrent = inputs * rows;
  const bias = recurrent + units * rows;
  const second = bias + rows;
  return { rows, recurrent, bias, second, count: second + (kind === 'gru' ? rows : 0) };
}

/** A layer whose parameters are vectors of the bank. */
function layer(b: Builder, kind: Kind, x: NodeId, units: number): NodeId {
  const p = placesOf(kind, b.shape(x), units);
  const weights = {
    kernel: b.node('param', [], [0, p.recurrent]),
    recurrent: b.node('param', [], [p.recurrent, units * p.rows]),
    bias: b.node('param', [], [p.bias, p.rows]),
  };
  if (kind === 'rnn') return simpleRnn(b, x, weights);
  if (kind === 'lstm') return lstm(b, x, weights);
  return gru(b, x, weights, b.node('param', [], [p.second, p.rows]));
}

/** PyTorch's parameters in our layout. */
function bankOf(kind: Kind): number[] {
  const { params } = reference(kind);
  const [ih, hh, first, second] = params as [number[], number[], number[], number[]];
  const rows = 5 * KINDS[kind];
  // PyTorch has the gates of a GRU in the order r, z, n.
  const order = kind === 'gru' ? [1, 0, 2] : Array.from({ length: KINDS[kind] }, (_, k) => k);
  const mixed = (of: readonly number[]): number[] => reordered(of, 5, order);
  const kernel = mixed(ih);
  const recurrent = transposed(reordered(hh, 25, order), rows, 5);
  const biases =
    kind === 'gru' ? [...mixed(first), ...mixed(second)] : first.map((c, k) => c + second[k]!);
  return [...kernel, ...recurrent, ...biases];
}

describe.each(['rnn', 'lstm', 'gru'] as const)('%s', (kind) => {
  test('is the layer of PyTorch', () => {
    const { y, loss, norm } = reference(kind);
    const at = bankOf(kind);
    const write = (b: Builder) => layer(b, kind, b.node('input', [], [0]), 5);
    const { code, exact } = lanesOf(write, at, REFERENCE_RUN);
    y.forEach((value, k) => {
      expect(exact[k % 5]![Math.floor(k / 5)]).toBeCloseTo(value, 9);
      expect(code[k % 5]![Math.floor(k / 5)]).toBeCloseTo(value, 5);
    });
    const b = new Builder('stream');
    const made = agree(kind, {
      b,
      estimate: meanSquare(b, write(b)),
      target: b.real(0),
      params: at.length,
      window: 64,
      at,
      run: REFERENCE_RUN,
      loss: MEAN,
    });
    expect(made.loss).toBeCloseTo(loss, 9);
    const p = placesOf(kind, 1, 5);
    const norms = [
      [0, p.recurrent],
      [p.recurrent, p.bias],
      [p.bias, p.second],
      ...(kind === 'gru' ? [[p.second, p.count]] : []),
    ].map(([from, to]) => Math.hypot(...made.gradients.slice(from, to)));
    norms.forEach((size, k) => expect(size).toBeCloseTo(norm[k]!, 9));
    const [kernel] = reference(kind).first;
    // The first three of PyTorch's kernel are of its first gate, which is our second for a GRU.
    const from = kind === 'gru' ? 5 : 0;
    kernel.forEach((g, k) => expect(made.gradients[from + k]).toBeCloseTo(g, 9));
  });

  test.each([
    [1, 1],
    [2, 1],
    [1, 3],
    [3, 4],
    [2, 5],
  ])('of %i inputs and %i units has one gradient, however it is computed', (inputs, units) => {
    const b = new Builder('stream');
    const y = layer(b, kind, vectorOf(b, 'sample', inputs, 3), units);
    const estimate = apart(b, y).reduce((all, one) => b.node('add', [all, one]));
    const { count } = placesOf(kind, inputs, units);
    agree(kind, { b, estimate, target: b.node('input', [], [1]), params: count, window: 24 });
  });

  test.each([
    [1, 1],
    [2, 3],
    [4, 8],
  ])('of %i inputs and %i units is the same number by number', (inputs, units) => {
    const { count } = placesOf(kind, inputs, units);
    const at = numbers(count, 6);
    const run = { frames: 80, blocks: [16, 1, 5] };
    const vectors = lanesOf(
      (b) => layer(b, kind, vectorOf(b, 'sample', inputs, 4), units),
      at,
      run,
    );
    const single = lanesOf((b) => byNumbers(b, kind, inputs, units), at, run);
    close(vectors.exact, single.exact, 1e-11, kind);
    close(vectors.code, vectors.exact, 2e-5, kind);
  });
});

/** The formulas of the layers, each number a node of its own. */
function byNumbers(b: Builder, kind: Kind, inputs: number, units: number): NodeId {
  const p = placesOf(kind, inputs, units);
  const x = apart(b, vectorOf(b, 'sample', inputs, 4));
  const past = Array.from({ length: units }, () => b.feedback('real', 1));
  const cells = kind === 'lstm' ? past.map(() => b.feedback('real', 1)) : [];
  const add = (u: NodeId, v: NodeId): NodeId => b.node('add', [u, v]);
  const mul = (u: NodeId, v: NodeId): NodeId => b.node('mul', [u, v]);
  const tanh = (u: NodeId): NodeId => b.node('tanh', [u]);
  const biased = (rows: NodeId[], from: number): NodeId[] =>
    rows.map((row, r) => add(row, b.node('param', [], [from + r])));
  const fromInput = biased(product(b, numbersAt(b, 0, p.recurrent), x), p.bias);
  const again = product(b, numbersAt(b, p.recurrent, units * p.rows), past);
  const fromPast = kind === 'gru' ? biased(again, p.second) : again;
  const gate = (g: number, r: number): number => g * units + r;
  const both = (g: number, r: number): NodeId => add(fromInput[gate(g, r)]!, fromPast[gate(g, r)]!);
  const now = past.map((h, r): NodeId => {
    if (kind === 'rnn') return tanh(both(0, r));
    if (kind === 'lstm') {
      const kept = mul(sigmoid(b, both(1, r)), cells[r]!);
      const state = add(kept, mul(sigmoid(b, both(0, r)), tanh(both(2, r))));
      b.close(cells[r]!, state);
      return mul(sigmoid(b, both(3, r)), tanh(state));
    }
    const z = sigmoid(b, both(0, r));
    const reset = mul(sigmoid(b, both(1, r)), fromPast[gate(2, r)]!);
    const fresh = tanh(add(fromInput[gate(2, r)]!, reset));
    return add(mul(z, h), mul(b.node('sub', [b.real(1), z]), fresh));
  });
  past.forEach((h, r) => b.close(h, now[r]!));
  return b.node('concat', now);
}

test('kernels that do not fit are refused', () => {
  const b = new Builder('stream');
  const x = vectorOf(b, 'sample', 2, 1);
  const bad = { kernel: b.filled(0, 8), recurrent: b.filled(0, 7), bias: null };
  expect(() => lstm(b, x, bad)).toThrow('4 · units²');
});
