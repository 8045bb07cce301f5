/**
 * A delay of a delay is one delay.
 *
 * Where one of the two is long both read one line, which is written once, and a loop has nothing to
 * copy from line to line. Short ones stay as they are: in a recursion they are held in locals.
 * Streams alone; both start with the same value.
 *
 * When: after `fold`, before the last `prune`, which removes the first delay where nothing else reads
 * it. Exact. Cost: linear, but for chains of delays that all are long.
 */

import { rewrite } from '../ir/builder.ts';
import { nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';

/** Delays of less together stay two. */
const LONG = 32;

export function lengthen(graph: Graph): Graph {
  if (graph.domain !== 'stream') return graph;
  const joined = new Map<NodeId, { readonly source: NodeId; readonly frames: number }>();
  for (const id of graph.delays.keys()) {
    const { attrs, hop } = nodeOf(graph, id);
    const [length = 1, init = 0] = attrs;
    if (hop !== 1) continue;
    let [source, frames] = [graph.delays.get(id)!, length];
    const seen = new Set([id]);
    for (;;) {
      const next = graph.delays.get(source);
      if (next === undefined || seen.has(source)) break;
      const [more = 1, start] = nodeOf(graph, source).attrs;
      if (!Object.is(start, init) || nodeOf(graph, source).hop !== 1) break;
      seen.add(source);
      [source, frames] = [next, frames + more];
    }
    if (frames > length && frames >= LONG && !seen.has(source)) joined.set(id, { source, frames });
  }
  if (joined.size === 0) return graph;
  const nodes = graph.nodes.map((node, n) => {
    const found = joined.get(n as NodeId);
    return found === undefined ? node : { ...node, attrs: [found.frames, node.attrs[1] ?? 0] };
  });
  const delays = new Map(
    [...graph.delays].map(([id, source]) => [id, joined.get(id)?.source ?? source]),
  );
  return rewrite({ ...graph, nodes, delays });
}
