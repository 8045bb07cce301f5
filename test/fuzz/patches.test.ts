/**
 * Differential fuzz from the document on: whatever parses either compiles or is refused with a
 * diagnostic, and what compiles computes, learns and differentiates as the interpreter does; every
 * fourth in double precision.
 * FUZZ_SEED=N runs one seed, FUZZ_RUNS=N more of them.
 */

import { expect, test } from 'vitest';
import { gradcheck } from '../../dsp/check/gradcheck.ts';
import { assemble, programOf } from '../../dsp/compile.ts';
import type { Artifact } from '../../dsp/artifact.ts';
import { CODES } from '../../dsp/diagnostic.ts';
import type { Precision, Program } from '../../dsp/ir/program.ts';
import { planAdoption } from '../../dsp/run/adopt.ts';
import { parsePatch } from '../../dsp/patch/schema.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { interpreterKernel } from '../../dsp/run/interpreter-kernel.ts';
import { wasmKernel } from '../../dsp/run/wasm-kernel.ts';
import { random } from '../support/random-graph.ts';
import { randomPatch } from '../support/random-patch.ts';
import type { RandomPatch } from '../support/random-patch.ts';
import { isOneSeed, roundingOf, seedsOf } from '../support/seeds.ts';

const seeds = seedsOf('FUZZ_RUNS', 60);
const KINDS = [true, false].flatMap((smooth) =>
  ([null, 'forward', 'reverse'] as const).map((mode) => ({ smooth, mode })),
);

const precisionOf = (seed: number): Precision => (seed % 4 === 0 ? 'double' : 'single');

interface Case {
  readonly what: string;
  readonly seed: number;
  readonly random: RandomPatch;
  readonly patch: Patch;
  readonly program: Program;
  readonly artifact: Artifact;
  readonly module: WebAssembly.Module;
}

/** Patches that neither the schema nor the compiler refuses. */
function* cases(kinds = KINDS, maxBlock?: number): Generator<Case> {
  for (const seed of seeds) {
    for (const kind of kinds) {
      const made = randomPatch(random(seed * 31 + (kind.smooth ? 7 : 11)), kind);
      const what = `seed ${seed} ${kind.smooth ? 'smooth' : 'kinked'} ${kind.mode}`;
      const patch = parsePatch(made.json);
      if (!patch.ok) {
        // Recursions are wired at random: some are loops without a delay.
        expect(
          patch.diagnostics.map((d) => d.code),
          what,
        ).toEqual(['PATCH_INSTANT_LOOP']);
        continue;
      }
      const options = {
        sampleRate: 48000,
        maxBlock: maxBlock ?? made.maxBlock,
        latency: made.latency,
        precision: precisionOf(seed),
      };
      const program = programOf(patch.value, options);
      if (!program.ok) {
        for (const { code } of program.diagnostics)
          expect(Object.keys(CODES), what).toContain(code);
        continue;
      }
      const artifact = assemble(program.value, options);
      if (!artifact.ok) throw new Error(`${what}: ${JSON.stringify(artifact.diagnostics)}`);
      const module = new WebAssembly.Module(artifact.value.wasm);
      yield {
        what,
        seed,
        random: made,
        patch: patch.value,
        module,
        program: program.value,
        artifact: artifact.value,
      };
    }
  }
}

function play(instance: Instance, seed: number, frames: number, blocks: readonly number[]) {
  const next = random(seed + 99);
  const input = Array.from({ length: frames }, () => [next() - 0.5, next() - 0.5]);
  const outputs = instance.outputs.map(() => [] as number[]);
  for (let n = 0, k = 0; n < frames; k++) {
    const count = Math.min(blocks[k % blocks.length]!, instance.artifact.maxBlock, frames - n);
    instance.inputs.forEach((channel, c) => {
      for (let i = 0; i < count; i++) channel[i] = Math.fround(input[n + i]![c]!);
    });
    instance.process(count);
    instance.outputs.forEach((channel, c) => outputs[c]!.push(...channel.slice(0, count)));
    n += count;
  }
  return outputs;
}

const alike = (a: number, b: number): boolean =>
  a === b || Math.abs(a - b) < 1e-12 || (Number.isNaN(a) && Number.isNaN(b));

function same(a: readonly number[][], b: readonly number[][], what: string): void {
  a.forEach((channel, c) => {
    const n = channel.findIndex((x, i) => !alike(x, b[c]![i]!));
    if (n >= 0) expect.fail(`${what}: output ${c} frame ${n}: ${channel[n]} against ${b[c]![n]}`);
  });
}

const length = ({ random: { window } }: Case): number => Math.min(700, Math.max(150, 3 * window));
/** Functions that are not equal to the bit. */
const isRough = ({ patch }: Case): boolean =>
  /"(sin|cos|sine|tanh|exp)"/u.test(JSON.stringify(patch.nodes));

test('documents compute what the interpreter computes, to the bit', () => {
  for (const c of cases()) {
    if (isRough(c)) continue;
    const { precision } = c.program;
    const oracle = interpreterKernel(c.program, c.random.maxBlock, roundingOf(precision));
    const [code, plain] = [new Instance(c.artifact, c.module), new Instance(c.artifact, oracle)];
    const blocks = [c.random.maxBlock];
    const heard = play(code, c.seed, length(c), blocks);
    // A device is single always.
    const expected = play(plain, c.seed, length(c), blocks).map((y) => y.map(Math.fround));
    same(heard, expected, c.what);
    const most = precision === 'single' ? 2e-3 : 1e-11;
    const size = Math.max(1e-3, ...plain.gradients.map(Math.abs));
    plain.gradients.forEach((g, k) => {
      expect(Math.abs(g - code.gradients[k]!), `${c.what} gradient ${k}`).toBeLessThan(most * size);
    });
  }
});

test('windows that code judges by itself are windows judged outside, to the bit', () => {
  for (const c of cases()) {
    if (c.program.backward === null) continue;
    const kernels = [0, 1].map(() => wasmKernel(c.artifact, c.module));
    expect(kernels[1]!.course, c.what).not.toBe(null);
    const [outside, within] = kernels.map((kernel, k) => {
      const instance = new Instance(c.artifact, k === 0 ? { ...kernel, course: null } : kernel);
      // Some of these rates are too high: what trips must trip at the same place.
      instance.setSchedule({ kind: 'constant', rate: 0.05 * 8 ** (c.seed % 4) });
      instance.learning = true;
      return instance;
    }) as [Instance, Instance];
    const blocks = [1 + (c.seed % 50), 37, 64];
    const heard = [outside, within].map((instance) => play(instance, c.seed, length(c), blocks));
    same(heard[0]!, heard[1]!, c.what);
    const of = (instance: Instance): unknown => ({
      step: instance.step,
      windows: instance.windows,
      loss: instance.loss,
      fault: instance.fault,
      detail: [...instance.faultDetail],
      params: [...instance.params],
      gradients: [...instance.gradients],
    });
    expect(of(within), c.what).toEqual(of(outside));
  }
});

test('while they learn, neither the cut of the stream nor a reset changes anything', () => {
  for (const c of cases()) {
    const made = [0, 1].map(() => {
      const instance = new Instance(c.artifact, c.module);
      instance.setSchedule({ kind: 'constant', rate: 0.05 });
      instance.learning = true;
      return instance;
    });
    const [whole, ragged] = made as [Instance, Instance];
    const first = play(whole, c.seed, length(c), [c.random.maxBlock]);
    same(play(ragged, c.seed, length(c), [1, 7, 3, 64, 16, 5, 2]), first, `${c.what} cut`);
    whole.params.forEach((p, k) => {
      if (!alike(p, ragged.params[k]!)) expect.fail(`${c.what} cut: parameter ${k}`);
    });
    whole.reset();
    whole.learning = true;
    same(play(whole, c.seed, length(c), [c.random.maxBlock]), first, `${c.what} reset`);
  }
});

test('the same document in another order takes over at any frame, and nothing is heard of it', () => {
  for (const c of cases()) {
    const nodes = Object.fromEntries(Object.entries(c.patch.nodes).toReversed());
    const { latency } = c.random;
    const precision = precisionOf(c.seed);
    const options = { sampleRate: 48000, maxBlock: 64, latency, precision };
    const program = programOf({ ...c.patch, nodes }, options);
    if (!program.ok) throw new Error(c.what);
    const artifact = assemble(program.value, options);
    if (!artifact.ok) throw new Error(c.what);
    const before = new Instance(c.artifact, c.module);
    const after = new Instance(artifact.value, new WebAssembly.Module(artifact.value.wasm));
    play(before, c.seed, 1 + ((c.seed * 37) % 300), [c.random.maxBlock]);
    after.adopt(before, planAdoption(c.artifact, artifact.value)!);
    const frames = length(c);
    const [old, next] = [before, after].map((one) => play(one, c.seed + 1, frames, [5, 64, 1]));
    same(next!, old!, c.what);
    if (before.windows !== after.windows) expect.fail(`${c.what}: windows`);
    // The first windows were not recorded whole.
    if (frames < 2 * c.random.window + artifact.value.layout.lead) continue;
    const size = Math.max(1e-6, ...before.gradients.map(Math.abs));
    before.gradients.forEach((g, k) => {
      expect(Math.abs(g - after.gradients[k]!), `${c.what} gradient ${k}`).toBeLessThan(
        2e-3 * size,
      );
    });
  }
});

test('forward and reverse mode agree on the first window', () => {
  for (const smooth of [true, false]) {
    const gradients = new Map<number, number[][]>();
    const kinds = (['forward', 'reverse'] as const).map((mode) => ({ smooth, mode }));
    for (const c of cases(kinds, 257)) {
      const kernel = interpreterKernel(c.program, 257);
      const instance = new Instance(c.artifact, kernel);
      play(instance, c.seed, c.random.window, [c.random.window]);
      gradients.set(c.seed, [...(gradients.get(c.seed) ?? []), [...instance.gradients]]);
    }
    for (const [seed, [forward, reverse]] of gradients) {
      if (forward === undefined || reverse === undefined) continue;
      const size = Math.max(1e-9, ...forward.map(Math.abs));
      forward.forEach((g, k) => {
        const off = Math.abs(g - reverse[k]!);
        if (!(off <= 1e-8 * size)) expect.fail(`seed ${seed}: ${k}: ${g} against ${reverse[k]}`);
      });
    }
  }
});

test('gradients of smooth documents pass the gradient check', () => {
  let checked = 0;
  for (const c of cases([{ smooth: true, mode: 'reverse' }])) {
    if (c.seed % 3 !== 0 && !isOneSeed) continue;
    const report = gradcheck(c.patch, { sampleRate: 48000, seed: c.seed });
    if (!report.ok) continue;
    checked++;
    // Where estimate and target agree exactly, differences measure their own curvature.
    const slopes = Object.values(report.value.params).flatMap((p) => [p.analytic, p.numeric]);
    if (slopes.every((slope) => Math.abs(slope) < 1e-11)) continue;
    for (const { mode, maxRelativeError } of report.value.modes) {
      if (!(maxRelativeError < 1e-4)) expect.fail(`${c.what} ${mode}: ${maxRelativeError}`);
    }
  }
  expect(checked).toBeGreaterThan(!isOneSeed ? seeds.length / 12 : -1);
});
