/** Gradient descent, plain and with momentum. Momentum starts as the first gradient, as PyTorch's does. */

import { z } from 'zod';
import { keep, row } from './row.ts';
import { termsOf } from './terms.ts';

export const sgd = row({
  doc: 'p ← p − rate·v, v ← momentum·v + (1 − dampening)·g, at first v ← g; `nesterov`: p ← p − rate·(g + momentum·v)',
  source:
    'I. Sutskever et al., On the importance of initialization and momentum in deep learning, 2013',
  options: {
    momentum: keep(0),
    dampening: z.number().min(0).max(1).default(0),
    nesterov: z.boolean().default(false),
  },
  decay: 'coupled',
  step({ b, value, gradient, rate, remember }, { momentum, dampening, nesterov }) {
    const { real, add, sub, mul, choose, counted } = termsOf(b);
    if (momentum === 0) return sub(value, mul(rate, gradient));
    let share = gradient;
    if (dampening > 0) {
      // Undamped at first; without dampening a buffer of 0 does the same.
      const steps = remember('steps', (past) => add(past, real(1)));
      const isFirst = b.node('eq', [steps, real(1)]);
      share = mul(gradient, choose(isFirst, real(1), real(1 - dampening)));
    }
    const v = remember('velocity', (past) => counted(add(mul(past, real(momentum)), share)));
    return sub(value, mul(rate, nesterov ? add(gradient, mul(v, real(momentum))) : v));
  },
});
