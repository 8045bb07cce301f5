/**
 * Derivatives that a node may choose where the mathematical one is 0: roundings and comparisons.
 *
 * Invariant: a choice changes the gradient only, never a value; it is written with `detach` and
 * `withSlope`, so it costs nothing where no gradient is taken. Bits have no choice: a learnable
 * parameter that reaches them is an error. Nor have `eq` and `ne`: their results stand still on
 * both sides of the jump, so no slope says which way to go.
 */

import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';

/** Their derivative is 0, or that of their operand. */
export const ROUNDINGS = ['floor', 'ceil', 'trunc', 'rint', 'round', 'toInt'] as const;
export type Rounding = (typeof ROUNDINGS)[number];
export const ROUNDING_GRADIENTS = ['zero', 'straight-through'] as const;

/** Their derivative is 0, or that of a sigmoid in their place. */
export const ORDERS = ['lt', 'le', 'gt', 'ge'] as const;
export type Order = (typeof ORDERS)[number];
export const ORDER_GRADIENTS = ['zero', 'sigmoid'] as const;

/** The fields by which a node of this operation chooses. */
export type SurrogateOf<Op extends string> = Op extends Rounding
  ? { readonly gradient?: (typeof ROUNDING_GRADIENTS)[number] }
  : Op extends Order
    ? { readonly gradient?: (typeof ORDER_GRADIENTS)[number]; readonly width?: number }
    : { readonly gradient?: never };

/** `y` without a gradient, or with 1 as its derivative to `x`, what it was rounded from. */
export function roundingWith(
  b: Builder,
  gradient: (typeof ROUNDING_GRADIENTS)[number],
  y: NodeId,
  x: NodeId,
): NodeId {
  if (gradient === 'zero') return b.node('detach', [y]);
  // As an int it has this derivative already.
  return b.type(y) === 'int' ? y : b.node('withSlope', [y, x, b.real(1)]);
}

/**
 * The comparison `y` of a and b with the derivative of a sigmoid: of σ((a − b)/w) for `gt` and `ge`,
 * of σ((b − a)/w) for `lt` and `le`.
 *
 * σ′(t) = e / (1 + e)², e = e^−|t|: never overflows.
 * @param width  w, in units of the operands; the slope is 1/(4w) where they are equal
 */
export function orderWith(
  b: Builder,
  op: Order,
  y: NodeId,
  [left, right]: readonly [NodeId, NodeId],
  width: number,
): NodeId {
  const upwards = op === 'gt' || op === 'ge';
  const distance = b.node('sub', upwards ? [left, right] : [right, left]);
  const t = b.node('mul', [distance, b.real(1 / width)]);
  const e = b.node('exp', [b.node('neg', [b.node('abs', [t])])]);
  const root = b.node('add', [b.real(1), e]);
  const slope = b.node('div', [b.node('mul', [e, b.real(1 / width)]), b.node('mul', [root, root])]);
  return b.node('toInt', [b.node('withSlope', [b.node('toReal', [y]), distance, slope])]);
}
