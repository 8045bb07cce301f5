/**
 * Optimisers that divide an average of the gradient by one of its size: Adam and its relatives.
 *
 * Invariant: an average that starts at 0 is divided by what a constant 1 would have become in it,
 * 1 − βᵗ, which is kept as an average itself: w ← β·w + (1 − β). So the correction has the powers of
 * β and no power is ever computed. A rate of 0 moves nothing, and a gradient that was always 0
 * neither.
 */

import { z } from 'zod';
import type { NodeId } from '../../ir/graph.ts';
import { epsilon, keep, row } from './row.ts';
import type { Inputs } from './row.ts';
import { termsOf } from './terms.ts';

const betas = { beta1: keep(0.9), beta2: keep(0.999) };
const common = { ...betas, epsilon: epsilon(1e-8) };

/** The average of the gradient, as it is. */
const mean = ({ b, gradient, remember }: Inputs, beta: number): NodeId =>
  remember('mean', (past) => termsOf(b).average(past, gradient, beta));

/** The average of the squared gradient, as it is. */
const square = ({ b, gradient, remember }: Inputs, beta: number): NodeId => {
  const { average, square: squared } = termsOf(b);
  return remember('square', (past) => average(past, squared(gradient), beta));
};

/** 1 − βᵗ at step t, from 1 on. */
const weight = ({ b, remember }: Inputs, name: string, beta: number): NodeId => {
  const { real, add, mul } = termsOf(b);
  return remember(name, (past) => add(mul(past, real(beta)), real(1 - beta)));
};

interface AdamOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly amsgrad: boolean;
}

function adamStep(inputs: Inputs, { beta1, beta2, epsilon: e, amsgrad }: AdamOptions): NodeId {
  const { b, value, rate, remember } = inputs;
  const { real, add, sub, mul, div, sqrt, max } = termsOf(b);
  const m = mean(inputs, beta1);
  const v = square(inputs, beta2);
  const [w1, w2] = [weight(inputs, 'weight1', beta1), weight(inputs, 'weight2', beta2)];
  const size = amsgrad ? remember('largest', (past) => max(past, v)) : v;
  const divisor = add(sqrt(div(size, w2)), real(e));
  return sub(value, div(mul(div(rate, w1), m), divisor));
}

const ADAM =
  'm ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g²; p ← p − rate·m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)';

export const adam = row({
  doc: `${ADAM}; \`amsgrad\` takes the largest v so far`,
  source: 'D. Kingma and J. Ba, Adam, 2015; S. Reddi et al., On the convergence of Adam, 2018',
  options: { ...common, amsgrad: z.boolean().default(false) },
  decay: 'coupled',
  step: adamStep,
});

export const adamw = row({
  doc: 'as `adam`, its weight decay decoupled',
  source: 'I. Loshchilov and F. Hutter, Decoupled weight decay regularization, 2019',
  options: { ...common, amsgrad: z.boolean().default(false) },
  decay: 'decoupled',
  weightDecay: 0.01,
  step: adamStep,
});

export const nadam = row({
  doc: 'm, v as `adam`; μₜ = β₁·(1 − ½·0.96^(t·momentumDecay)), Mₜ = μ₁·…·μₜ; p ← p − rate·((1 − μₜ)·g/(1 − Mₜ) + μₜ₊₁·m/(1 − Mₜ·μₜ·μₜ₊₁)) / (√(v/(1 − β₂ᵗ)) + ε)',
  source:
    'T. Dozat, Incorporating Nesterov momentum into Adam, 2016, with the last product of PyTorch 1.13',
  options: { ...common, momentumDecay: z.number().min(0).max(1).default(4e-3) },
  decay: 'coupled',
  step(inputs, { beta1, beta2, epsilon: e, momentumDecay }) {
    const { b, value, gradient, rate, remember } = inputs;
    const { real, add, sub, mul, div, sqrt } = termsOf(b);
    const m = mean(inputs, beta1);
    const v = square(inputs, beta2);
    const w2 = weight(inputs, 'weight2', beta2);
    // warmth is 1 − 0.96^(t·momentumDecay); μ = ½·β₁·(1 + warmth).
    const once = 0.96 ** momentumDecay;
    const warmth = weight(inputs, 'warmth', once);
    const nextWarmth = add(mul(warmth, real(once)), real(1 - once));
    const muOf = (w: NodeId): NodeId => mul(add(w, real(1)), real(0.5 * beta1));
    const [mu, nextMu] = [muOf(warmth), muOf(nextWarmth)];
    // 1 − M: a factor μ takes it to μ·(1 − M) + (1 − μ).
    const times = (rest: NodeId, factor: NodeId): NodeId =>
      add(mul(rest, factor), sub(real(1), factor));
    const rest = remember('rest', (past) => times(past, mu));
    const ahead = div(mul(nextMu, m), times(times(rest, mu), nextMu));
    const here = div(mul(sub(real(1), mu), gradient), rest);
    const divisor = add(sqrt(div(v, w2)), real(e));
    return sub(value, div(mul(rate, add(here, ahead)), divisor));
  },
});

export const radam = row({
  doc: 'm, v as `adam`; ρ = 2/(1 − β₂) − 1, ρₜ = ρ − 2t·β₂ᵗ/(1 − β₂ᵗ); p ← p − rate·m/(1 − β₁ᵗ)·r, r = √((ρₜ − 4)(ρₜ − 2)ρ / ((ρ − 4)(ρ − 2)ρₜ))·√(1 − β₂ᵗ)/(√v + ε) where ρₜ > 5, else 1',
  source: 'L. Liu et al., On the variance of the adaptive learning rate and beyond, 2020',
  options: common,
  decay: 'coupled',
  step(inputs, { beta1, beta2, epsilon: e }) {
    const { b, value, rate, remember } = inputs;
    const { real, add, sub, mul, div, sqrt, max, choose } = termsOf(b);
    const m = mean(inputs, beta1);
    const v = square(inputs, beta2);
    const [w1, w2] = [weight(inputs, 'weight1', beta1), weight(inputs, 'weight2', beta2)];
    const steps = remember('steps', (past) => add(past, real(1)));
    const step = mul(rate, div(m, w1));
    const most = 2 / (1 - beta2) - 1;
    // With a short memory the variance never becomes tractable.
    if (most <= 5) return sub(value, step);
    const rho = sub(real(most), div(mul(mul(steps, real(2)), sub(real(1), w2)), w2));
    const held = max(rho, real(5));
    const over = div(mul(sub(held, real(4)), sub(held, real(2))), held);
    const rectified = sqrt(mul(over, real(most / ((most - 4) * (most - 2)))));
    const adaptive = div(mul(rectified, sqrt(w2)), add(sqrt(v), real(e)));
    const isTractable = b.node('gt', [rho, real(5)]);
    return sub(value, mul(step, choose(isTractable, adaptive, real(1))));
  },
});

export const adamax = row({
  doc: 'm as `adam`, u ← max(β₂·u, |g| + ε); p ← p − rate·m/(1 − β₁ᵗ) / u',
  source: 'D. Kingma and J. Ba, Adam, 2015, section 7.1',
  options: common,
  decay: 'coupled',
  step(inputs, { beta1, beta2, epsilon: e }) {
    const { b, value, gradient, rate, remember } = inputs;
    const { real, add, sub, mul, div, max, abs } = termsOf(b);
    const m = mean(inputs, beta1);
    const w1 = weight(inputs, 'weight1', beta1);
    const u = remember('largest', (past) =>
      max(mul(past, real(beta2)), add(abs(gradient), real(e))),
    );
    return sub(value, div(mul(div(rate, w1), m), u));
  },
});
