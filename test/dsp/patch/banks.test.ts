/**
 * Functions with state on vectors: a bank computes what its lanes compute one by one, to the bit, and
 * has their gradients.
 */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import type { Precision } from '../../../dsp/ir/program.ts';
import { SGD } from '../../../dsp/learn/optimisers/table.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, Signal } from '../../../dsp/patch/builder.ts';
import { DELAY_INTERPOLATIONS } from '../../../dsp/patch/delays.ts';
import { FILTERS } from '../../../dsp/patch/filters.ts';
import { FUNCTIONS } from '../../../dsp/patch/functions.ts';
import type { FunctionName } from '../../../dsp/patch/functions.ts';
import { OSCILLATORS } from '../../../dsp/patch/oscillators.ts';
import { TABLE_INTERPOLATIONS } from '../../../dsp/patch/tables.ts';
import type { Patch, Training } from '../../../dsp/patch/schema.ts';
import { compiledInstance } from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';

const RATE = 48000;
/** One vector of four lanes and one that is not full. */
const LANES = 7;
const FRAMES = 300;

/** What a lane is given: the signal, and a number of its own for each other operand. */
type Bank = (p: PatchBuilder, x: Signal, own: readonly Signal[]) => Signal;

interface Case {
  readonly bank: Bank;
  /** From, to: of the numbers that lanes have of their own. */
  readonly ranges: readonly (readonly [number, number])[];
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  cutoff: [400, 9000],
  q: [0.5, 3],
  gainDb: [-9, 9],
  frequency: [-900, 5000],
  a: [-0.7, 0.9],
  seconds: [0.0002, 0.003],
  attack: [0.0001, 0.001],
  release: [0.001, 0.005],
  b0: [-1, 1],
  b1: [-1, 1],
  b2: [-1, 1],
  a1: [-0.8, 0.8],
  a2: [-0.1, 0.7],
};

const cases: Record<string, Case> = {};
for (const name of [...Object.keys(FILTERS), ...Object.keys(OSCILLATORS)] as FunctionName[]) {
  const { names = [] } = FUNCTIONS[name] as { readonly names?: readonly string[] };
  const own = names.filter((operand) => operand !== 'x');
  cases[name] = {
    ranges: own.map((operand) => RANGES[operand]!),
    bank: (p, x, numbers) => p.fn(name, names.includes('x') ? [x, ...numbers] : numbers),
  };
}
for (const interpolation of DELAY_INTERPOLATIONS) {
  cases[`delayBy ${interpolation}`] = {
    ranges: [[1.1, 12.9]],
    bank: (p, x, [frames]) => p.delayBy(x, frames!, { max: 16, interpolation }),
  };
}
for (const interpolation of TABLE_INTERPOLATIONS) {
  const fields = { values: [0.5, -1, 2, 0.25, -0.5], interpolation };
  cases[`table ${interpolation}`] = {
    ranges: [[-3, 8]],
    bank: (p, x, [index]) => p.table(p.op('add', [x, index!]), fields),
  };
}
cases['rwTable'] = {
  ranges: [[-1, 1]],
  bank: (p, x, [gain]) =>
    p.rwTable(p.op('mul', [x, gain!]), p.op('mul', [p.input(2), 5]), 2, { size: 5 }),
};
cases['runningMean'] = {
  ranges: [[-1, 1]],
  bank: (p, x, [gain]) => p.runningMean(p.op('mul', [x, gain!]), 5),
};

/** Starting values: one for each lane of each operand. */
const valuesOf = (ranges: Case['ranges']): readonly (readonly number[])[] => {
  const next = random(3);
  return ranges.map(([from, to]) =>
    Array.from({ length: LANES }, () => Math.fround(from + (to - from) * next())),
  );
};

function patchOf(write: (p: PatchBuilder) => Signal, training?: Partial<Training>): Patch {
  const patch = buildPatch('t', (p) => {
    const estimate = write(p);
    const target = p.op('mul', [p.input(2), 0.5]);
    const all: Training = {
      estimate,
      target,
      loss: 'mse',
      window: 90,
      mode: 'auto',
      optimiser: SGD,
      schedule: { kind: 'constant', rate: 0 },
      ...training,
    };
    return { outputs: [estimate], ...(training === undefined ? {} : { training: all }) };
  });
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

function play(patch: Patch, precision: Precision, blocks: readonly number[]) {
  const options = { sampleRate: RATE, maxBlock: 128, latency: 0, precision };
  const artifact = compile(patch, options);
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  const next = random(7);
  const input = Array.from({ length: FRAMES }, () => [next() - 0.5, next() - 0.5]);
  const heard: number[] = [];
  for (let n = 0, k = 0; n < FRAMES; k++) {
    const count = Math.min(blocks[k % blocks.length]!, FRAMES - n);
    instance.inputs.forEach((channel, c) => {
      for (let i = 0; i < count; i++) channel[i] = Math.fround(input[n + i]![c]!);
    });
    instance.process(count);
    heard.push(...instance.outputs[0]!.slice(0, count));
    n += count;
  }
  return { heard, gradients: [...instance.gradients] };
}

const MIX = Array.from({ length: LANES }, (_, k) => (k % 2 === 0 ? 1 : -0.5));

/** The bank, its lanes mixed to one number; `isWide` in one vector, else in numbers of their own. */
const mixed =
  ({ bank, ranges }: Case, isWide: boolean) =>
  (p: PatchBuilder): Signal => {
    const values = valuesOf(ranges);
    const x = p.input(1);
    const params = values.map((initial, k) => {
      const [min, max] = ranges[k]!;
      return p.param(`v${k}`, { size: LANES, initial: [...initial], min, max });
    });
    const lane = (v: Signal, k: number): Signal => p.vector('slice', [v], { from: k, lanes: 1 });
    const made = isWide
      ? bank(p, x, params)
      : p.vector(
          'concat',
          Array.from({ length: LANES }, (_, k) =>
            bank(
              p,
              x,
              params.map((v) => lane(v, k)),
            ),
          ),
          {},
        );
    return p.vector('dot', [made, p.vector('vector', [], { values: MIX })], {});
  };

describe.each(Object.entries(cases))('%s', (name, one) => {
  test('computes and differentiates lane by lane', () => {
    for (const precision of ['single', 'double'] as const) {
      const near = precision === 'single' ? 2e-3 : 1e-9;
      const [wide, narrow] = [true, false].map((isWide) =>
        play(
          patchOf(mixed(one, isWide), name === 'square' ? undefined : { mode: 'reverse' }),
          precision,
          [90],
        ),
      ) as [ReturnType<typeof play>, ReturnType<typeof play>];
      const off = (a: readonly number[], b: readonly number[]): number =>
        Math.max(...a.map((v, k) => Math.abs(v - b[k]!))) / Math.max(1e-6, ...b.map(Math.abs));
      expect(off(wide.heard, narrow.heard)).toBeLessThan(1e-5);
      expect(off(wide.gradients, narrow.gradients)).toBeLessThan(near);
      const cut = play(patchOf(mixed(one, true)), precision, [1, 7, 33, 128, 4]);
      expect(cut.heard).toEqual(play(patchOf(mixed(one, true)), precision, [128]).heard);
    }
  });

  // Where it jumps, differences measure the jump; a delay has the slope of its signal.
  const isSmooth = !/^(phasor|saw|square|triangle|envelope|delayBy .*|.* none)$/u.test(name);
  test.runIf(isSmooth)('has the gradient that differences measure', () => {
    const report = gradcheck(patchOf(mixed(one, true), {}), { sampleRate: RATE, seed: 5 });
    if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
    // A difference of phases is one of whole steps of 11 µHz.
    const most = Object.hasOwn(OSCILLATORS, name) ? 3e-3 : 1e-4;
    for (const { mode, maxRelativeError } of report.value.modes) {
      expect(maxRelativeError, mode).toBeLessThan(most);
    }
  });
});

test('noise in lanes is as many noises', () => {
  const patch = patchOf((p) => p.vector('sumLanes', [p.noise(3, undefined, 1)], {}));
  const one = play(patch, 'single', [64]).heard;
  expect(one).toEqual(
    play(
      patchOf((p) => p.noise(3)),
      'single',
      [64],
    ).heard,
  );
  const lane = (from: number): number[] =>
    play(
      patchOf((p) => p.vector('slice', [p.noise(3, undefined, LANES)], { from, lanes: 1 })),
      'single',
      [64],
    ).heard;
  const lanes = Array.from({ length: LANES }, (_, k) => lane(k));
  expect(lanes[0]).toEqual(one);
  lanes.forEach((x, k) => {
    expect(x.every((v) => Math.abs(v) <= 1)).toBe(true);
    lanes.slice(k + 1).forEach((y) => {
      const product = x.reduce((sum, v, n) => sum + v * y[n]!, 0) / FRAMES;
      expect(Math.abs(product)).toBeLessThan(0.08);
    });
  });
});
