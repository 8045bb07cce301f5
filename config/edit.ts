/**
 * A configuration file with some of its settings changed.
 *
 * Invariant: whatever else is in the file stays as it is, to the byte, comments, order and all: the value
 * of a setting that is there is exchanged in its place, one that is not is a line more in its section,
 * one that is taken out is a line less. It checks nothing: what comes out is read as any file is.
 */

import { isMap, isScalar, parseDocument, type Document, type Pair, type YAMLMap } from 'yaml';

/** A setting's new value; null takes it out, so that its default holds. */
export type NewValue = string | number | boolean | readonly string[] | null;

/** @param text  YAML without mistakes; may be empty */
export function withSettings(text: string, changes: Readonly<Record<string, NewValue>>): string {
  return Object.entries(changes).reduce(
    (before, [key, value]) =>
      value === null
        ? withoutSetting(before, key.split('.'))
        : withSetting(before, key.split('.'), value),
    text,
  );
}

type Value = Exclude<NewValue, null>;

function withSetting(text: string, path: readonly string[], value: Value): string {
  const document = parseDocument(text);
  const [above, rest] = deepest(document, path);
  const [name = '', ...deeper] = rest;
  // JSON is YAML.
  const json = JSON.stringify(value);
  if (above !== undefined && rest.length === 0) return inPlace(text, above, json);
  const map = above === undefined ? document.contents : above.value;
  if (isMap(map) && map.flow === true) {
    const start = map.range![0] + 1;
    const inner = deeper.reduceRight((one, part) => `{ ${part}: ${one} }`, json);
    const comma = map.items.length > 0 ? ',' : ' ';
    return `${text.slice(0, start)} ${name}: ${inner}${comma}${text.slice(start)}`;
  }
  const lines = (indent: string): string =>
    rest
      .map((part, depth) => `${indent}${'  '.repeat(depth)}${part}:`)
      .join('\n')
      .concat(` ${json}\n`);
  if (above === undefined) {
    const end = text === '' || text.endsWith('\n') ? '' : '\n';
    return `${text}${end}${lines('')}`;
  }
  // A section that says that it is empty no longer does.
  const opened =
    isScalar(map) && map.range && map.range[1] > map.range[0] ? inPlace(text, above, '') : text;
  const at = endOfLine(opened, keyRange(above)[1]);
  const head = opened.slice(0, at).concat(opened.slice(0, at).endsWith('\n') ? '' : '\n');
  return `${head}${lines(indentIn(opened, above, at))}${opened.slice(at)}`;
}

function withoutSetting(text: string, path: readonly string[]): string {
  const document = parseDocument(text);
  const [pair, rest] = deepest(document, path);
  if (pair === undefined || rest.length > 0) return text;
  const map = document.getIn(path.slice(0, -1), true) as YAMLMap;
  if (map.flow === true) {
    document.deleteIn(path);
    return document.toString({ lineWidth: 0 });
  }
  const [start, end] = keyRange(pair);
  const value = pair.value as { readonly range?: readonly number[] } | null;
  const from = text.lastIndexOf('\n', start - 1) + 1;
  // A list over several lines ends where its last item does.
  const to = endOfLine(text, Math.max(end, (value?.range?.[1] ?? end) - 1));
  return `${text.slice(0, from)}${text.slice(to)}`;
}

/** The pair of the longest part of a path that is there, and what of the path is not. */
function deepest(
  document: Document,
  path: readonly string[],
): readonly [above: Pair | undefined, rest: readonly string[]] {
  let map: unknown = document.contents;
  let above: Pair | undefined;
  for (const [depth, name] of path.entries()) {
    const next: Pair | undefined = isMap(map)
      ? map.items.find(({ key }) => isScalar(key) && key.value === name)
      : undefined;
    if (next === undefined) return [above, path.slice(depth)];
    above = next;
    map = next.value;
  }
  return [above, []];
}

function inPlace(text: string, pair: Pair, json: string): string {
  const { range } = (pair.value ?? {}) as { readonly range?: readonly [number, number, number] };
  const after = keyRange(pair)[1];
  const colon = text.indexOf(':', after) + 1;
  // Nothing stands there yet.
  if (range === undefined || range[1] <= range[0]) {
    return `${text.slice(0, colon)} ${json}${text.slice(colon)}`;
  }
  // A list over several lines has its last line break.
  const old = text.slice(range[0], range[1]).trimEnd();
  return `${text.slice(0, range[0])}${json}${text.slice(range[0] + old.length)}`;
}

const keyRange = (pair: Pair): readonly [number, number, number] =>
  (pair.key as { readonly range: readonly [number, number, number] }).range;

/** Behind the line break at or after a place. */
function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

/** As what stands in a section is indented, comments too. */
function indentIn(text: string, section: Pair, at: number): string {
  const [start] = keyRange(section);
  const own = columnOf(text, start);
  const first = isMap(section.value) ? section.value.items[0] : undefined;
  if (first !== undefined) return ' '.repeat(columnOf(text, keyRange(first)[0]));
  const comment = /^( +)#/u.exec(text.slice(at))?.[1]?.length ?? 0;
  return ' '.repeat(comment > own ? comment : own + 2);
}

const columnOf = (text: string, at: number): number => at - (text.lastIndexOf('\n', at - 1) + 1);
