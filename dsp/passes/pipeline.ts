/**
 * The passes in order, each a function from graph to graph with a name.
 *
 * Invariant: every pass keeps the meaning of the graph (checked by the fuzz tests against the
 * interpreter; `late` but for rounding) and leaves it verified. `check` verifies after each pass and costs a linear walk;
 * without it the graph is verified once, at the end.
 */

import type { Graph } from '../ir/graph.ts';
import { verify } from '../ir/verify.ts';
import { fold } from './fold.ts';
import { late } from './late.ts';
import { lengthen } from './lengthen.ts';
import { prune } from './prune.ts';
import { unmark } from './unmark.ts';

export interface Pass {
  readonly name: string;
  readonly run: (graph: Graph) => Graph;
}

export const PASSES: readonly Pass[] = [
  { name: 'unmark', run: unmark },
  { name: 'prune', run: prune },
  { name: 'fold', run: fold },
  { name: 'lengthen', run: lengthen },
  { name: 'late', run: late },
  { name: 'prune again', run: prune },
];

/** @param watch  called with the graph after each pass, for printing and checking */
export function optimise(
  graph: Graph,
  watch: (graph: Graph, pass: string) => void = () => {},
): Graph {
  let current = graph;
  for (const pass of PASSES) {
    current = pass.run(current);
    watch(current, pass.name);
  }
  return verify(current, 'the last pass');
}
