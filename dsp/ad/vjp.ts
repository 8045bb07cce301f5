/**
 * Reverse mode: cotangents run from the loss back to the parameters, in reversed time.
 *
 * For y = f(x) each operand gets x̄ᵢ += ∂f/∂xᵢ · ȳ. A delay y[n] = x[n − d] gives x̄[n] += ȳ[n + d]:
 * in reversed time that is a delay again, so the adjoint of a step machine is a step machine, and
 * the result is an ordinary graph of domain `backward`. Its delays read 0 beyond the end of the
 * window: what the window's signals do to later windows is not seen (truncation).
 *
 * A cotangent that flows from a signal into a value that is constant over the window is summed
 * over the window there. Cost: about twice the active nodes, whatever the number of parameters.
 */

import type { Builder } from '../ir/builder.ts';
import { isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { derivativeOf, plus } from './partials.ts';
import type { Primal } from './partials.ts';

/**
 * Cotangents of all active nodes of `source`, as nodes of `b`.
 *
 * @param b       builder of the backward graph
 * @param source  the graph that is differentiated; may be the one in `b` itself
 * @param seeds   cotangents given from outside, by node of `source`
 * @param primal  the value of a node of `source` as a node of `b`
 * @param window      frames
 * @param isConstant  does a node of `source` keep its value over the window? Its cotangent is one
 *                    value then, the sum of what comes at every sample
 */
export function vjp(
  b: Builder,
  source: Graph,
  seeds: ReadonlyMap<NodeId, NodeId>,
  active: ReadonlySet<NodeId>,
  primal: (id: NodeId) => NodeId,
  window: number,
  isConstant: (id: NodeId) => boolean = (id) => nodeOf(source, id).rate !== 'sample',
): ReadonlyMap<NodeId, NodeId> {
  const cotangents = new Map<NodeId, NodeId>();

  /** What comes once a sample for a value that is constant over the window: summed in one go. */
  const perSample = new Map<NodeId, NodeId>();

  /** Adds ȳ's share to x̄; `fast`: does it come once a sample? */
  const give = (to: NodeId, share: NodeId, fast: boolean): void => {
    if (!active.has(to)) return;
    const into = fast && isConstant(to) ? perSample : cotangents;
    const total = plus(b, into.get(to) ?? null, share);
    if (total !== null) into.set(to, total);
  };

  for (const [id, seed] of seeds) give(id, seed, b.rate(seed) === 'sample');

  // A delay's source can come later in the order, so its share is promised before it is known.
  const promised = new Map<NodeId, NodeId>();
  for (const [id, from] of source.delays) {
    if (!active.has(id) || !active.has(from)) continue;
    const share = b.feedback('real', nodeOf(source, id).attrs[0]!);
    promised.set(id, share);
    give(from, share, true);
  }

  for (let i = source.nodes.length - 1; i >= 0; i--) {
    const id = i as NodeId;
    const shares = perSample.get(id);
    if (shares !== undefined) give(id, overWindow(b, shares, window), false);
    const cotangent = cotangents.get(id);
    const node = nodeOf(source, id);
    if (cotangent === undefined || isDelay(node.op)) continue;
    if (node.op === 'sum') {
      // Every sample of the operand gets all of it; an operand that is one value, as often.
      give(node.args[0]!, cotangent, true);
      continue;
    }
    const row = derivativeOf(node.op);
    if ('structural' in row || 'none' in row) continue;
    const values: Primal = {
      x: (k) => primal(node.args[k]!),
      real: (k) => b.asReal(primal(node.args[k]!)),
      y: () => primal(id),
    };
    node.args.forEach((arg, k) => {
      const partial = row[k];
      if (partial && active.has(arg)) {
        give(arg, partial(b, cotangent, values), !isConstant(id));
      }
    });
  }
  for (const [id, share] of promised) b.close(share, cotangents.get(id) ?? b.real(0));
  return cotangents;
}

/** A value's sum over the window: a signal is summed, a constant multiplied by the length. */
function overWindow(b: Builder, value: NodeId, window: number): NodeId {
  return b.rate(value) === 'sample'
    ? b.node('sum', [value])
    : b.node('mul', [value, b.real(window)]);
}
