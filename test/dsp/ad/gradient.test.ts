/**
 * How a gradient is taken: truncation and carry-over measured against exact forward mode, both ways
 * in one program, and what `auto` decides.
 */

import { describe, expect, test } from 'vitest';
import { differentiate, objectiveActivity } from '../../../dsp/ad/gradient.ts';
import type { Objective, Way } from '../../../dsp/ad/gradient.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../../dsp/ir/graph.ts';
import { nodeOf } from '../../../dsp/ir/graph.ts';
import { mse } from '../../../dsp/learn/losses/pointwise.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';
import type { Program } from '../../../dsp/ir/program.ts';
import { assembled, compiledInstance, controls, plainProgram } from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';

const BLOCK = 48;

function programOf(
  stream: Graph,
  objective: Objective,
  way: Way | ((param: NodeId) => Way),
): Program {
  const { active } = objectiveActivity(stream, objective);
  const made = differentiate(stream, objective, active, way);
  return {
    ...plainProgram(stream, { inputs: 1, sliders: 0, params: objective.params }),
    stream: optimise(made.stream),
    loss: made.loss === null ? null : optimise(made.loss),
    backward: optimise(made.backward),
    window: objective.window,
    carry: objective.carry ?? 0,
    outputs: 0,
    params: controls(objective.params, 0.4),
  };
}

/** Loss and gradients of the last of some windows of noise. */
function measure(instance: Instance, windows: number): { loss: number; gradients: number[] } {
  const next = random(3);
  const { window } = instance.artifact;
  for (let left = windows * window; left > 0;) {
    const count = Math.min(BLOCK, left);
    for (let n = 0; n < count; n++) instance.inputs[0]![n] = Math.fround(next() - 0.5);
    instance.process(count);
    left -= count;
  }
  return { loss: instance.loss, gradients: [...instance.gradients] };
}

const oracle = (program: Program, params: readonly number[]): Instance => {
  const instance = new Instance(assembled(program, BLOCK), interpreterKernel(program, BLOCK));
  instance.resume(params, 0);
  return instance;
};

/** y = (1 − p)·g·x + p·y', against the sound itself. */
function onePole(window: number, carry: number): { stream: Graph; objective: Objective } {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const [pole, gain] = [b.node('param', [], [0]), b.node('param', [], [1])];
  const past = b.feedback('real', 1);
  const fed = b.node('mul', [b.node('mul', [b.node('sub', [b.real(1), pole]), gain]), x]);
  const y = b.node('add', [fed, b.node('mul', [past, pole])]);
  b.close(past, y);
  const stream = b.finish([]);
  return {
    stream,
    objective: { terms: [{ estimate: y, target: x, loss: mse }], window, carry, params: 2 },
  };
}

describe('truncated reverse mode', () => {
  const PARAMS = [0.97, 0.8];
  const exact = (): number[] => {
    const { stream, objective } = onePole(32, 0);
    return measure(oracle(programOf(stream, objective, 'forward'), PARAMS), 12).gradients;
  };
  const bias = (carry: number): number => {
    const { stream, objective } = onePole(32, carry);
    const { gradients } = measure(oracle(programOf(stream, objective, 'reverse'), PARAMS), 12);
    const [pole] = exact() as [number];
    return Math.abs(gradients[0]! - pole) / Math.abs(pole);
  };

  test('is biased by what parameters did in earlier windows, and less with a carry-over', () => {
    // A pole at 0.97 remembers 33 samples: a window of 32 sees a part of it.
    expect(bias(0)).toBeGreaterThan(0.2);
    expect(bias(64)).toBeLessThan(0.1);
    expect(bias(128)).toBeLessThan(0.03);
    expect(bias(288)).toBeLessThan(1e-3);
  });

  test('is exact when the carry-over reaches back to the start', () => {
    expect(bias(11 * 32)).toBeLessThan(1e-12);
  });

  test('has the same loss with a carry-over', () => {
    const losses = [0, 64].map((carry) => {
      const { stream, objective } = onePole(32, carry);
      return measure(oracle(programOf(stream, objective, 'reverse'), PARAMS), 5).loss;
    });
    expect(losses[1]).toBe(losses[0]);
  });

  test.each([5, 32, 64, 100])('generated code agrees, with a carry-over of %i', (carry) => {
    const { stream, objective } = onePole(32, carry);
    const program = programOf(stream, objective, 'reverse');
    const expected = measure(oracle(program, PARAMS), 7);
    const instance = compiledInstance(assembled(program, BLOCK));
    instance.resume(PARAMS, 0);
    const { loss, gradients } = measure(instance, 7);
    expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-5);
    gradients.forEach((g, k) => {
      expect(Math.abs(g / expected.gradients[k]! - 1)).toBeLessThan(1e-4);
    });
  });
});

describe('both ways in one program', () => {
  /** A small network into a one-pole filter. */
  const network = (): { stream: Graph; objective: Objective } => {
    const b = new Builder('stream');
    const x = b.node('input', [], [0]);
    const target = b.delay(x, 2);
    const weights = b.node('param', [], [0, 5]);
    const offsets = b.node('param', [], [5, 5]);
    const pole = b.node('param', [], [10]);
    const hidden = b.node('tanh', [b.node('add', [b.node('mul', [weights, x]), offsets])]);
    const past = b.feedback('real', 1);
    const y = b.node('add', [b.node('laneSum', [hidden]), b.node('mul', [past, pole])]);
    b.close(past, y);
    return {
      stream: b.finish([]),
      objective: { terms: [{ estimate: y, target, loss: mse }], window: 40, params: 11 },
    };
  };
  const PARAMS = [0.3, -0.5, 0.7, 0.2, 0.9, 0, 0.1, -0.1, 0.2, -0.2, 0.6];

  test('gives each parameter the gradient of its own way', () => {
    const { stream, objective } = network();
    const scalarsForward = (id: NodeId): Way =>
      nodeOf(stream, id).shape === 1 ? 'forward' : 'reverse';
    const [both, forward, reverse] = [scalarsForward, 'forward', 'reverse'].map((way) =>
      measure(oracle(programOf(stream, objective, way as Way), PARAMS), 4),
    ) as [ReturnType<typeof measure>, ReturnType<typeof measure>, ReturnType<typeof measure>];
    expect(both.gradients[10]).toBeCloseTo(forward.gradients[10]!, 12);
    expect(Math.abs(both.gradients[10]! - reverse.gradients[10]!)).toBeGreaterThan(1e-6);
    for (let k = 0; k < 10; k++) {
      expect(both.gradients[k]).toBeCloseTo(reverse.gradients[k]!, 12);
    }
    const instance = compiledInstance(
      assembled(programOf(stream, objective, scalarsForward), BLOCK),
    );
    instance.resume(PARAMS, 0);
    const code = measure(instance, 4);
    code.gradients.forEach((g, k) => expect(Math.abs(g - both.gradients[k]!)).toBeLessThan(1e-5));
  });
});
