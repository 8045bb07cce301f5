/** What the named sources and windows of a patch compute, through the generated code. */

import { describe, expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, Signal } from '../../../dsp/patch/builder.ts';
import { compiledInstance } from '../../support/program.ts';

const RATE = 48000;

/** Output of a one-output patch over `frames` frames of input `x(n)`. */
function render(
  write: (p: PatchBuilder) => Signal,
  frames: number,
  x: (n: number) => number = () => 0,
  latency = 0,
): Float64Array {
  const patch = buildPatch('t', (p) => ({ outputs: [write(p)] }));
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate: RATE, maxBlock: 100, latency });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  const out = new Float64Array(frames);
  for (let n = 0; n < frames; n += 100) {
    instance.inputs.forEach((channel) => {
      for (let i = 0; i < 100; i++) channel[i] = x(n + i);
    });
    instance.process(100);
    for (let i = 0; i < 100 && n + i < frames; i++) out[n + i] = instance.outputs[0]![i]!;
  }
  return out;
}

test('the sample rate is that of the compilation', () => {
  expect([...render((p) => p.sampleRate(), 2)]).toEqual([48_000, 48_000]);
});

describe('noise', () => {
  const y = render((p) => p.noise(3), 100_000);

  test('is uniform in [−1, 1] with no mean', () => {
    const mean = y.reduce((a, b) => a + b) / y.length;
    const power = y.reduce((a, b) => a + b * b) / y.length;
    expect(Math.max(...y)).toBeLessThanOrEqual(1);
    expect(Math.min(...y)).toBeGreaterThanOrEqual(-1);
    expect(Math.abs(mean)).toBeLessThan(0.006);
    expect(power).toBeCloseTo(1 / 3, 2);
  });

  test('is white: neighbours are not alike', () => {
    for (const lag of [1, 2, 7, 64]) {
      let sum = 0;
      for (let n = lag; n < y.length; n++) sum += y[n]! * y[n - lag]!;
      expect(Math.abs(sum / y.length)).toBeLessThan(0.006);
    }
  });

  test('is the same for the same seed and another for another', () => {
    expect(render((p) => p.noise(3), 1000)).toEqual(y.slice(0, 1000));
    expect(render((p) => p.noise(4), 1000)).not.toEqual(y.slice(0, 1000));
  });
});

describe('running mean', () => {
  test.each([1, 2, 3, 7, 64, 100, 1000])('over %i frames is the mean of the last ones', (size) => {
    const x = (n: number): number => Math.fround(Math.sin(n * n));
    const y = render((p) => p.runningMean(p.input(1), size), 2500, x);
    for (const n of [0, 1, size - 1, size, size + 1, 2400]) {
      let sum = 0;
      for (let k = Math.max(0, n - size + 1); k <= n; k++) sum += x(k);
      expect(y[n]).toBeCloseTo(sum / size, 6);
    }
  });

  test.each([1, 5, 64])('a running sum over %i frames is as many times the mean', (size) => {
    const x = (n: number): number => (n % 7) - 3;
    const y = render((p) => p.runningSum(p.input(1), size), 300, x);
    y.forEach((v, n) => {
      let sum = 0;
      for (let k = Math.max(0, n - size + 1); k <= n; k++) sum += x(k);
      expect(v).toBe(sum);
    });
  });

  test('does not drift: silence after a loud hour is silence', () => {
    const y = render(
      (p) => p.runningMean(p.input(1), 48),
      20_000,
      (n) => (n < 10_000 ? 1e6 : 0),
    );
    expect(y.slice(10_100).every((v) => v === 0)).toBe(true);
  });
});

describe('delays', () => {
  test.each([1, 2, 3, 4, 5, 99, 100, 101, 1000])('of %i frames is exact', (frames) => {
    const y = render(
      (p) => p.delay(p.input(1), frames),
      3000,
      (n) => n + 1,
    );
    y.forEach((v, n) => expect(v).toBe(n < frames ? 0 : n - frames + 1));
  });

  test('mem is a delay of one frame, in a recursion and of ints too', () => {
    const y = render(
      (p) => {
        const x = p.input(1);
        p.mem('sum' as Signal, 'past');
        const sum = p.op('add', [x, p.op('mul', ['past' as Signal, 0.5])], 'sum');
        return p.op('sub', [sum, p.mem(p.op('toInt', [x]))]);
      },
      200,
      (n) => (n === 0 ? 1 : 0),
    );
    y.forEach((v, n) => expect(v).toBeCloseTo(n === 0 ? 1 : n === 1 ? -0.5 : 0.5 ** n, 9));
  });

  test('align delays by the round trip of the device', () => {
    const y = render(
      (p) => p.align(p.input(1)),
      1000,
      (n) => n + 1,
      517,
    );
    y.forEach((v, n) => expect(v).toBe(n < 517 ? 0 : n - 517 + 1));
  });

  test('recursion through a delay is a comb', () => {
    const impulse = (n: number): number => (n === 0 ? 1 : 0);
    const y = render(
      (p) => {
        const x = p.input(1);
        return p.feedback(100, (past) => p.op('add', [x, p.op('mul', [past, 0.5])]));
      },
      1000,
      impulse,
    );
    y.forEach((v, n) => expect(v).toBe(n % 100 === 0 ? 0.5 ** (n / 100) : 0));
  });

  test('a decaying recursion ends in silence, not in denormals', () => {
    const y = render(
      (p) => {
        const x = p.input(1);
        return p.feedback(1, (past) => p.op('add', [x, p.op('mul', [past, 0.9])]));
      },
      3000,
      (n) => (n === 0 ? 1 : 0),
    );
    expect(y[2999]).toBe(0);
    expect(y.every((v) => v === 0 || Math.abs(v) > 1e-20)).toBe(true);
  });
});

test('an infinity that went through a recursion does not stay in it', () => {
  const y = render(
    (p) => {
      const x = p.input(1);
      const loop = p.feedback(1, (past) => p.op('add', [x, p.op('mul', [past, 0.9])]));
      return p.op('min', [1, loop]);
    },
    2000,
    (n) => (n < 10 ? 3e38 : 0),
  );
  expect(y[1999]).toBe(0);
});

test('a whole number that no int can hold is a real', () => {
  const y = render((p) => {
    const hundred = p.op('toInt', [p.op('add', [p.input(1), 100])]);
    const sum = p.op('add', [hundred, 4294967296]);
    return p.op('add', [sum, p.op('toReal', [p.op('lt', [hundred, 3_000_000_000])])]);
  }, 4);
  expect(y[3]).toBe(Math.fround(4294967296 + 100 + 1));
});

test('equal delays are one, also of controls and behind each other', () => {
  const y = render(
    (p) => {
      const once = p.delay(p.input(1), 1);
      const [a, b] = [p.delay(once, 3), p.delay(once, 3)];
      return p.op('sub', [a, b]);
    },
    100,
    (n) => n,
  );
  expect(y.every((v) => v === 0)).toBe(true);
});

test('ints count in ints and come back as reals', () => {
  const y = render(
    (p) => p.op('toReal', [p.feedback(1, (past) => p.op('and', [p.op('add', [past, 1]), 7]))]),
    20,
  );
  expect([...y]).toEqual(Array.from({ length: 20 }, (_, n) => (n + 1) & 7));
});
