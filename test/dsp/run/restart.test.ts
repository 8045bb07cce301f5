/** What begins anew after a restart, a reset or a fault, and what is as it was before. */

import { expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import type { Instance } from '../../../dsp/run/instance.ts';
import { compiledInstance } from '../../support/program.ts';

function instanceOf(nodes: object, training: object, maxBlock: number): Instance {
  const patch = parsePatch({
    format: 'livegrad.patch/1',
    name: 'again',
    params: { w: { initial: 0.5, min: -100, max: 100 } },
    nodes: { x: { op: 'input', channel: 1 }, y: { op: 'mul', in: ['w', 'x'] }, ...nodes },
    outputs: Object.keys(nodes).includes('bad') ? ['y', 'bad'] : ['y'],
    training: {
      estimate: 'y',
      target: 'x',
      loss: 'mse',
      schedule: { kind: 'constant', rate: 0.001 },
      guards: { leap: false, rising: false, silence: false },
      ...training,
    },
  });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate: 16_000, maxBlock, latency: 0 });
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  return compiledInstance(artifact.value);
}

test('a glide that is over does not come back with a restart or a reset', () => {
  const instance = instanceOf({}, { window: 64 }, 64);
  instance.setSchedule({
    kind: 'constant',
    rate: 0.001,
    glide: { at: 500, steps: 10, from: 1 },
  });
  for (const again of [() => instance.restart(), () => instance.reset()]) {
    instance.resume([0.5], 600);
    expect(instance.learningRate).toBe(0.001);
    again();
    expect(instance.learningRate).toBe(0.001);
  }
});

test('frames end with windows again after an output that was not finite', () => {
  const framed = {
    z: { op: 'input', channel: 2 },
    bad: { op: 'div', in: ['x', 'z'] },
    s: { op: 'frames', in: ['y'], size: 64, hop: 128 },
    t: { op: 'frames', in: ['z'], size: 64, hop: 128 },
  };
  const training = { estimate: 's', target: 't', window: 128, mode: 'reverse' };
  const slopes = [false, true].map((isBad) => {
    const instance = instanceOf(framed, training, 48);
    instance.setSchedule({ kind: 'constant', rate: 0 });
    instance.learning = true;
    let n = 0;
    for (let block = 0; block < 40; block++) {
      for (let k = 0; k < 48; k++, n++) {
        const phase = n % 128;
        instance.inputs[0]![k] = Math.sin((2 * Math.PI * phase) / 128) * (phase < 64 ? 1 : 0.1);
        instance.inputs[1]![k] = isBad && n === 200 ? 0 : 1e-6;
      }
      instance.process(48);
      if (instance.fault !== 0) instance.learning = true;
    }
    // Of a loss of w² times a constant: dL/dw = 2·L/w.
    return instance.gradients[0]! / instance.loss;
  });
  expect(slopes[0]).toBeCloseTo(4, 2);
  expect(slopes[1]).toBeCloseTo(4, 2);
});

test('Rprop waits while its rate is 0, and goes on from there', () => {
  const training = { window: 64, optimiser: { kind: 'rprop' } };
  const instance = instanceOf({}, training, 64);
  instance.setSchedule({ kind: 'constant', rate: 0.01 });
  instance.learning = true;
  const play = (blocks: number): number => {
    for (let block = 0; block < blocks; block++) {
      instance.inputs[0]!.forEach((_, k, channel) => (channel[k] = Math.sin(k)));
      instance.process(64);
    }
    return instance.params[0]!;
  };
  play(3);
  instance.rates[0] = 0;
  const held = play(150);
  instance.rates[0] = 1;
  expect(Math.abs(play(1) - held)).toBeLessThan(0.1);
});
