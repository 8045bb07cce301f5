/**
 * The way that a patch names for each parameter: forward for some, reverse for all others, in one
 * program, each with the gradient that it has when all go that way.
 */

import { describe, expect, it } from 'vitest';
import { compile } from '../../dsp/compile.ts';
import { parsePatch } from '../../dsp/patch/schema.ts';
import { Instance } from '../../dsp/run/instance.ts';

type Mode = 'auto' | 'forward' | 'reverse' | { forward: string[] };

/** A one-pole filter with a gain before it; a short window truncates what the pole does. */
const patch = (mode: Mode) => ({
  format: 'livegrad.patch/1',
  name: 'two-ways',
  params: {
    pole: { initial: 0.97, min: -0.99, max: 0.99 },
    gain: { initial: 0.5, min: 0, max: 2 },
  },
  nodes: {
    x: { op: 'noise', seed: 3 },
    scaled: { op: 'mul', in: ['x', 'gain'] },
    past: { op: 'mem', in: ['estimate'] },
    fed: { op: 'mul', in: ['past', 'pole'] },
    estimate: { op: 'add', in: ['scaled', 'fed'] },
  },
  outputs: ['estimate'],
  training: {
    estimate: 'estimate',
    target: 'x',
    loss: 'mse',
    window: 32,
    mode,
    schedule: { kind: 'constant', rate: 0 },
  },
});

function run(mode: Mode) {
  const parsed = parsePatch(patch(mode));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics));
  const artifact = compile(parsed.value, { sampleRate: 48_000, maxBlock: 32, latency: 0 });
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  const instance = new Instance(
    artifact.value,
    new WebAssembly.Module(artifact.value.wasm.slice()),
  );
  for (let block = 0; block < 40; block++) instance.process(32);
  const [pole, gain] = instance.gradients as unknown as [number, number];
  return { artifact: artifact.value, pole, gain };
}

describe('a mode that names parameters', () => {
  it('takes them forward and all others in reverse', () => {
    const [forward, reverse, named] = [run('forward'), run('reverse'), run({ forward: ['pole'] })];
    expect(Math.abs(forward.pole / reverse.pole - 1)).toBeGreaterThan(0.05);
    expect(named.artifact.mode).toBe('mixed');
    expect(named.pole).toBeCloseTo(forward.pole, 4);
    expect(named.gain).toBeCloseTo(reverse.gain, 4);
  });

  it('says so', () => {
    expect(run({ forward: ['pole'] }).artifact.report.mode[0]).toBe(
      'pole in forward mode, all others in reverse, as the patch asks',
    );
    expect(run({ forward: ['pole', 'gain'] }).artifact.mode).toBe('forward');
  });

  it('knows no parameter of another name', () => {
    const parsed = parsePatch(patch({ forward: ['pol'] }));
    expect(parsed).toMatchObject({
      ok: false,
      diagnostics: [
        {
          code: 'PATCH_UNKNOWN_REFERENCE',
          path: 'training.mode.forward[0]',
          message: 'no param is called "pol": expected one of pole, gain',
          hint: 'did you mean "pole"?',
        },
      ],
    });
  });
});
