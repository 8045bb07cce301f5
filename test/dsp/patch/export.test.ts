/** A patch with the values of now as its initial ones. */

import { expect, test } from 'vitest';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { withValues } from '../../../dsp/patch/export.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';

const parsed = parsePatch({
  format: 'livegrad.patch/1',
  name: 'test',
  sliders: { level: { initial: 1, min: 0, max: 2, unit: 'x' } },
  params: {
    gain: { initial: 0.5, min: 0.1, max: 4, learn: 'log', rate: 2 },
    taps: { initial: { init: 'uniform', seed: 3 }, min: -1, max: 1, size: 3 },
    rest: { initial: 0.25, min: -1, max: 1, size: 2 },
  },
  nodes: {
    x: { op: 'input', channel: 1 },
    w: { op: 'sumLanes', in: ['taps'] },
    v: { op: 'sumLanes', in: ['rest'] },
    g: { op: 'fma', in: ['x', 'gain', 'w'] },
    y: { op: 'fma', in: ['g', 'level', 'v'] },
  },
  outputs: ['y'],
  training: {
    estimate: 'y',
    target: 'x',
    loss: 'mse',
    window: 64,
    schedule: { kind: 'linear', rate: 1, final: 0, steps: 10, start: 5000 },
  },
});

test('begins with the values, lists for vectors, and its schedule with step 0', () => {
  if (!parsed.ok) throw new Error(printDiagnostics(parsed.diagnostics));
  const patch = parsed.value;
  const values: Record<string, number> = {
    level: 0.75,
    gain: 1.5,
    'taps/0': 0.1,
    'taps/1': 0.2,
    'taps/2': 0.3,
  };
  const made = withValues(patch, (id) => values[id]);
  const { sliders, params, training } = patch;
  const schedule = { kind: 'linear', rate: 1, final: 0, steps: 10 };
  expect(made).toEqual({
    ...patch,
    sliders: { level: { ...sliders['level'], initial: 0.75 } },
    params: {
      gain: { ...params['gain'], initial: 1.5 },
      taps: { ...params['taps'], initial: [0.1, 0.2, 0.3] },
      rest: params['rest'],
    },
    training: { ...training, schedule },
  });
  expect(parsePatch(JSON.parse(JSON.stringify(made)))).toEqual({ ok: true, value: made });
});
