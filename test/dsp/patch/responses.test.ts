/**
 * Responses against the filters that they are of: the spectrum of the impulse response, over the
 * range of frequencies, cutoffs, resonances and gains, at two sample rates; and their gradients.
 */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, Signal } from '../../../dsp/patch/builder.ts';
import type { FILTERS } from '../../../dsp/patch/filters.ts';
import { RESPONSES } from '../../../dsp/patch/responses.ts';
import { compiledInstance } from '../../support/program.ts';

type Name = keyof typeof RESPONSES;
const names = Object.keys(RESPONSES) as Name[];
const filterOf = (name: Name) => name.replace(/Db$/, '') as keyof typeof FILTERS;

const FRAMES = 2 ** 15;

function output(sampleRate: number, frames: number, write: (p: PatchBuilder) => Signal): number[] {
  const patch = buildPatch('t', (p) => ({ outputs: [write(p)] }));
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate, maxBlock: frames, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  if (instance.inputs.length > 0) instance.inputs[0]![0] = 1;
  instance.process(frames);
  return [...instance.outputs[0]!.subarray(0, frames)];
}

/** dB of the spectrum of an impulse response. */
function level(impulse: readonly number[], cycles: number): number {
  let [re, im] = [0, 0];
  impulse.forEach((h, n) => {
    const angle = 2 * Math.PI * ((cycles * n) % 1);
    re += h * Math.cos(angle);
    im -= h * Math.sin(angle);
  });
  return 10 * Math.log10(re * re + im * im + 1e-16);
}

const SETTINGS = [
  [300, 0.7, -6],
  [1000, 4, 12],
  [5000, 0.3, -18],
  [15_000, 2, 6],
] as const;
const FREQUENCIES = [0, 30, 300, 900, 1000, 1100, 4000, 14_000, 20_000];

describe.each(names)('%s', (name) => {
  const { arity } = RESPONSES[name];

  test.each([44_100, 96_000])('is the response of the filter at %i Hz', (sampleRate) => {
    for (const setting of SETTINGS) {
      const operands = setting.slice(0, arity - 1);
      const impulse = output(sampleRate, FRAMES, (p) =>
        p.fn(filterOf(name), [p.input(1), ...operands]),
      );
      for (const frequency of FREQUENCIES) {
        const [db] = output(sampleRate, 1, (p) => p.fn(name, [frequency, ...operands]));
        const expected = level(impulse, frequency / sampleRate);
        // The filter's own rounding is all that is left where it lets nothing through.
        if (expected > -40)
          expect(Math.abs(db! - expected)).toBeLessThan(expected > -30 ? 0.02 : 0.3);
        else expect(db).toBeLessThan(-38);
      }
    }
  });

  test('has the gradient that differences show, over the lanes of a vector', () => {
    const patch = buildPatch('t', (p) => {
      const settings = [
        p.param('cutoff', { initial: 900, min: 20, max: 20_000 }),
        p.param('q', { initial: 1.3, min: 0.1, max: 10 }),
        p.param('gainDb', { initial: 5, min: -20, max: 20 }),
      ].slice(0, arity - 1);
      const frequencies = p.vector('vector', [], { values: [100, 700, 1500, 9000] }, 'f');
      const levels = p.fn(name, [frequencies, ...settings]);
      const weighted = p.op('mul', [p.vector('sumLanes', [levels], {}), 0.01]);
      const estimate = p.op('mul', [p.input(1), weighted], 'estimate');
      const target = p.op('mul', [p.input(1), 2], 'target');
      const schedule = { kind: 'constant', rate: 0 } as const;
      const training = {
        loss: 'mse',
        window: 64,
        mode: 'auto',
        optimiser: { kind: 'sgd' },
      } as const;
      return { training: { ...training, estimate, target, schedule } };
    });
    if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
    const found = gradcheck(patch.value, { sampleRate: 48_000, seed: 3 });
    if (!found.ok) throw new Error(printDiagnostics(found.diagnostics));
    for (const { maxRelativeError } of found.value.modes) {
      expect(maxRelativeError).toBeLessThan(1e-4);
    }
  });
});
