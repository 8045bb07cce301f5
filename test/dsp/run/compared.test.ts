/**
 * What the loss compares, for who looks on: the signals themselves, wherever they lie, whatever the
 * window, in either precision.
 */

import { expect, test } from 'vitest';
import { compile, programOf } from '../../../dsp/compile.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, PatchEnd } from '../../../dsp/patch/builder.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';
import { PRECISIONS, compiledInstance } from '../../support/program.ts';

const OPTIONS = { sampleRate: 48000, maxBlock: 64, latency: 0 };
const schedule = { kind: 'constant', rate: 0.01 } as const;

function instancesOf(patch: Patch): { readonly code: Instance; readonly plain: Instance } {
  const artifact = compile(patch, OPTIONS);
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  const program = programOf(patch, OPTIONS);
  if (!program.ok) throw new Error(JSON.stringify(program.diagnostics));
  const round = artifact.value.precision === 'single' ? Math.fround : undefined;
  const kernel = interpreterKernel(program.value, OPTIONS.maxBlock, round);
  return { code: compiledInstance(artifact.value), plain: new Instance(artifact.value, kernel) };
}

function built(write: (p: PatchBuilder) => PatchEnd): ReturnType<typeof instancesOf> {
  const patch = buildPatch('test', write);
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  return instancesOf(patch.value);
}

/** Noise through blocks of 1 to 64 frames: estimate, target and output 0, sample by sample. */
function hear(instance: Instance, blocks: number): Record<'estimate' | 'target' | 'out', number[]> {
  const heard = { estimate: [] as number[], target: [] as number[], out: [] as number[] };
  instance.setSchedule(schedule);
  instance.learning = true;
  let seed = 1;
  for (let block = 0; block < blocks; block++) {
    const frames = 1 + ((block * 29) % 64);
    for (let n = 0; n < frames; n++) {
      for (const input of instance.inputs) {
        seed = (seed * 48271) % 0x7fffffff;
        input[n] = seed / 0x7fffffff - 0.5;
      }
    }
    instance.process(frames);
    const { estimate, target } = instance.compared;
    if (estimate !== null) heard.estimate.push(...estimate.subarray(0, frames));
    if (target !== null) heard.target.push(...target.subarray(0, frames));
    heard.out.push(...(instance.outputs[0]?.subarray(0, frames) ?? []));
  }
  return heard;
}

test.each([1, 7, 64, 200])('they are those of every sample with a window of %d', (window) => {
  for (const precision of PRECISIONS) {
    const { code, plain } = built((p) => {
      const x = p.input(1, 'x');
      const gain = p.param('gain', { initial: 0.5, min: 0, max: 2 });
      const y = p.op('mul', [p.op('mul', [x, gain]), 0.5], 'y');
      const target = p.op('mul', [p.delay(x, 3), 0.75], 'target');
      const outputs = [p.op('add', [y, target])];
      return {
        precision,
        outputs,
        training: { estimate: y, target, loss: 'mse', window, schedule },
      };
    });
    const [ours, theirs] = [hear(code, 40), hear(plain, 40)];
    expect(ours.estimate.length).toBe(ours.out.length);
    ours.out.forEach((out, n) => {
      expect(ours.estimate[n]! + ours.target[n]!).toBeCloseTo(out, 6);
      expect(ours.estimate[n]).toBeCloseTo(theirs.estimate[n]!, 5);
      expect(ours.target[n]).toBeCloseTo(theirs.target[n]!, 6);
    });
    expect(Math.max(...ours.estimate)).toBeGreaterThan(0.05);
  }
});

test('what is heard or played anyway is not stored twice', () => {
  const { code } = built((p) => {
    const x = p.input(1, 'x');
    const y = p.op('mul', [x, p.param('gain', { initial: 0.5, min: 0, max: 2 })], 'y');
    return {
      outputs: [y],
      training: { estimate: y, target: p.input(2, 't'), loss: 'mse', window: 16, schedule },
    };
  });
  const { layout } = code.artifact;
  expect(layout.compared).toEqual({ estimate: layout.outputs[0], target: layout.inputs[1] });
  const { estimate, out } = hear(code, 10);
  expect(estimate).toEqual(out);
});

test('a target that is a number is a signal of it', () => {
  const { code, plain } = built((p) => {
    const y = p.op('mul', [p.input(1), p.param('gain', { initial: 0.5, min: 0, max: 2 })], 'y');
    const aim = p.op('mul', [p.slider('aim', { initial: 0.25, min: 0, max: 1 }), 1], 'goal');
    return { training: { estimate: y, target: aim, loss: 'mse', window: 16, schedule } };
  });
  for (const instance of [code, plain]) {
    expect(new Set(hear(instance, 5).target)).toEqual(new Set([0.25]));
  }
});

test('a loss without a target has an estimate alone, a patch without training nothing', () => {
  const { code } = built((p) => {
    const y = p.op('mul', [p.input(1), p.param('gain', { initial: 0.5, min: 0, max: 2 })], 'y');
    return { training: { estimate: y, loss: 'value', window: 16, schedule } };
  });
  expect(code.compared.estimate).not.toBeNull();
  expect(code.compared.target).toBeNull();
  const { code: silent } = built((p) => ({ outputs: [p.input(1)] }));
  expect(silent.compared).toEqual({ estimate: null, target: null });
});

test('frames are no signals', () => {
  const { code } = instancesOf(EXAMPLES['eq-match']!);
  expect(code.compared).toEqual({ estimate: null, target: null });
});

test('examples show what it compares, as the interpreter has it', () => {
  for (const name of ['gain', 'one-pole', 'fir-8', 'notch-hum', 'spectral-loss']) {
    const { code, plain } = instancesOf(EXAMPLES[name]!);
    const [ours, theirs] = [hear(code, 20), hear(plain, 20)];
    expect(ours.target.length).toBeGreaterThan(100);
    ours.target.forEach((t, n) => {
      expect(t).toBeCloseTo(theirs.target[n]!, 4);
      expect(ours.estimate[n]).toBeCloseTo(theirs.estimate[n]!, 4);
    });
  }
});
