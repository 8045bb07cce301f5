/** Optimisers that look at the sign of the gradient: Lion, Rprop. */

import { z } from 'zod';
import { keep, row } from './row.ts';
import { termsOf } from './terms.ts';

export const lion = row({
  doc: 'p ← p − rate·sign(β₁·m + (1 − β₁)·g), then m ← β₂·m + (1 − β₂)·g: every step has the length of the rate, a tenth to a third of what suits `adam`',
  source: 'X. Chen et al., Symbolic discovery of optimization algorithms, 2023',
  options: { beta1: keep(0.9), beta2: keep(0.99) },
  decay: 'decoupled',
  step({ b, value, gradient, rate, remember }, { beta1, beta2 }) {
    const { sub, mul, sign, average } = termsOf(b);
    let towards = gradient;
    remember('mean', (past) => {
      towards = average(past, gradient, beta1);
      return average(past, gradient, beta2);
    });
    return sub(value, mul(rate, sign(towards)));
  },
});

export const rprop = row({
  doc: 'p ← p − d·sign(g), d times `up` while the sign of g stays, times `down` and g ← 0 where it changes, held to [stepMin, stepMax]; the first d is the rate, which counts for nothing more but where it is 0. For gradients without noise',
  source: 'M. Riedmiller and H. Braun, RPROP, 1993, in the form of PyTorch',
  options: {
    down: z.number().gt(0).lt(1).default(0.5),
    up: z.number().gt(1).max(10).default(1.2),
    stepMin: z.number().gt(0).max(1e6).default(1e-6),
    stepMax: z.number().gt(0).max(1e6).default(50),
  },
  decay: 'coupled',
  step({ b, value, gradient, rate, remember }, { down, up, stepMin, stepMax }) {
    const { real, add, sub, mul, max, min, sign, choose } = termsOf(b);
    const isHeld = b.node('eq', [rate, real(0)]);
    const steps = remember('steps', (past) => add(past, choose(isHeld, real(0), real(1))));
    const isFirst = b.node('eq', [steps, real(1)]);
    let isTurned = isFirst;
    let factor = rate;
    const used = remember('gradient', (past) => {
      const product = mul(past, gradient);
      isTurned = b.node('lt', [product, real(0)]);
      const isStraight = b.node('gt', [product, real(0)]);
      factor = choose(isTurned, real(down), choose(isStraight, real(up), real(1)));
      return choose(isTurned, real(0), gradient);
    });
    const d = remember('step', (past) => {
      const before = choose(isFirst, rate, past);
      const next = min(max(mul(before, factor), real(stepMin)), real(stepMax));
      return choose(isHeld, past, next);
    });
    return sub(value, mul(sign(used), choose(isHeld, real(0), d)));
  },
});
