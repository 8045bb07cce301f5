/**
 * Running instances: the examples learn, learning is held, guarded, frozen and reset, and how the
 * stream is cut does not matter.
 */

import { describe, expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import type { CompileOptions } from '../../../dsp/compile.ts';
import { EXAMPLES, RIG } from '../../../dsp/examples/index.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { FAULT } from '../../../dsp/run/faults.ts';
import type { Instance } from '../../../dsp/run/instance.ts';
import { compiledInstance } from '../../support/program.ts';

const OPTIONS: CompileOptions = { sampleRate: 48000, maxBlock: 128, latency: 0 };

function running(patch: Patch, mode: 'auto' | 'forward' | 'reverse' = 'auto'): Instance {
  const artifact = compile(patch, { ...OPTIONS, mode });
  if (!artifact.ok) throw new Error(patch.name);
  const instance = compiledInstance(artifact.value);
  if (patch.training !== undefined) instance.setSchedule(patch.training.schedule);
  instance.learning = true;
  return instance;
}

/** Feeds the rig to an instance, in blocks of the given lengths. */
function feed(instance: Instance, frames: number, blocks: readonly number[] = [128]): void {
  const rig = running(RIG);
  const pending: number[][] = rig.outputs.map(() => []);
  for (let n = 0, k = 0; n < frames; k++) {
    const count = Math.min(blocks[k % blocks.length]!, frames - n);
    while (pending[0]!.length < count) {
      rig.process(128);
      rig.outputs.forEach((out, c) => pending[c]!.push(...out));
    }
    const taken = pending.map((p) => p.splice(0, count));
    instance.inputs.forEach((channel, c) => channel.set(taken[c]!));
    instance.process(count);
    n += count;
  }
}

/** Small enough to be run in every way; all examples: test/clients/cli/lesson.test.ts. */
const SMALL = ['gain', 'gain-dc', 'one-pole', 'loopback', 'dense', 'equaliser'];

describe.each(SMALL.map((name) => [name, EXAMPLES[name]!] as const))('example %s', (_, patch) => {
  test.each(['forward', 'reverse'] as const)(
    'finds its hidden parameters in time in %s mode',
    (mode) => {
      const instance = running(patch, mode);
      const seconds = Math.max(0, ...patch.expect.map((e) => e.seconds));
      feed(instance, seconds * 48000);
      for (const { param, value, tolerance } of patch.expect) {
        if (param === undefined) continue;
        const index = instance.artifact.params.findIndex((p) => p.id === param);
        const hidden = typeof value === 'number' ? value : patch.sliders[value]!.initial;
        expect(Math.abs(instance.params[index]! - hidden)).toBeLessThan(tolerance);
      }
      expect(instance.fault).toBe(FAULT.none);
    },
  );

  test('learns the same however the stream is cut', () => {
    const [a, b] = [running(patch), running(patch)];
    feed(a, 20_000);
    feed(b, 20_000, [1, 100, 37, 128, 5]);
    expect([...b.params]).toEqual([...a.params]);
    expect(b.loss).toBe(a.loss);
    expect(b.step).toBe(a.step);
  });
});

/** They make sound of their own besides, or learn from none. */
const OWN_SOUND: ReadonlySet<string> = new Set([
  'dense-1',
  'dense-2',
  'dense-3',
  'eq-curve',
  'notch-hum',
]);
const listening = Object.values(EXAMPLES).filter(
  ({ name, nodes }) =>
    !OWN_SOUND.has(name) && Object.values(nodes).some(({ op }) => op === 'input'),
);
const OFFSETS: ReadonlySet<string> = new Set(['dc', 'bias']);

test.each(listening.map((patch) => [patch.name, patch] as const))(
  'example %s does not move in silence',
  (_, patch) => {
    const instance = running(patch);
    const before = [...instance.params];
    for (let k = 0; k < 100; k++) instance.process(128);
    // An offset is heard in silence too; what multiplies the input is not.
    instance.params.forEach((value, k) => {
      expect(Number.isFinite(value)).toBe(true);
      if (!OFFSETS.has(instance.artifact.params[k]!.id)) expect(value).toBe(before[k]);
    });
  },
);

describe('a slider that moves inside of a training window', () => {
  const patch = buildPatch('moving', (p) => {
    const control = { initial: 1, min: -2, max: 2 };
    const scale = p.op('mul', [p.slider('s', control), p.param('g', control)]);
    const estimate = p.op('mul', [p.input(1), scale], 'estimate');
    const target = p.op('mul', [p.input(1), 0.25], 'target');
    const schedule = { kind: 'constant', rate: 0 } as const;
    const training = {
      loss: 'mse',
      window: 256,
      mode: 'auto',
      optimiser: { kind: 'sgd' },
    } as const;
    return { training: { ...training, estimate, target, schedule } };
  });
  test.each(['forward', 'reverse'] as const)(
    'counts with its value at each sample in %s mode',
    (mode) => {
      if (!patch.ok) throw new Error('the patch is wrong');
      const instance = running(patch.value, mode);
      for (const s of [1, 1, 1, -1]) {
        instance.sliders[0] = s;
        instance.inputs[0]!.fill(0.5);
        instance.process(64);
      }
      // L = mean (x s g − x/4)², dL/dg = mean 2 (x s g − x/4) x s, with x = 1/2, g = 1.
      expect(instance.gradients[0]).toBeCloseTo((3 * 0.375 + 0.625) / 4, 6);
    },
  );
});

describe('an instance', () => {
  test('measures but does not move while learning is off', () => {
    const instance = running(EXAMPLES['gain']!);
    instance.learning = false;
    feed(instance, 2560);
    expect(instance.step).toBe(0);
    expect(instance.windows).toBe(10);
    expect(instance.loss).toBeGreaterThan(0.01);
    expect(instance.gradients[0]).toBeGreaterThan(0);
    expect(instance.params[0]).toBe(1);
  });

  test('goes on from resumed parameters, and takes those back when its first window fails', () => {
    const instance = running(EXAMPLES['one-pole']!);
    instance.resume([0.4], 1000);
    expect(instance.step).toBe(1000);
    instance.inputs[0]!.fill(NaN);
    instance.process(128);
    instance.process(128);
    expect(instance.fault).toBe(FAULT.input);
    expect(instance.params[0]).toBe(0.4);
  });

  test('takes no step while it is held, and goes on after', () => {
    const instance = running(EXAMPLES['gain']!);
    instance.held = true;
    feed(instance, 2560);
    expect([instance.step, instance.params[0], instance.windows]).toEqual([0, 1, 10]);
    expect(instance.learning).toBe(true);
    instance.held = false;
    feed(instance, 2560);
    expect(instance.step).toBe(10);
  });

  test('says whether training goes through the device', () => {
    expect(running(EXAMPLES['loopback']!).artifact.throughDevice).toBe(true);
    expect(running(EXAMPLES['gain']!).artifact.throughDevice).toBe(false);
  });

  test('keeps a frozen parameter and learns the others', () => {
    const instance = running(EXAMPLES['gain-dc']!);
    instance.frozen[0] = 1;
    feed(instance, 48000);
    expect(instance.params[0]).toBe(1);
    expect(instance.params[1]).toBeCloseTo(-0.2, 1);
  });

  test('starts again exactly after a reset', () => {
    const instance = running(EXAMPLES['one-pole']!);
    feed(instance, 9000);
    const first = [instance.loss, ...instance.params, ...instance.gradients];
    instance.reset();
    expect(instance.step).toBe(0);
    expect(instance.params[0]).toBe(0);
    instance.learning = true;
    feed(instance, 9000);
    expect([instance.loss, ...instance.params, ...instance.gradients]).toEqual(first);
  });

  test('follows a slider that moves while it runs', () => {
    const instance = running(EXAMPLES['gain']!);
    feed(instance, 48000);
    instance.sliders[0] = 1.7;
    feed(instance, 96000);
    expect(instance.params[0]).toBeCloseTo(1.7, 3);
  });

  test('takes the last good parameters back within one window after a NaN, and stops', () => {
    const instance = running(EXAMPLES['one-pole']!);
    feed(instance, 25600);
    const good = instance.params[0]!;
    instance.inputs[0]!.fill(0.1);
    instance.inputs[0]![5] = NaN;
    instance.process(128);
    instance.process(128);
    expect(instance.fault).toBe(FAULT.input);
    expect(instance.learning).toBe(false);
    expect(instance.params[0]).toBeCloseTo(good, 1);
    expect(Number.isFinite(instance.params[0]!)).toBe(true);
    // The signal state is clean again: sound goes on.
    instance.inputs[0]!.fill(0.1);
    instance.process(128);
    expect(instance.outputs[0]!.every(Number.isFinite)).toBe(true);
  });

  test('survives a learning rate that diverges: parameters stay in their range', () => {
    const instance = running(EXAMPLES['one-pole']!);
    instance.setSchedule({ kind: 'constant', rate: 1e6 });
    feed(instance, 48000);
    expect(Math.abs(instance.params[0]!)).toBeLessThanOrEqual(0.95);
  });

  test('counts schedule steps in optimiser steps', () => {
    const instance = running(EXAMPLES['gain']!);
    instance.setSchedule({ kind: 'step', rate: 1, factor: 0.5, every: 10 });
    feed(instance, 256 * 10);
    expect(instance.learningRate).toBe(1);
    feed(instance, 256);
    expect(instance.learningRate).toBe(0.5);
  });

  test('runs a patch without training', () => {
    const rig = running(RIG);
    rig.process(128);
    expect(rig.outputs[1]![7]).toBeCloseTo(rig.outputs[0]![7]! * 0.4, 6);
    expect(rig.windows).toBe(0);
  });
});
