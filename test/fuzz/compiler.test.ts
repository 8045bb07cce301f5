/**
 * Differential fuzz over the whole compiler, a share of it in double precision. Every failure prints the seed that makes it again:
 * FUZZ_SEED=N runs one seed, FUZZ_RUNS=N more of them.
 */

import { describe, expect, test } from 'vitest';
import { hasFusedMultiply } from '../../dsp/wasm/features.ts';
import { encode } from '../../dsp/wasm/module.ts';
import { generate } from '../../dsp/wasm/generate.ts';
import { verify } from '../../dsp/ir/verify.ts';
import { PASSES, optimise } from '../../dsp/passes/pipeline.ts';
import type { Graph } from '../../dsp/ir/graph.ts';
import type { Program } from '../../dsp/ir/program.ts';
import { mse } from '../../dsp/learn/losses/pointwise.ts';
import { objectiveActivity } from '../../dsp/ad/gradient.ts';
import type { Objective } from '../../dsp/ad/gradient.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { interpreterKernel } from '../../dsp/run/interpreter-kernel.ts';
import {
  assembled,
  compiledInstance,
  exactInstance,
  plainProgram,
  trainingProgram,
} from '../support/program.ts';
import { FUZZ_PARAMS, random, randomGraph } from '../support/random-graph.ts';
import { SIZES, isOneSeed, precisionsOf, roundingOf, seedsOf } from '../support/seeds.ts';

const BLOCK = 64;
const FRAMES = 320;

const seeds = seedsOf('FUZZ_RUNS', 100);

/** Runs a program over noise, cut into the given block lengths; [output][frame]. */
function play(
  instance: Instance,
  seed: number,
  frames: number,
  blocks: readonly number[],
): number[][] {
  const next = random(seed);
  const input = Array.from({ length: frames }, () => [next() - 0.5, next() - 0.5]);
  const outputs = instance.outputs.map(() => [] as number[]);
  for (let n = 0, k = 0; n < frames; k++) {
    const count = Math.min(blocks[k % blocks.length]!, frames - n);
    instance.inputs.forEach((channel, c) => {
      for (let i = 0; i < count; i++) channel[i] = Math.fround(input[n + i]![c]!);
    });
    instance.process(count);
    instance.outputs.forEach((channel, c) => outputs[c]!.push(...channel.slice(0, count)));
    n += count;
  }
  return outputs;
}

/** How far results may be off that are not equal to the bit: of their size, or of 1. */
const ROUGH = { single: 1e-4, double: 1e-12 } as const;

const inEach = (program: Program, seed: number): Program[] =>
  precisionsOf(seed).map((precision) => ({ ...program, precision }));

const interpreted = (program: Program, round?: (x: number) => number): Instance =>
  new Instance(assembled(program, BLOCK), interpreterKernel(program, BLOCK, round));

/** Equal to the bit, but for what lies below the silence threshold of generated code. */
function sameBits(a: readonly number[][], b: readonly number[][], what: string): void {
  a.forEach((channel, c) => {
    channel.forEach((x, n) => {
      const y = b[c]![n]!;
      const same = x === y || Math.abs(x - y) < 1e-13 || (Number.isNaN(x) && Number.isNaN(y));
      if (!same) expect.fail(`${what}: output ${c} frame ${n}: ${x} against ${y}`);
    });
  });
}

function graphOf(seed: number, transcendental: boolean): Graph {
  const next = random(seed);
  const { builder, signals } = randomGraph(next, {
    size: 4 + Math.floor(next() * 60),
    transcendental,
    smoothOnly: false,
  });
  const chosen = [signals.at(-1)!, signals[Math.floor(next() * signals.length)]!];
  return builder.finish(chosen.map((node, k) => ({ name: `out:${k}`, node })));
}

describe('random programs', () => {
  test('generated code computes what the interpreter computes, to the bit', () => {
    for (const seed of seeds) {
      for (const program of inEach(plainProgram(optimise(graphOf(seed, false)), SIZES), seed)) {
        const { precision } = program;
        const exact = interpreted(program, roundingOf(precision));
        const oracle = play(exact, seed, FRAMES, [BLOCK]);
        const code = play(exactInstance(program, BLOCK), seed, FRAMES, [BLOCK]);
        sameBits(code, oracle, `seed ${seed} ${precision}`);
        const ragged = play(exactInstance(program, BLOCK), seed, FRAMES, [1, 7, 64, 3, 16, 5]);
        sameBits(ragged, oracle, `seed ${seed} ${precision} cut`);
      }
    }
  });

  test('sine and cosine stay within the precision of the interpreter', () => {
    for (const seed of seeds) {
      for (const program of inEach(plainProgram(optimise(graphOf(seed, true)), SIZES), seed)) {
        const { precision } = program;
        const oracle = play(interpreted(program, roundingOf(precision)), seed, 16, [BLOCK]);
        const code = play(exactInstance(program, BLOCK), seed, 16, [BLOCK]);
        code.forEach((channel, c) => {
          const errors = channel.map((x, n) => Math.abs(x - oracle[c]![n]!));
          // A comparison of nearly equal values may go the other way: nearly all must agree.
          const off = errors.filter((e) => e > ROUGH[precision]).length;
          const what = `seed ${seed} ${precision} output ${c}`;
          expect(off, what).toBeLessThanOrEqual(channel.length / 4);
        });
      }
    }
  });

  test('how the stream is cut into blocks does not matter', () => {
    for (const seed of seeds) {
      for (const program of inEach(plainProgram(optimise(graphOf(seed, true)), SIZES), seed)) {
        const artifact = assembled(program, BLOCK);
        const whole = play(compiledInstance(artifact), seed, FRAMES, [BLOCK]);
        const ragged = play(compiledInstance(artifact), seed, FRAMES, [1, 7, 64, 3, 16, 5]);
        sameBits(ragged, whole, `seed ${seed} ${program.precision}`);
      }
    }
  });

  test('products rounded once with their sums stay near, however the stream is cut', () => {
    expect(hasFusedMultiply()).toBe(true);
    for (const seed of seeds) {
      for (const program of inEach(plainProgram(optimise(graphOf(seed, true)), SIZES), seed)) {
        const most = ROUGH[program.precision];
        const what = `seed ${seed} ${program.precision}`;
        const fused = play(exactInstance(program, BLOCK, true), seed, 16, [BLOCK]);
        const plain = play(exactInstance(program, BLOCK), seed, 16, [BLOCK]);
        fused.forEach((channel, c) => {
          const off = channel.filter((x, n) => !(Math.abs(x - plain[c]![n]!) <= most)).length;
          expect(off, `${what} output ${c}`).toBeLessThanOrEqual(channel.length / 4);
        });
        const whole = play(exactInstance(program, BLOCK, true), seed, FRAMES, [BLOCK]);
        const ragged = play(exactInstance(program, BLOCK, true), seed, FRAMES, [1, 7, 64, 3, 16]);
        sameBits(ragged, whole, what);
      }
    }
  });

  test('every pass keeps the graph verified and its meaning', () => {
    for (const seed of seeds) {
      let graph = verify(graphOf(seed, true), 'the random generator');
      const before = play(interpreted(plainProgram(graph, SIZES)), seed, 48, [BLOCK]);
      for (const pass of PASSES) {
        graph = verify(pass.run(graph), pass.name);
        const after = play(interpreted(plainProgram(graph, SIZES)), seed, 48, [BLOCK]);
        after.forEach((channel, c) => {
          channel.forEach((x, n) => {
            const y = before[c]![n]!;
            // Sums in another order round in another way.
            const limit = 1e-10 * Math.max(1, Math.abs(y));
            const same = Math.abs(x - y) <= limit || Object.is(x, y);
            if (!same) expect.fail(`seed ${seed} after ${pass.name}: ${x} against ${y}`);
          });
        });
      }
    }
  });

  test('the same program gives the same bytes', () => {
    for (const seed of seeds) {
      const bytes = (): string[] =>
        inEach(plainProgram(optimise(graphOf(seed, true)), SIZES), seed).map((program) =>
          Buffer.from(encode(generate(program, BLOCK).module)).toString('base64'),
        );
      expect(bytes(), `seed ${seed}`).toEqual(bytes());
    }
  });
});

describe('gradients of random programs', () => {
  const WINDOW = 40;

  function objectiveOf(seed: number): { stream: Graph; objective: Objective } | null {
    const next = random(seed * 7 + 3);
    const { builder, signals } = randomGraph(next, {
      size: 3 + Math.floor(next() * 30),
      transcendental: true,
      smoothOnly: true,
    });
    const estimate = signals.at(-1)!;
    const target = signals[Math.floor(next() * signals.length)]!;
    const stream = builder.finish([{ name: 'out:0', node: estimate }]);
    const objective = {
      terms: [{ estimate, target, loss: mse }],
      window: WINDOW,
      params: FUZZ_PARAMS,
    };
    const learnable = objectiveActivity(stream, objective).active.size > 0;
    return learnable && estimate !== target ? { stream, objective } : null;
  }

  /** Loss and gradients of the first window, which no truncation touches. */
  function firstWindow(instance: Instance, seed: number, move?: [number, number]) {
    if (move !== undefined) instance.params[move[0]] = instance.params[move[0]]! + move[1];
    play(instance, seed, WINDOW, [BLOCK]);
    return { loss: instance.loss, gradients: [...instance.gradients] };
  }

  const cases = (): { seed: number; stream: Graph; objective: Objective }[] =>
    seeds.flatMap((seed) => {
      const made = objectiveOf(seed);
      return made === null ? [] : [{ seed, ...made }];
    });

  test('forward and reverse mode agree in double precision', () => {
    const all = cases();
    expect(all.length).toBeGreaterThan(!isOneSeed ? seeds.length / 3 : 0);
    for (const { seed, stream, objective } of all) {
      const [forward, reverse] = (['forward', 'reverse'] as const).map((mode) => {
        const program = trainingProgram(stream, objective, mode, SIZES);
        return firstWindow(interpreted(program), seed).gradients;
      });
      forward!.forEach((g, k) => {
        const difference = Math.abs(g - reverse![k]!);
        const size = Math.max(...forward!.map(Math.abs), 1e-9);
        if (!(difference <= 1e-9 * size)) {
          expect.fail(`seed ${seed} parameter ${k}: forward ${g}, reverse ${reverse![k]}`);
        }
      });
    }
  });

  test('gradients are the slopes that finite differences measure', () => {
    for (const { seed, stream, objective } of cases()) {
      const program = trainingProgram(stream, objective, 'reverse', SIZES);
      const { gradients, loss } = firstWindow(interpreted(program), seed);
      // The difference of two losses is only as exact as the loss.
      const size = Math.max(...gradients.map(Math.abs), 1e-5 + 1e-4 * loss);
      gradients.forEach((g, k) => {
        const h = 1e-5;
        const up = firstWindow(interpreted(program), seed, [k, h]).loss;
        const down = firstWindow(interpreted(program), seed, [k, -h]).loss;
        const slope = (up - down) / (2 * h);
        if (!(Math.abs(slope - g) <= 1e-5 * size)) {
          expect.fail(`seed ${seed} parameter ${k}: gradient ${g}, slope ${slope}`);
        }
      });
    }
  });

  test('generated code gives the gradients of the interpreter, in both modes', () => {
    for (const { seed, stream, objective } of cases()) {
      for (const mode of ['forward', 'reverse'] as const) {
        for (const program of inEach(trainingProgram(stream, objective, mode, SIZES), seed)) {
          const most = ROUGH[program.precision];
          const what = `seed ${seed} ${mode} ${program.precision}`;
          const oracle = firstWindow(interpreted(program), seed);
          const code = firstWindow(compiledInstance(assembled(program, BLOCK)), seed);
          const size = Math.max(...oracle.gradients.map(Math.abs), 1e-3);
          code.gradients.forEach((g, k) => {
            if (!(Math.abs(g - oracle.gradients[k]!) <= most * size)) {
              expect.fail(`${what} parameter ${k}: ${g} against ${oracle.gradients[k]}`);
            }
          });
          const off = Math.abs(code.loss - oracle.loss);
          expect(off, what).toBeLessThan(most * Math.max(oracle.loss, 1e-3));
        }
      }
    }
  });

  test('passes do not change a gradient', () => {
    for (const { seed, stream, objective } of cases()) {
      const plain = trainingProgram(stream, objective, 'reverse', SIZES, (g: Graph) => g);
      const better = trainingProgram(stream, objective, 'reverse', SIZES);
      const [a, b] = [plain, better].map(
        (program) => firstWindow(interpreted(program), seed).gradients,
      );
      const size = Math.max(...a!.map(Math.abs), 1e-9);
      a!.forEach((g, k) => expect(Math.abs(g - b![k]!), `seed ${seed}`).toBeLessThan(1e-9 * size));
    }
  });
});
