/**
 * What follows from node to node through a patch, recursions included: lanes, rates.
 *
 * Invariant: a node is decided once, as soon as its operands tell; what is left then depends on itself
 * alone, and its delays are taken for `alone`. Cost: linear.
 */

import type { Operand } from './operand.ts';
import type { Patch, PatchNode } from './schema.ts';

export const operandsOf = (node: PatchNode): readonly Operand[] => ('in' in node ? node.in : []);

/**
 * @param known   of the controls; that of the nodes is added to it
 * @param decide  of a node, or undefined as long as its operands do not tell
 * @param alone   of a delay that nothing else tells of
 */
export function settle(
  patch: Patch,
  known: Map<string, number>,
  decide: (node: PatchNode) => number | undefined,
  alone: number,
): void {
  const entries = Object.entries(patch.nodes);
  const users = new Map<string, string[]>();
  for (const [id, node] of entries) {
    for (const used of operandsOf(node)) {
      if (typeof used !== 'string') continue;
      const list = users.get(used);
      if (list === undefined) users.set(used, [id]);
      else list.push(id);
    }
  }
  const spread = (open: string[]): void => {
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const node = patch.nodes[id];
      if (node === undefined || known.has(id)) continue;
      const value = decide(node);
      if (value === undefined) continue;
      known.set(id, value);
      open.push(...(users.get(id) ?? []));
    }
  };
  spread(entries.map(([id]) => id));
  for (const [id, node] of entries) {
    if (known.has(id) || (node.op !== 'delay' && node.op !== 'mem')) continue;
    known.set(id, alone);
    spread([...(users.get(id) ?? [])]);
  }
}
