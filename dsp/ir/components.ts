/**
 * Strongly connected components: what depends on itself through what.
 *
 * Source: R. Tarjan, Depth-first search and linear graph algorithms, SIAM J. Comput. 1(2), 1972;
 * with a stack of its own, because graphs are deeper than the call stack. Cost: linear.
 */

/**
 * @param count         nodes, numbered from 0
 * @param dependencies  of a node
 * @returns             components, dependencies first; the members of one in no order
 */
export function components<Id extends number>(
  count: number,
  dependencies: (id: Id) => readonly Id[],
): Id[][] {
  const index = new Map<Id, number>();
  const low = new Map<Id, number>();
  const open: Id[] = [];
  const isOpen = new Set<Id>();
  const result: Id[][] = [];

  for (let root = 0; root < count; root++) {
    if (index.has(root as Id)) continue;
    const trail = [{ id: root as Id, next: 0 }];
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const { id } = top;
      if (top.next === 0) {
        index.set(id, index.size);
        low.set(id, index.get(id)!);
        open.push(id);
        isOpen.add(id);
      }
      const next = dependencies(id)[top.next++];
      if (next !== undefined) {
        if (!index.has(next)) trail.push({ id: next, next: 0 });
        else if (isOpen.has(next)) low.set(id, Math.min(low.get(id)!, index.get(next)!));
        continue;
      }
      trail.pop();
      const parent = trail.at(-1)?.id;
      if (parent !== undefined) low.set(parent, Math.min(low.get(parent)!, low.get(id)!));
      if (low.get(id) === index.get(id)) {
        const component: Id[] = [];
        for (;;) {
          const member = open.pop()!;
          isOpen.delete(member);
          component.push(member);
          if (member === id) break;
        }
        result.push(component);
      }
    }
  }
  return result;
}
