/**
 * One program takes over from another: what has the same name sounds on without a seam, values stay,
 * and what has no counterpart starts afresh.
 */

import { describe, expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../../dsp/ir/graph.ts';
import { paramName, updateScalars } from '../../../dsp/ir/program.ts';
import type { Precision } from '../../../dsp/ir/program.ts';
import { mse } from '../../../dsp/learn/losses/pointwise.ts';
import { prune } from '../../../dsp/passes/prune.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import type { PatchNode } from '../../../dsp/patch/schema.ts';
import { planAdoption } from '../../../dsp/run/adopt.ts';
import { FAULT } from '../../../dsp/run/faults.ts';
import type { Instance } from '../../../dsp/run/instance.ts';
import {
  PRECISIONS,
  assembled,
  compiledInstance,
  plainProgram,
  trainingProgram,
} from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';

const BLOCK = 64;

interface Sketch {
  readonly nodes: Readonly<Record<string, PatchNode>>;
  readonly outputs: readonly string[];
  readonly params?: Readonly<Record<string, object>>;
  readonly sliders?: Readonly<Record<string, object>>;
  readonly training?: object;
  readonly precision?: Precision;
}

function running(sketch: Sketch): Instance {
  const patch = parsePatch({ format: 'livegrad.patch/1', name: 'test', ...sketch });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate: 48000, maxBlock: BLOCK, latency: 7 });
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  return compiledInstance(artifact.value);
}

/** Noise, in blocks of ragged lengths; [frame] of the first output. */
function play(instance: Instance, seed: number, frames: number): number[] {
  const next = random(seed);
  const lengths = [64, 3, 17, 64, 1, 33];
  const heard: number[] = [];
  for (let k = 0; heard.length < frames; k++) {
    const count = Math.min(lengths[k % lengths.length]!, frames - heard.length);
    for (const channel of instance.inputs) {
      for (let i = 0; i < count; i++) channel[i] = next() - 0.5;
    }
    instance.process(count);
    heard.push(...instance.outputs[0]!.slice(0, count));
  }
  return heard;
}

function adopt(to: Instance, from: Instance): void {
  to.adopt(from, planAdoption(from.artifact, to.artifact)!);
}

const largest = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, x, n) => Math.max(most, Math.abs(x - b[n]!)), 0);

/** Both play the same for so long after one took over from the other. */
function seam(before: Sketch, after: Sketch, played: number, frames = 2000): number {
  const old = running(before);
  const next = running(after);
  play(old, 1, played);
  adopt(next, old);
  return largest(play(old, 2, frames), play(next, 2, frames));
}

const x: PatchNode = { op: 'input', channel: 1 };
const FILTERED = {
  x,
  lp: { op: 'lowpass', in: ['x', 400, 3] },
  past: { op: 'delay', in: ['mix'], frames: 301 },
  fed: { op: 'mul', in: ['past', 0.7] },
  mix: { op: 'add', in: ['lp', 'fed'] },
  ahead: { op: 'delay', in: ['mix'], frames: 40 },
  osc: { op: 'sine', in: [440] },
  hiss: { op: 'noise' },
  mean: { op: 'runningMean', in: ['x'], frames: 77 },
  dc: { op: 'dcBlocker', in: ['mean', 0.995] },
  back: { op: 'align', in: ['dc'] },
  sway: { op: 'fma', in: ['osc', 40, 60] },
  vibrato: { op: 'delayBy', in: ['mix', 'sway'], max: 120, interpolation: 'cubic' },
  kept: { op: 'rwTable', in: ['lp', 'sway', 20], size: 90 },
  swaying: { op: 'add', in: ['vibrato', 'kept'] },
  c: { op: 'add', in: ['osc', 'swaying'] },
  a: { op: 'add', in: ['ahead', 'c'] },
  b: { op: 'add', in: ['hiss', 'back'] },
  y: { op: 'add', in: ['a', 'b'] },
} as const satisfies Record<string, PatchNode>;

/** The same in another order, with other things in front, behind and beside. */
const EDITED: Record<string, PatchNode> = {
  extra: { op: 'svfHighpass', in: ['x', 1000, 2] },
  far: { op: 'delay', in: ['x'], frames: 5000 },
  also: { op: 'delay', in: ['mix'], frames: 900 },
  ...Object.fromEntries(Object.entries(FILTERED).toReversed()),
  spare: { op: 'add', in: ['extra', 'far'] },
  spare2: { op: 'add', in: ['spare', 'also'] },
};

describe('signal state', () => {
  test.each([0, 5, 301, 1000, 4321])(
    'an edit elsewhere is not heard after %i frames: filters, recursions, delays, phases, noise, tables',
    (played) => {
      const plain = { nodes: FILTERED, outputs: ['y'] };
      const edited = { nodes: EDITED, outputs: ['y', 'spare2'] };
      expect(seam(plain, edited, played)).toBeLessThan(1e-6);
      expect(seam(edited, plain, played)).toBeLessThan(1e-6);
    },
  );

  test.each([0, 301, 4321])('nor is another precision, after %i frames', (played) => {
    const single: Sketch = { nodes: FILTERED, outputs: ['y'] };
    const double: Sketch = { ...single, precision: 'double' };
    // The interpolation of a delay that moves shows the last places of single precision.
    expect(seam(single, double, played)).toBeLessThan(2e-4);
    expect(seam(double, single, played)).toBeLessThan(2e-4);
    const edited = { nodes: EDITED, outputs: ['y', 'spare2'], precision: 'double' } as const;
    expect(seam(double, edited, played)).toBeLessThan(1e-6);
    expect(seam(edited, double, played)).toBeLessThan(1e-6);
  });

  test('without taking over it would be heard', () => {
    const plain = { nodes: FILTERED, outputs: ['y'] };
    const [old, next] = [running(plain), running(plain)];
    play(old, 1, 1000);
    expect(largest(play(old, 2, 500), play(next, 2, 500))).toBeGreaterThan(0.1);
  });

  test('two nodes that are one past: either may go', () => {
    const nodes = {
      x,
      a: { op: 'delay', in: ['x'], frames: 100 },
      b: { op: 'delay', in: ['x'], frames: 100 },
      c: { op: 'delay', in: ['x'], frames: 10 },
    } as const satisfies Record<string, PatchNode>;
    const { a, b, ...rest } = nodes;
    for (const [output, kept] of [
      ['a', { a }],
      ['b', { b }],
    ] as const) {
      const both = { nodes, outputs: [output, 'a', 'b', 'c'] };
      expect(seam(both, { nodes: { ...rest, ...kept }, outputs: [output] }, 300)).toBe(0);
    }
  });

  test('of a delay of another length the newest samples are taken', () => {
    const line = (frames: number): Sketch => ({
      nodes: { x, d: { op: 'delay', in: ['x'], frames } },
      outputs: ['d'],
    });
    for (const [before, after] of [
      [500, 200],
      [200, 500],
      [1, 30],
      [30, 1],
    ] as const) {
      const old = running(line(before));
      const next = running(line(after));
      play(old, 1, 777);
      const past = play(running(line(1)), 1, 778).slice(1);
      adopt(next, old);
      const heard = play(next, 2, after);
      const known = Math.min(before, after);
      expect(heard.slice(-known)).toEqual(past.slice(-known));
      expect(heard.slice(0, after - known).every((y) => y === 0)).toBe(true);
    }
  });

  test('a recursion of one frame and a delay of one frame are the same state', () => {
    const past: PatchNode = { op: 'mem', in: ['y'] };
    const open: Record<string, PatchNode> = { x, y: { op: 'neg', in: ['x'] }, past };
    const closed: Record<string, PatchNode> = { x, y: { op: 'sub', in: ['x', 'past'] }, past };
    for (const [before, after] of [
      [open, closed],
      [closed, open],
    ] as const) {
      const old = running({ nodes: before, outputs: ['y', 'past'] });
      const next = running({ nodes: after, outputs: ['past'] });
      const last = play(old, 1, 100).at(-1);
      adopt(next, old);
      expect(play(next, 2, 1)[0]).toBe(last);
    }
  });

  test('the states of another operation in the same place are not mistaken for its own', () => {
    const filter = (op: 'lowpass' | 'svfLowpass'): Sketch => ({
      nodes: { x, f: { op, in: ['x', 300, 2] } },
      outputs: ['f'],
    });
    const old = running(filter('lowpass'));
    const [next, fresh] = [running(filter('svfLowpass')), running(filter('svfLowpass'))];
    play(old, 1, 200);
    adopt(next, old);
    expect(play(next, 2, 100)).toEqual(play(fresh, 2, 100));
  });

  test('a vector of another length starts afresh', () => {
    const kept = (lanes: number): Instance => {
      const b = new Builder('stream');
      const all = b.asLanes(b.node('input', [], [0]), lanes);
      const past = b.within('v', () => b.feedback('real', 1, 0, lanes));
      b.close(past, all);
      const graph = b.finish([{ name: 'out:0', node: b.node('laneSum', [past]) }]);
      const sizes = { inputs: 1, sliders: 0, params: 0 };
      return compiledInstance(assembled(plainProgram(graph, sizes), BLOCK));
    };
    const old = kept(5);
    play(old, 1, 100);
    const [same, longer] = [kept(5), kept(6)];
    adopt(same, old);
    adopt(longer, old);
    expect(play(longer, 2, 1)).toEqual([0]);
    expect(play(same, 2, 1)).not.toEqual([0]);
  });

  test('another sample rate takes nothing over', () => {
    const { artifact } = running({ nodes: { x }, outputs: ['x'] });
    expect(planAdoption(artifact, { ...artifact, sampleRate: 44100 })).toBeNull();
  });

  test.each(PRECISIONS)(
    'frames and what is put together of them go on in step: %s',
    (precision) => {
      const graph = (extra: boolean | null): Graph => {
        const b = new Builder('stream');
        const input = b.node('input', [], [0]);
        const other = extra ? b.delay(input, 50) : input;
        const y = b.within('spectral', () => {
          const frames = b.node('frames', [input], [32, 96]);
          const past = b.feedback('real', 2, 0, 96, 32);
          const sum = b.node('add', [frames, b.node('mul', [past, b.real(0.5)])]);
          b.close(past, sum);
          return b.node('overlap', [sum], [32]);
        });
        const outputs = [{ name: 'out:0', node: extra === null ? input : y }];
        return b.finish(extra ? [...outputs, { name: 'out:1', node: other }] : outputs);
      };
      const sizes = { inputs: 1, sliders: 0, params: 0 };
      const instance = (extra: boolean | null, window: number): Instance => {
        const program = plainProgram(prune(graph(extra)), sizes);
        return compiledInstance(assembled({ ...program, window, precision }, BLOCK));
      };
      for (const window of [0, 64]) {
        for (const played of [32, 333, 1000]) {
          const [old, next] = [instance(false, window), instance(true, window)];
          play(old, 1, played);
          adopt(next, old);
          expect(largest(play(old, 2, 700), play(next, 2, 700))).toBe(0);
        }
      }
      // Frames that are new end where the window ends, as if silence had come before.
      const [old, next, always] = [instance(null, 64), instance(true, 64), instance(true, 64)];
      for (const one of [old, always]) {
        one.inputs[0]!.fill(0);
        one.process(40);
      }
      adopt(next, old);
      expect(play(next, 2, 300)).toEqual(play(always, 2, 300));
    },
  );
});

const LEARNER: Sketch = {
  params: {
    cutoff: { initial: 800, min: 100, max: 5000 },
    gain: { initial: 0.3, min: -2, max: 2 },
  },
  sliders: { level: { initial: 0.5, min: 0, max: 1 } },
  nodes: {
    x,
    target: { op: 'lowpass', in: ['x', 500, 0.7] },
    lp: { op: 'lowpass', in: ['x', 'cutoff', 0.7] },
    late: { op: 'delayBy', in: ['lp', 20.5], max: 200 },
    later: { op: 'delayBy', in: ['late', 'lp'], max: 200 },
    y: { op: 'mul', in: ['later', 'gain'] },
  },
  outputs: ['y'],
  training: {
    estimate: 'y',
    target: 'target',
    loss: 'mse',
    window: 128,
    mode: 'forward',
    optimiser: { kind: 'sgd' },
    schedule: { kind: 'constant', rate: 0 },
  },
};

describe('values and learning', () => {
  test('parameters, freezes and sliders go along by name, within the new ranges', () => {
    const old = running(LEARNER);
    const next = running({
      ...LEARNER,
      params: {
        gain: { initial: 0, min: -0.5, max: 0.5 },
        added: { initial: 0.1, min: 0, max: 1 },
        cutoff: { initial: 800, min: 100, max: 5000 },
      },
      sliders: { other: { initial: 0.2, min: 0, max: 1 }, level: { initial: 0, min: 0, max: 1 } },
    });
    old.resume([1234, -1.5], 42);
    old.frozen[0] = 1;
    old.sliders[0] = 0.75;
    adopt(next, old);
    expect([...next.params]).toEqual([-0.5, 0.1, 1234]);
    expect([...next.frozen]).toEqual([0, 0, 1]);
    expect([...next.sliders]).toEqual([0.2, 0.75]);
    expect(next.step).toBe(42);
  });

  test('a slider becomes a parameter and a parameter a slider, both as they are, unheard', () => {
    const { cutoff, gain } = LEARNER.params!;
    const one: Sketch = { ...LEARNER, params: { gain: gain! }, sliders: { cutoff: cutoff! } };
    const other: Sketch = { ...LEARNER, params: { cutoff: cutoff! }, sliders: { gain: gain! } };
    const [old, next, again] = [running(one), running(other), running(one)];
    old.resume([-1.5], 42);
    old.sliders[0] = 1234;
    play(old, 1, 1000);
    adopt(next, old);
    expect([next.params[0], next.sliders[0]]).toEqual([1234, -1.5]);
    expect(play(next, 2, 1000)).toEqual(play(old, 2, 1000));
    // What it has become is what it goes back to when learning fails.
    next.learning = true;
    next.inputs[0]!.fill(Number.NaN);
    next.process(1);
    next.distrust(FAULT.input, 0);
    expect([...next.params]).toEqual([1234]);
    adopt(again, next);
    expect([again.params[0], again.sliders[0]]).toEqual([-1.5, 1234]);
  });

  test('tangents go along into another precision', () => {
    const [old, next] = [running(LEARNER), running({ ...LEARNER, precision: 'double' })];
    play(old, 1, 1000);
    adopt(next, old);
    for (const one of [old, next]) play(one, 2, 24 + 128);
    old.gradients.forEach((g, k) => {
      expect(Math.abs(next.gradients[k]! - g)).toBeLessThan(1e-3 * Math.abs(g));
    });
    expect(next.gradients[0]).not.toBe(0);
  });

  test('tangents go along: gradients are those of the program before, from the next window on', () => {
    const old = running(LEARNER);
    const { nodes } = LEARNER;
    const next = running({
      ...LEARNER,
      nodes: { spare: { op: 'delay', in: ['y'], frames: 9 }, ...nodes },
    });
    play(old, 1, 1000);
    adopt(next, old);
    play(old, 2, 24);
    play(next, 2, 24);
    expect(next.windows).toBe(old.windows);
    expect([...next.gradients]).toEqual([0, 0]);
    play(old, 3, 128);
    play(next, 3, 128);
    expect([...next.gradients]).toEqual([...old.gradients]);
    expect(next.loss).toBe(old.loss);
    expect(old.gradients[0]).not.toBe(0);
  });

  test('nothing is learned from the window under way', () => {
    const [old, next] = [running(LEARNER), running(LEARNER)];
    next.setSchedule({ kind: 'constant', rate: 1 });
    next.learning = true;
    play(old, 1, 200);
    adopt(next, old);
    const before = [...next.params];
    play(next, 2, 56);
    expect([...next.params]).toEqual(before);
    expect(next.step).toBe(0);
    play(next, 3, 128);
    expect(next.step).toBe(1);
    expect([...next.params]).not.toEqual(before);
  });

  test('a retired program sounds on and learns no more', () => {
    const [one, two] = [running(LEARNER), running(LEARNER)];
    one.setSchedule({ kind: 'constant', rate: 1 });
    one.learning = true;
    one.retired = true;
    expect(play(one, 1, 1000)).toEqual(play(two, 1, 1000));
    expect(one.windows).toBe(0);
  });

  test('what an optimiser remembers goes along by the name of its parameter', () => {
    const stream = (
      params: readonly number[],
    ): { graph: Graph; estimate: NodeId; target: NodeId } => {
      const b = new Builder('stream');
      const input = b.node('input', [], [0]);
      const terms = params.map((k) => b.node('mul', [input, b.node('param', [], [k])]));
      const estimate = terms.reduce((sum, term) => b.node('add', [sum, term]));
      const graph = b.finish([{ name: 'out:0', node: estimate }]);
      return { graph, estimate, target: input };
    };
    /** t ← t + 1, m ← 0.9·m + g, p ← p − rate·m / √t: a state per parameter and one for all. */
    const momentum = (count: number): Graph => {
      const b = new Builder('once');
      const value = b.node('param', [], [0, count]);
      const gradient = b.node('scalar', [], [updateScalars.gradient(0), count]);
      const rate = b.node('scalar', [], [updateScalars.learningRate]);
      const moved = b.within('momentum', () => {
        const [before, time] = [b.feedback('real', 1, 0, count), b.feedback('real', 1)];
        const m = b.node('add', [b.node('mul', [before, b.real(0.9)]), gradient]);
        const t = b.node('add', [time, b.real(1)]);
        b.close(before, m);
        b.close(time, t);
        return b.node('mul', [b.node('div', [rate, b.node('sqrt', [t])]), m]);
      });
      return b.finish([{ name: paramName(0), node: b.node('sub', [value, moved]) }]);
    };
    const learner = (names: readonly string[]): Instance => {
      const { graph, estimate, target } = stream(names.map((_, k) => k));
      const loss = mse;
      const objective = { terms: [{ estimate, target, loss }], window: 64, params: names.length };
      const sizes = { inputs: 1, sliders: 0, params: names.length };
      const made = trainingProgram(graph, objective, 'forward', sizes);
      const params = names.map((id) => ({ id, initial: 0.1, min: -4, max: 4 }));
      const program = { ...made, params, update: momentum(names.length) };
      const instance = compiledInstance(assembled(program, BLOCK));
      instance.setSchedule({ kind: 'constant', rate: 0.2 });
      instance.learning = true;
      return instance;
    };
    const [old, next] = [learner(['a', 'b', 'c']), learner(['c', 'new', 'a', 'b'])];
    play(old, 1, 64 * 5);
    old.params[0] = 0.4;
    adopt(next, old);
    // With hardly a gradient the momentum alone moves them on; with none at all nothing would.
    const hush = (instance: Instance, windows: number): void => {
      for (let k = 0; k < windows; k++) {
        instance.inputs[0]!.fill(1e-6);
        instance.process(64);
      }
    };
    hush(old, 3);
    hush(next, 3);
    const wanted = [old.params[2], 0.1, old.params[0], old.params[1]];
    wanted.forEach((value, k) => expect(next.params[k]).toBeCloseTo(value ?? NaN, 9));
    expect(old.params[0]).not.toBeCloseTo(0.4, 2);
  });
});
