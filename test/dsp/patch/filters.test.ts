/**
 * Contracts of the filters: their response against the analogue prototype at several sample rates,
 * gradients against differences, stability over the range, blocks of any size, silence.
 */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import { FILTERS } from '../../../dsp/patch/filters.ts';
import type { Instance } from '../../../dsp/run/instance.ts';
import { random } from '../../support/random-graph.ts';
import { compiledInstance } from '../../support/program.ts';

type Name = keyof typeof FILTERS;
const names = Object.keys(FILTERS) as Name[];
const BLOCK = 512;

/** The filter of input 1 with sliders for its other operands. */
function filterOf(name: Name, operands: readonly number[], sampleRate = 48000): Instance {
  const patch = buildPatch('t', (p) => {
    const range = { min: -1e9, max: 1e9 };
    const sliders = operands.map((initial, k) => p.slider(`s${k}`, { initial, ...range }));
    return { outputs: [p.fn(name, [p.input(1), ...sliders])] };
  });
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  const artifact = compile(patch.value, { sampleRate, maxBlock: BLOCK, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  return compiledInstance(artifact.value);
}

function run(
  instance: Instance,
  frames: number,
  x: (n: number) => number,
  blocks: readonly number[] = [BLOCK],
): Float64Array {
  const out = new Float64Array(frames);
  for (let n = 0, k = 0; n < frames; k++) {
    const count = Math.min(blocks[k % blocks.length]!, frames - n);
    for (let i = 0; i < count; i++) instance.inputs[0]![i] = x(n + i);
    instance.process(count);
    for (let i = 0; i < count; i++) out[n + i] = instance.outputs[0]![i]!;
    n += count;
  }
  return out;
}

const impulse = (n: number): number => (n === 0 ? 1 : 0);

/** |H| at a frequency in cycles per frame, from the impulse response. */
function magnitude(response: Float64Array, cycles: number): number {
  let [re, im] = [0, 0];
  response.forEach((h, n) => {
    const angle = 2 * Math.PI * fraction(cycles * n);
    re += h * Math.cos(angle);
    im -= h * Math.sin(angle);
  });
  return Math.hypot(re, im);
}
const fraction = (x: number): number => x - Math.floor(x);

/** |N(jw) / D(jw)| of polynomials s² + s + 1, given by their coefficients from s² down. */
type Quadratic = readonly [number, number, number];
const size = ([s2, s1, s0]: Quadratic, w: number): number => Math.hypot(s0 - s2 * w * w, s1 * w);

/** Numerator and denominator of the cookbook's analogue prototypes, the cutoff at w = 1. */
const PROTOTYPES: Readonly<
  Record<string, (q: number, a: number) => readonly [Quadratic, Quadratic]>
> = {
  lowpass: (q) => [
    [0, 0, 1],
    [1, 1 / q, 1],
  ],
  highpass: (q) => [
    [1, 0, 0],
    [1, 1 / q, 1],
  ],
  bandpass: (q) => [
    [0, 1 / q, 0],
    [1, 1 / q, 1],
  ],
  notch: (q) => [
    [1, 0, 1],
    [1, 1 / q, 1],
  ],
  peaking: (q, a) => [
    [1, a / q, 1],
    [1, 1 / (a * q), 1],
  ],
  lowShelf: (q, a) => [
    [a, (a * Math.sqrt(a)) / q, a * a],
    [a, Math.sqrt(a) / q, 1],
  ],
  highShelf: (q, a) => [
    [a * a, (a * Math.sqrt(a)) / q, a],
    [1, Math.sqrt(a) / q, a],
  ],
};
const SHAPES = Object.keys(PROTOTYPES);
const svfName = (shape: string): Name => `svf${shape[0]!.toUpperCase()}${shape.slice(1)}` as Name;
const takesGain = (name: Name): boolean => FILTERS[name].arity === 4;

/** The response that the bilinear transform makes of a prototype; Nyquist is s = ∞. */
function exact(shape: string, cutoff: number, q: number, gainDb: number, f: number): number {
  const [n, d] = PROTOTYPES[shape]!(q, 10 ** (gainDb / 40));
  if (f === 0.5) return Math.abs(n[0] / d[0]);
  const w = Math.tan(Math.PI * f) / Math.tan(Math.PI * cutoff);
  return size(n, w) / size(d, w);
}

describe.each([...SHAPES, ...SHAPES.map(svfName)] as Name[])('%s', (name) => {
  const shape = SHAPES.find((s) => s === name || svfName(s) === name)!;
  // Biquads lose precision where the cutoff is low; state-variable filters do not.
  const [cutoffs, rounding] =
    name === shape ? [[100, 1000, 12_000, 20_000], 4e-8] : [[10, 50, 1000, 12_000, 20_000], 0];

  test('has the response of its prototype at DC, cutoff, Nyquist and between', () => {
    for (const sampleRate of [44_100, 48_000, 96_000]) {
      for (const cutoff of cutoffs) {
        for (const [q, gainDb] of [
          [Math.SQRT1_2, 6],
          [4, -12],
        ] as const) {
          const operands = [cutoff, q, ...(takesGain(name) ? [gainDb] : [])];
          const frames = Math.min(2 ** 18, 2 ** 13 + Math.round((sampleRate / cutoff) * q * 12));
          const h = run(filterOf(name, operands, sampleRate), frames, impulse);
          const f0 = cutoff / sampleRate;
          for (const f of [0, f0 / 2, f0, Math.min(0.45, 2 * f0), 0.3, 0.5]) {
            const wanted = exact(shape, f0, q, gainDb, f);
            const off = Math.abs(magnitude(h, f) - wanted) / Math.max(wanted, 0.2);
            const what = `${cutoff} Hz, q ${q}, at ${f * sampleRate} of ${sampleRate} Hz`;
            expect(off, what).toBeLessThan(3e-3 + rounding / f0 ** 2);
          }
        }
      }
    }
  });

  test('is held to 10 Hz, to 0.49 of the sample rate and to q ≥ 0.01', () => {
    const x = noise(5);
    const same = (a: readonly number[], b: readonly number[]): void => {
      const gain = takesGain(name) ? [3] : [];
      const [u, v] = [a, b].map((o) => run(filterOf(name, [...o, ...gain]), 300, x));
      expect(u).toEqual(v);
    };
    same([-100, 1], [10, 1]);
    same([30_000, 1], [0.49 * 48_000, 1]);
    same([1000, -1], [1000, 0.01]);
  });

  test('stays finite and bounded over its range', () => {
    for (const cutoff of [0, 10, 1000, 23_520, 1e6]) {
      for (const q of [0, 0.01, 0.7, 30]) {
        const operands = [cutoff, q, ...(takesGain(name) ? [24] : [])];
        const y = run(filterOf(name, operands), 20_000, noise(7));
        const loudest = y.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
        expect(loudest, `cutoff ${cutoff}, q ${q}`).toBeLessThan(1000);
      }
    }
  });

  test('follows a cutoff that is moved while it plays', () => {
    const instance = filterOf(name, [100, 2, ...(takesGain(name) ? [6] : [])]);
    const x = noise(9);
    for (let k = 0; k < 200; k++) {
      instance.sliders[0] = k % 2 === 0 ? 100 : 15_000;
      const y = run(instance, 64, (n) => x(n + 64 * k));
      expect(y.every((v) => Math.abs(v) < 100)).toBe(true);
    }
  });
});

const noise = (seed: number): ((n: number) => number) => {
  const next = random(seed);
  const values = Array.from({ length: 4096 }, () => Math.fround(next() - 0.5));
  return (n) => values[n % values.length]!;
};

/** Operands besides x, within their ranges. */
const OPERANDS: { readonly [K in Name]?: readonly number[] } = {
  onePole: [0.9],
  dcBlocker: [0.95],
  smooth: [0.002],
  envelope: [0.001, 0.01],
  biquad: [0.3, 0.2, -0.1, -1.2, 0.5],
};
const operandsOf = (name: Name): readonly number[] =>
  OPERANDS[name] ?? [1200, 1.5, ...(takesGain(name) ? [5] : [])];

describe.each(names)('%s', (name) => {
  const operands = operandsOf(name);

  test('does not depend on the block size', () => {
    const [whole, ragged, single] = [[BLOCK], [1, 7, 64, 3, 128], [1]].map((blocks) =>
      run(filterOf(name, operands), 1500, noise(1), blocks),
    );
    expect(ragged).toEqual(whole);
    expect(single).toEqual(whole);
  });

  test('is the same again after a reset, and silent for silence', () => {
    const instance = filterOf(name, operands);
    expect(run(instance, 1000, () => 0).every((v) => v === 0)).toBe(true);
    const first = run(instance, 1000, noise(2));
    instance.reset();
    expect(run(instance, 1000, noise(2))).toEqual(first);
  });

  test('ends in silence after a sound, not in denormals', () => {
    const y = run(filterOf(name, operands), 40_000, (n) => (n < 100 ? 1 : 0));
    expect(y.at(-1)).toBe(0);
  });

  test('forgets an infinity', () => {
    const instance = filterOf(name, operands);
    const y = run(instance, 40_000, (n) => (n === 10 ? Infinity : 0));
    expect(y.at(-1)).toBe(0);
  });

  test('has the gradient that differences measure', () => {
    const patch = buildPatch('t', (p) => {
      const params = operands.map((initial, k) =>
        p.param(`p${k}`, { initial, min: initial - Math.abs(initial), max: 2 * Math.abs(initial) }),
      );
      const x = p.input(1, 'x');
      const gain = p.param('gain', { initial: 0.8, min: 0, max: 2 });
      const estimate = p.fn(name, [p.op('mul', [x, gain]), ...params], 'y');
      const training = {
        loss: 'mse',
        window: 64,
        mode: 'auto',
        optimiser: { kind: 'sgd' },
        schedule: { kind: 'constant', rate: 0 },
      } as const;
      return { training: { ...training, estimate, target: p.delay(x, 2) } };
    });
    if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
    const report = gradcheck(patch.value, { sampleRate: 48000, seed: 3 });
    if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
    for (const { mode, maxRelativeError, compiledRelativeError } of report.value.modes) {
      expect(maxRelativeError, mode).toBeLessThan(1e-4);
      expect(compiledRelativeError, mode).toBeLessThan(1e-2);
    }
  });
});

test('a one-pole has the response that is said of it', () => {
  const h = run(filterOf('onePole', [0.9]), 4096, impulse);
  for (const f of [0, 0.01, 0.1, 0.25, 0.5]) {
    const size = Math.hypot(1 - 0.9 * Math.cos(2 * Math.PI * f), 0.9 * Math.sin(2 * Math.PI * f));
    expect(magnitude(h, f)).toBeCloseTo(0.1 / size, 5);
  }
});

test('a DC blocker blocks DC and passes Nyquist', () => {
  const h = run(filterOf('dcBlocker', [0.95]), 4096, impulse);
  expect(magnitude(h, 0)).toBeCloseTo(0, 5);
  expect(magnitude(h, 0.5)).toBeCloseTo(2 / 1.95, 5);
});

test('a biquad computes its difference equation', () => {
  const [b0, b1, b2, a1, a2] = [0.3, 0.2, -0.1, -1.2, 0.5];
  const x = noise(4);
  const y = run(filterOf('biquad', [b0, b1, b2, a1, a2]), 500, x);
  const at = (n: number): number => (n < 0 ? 0 : x(n));
  const slow: number[] = [];
  for (let n = 0; n < 500; n++) {
    const past = (k: number): number => slow[n - k] ?? 0;
    slow.push(b0 * at(n) + b1 * at(n - 1) + b2 * at(n - 2) - a1 * past(1) - a2 * past(2));
    expect(y[n]).toBeCloseTo(slow[n]!, 5);
  }
});

describe('time constants', () => {
  test.each([1e-4, 0.01, 1, 10])('smooth goes 63 %% of the way in %f s', (seconds) => {
    for (const sampleRate of [44_100, 96_000]) {
      const frames = Math.round(seconds * sampleRate);
      const y = run(filterOf('smooth', [seconds], sampleRate), frames, () => 1);
      expect(y.at(-1)).toBeCloseTo(1 - Math.exp(-frames / (seconds * sampleRate)), 3);
    }
  });

  test('no time at all is at once', () => {
    for (const seconds of [0, -1]) {
      expect([...run(filterOf('smooth', [seconds]), 3, (n) => n + 1)]).toEqual([1, 2, 3]);
    }
  });

  test('an envelope rises in its attack and falls in its release, whatever the sign', () => {
    const [attack, release] = [0.005, 0.05];
    const up = Math.round(attack * 48_000);
    const down = Math.round(release * 48_000);
    const long = 20 * up;
    const y = run(filterOf('envelope', [attack, release]), long + down, (n) =>
      n < long ? (n % 2 === 0 ? 1 : -1) : 0,
    );
    expect(y[up - 1]).toBeCloseTo(1 - Math.exp(-1), 3);
    expect(y[long - 1]).toBeCloseTo(1, 3);
    expect(y[long + down - 1]).toBeCloseTo(Math.exp(-1), 3);
  });
});
