/**
 * Into how long pieces a call of a stream is divided.
 *
 * A recursion through a delay that is longer than a piece is none within it: what the delay reads is
 * there before the piece begins. So the loops of a reverb, of a thousand samples each, are computed
 * several samples at a time like everything else, and only the short filters in them one by one. A
 * piece is as long as the shortest delays that this is worth the trouble for: each piece pays once for
 * what is in front of its loops. Invariant: the choice depends on the graph and `maxBlock` alone.
 * Cost: linear in the graph for each of a few lengths.
 */

import { components } from '../ir/components.ts';
import { isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { OPS } from '../ir/ops.ts';
import { SHORTEST_RUN, isLong, needsOf } from './schedule.ts';

/** Lengths that are tried, besides the longest. */
const TRIED = 6;
/** Larger graphs are not divided. */
const MOST_NODES = 20_000;
/** In units of `OpSpec.cost`: what a piece costs before its first sample, and more for each delay. */
const RUN_COST = 80;
const LINE_COST = 8;
/** How much less a step costs outside of recursion. */
const SIDE_BY_SIDE = 0.3;

/** @returns frames, a multiple of 4 or `maxBlock` */
export function pieceOf(graph: Graph, maxBlock: number): number {
  const lengths = [...graph.delays.keys()].flatMap((id) => {
    const [length = 1] = nodeOf(graph, id).attrs;
    const piece = length - (length % 4);
    return piece >= SHORTEST_RUN && piece < maxBlock ? [piece] : [];
  });
  const isFramed = graph.nodes.some(({ hop }) => hop > 1);
  if (lengths.length === 0 || isFramed || graph.nodes.length > MOST_NODES) return maxBlock;
  const sorted = [...new Set(lengths)].sort((a, b) => a - b);
  const step = Math.max(1, (sorted.length - 1) / (TRIED - 1));
  const tried = Array.from(
    { length: Math.min(TRIED, sorted.length) },
    (_, k) => sorted[Math.round(k * step)]!,
  );
  let [best, least] = [maxBlock, costIn(graph, maxBlock, maxBlock)];
  for (const piece of tried) {
    const cost = costIn(graph, piece, maxBlock);
    if (cost < least) [best, least] = [piece, cost];
  }
  return best;
}

/** Of a sample. */
function costIn(graph: Graph, piece: number, maxBlock: number): number {
  const needs = needsOf(graph, piece);
  let sum = 0;
  let lines = 0;
  for (const component of components(graph.nodes.length, needs)) {
    const [first] = component as [NodeId];
    const isSerial = component.length > 1 || needs(first).includes(first);
    for (const id of component) {
      const { op, hop } = nodeOf(graph, id);
      if (hop !== 1) continue;
      sum += OPS[op].cost * (isSerial ? 1 : SIDE_BY_SIDE);
      if (isDelay(op) && isLong(graph, id, piece)) lines++;
    }
  }
  const runs = Math.ceil(maxBlock / piece);
  return sum + (runs * (RUN_COST + LINE_COST * lines)) / maxBlock;
}
