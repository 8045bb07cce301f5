/** Gradients through vectors and matrices: forward, reverse, differences and generated code agree. */

import { describe, expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import { agree } from '../../support/gradients.ts';
import { constantOf, numbers, vectorOf } from '../../support/vectors.ts';

const param = (b: Builder, index: number, lanes: number): NodeId =>
  b.node('param', [], [index, lanes]);

/** A number of a vector: its lanes, weighted. */
const toNumber = (b: Builder, v: NodeId): NodeId =>
  b.node('laneSum', [b.node('mul', [v, constantOf(b, numbers(b.shape(v), 50))])]);

function check(
  params: number,
  write: (b: Builder) => NodeId,
  more: { window?: number; run?: object } = {},
): number[] {
  const b = new Builder('stream');
  const estimate = toNumber(b, write(b));
  const target = b.node('input', [], [1]);
  const { window = 23, run = {} } = more;
  return agree('gradient', { b, estimate, target, params, window, run }).gradients;
}

describe('a vector of parameters', () => {
  test.each([1, 2, 3, 4, 5, 8, 9])('of %i lanes times a signal', (lanes) => {
    check(lanes, (b) => b.node('mul', [param(b, 0, lanes), b.node('input', [], [0])]));
    check(lanes, (b) => b.node('mul', [param(b, 0, lanes), vectorOf(b, 'sample', lanes, 1)]));
  });

  test.each([1, 3, 4, 6])('of %i lanes times a moving slider', (lanes) => {
    const before = (i: { sliders: Float64Array }, n: number): void => {
      i.sliders[0] = Math.sin(n);
    };
    const run = { blocks: [4], before };
    check(lanes, (b) => b.node('mul', [param(b, 0, lanes), b.node('slider', [], [0])]), { run });
    check(
      lanes * 2,
      (b) => {
        const matrix = b.node('mul', [param(b, 0, lanes * 2), b.node('slider', [], [0])]);
        return b.node('matvec', [matrix, vectorOf(b, 'sample', 2, 2)]);
      },
      { run },
    );
  });

  test('that is all there is, constant over the window', () => {
    check(5, (b) => param(b, 0, 5));
    check(5, (b) => b.node('tanh', [param(b, 0, 5)]));
    check(10, (b) => b.node('matvec', [param(b, 0, 6), b.node('tanh', [param(b, 6, 3)])]));
    check(10, (b) => b.node('matvecT', [param(b, 0, 6), b.node('tanh', [param(b, 6, 2)])]));
    check(8, (b) => b.node('outer', [param(b, 0, 3), param(b, 3, 5)]));
  });

  test('next to numbers and other vectors in the bank', () => {
    const gradients = check(9, (b) => {
      const sum = b.node('add', [param(b, 1, 4), b.node('param', [], [0])]);
      return b.node('mul', [b.node('concat', [sum, param(b, 6, 2)]), b.node('input', [], [0])]);
    });
    expect([5, 8].map((k) => gradients[k])).toEqual([0, 0]);
  });

  test('meets numbers: a number in every lane gets the sum', () => {
    check(4, (b) => {
      const v = b.node('mul', [param(b, 0, 3), b.node('input', [], [0])]);
      return b.node('mul', [b.node('param', [], [3]), v]);
    });
    check(2, (b) => {
      const x = b.node('input', [], [0]);
      const sum = b.node('add', [vectorOf(b, 'sample', 5, 3), b.node('param', [], [0])]);
      return b.node('div', [
        sum,
        b.node('add', [b.real(2), b.node('mul', [b.node('param', [], [1]), x])]),
      ]);
    });
  });
});

describe('products with matrices', () => {
  const SIZES = [
    [1, 1],
    [1, 4],
    [4, 1],
    [2, 3],
    [4, 4],
    [5, 2],
    [3, 9],
  ] as const;

  test.each(SIZES)('%i x %i of parameters times signals', (rows, columns) => {
    check(rows * columns, (b) =>
      b.node('matvec', [param(b, 0, rows * columns), vectorOf(b, 'sample', columns, 4)]),
    );
    check(rows * columns, (b) =>
      b.node('matvecT', [param(b, 0, rows * columns), vectorOf(b, 'sample', rows, 4)]),
    );
    check(rows + columns, (b) => {
      const x = b.node('input', [], [0]);
      const u = b.node('mul', [param(b, 0, rows), x]);
      return b.node('outer', [u, b.node('add', [param(b, rows, columns), x])]);
    });
  });

  test.each(SIZES)('%i x %i in a chain of layers', (rows, columns) => {
    const n = rows * columns;
    check(2 * n + rows, (b) => {
      const x = vectorOf(b, 'sample', columns, 5);
      const wx = b.node('matvec', [param(b, 0, n), x]);
      const hidden = b.node('tanh', [b.node('add', [wx, param(b, n, rows)])]);
      const back = b.node('matvecT', [param(b, n + rows, n), hidden]);
      return b.node('concat', [back, b.node('slice', [hidden], [rows - 1, 1]), x]);
    });
  });

  test.each(SIZES)('%i x %i that are signals themselves', (rows, columns) => {
    check(rows + columns, (b) => {
      const x = b.node('input', [], [0]);
      const u = b.node('tanh', [b.node('mul', [param(b, 0, rows), x])]);
      const v = b.node('mul', [param(b, rows, columns), b.delay(x, 1)]);
      const m = b.node('outer', [u, v]);
      const y = b.node('matvec', [m, v]);
      return b.node('concat', [y, b.node('matvecT', [m, b.node('add', [y, u])])]);
    });
  });
});

describe('state', () => {
  test.each([1, 2, 7, 30])('a delay of %i frames that starts at 0 or elsewhere', (frames) => {
    for (const init of [0, 0.6]) {
      check(7, (b) => {
        const v = b.node('mul', [param(b, 0, 3), b.node('input', [], [0])]);
        const late = b.delay(b.node('tanh', [v]), frames, init);
        return b.node('mul', [late, b.node('add', [param(b, 3, 3), v])]);
      });
    }
  });

  test.each([1, 2, 5])('a recursion over %i frames through a matrix', (frames) => {
    for (const lanes of [1, 2, 3, 4, 6]) {
      check(lanes * lanes + lanes, (b) => {
        const past = b.feedback('real', frames, 0.2, lanes);
        const wx = b.node('mul', [param(b, lanes * lanes, lanes), b.node('input', [], [0])]);
        const wh = b.node('matvec', [param(b, 0, lanes * lanes), past]);
        const now = b.node('tanh', [b.node('add', [wx, wh])]);
        b.close(past, now);
        return now;
      });
    }
  });
});
