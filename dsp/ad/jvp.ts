/**
 * Forward mode: tangents ride along with the signal.
 *
 * For each active node y = f(x) a node ẏ = Σ ∂f/∂xᵢ · ẋᵢ is added to the same graph; the tangent of
 * a delay is the delay of the tangent, that of a table a table of tangents, so the derivative is exact through recursion and over all
 * time since the start. Cost: about as many nodes again per direction; up to four directions ride in
 * the lanes of one vector at the price of one.
 */

import type { Builder } from '../ir/builder.ts';
import { hasState, isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import type { OpKind } from '../ir/ops.ts';
import { derivativeOf, mapOf, plus, primalOf } from './partials.ts';

/**
 * Tangents of all active nodes.
 *
 * @param b           builder that holds `graph` with the same ids (`Builder.from`)
 * @param seeds       tangents given from outside: the parameter's is 1
 * @param directions  tangents side by side in the lanes of one vector: only where `isPackable`
 * @param name        of the direction: the tangent of the state `x` is the state `x'name`
 * @returns           the tangent of each active node
 */
export function jvp(
  b: Builder,
  graph: Graph,
  seeds: ReadonlyMap<NodeId, NodeId>,
  active: ReadonlySet<NodeId>,
  directions = 1,
  name = '',
): ReadonlyMap<NodeId, NodeId> {
  const tangents = new Map(seeds);
  const delays: NodeId[] = [];
  const namesOf = (id: NodeId): string[] =>
    graph.states.get(id)?.map((state) => `${state}'${name}`) ?? [];
  graph.nodes.forEach((node, i) => {
    const id = i as NodeId;
    if (!active.has(id) || tangents.has(id)) return;
    const lanes = node.shape * directions;
    if (isDelay(node.op)) {
      const delay = b.feedback('real', node.attrs[0]!, 0, lanes, node.hop);
      b.nameState(delay, namesOf(id));
      tangents.set(id, delay);
      delays.push(id);
      return;
    }
    const primal = primalOf(b, graph, id, (of) => of);
    let tangent: NodeId | null = null;
    let isNamed = false;
    node.args.forEach((arg, k) => {
      const t = tangents.get(arg);
      if (t === undefined) return;
      const map = mapOf(node.op, k);
      const share =
        node.op === 'sum'
          ? b.node('sum', [t])
          : node.op === 'sumOuter'
            ? b.node('sumOuter', k === 0 ? [t, node.args[1]!] : [node.args[0]!, t])
            : map?.jvp(b, t, primal);
      // The tangent of a number may meet the lanes of a vector.
      if (share === undefined) return;
      // The first of them remembers the tangent of what the node remembers.
      const remembers = hasState(node.op) && nodeOf(b, share).op === node.op;
      if (remembers && !isNamed) b.nameState(share, namesOf(id));
      isNamed ||= remembers;
      tangent = plus(b, tangent, share);
    });
    if (tangent !== null) tangents.set(id, b.asLanes(tangent, lanes));
  });
  for (const id of delays) {
    const source = graph.delays.get(id)!;
    const tangent = tangents.get(id)!;
    b.close(tangent, tangents.get(source) ?? b.filled(0, b.shape(tangent)));
  }
  return tangents;
}

/**
 * Can tangents in several directions ride side by side in the lanes of one vector? Where every
 * active value is a number: each rule then works on all lanes alike.
 */
export const isPackable = (graph: Graph, active: ReadonlySet<NodeId>): boolean =>
  [...active].every((id) => nodeOf(graph, id).shape === 1 && !isStructured(nodeOf(graph, id).op));

const isStructured = (op: OpKind): boolean => {
  const row = derivativeOf(op);
  return 'linearIn' in row || ('linear' in row && row.lanewise !== true);
};

/** The parameters of a graph: node by bank index. */
export function paramNodes(graph: Graph): ReadonlyMap<number, NodeId> {
  const found = new Map<number, NodeId>();
  graph.nodes.forEach((_, i) => {
    const { op, attrs } = nodeOf(graph, i as NodeId);
    if (op === 'param') found.set(attrs[0]!, i as NodeId);
  });
  return found;
}
