/**
 * What libfaust says about a program -> diagnostics: a code, the line, one sentence, a hint.
 *
 * Invariant: nothing of C++, Emscripten or the memory file system shows; expressions are cut. It
 * only reads messages; the line is libfaust's own, and where libfaust knows none there is none.
 */

import { diagnostic, nearest, type Diagnostic, type DspCode } from '../../dsp/diagnostic.ts';
import { sourceTokens } from '../../dsp/faust/source.ts';
import type { Libraries } from './libraries.ts';
import { PROGRAM, type Dump } from './libfaust.ts';
import { definitionsOf } from './locate.ts';
import type { Standard } from './standard.ts';
import { untag } from './tag.ts';

/** Where in a patch the program is. */
const PATH = 'faust.code';

/** Longest expression that a message quotes, and longest message. */
const EXPRESSION = 80;
const MESSAGE = 400;

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

/** What a message is read with. */
export interface Context {
  readonly code: string;
  readonly libraries: Libraries;
  readonly standard: Standard;
}

/** The diagnostic of a run that gave no form. */
export function explain(dump: Exclude<Dump, { kind: 'form' }>, context: Context): Diagnostic {
  if (dump.kind === 'broken') return explainBroken(dump.why, context.code);
  const { file, line, text } = placeOf(untag(dump.message).trim());
  const isOwn = file === undefined || file === PROGRAM;
  const problem = explainRefused(text, context, isOwn);
  const where = isOwn ? '' : ` (in ${file}, line ${line})`;
  const sentence = cut(`${problem.message}${where}`, MESSAGE);
  const ofProgram = file === PROGRAM ? line : undefined;
  // A library that cannot be read at all is the fault of the line that imports it.
  const unread = file !== undefined && /^syntax error|^multiple definitions/u.test(text);
  return at(
    problem.code,
    sentence,
    problem.hint ??
      (ofProgram === undefined ? undefined : endMissing(text, context.code, ofProgram)),
    problem.line ?? ofProgram ?? (unread ? lineOf(context.code, file).line : undefined),
  );
}

/** What begins a definition or a declaration. */
const BEGIN = /^\s*(?:import\s*\(|declare\s|[A-Za-z_]\w*\s*(?:\([^)]*\)\s*)?=(?![=>]))/u;

/** A hint where a definition begins before the one in front of it has ended. */
function endMissing(text: string, code: string, line: number): string | undefined {
  const isBegun = /^syntax error, unexpected (?:IDENT|IMPORT|DECLARE)$/u.test(text);
  return isBegun && BEGIN.test(code.split('\n')[line - 1] ?? '')
    ? 'Does what is before it end with ";"?'
    : undefined;
}

export function at(code: DspCode, message: string, hint?: string, line?: number): Diagnostic {
  const made = diagnostic(code, PATH, message, hint);
  return line === undefined ? made : { ...made, line };
}

function explainBroken(why: 'stack' | 'memory' | 'fault', code: string): Diagnostic {
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
      return at(
        'FAUST_UNSUPPORTED',
        'the Faust compiler failed at this program',
        code.includes('"../')
          ? 'Does a label have more "../" than there are groups around it?'
          : undefined,
      );
  }
}

interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly text: string;
}

/** Takes apart the ways in which libfaust says where something is. */
function placeOf(message: string): Place {
  const found =
    /^(?<file>\S.*?):(?<line>-?\d+) : ERROR : (?<text>.*)$/su.exec(message) ??
    /^ERROR : \[file (?<file>.*?) : (?<line>-?\d+)\] : (?<text>.*)$/su.exec(message) ??
    /^(?<file>\S.*?):(?<line>-?\d+) ERROR : (?<text>.*)$/su.exec(message);
  const defined =
    /^ERROR : (?<text>BoxIdent\[.*?\]) is defined here : (?<file>.*):(?<line>-?\d+)$/su;
  const groups = (found ?? defined.exec(message))?.groups;
  if (groups === undefined) return { text: message.replace(/^ERROR\b( :)?\s*/u, '') };
  const { file = '', line, text = '' } = groups;
  // Of an expression that is no constant it says the line of the file that it read last.
  const known =
    Number(line) > 0 && file !== '????' && !text.startsWith('not a constant expression');
  return known ? { file, line: Number(line), text } : { text };
}

interface Problem {
  readonly code: DspCode;
  readonly message: string;
  readonly hint?: string;
  /** Of the program, where libfaust says none or another. */
  readonly line?: number;
}

/** @param isOwn  whether the mistake is in the program itself */
function explainRefused(text: string, context: Context, isOwn: boolean): Problem {
  const match = (pattern: RegExp): readonly string[] | undefined => pattern.exec(text)?.slice(1);
  let found: readonly string[] | undefined;
  const syntax = (message: string, hint?: string): Problem =>
    hint === undefined
      ? { code: 'FAUST_SYNTAX', message }
      : { code: 'FAUST_SYNTAX', message, hint };

  if ((found = match(/^unable to open file ?(.*)$/su))) return explainMissing(found[0]!, context);
  if ((found = match(/^unable to access URL '?(.*?)'?$/su)))
    return explainRemote(found[0]!, context);
  if ((found = match(/^undefined symbol : (\w+)/u))) {
    return isOwn ? undefinedSymbol(found[0]!, context) : syntax(`"${found[0]}" is not defined`);
  }
  if ((found = match(/^syntax error, unexpected (\S+?)(?:, expecting (.*))?$/su))) {
    const expected = found[1]?.split(' or ').map(token).join(' or ');
    const got = token(found[0]!);
    if (expected !== undefined) return syntax(`syntax error: expected ${expected}, got ${got}`);
    const hint = found[0] === '$end' ? 'A definition ends with ";".' : undefined;
    return syntax(`syntax error: ${got} does not belong here`, hint);
  }
  if (text.startsWith('memory exhausted')) {
    return { code: 'FAUST_UNSUPPORTED', message: 'the program is nested too deeply to be read' };
  }
  if ((found = match(/^BoxIdent\[(.*)\]$/su))) {
    const hint = 'Does it get as many arguments as it takes?';
    return syntax(`"${found[0]}" cannot be evaluated as it is used`, hint);
  }
  if ((found = match(/^multiple definitions of symbol '(.*?)'/su))) {
    const again = definitionsOf(context.code).filter(({ name }) => name === found![0])[1];
    const problem = syntax(`"${found[0]}" is defined more than once`);
    return again === undefined ? problem : { ...problem, line: again.line };
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
  if ((found = match(/^no environment to access : (.*)$/su))) {
    const got = cut(clean(found[0]!), EXPRESSION);
    return syntax(`expected a library or an environment before the ".", got ${got}`);
  }
  if ((found = match(/^redefinition of symbols are not allowed : (\w+)/u))) {
    return syntax(`"${found[0]}" is defined more than once`);
  }
  if ((found = match(/^(% by 0|division by 0|remainder by 0|out of domain) in (.*)$/su))) {
    return syntax(`${found[0]} in ${cut(clean(found[1]!), EXPRESSION)}`);
  }
  if ((found = match(/^min = (\S+) should be less than max = (\S+) in '(.*)'$/su))) {
    const [min, max, widget] = found;
    return syntax(`a control has no range: expected min < max, got ${min} and ${max} (${widget})`);
  }
  if (text.startsWith('checkInit failed')) {
    return syntax('the content of a table depends on an input or a control');
  }
  if (/^checkKonst failed|^not a constant expression|^the parameter must be /u.test(text)) {
    return syntax('a number that must be known before the program runs is a signal');
  }
  if ((found = match(/^pattern matching failed, no rule of .* matches argument list (.*)$/su))) {
    const given = cut(clean(found[0]!), EXPRESSION);
    return syntax(`a definition by cases has none for the arguments ${given}`);
  }
  if (
    (found = match(
      /^too much arguments : (\d+), instead of : (\d+)\s*when applying : (.*?)\s*to : /su,
    ))
  ) {
    const [got, expected, applied] = found.map(clean);
    const what = cut(applied!, EXPRESSION);
    return syntax(`too many arguments for ${what}: expected at most ${expected}, got ${got}`);
  }
  if ((found = match(/^init = (\S+) outside of \[(\S+) (\S+)\] range in '(.*)'$/su))) {
    const [initial, min, max, widget] = found;
    const place = `expected within ${min} and ${max}, got ${initial}`;
    return syntax(`the initial value of a control is out of its range: ${place} (${widget})`);
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

function explainMissing(file: string, { libraries, code }: Context): Problem {
  const why = libraries.refused.get(file);
  const message = `"${cut(file, EXPRESSION)}" is not there to import`;
  const line = lineOf(code, file);
  if (why !== undefined) return { code: 'FAUST_LIBRARY', message: `${message}: ${why}`, ...line };
  const hint =
    libraries.folders.length === 0
      ? 'Name the folder where it is in faust.libraries.'
      : 'It is neither a standard library nor in a folder of faust.libraries.';
  return { code: 'FAUST_LIBRARY', message, hint, ...line };
}

function explainRemote(url: string, { code }: Context): Problem {
  const what = `"${cut(url, EXPRESSION)}" cannot be imported`;
  return {
    code: 'FAUST_LIBRARY',
    message: `${what}: the compiler does not use the network`,
    hint: 'Put the library into a folder of faust.libraries and import it by its name.',
    ...lineOf(code, url),
  };
}

/** Where the program has a text in quotation marks. */
function lineOf(code: string, quoted: string): { readonly line?: number } {
  for (const { kind, start, end } of sourceTokens(code)) {
    if (kind === 'string' && code.slice(start + 1, end - 1) === quoted) {
      return { line: code.slice(0, start).split('\n').length };
    }
  }
  return {};
}

function undefinedSymbol(symbol: string, { code, standard }: Context): Problem {
  const problem = (name: string, hint?: string): Problem => {
    const message = `"${name}" is not defined`;
    return { code: 'FAUST_SYNTAX', message, ...(hint === undefined ? {} : { hint }) };
  };
  if (symbol === 'process') return problem(symbol, 'Define what the program does: process = …;');
  if (symbol === 'lg')
    return problem(symbol, 'Begin the program with lg = library("livegrad.lib");');
  const imports = /import\s*\(\s*"stdfaust\.lib"\s*\)/u.test(code);
  const complete = imports ? '' : ' Begin the program with import("stdfaust.lib");';
  if (!imports && standard.isPrefix(symbol)) return problem(symbol, complete.trim());
  const prefix = new RegExp(`\\b(\\w+)\\s*\\.\\s*${symbol}\\b`, 'u').exec(code)?.[1];
  if (prefix !== undefined && standard.isPrefix(prefix)) {
    const meant = standard.nearest(prefix, symbol);
    const hint = meant === undefined ? undefined : `Did you mean ${prefix}.${meant}?`;
    return problem(`${prefix}.${symbol}`, hint);
  }
  const names = definitionsOf(code).map(({ name }) => name);
  const own = symbol.length > 2 ? nearest(symbol, new Set(names)) : undefined;
  if (own !== undefined) return problem(symbol, `Did you mean ${own}?`);
  const library = standard.prefixOf(symbol);
  return problem(
    symbol,
    library === undefined ? undefined : `Did you mean ${library}.${symbol}?${complete}`,
  );
}

const token = (name: string): string => TOKENS[name.trim()] ?? `"${name.trim().toLowerCase()}"`;

const clean = (text: string): string =>
  text
    .replace(/closure\[.*$/su, '…')
    .replaceAll(/\s+/gu, ' ')
    .trim();

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

const short = (name: string, expression: string): string =>
  `${cut(name, EXPRESSION)} = ${cut(expression, EXPRESSION)}`;

const sentenceOf = (text: string): string => clean(text).replace(/\.?$/u, '.');
