/**
 * Where a mistake is for which libfaust names no line: two parts that do not fit, a table that is
 * none, a constant that is a signal.
 *
 * libfaust can be asked for any definition instead of `process`. Those that fail with the same
 * words contain the mistake or use one that does; the one that uses no other is it.
 *
 * Invariant: a line is given only when all definitions that could be meant were tried. It costs
 * runs of libfaust, a few at most, on a program that has failed already.
 */

import { sourceTokens } from '../../dsp/faust/source.ts';

export interface Definition {
  readonly name: string;
  /** Counted from 1. */
  readonly line: number;
  readonly hasArguments: boolean;
  /** Every word in it. */
  readonly words: ReadonlySet<string>;
}

/** The program's own definitions, in their order. Cost: linear. */
export function definitionsOf(code: string): Definition[] {
  const found: Definition[] = [];
  let statement: string[] = [];
  let begin = 0;
  let depth = 0;
  let line = 1;
  let counted = 0;
  for (const { kind, start, end } of sourceTokens(code)) {
    if (kind === 'gap') continue;
    const text = code.slice(start, end);
    if (statement.length === 0) begin = start;
    if ('([{'.includes(text)) depth++;
    else if (')]}'.includes(text)) depth--;
    statement.push(kind === 'string' ? '""' : text);
    if (text !== ';' || depth > 0) continue;
    const [name = '', next] = statement;
    if (/^[A-Za-z_]/u.test(name) && (next === '=' || next === '(') && statement.includes('=')) {
      line += code.slice(counted, begin).split('\n').length - 1;
      counted = begin;
      const hasArguments = next === '(';
      found.push({ name, line, hasArguments, words: new Set(statement.slice(1)) });
    }
    statement = [];
  }
  return found;
}

/** Runs that one search may take, and after how long it gives up, milliseconds. */
const MOST_RUNS = 12;
const LONGEST = 1000;

/**
 * The line of the definition that a mistake is in.
 *
 * @param failing  whether a definition fails in the same way as `process`
 */
export async function locate(
  code: string,
  failing: (name: string) => Promise<boolean>,
): Promise<number | undefined> {
  const definitions = definitionsOf(code);
  const named = Map.groupBy(definitions, ({ name }) => name);
  /** All definitions that one uses. */
  const usedBy = (name: string): Set<Definition> => {
    const used = new Set(named.get(name));
    for (const { words } of used) {
      for (const word of words) for (const other of named.get(word) ?? []) used.add(other);
    }
    return used;
  };
  const process = named.get('process')?.[0];
  if (process === undefined) return undefined;
  const asked = [...usedBy('process')].filter(
    ({ name, hasArguments }) => !hasArguments && name !== 'process',
  );
  if (asked.length > MOST_RUNS) return undefined;
  const begin = performance.now();
  const guilty = new Set([process]);
  for (const definition of asked) {
    if (performance.now() - begin > LONGEST) return undefined;
    if (await failing(definition.name)) guilty.add(definition);
  }
  const first = [...guilty].find(({ name }) =>
    [...usedBy(name)].every((other) => other.name === name || !guilty.has(other)),
  );
  return first?.line;
}
