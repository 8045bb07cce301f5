/**
 * Differential fuzz over meters: any numbers of a random program, frames and controls among them,
 * shown after blocks of many lengths; a share of it in double precision.
 * FUZZ_SEED=N runs one seed, FUZZ_RUNS=N more of them.
 */

import { expect, test } from 'vitest';
import type { Graph } from '../../dsp/ir/graph.ts';
import type { NodeId } from '../../dsp/ir/graph.ts';
import { meterName, outName } from '../../dsp/ir/program.ts';
import type { Program } from '../../dsp/ir/program.ts';
import { verify } from '../../dsp/ir/verify.ts';
import { optimise } from '../../dsp/passes/pipeline.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { interpreterKernel } from '../../dsp/run/interpreter-kernel.ts';
import { assembled, compiledInstance, plainProgram } from '../support/program.ts';
import { addFrames } from '../support/random-frames.ts';
import { random, randomGraph } from '../support/random-graph.ts';
import { SIZES, precisionsOf, roundingOf, seedsOf } from '../support/seeds.ts';

const seeds = seedsOf('FUZZ_RUNS', 150);
const BLOCK = 64;
const CUTS = [[1], [7], [16], [BLOCK], [1, 7, 64, 3, 16, 5]] as const;

/**
 * A program that plays one signal and shows some numbers of all rates.
 *
 * @param isFramed  with frames: what is rounded in another order is then only near
 */
function programOf(seed: number, isFramed: boolean): Program {
  const next = random(seed * 17 + 3);
  const below = (n: number): number => Math.floor(next() * n);
  const { builder, signals } = randomGraph(next, {
    size: 4 + below(isFramed ? 12 : 50),
    transcendental: isFramed,
    smoothOnly: isFramed,
  });
  const framed = isFramed ? addFrames(builder, signals, next, true) : [];
  const numbers = builder.nodes.flatMap(({ type, shape }, n) =>
    type === 'real' && shape === 1 ? [n as NodeId] : [],
  );
  const slow = numbers.filter((id) => builder.nodes[id]!.hop > 1);
  const pick = (from: readonly NodeId[]): NodeId => from[below(from.length)]!;
  const shown = [signals.at(-1)!, ...Array.from({ length: 1 + below(6) }, () => pick(numbers))];
  if (slow.length > 0) shown.push(pick(slow), pick(slow));
  const played = [...framed, ...signals].at(-1)!;
  const stream = builder.finish([
    { name: outName(0), node: played },
    ...shown.map((node, k) => ({ name: meterName(k), node })),
  ]);
  return withMeters(optimise(verify(stream, 'the random generator')), shown.length);
}

const withMeters = (stream: Graph, count: number): Program => ({
  ...plainProgram(stream, SIZES),
  outputs: stream.outputs.length - count,
  meters: Array.from({ length: count }, (_, k) => ({ id: `m${k}`, min: -1, max: 1 })),
});

/** What the meters show after each block; sliders move every 48 samples. */
function shown(
  instance: Instance,
  seed: number,
  frames: number,
  blocks: readonly number[],
): Map<number, number[]> {
  const next = random(seed + 7);
  const noise = Array.from({ length: 2 * frames }, () => Math.fround(next() - 0.5));
  const after = new Map<number, number[]>();
  for (let n = 0, k = 0; n < frames; k++) {
    const moves = 48 * (Math.floor(n / 48) + 1);
    const count = Math.min(blocks[k % blocks.length]!, frames - n, moves - n);
    instance.sliders.forEach((_, s) => {
      instance.sliders[s] = Math.fround(Math.sin(1 + s + Math.floor(n / 48)));
    });
    instance.inputs.forEach((channel, c) => {
      for (let i = 0; i < count; i++) channel[i] = noise[2 * (n + i) + c]!;
    });
    instance.process(count);
    n += count;
    after.set(n, [...instance.meters]);
  }
  return after;
}

const oracleOf = (program: Program, maxBlock = BLOCK): Instance =>
  new Instance(
    assembled(program, maxBlock),
    interpreterKernel(program, maxBlock, roundingOf(program.precision)),
  );

const alike = (x: number, y: number, tolerance: number): boolean =>
  x === y || Math.abs(x - y) <= Math.max(1e-13, tolerance) || (Number.isNaN(x) && Number.isNaN(y));

function compare(
  a: ReadonlyMap<number, number[]>,
  b: ReadonlyMap<number, number[]>,
  tolerance: number,
  what: string,
): void {
  for (const [n, values] of a) {
    values.forEach((x, k) => {
      const y = b.get(n)?.[k];
      if (y === undefined || alike(x, y, tolerance * Math.max(1, Math.abs(y)))) return;
      expect.fail(`${what}: meter ${k} after ${n} samples: ${x} against ${y}`);
    });
  }
}

const inEach = (program: Program, seed: number): Program[] =>
  precisionsOf(seed).map((precision) => ({ ...program, precision }));

test('meters show what the interpreter says at the last sample, to the bit', () => {
  for (const seed of seeds) {
    for (const program of inEach(programOf(seed, false), seed)) {
      const oracle = shown(oracleOf(program), seed, 320, [1]);
      const artifact = assembled(program, BLOCK);
      for (const cut of CUTS) {
        const what = `seed ${seed} ${program.precision} ${cut.join()}`;
        compare(shown(compiledInstance(artifact), seed, 320, cut), oracle, 0, what);
      }
    }
  }
});

test('meters beside frames, and of frames, hold what came last', () => {
  for (const seed of seeds.slice(0, Math.max(1, seeds.length / 3))) {
    for (const program of inEach(programOf(seed, true), seed)) {
      const most = program.precision === 'single' ? 1e-4 : 1e-11;
      const oracle = shown(oracleOf(program), seed, 150, [1]);
      const artifact = assembled(program, BLOCK);
      for (const cut of CUTS) {
        const what = `seed ${seed} ${program.precision} ${cut.join()}`;
        compare(shown(compiledInstance(artifact), seed, 150, cut), oracle, most, what);
      }
    }
  }
});

test('products rounded once with their sums show the same however the stream is cut', () => {
  for (const seed of seeds) {
    for (const program of inEach(programOf(seed, false), seed)) {
      const artifact = assembled(program, BLOCK, true);
      const finest = shown(compiledInstance(artifact), seed, 192, [1]);
      for (const cut of CUTS.slice(1)) {
        const what = `seed ${seed} ${program.precision} ${cut.join()}`;
        compare(shown(compiledInstance(artifact), seed, 192, cut), finest, 0, what);
      }
    }
  }
});

test('a meter in a long block is the last sample of what is played', () => {
  const frames = 4096;
  for (const seed of seeds.slice(0, Math.max(1, seeds.length / 10))) {
    const made = programOf(seed, false);
    const { node } = made.stream.outputs[0]!;
    const stream = { ...made.stream, outputs: [{ name: meterName(0), node }] };
    const both = { ...stream, outputs: [{ name: outName(0), node }, ...stream.outputs] };
    for (const precision of precisionsOf(seed)) {
      const [alone, played] = [stream, both].map((graph) =>
        compiledInstance(assembled({ ...withMeters(graph, 1), precision }, frames)),
      ) as [Instance, Instance];
      for (const count of [frames, 1, 4093, 2]) {
        for (const instance of [alone, played]) {
          const next = random(seed + count);
          for (const channel of instance.inputs)
            for (let i = 0; i < count; i++) channel[i] = next();
          instance.process(count);
        }
        const last = played.outputs[0]![count - 1]!;
        const what = `seed ${seed} ${precision} ${count}`;
        expect(Math.fround(played.meters[0]!), what).toBe(last);
        expect(alone.meters[0], what).toBe(played.meters[0]);
      }
    }
  }
});
