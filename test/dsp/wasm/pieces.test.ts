/**
 * Networks of delays as reverbs are made of: recursions through delays longer and shorter than a run,
 * delays of delays, and delays of a few samples, against the interpreter.
 */

import { expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../../dsp/ir/graph.ts';
import type { Precision } from '../../../dsp/ir/program.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';
import { generate } from '../../../dsp/wasm/generate.ts';
import { assembled, exactInstance, plainProgram } from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';
import { roundingOf } from '../../support/seeds.ts';

const BLOCK = 128;
const FRAMES = 1100;

function reverb(seed: number): Graph {
  const next = random(seed);
  const below = (n: number): number => Math.floor(next() * n);
  const b = new Builder('stream');
  const signals: NodeId[] = [b.node('input', [], [0]), b.node('input', [], [1])];
  const pick = (): NodeId => signals[Math.max(0, signals.length - 1 - below(4))]!;
  const length = (): number => 1 + below([4, 12, 60, 140, 300][below(5)]!);
  const scaled = (x: NodeId, by: number): NodeId => b.node('mul', [x, b.real(by)]);
  const around = b.feedback('real', length(), 0);
  signals.push(b.node('add', [signals[0]!, scaled(around, 0.2)]));
  for (let k = 0; k < 9; k++) {
    const x = pick();
    const kind = below(6);
    const init = below(4) === 0 ? 0.25 : 0;
    if (kind === 0) signals.push(b.delay(b.delay(x, length(), init), length(), init));
    else if (kind === 1) signals.push(b.node('sub', [x, b.delay(x, 1 + below(9), init)]));
    else if (kind === 2) {
      const count = b.node('toInt', [scaled(x, 8)]);
      signals.push(b.node('toReal', [b.delay(count, length(), below(3))]));
    } else {
      const back = b.feedback('real', length(), init);
      let filtered = back;
      if (kind === 4) {
        const state = b.feedback('real', 1, 0);
        filtered = b.node('add', [scaled(back, 0.7), scaled(state, 0.3)]);
        b.close(state, filtered);
      }
      const sum = b.node('add', [x, scaled(filtered, 0.6)]);
      b.close(back, sum);
      signals.push(kind === 5 ? b.node('sub', [back, scaled(sum, 0.6)]) : sum);
    }
  }
  b.close(around, signals.at(-1)!);
  const all = signals.reduce((sum, x) => b.node('add', [sum, x]));
  return optimise(b.finish([signals.at(-1)!, all].map((node, k) => ({ name: `out:${k}`, node }))));
}

function play(instance: Instance, blocks: readonly number[]): number[][] {
  const next = random(1);
  const noise = Array.from({ length: 2 * FRAMES }, () => Math.fround(next() - 0.5));
  const outputs = instance.outputs.map(() => [] as number[]);
  for (let n = 0, k = 0; n < FRAMES; k++) {
    const count = Math.min(blocks[k % blocks.length]!, FRAMES - n);
    instance.inputs.forEach((channel, c) => {
      for (let i = 0; i < count; i++) channel[i] = noise[2 * (n + i) + c]!;
    });
    instance.process(count);
    instance.outputs.forEach((channel, c) => outputs[c]!.push(...channel.slice(0, count)));
    n += count;
  }
  return outputs;
}

const seeds = Array.from({ length: 24 }, (_, k) => k + 1);

test.each<Precision>(['single', 'double'])('networks of delays, to the bit: %s', (precision) => {
  let divided = 0;
  for (const seed of seeds) {
    const program = {
      ...plainProgram(reverb(seed), { inputs: 2, sliders: 0, params: 0 }),
      precision,
    };
    const kernel = interpreterKernel(program, BLOCK, roundingOf(precision));
    const expected = play(new Instance(assembled(program, BLOCK), kernel), [BLOCK]);
    for (const blocks of [[BLOCK], [1, 7, 64, 3, 128, 5], [33]]) {
      const got = play(exactInstance(program, BLOCK), blocks);
      got.forEach((channel, c) => {
        const at = channel.findIndex((x, n) => x !== expected[c]![n] && Math.abs(x) > 1e-13);
        expect(at, `seed ${seed} output ${c} in blocks of ${blocks.join()}`).toBe(-1);
      });
    }
    if (generate(program, BLOCK).plans[0]!.frames < BLOCK) divided++;
  }
  expect(divided).toBeGreaterThan(seeds.length / 10);
});

test('what a comb of a thousand samples does is done four samples at a time', () => {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const back = b.feedback('real', 1000, 0);
  const sum = b.node('add', [x, b.node('mul', [back, b.real(0.5)])]);
  b.close(back, sum);
  const stream = optimise(b.finish([{ name: 'out:0', node: sum }]));
  const program = plainProgram(stream, { inputs: 1, sliders: 0, params: 0 });
  expect(generate(program, BLOCK).loops).toEqual({ vector: 1, serial: 0 });
});
