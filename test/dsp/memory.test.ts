/**
 * Operations with a memory of their own, lines and tables: what they compute, by the interpreter and
 * by generated code; that their adjoints are adjoints; and that long constants are carried, not copied.
 */

import { describe, expect, test } from 'vitest';
import { objectiveActivity } from '../../dsp/ad/gradient.ts';
import { hasMemory } from '../../dsp/ad/active.ts';
import { isPackable } from '../../dsp/ad/jvp.ts';
import { Builder, rewrite } from '../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../dsp/ir/graph.ts';
import { print } from '../../dsp/ir/print.ts';
import { verify } from '../../dsp/ir/verify.ts';
import { mse } from '../../dsp/learn/losses/pointwise.ts';
import { optimise } from '../../dsp/passes/pipeline.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { interpreterKernel } from '../../dsp/run/interpreter-kernel.ts';
import { wasmKernel } from '../../dsp/run/wasm-kernel.ts';
import {
  PRECISIONS,
  assembled,
  compiledInstance,
  exactInstance,
  plainProgram,
  trainingProgram,
} from '../support/program.ts';
import { roundingOf } from '../support/seeds.ts';
import { random } from '../support/random-graph.ts';

const SIZES = { inputs: 3, sliders: 0, params: 0 };
const BLOCK = 16;
const FRAMES = 70;

type Signals = readonly Float64Array[];

const noise = (seed: number, scale: number): Float64Array => {
  const next = random(seed);
  return Float64Array.from({ length: FRAMES }, () => Math.fround((next() - 0.5) * scale));
};

function play(instance: Instance, inputs: Signals, blocks = [BLOCK]): number[] {
  const out: number[] = [];
  for (let n = 0, k = 0; n < FRAMES; k++) {
    const count = Math.min(blocks[k % blocks.length]!, FRAMES - n);
    instance.inputs.forEach((channel, c) => channel.set(inputs[c]!.subarray(n, n + count)));
    instance.process(count);
    out.push(...instance.outputs[0]!.slice(0, count));
    n += count;
  }
  return out;
}

/** What a graph of the inputs plays, the same by the interpreter and by code, in any blocks. */
function played(write: (b: Builder, ...inputs: NodeId[]) => NodeId, inputs: Signals): number[] {
  const b = new Builder('stream');
  const y = write(b, ...[0, 1, 2].map((k) => b.node('input', [], [k])));
  const graph = optimise(b.finish([{ name: 'out:0', node: y }]));
  const [single] = PRECISIONS.map((precision) => {
    const program = { ...plainProgram(graph, SIZES), precision };
    const kernel = interpreterKernel(program, BLOCK, roundingOf(precision));
    const oracle = play(new Instance(assembled(program, BLOCK), kernel), inputs);
    const instance = exactInstance(program, BLOCK);
    expect(play(instance, inputs)).toEqual(oracle);
    instance.reset();
    expect(play(instance, inputs, [1, 7, 16, 3])).toEqual(oracle);
    return oracle;
  });
  return single!;
}

const index = (b: Builder, x: NodeId): NodeId => b.node('toInt', [x]);
const held = (i: number, top: number): number => Math.max(0, Math.min(top, Math.trunc(i)));

describe('line', () => {
  const [x, d, g] = [noise(1, 1), noise(2, 60), noise(3, 1)] as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];

  test('is its operand d samples ago, d held to its range, zeros before', () => {
    const y = played((b, a, i) => b.node('line', [a, index(b, i)], [20]), [x, d, g]);
    y.forEach((value, t) => expect(value).toBe(x[t - held(d[t]!, 20)] ?? 0));
  });

  test('takes vectors, and the recursion that leads to it', () => {
    const y = played(
      (b, a, i) => {
        const past = b.feedback('real', 1, 0, 5);
        const back = b.node('line', [past, index(b, i)], [9]);
        const sum = b.node('add', [a, b.node('mul', [back, b.real(0.5)])]);
        b.close(past, sum);
        return b.node('slice', [sum], [3, 1]);
      },
      [x, d, g],
    );
    const expected: number[] = [];
    x.forEach((value, t) => {
      const back = expected[t - 1 - held(d[t]!, 9)] ?? 0;
      expected.push(Math.fround(value + Math.fround(back * 0.5)));
    });
    expect(y).toEqual(expected);
  });

  test('shares the past of a delay of the same signal', () => {
    const y = played(
      (b, a, i) => b.node('sub', [b.node('line', [a, index(b, i)], [12]), b.delay(a, 30)]),
      [x, d, g],
    );
    y.forEach((value, t) => {
      expect(value).toBe(Math.fround((x[t - held(d[t]!, 12)] ?? 0) - (x[t - 30] ?? 0)));
    });
  });

  test('at a constant place becomes a delay', () => {
    const b = new Builder('stream');
    const a = b.node('input', [], [0]);
    const y = b.node('add', [
      b.node('line', [a, b.int(50)], [20]),
      b.node('line', [a, b.int(-1)], [20]),
    ]);
    const text = print(optimise(b.finish([{ name: 'out:0', node: y }])));
    expect(text).toContain('delay %0 frames=20');
    expect(text).not.toContain('line');
  });
});

describe('tables', () => {
  const [w, i, j] = [noise(4, 1), noise(5, 16), noise(6, 16)] as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const start = [0.5, -0.25, 0.125, 1, 2, 3];

  test('lookup reads a lane, the index held to the table', () => {
    const y = played(
      (b, _, a) => b.node('lookup', [b.node('const', [], start), index(b, a)]),
      [w, i, j],
    );
    y.forEach((value, t) => expect(value).toBe(start[held(i[t]!, 5)]));
  });

  test('rwtable writes, then reads, and starts anew after a reset', () => {
    const y = played(
      (b, a, wi, ri) =>
        b.node('rwtable', [b.node('const', [], start), a, index(b, wi), index(b, ri)]),
      [w, i, j],
    );
    const table = [...start];
    y.forEach((value, t) => {
      table[held(i[t]!, 5)] = w[t]!;
      expect(value).toBe(table[held(j[t]!, 5)]);
    });
  });

  test('rwtable keeps vectors, every lane of a place starting alike', () => {
    const y = played(
      (b, a, wi, ri) => {
        const v = b.node('concat', [a, wi, ri, a, b.node('neg', [a])]);
        const made = b.node('rwtable', [b.node('const', [], start), v, index(b, wi), index(b, ri)]);
        return b.node('slice', [made], [4, 1]);
      },
      [w, i, j],
    );
    const table = [...start];
    y.forEach((value, t) => {
      table[held(i[t]!, 5)] = -w[t]!;
      expect(value).toBe(table[held(j[t]!, 5)]);
    });
  });

  test('lookup reads once a frame, where the index comes so', () => {
    const y = played(
      (b, _, a) => {
        const frame = b.node('frames', [a], [4, 8]);
        const i = index(b, b.node('slice', [frame], [7, 1]));
        const made = b.node('lookup', [b.node('const', [], start), i]);
        return b.node('overlap', [b.node('concat', [made, made, made, made])], [4]);
      },
      [w, i, j],
    );
    // A frame comes with the last of four samples, and fills those from there on.
    y.forEach((value, t) => {
      const last = t - ((t + 1) % 4);
      expect(value).toBe(last < 0 ? 0 : start[held(i[last]!, 5)]);
    });
  });

  test('rwtable does not keep what is not a number', () => {
    const b = new Builder('stream');
    const [a, wi, ri] = [0, 1, 2].map((k) => b.node('input', [], [k])) as [NodeId, NodeId, NodeId];
    const y = b.node('rwtable', [b.filled(0, 4), a, index(b, wi), index(b, ri)]);
    const graph = b.finish([{ name: 'out:0', node: y }]);
    // Not through an Instance, which lets no such input come so far.
    const artifact = assembled(plainProgram(graph, SIZES), BLOCK);
    const kernel = wasmKernel(artifact, new WebAssembly.Module(artifact.wasm));
    kernel.inputs[0]!.set([NaN, Infinity, 1e-20, 0.5]);
    kernel.inputs[1]!.set([0, 1, 2, 3]);
    kernel.inputs[2]!.set([0, 1, 2, 3]);
    kernel.stream(0, 0, 4);
    expect(Array.from(kernel.outputs[0]!.slice(0, 4))).toEqual([0, 0, 0, 0.5]);
  });
});

describe('gradients', () => {
  const WINDOW = 60;
  const PARAMS = 8;

  /** A loss through one operation and a recursion, all parameters in use. */
  const cases: Record<string, (b: Builder, x: NodeId, i: NodeId, j: NodeId, p: NodeId) => NodeId> =
    {
      line: (b, x, i, _, p) => {
        const past = b.feedback('real', 1);
        const gain = b.node('slice', [p], [2, 1]);
        const back = b.node('line', [past, i], [11]);
        b.close(past, b.node('add', [x, b.node('mul', [gain, back])]));
        return b.node('line', [b.node('mul', [past, b.node('slice', [p], [3, 1])]), i], [200]);
      },
      lookup: (b, x, i, j, p) =>
        b.node('mul', [x, b.node('add', [b.node('lookup', [p, i]), b.node('lookup', [p, j])])]),
      'lookup at the same place': (b, x, _, __, p) => {
        const place = b.node('toInt', [b.node('slider', [], [0])]);
        return b.node('mul', [x, b.node('lookup', [p, place])]);
      },
      'lookup of a constant': (b, x, i, _, p) =>
        b.node('mul', [
          b.node('mul', [x, b.node('slice', [p], [0, 1])]),
          b.node('lookup', [b.node('const', [], [1, -2, 3]), i]),
        ]),
      rwtable: (b, x, i, j, p) => {
        const past = b.feedback('real', 1);
        const gain = b.node('slice', [p], [1, 1]);
        const w = b.node('add', [x, b.node('mul', [gain, past])]);
        b.close(past, b.node('rwtable', [b.node('const', [], [0.5, 0, 0.25, 0]), w, i, j]));
        return past;
      },
    };

  /** Gradients of the last of some windows. */
  function gradients(name: string, mode: 'forward' | 'reverse', windows = 1, carry = 0) {
    const b = new Builder('stream');
    const [x, i, j] = [0, 1, 2].map((k) => b.node('input', [], [k])) as [NodeId, NodeId, NodeId];
    const p = b.node('param', [], [0, PARAMS]);
    const estimate = cases[name]!(b, x, index(b, i), index(b, j), p);
    const stream = b.finish([{ name: 'out:0', node: estimate }]);
    const objective = {
      terms: [{ estimate, target: x, loss: mse }],
      window: WINDOW,
      carry,
      params: PARAMS,
    };
    const sizes = { inputs: 3, sliders: 1, params: PARAMS };
    const program = trainingProgram(stream, objective, mode, sizes);
    const inputs = [noise(7, 1), noise(8, 14), noise(9, 14)];
    const run = (instance: Instance, move?: readonly [number, number]) => {
      if (move !== undefined) instance.params[move[0]] = instance.params[move[0]]! + move[1];
      for (let k = 0; k < windows; k++) {
        instance.inputs.forEach((channel, c) => channel.set(inputs[c]!.subarray(0, WINDOW)));
        instance.process(WINDOW);
      }
      return { loss: instance.loss, gradients: [...instance.gradients] };
    };
    const artifact = assembled(program, 64);
    const interpreted = (): Instance => new Instance(artifact, interpreterKernel(program, 64));
    return {
      analytic: run(interpreted()).gradients,
      compiled: run(compiledInstance(artifact)).gradients,
      double: run(compiledInstance(assembled({ ...program, precision: 'double' }, 64))).gradients,
      numeric: Array.from({ length: PARAMS }, (_, k) => {
        const [up, down] = [1e-5, -1e-5].map((by) => run(interpreted(), [k, by]).loss);
        return (up! - down!) / 2e-5;
      }),
    };
  }

  test.each(Object.keys(cases))('%s: both modes measure the slope', (name) => {
    for (const mode of ['forward', 'reverse'] as const) {
      const { analytic, compiled, double, numeric } = gradients(name, mode);
      const size = Math.max(...numeric.map(Math.abs));
      expect(size).toBeGreaterThan(1e-3);
      numeric.forEach((slope, k) => {
        expect(Math.abs(analytic[k]! - slope), `${mode} ${k}`).toBeLessThan(1e-7 * size);
        expect(Math.abs(compiled[k]! - slope), `${mode} ${k}`).toBeLessThan(1e-5 * size);
        const off = Math.abs(double[k]! - analytic[k]!);
        expect(off, `${mode} ${k} double`).toBeLessThan(1e-12 * size);
      });
    }
  });

  test.each(['line', 'rwtable'])('%s: what is carried over reaches the windows before', (name) => {
    const exact = gradients(name, 'forward', 3).analytic;
    const size = Math.max(...exact.map(Math.abs));
    const worst = (carry: number, kind: 'analytic' | 'compiled'): number => {
      const made = gradients(name, 'reverse', 3, carry)[kind];
      return Math.max(...made.map((g, k) => Math.abs(g - exact[k]!))) / size;
    };
    expect(worst(0, 'analytic')).toBeGreaterThan(1e-3);
    expect(worst(2 * WINDOW, 'analytic')).toBeLessThan(1e-9);
    expect(worst(2 * WINDOW, 'compiled')).toBeLessThan(1e-5);
  });

  test('tangents ride side by side through lines and tables of numbers', () => {
    const b = new Builder('stream');
    const x = b.node('input', [], [0]);
    const i = index(b, x);
    const y = b.node('mul', [x, b.node('param', [], [0])]);
    const line = b.node('line', [y, i], [5]);
    const z = b.node('rwtable', [b.filled(0, 3), line, i, i]);
    const stream = b.finish([{ name: 'out:0', node: z }]);
    const objective = { terms: [{ estimate: z, target: x, loss: mse }], window: 8, params: 1 };
    const { active } = objectiveActivity(stream, objective);
    expect(isPackable(stream, active)).toBe(true);
    expect(hasMemory(stream, active)).toBe(true);
  });
});

describe('long constants', () => {
  const LANES = 2 ** 18;
  const values = Array.from({ length: LANES }, (_, k) => Math.sin(k));
  const graphOf = (list: readonly number[]): Graph => {
    const b = new Builder('stream');
    const i = index(b, b.node('input', [], [0]));
    const y = b.node('lookup', [b.node('const', [], list), i]);
    return b.finish([{ name: 'out:0', node: y }]);
  };
  const listIn = (graph: Graph) => graph.nodes.find(({ op }) => op === 'const')!.attrs;

  test('go from graph to graph without a copy', () => {
    const graph = graphOf(values);
    expect(listIn(graph)).not.toBe(values);
    expect(listIn(rewrite(graph))).toBe(listIn(graph));
    expect(listIn(optimise(graph))).toBe(listIn(graph));
  });

  test('that are equal are one node and one piece of memory', () => {
    const b = new Builder('stream');
    const [first, second] = [values, [...values]].map((list) => b.node('const', [], list));
    expect(second).toBe(first);
    const other = values.with(LANES - 1, -0);
    expect(b.node('const', [], other)).not.toBe(b.node('const', [], values.with(LANES - 1, 0)));
    const { bytes } = assembled(plainProgram(graphOf(values), SIZES), BLOCK).layout;
    expect(bytes).toBeLessThan(4 * LANES + 2 ** 16);
  });

  test('are printed short, and told apart', () => {
    const text = print(graphOf(values));
    expect(text.length).toBeLessThan(400);
    expect(print(graphOf([...values]))).toBe(text);
    expect(print(graphOf(values.with(9, 1)))).not.toBe(text);
  });

  test('are read as they are', () => {
    const instance = compiledInstance(assembled(plainProgram(graphOf(values), SIZES), BLOCK));
    const places = [0, 1, 77777, LANES - 1, LANES];
    instance.inputs[0]!.set(places);
    instance.process(places.length);
    places.forEach((place, n) => {
      expect(instance.outputs[0]![n]).toBe(Math.fround(values[Math.min(place, LANES - 1)]!));
    });
  });
});

describe('verify refuses', () => {
  const refused = (domain: 'stream' | 'backward', write: (b: Builder, x: NodeId) => NodeId) => {
    const b = new Builder(domain);
    const x = b.node(domain === 'stream' ? 'input' : 'tape', [], [0]);
    const node = write(b, x);
    return () => verify(b.finish([{ name: 'out:0', node }]), 'a test');
  };

  test('lines and tables in the wrong domain, without room, or of signals', () => {
    expect(refused('backward', (b, x) => b.node('line', [x, b.int(1)], [4]))).toThrow(/stream/u);
    expect(refused('stream', (b, x) => b.node('lineT', [x, b.int(1)], [4]))).toThrow(/backward/u);
    expect(refused('stream', (b, x) => b.node('line', [x, b.int(1)], [0]))).toThrow(/0 places/u);
    expect(refused('stream', (b, x) => b.node('lookup', [x, b.int(1)]))).toThrow(/a signal/u);
    expect(refused('stream', (b, x) => b.node('rwtable', [x, x, b.int(1), b.int(1)]))).toThrow(
      /no constant/u,
    );
  });
});
