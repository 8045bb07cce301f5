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
  /** When a node was met, from 1; 0 for one that was not. */
  const index = new Int32Array(count);
  const low = new Int32Array(count);
  const isOpen = new Uint8Array(count);
  const open: Id[] = [];
  const result: Id[][] = [];
  let met = 0;
  /** The way to the node that is looked at, and how many of its dependencies have been. */
  const trail: Id[] = [];
  const needs: (readonly Id[])[] = [];
  const next: number[] = [];
  const enter = (id: Id): void => {
    index[id] = low[id] = ++met;
    open.push(id);
    isOpen[id] = 1;
    trail.push(id);
    needs.push(dependencies(id));
    next.push(0);
  };

  for (let root = 0; root < count; root++) {
    if (index[root] === 0) enter(root as Id);
    while (trail.length > 0) {
      const top = trail.length - 1;
      const id = trail[top]!;
      const dependency = needs[top]![next[top]!++];
      if (dependency !== undefined) {
        if (index[dependency] === 0) enter(dependency);
        else if (isOpen[dependency] === 1) low[id] = Math.min(low[id]!, index[dependency]!);
        continue;
      }
      trail.pop();
      needs.pop();
      next.pop();
      const parent = trail.at(-1);
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[id]!);
      if (low[id] === index[id]) {
        const component: Id[] = [];
        for (;;) {
          const member = open.pop()!;
          isOpen[member] = 0;
          component.push(member);
          if (member === id) break;
        }
        result.push(component);
      }
    }
  }
  return result;
}
