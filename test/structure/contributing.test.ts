/** The operation that CONTRIBUTING.md shows is the one that stands in the sources, word for word. */

import { expect, it } from 'vitest';
import { read } from '../support/sources.ts';

const shown = [...read('CONTRIBUTING.md').matchAll(/```ts (\S+)\n([\s\S]*?)```/g)];
const words = (text: string): string => text.replace(/\s+/g, ' ').trim();

it('CONTRIBUTING.md shows five places', () => {
  expect(shown.length).toBe(5);
});

it.each(shown.map(([, path, code]) => [path!, code!] as const))(
  'what CONTRIBUTING.md shows of %s is there',
  (path, code) => {
    expect(words(read(path))).toContain(words(code));
  },
);
