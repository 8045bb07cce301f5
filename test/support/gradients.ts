/**
 * The gradient of a graph computed in every way there is: forward and reverse mode and differences
 * of losses in double precision, and both modes in generated code.
 */

import { expect } from 'vitest';
import type { Builder } from '../../dsp/ir/builder.ts';
import type { NodeId } from '../../dsp/ir/graph.ts';
import type { Loss } from '../../dsp/ad/gradient.ts';
import { mse } from '../../dsp/learn/losses/pointwise.ts';
import type { Instance } from '../../dsp/run/instance.ts';
import { assembled, compiledInstance, trainingProgram } from './program.ts';
import { both, play, startOf } from './vectors.ts';
import type { Run } from './vectors.ts';

export interface GradientCase {
  readonly b: Builder;
  /** A number, a signal. */
  readonly estimate: NodeId;
  readonly target: NodeId;
  /** Length of the bank. */
  readonly params: number;
  readonly window: number;
  /** Values to start from; [−1, 1] at random if not given. */
  readonly at?: readonly number[];
  readonly run?: Partial<Run>;
  /** Compare with differences of losses too; there are none on a kink. */
  readonly differences?: boolean;
  /** The mean of squared differences if not given. */
  readonly loss?: Loss;
}

/** Of a signal that is a loss itself. */
export const MEAN: Loss = (b, estimate, _, window) =>
  b.node('mul', [b.node('sum', [estimate]), b.real(1 / window)]);

const STEP = 1e-5;

/**
 * Checks that all ways agree over the first window, which no truncation touches.
 * @returns what double precision gives
 */
export function agree(what: string, given: GradientCase): { loss: number; gradients: number[] } {
  const { b, estimate, target, params, window } = given;
  const stream = b.finish([{ name: 'out:0', node: estimate }]);
  const objective = { terms: [{ estimate, target, loss: given.loss ?? mse }], window, params };
  const sizes = { inputs: 2, sliders: 1, params };
  const run: Run = { frames: window, blocks: [5, 1, 16, 3], ...given.run };
  const start = given.at ?? startOf(params);
  /** The loss of the first window, with one parameter moved. */
  const one = (instance: Instance, moved = -1, by = 0): number => {
    instance.resetState();
    instance.params.set(start);
    if (moved >= 0) instance.params[moved] = instance.params[moved]! + by;
    play(instance, run);
    return instance.loss;
  };
  const [forward, reverse] = (['forward', 'reverse'] as const).map((mode) => {
    const program = trainingProgram(stream, objective, mode, sizes);
    const { code, oracle } = both(program, 16, (x) => x);
    const double = compiledInstance(assembled({ ...program, precision: 'double' }, 16));
    for (const instance of [oracle, code, double]) one(instance);
    return {
      instance: oracle,
      loss: oracle.loss,
      code: [...code.gradients],
      double: [...double.gradients],
      oracle: [...oracle.gradients],
    };
  });
  const size = Math.max(...forward!.oracle.map(Math.abs), 1e-6);
  // What is not noise of ours is rounded on its way in.
  const double = given.run?.input === undefined ? 1e-9 : 1e-5;
  forward!.oracle.forEach((g, k) => {
    const near = (other: number, limit: number, name: string): void => {
      if (!(Math.abs(g - other) <= limit * size)) {
        expect.fail(`${what}, parameter ${k}: ${g} forward, ${other} ${name}`);
      }
    };
    near(reverse!.oracle[k]!, 1e-9, 'reverse');
    near(reverse!.code[k]!, 2e-4, 'compiled in reverse mode');
    near(forward!.code[k]!, 2e-4, 'compiled in forward mode');
    near(reverse!.double[k]!, double, 'compiled in reverse mode, in double precision');
    near(forward!.double[k]!, double, 'compiled in forward mode, in double precision');
    if (given.differences === false) return;
    const [up, down] = [STEP, -STEP].map((by) => one(reverse!.instance, k, by)) as [number, number];
    near((up - down) / (2 * STEP), 1e-4, 'by differences');
  });
  return { loss: forward!.loss, gradients: forward!.oracle };
}
