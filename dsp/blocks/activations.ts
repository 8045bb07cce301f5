/**
 * Activations: the nonlinearities of neural networks, as functions over the Builder.
 *
 * Invariant: each works lane by lane on a number or a vector of any length, `softmax` and `gated`
 * excepted, which say what they do with the lanes; finite operands give finite results and finite
 * derivatives. At a kink the derivative is the one that PyTorch takes, and each row says so.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';

type Activation = (b: Builder, x: NodeId) => NodeId;

/** a where positive, else 0; derivative 0 at 0. */
export const relu: Activation = (b, x) => b.node('max', [b.real(0), x]);

/** 1 / (1 + e⁻ˣ), with an absolute error of 2e-7. */
export const sigmoid: Activation = (b, x) => {
  // By tanh: no quotient, no pole, and a slope that follows from the result.
  const half = b.real(0.5);
  const wave = b.node('tanh', [b.node('mul', [half, x])]);
  return b.node('add', [half, b.node('mul', [half, wave])]);
};

/** ln(1 + eˣ), as a series below −4 and as x above 15, where single precision needs it. */
export const softplus: Activation = (b, x) => {
  const e = b.node('exp', [b.node('min', [x, b.real(15)])]);
  const soft = b.node('ln', [b.node('add', [b.real(1), e])]);
  // ln(1 + e) = e − e²/2 + e³/3 − …, where 1 + e would lose what e is.
  const series = [1, -1 / 2, 1 / 3, -1 / 4].reduceRight<NodeId>(
    (sum, c) => b.node('add', [b.node('mul', [sum, e]), b.real(c)]),
    b.real(0),
  );
  const near = b.node('select', [b.node('lt', [x, b.real(15)]), soft, x]);
  const small = b.node('mul', [e, series]);
  return b.node('select', [b.node('lt', [x, b.real(-4)]), small, near]);
};

/**
 * Parametric rectifier: x where positive, else slope · x.
 *
 * @param slope  a number, or one per lane
 * Gradient: to x at 0 the slope. Source: K. He et al., Delving Deep into Rectifiers, 2015.
 */
export function prelu(b: Builder, x: NodeId, slope: NodeId): NodeId {
  const negative = b.node('mul', [slope, b.node('min', [x, b.real(0)])]);
  return b.node('add', [relu(b, x), negative]);
}

/** What a layer may put behind its sums, by the name that a patch uses. */
export const ACTIVATIONS = {
  linear: { doc: 'a', build: (_b, x) => x },
  tanh: { doc: 'the hyperbolic tangent', build: (b, x) => b.node('tanh', [x]) },
  sigmoid: { doc: '1 / (1 + e⁻ᵃ), with an absolute error of 2e-7', build: sigmoid },
  relu: { doc: 'a where positive, else 0; derivative 0 at 0', build: relu },
  leakyRelu: {
    doc: 'a where positive, else a / 100; derivative 0.01 at 0',
    build: (b, x) => prelu(b, x, b.real(0.01)),
  },
  elu: {
    doc: 'a where positive, else eᵃ − 1',
    build: (b, x) => {
      const negative = b.node('exp', [b.node('min', [x, b.real(0)])]);
      const curve = b.node('sub', [negative, b.real(1)]);
      return b.node('select', [b.node('gt', [x, b.real(0)]), x, curve]);
    },
  },
  softplus: { doc: 'ln(1 + eᵃ)', build: softplus },
  softsign: {
    doc: 'a / (1 + |a|)',
    build: (b, x) => {
      // The derivative is 1 / (1 + |a|)², at 0 as well: |a| has the derivative 0 there.
      const size = b.node('add', [b.real(1), b.node('abs', [x])]);
      return b.node('div', [x, size]);
    },
  },
  silu: { doc: 'a · sigmoid(a)', build: (b, x) => b.node('mul', [x, sigmoid(b, x)]) },
  hardTanh: {
    doc: 'a held to [−1, 1]; derivative 1 at a limit, 0 beyond',
    build: (b, x) => b.node('max', [b.node('min', [x, b.real(1)]), b.real(-1)]),
  },
} as const satisfies Record<string, { readonly doc: string; readonly build: Activation }>;

export type ActivationName = keyof typeof ACTIVATIONS;

export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as [ActivationName, ...ActivationName[]];

export const activate = (b: Builder, name: ActivationName, x: NodeId): NodeId =>
  ACTIVATIONS[name].build(b, x);

/**
 * Softmax over the lanes: y_k = e^(x_k − m) / Σ_j e^(x_j − m), with m the largest lane.
 *
 * @param x  n lanes
 * @returns  n lanes in [0, 1], their sum 1; no state
 * Gradient: exact; m is a constant to it, for it changes nothing.
 * Cost: one exp per lane and 2·log₂ n rearrangements for the largest lane.
 */
export function softmax(b: Builder, x: NodeId): NodeId {
  const largest = b.node('detach', [extremeLane(b, x, 'max')]);
  const e = b.node('exp', [b.node('sub', [x, largest])]);
  return b.node('div', [e, b.node('laneSum', [e])]);
}

/**
 * The largest or smallest lane of a vector: both halves against each other until one lane is left.
 *
 * Gradient: to that lane; where several are alike, to one of them. Cost: log₂ n operations on halves.
 */
export function extremeLane(b: Builder, x: NodeId, op: 'max' | 'min'): NodeId {
  const lanes = b.shape(x);
  if (lanes === 1) return x;
  const half = Math.ceil(lanes / 2);
  const upper = b.node('slice', [x], [lanes - half, half]);
  return extremeLane(b, b.node(op, [b.node('slice', [x], [0, half]), upper]), op);
}

/**
 * Gated activation: f(first half of the lanes) · sigmoid(second half), as in WaveNet.
 *
 * @param x  2n lanes
 * @returns  n lanes; no state
 * Errors: throws where the number of lanes is odd.
 * Source: A. van den Oord et al., WaveNet, 2016, equation 2.
 */
export function gated(b: Builder, x: NodeId, f: ActivationName = 'tanh'): NodeId {
  const lanes = b.shape(x);
  if (lanes % 2 !== 0) throw new Error(`a gate needs an even number of lanes, got ${lanes}`);
  const half = (from: number): NodeId => b.node('slice', [x], [from, lanes / 2]);
  return b.node('mul', [activate(b, f, half(0)), sigmoid(b, half(lanes / 2))]);
}
