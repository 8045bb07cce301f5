/**
 * Windows and steps that generated code takes by itself, against the same program judged and stepped
 * window by window from outside: the same sound, losses, steps, rates, parameters and faults to the
 * bit, whatever is done to it on the way.
 */

import { describe, expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import type { CompileOptions } from '../../../dsp/compile.ts';
import { OPTIMISER_KINDS } from '../../../dsp/learn/optimisers/table.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import { FAULT_NAMES } from '../../../dsp/run/faults.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { hasFusedMultiply } from '../../../dsp/wasm/features.ts';
import { wasmKernel } from '../../../dsp/run/wasm-kernel.ts';
import { PRECISIONS } from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';

const BLOCK = 96;
const OPTIONS: CompileOptions = { sampleRate: 48_000, maxBlock: BLOCK, latency: 0 };

type Json = Record<string, unknown>;
type Pair = readonly [judged: Instance, running: Instance];

/** A gain, an offset, a pole on a logarithmic scale, and taps: all that guards tell apart. */
function patchOf(training: Json, more: Json = {}): Json {
  return {
    format: 'livegrad.patch/1',
    name: 'both',
    params: {
      gain: { initial: 0.5, min: -3, max: 3 },
      pole: { initial: 0.3, min: 0.05, max: 0.95, scale: 'log', learn: 'log' },
      offset: { initial: 0, min: -1, max: 1 },
      taps: { size: 5, initial: 0.1, min: -2, max: 2 },
    },
    nodes: {
      x: { op: 'input', channel: 1 },
      target: { op: 'input', channel: 2 },
      past: { op: 'frames', in: ['x'], size: 5, hop: 1 },
      fir: { op: 'dot', in: ['taps', 'past'] },
      low: { op: 'onePole', in: ['fir', 'pole'] },
      scaled: { op: 'mul', in: ['low', 'gain'] },
      y: { op: 'add', in: ['scaled', 'offset'] },
    },
    outputs: ['y'],
    training: {
      estimate: 'y',
      target: 'target',
      loss: 'mse',
      window: 1,
      optimiser: { kind: 'sgd' },
      schedule: { kind: 'constant', rate: 0.01 },
      ...training,
    },
    ...more,
  };
}

function pairOf(json: Json, options: CompileOptions = OPTIONS): Pair {
  const patch = parsePatch(json);
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const artifact = compile(patch.value, options);
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  const open = (byItself: boolean): Instance => {
    const kernel = wasmKernel(artifact.value, new WebAssembly.Module(artifact.value.wasm));
    if (byItself) expect(kernel.course).not.toBe(null);
    const instance = new Instance(artifact.value, byItself ? kernel : { ...kernel, course: null });
    instance.setSchedule(patch.value.training!.schedule);
    instance.learning = true;
    return instance;
  };
  return [open(false), open(true)];
}

const stateOf = (instance: Instance, frames: number): unknown => ({
  step: instance.step,
  windows: instance.windows,
  loss: instance.loss,
  rate: instance.learningRate,
  learning: instance.learning,
  fault: FAULT_NAMES[instance.fault],
  detail: [...instance.faultDetail],
  pace: [...instance.paceMemory],
  params: [...instance.params],
  gradients: [...instance.gradients],
  output: [...instance.outputs[0]!.subarray(0, frames)],
});

/** Ragged blocks of noise; `act` does something to an instance before a block, to both alike. */
function play(
  pair: Pair,
  blocks: number,
  act: (instance: Instance, block: number) => void = () => {},
): void {
  const next = random(7);
  for (let block = 0; block < blocks; block++) {
    const frames = 1 + Math.floor(next() * (BLOCK - 1));
    const level = block % 23 > 18 ? 1e-6 : 1;
    const noise = pair[0].inputs.map(() =>
      Float32Array.from({ length: frames }, () => (2 * next() - 1) * level),
    );
    for (const instance of pair) {
      instance.inputs.forEach((channel, k) => channel.set(noise[k]!));
      act(instance, block);
      instance.process(frames);
    }
    expect(stateOf(pair[1], frames), `block ${block}`).toEqual(stateOf(pair[0], frames));
  }
}

describe.each([1, 2, 3, 16, 64])('windows of %i samples', (window) => {
  test.each(PRECISIONS)('teach the same in %s precision', (precision) => {
    const pair = pairOf(patchOf({ window }, { precision }));
    play(pair, 120);
    expect(pair[1].step).toBeGreaterThan(0);
    expect(pair[1].fault).toBe(0);
  });

  test('teach the same with products rounded once, in forward and in reverse mode', () => {
    for (const mode of ['forward', 'reverse'] as const) {
      const options = { ...OPTIONS, mode, fused: hasFusedMultiply() };
      play(pairOf(patchOf({ window }), options), 80);
    }
  });

  test('teach the same where several of them make a step', () => {
    const schedule = { kind: 'plateau', rate: 0.02, factor: 0.5, patience: 2 };
    const leaping = { every: 2, schedule: { kind: 'constant', rate: 30 } };
    for (const training of [{ every: 3 }, { every: 5, schedule }, leaping]) {
      play(pairOf(patchOf({ window, ...training })), 80, (instance, block) => {
        instance.held = block % 17 === 0;
        if (block % 29 === 0) instance.learning = true;
      });
    }
  });

  test('teach the same while things are set, frozen, held and switched', () => {
    play(pairOf(patchOf({ window })), 160, (instance, block) => {
      if (block === 20) instance.params[0] = 1.25;
      if (block === 30) instance.frozen[3] = 1;
      if (block === 40) instance.rates[1] = 0.5;
      if (block === 50) instance.frozen[3] = 0;
      if (block === 60) instance.rates[1] = 1;
      if (block === 70) instance.held = true;
      if (block === 75) instance.held = false;
      if (block === 80) instance.learning = false;
      if (block === 85) instance.learning = true;
      if (block === 90) instance.reset();
      if (block === 110) instance.restart();
      if (block === 120) instance.setSchedule({ kind: 'constant', rate: 0.02 });
      if (block === 130) instance.inputs[0]![0] = Number.NaN;
      if (block === 135) instance.learning = true;
      if (block === 140) instance.params[2] = Number.NaN;
      if (block === 150) instance.reset();
      if (block === 151) instance.learning = true;
    });
  });

  test.each([
    ['leap', { schedule: { kind: 'constant', rate: 30 } }],
    ['rising', { schedule: { kind: 'constant', rate: 3 }, guards: { leap: false } }],
    ['maxLoss', { guards: { maxLoss: 0.9 } }],
    ['maxGradient', { guards: { maxGradient: 3 } }],
  ] as const)('are stopped alike: %s', (guard, training) => {
    const faults = new Set<string>();
    play(pairOf(patchOf({ window, ...training })), 150, (instance) => {
      faults.add(FAULT_NAMES[instance.fault]!);
      instance.learning = true;
    });
    if (window === 1) expect([...faults]).toContain(guard);
  });

  test.each([
    { kind: 'exponential', rate: 0.02, delta: -0.1, every: 7 },
    { kind: 'multiStep', rate: 0.02, factor: 0.5, milestones: [30, 5, 80] },
    { kind: 'cosine', rate: 0.02, final: 0.001, steps: 50 },
    { kind: 'constant', rate: 0.02, factor: 0.25, steps: 10, warmup: { steps: 13 } },
    { kind: 'plateau', rate: 0.02, factor: 0.5, patience: 2, every: 3 },
  ])('follow a schedule alike: $kind', (schedule) => {
    const pair = pairOf(patchOf({ window, schedule }));
    play(pair, 100);
    expect(pair[1].step).toBeGreaterThan(5);
  });
});

describe('every optimiser', () => {
  const solves = ['nlms', 'apa', 'rls', 'gaussNewton'];
  test.each(OPTIMISER_KINDS)('%s steps the same, frozen parameters or none', (kind) => {
    const { nodes } = patchOf({}) as { nodes: Json };
    const { x, target, past, fir } = nodes;
    const linear = {
      params: { taps: { size: 5, initial: 0.1, min: -2, max: 2 } },
      nodes: { x, target, past, fir },
      outputs: ['fir'],
    };
    const isSolving = solves.includes(kind);
    const patch = isSolving ? patchOf({ estimate: 'fir' }, linear) : patchOf({});
    for (const clip of [undefined, { value: 0.5, norm: 1 }]) {
      if (clip !== undefined && isSolving) continue;
      const own = patch['training'] as Json;
      const optimiser = { kind, ...(clip === undefined ? {} : { clip, weightDecay: 0.01 }) };
      play(pairOf({ ...patch, training: { ...own, optimiser } }), 60, (instance, block) => {
        if (block === 30) instance.frozen[0] = 1;
        if (block === 45) instance.frozen[0] = 0;
      });
    }
  });
});
