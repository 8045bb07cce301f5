/** Gauss-Newton and recursive least squares: steps by the matrix of all products of derivatives. */

import { z } from 'zod';
import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';
import { row } from './row.ts';
import type { Inputs } from './row.ts';
import { freeOf, left, powerOptions, ridgeOf, runningPower } from './power.ts';
import type { PowerOptions } from './power.ts';
import { termsOf } from './terms.ts';

/** Parameters: a step costs n³/6 products. */
const MOST = 256;

export const gaussNewton = row({
  doc: 'p ← p − rate·(JᵀJ + damping·diag D)⁻¹·Jᵀe over the window, D the running power of each parameter’s derivative (Levenberg and Marquardt); in a few steps at the optimum, from near by and with at most 256 parameters',
  source: 'D. Marquardt, An algorithm for least-squares estimation of nonlinear parameters, 1963',
  options: {
    /** Large: short steps downhill. Small: long steps by curvature. */
    damping: z.number().min(1e-12).max(1e6).default(1e-3),
    /** How much of JᵀJ of earlier windows stays in the average that is used. */
    keep: z.number().min(0).lt(1).default(0),
    memory: powerOptions(0, 0).memory,
  },
  decay: 'decoupled',
  measures: () => ['squares', 'products'],
  most: MOST,
  step(inputs, { damping, keep, memory }) {
    const { b, value, gradient, rate, lanes, window, measure, recall, remember } = inputs;
    const { add, sub, mul, div, max, real, average } = termsOf(b);
    const push = mul(gradient, real(window / 2));
    const power = remember(`power over ${window}`, (past) =>
      max(measure('squares'), mul(past, real(left(window, memory)))),
    );
    const products = measure('products');
    const matrix =
      keep === 0
        ? products
        : div(
            recall(`products over ${window}`, lanes * lanes, (past) =>
              average(past, products, keep),
            ),
            recall('weight', 1, (past) => add(mul(past, real(keep)), real(1 - keep))),
          );
    const ridge = ridgeOf(inputs, push, mul(power, real(damping)));
    return sub(value, mul(rate, b.node('solve', [matrix, ridge, push])));
  },
});

interface RlsOptions extends PowerOptions {
  readonly forgetting: number;
}

export const rls = row({
  doc: 'p ← p − rate·R⁻¹·Jᵀe, R ← forgettingᴺ·R + JᵀJ, N the window: the least-squares solution over all samples, old ones weighted down, with at most 256 parameters. What no signal decides is held by a share of the running power; a pause neither moves nor forgets anything',
  source:
    'S. Haykin, Adaptive Filter Theory, chapter 10; S. Gay, Dynamically regularized fast RLS, 1996',
  options: {
    /** Of the weight of a sample, from one to the next. */
    forgetting: z.number().min(0.5).max(1).default(0.9998),
    ...powerOptions(1e-6, 1e-4),
  },
  decay: 'decoupled',
  measures: (window) => (window === 1 ? ['row', 'error'] : ['squares', 'products']),
  most: MOST,
  step: (inputs, options) =>
    inputs.window === 1 ? bySample(inputs, options) : byWindow(inputs, options),
});

/** R itself, and equations: for windows of more than a sample. */
function byWindow(inputs: Inputs, options: RlsOptions): NodeId {
  const { b, value, gradient, rate, lanes, window, measure, recall } = inputs;
  const { add, sub, mul, choose, real } = termsOf(b);
  const push = mul(gradient, real(window / 2));
  const power = b.node('laneSum', [mul(measure('squares'), freeOf(inputs))]);
  const { running, isActive } = runningPower(inputs, power, options);
  const kept = options.forgetting ** window;
  /** Windows that are remembered. */
  const horizon = kept < 1 ? 1 / (1 - kept) : 1;
  const stays = choose(isActive, real(kept), real(1));
  const comes = choose(isActive, real(1), real(0));
  const matrix = recall(`products over ${window}`, lanes * lanes, (past) =>
    add(mul(past, stays), mul(measure('products'), comes)),
  );
  const ridge = mul(running, real((options.regularisation * horizon) / lanes));
  const step = b.node('solve', [matrix, ridgeOf(inputs, push, ridge), push]);
  return sub(value, mul(mul(rate, comes), step));
}

/**
 * P = R⁻¹ for rows of running power 1, by one row a step: no equations. P has the symmetry of R to
 * the bit. To hold what the signal does not decide, each step adds a row of its own with the error
 * 0: a share of the running power, in one parameter after the other.
 */
function bySample(inputs: Inputs, { forgetting, regularisation, ...options }: RlsOptions): NodeId {
  const { b, value, rate, lanes, measure, recall } = inputs;
  const { add, sub, mul, div, sqrt, choose, real } = termsOf(b);
  const dot = (x: NodeId, y: NodeId): NodeId => b.node('laneSum', [mul(x, y)]);
  const free = mul(measure('row'), freeOf(inputs));
  const power = b.node('laneSum', [mul(free, free)]);
  const { running, isActive, before } = runningPower(inputs, power, options);
  const x = div(free, sqrt(running));
  const turn = recall('turn', lanes, (past) => {
    if (lanes === 1) return real(1);
    // A 1 that goes round; the first step puts it there.
    const isNew = b.node('eq', [b.node('laneSum', [past]), real(0)]);
    const last = b.node('slice', [past], [lanes - 1, 1]);
    const first = choose(isNew, real(1), last);
    return b.node('concat', [first, b.node('slice', [past], [0, lanes - 1])]);
  });
  let isNew = real(1);
  const begun = recall('begun', 1, (past) => {
    isNew = sub(real(1), past);
    return choose(isActive, real(1), past);
  });
  let step = x;
  recall('inverse', lanes * lanes, (past) => {
    // At first nothing is known: a large P, in proportion to the first power that is heard.
    const known = add(past, mul(identity(b, lanes), mul(isNew, real(1 / regularisation))));
    const grown = choose(b.node('gt', [isNew, real(0)]), real(1), div(running, before));
    const times = (v: NodeId): NodeId => mul(b.node('matvec', [known, v]), grown);
    const p = times(x);
    const size = add(dot(x, p), real(forgetting));
    step = div(mul(p, measure('error')), mul(size, sqrt(running)));
    const q = mul(p, choose(isActive, div(real(1), sqrt(size)), real(0)));
    const stays = choose(isActive, real(1 / forgetting), real(1));
    const v = mul(sub(times(turn), mul(q, dot(q, turn))), stays);
    const own = add(mul(dot(turn, v), real(regularisation)), real(1));
    const w = mul(v, choose(isActive, sqrt(div(real(regularisation), own)), real(0)));
    const rest = sub(mul(known, grown), b.node('outer', [q, q]));
    return sub(mul(rest, mul(stays, begun)), b.node('outer', [w, w]));
  });
  return sub(value, mul(rate, mul(step, choose(isActive, real(1), real(0)))));
}

const identity = (b: Builder, lanes: number): NodeId =>
  b.node(
    'const',
    [],
    Array.from({ length: lanes * lanes }, (_, k) => (k % (lanes + 1) === 0 ? 1 : 0)),
  );
