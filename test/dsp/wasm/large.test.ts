/**
 * Graphs of tens of thousands of nodes: they compile within what engines allow of one function, and
 * compute what the interpreter computes.
 */

import { expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../../dsp/ir/graph.ts';
import type { Precision } from '../../../dsp/ir/program.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';
import { assembled, compiledInstance, plainProgram } from '../../support/program.ts';
import { schedule } from '../../../dsp/wasm/schedule.ts';
import { roundingOf } from '../../support/seeds.ts';

const SIZES = { inputs: 1, sliders: 1, params: 0 };

/** Recursions in series, each with three numbers of its own: more than a body has locals for. */
function series(count: number): Graph {
  const b = new Builder('stream');
  let x = b.node('input', [], [0]);
  for (let k = 0; k < count; k++) {
    const past = b.feedback('real', 1, 0);
    const own = (from: number): NodeId => b.real(from + k / 2 ** 16);
    const kept = b.node('mul', [past, own(0.25)]);
    x = b.node('add', [b.node('sub', [b.node('mul', [x, own(0.75)]), kept]), own(-1)]);
    b.close(past, x);
  }
  return b.finish([{ name: 'out:0', node: x }]);
}

/** A way through so many numbers that follow from one slider. */
function steps(count: number): Graph {
  const b = new Builder('stream');
  let value = b.node('slider', [], [0]);
  for (let k = 0; k < count; k++) {
    const part = b.node('mul', [value, b.real(0.5 + k / 2 ** 18)]);
    value = b.node('add', [part, b.node('sin', [value])]);
  }
  return b.finish([{ name: 'out:0', node: b.node('mul', [b.node('input', [], [0]), value]) }]);
}

test.each<[string, Graph, Precision, boolean]>([
  ['recursions in series, in single precision', series(4000), 'single', false],
  ['recursions in series, their products fused', series(4000), 'single', true],
  ['recursions in series, in double precision', series(4000), 'double', false],
  ['numbers one after the other', steps(30_000), 'single', false],
])('%s', (_, graph, precision, fused) => {
  const program = { ...plainProgram(graph, SIZES), precision };
  const artifact = assembled(program, 32, fused);
  const kernel = interpreterKernel(program, 32, roundingOf(precision));
  const outputs = [new Instance(artifact, kernel), compiledInstance(artifact)].map((one) => {
    one.inputs[0]!.forEach((__, n, x) => (x[n] = Math.fround(Math.cos(n * n))));
    one.process(32);
    return [...one.outputs[0]!.subarray(0, 32)];
  });
  const [expected, got] = outputs as [number[], number[]];
  expect(expected.every((y) => Number.isFinite(y) && y !== 0)).toBe(true);
  got.forEach((y, n) => {
    expect(Math.abs(y - expected[n]!)).toBeLessThan(1e-5 * Math.abs(expected[n]!) + 1e-12);
  });
});

test('a loop of many recursions is divided, one of a few is not', () => {
  const loops = (count: number): number[] =>
    schedule(series(count), 256, 4)
      .stages.map(({ serial }) => serial.length)
      .filter((length) => length > 0);
  expect(loops(10)).toHaveLength(1);
  expect(Math.max(...loops(100))).toBeLessThan(80);
  expect(Math.max(...loops(8000))).toBeLessThan(300);
});
