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
import { isDelay, isSignal, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { mapOf, plus, primalOf } from './partials.ts';

/**
 * Cotangents of all active nodes of `source`, as nodes of `b`.
 *
 * @param b       builder of the backward graph
 * @param source  the graph that is differentiated; may be the one in `b` itself
 * @param seeds   cotangents given from outside, by node of `source`
 * @param primal  the value of a node of `source` as a node of `b`, for an operation of this hop
 * @param window      frames
 * @param isConstant  does a node of `source` keep its value over the window? Its cotangent is one
 *                    value then, the sum of what comes at every sample
 * @param hasRun      where the window may reach back to before the first sample
 */
export function vjp(
  b: Builder,
  source: Graph,
  seeds: ReadonlyMap<NodeId, NodeId>,
  active: ReadonlySet<NodeId>,
  primal: (id: NodeId, hop: number) => NodeId,
  window: number,
  isConstant: (id: NodeId) => boolean = (id) => !isSignal(nodeOf(source, id)),
  hasRun: HasRun | null = null,
): ReadonlyMap<NodeId, NodeId> {
  const cotangents = new Map<NodeId, NodeId>();

  /** What comes once a sample for a value that is constant over the window: summed in one go. */
  const perSample = new Map<NodeId, Share[]>();

  /** Adds ȳ's share to x̄; `hop`: samples from one share to the next, 0 for once a window. */
  const give = (to: NodeId, given: NodeId, hop: number): void => {
    if (!active.has(to)) return;
    const lanes = nodeOf(source, to).shape;
    // A number that met a vector is in all of its lanes.
    const share = lanes === 1 && b.shape(given) > 1 ? b.node('laneSum', [given]) : given;
    const whole = b.asLanes(share, lanes);
    if (hop > 0 && isConstant(to)) {
      const shares = perSample.get(to);
      if (shares === undefined) perSample.set(to, [{ value: whole, hop }]);
      else shares.push({ value: whole, hop });
      return;
    }
    const total = plus(b, cotangents.get(to) ?? null, toSamples(to, whole, hop));
    if (total !== null) cotangents.set(to, total);
  };

  /** What moves and is no signal may be used at several rates: its cotangent is of every sample. */
  const toSamples = (to: NodeId, share: NodeId, hop: number): NodeId => {
    const own = nodeOf(b, share).hop || hop;
    if (own <= 1 || isSignal(nodeOf(source, to)) || isConstant(to)) return share;
    const lanes = Array.from({ length: b.shape(share) }, (_, lane) =>
      b.node('overlapT', [b.node('slice', [share], [lane, 1])], [own]),
    );
    return lanes.length === 1 ? lanes[0]! : b.node('concat', lanes);
  };

  for (const [id, seed] of seeds) give(id, seed, nodeOf(b, seed).hop);

  // A delay's source can come later in the order, so its share is promised before it is known.
  const promised = new Map<NodeId, NodeId>();
  for (const [id, from] of source.delays) {
    if (!active.has(id) || !active.has(from)) continue;
    const { attrs, shape, hop } = nodeOf(source, id);
    // From beyond the end of the window comes nothing.
    if (attrs[0]! * Math.max(1, hop) >= window) continue;
    const share = b.feedback('real', attrs[0]!, 0, shape, hop);
    promised.set(id, share);
    give(from, share, hop);
  }

  for (let i = source.nodes.length - 1; i >= 0; i--) {
    const id = i as NodeId;
    const shares = perSample.get(id);
    for (const total of overWindow(b, shares ?? [], window, hasRun)) give(id, total, 0);
    const cotangent = cotangents.get(id);
    const node = nodeOf(source, id);
    if (cotangent === undefined || isDelay(node.op)) continue;
    if (node.op === 'sum') {
      // Every sample of the operand gets all of it; an operand that is one value, as often.
      const [operand] = node.args as [NodeId];
      give(operand, cotangent, Math.max(1, nodeOf(source, operand).hop));
      continue;
    }
    const values = primalOf(b, source, id, (of) => primal(of, node.hop));
    node.args.forEach((arg, k) => {
      if (!active.has(arg)) return;
      const map = mapOf(node.op, k);
      if (map !== null)
        give(arg, map.vjp(b, cotangent, values), isConstant(id) ? 0 : Math.max(1, node.hop));
    });
  }
  for (const [id, share] of promised) {
    b.close(share, cotangents.get(id) ?? b.filled(0, b.shape(share)));
  }
  return cotangents;
}

/**
 * The sums of values over the window: a signal is summed, a constant multiplied by the length. A
 * matrix of products is never made per sample: its sum over the window is one matrix product. Nor is
 * a vector with one lane that is not 0: all of them are added to one sum, lane by lane.
 */
function overWindow(
  b: Builder,
  shares: readonly Share[],
  window: number,
  hasRun: HasRun | null,
): NodeId[] {
  const totals: NodeId[] = [];
  const signals = new Map<number, NodeId>();
  const scattered: NodeId[] = [];
  const gated = (value: NodeId, hop: number): NodeId =>
    hasRun === null ? value : b.node('select', [hasRun(hop), value, b.real(0)]);
  const addProducts = ([x, y]: readonly [NodeId, NodeId]): void => {
    const isFirst = b.shape(x) < b.shape(y);
    totals.push(b.node('sumOuter', isFirst ? [gated(x, 1), y] : [x, gated(y, 1)]));
  };
  for (const { value, hop } of shares) {
    const { op, args, hop: own } = nodeOf(b, value);
    if (own === 0 && hasRun === null) totals.push(b.node('mul', [value, b.real(window / hop)]));
    else if (op === 'outer' && args.every((a) => nodeOf(b, a).hop === 1)) {
      addProducts(args as [NodeId, NodeId]);
    } else if (op === 'mul' && scaled(b, args) !== null) {
      addProducts(scaled(b, args)!);
    } else if (op === 'scatter' && own === 1) scattered.push(gated(args[0]!, 1), args[1]!);
    else signals.set(own || hop, plus(b, signals.get(own || hop) ?? null, value)!);
  }
  if (scattered.length > 0) {
    totals.push(b.node('sumScatter', scattered, [b.shape(shares[0]!.value)]));
  }
  return [...totals, ...[...signals].map(([hop, signal]) => b.node('sum', [gated(signal, hop)]))];
}

/** Had the program been running at this sample, or at the end of this frame? An int. */
export type HasRun = (hop: number) => NodeId;

/** The vector and the number of a product of both, where both are signals. */
function scaled(b: Builder, args: readonly NodeId[]): readonly [NodeId, NodeId] | null {
  const plain = args.map((a) => {
    const { op, args: of } = nodeOf(b, a);
    return op === 'splat' ? of[0]! : a;
  }) as [NodeId, NodeId];
  const [x, y] = plain;
  if (plain.some((a) => nodeOf(b, a).hop !== 1)) return null;
  if (b.shape(x) > 1 && b.shape(y) === 1) return [x, y];
  return b.shape(y) > 1 && b.shape(x) === 1 ? [y, x] : null;
}

/** A cotangent that comes every `hop` samples for what is constant over the window. */
interface Share {
  readonly value: NodeId;
  readonly hop: number;
}
