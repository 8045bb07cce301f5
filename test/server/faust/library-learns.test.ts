/** Programs that use `livegrad.lib`, from their text to what they have learnt, in generated code. */

import { describe, expect, test } from 'vitest';
import type { Artifact } from '../../../dsp/artifact.ts';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { readForm } from '../../../dsp/faust/form.ts';
import { patchOf } from '../../../dsp/faust/patch.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { PATCH_FORMAT } from '../../../dsp/patch/schema.ts';
import { evaluate } from '../../../server/faust/evaluate.ts';
import { Libfaust } from '../../../server/faust/libfaust.ts';
import { compiledInstance } from '../../support/program.ts';

const RATE = 48_000;
const BLOCK = 128;
const HEAD = 'import("stdfaust.lib"); lg = library("livegrad.lib");\n';

const libfaust = new Libfaust();

async function compiled(
  body: string,
  latency = 0,
): Promise<{ readonly patch: Patch; readonly artifact: Artifact }> {
  const code = `${HEAD}${body}`;
  const program = await evaluate(libfaust, code, { double: false });
  if (!program.ok) throw new Error(JSON.stringify(program.diagnostics));
  const patch = patchOf(program.value, { format: PATCH_FORMAT, name: 'p', faust: { code } });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate: RATE, maxBlock: BLOCK, latency });
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  return { patch: patch.value, artifact: artifact.value };
}

/** Parameters by id after so many seconds of noise on the input. */
async function learnt(body: string, seconds: number): Promise<Readonly<Record<string, number>>> {
  const { patch, artifact } = await compiled(body);
  const instance = compiledInstance(artifact);
  instance.setSchedule(patch.training!.schedule);
  instance.learning = true;
  let seed = 1;
  for (let n = 0; n < seconds * RATE; n += BLOCK) {
    for (const channel of instance.inputs) {
      channel.forEach((_, k) => {
        seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
        channel[k] = seed / 2 ** 31;
      });
    }
    instance.process(BLOCK);
  }
  expect(instance.fault).toBe(0);
  return Object.fromEntries(artifact.params.map(({ id }, k) => [id, instance.params[k]!]));
}

const CUTOFF = 'c = lg.learn_log(hslider("cutoff", 500, 20, 20000, 1));';

describe('a program learns', () => {
  test('a filter by an STFT loss, whatever it plays', async () => {
    const { cutoff } = await learnt(
      `${CUTOFF} declare livegrad "[rate:0.05][window:2048]";
       process = _ <: lg.stft(fi.lowpass(2, c), fi.lowpass(2, 3000)) : *(0.1);`,
      8,
    );
    expect(Math.abs(Math.log2(cutoff! / 3000))).toBeLessThan(0.02);
  });

  test('a filter by a loss that it makes of frames itself', async () => {
    const { cutoff } = await learnt(
      `${CUTOFF} declare livegrad "[rate:0.05][window:2048]";
       levels = lg.spectra(512, 256) : lg.logPowerAbove(0.0001);
       apart(e, t) = attach(e, lg.loss(lg.dot(d, d) / 257)) with { d = levels(e) - levels(t); };
       process = _ <: apart(fi.lowpass(2, c), fi.lowpass(2, 3000));`,
      8,
    );
    expect(Math.abs(Math.log2(cutoff! / 3000))).toBeLessThan(0.02);
  });

  test('by several losses with weights', async () => {
    const { gain, cutoff } = await learnt(
      `${CUTOFF} g = lg.learn(hslider("gain", 0.1, 0, 1, 0.01)); declare livegrad "[rate:0.02]";
       own = fi.lowpass(1, c) : *(g);
       other = fi.lowpass(1, 2000) : *(0.7);
       process = _ <: own, other <: (lg.mse : lg.weighted(0.5)), (lg.mae : lg.weighted(0.1)) :> *(0.5);`,
      6,
    );
    expect(gain).toBeCloseTo(0.7, 2);
    expect(Math.abs(Math.log2(cutoff! / 2000))).toBeLessThan(0.02);
  });

  test('with fewer than a hundred nodes', async () => {
    const { artifact } = await compiled(`${CUTOFF} process = _ <: lg.stft(fi.lowpass(1, c), _);`);
    expect(artifact.report.nodes.stream).toBeLessThan(100);
    expect(artifact.report.nodes.backward).toBeLessThan(100);
  });

  test('what its declared loss says of the signals that it marks', async () => {
    const { patch } = await compiled(
      `${CUTOFF} declare livegrad "[loss:mae]";
       process = _ <: lg.pair(fi.lowpass(2, c), fi.lowpass(2, 3000)), _, _;`,
    );
    expect(patch.training).toMatchObject({ estimate: 'mark1', target: 'mark2', loss: 'mae' });
    expect(patch.outputs).toEqual(['out1', 'out2', 'out3']);
  });

  test('over a window that its losses can be taken over', async () => {
    const { patch } = await compiled(`${CUTOFF} process = _ <: lg.multiStft(fi.lowpass(2, c), _);`);
    expect(patch.training!.window).toBe(4800);
  });
});

describe('gradients through libfaust and frames are those of finite differences:', () => {
  const own = 'own = fi.lowpass(2, c); other = fi.lowpass(2, 3000);';
  test.each([
    ['an STFT loss', 'process = _ <: lg.stft(own, other);'],
    [
      'levels',
      'level = lg.spectra(512, 256) : lg.logPowerAbove(0.0001); process(x) = attach(x, lg.mse(x : own : level, x : other : level));',
    ],
    [
      'frames in a recursion',
      'level = lg.spectra(512, 256) : lg.power : + ~ *(0.5); process(x) = attach(x, lg.mse(x : own : level, x : other : level));',
    ],
    [
      'spectra put together again',
      'process = _ <: lg.mse(lg.spectra(256, 64) : *(c / 1000) : lg.resynthesis(256, 64), @(255));',
    ],
  ])('%s', async (_what, body) => {
    const { patch } = await compiled(`${CUTOFF} ${own} declare livegrad "[window:2048]"; ${body}`);
    const report = gradcheck(patch, { sampleRate: RATE, seed: 1 });
    if (!report.ok) throw new Error(JSON.stringify(report.diagnostics));
    for (const { maxRelativeError } of report.value.modes)
      expect(maxRelativeError).toBeLessThan(1e-5);
  });
});

test('what is aligned comes as late as through the device', async () => {
  const { artifact } = await compiled('process = lg.align;', 300);
  expect(artifact.throughDevice).toBe(true);
  const instance = compiledInstance(artifact);
  const heard: number[] = [];
  for (let n = 0; n < 3; n++) {
    instance.inputs[0]!.forEach((_, k) => (instance.inputs[0]![k] = n * BLOCK + k + 1));
    instance.process(BLOCK);
    heard.push(...instance.outputs[0]!);
  }
  expect(heard.slice(298, 302)).toEqual([0, 0, 1, 2]);
});

test('a spectrum is a few nodes, not thousands', async () => {
  const { artifact } = await compiled(
    'process = _ <: lg.spectra(1024, 256) : lg.power : lg.sumLanes : lg.hold;',
  );
  expect(artifact.report.nodes.stream).toBeLessThan(20);
  const plain = `${HEAD} process = an.rtocv(64) : an.fft(64) :> _;`;
  const program = await evaluate(libfaust, plain, { double: false });
  const form = program.ok ? readForm(program.value.form) : program;
  expect(form.ok && form.value.nodes.length).toBeGreaterThan(2000);
}, 60_000);
