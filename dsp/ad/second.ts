/**
 * Derivatives along a direction of all parameters at once: J·v of signals, and H·v of the loss.
 *
 * H·v is forward mode over reverse mode: the tangent, along v, of the graph that computes the
 * gradient. Neither J nor H is ever made; each product costs about as much as what it is the tangent
 * of. The direction v is one number per parameter, which the host leaves as scalars.
 *
 * Invariant: the given graphs are kept as they are, and what is added has outputs of its own.
 */

import { Builder } from '../ir/builder.ts';
import { isTape, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId, Output } from '../ir/graph.ts';
import { productName, tangentName, tapeName, updateScalars } from '../ir/program.ts';
import { activity } from './active.ts';
import { differentiate } from './gradient.ts';
import type { Differentiated, Objective } from './gradient.ts';
import { jvp, paramNodes } from './jvp.ts';

/** The direction as the tangent of each parameter. `params`: length of the bank. */
function direction(b: Builder, graph: Graph, params: number): Map<NodeId, NodeId> {
  const seeds = new Map<NodeId, NodeId>();
  for (const [index, node] of paramNodes(graph)) {
    const { shape } = nodeOf(graph, node);
    seeds.set(node, b.node('scalar', [], [updateScalars.direction(index, params), shape]));
  }
  return seeds;
}

/**
 * ẏ = J·v: how signals change when the parameters move along v.
 *
 * @param signals  nodes of `stream`; a signal that no parameter reaches has the tangent 0
 * @param params   length of the parameter bank
 * @returns        the graph with outputs `tangent:0`, `tangent:1`, … in the order of `signals`
 * Exact over all time since the start, as forward mode is. Cost: about the graph again.
 */
export function jacobianVector(stream: Graph, signals: readonly NodeId[], params: number): Graph {
  const b = Builder.from(stream);
  const seeds = direction(b, stream, params);
  const { active } = activity(stream, [...seeds.keys()], signals);
  const tangents = jvp(b, stream, seeds, active);
  const outputs = signals.map((signal, k) => ({
    name: tangentName(k),
    node: tangents.get(signal) ?? b.filled(0, b.shape(signal)),
  }));
  return b.finish([...stream.outputs, ...outputs]);
}

/**
 * H·v: how the gradient of the loss changes when the parameters move along v.
 *
 * @param active  as for `differentiate`
 * @returns       the graphs of the gradient in reverse mode; `backward` has outputs `product:K`
 *                beside `gradient:K`
 * Truncated at the window, as the gradient is. Cost: about twice the gradient.
 */
export function hessianVector(
  stream: Graph,
  objective: Objective,
  active: ReadonlySet<NodeId>,
): Differentiated {
  const made = differentiate(stream, { ...objective, carry: 0 }, active, 'reverse');
  const { params } = objective;

  // Tangents of all that is recorded go onto tapes behind the others.
  const forward = Builder.from(made.stream);
  const recorded = new Map<number, NodeId>();
  for (const { name, node } of made.stream.outputs) {
    const [kind, index] = name.split(':');
    if (kind === 'tape') recorded.set(Number(index), node);
  }
  const seeds = direction(forward, made.stream, params);
  const reached = activity(made.stream, [...seeds.keys()], [...recorded.values()]).active;
  const tangents = jvp(forward, made.stream, seeds, reached);
  const tapes: Output[] = [];
  const tangentTape = new Map<number, number>();
  for (const [index, node] of recorded) {
    const tangent = tangents.get(node);
    if (tangent === undefined) continue;
    tangentTape.set(index, recorded.size + tapes.length);
    tapes.push({ name: tapeName(recorded.size + tapes.length), node: tangent });
  }

  const backward = Builder.from(made.backward);
  const along = direction(backward, made.backward, params);
  made.backward.nodes.forEach(({ op, attrs }, n) => {
    const index = isTape(op) ? tangentTape.get(attrs[0]!) : undefined;
    if (index !== undefined && op === 'tape') {
      along.set(n as NodeId, backward.node('tape', [], [index, ...attrs.slice(1)]));
    }
  });
  const gradients = made.backward.outputs.filter(({ name }) => name.startsWith('gradient:'));
  const wanted = gradients.map(({ node }) => node);
  const moving = activity(made.backward, [...along.keys()], wanted).active;
  const turned = jvp(backward, made.backward, along, moving);
  const products = gradients.map(({ name, node }) => ({
    name: productName(Number(name.split(':')[1])),
    node: turned.get(node) ?? backward.filled(0, backward.shape(node)),
  }));
  return {
    stream: forward.finish([...made.stream.outputs, ...tapes]),
    loss: null,
    backward: backward.finish([...made.backward.outputs, ...products]),
  };
}
