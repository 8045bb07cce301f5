/**
 * Delays whose length is a signal: values against the formulae, and the gradient through the length
 * and through the delayed signal.
 */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, PatchEnd, Signal } from '../../../dsp/patch/builder.ts';
import { DELAY_INTERPOLATIONS, SHORTEST } from '../../../dsp/patch/delays.ts';
import type { DelayInterpolation } from '../../../dsp/patch/delays.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import type { Instance } from '../../../dsp/run/instance.ts';
import { compiledInstance } from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';

const RATE = 48000;
const MAX = 40;
const kinds = [...DELAY_INTERPOLATIONS];

function patchOf(write: (p: PatchBuilder) => PatchEnd): Patch {
  const patch = buildPatch('t', write);
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

function instanceOf(patch: Patch, maxBlock: number, mode?: 'forward' | 'reverse'): Instance {
  const options = { sampleRate: RATE, maxBlock, latency: 0, ...(mode ? { mode } : {}) };
  const artifact = compile(patch, options);
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  return compiledInstance(artifact.value);
}

/** Output 1 for the inputs, in the given blocks. */
function render(
  write: (p: PatchBuilder) => Signal,
  inputs: readonly Float64Array[],
  blocks = [128],
): Float64Array {
  const instance = instanceOf(
    patchOf((p) => ({ outputs: [write(p)] })),
    128,
  );
  const frames = inputs[0]!.length;
  const out = new Float64Array(frames);
  for (let n = 0, k = 0; n < frames; k++) {
    const count = Math.min(blocks[k % blocks.length]!, frames - n);
    instance.inputs.forEach((channel, c) => channel.set(inputs[c]!.subarray(n, n + count)));
    instance.process(count);
    out.set(instance.outputs[0]!.subarray(0, count), n);
    n += count;
  }
  return out;
}

const single = (values: Float64Array): Float64Array => values.map(Math.fround);
const noise = (seed: number, frames: number): Float64Array => {
  const next = random(seed);
  return single(new Float64Array(frames).map(() => next() - 0.5));
};
/** Lengths beyond both ends of the range, whole numbers among them. */
const lengths = (frames: number): Float64Array => {
  const next = random(9);
  return single(
    new Float64Array(frames).map((_, n) => {
      const t = next() * (MAX + 6) - 3;
      return n % 5 === 0 ? Math.round(t) : t;
    }),
  );
};

/** Weights of x_k, k frames ago, by the definition of the interpolation. */
const WEIGHTS: {
  readonly [K in Exclude<DelayInterpolation, 'allpass'>]: (t: number, k: number) => number;
} = {
  none: (t, k) => (k === (t % 1 === 0.5 ? 2 * Math.round(t / 2) : Math.round(t)) ? 1 : 0),
  linear: (t, k) => Math.max(0, 1 - Math.abs(k - t)),
  cubic: (t, k) => {
    const places = [-1, 0, 1, 2].map((by) => Math.floor(t) + by);
    if (!places.includes(k)) return 0;
    return places.reduce((w, m) => (m === k ? w : (w * (t - m)) / (k - m)), 1);
  },
};

describe.each(['none', 'linear', 'cubic'] as const)('%s', (interpolation) => {
  test('is the weighted sum that its definition says', () => {
    const [x, d] = [noise(1, 400), lengths(400)];
    const y = render((p) => p.delayBy(p.input(1), p.input(2), { max: MAX, interpolation }), [x, d]);
    y.forEach((value, n) => {
      const t = Math.max(SHORTEST[interpolation], Math.min(MAX, d[n]!));
      let sum = 0;
      for (let k = 0; k <= MAX + 2; k++) sum += WEIGHTS[interpolation](t, k) * (x[n - k] ?? 0);
      expect(value).toBeCloseTo(sum, 5);
    });
  });
});

describe('allpass', () => {
  test('delays a sine by its length and keeps its size, where the length stands still', () => {
    const omega = (2 * Math.PI) / 40;
    const x = single(new Float64Array(600).map((_, n) => Math.sin(omega * n)));
    for (const t of [0.5, 1, 3.3, 7.49, 7.5, 20, 40]) {
      const y = render(
        (p) => p.delayBy(p.input(1), t, { max: MAX, interpolation: 'allpass' }),
        [x],
      );
      for (let n = 300; n < 600; n++) {
        expect(Math.abs(y[n]! - Math.sin(omega * (n - t)))).toBeLessThan(0.003);
      }
    }
  });
});

describe.each(kinds)('%s', (interpolation) => {
  test('does not depend on the block size', () => {
    const inputs = [noise(1, 700), lengths(700)];
    const write = (p: PatchBuilder): Signal =>
      p.feedback(1, (past) => {
        const back = p.delayBy(past, p.input(2), { max: MAX, interpolation });
        return p.op('add', [p.input(1), p.op('mul', [back, 0.6])]);
      });
    const whole = render(write, inputs);
    expect(render(write, inputs, [1, 7, 128, 3, 64])).toEqual(whole);
    expect(Math.max(...whole)).toBeGreaterThan(0.3);
  });

  const training = (window: number) =>
    ({
      estimate: 'estimate',
      target: 'target',
      loss: 'mse',
      window,
      mode: 'auto',
      optimiser: { kind: 'sgd' },
      schedule: { kind: 'constant', rate: 0 },
    }) as const;

  test('has an exact gradient through the signal, in and around a recursion', () => {
    const patch = patchOf((p) => {
      const [gain, fed] = ['gain', 'fed'].map((id) =>
        p.param(id, { initial: 0.4, min: -1, max: 1 }),
      ) as [Signal, Signal];
      const frames = p.op('add', [p.op('mul', [p.input(2), 30]), 12]);
      p.op('mul', [p.input(1), 0.5], 'target');
      const loud = p.op('mul', [p.input(1), gain]);
      const comb = p.feedback(1, (past) => {
        const back = p.delayBy(past, frames, { max: MAX, interpolation });
        return p.op('add', [loud, p.op('mul', [back, fed])]);
      });
      const shifted = p.op('sub', [MAX, frames]);
      p.op('add', [p.delayBy(comb, shifted, { max: MAX, interpolation }), comb], 'estimate');
      return { training: training(96) };
    });
    const report = gradcheck(patch, { sampleRate: RATE, seed: 3 });
    if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
    for (const { mode, maxRelativeError, compiledRelativeError } of report.value.modes) {
      expect(maxRelativeError, mode).toBeLessThan(1e-6);
      expect(compiledRelativeError, mode).toBeLessThan(1e-4);
    }
  });

  test('has the slope of the signal through its length, wherever that lies', () => {
    // ∂/∂t of the mean of (sin ω(n − t) − cos ωn)² over whole periods is ω·cos ωt.
    const PERIOD = 48;
    const omega = (2 * Math.PI) / PERIOD;
    const patch = patchOf((p) => {
      const t = p.param('t', { initial: 5, min: 0, max: MAX });
      p.delayBy(p.input(1), t, { max: MAX, interpolation }, 'estimate');
      p.op('mul', [p.input(2), 1], 'target');
      return { training: training(4 * PERIOD) };
    });
    for (const mode of ['forward', 'reverse'] as const) {
      const slopes = [5, 5.001, 5.2, 5.499, 5.501, 5.8, 5.999, 6, 6.3].map((t) => {
        const instance = instanceOf(patch, 4 * PERIOD, mode);
        instance.params[0] = t;
        for (let window = 0; window < 3; window++) {
          for (let n = 0; n < 4 * PERIOD; n++) {
            instance.inputs[0]![n] = Math.sin(omega * n);
            instance.inputs[1]![n] = Math.cos(omega * n);
          }
          instance.process(4 * PERIOD);
        }
        // Without an interpolation the value is that of the nearest whole length.
        const rounded = interpolation === 'none' ? t - Math.round(t) : 0;
        const slope = omega * (Math.cos(omega * t) - Math.sin(omega * rounded));
        return instance.gradients[0]! / slope;
      });
      for (const ratio of slopes) expect(Math.abs(ratio - 1), mode).toBeLessThan(0.02);
      // No jump where the length passes a whole number.
      expect(Math.abs(slopes[6]! - slopes[7]!), mode).toBeLessThan(2e-3);
      expect(Math.abs(slopes[0]! - slopes[1]!), mode).toBeLessThan(2e-3);
    }
  });

  test('learns the delay of low-passed noise', () => {
    const LENGTH = 23.4;
    const patch = patchOf((p) => {
      const t = p.param('t', { initial: 19, min: 1, max: MAX });
      const soft = p.fn('lowpass', [p.noise(3), 2500, 0.7]);
      p.delayBy(soft, LENGTH, { max: MAX, interpolation: 'cubic' }, 'target');
      p.delayBy(soft, t, { max: MAX, interpolation }, 'estimate');
      return { training: training(512) };
    });
    const instance = instanceOf(patch, 512);
    instance.setSchedule({ kind: 'constant', rate: 60 });
    instance.learning = true;
    for (let step = 0; step < 300; step++) instance.process(512);
    expect(Math.abs(instance.params[0]! - LENGTH)).toBeLessThan(
      interpolation === 'none' ? 0.5 : 0.1,
    );
  });
});

test('the gradient is 0 where the length is held, and one-sided at the newest sample', () => {
  const slopeAt = (t: number): number => {
    const patch = patchOf((p) => {
      const length = p.param('t', { initial: 1, min: -10, max: 100 });
      p.delayBy(p.input(1), length, { max: 8 }, 'estimate');
      p.op('mul', [p.input(1), 0], 'target');
      return {
        training: {
          estimate: 'estimate',
          target: 'target',
          loss: 'mse',
          window: 1,
          mode: 'forward',
          optimiser: { kind: 'sgd' },
          schedule: { kind: 'constant', rate: 0 },
        },
      };
    });
    const instance = instanceOf(patch, 16);
    instance.params[0] = t;
    // A ramp: x_k falls by 1 from frame to frame into the past; the loss is y².
    instance.inputs[0]!.set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    instance.process(12);
    return instance.gradients[0]! / 2;
  };
  expect(slopeAt(0)).toBe(-12);
  expect(slopeAt(0.5)).toBe(-11.5);
  expect(slopeAt(8)).toBe(-4);
  expect(slopeAt(-1)).toBe(0);
  expect(slopeAt(9)).toBe(0);
});

test('a length that is a number out of range is an error', () => {
  const patch = patchOf((p) => ({ outputs: [p.delayBy(p.input(1), 12, { max: 8 }, 'late')] }));
  const made = compile(patch, { sampleRate: RATE, maxBlock: 16, latency: 0 });
  expect(made.ok ? [] : made.diagnostics).toMatchObject([
    { code: 'PATCH_SIGNAL_RANGE', path: 'nodes.late.in[1]' },
  ]);
});

test('a length that is a number costs no more than delays', () => {
  const patch = patchOf((p) => ({ outputs: [p.delayBy(p.input(1), 7.25, { max: 4000 })] }));
  const made = compile(patch, { sampleRate: RATE, maxBlock: 64, latency: 0 });
  expect(made.ok && made.value.report.memoryBytes).toBeLessThan(8000);
});
