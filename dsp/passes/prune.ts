/**
 * Dead code: drops every node that no output depends on.
 *
 * When: first, because later passes are linear in the nodes, between the rounds of `fold`, and last,
 * after the others have made nodes useless. Outputs keep their names and order. Cost: linear.
 */

import { rewrite } from '../ir/builder.ts';
import { reach } from '../ir/graph.ts';
import type { Graph } from '../ir/graph.ts';

export function prune(graph: Graph): Graph {
  const live = reach(
    graph,
    graph.outputs.map((o) => o.node),
  );
  return live.size === graph.nodes.length ? graph : rewrite(graph, undefined, live);
}
