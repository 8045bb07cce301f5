/**
 * Inlined functions against the double-precision ones of JavaScript, over their whole range: the
 * error bounds that `dsp/wasm/maths.ts` states, in units in the last place of either precision. Those
 * of JavaScript are off by up to one place of double precision themselves.
 */

import { describe, expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import { OPS } from '../../../dsp/ir/ops.ts';
import type { Precision } from '../../../dsp/ir/program.ts';
import type { PlainOp } from '../../../dsp/patch/names.ts';
import type { Instance } from '../../../dsp/run/instance.ts';
import { PRECISIONS, exactInstance, plainProgram } from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';

const BLOCK = 4096;
const POINTS = 64 * BLOCK;

interface Bound {
  readonly op: PlainOp;
  readonly exact: (x: number, y: number) => number;
  /** Points to try, from uniform numbers in [0, 1). */
  readonly point: (u: number, v: number) => readonly [number, number];
  readonly ulp: number;
  /** In double precision, one place of JavaScript's own included. */
  readonly double: number;
  /** Results smaller than this are compared with the last place of this instead. */
  readonly from?: number;
}

const spread = (u: number, from: number, to: number): number => from + u * (to - from);
/** Over all magnitudes from 2^low to 2^high. */
const magnitude = (u: number, low: number, high: number): number => 2 ** spread(u, low, high);
const sign = (v: number): number => (v < 0.5 ? -1 : 1);

const BOUNDS: readonly Bound[] = [
  { op: 'exp', exact: Math.exp, point: (u) => [spread(u, -87, 88), 0], ulp: 1.2, double: 1.5 },
  {
    op: 'exp',
    exact: Math.exp,
    point: (u, v) => [sign(v) * magnitude(u, -40, 0), 0],
    ulp: 1.2,
    double: 1.5,
  },
  {
    op: 'exp2',
    exact: (x) => 2 ** x,
    point: (u) => [spread(u, -125, 127), 0],
    ulp: 1.2,
    double: 1.5,
  },
  { op: 'ln', exact: Math.log, point: (u) => [magnitude(u, -125, 127), 0], ulp: 1, double: 1.5 },
  { op: 'ln', exact: Math.log, point: (u) => [spread(u, 0.5, 2), 0], ulp: 1, double: 1.5 },
  { op: 'tanh', exact: Math.tanh, point: (u) => [spread(u, -12, 12), 0], ulp: 6, double: 4.5 },
  {
    op: 'tanh',
    exact: Math.tanh,
    point: (u, v) => [sign(v) * magnitude(u, -60, 3), 0],
    ulp: 6,
    double: 4.5,
  },
  { op: 'tan', exact: Math.tan, point: (u) => [spread(u, -1.5, 1.5), 0], ulp: 3.5, double: 3.5 },
  {
    op: 'tan',
    exact: Math.tan,
    point: (u) => [spread(u, -100, 100), 0],
    ulp: 4,
    double: 3.5,
    from: 1e-2,
  },
  {
    op: 'sin',
    exact: Math.sin,
    point: (u) => [spread(u, -100, 100), 0],
    ulp: 1.3,
    double: 1.5,
    from: 1,
  },
  {
    op: 'cos',
    exact: Math.cos,
    point: (u) => [spread(u, -100, 100), 0],
    ulp: 1.3,
    double: 1.5,
    from: 1,
  },
  {
    op: 'sin',
    exact: Math.sin,
    point: (u) => [spread(u, -2.5e4, 2.5e4), 0],
    ulp: 13,
    double: 1.5,
    from: 1,
  },
  {
    op: 'atan2',
    exact: Math.atan2,
    point: (u, v) => [sign(u) * magnitude((2 * u) % 1, -20, 20), spread(v, -3, 3)],
    ulp: 3,
    double: 2.5,
  },
  {
    op: 'atan2',
    exact: Math.atan2,
    point: (u, v) => [spread(u, -1, 1), spread(v, -1, 1)],
    ulp: 3,
    double: 2.5,
  },
];

/** An operation of one or two inputs; the scalar form is held to the vector's bits elsewhere. */
function instanceOf(op: PlainOp, precision: Precision = 'single'): Instance {
  const b = new Builder('stream');
  // A device is single: the sum of two numbers from it has all the places of a double.
  const operands = [0, 1].map((k) => {
    const [high, low] = [b.node('input', [], [k]), b.node('input', [], [2 + k])];
    return precision === 'single' ? high : b.node('add', [high, low]);
  });
  const y = b.node(op, operands.slice(0, OPS[op].arity));
  const graph = b.finish([{ name: 'out:0', node: y }]);
  const sizes = { inputs: 4, sliders: 0, params: 0 };
  return exactInstance({ ...plainProgram(graph, sizes), precision }, BLOCK);
}

const PLACES = { single: 23, double: 52 } as const;

describe.each(BOUNDS.map((b, k) => [`${b.op} (${k})`, b] as const))('%s', (_, bound) => {
  test.each([
    ['single', bound.ulp],
    ['double', bound.double],
  ] as const)('in %s precision is within %f ULP', (precision, most) => {
    const instance = instanceOf(bound.op, precision);
    const placeOf = (y: number): number =>
      2 ** (Math.floor(Math.log2(Math.abs(y))) - PLACES[precision]);
    const next = random(1);
    let worst = 0;
    let where: readonly number[] = [];
    for (let block = 0; block < POINTS / BLOCK; block++) {
      for (let n = 0; n < BLOCK; n++) {
        bound.point(next(), next()).forEach((x, k) => {
          instance.inputs[k]![n] = x;
          instance.inputs[2 + k]![n] = x - instance.inputs[k]![n]!;
        });
      }
      instance.process(BLOCK);
      for (let n = 0; n < BLOCK; n++) {
        const [high, also, low, lower] = instance.inputs.map((channel) => channel[n]!) as [
          number,
          number,
          number,
          number,
        ];
        const [x, y] = precision === 'single' ? [high, also] : [high + low, also + lower];
        const exact = bound.exact(x, y);
        if (Math.abs(exact) < 2 ** -126) continue;
        const place = Math.max(placeOf(exact), placeOf(bound.from ?? 2 ** -126));
        const off = Math.abs(instance.outputs[0]![n]! - exact) / place;
        if (!(off <= worst)) [worst, where] = [off, [x, y, exact, instance.outputs[0]![n]!]];
      }
    }
    expect(worst, where.join(' ')).toBeLessThan(most);
  });
});

test('no function makes a NaN or an infinity from a finite number', () => {
  const wild = [0, -0, 1, -1, 1e-45, -1e-45, 1e38, -1e38, 3.4e38, -3.4e38, 1.5707964, 88.8, -104];
  const ops = ['exp', 'exp2', 'ln', 'tanh', 'tan', 'sin', 'cos', 'atan2'] as const;
  const each = ops.flatMap((op) => PRECISIONS.map((precision) => ({ op, precision })));
  for (const { op, precision } of each) {
    const instance = instanceOf(op, precision);
    wild.forEach((x, i) => {
      wild.forEach((y, k) => {
        instance.inputs[0]![i * wild.length + k] = x;
        instance.inputs[1]![i * wild.length + k] = y;
      });
    });
    instance.process(wild.length ** 2);
    for (let n = 0; n < wild.length ** 2; n++) {
      const said = `${op}(${instance.inputs[0]![n]}, ${instance.inputs[1]![n]})`;
      expect(Number.isFinite(instance.outputs[0]![n]!), said).toBe(true);
    }
  }
});
