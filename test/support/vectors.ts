/**
 * Vectors for the tests: signals of several lanes made of the inputs, and programs run by the
 * generated code and by the interpreter side by side.
 */

import { expect } from 'vitest';
import type { Builder } from '../../dsp/ir/builder.ts';
import type { NodeId } from '../../dsp/ir/graph.ts';
import type { Program } from '../../dsp/ir/program.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { interpreterKernel } from '../../dsp/run/interpreter-kernel.ts';
import { assembled, exactInstance } from './program.ts';
import { random } from './random-graph.ts';
import { roundingOf } from './seeds.ts';

/** Numbers in [−1, 1], the same for the same seed. */
export function numbers(count: number, seed: number): number[] {
  const next = random(seed);
  return Array.from({ length: count }, () => Math.fround(2 * next() - 1));
}

export const constantOf = (b: Builder, values: readonly number[]): NodeId =>
  b.node('const', [], values);

/** How fast a vector changes, and where it lies. */
export const SOURCES = ['const', 'param', 'slider', 'sample', 'recursive'] as const;
export type Source = (typeof SOURCES)[number];

/** A vector: lane k is a line a_k + b_k · x of its source, so that no two lanes are alike. */
export function vectorOf(b: Builder, source: Source, lanes: number, seed: number): NodeId {
  const [offset, slope] = [numbers(lanes, seed), numbers(lanes, seed + 1000)];
  const along = (x: NodeId): NodeId => {
    const moved = b.node('mul', [constantOf(b, slope), x]);
    return b.node('add', [constantOf(b, offset), moved]);
  };
  switch (source) {
    case 'const':
      return constantOf(b, offset);
    case 'param':
      return b.node('param', [], [0, lanes]);
    case 'slider':
      return along(b.node('slider', [], [0]));
    case 'sample':
      return along(b.node('input', [], [seed % 2]));
    case 'recursive': {
      const past = b.feedback('real', 1, 0, lanes);
      const now = b.node('add', [
        along(b.node('input', [], [seed % 2])),
        b.node('mul', [past, b.real(0.5)]),
      ]);
      b.close(past, now);
      return now;
    }
  }
}

/** Lanes to look at: all of a short vector, ends and samples of a long one, and its sum. */
export function probes(b: Builder, vector: NodeId): NodeId[] {
  const lanes = b.shape(vector);
  if (lanes === 1) return [vector];
  const every = lanes <= 80 ? 1 : Math.floor(lanes / 37);
  const looked = new Set([lanes - 1, lanes - 2]);
  for (let k = 0; k < lanes; k += every) looked.add(k);
  return [...looked].toSorted((x, y) => x - y).map((k) => b.node('slice', [vector], [k, 1]));
}

export interface Run {
  readonly frames: number;
  readonly blocks: readonly number[];
  /** Called before each block. */
  readonly before?: (instance: Instance, frame: number) => void;
  /** [channel] at a frame; noise if not given. */
  readonly input?: (channel: number, frame: number) => number;
}

/** [output][frame] */
export function play(instance: Instance, run: Run): number[][] {
  const noise = instance.inputs.map((_, c) => numbers(run.frames, c + 1));
  const outputs = instance.outputs.map((): number[] => []);
  for (let n = 0, k = 0; n < run.frames; k++) {
    const count = Math.min(run.blocks[k % run.blocks.length]!, run.frames - n);
    run.before?.(instance, n);
    instance.inputs.forEach((channel, c) => {
      for (let i = 0; i < count; i++) {
        channel[i] = run.input?.(c, n + i) ?? noise[c]![n + i]!;
      }
    });
    instance.process(count);
    instance.outputs.forEach((channel, c) => {
      outputs[c]!.push(...channel.slice(0, count));
    });
    n += count;
  }
  return outputs;
}

/** What parameters are set to. */
export const startOf = (params: number): number[] => numbers(params, 77);

/** The same program by generated code and by the interpreter, which rounds alike unless told how. */
export function both(
  program: Program,
  maxBlock: number,
  round: (x: number) => number = roundingOf(program.precision),
): { code: Instance; oracle: Instance } {
  const artifact = assembled(program, maxBlock);
  const instances = {
    code: exactInstance(program, maxBlock),
    oracle: new Instance(artifact, interpreterKernel(program, maxBlock, round)),
  };
  const values = startOf(program.params.length);
  for (const instance of Object.values(instances)) instance.params.set(values);
  return instances;
}

/** Every value within `tolerance` of the other's; a NaN is like a NaN. */
export function close(
  a: readonly (readonly number[])[],
  b: readonly (readonly number[])[],
  tolerance: number,
  what: string,
): void {
  a.forEach((channel, c) => {
    expect(channel.length).toBe(b[c]!.length);
    channel.forEach((x, n) => {
      const y = b[c]![n]!;
      const same = Math.abs(x - y) <= tolerance || Object.is(x, y);
      if (!same) expect.fail(`${what}: output ${c} frame ${n}: ${x} against ${y}`);
    });
  });
}
