/**
 * Optimisers in running programs: several windows a step, restarts, rates that clients set, and what
 * is remembered across an exchange of programs.
 */

import { describe, expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { OPTIMISER_KINDS, rowOf } from '../../../dsp/learn/optimisers/table.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import { planAdoption } from '../../../dsp/run/adopt.ts';
import type { Instance } from '../../../dsp/run/instance.ts';
import { compiledInstance } from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';

const WINDOW = 64;

/** target = 0.6·x − 0.2 of noise x, learned by a gain and an offset. */
function learner(training: object = {}, order = ['gain', 'dc'], more: object = {}): Instance {
  const specs: Readonly<Record<string, object>> = {
    gain: { initial: 1, min: -2, max: 2 },
    dc: { initial: 0, min: -1, max: 1 },
    spare: { initial: 0.5, min: 0, max: 1 },
    pitch: { initial: 220, min: 20, max: 2000, learn: 'log' },
  };
  const patch = parsePatch({
    format: 'livegrad.patch/1',
    name: 'test',
    params: Object.fromEntries(order.map((id) => [id, { ...specs[id], ...more }])),
    nodes: {
      x: { op: 'input', channel: 1 },
      hidden: { op: 'mul', in: ['x', 0.6] },
      target: { op: 'sub', in: ['hidden', 0.2] },
      scaled: { op: 'mul', in: ['x', 'gain'] },
      y: { op: 'add', in: ['scaled', 'dc'] },
    },
    training: {
      estimate: 'y',
      target: 'target',
      loss: 'mse',
      window: WINDOW,
      schedule: { kind: 'constant', rate: 0.05 },
      ...training,
    },
  });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate: 48000, maxBlock: 256, latency: 0 });
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  instance.setSchedule(patch.value.training!.schedule);
  instance.learning = true;
  return instance;
}

function play(instance: Instance, seed: number, frames: number): void {
  const next = random(seed);
  for (let done = 0; done < frames; done += WINDOW) {
    for (let n = 0; n < WINDOW; n++) instance.inputs[0]![n] = next() - 0.5;
    instance.process(WINDOW);
  }
}

const valuesOf = ({ artifact, params }: Instance): Record<string, number> =>
  Object.fromEntries(artifact.params.map(({ id }, k) => [id, params[k]!]));

describe('several windows a step', () => {
  test('are as one window as long as all of them', () => {
    const four = learner({ every: 4 });
    const one = learner({ window: 4 * WINDOW });
    play(four, 1, 40 * WINDOW);
    play(one, 1, 40 * WINDOW);
    expect([four.step, one.step, four.windows]).toEqual([10, 10, 40]);
    four.params.forEach((p, k) => expect(Math.abs(p - one.params[k]!)).toBeLessThan(1e-6));
    expect(Math.abs(four.params[0]! - 1)).toBeGreaterThan(0.01);
  });

  test('begin anew where learning does', () => {
    const instance = learner({ every: 4 });
    play(instance, 1, 3 * WINDOW);
    instance.learning = false;
    play(instance, 1, WINDOW);
    instance.learning = true;
    play(instance, 1, 3 * WINDOW);
    expect(instance.step).toBe(0);
    play(instance, 1, WINDOW);
    expect(instance.step).toBe(1);
  });
});

test('a restart keeps the parameters, and counts from 0 with nothing in mind', () => {
  const instance = learner({ optimiser: { kind: 'adam' } });
  play(instance, 1, 20 * WINDOW);
  const before = [...instance.params];
  instance.restart();
  expect([...instance.params]).toEqual(before);
  expect(instance.step).toBe(0);
  const fresh = learner({ optimiser: { kind: 'adam' } });
  fresh.resume(before, 0);
  play(instance, 2, 10 * WINDOW);
  play(fresh, 2, 10 * WINDOW);
  expect([...instance.params]).toEqual([...fresh.params]);
});

test('a scheduled rate starts again with a restart', () => {
  const instance = learner();
  instance.setSchedule({ kind: 'step', rate: 1e-3, factor: 0.5, every: 4 });
  play(instance, 1, 9 * WINDOW);
  expect(instance.learningRate).toBe(2.5e-4);
  instance.restart();
  expect(instance.learningRate).toBe(1e-3);
});

describe('rates of parameters', () => {
  test('come from the patch and can be set while it runs', () => {
    const groups = { slow: { params: ['dc'], rate: 0 } };
    const instance = learner({ groups });
    expect([...instance.rates]).toEqual([1, 0]);
    play(instance, 1, 4 * WINDOW);
    expect(instance.params[1]).toBe(0);
    expect(instance.params[0]).not.toBe(1);
    instance.rates.set([0, 1]);
    const [gain] = instance.params;
    play(instance, 2, 4 * WINDOW);
    expect(instance.params[0]).toBe(gain);
    expect(instance.params[1]).not.toBe(0);
  });

  test('go along where they were set, else they are those of the new program', () => {
    const old = learner({ groups: { a: { params: ['gain', 'dc'], rate: 0.5 } } });
    old.rates[1] = 0.125;
    const next = learner({ groups: { a: { params: ['gain'], rate: 0.25 } } }, [
      'spare',
      'dc',
      'gain',
    ]);
    next.adopt(old, planAdoption(old.artifact, next.artifact)!);
    expect([...next.rates]).toEqual([1, 0.125, 0.25]);
  });
});

const BY_GRADIENT = OPTIMISER_KINDS.filter((kind) => rowOf(kind).measures === undefined);

test.each(BY_GRADIENT)('%s goes on across an edit, parameter by parameter', (kind) => {
  const momentum = kind === 'sgd' ? { momentum: 0.9 } : {};
  const training = { optimiser: { kind, weightDecay: 0, ...momentum } };
  const old = learner(training, ['gain', 'dc']);
  play(old, 1, 12 * WINDOW);
  const next = learner(training, ['pitch', 'dc', 'spare', 'gain']);
  next.adopt(old, planAdoption(old.artifact, next.artifact)!);
  expect(valuesOf(next)).toMatchObject(valuesOf(old));
  play(old, 2, 12 * WINDOW);
  play(next, 2, 12 * WINDOW);
  expect(next.step).toBe(24);
  expect(valuesOf(next)).toMatchObject(valuesOf(old));
  expect(valuesOf(next)).toMatchObject({ pitch: 220, spare: 0.5 });
});
