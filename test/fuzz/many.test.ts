/**
 * Ten thousand small random programs, every fourth in double precision: generated code is the
 * interpreter to the bit, however the stream is cut, and forward mode is reverse mode. A failure is shrunk to the smallest program of
 * its seed that fails, and printed. FUZZ_SEED=N runs one seed, FUZZ_MANY=N that many.
 */

import { expect, test } from 'vitest';
import { objectiveActivity } from '../../dsp/ad/gradient.ts';
import type { Graph, NodeId } from '../../dsp/ir/graph.ts';
import { print } from '../../dsp/ir/print.ts';
import { mse } from '../../dsp/learn/losses/pointwise.ts';
import { optimise } from '../../dsp/passes/pipeline.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { interpreterKernel } from '../../dsp/run/interpreter-kernel.ts';
import { assembled, exactInstance, plainProgram, trainingProgram } from '../support/program.ts';
import { FUZZ_PARAMS, random, randomGraph } from '../support/random-graph.ts';
import { SIZES, isOneSeed, roundingOf, seedsOf } from '../support/seeds.ts';

const BLOCK = 16;
const FRAMES = 24;
const WINDOW = 12;
const LARGEST = 24;

const seeds = seedsOf('FUZZ_MANY', 10_000);

/** What is wrong, or null. */
type Property = (seed: number, size: number) => string | null;

function graphOf(
  seed: number,
  size: number,
  smoothOnly: boolean,
): { graph: Graph; last: NodeId[] } {
  const { builder, signals } = randomGraph(random(seed), {
    size,
    transcendental: smoothOnly,
    smoothOnly,
  });
  const last = [signals.at(-1)!, signals.at(-2) ?? signals.at(-1)!];
  return { graph: builder.finish(last.map((node, k) => ({ name: `out:${k}`, node }))), last };
}

function play(instance: Instance, seed: number, blocks: readonly number[]): number[] {
  const next = random(seed + 7);
  const noise = Array.from({ length: 2 * FRAMES }, () => Math.fround(next() - 0.5));
  const out: number[] = [];
  for (let n = 0, k = 0; n < FRAMES; k++) {
    const length = Math.min(blocks[k % blocks.length]!, FRAMES - n);
    instance.inputs.forEach((channel, c) => {
      for (let i = 0; i < length; i++) channel[i] = noise[2 * (n + i) + c]!;
    });
    instance.process(length);
    for (let i = 0; i < length; i++) for (const channel of instance.outputs) out.push(channel[i]!);
    n += length;
  }
  return out;
}

/** Where two runs differ, but for what lies below the silence threshold of generated code. */
function difference(a: readonly number[], b: readonly number[]): string | null {
  const at = a.findIndex((x, n) => {
    const y = b[n]!;
    return !(x === y || Math.abs(x - y) < 1e-13 || (Number.isNaN(x) && Number.isNaN(y)));
  });
  return at < 0 ? null : `value ${at}: ${a[at]} against ${b[at]}`;
}

/** The sum of all signals of a graph: nothing of it is left out. */
function wholeGraph(seed: number, size: number): Graph {
  const { builder, signals } = randomGraph(random(seed), {
    size,
    transcendental: false,
    smoothOnly: false,
  });
  const node = signals.reduce((sum, signal) => builder.node('add', [sum, signal]));
  return builder.finish([{ name: 'out:0', node }]);
}

const codeIsInterpreter: Property = (seed, size) =>
  interpreted(seed, graphOf(seed, size, false).graph);

const largeIsInterpreter: Property = (seed, size) => interpreted(seed, wholeGraph(seed, size));

function interpreted(seed: number, graph: Graph): string | null {
  const precision = seed % 4 === 0 ? 'double' : 'single';
  const plain = plainProgram(optimise(graph), SIZES);
  const program = { ...plain, precision } as const;
  const artifact = assembled(program, BLOCK);
  const kernel = interpreterKernel(program, BLOCK, roundingOf(precision));
  const oracle = play(new Instance(artifact, kernel), seed, [BLOCK]);
  const code = play(exactInstance(program, BLOCK), seed, [BLOCK]);
  const wrong = difference(code, oracle);
  if (wrong !== null) return `code against interpreter, ${wrong}`;
  const cut = difference(play(exactInstance(program, BLOCK), seed, [1, 7, 3, 16]), code);
  return cut === null ? null : `cut otherwise, ${cut}`;
}

const forwardIsReverse: Property = (seed, size) => {
  const { graph, last } = graphOf(seed, size, true);
  const [estimate, target] = last as [NodeId, NodeId];
  const objective = {
    terms: [{ estimate, target, loss: mse }],
    window: WINDOW,
    params: FUZZ_PARAMS,
  };
  if (estimate === target || objectiveActivity(graph, objective).active.size === 0) return null;
  const [forward, reverse] = (['forward', 'reverse'] as const).map((mode) => {
    const program = trainingProgram(graph, objective, mode, SIZES);
    const instance = new Instance(assembled(program, BLOCK), interpreterKernel(program, BLOCK));
    return firstGradients(instance, seed);
  }) as [number[], number[]];
  const scale = Math.max(...forward.map(Math.abs), 1e-9);
  const at = forward.findIndex((g, k) => !(Math.abs(g - reverse[k]!) <= 1e-9 * scale));
  return at < 0 ? null : `parameter ${at}: forward ${forward[at]}, reverse ${reverse[at]}`;
};

/** Of the first window, which no truncation touches. */
function firstGradients(instance: Instance, seed: number): number[] {
  instance.reset();
  const next = random(seed + 7);
  for (let i = 0; i < WINDOW; i++) {
    for (const channel of instance.inputs) channel[i] = Math.fround(next() - 0.5);
  }
  instance.process(WINDOW);
  return [...instance.gradients];
}

const guarded =
  (property: Property): Property =>
  (seed, size) => {
    try {
      return property(seed, size);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };

/** Fails with the smallest program of the seed that has the fault. */
function hold(property: Property, every: number, smoothOnly: boolean, largest = LARGEST): void {
  const check = guarded(property);
  for (const seed of seeds) {
    if (seed % every !== 0 && !isOneSeed) continue;
    const size = 2 + Math.floor(random(seed * 31)() * largest);
    if (check(seed, size) === null) continue;
    let least = 1;
    while (least < size && check(seed, least) === null) least++;
    const { graph } = graphOf(seed, least, smoothOnly);
    expect.fail(
      `seed ${seed}, shrunk from ${size} to ${least} operations: ${check(seed, least)}\n${print(optimise(graph))}`,
    );
  }
}

test('generated code is the interpreter to the bit, however the stream is cut', () => {
  expect(seeds.length).toBeGreaterThan(0);
  hold(codeIsInterpreter, 1, false);
}, 600_000);

test('so it is where loops are divided because they are long', () => {
  hold(largeIsInterpreter, 600, false, 800);
}, 600_000);

test('forward mode is reverse mode', () => {
  hold(forwardIsReverse, 5, true);
}, 600_000);
