/**
 * Which nodes a derivative passes through: those that depend on a parameter and that the loss
 * depends on, along operands whose derivative is not zero by convention.
 *
 * Invariant: what is not active has no tangent and no cotangent, so nothing is computed for it.
 */

import {
  dependents,
  ids,
  isDelay,
  isFraming,
  isMemory,
  isOverlap,
  nodeOf,
  reach,
} from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { derivativeOf, mapOf } from './partials.ts';

/** An operation without a derivative that a parameter reaches on its way to the loss. */
export interface Obstacle {
  readonly node: NodeId;
  readonly reason: string;
}

export interface Activity {
  readonly active: ReadonlySet<NodeId>;
  readonly obstacles: readonly Obstacle[];
}

/**
 * @param from  nodes that are differentiated with respect to
 * @param to    nodes whose derivative is wanted
 */
export function activity(graph: Graph, from: readonly NodeId[], to: readonly NodeId[]): Activity {
  // The graph with the operands that pass no derivative cut off.
  const smooth: Graph = {
    ...graph,
    nodes: graph.nodes.map((node) => {
      const row = derivativeOf(node.op);
      if ('structural' in row || 'none' in row) return node;
      return { ...node, args: node.args.filter((_, i) => mapOf(node.op, i) !== null) };
    }),
  };
  const forward = dependents(smooth, from);
  const backward = reach(smooth, to);
  const active = new Set<NodeId>();
  const obstacles: Obstacle[] = [];
  for (const id of ids(graph)) {
    if (!forward.has(id) || !backward.has(id)) continue;
    active.add(id);
    const row = derivativeOf(nodeOf(graph, id).op);
    if ('none' in row) obstacles.push({ node: id, reason: row.none });
  }
  return { active, obstacles };
}

/**
 * Does a derivative pass through a delay, line or table, or between samples and frames, so that
 * samples before a window matter to it?
 */
export const hasMemory = (graph: Graph, active: ReadonlySet<NodeId>): boolean =>
  [...active].some((id) => {
    const { op } = nodeOf(graph, id);
    return isDelay(op) || isMemory(op) || isFraming(op) || isOverlap(op);
  });
