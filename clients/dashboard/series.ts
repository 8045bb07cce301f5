/**
 * Numbers over time, the newest so many of them, in arrays that are never made anew.
 *
 * Invariant: columns stay in step; what is read comes oldest first. Cost: a push is one write a
 * column and, once in `size` pushes, a move of all.
 */

export class Series {
  readonly #size: number;
  readonly #columns: readonly Float64Array[];
  #end = 0;

  constructor(columns: number, size: number) {
    this.#size = size;
    this.#columns = Array.from({ length: columns }, () => new Float64Array(2 * size));
  }

  get length(): number {
    return Math.min(this.#end, this.#size);
  }

  push(...row: readonly number[]): void {
    if (this.#end === 2 * this.#size) {
      for (const column of this.#columns) column.copyWithin(0, this.#size);
      this.#end = this.#size;
    }
    this.#columns.forEach((column, k) => (column[this.#end] = row[k] ?? NaN));
    this.#end++;
  }

  /** A view; valid until the next push. */
  column(k: number): Float64Array {
    const column = this.#columns[k];
    if (column === undefined) throw new Error(`a series has no column ${k}`);
    return column.subarray(this.#end - this.length, this.#end);
  }

  clear(): void {
    this.#end = 0;
  }
}

/**
 * Where a loss goes: the mean of its logarithm over the newest quarter against the quarter before.
 *
 * @returns undefined while there is too little to tell
 */
export function trendOf(losses: Float64Array): 'falling' | 'rising' | 'steady' | undefined {
  const quarter = Math.min(60, Math.floor(losses.length / 2));
  if (quarter < 8) return undefined;
  const mean = (values: Float64Array): number =>
    values.reduce((sum, value) => sum + Math.log(Math.max(value, 1e-300)), 0) / values.length;
  const newest = losses.subarray(losses.length - quarter);
  const before = losses.subarray(losses.length - 2 * quarter, losses.length - quarter);
  const change = mean(newest) - mean(before);
  // Of noise as loud as the loss itself.
  const bound = Math.max(0.05, 0.6 * spread(before) * Math.sqrt(2 / quarter));
  return change < -bound ? 'falling' : change > bound ? 'rising' : 'steady';
}

function spread(values: Float64Array): number {
  const logs = values.map((value) => Math.log(Math.max(value, 1e-300)));
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
  return Math.sqrt(logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logs.length);
}

/**
 * How many values are in each of `bins` equal parts from 0 to `to`; those beyond are in the last.
 *
 * @returns the middles of the parts, and the counts
 */
export function histogramOf(
  values: Float64Array,
  to: number,
  bins: number,
): readonly [number[], number[]] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const bin = Math.min(bins - 1, Math.max(0, Math.floor((value / to) * bins)));
    counts[bin] = counts[bin]! + 1;
  }
  return [counts.map((_, k) => ((k + 0.5) * to) / bins), counts];
}
