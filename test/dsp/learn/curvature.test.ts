/**
 * Optimisers that know more than the gradient against plain double-precision versions of the
 * textbook: NLMS, affine projection, recursive least squares, Gauss-Newton; as interpreted, and as
 * generated code in single precision. Then what they promise: silence, frozen bits, ranges,
 * determinism.
 */

import { describe, expect, test } from 'vitest';
import { compile, programOf } from '../../../dsp/compile.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';

const BLOCK = 64;
const OPTIONS = { sampleRate: 16000, maxBlock: BLOCK, latency: 0 };

type Json = Record<string, unknown>;

/** y = w · (the last samples of input 1), the newest last; the target is input 2. */
function fir(taps: number, optimiser: Json, training: Json = {}, param: Json = {}): Json {
  return {
    format: 'livegrad.patch/1',
    name: 'fir',
    params: { w: { size: taps, initial: 0, min: -4, max: 4, ...param } },
    nodes: {
      x: { op: 'input', channel: 1 },
      target: { op: 'input', channel: 2 },
      past: { op: 'frames', in: ['x'], size: taps, hop: 1 },
      estimate: { op: 'dot', in: ['w', 'past'] },
    },
    outputs: ['estimate'],
    training: {
      estimate: 'estimate',
      target: 'target',
      loss: 'mse',
      window: 1,
      optimiser,
      schedule: { kind: 'constant', rate: 0.5 },
      // The optimisers by themselves: nobody steps in.
      guards: { leap: false, rising: false, silence: false },
      ...training,
    },
  };
}

function parsed(json: Json): Patch {
  const patch = parsePatch(json);
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  return patch.value;
}

function instanceOf(json: Json, isInterpreted = false): Instance {
  const patch = parsed(json);
  const artifact = compile(patch, OPTIONS);
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  const program = programOf(patch, OPTIONS);
  if (!program.ok) throw new Error('a program that compiles has a program');
  const code = isInterpreted
    ? interpreterKernel(program.value, BLOCK)
    : new WebAssembly.Module(artifact.value.wasm);
  const instance = new Instance(artifact.value, code);
  instance.setSchedule(patch.training!.schedule);
  instance.learning = true;
  return instance;
}

/** Feeds whole signals; returns output 1. */
function run(instance: Instance, ...signals: readonly ArrayLike<number>[]): Float64Array {
  const [{ length }] = signals as [ArrayLike<number>];
  const out = new Float64Array(length);
  for (let n = 0; n < length; n += BLOCK) {
    const frames = Math.min(BLOCK, length - n);
    signals.forEach((signal, channel) => {
      for (let k = 0; k < frames; k++) instance.inputs[channel]![k] = signal[n + k]!;
    });
    instance.process(frames);
    for (let k = 0; k < frames; k++) out[n + k] = instance.outputs[0]![k]!;
  }
  return out;
}

/** Uniform in ±1, rounded to single precision. */
function noise(length: number, seed: number, level = 1): Float64Array {
  let state = seed >>> 0;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround(level * (state / 2 ** 31 - 1));
  });
}

/** As coloured as speech: a pole at 0.9. */
function coloured(length: number, seed: number): Float64Array {
  let y = 0;
  return noise(length, seed, 0.3).map((x) => (y = Math.fround(0.9 * y + x)));
}

const filtered = (x: ArrayLike<number>, h: readonly number[]): Float64Array =>
  Float64Array.from(x, (_, n) =>
    Math.fround(h.reduce((sum, c, k) => sum + c * (x[n - k] ?? 0), 0)),
  );

/** The newest sample last, as the frames of the patch. */
const rowAt = (x: ArrayLike<number>, n: number, taps: number): number[] =>
  Array.from({ length: taps }, (_, k) => x[n - taps + 1 + k] ?? 0);

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
};

/** Gauss with pivots: A·x = b, A by rows. */
function gauss(a: readonly (readonly number[])[], b: readonly number[]): number[] {
  const n = b.length;
  const m = a.map((row, i) => [...row, b[i]!]);
  for (let i = 0; i < n; i++) {
    let best = i;
    for (let r = i + 1; r < n; r++) if (Math.abs(m[r]![i]!) > Math.abs(m[best]![i]!)) best = r;
    [m[i], m[best]] = [m[best]!, m[i]!];
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const f = m[r]![i]! / m[i]![i]!;
      for (let c = i; c <= n; c++) m[r]![c]! -= f * m[i]![c]!;
    }
  }
  return m.map((row, i) => row[n]! / row[i]!);
}

const HIDDEN = [0.8, -0.4, 0.3, 0.1, -0.2, 0.05];
const TAPS = HIDDEN.length;
const MEMORY = 2 ** 18;
const SILENCE = 1e-12;

/** Running power, as the optimisers have it. */
function powers(): (power: number, window: number) => number {
  let running = SILENCE;
  return (power, window) =>
    (running = Math.max(power, running * Math.exp(-window / MEMORY), SILENCE));
}

type Oracle = (x: Float64Array, d: Float64Array) => number[];

const nlmsOracle =
  (rate: number, regularisation: number, window: number): Oracle =>
  (x, d) => {
    const w = new Array<number>(TAPS).fill(0);
    const running = powers();
    for (let n = 0; n + window <= x.length; n += window) {
      const push = new Array<number>(TAPS).fill(0);
      let power = 0;
      for (let i = n; i < n + window; i++) {
        const u = rowAt(x, i, TAPS);
        const e = dot(w, u) - d[i]!;
        power += dot(u, u);
        u.forEach((one, k) => (push[k]! += e * one));
      }
      const size = power + regularisation * running(power, window);
      push.forEach((one, k) => (w[k]! -= (rate * one) / size));
    }
    return w;
  };

const apaOracle =
  (rate: number, regularisation: number, order: number): Oracle =>
  (x, d) => {
    const w = new Array<number>(TAPS).fill(0);
    const running = powers();
    for (let n = 0; n < x.length; n++) {
      const rows = Array.from({ length: order }, (_, k) => rowAt(x, n - k, TAPS));
      const errors = rows.map((u, k) => (n - k < 0 ? 0 : dot(w, u) - d[n - k]!));
      const ridge = regularisation * running(dot(rows[0]!, rows[0]!), 1);
      const gram = rows.map((u, i) => rows.map((v, j) => dot(u, v) + (i === j ? ridge : 0)));
      const s = gauss(gram, errors);
      for (let k = 0; k < TAPS; k++)
        w[k]! -= rate * rows.reduce((sum, u, i) => sum + s[i]! * u[k]!, 0);
    }
    return w;
  };

/** The minimum of Σ λ^(N−n)·(d − w·u)², from all samples in one go. */
const leastSquares =
  (forgetting: number): Oracle =>
  (x, d) => {
    const a = Array.from({ length: TAPS }, () => new Array<number>(TAPS).fill(0));
    const b = new Array<number>(TAPS).fill(0);
    for (let n = 0; n < x.length; n++) {
      const u = rowAt(x, n, TAPS);
      const weight = forgetting ** (x.length - 1 - n);
      u.forEach((one, i) => {
        b[i]! += weight * one * d[n]!;
        u.forEach((other, j) => (a[i]![j]! += weight * one * other));
      });
    }
    return gauss(a, b);
  };

const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let most = 0;
  for (let k = 0; k < a.length; k++) most = Math.max(most, Math.abs(a[k]! - b[k]!));
  return most;
};

/** A signal, what a hidden filter makes of it, and something else that is heard. */
function heard(length: number): readonly [Float64Array, Float64Array] {
  const x = coloured(length, 1);
  const other = noise(length, 2, 0.05);
  return [x, filtered(x, HIDDEN).map((y, n) => Math.fround(y + other[n]!))];
}

describe('against the textbook', () => {
  const rows: readonly (readonly [string, Json, Json, Oracle, number])[] = [
    [
      'NLMS, a step per sample',
      { kind: 'nlms', regularisation: 1e-2 },
      {},
      nlmsOracle(0.5, 1e-2, 1),
      1e-6,
    ],
    [
      'NLMS, a step per eight samples',
      { kind: 'nlms', regularisation: 1e-2 },
      { window: 8 },
      nlmsOracle(0.5, 1e-2, 8),
      1e-6,
    ],
    ['affine projection of order 1', { kind: 'apa', order: 1 }, {}, apaOracle(0.5, 1e-3, 1), 1e-6],
    ['affine projection of order 4', { kind: 'apa', order: 4 }, {}, apaOracle(0.5, 1e-3, 4), 1e-4],
    [
      'RLS, a step per sample',
      { kind: 'rls', forgetting: 0.99, regularisation: 1e-9, gate: 0 },
      { schedule: { kind: 'constant', rate: 1 } },
      leastSquares(0.99),
      1e-4,
    ],
    [
      'RLS, a step per sixteen samples',
      { kind: 'rls', forgetting: 0.99, regularisation: 1e-9, gate: 0 },
      { window: 16, schedule: { kind: 'constant', rate: 1 } },
      // All samples of a window have one weight.
      (x, d) => {
        const a = Array.from({ length: TAPS }, () => new Array<number>(TAPS).fill(0));
        const b = new Array<number>(TAPS).fill(0);
        for (let n = 0; n < x.length; n++) {
          const u = rowAt(x, n, TAPS);
          const weight = 0.99 ** (16 * (Math.floor((x.length - 1) / 16) - Math.floor(n / 16)));
          u.forEach((one, i) => {
            b[i]! += weight * one * d[n]!;
            u.forEach((other, j) => (a[i]![j]! += weight * one * other));
          });
        }
        return gauss(a, b);
      },
      1e-4,
    ],
    [
      'Gauss-Newton over one window',
      { kind: 'gaussNewton', damping: 1e-12 },
      { window: 512, schedule: { kind: 'constant', rate: 1 } },
      leastSquares(1),
      1e-5,
    ],
  ];

  test.each(rows)('%s', (_, optimiser, training, oracle, tolerance) => {
    const [x, d] = heard(512);
    const wanted = oracle(x, d);
    const exact = instanceOf(fir(TAPS, optimiser, training), true);
    run(exact, x, d);
    // The regularisation of RLS is not the textbook's, which forgets what it started with.
    const isRls = optimiser['kind'] === 'rls';
    expect(largest(exact.params, wanted)).toBeLessThan(isRls ? 1e-5 : 1e-9);
    const generated = instanceOf(fir(TAPS, optimiser, training));
    run(generated, x, d);
    expect(largest(generated.params, wanted)).toBeLessThan(tolerance);
    const precise = instanceOf({ ...fir(TAPS, optimiser, training), precision: 'double' });
    run(precise, x, d);
    expect(largest(precise.params, exact.params)).toBeLessThan(1e-9);
  });
});

const KINDS: readonly (readonly [string, Json, number])[] = [
  ['nlms', { kind: 'nlms' }, 1],
  ['nlms over 16 samples', { kind: 'nlms' }, 16],
  ['apa', { kind: 'apa' }, 1],
  ['rls', { kind: 'rls' }, 1],
  ['rls over 16 samples', { kind: 'rls' }, 16],
  ['gaussNewton', { kind: 'gaussNewton' }, 64],
];

/** 20·log10 of the distance to the hidden filter, over its size. */
const misalignment = (w: ArrayLike<number>): number => {
  const hidden = HIDDEN.toReversed();
  const apart = Array.from(w, (v, k) => v - hidden[k]!);
  return 10 * Math.log10(dot(apart, apart) / dot(hidden, hidden));
};

describe('convergence', () => {
  const after = (optimiser: Json, rate: number, samples: number, level = 1): number => {
    const x = coloured(samples, 5).map((v) => Math.fround(v * level));
    const instance = instanceOf(fir(TAPS, optimiser, { schedule: { kind: 'constant', rate } }));
    run(instance, x, filtered(x, HIDDEN));
    return misalignment(instance.params);
  };

  test('of what knows more is faster where the signal is coloured', () => {
    const nlms = after({ kind: 'nlms' }, 1, 256);
    const apa = after({ kind: 'apa', order: 4 }, 1, 256);
    const rls = after({ kind: 'rls' }, 1, 256);
    expect(nlms).toBeLessThan(-10);
    expect(apa).toBeLessThan(nlms - 10);
    expect(rls).toBeLessThan(-60);
  });

  test('does not depend on the level', () => {
    for (const kind of ['nlms', 'apa', 'rls']) {
      const [loud, quiet] = [1, 1e-3].map((level) => Math.max(-50, after({ kind }, 1, 512, level)));
      expect(Math.abs(loud! - quiet!)).toBeLessThan(1);
    }
  });
});

test('Gauss-Newton that keeps windows goes all the way at once, and no further', () => {
  for (const keep of [0, 0.9, 0.99]) {
    const training = { window: 64, schedule: { kind: 'constant', rate: 1 } };
    const instance = instanceOf(fir(TAPS, { kind: 'gaussNewton', keep }, training));
    const x = noise(3 * 64, 5);
    run(instance, x, filtered(x, HIDDEN));
    expect(misalignment(instance.params), `keep ${keep}`).toBeLessThan(-40);
  }
});

describe.each(KINDS)('%s', (_, optimiser, window) => {
  const json = fir(TAPS, optimiser, { window, schedule: { kind: 'constant', rate: 1 } });

  test('moves nothing in silence, whatever the target does', () => {
    for (const level of [0, 1]) {
      const instance = instanceOf(json);
      const start = Array.from({ length: TAPS }, (_tap, k) => 0.1 * k - 0.3);
      instance.resume(start, 0);
      run(instance, new Float64Array(4096), noise(4096, 3, level));
      expect([...instance.params]).toEqual(start);
      expect(instance.fault).toBe(0);
    }
  });

  test('knows after a long pause what it knew before', () => {
    // Half a minute of nothing from the far end, and then somebody at the near one.
    const [spoken, pause, tail] = [8192, 480_000, 128];
    const x = new Float64Array(spoken + pause);
    x.set(coloured(spoken, 1));
    const d = filtered(x, HIDDEN);
    d.set(noise(pause - tail, 9, 0.1), spoken + tail);
    const instance = instanceOf(json);
    run(instance, x.subarray(0, spoken + tail), d.subarray(0, spoken + tail));
    const learned = [...instance.params];
    expect(misalignment(learned)).toBeLessThan(-35);
    run(instance, x.subarray(spoken + tail), d.subarray(spoken + tail));
    expect([...instance.params]).toEqual(learned);
    run(instance, x.subarray(0, spoken), d.subarray(0, spoken));
    expect(misalignment(instance.params)).toBeLessThan(-35);
  });

  test('keeps frozen bits and learns the rest', () => {
    const [x, d] = heard(4096);
    const instance = instanceOf(json);
    const start = Array.from({ length: TAPS }, (_tap, k) => 0.1 + 1e-17 * k);
    instance.resume(start, 0);
    instance.frozen[1] = 1;
    instance.frozen[4] = 1;
    run(instance, x, d);
    expect(instance.params[1]).toBe(start[1]);
    expect(instance.params[4]).toBe(start[4]);
    expect(instance.params[0]).not.toBe(start[0]);
  });

  test('never leaves a range', () => {
    const narrow = fir(
      TAPS,
      optimiser,
      { window, schedule: { kind: 'constant', rate: 1 } },
      {
        min: -0.25,
        max: 0.25,
      },
    );
    const instance = instanceOf(narrow);
    const x = coloured(2048, 1);
    run(instance, x, filtered(x, HIDDEN));
    for (const p of instance.params) expect(Math.abs(p)).toBeLessThanOrEqual(0.25);
    expect(Math.max(...instance.params)).toBeGreaterThan(0.2);
  });

  test('learns the same twice, to the bit', () => {
    const [x, d] = heard(2048);
    const [first, second] = [0, 1].map(() => {
      const instance = instanceOf(json);
      run(instance, x, d);
      return [...instance.params];
    });
    expect(second).toEqual(first);
  });

  test('survives a step of 60 dB up and down', () => {
    const instance = instanceOf(json);
    const x = coloured(4096, 1).map((v, n) => Math.fround(n > 1365 && n < 2730 ? v : v * 1e-3));
    run(instance, x, filtered(x, HIDDEN));
    expect(instance.fault).toBe(0);
    expect(instance.params.every(Number.isFinite)).toBe(true);
    expect(misalignment(instance.params)).toBeLessThan(-25);
  });
});

describe('Gauss-Newton', () => {
  const nonlinear = (training: Json, nodes: Json, params: Json): Json => ({
    ...fir(1, { kind: 'gaussNewton', damping: 1e-6 }, training),
    params,
    nodes: { x: { op: 'input', channel: 1 }, target: { op: 'input', channel: 2 }, ...nodes },
  });

  test('finds a drive and a level in a few windows', () => {
    const json = nonlinear(
      { window: 256, schedule: { kind: 'constant', rate: 1 } },
      {
        driven: { op: 'mul', in: ['x', 'drive'] },
        bent: { op: 'tanh', in: ['driven'] },
        estimate: { op: 'mul', in: ['bent', 'level'] },
      },
      {
        drive: { initial: 1, min: 0.1, max: 20 },
        level: { initial: 0.3, min: 0, max: 4 },
      },
    );
    const x = noise(256 * 12, 4);
    const instance = instanceOf(json);
    run(
      instance,
      x,
      x.map((v) => Math.fround(0.7 * Math.tanh(3 * v))),
    );
    expect(instance.params[0]).toBeCloseTo(3, 4);
    expect(instance.params[1]).toBeCloseTo(0.7, 5);
  });

  test('goes forward through recursion', () => {
    const json = nonlinear(
      { window: 256, schedule: { kind: 'constant', rate: 1 } },
      {
        past: { op: 'mem', in: ['estimate'] },
        fed: { op: 'mul', in: ['past', 'feedback'] },
        scaled: { op: 'mul', in: ['x', 'gain'] },
        estimate: { op: 'add', in: ['scaled', 'fed'] },
      },
      {
        feedback: { initial: 0, min: -0.99, max: 0.99 },
        gain: { initial: 1, min: -4, max: 4 },
      },
    );
    const x = noise(256 * 12, 4);
    let y = 0;
    const d = x.map((v) => Math.fround((y = 0.5 * v + 0.8 * y)));
    const instance = instanceOf(json);
    expect(instance.artifact.mode).toBe('forward');
    run(instance, x, d);
    expect(instance.params[0]).toBeCloseTo(0.8, 4);
    expect(instance.params[1]).toBeCloseTo(0.5, 4);
  });

  test('weighs the terms of a loss', () => {
    const json = {
      ...nonlinear(
        { window: 128, schedule: { kind: 'constant', rate: 1 } },
        {
          estimate: { op: 'mul', in: ['x', 'gain'] },
          half: { op: 'mul', in: ['x', 0.5] },
          whole: { op: 'mul', in: ['x', 1] },
        },
        { gain: { initial: 0, min: -4, max: 4 } },
      ),
    };
    const { training } = json as { training: Json };
    for (const field of ['estimate', 'target', 'loss']) delete training[field];
    training['terms'] = [
      { estimate: 'estimate', target: 'half', loss: 'mse', weight: 3 },
      { estimate: 'estimate', target: 'whole', loss: 'mse' },
    ];
    const instance = instanceOf(json);
    run(instance, noise(128, 6), new Float64Array(128));
    expect(instance.params[0]).toBeCloseTo(0.625, 5);
  });

  test('finds the best that a range allows, the others with it', () => {
    const [x, d] = heard(512);
    const json = fir(
      TAPS,
      { kind: 'gaussNewton', damping: 1e-9 },
      {
        window: 512,
        schedule: { kind: 'constant', rate: 1 },
      },
      { min: -0.5, max: 0.5 },
    );
    const instance = instanceOf(json);
    for (let k = 0; k < 4; k++) run(instance, x, d);
    expect(instance.params[TAPS - 1]).toBe(0.5);
    // With the tap at the end of its range taken as given, no other can do better.
    const rest = d.map((v, n) => v - 0.5 * x[n]!);
    const a = Array.from({ length: TAPS - 1 }, () => new Array<number>(TAPS - 1).fill(0));
    const b = new Array<number>(TAPS - 1).fill(0);
    for (let n = TAPS; n < 512; n++) {
      const u = rowAt(x, n, TAPS);
      for (let i = 0; i < TAPS - 1; i++) {
        b[i]! += u[i]! * rest[n]!;
        for (let j = 0; j < TAPS - 1; j++) a[i]![j]! += u[i]! * u[j]!;
      }
    }
    expect(largest(instance.params.slice(0, TAPS - 1), gauss(a, b))).toBeLessThan(0.02);
  });
});

describe('a patch that an optimiser cannot work with is told why', () => {
  const told = (json: Json): string[] => {
    const artifact = compile(parsed(json), OPTIONS);
    return artifact.ok ? [] : artifact.diagnostics.map(({ code, path }) => `${code} ${path}`);
  };
  const recursive = (mode: string): Json => ({
    ...fir(1, { kind: 'nlms' }, { mode }),
    params: { a: { initial: 0, min: -0.9, max: 0.9 } },
    nodes: {
      x: { op: 'input', channel: 1 },
      target: { op: 'input', channel: 2 },
      past: { op: 'mem', in: ['estimate'] },
      fed: { op: 'mul', in: ['past', 'a'] },
      estimate: { op: 'add', in: ['x', 'fed'] },
    },
  });

  test.each([
    ['another loss', fir(4, { kind: 'nlms' }, { loss: 'mae' }), 'PATCH_OPTIMISER training.loss'],
    ['a window of APA', fir(4, { kind: 'apa' }, { window: 8 }), 'PATCH_OPTIMISER training.window'],
    ['too many', fir(300, { kind: 'rls' }), 'PATCH_OPTIMISER training.optimiser'],
    ['memory in reverse mode', recursive('reverse'), 'PATCH_OPTIMISER training.mode'],
  ])('%s', (_, json, message) => {
    expect(told(json)).toEqual([message]);
  });

  test('memory goes forward by itself', () => {
    expect(told(recursive('auto'))).toEqual([]);
  });
});
