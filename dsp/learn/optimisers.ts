/**
 * Optimisers: the graph that turns gradients into new parameters once a window.
 *
 * Invariant: an optimiser is a graph of domain `once`, computed in double precision, so that a
 * small rate still moves a parameter; a parameter never leaves its range, and a frozen one keeps
 * its value to the bit.
 */

import type { ControlSpec } from '../control.ts';
import { Builder } from '../ir/builder.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { paramName, updateScalars } from '../ir/program.ts';

/** One parameter's step: its new value from its value, gradient and the rate. */
type Rule = (b: Builder, value: NodeId, gradient: NodeId, rate: NodeId) => NodeId;

const RULES = {
  /** Gradient descent: p ← p − rate · g. */
  sgd: (b, value, gradient, rate) => b.node('sub', [value, b.node('mul', [rate, gradient])]),
} as const satisfies Record<string, Rule>;

export type OptimiserKind = keyof typeof RULES;

/** p ← frozen ? p : clamp(rule(p, g, rate), min, max), for every parameter. */
export function updateGraph(kind: OptimiserKind, params: readonly ControlSpec[]): Graph {
  const b = new Builder('once');
  const rate = b.node('scalar', [], [updateScalars.learningRate]);
  const outputs = params.map((spec, k) => {
    const value = b.node('param', [], [k]);
    const gradient = b.node('scalar', [], [updateScalars.gradient(k)]);
    const frozen = b.node('scalar', [], [updateScalars.frozen(k, params.length)]);
    const stepped = RULES[kind](b, value, gradient, rate);
    const low = b.node('max', [stepped, b.real(spec.min)]);
    const kept = b.node('min', [low, b.real(spec.max)]);
    const isFrozen = b.node('ne', [frozen, b.real(0)]);
    return { name: paramName(k), node: b.node('select', [isFrozen, value, kept]) };
  });
  return b.finish(outputs);
}
