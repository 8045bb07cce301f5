/**
 * The derivative of every operation, written once for both modes.
 *
 * A row gives, per operand i, the linear map v ↦ v · ∂y/∂xᵢ. Forward mode applies it to operand
 * tangents and adds the results; reverse mode applies it to the result's cotangent. So the two
 * modes agree by construction, and each rule needs one test. `null` is a derivative that is zero by
 * convention; `none` is an operation that has no derivative and says why; `structural` is handled
 * by the mode itself.
 *
 * An operation that does not work lane by lane has two maps per operand: J, from a tangent of the
 * operand to its share of the result's, and Jᵀ, from a cotangent of the result to the operand's.
 *
 * Invariant: no rule makes a NaN or an infinity from finite operands at a kink: the convention in
 * `OPS` holds there instead.
 */

import type { Builder } from '../ir/builder.ts';
import { nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import type { OpKind } from '../ir/ops.ts';

/** What a rule may look at: the operation's operands and result, fetched when asked for. */
export interface Primal {
  /** Lanes of operand i, and of the result. */
  lanes(i: number): number;
  readonly own: number;
  /** Operand i. */
  x(i: number): NodeId;
  /** Operand i, converted to real. */
  real(i: number): NodeId;
  /** The result. */
  y(): NodeId;
  /** The first attribute, if there is one. */
  readonly from: number | undefined;
}

/** v ↦ v · ∂y/∂xᵢ */
export type Partial = (b: Builder, v: NodeId, primal: Primal) => NodeId;

/** v ↦ J·v and v ↦ Jᵀ·v for operand i. */
export interface LinearMap {
  readonly jvp: (b: Builder, v: NodeId, primal: Primal) => NodeId;
  readonly vjp: (b: Builder, v: NodeId, primal: Primal) => NodeId;
}

export type Derivative =
  | readonly (Partial | null)[]
  | { readonly none: string }
  | { readonly structural: string }
  /** `lanewise`: J takes tangents in several directions side by side, as a row of partials does. */
  | { readonly linear: readonly (LinearMap | null)[]; readonly lanewise?: true }
  /** Linear in any number of operands: the map of operand i. */
  | { readonly linearIn: (i: number) => LinearMap | null };

const identity: Partial = (_b, v) => v;
const negative: Partial = (b, v) => b.node('neg', [v]);
const ZERO = [null, null] as const;
const NO_BITS = { none: 'bits have no slope: the result jumps with its operand' } as const;

/** v where the condition holds, else 0. */
const where = (b: Builder, condition: NodeId, v: NodeId): NodeId =>
  b.node('select', [condition, v, b.real(0)]);
/** v where the condition does not hold, else 0. */
const unless = (b: Builder, condition: NodeId, v: NodeId): NodeId =>
  b.node('select', [condition, b.real(0), v]);

/** A quotient by x² + y², or 0 where that is 0. */
function unlessAtOrigin(b: Builder, p: Primal, quotient: (size: NodeId) => NodeId): NodeId {
  const square = (k: number): NodeId => b.node('mul', [p.x(k), p.x(k)]);
  const size = b.node('add', [square(0), square(1)]);
  return where(b, b.node('gt', [size, b.real(0)]), quotient(size));
}

/** v in the middle of zeros, from lane `from` of `lanes`. */
function placed(b: Builder, v: NodeId, from: number, lanes: number): NodeId {
  const after = lanes - from - b.shape(v);
  const parts = [
    ...(from > 0 ? [b.filled(0, from)] : []),
    v,
    ...(after > 0 ? [b.filled(0, after)] : []),
  ];
  return parts.length === 1 ? v : b.node('concat', parts);
}

/** Of an operation of backward graphs, which are not differentiated in reverse mode again. */
const forwardOnly = (jvp: LinearMap['jvp']): LinearMap => ({
  jvp,
  vjp: () => {
    throw new Error('reverse mode of what reverse mode made');
  },
});

/** Of a transport, by its slope with respect to the second of these operands. */
const alongSlope = (operands: (p: Primal) => NodeId[]): LinearMap => {
  const slope = (b: Builder, p: Primal): NodeId => b.node('transportSlope', operands(p), [p.from!]);
  return {
    jvp: (b, v, p) => b.node('laneSum', [b.node('mul', [v, slope(b, p)])]),
    vjp: (b, v, p) => b.node('mul', [slope(b, p), v]),
  };
};

/** Lanes of the operands before operand i. */
function before(p: Primal, i: number): number {
  let lanes = 0;
  for (let k = 0; k < i; k++) lanes += p.lanes(k);
  return lanes;
}

/** What rules see of a node, its operands and result fetched by `value`. */
export function primalOf(
  b: Builder,
  graph: Pick<Graph, 'nodes'>,
  id: NodeId,
  value: (id: NodeId) => NodeId,
): Primal {
  const { args, attrs, shape } = nodeOf(graph, id);
  return {
    x: (i) => value(args[i]!),
    real: (i) => b.asReal(value(args[i]!)),
    lanes: (i) => nodeOf(graph, args[i]!).shape,
    y: () => value(id),
    own: shape,
    from: attrs[0],
  };
}

export const PARTIALS = {
  const: { structural: 'constant' },
  constInt: { structural: 'constant' },
  input: { structural: 'constant' },
  slider: { structural: 'constant' },
  scalar: { structural: 'constant' },
  tape: { structural: 'constant' },
  tapeInt: { structural: 'constant' },
  param: { structural: 'what is differentiated with respect to' },
  delay: { structural: 'delays tangents; reverse mode delays cotangents in reversed time' },
  delayInt: { structural: 'as delay' },
  sum: { structural: 'sums tangents; reverse mode gives its cotangent to every sample' },
  sumOuter: { structural: 'as the sum of outer' },

  concat: {
    linearIn: (i) => ({
      jvp: (b, v, p) => placed(b, v, before(p, i), p.own),
      vjp: (b, v, p) => b.node('slice', [v], [before(p, i), p.lanes(i)]),
    }),
  },
  slice: {
    linear: [
      {
        jvp: (b, v, p) => b.node('slice', [v], [p.from!, p.own]),
        vjp: (b, v, p) => placed(b, v, p.from!, p.lanes(0)),
      },
    ],
  },
  splat: {
    linear: [
      {
        jvp: (b, v, p) => b.node('splat', [v], [p.own]),
        vjp: (b, v) => b.node('laneSum', [v]),
      },
    ],
  },
  laneSum: {
    linear: [
      {
        jvp: (b, v) => b.node('laneSum', [v]),
        vjp: (b, v, p) => b.node('splat', [v], [p.lanes(0)]),
      },
    ],
  },
  matvec: {
    linear: [
      {
        jvp: (b, v, p) => b.node('matvec', [v, p.x(1)]),
        vjp: (b, v, p) => b.node('outer', [v, p.x(1)]),
      },
      {
        jvp: (b, v, p) => b.node('matvec', [p.x(0), v]),
        vjp: (b, v, p) => b.node('matvecT', [p.x(0), v]),
      },
    ],
  },
  matvecT: {
    linear: [
      {
        jvp: (b, v, p) => b.node('matvecT', [v, p.x(1)]),
        vjp: (b, v, p) => b.node('outer', [p.x(1), v]),
      },
      {
        jvp: (b, v, p) => b.node('matvecT', [p.x(0), v]),
        vjp: (b, v, p) => b.node('matvec', [p.x(0), v]),
      },
    ],
  },
  outer: {
    linear: [
      {
        jvp: (b, v, p) => b.node('outer', [v, p.x(1)]),
        vjp: (b, v, p) => b.node('matvec', [v, p.x(1)]),
      },
      {
        jvp: (b, v, p) => b.node('outer', [p.x(0), v]),
        vjp: (b, v, p) => b.node('matvecT', [v, p.x(0)]),
      },
    ],
  },

  solve: {
    none: 'it belongs to the step of an optimiser, through which nothing is differentiated',
  },

  frames: {
    linear: [
      {
        jvp: (b, v, p) => b.node('frames', [v], [p.from!, p.own]),
        vjp: (b, v, p) => b.node('overlapT', [v], [p.from!]),
      },
    ],
  },
  overlap: {
    linear: [
      {
        jvp: (b, v, p) => b.node('overlap', [v], [p.from!]),
        vjp: (b, v, p) => b.node('framesT', [v], [p.from!, p.lanes(0)]),
      },
    ],
  },
  framesT: {
    linear: [
      {
        jvp: (b, v, p) => b.node('framesT', [v], [p.from!, p.own]),
        vjp: (b, v, p) => b.node('overlap', [v], [p.from!]),
      },
    ],
  },
  overlapT: {
    linear: [
      {
        jvp: (b, v, p) => b.node('overlapT', [v], [p.from!]),
        vjp: (b, v, p) => b.node('frames', [v], [p.from!, p.lanes(0)]),
      },
    ],
  },
  rfft: {
    linear: [{ jvp: (b, v) => b.node('rfft', [v]), vjp: (b, v) => b.node('rfftT', [v]) }],
  },
  rfftT: {
    linear: [{ jvp: (b, v) => b.node('rfftT', [v]), vjp: (b, v) => b.node('rfft', [v]) }],
  },
  line: {
    linear: [
      {
        jvp: (b, v, p) => b.node('line', [v, p.x(1)], [p.from!]),
        vjp: (b, v, p) => b.node('lineT', [v, p.x(1)], [p.from!]),
      },
      null,
    ],
    lanewise: true,
  },
  lineT: {
    linear: [forwardOnly((b, v, p) => b.node('lineT', [v, p.x(1)], [p.from!])), null],
    lanewise: true,
  },
  lookup: {
    linear: [
      {
        jvp: (b, v, p) => b.node('lookup', [v, p.x(1)]),
        vjp: (b, v, p) => b.node('scatter', [v, p.x(1)], [p.lanes(0)]),
      },
      null,
    ],
  },
  scatter: {
    linear: [
      {
        jvp: (b, v, p) => b.node('scatter', [v, p.x(1)], [p.own]),
        vjp: (b, v, p) => b.node('lookup', [v, p.x(1)]),
      },
      null,
    ],
  },
  rwtable: {
    linear: [
      null,
      {
        jvp: (b, v, p) => b.node('rwtable', [b.filled(0, p.lanes(0)), v, p.x(2), p.x(3)]),
        vjp: (b, v, p) => b.node('rwtableT', [v, p.x(2), p.x(3)], [p.lanes(0)]),
      },
      null,
      null,
    ],
    lanewise: true,
  },
  rwtableT: {
    linear: [
      forwardOnly((b, v, p) => b.node('rwtableT', [v, p.x(1), p.x(2)], [p.from!])),
      null,
      null,
    ],
    lanewise: true,
  },
  sumScatter: {
    linearIn: (i) =>
      i % 2 === 0
        ? {
            jvp: (b, v, p) => b.node('sumScatter', [v, p.x(i + 1)], [p.own]),
            vjp: (b, v, p) => b.node('lookup', [v, p.x(i + 1)]),
          }
        : null,
  },

  cumulate: {
    linear: [{ jvp: (b, v) => b.node('cumulate', [v]), vjp: (b, v) => b.node('cumulateT', [v]) }],
  },
  cumulateT: {
    linear: [{ jvp: (b, v) => b.node('cumulateT', [v]), vjp: (b, v) => b.node('cumulate', [v]) }],
  },
  transport: {
    linear: [
      // The way back costs the same, so its slope with respect to b is that with respect to a.
      alongSlope((p) => [p.x(1), p.x(0), p.x(2)]),
      alongSlope((p) => [p.x(0), p.x(1), p.x(2)]),
      null,
    ],
  },
  transportSlope: { none: 'the slope of a transport is constant but for jumps' },

  add: [identity, identity],
  sub: [identity, negative],
  mul: [(b, v, p) => b.node('mul', [v, p.real(1)]), (b, v, p) => b.node('mul', [v, p.real(0)])],
  neg: [negative],
  abs: [
    (b, v, p) => {
      const zero = b.real(0);
      const x = p.real(0);
      const below = where(b, b.node('lt', [x, zero]), b.node('neg', [v]));
      return b.node('select', [b.node('gt', [x, zero]), v, below]);
    },
  ],
  min: [
    (b, v, p) => unless(b, b.node('lt', [p.x(1), p.x(0)]), v),
    (b, v, p) => where(b, b.node('lt', [p.x(1), p.x(0)]), v),
  ],
  max: [
    (b, v, p) => unless(b, b.node('lt', [p.x(0), p.x(1)]), v),
    (b, v, p) => where(b, b.node('lt', [p.x(0), p.x(1)]), v),
  ],
  div: [
    (b, v, p) => where(b, b.node('ne', [p.x(1), b.real(0)]), b.node('div', [v, p.x(1)])),
    (b, v, p) => {
      const slope = b.node('div', [b.node('neg', [p.y()]), p.x(1)]);
      return where(b, b.node('ne', [p.x(1), b.real(0)]), b.node('mul', [v, slope]));
    },
  ],
  sqrt: [
    (b, v, p) => {
      const half = b.node('mul', [b.real(0.5), v]);
      return where(b, b.node('gt', [p.y(), b.real(0)]), b.node('div', [half, p.y()]));
    },
  ],
  sin: [(b, v, p) => b.node('mul', [v, b.node('cos', [p.x(0)])])],
  cos: [(b, v, p) => b.node('neg', [b.node('mul', [v, b.node('sin', [p.x(0)])])])],
  tan: [(b, v, p) => b.node('mul', [v, b.node('add', [b.real(1), b.node('mul', [p.y(), p.y()])])])],
  atan2: [
    (b, v, p) => unlessAtOrigin(b, p, (size) => b.node('div', [b.node('mul', [v, p.x(1)]), size])),
    (b, v, p) =>
      unlessAtOrigin(b, p, (size) =>
        b.node('div', [b.node('neg', [b.node('mul', [v, p.x(0)])]), size]),
      ),
  ],
  exp: [(b, v, p) => b.node('mul', [v, p.y()])],
  exp2: [(b, v, p) => b.node('mul', [v, b.node('mul', [p.y(), b.real(Math.LN2)])])],
  ln: [(b, v, p) => where(b, b.node('gt', [p.x(0), b.real(0)]), b.node('div', [v, p.x(0)]))],
  tanh: [
    (b, v, p) => b.node('mul', [v, b.node('sub', [b.real(1), b.node('mul', [p.y(), p.y()])])]),
  ],
  floor: [null],
  ceil: [null],
  trunc: [null],
  rint: [null],
  toInt: [identity],
  toReal: [identity],

  and: NO_BITS,
  or: NO_BITS,
  xor: NO_BITS,
  shl: NO_BITS,
  shr: NO_BITS,
  rem: [identity, null],

  lt: ZERO,
  le: ZERO,
  gt: ZERO,
  ge: ZERO,
  eq: ZERO,
  ne: ZERO,
  select: [null, (b, v, p) => where(b, p.x(0), v), (b, v, p) => unless(b, p.x(0), v)],

  detach: [null],
  withSlope: [identity, (b, v, p) => b.node('mul', [v, p.x(2)]), null],
} as const satisfies { readonly [K in OpKind]: Derivative };

/** The row of an operation, its type widened. */
export const derivativeOf = (op: OpKind): Derivative => PARTIALS[op];

/** The maps of operand i of an operation: null where its derivative is zero or handled elsewhere. */
export function mapOf(op: OpKind, i: number): LinearMap | null {
  const row = derivativeOf(op);
  if ('structural' in row || 'none' in row) return null;
  if ('linear' in row) return row.linear[i] ?? null;
  if ('linearIn' in row) return row.linearIn(i);
  const partial = row[i];
  return partial ? { jvp: partial, vjp: partial } : null;
}

/** Adds two terms, either of which may be absent. */
export function plus(b: Builder, x: NodeId | null, y: NodeId | null): NodeId | null {
  if (x === null) return y;
  return y === null ? x : b.node('add', [x, y]);
}
