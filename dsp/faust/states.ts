/**
 * Names for what a Faust program remembers, so that an edited program finds it again.
 *
 * Nothing in Faust has a name. A state is called by what it is made of, three operations deep, without
 * the numbers in it, and counted where several are made alike: the name outlives an edit of a constant
 * or of another part of the program. Cost: linear.
 */

import type { Form } from './form.ts';

const DEPTH = 3;

/** FNV-1a, 32 bits. Source: G. Fowler, L. C. Noll, K.-P. Vo, 1991. */
function hash(text: string): string {
  let h = 0x811c9dc5;
  for (let k = 0; k < text.length; k++) h = Math.imul(h ^ text.charCodeAt(k), 0x01000193);
  return (h >>> 0).toString(36);
}

/** By number of the node. */
export function stateNames({ nodes }: Form): readonly string[] {
  let names = nodes.map(({ op, text, args }) => hash(`${op} ${text} ${args.length}`));
  for (let k = 0; k < DEPTH; k++) {
    names = nodes.map(({ args }, id) => hash([names[id], ...args.map((arg) => names[arg])].join()));
  }
  const counts = new Map<string, number>();
  return names.map((name) => {
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return `${name}.${count}`;
  });
}
