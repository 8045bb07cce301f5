/**
 * Ids for the widgets of a Faust program, by Faust's convention of short names: the shortest end of
 * a widget's path that no other widget has.
 *
 * Invariant: ids are legal, different, and made of the paths alone, in whatever order widgets come;
 * so a control keeps its id, and with it what it has learned, when the program around it changes.
 * `inN`, `outN` and `markN` are no ids: they are signals of the program.
 */

/** Shorter than an id may be, to leave room for a number. */
const LONGEST = 110;
const RESERVED = /^(?:in|out|mark)\d+$/u;

/** A part of a path in letters, digits and "_"; empty where nothing is left. */
const legal = (part: string): string =>
  part
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9]+/gu, '_')
    .replace(/^_+|_+$/gu, '');

function joined(parts: readonly string[]): string {
  const id = parts.join('/').slice(-LONGEST).replace(/^\W+/u, '').replace(/^_+/u, '');
  const started = /^[A-Za-z]/u.test(id) ? id : `p${id}`;
  return RESERVED.test(started) ? started.replace(/\d+$/u, '-$&') : started;
}

/**
 * @param paths  labels of the groups from the outermost in, then of the widget; `otherwise` is what a
 *   widget without any is called
 * @returns      ids in the same order. Cost: paths times the depth of groups
 */
export function idsOf(
  paths: readonly { readonly path: readonly string[]; readonly otherwise: string }[],
): readonly string[] {
  const parts = paths.map(({ path, otherwise }) => {
    const words = path.map(legal).filter((part) => part !== '');
    return words.length > 0 ? words : [otherwise];
  });
  const levels = parts.map(() => 1);
  const at = (k: number): string => joined(parts[k]!.slice(-levels[k]!));
  for (;;) {
    const groups = Map.groupBy(parts.keys(), at);
    const clashing = [...groups.values()].filter((members) => members.length > 1).flat();
    const movable = clashing.filter((k) => levels[k]! < parts[k]!.length);
    if (movable.length === 0) break;
    for (const k of movable) levels[k]!++;
  }
  const used = new Set(parts.map((_, k) => at(k)));
  const given = new Set<string>();
  const counts = new Map<string, number>();
  return parts.map((_, k) => {
    const name = at(k);
    let id = name;
    while (given.has(id) || (id !== name && used.has(id))) {
      const count = (counts.get(name) ?? 1) + 1;
      counts.set(name, count);
      id = `${name}-${count}`;
    }
    given.add(id);
    return id;
  });
}
