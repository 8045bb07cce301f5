/**
 * Differential fuzz over frames: several hops in one program, recursions and delays of frames, views,
 * frames of what frames were put together to, sliders that move anywhere, windows with a carry-over; a share of it in
 * double precision.
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
import {
  assembled,
  compiledInstance,
  exactInstance,
  plainProgram,
  trainingProgram,
} from '../support/program.ts';
import { addFrames } from '../support/random-frames.ts';
import { FUZZ_PARAMS, random, randomGraph } from '../support/random-graph.ts';
import { SIZES, isOneSeed, precisionsOf, roundingOf, seedsOf } from '../support/seeds.ts';

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

const inEach = (program: Program, seed: number): Program[] =>
  precisionsOf(seed).map((precision) => ({ ...program, precision }));

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
      const plain = plainProgram(optimise(graphOf(seed, true, 12).stream), SIZES);
      const oracle = play(interpreted(plain), seed, FRAMES, [BLOCK]);
      for (const program of inEach(plain, seed)) {
        const most = program.precision === 'single' ? 1e-4 : 1e-12;
        for (const blocks of [[BLOCK], [1, 7, 30, 3]]) {
          const code = play(exactInstance(program, BLOCK), seed, FRAMES, blocks);
          near(code, oracle, most, `seed ${seed} ${program.precision} ${blocks.join()}`);
        }
      }
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
      const plain = plainProgram(optimise(graphOf(seed, false, 12).stream), SIZES);
      for (const program of inEach(plain, seed)) {
        const { precision } = program;
        const whole = play(exactInstance(program, BLOCK), seed, FRAMES, [BLOCK]);
        const cut = play(exactInstance(program, BLOCK), seed, FRAMES, [1, 7, 30, 3]);
        near(cut, whole, 0, `seed ${seed} ${precision}`);
        const oracle = play(interpreted(program, roundingOf(precision)), seed, FRAMES, [BLOCK]);
        const most = precision === 'single' ? 1e-3 : 1e-10;
        const off = whole.filter((x, n) => !(Math.abs(x - oracle[n]!) < most)).length;
        if (off > whole.length / 10) expect.fail(`seed ${seed} ${precision}: ${off} off`);
      }
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
          for (const one of inEach(program, seed)) {
            const most = one.precision === 'single' ? 1e-3 : 1e-11;
            const code = compiledInstance(assembled(one, BLOCK));
            play(code, seed, window, [11, 30, 1], moves);
            near([...code.gradients], [...exact.gradients], most, `${mode} ${moves} code`);
            near([code.loss], [exact.loss], most, `${mode} loss`);
          }
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
        const codes = inEach(program, seed).map((one) => compiledInstance(assembled(one, BLOCK)));
        for (let k = 0; k < 4; k++) {
          play(exact, seed + k, window, [BLOCK]);
          codes.forEach((code, double) => {
            play(code, seed + k, window, [11, 30, 1]);
            const most = double === 0 ? 1e-3 : 1e-11;
            near([...code.gradients], [...exact.gradients], most, `carry window ${k}`);
          });
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
