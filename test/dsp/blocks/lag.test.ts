/** The loss of a delay: exact gradients, steps that go all the way, silence. */

import { describe, expect, test } from 'vitest';
import { delayLoss } from '../../../dsp/blocks/lag.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import type { Instance } from '../../../dsp/run/instance.ts';
import { MEAN, agree } from '../../support/gradients.ts';
import { assembled, compiledInstance, trainingProgram } from '../../support/program.ts';
import { numbers, play } from '../../support/vectors.ts';

const SIZE = 2048;
const HOP = 256;
const MAX = 900;

const framed = (b: Builder, channel: number, size: number, hop: number): NodeId =>
  b.node('frames', [b.node('input', [], [channel])], [hop, size]);

function learner(): Instance {
  const b = new Builder('stream');
  const [x, y] = [0, 1].map((channel) => framed(b, channel, SIZE, HOP)) as [NodeId, NodeId];
  const scaled = b.node('mul', [b.node('param', [], [0]), b.real(1000)]);
  const estimate = delayLoss(b, x, y, scaled, MAX);
  const stream = b.finish([{ name: 'out:0', node: b.real(0) }]);
  const loss = (...[over, e]: Parameters<typeof MEAN>): NodeId => over.node('sum', [e]);
  const objective = { terms: [{ estimate, target: null, loss }], window: HOP, params: 1 };
  const sizes = { inputs: 2, sliders: 0, params: 1 };
  return compiledInstance(assembled(trainingProgram(stream, objective, 'reverse', sizes), HOP));
}

const instance = learner();
const noise = numbers(4 * SIZE, 9);
const LEAD = SIZE;

/** Loss and slope per sample of the last frames of a sound and the same so many samples later. */
function measured(delay: number, target: number, gain = 0.5, level = 1) {
  instance.reset();
  instance.params[0] = delay / 1000;
  const sound = (n: number): number => level * noise[n + LEAD]!;
  play(instance, {
    frames: SIZE,
    blocks: [HOP],
    input: (c, n) => (c === 0 ? sound(n) : gain * sound(n - target)),
  });
  return { loss: instance.loss, slope: instance.gradients[0]! / 1000 };
}

describe('the loss of a delay', () => {
  test.each([
    [100, 700],
    [880, 3],
    [0, 450],
    [300, 303],
  ])('at %d for %d samples leads all the way by a step of the rate ½', (delay, target) => {
    const { loss, slope } = measured(delay, target);
    expect(Math.sqrt(loss)).toBeCloseTo(Math.abs(delay - target), 0);
    expect(Math.abs(delay - 0.5 * slope - target)).toBeLessThan(0.2);
  });

  test.each([-0.4, -0.1, 0.05, 0.3, 0.5])('is exact %d samples away', (away) => {
    for (const gain of [0.7, -0.2]) {
      const { loss, slope } = measured(500 + away, 500, gain);
      // A Gauss-Newton step for white noise is of second order off.
      expect(Math.abs(500 + away - 0.5 * slope - 500)).toBeLessThan(0.5 * away ** 2 + 0.02);
      expect(Math.sqrt(loss)).toBeCloseTo(Math.abs(away), 0);
    }
  });

  test('has the slope that differences show from afar, in both modes and in code', () => {
    const b = new Builder('stream');
    const [x, y] = [0, 1].map((channel) => framed(b, channel, 128, 64)) as [NodeId, NodeId];
    const scaled = b.node('mul', [b.node('param', [], [0]), b.real(10)]);
    const estimate = b.node('overlap', [delayLoss(b, x, y, scaled, 30)], [64]);
    const run = { input: (c: number, n: number) => noise[n + 50 - 7 * c]! };
    const made = { b, estimate, target: b.real(0), params: 1, window: 256, loss: MEAN };
    agree('delay', { ...made, run, at: [2.2] });
  });

  test('is 0, with no slope, in silence', () => {
    for (const [gain, level] of [
      [0, 1],
      [1, 0],
      [0, 0],
    ] as const) {
      const { loss, slope } = measured(100, 300, gain, level);
      expect([loss, Math.abs(slope)]).toEqual([0, 0]);
    }
  });

  test('does not hear how loud the sounds are', () => {
    const [quiet, loud] = [1e-4, 1e3].map((level) => measured(100, 300, 0.5, level));
    expect(loud!.slope / quiet!.slope).toBeCloseTo(1, 3);
  });
});
