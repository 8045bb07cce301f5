/**
 * Which operations of a loop of one sample are needed only where a choice takes them: they are
 * computed behind a jump then, and skipped by the other samples.
 *
 * What is skipped costs nothing and is waited for by nobody, where the processor foresees the jump.
 * So a choice must not depend on what is heard, nor on products of ints, of which noise is made: a
 * counter or a phase comes round. Invariant: an operation has one place, behind the innermost choice
 * that is all that needs it; states, memories and what others see are always computed. Cost: linear
 * but for the ways from choices to what they depend on.
 */

import { isDelay, isTape, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { isValueOp } from '../interpret/rules.ts';
import { OPS } from '../ir/ops.ts';

/** Which operand of a `select`. */
export type Side = 1 | 2;

/** Where an operation is computed: behind this side of this choice. */
export interface Branch {
  readonly select: NodeId;
  readonly side: Side;
}

/** What is skipped has to cost more than a jump, in units of `OpSpec.cost`. */
const LEAST_COST = 8;
/** Jumps within jumps. */
const DEEPEST = 12;

/**
 * @param members    of a loop of one sample
 * @param isVisible  does anything see a node but operations that have it as an operand?
 */
export function branchesOf(
  graph: Graph,
  members: readonly NodeId[],
  isVisible: (id: NodeId) => boolean,
): ReadonlyMap<NodeId, Branch> {
  const branches = new Map<NodeId, Branch>();
  const here = new Set(members);
  const isNumber = (id: NodeId): boolean => nodeOf(graph, id).shape === 1;
  const selects = members.filter((id) => nodeOf(graph, id).op === 'select' && isNumber(id));
  if (selects.length === 0) return branches;
  const users = new Map<NodeId, NodeId[]>();
  for (const id of members) {
    for (const arg of new Set(nodeOf(graph, id).args)) {
      const known = users.get(arg);
      if (known === undefined) users.set(arg, [id]);
      else known.push(id);
    }
  }
  const foreseen = foreseeable(graph);
  const mayWait = (id: NodeId): boolean =>
    here.has(id) && isValueOp(nodeOf(graph, id).op) && isNumber(id) && !isVisible(id);

  /** Jumps within the sides of a choice, the longest way in. */
  const depths = new Map<NodeId, number>();
  for (const select of selects) {
    const { args } = nodeOf(graph, select);
    if (!foreseen(args[0]!)) continue;
    for (const side of [1, 2] as const) {
      const found = neededBy(select, side);
      let [cost, depth] = [0, 1];
      for (const id of found) {
        cost += OPS[nodeOf(graph, id).op].cost;
        depth = Math.max(depth, 1 + (depths.get(id) ?? 0));
      }
      if (cost < LEAST_COST || depth > DEEPEST) continue;
      depths.set(select, Math.max(depth, depths.get(select) ?? 0));
      for (const id of found) if (!branches.has(id)) branches.set(id, { select, side });
    }
  }
  return branches;

  /** What nothing needs but one operand of a choice. */
  function neededBy(select: NodeId, side: Side): ReadonlySet<NodeId> {
    const { args } = nodeOf(graph, select);
    const found = new Set<NodeId>();
    const isOnly = args.filter((arg) => arg === args[side]).length === 1;
    const open = isOnly ? [args[side]!] : [];
    while (open.length > 0) {
      const id = open.pop()!;
      if (found.has(id) || !mayWait(id)) continue;
      const others = (users.get(id) ?? []).filter((user) => !found.has(user));
      // The other side, or what decides, may need it as well.
      if (others.some((user) => user !== select || id !== args[side])) continue;
      found.add(id);
      open.push(...nodeOf(graph, id).args);
    }
    return found;
  }
}

/** Does a signal come out of neither what is heard nor products of ints? */
function foreseeable(graph: Graph): (id: NodeId) => boolean {
  const unforeseen = new Set<NodeId>();
  const users = new Map<NodeId, NodeId[]>();
  const use = (arg: NodeId, user: NodeId): void => {
    const known = users.get(arg);
    if (known === undefined) users.set(arg, [user]);
    else known.push(user);
  };
  const open: NodeId[] = [];
  graph.nodes.forEach(({ op, args, type }, n) => {
    const id = n as NodeId;
    for (const arg of args) use(arg, id);
    if (isDelay(op)) use(graph.delays.get(id)!, id);
    if (op === 'input' || isTape(op) || (op === 'mul' && type === 'int')) open.push(id);
  });
  while (open.length > 0) {
    const id = open.pop()!;
    if (unforeseen.has(id)) continue;
    unforeseen.add(id);
    open.push(...(users.get(id) ?? []));
  }
  return (id) => !unforeseen.has(id);
}

/** Where a node counts as read by another one: by the outermost choice that keeps the two apart. */
export function outermost(
  branches: ReadonlyMap<NodeId, Branch>,
  user: NodeId,
  operand: NodeId,
): NodeId {
  const around = new Set<Branch>();
  for (let at = branches.get(operand); at !== undefined; at = branches.get(at.select)) {
    around.add(at);
  }
  let found = user;
  for (let at = branches.get(user); at !== undefined; at = branches.get(at.select)) {
    const { select, side } = at;
    if ([...around].some((one) => one.select === select && one.side === side)) break;
    found = select;
  }
  return found;
}
