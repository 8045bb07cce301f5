/** Vectors in patches: parameters in the bank, nodes against formulas, lanes that do not fit. */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import type { Artifact } from '../../../dsp/artifact.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, PatchEnd, Signal } from '../../../dsp/patch/builder.ts';
import type { ParamSpec } from '../../../dsp/patch/params.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import { compiledInstance } from '../../support/program.ts';
import { numbers } from '../../support/vectors.ts';

const RANGE = { min: -4, max: 4 };
const TRAINING = {
  loss: 'mse',
  window: 32,
  mode: 'auto',
  optimiser: { kind: 'sgd' },
  schedule: { kind: 'constant', rate: 0 },
} as const;

function built(write: (p: PatchBuilder) => PatchEnd) {
  const patch = buildPatch('t', write);
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

function compiled(write: (p: PatchBuilder) => PatchEnd): Artifact {
  const artifact = compile(built(write), { sampleRate: 48000, maxBlock: 64, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  return artifact.value;
}

/** [output][frame] over 64 frames of x(n). */
function render(write: (p: PatchBuilder) => Signal[], x: (n: number) => number): number[][] {
  const instance = compiledInstance(compiled((p) => ({ outputs: write(p) })));
  for (const channel of instance.inputs) for (let n = 0; n < 64; n++) channel[n] = x(n);
  instance.process(64);
  return instance.outputs.map((channel) => [...channel]);
}

const lane = (p: PatchBuilder, v: Signal, from: number): Signal =>
  p.vector('slice', [v], { from, lanes: 1 });

const codes = (json: object): [string, string][] => {
  const result = parsePatch(json);
  return result.ok ? [] : result.diagnostics.map(({ code, path }) => [code, path]);
};

describe('a parameter with a size', () => {
  test('is numbers in the bank, named after it and in order', () => {
    const artifact = compiled((p) => {
      p.param('a', { initial: 1, ...RANGE });
      p.param('w', { size: 3, initial: [0.5, 1, 2], ...RANGE, unit: 'x' });
      p.param('z', { size: 1, initial: -1, ...RANGE });
      const x = p.input(1);
      return { outputs: [lane(p, p.op('mul', ['w' as Signal, x]), 2)] };
    });
    expect(artifact.params).toEqual([
      { id: 'a', initial: 1, ...RANGE },
      { id: 'w/0', initial: 0.5, ...RANGE, unit: 'x' },
      { id: 'w/1', initial: 1, ...RANGE, unit: 'x' },
      { id: 'w/2', initial: 2, ...RANGE, unit: 'x' },
      { id: 'z/0', initial: -1, ...RANGE },
    ]);
    const instance = compiledInstance(artifact);
    instance.inputs[0]!.fill(1);
    instance.params[3] = -0.25;
    instance.process(4);
    expect(instance.outputs[0]![3]).toBe(-0.25);
  });

  test('starts with one number for all, with a list, or as drawn within its range', () => {
    const start = (initial: ParamSpec['initial'], size: number): number[] => {
      const write = (p: PatchBuilder): PatchEnd => {
        p.param('w', { size, initial, min: -0.5, max: 0.5 });
        return { outputs: [] };
      };
      return compiled(write).params.map((c) => c.initial);
    };
    expect(start(0.25, 3)).toEqual([0.25, 0.25, 0.25]);
    expect(start([0.1, 0.2], 2)).toEqual([0.1, 0.2]);
    const normal = start({ init: 'normal', seed: 3, scale: 1 }, 100);
    expect(Math.max(...normal)).toBe(0.5);
    expect(new Set(normal).size).toBeGreaterThan(20);
    expect(start({ init: 'normal', seed: 3, scale: 1 }, 100)).toEqual(normal);
    expect(start({ init: 'glorot', seed: 3, scale: 1, fanIn: 24 }, 24)).toHaveLength(24);
  });

  test('learns, is expected by its numbers, and keeps its range', () => {
    const artifact = compiled((p) => {
      const x = p.input(1);
      const w = p.param('w', { size: 2, initial: 0, min: -1, max: 0.7 });
      const taps = p.vector('concat', [x, p.delay(x, 1)], {});
      const estimate = p.vector('dot', [w, taps], {}, 'estimate');
      const target = p.op('sub', [p.op('mul', [x, 0.3]), p.op('mul', [p.delay(x, 1), -0.9])], 'y');
      return {
        training: { ...TRAINING, estimate, target, schedule: { kind: 'constant', rate: 0.5 } },
        expect: [{ param: 'w/1', value: 0.7, tolerance: 0.01, seconds: 1 }],
      };
    });
    const instance = compiledInstance(artifact);
    instance.setSchedule({ kind: 'constant', rate: 0.5 });
    instance.learning = true;
    const x = numbers(64 * 200, 3);
    for (let n = 0; n < x.length; n += 64) {
      instance.inputs[0]!.set(x.slice(n, n + 64));
      instance.process(64);
    }
    expect(instance.params[0]).toBeCloseTo(0.3, 1);
    expect(instance.params[1]).toBe(0.7);
  });

  test.each([
    ['a list of another length', { size: 3, initial: [1, 2] }, 'PATCH_INVALID', 'params.w.initial'],
    ['a list without size', { initial: [1] }, 'PATCH_INVALID', 'params.w.initial'],
    [
      'glorot without fanIn',
      { size: 4, initial: { init: 'glorot' } },
      'PATCH_INVALID',
      'params.w.initial',
    ],
    [
      'a fan that does not divide',
      { size: 4, initial: { init: 'he', fanIn: 3 } },
      'PATCH_INVALID',
      'params.w.initial',
    ],
    [
      'an unknown recipe',
      { size: 4, initial: { init: 'magic' } },
      'PATCH_INVALID',
      'params.w.initial.init',
    ],
    ['a word', { size: 4, initial: 'zeros' }, 'PATCH_INVALID', 'params.w.initial'],
    ['size 0', { size: 0, initial: 0 }, 'PATCH_INVALID', 'params.w.size'],
    [
      'a number out of range',
      { size: 2, initial: [0, 9] },
      'PATCH_CONTROL_RANGE',
      'params.w.initial[1]',
    ],
  ])('is refused with %s', (_, spec, code, path) => {
    const json = {
      format: 'livegrad.patch/1',
      name: 't',
      params: { w: { ...RANGE, ...spec } },
      nodes: {},
    };
    expect(codes(json)).toEqual([[code, path]]);
  });

  test('takes the names of its numbers', () => {
    const json = {
      format: 'livegrad.patch/1',
      name: 't',
      params: { w: { ...RANGE, size: 2, initial: 0 } },
      nodes: { 'w/1': { op: 'input', channel: 1 }, 'w/2': { op: 'input', channel: 1 } },
    };
    expect(codes(json)).toEqual([['PATCH_NAME_TAKEN', 'nodes["w/1"]']]);
  });
});

describe('nodes of vectors', () => {
  const x = (n: number): number => Math.fround(Math.sin(n));

  test('make, take apart and mix lanes', () => {
    const y = render((p) => {
      const one = p.input(1);
      const v = p.vector('concat', [one, 2, p.op('mul', [one, 3])], {});
      const m = p.vector('vector', [], { values: [1, 2, 3, 4, 5, 6] });
      const product = p.vector('matvec', [m, v], {});
      const back = p.vector('matvecT', [m, p.vector('slice', [v], { from: 0, lanes: 2 })], {});
      return [
        lane(p, product, 0),
        lane(p, product, 1),
        lane(p, back, 2),
        p.vector('sumLanes', [v], {}),
        p.vector('dot', [v, v], {}),
        lane(p, p.vector('outer', [v, v], {}), 7),
        p.vector('sumLanes', [p.vector('splat', [one], { lanes: 5 })], {}),
        p.vector('sumLanes', [p.vector('softmax', [v], {})], {}),
        lane(p, p.vector('slice', [one], { from: 0, lanes: 1 }), 0),
        lane(p, p.vector('gated', [p.vector('concat', [v, v], {})], {}), 1),
      ];
    }, x);
    const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));
    for (let n = 0; n < 64; n++) {
      const [a, c, d] = [x(n), 2, 3 * x(n)];
      const expected = [
        a + 3 * c + 5 * d,
        2 * a + 4 * c + 6 * d,
        5 * a + 6 * c,
        a + c + d,
        a * a + c * c + d * d,
        c * d,
        5 * a,
        1,
        a,
        Math.tanh(c) * sigmoid(c),
      ];
      expected.forEach((value, k) => expect(y[k]![n], `output ${k}`).toBeCloseTo(value, 4));
    }
  });

  test('operations, functions, delays and windows work lane by lane', () => {
    const y = render((p) => {
      const one = p.input(1);
      const v = p.vector('concat', [one, p.op('neg', [one])], {});
      const chosen = p.op('select', [p.op('gt', [v, 0]), v, 0.5]);
      const past = p.feedback(1, (h) => p.op('add', [p.op('mul', [h, 0.5]), v]));
      return [
        lane(p, chosen, 0),
        lane(p, chosen, 1),
        lane(p, p.fn('sigmoid', [v]), 1),
        lane(p, p.delay(v, 3), 1),
        lane(p, p.runningMean(v, 4), 1),
        lane(p, past, 1),
        lane(p, p.mem(v), 0),
      ];
    }, x);
    let state = 0;
    for (let n = 0; n < 64; n++) {
      const at = (k: number): number => (n - k < 0 ? 0 : x(n - k));
      state = state * 0.5 - at(0);
      const mean = (at(0) + at(1) + at(2) + at(3)) / 4;
      const expected = [
        Math.max(at(0), at(0) > 0 ? 0 : 0.5),
        at(0) < 0 ? -at(0) : 0.5,
        1 / (1 + Math.exp(at(0))),
        -at(3),
        -mean,
        state,
        at(1),
      ];
      expected.forEach((value, k) => expect(y[k]![n], `output ${k}`).toBeCloseTo(value, 5));
    }
  });

  test('a recursion that only its delay tells the lanes of', () => {
    const y = render((p) => {
      const m = p.vector('vector', [], { values: [0, 1, -1, 0] });
      const h = p.delay(0, 1, 'h');
      const turned = p.vector('matvec', [m, h], {}, 'turned');
      p.nodes[h] = { op: 'delay', in: [turned], frames: 1, init: 1, lanes: 2 };
      return [lane(p, turned, 0), lane(p, turned, 1)];
    }, x);
    expect(y[0]!.slice(0, 4)).toEqual([-1, -1, 1, 1]);
    expect(y[1]!.slice(0, 4)).toEqual([1, -1, -1, 1]);
  });
});

describe('layers', () => {
  const drawn = (size: number, seed: number): ParamSpec => ({
    size,
    initial: { init: 'uniform', seed, scale: 0.6 },
    ...RANGE,
  });
  const LAYERS: Readonly<Record<string, (p: PatchBuilder, x: Signal) => Signal>> = {
    dense: (p, x) => {
      const hidden = p.vector('dense', [x, p.param('w', drawn(5, 1)), p.param('b', drawn(5, 2))], {
        units: 5,
        activation: 'tanh',
      });
      return p.vector('dense', [hidden, p.param('v', drawn(5, 3)), 0.1], { units: 1 });
    },
    conv1d: (p, x) => {
      const first = p.vector('conv1d', [x, p.param('w', drawn(9, 1)), p.param('b', drawn(3, 2))], {
        units: 3,
        taps: 3,
        activation: 'softsign',
      });
      const fields = { units: 1, taps: 2, dilation: 4 };
      return p.vector('conv1d', [first, p.param('v', drawn(6, 3))], fields);
    },
    rnn: (p, x) => {
      const weights = [p.param('w', drawn(3, 1)), p.param('u', drawn(9, 2))];
      return p.vector('sumLanes', [p.vector('rnn', [x, ...weights], { units: 3 })], {});
    },
    lstm: (p, x) => {
      const weights = [p.param('w', drawn(8, 1)), p.param('u', drawn(16, 2)), 0.1];
      return p.vector(
        'sumLanes',
        [p.vector('lstm', [x, ...weights] as Signal[], { units: 2 })],
        {},
      );
    },
    gru: (p, x) => {
      const [w, u, c, d] = [6, 12, 6, 6].map((n, k) => p.param(`p${k}`, drawn(n, k)));
      return p.vector('sumLanes', [p.vector('gru', [x, w!, u!, c!, d!], { units: 2 })], {});
    },
  };

  test.each(Object.entries(LAYERS))('%s has the gradient that differences measure', (_, write) => {
    const patch = built((p) => {
      const x = p.input(1, 'x');
      const estimate = p.op('add', [write(p, x), 0], 'y');
      return { training: { ...TRAINING, estimate, target: p.delay(x, 1, 't') } };
    });
    const report = gradcheck(patch, { sampleRate: 48000, seed: 3 });
    if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
    for (const { mode, maxRelativeError, compiledRelativeError } of report.value.modes) {
      expect(maxRelativeError, mode).toBeLessThan(1e-4);
      expect(compiledRelativeError, mode).toBeLessThan(1e-2);
    }
  });

  const patchOf = (nodes: object, more: object = {}): object => ({
    format: 'livegrad.patch/1',
    name: 't',
    params: { w: { size: 12, initial: 0, ...RANGE }, v: { size: 3, initial: 0, ...RANGE } },
    nodes: { x: { op: 'input', channel: 1 }, ...nodes },
    ...more,
  });
  const add = { op: 'add', in: ['w', 'x'] };
  const misfits: readonly (readonly [string, object, string, RegExp])[] = [
    [
      'two vectors of different lengths',
      { y: { op: 'add', in: ['w', 'v'] } },
      'nodes.y.in[1]',
      /"add": expected 12 lanes, got 3 lanes/u,
    ],
    [
      'a dense layer with too many weights',
      { y: { op: 'dense', in: ['x', 'w'], units: 4 } },
      'nodes.y.in[1]',
      /expected 4 lanes \(1 inputs · 4 units\), got 12 lanes/u,
    ],
    [
      'a bias of another length',
      { y: { op: 'dense', in: ['x', 'w', 'v'], units: 12 } },
      'nodes.y.in[2]',
      /expected 12 lanes/u,
    ],
    [
      'an LSTM with a recurrent kernel of another size',
      { y: { op: 'lstm', in: ['x', 'w', 'w'], units: 3 } },
      'nodes.y.in[2]',
      /expected 36 lanes \(3 units · 4 gates · 3 units\)/u,
    ],
    [
      'a matrix with no whole number of columns',
      { z: { op: 'concat', in: ['v', 'v', 'x'] }, y: { op: 'matvec', in: ['w', 'z'] } },
      'nodes.y.in[0]',
      /a multiple of the 7 lanes/u,
    ],
    [
      'a slice behind the end',
      { y: { op: 'slice', in: ['v'], from: 2, lanes: 2 } },
      'nodes.y.in[0]',
      /at least 4 lanes, got 3/u,
    ],
    [
      'a vector of vectors',
      { y: { op: 'splat', in: ['v'], lanes: 4 } },
      'nodes.y.in[0]',
      /number/u,
    ],
    ['an odd gate', { y: { op: 'gated', in: ['v'] } }, 'nodes.y.in[0]', /even/u],
    ['a dot of two lengths', { y: { op: 'dot', in: ['v', 'w'] } }, 'nodes.y.in[1]', /3 lanes/u],
    [
      'a bank of as many filters as another number of lanes',
      { y: { op: 'onePole', in: ['v', 'w'] } },
      'nodes.y.in[1]',
      /expected 3 lanes, got 12 lanes/u,
    ],
    [
      'a recursion into a shorter delay',
      {
        h: { op: 'delay', in: ['y'], frames: 1, lanes: 2 },
        y: { op: 'add', in: ['v', 'x'] },
      },
      'nodes.h.in[0]',
      /expected 2 lanes, got 3 lanes/u,
    ],
  ];
  test.each(misfits)('%s do not fit', (_, nodes, path, words) => {
    const result = parsePatch(patchOf(nodes));
    if (result.ok) throw new Error('it was accepted');
    expect(result.diagnostics.map((d) => [d.code, d.path])).toEqual([['PATCH_SHAPE', path]]);
    expect(result.diagnostics[0]!.message).toMatch(words);
  });

  test('vectors as output, estimate or target are told', () => {
    const training = { ...TRAINING, estimate: 'y', target: 'x' };
    expect(codes(patchOf({ y: add }, { outputs: ['y'] }))).toEqual([['PATCH_SHAPE', 'outputs[0]']]);
    expect(codes(patchOf({ y: add }, { training }))).toEqual([['PATCH_SHAPE', 'training.target']]);
  });

  test('too many lanes are told', () => {
    const large = { op: 'outer', in: ['big', 'big'] };
    const json = patchOf({ big: { op: 'splat', in: ['x'], lanes: 100 }, y: large });
    expect(codes(json)).toEqual([['PATCH_TOO_LARGE', 'nodes.y']]);
  });

  test('operands that are missing or too many are told', () => {
    const dense = { op: 'dense', in: ['x'], units: 4 };
    expect(codes(patchOf({ y: dense }))).toEqual([['PATCH_OPERAND_COUNT', 'nodes.y.in']]);
    const many = { op: 'dense', in: ['x', 'w', 'v', 'v'], units: 12 };
    expect(codes(patchOf({ y: many }))).toEqual([['PATCH_OPERAND_COUNT', 'nodes.y.in']]);
  });
});
