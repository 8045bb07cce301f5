/**
 * No gradient is a NaN: every operation and function at 0, at the smallest and at large numbers, in
 * every combination of operands, in both modes, as generated code. A side that a choice did not take
 * counts too: 0 times an infinite slope is a NaN.
 */

import { describe, expect, test } from 'vitest';
import { activity } from '../../dsp/ad/active.ts';
import { jvp } from '../../dsp/ad/jvp.ts';
import { derivativeOf } from '../../dsp/ad/partials.ts';
import { vjp } from '../../dsp/ad/vjp.ts';
import { isValueOp } from '../../dsp/interpret/rules.ts';
import { Builder } from '../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../dsp/ir/graph.ts';
import { OPS, OP_KINDS } from '../../dsp/ir/ops.ts';
import { gradientName, tapeName } from '../../dsp/ir/program.ts';
import { SGD } from '../../dsp/learn/optimisers/table.ts';
import { updateGraph } from '../../dsp/learn/optimisers/update.ts';
import { FUNCTIONS, FUNCTION_NAMES, buildOf } from '../../dsp/patch/functions.ts';
import type { FunctionName } from '../../dsp/patch/functions.ts';
import { FILTERS } from '../../dsp/patch/filters.ts';
import { OSCILLATORS } from '../../dsp/patch/oscillators.ts';
import type { Instance } from '../../dsp/run/instance.ts';
import { wasmKernel } from '../../dsp/run/wasm-kernel.ts';
import { assembled, compiledInstance, plainProgram } from '../support/program.ts';

/** Smallest normal number, small, large: squares of the last are still single-precision numbers. */
const POINTS = [0, -0, 2 ** -126, -(2 ** -126), 1e-20, -1e-20, 1, -1, 1e18, -1e18];

interface Subject {
  readonly name: string;
  readonly arity: number;
  readonly build: (b: Builder, operands: readonly NodeId[]) => NodeId;
}

const realOps = OP_KINDS.filter(isValueOp).filter((op) => {
  const row = derivativeOf(op);
  const takesReals = !['int→int', 'int→real', 'select'].includes(OPS[op].signature);
  return takesReals && !('none' in row);
});
const hasState = (name: string): boolean => name in FILTERS || name in OSCILLATORS;

const SUBJECTS: readonly Subject[] = [
  ...realOps.map((op) => ({
    name: op,
    arity: OPS[op].arity,
    build: (b: Builder, x: readonly NodeId[]) => b.asReal(b.node(op, x)),
  })),
  ...FUNCTION_NAMES.filter((name) => !hasState(name)).map((name) => ({
    name,
    arity: FUNCTIONS[name].arity,
    build: (b: Builder, x: readonly NodeId[]) => buildOf(name, 48000)(b, ...x),
  })),
  {
    name: 'x / |x|',
    arity: 1,
    build: (b, [x]) => b.node('div', [x!, b.node('abs', [x!])]),
  },
  {
    name: 'a / hypot(a, b)',
    arity: 2,
    build: (b, [x, y]) => b.node('div', [x!, buildOf('hypot', 48000)(b, x!, y!)]),
  },
  {
    name: 'pow(a, 0.5)',
    arity: 1,
    build: (b, [x]) => buildOf('pow', 48000)(b, x!, b.real(0.5)),
  },
  ...[-3, -1, 0, 1, 2].map((n) => ({
    name: `pow(a, ${n})`,
    arity: 1,
    build: (b: Builder, [x]: readonly NodeId[]) => buildOf('pow', 48000)(b, x!, b.real(n)),
  })),
];

/** Every combination of points, [operand][combination]. */
function grid(arity: number): number[][] {
  const count = POINTS.length ** arity;
  return Array.from({ length: arity }, (_, k) =>
    Array.from({ length: count }, (_, n) => POINTS[Math.floor(n / POINTS.length ** k) % 10]!),
  );
}

function subjectGraph({ arity, build }: Subject): { graph: Graph; operands: NodeId[] } {
  const b = new Builder('stream');
  const operands = Array.from({ length: arity }, (_, k) => b.node('input', [], [k]));
  const y = build(b, operands);
  return { graph: b.finish([{ name: 'out:0', node: y }]), operands };
}

/** Generated code of y and its derivatives by forward mode: outputs 0 and 1, 2, … */
function forwardInstance(subject: Subject, frames: number): Instance {
  const { graph, operands } = subjectGraph(subject);
  const y = graph.outputs[0]!.node;
  const b = Builder.from(graph);
  const tangents = operands.map((x, k) => {
    const { active } = activity(graph, [x], [y]);
    const tangent = jvp(b, graph, new Map([[x, b.real(1)]]), active).get(y) ?? b.real(0);
    return { name: `out:${k + 1}`, node: tangent };
  });
  const sizes = { inputs: subject.arity, sliders: 0, params: 0 };
  const program = plainProgram(b.finish([...graph.outputs, ...tangents]), sizes);
  return compiledInstance(assembled(program, frames));
}

/** ∂y/∂xₖ at every combination. */
function forward(subject: Subject): Float64Array[] {
  const points = grid(subject.arity);
  const frames = points[0]!.length;
  const instance = forwardInstance(subject, frames);
  points.forEach((values, k) => instance.inputs[k]!.set(values));
  instance.process(frames);
  return instance.outputs.slice(1).map((channel) => Float64Array.from(channel.slice(0, frames)));
}

/** The same by reverse mode, a window of one frame for each. */
function reverse(subject: Subject): Float64Array[] {
  const { arity, build } = subject;
  const stream = new Builder('stream');
  const tapes = Array.from({ length: arity + 1 }, (_, k) => ({
    name: tapeName(k),
    node: stream.node('input', [], [k]),
  }));
  const b = new Builder('backward');
  const operands = Array.from({ length: arity }, (_, k) => b.node('tape', [], [k]));
  const one = b.node('tape', [], [arity]);
  const y = build(b, operands);
  const graph = b.finish([]);
  const { active } = activity(graph, operands, [y]);
  const cotangents = vjp(b, graph, new Map([[y, one]]), active, (id) => id, 1);
  const outputs = operands.map((x, k) => ({
    name: gradientName(k),
    node: b.node('sum', [cotangents.get(x) ?? b.node('mul', [one, b.real(0)])]),
  }));
  const sizes = { inputs: arity + 1, sliders: 0, params: arity };
  const plain = plainProgram(stream.finish(tapes), sizes);
  const program = {
    ...plain,
    backward: b.finish([{ name: 'loss', node: b.node('sum', [one]) }, ...outputs]),
    update: updateGraph(SGD, plain.params),
    window: 1,
    mode: 'reverse',
    tapes: arity + 1,
    outputs: 0,
  } as const;
  const artifact = assembled(program, 1);
  // Not an Instance: that one keeps what is not finite to itself.
  const kernel = wasmKernel(artifact, new WebAssembly.Module(artifact.wasm));
  const points = grid(arity);
  const results = points.map(({ length }) => new Float64Array(length));
  kernel.inputs[arity]![0] = 1;
  for (let n = 0; n < points[0]!.length; n++) {
    points.forEach((values, k) => (kernel.inputs[k]![0] = values[n]!));
    kernel.stream(0, 0, 1);
    kernel.backward();
    results.forEach((values, k) => (values[n] = kernel.gradients[k]!));
  }
  return results;
}

describe.each(SUBJECTS.map((s) => [s.name, s] as const))('%s', (_, subject) => {
  test.each([
    ['forward', forward],
    ['reverse', reverse],
  ] as const)('has no NaN for a gradient in %s mode', (_, gradients) => {
    const points = grid(subject.arity);
    const wrong: string[] = [];
    gradients(subject).forEach((values, k) => {
      values.forEach((v, n) => {
        const at = points.map((p) => p[n]!);
        if (Number.isNaN(v)) wrong.push(`∂${k} at ${at.join(', ')}`);
      });
    });
    expect(wrong.slice(0, 8)).toEqual([]);
  });
});

describe.each([...Object.keys(FILTERS), ...Object.keys(OSCILLATORS)] as FunctionName[])(
  '%s',
  (name) => {
    test('has finite values and gradients whatever stable filter its operands ask for', () => {
      const { arity } = FUNCTIONS[name];
      const build = (b: Builder, x: readonly NodeId[]): NodeId => buildOf(name, 48000)(b, ...x);
      // A biquad takes the coefficients that it is given.
      const others = name === 'biquad' ? POINTS.filter((p) => Math.abs(p) < 1e-10) : POINTS;
      for (const other of others) {
        for (const x of [0, 1, 1e6]) {
          const points = Array.from({ length: arity }, (_, k) => (k === 0 ? x : other));
          const held = arity === 1 ? [other] : points;
          const { value, tangents } = run64({ name, arity, build }, held);
          for (const values of [value, ...tangents]) {
            expect(values.every(Number.isFinite), `${name}(${held.join(', ')})`).toBe(true);
          }
        }
      }
    });
  },
);

/** Value and derivatives over 64 frames of operands that stay as they are. */
function run64(subject: Subject, point: readonly number[]) {
  const instance = forwardInstance(subject, 64);
  point.forEach((v, k) => instance.inputs[k]!.fill(v));
  instance.process(64);
  const [value, ...tangents] = instance.outputs.map((channel) => [...channel]);
  return { value: value!, tangents };
}
