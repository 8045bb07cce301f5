/** Other defaults in the text of a Faust program: which calls there are, and what stays. */

import { describe, expect, it, test } from 'vitest';
import {
  fingerprint,
  isSameBut,
  numberText,
  sliderCalls,
  untagged,
  withDefaults,
  withTags,
  writtenOut,
} from '../../../dsp/faust/export.ts';
import { readForm } from '../../../dsp/faust/form.ts';
import type { Form } from '../../../dsp/faust/form.ts';

const defaultsOf = (code: string): string[] =>
  sliderCalls(code).map(({ from, to }) => code.slice(from, to));

const SOURCE = `declare name "hslider(no, 1, 0, 2, 0.1)";
import("stdfaust.lib");
/* hslider("neither", 1, 0, 2, 0.1) */
gain = hslider ( "gain, (dB)[unit:dB][tooltip: a \\\\]" /* here */ ,  -3 // of it
  , -60, 12, 0.1) : ba.db2linear; // vslider("nor", 1, 0, 2, 0.1)
f = vslider("freq", (440, 2 : *) /* Hz */, 20, 20000, 1);
n(i) = nentry("n %i", g(i, 0), 0, 10, 1);
g(x, y) = x + y;
b = hbargraph("level", 0, 1);
process = gain * f * n(0) + hslider("x", -(1), min(-1, 2), 1, 0.1);
`;

test('calls are found where they are, with whatever their default is', () => {
  expect(defaultsOf(SOURCE)).toEqual(['-3', '(440, 2 : *)', 'g(i, 0)', '-(1)']);
});

test.each([
  'hslider',
  'hslider("a"',
  'hslider("a",',
  'hslider(x, 1, 0, 1, 1)',
  'hslider("a", , 1)',
])('what is no call is none: %s', (code) => {
  expect(sliderCalls(code)).toEqual([]);
});

test('a default is written and nothing else changes', () => {
  const calls = sliderCalls(SOURCE);
  const text = withDefaults(
    SOURCE,
    calls,
    new Map([
      [0, '-12.5'],
      [3, '0.25'],
    ]),
  );
  expect(text).toBe(SOURCE.replace(' -3 ', ' -12.5 ').replace('-(1)', '0.25'));
  expect(withDefaults(SOURCE, calls, new Map())).toBe(SOURCE);
});

test('calls are told apart by their labels, and come back without', () => {
  const tagged = withTags(SOURCE, sliderCalls(SOURCE));
  expect(tagged).toContain('"freq[livegrad_call:1]"');
  expect(tagged.replaceAll(/\[livegrad_call:\d\]/gu, '')).toBe(SOURCE);
  const widget = { kind: 'hslider', initial: 1, min: 0, max: 2, step: 0.1 } as const;
  const path = 'gain[unit:dB][livegrad_call:12]/group';
  expect(untagged({ ...widget, path })).toEqual({
    key: 'hslider|gain[unit:dB]/group|1|0|2|0.1',
    call: 12,
  });
  expect(untagged({ ...widget, path: 'gain' }).call).toBeNull();
});

test.each([
  [3e9, true, '3000000000.0'],
  [-4e9, false, '-4000000000.0'],
  [1e21, true, '1e+21'],
  [0.1, false, '0.1'],
  [Math.fround(0.1), false, '0.1'],
  [Math.fround(0.1), true, '0.10000000149011612'],
  [1 / 3, false, '0.33333333'],
  [1 / 3, true, '0.3333333333333333'],
  [-1e-7, false, '-1e-7'],
  [20_000, false, '20000'],
  [0, false, '0'],
])('%d in double precision %s is %s', (value, double, text) => {
  expect(numberText(value, double)).toBe(text);
});

const formOf = (...lines: string[]): Form => {
  const form = readForm(lines.join('\n'));
  if (!form.ok) throw new Error(form.diagnostics[0]!.message);
  return form.value;
};

describe('the same program', () => {
  const before = [
    'ID_0 = hslider("a",0.5,0.0,1.0,0.01);',
    'ID_1 = hslider("b",0.5,0.0,1.0,0.01);',
    'ID_2 = W0;',
    'ID_3 = proj0(ID_2);',
    "ID_4 = ID_3';",
    'ID_5 = ID_4*ID_1;',
    'ID_6 = IN[0]*ID_0;',
    'ID_7 = (ID_6+ID_5);',
    'ID_8 = letrec(W0 = (ID_7));',
    'ID_9 = proj0(ID_8);',
    'ID_10 = sin(ID_9);',
    'SIG = (ID_10, ID_9);',
  ];
  const wanted = (key: string): number | undefined =>
    key.startsWith('hslider|a|') ? 0.25 : undefined;
  const edited = (from: string, to: string): boolean => {
    const after = before.map((line) => line.replace('"a",0.5', '"a",0.25').replace(from, to));
    return isSameBut(formOf(...before), formOf(...after), wanted, true);
  };

  it.each([
    ['', ''],
    ['IN[0]*ID_0', 'ID_0*IN[0]'],
    ['(ID_6+ID_5)', '(ID_5+ID_6)'],
  ])('has its operands in any order: %s as %s', (from, to) => {
    expect(edited(from, to)).toBe(true);
  });

  it.each([
    ['"a",0.25', '"a",0.26'],
    ['"b",0.5', '"b",0.25'],
    ['0.0,1.0', '0.0,2.0'],
    ['"b"', '"c"'],
    ['IN[0]*ID_0', 'IN[0]*ID_1'],
    ['IN[0]', 'IN[1]'],
    ['ID_4*ID_1', 'ID_4*ID_0'],
    ["ID_3'", 'ID_3@2'],
    ['sin', 'cos'],
    ['(ID_10, ID_9)', '(ID_9, ID_10)'],
    ['(ID_10, ID_9)', '(ID_10)'],
    ['ID_6+ID_5', 'ID_6-ID_5'],
  ])('is another with %s as %s', (from, to) => {
    expect(edited(from, to)).toBe(false);
  });

  it('is known by numbers whatever its defaults are', () => {
    const other = before.map((line) => line.replace('0.5', '0.75'));
    expect(fingerprint(formOf(...other))).toEqual(fingerprint(formOf(...before)));
  });
});

describe('a definition that is used twice', () => {
  const expanded = `declare name "x";
ID_0 = hslider("gain", 1.0f, 0.0f, 2.0f, 0.1f);
ID_1 = ID_0, 2;
ID_2 = (ID_1 : *);
ID_3 = vgroup("A", ID_2);
ID_4 = vgroup("B", ID_2);
ID_5 = (_ : sin);
ID_6 = ID_3, ID_4;
process = (ID_5, (ID_6 : +) : *);
`;

  test('is written out where it holds the call, and nowhere else', () => {
    const text = writtenOut(expanded, sliderCalls(expanded), new Set([0]))!;
    expect(defaultsOf(text)).toEqual(['1.0f', '1.0f']);
    expect(text).toContain('ID_5 = (_ : sin);');
    expect(text).toContain('declare name "x";');
    expect(text).not.toMatch(/ID_[012346]\b/u);
    expect(text).toContain('vgroup("A", ((((hslider("gain", 1.0f, 0.0f, 2.0f, 0.1f)), 2) : *)))');
  });

  test('stays where it holds none of them', () => {
    const text = writtenOut(expanded, sliderCalls(expanded), new Set())!;
    expect(text.replaceAll(/\s/gu, '')).toBe(expanded.replaceAll(/\s/gu, ''));
  });

  test('is not written out for ever', () => {
    const doubling = Array.from({ length: 40 }, (_, k) => `ID_${k + 1} = (ID_${k}, ID_${k} : +);`);
    const text = `ID_0 = hslider("x", 0, 0, 1, 1);\n${doubling.join('\n')}\nprocess = ID_40;\n`;
    expect(writtenOut(text, sliderCalls(text), new Set([0]))).toBeUndefined();
  });
});
