/** Ids of widgets: short, legal, different, and the same whatever stands around them. */

import { describe, expect, it } from 'vitest';
import { idsOf } from '../../../dsp/faust/ids.ts';
import { idSchema } from '../../../dsp/patch/operand.ts';

const names = (...paths: readonly string[]) =>
  idsOf(paths.map((path) => ({ path: path.split('>'), otherwise: 'hslider' })));

describe('the name of a widget', () => {
  it.each<[what: string, paths: readonly string[], ids: readonly string[]]>([
    ['is its label', ['synth>filter>cutoff', 'synth>gain'], ['cutoff', 'gain']],
    ['is as much of its path as others have not', ['p>m', 'q>m', 'n'], ['p/m', 'q/m', 'n']],
    ['stays short at the top', ['a', 'p>a'], ['a', 'p/a']],
    ['goes up as far as needed', ['x>g>a', 'y>g>a', 'g>b'], ['x/g/a', 'y/g/a', 'b']],
    ['is legal', ['A b', '1x', 'é', '_u', 'x y/z'], ['A_b', 'p1x', 'e', 'u', 'x_y_z']],
    ['may begin with a digit below a group', ['1>a', 'b>1', 'c>1'], ['a', 'b/1', 'c/1']],
    ['is that of its kind where nothing is left', ['', 'g>', 'g>é'], ['hslider', 'g', 'e']],
    ['passes over groups without a name', ['>n', 'g>>n'], ['n', 'g/n']],
    [
      'is never a signal of the program',
      ['in1', 'out12', 'mark3', 'in', 'inner1'],
      ['in-1', 'out-12', 'mark-3', 'in', 'inner1'],
    ],
    [
      'is numbered where paths are the same',
      ['A b', 'A_b', 'A b-2', 'A_b'],
      ['A_b', 'A_b-2', 'A_b_2', 'A_b-3'],
    ],
  ])('%s', (_what, paths, ids) => {
    expect(names(...paths)).toEqual(ids);
  });

  it('does not depend on the order of others with other paths', () => {
    const paths = ['x>g>a', 'y>g>a', 'g>b', 'c', 'in1'];
    const there = names(...paths);
    expect(names(...paths.toReversed()).toReversed()).toEqual(there);
  });

  it('is legal and different for whatever people write', () => {
    const odd = [
      '日本',
      '日本',
      '日>本',
      '%$',
      '-',
      'a'.repeat(500),
      `${'a'.repeat(500)}b`,
      '9'.repeat(300),
      'a/b',
      'a>b',
    ];
    const ids = names(...odd);
    expect(new Set(ids).size).toBe(odd.length);
    for (const id of ids) expect(idSchema.safeParse(id).success, id).toBe(true);
  });
});
