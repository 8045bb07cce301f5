/** The text of a Faust program before anything evaluates it: its tokens and declarations. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { declaresOf, sourceTokens } from '../../../dsp/faust/source.ts';

const pieces = (code: string): string[] =>
  [...sourceTokens(code)]
    .filter(({ kind }) => kind !== 'gap')
    .map(({ start, end }) => code.slice(start, end));

test('tokens are those of Faust', () => {
  const code = 'a1 = .5e-3f*_ /* "b" */ : f.g("x // y", 1.); // c\n<mdoc>d = "</mdoc>e=2;';
  expect(pieces(code)).toEqual(
    ['a1', '=', '.5e-3f', '*', '_', ':', 'f', '.', 'g', '(', '"x // y"', ',', '1.'].concat([
      ')',
      ';',
      'e',
      '=',
      '2',
      ';',
    ]),
  );
});

test('tokens cover every text, in order and without holes', () => {
  const part = fc.constantFrom(
    '/*',
    '*/',
    '//',
    '"',
    '<mdoc>',
    '</mdoc>',
    '\n',
    'a',
    '1',
    '.',
    '{',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string({ maxLength: 3 }))), (parts) => {
      const code = parts.join('');
      let at = 0;
      for (const { start, end } of sourceTokens(code)) {
        expect(start).toBe(at);
        expect(end).toBeGreaterThan(start);
        at = end;
      }
      expect(at).toBe(code.length);
    }),
  );
});

test('declarations are those of the program itself, in order, also twice', () => {
  const code = `
    declare name "tone"; declare livegrad "[loss:mse]";
    // declare author "nobody";
    /* declare author "nobody"; */
    declare osc author "somebody";
    label = hslider("declare author \\"x", 0, 0, 1, 1);
    e = environment { declare version "2"; a = 1; };
    declare
      options // here
      "[midi:on]" ;
    declare livegrad "[precision:double]";
    declare broken;
    process = _;
  `.replace('\\"', "'");
  expect(declaresOf(code)).toEqual([
    ['name', 'tone'],
    ['livegrad', '[loss:mse]'],
    ['options', '[midi:on]'],
    ['livegrad', '[precision:double]'],
  ]);
});
