/**
 * Delays of a few samples in reversed time: whole vectors of them are put together from the vectors
 * before, whatever the window, and short ones of recursions are held in locals.
 */

import { expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../../dsp/ir/graph.ts';
import type { Precision } from '../../../dsp/ir/program.ts';
import { mse } from '../../../dsp/learn/losses/pointwise.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';
import { assembled, compiledInstance, trainingProgram } from '../../support/program.ts';
import { roundingOf } from '../../support/seeds.ts';

/** y = w + Σ cₖ·w[n − k], with w = p·x² or w = p·x² + p/4·w[n − 2] + w[n − 3]/8. */
function delays(isRecursive: boolean): { graph: Graph; y: NodeId; target: NodeId } {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const p = b.node('param', [], [0]);
  let w = b.node('mul', [b.node('mul', [p, x]), x]);
  if (isRecursive) {
    const [two, three] = [b.feedback('real', 2, 0), b.feedback('real', 3, 0)];
    const some = b.node('mul', [b.node('mul', [p, b.real(0.25)]), two]);
    w = b.node('add', [b.node('add', [w, some]), b.node('mul', [three, b.real(0.125)])]);
    b.close(two, w);
    b.close(three, w);
  }
  let y = w;
  for (let k = 1; k < 12; k++) {
    y = b.node('add', [y, b.node('mul', [b.delay(w, k, 0), b.real(1 / (k + 2))])]);
  }
  const target = b.node('input', [], [1]);
  return { graph: b.finish([{ name: 'out:0', node: y }]), y, target };
}

const WINDOWS = [1, 2, 3, 5, 6, 8, 11, 12, 13, 30];

test.each<[Precision, boolean]>([
  ['single', false],
  ['double', false],
  ['single', true],
  ['double', true],
])('short delays backwards in %s precision, recursive: %s', (precision, isRecursive) => {
  for (const window of WINDOWS) {
    const { graph, y, target } = delays(isRecursive);
    const objective = { terms: [{ estimate: y, target, loss: mse }], window, params: 1 };
    const sizes = { inputs: 2, sliders: 0, params: 1 };
    const program = { ...trainingProgram(graph, objective, 'reverse', sizes), precision };
    const artifact = assembled(program, 32);
    const kernel = interpreterKernel(program, 32, roundingOf(precision));
    const gradients = [new Instance(artifact, kernel), compiledInstance(artifact)].map((one) => {
      one.inputs[0]!.forEach((_, n, x) => (x[n] = Math.fround(Math.cos(n * n))));
      one.inputs[1]!.forEach((_, n, x) => (x[n] = Math.fround(Math.cos(3 * n))));
      one.learning = true;
      one.process(window);
      return one.gradients[0]!;
    });
    const [expected, got] = gradients as [number, number];
    expect(expected).not.toBe(0);
    const most = precision === 'single' ? 1e-5 : 1e-12;
    expect(Math.abs(got - expected), `window ${window}`).toBeLessThan(most * Math.abs(expected));
  }
});
