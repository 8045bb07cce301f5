/**
 * What a measured kernel is: one learning problem, told once for the compiler and once for native C.
 *
 * Invariant: both sides get the same signals, initial parameters, range, rate and window from here.
 * Parameters are told in the order of the native side; where the compiler's has another one,
 * `places` says which.
 */
import { programOf } from '../../../dsp/compile.ts';
import type { Result } from '../../../dsp/diagnostic.ts';
import type { Program } from '../../../dsp/ir/program.ts';
import type { PatchBuilder, Signal } from '../../../dsp/patch/builder.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { Training } from '../../../dsp/patch/schema.ts';

/** Hz. */
export const SAMPLE_RATE = 48000;

/** The estimate from the input and the parameters, numbers or vectors as `sizes` says. */
export type Estimate = (p: PatchBuilder, x: Signal, params: readonly Signal[]) => Signal;

export interface Kernel {
  readonly name: string;
  /** Name in `native/`, and the number that it takes: taps, cells. */
  readonly native: { readonly name: string; readonly size: number };
  /** Frames of a block; of a training window, a divisor of it, or 0 where nothing learns. */
  readonly frames: number;
  readonly window: number;
  readonly mode: Training['mode'];
  readonly rate: number;
  readonly initial: readonly number[];
  /** Place in the compiler's bank of each of `initial`, where it is another one. */
  readonly places?: readonly number[];
  /** What the compiler gets. */
  readonly program: (kernel: Kernel) => Result<Program>;
  /** Largest difference between the two sides, relative to the largest value. */
  readonly tolerance: number;
  /** Median ratio to native that the project wants to reach, if it has set itself one. */
  readonly target?: number;
}

/** Range of every parameter. */
export const RANGE = { min: -8, max: 8 } as const;

export const BLOCK = 256;

/** A kernel with what most have in common. */
export const kernel = (
  own: Pick<Kernel, 'name' | 'native' | 'initial' | 'program'> & Partial<Kernel>,
): Kernel => ({
  frames: BLOCK,
  window: BLOCK,
  mode: 'auto',
  rate: 1e-3,
  tolerance: 1e-4,
  ...own,
});

/** White noise in [−1, 1), binary32: a 32-bit linear congruential generator (Numerical Recipes). */
export function noise(count: number, seed: number, scale = 1): Float32Array {
  let state = seed | 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (scale * state) / 2 ** 31;
  });
}

/** The parameters in the order of the compiler's bank. */
export function bankOf<Value>(kernel: Kernel, native: readonly Value[]): Value[] {
  const bank = native.slice();
  kernel.places?.forEach((place, k) => {
    bank[place] = native[k]!;
  });
  return bank;
}

/**
 * A kernel told as a patch.
 *
 * @param sizes  lanes of each parameter, in the order of the bank; 1 is a number. None: all numbers
 */
export const patched =
  (estimate: Estimate, sizes?: readonly number[]): Kernel['program'] =>
  (kernel) => {
    const bank = bankOf(kernel, kernel.initial);
    const patch = buildPatch(kernel.name, (p) => {
      const x = p.input(1);
      let at = 0;
      const params = (sizes ?? bank.map(() => 1)).map((size, k) => {
        const initial = bank.slice(at, (at += size));
        const spec = size === 1 ? { initial: initial[0]! } : { initial, size };
        return p.param(`p${k}`, { ...spec, ...RANGE });
      });
      const y = estimate(p, x, params);
      if (kernel.window === 0) return { outputs: [y] };
      return {
        outputs: [y],
        training: {
          estimate: y,
          target: p.input(2),
          loss: 'mse',
          window: kernel.window,
          mode: kernel.mode,
          optimiser: { kind: 'sgd' },
          schedule: { kind: 'constant', rate: kernel.rate },
        },
      };
    });
    if (!patch.ok) return patch;
    const options = { sampleRate: SAMPLE_RATE, maxBlock: kernel.frames, latency: 0 };
    return programOf(patch.value, options);
  };

export const add = (p: PatchBuilder, a: Signal, b: Signal): Signal => p.op('add', [a, b]);
export const mul = (p: PatchBuilder, a: Signal, b: Signal): Signal => p.op('mul', [a, b]);

/** Σ aᵢ·bᵢ (+ start). */
export function dot(
  p: PatchBuilder,
  a: readonly Signal[],
  b: readonly Signal[],
  start?: Signal,
): Signal {
  const products = a.map((one, k) => mul(p, one, b[k]!));
  return (start === undefined ? products : [start, ...products]).reduce((sum, one) =>
    add(p, sum, one),
  );
}
