/**
 * One row per operation: its value against exact arithmetic, generated code against the interpreter
 * in vector, scalar and serial loops of either precision, and its derivative against a difference
 * quotient.
 */

import { describe, expect, test } from 'vitest';
import { PARTIALS, mapOf } from '../../dsp/ad/partials.ts';
import { jvp } from '../../dsp/ad/jvp.ts';
import { Interpreter } from '../../dsp/interpret/interpret.ts';
import type { Leaves } from '../../dsp/interpret/interpret.ts';
import { RULES, isValueOp } from '../../dsp/interpret/rules.ts';
import type { ValueOp } from '../../dsp/interpret/rules.ts';
import { Builder } from '../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../dsp/ir/graph.ts';
import { OPS, OP_KINDS } from '../../dsp/ir/ops.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { interpreterKernel } from '../../dsp/run/interpreter-kernel.ts';
import type { Precision } from '../../dsp/ir/program.ts';
import { PRECISIONS, assembled, exactInstance, plainProgram } from '../support/program.ts';
import { roundingOf } from '../support/seeds.ts';

interface Row {
  /** Operands and the exact result. */
  readonly values: readonly (readonly [readonly number[], number])[];
  readonly int?: readonly (readonly [readonly number[], number])[];
  /** Points where the derivative is compared with a difference quotient. */
  readonly smooth?: readonly (readonly number[])[];
  /** Points on a kink, with the documented derivative per operand. */
  readonly kinks?: readonly (readonly [readonly number[], readonly number[]])[];
  /** Largest error of generated code, in units in the last place. */
  readonly ulp?: number;
}

const MIN = -2147483648;
const POINTS = [
  [0.75, -0.5],
  [-1.25, 2],
  [3, 0.125],
] as const;

const ROWS: { readonly [K in ValueOp]: Row } = {
  add: {
    values: [[[1.5, 2.25], 3.75]],
    int: [
      [[2147483647, 1], MIN],
      [[-5, 3], -2],
    ],
    smooth: POINTS,
  },
  sub: { values: [[[1.5, 2.25], -0.75]], int: [[[MIN, 1], 2147483647]], smooth: POINTS },
  mul: { values: [[[1.5, -2], -3]], int: [[[65536, 65536], 0]], smooth: POINTS },
  neg: { values: [[[0], -0]], int: [[[MIN], MIN]], smooth: [[2]] },
  abs: {
    values: [
      [[-2.5], 2.5],
      [[-0], 0],
    ],
    int: [[[MIN], MIN]],
    smooth: [[2], [-3]],
    kinks: [[[0], [0]]],
  },
  min: {
    values: [
      [[1, 2], 1],
      [[2, 1], 1],
      [[1, NaN], 1],
    ],
    int: [[[-4, 3], -4]],
    smooth: POINTS,
    kinks: [
      [
        [1, 1],
        [1, 0],
      ],
    ],
  },
  max: {
    values: [
      [[1, 2], 2],
      [[2, 1], 2],
      [[1, NaN], 1],
    ],
    int: [[[-4, 3], 3]],
    smooth: POINTS,
    kinks: [
      [
        [1, 1],
        [1, 0],
      ],
    ],
  },
  div: {
    values: [
      [[1, 4], 0.25],
      [[1, 0], Infinity],
    ],
    smooth: POINTS,
    kinks: [
      [
        [1, 0],
        [0, 0],
      ],
    ],
  },
  sqrt: { values: [[[2.25], 1.5]], smooth: [[2], [0.01]], kinks: [[[0], [0]]] },
  sin: { values: [[[0], 0]], smooth: [[1], [-2.5], [3.1]], ulp: 2 },
  cos: { values: [[[0], 1]], smooth: [[1], [-2.5], [3.1]], ulp: 2 },
  tan: { values: [[[0], 0]], smooth: [[1], [-2.5], [0.1]], ulp: 4 },
  atan2: {
    values: [
      [[0, 0], 0],
      [[1, 0], Math.PI / 2],
      [[0, -1], Math.PI],
    ],
    smooth: POINTS,
    kinks: [
      [
        [0, 0],
        [0, 0],
      ],
    ],
    ulp: 4,
  },
  exp: { values: [[[0], 1]], smooth: [[1], [-2.5], [5]], ulp: 2 },
  exp2: { values: [[[3], 8]], smooth: [[1], [-2.5], [5]], ulp: 2 },
  ln: {
    values: [
      [[1], 0],
      [[-1], Math.log(2 ** -126)],
    ],
    smooth: [[1], [0.01], [30]],
    kinks: [
      [[0], [0]],
      [[-1], [0]],
    ],
    ulp: 2,
  },
  tanh: { values: [[[0], 0]], smooth: [[0.1], [-2.5], [0.625]], ulp: 3 },
  floor: { values: [[[-1.5], -2]], kinks: [[[1], [0]]] },
  ceil: { values: [[[-1.5], -1]], kinks: [[[1], [0]]] },
  trunc: { values: [[[-1.5], -1]], kinks: [[[1], [0]]] },
  rint: {
    values: [
      [[2.5], 2],
      [[3.5], 4],
      [[-0.6], -1],
    ],
    kinks: [[[0.5], [0]]],
  },
  toInt: {
    values: [
      [[2.9], 2],
      [[-2.9], -2],
      [[NaN], 0],
      [[1e20], 2147483647],
      [[-1e20], MIN],
    ],
    kinks: [[[2.5], [1]]],
  },
  toReal: { values: [], int: [[[-7], -7]] },
  and: { values: [], int: [[[12, 10], 8]] },
  or: { values: [], int: [[[12, 10], 14]] },
  xor: { values: [], int: [[[12, 10], 6]] },
  shl: { values: [], int: [[[3, 33], 6]] },
  shr: { values: [], int: [[[-8, 1], -4]] },
  rem: {
    values: [],
    int: [
      [[-7, 3], -1],
      [[7, -3], 1],
      [[7, 0], 7],
      [[-(2 ** 31), -1], 0],
    ],
  },
  lt: comparison([0, 0, 1]),
  le: comparison([0, 1, 1]),
  gt: comparison([1, 0, 0]),
  ge: comparison([1, 1, 0]),
  eq: comparison([0, 1, 0]),
  ne: comparison([1, 0, 1]),
  select: { values: [], kinks: [] },
  detach: { values: [[[1.5], 1.5]], int: [[[-7], -7]], kinks: [[[1.5], [0]]] },
  withSlope: {
    values: [[[1.5, 2, -3], 1.5]],
    kinks: [
      [
        [1.5, 2, -3],
        [1, -3, 0],
      ],
    ],
  },
};

/** Results for a > b, a = b, a < b. */
function comparison([greater, equal, less]: readonly [number, number, number]): Row {
  const values = [
    [[2, 1], greater],
    [[1, 1], equal],
    [[1, 2], less],
  ] as const;
  return {
    values,
    int: values,
    kinks: [
      [
        [1, 1],
        [0, 0],
      ],
    ],
  };
}

const valueOps = OP_KINDS.filter(isValueOp);
const SIZES = { inputs: 3, sliders: 0, params: 3 };
const FRAMES = 23;
const SPECIAL = [0, -0, 1, -1, 0.5, 1e-38, -1e30, 3.5, -7.25, 100, 1 / 3, -0.1];
/** Frames whose first input is huge. */
const FAR = SPECIAL.indexOf(-1e30);

/** op(in₀, in₁, in₂) with int operands made by truncation. */
function signalGraph(op: ValueOp, int: boolean, serial: boolean): Graph {
  const b = new Builder('stream');
  const operands = [0, 1, 2].slice(0, OPS[op].arity).map((channel) => {
    const x = b.node('input', [], [channel]);
    return int ? b.node('toInt', [x]) : x;
  });
  if (op === 'select') operands[0] = b.node('gt', [b.node('input', [], [2]), b.real(0)]);
  let y = b.asReal(b.node(op, operands));
  if (serial) {
    // A recursion around the operation keeps it in a serial loop: 0 · past + x.
    const past = b.feedback('real', 1);
    const x = b.node('add', [b.node('input', [], [0]), b.node('mul', [past, b.real(0)])]);
    const first = int ? b.node('toInt', [x]) : x;
    const args =
      op === 'select' ? [operands[0]!, first, operands[2]!] : [first, ...operands.slice(1)];
    y = b.asReal(b.node(op, args));
    b.close(past, b.node('select', [b.node('eq', [y, y]), y, b.real(0)]));
  }
  return b.finish([{ name: 'out:0', node: y }]);
}

function run(instance: Instance): number[] {
  instance.inputs.forEach((channel, c) => {
    for (let n = 0; n < FRAMES; n++) {
      const x = SPECIAL[(n * (c + 1) + c) % SPECIAL.length]!;
      channel[n] = Math.fround(n < SPECIAL.length ? x : x * 1.7);
    }
  });
  instance.process(FRAMES);
  return Array.from(instance.outputs[0]!.slice(0, FRAMES));
}

const ulps = (a: number, b: number, precision: Precision): number => {
  if (Object.is(a, b) || a === b) return 0;
  const place = Math.max(2 ** -126, 2 ** Math.floor(Math.log2(Math.abs(b))));
  return Math.abs(a - b) / ((precision === 'single' ? 2 ** -23 : 2 ** -52) * place);
};

describe.each(valueOps)('%s', (op) => {
  const row = ROWS[op];
  const takesInt = OPS[op].signature === 'int→int' || OPS[op].signature === 'int→real';
  const kinds = [
    ...(takesInt ? [] : [false]),
    ...(takesInt || row.int !== undefined ? [true] : []),
  ];

  test('has the exact value', () => {
    for (const [args, value] of row.values) {
      expect(RULES[op].real(args[0]!, args[1] ?? 0, args[2] ?? 0)).toBe(value);
    }
    for (const [args, value] of row.int ?? []) {
      expect(RULES[op].int(args[0]!, args[1] ?? 0, args[2] ?? 0)).toBe(value);
    }
  });

  for (const int of kinds) {
    const loops = [false, true].flatMap((serial) =>
      PRECISIONS.map((precision) => ({ serial, precision })),
    );
    for (const { serial, precision } of loops) {
      test(`runs as generated code on ${int ? 'ints' : 'reals'} in a ${serial ? 'serial' : 'vector'} loop, in ${precision} precision`, () => {
        const program = { ...plainProgram(signalGraph(op, int, serial), SIZES), precision };
        const kernel = interpreterKernel(program, 32, roundingOf(precision));
        const code = run(exactInstance(program, 32));
        const oracle = run(new Instance(assembled(program, 32), kernel));
        code.forEach((x, n) => {
          const y = oracle[n]!;
          if (Number.isNaN(y) || Math.abs(y) < 1e-30) return;
          if (row.ulp !== undefined) {
            if (op === 'sin' || op === 'cos') expect(Math.abs(x)).toBeLessThanOrEqual(1);
            expect(Number.isFinite(x)).toBe(true);
            if (!Number.isFinite(y) || Math.abs(y) > 2e38) return;
            // Beyond its range the argument reduction loses precision; near a zero ULPs are large.
            if (n % SPECIAL.length === FAR || Math.abs(y) < 1e-3) return;
          }
          expect(ulps(x, y, precision), `frame ${n}: ${x} against ${y}`).toBeLessThanOrEqual(
            row.ulp ?? 0,
          );
        });
      });
    }
  }

  if (row.smooth !== undefined) {
    test('has the slope that a difference quotient measures', () => {
      for (const point of row.smooth!) {
        point.forEach((_, k) => {
          const h = 1e-6;
          const moved = (by: number): number => {
            const args = point.map((x, i) => (i === k ? x + by : x));
            return RULES[op].real(args[0]!, args[1] ?? 0, args[2] ?? 0);
          };
          const slope = (moved(h) - moved(-h)) / (2 * h);
          const off = Math.abs(tangentAt(op, point, k) - slope);
          expect(off).toBeLessThan(1e-7 * Math.max(1, Math.abs(slope)));
        });
      }
    });
  }
  if ((row.kinks?.length ?? 0) > 0) {
    test('has the documented derivative on its kink', () => {
      for (const [point, slopes] of row.kinks!) {
        slopes.forEach((slope, k) => expect(tangentAt(op, point, k)).toBe(slope));
      }
      expect((OPS[op] as { convention?: string }).convention).toBeDefined();
    });
  }
});

/** ∂op/∂xₖ at a point, by forward mode. */
function tangentAt(op: ValueOp, point: readonly number[], k: number): number {
  const b = new Builder('stream');
  const params = point.map((_, i) => b.node('param', [], [i]));
  const y = b.node(op, params);
  const graph = b.finish([{ name: 'out:0', node: b.asReal(y) }]);
  const forward = Builder.from(graph);
  const active = new Set<NodeId>([params[k]!, y]);
  if (mapOf(op, k) === null) active.delete(y);
  const seed = new Map([[params[k]!, forward.real(1)]]);
  const tangent = jvp(forward, graph, seed, active).get(y) ?? forward.real(0);
  const machine = new Interpreter(forward.finish([{ name: 'tangent', node: tangent }]));
  const nothing = (): number => 0;
  const leaves: Leaves = {
    input: nothing,
    slider: nothing,
    scalar: nothing,
    tape: nothing,
    param: (i) => point[i]!,
  };
  return machine.run(leaves, 1).get('tangent')![0]!;
}

test('select passes the gradient to the chosen side only', () => {
  const b = new Builder('stream');
  const [x, y] = [b.node('param', [], [0]), b.node('param', [], [1])];
  const condition = b.node('gt', [b.node('input', [], [0]), b.real(0)]);
  const rule = PARTIALS.select;
  const primal = {
    x: (i: number) => [condition, x, y][i]!,
    real: (i: number) => [condition, x, y][i]!,
    y: () => x,
    lanes: () => 1,
    own: 1,
    from: undefined,
  };
  const v = b.real(1);
  expect(b.nodes[rule[1](b, v, primal)]!.args).toEqual([condition, v, b.real(0)]);
  expect(b.nodes[rule[2](b, v, primal)]!.args).toEqual([condition, b.real(0), v]);
});

test('every operation that a patch may use has a one-line description', () => {
  for (const op of valueOps) expect(OPS[op].doc.length).toBeGreaterThan(1);
});
