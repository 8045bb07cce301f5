/**
 * Nodes of a patch that make, take apart or mix the lanes of vectors, and the layers of neural
 * networks: their fields, how many operands they take, how many lanes these must have, and what they
 * become. Frames and spectra, in `frames.ts`, and what learns from them, in `tracking.ts`, are rows of the
 * same table.
 *
 * Invariant: what `misfit` lets through, `build` can build. Operations that work lane by lane are not
 * here: they take vectors as they are.
 */

import { z } from 'zod';
import { ACTIVATION_NAMES, extremeLane, gated, softmax } from '../blocks/activations.ts';
import { conv1d, dense } from '../blocks/layers.ts';
import { gru, lstm, simpleRnn } from '../blocks/recurrent.ts';
import type { NodeId } from '../ir/graph.ts';
import { FRAME_OPS, FRAME_SCHEMAS } from './frames.ts';
import { number } from './operand.ts';
import { MAX_SIZE } from './params.ts';
import {
  MAX_FRAME,
  MAX_LANES,
  MAX_PARTS,
  fitsAll,
  laneNode as node,
  lanesSchema as lanes,
  wants,
} from './rule.ts';
import type { LaneRule, Misfit } from './rule.ts';
import { TRACKING_OPS, TRACKING_SCHEMAS } from './tracking.ts';

/** Of frames too: `lanes.ts` knows what is one. */
const long = z
  .number()
  .int()
  .min(1)
  .max(MAX_FRAME + 2);
const activation = z.enum(ACTIVATION_NAMES).optional();

export const VECTOR_SCHEMAS = [
  /** A constant vector. */
  z.strictObject({ op: z.literal('vector'), values: z.array(number).min(1).max(MAX_SIZE) }),
  node('concat', {}),
  node('slice', { from: z.number().int().min(0).max(MAX_SIZE), lanes: long }),
  node('splat', { lanes: long }),
  node('sumLanes', {}),
  node('maxLanes', {}),
  node('minLanes', {}),
  node('dot', {}),
  node('matvec', {}),
  node('matvecT', {}),
  node('outer', {}),
  node('softmax', {}),
  node('gated', { activation }),
  node('dense', { units: lanes, activation }),
  node('conv1d', {
    units: lanes,
    taps: z.number().int().min(1).max(MAX_LANES),
    dilation: z
      .number()
      .int()
      .min(1)
      .max(2 ** 20)
      .optional(),
    activation,
  }),
  node('rnn', { units: lanes, activation }),
  node('lstm', { units: lanes }),
  node('gru', { units: lanes }),
  ...FRAME_SCHEMAS,
  ...TRACKING_SCHEMAS,
] as const;

export type VectorNode = z.infer<(typeof VECTOR_SCHEMAS)[number]>;
export type VectorOp = VectorNode['op'];
type NodeOf<Op extends VectorOp> = Extract<VectorNode, { op: Op }>;

/** A bias: a lane for each output, or one number for all. */
const wantsBias = (x: readonly number[], k: number, outputs: number): Misfit | null =>
  x[k] === 1 ? null : wants(x, k, outputs, 'one per output');

const multiple = (x: readonly number[]): Misfit | null =>
  x[0]! % x[1]! === 0
    ? null
    : { operand: 0, expected: `a multiple of the ${x[1]!} lanes of in[1], a matrix` };

const quotient = (x: readonly (number | undefined)[]): number | undefined =>
  x[0] === undefined || x[1] === undefined ? undefined : Math.floor(x[0] / x[1]);

const recurrentMisfit =
  (gates: number) =>
  ({ units }: { readonly units: number }, x: readonly number[]): Misfit | null => {
    const outputs = gates * units;
    const each = gates === 1 ? 'units' : `${gates} gates · ${units} units`;
    return (
      wants(x, 1, x[0]! * outputs, `${x[0]} inputs · ${each}`) ??
      wants(x, 2, units * outputs, `${units} units · ${each}`) ??
      wantsBias(x, 3, outputs) ??
      wantsBias(x, 4, outputs)
    );
  };

const weightsOf = ([, kernel, recurrent, bias = null]: readonly (NodeId | null)[]) => ({
  kernel: kernel as NodeId,
  recurrent: recurrent as NodeId,
  bias,
});

export const VECTOR_OPS: { readonly [Op in VectorOp]: LaneRule<NodeOf<Op>> } = {
  vector: {
    operands: [],
    fields: '`values`: a list of numbers',
    doc: 'a constant vector',
    lanes: ({ values }) => values.length,
    misfit: fitsAll,
    build: (b, { values }) => b.node('const', [], values),
  },
  concat: {
    operands: ['a', '…'],
    doc: `the lanes of up to ${MAX_PARTS} operands, one after the other`,
    lanes: (_, x) =>
      x.reduce((sum, n) => (sum === undefined || n === undefined ? undefined : sum + n), 0),
    misfit: fitsAll,
    build: (b, _, x) => b.node('concat', x),
  },
  slice: {
    operands: ['a'],
    fields: '`from`, counted from 0; `lanes`',
    doc: '`lanes` lanes of a',
    lanes: (n) => n.lanes,
    misfit: ({ from, lanes: count }, [a]) =>
      from + count <= a! ? null : { operand: 0, expected: `at least ${from + count} lanes` },
    build: (b, { from, lanes: count }, x) =>
      // All of it is itself, a number too.
      count === b.shape(x[0]!) ? x[0]! : b.node('slice', x, [from, count]),
  },
  splat: {
    operands: ['a'],
    fields: '`lanes`',
    doc: 'a number in every lane',
    lanes: (n) => n.lanes,
    misfit: (_, x) => wants(x, 0, 1, 'a number'),
    build: (b, { lanes: count }, x) => b.asLanes(x[0]!, count),
  },
  sumLanes: {
    operands: ['a'],
    doc: 'the sum of all lanes',
    lanes: () => 1,
    misfit: fitsAll,
    build: (b, _, x) => b.node('laneSum', x),
  },
  maxLanes: {
    operands: ['a'],
    doc: 'the largest lane; the gradient goes to it, of several alike to one of them',
    lanes: () => 1,
    misfit: fitsAll,
    build: (b, _, x) => extremeLane(b, x[0]!, 'max'),
  },
  minLanes: {
    operands: ['a'],
    doc: 'the smallest lane; the gradient goes to it, of several alike to one of them',
    lanes: () => 1,
    misfit: fitsAll,
    build: (b, _, x) => extremeLane(b, x[0]!, 'min'),
  },
  dot: {
    operands: ['a', 'b'],
    doc: 'the sum over the lanes of a · b',
    lanes: () => 1,
    misfit: (_, x) => wants(x, 1, x[0]!, 'as in[0]'),
    build: (b, _, x) => b.node('laneSum', [b.node('mul', x)]),
  },
  matvec: {
    operands: ['matrix', 'x'],
    doc: 'the matrix times x; element (r, k) is lane k · rows + r',
    lanes: (_, x) => quotient(x),
    misfit: (_, x) => multiple(x),
    build: (b, _, x) => b.node('matvec', x),
  },
  matvecT: {
    operands: ['matrix', 'y'],
    doc: 'the same matrix, transposed, times y',
    lanes: (_, x) => quotient(x),
    misfit: (_, x) => multiple(x),
    build: (b, _, x) => b.node('matvecT', x),
  },
  outer: {
    operands: ['a', 'b'],
    doc: 'the matrix a·bᵀ',
    lanes: (_, [a, b]) => (a === undefined || b === undefined ? undefined : a * b),
    misfit: fitsAll,
    build: (b, _, x) => b.node('outer', x),
  },
  softmax: {
    operands: ['a'],
    doc: 'eᵃ over its sum of all lanes',
    lanes: (_, [a]) => a,
    misfit: fitsAll,
    build: (b, _, x) => softmax(b, x[0]!),
  },
  gated: {
    operands: ['a'],
    fields: '`activation`, `tanh` if not given',
    doc: 'the activation of the first half of the lanes times the sigmoid of the second',
    lanes: (_, [a]) => (a === undefined ? undefined : Math.ceil(a / 2)),
    misfit: (_, [a]) => (a! % 2 === 0 ? null : { operand: 0, expected: 'an even number of lanes' }),
    build: (b, { activation: f }, x) => gated(b, x[0]!, f),
  },
  dense: {
    operands: ['x', 'weights', '[bias]'],
    fields: '`units`; `activation`',
    doc: 'activation(weights · x + bias); weights [inputs][units]',
    lanes: ({ units }) => units,
    misfit: ({ units }, x) =>
      wants(x, 1, x[0]! * units, `${x[0]} inputs · ${units} units`) ?? wantsBias(x, 2, units),
    build: (b, { activation: f }, [x, w, c = null]) => dense(b, x!, w!, c, f),
  },
  conv1d: {
    operands: ['x', 'weights', '[bias]'],
    fields: '`units`; `taps`; `dilation`, 1 if not given; `activation`',
    doc: 'causal convolution over time; weights [taps][inputs][units], the last tap is the newest frame',
    lanes: ({ units }) => units,
    misfit: ({ units, taps }, x) =>
      wants(x, 1, taps * x[0]! * units, `${taps} taps · ${x[0]} inputs · ${units} units`) ??
      wantsBias(x, 2, units),
    build: (b, { taps, dilation = 1, activation: f }, [x, w, c = null]) =>
      conv1d(b, x!, w!, c, { taps, dilation }, f),
  },
  rnn: {
    operands: ['x', 'kernel', 'recurrent', '[bias]'],
    fields: '`units`; `activation`, `tanh` if not given',
    doc: 'h = activation(kernel · x + recurrent · h′ + bias), h′ the last h',
    lanes: ({ units }) => units,
    misfit: recurrentMisfit(1),
    build: (b, { activation: f }, x) => simpleRnn(b, x[0]!, weightsOf(x), f),
  },
  lstm: {
    operands: ['x', 'kernel', 'recurrent', '[bias]'],
    fields: '`units`',
    doc: 'long short-term memory; kernel [inputs][4·units], recurrent [units][4·units], bias [4·units], gates i, f, g, o',
    lanes: ({ units }) => units,
    misfit: recurrentMisfit(4),
    build: (b, _, x) => lstm(b, x[0]!, weightsOf(x)),
  },
  gru: {
    operands: ['x', 'kernel', 'recurrent', '[bias]', '[recurrentBias]'],
    fields: '`units`',
    doc: 'gated recurrent unit, reset after the product; kernel [inputs][3·units], recurrent [units][3·units], biases [3·units], gates z, r, h',
    lanes: ({ units }) => units,
    misfit: recurrentMisfit(3),
    build: (b, _, x) => gru(b, x[0]!, weightsOf(x), x[4] ?? null),
  },
  ...FRAME_OPS,
  ...TRACKING_OPS,
};

export const VECTOR_OP_NAMES = Object.keys(VECTOR_OPS) as readonly VectorOp[];

export const isVectorOp = (op: string): op is VectorOp => Object.hasOwn(VECTOR_OPS, op);

/** Is it a vector of numbers that are written in the patch? */
export const isConstant = (op: string): boolean =>
  isVectorOp(op) && VECTOR_OPS[op].operands.length === 0;

/** The row of a node's operation, its type narrowed to the node's. */
export const ruleOf = <Op extends VectorOp>({ op }: { readonly op: Op }): LaneRule<NodeOf<Op>> =>
  VECTOR_OPS[op];

/** Fewest and most operands of an operation. */
export function operandRange(op: VectorOp): readonly [number, number] {
  const { operands: names } = VECTOR_OPS[op];
  if (names.includes('…')) return [1, MAX_PARTS];
  return [names.filter((name) => !name.startsWith('[')).length, names.length];
}
