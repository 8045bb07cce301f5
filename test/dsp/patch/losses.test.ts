/** Losses that a patch names: spectral ones from its document to the gradient, and what is refused. */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import type { LossChoice } from '../../../dsp/learn/losses/table.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import type { Patch, Training } from '../../../dsp/patch/schema.ts';
import { compiledInstance } from '../../support/program.ts';
import { numbers } from '../../support/vectors.ts';

const RATE = 48000;
const SETTINGS = {
  window: 512,
  mode: 'auto',
  optimiser: { kind: 'sgd' },
  schedule: { kind: 'constant', rate: 0 },
} as const;

/** A sound through a filter and a gain against the same sound later. */
function patchOf(loss: LossChoice, more: Partial<Training> = {}): Patch {
  const patch = buildPatch('t', (p) => {
    const x = p.input(1, 'x');
    const pole = p.param('pole', { initial: 0.3, min: -0.9, max: 0.9 });
    const gain = p.param('gain', { initial: 0.5, min: 0, max: 4 });
    const estimate = p.op('mul', [p.fn('onePole', [x, pole]), gain], 'e');
    const target = p.delay(p.fn('onePole', [x, 0.6]), 31, 't');
    return { training: { ...SETTINGS, estimate, target, loss, ...more } };
  });
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

const refused = (loss: unknown, window = 512): string[] => {
  const training = { ...SETTINGS, estimate: 'e', target: 't', loss, window };
  const parsed = parsePatch({ ...patchOf('mse'), training });
  if (!parsed.ok) return parsed.diagnostics.map((d) => `${d.code} ${d.path}: ${d.message}`);
  const made = compile(parsed.value, { sampleRate: RATE, maxBlock: 64, latency: 0 });
  return made.ok ? [] : made.diagnostics.map((d) => `${d.code} ${d.path}: ${d.message}`);
};

describe('a spectral loss', () => {
  test.each([
    ['logSpectral'],
    [{ kind: 'logSpectral', sizes: [64, 256], overlap: 2, window: 'hamming', floor: 1e-3 }],
    [{ kind: 'logSpectral', sizes: [512], overlap: 1 }],
    [{ kind: 'mse' }],
  ] as [LossChoice][])('%o has the gradient that differences measure', (loss) => {
    const report = gradcheck(patchOf(loss), { sampleRate: RATE, seed: 5 });
    if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
    for (const { mode, maxRelativeError, compiledRelativeError } of report.value.modes) {
      expect(maxRelativeError, mode).toBeLessThan(1e-4);
      expect(compiledRelativeError, mode).toBeLessThan(1e-2);
    }
  });

  test.each(['forward', 'reverse'] as const)('is finite in silence, in %s mode', (mode) => {
    const options = { sampleRate: RATE, maxBlock: 512, latency: 0, mode };
    const artifact = compile(patchOf('logSpectral'), options);
    if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
    const instance = compiledInstance(artifact.value);
    const sound = numbers(512, 1);
    const silence = new Array<number>(512).fill(0);
    // Silence on both sides; a sound that only the estimate has begun to hear; no gain; and back.
    for (const [x, gain] of [
      [silence, 0.5],
      [sound, 0.5],
      [sound, 0],
      [silence, 0],
      [silence, 1],
    ] as const) {
      instance.params[1] = gain;
      instance.inputs[0]!.set(x);
      instance.process(512);
      expect(Number.isFinite(instance.loss)).toBe(true);
      expect([...instance.gradients].every(Number.isFinite)).toBe(true);
    }
  });

  test('learns the colour and level of a sound that is not aligned', () => {
    const options = { sampleRate: RATE, maxBlock: 512, latency: 0 };
    const artifact = compile(patchOf('logSpectral', { window: 2048 }), options);
    if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
    const instance = compiledInstance(artifact.value);
    instance.setSchedule({ kind: 'constant', rate: 0.1 });
    instance.learning = true;
    const x = numbers(512 * 600, 3);
    for (let n = 0; n < x.length; n += 512) {
      instance.inputs[0]!.set(x.slice(n, n + 512));
      instance.process(512);
    }
    expect(instance.params[0]).toBeCloseTo(0.6, 1);
    expect(instance.params[1]).toBeCloseTo(1, 1);
  });

  test.each([
    ['logSpectrum', 512, /PATCH_INVALID training\.loss: unknown loss: expected one of mse, mae/u],
    [7, 512, /PATCH_INVALID training\.loss: unknown loss: .* got 7/u],
    [{ kind: 'logSpectra' }, 512, /training\.loss\.kind: unknown kind: .* got "logSpectra"/u],
    [{ kind: 'mse', sizes: [64] }, 512, /training\.loss\.sizes: unknown field "sizes"/u],
    [{ kind: 'logSpectral', sizes: [100] }, 512, /training\.loss\.sizes\[0\]: .*got 100/u],
    ['logSpectral', 250, /PATCH_SIGNAL_RANGE training\.window: .* 256 samples or more.* got 250/u],
    [
      { kind: 'logSpectral', sizes: [512] },
      576,
      /training\.window: frames of 512 samples .* multiple of the hop of 128 samples, got 576/u,
    ],
    [
      { kind: 'stft', length: 2000 },
      1024,
      /SIGNAL_RANGE training\.loss: .* length .* 1024 samples/u,
    ],
    [{ kind: 'huber', detla: 1 }, 512, /training\.loss\.detla: unknown field "detla"/u],
    [
      { kind: 'logSpectral', sizes: [1024] },
      512,
      /window: .*expected at least 1024 samples, got 512/u,
    ],
  ])('%o over %i samples is told', (loss, window, words) => {
    const found = refused(loss, window);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(words);
  });
});
