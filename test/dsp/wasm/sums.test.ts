/**
 * Sums over the training window: of numbers, of vectors, and of the products of two signals, which are
 * never made; for windows shorter than a machine vector up to several pieces of a long sum.
 */

import { describe, expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { PRECISIONS, controls, plainProgram } from '../../support/program.ts';
import { both, play, vectorOf } from '../../support/vectors.ts';

const WINDOWS = [1, 2, 3, 4, 5, 40, 255, 256, 257, 300, 511, 512, 1000];
const SHAPES = [
  [1, 1],
  [1, 5],
  [5, 1],
  [2, 2],
  [3, 5],
  [4, 4],
  [7, 9],
  [8, 2],
  [9, 4],
  [16, 16],
  [17, 3],
] as const;

/**
 * Runs two windows of noise with the sums that `write` makes as gradients: by generated code and in
 * double precision.
 */
function check(
  what: string,
  window: number,
  lanes: readonly [number, number],
  write: (b: Builder, p: NodeId, q: NodeId) => readonly NodeId[],
): void {
  const s = new Builder('stream');
  const signals = lanes.map((n, k) => vectorOf(s, k === 0 ? 'recursive' : 'sample', n, k));
  const stream = s.finish([
    ...signals.map((node, k) => ({ name: `tape:${k}`, node })),
    { name: 'out:0', node: s.node('input', [], [0]) },
  ]);
  const b = new Builder('backward');
  const tapes = lanes.map((n, k) => b.node('tape', [], [k, 0, 1, n])) as [NodeId, NodeId];
  const outputs = [{ name: 'loss', node: b.real(0) }];
  let params = 0;
  for (const node of write(b, ...tapes)) {
    outputs.push({ name: `gradient:${params}`, node });
    params += b.shape(node);
  }
  const program = {
    ...plainProgram(optimise(stream), { inputs: 2, sliders: 0, params }),
    outputs: 1,
    backward: optimise(b.finish(outputs)),
    window,
    mode: 'reverse' as const,
    params: controls(params, 0),
  };
  for (const precision of PRECISIONS) {
    const { code, oracle } = both({ ...program, precision }, 64, (x) => x);
    const run = { frames: 2 * window, blocks: [64, 7, 1, 33] };
    play(code, run);
    play(oracle, run);
    code.gradients.forEach((sum, k) => {
      const single = 1.5e-5 * 4 * window * 0.1 + 1e-5;
      const limit = precision === 'single' ? single : 2 ** -29 * single;
      if (!(Math.abs(sum - oracle.gradients[k]!) <= limit)) {
        expect.fail(`${what} ${precision}, sum ${k}: ${sum} against ${oracle.gradients[k]}`);
      }
    });
    expect(code.gradients.some((sum) => sum !== 0)).toBe(true);
  }
}

describe('generated code agrees with double precision', () => {
  test.each(WINDOWS)('on sums over %i frames', (window) => {
    for (const [n, m] of SHAPES) {
      check(`sum of ${n} and ${m}`, window, [n, m], (b, p, q) => [
        b.node('sum', [p]),
        b.node('sum', [q]),
        b.node('sum', [b.node('mul', [p, p])]),
        b.node('sum', [b.delay(b.node('mul', [q, q]), 2)]),
        b.node('sum', [b.node('laneSum', [q])]),
      ]);
    }
  });

  test.each(WINDOWS)('on sums of products over %i frames', (window) => {
    for (const [n, m] of SHAPES) {
      check(`products of ${n} and ${m}`, window, [n, m], (b, p, q) => [
        b.node('sumOuter', [p, q]),
        b.node('sumOuter', [b.node('neg', [p]), q]),
        b.node('sumOuter', [b.node('mul', [q, q]), b.delay(p, 1)]),
        b.node('sum', [b.node('outer', [p, q])]),
      ]);
    }
  });

  test('on products so many that there is a loop over columns', () => {
    for (const window of [3, 300]) {
      check('many products', window, [258, 66], (b, p, q) => [b.node('sumOuter', [p, q])]);
    }
  });

  test('on a sum that is used in a later sum', () => {
    for (const window of [3, 300]) {
      check('two stages', window, [5, 3], (b, p, q) => {
        const scale = b.node('mul', [b.node('sum', [p]), b.real(1 / window)]);
        const centred = b.node('sub', [p, scale]);
        return [
          b.node('sum', [b.node('mul', [centred, centred])]),
          b.node('sumOuter', [centred, q]),
        ];
      });
    }
  });
});
