/**
 * Finds the line and column of a value in JSON text by its path, so that a diagnostic can point into
 * the file that a person edits.
 *
 * Invariant: it walks down one path and skips everything else without recursion, so any text that
 * JSON.parse takes can be searched, however deep. A path that does not exist gives the place of the
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

/** The place of a value, or of its key where it is a member of an object. */
export function locate(text: string, keys: readonly (string | number)[]): Position {
  let at = skipSpace(text, 0);
  let found = at;
  for (const key of keys) {
    const child = text[at] === '{' ? member(text, at, key) : element(text, at, key);
    if (child === null) break;
    found = child.key;
    at = child.value;
  }
  return positionAt(text, found);
}

export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - start + 1 };
}

interface Child {
  readonly key: number;
  readonly value: number;
}

/** The last member of that name, as JSON.parse takes the last one. */
function member(text: string, open: number, key: string | number): Child | null {
  let found: Child | null = null;
  for (let at = skipSpace(text, open + 1); text[at] === '"';) {
    const end = skipString(text, at);
    const value = skipSpace(text, skipSpace(text, end) + 1);
    if (JSON.parse(text.slice(at, end)) === String(key)) found = { key: at, value };
    at = skipSpace(text, skipValue(text, value));
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return found;
}

function element(text: string, open: number, key: string | number): Child | null {
  if (text[open] !== '[' || typeof key !== 'number') return null;
  let at = skipSpace(text, open + 1);
  for (let index = 0; at < text.length && text[at] !== ']'; index++) {
    if (index === key) return { key: at, value: at };
    at = skipSpace(text, skipValue(text, at));
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return null;
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
