/**
 * Where a value is on its control: a place in [0, 1], on a linear or logarithmic scale, and back.
 *
 * Invariant: `valueAt(placeOf(v))` is v for every v of the range, to rounding; places outside are
 * clamped, and so are the values that they give.
 */

export interface Range {
  readonly min: number;
  readonly max: number;
  readonly scale: 'linear' | 'log';
  readonly step?: number | undefined;
}

const isLog = ({ min, scale }: Range): boolean => scale === 'log' && min > 0;

export function placeOf(value: number, range: Range): number {
  const { min, max } = range;
  const place = isLog(range)
    ? Math.log(Math.max(value, min) / min) / Math.log(max / min)
    : (value - min) / (max - min);
  return Number.isFinite(place) ? Math.min(1, Math.max(0, place)) : 0;
}

export function valueAt(place: number, range: Range): number {
  const { min, max } = range;
  const p = Math.min(1, Math.max(0, place));
  if (p === 0) return min;
  if (p === 1) return max;
  return settle(isLog(range) ? min * (max / min) ** p : min + p * (max - min), range);
}

/** A share of the way from one value to another, evenly on the scale; the ends are the values. */
export function between(from: number, to: number, share: number, range: Range): number {
  if (share <= 0) return from;
  if (share >= 1) return to;
  const place = placeOf(from, range) + share * (placeOf(to, range) - placeOf(from, range));
  return valueAt(place, range);
}

/** On the grid of the control's step, where it has one, and in its range. */
export function settle(value: number, { min, max, step }: Range): number {
  const onGrid =
    step === undefined
      ? value
      : Number((min + Math.round((value - min) / step) * step).toFixed(10));
  return Math.min(max, Math.max(min, onGrid));
}

/** From where a bar is drawn: zero where the range has it inside, else its start. */
export const originOf = (range: Range): number =>
  range.scale === 'linear' && range.min < 0 && range.max > 0 ? placeOf(0, range) : 0;
