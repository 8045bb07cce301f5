/** Affine projection: the least step that sets the errors of the last few samples right. */

import { z } from 'zod';
import { row } from './row.ts';
import { freeOf, powerOptions, runningPower } from './power.ts';
import { termsOf } from './terms.ts';

export const apa = row({
  doc: 'p ← p − rate·X·(XᵀX + regularisation·P)⁻¹·e, X the derivatives and e the errors of the last `order` samples with the parameters as they are, P the running power; coloured signals, as speech is, slow it down less than nlms. A window of one sample',
  source:
    'K. Ozeki and T. Umeda, An adaptive filtering algorithm using an orthogonal projection, 1984',
  options: {
    /** Samples. */
    order: z.number().int().min(1).max(16).default(4),
    ...powerOptions(1e-3, 0),
  },
  decay: 'decoupled',
  measures: () => ['row', 'error'],
  longest: 1,
  step(inputs, { order, ...options }) {
    const { b, value, rate, lanes, measure, recall } = inputs;
    const { add, sub, mul, choose, real } = termsOf(b);
    const x = mul(measure('row'), freeOf(inputs));
    const power = b.node('laneSum', [mul(x, x)]);
    const { running, isActive } = runningPower(inputs, power, options);
    let rows = x;
    let errors = measure('error');
    if (order > 1) {
      const kept = order - 1;
      recall('rows', kept * lanes, (past) => {
        // What the parameters have done since changes the errors of old samples.
        let moved = value;
        recall('values', lanes, (before) => {
          moved = sub(value, before);
          return value;
        });
        recall('errors', kept, (old) => {
          const now = add(old, b.node('matvecT', [past, moved]));
          errors = b.node('concat', [errors, now]);
          return b.node('slice', [errors], [0, kept]);
        });
        rows = b.node('concat', [x, past]);
        return b.node('slice', [rows], [0, kept * lanes]);
      });
    }
    const columns = Array.from({ length: order }, (_, k) =>
      b.node('matvecT', [rows, b.node('slice', [rows], [k * lanes, lanes])]),
    );
    const products = b.node('concat', columns);
    const ridge = b.asLanes(mul(running, real(options.regularisation)), order);
    const weights = b.node('solve', [products, ridge, errors]);
    const step = mul(b.node('matvec', [rows, weights]), choose(isActive, real(1), real(0)));
    return sub(value, mul(rate, step));
  },
});
