/**
 * In which scale a parameter learns: the optimiser works on u, and p = φ(u) is the parameter.
 *
 * Invariant: the parameter is the truth and is what is stored; u is computed anew from it at every
 * step, and where u does not move p keeps its bits. φ cannot leave the range where it has none
 * beyond; at an edge of the range, where u would be infinite, p counts as so far inside that its
 * gradient is not 0, and enters the range when it is drawn there.
 */

import type { LearnScale } from '../../control.ts';
import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';
import { termsOf } from './terms.ts';

/** What is nearer to an edge of the range counts as here: a share of the range. */
const MARGIN = 2 ** -12;

/** Of the limits of u, so that what is computed at one does not fall on either side of it. */
const SLACK = 1e-9;

interface Scaled {
  readonly u: NodeId;
  /** dp/du */
  readonly slope: NodeId;
  /** What u is held to. */
  readonly hold: (u: NodeId) => NodeId;
  readonly back: (u: NodeId) => NodeId;
}

interface Scaling {
  readonly doc: string;
  /** @param p  [lanes]; min and max per lane, or one for all */
  readonly of: (b: Builder, p: NodeId, min: NodeId, max: NodeId) => Scaled;
}

export const SCALINGS = {
  log: {
    doc: 'u = log₂ p: a rate of 1 is an octave; needs `min` > 0',
    of: (b, p, least) => {
      const { real, mul, max } = termsOf(b);
      const held = max(p, least);
      return {
        u: mul(b.node('ln', [held]), real(Math.LOG2E)),
        slope: mul(held, real(Math.LN2)),
        hold: (u) => u,
        back: (u) => b.node('exp2', [u]),
      };
    },
  },
  logit: {
    doc: 'p = min + (max − min)/(1 + e⁻ᵘ): slower towards either end of the range',
    of: (b, p, least, most) => {
      const { real, add, sub, mul, div, max, min } = termsOf(b);
      const range = sub(most, least);
      const x = min(max(div(sub(p, least), range), real(MARGIN)), real(1 - MARGIN));
      const rest = sub(real(1), x);
      const limit = real(Math.log((1 - MARGIN) / MARGIN) - SLACK);
      const hold = (u: NodeId): NodeId => min(max(u, b.node('neg', [limit])), limit);
      return {
        u: hold(b.node('ln', [div(x, rest)])),
        slope: mul(range, mul(x, rest)),
        hold,
        back: (u) => add(least, div(range, add(b.node('exp', [b.node('neg', [u])]), real(1)))),
      };
    },
  },
  softplus: {
    doc: 'p = min + ln(1 + eᵘ): slower towards `min`, as `linear` a few units above it',
    of: (b, p, least, most) => {
      const { real, add, sub, mul, max, abs } = termsOf(b);
      const slopeAt = (y: NodeId): NodeId => sub(real(1), b.node('exp', [b.node('neg', [y])]));
      const floor = mul(sub(most, least), real(MARGIN));
      const lowest = add(add(floor, b.node('ln', [slopeAt(floor)])), real(SLACK));
      const hold = (u: NodeId): NodeId => max(u, lowest);
      const y = max(sub(p, least), floor);
      const slope = slopeAt(y);
      return {
        u: hold(add(y, b.node('ln', [slope]))),
        slope,
        hold,
        back: (u) => {
          const e = b.node('exp', [b.node('neg', [abs(u)])]);
          return add(least, add(max(u, real(0)), b.node('ln', [add(e, real(1))])));
        },
      };
    },
  },
} as const satisfies Record<Exclude<LearnScale, 'linear'>, Scaling>;
