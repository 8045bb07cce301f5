/**
 * What libfaust says about a program -> diagnostics: a code, the line, one sentence, a hint.
 *
 * Invariant: nothing of C++, Emscripten or the memory file system shows; expressions are cut. It
 * only reads messages; the line is libfaust's own, and where libfaust knows none there is none.
 */

import { diagnostic, type Diagnostic, type DspCode } from '../../dsp/diagnostic.ts';
import type { Libraries } from './libraries.ts';
import { PROGRAM, type Dump } from './libfaust.ts';
import { untag } from './tag.ts';

/** Where in a patch the program is. */
const PATH = 'faust.code';

/** Longest expression that a message quotes, and longest message. */
const EXPRESSION = 80;
const MESSAGE = 400;

/** Prefixes that `stdfaust.lib` defines. */
const PREFIXES: ReadonlySet<string> = new Set(
  'aa sf an ba co de dm dx db ef en fd fi ho hy it la ma mi mo ef os no pf pl pm qu rm re ro si so sp sy tu ve vl wa wd'.split(
    ' ',
  ),
);

const TOKENS: Readonly<Record<string, string>> = {
  $end: 'the end of the program',
  ENDDEF: '";"',
  DEF: '"="',
  LPAR: '"("',
  RPAR: '")"',
  LBRAQ: '"{"',
  RBRAQ: '"}"',
  LCROC: '"["',
  RCROC: '"]"',
  PAR: '","',
  SEQ: '":"',
  SPLIT: '"<:"',
  MIX: '":>"',
  RECURSIVE: '"~"',
  REC: '"~"',
  ADD: '"+"',
  SUB: '"-"',
  MUL: '"*"',
  DIV: '"/"',
  MOD: '"%"',
  FDELAY: '"@"',
  DELAY1: '"\'"',
  DOT: '"."',
  WIRE: '"_"',
  CUT: '"!"',
  ARROW: '"=>"',
  LAMBDA: '"\\"',
  IDENT: 'a name',
  STRING: 'a text in quotation marks',
  FSTRING: 'a file name',
  INT: 'a whole number',
  FLOAT: 'a number',
  EXTRA: 'a character that Faust does not know',
};

/** The diagnostics of a run that gave no form. */
export function explain(
  dump: Exclude<Dump, { kind: 'form' }>,
  code: string,
  libraries: Libraries,
): Diagnostic[] {
  if (dump.kind === 'broken') return [explainBroken(dump.why)];
  const message = untag(dump.message).trim();
  const { file, line, text } = locate(message);
  const problem = explainRefused(text, code, libraries);
  const where = file === undefined || file === PROGRAM ? '' : ` (in ${file}, line ${line})`;
  const sentence = cut(`${problem.message}${where}`, MESSAGE);
  return [at(problem.code, sentence, problem.hint, file === PROGRAM ? line : undefined)];
}

export function at(code: DspCode, message: string, hint?: string, line?: number): Diagnostic {
  const made = diagnostic(code, PATH, message, hint);
  return line === undefined ? made : { ...made, line };
}

function explainBroken(why: 'stack' | 'memory' | 'fault'): Diagnostic {
  switch (why) {
    case 'stack':
      return at(
        'FAUST_UNSUPPORTED',
        'the program is nested too deeply, or a definition goes on without end',
        'Does a recursive definition have a case where it ends?',
      );
    case 'memory':
      return at('FAUST_UNSUPPORTED', 'the program needs more memory than its evaluation may use');
    case 'fault':
      return at('FAUST_UNSUPPORTED', 'the Faust compiler failed at this program');
  }
}

interface Located {
  readonly file?: string;
  readonly line?: number;
  readonly text: string;
}

/** Takes apart the three ways in which libfaust says where something is. */
function locate(message: string): Located {
  const found =
    /^(?<file>\S.*?):(?<line>-?\d+) : ERROR : (?<text>.*)$/su.exec(message) ??
    /^ERROR : \[file (?<file>.*?) : (?<line>-?\d+)\] : (?<text>.*)$/su.exec(message);
  const defined =
    /^ERROR : (?<text>BoxIdent\[.*?\]) is defined here : (?<file>.*):(?<line>-?\d+)$/su;
  const groups = (found ?? defined.exec(message))?.groups;
  if (groups === undefined) return { text: message.replace(/^ERROR\b( :)?\s*/u, '') };
  const { file = '', line, text = '' } = groups;
  const known = Number(line) > 0 && file !== '????';
  return known ? { file, line: Number(line), text } : { text };
}

interface Problem {
  readonly code: DspCode;
  readonly message: string;
  readonly hint?: string;
}

function explainRefused(text: string, code: string, libraries: Libraries): Problem {
  const match = (pattern: RegExp): readonly string[] | undefined => pattern.exec(text)?.slice(1);
  let found: readonly string[] | undefined;
  const syntax = (message: string, hint?: string): Problem =>
    hint === undefined
      ? { code: 'FAUST_SYNTAX', message }
      : { code: 'FAUST_SYNTAX', message, hint };

  if ((found = match(/^unable to open file (.*)$/su))) return explainMissing(found[0]!, libraries);
  if ((found = match(/^unable to access URL '?(.*?)'?$/su))) {
    const message = `"${cut(found[0]!, EXPRESSION)}" cannot be imported: the compiler does not use the network`;
    const hint = 'Put the library into a folder of faust.libraries and import it by its name.';
    return { code: 'FAUST_LIBRARY', message, hint };
  }
  if ((found = match(/^undefined symbol : (\w+)/u))) return undefinedSymbol(found[0]!, code);
  if ((found = match(/^syntax error, unexpected (\S+?)(?:, expecting (.*))?$/su))) {
    const expected = found[1]?.split(' or ').map(token).join(' or ');
    const got = token(found[0]!);
    if (expected !== undefined) return syntax(`syntax error: expected ${expected}, got ${got}`);
    const hint = found[0] === '$end' ? 'A definition ends with ";".' : undefined;
    return syntax(`syntax error: ${got} does not belong here`, hint);
  }
  if ((found = match(/^BoxIdent\[(.*)\]$/su))) {
    return syntax(`"${found[0]}" cannot be evaluated as it is used`);
  }
  if ((found = match(/^multiple definitions of symbol '(.*?)'/su))) {
    return syntax(`"${found[0]}" is defined more than once`);
  }
  const composition =
    /^(\w+) composition (.*?)\n(.*?)\s*Here\s+(.*?) = (.*);\nhas (.*?)\n+while (.*?) = (.*);\nhas (.*?)$/su;
  if ((found = match(composition))) {
    const [kind, expression, rule, nameA, a, hasA, nameB, b, hasB] = found.map(clean);
    const quoted = `${short(nameA!, a!)} has ${hasA}, ${short(nameB!, b!)} has ${hasB}`;
    return syntax(
      `${kind} composition ${cut(expression!, EXPRESSION)}: ${quoted}`,
      sentenceOf(rule!.replaceAll(/ ?\[\d+\]/gu, '')),
    );
  }
  if (text.startsWith('checkInit failed')) {
    return syntax('the content of a table depends on an input or a control');
  }
  if (/^checkKonst failed|^not a constant expression/u.test(text)) {
    return syntax('a number that must be known before the program runs is a signal');
  }
  if (text.startsWith('checkInt failed'))
    return syntax('a whole number was expected, got a real one');
  if (/^stack overflow in eval|endless evaluation cycle/u.test(text)) {
    return syntax('a definition goes on without end', 'A recursive definition needs an end.');
  }
  if (text.startsWith('the Faust program has no output')) return syntax('process has no output');
  if (text.startsWith('out of range soundfile part')) {
    const hint = 'Its first input, the number of the part, must be within 0 and 255.';
    return syntax('soundfile gets a part that it cannot have', hint);
  }
  return syntax(cut(clean(text), MESSAGE));
}

function explainMissing(file: string, libraries: Libraries): Problem {
  const why = libraries.refused.get(file);
  const message = `"${cut(file, EXPRESSION)}" is not there to import`;
  if (why !== undefined) return { code: 'FAUST_LIBRARY', message: `${message}: ${why}` };
  const hint =
    libraries.folders.length === 0
      ? 'Name the folder where it is in faust.libraries.'
      : 'It is neither a standard library nor in a folder of faust.libraries.';
  return { code: 'FAUST_LIBRARY', message, hint };
}

function undefinedSymbol(symbol: string, code: string): Problem {
  const message = `"${symbol}" is not defined`;
  if (symbol === 'process') {
    const hint = 'Define what the program does: process = …;';
    return { code: 'FAUST_SYNTAX', message, hint };
  }
  if (PREFIXES.has(symbol) && !/import\s*\(\s*"stdfaust\.lib"\s*\)/u.test(code)) {
    const hint = 'Begin the program with import("stdfaust.lib");';
    return { code: 'FAUST_SYNTAX', message, hint };
  }
  return { code: 'FAUST_SYNTAX', message };
}

const token = (name: string): string => TOKENS[name.trim()] ?? `"${name.trim().toLowerCase()}"`;

const clean = (text: string): string => text.replaceAll(/\s+/gu, ' ').trim();

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

const short = (name: string, expression: string): string =>
  `${cut(name, EXPRESSION)} = ${cut(expression, EXPRESSION)}`;

const sentenceOf = (text: string): string => clean(text).replace(/\.?$/u, '.');
