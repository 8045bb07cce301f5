/**
 * A patch as the text that a person edits: the source of a Faust program, else JSON; and back.
 *
 * Invariant: `readDocument(textOf(patch))` is the patch, or for a program its source with all else
 * left to what the host knows of it. Nothing is checked but that JSON is JSON.
 */

import { positions } from '../sdk/client.ts';
import type { PatchDocument } from './types.ts';

const WIDTH = 92;

export const textOf = (patch: PatchDocument): string =>
  patch.faust?.code ?? `${print(patch, '')}\n`;

/** JSON that breaks lines only where they would become long; a document's own members always. */
function print(value: unknown, indent: string, column = indent.length): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (indent !== '') {
    const line = flat(value);
    if (column + line.length < WIDTH) return line;
  }
  const deeper = `${indent}  `;
  const rows = membersOf(value).map(
    ([key, member]) => deeper + key + print(member, deeper, deeper.length + key.length),
  );
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  return `${open}\n${rows.join(',\n')}\n${indent}${close}`;
}

function flat(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = membersOf(value).map(([key, member]) => key + flat(member));
  if (Array.isArray(value)) return `[${members.join(', ')}]`;
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

const membersOf = (value: object): (readonly [string, unknown])[] =>
  Array.isArray(value)
    ? value.map((item) => ['', item] as const)
    : Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([key, member]) => [`${JSON.stringify(key)}: `, member] as const);

export type Language = 'json' | 'faust';

/** A document begins with a brace; a program of Faust does not. */
export const languageOf = (text: string): Language =>
  text.trimStart().startsWith('{') ? 'json' : 'faust';

/** A finding at its place in the text, or of the whole where there is none. */
export interface Mark {
  readonly message: string;
  readonly hint?: string | undefined;
  /** From 1. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

export type Read =
  { readonly ok: true; readonly document: object } | { readonly ok: false; readonly mark: Mark };

/** @param playing  the patch that plays: a program that declares no name is an edit of it */
export function readDocument(text: string, playing?: PatchDocument): Read {
  if (languageOf(text) === 'faust') {
    const declaresName = /^\s*declare\s+name\s/mu.test(text);
    const name = playing?.faust === undefined || declaresName ? {} : { name: playing.name };
    return { ok: true, document: { format: 'livegrad.patch/1', ...name, faust: { code: text } } };
  }
  try {
    return { ok: true, document: JSON.parse(text) as object };
  } catch (error) {
    const message = `Not JSON: ${(error as Error).message}`;
    return { ok: false, mark: { message, ...positions(text)(faultIn(text)) } };
  }
}

const PIECE =
  /\s*(?:([[{])|([\]}])|(,)|(:)|("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[\da-f]{4}))*")|(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?|true|false|null)(?![\w.]))/iuy;

/** Where a text stops being JSON: engines do not all say it. */
function faultIn(text: string): number {
  const open: string[] = [];
  let expected: 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'end' = 'value';
  for (let at = 0; ;) {
    const start = text.length - text.slice(at).trimStart().length;
    PIECE.lastIndex = at;
    const found = PIECE.exec(text);
    if (found === null) return start;
    at = PIECE.lastIndex;
    const [, opening, closing, comma, colon, string] = found;
    const isValue = expected === 'value' || expected === 'value or end';
    if (opening !== undefined && isValue) {
      open.push(opening);
      expected = opening === '{' ? 'key or end' : 'value or end';
    } else if (closing !== undefined && expected.endsWith('end')) {
      if (open.pop() !== (closing === '}' ? '{' : '[')) return start;
      expected = 'end';
    } else if (comma !== undefined && expected === 'end' && open.length > 0) {
      expected = open.at(-1) === '{' ? 'key' : 'value';
    } else if (colon !== undefined && expected === 'colon') {
      expected = 'value';
    } else if (string !== undefined && expected.startsWith('key')) {
      expected = 'colon';
    } else if (isValue && (opening ?? closing ?? comma ?? colon) === undefined) {
      expected = 'end';
    } else {
      return start;
    }
  }
}
