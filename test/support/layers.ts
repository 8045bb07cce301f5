/**
 * Neural layers in the tests: PyTorch's reference values, its weights in our layout, and what a
 * vector computes done number by number.
 */

import { Builder } from '../../dsp/ir/builder.ts';
import type { NodeId } from '../../dsp/ir/graph.ts';
import { optimise } from '../../dsp/passes/pipeline.ts';
import { TORCH_LAYERS } from '../dsp/blocks/torch.ts';
import { plainProgram } from './program.ts';
import { both, play } from './vectors.ts';
import type { Run } from './vectors.ts';

export type Layer = keyof typeof TORCH_LAYERS;

/** What is said of a layer, and its parameters as PyTorch holds them, flat. */
export function reference(layer: Layer) {
  const given = TORCH_LAYERS[layer];
  let k = 0;
  const params = given.shapes.map((shape: readonly number[]) =>
    Array.from({ length: shape.reduce((n, m) => n * m, 1) }, () => 0.3 * Math.sin(++k)),
  );
  return { ...given, params };
}

/** The input of all of them. */
export const REFERENCE_RUN: Run = { frames: 64, blocks: [16], input: (_, t) => Math.cos(0.3 * t) };

/** Row-major [rows][columns] → column-major: what comes last in memory is the row. */
export function transposed(values: readonly number[], rows: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, lane) => {
    const [k, r] = [Math.floor(lane / rows), lane % rows];
    return values[r * columns + k]!;
  });
}

/** Blocks of `size` numbers in another order. */
export const reordered = (values: readonly number[], size: number, order: readonly number[]) =>
  order.flatMap((k) => values.slice(k * size, (k + 1) * size));

/** Lanes of what `write` makes, [lane][frame], by generated code and in double precision. */
export function lanesOf(
  write: (b: Builder) => NodeId,
  params: readonly number[],
  run: Run,
): { code: number[][]; exact: number[][] } {
  const b = new Builder('stream');
  const made = write(b);
  const lanes = Array.from({ length: b.shape(made) }, (_, k) =>
    b.shape(made) === 1 ? made : b.node('slice', [made], [k, 1]),
  );
  const graph = optimise(b.finish(lanes.map((node, k) => ({ name: `out:${k}`, node }))));
  const program = plainProgram(graph, { inputs: 2, sliders: 1, params: params.length });
  const { code, oracle } = both(program, 16, (x) => x);
  code.params.set(params);
  oracle.params.set(params);
  return { code: play(code, run), exact: play(oracle, run) };
}

/** A vector as its numbers. */
export const apart = (b: Builder, v: NodeId): NodeId[] =>
  Array.from({ length: b.shape(v) }, (_, k) =>
    b.shape(v) === 1 ? v : b.node('slice', [v], [k, 1]),
  );

export const sum = (b: Builder, terms: readonly NodeId[]): NodeId =>
  terms.reduce((all, term) => b.node('add', [all, term]));

/** W·x number by number. */
export function product(b: Builder, matrix: readonly NodeId[], x: readonly NodeId[]): NodeId[] {
  const rows = matrix.length / x.length;
  return Array.from({ length: rows }, (_, r) =>
    sum(
      b,
      x.map((xk, k) => b.node('mul', [matrix[k * rows + r]!, xk])),
    ),
  );
}

/** Parameters of the bank, one by one. */
export const numbersAt = (b: Builder, from: number, count: number): NodeId[] =>
  Array.from({ length: count }, (_, k) => b.node('param', [], [from + k]));

/** The mean over lanes of squares: what the reference's loss is the mean of over time. */
export const meanSquare = (b: Builder, v: NodeId): NodeId =>
  b.node('mul', [b.node('laneSum', [b.node('mul', [v, v])]), b.real(1 / b.shape(v))]);
