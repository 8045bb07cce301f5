/** Address patterns: the specification's, and some that are made to take for ever. */

import { expect, test } from 'vitest';
import { isPattern, matcher } from '../../../server/osc/pattern.ts';

const fits = (pattern: string, address: string): boolean | undefined => matcher(pattern)?.(address);

test.each([
  ['/params/gain', '/params/gain', true],
  ['/params/*', '/params/gain', true],
  ['/params/*', '/params/hidden/gain', false],
  ['/*/gain', '/params/gain', true],
  ['/params/g??n', '/params/gain', true],
  ['/params/g?n', '/params/gain', false],
  ['/params/[a-g]ain', '/params/gain', true],
  ['/params/[!a-f]ain', '/params/gain', true],
  ['/params/[!g]ain', '/params/gain', false],
  ['/params/{gain,dc}', '/params/dc', true],
  ['/params/{gain,dc}*', '/params/dc2', true],
  ['/params/{g,ga}in', '/params/gain', true],
  ['/params/*a*n', '/params/gain', true],
  ['/params/*', '/params/', true],
  ['/[a-]', '/-', true],
] as const)('%s means %s: %s', (pattern, address, expected) => {
  expect(fits(pattern, address)).toBe(expected);
});

test.each(['/[ab', '/{a,b', '/a]', '/a}', '/[{]', '/{a*}'])('%s is no pattern', (pattern) => {
  expect(isPattern(pattern)).toBe(true);
  expect(matcher(pattern)).toBeUndefined();
});

// Tried star by star it would take longer than any test may.
test('a pattern of many stars takes no longer than its length, and one without end is none', () => {
  expect(fits(`/${'*a'.repeat(115)}b`, `/${'a'.repeat(1000)}`)).toBe(false);
  expect(matcher(`/${'*a'.repeat(200)}`)).toBeUndefined();
});
