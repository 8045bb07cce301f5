/** Sums, transport and the losses of a frequency and a delay as nodes of a patch. */

import { describe, expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, Signal } from '../../../dsp/patch/builder.ts';
import { compiledInstance } from '../../support/program.ts';

const HOP = 32;

/** The numbers that a patch holds after some frames of a rising input. */
function values(write: (p: PatchBuilder) => Signal[]): number[] {
  const patch = buildPatch('t', (p) => ({
    outputs: write(p).map((v) => p.vector('hold', [v], {})),
  }));
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate: 48000, maxBlock: HOP, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  for (let n = 0; n < 4 * HOP; n += HOP) {
    instance.inputs[0]!.forEach((_, i) => (instance.inputs[0]![i] = n + i));
    instance.process(HOP);
  }
  return instance.outputs.map((channel) => channel[HOP - 1]!);
}

/** What is wrong with a patch that uses it so. */
function wrong(write: (p: PatchBuilder) => Signal): string {
  const patch = buildPatch('t', (p) => ({ outputs: [p.vector('hold', [write(p)], {})] }));
  return patch.ok ? '' : printDiagnostics(patch.diagnostics);
}

const frame = (p: PatchBuilder, size: number): Signal =>
  p.vector('frames', [p.input(1)], { size, hop: HOP });
const lane = (p: PatchBuilder, v: Signal, from: number): Signal =>
  p.vector('slice', [v], { from, lanes: 1 });

describe('vectors', () => {
  test('a ramp goes from its first lane to its last in even steps', () => {
    const last = 4 * HOP - 1;
    const made = values((p) => {
      const ramp = p.vector('ramp', [], { size: 5, from: -1, to: 3 });
      const sum = p.op('add', [frame(p, 5), ramp]);
      return [0, 2, 4].map((k) => lane(p, sum, k));
    });
    expect(made).toEqual([last - 4 - 1, last - 2 + 1, last + 3]);
  });

  test('a cumulative sum adds up what comes before', () => {
    const made = values((p) => {
      const ones = p.op('sub', [frame(p, 4), p.op('sub', [frame(p, 4), 1])]);
      const sums = p.vector('cumulativeSum', [ones], {});
      const one = p.vector('cumulativeSum', [lane(p, ones, 0)], {});
      return [...[0, 1, 3].map((k) => lane(p, sums, k)), one];
    });
    expect(made).toEqual([1, 2, 4, 1]);
  });

  test('a gate leaves what is above a share of the largest lane', () => {
    const made = values((p) => {
      const scaled = p.op('div', [frame(p, 3), 4 * HOP - 1]);
      const left = p.vector('gate', [p.op('sub', [scaled, 0.5])], { share: 0.97 });
      return [0, 2].map((k) => lane(p, left, k));
    });
    expect(made[0]).toBe(0);
    expect(made[1]).toBeCloseTo(0.5 * 0.03, 6);
  });

  test('transport costs the distance between two points, or its square', () => {
    const made = values((p) => {
      const still = p.op('mul', [frame(p, 3), 0]);
      const at = (values: number[]): Signal =>
        p.op('add', [still, p.vector('vector', [], { values })]);
      const places = p.vector('vector', [], { values: [1, 2, 5] });
      return [1, 2].map((order) =>
        p.vector('transport', [at([2, 0, 0]), at([0, 0, 7]), places], { order: order as 1 | 2 }),
      );
    });
    expect(made).toEqual([4, 16]);
  });
});

describe('what does not fit', () => {
  test.each([
    [
      'transport of different lanes',
      (p: PatchBuilder) =>
        p.vector('transport', [frame(p, 4), frame(p, 5), frame(p, 4)], { order: 1 }),
      'expected 4 lanes (as in[0])',
    ],
    [
      'a frame of a size without a transform',
      (p: PatchBuilder) => p.vector('frequencyLoss', [frame(p, 100), 8], {}),
      'power of two from 64 to 8192',
    ],
    [
      'a vector of octaves',
      (p: PatchBuilder) => p.vector('frequencyLoss', [frame(p, 64), frame(p, 2)], {}),
      'expected 1 lane (a number)',
    ],
    [
      'a sine that goes on for longer than it was heard',
      (p: PatchBuilder) => lane(p, p.vector('continueSine', [frame(p, 64), 8], { size: 40 }), 0),
      'expected at least 80 lanes',
    ],
    [
      'delays that are longer than the frames',
      (p: PatchBuilder) => p.vector('delayLoss', [frame(p, 128), frame(p, 128), 8], { max: 60 }),
      'frames of at least 184 lanes',
    ],
    [
      'a sound in the place of a frame',
      (p: PatchBuilder) => p.vector('delayLoss', [frame(p, 128), p.input(1), 8], { max: 8 }),
      'expected 128 lanes (as in[0])',
    ],
  ])('%s is refused', (_, write, message) => {
    expect(wrong(write)).toContain(message);
  });
});
