/**
 * Signals as curves: where a picture of them begins so that it stands still, how tall it is, and
 * what is read from it.
 *
 * Invariant: nothing here measures; values and frequencies are those of the host's pictures.
 */

import type { Signal } from './types.ts';

/** Share of a picture that is shown: its beginning may move over the rest. */
const SHOWN = 0.75;
/** Of the peak: a crossing counts after the signal was as far below zero. */
const HYSTERESIS = 0.1;
/** Of a spectrum that is drawn, dB, and between its lines. */
const SPAN = 126;
const CEILING = 6;
const LINE = 20;

export const shownOf = (points: number): number => Math.round(SHOWN * points);

/**
 * Where a periodic signal rises through zero, so that its picture stands still from one to the next.
 *
 * @returns an index that leaves `shown` points; the newest possible where nothing rises
 */
export function beginOf(signal: Float32Array, shown: number): number {
  const last = Math.max(0, signal.length - shown);
  const peak = peakOf(signal);
  if (peak === 0) return last;
  let isBelow = false;
  for (let k = 0; k <= last; k++) {
    const value = signal[k]!;
    if (value < -HYSTERESIS * peak) isBelow = true;
    else if (isBelow && value >= 0) return k;
  }
  return last;
}

/** The largest size of a value. */
export const peakOf = (signal: Float32Array): number =>
  signal.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);

export const rmsOf = (signal: Float32Array): number =>
  Math.sqrt(signal.reduce((sum, value) => sum + value * value, 0) / Math.max(1, signal.length));

/** 1, 2 or 5 of a power of ten above a peak; the one before as long as it is not far too large. */
export function fullScale(peak: number, before: number): number {
  if (!(peak > 0) || !Number.isFinite(peak)) return before;
  if (peak <= before && peak > 0.3 * before) return before;
  const decade = 10 ** Math.floor(Math.log10(peak));
  return decade * ([1, 2, 5].find((step) => step * decade >= peak) ?? 10);
}

/** Range of levels: from full scale down, or from above what is louder; the one before where it fits. */
export function levelsAround(
  peak: number,
  [low, high]: readonly [number, number],
): [number, number] {
  if (peak <= high && (high === CEILING || peak > high - 2 * LINE)) return [low, high];
  const top = peak > CEILING ? LINE * Math.ceil(peak / LINE) : CEILING;
  return [top - SPAN, top];
}

export const FULL_SCALE: readonly [number, number] = [CEILING - SPAN, CEILING];

/** Lines of an axis of levels. */
export const linesOf = (low: number, high: number): number[] =>
  Array.from(
    { length: Math.floor(high / LINE) - Math.ceil(low / LINE) + 1 },
    (_, k) => LINE * (Math.ceil(low / LINE) + k),
  );

/** Hz of the bins but the first, which a logarithmic axis has no place for. */
export const frequenciesOf = (binHz: number, bins: number): readonly number[] =>
  Array.from({ length: Math.max(0, bins - 1) }, (_, k) => (k + 1) * binHz);

/** Lines of a frequency axis. */
export const FREQUENCIES = [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000] as const;

export const hertz = (frequency: number): string =>
  frequency >= 1000 ? `${frequency / 1000}k` : String(frequency);

/** Degrees that a delay turns a sine of this frequency by, from −180 to 180. */
export function phaseOf(frequency: number, delay: number, sampleRate: number): number {
  const turns = (frequency * delay) / sampleRate;
  return 360 * (turns - Math.round(turns));
}

const CHANNEL_COLOURS = [4, 5, 2, 0, 1] as const;

/** Of a signal among the colours of the page. */
export function colourOf({ kind, channel }: Signal, place: number): number {
  if (kind === 'target') return 0;
  if (kind === 'estimate') return 1;
  if (kind === 'error') return 3;
  const base = kind === 'input' ? 0 : 2;
  return CHANNEL_COLOURS[(base + (channel ?? place)) % CHANNEL_COLOURS.length] ?? 0;
}

const WORDS = { target: 'Target', estimate: 'Estimate', error: 'Error' } as const;

export function titleOf({ kind, channel, id }: Signal): string {
  if (kind === 'input') return `Input ${(channel ?? 0) + 1}`;
  if (kind === 'output') return `Output ${(channel ?? 0) + 1}`;
  return WORDS[kind] ?? id;
}

/** What learning compares; without it everything. */
export const firstShown = (signals: readonly Signal[]): ReadonlySet<string> => {
  const compared = signals.filter(({ kind }) => kind in WORDS);
  return new Set((compared.length > 0 ? compared : signals).map(({ id }) => id));
};
