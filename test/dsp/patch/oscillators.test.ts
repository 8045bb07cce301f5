/** Oscillators: shape, phase to the bit, and the gradient through the frequency. */

import { describe, expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, Signal } from '../../../dsp/patch/builder.ts';
import { OSCILLATORS } from '../../../dsp/patch/oscillators.ts';
import { compiledInstance } from '../../support/program.ts';

const RATE = 48000;
type Name = keyof typeof OSCILLATORS;
const names = Object.keys(OSCILLATORS) as Name[];

function render(write: (p: PatchBuilder) => Signal, frames: number, blocks = [512]): Float64Array {
  const patch = buildPatch('t', (p) => ({ outputs: [write(p)] }));
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate: RATE, maxBlock: 512, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  const out = new Float64Array(frames);
  for (let n = 0, k = 0; n < frames; k++) {
    const count = Math.min(blocks[k % blocks.length]!, frames - n);
    instance.process(count);
    for (let i = 0; i < count; i++) out[n + i] = instance.outputs[0]![i]!;
    n += count;
  }
  return out;
}

const fraction = (x: number): number => x - Math.floor(x);
/** Value and slope per cycle of phase, the phase in [0, 1). */
const SHAPES: { readonly [K in Name]: (phase: number) => readonly [number, number] } = {
  phasor: (t) => [t, 1],
  sine: (t) => [Math.sin(2 * Math.PI * t), 2 * Math.PI * Math.cos(2 * Math.PI * t)],
  cosine: (t) => [Math.cos(2 * Math.PI * t), -2 * Math.PI * Math.sin(2 * Math.PI * t)],
  saw: (t) => [t < 0.5 ? 2 * t : 2 * t - 2, 2],
  triangle: (t) => {
    const isUp = t < 0.25 || t >= 0.75;
    return [isUp ? 4 * (fraction(t + 0.25) - 0.25) : 2 - 4 * t, isUp ? 4 : -4];
  },
  square: (t) => [t < 0.5 ? 1 : -1, 0],
};

describe.each(names)('%s', (name) => {
  test('has its shape', () => {
    // A power of two of steps to the cycle: the phase is exact.
    const y = render((p) => p.fn(name, [RATE / 4096]), 3 * 4096);
    y.forEach((v, n) => expect(v).toBeCloseTo(SHAPES[name](fraction(n / 4096))[0], 6));
  });

  test('runs backwards for a negative frequency', () => {
    const y = render((p) => p.fn(name, [-RATE / 4096]), 4096);
    y.forEach((v, n) => expect(v).toBeCloseTo(SHAPES[name](fraction(-n / 4096))[0], 6));
  });

  test('does not depend on the block size', () => {
    const [whole, ragged] = [[512], [1, 7, 512, 3, 64]].map((blocks) =>
      render((p) => p.fn(name, [443.21]), 3000, blocks),
    );
    expect(ragged).toEqual(whole);
  });

  test('has the gradient of its phase through the frequency, in both modes', () => {
    const window = 256;
    for (const mode of ['forward', 'reverse'] as const) {
      const patch = buildPatch('t', (p) => {
        const frequency = p.param('f', { initial: 1500, min: 0, max: 20000 });
        const other = p.param('o', { initial: 0, min: -1, max: 1 });
        const y = p.op('add', [p.fn(name, [frequency]), other], 'y');
        const training = {
          loss: 'mse',
          window,
          mode: 'auto',
          optimiser: { kind: 'sgd' },
          schedule: { kind: 'constant', rate: 0 },
        } as const;
        return { training: { ...training, estimate: y, target: p.input(1, 'x') } };
      });
      if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
      const options = { sampleRate: RATE, maxBlock: window, latency: 0, mode };
      const artifact = compile(patch.value, options);
      if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
      const instance = compiledInstance(artifact.value);
      instance.process(window);
      let exact = 0;
      for (let n = 0; n < window; n++) {
        const [value, slope] = SHAPES[name](fraction((1500 * n) / RATE + 1e-9));
        // At a peak of the triangle its slope is 0.
        const isPeak = name === 'triangle' && n % 32 === 8;
        if (!isPeak) exact += (2 / window) * value * slope * (n / RATE);
      }
      const tolerance = 2e-4 * Math.max(Math.abs(exact), 1e-4);
      expect(Math.abs(instance.gradients[0]! - exact), mode).toBeLessThan(tolerance);
    }
  });
});

test('the phase is a multiple of the step to the bit, however often it went round', () => {
  const frequency = 12345.678;
  const frames = 2_000_000;
  const y = render((p) => p.fn('phasor', [frequency]), frames);
  // Constants are folded in double precision.
  const step = BigInt(Math.trunc(frequency * (2 ** 32 / RATE)));
  for (const n of [0, 1, 2, 1000, 999_999, frames - 1]) {
    const phase = Number((BigInt(n) * step) % 2n ** 32n);
    expect(y[n]).toBe(Math.floor(phase / 2 ** 8) / 2 ** 24);
  }
  expect(y.every((v) => v >= 0 && v < 1)).toBe(true);
});

test('a sine keeps its frequency and phase over a minute', () => {
  const frames = 60 * RATE;
  const y = render((p) => p.sine(440), frames);
  let worst = 0;
  for (let n = frames - 1000; n < frames; n++) {
    worst = Math.max(worst, Math.abs(y[n]! - Math.sin((2 * Math.PI * 440 * n) / RATE)));
  }
  expect(y[0]).toBe(0);
  // 2⁻³² of the sample rate off for 60 s: 6.7e-4 cycles at most.
  expect(worst).toBeLessThan(2 * Math.PI * 6.8e-4);
});

test('a frequency that is not a number stops the phase and nothing else', () => {
  const y = render((p) => p.fn('phasor', [p.op('div', [p.input(1), 0])]), 100);
  expect(y.every((v) => v === 0)).toBe(true);
});
