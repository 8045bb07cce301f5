/**
 * Gradients where samples and frames meet: frames that are looked at again, put together and taken
 * apart; values that a slider moves, used at both rates.
 */

import { expect, test } from 'vitest';
import { differentiate, objectiveActivity } from '../../../dsp/ad/gradient.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { NodeId } from '../../../dsp/ir/graph.ts';
import { verify } from '../../../dsp/ir/verify.ts';
import { mse } from '../../../dsp/learn/losses/pointwise.ts';
import { trainingProgram } from '../../support/program.ts';
import { both, play } from '../../support/vectors.ts';

const SIZES = { inputs: 2, sliders: 1, params: 3 };
const WINDOW = 48;

type Estimate = (b: Builder, x: NodeId, params: readonly NodeId[]) => NodeId;

const framesOf = (b: Builder, x: NodeId, lanes: number): NodeId =>
  b.node('frames', [x], [8, lanes]);

const ESTIMATES: Readonly<Record<string, Estimate>> = {
  'a square of what frames were put together to': (b, x, [p]) => {
    const y = b.node('overlap', [b.node('mul', [framesOf(b, x, 12), p!])], [8]);
    return b.node('mul', [y, y]);
  },
  'a square of frames of a product': (b, x, [p]) => {
    const frame = framesOf(b, b.node('mul', [b.node('mul', [x, b.real(0.5)]), p!]), 12);
    return b.node('overlap', [b.node('mul', [frame, frame])], [8]);
  },
  'frames times a slider': (b, x, [p]) => {
    const gain = b.node('mul', [p!, b.node('slider', [], [0])]);
    return b.node('overlap', [b.node('mul', [framesOf(b, x, 12), gain])], [8]);
  },
  'a slider at both rates, also as a vector': (b, x, [p, q, r]) => {
    const gain = b.node('mul', [b.node('concat', [p!, q!, r!]), b.node('slider', [], [0])]);
    const frame = b.node('mul', [framesOf(b, x, 3), b.node('mul', [gain, gain])]);
    const now = b.node('laneSum', [b.node('mul', [gain, x])]);
    return b.node('add', [b.node('overlap', [frame], [8]), now]);
  },
};

test.each(Object.entries(ESTIMATES))('%s: both modes and generated code agree', (_, make) => {
  const b = new Builder('stream');
  const params = [0, 1, 2].map((k) => b.node('param', [], [k]));
  const estimate = make(b, b.node('input', [], [0]), params);
  const target = b.node('input', [], [1]);
  const stream = b.finish([{ name: 'out:0', node: estimate }]);
  const objective = { terms: [{ estimate, target, loss: mse }], window: WINDOW, params: 3 };
  const { active } = objectiveActivity(stream, objective);
  verify(differentiate(stream, objective, active, 'reverse').backward, 'reverse mode');
  const gradients = (['forward', 'reverse'] as const).map((mode) => {
    const made = both(trainingProgram(stream, objective, mode, SIZES), WINDOW, (x) => x);
    for (const instance of [made.code, made.oracle]) {
      play(instance, {
        frames: WINDOW,
        blocks: [7],
        before: ({ sliders }, frame) => {
          sliders[0] = Math.cos(frame);
        },
      });
    }
    made.oracle.gradients.forEach((g, k) => {
      expect(Math.abs(made.code.gradients[k]! - g)).toBeLessThan(1e-5);
    });
    return made.oracle.gradients;
  });
  expect(Math.max(...gradients[0]!.map(Math.abs))).toBeGreaterThan(1e-3);
  gradients[0]!.forEach((g, k) => expect(gradients[1]![k]!).toBeCloseTo(g, 12));
});

test('a carry-over counts nothing from before the first sample', () => {
  const b = new Builder('stream');
  const bias = b.node('param', [], [0]);
  const past = b.feedback('real', 1);
  const estimate = b.node('add', [bias, b.node('mul', [past, b.real(0.9)])]);
  b.close(past, estimate);
  const target = b.node('input', [], [0]);
  const stream = b.finish([{ name: 'out:0', node: estimate }]);
  const objective = { terms: [{ estimate, target, loss: mse }], window: 8, params: 3 };
  const programs = [
    trainingProgram(stream, objective, 'forward', SIZES),
    trainingProgram(stream, { ...objective, carry: 32 }, 'reverse', SIZES),
  ];
  const [forward, reverse] = programs.map((program) => both(program, 8)) as [
    ReturnType<typeof both>,
    ReturnType<typeof both>,
  ];
  for (let window = 0; window < 4; window++) {
    const runs = [forward.oracle, reverse.oracle, reverse.code].map((instance) => {
      play(instance, { frames: 8, blocks: [3] });
      return instance.gradients[0]!;
    });
    for (const gradient of runs) expect(gradient).toBeCloseTo(runs[0]!, 4);
  }
});
