/**
 * Rows of the Jacobian: at each sample how the error, estimate − target, changes with every
 * parameter, a vector with a lane for each number of the bank. What an optimiser that knows more
 * than the gradient asks for is made of them: sums over the window, in the backward graph.
 *
 * In forward mode a row is the tangents of that sample. In reverse mode it is the cotangent of the
 * parameters for a cotangent 1 on the error of that sample alone; that is one sample's own only where
 * no memory lies between parameter and error. Invariant: nothing is made that nobody asked for.
 */

import type { Builder } from '../ir/builder.ts';
import { isSignal, nodeOf } from '../ir/graph.ts';
import type { NodeId } from '../ir/graph.ts';
import { measureLanes } from '../ir/program.ts';
import type { Measure } from '../ir/program.ts';

/** A part of the row: the lanes from a place of the bank on. */
export type RowParts = ReadonlyMap<number, NodeId>;

/** The row of all parameters, zeros where none of them has a derivative. */
export function joinRow(b: Builder, parts: RowParts, params: number): NodeId {
  const joined: NodeId[] = [];
  let empty = 0;
  const flush = (): void => {
    if (empty > 0) joined.push(b.filled(0, empty));
    empty = 0;
  };
  for (let k = 0; k < params;) {
    const part = parts.get(k);
    if (part === undefined) {
      empty++;
      k++;
      continue;
    }
    flush();
    joined.push(part);
    k += b.shape(part);
  }
  flush();
  return joined.length === 1 ? joined[0]! : b.node('concat', joined);
}

/** A signal, and how it changes with every parameter. */
export interface Side {
  readonly value: NodeId;
  readonly row: NodeId;
}

/** The error of a term of the loss, the row of it, and how much it counts. */
export interface Difference {
  readonly error: NodeId;
  readonly row: NodeId;
  readonly weight: number;
}

/** Estimate − target, and so are their rows. */
export function difference(b: Builder, estimate: Side, target: Side): Omit<Difference, 'weight'> {
  const isStill = b.constant(target.row) === 0;
  return {
    error: b.node('sub', [estimate.value, target.value]),
    row: isStill ? estimate.row : b.node('sub', [estimate.row, target.row]),
  };
}

/**
 * A measure over the window, with `measureLanes` lanes.
 *
 * error: Σ eₙ, row: Σ rₙ, squares: Σ rₙ², lane by lane, products: Σ rₙ·rₙᵀ, from errors eₙ and rows
 * rₙ; of several terms the sum, and squares and products count as their term does.
 *
 * @param window  samples
 */
export function measured(
  b: Builder,
  measure: Measure,
  differences: readonly Difference[],
  window: number,
): NodeId {
  const lanesOf = ({ row }: Difference): number => measureLanes(measure, b.shape(row));
  const total = (of: NodeId): NodeId =>
    isSignal(nodeOf(b, of)) ? b.node('sum', [of]) : b.node('mul', [of, b.real(window)]);
  const of = ({ error, row }: Difference): NodeId => {
    switch (measure) {
      case 'error':
        return total(error);
      case 'row':
        return total(row);
      case 'squares':
        return total(b.node('mul', [row, row]));
      case 'products':
        return isSignal(nodeOf(b, row))
          ? b.node('sumOuter', [row, row])
          : total(b.node('outer', [row, row]));
    }
  };
  const shares = differences.map((one) => {
    const whole = b.asLanes(of(one), lanesOf(one));
    const isPlain = one.weight === 1 || measure === 'error' || measure === 'row';
    return isPlain ? whole : b.node('mul', [whole, b.real(one.weight)]);
  });
  return shares.reduce((sum, share) => b.node('add', [sum, share]));
}
