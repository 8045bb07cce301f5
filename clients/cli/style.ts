/**
 * Colours, marks and tables for text that people read.
 *
 * Invariant: pure functions of a Style, so that what a terminal shows can be tested as strings. A
 * style is chosen once from the stream and the environment: colours only on a terminal and never
 * with NO_COLOR, plain ASCII where the locale or the terminal has nothing else.
 */

import { stripVTControlCharacters } from 'node:util';

export type Colour = 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'dim' | 'bold' | 'inverse';

export interface Style {
  readonly colour: boolean;
  readonly unicode: boolean;
}

export const PLAIN: Style = { colour: false, unicode: true };

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  inverse: [7, 27],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
} as const satisfies Record<Colour, readonly [number, number]>;

export function paint(style: Style, colour: Colour, text: string): string {
  if (!style.colour || text === '') return text;
  const [on, off] = CODES[colour];
  return `\x1b[${on}m${text}\x1b[${off}m`;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function styleFor(stream: { readonly isTTY?: boolean }, env: Environment): Style {
  const terminal = env['TERM'];
  const forced = env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0';
  const wanted = forced || (stream.isTTY === true && terminal !== 'dumb');
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find(
    (l) => l !== undefined && l !== '',
  );
  return {
    colour: wanted && (env['NO_COLOR'] ?? '') === '',
    unicode: terminal !== 'linux' && (locale === undefined || /utf-?8/i.test(locale)),
  };
}

export const mark = (style: Style, ok: boolean): string =>
  paint(style, ok ? 'green' : 'red', style.unicode ? (ok ? '✔' : '✘') : ok ? 'ok' : 'FAIL');

/** Text cut into escape sequences and characters. */
export function pieces(text: string): string[] {
  return [...text.matchAll(PIECE)].map(([piece]) => piece);
}

const PIECE = new RegExp(`${'\x1b'}\\[[\\d;]*[A-Za-z~]|[^]`, 'gu');

/** Characters that a terminal shows, colours left out. */
export const visibleLength = (text: string): number => stripVTControlCharacters(text).length;

export const padEnd = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - visibleLength(text)));

export const padStart = (text: string, width: number): string =>
  ' '.repeat(Math.max(0, width - visibleLength(text))) + text;

/** Text and colours cut to `width` shown characters. */
export function clip(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  let shown = 0;
  let result = '';
  for (const piece of pieces(text)) {
    if (piece.startsWith('\x1b[')) result += piece;
    else if (shown < width) {
      result += piece;
      shown += piece.length;
    }
  }
  return result;
}

/** Columns two spaces apart; `align` has 'r' for those that are flush right. */
export function table(rows: readonly (readonly string[])[], align = ''): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, c) => {
      widths[c] = Math.max(widths[c] ?? 0, visibleLength(cell));
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, c) => (align[c] === 'r' ? padStart : padEnd)(cell, widths[c] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Names with `w/0`, `w/1` and so on to `w/15` in a row as `w/0 to w/15`. */
export function runs(names: readonly string[]): string[] {
  const split = (name: string): { readonly stem: string; readonly at: number } => {
    const [, stem = name, at = 'none'] = /^(.*\/)(\d+)$/u.exec(name) ?? [];
    return { stem, at: Number(at) };
  };
  const found: { first: string; last: string }[] = [];
  for (const name of names) {
    const { stem, at } = split(name);
    const run = found.at(-1);
    const before = run === undefined ? null : split(run.last);
    if (before !== null && before.stem === stem && before.at + 1 === at) run!.last = name;
    else found.push({ first: name, last: name });
  }
  return found.map(({ first, last }) => (first === last ? first : `${first} to ${last}`));
}

/** Text broken between words into lines of at most `width`; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    const fits = line !== undefined && visibleLength(line) + 1 + visibleLength(word) <= width;
    if (fits) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Names and what they stand for, no line wider than `columns` but for single words. */
export function fields(rows: readonly (readonly [string, string])[], columns = 80): string {
  const width = columns - 2 - Math.max(...rows.map(([name]) => visibleLength(name)));
  return table(
    rows.flatMap(([name, text]) => wrap(text, width).map((line, k) => [k === 0 ? name : '', line])),
  );
}

/** A number as a person compares it: about five digits, no exponent where none is needed. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(3);
  return String(Number(value.toPrecision(5)));
}

/** Digits in groups: 12,345,678. */
export const count = (value: number): string => Math.round(value).toLocaleString('en-GB');

const BLOCKS = ' ▁▂▃▄▅▆▇█';
const ASCII_BLOCKS = ' .:-=+*%#';

/** Values as heights on a logarithmic scale; the newest `width` of them. */
export function logSparkline(values: readonly number[], width: number, style: Style): string {
  const shown = values.slice(-width).map((v) => (v > 0 ? Math.log10(v) : -Infinity));
  const finite = shown.filter(Number.isFinite);
  if (finite.length === 0) return '';
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  const blocks = style.unicode ? BLOCKS : ASCII_BLOCKS;
  return shown
    .map((v) => {
      if (!Number.isFinite(v)) return blocks[0];
      return blocks[span < 1e-9 ? 1 : 1 + Math.round(((v - low) / span) * 7)];
    })
    .join('');
}

/** A wave as heights between its largest magnitude, either way; means of equally many neighbours. */
export function sparkline(wave: readonly number[], width: number, style: Style): string {
  const each = Math.ceil(wave.length / width);
  const most = Math.max(...wave.map(Math.abs));
  if (!(most > 0)) return '';
  const blocks = (style.unicode ? BLOCKS : ASCII_BLOCKS).slice(1);
  const groups = Array.from({ length: Math.ceil(wave.length / each) }, (_, k) =>
    wave.slice(k * each, (k + 1) * each),
  );
  return groups
    .map((group) => {
      const mean = group.reduce((sum, x) => sum + x, 0) / group.length;
      return blocks[Math.round(((mean / most + 1) / 2) * (blocks.length - 1))];
    })
    .join('');
}
