/**
 * Which nodes run in which loop.
 *
 * Nodes that take part in a recursion, operations without a vector form, and vectors go into serial
 * loops, one sample after the other (a vector four lanes at a time); all other signals go into
 * vector loops, four samples at a time. Values that are not signals are computed once, between
 * loops. A stage is: values, one vector loop, one serial loop, products summed over the window; a
 * node is in the first stage where all it needs is there.
 *
 * Invariants: within a loop, nodes are in an order in which every operand, and every delay's source
 * outside of recursion, comes first; in a recursion the delays come first. Cost: linear.
 */

import { components } from '../ir/components.ts';
import { dependencies, isDelay, isReduction, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { isValueOp } from '../interpret/rules.ts';
import { WASM_RULES } from './rules.ts';
import type { FormRules } from './rules.ts';

export type Kind = 'value' | 'vector' | 'serial' | 'product';

export interface Stage {
  readonly value: readonly NodeId[];
  readonly vector: readonly NodeId[];
  readonly serial: readonly NodeId[];
  readonly product: readonly NodeId[];
}

export interface Schedule {
  readonly stages: readonly Stage[];
  /** Stage and kind of each scheduled node. Leaves that are memory already are not scheduled. */
  readonly place: ReadonlyMap<NodeId, { readonly stage: number; readonly kind: Kind }>;
  /** Delays that are part of a recursion. */
  readonly recursive: ReadonlySet<NodeId>;
}

const ORDER: Readonly<Record<Kind, number>> = { value: 0, vector: 1, serial: 2, product: 3 };

/** Signals that lie in memory before any loop starts: each loop reads them where it needs them. */
const isResident = (graph: Graph, id: NodeId): boolean => {
  const { op } = nodeOf(graph, id);
  return op === 'input' || op === 'tape' || op === 'tapeInt';
};

export function schedule(graph: Graph): Schedule {
  const order = components(graph.nodes.length, (id: NodeId) => dependencies(graph, id));
  const place = new Map<NodeId, { stage: number; kind: Kind }>();
  const recursive = new Set<NodeId>();
  const stages: Record<Kind, NodeId[]>[] = [];

  for (const component of order) {
    const [first] = component as [NodeId];
    if (isResident(graph, first)) continue;
    const cyclic = component.length > 1 || dependencies(graph, first).includes(first);
    const kind = graph.domain === 'once' ? 'value' : cyclic ? 'serial' : kindOf(graph, first);
    const members = new Set(component);
    let stage = 0;
    for (const id of component) {
      for (const dependency of dependencies(graph, id)) {
        const at = members.has(dependency) ? undefined : place.get(dependency);
        if (at === undefined) continue;
        const later = isReduction(nodeOf(graph, dependency).op) || ORDER[at.kind] > ORDER[kind];
        stage = Math.max(stage, at.stage + (later ? 1 : 0));
      }
    }
    while (stages.length <= stage) {
      stages.push({ value: [], vector: [], serial: [], product: [] });
    }
    for (const id of component.toSorted((a, b) => a - b)) {
      place.set(id, { stage, kind });
      stages[stage]![kind].push(id);
      if (cyclic && isDelay(nodeOf(graph, id).op)) recursive.add(id);
    }
  }
  return { stages, place, recursive };

  function kindOf(g: Graph, id: NodeId): Kind {
    const node = nodeOf(g, id);
    if (node.op === 'sumOuter') return 'product';
    if (node.op === 'sum') {
      // Added up in the loop that computes its operand.
      const isSerial = node.shape > 1 || place.get(node.args[0]!)?.kind === 'serial';
      return isSerial ? 'serial' : 'vector';
    }
    if (node.rate !== 'sample') return 'value';
    if (node.shape > 1 || node.args.some((a) => nodeOf(g, a).shape > 1)) return 'serial';
    if (!isValueOp(node.op)) return 'vector';
    const rules: FormRules = WASM_RULES[node.op];
    const takesInt = nodeOf(g, node.args.at(-1)!).type === 'int';
    return (takesInt ? rules.intVector : rules.vector) === null ? 'serial' : 'vector';
  }
}
