/**
 * Differential fuzz over frames: several hops in one program, recursions and delays of frames, views,
 * frames of what frames were put together to, sliders that move anywhere, windows with a carry-over.
 * FUZZ_SEED=N runs one seed, FUZZ_RUNS=N more of them.
 */

import { expect, test } from 'vitest';
import { objectiveActivity } from '../../dsp/ad/gradient.ts';
import type { Objective } from '../../dsp/ad/gradient.ts';
import type { Graph, NodeId } from '../../dsp/ir/graph.ts';
import { print } from '../../dsp/ir/print.ts';
import { verify } from '../../dsp/ir/verify.ts';
import type { Program } from '../../dsp/ir/program.ts';
import { mse } from '../../dsp/learn/losses/pointwise.ts';
import { optimise } from '../../dsp/passes/pipeline.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { interpreterKernel } from '../../dsp/run/interpreter-kernel.ts';
import { assembled, compiledInstance, plainProgram, trainingProgram } from '../support/program.ts';
import { addFrames } from '../support/random-frames.ts';
import { FUZZ_PARAMS, random, randomGraph } from '../support/random-graph.ts';
import { SIZES, isOneSeed, seedsOf } from '../support/seeds.ts';

const BLOCK = 30;
const FRAMES = 150;

const seeds = seedsOf('FUZZ_RUNS', 60);

interface Case {
  readonly stream: Graph;
  readonly signals: readonly NodeId[];
}

function graphOf(seed: number, smoothOnly: boolean, size: number): Case {
  const next = random(seed * 13 + 5);
  const { builder, signals } = randomGraph(next, {
    size: Math.floor(next() * size),
    transcendental: smoothOnly,
    smoothOnly,
  });
  const all = [...signals, ...addFrames(builder, signals, next, smoothOnly)];
  const chosen = [all.at(-1)!, all[Math.floor(next() * all.length)]!];
  const stream = builder.finish(chosen.map((node, k) => ({ name: `out:${k}`, node })));
  return { stream: verify(stream, 'the random generator'), signals: all };
}

/** Plays noise, with sliders that move at the given frames; [value]. */
function play(
  instance: Instance,
  seed: number,
  frames: number,
  blocks: readonly number[],
  moves = 7,
): number[] {
  const next = random(seed + 7);
  const noise = Array.from({ length: 2 * frames }, () => Math.fround(next() - 0.5));
  const out: number[] = [];
  for (let n = 0, k = 0; n < frames; k++) {
    const until = moves === 0 ? frames : moves * (Math.floor(n / moves) + 1);
    const length = Math.min(blocks[k % blocks.length]!, frames - n, until - n);
    if (moves > 0) {
      instance.sliders.forEach((_, s) => {
        instance.sliders[s] = Math.fround(Math.sin(1 + s + Math.floor(n / moves)));
      });
    }
    instance.inputs.forEach((channel, c) => {
      for (let i = 0; i < length; i++) channel[i] = noise[2 * (n + i) + c]!;
    });
    instance.process(length);
    for (let i = 0; i < length; i++) for (const channel of instance.outputs) out.push(channel[i]!);
    n += length;
  }
  return out;
}

const interpreted = (program: Program, round?: (x: number) => number): Instance =>
  new Instance(assembled(program, BLOCK), interpreterKernel(program, BLOCK, round));

function near(a: readonly number[], b: readonly number[], tolerance: number, what: string): void {
  const size = Math.max(1e-3, ...b.map(Math.abs));
  a.forEach((x, n) => {
    const y = b[n]!;
    const isNear =
      Math.abs(x - y) <= Math.max(1e-12, tolerance * size) || (Number.isNaN(x) && Number.isNaN(y));
    if (!isNear) expect.fail(`${what}: value ${n}: ${x} against ${y}`);
  });
}

test('generated code computes the frames of the interpreter, however the stream is cut', () => {
  const failures: string[] = [];
  for (const seed of seeds) {
    try {
      const program = plainProgram(optimise(graphOf(seed, true, 12).stream), SIZES);
      const oracle = play(interpreted(program), seed, FRAMES, [BLOCK]);
      const artifact = assembled(program, BLOCK);
      near(play(compiledInstance(artifact), seed, FRAMES, [BLOCK]), oracle, 1e-4, `seed ${seed}`);
      near(
        play(compiledInstance(artifact), seed, FRAMES, [1, 7, 30, 3]),
        oracle,
        1e-4,
        `seed ${seed} cut`,
      );
    } catch (error) {
      failures.push(`seed ${seed}: ${(error as Error).message}`);
    }
  }
  expect(failures).toEqual([]);
});

test('what is rounded alike is alike to the bit', () => {
  const failures: string[] = [];
  for (const seed of seeds) {
    try {
      const program = plainProgram(optimise(graphOf(seed, false, 12).stream), SIZES);
      const artifact = assembled(program, BLOCK);
      const whole = play(compiledInstance(artifact), seed, FRAMES, [BLOCK]);
      near(play(compiledInstance(artifact), seed, FRAMES, [1, 7, 30, 3]), whole, 0, `seed ${seed}`);
      const oracle = play(interpreted(program, Math.fround), seed, FRAMES, [BLOCK]);
      const off = whole.filter((x, n) => !(Math.abs(x - oracle[n]!) < 1e-3)).length;
      if (off > whole.length / 10) expect.fail(`seed ${seed}: ${off} off`);
    } catch (error) {
      failures.push(`seed ${seed}: ${(error as Error).message}`);
    }
  }
  expect(failures).toEqual([]);
});

test('gradients: forward is reverse, code is the interpreter, also with a carry-over', () => {
  const failures: string[] = [];
  let checked = 0;
  for (const seed of seeds) {
    const next = random(seed * 3 + 1);
    const window = [24, 48, 72][Math.floor(next() * 3)]!;
    const carry = [0, 24, 48, 120][Math.floor(next() * 4)]!;
    const { stream, signals } = graphOf(seed, true, 8);
    const objective: Objective = {
      terms: [
        {
          estimate: signals.at(-1)!,
          target: signals[Math.floor(next() * signals.length)]!,
          loss: mse,
        },
      ],
      window,
      params: FUZZ_PARAMS,
    };
    const { active, obstacles } = objectiveActivity(stream, objective);
    if (
      active.size === 0 ||
      obstacles.length > 0 ||
      objective.terms.some((term) => term.estimate === term.target)
    )
      continue;
    checked++;
    try {
      for (const moves of [0, 7]) {
        const [forward, reverse] = (['forward', 'reverse'] as const).map((mode) => {
          const program = trainingProgram(stream, objective, mode, SIZES);
          for (const g of [program.stream, program.backward!]) verify(g, mode);
          const exact = interpreted(program);
          play(exact, seed, window, [BLOCK], moves);
          const code = compiledInstance(assembled(program, BLOCK));
          play(code, seed, window, [11, 30, 1], moves);
          near([...code.gradients], [...exact.gradients], 1e-3, `${mode} ${moves} code`);
          near([code.loss], [exact.loss], 1e-3, `${mode} loss`);
          return [...exact.gradients];
        });
        const size = Math.max(1e-6, ...forward!.map(Math.abs));
        forward!.forEach((g, k) => {
          if (!(Math.abs(g - reverse![k]!) <= 1e-8 * size))
            expect.fail(`moves ${moves} parameter ${k}: forward ${g}, reverse ${reverse![k]}`);
        });
      }
      if (carry > 0) {
        const program = trainingProgram(stream, { ...objective, carry }, 'reverse', SIZES);
        for (const g of [program.stream, program.backward!, program.loss!]) verify(g, 'carry');
        const exact = interpreted(program);
        const code = compiledInstance(assembled(program, BLOCK));
        for (let k = 0; k < 4; k++) {
          play(exact, seed + k, window, [BLOCK]);
          play(code, seed + k, window, [11, 30, 1]);
          near([...code.gradients], [...exact.gradients], 1e-3, `carry window ${k}`);
        }
        // All of what came before is in the carry-over: the gradient is forward mode's.
        const total = trainingProgram(
          stream,
          { ...objective, carry: 3 * window },
          'reverse',
          SIZES,
        );
        const along = trainingProgram(stream, objective, 'forward', SIZES);
        const [a, b] = [total, along].map((p) => interpreted(p)) as [Instance, Instance];
        for (let k = 0; k < 4; k++) {
          for (const one of [a, b]) play(one, seed + k, window, [BLOCK]);
          const size = Math.max(1e-6, ...b.gradients.map(Math.abs));
          b.gradients.forEach((g, n) => {
            if (!(Math.abs(g - a.gradients[n]!) <= 1e-8 * size))
              expect.fail(`carry ${k} parameter ${n}: forward ${g}, reverse ${a.gradients[n]}`);
          });
        }
      }
    } catch (error) {
      failures.push(`seed ${seed}: ${(error as Error).message}`);
      if (isOneSeed) console.log(print(stream), (error as Error).stack);
    }
  }
  expect(failures).toEqual([]);
  expect(checked).toBeGreaterThan(!isOneSeed ? seeds.length / 8 : -1);
});
