/**
 * Recurrent layers: simple, LSTM and GRU, one step per sample or frame of their input.
 *
 * Invariant: state is in vector feedback delays of one frame, zero after reset, so that both modes
 * differentiate it like any recursion. Kernels are laid out as in Keras, gates side by side in the
 * outputs: with u units and g gates the weight of input k in output r of gate q is lane
 * (k·g + q)·u + r. The order of the gates stands at each layer; it is Keras's, not PyTorch's where
 * they differ.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { activate, sigmoid } from './activations.ts';
import type { ActivationName } from './activations.ts';

/** What a recurrent layer of u units and g gates learns. */
export interface RecurrentWeights {
  /** m · g·u lanes, from the m lanes of the input. */
  readonly kernel: NodeId;
  /** u · g·u lanes, from the layer's own last output. */
  readonly recurrent: NodeId;
  /** g·u lanes; null for none. */
  readonly bias: NodeId | null;
}

const plus = (b: Builder, x: NodeId, y: NodeId | null): NodeId =>
  y === null ? x : b.node('add', [x, y]);

/** The units of a layer: its recurrent kernel is g · u² lanes. */
function unitsOf(b: Builder, recurrent: NodeId, gates: number): number {
  const units = Math.sqrt(b.shape(recurrent) / gates);
  if (!Number.isInteger(units)) {
    throw new Error(`a recurrent kernel has ${gates} · units² lanes, got ${b.shape(recurrent)}`);
  }
  return units;
}

/** A state of `units` lanes, as it was one step ago: a sample, or a frame where operands are frames. */
function pastOf(b: Builder, operands: readonly (NodeId | null)[], units: number): NodeId {
  const hops = operands.map((id) => (id === null ? 1 : b.hop(id)));
  return b.feedback('real', 1, 0, units, Math.max(1, ...hops));
}

/** Lanes `gate`·units on. */
const gateOf = (b: Builder, z: NodeId, gate: number, units: number, gates = 1): NodeId =>
  b.node('slice', [z], [gate * units, gates * units]);

/**
 * Simple recurrent layer: h ← f(W·x + U·h′ + c), h′ the last h.
 *
 * @param x  m lanes
 * @returns  h, u lanes; state: u values
 * Gradient: exact; through state truncated at the training window in reverse mode.
 * Errors: throws where the kernels do not fit x. Cost: u · (m + u) multiplications.
 * Tested: test/dsp/blocks/recurrent.test.ts (PyTorch, gradients, lane by lane).
 */
export function simpleRnn(
  b: Builder,
  x: NodeId,
  { kernel, recurrent, bias }: RecurrentWeights,
  activation: ActivationName = 'tanh',
): NodeId {
  const past = pastOf(b, [x, kernel, recurrent, bias], unitsOf(b, recurrent, 1));
  const fromInput = plus(b, b.node('matvec', [kernel, x]), bias);
  const now = activate(
    b,
    activation,
    b.node('add', [fromInput, b.node('matvec', [recurrent, past])]),
  );
  b.close(past, now);
  return now;
}

/**
 * Long short-term memory, gates i, f, g, o in this order.
 *
 * z = W·x + U·h′ + c;  i = σ(z_i), f = σ(z_f), g = tanh(z_g), o = σ(z_o)
 * s ← f·s′ + i·g;  h ← o·tanh(s)
 *
 * @param x  m lanes
 * @returns  h, u lanes; state: 2u values, s and h
 * Gradient: exact; through state truncated at the training window in reverse mode.
 * Errors: throws where the kernels do not fit x. Cost: 4u · (m + u) multiplications, 5u functions.
 * Source: S. Hochreiter, J. Schmidhuber, 1997, with the forget gate of F. Gers et al., 2000; order
 * of the gates as in Keras and PyTorch (PyTorch has two biases: c is their sum).
 * Tested: test/dsp/blocks/recurrent.test.ts (PyTorch, gradients, lane by lane).
 */
export function lstm(b: Builder, x: NodeId, { kernel, recurrent, bias }: RecurrentWeights): NodeId {
  const units = unitsOf(b, recurrent, 4);
  const operands = [x, kernel, recurrent, bias];
  const [past, cell] = [pastOf(b, operands, units), pastOf(b, operands, units)];
  const fromInput = plus(b, b.node('matvec', [kernel, x]), bias);
  const z = b.node('add', [fromInput, b.node('matvec', [recurrent, past])]);
  // Input and forget gate lie side by side: one function for both.
  const inAndForget = sigmoid(b, gateOf(b, z, 0, units, 2));
  const candidate = b.node('tanh', [gateOf(b, z, 2, units)]);
  const out = sigmoid(b, gateOf(b, z, 3, units));
  const kept = b.node('mul', [gateOf(b, inAndForget, 1, units), cell]);
  const added = b.node('mul', [gateOf(b, inAndForget, 0, units), candidate]);
  const state = b.node('add', [kept, added]);
  const now = b.node('mul', [out, b.node('tanh', [state])]);
  b.close(cell, state);
  b.close(past, now);
  return now;
}

/**
 * Gated recurrent unit, gates z, r, h in this order, reset after the product.
 *
 * p = W·x + c, q = U·h′ + d;  z = σ(p_z + q_z), r = σ(p_r + q_r)
 * n = tanh(p_h + r·q_h);  h ← z·h′ + (1 − z)·n
 *
 * @param x              m lanes
 * @param recurrentBias  d, 3u lanes; null for none
 * @returns              h, u lanes; state: u values
 * Gradient: exact; through state truncated at the training window in reverse mode.
 * Errors: throws where the kernels do not fit x. Cost: 3u · (m + u) multiplications, 3u functions.
 * Source: K. Cho et al., 2014, in the variant of cuDNN: Keras with `reset_after`; PyTorch has the
 * same with the gates in the order r, z, h.
 * Tested: test/dsp/blocks/recurrent.test.ts (PyTorch, gradients, lane by lane).
 */
export function gru(
  b: Builder,
  x: NodeId,
  { kernel, recurrent, bias }: RecurrentWeights,
  recurrentBias: NodeId | null,
): NodeId {
  const units = unitsOf(b, recurrent, 3);
  const past = pastOf(b, [x, kernel, recurrent, bias, recurrentBias], units);
  const p = plus(b, b.node('matvec', [kernel, x]), bias);
  const q = plus(b, b.node('matvec', [recurrent, past]), recurrentBias);
  const both = b.node('add', [gateOf(b, p, 0, units, 2), gateOf(b, q, 0, units, 2)]);
  const updateAndReset = sigmoid(b, both);
  const update = gateOf(b, updateAndReset, 0, units);
  const reset = gateOf(b, updateAndReset, 1, units);
  const fresh = b.node('add', [
    gateOf(b, p, 2, units),
    b.node('mul', [reset, gateOf(b, q, 2, units)]),
  ]);
  const candidate = b.node('tanh', [fresh]);
  // z·h′ + (1 − z)·n
  const change = b.node('mul', [update, b.node('sub', [past, candidate])]);
  const now = b.node('add', [candidate, change]);
  b.close(past, now);
  return now;
}
