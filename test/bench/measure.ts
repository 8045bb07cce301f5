/**
 * Measures a kernel on both sides, alternately, after both have been found to compute the same.
 *
 * The machine may be shared and its clock may change, so each round measures one side right after
 * the other and the ratio is the median of the rounds' ratios, which need not be the ratio of the
 * median times.
 */
import type { Kernel } from './kernels/kernel.ts';
import type { Native } from './native.ts';
import { median, openOurs } from './ours.ts';
import type { Signals, State } from './ours.ts';

export interface Effort {
  readonly rounds: number;
  /** Of each side in each round. */
  readonly seconds: number;
}

export interface Measured {
  readonly kernel: Kernel;
  /** Null where this side could not be measured; `note` says why. */
  readonly nsPerSample: number | null;
  readonly nativeNsPerSample: number | null;
  readonly ratio: number | null;
  /** Of our side on eight numbers at a time; null where V8 gets that wrong. */
  readonly wideRatio: number | null;
  readonly bytes: number | null;
  readonly compileMs: number | null;
  readonly note: string | null;
  /** The two sides do not compute the same. */
  readonly differs: boolean;
}

/** Blocks until the two sides are compared: parameters have moved by then. */
const CHECKED_BLOCKS = 2;

/** @param native  null: only our side */
export async function measure(
  kernel: Kernel,
  native: Native | null,
  signals: Signals,
  { rounds, seconds }: Effort,
): Promise<Measured> {
  const ours = openOurs(kernel, signals);
  const available = typeof ours !== 'string';
  await native?.start(kernel);
  const difference =
    available && native !== null
      ? compare(kernel, ours.check(CHECKED_BLOCKS), await native.check(kernel, CHECKED_BLOCKS))
      : null;
  const measured: { ours: number | null; wide: number | null; native: number | null }[] = [];
  // The round before the first warms caches and clock and does not count.
  for (let round = -1; round < rounds; round++) {
    const one = {
      ours: available ? ours.time(seconds) : null,
      wide: available ? (ours.timeWide?.(seconds) ?? null) : null,
      native: native === null ? null : await native.time(seconds),
    };
    if (round >= 0) measured.push(one);
  }
  const middle = (of: (one: (typeof measured)[number]) => number | null): number | null => {
    const values = measured.map(of).filter((value) => value !== null);
    return values.length === 0 ? null : median(values);
  };
  const ratio = (side: 'ours' | 'wide'): number | null => {
    if (difference !== null) return null;
    return middle(({ [side]: ours, native }) =>
      ours === null || native === null ? null : ours / native,
    );
  };
  return {
    kernel,
    nsPerSample: middle((one) => one.ours),
    nativeNsPerSample: middle((one) => one.native),
    ratio: ratio('ours'),
    wideRatio: ratio('wide'),
    bytes: available ? ours.bytes : null,
    compileMs: available ? ours.compileMs : null,
    note: available ? difference : ours,
    differs: difference !== null,
  };
}

/** Where the two sides differ, in words, or null. */
export function compare(kernel: Kernel, ours: State, native: State): string | null {
  const groups = [
    ['the output', ours.output, native.output],
    ['the loss', [ours.loss], [native.loss]],
    ['the gradient', ours.gradients, native.gradients],
    ['the parameters', ours.params, native.params],
  ] as const;
  for (const [what, left, right] of groups) {
    const largest = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const most = kernel.tolerance * largest;
    const bad = right.findIndex((value, k) => !(Math.abs(left[k]! - value) <= most));
    if (bad >= 0 || left.length !== right.length) {
      return `${what} differs at ${bad}: expected ${right[bad]}, got ${left[bad]}`;
    }
  }
  return null;
}
