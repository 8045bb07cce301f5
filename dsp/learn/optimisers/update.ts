/**
 * Optimisers: the graph that turns gradients into new parameters once a window.
 *
 * Invariant: an optimiser is a graph of domain `once`, computed in double precision, so that a
 * small rate still moves a parameter; it works on all parameters as the lanes of one vector. A
 * parameter never leaves its range, and a frozen one keeps its value to the bit. What an optimiser
 * remembers is named `kind#0`, `kind#1`, …: it outlives an edit of the patch, lane by lane by the ids
 * of the parameters where it has a lane for each.
 */

import type { ControlSpec } from '../control.ts';
import { Builder } from '../ir/builder.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { paramName, updateScalars } from '../ir/program.ts';

/** A step: new values from values, gradients and the rate. */
type Rule = (b: Builder, value: NodeId, gradient: NodeId, rate: NodeId) => NodeId;

const RULES = {
  /** Gradient descent: p ← p − rate · g. */
  sgd: (b, value, gradient, rate) => b.node('sub', [value, b.node('mul', [rate, gradient])]),
} as const satisfies Record<string, Rule>;

export type OptimiserKind = keyof typeof RULES;

/** p ← frozen ? p : clamp(rule(p, g, rate), min, max), for all parameters side by side. */
export function updateGraph(kind: OptimiserKind, params: readonly ControlSpec[]): Graph {
  const b = new Builder('once');
  const lanes = params.length;
  if (lanes === 0) return b.finish([]);
  const bank = (first: number): NodeId => b.node('scalar', [], [first, lanes]);
  const limit = (of: (spec: ControlSpec) => number): NodeId => b.node('const', [], params.map(of));
  const value = b.node('param', [], [0, lanes]);
  const rate = b.node('scalar', [], [updateScalars.learningRate]);
  const gradient = bank(updateScalars.gradient(0));
  const stepped = b.within(kind, () => RULES[kind](b, value, gradient, rate));
  const low = b.node('max', [stepped, limit((spec) => spec.min)]);
  const kept = b.node('min', [low, limit((spec) => spec.max)]);
  const isFrozen = b.node('ne', [bank(updateScalars.frozen(0, lanes)), b.real(0)]);
  return b.finish([{ name: paramName(0), node: b.node('select', [isFrozen, value, kept]) }]);
}
