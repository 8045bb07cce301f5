/**
 * Finds the line and column of a value in JSON text by its path, so that a diagnostic can point into
 * the file that a person edits.
 *
 * Invariant: it walks down paths without recursion, so any text that JSON.parse takes can be
 * searched, however deep. A path that does not exist gives the place of the
 * nearest parent that does. It does not check the text: JSON.parse has done that.
 */

export interface Position {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** `nodes["hidden/x"].in[1]` → ['nodes', 'hidden/x', 'in', 1]. */
export function keysOf(path: string): (string | number)[] {
  const keys: (string | number)[] = [];
  const part = /\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/gy;
  for (let at = 0; at < path.length;) {
    if (path[at] === '.') at++;
    part.lastIndex = at;
    const match = part.exec(path);
    if (match === null) break;
    if (match[1] !== undefined) keys.push(Number(match[1]));
    else if (match[2] !== undefined) keys.push(JSON.parse(match[2]) as string);
    else if (match[3] !== undefined) keys.push(match[3]);
    at = part.lastIndex;
  }
  return keys;
}

/** Finds places in one text. */
export type Locate = (keys: readonly (string | number)[]) => Position;

/**
 * The place of a value, or of its key where it is a member of an object.
 *
 * Cost: each object and array on a path is read once, however many paths go through it, so that a
 * document with thousands of mistakes is searched in the time of a few readings.
 */
export function locator(text: string): Locate {
  const root = skipSpace(text, 0);
  const known = new Map<number, ReadonlyMap<string, Child>>();
  const positionOf = positions(text);
  return (keys) => {
    let at = root;
    let found = root;
    for (const key of keys) {
      let children = known.get(at);
      if (children === undefined) known.set(at, (children = childrenOf(text, at)));
      const child = children.get(String(key));
      if (child === undefined) break;
      found = child.key;
      at = child.value;
    }
    return positionOf(found);
  };
}

/** Offsets in a text to lines and columns. */
export function positions(text: string): (offset: number) => Position {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    for (let high = starts.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

interface Child {
  readonly key: number;
  readonly value: number;
}

/** What an object or array holds, by name or index; of equal names the last, as JSON.parse has it. */
function childrenOf(text: string, open: number): Map<string, Child> {
  const children = new Map<string, Child>();
  const inObject = text[open] === '{';
  if (!inObject && text[open] !== '[') return children;
  let at = skipSpace(text, open + 1);
  for (let index = 0; at < text.length && text[at] !== ']' && text[at] !== '}'; index++) {
    const key = at;
    let name = String(index);
    if (inObject) {
      const end = skipString(text, at);
      name = JSON.parse(text.slice(at, end)) as string;
      at = skipSpace(text, skipSpace(text, end) + 1);
    }
    children.set(name, { key, value: at });
    at = skipSpace(text, skipValue(text, at));
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return children;
}

function skipSpace(text: string, at: number): number {
  while (at < text.length && ' \t\r\n'.includes(text[at] ?? '')) at++;
  return at;
}

function skipString(text: string, at: number): number {
  for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === '\\') at++;
  return at + 1;
}

function skipValue(text: string, at: number): number {
  for (let depth = 0; at < text.length;) {
    const c = text[at] ?? '';
    if (depth === 0 && ',]}'.includes(c)) break;
    if (c === '"') at = skipString(text, at);
    else {
      if ('{['.includes(c)) depth++;
      if ('}]'.includes(c)) depth--;
      at++;
    }
    if (depth === 0 && '"}]'.includes(text[at - 1] ?? '')) break;
  }
  return at;
}
