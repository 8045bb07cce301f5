/**
 * Optimisers: PyTorch's paths in interpreted and in generated code, and what holds for all of them:
 * ranges, freezes, extreme gradients, the scale in which a parameter learns, groups, restarts.
 */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Control } from '../../../dsp/control.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import { OPTIMISER_KINDS, optimiserSchema, rowOf } from '../../../dsp/learn/optimisers/table.ts';
import type { OptimiserChoice } from '../../../dsp/learn/optimisers/table.ts';
import { updateGraph } from '../../../dsp/learn/optimisers/update.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';
import type { Kernel } from '../../../dsp/run/kernel.ts';
import { wasmKernel } from '../../../dsp/run/wasm-kernel.ts';
import { assembled, plainProgram } from '../../support/program.ts';

/** Those that know nothing but the gradient; the others are in curvature.test.ts. */
const BY_GRADIENT = OPTIMISER_KINDS.filter((kind) => rowOf(kind).measures === undefined);

type Spec = Partial<Omit<Control, 'id'>>;
type Gradient = (p: readonly number[], step: number) => readonly number[];

const WIDE: Spec = { min: -1e6, max: 1e6 };
const KERNELS = ['interpreted', 'generated'] as const;
type KernelKind = (typeof KERNELS)[number];

const chosen = (choice: object): OptimiserChoice => optimiserSchema.parse(choice);

/** Only the optimiser of a program. */
function kernelOf(choice: object, specs: readonly Spec[], kind: KernelKind = 'generated'): Kernel {
  const params = specs.map((spec, k): Control => {
    return { id: `c${k}`, initial: 0, min: -1, max: 1, ...spec };
  });
  const empty = new Builder('stream').finish([]);
  const plain = plainProgram(empty, { inputs: 0, sliders: 0, params: params.length });
  const update = optimise(updateGraph(chosen(choice), params));
  const program = { ...plain, params, update, window: 4 };
  if (kind === 'interpreted') return interpreterKernel(program, 4);
  const artifact = assembled(program, 4);
  return wasmKernel(artifact, new WebAssembly.Module(artifact.wasm));
}

function walk(
  kernel: Kernel,
  start: readonly number[],
  rate: number,
  steps: number,
  gradient: Gradient,
): number[][] {
  kernel.params.set(start);
  kernel.learningRate[0] = rate;
  return Array.from({ length: steps }, (_, n) => {
    kernel.gradients.set(gradient([...kernel.params], n));
    kernel.update();
    return [...kernel.params];
  });
}

const rosenbrock: Gradient = ([x = 0, y = 0]) => [
  -2 * (1 - x) - 400 * x * (y - x * x),
  200 * (y - x * x),
];
const START = [-1.2, 1];

/** Relative, of the largest. */
function apart(a: readonly number[], b: readonly number[]): number {
  const size = Math.max(...b.map(Math.abs));
  return Math.max(...a.map((x, k) => Math.abs(x - b[k]!))) / size;
}

const golden: {
  readonly optimisers: readonly {
    readonly torch: string;
    readonly rate: number;
    readonly optimiser: { readonly kind: string };
    readonly steps: Readonly<Record<string, readonly number[]>>;
  }[];
} = JSON.parse(
  readFileSync(new URL('../../golden/torch-optimisers.json', import.meta.url), 'utf8'),
) as never;

describe.each(KERNELS)('%s', (kind) => {
  test.each(golden.optimisers)('$torch', ({ rate, optimiser, steps }) => {
    const path = walk(kernelOf(optimiser, [WIDE, WIDE], kind), START, rate, 50, rosenbrock);
    for (const [step, expected] of Object.entries(steps)) {
      expect(apart(path[Number(step) - 1]!, expected), `step ${step}`).toBeLessThan(1e-9);
    }
  });

  test('Lion is the one of its paper', () => {
    const [beta1, beta2, decay, rate] = [0.9, 0.99, 0.1, 1e-3];
    const kernel = kernelOf({ kind: 'lion', weightDecay: decay }, [WIDE, WIDE], kind);
    let [p, m] = [START, [0, 0]];
    const path = walk(kernel, START, rate, 50, rosenbrock);
    for (const step of path) {
      const g = rosenbrock(p, 0);
      p = p.map((x, k) => {
        const c = beta1 * m[k]! + (1 - beta1) * g[k]!;
        return x - rate * (Math.sign(c) + decay * x);
      });
      m = m.map((x, k) => beta2 * x + (1 - beta2) * g[k]!);
      expect(apart(step, p)).toBeLessThan(1e-12);
    }
  });
});

/** All rows, and what their options turn on. */
const ALL = [
  ...BY_GRADIENT.map((kind) => ({ kind })),
  { kind: 'sgd', momentum: 0.9, dampening: 0.3 },
  { kind: 'sgd', momentum: 0.9, nesterov: true },
  { kind: 'adam', amsgrad: true },
  { kind: 'rmsprop', centred: true, momentum: 0.5 },
  { kind: 'adagrad', rateDecay: 0.1, initial: 0.5 },
  { kind: 'adam', clip: { value: 0.3, norm: 0.5 }, weightDecay: 0.01 },
].map((choice) => ({ name: JSON.stringify(choice), choice }));

const wave: Gradient = (p, n) => p.map((_, k) => Math.sin(n + 2 * k) / (1 + k));

describe.each(ALL)('$name', ({ choice }) => {
  test('generated code is the interpreted one, for any number of parameters', () => {
    for (const lanes of [1, 2, 7]) {
      const specs = new Array<Spec>(lanes).fill({});
      const start = specs.map((_, k) => 0.3 - 0.1 * k);
      const [a, b] = KERNELS.map((kind) =>
        walk(kernelOf(choice, specs, kind), start, 0.1, 9, wave),
      );
      // A sum over lanes has an order of its own.
      a!.flat().forEach((p, k) => expect(Math.abs(p - b!.flat()[k]!)).toBeLessThan(1e-15));
    }
  });

  test('the same run twice is the same to the bit', () => {
    const [a, b] = [1, 2].map(() => walk(kernelOf(choice, [{}, {}]), [0.1, 0.2], 0.1, 40, wave));
    expect(a).toEqual(b);
  });

  test('no step leaves the range, and huge gradients leave numbers', () => {
    for (const size of [1, 1e30, 3e38]) {
      const path = walk(kernelOf(choice, [{}, {}]), [0.5, -0.5], 10, 60, (_, n) => [
        n < 30 ? size : 0,
        -size * Math.sin(n),
      ]);
      for (const p of path.flat()) expect(Math.abs(p)).toBeLessThanOrEqual(1);
    }
  });

  test('a gradient of 0 from the start moves nothing but what decays', () => {
    const kernel = kernelOf({ ...choice, weightDecay: 0 }, [{}, {}]);
    expect(walk(kernel, [0.5, -0.25], 0.1, 5, () => [0, 0])).toEqual(
      Array.from({ length: 5 }, () => [0.5, -0.25]),
    );
  });

  test('a rate of 0 moves nothing, of all or of one', () => {
    const still = walk(kernelOf(choice, [{}, {}]), [0.5, -0.25], 0, 5, wave);
    expect(still.at(-1)).toEqual([0.5, -0.25]);
    const kernel = kernelOf(choice, [{}, {}]);
    kernel.rates[1] = 0;
    const [first, second] = walk(kernel, [0.5, -0.25], 0.01, 5, wave).at(-1)!;
    expect(first).not.toBe(0.5);
    expect(second).toBe(-0.25);
  });

  test('a frozen parameter keeps its bits, and comes back as if no time had passed', () => {
    const alone: Gradient = (_, n) => [Math.sin(n), 0.5];
    const straight = walk(kernelOf(choice, [{}, {}]), [0.1234567, 7], 0.01, 20, alone);
    const kernel = kernelOf(choice, [{}, {}]);
    walk(kernel, [0.1234567, 7], 0.01, 10, alone);
    kernel.frozen[0] = 1;
    const held = kernel.params[0]!;
    const away = walk(kernel, [...kernel.params], 0.01, 15, () => [1e30, 0.5]);
    expect(away.every(([p]) => Object.is(p, held))).toBe(true);
    kernel.frozen[0] = 0;
    const back = walk(kernel, [...kernel.params], 0.01, 10, (_, n) => [Math.sin(n + 10), 0.5]);
    const isShared = 'clip' in choice;
    if (!isShared) expect(back.map(([p]) => p)).toEqual(straight.slice(10).map(([p]) => p));
  });

  test('a restart forgets, and keeps the parameters', () => {
    const fresh = walk(kernelOf(choice, [{}, {}]), [0.3, 0.2], 0.01, 8, wave);
    const kernel = kernelOf(choice, [{}, {}]);
    walk(kernel, [0.1, 0.1], 0.01, 13, wave);
    const before = [...kernel.params];
    kernel.restart();
    expect([...kernel.params]).toEqual(before);
    expect(walk(kernel, [0.3, 0.2], 0.01, 8, wave)).toEqual(fresh);
  });
});

describe('what all have', () => {
  const plain = { kind: 'sgd' };
  const once = (choice: object, specs: readonly Spec[], start: number[], g: number[]): number[] =>
    walk(kernelOf(choice, specs), start, 1, 1, () => g)[0]!;

  test('clipping by value, then by norm over what is not frozen', () => {
    expect(once({ ...plain, clip: { value: 0.1 } }, [{}, {}], [0, 0], [5, -0.05])).toEqual([
      -0.1, 0.05,
    ]);
    const moved = once({ ...plain, clip: { norm: 0.5 } }, [{}, {}], [0, 0], [3, 4]);
    expect(Math.hypot(...moved)).toBeCloseTo(0.5, 6);
    const kernel = kernelOf({ ...plain, clip: { norm: 0.5 } }, [{}, {}]);
    kernel.frozen[1] = 1;
    expect(walk(kernel, [0, 0], 1, 1, () => [0.25, 1e30])[0]).toEqual([-0.25, 0]);
  });

  test('a rate and a weight decay of its own', () => {
    expect(once(plain, [{}, {}], [0, 0], [0.5, 0.5])).toEqual([-0.5, -0.5]);
    const kernel = kernelOf(plain, [{}, {}]);
    kernel.rates[1] = 0.25;
    expect(walk(kernel, [0, 0], 1, 1, () => [0.5, 0.5])[0]).toEqual([-0.5, -0.125]);
    const decaying = { ...plain, weightDecay: 0.5 };
    expect(once(decaying, [{}, { weightDecay: 0 }], [0.5, 0.5], [0, 0])).toEqual([0.25, 0.5]);
    expect(once({ kind: 'lion', weightDecay: 0.5 }, [{}, {}], [0.5, -1], [0, 0])).toEqual([
      0.25, -0.5,
    ]);
  });
});

const SCALED: readonly (readonly [string, Spec, number, number])[] = [
  ['log', { min: 20, max: 20000, learn: 'log' }, 440, 440 * Math.LN2],
  ['logit', { min: 1, max: 3, learn: 'logit' }, 1.5, 2 * 0.25 * 0.75],
  ['softplus', { min: 0.5, max: 30, learn: 'softplus' }, 2, 1 - Math.exp(-1.5)],
];

describe.each(SCALED)('learning as %s', (_, spec, start, slope) => {
  const { min = 0, max = 0 } = spec;

  test.each(KERNELS)('a step goes along the slope, %s', (kind) => {
    const kernel = kernelOf({ kind: 'sgd' }, [spec], kind);
    const step = 1e-7;
    const [[p] = []] = walk(kernel, [start], step, 1, () => [-1]);
    expect((p! - start) / step / slope ** 2).toBeCloseTo(1, 4);
  });

  test('it stays in its range and finite, whatever comes', () => {
    for (const kind of OPTIMISER_KINDS) {
      for (const g of [1e30, -1e30, 1, -1]) {
        const kernel = kernelOf({ kind }, [spec, {}, spec]);
        const path = walk(kernel, [start, 0, max], 10, 40, () => [g, g, -g]);
        for (const [a, b, c] of path) {
          expect(a! >= min && a! <= max && Math.abs(b!) <= 1 && c! >= min && c! <= max).toBe(true);
        }
      }
    }
  });

  test('it is not stuck at an edge, and stays there while it is drawn outwards', () => {
    for (const kind of BY_GRADIENT) {
      for (const [edge, g] of [
        [min, -1],
        [max, 1],
      ] as const) {
        const inward = walk(kernelOf({ kind }, [spec]), [edge], 0.05, 40, () => [g]);
        expect(Math.abs(inward.at(-1)![0]! - edge), kind).toBeGreaterThan(1e-6 * (max - min));
        const outward = walk(kernelOf({ kind }, [spec]), [edge], 0.05, 10, () => [-g]);
        expect(outward.at(-1), kind).toEqual([edge]);
      }
    }
  });

  test('a gradient of 0 keeps its bits', () => {
    const kernel = kernelOf({ kind: 'adam' }, [spec]);
    const p = start * (1 + 1e-13);
    expect(walk(kernel, [p], 0.1, 3, () => [0]).flat()).toEqual([p, p, p]);
  });

  test('among others it is as alone', () => {
    const alone = walk(kernelOf({ kind: 'adam' }, [spec]), [start], 0.1, 20, (_, n) => [
      Math.sin(n),
    ]);
    const specs = [{}, spec, spec, {}, {}, spec];
    for (const kind of KERNELS) {
      const among = walk(
        kernelOf({ kind: 'adam' }, specs, kind),
        [0, start, start, 0, 0, start],
        0.1,
        20,
        (_, n) => specs.map(() => Math.sin(n)),
      );
      for (const k of [1, 2, 5]) {
        among.forEach((p, n) => expect(Math.abs(p[k]! / alone[n]![0]! - 1)).toBeLessThan(1e-12));
      }
    }
  });
});

test('a rate of 1 is an octave where the scale is logarithmic', () => {
  const kernel = kernelOf({ kind: 'lion' }, [{ min: 20, max: 20000, learn: 'log' }]);
  expect(walk(kernel, [110], 1, 2, () => [-3])[1]![0]).toBeCloseTo(440, 9);
});
