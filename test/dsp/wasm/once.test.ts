/** Graphs without time, generated against interpreted: states, vectors, matrices, sums over lanes. */

import { describe, expect, test } from 'vitest';
import { solve } from '../../../dsp/interpret/solve.ts';
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

function check(
  lanes: number,
  write: (b: Builder) => Graph,
  expected?: (seen: number[][]) => void,
  tolerance = 0,
): void {
  const empty = new Builder('stream').finish([]);
  const plain = plainProgram(empty, { inputs: 0, sliders: 0, params: lanes });
  const program: Program = { ...plain, update: optimise(write(new Builder('once'))), window: 4 };
  const artifact = assembled(program, 8);
  const oracle = steps(interpreterKernel(program, 8), 5);
  const made = steps(wasmKernel(artifact, new WebAssembly.Module(artifact.wasm)), 5);
  made.forEach((params, n) => {
    params.forEach((p, k) => {
      const wanted = oracle[n]![k]!;
      if (tolerance === 0) expect(p).toBe(wanted);
      else expect(Math.abs(p - wanted)).toBeLessThan(tolerance * Math.max(1, Math.abs(wanted)));
    });
  });
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
      // Sums of more than a few lanes have an order of their own.
      1e-14,
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

/** A symmetric matrix that is surely positive, from the parameters. */
const positive = (b: Builder, lanes: number): NodeId => {
  const g = gradient(b, lanes);
  const half = b.node('add', [
    b.node('outer', [g, g]),
    b.node('outer', [value(b, lanes), value(b, lanes)]),
  ]);
  return half;
};

for (const lanes of [1, 2, 3, 5, 8, 17, 40]) {
  test(`matrices of ${lanes} rows`, () => {
    check(
      lanes,
      (b) => {
        const g = gradient(b, lanes);
        const three = b.node('concat', [g, value(b, lanes), b.node('mul', [g, rate(b)])]);
        const weights = b.node('const', [], [0.5, -0.25, 0.125]);
        const mixed = b.node('matvec', [three, weights]);
        const dots = b.node('matvecT', [three, mixed]);
        const last = b.node('slice', [dots], [2, 1]);
        const next = b.node('add', [
          mixed,
          b.node('mul', [last, b.node('slice', [three], [lanes, lanes])]),
        ]);
        return b.finish([{ name: paramName(0), node: next }]);
      },
      undefined,
      1e-13,
    );
  });

  test(`equations of ${lanes} unknowns`, () => {
    check(
      lanes,
      (b) => {
        const ridge = b.node('add', [
          b.node('mul', [gradient(b, lanes), gradient(b, lanes)]),
          b.real(1),
        ]);
        const spread = b.asLanes(ridge, lanes);
        return b.finish([
          {
            name: paramName(0),
            node: b.node('solve', [positive(b, lanes), spread, value(b, lanes)]),
          },
        ]);
      },
      undefined,
      1e-11,
    );
  });
}

describe('solve', () => {
  const solved = (
    a: readonly number[],
    ridge: readonly number[],
    c: readonly number[],
  ): number[] => {
    const into = new Float64Array(c.length);
    solve(into, a, ridge, c);
    return [...into];
  };

  test('finds the unknowns of an equation', () => {
    const [x, y] = solved([4, 2, 2, 3], [0, 1], [2, 5]) as [number, number];
    expect(4 * x + 2 * y).toBeCloseTo(2, 12);
    expect(2 * x + 4 * y).toBeCloseTo(5, 12);
  });

  test('leaves at 0 what nothing decides', () => {
    expect(solved([0], [0], [0])).toEqual([0]);
    expect(solved([4, 0, 0, 0], [0, 0], [2, 0])).toEqual([0.5, 0]);
    // The second row is the first again.
    expect(solved([1, 1, 1, 1], [0, 0], [3, 3])).toEqual([3, 0]);
  });

  test('holds an unknown whose ridge is huge, as if it were not there', () => {
    const [x, y] = solved([4, 2, 2, 3], [0, 1e300], [2, 5]) as [number, number];
    expect(x).toBe(0.5);
    expect(Math.abs(y)).toBeLessThan(1e-290);
  });
});
