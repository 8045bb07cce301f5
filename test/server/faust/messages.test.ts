/** What a person reads who wrote a Faust program that libfaust does not take. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Diagnostic } from '../../../dsp/diagnostic.ts';
import { evaluate } from '../../../server/faust/evaluate.ts';
import { Libfaust } from '../../../server/faust/libfaust.ts';

const libfaust = new Libfaust();
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'livegrad-faust-'));
  writeFileSync(join(folder, 'undefined.lib'), 'a = 1;\n\nb = foo + 1;\n');
  writeFileSync(join(folder, 'syntax.lib'), 'a = 1;\nb = ;\n');
  writeFileSync(join(folder, 'importing.lib'), 'import("absent.lib");\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

async function problemOf(code: string): Promise<Diagnostic> {
  const result = await evaluate(libfaust, code, { double: true, libraries: [folder] });
  if (result.ok) throw new Error(`it is taken: ${code}`);
  expect(result.diagnostics).toHaveLength(1);
  const [problem] = result.diagnostics;
  const text = `${problem?.message} ${problem?.hint ?? ''}`;
  expect(text).not.toMatch(/ERROR|XMLHttp|Abort|\n|lg:program|lgwave|interval|\/folder|Sig[A-Z]/u);
  expect(text.length).toBeLessThan(600);
  return problem!;
}

const STANDARD = 'import("stdfaust.lib");\n';

interface Case {
  readonly what: string;
  readonly code: string;
  readonly expected: Partial<Diagnostic>;
}

const cases: readonly Case[] = [
  ...['process = _;', 'f(x) = x;', 'import("maths.lib");', 'declare name "x";'].map((next) => ({
    what: `a ";" that is missing before ${next}`,
    code: `a = 1\n${next}`,
    expected: { hint: 'Does what is before it end with ";"?', line: 2 },
  })),
  {
    what: 'a label that leaves more groups than there are',
    code: 'process = vgroup("a", button("../../../../x"));',
    expected: {
      code: 'FAUST_UNSUPPORTED',
      hint: 'Does a label have more "../" than there are groups around it?',
    },
  },
  {
    what: 'an end before the end of the text',
    code: 'process = _;\n\0',
    expected: { message: 'a character of code 0 does not belong here', line: 2 },
  },
  {
    what: 'a name that is not there',
    code: 'process = _ :\n\n foo;',
    expected: { code: 'FAUST_SYNTAX', message: '"foo" is not defined', line: 3 },
  },
  {
    what: 'a forgotten import of the standard libraries',
    code: 'process = fi.lowpass(3, 1000);',
    expected: { hint: 'Begin the program with import("stdfaust.lib");', line: 1 },
  },
  {
    what: 'a misspelt name of a standard library',
    code: `${STANDARD}process = fi.lowpas(3, 1000);`,
    expected: { message: '"fi.lowpas" is not defined', hint: 'Did you mean fi.lowpass?', line: 2 },
  },
  {
    what: 'a name without its prefix',
    code: `${STANDARD}\nprocess = lowpass(3, 1000);`,
    expected: { hint: 'Did you mean fi.lowpass?', line: 3 },
  },
  {
    what: 'a forgotten library of ours',
    code: 'process = lg.target(_);',
    expected: { hint: 'Begin the program with lg = library("livegrad.lib");', line: 1 },
  },
  {
    what: 'a misspelt name of its own',
    code: 'cutoff = 3;\nprocess = *(cutof);',
    expected: { hint: 'Did you mean cutoff?', line: 2 },
  },
  {
    what: 'no process',
    code: 'a = 1;',
    expected: {
      message: '"process" is not defined',
      hint: 'Define what the program does: process = …;',
    },
  },
  {
    what: 'nothing at all',
    code: ' \n',
    expected: { code: 'FAUST_SYNTAX', message: 'the program is empty' },
  },
  {
    what: 'a forgotten semicolon',
    code: 'process = _',
    expected: {
      message: 'syntax error: the end of the program does not belong here',
      hint: 'A definition ends with ";".',
      line: 1,
    },
  },
  {
    what: 'a text where a number belongs',
    code: '\nprocess = button(1);',
    expected: {
      message: 'syntax error: expected a text in quotation marks, got a whole number',
      line: 2,
    },
  },
  {
    what: 'two definitions of one name',
    code: 'a = 1;\na = 2;\nprocess = a;',
    expected: { message: '"a" is defined more than once', line: 2 },
  },
  {
    what: 'parts that do not fit, in the definition that has them',
    code: `${STANDARD}other = _;\nfilter = _,_ :\n *;\nboth = _,_,_ : filter;\nprocess = other : filter, both;`,
    expected: {
      message:
        'sequential composition A:filter: A = _,_,_ has 3 outputs, filter = _,_ : * has 2 inputs',
      hint: 'The number of outputs of A must be equal to the number of inputs of filter.',
      line: 5,
    },
  },
  {
    what: 'a recursion that does not fit',
    code: 'process = + ~ (_,_);',
    expected: {
      message:
        'recursive composition A~B: A = + has 2 inputs and 1 output, B = _,_ has 2 inputs and 2 outputs',
      line: 1,
    },
  },
  {
    what: 'a control that starts out of its range',
    code: 'g = hslider("a", 5, 0, 1, .1);\nprocess = *(g);',
    expected: { line: 1 },
  },
  {
    what: 'a table that is filled from an input',
    code: '\nprocess = rdtable(10, _, int(_));',
    expected: { message: 'the content of a table depends on an input or a control', line: 2 },
  },
  {
    what: 'a signal where a constant belongs',
    code: `${STANDARD}process = hslider("a", os.osc(3), 0, 1, .1);`,
    expected: {
      message: 'a number that must be known before the program runs is a signal',
      line: 2,
    },
  },
  {
    what: 'too many arguments',
    code: 'process = f(1, 2, 3) with { f(a) = a; };',
    expected: { message: 'too many arguments for 1: expected at most 0, got 2', line: 1 },
  },
  {
    what: 'a library that is not there',
    code: '\nimport("absent.lib"); process = _;',
    expected: { code: 'FAUST_LIBRARY', message: '"absent.lib" is not there to import', line: 2 },
  },
  {
    what: 'a library that another one misses',
    code: '\nimport("importing.lib"); process = _;',
    expected: { code: 'FAUST_LIBRARY', message: '"absent.lib" is not there to import' },
  },
  {
    what: 'an import from the network',
    code: 'import("http://example.com/x.lib"); process = _;',
    expected: {
      code: 'FAUST_LIBRARY',
      message:
        '"http://example.com/x.lib" cannot be imported: the compiler does not use the network',
      line: 1,
    },
  },
  {
    what: 'a mistake in a library',
    code: 'u = library("undefined.lib");\nprocess = u.b;',
    expected: { message: '"foo" is not defined (in undefined.lib, line 3)' },
  },
  {
    what: 'a signal where a library belongs',
    code: 'process = (_ , 3).foo;',
    expected: { message: 'expected a library or an environment before the ".", got _,3.foo' },
  },
  {
    what: 'a control without a range',
    code: 'process = hslider("a", 1, 2, 1, .1);',
    expected: { message: expect.stringContaining('expected min < max, got 2 and 1') as string },
  },
  {
    what: 'a library that cannot be read',
    code: '\n\nimport("syntax.lib");\nprocess = b;',
    expected: {
      message: 'syntax error: ";" does not belong here (in syntax.lib, line 2)',
      line: 3,
    },
  },
  {
    what: 'an expression of any length',
    code: `process = ${'_ : *(0.5) : '.repeat(300)} (_,_);`,
    expected: { code: 'FAUST_SYNTAX', line: 1 },
  },
  {
    what: 'a waveform in what does not fit',
    code: 'process = waveform{1, 2} : _;',
    expected: { message: expect.stringContaining('waveform{1,2}') as string },
  },
  {
    what: 'a program of any length',
    code: `process = _;${' '.repeat(2 ** 20)}`,
    expected: { code: 'FAUST_UNSUPPORTED', message: expect.stringContaining('too long') as string },
  },
];

test.each(cases)(
  '$what is one diagnostic, in words and with its line',
  async ({ code, expected }) => {
    expect(await problemOf(code)).toMatchObject(expected);
  },
);

test('a name in the middle of a line is no missing ";"', async () => {
  expect(await problemOf('process = _ _;')).not.toHaveProperty('hint');
});

test('an endless definition is a diagnostic, and the next program is evaluated', async () => {
  for (const code of ['f(x) = f(x); process = f(1);', 'f(x) = f(x + 1); process = f(1);']) {
    expect(await problemOf(code)).toMatchObject({
      code: 'FAUST_UNSUPPORTED',
      message: 'the program is nested too deeply, or a definition goes on without end',
    });
    expect((await evaluate(libfaust, 'process = _;', { double: true })).ok).toBe(true);
  }
});
