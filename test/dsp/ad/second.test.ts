/** Jacobian- and Hessian-vector products against differences of signals and of gradients. */

import { expect, test } from 'vitest';
import { objectiveActivity } from '../../../dsp/ad/gradient.ts';
import type { Objective } from '../../../dsp/ad/gradient.ts';
import { hessianVector, jacobianVector } from '../../../dsp/ad/second.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../../dsp/ir/graph.ts';
import {
  gradientName,
  productName,
  tangentName,
  tapeName,
  tapesOf,
  updateScalars,
} from '../../../dsp/ir/program.ts';
import { verify } from '../../../dsp/ir/verify.ts';
import { Interpreter } from '../../../dsp/interpret/interpret.ts';
import type { Leaves } from '../../../dsp/interpret/interpret.ts';
import { mse } from '../../../dsp/learn/losses/pointwise.ts';
import { random } from '../../support/random-graph.ts';

const WINDOW = 32;
const P = 6;
const PARAMS = [0.3, -0.4, 0.7, 0.25, -0.6, 0.5];
const DIRECTION = [1, -0.5, 0.25, 0.8, -0.3, 0.6];

/** A recursive filter behind a layer of four, with a product of parameters. */
function network(): { stream: Graph; objective: Objective } {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const target = b.delay(x, 3);
  const weights = b.node('param', [], [0, 4]);
  const [pole, gain] = [b.node('param', [], [4]), b.node('param', [], [5])] as [NodeId, NodeId];
  const hidden = b.node('tanh', [b.node('mul', [weights, x])]);
  const sum = b.node('laneSum', [b.node('mul', [hidden, weights])]);
  const past = b.feedback('real', 1);
  const y = b.node('add', [b.node('mul', [sum, gain]), b.node('mul', [past, pole])]);
  b.close(past, y);
  const stream = b.finish([{ name: 'y', node: y }]);
  return {
    stream,
    objective: { terms: [{ estimate: y, target, loss: mse }], window: WINDOW, params: P },
  };
}

/** The same parameters in a table, and round a comb that goes through a line and a table. */
function memories(): { stream: Graph; objective: Objective } {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const weights = b.node('param', [], [0, 4]);
  const [pole, gain] = [b.node('param', [], [4]), b.node('param', [], [5])] as [NodeId, NodeId];
  const index = (scale: number): NodeId => b.node('toInt', [b.node('mul', [x, b.real(scale)])]);
  const shaped = b.node('mul', [x, b.node('lookup', [weights, index(9)])]);
  const past = b.feedback('real', 1);
  const fed = b.node('line', [b.node('mul', [past, pole]), index(-8)], [3]);
  const y = b.node('add', [b.node('tanh', [b.node('mul', [shaped, gain])]), fed]);
  b.close(past, b.node('rwtable', [b.node('const', [], [0.5, 0, 0.25]), y, index(7), index(-7)]));
  const stream = b.finish([{ name: 'y', node: y }]);
  return {
    stream,
    objective: { terms: [{ estimate: y, target: x, loss: mse }], window: WINDOW, params: P },
  };
}

const GRAPHS = [network, memories];

const NOISE = (() => {
  const next = random(9);
  return Array.from({ length: WINDOW }, () => next() - 0.5);
})();

const leavesAt = (params: readonly number[], tape: Leaves['tape'] = () => 0): Leaves => ({
  input: (_, n) => NOISE[n]!,
  slider: () => 0,
  param: (k) => params[k]!,
  scalar: (index) => DIRECTION[index - updateScalars.direction(0, P)]!,
  tape,
});

const moved = (h: number): number[] => PARAMS.map((p, k) => p + h * DIRECTION[k]!);

test.each(GRAPHS)('J·v is the slope of a signal along v, %#', (write) => {
  const { stream, objective } = write();
  const graph = verify(jacobianVector(stream, [objective.terms[0]!.estimate], P), 'jacobianVector');
  const tangent = new Interpreter(graph).run(leavesAt(PARAMS), WINDOW).get(tangentName(0))!;
  const at = (h: number): Float64Array =>
    new Interpreter(stream).run(leavesAt(moved(h)), WINDOW).get('y')!;
  const [up, down] = [at(1e-6), at(-1e-6)];
  tangent.forEach((t, n) => expect(t).toBeCloseTo((up[n]! - down[n]!) / 2e-6, 7));
});

/** Outputs of the backward graph over the first window. */
function backwards(
  write: (typeof GRAPHS)[number],
  params: readonly number[],
): Map<string, Float64Array> {
  const { stream, objective } = write();
  const { active } = objectiveActivity(stream, objective);
  const made = hessianVector(stream, objective, active);
  verify(made.stream, 'hessianVector');
  verify(made.backward, 'hessianVector');
  const recorded = new Interpreter(made.stream).run(leavesAt(params), WINDOW);
  const tapes = tapesOf({ ...made, carry: 0 });
  const tape: Leaves['tape'] = (index, frame, lane) =>
    frame < 0 ? 0 : recorded.get(tapeName(index))![frame * tapes[index]!.lanes + lane]!;
  return new Interpreter(made.backward).run(leavesAt(params, tape), WINDOW);
}

const gathered = (
  results: Map<string, Float64Array>,
  name: (k: number) => string,
): readonly number[] => [0, 4, 5].flatMap((k) => [...results.get(name(k))!]);

test.each(GRAPHS)('H·v is the slope of the gradient along v, %#', (write) => {
  const product = gathered(backwards(write, PARAMS), productName);
  const [up, down] = [1e-6, -1e-6].map((h) =>
    gathered(backwards(write, moved(h)), gradientName),
  ) as [readonly number[], readonly number[]];
  expect(product.length).toBe(P);
  product.forEach((p, k) => expect(p).toBeCloseTo((up[k]! - down[k]!) / 2e-6, 7));
  expect(Math.max(...product.map(Math.abs))).toBeGreaterThan(0.01);
});
