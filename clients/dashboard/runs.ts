/**
 * Runs of learning side by side: their curves on one axis, and what became of each in numbers.
 *
 * Invariant: curves keep their own points; where another run has a point and this one has none there
 * is `undefined`, which a line passes over, never a made-up number.
 */

import type { Run, RunSeries } from './types.ts';

/** Runs that are drawn at once: one for each colour of the page. */
export const MOST = 6;

export const AXES = { at: 'seconds', log: 'seconds, logarithmic', step: 'steps' } as const;
export type Axis = keyof typeof AXES;

/** What can be drawn of these runs: loss, rate, and the parameters that any of them has. */
export const quantitiesOf = (all: readonly RunSeries[]): readonly string[] => [
  'loss',
  'rate',
  ...new Set(all.flatMap(({ params }) => Object.keys(params))),
];

/** A parameter may be called like one of the others: those come first. */
const valuesOf = (series: RunSeries, quantity: string): readonly (number | null)[] => {
  if (quantity === 'loss' || quantity === 'rate') return series[quantity];
  return series.params[quantity] ?? series.at.map(() => null);
};

export type Table = readonly [
  readonly number[],
  ...(readonly (readonly (number | null | undefined)[])[]),
];

/**
 * The x axis of all, in order, and a column for each run.
 *
 * Cost: n log n of all points together.
 */
export function overlay(all: readonly RunSeries[], quantity: string, axis: Axis): Table {
  const along = axis === 'step' ? 'step' : 'at';
  const xs = [...new Set(all.flatMap((series) => series[along]))].sort((a, b) => a - b);
  const columns = all.map((series) => {
    const values = valuesOf(series, quantity);
    // Of points at one place, as steps may have, the last.
    const places = new Map(series[along].map((x, k) => [x, values[k] ?? null] as const));
    return xs.map((x) => places.get(x));
  });
  return [xs, ...columns];
}

/** Seconds; of one that goes on, as far as it has been told. */
export function secondsOf({ began, ended, points, spacing }: Run): number {
  if (ended === null) return (points * spacing) / 1000;
  return Math.max(0, (Date.parse(ended) - Date.parse(began)) / 1000);
}

const ENDS: Readonly<Record<NonNullable<Run['end']>, string>> = {
  stopped: 'stopped',
  fault: 'stopped by a guard',
  reset: 'reset',
  patch: 'another patch',
  shutdown: 'host ended',
  lost: 'host died',
};

export const endOf = ({ end }: Run): string => (end === null ? 'goes on' : ENDS[end]);

/** Of each parameter the last value that is known, in the order of the first run that has it. */
export function finalParams(
  all: readonly RunSeries[],
): readonly (readonly [string, readonly (number | null)[]])[] {
  const ids = new Set(all.flatMap(({ params }) => Object.keys(params)));
  return [...ids].map((id) => [
    id,
    all.map(({ params }) => params[id]?.findLast((value) => value !== null) ?? null),
  ]);
}

/** The newest of this patch and the one before it; without any, the newest of all. */
export function firstChoice(runs: readonly Run[], patch: string | undefined): readonly number[] {
  const own = runs.filter((run) => run.patch === patch && run.points > 1);
  const chosen = own.length > 0 ? own.slice(0, 2) : runs.slice(0, 1);
  return chosen.map(({ run }) => run);
}
