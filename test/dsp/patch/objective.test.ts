/** What a patch learns: several terms, losses that a patch computes itself, frames, and misuse. */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import { withObjective } from '../../../dsp/patch/objective.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import type { Patch, Training } from '../../../dsp/patch/schema.ts';
import { compiledInstance } from '../../support/program.ts';
import { numbers } from '../../support/vectors.ts';

const RATE = 48000;
const SETTINGS = {
  window: 256,
  mode: 'auto',
  optimiser: { kind: 'sgd' },
  schedule: { kind: 'constant', rate: 0 },
} as const;

/** A pole and a gain; sounds `e`, `t`, `u`, their squares, and frames of magnitudes `E`, `T`. */
function patchOf(objective: Partial<Training>): Patch {
  const patch = buildPatch('t', (p) => {
    const x = p.input(1, 'x');
    const pole = p.param('pole', { initial: 0.3, min: -0.9, max: 0.9 });
    const gain = p.param('gain', { initial: 0.5, min: 0, max: 4 });
    const e = p.op('mul', [p.fn('onePole', [x, pole]), gain], 'e');
    const t = p.delay(p.fn('onePole', [x, 0.6]), 3, 't');
    p.op('mul', [p.delay(x, 5), gain], 'u');
    const error = p.op('sub', [e, t], 'error');
    p.op('mul', [error, error], 'squared');
    for (const [name, sound] of [
      ['E', e],
      ['T', t],
    ] as const) {
      const frame = p.vector('frames', [sound], { size: 64, hop: 32 });
      p.vector('magnitude', [p.vector('rfft', [frame], {})], {}, name);
    }
    p.vector('vector', [], { values: numbers(33, 4) }, 'shape');
    p.vector('sumLanes', ['E' as never], {}, 'level');
    return { training: { ...SETTINGS, ...objective } };
  });
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

/** Loss and gradients of the second window, compiled. */
function learnt(objective: Partial<Training>, mode: 'forward' | 'reverse' = 'reverse') {
  const options = { sampleRate: RATE, maxBlock: 64, latency: 0, mode };
  const artifact = compile(patchOf(objective), options);
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  const x = numbers(512, 9);
  for (let n = 0; n < x.length; n += 64) {
    instance.inputs[0]!.set(x.slice(n, n + 64));
    instance.process(64);
  }
  return [instance.loss, ...instance.gradients];
}

const mse = { estimate: 'e', target: 't', loss: 'mse' } as const;
const spectral = { estimate: 'e', target: 't', loss: 'logSpectral', weight: 0.25 } as const;
const other = { estimate: 't', target: 'u', loss: 'mae', weight: 2 } as const;

describe('a training of several terms', () => {
  const cases: Partial<Training>[] = [
    { terms: [mse, spectral, other] },
    { terms: [mse, spectral, other], carry: 128 },
    { estimate: 'squared', loss: 'value' },
    { estimate: 'squared', loss: 'value', carry: 64 },
    { estimate: 'level', loss: 'value' },
    { estimate: 'E', target: 'T', loss: 'mse' },
    { estimate: 'E', target: 'T', loss: 'mse', carry: 64 },
    { estimate: 'E', target: 'gain', loss: 'mae' },
    { estimate: 'E', target: 'T', loss: { kind: 'mse', of: 'windowMeans' } },
    { estimate: 'E', target: 'shape', loss: 'mse' },
    { estimate: 'gain', target: 'pole', loss: 'mse' },
    { terms: [mse, { estimate: 'pole', loss: 'value', weight: -0.1 }] },
    {
      terms: [
        { estimate: 'E', loss: 'value' },
        { estimate: 'E', target: 'T', loss: 'mae' },
        { estimate: 'e', target: 't', loss: 'mse', weight: 10 },
      ],
    },
  ];
  test.each(cases)('%o has the gradient that differences measure', (objective) => {
    const report = gradcheck(patchOf(objective), { sampleRate: RATE, seed: 5 });
    if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
    for (const { mode, maxRelativeError, compiledRelativeError } of report.value.modes) {
      // With a carry-over the gradient counts what a difference at the window's start does not see.
      if (mode === 'forward' || objective.carry === undefined) {
        expect(maxRelativeError, mode).toBeLessThan(1e-4);
      }
      expect(compiledRelativeError, mode).toBeLessThan(1e-2);
    }
  });

  test.each(['forward', 'reverse'] as const)('is the weighted sum of them in %s mode', (mode) => {
    const all = learnt({ terms: [mse, spectral, other] }, mode);
    const parts = [mse, spectral, other].map((term) => learnt({ terms: [term] }, mode));
    all.forEach((value, k) => {
      expect(value).toBeCloseTo(parts[0]![k]! + parts[1]![k]! + parts[2]![k]!, 5);
    });
    expect(learnt({ terms: [mse] }, mode)).toEqual(learnt(mse, mode));
  });

  test('a loss that the patch computes is the loss of the table', () => {
    const own = learnt({ estimate: 'squared', loss: 'value' });
    learnt(mse).forEach((value, k) => {
      expect(own[k]).toBeCloseTo(value, 6);
    });
  });
});

test.each(['snr', { kind: 'esr', preEmphasis: 0.9 }, { kind: 'stft', size: 64, hop: 16 }] as const)(
  '%o with a carry-over over all time is forward mode',
  (loss) => {
    const pair = { estimate: 'e', target: 't', loss };
    const forward = learnt(pair, 'forward');
    learnt({ ...pair, carry: 256 }).forEach((value, k) => {
      expect(Math.abs(value - forward[k]!)).toBeLessThan(2e-4 * Math.abs(forward[k]!));
    });
  },
);

describe('misuse is told', () => {
  const bad = (objective: object): string[] => {
    const params = { ...patchOf(mse).params, weights: { initial: 0.5, size: 33, min: -1, max: 1 } };
    const parsed = parsePatch({ ...patchOf(mse), params, training: { ...SETTINGS, ...objective } });
    const found = parsed.ok
      ? compile(parsed.value, { sampleRate: RATE, maxBlock: 64, latency: 0 })
      : parsed;
    return found.ok ? [] : found.diagnostics.map((d) => `${d.code} ${d.path}: ${d.message}`);
  };
  test.each([
    [{}, ['estimate', 'target', 'loss'].map((f) => new RegExp(`training.${f}: missing`, 'u'))],
    [{ estimate: 'e', loss: 'mse' }, [/PATCH_INVALID training\.target: missing/u]],
    [{ ...mse, terms: [mse] }, [/estimate: .* said twice/u, /target: /u, /loss: .*got both/u]],
    [{ terms: [] }, [/training\.terms: /u]],
    [{ terms: [{ ...mse, weigth: 2 }] }, [/training\.terms\[0\]\.weigth: unknown field/u]],
    [{ terms: [mse, { ...mse, loss: 'mes' }] }, [/training\.terms\[1\]\.loss: unknown loss/u]],
    [{ terms: [mse, { ...mse, estimate: 'y' }] }, [/terms\[1\]\.estimate: nothing is called "y"/u]],
    [{ terms: [{ estimate: 'e', loss: 'mae' }] }, [/terms\[0\]\.target: missing: "mae" compares/u]],
    [{ ...mse, loss: 'value' }, [/training\.target: "value" is a loss of the estimate alone/u]],
    [
      { terms: [mse, { ...mse, target: 'e' }] },
      [/NOTHING.*terms\[1\]\.target: .*the same signal/u],
    ],
    [{ terms: [{ ...mse, estimate: 'E' }] }, [/terms\[0\]\.target: lanes of .*33 lanes, got 1/u]],
    [{ estimate: 'level', target: 't', loss: 'mse' }, [/target: rates .* every 32 .*got samples/u]],
    [
      { estimate: 'E', target: 'weights', loss: 'mse' },
      [/target: a vector beside frames.* 33 lanes/u],
    ],
    [{ estimate: 't', loss: 'value' }, [/no parameter has a gradient at "t": /u]],
    [{ estimate: 'level', loss: 'value', window: 100 }, [/training\.window: .*multiple of .* 32/u]],
  ])('%o', (objective, words) => {
    const found = bad(objective);
    expect(found).toHaveLength(words.length);
    words.forEach((one, k) => {
      expect(found[k]).toMatch(one);
    });
  });
});

test('a list of terms takes the place of one, and one that of a list', () => {
  const { training } = patchOf(mse);
  const several = withObjective(training!, { terms: [mse, other] });
  const { estimate: _estimate, target: _target, loss: _loss, ...rest } = training!;
  expect(several).toEqual({ ...rest, terms: [mse, other] });
  expect(withObjective(several, { ...mse })).toEqual(training);
  expect(withObjective(training!, { loss: 'mae' })).toEqual({ ...training, loss: 'mae' });
});
