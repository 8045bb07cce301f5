/**
 * Loops of one sample: choices that skip what only they need, short pasts, and lines read at a place
 * that stays, in random graphs against the interpreter, to the bit.
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

const BLOCK = 64;
const FRAMES = 400;

/** A counter, and around it a recursion through choices, delays and lines. */
function choices(seed: number): Graph {
  const next = random(seed);
  const below = (n: number): number => Math.floor(next() * n);
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const place = b.node('slider', [], [0]);
  const count = b.feedback('int', 1, 0);
  b.close(count, b.node('rem', [b.node('add', [count, b.int(1)]), b.int(3 + below(9))]));
  const ints: NodeId[] = [count];
  const back = b.feedback('real', 1 + below(3), below(2) === 0 ? 0 : 0.5);
  const signals: NodeId[] = [x, back];
  const pick = (): NodeId => signals[Math.max(0, signals.length - 1 - below(5))]!;
  const condition = (): NodeId => {
    const k = ints[below(ints.length)]!;
    return b.node(below(2) === 0 ? 'lt' : 'eq', [k, b.int(below(4))]);
  };
  const bounded = (y: NodeId): NodeId =>
    b.node('div', [y, b.node('add', [b.node('abs', [y]), b.real(1)])]);
  const longer = (of: NodeId): NodeId => {
    let y = of;
    for (let k = below(5); k >= 0; k--) {
      const scaled = b.node('mul', [y, b.real(next() - 0.5)]);
      y = below(3) === 0 ? bounded(scaled) : b.node('add', [scaled, pick()]);
      if (below(4) === 0) y = b.node('sqrt', [b.node('abs', [y])]);
    }
    return y;
  };
  for (let k = 0; k < 12; k++) {
    const kind = below(7);
    if (kind < 3) {
      const inner = below(2) === 0 ? longer(pick()) : longer(signals.at(-1)!);
      const yes = b.node('select', [condition(), longer(inner), pick()]);
      signals.push(b.node('select', [condition(), below(2) === 0 ? yes : pick(), longer(yes)]));
    } else if (kind === 3) signals.push(b.delay(pick(), 1 + below(5), below(3) === 0 ? 0.25 : 0));
    else if (kind === 4) ints.push(b.delay(b.int(below(3)), 1 + below(3), 0));
    else if (kind === 5) signals.push(b.node('line', [pick(), b.node('toInt', [place])], [9]));
    else {
      const k = ints[below(ints.length)]!;
      const noisy = b.node('toReal', [b.node('xor', [k, b.node('toInt', [longer(pick())])])]);
      signals.push(b.node('select', [condition(), b.node('mul', [noisy, b.real(0.1)]), pick()]));
    }
  }
  b.close(back, bounded(signals.at(-1)!));
  const outputs = [signals.at(-1)!, pick(), b.node('toReal', [ints.at(-1)!])];
  return optimise(b.finish(outputs.map((node, k) => ({ name: `out:${k}`, node }))));
}

function play(instance: Instance, blocks: readonly number[]): number[][] {
  const next = random(1);
  const noise = Array.from({ length: FRAMES }, () => Math.fround(next() - 0.5));
  const outputs = instance.outputs.map(() => [] as number[]);
  for (let n = 0, k = 0; n < FRAMES; k++) {
    const at = Math.min(blocks[k % blocks.length]!, FRAMES - n);
    // A place that moves, and leaves its range.
    const moves = n - (n % BLOCK) === 128 ? 20 : 3;
    instance.sliders[0] = moves;
    const count = Math.min(at, BLOCK - (n % BLOCK));
    instance.inputs.forEach((channel) => channel.set(noise.slice(n, n + count)));
    instance.process(count);
    instance.outputs.forEach((channel, c) => outputs[c]!.push(...channel.slice(0, count)));
    n += count;
  }
  return outputs;
}

const seeds = Array.from({ length: 24 }, (_, k) => k + 1);

test.each<Precision>(['single', 'double'])('random choices: %s', (precision) => {
  let jumps = 0;
  for (const seed of seeds) {
    const program = {
      ...plainProgram(choices(seed), { inputs: 1, sliders: 1, params: 0 }),
      precision,
    };
    const kernel = interpreterKernel(program, BLOCK, roundingOf(precision));
    const expected = play(new Instance(assembled(program, BLOCK), kernel), [BLOCK]);
    for (const blocks of [[BLOCK], [1, 7, 64, 3]]) {
      const got = play(exactInstance(program, BLOCK), blocks);
      got.forEach((channel, c) => {
        const at = channel.findIndex((x, n) => x !== expected[c]![n] && Math.abs(x) > 1e-13);
        expect(at, `seed ${seed} output ${c} in blocks of ${blocks.join()}`).toBe(-1);
      });
    }
    const [stream] = generate(program, BLOCK).module.functions;
    if (stream!.body.some(([op]) => op === 'else')) jumps++;
  }
  expect(jumps).toBeGreaterThan(seeds.length / 2);
});

test('a choice by what is heard computes both of its sides', () => {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const back = b.feedback('real', 1, 0);
  const root = b.node('sqrt', [b.node('abs', [b.node('div', [back, b.real(3)])])]);
  b.close(back, b.node('select', [b.node('lt', [x, b.real(0)]), root, x]));
  const stream = optimise(b.finish([{ name: 'out:0', node: back }]));
  const program = plainProgram(stream, { inputs: 1, sliders: 0, params: 0 });
  const [func] = generate(program, BLOCK).module.functions;
  expect(func!.body.some(([op]) => op === 'else')).toBe(false);
});
