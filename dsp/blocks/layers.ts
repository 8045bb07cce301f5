/**
 * Layers without state of their own but the past of their input: dense and convolution.
 *
 * Invariant: a layer is one matrix product per sample. Its weights are a vector in the order in
 * which Keras lays its kernel out, output last: so a kernel read row by row is the parameter. (A
 * PyTorch weight has the output first and is transposed.) Neither normalises nor regularises.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { activate } from './activations.ts';
import type { ActivationName } from './activations.ts';

/**
 * Dense layer: y = f(W·x + c).
 *
 * @param x        m lanes
 * @param weights  m · n lanes: the weight of input k in output r is lane k·n + r, as [m][n] in Keras
 * @param bias     c, n lanes or a number; null for none
 * @returns        n lanes; no state
 * Gradient: exact through x, weights and bias.
 * Errors: throws where the lanes of the weights are no multiple of those of x.
 * Cost: m · n multiplications a sample.
 * Tested: test/dsp/blocks/layers.test.ts (PyTorch, formula, gradients, lane by lane).
 */
export function dense(
  b: Builder,
  x: NodeId,
  weights: NodeId,
  bias: NodeId | null,
  activation: ActivationName = 'linear',
): NodeId {
  const product = b.node('matvec', [weights, x]);
  return activate(b, activation, bias === null ? product : b.node('add', [product, bias]));
}

/**
 * Causal convolution over time: y[n] = f(c + Σ_{j<K} W_j · x[n − (K − 1 − j)·dilation]).
 *
 * @param x         m lanes
 * @param weights   K · m · n lanes: tap j, input k, output r is lane (j·m + k)·n + r, as [K][m][n] in
 *                  Keras; the last tap is the newest sample
 * @param bias      c, n lanes or a number; null for none
 * @param taps      K, ≥ 1
 * @param dilation  frames from tap to tap, ≥ 1
 * @returns         n lanes; state: (K − 1)·dilation frames of x, zero after reset
 * Gradient: exact through x, weights and bias; through the past truncated at the training window in
 *   reverse mode.
 * Errors: throws where the lanes of the weights are no multiple of K · m.
 * Cost: K · m · n multiplications a sample, in one product.
 * Tested: test/dsp/blocks/layers.test.ts (PyTorch, formula, gradients, lane by lane).
 */
export function conv1d(
  b: Builder,
  x: NodeId,
  weights: NodeId,
  bias: NodeId | null,
  { taps, dilation = 1 }: { readonly taps: number; readonly dilation?: number },
  activation: ActivationName = 'linear',
): NodeId {
  const hop = Math.max(1, ...[x, weights, bias ?? x].map((id) => b.hop(id)));
  const past = (): NodeId => {
    // The samples of a number lie side by side as they are.
    if (b.shape(x) === 1 && dilation === 1 && hop === 1) return b.node('frames', [x], [1, taps]);
    const parts = Array.from({ length: taps }, (_, j) => {
      const frames = (taps - 1 - j) * dilation;
      return frames === 0 ? x : b.delay(x, frames, 0, hop);
    });
    return b.node('concat', parts);
  };
  return dense(b, past(), weights, bias, activation);
}
