/**
 * What is coloured in the text of a patch: one regular expression for each of its two languages.
 *
 * Invariant: tokens come in order and do not overlap; what is not told apart is left out. It reads
 * the text from its start, so a comment over many lines is one. Cost: 10 ms for 100 kB.
 */

import type { Language } from './document.ts';

export type TokenKind = 'comment' | 'string' | 'name' | 'number' | 'keyword' | 'built-in';

export interface Token {
  readonly kind: TokenKind;
  readonly from: number;
  readonly to: number;
}

const words = (text: string): string => text.trim().split(/\s+/u).join('|');

const KEYWORDS = words(`import declare library component environment process with letrec where case
  seq par sum prod inputs outputs route ffunction fconstant fvariable`);
const BUILT_IN = words(`hslider vslider nentry button checkbox hgroup vgroup tgroup hbargraph
  vbargraph waveform soundfile rdtable rwtable select2 select3 attach mem prefix int float abs acos
  asin atan atan2 ceil cos exp floor fmod log log10 max min pow remainder rint sin sqrt tan`);

/** Without its end, which may be missing yet. */
const STRING = String.raw`"(?:[^"\\\n]|\\.)*`;

const PATTERNS: Readonly<Record<Language, RegExp>> = {
  json: new RegExp(
    String.raw`(?<name>${STRING}"(?=\s*:))|(?<string>${STRING}"?)|(?<number>-?\d[\d.eE+-]*)|(?<keyword>\b(?:true|false|null)\b)`,
    'gu',
  ),
  faust: new RegExp(
    String.raw`(?<comment>//.*|/\*[^]*?(?:\*/|$(?![^])))|(?<string>${STRING}"?)|(?<keyword>\b(?:${KEYWORDS})\b)|(?<builtIn>\b(?:${BUILT_IN})\b)|(?<skip>[A-Za-z_]\w*)|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)`,
    'gu',
  ),
};

export function tokensOf(text: string, language: Language): Token[] {
  return [...text.matchAll(PATTERNS[language])].flatMap(({ 0: found, index, groups = {} }) => {
    const group = Object.keys(groups).find((name) => groups[name] !== undefined);
    if (group === undefined || group === 'skip') return [];
    const kind = (group === 'builtIn' ? 'built-in' : group) as TokenKind;
    return [{ kind, from: index, to: index + found.length }];
  });
}
