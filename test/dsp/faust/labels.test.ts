/**
 * Labels of Faust read as libfaust 2.88 reads them, which its JSON description shows, and paths of
 * its normal form.
 */

import { describe, expect, it } from 'vitest';
import { readLabel, splitPath } from '../../../dsp/faust/labels.ts';

describe('a label', () => {
  it.each<[raw: string, text: string, meta: Record<string, string>]>([
    ['cutoff', 'cutoff', {}],
    ['   sp  ace  ', 'sp  ace', {}],
    ['[2] b [unit:Hz] [tooltip: a b: c]', 'b', { 2: '', unit: 'Hz', tooltip: 'a b: c' }],
    ['G [0] [tooltip: hello: world]', 'G', { 0: '', tooltip: 'hello: world' }],
    [String.raw`n[tooltip: a \[x\] b:c {d}]t`, 'nt', { tooltip: 'a [x] b:c {d}' }],
    ['o[k:[v]]p', 'op', { k: '[v]' }],
    ['w[a][b:c:d][ e : f ]  q', 'w  q', { a: '', b: 'c:d', e: 'f' }],
    ['x[a:b', 'x', {}],
    ['y]z', 'y]z', {}],
    ['[foo:bar]', '', { foo: 'bar' }],
    ['v [unit:dB]∕x', 'v /x', { unit: 'dB' }],
    ['s[unit:m/s]', 's', { unit: 'm/s' }],
    ['k[learn:1][learn:0]', 'k', { learn: '0' }],
    ['', '', {}],
    ['ends\\', 'ends', {}],
  ])('%j is %j with %j', (raw, text, meta) => {
    const label = readLabel(raw);
    expect(label.text).toBe(text);
    expect(Object.fromEntries(label.meta)).toEqual(meta);
  });
});

describe('a path', () => {
  it.each<[path: string, label: string, groups: readonly string[]]>([
    ['n', 'n', []],
    ['n/same/t[u:v]', 'n', ['t[u:v]', 'same']],
    ['n/', 'n', ['']],
    ['a[unit:m/s]/g[tooltip: km/h]', 'a[unit:m/s]', ['g[tooltip: km/h]']],
    ['x y∕z', 'x y∕z', []],
    ['c/b/a', 'c', ['a', 'b']],
    ['x[tooltip: a [b/c] d/e]/f', 'x[tooltip: a [b/c] d/e]', ['f']],
    ['y]z/a', 'y]z', ['a']],
    ['c/a/a', 'c', ['a', 'a']],
    ['/same', '', ['same']],
    ['', '', []],
  ])('%j is %j in %j', (path, label, inside) => {
    expect(splitPath(path)).toEqual({ label, groups: inside });
  });
});
