/**
 * Operations on whole vectors: generated code against the interpreter, over every number of lanes
 * that fills a machine vector in another way, over matrices in unrolled code and in loops, and over
 * operands that are constants, parameters, sliders, signals and recursions, in either precision.
 */

import { describe, expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { plainProgram } from '../../support/program.ts';
import { SOURCES, both, close, play, probes, vectorOf } from '../../support/vectors.ts';
import type { Source } from '../../support/vectors.ts';

const LANES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 31, 33, 64, 70];
const MATRICES = [
  [1, 1],
  [1, 2],
  [1, 7],
  [2, 1],
  [5, 1],
  [2, 2],
  [3, 5],
  [4, 4],
  [6, 3],
  [16, 16],
  [17, 9],
  [9, 17],
  [1, 40],
  [40, 1],
  [40, 40],
] as const;
const LARGE = [
  [160, 40],
  [40, 160],
  [161, 39],
] as const;

/** Runs what `write` makes as outputs, by both, ragged, with and without passes. `tolerance` absolute. */
function check(what: string, tolerance: number, write: (b: Builder) => NodeId[]): void {
  const b = new Builder('stream');
  const outputs = write(b).map((node, k) => ({ name: `out:${k}`, node }));
  const params = Math.max(
    0,
    ...b.nodes.filter((n) => n.op === 'param').map((n) => n.attrs[0]! + n.shape),
  );
  const graph = b.finish(outputs);
  const run = { frames: 17, blocks: [8, 1, 3, 5] };
  const better = optimise(graph);
  for (const [made, precision] of [
    [graph, 'single'],
    [better, 'single'],
    [better, 'double'],
  ] as const) {
    const program = { ...plainProgram(made, { inputs: 2, sliders: 1, params }), precision };
    const { code, oracle } = both(program, 8);
    const most = precision === 'single' ? tolerance : tolerance * 2 ** -29;
    close(play(code, run), play(oracle, run), most, `${what} ${precision}`);
  }
}

/** 1e-6 of the sum of magnitudes per 16 terms; operands are at most 4. */
const rounding = (terms: number): number => 1e-6 * Math.max(1, terms / 16) * 16 * terms;

describe('generated code agrees with the interpreter', () => {
  test.each(LANES)('on concat, slice, splat and laneSum of %i lanes', (lanes) => {
    for (const source of SOURCES) {
      check(`concat ${source}`, 0, (b) => {
        const v = vectorOf(b, source, lanes, 3);
        const x = b.node('input', [], [0]);
        return [
          [v, x],
          [x, v],
          [v, v],
          [x, v, x, x, v],
          [vectorOf(b, 'sample', 3, 4), v],
        ].flatMap((parts) => probes(b, b.node('concat', parts)));
      });
      check(`laneSum ${source}`, rounding(lanes), (b) => [
        b.node('add', [
          b.node('laneSum', [vectorOf(b, source, lanes, 5)]),
          b.node('input', [], [0]),
        ]),
      ]);
      check(`slice ${source}`, 0, (b) => {
        const v = vectorOf(b, source, lanes, 6);
        const ends = [0, 1, 2, 3, lanes >> 1].filter((from) => from < lanes);
        return ends.flatMap((from) => {
          const part = b.node('slice', [v], [from, lanes - from]);
          const short = b.node('slice', [v], [from, Math.min(3, lanes - from)]);
          return [...probes(b, b.node('neg', [part])), ...probes(b, b.node('neg', [short]))];
        });
      });
    }
    for (const source of ['slider', 'sample', 'param', 'recursive'] as const) {
      check(`splat ${source}`, 0, (b) => {
        const one = vectorOf(b, source, 1, 7);
        const many = b.node('splat', [one], [lanes]);
        return probes(b, b.node('mul', [many, vectorOf(b, 'const', lanes, 8)]));
      });
    }
  });

  /** Matrices of the same values from every source, times vectors from every source. */
  function products(rows: number, columns: number, sources: readonly Source[]): void {
    for (const m of sources) {
      for (const v of ['sample', 'slider', 'recursive'] as const) {
        const what = `${rows}x${columns} ${m} ${v}`;
        check(`matvec ${what}`, rounding(columns), (b) => {
          const matrix = vectorOf(b, m, rows * columns, 9);
          return probes(b, b.node('matvec', [matrix, vectorOf(b, v, columns, 10)]));
        });
        check(`matvecT ${what}`, rounding(rows), (b) => {
          const matrix = vectorOf(b, m, rows * columns, 9);
          return probes(b, b.node('matvecT', [matrix, vectorOf(b, v, rows, 10)]));
        });
        check(`outer ${what}`, 0, (b) => {
          const [p, q] = [vectorOf(b, v, rows, 11), vectorOf(b, m, columns, 12)];
          return probes(b, b.node('outer', [p, q]));
        });
        check(`outer the other way ${what}`, 0, (b) => {
          const [p, q] = [vectorOf(b, m, rows, 11), vectorOf(b, v, columns, 12)];
          return probes(b, b.node('outer', [p, q]));
        });
      }
    }
  }

  test.each(MATRICES)('on products of %i x %i matrices', (rows, columns) => {
    products(rows, columns, SOURCES);
  });

  test.each(LARGE)('on products of %i x %i matrices', (rows, columns) => {
    products(rows, columns, ['const', 'param', 'sample']);
  });

  test('on one matrix in several products, straight and transposed', () => {
    for (const source of SOURCES) {
      check(`shared ${source}`, rounding(12), (b) => {
        const m = vectorOf(b, source, 12, 13);
        const x = vectorOf(b, 'sample', 3, 14);
        const y = b.node('tanh', [b.node('matvec', [m, x])]);
        const z = b.node('matvecT', [m, y]);
        const w = b.node('matvec', [m, b.node('sub', [z, x])]);
        return [...probes(b, y), ...probes(b, z), ...probes(b, w)];
      });
    }
  });

  test('on a matrix of one number, which has no lanes', () => {
    check('1x1', 1e-6, (b) => {
      const m = b.node('slider', [], [0]);
      const x = b.node('input', [], [0]);
      return [b.node('matvec', [m, x]), b.node('matvecT', [m, x]), b.node('outer', [m, x])];
    });
  });

  test('on a number as the matrix of one row or column', () => {
    check('1xn by n', 1e-5, (b) => {
      const x = vectorOf(b, 'sample', 6, 15);
      const one = b.node('input', [], [1]);
      return [
        ...probes(b, b.node('matvec', [x, one])),
        ...probes(b, b.node('matvecT', [x, one])),
        ...probes(b, b.node('outer', [one, x])),
        ...probes(b, b.node('outer', [x, one])),
        b.node('matvec', [x, x]),
        b.node('matvecT', [x, x]),
      ];
    });
  });

  test('on arithmetic lane by lane, comparisons and choices', () => {
    for (const lanes of [2, 3, 4, 5, 9, 17]) {
      for (const source of SOURCES) {
        check(`arithmetic ${source} ${lanes}`, 1e-5, (b) => {
          const u = vectorOf(b, source, lanes, 16);
          const v = vectorOf(b, 'sample', lanes, 17);
          const x = b.node('input', [], [0]);
          const more = b.node('gt', [u, v]);
          return [
            b.node('select', [more, u, v]),
            b.node('select', [more, x, v]),
            b.node('select', [b.node('gt', [x, b.real(0)]), u, v]),
            b.node('mul', [b.node('toReal', [more]), v]),
            b.node('toReal', [
              b.node('add', [more, b.node('toInt', [b.node('mul', [u, b.real(9)])])]),
            ]),
            b.node('div', [u, b.node('add', [b.node('abs', [v]), b.real(1)])]),
            b.node('min', [u, b.node('max', [x, v])]),
            b.node('exp', [v]),
            b.node('floor', [b.node('mul', [v, b.real(3)])]),
          ].flatMap((made) => probes(b, made));
        });
      }
    }
  });
});

test('a comparison of the lanes sees an error of one lane', () => {
  expect(() => close([[1, 2]], [[1, 2.1]], 0.01, 'x')).toThrow('frame 1');
});
