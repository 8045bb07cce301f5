/**
 * Reads the text of a Faust program as far as that goes without evaluating it: its words, strings
 * and brackets, and what it declares about itself.
 *
 * Invariant: comments, strings and `<mdoc>` are told apart as Faust's own lexer does it, so a label
 * that says `declare` or `waveform{` is a label. It knows no grammar beyond declarations.
 */

export interface SourceToken {
  /** `gap`: white space, a comment or documentation. */
  readonly kind: 'gap' | 'word' | 'string' | 'number' | 'sign';
  readonly start: number;
  readonly end: number;
}

// A byte order mark begins a text of some editors.
const GAP = /^\uFEFF|[ \t\r\n\f\v]+|\/\/[^\n]*/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?f?/y;

/** Everything in the text, in order and without holes. Cost: linear. */
export function* sourceTokens(code: string): Generator<SourceToken> {
  const match = (pattern: RegExp, at: number): number => {
    pattern.lastIndex = at;
    return pattern.test(code) ? pattern.lastIndex : at;
  };
  /** The end of what begins here and is closed by `close`, or of the text. */
  const closed = (close: string, from: number): number => {
    const found = code.indexOf(close, from);
    return found < 0 ? code.length : found + close.length;
  };
  for (let start = 0, end; start < code.length; start = end) {
    let kind: SourceToken['kind'] = 'gap';
    if (code.startsWith('/*', start)) end = closed('*/', start + 2);
    else if (code.startsWith('<mdoc>', start)) end = closed('</mdoc>', start + 6);
    else end = match(GAP, start);
    if (end === start) {
      if (code[start] === '"' && code.includes('"', start + 1)) {
        kind = 'string';
        end = closed('"', start + 1);
      } else {
        kind = 'word';
        end = match(WORD, start);
        if (end === start) {
          kind = 'number';
          end = match(NUMBER, start);
        }
        if (end === start) {
          kind = 'sign';
          end = start + 1;
        }
      }
    }
    yield { kind, start, end };
  }
}

export type Declare = readonly [key: string, value: string];

/**
 * What a program declares about itself, in the order of the text: `declare key "value";`.
 *
 * Declarations about a function (`declare f author "…";`), in an environment, or in an imported
 * file are none of the program's. Cost: linear.
 */
export function declaresOf(code: string): Declare[] {
  const found: Declare[] = [];
  let depth = 0;
  let words: string[] | null = null;
  for (const { kind, start, end } of sourceTokens(code)) {
    if (kind === 'gap') continue;
    const text = code.slice(start, end);
    if (text === '{') depth++;
    else if (text === '}') depth--;
    if (depth === 0 && kind === 'word' && text === 'declare') words = [];
    else if (kind === 'word' && words?.length === 0) words.push(text);
    else if (kind === 'string' && words?.length === 1) words.push(text.slice(1, -1));
    else if (text === ';' && words?.length === 2) {
      found.push([words[0]!, words[1]!]);
      words = null;
    } else words = null;
  }
  return found;
}

/**
 * The line of a word in a program, counted from 1; undefined where it does not stand there, or on
 * several lines. Cost: linear.
 */
export function lineOfWord(code: string, word: string): number | undefined {
  const lines = new Set<number>();
  let line = 1;
  let counted = 0;
  for (const { kind, start, end } of sourceTokens(code)) {
    if (kind === 'gap' || kind === 'string' || code.slice(start, end) !== word) continue;
    for (; counted < start; counted++) if (code[counted] === '\n') line++;
    lines.add(line);
  }
  return lines.size === 1 ? line : undefined;
}
