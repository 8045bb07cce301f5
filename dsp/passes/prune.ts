/**
 * Dead code: drops every node that no output depends on.
 *
 * When: first, because later passes are linear in the nodes, and last, after the others have made
 * nodes useless. Outputs keep their names and order. Cost: linear.
 */

import { Builder } from '../ir/builder.ts';
import { ids, isDelay, nodeOf, reach } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';

export function prune(graph: Graph): Graph {
  const live = reach(
    graph,
    graph.outputs.map((o) => o.node),
  );
  if (live.size === graph.nodes.length) return graph;
  const builder = new Builder(graph.domain);
  const copy = new Map<NodeId, NodeId>();
  const open: NodeId[] = [];
  for (const id of ids(graph)) {
    if (!live.has(id)) continue;
    const node = nodeOf(graph, id);
    if (isDelay(node.op)) {
      const source = graph.delays.get(id)!;
      const [frames = 1, init = 0] = node.attrs;
      if (source < id) {
        copy.set(id, builder.delay(copy.get(source)!, frames, init));
      } else {
        copy.set(id, builder.feedback(node.type, frames, init));
        open.push(id);
      }
    } else {
      copy.set(
        id,
        builder.node(
          node.op,
          node.args.map((a) => copy.get(a)!),
          node.attrs,
        ),
      );
    }
  }
  for (const id of open) builder.close(copy.get(id)!, copy.get(graph.delays.get(id)!)!);
  return builder.finish(graph.outputs.map(({ name, node }) => ({ name, node: copy.get(node)! })));
}
