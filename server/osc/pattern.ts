/**
 * Address patterns of Open Sound Control: `?`, `*`, `[a-z]`, `[!abc]`, `{this,that}`, each within
 * one part of an address.
 *
 * Invariant: matching takes time proportional to the product of the two lengths at most, whatever the
 * pattern: all places that are reached are followed side by side, none is tried again. A pattern that
 * is not well formed matches nothing.
 */

type Token =
  | { readonly kind: 'any' }
  | { readonly kind: 'many' }
  | { readonly kind: 'class'; readonly not: boolean; readonly has: (char: string) => boolean }
  | { readonly kind: 'words'; readonly words: readonly string[] };

/** Longer ones match nothing: each is compared with every address. */
const MAX_PATTERN = 240;
const SPECIAL = /[?*[\]{}]/u;

export const isPattern = (address: string): boolean => SPECIAL.test(address);

/** Whether a pattern means an address; undefined where it is not well formed. */
export function matcher(pattern: string): ((address: string) => boolean) | undefined {
  if (pattern.length > MAX_PATTERN) return undefined;
  const parts = pattern.split('/').map(tokensOf);
  if (parts.includes(undefined)) return undefined;
  const known = parts as readonly (readonly Token[])[];
  return (address) => {
    const names = address.split('/');
    return names.length === known.length && names.every((name, k) => fits(known[k]!, name));
  };
}

function tokensOf(part: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  for (let i = 0; i < part.length; i++) {
    const char = part[i]!;
    if (char === '?') tokens.push({ kind: 'any' });
    else if (char === '*') {
      if (tokens.at(-1)?.kind !== 'many') tokens.push({ kind: 'many' });
    } else if (char === '[' || char === '{') {
      const end = part.indexOf(char === '[' ? ']' : '}', i);
      if (end < 0) return undefined;
      const inside = part.slice(i + 1, end);
      if (SPECIAL.test(inside)) return undefined;
      tokens.push(char === '[' ? classOf(inside) : { kind: 'words', words: inside.split(',') });
      i = end;
    } else if (char === ']' || char === '}') return undefined;
    else tokens.push({ kind: 'words', words: [char] });
  }
  return tokens;
}

function classOf(text: string): Token {
  const not = text.startsWith('!');
  const spans: [string, string][] = [];
  const chars = not ? text.slice(1) : text;
  for (let i = 0; i < chars.length; i++) {
    const isSpan = chars[i + 1] === '-' && i + 2 < chars.length;
    spans.push([chars[i]!, chars[isSpan ? i + 2 : i]!]);
    if (isSpan) i += 2;
  }
  return { kind: 'class', not, has: (c) => spans.some(([from, to]) => c >= from && c <= to) };
}

function fits(tokens: readonly Token[], name: string): boolean {
  let places = new Set([0]);
  for (const token of tokens) {
    const next = new Set<number>();
    if (token.kind === 'many') {
      for (let at = Math.min(...places); at <= name.length; at++) next.add(at);
    } else {
      for (const at of places) {
        if (token.kind === 'words') {
          for (const word of token.words) {
            if (name.startsWith(word, at)) next.add(at + word.length);
          }
        } else if (at < name.length) {
          if (token.kind === 'any' || token.has(name[at]!) !== token.not) next.add(at + 1);
        }
      }
    }
    if (next.size === 0) return false;
    places = next;
  }
  return places.has(name.length);
}
