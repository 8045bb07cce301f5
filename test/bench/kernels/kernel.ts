/**
 * What a measured kernel is: one learning problem, told once for the compiler and once for native C.
 *
 * Invariant: both sides get the same signals, initial parameters, range, rate and window from here;
 * parameters have the same order on both. A kernel that the compiler cannot express yet says so in
 * words and is reported, never replaced by something easier.
 */
import type { PatchBuilder, Signal } from '../../../dsp/patch/builder.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import type { Patch, Training } from '../../../dsp/patch/schema.ts';

/** The estimate from the input and the parameters. */
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
  /** Or why the compiler cannot run it yet. */
  readonly estimate: Estimate | string;
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
  own: Pick<Kernel, 'name' | 'native' | 'initial' | 'estimate'> & Partial<Kernel>,
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

/** What a kernel asks of the compiler, or null where it cannot be said yet. */
export function patchOf(kernel: Kernel): Patch | null {
  const { estimate, window } = kernel;
  if (typeof estimate === 'string') return null;
  const patch = buildPatch(kernel.name, (p) => {
    const x = p.input(1);
    const params = kernel.initial.map((initial, k) => p.param(`p${k}`, { initial, ...RANGE }));
    const y = estimate(p, x, params);
    if (window === 0) return { outputs: [y] };
    return {
      outputs: [y],
      training: {
        estimate: y,
        target: p.input(2),
        loss: 'mse',
        window,
        mode: kernel.mode,
        optimiser: { kind: 'sgd' },
        schedule: { kind: 'constant', rate: kernel.rate },
      },
    };
  });
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

/** Signals that depend on each other's past: `loop` gets all of one sample ago, and returns all. */
export function recur(
  p: PatchBuilder,
  count: number,
  loop: (past: readonly Signal[]) => readonly Signal[],
): readonly Signal[] {
  const past = Array.from({ length: count }, () => p.delay(0, 1));
  const next = loop(past);
  past.forEach((id, k) => {
    p.nodes[id] = { op: 'delay', in: [next[k]!], frames: 1 };
  });
  return next;
}

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
