/**
 * Walks over lanes: generated code against the interpreter, sample by sample, in frames and as
 * constants, and gradients through sums so far and through transport.
 */

import { describe, expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { MEAN, agree } from '../../support/gradients.ts';
import { plainProgram } from '../../support/program.ts';
import {
  SOURCES,
  both,
  close,
  constantOf,
  numbers,
  play,
  probes,
  vectorOf,
} from '../../support/vectors.ts';

const LANES = [2, 3, 4, 5, 8, 17, 70];

const places = (b: Builder, lanes: number): NodeId =>
  constantOf(
    b,
    Array.from({ length: lanes }, (_, k) => Math.fround(Math.log2(k + 1))),
  );

const square = (b: Builder, x: NodeId): NodeId => b.node('mul', [x, x]);

/** Everything that walks over two vectors. */
function walks(b: Builder, v: NodeId, w: NodeId): NodeId[] {
  const x = places(b, b.shape(v));
  const [p, q] = [square(b, v), square(b, w)];
  return [
    ...probes(b, b.node('cumulate', [v])),
    ...probes(b, b.node('cumulateT', [b.node('cumulate', [w])])),
    ...[1, 2].flatMap((order) => [
      b.node('transport', [p, q, x], [order]),
      // Some masses are below 0.
      b.node('transport', [v, q, x], [order]),
      ...probes(b, b.node('transportSlope', [p, q, x], [order])),
    ]),
  ];
}

function check(what: string, write: (b: Builder) => NodeId[]): void {
  const b = new Builder('stream');
  const outputs = write(b).map((node, k) => ({ name: `out:${k}`, node }));
  const params = Math.max(0, ...b.nodes.filter((n) => n.op === 'param').map((n) => n.shape));
  const graph = b.finish(outputs);
  const run = { frames: 40, blocks: [8, 1, 3, 5] };
  const better = optimise(graph);
  for (const [made, precision, tolerance] of [
    [graph, 'single', 2e-5],
    [better, 'single', 2e-5],
    [better, 'double', 1e-13],
  ] as const) {
    const program = { ...plainProgram(made, { inputs: 2, sliders: 1, params }), precision };
    const { code, oracle } = both(program, 8);
    close(play(code, run), play(oracle, run), tolerance, `${what} ${precision}`);
  }
}

describe('generated code agrees with the interpreter', () => {
  test.each(LANES)('on vectors of %i lanes, from every source', (lanes) => {
    for (const source of SOURCES) {
      check(source, (b) =>
        walks(b, vectorOf(b, source, lanes, 3), vectorOf(b, 'sample', lanes, 4)),
      );
    }
    check('still', (b) =>
      walks(b, vectorOf(b, 'param', lanes, 3), vectorOf(b, 'slider', lanes, 4)),
    );
  });

  test.each(LANES)('on frames of %i lanes', (lanes) => {
    check('frames', (b) => {
      const [v, w] = [0, 1].map((channel) =>
        b.node('frames', [b.node('input', [], [channel])], [8, lanes]),
      ) as [NodeId, NodeId];
      return walks(b, v, w).map((y) => b.node('overlap', [y], [8]));
    });
  });

  test('on silence', () => {
    const b = new Builder('stream');
    const frame = b.node('frames', [b.node('input', [], [0])], [8, 16]);
    const x = places(b, 16);
    const cost = b.node('transport', [frame, constantOf(b, numbers(16, 1)), x], [2]);
    const graph = b.finish([{ name: 'out:0', node: b.node('overlap', [cost], [8]) }]);
    const { code } = both(plainProgram(optimise(graph), { inputs: 2, sliders: 1, params: 0 }), 8);
    const [out] = play(code, { frames: 32, blocks: [8], input: () => 0 });
    expect(out).toEqual(out!.map(() => 0));
  });
});

describe('gradients', () => {
  const framed = (b: Builder, channel: number, lanes: number): NodeId =>
    b.node('frames', [b.node('input', [], [channel])], [8, lanes]);
  const toNumber = (b: Builder, v: NodeId): NodeId =>
    b.node('laneSum', [b.node('mul', [v, constantOf(b, numbers(b.shape(v), 50))])]);

  test.each(['cumulate', 'cumulateT'] as const)('pass through %s', (op) => {
    for (const lanes of [2, 5, 12]) {
      const b = new Builder('stream');
      const v = b.node('mul', [b.node('param', [], [0, lanes]), framed(b, 0, lanes)]);
      const estimate = b.node('overlap', [toNumber(b, b.node(op, [v]))], [8]);
      agree(op, { b, estimate, target: b.node('input', [], [1]), params: lanes, window: 32 });
    }
  });

  test.each([1, 2])('pass through both sides of a transport of order %i', (order) => {
    for (const lanes of [2, 5, 12]) {
      for (const side of [0, 1]) {
        const b = new Builder('stream');
        const learnt = b.node('mul', [b.node('param', [], [0, lanes]), framed(b, 0, lanes)]);
        const [v, w] = [square(b, learnt), square(b, framed(b, 1, lanes))];
        const operands = side === 0 ? [v, w] : [w, v];
        const cost = b.node('transport', [...operands, places(b, lanes)], [order]);
        const estimate = b.node('overlap', [cost], [8]);
        const target = b.real(0);
        agree('transport', { b, estimate, target, params: lanes, window: 32, loss: MEAN });
      }
    }
  });

  test('silence has none', () => {
    const b = new Builder('stream');
    const learnt = square(b, b.node('mul', [b.node('param', [], [0, 6]), framed(b, 0, 6)]));
    const cost = b.node(
      'transport',
      [constantOf(b, [0, 1, 2, 0, 0, 1]), learnt, places(b, 6)],
      [2],
    );
    const estimate = b.node('overlap', [cost], [8]);
    const { gradients } = agree('silence', {
      b,
      estimate,
      target: b.real(0),
      params: 6,
      window: 32,
      loss: MEAN,
      run: { input: () => 0 },
    });
    expect(gradients.map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
