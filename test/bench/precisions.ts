/**
 * What double precision costs: kernels in both precisions, in turns.
 *
 * A vector holds two numbers instead of four and a memory twice the bytes, so loops that compute
 * take up to twice as long, and recursions, which wait, about as long as before.
 */

import { median, openOurs } from './ours.ts';
import type { Signals } from './ours.ts';
import type { Kernel } from './kernels/kernel.ts';

/** Filters, networks and spectra; with and without learning. */
const NAMES: readonly string[] = [
  'gain-dc',
  'biquads-4',
  'biquads-4-forward-20',
  'biquads-4-reverse-128',
  'fir-64-block',
  'mlp-1-16-16-1',
  'lstm-16',
  'stft-1024-loss',
];

const ROUNDS = 5;

/** A Markdown table. @param seconds  of each of a few measurements; medians count */
export function measurePrecisions(
  kernels: readonly Kernel[],
  signals: Signals,
  seconds: number,
): string {
  let table =
    '| kernel | single, ns/sample | double | ratio | single, bytes | double |\n' +
    '|---|---|---|---|---|---|\n';
  for (const kernel of kernels.filter(({ name }) => NAMES.includes(name))) {
    const sides = (['single', 'double'] as const).map((precision) => {
      const side = openOurs(kernel, signals, precision);
      if (typeof side === 'string') throw new Error(`${kernel.name}: ${side}`);
      return { side, times: [] as number[] };
    });
    for (let round = 0; round < ROUNDS; round++) {
      for (const { side, times } of sides) times.push(side.time(seconds));
    }
    const [single, double] = sides.map(({ side, times }) => {
      return { time: median(times), bytes: side.bytes.toLocaleString('en') };
    }) as [{ time: number; bytes: string }, { time: number; bytes: string }];
    const row = [
      kernel.name,
      single.time.toFixed(2),
      double.time.toFixed(2),
      (double.time / single.time).toFixed(2),
      single.bytes,
      double.bytes,
    ];
    table += `| ${row.join(' | ')} |\n`;
  }
  return table;
}
