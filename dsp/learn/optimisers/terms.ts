/**
 * The words that optimisers are written in: arithmetic on the lanes of a vector, and averages that
 * forget.
 *
 * Invariant: each is exactly what it names. A number meets a vector in every lane.
 */

import type { Builder } from '../../ir/builder.ts';
import type { NodeId } from '../../ir/graph.ts';

/**
 * Added and taken away again: what is below 1e-296 vanishes, all from 1e-264 on keeps its bits. Far
 * below lie the numbers that a processor computes slowly, where a decay in silence would stay.
 */
const FLOOR = 1e-280;

export interface Terms {
  readonly real: (value: number) => NodeId;
  readonly add: (x: NodeId, y: NodeId) => NodeId;
  readonly sub: (x: NodeId, y: NodeId) => NodeId;
  readonly mul: (x: NodeId, y: NodeId) => NodeId;
  readonly div: (x: NodeId, y: NodeId) => NodeId;
  readonly max: (x: NodeId, y: NodeId) => NodeId;
  readonly min: (x: NodeId, y: NodeId) => NodeId;
  readonly abs: (x: NodeId) => NodeId;
  readonly sqrt: (x: NodeId) => NodeId;
  readonly square: (x: NodeId) => NodeId;
  /** −1, 0 or 1. */
  readonly sign: (x: NodeId) => NodeId;
  readonly choose: (condition: NodeId, yes: NodeId, no: NodeId) => NodeId;
  /** keep · past + (1 − keep) · x */
  readonly average: (past: NodeId, x: NodeId, keep: number) => NodeId;
  /** x, or 0 where it is too small to count. */
  readonly counted: (x: NodeId) => NodeId;
}

export function termsOf(b: Builder): Terms {
  const real = (value: number): NodeId => b.real(value);
  const add = (x: NodeId, y: NodeId): NodeId => b.node('add', [x, y]);
  const sub = (x: NodeId, y: NodeId): NodeId => b.node('sub', [x, y]);
  const mul = (x: NodeId, y: NodeId): NodeId => b.node('mul', [x, y]);
  const choose = (condition: NodeId, yes: NodeId, no: NodeId): NodeId =>
    b.node('select', [condition, yes, no]);
  const counted = (x: NodeId): NodeId => sub(add(x, real(FLOOR)), real(FLOOR));
  return {
    real,
    add,
    sub,
    mul,
    choose,
    counted,
    div: (x, y) => b.node('div', [x, y]),
    max: (x, y) => b.node('max', [x, y]),
    min: (x, y) => b.node('min', [x, y]),
    abs: (x) => b.node('abs', [x]),
    sqrt: (x) => b.node('sqrt', [x]),
    square: (x) => mul(x, x),
    sign: (x) =>
      choose(
        b.node('gt', [x, real(0)]),
        real(1),
        choose(b.node('lt', [x, real(0)]), real(-1), real(0)),
      ),
    average: (past, x, keep) => counted(add(mul(past, real(keep)), mul(x, real(1 - keep)))),
  };
}
