/** Sliders become parameters and parameters sliders; a training out of a few settings. */

import { describe, expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import type { Result } from '../../../dsp/diagnostic.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { withLearnable } from '../../../dsp/patch/learnable.ts';
import type { Learn } from '../../../dsp/patch/learnable.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { newTraining } from '../../../dsp/patch/training.ts';

const must = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(printDiagnostics(result.diagnostics));
  return result.value;
};

const cutoff = { initial: 1000, min: 20, max: 20_000, unit: 'Hz', scale: 'log', doc: 'where' };
const DOCUMENT = {
  format: 'livegrad.patch/1',
  name: 'test',
  sliders: {
    hidden: { initial: 1, min: 0, max: 2 },
    cutoff,
    level: { initial: 0, min: -40, max: 40, step: 1 },
    q: { initial: 0.7, min: 0.1, max: 10 },
  },
  params: {
    gain: { initial: 0.5, min: 0, max: 4, learn: 'logit', rate: 2, unit: 'x', step: 0.01 },
    pole: { initial: 0, min: -0.9, max: 0.9 },
    taps: { initial: 0, min: -1, max: 1, size: 3 },
    one: { initial: 0, min: -1, max: 1, size: 1 },
  },
  nodes: {
    x: { op: 'input', channel: 1 },
    f: { op: 'lowpass', in: ['x', 'cutoff', 'q'] },
    g: { op: 'onePole', in: ['f', 'pole'] },
    h: { op: 'mul', in: ['g', 'gain'] },
    w: { op: 'sumLanes', in: ['taps'] },
    y: { op: 'fma', in: ['h', 'level', 'w'] },
    t: { op: 'mul', in: ['x', 'hidden'] },
  },
  outputs: ['y', 't'],
  training: {
    estimate: 'y',
    target: 't',
    loss: 'mse',
    window: 64,
    mode: { forward: ['pole'] },
    optimiser: { kind: 'adam' },
    groups: { a: { params: ['gain'], rate: 2 }, b: { params: ['pole', 'taps'] } },
    schedule: { kind: 'constant', rate: 0.01 },
  },
  expect: [
    { param: 'gain', value: 'hidden', tolerance: 0.1, seconds: 1 },
    { param: 'pole', value: 0, tolerance: 0.1, seconds: 1 },
  ],
};
const PATCH = must(parsePatch(DOCUMENT));
const { training: _training, expect: _expect, ...untrained } = DOCUMENT;
const UNTRAINED = must(
  parsePatch({
    ...untrained,
    params: {},
    nodes: {
      ...DOCUMENT.nodes,
      y: { op: 'mul', in: ['f', 'level'] },
      g: { op: 'neg', in: ['x'] },
      h: { op: 'neg', in: ['x'] },
      w: { op: 'neg', in: ['x'] },
    },
  }),
);

const refusal = (patch: Patch, id: string, learn: Learn): string => {
  const made = withLearnable(patch, id, learn);
  if (made.ok) throw new Error('it was accepted');
  return printDiagnostics(made.diagnostics);
};

const compiles = (patch: Patch): boolean => {
  const { ok } = parsePatch(JSON.parse(JSON.stringify(patch)));
  return ok && compile(patch, { sampleRate: 48000, maxBlock: 64, latency: 0 }).ok;
};

describe('a slider that becomes a parameter', () => {
  test('keeps its range, unit and words, goes to the end, and moves nothing else', () => {
    const made = must(withLearnable(PATCH, 'cutoff', true));
    expect(Object.keys(made.sliders)).toEqual(['hidden', 'level', 'q']);
    expect(Object.keys(made.params)).toEqual(['gain', 'pole', 'taps', 'one', 'cutoff']);
    expect(made.params['cutoff']).toEqual({
      ...cutoff,
      learn: 'log',
      rate: 3,
    });
    expect({ ...made, sliders: PATCH.sliders, params: PATCH.params }).toEqual(PATCH);
    expect(compiles(made)).toBe(true);
  });

  test.each([
    ['level', true, { rate: 80 }],
    ['level', 'softplus', { learn: 'softplus', rate: 80 }],
    ['level', 'logit', { learn: 'logit', rate: 4 }],
    ['q', true, { learn: 'log', rate: 3 }],
    ['hidden', true, { rate: 2 }],
    ['cutoff', 'linear', { rate: 19_980 }],
  ] as const)('%s, asked for as %s, learns as %j with Adam', (id, learn, fields) => {
    const made = must(withLearnable(PATCH, id, learn));
    expect(made.params[id]).toEqual({ ...PATCH.sliders[id], ...fields });
    expect(compiles(made)).toBe(true);
  });

  test('has a factor of 1 for optimisers whose steps are no share of a range', () => {
    const training = {
      ...PATCH.training!,
      optimiser: { kind: 'sgd' as const, momentum: 0, nesterov: false, weightDecay: 0 },
    };
    const made = must(withLearnable({ ...PATCH, training } as Patch, 'level', true));
    expect(made.params['level']).toEqual(PATCH.sliders['level']);
  });

  test('is no longer what another parameter is expected to find', () => {
    const made = must(withLearnable(PATCH, 'hidden', true));
    expect(made.expect.map(({ param }) => param)).toEqual(['pole']);
    expect(compiles(made)).toBe(true);
  });

  test('and comes back is what it was, but for its place', () => {
    const there = must(withLearnable(PATCH, 'cutoff', true));
    const back = must(withLearnable(there, 'cutoff', false));
    expect(back).toEqual(PATCH);
    expect(Object.keys(back.sliders).at(-1)).toBe('cutoff');
  });
});

describe('a parameter that becomes a slider', () => {
  test('is named nowhere in the training any more', () => {
    const made = must(withLearnable(must(withLearnable(PATCH, 'pole', false)), 'gain', false));
    const { min, max, unit, step } = DOCUMENT.params.gain;
    expect(made.sliders['gain']).toEqual({ initial: 0.5, min, max, unit, step });
    expect(made.training).toMatchObject({ mode: 'reverse', groups: { b: { params: ['taps'] } } });
    expect(made.training?.groups).not.toHaveProperty('a');
    expect(made.expect).toEqual([]);
    expect(compiles(made)).toBe(true);
  });

  test('may be on another scale before', () => {
    const made = must(withLearnable(PATCH, 'gain', 'linear'));
    const { learn: _learn, ...rest } = DOCUMENT.params.gain;
    expect(made.params['gain']).toEqual({ ...rest, rate: 4 });
    expect(Object.keys(made.params)).toEqual(Object.keys(PATCH.params));
  });
});

test.each([
  ['cutoff', false],
  ['gain', true],
  ['gain', 'logit'],
  ['pole', 'linear'],
  ['taps/1', true],
] as const)('%s is %s already: the patch is the same', (id, learn) => {
  expect(must(withLearnable(PATCH, id, learn))).toBe(PATCH);
});

test.each([
  ['cutof', true, /UNKNOWN_REFERENCE {2}learn\.cutof: .*\n.*did you mean "cutoff"/u],
  ['constructor', true, /UNKNOWN_REFERENCE/u],
  ['level', 'log', /CONTROL_RANGE {2}learn\.level: .* expected min > 0, got -40/u],
  ['pole', 'log', /CONTROL_RANGE/u],
  ['taps', false, /INVALID {2}learn\.taps: .*vector of 3 numbers/u],
  ['one', false, /INVALID {2}learn\.one: .*vector of 1 numbers/u],
  ['taps/1', false, /INVALID .*a number of the vector "taps"/u],
] as const)('%s as %s is refused', (id, learn, words) => {
  expect(refusal(PATCH, id, learn)).toMatch(words);
});

test('the last parameter of a training stays one', () => {
  const patch = EXAMPLES['gain']!;
  expect(refusal(patch, 'gain', false)).toMatch(/NOTHING_TO_LEARN .*\n.*freeze it/u);
  const { training: _, ...rest } = patch;
  expect(Object.keys(must(withLearnable({ ...rest, expect: [] }, 'gain', false)).params)).toEqual(
    [],
  );
});

test('a Faust program is told what to learn, beside its code', () => {
  const faust = { code: 'process = _;', learn: { q: true } };
  const made = must(withLearnable({ ...PATCH, faust }, 'cutoff', true));
  expect(made).toMatchObject({ faust: { ...faust, learn: { q: true, cutoff: 'log' } } });
  const back = must(withLearnable(made, 'cutoff', false));
  expect(back).toMatchObject({ faust: { learn: { q: true, cutoff: false } } });
});

describe('a new training', () => {
  test('is complete with two signals, and learns', () => {
    const training = must(newTraining(UNTRAINED, { estimate: 'y', target: 't' }));
    expect(training).toMatchObject({
      loss: 'mse',
      window: 256,
      mode: 'auto',
      optimiser: { kind: 'adam', beta1: 0.9 },
      schedule: { kind: 'constant', rate: 0.003 },
    });
    const made = must(withLearnable({ ...UNTRAINED, training }, 'cutoff', true));
    expect(compiles(made)).toBe(true);
  });

  test('has a window that its losses fit into', () => {
    const spectral = { estimate: 'y', target: 't', loss: 'logSpectral' } as const;
    expect(must(newTraining(UNTRAINED, spectral)).window).toBe(4096);
  });

  test('takes what is said instead', () => {
    const nlms = must(
      newTraining(UNTRAINED, { estimate: 'y', target: 't', optimiser: { kind: 'nlms' } as never }),
    );
    expect(nlms).toMatchObject({ window: 1, schedule: { rate: 0.5 } });
    const terms = [{ estimate: 'y', loss: 'value' }] as const;
    const several = must(newTraining(UNTRAINED, { terms: [...terms], window: 32 }));
    expect(several).toMatchObject({ terms, window: 32 });
    expect(several.loss).toBeUndefined();
    const value = must(newTraining(UNTRAINED, { estimate: 'y', loss: 'value' }));
    expect(value.target).toBeUndefined();
  });

  test.each([
    [{}, /expected "estimate", .* and "target", .*\n.*it plays y, t and hears x/u],
    [{ estimate: 'y' }, /expected "target"/u],
    [{ target: 'y', loss: 'mae' }, /expected "estimate", the signal that learns\n/u],
  ] as const)('with %j says what is missing, and what there is', (settings, words) => {
    const made = newTraining(UNTRAINED, settings);
    expect(made.ok ? '' : printDiagnostics(made.diagnostics)).toMatch(words);
  });
});
