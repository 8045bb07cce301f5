/**
 * A curve in a terminal: columns of blocks, as high as the values are.
 *
 * Invariant: each column is the mean of the values that fall into it, so what swings faster than the
 * columns shows as its mean; with fewer values than columns there is a column for each.
 */

import { number, padStart } from './style.ts';
import type { Style } from './style.ts';

const EIGHTHS = ' ▁▂▃▄▅▆▇█';

/**
 * @param values  at least one
 * @returns       `rows` lines with the largest and the smallest value beside them
 */
export function chart(
  values: readonly number[],
  { width, rows }: { readonly width: number; readonly rows: number },
  style: Style,
): string[] {
  const columns = columnsOf(values, Math.min(width, values.length));
  const [least, most] = [Math.min(...columns, 0), Math.max(...columns)];
  const span = most > least ? most - least : 1;
  const labels = [number(most), number(least)];
  const margin = Math.max(...labels.map((text) => text.length));
  return Array.from({ length: rows }, (_, row) => {
    const label = row === 0 ? labels[0]! : row === rows - 1 ? labels[1]! : '';
    const line = columns.map((value) => {
      const filled = ((value - least) / span) * rows - (rows - 1 - row);
      if (!style.unicode) return filled >= 0.5 ? '#' : ' ';
      return EIGHTHS[Math.max(0, Math.min(8, Math.round(8 * filled)))]!;
    });
    return `${padStart(label, margin)} ${line.join('')}`.trimEnd();
  });
}

function columnsOf(values: readonly number[], width: number): number[] {
  return Array.from({ length: width }, (_, c) => {
    const [from, to] = [c, c + 1].map((at) => Math.floor((at * values.length) / width));
    const part = values.slice(from, to);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
