/** Optimisers that divide the gradient by what its square has been: RMSProp, Adagrad, Adadelta. */

import { z } from 'zod';
import { epsilon, keep, row } from './row.ts';
import { termsOf } from './terms.ts';

export const rmsprop = row({
  doc: 's ← α·s + (1 − α)·g², d = g/(√s + ε); p ← p − rate·d, with `momentum` p ← p − rate·v, v ← momentum·v + d; `centred` takes √(s − a²), a ← α·a + (1 − α)·g',
  source: 'T. Tieleman and G. Hinton, Lecture 6.5, 2012; A. Graves, arXiv:1308.0850, 2013',
  options: {
    alpha: keep(0.99),
    epsilon: epsilon(1e-8),
    momentum: keep(0),
    centred: z.boolean().default(false),
  },
  decay: 'coupled',
  step({ b, value, gradient, rate, remember }, { alpha, epsilon: e, momentum, centred }) {
    const { real, add, sub, mul, div, sqrt, square, max, average, counted } = termsOf(b);
    const s = remember('square', (past) => average(past, square(gradient), alpha));
    let variance = s;
    if (centred) {
      const a = remember('mean', (past) => average(past, gradient, alpha));
      // Rounding must not make it negative.
      variance = max(sub(s, square(a)), real(0));
    }
    const d = div(gradient, add(sqrt(variance), real(e)));
    if (momentum === 0) return sub(value, mul(rate, d));
    const v = remember('velocity', (past) => counted(add(mul(past, real(momentum)), d)));
    return sub(value, mul(rate, v));
  },
});

export const adagrad = row({
  doc: 's ← s + g², from `initial` on; p ← p − rate/(1 + (t − 1)·rateDecay)·g/(√s + ε)',
  source: 'J. Duchi et al., Adaptive subgradient methods, 2011',
  options: {
    rateDecay: z.number().min(0).max(1e6).default(0),
    initial: z.number().min(0).max(1e30).default(0),
    epsilon: epsilon(1e-10),
  },
  decay: 'coupled',
  step({ b, value, gradient, rate, remember }, { rateDecay, initial, epsilon: e }) {
    const { real, add, sub, mul, div, sqrt, square } = termsOf(b);
    const sum = remember('sum', (past) => add(past, square(gradient)));
    const size = add(sqrt(add(sum, real(initial))), real(e));
    let own = rate;
    if (rateDecay > 0) {
      const steps = remember('steps', (past) => add(past, real(1)));
      own = div(rate, add(mul(sub(steps, real(1)), real(rateDecay)), real(1)));
    }
    return sub(value, div(mul(own, gradient), size));
  },
});

export const adadelta = row({
  doc: 's ← ρ·s + (1 − ρ)·g², d = g·√(a + ε)/√(s + ε), then a ← ρ·a + (1 − ρ)·d²; p ← p − rate·d: a rate of 1 is its own',
  source: 'M. Zeiler, Adadelta, arXiv:1212.5701, 2012',
  options: { rho: keep(0.9), epsilon: epsilon(1e-6) },
  decay: 'coupled',
  step({ b, value, gradient, rate, remember }, { rho, epsilon: e }) {
    const { real, add, sub, mul, div, sqrt, square, average } = termsOf(b);
    const s = remember('square', (past) => average(past, square(gradient), rho));
    let d = gradient;
    remember('moved', (past) => {
      const size = div(sqrt(add(past, real(e))), sqrt(add(s, real(e))));
      d = mul(size, gradient);
      return average(past, square(d), rho);
    });
    return sub(value, mul(rate, d));
  },
});
