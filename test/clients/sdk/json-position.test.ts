/** Places in JSON text, found by the paths of diagnostics. */

import { describe, expect, it } from 'vitest';
import { keysOf, locator, positions } from '../../../clients/sdk/json-position.ts';

const TEXT = `{
  "a": { "b/c": [1, {"d": "}],{"}, [[2]]] },
  "a\\u0062": true,
  "x": 1, "x": 2
}`;

describe('keysOf', () => {
  it('reads paths as diagnostics write them', () => {
    expect(keysOf('nodes.estimate.in[1]')).toEqual(['nodes', 'estimate', 'in', 1]);
    expect(keysOf('nodes["hidden/x"].op')).toEqual(['nodes', 'hidden/x', 'op']);
    expect(keysOf('sliders["a\\"b"]')).toEqual(['sliders', 'a"b']);
    expect(keysOf('')).toEqual([]);
  });
});

describe('locator', () => {
  const locate = locator(TEXT);

  it('finds members by their keys and elements by their values', () => {
    expect(locate(['a'])).toEqual({ line: 2, column: 3 });
    expect(locate(['a', 'b/c', 1, 'd'])).toEqual({ line: 2, column: 22 });
    expect(locate(['a', 'b/c', 2, 0, 0])).toEqual({ line: 2, column: 38 });
    expect(locate(['ab'])).toEqual({ line: 3, column: 3 });
  });

  it('takes the last of equal keys, as JSON.parse does', () => {
    expect(locate(['x'])).toEqual({ line: 4, column: 11 });
  });

  it('gives the nearest parent of what is not there', () => {
    expect(locate(['a', 'b/c', 9])).toEqual({ line: 2, column: 10 });
    expect(locate(['nothing', 'at', 'all'])).toEqual({ line: 1, column: 1 });
    expect(locate([])).toEqual({ line: 1, column: 1 });
  });

  it('goes through a document that is deeper than the call stack', () => {
    const depth = 100_000;
    const deep = locator('['.repeat(depth) + ']'.repeat(depth));
    expect(deep([0, 0, 0])).toEqual({ line: 1, column: 4 });
  });
});

describe('positions', () => {
  it('count lines and columns from 1', () => {
    const at = positions('a\nbc\n\nd');
    expect([0, 1, 2, 3, 5, 6].map(at)).toEqual([
      { line: 1, column: 1 },
      { line: 1, column: 2 },
      { line: 2, column: 1 },
      { line: 2, column: 2 },
      { line: 3, column: 1 },
      { line: 4, column: 1 },
    ]);
  });
});
