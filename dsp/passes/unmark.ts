/**
 * Takes out the marks that steer a derivative: `detach(a)` and `withSlope(a, b, s)` become a.
 *
 * When: after differentiation, and only then, for it takes the written-in gradients away; before
 * `prune`, because b and s are often of no other use. What a mark stands for is its first operand in
 * every run, in as many lanes as the mark, so no value changes. Cost: linear; a graph without marks
 * is returned as it is.
 */

import { rewrite } from '../ir/builder.ts';
import type { Graph } from '../ir/graph.ts';
import { isMark } from '../ir/ops.ts';

export function unmark(graph: Graph): Graph {
  if (!graph.nodes.some(({ op }) => isMark(op))) return graph;
  return rewrite(graph, (b, { op, attrs, shape }, args) =>
    isMark(op) ? b.asLanes(args[0]!, shape) : b.node(op, args, attrs),
  );
}
