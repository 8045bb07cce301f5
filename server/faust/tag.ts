/**
 * Names the contents of waveforms in a text before it is evaluated, since the normal form does not
 * tell them, and takes the names out of the form again.
 *
 * Context: libfaust prints `waveform{...}`. `expandDSP` knows more, but its text grows with what is
 * shared (5 MB for a reverberator), and evaluating that takes as long again. A waveform's numbers
 * are always literal, so it is attached to a foreign constant named after them, which leaves its
 * type, its range and all of the form around it as they are (tested against the form without).
 *
 * Invariant: a tagged text has its lines where the original has them. Equal waveforms have equal
 * names, in whatever file they are. What is said of groups and labels is in labels.ts.
 */

import { createHash } from 'node:crypto';
import { sourceTokens } from '../../dsp/faust/source.ts';
import type { FaustProgram, Waveform } from '../../dsp/faust/program.ts';

export interface Tagged {
  readonly text: string;
  /** By name. */
  readonly waveforms: ReadonlyMap<string, Waveform>;
  /** What groups and widgets are called in it. */
  readonly labels: readonly Label[];
}

export interface Label {
  readonly word: string;
  /** As written, without its quotation marks. */
  readonly text: string;
}

const LABELLED: ReadonlySet<string> = new Set(
  'vgroup hgroup tgroup hslider vslider nentry button checkbox hbargraph vbargraph soundfile'.split(
    ' ',
  ),
);

const WORTHWHILE = /waveform|[vht]group|slider|nentry|button|checkbox|bargraph|soundfile/u;

/** Cost: linear. */
export function tag(code: string): Tagged {
  const waveforms = new Map<string, Waveform>();
  const labels: Label[] = [];
  if (!WORTHWHILE.test(code)) return { text: code, waveforms, labels };
  const tokens = [...sourceTokens(code)].filter(({ kind }) => kind !== 'gap');
  const textOf = (k: number): string => {
    const token = tokens[k];
    return token === undefined ? '' : code.slice(token.start, token.end);
  };
  const parts: string[] = [];
  let done = 0;
  const replace = (first: number, last: number, text: string): void => {
    parts.push(code.slice(done, tokens[first]!.start), text);
    done = tokens[last]!.end;
  };
  tokens.forEach(({ kind }, k) => {
    if (kind !== 'word') return;
    const word = textOf(k);
    if (word === 'waveform') {
      const found = readWaveform(k, textOf);
      if (found === undefined) return;
      const name = nameOf(found.waveform);
      waveforms.set(name, found.waveform);
      const literal = code.slice(tokens[k]!.start, tokens[found.last]!.end);
      replace(k, found.last, `(${literal}:(_,(_,fconstant(int ${name},"${name}"):attach)))`);
    } else if (LABELLED.has(word) && textOf(k + 1) === '(' && tokens[k + 2]?.kind === 'string') {
      const text = textOf(k + 2).slice(1, -1);
      const flat = text.replaceAll('\n', ' ');
      labels.push({ word, text: flat });
      // A line of the form must be a line.
      if (flat !== text) replace(k + 2, k + 2, `"${flat}"${text.replaceAll(/[^\n]/gu, '')}`);
    }
  });
  parts.push(code.slice(done));
  return { text: parts.join(''), waveforms, labels };
}

/** `waveform { 1, -2.5, … }` from its word on; undefined where it is none. */
function readWaveform(
  word: number,
  textOf: (k: number) => string,
): { waveform: Waveform; last: number } | undefined {
  if (textOf(word + 1) !== '{') return undefined;
  const values: number[] = [];
  let isInt = true;
  for (let k = word + 2; ; k++) {
    const sign = textOf(k);
    if (sign === '-' || sign === '+') k++;
    const text = textOf(k);
    if (!/^[\d.]/u.test(text)) return undefined;
    const isWhole = /^\d+$/u.test(text);
    isInt &&= isWhole;
    const size = isWhole ? Number(text) : Number.parseFloat(text);
    const value = sign === '-' ? -size : size;
    // Whole numbers have 32 bits.
    values.push(isWhole ? value | 0 : value);
    const next = textOf(++k);
    if (next === '}') return { waveform: { values, isInt }, last: k };
    if (next !== ',') return undefined;
  }
}

const nameOf = ({ values, isInt }: Waveform): string =>
  `lgwave_${createHash('sha256')
    .update(isInt ? 'int' : 'real')
    .update(Float64Array.from(values))
    .digest('hex')
    .slice(0, 24)}`;

/** What a text said before it was tagged, for messages about it. */
export const untag = (text: string): string =>
  text.replaceAll(
    / ?: ?\(?_ ?, ?\(?_ ?, ?fconstant\(int lgwave_\w*, ?"?[^)]*\) ?: ?attach\)*/gu,
    '',
  );

const WAVE = /^(ID_\d+) = attach\(waveform\{\.\.\.\},(lgwave_\w+)\);$/u;

/**
 * The lines of the form without names: waveforms numbered in their order of appearance, and called
 * with the place in them at each sample.
 *
 * @param waveformOf  by name
 * @returns undefined where a waveform has no name, or a name no waveform
 */
export function restore(
  dump: string,
  waveformOf: (name: string) => Waveform | undefined,
): Pick<FaustProgram, 'form' | 'waveforms'> | undefined {
  const names: string[] = [];
  const waveforms: Waveform[] = [];
  const lines: string[] = [];
  let line = 1 + largest(dump, /^ID_(\d+) =/gmu);
  let recursion = 1 + largest(dump, /\bW(\d+)\b/gu);
  for (const text of dump.split('\n')) {
    if (!/^(?:ID_\d+|SIG) = /u.test(text)) continue;
    const [, id, name] = WAVE.exec(text) ?? [];
    if (id === undefined || name === undefined) {
      if (/^[^"]*(?:lgwave_|waveform\{)/u.test(text)) return undefined;
      lines.push(text);
      continue;
    }
    const waveform = waveformOf(name);
    if (waveform === undefined) return undefined;
    if (!names.includes(name)) {
      names.push(name);
      waveforms.push(waveform);
    }
    // i ← (i + 1) mod n; the value before that is 0, 1, …, n−1, 0, …
    const group = `W${recursion++}`;
    const at = (k: number): string => `ID_${line + k}`;
    lines.push(
      `${at(0)} = ${group};`,
      `${at(1)} = proj0(${at(0)});`,
      `${at(2)} = ${at(1)}';`,
      `${at(3)} = 1+${at(2)};`,
      `${at(4)} = ${at(3)}%${waveform.values.length};`,
      `${at(5)} = letrec(${group} = (${at(4)}));`,
      `${at(6)} = proj0(${at(5)});`,
      `${at(7)} = ${at(6)}';`,
      `${id} = lgwave${names.indexOf(name)}(${at(7)});`,
    );
    line += 8;
  }
  return { form: lines.join('\n'), waveforms };
}

function largest(text: string, pattern: RegExp): number {
  let found = -1;
  for (const [, number] of text.matchAll(pattern)) found = Math.max(found, Number(number));
  return found;
}
