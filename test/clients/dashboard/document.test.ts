/** A patch as text and back, and what is coloured in it. */

import { expect, it } from 'vitest';
import { languageOf, readDocument, textOf } from '../../../clients/dashboard/document.ts';
import { tokensOf } from '../../../clients/dashboard/highlight.ts';
import type { PatchDocument } from '../../../clients/dashboard/types.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';

const program = (code: string, name = 'box'): PatchDocument =>
  ({ format: 'livegrad.patch/1', name, faust: { code } }) as PatchDocument;

it('every shipped patch is the same after being written and read', () => {
  for (const patch of Object.values(EXAMPLES)) {
    const text = textOf(patch);
    expect(readDocument(text)).toEqual({ ok: true, document: structuredClone(patch) });
    expect(languageOf(text)).toBe('json');
  }
});

it('a node has a line, and no line is long without need', () => {
  const lines = textOf(EXAMPLES['one-pole']!).split('\n');
  expect(lines).toContain('    "estimate": { "op": "add", "in": ["x", "estimate/fed"] }');
  const long = lines.filter((line) => line.length > 100 && !line.includes('"doc"'));
  expect(long).toEqual([]);
});

it('a program is its source, and an edit of the one that plays unless it has its own name', () => {
  const patch = program('process = _;');
  expect(textOf(patch)).toBe('process = _;');
  const documentOf = (text: string) => {
    const read = readDocument(text, patch);
    return read.ok ? read.document : undefined;
  };
  expect(documentOf('process = !;')).toEqual(program('process = !;'));
  const named = 'declare name "other";\nprocess = _;';
  expect(documentOf(named)).toEqual({ format: 'livegrad.patch/1', faust: { code: named } });
});

it('what is no JSON is marked where it ceases to be', () => {
  // The place is that of the caret.
  const faulty = [
    '{\n  "a": 1,\n  "b": ^}\n',
    '{ "a": [1, 2^',
    '{ "a": 1 ^"b": 2 }',
    '{ "a": 1, ^}',
    '{ "a": [1, ^] }',
    '{ "a": ^01 }',
    '{ "a": ^.5 }',
    '{ ^a: 1 }',
    '{ "a"^, 1 }',
    '{ "a": {} ^] }',
    '{ "a": ^"open\n}',
    '{ "a": ^tru }',
    '{ "a": [true, null, -1.5e3, "\\u00e4"] } ^x',
  ];
  for (const sample of faulty) {
    const before = sample.slice(0, sample.indexOf('^')).split('\n');
    const place = { line: before.length, column: before.at(-1)!.length + 1 };
    expect(readDocument(sample.replace('^', '')), sample).toMatchObject({ ok: false, mark: place });
  }
});

const kinds = (text: string, language: 'json' | 'faust') =>
  tokensOf(text, language).map(({ kind, from, to }) => `${kind} ${text.slice(from, to)}`);

it('names, strings and numbers of JSON are told apart, also in strings that have a colon', () => {
  expect(kinds('{ "a": "b\\": c", "d": [-1.5e3, true] }', 'json')).toEqual([
    'name "a"',
    'string "b\\": c"',
    'name "d"',
    'number -1.5e3',
    'keyword true',
  ]);
  expect(kinds('{ "open', 'json')).toEqual(['string "open']);
});

it('comments, keywords and numbers of Faust are found, and not within names', () => {
  const text = '// one\n/* two\n lines */ import("a.lib"); process = min(x1, 2.5) * importance; /*';
  expect(kinds(text, 'faust')).toEqual([
    'comment // one',
    'comment /* two\n lines */',
    'keyword import',
    'string "a.lib"',
    'keyword process',
    'built-in min',
    'number 2.5',
    'comment /*',
  ]);
});
