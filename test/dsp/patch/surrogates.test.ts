/** Derivatives that a node chooses: what they are, in both modes, and that they cost nothing. */

import { describe, expect, test } from 'vitest';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, Signal } from '../../../dsp/patch/builder.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { ORDERS, ROUNDINGS } from '../../../dsp/patch/surrogates.ts';
import { compiledInstance } from '../../support/program.ts';

const OPTIONS = { sampleRate: 48000, maxBlock: 8, latency: 0 };
const MODES = ['forward', 'reverse'] as const;
type Mode = (typeof MODES)[number];

function patchOf(x: number, write: (p: PatchBuilder, x: Signal) => Signal): Patch {
  const patch = buildPatch('t', (p) => {
    const param = p.param('x', { initial: x, min: -100, max: 100 });
    // A second parameter keeps a patch legal whose first one has no gradient.
    const other = p.param('other', { initial: 0, min: -1, max: 1 });
    const signal = p.op('add', [param, p.op('mul', [p.input(1, 'in'), 0])]);
    const y = p.op('add', [p.op('add', [write(p, signal), 0]), other], 'y');
    const training = { loss: 'mse', window: 8, mode: 'auto', optimiser: { kind: 'sgd' } } as const;
    const schedule = { kind: 'constant', rate: 0 } as const;
    return { outputs: [y], training: { ...training, estimate: y, target: 'in', schedule } };
  });
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

/** Value and derivative at x, by generated code. */
function at(x: number, mode: Mode, write: (p: PatchBuilder, x: Signal) => Signal) {
  const artifact = compile(patchOf(x, write), { ...OPTIONS, mode });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  instance.process(8);
  const [value] = instance.outputs[0]!;
  // The target is 0: the gradient of the mean square is 2·y·y′.
  return { value: value!, slope: instance.gradients[0]! / (2 * value!) };
}

describe.each(MODES)('in %s mode', (mode) => {
  test.each(ROUNDINGS)('%s has the derivative of its operand if it is told to', (op) => {
    const rounded = (gradient?: 'zero' | 'straight-through') =>
      at(2.7, mode, (p, x) => {
        const surrogate = gradient === undefined ? {} : { gradient };
        const y = op === 'round' ? p.fn(op, [x], 'r', surrogate) : p.op(op, [x], 'r', surrogate);
        return p.op('mul', [y, 3]);
      });
    expect(rounded('straight-through').slope).toBeCloseTo(3, 6);
    expect(rounded('zero').slope).toBe(0);
    expect(rounded().slope).toBeCloseTo(op === 'toInt' ? 3 : 0, 6);
    expect(rounded('straight-through').value).toBe(rounded('zero').value);
  });

  test.each(ORDERS)('%s has the derivative of a sigmoid if it is told to', (op) => {
    const sign = op === 'gt' || op === 'ge' ? 1 : -1;
    for (const [x, width] of [
      [0.5, 1],
      [0.9, 0.25],
      [-3, 2],
      [0.6, 0.001],
    ] as const) {
      // 2 + the comparison, so that there is a value to divide by.
      const y = at(x, mode, (p, s) =>
        p.op('add', [2, p.op(op, [s, 0.5], 'c', { gradient: 'sigmoid', width })]),
      );
      const sigma = 1 / (1 + Math.exp(-(x - 0.5) / width));
      expect(y.slope).toBeCloseTo((sign * sigma * (1 - sigma)) / width, 5);
      const plain = at(x, mode, (p, s) => p.op('add', [2, p.op(op, [s, 0.5])]));
      expect(y.value).toBe(plain.value);
      expect(plain.slope).toBe(0);
    }
  });

  test('ints are compared as ints, and their distance has the slope', () => {
    const y = at(2.7, mode, (p, x) => {
      const int = p.op('toInt', [x]);
      return p.op('add', [2, p.op('gt', [int, 2], 'c', { gradient: 'sigmoid' })]);
    });
    expect(y).toEqual({ value: 2, slope: 0.25 });
  });

  test('detach passes a value and no gradient', () => {
    // x · detach(x): half of the derivative of a square.
    const y = at(3, mode, (p, x) => p.op('mul', [x, p.op('detach', [x])]));
    expect(y).toEqual({ value: 9, slope: 3 });
  });

  test('what is written in takes part in the chain rule', () => {
    // f(x) = withSlope(5, x², 7): f′ = 7 · 2x.
    const y = at(3, mode, (p, x) => p.op('withSlope', [5, p.op('mul', [x, x]), 7]));
    expect(y.value).toBe(5);
    expect(y.slope).toBeCloseTo(42, 5);
  });

  test('a mark inside of a recursion steers what the recursion learns', () => {
    const loop = (mark: (p: PatchBuilder, past: Signal) => Signal) =>
      at(0.5, mode, (p, x) =>
        p.feedback(1, (past) => p.op('add', [1, p.op('mul', [x, mark(p, past)])])),
      );
    const [detached, exact] = [loop((p, y) => p.op('detach', [y])), loop((_, y) => y)];
    expect(detached.value).toBe(exact.value);
    expect(detached.slope).not.toBe(exact.slope);
  });
});

test('marks leave no trace in a program that does not learn', () => {
  const bytes = (marked: boolean): Uint8Array => {
    const patch = buildPatch('t', (p) => {
      const x = p.input(1);
      const gradient = marked ? ({ gradient: 'straight-through' } as const) : {};
      const sigmoid = marked ? ({ gradient: 'sigmoid', width: 0.1 } as const) : {};
      const y = p.op('floor', [x], 'y', gradient);
      const above = p.op('gt', [x, 0.5], 'above', sigmoid);
      const out = p.op('select', [above, y, x], 'out');
      return { outputs: [marked ? p.op('detach', [out]) : out] };
    });
    if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
    const artifact = compile(patch.value, OPTIONS);
    if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
    return artifact.value.wasm;
  };
  expect(bytes(true)).toEqual(bytes(false));
});

describe('a wrong choice is told', () => {
  const base = patchOf(1, (_, x) => x);
  const told = (node: unknown): string => {
    const patch = parsePatch({ ...base, nodes: { ...base.nodes, z: node } });
    return patch.ok ? '' : printDiagnostics(patch.diagnostics);
  };

  test.each([
    [{ op: 'floor', in: ['y'], gradient: 'sigmoid' }, /nodes\.z\.gradient.*straight-through/u],
    [{ op: 'gt', in: ['y', 0], gradient: 'straight-through' }, /nodes\.z\.gradient.*sigmoid/u],
    [{ op: 'gt', in: ['y', 0], width: 1 }, /nodes\.z\.width.*"gradient": "sigmoid"/u],
    [{ op: 'gt', in: ['y', 0], gradient: 'sigmoid', width: 0 }, /nodes\.z\.width.*got 0/u],
    [{ op: 'eq', in: ['y', 0], gradient: 'sigmoid' }, /unknown field "gradient"/u],
    [{ op: 'abs', in: ['y'], gradient: 'zero' }, /unknown field "gradient"/u],
  ])('%j', (node, words) => {
    expect(told(node)).toMatch(words);
  });
});
