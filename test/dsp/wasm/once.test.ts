/** Graphs without time, generated against interpreted: states, vectors, sums over lanes. */

import { expect, test } from 'vitest';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../../dsp/ir/graph.ts';
import { paramName, updateScalars } from '../../../dsp/ir/program.ts';
import type { Program } from '../../../dsp/ir/program.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';
import { wasmKernel } from '../../../dsp/run/wasm-kernel.ts';
import type { Kernel } from '../../../dsp/run/kernel.ts';
import { assembled, plainProgram } from '../../support/program.ts';

/** Parameters after each of some steps with changing gradients. */
function steps(kernel: Kernel, count: number): number[][] {
  const seen: number[][] = [];
  kernel.learningRate[0] = 0.1;
  kernel.params.forEach((_, k) => {
    kernel.params[k] = 0.5 + k;
  });
  for (let n = 0; n < count; n++) {
    kernel.gradients.forEach((_, k) => {
      kernel.gradients[k] = Math.sin(n + 2 * k);
      kernel.frozen[k] = k === 1 ? 1 : 0;
    });
    kernel.update();
    seen.push([...kernel.params]);
  }
  return seen;
}

function check(lanes: number, write: (b: Builder) => Graph, expected?: (seen: number[][]) => void) {
  const empty = new Builder('stream').finish([]);
  const plain = plainProgram(empty, { inputs: 0, sliders: 0, params: lanes });
  const program: Program = { ...plain, update: optimise(write(new Builder('once'))), window: 4 };
  const artifact = assembled(program, 8);
  const oracle = steps(interpreterKernel(program, 8), 5);
  expect(steps(wasmKernel(artifact, new WebAssembly.Module(artifact.wasm)), 5)).toEqual(oracle);
  expected?.(oracle);
}

const value = (b: Builder, lanes: number): NodeId => b.node('param', [], [0, lanes]);
const gradient = (b: Builder, lanes: number): NodeId =>
  b.node('scalar', [], [updateScalars.gradient(0), lanes]);
const rate = (b: Builder): NodeId => b.node('scalar', [], [updateScalars.learningRate]);

for (const lanes of [1, 2, 5, 40]) {
  test(`momentum of ${lanes} parameters`, () => {
    check(lanes, (b) => {
      const past = b.feedback('real', 1, 0.25, lanes);
      const next = b.node('add', [b.node('mul', [past, b.real(0.9)]), gradient(b, lanes)]);
      b.close(past, next);
      const step = b.node('mul', [rate(b), next]);
      return b.finish([{ name: paramName(0), node: b.node('sub', [value(b, lanes), step]) }]);
    });
  });

  test(`a step of ${lanes} parameters clipped by the norm of its gradient`, () => {
    check(
      lanes,
      (b) => {
        const g = gradient(b, lanes);
        const norm = b.node('sqrt', [b.node('laneSum', [b.node('mul', [g, g])])]);
        const scale = b.node('div', [b.real(1), b.node('max', [norm, b.real(1)])]);
        const step = b.node('mul', [rate(b), b.node('mul', [g, scale])]);
        return b.finish([{ name: paramName(0), node: b.node('sub', [value(b, lanes), step]) }]);
      },
      (seen) => {
        const moved = seen[1]!.map((p, k) => p - seen[0]![k]!);
        expect(Math.hypot(...moved)).toBeLessThan(0.1 + 1e-12);
      },
    );
  });

  test(`${lanes} parameters that are taken apart and joined again`, () => {
    check(lanes, (b) => {
      const stepped = b.node('sub', [
        value(b, lanes),
        b.node('mul', [rate(b), gradient(b, lanes)]),
      ]);
      const parts = Array.from({ length: lanes }, (_, k) => b.node('slice', [stepped], [k, 1]));
      const turned = b.node('concat', [...parts.slice(1), parts[0]!]);
      const past = b.feedback('real', 1, 0, lanes);
      b.close(past, turned);
      const rest = Math.ceil(lanes / 2);
      const first = b.node('slice', [b.node('add', [past, turned])], [0, rest]);
      const leaf = b.node('slice', [value(b, lanes)], [rest - 1, 1 + lanes - rest]);
      const joined = b.node('concat', [b.node('mul', [first, b.real(0.5)]), leaf]);
      return b.finish([{ name: paramName(0), node: b.node('slice', [joined], [1, lanes]) }]);
    });
  });

  test(`a state that remembers the last ${lanes} parameters`, () => {
    check(
      lanes,
      (b) => {
        const p = value(b, lanes);
        const last = b.delay(p, 1, 7);
        return b.finish([{ name: paramName(0), node: last }]);
      },
      (seen) => {
        expect(seen[0]!.every((p) => p === 7)).toBe(true);
        expect(seen[1]).toEqual(Array.from({ length: lanes }, (_, k) => 0.5 + k));
      },
    );
  });
}
