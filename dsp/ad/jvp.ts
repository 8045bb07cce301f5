/**
 * Forward mode: tangents ride along with the signal.
 *
 * For each active node y = f(x) a node ẏ = Σ ∂f/∂xᵢ · ẋᵢ is added to the same graph; the tangent of
 * a delay is the delay of the tangent, so the derivative is exact through recursion and over all
 * time since the start. Cost: about as many nodes again per parameter.
 */

import type { Builder } from '../ir/builder.ts';
import { isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { derivativeOf, plus } from './partials.ts';
import type { Primal } from './partials.ts';

/**
 * Tangents of all active nodes.
 *
 * @param b      builder that holds `graph` with the same ids (`Builder.from`)
 * @param seeds  tangents given from outside: the parameter's is 1
 * @returns      the tangent of each active node
 */
export function jvp(
  b: Builder,
  graph: Graph,
  seeds: ReadonlyMap<NodeId, NodeId>,
  active: ReadonlySet<NodeId>,
): ReadonlyMap<NodeId, NodeId> {
  const tangents = new Map(seeds);
  const delays: NodeId[] = [];
  graph.nodes.forEach((node, i) => {
    const id = i as NodeId;
    if (!active.has(id) || tangents.has(id)) return;
    if (isDelay(node.op)) {
      tangents.set(id, b.feedback('real', node.attrs[0]!));
      delays.push(id);
      return;
    }
    const primal: Primal = {
      x: (k) => node.args[k]!,
      real: (k) => b.asReal(node.args[k]!),
      y: () => id,
    };
    const row = derivativeOf(node.op);
    let tangent: NodeId | null = null;
    if (node.op === 'sum') {
      tangent = b.node('sum', [tangents.get(node.args[0]!)!]);
    } else if (!('structural' in row) && !('none' in row)) {
      node.args.forEach((arg, k) => {
        const t = tangents.get(arg);
        const partial = row[k];
        if (t !== undefined && partial) tangent = plus(b, tangent, partial(b, t, primal));
      });
    }
    if (tangent !== null) tangents.set(id, tangent);
  });
  for (const id of delays) {
    const source = graph.delays.get(id)!;
    b.close(tangents.get(id)!, tangents.get(source) ?? b.real(0));
  }
  return tangents;
}

/** The parameters of a graph: node by bank index. */
export function paramNodes(graph: Graph): ReadonlyMap<number, NodeId> {
  const found = new Map<number, NodeId>();
  graph.nodes.forEach((_, i) => {
    const { op, attrs } = nodeOf(graph, i as NodeId);
    if (op === 'param') found.set(attrs[0]!, i as NodeId);
  });
  return found;
}
