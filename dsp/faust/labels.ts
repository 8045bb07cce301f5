/**
 * Faust's labels: a text with metadata in brackets, and the groups that a widget is in.
 *
 *     "h:filter/[2] cutoff [unit:Hz] [tooltip: of the low-pass]"
 *
 * Invariant: they are read as libfaust reads them, which accepts everything: brackets nest, "\"
 * keeps the next character from meaning anything, and what is not closed is left out. What metadata
 * means is not known here.
 */

export interface Label {
  /** Without metadata and the space around it. */
  readonly text: string;
  /** Value by key, "" where there is only a key; of a key that stands twice the last. */
  readonly meta: ReadonlyMap<string, string>;
  /** What begins with a bracket that is not closed, and is left out; else "". */
  readonly open: string;
}

/** Reads one label, of a widget or a group; the syntax of metadata in declarations is the same. */
export function readLabel(raw: string): Label {
  const meta = new Map<string, string>();
  let text = '';
  let key = '';
  let value = '';
  let depth = 0;
  let begin = 0;
  let isValue = false;
  const take = (char: string): void => {
    if (depth === 0) text += char;
    else if (isValue) value += char;
    else key += char;
  };
  for (let at = 0; at < raw.length; at++) {
    const char = raw[at]!;
    if (char === '\\') take(raw[++at] ?? '');
    else if (char === '[' && depth++ === 0) {
      key = value = '';
      isValue = false;
      begin = at;
    } else if (char === ']' && depth > 0 && --depth === 0) meta.set(key.trim(), value.trim());
    else if (char === ':' && depth > 0 && !isValue) isValue = true;
    else take(char);
  }
  const open = depth > 0 ? raw.slice(begin) : '';
  return { text: text.trim().replaceAll('∕', '/'), meta, open };
}

/**
 * Takes a path of the normal form apart: the label, then groups from the innermost out. It divides at
 * each "/" outside of metadata; one that belongs to a name is "∕" there.
 *
 * @returns  groups from the outermost in; all as written
 */
export function splitPath(path: string): {
  readonly label: string;
  readonly groups: readonly string[];
} {
  const parts: string[] = [];
  let depth = 0;
  let begin = 0;
  for (let at = 0; at < path.length; at++) {
    if (path[at] === '[') depth++;
    else if (path[at] === ']') depth--;
    else if (path[at] === '/' && depth <= 0) {
      parts.push(path.slice(begin, at));
      begin = at + 1;
    }
  }
  parts.push(path.slice(begin));
  const [label = '', ...groups] = parts;
  return { label, groups: groups.toReversed() };
}
