/**
 * Double precision on request: what single precision visibly cannot do, how it is asked for, that
 * the device stays single, and that nothing else of a program changes.
 */

import { describe, expect, test } from 'vitest';
import { compile, programOf } from '../../dsp/compile.ts';
import type { CompileOptions } from '../../dsp/compile.ts';
import type { Artifact } from '../../dsp/artifact.ts';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import type { Precision } from '../../dsp/ir/program.ts';
import { buildPatch } from '../../dsp/patch/builder.ts';
import { parsePatch } from '../../dsp/patch/schema.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { interpreterKernel } from '../../dsp/run/interpreter-kernel.ts';
import { PRECISIONS, compiledInstance, exactInstance } from '../support/program.ts';

const BLOCK = 256;
const OPTIONS: CompileOptions = { sampleRate: 48000, maxBlock: BLOCK, latency: 0 };

function patchOf(fields: object): Patch {
  const patch = parsePatch({ format: 'livegrad.patch/1', name: 'test', ...fields });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  return patch.value;
}

function compiled(patch: Patch, options: Partial<CompileOptions> = {}): Artifact {
  const artifact = compile(patch, { ...OPTIONS, ...options });
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  return artifact.value;
}

/** The first output, in the precision of the program, and by the interpreter in double precision. */
function heard(
  patch: Patch,
  precision: Precision,
  frames: number,
  input: (n: number) => number,
): { code: number[]; exact: number[] } {
  const program = programOf(patch, { ...OPTIONS, precision });
  if (!program.ok) throw new Error(JSON.stringify(program.diagnostics));
  const code = exactInstance(program.value, BLOCK);
  const exact = new Instance(code.artifact, interpreterKernel(program.value, BLOCK));
  const [a, b] = [code, exact].map((instance) => {
    const out: number[] = [];
    for (let n = 0; n < frames; n += BLOCK) {
      for (let k = 0; k < BLOCK; k++) for (const x of instance.inputs) x[k] = input(n + k);
      instance.process(BLOCK);
      out.push(...instance.outputs[0]!.subarray(0, BLOCK));
    }
    return out;
  });
  return { code: a!, exact: b! };
}

/** Largest difference, relative to the largest value. */
function errorOf({ code, exact }: { code: number[]; exact: number[] }): number {
  const size = Math.max(...exact.map(Math.abs));
  return Math.max(...exact.map((y, n) => Math.abs(y - code[n]!))) / size;
}

const x = { op: 'input', channel: 1 };
const impulse = (n: number): number => (n === 0 ? 1 : 0);

describe('where single precision is not enough', () => {
  test('a resonance at 20 Hz rings at its pitch and with its decay', () => {
    // Poles 1.3e-5 from the unit circle, at an angle of 2.6e-3: their sum is 2 − 3e-5.
    const ring = patchOf({
      nodes: { x, y: { op: 'bandpass', in: ['x', 20, 100] } },
      outputs: ['y'],
    });
    const single = errorOf(heard(ring, 'single', 96_000, impulse));
    const double = errorOf(heard(ring, 'double', 96_000, impulse));
    // Measured: 0.8 % of the loudest sample, and none.
    expect(single).toBeGreaterThan(1e-3);
    expect(double).toBeLessThan(1e-12);
  });

  test('an integrator goes on when its sum is large', () => {
    const sum = patchOf({
      nodes: {
        x,
        past: { op: 'delay', in: ['y'], frames: 1, init: 1 },
        y: { op: 'add', in: ['past', 'x'] },
      },
      outputs: ['y'],
    });
    const step = Math.fround(1e-8);
    const frames = 48_128;
    const [single, double] = PRECISIONS.map((p) => heard(sum, p, frames, () => step)) as [
      ReturnType<typeof heard>,
      ReturnType<typeof heard>,
    ];
    // Half of what 1 can be told apart by is 6e-8: every step is lost.
    expect(single.code.at(-1)).toBe(1);
    expect(double.code).toEqual(double.exact);
    expect(double.code.at(-1)! - 1).toBeCloseTo(frames * step, 12);
  });
});

describe('precision', () => {
  const fields = {
    nodes: { x, y: { op: 'lowpass', in: ['x', 400, 3] } },
    outputs: ['y'],
  };

  test('is single unless a patch asks for double, and options have the last word', () => {
    expect(compiled(patchOf(fields)).precision).toBe('single');
    expect(compiled(patchOf({ ...fields, precision: 'double' })).precision).toBe('double');
    const patch = patchOf({ ...fields, precision: 'double' });
    expect(compiled(patch, { precision: 'single' })).toEqual(compiled(patchOf(fields)));
    expect(compiled(patchOf(fields), { precision: 'double' })).toEqual(compiled(patch));
    const built = buildPatch('built', (p) => ({ outputs: [p.input(1)], precision: 'double' }));
    expect(built.ok && built.value.precision).toBe('double');
  });

  test('is one of two', () => {
    const patch = parsePatch({
      format: 'livegrad.patch/1',
      name: 'test',
      ...fields,
      precision: 'half',
    });
    expect(patch.ok ? [] : patch.diagnostics).toMatchObject([
      { code: 'PATCH_INVALID', path: 'precision' },
    ]);
  });

  test('does not change what a device sees: its channels, and the banks', () => {
    const artifacts = PRECISIONS.map((precision) => compiled(patchOf(fields), { precision }));
    const instances = artifacts.map(compiledInstance);
    for (const instance of instances) {
      expect(instance.inputs[0]).toBeInstanceOf(Float32Array);
      expect(instance.outputs[0]).toBeInstanceOf(Float32Array);
      expect(instance.inputs[0]!.length).toBe(BLOCK);
      instance.inputs[0]!.fill(0.5);
      instance.process(BLOCK);
    }
    const [single, double] = instances.map(({ outputs }) => [...outputs[0]!]) as [
      number[],
      number[],
    ];
    double.forEach((y, n) => expect(Math.abs(y - single[n]!)).toBeLessThan(1e-4));
  });

  test.each(Object.keys(EXAMPLES))('%s: the first window of both is nearly the same', (name) => {
    const [single, double] = PRECISIONS.map((precision) => {
      const instance = compiledInstance(compiled(EXAMPLES[name]!, { precision }));
      let noise = 1;
      while (instance.windows === 0) {
        for (let n = 0; n < BLOCK; n++) {
          noise = (noise * 1103515245 + 12345) % 2 ** 31;
          for (const input of instance.inputs) input[n] = noise / 2 ** 31 - 0.5;
        }
        instance.process(BLOCK);
      }
      return instance;
    }) as [Instance, Instance];
    expect(Math.abs(double.loss - single.loss)).toBeLessThan(1e-3 * Math.max(1e-3, double.loss));
    const size = Math.max(1e-3, ...double.gradients.map(Math.abs));
    double.gradients.forEach((g, k) => {
      expect(Math.abs(g - single.gradients[k]!)).toBeLessThan(1e-3 * size);
    });
  });

  test('keeps neither what is not a number nor what nobody hears', () => {
    const decay = patchOf({
      nodes: {
        x,
        past: { op: 'mem', in: ['y'] },
        half: { op: 'mul', in: ['past', 0.5] },
        by: { op: 'input', channel: 2 },
        ratio: { op: 'div', in: ['x', 'by'] },
        y: { op: 'add', in: ['half', 'ratio'] },
      },
      outputs: ['y'],
    });
    const program = programOf(decay, { ...OPTIONS, precision: 'double' });
    if (!program.ok) throw new Error(JSON.stringify(program.diagnostics));
    const instance = exactInstance(program.value, BLOCK);
    /** What is left at the end of a block that begins with this. */
    const last = (sample: number, by = 1): number => {
      instance.inputs[0]!.fill(0)[0] = sample;
      instance.inputs[1]!.fill(1)[0] = by;
      instance.process(BLOCK);
      return instance.outputs[0]![BLOCK - 1]!;
    };
    expect(last(1)).toBe(0.5 ** 255);
    expect(last(0)).toBe(0.5 ** 511);
    // Below 1e-150 at the end of a block.
    expect(last(0)).toBe(0);
    expect(last(0, 0)).toBe(NaN);
    expect(last(0)).toBe(0);
    expect(last(1, 0)).toBe(Infinity);
    expect(last(1)).toBe(0.5 ** 255);
  });

  test('is said of the memory, which is counted to the byte', () => {
    for (const name of ['one-pole', 'equaliser']) {
      const [single, double] = PRECISIONS.map((precision) => {
        const { report } = compiled(EXAMPLES[name]!, { precision });
        const sum = Object.values(report.memory).reduce((all, bytes) => all + bytes, 0);
        expect(sum).toBe(report.memoryBytes);
        return report;
      });
      expect(double!.memory.tapes).toBeGreaterThan(1.9 * single!.memory.tapes);
      expect(double!.graphs.stream!.nodes).toEqual(single!.graphs.stream!.nodes);
    }
  });
});
