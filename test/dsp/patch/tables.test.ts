/** Tables: values between the places, gradient through the index and to the values, written tables. */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { SGD } from '../../../dsp/learn/optimisers/table.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, PatchEnd, Signal } from '../../../dsp/patch/builder.ts';
import type { Patch, Training } from '../../../dsp/patch/schema.ts';
import { TABLE_INTERPOLATIONS, WAVEFORMS } from '../../../dsp/patch/tables.ts';
import type { TableInterpolation } from '../../../dsp/patch/tables.ts';
import { compiledInstance } from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';

const RATE = 48000;
const BLOCK = 128;

function patchOf(write: (p: PatchBuilder) => PatchEnd): Patch {
  const patch = buildPatch('t', write);
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

function render(
  write: (p: PatchBuilder) => Signal,
  frames: number,
  inputs: readonly Float64Array[] = [],
  blocks = [BLOCK],
): Float64Array {
  const patch = patchOf((p) => ({ outputs: [write(p)] }));
  const artifact = compile(patch, { sampleRate: RATE, maxBlock: BLOCK, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  const out = new Float64Array(frames);
  for (let n = 0, k = 0; n < frames; k++) {
    const count = Math.min(blocks[k % blocks.length]!, frames - n);
    instance.inputs.forEach((channel, c) => channel.set(inputs[c]!.subarray(n, n + count)));
    instance.process(count);
    out.set(instance.outputs[0]!.subarray(0, count), n);
    n += count;
  }
  return out;
}

const codesOf = (write: (p: PatchBuilder) => PatchEnd): unknown => {
  const patch = buildPatch('t', write);
  if (!patch.ok) return patch.diagnostics.map(({ code, path }) => `${code} ${path}`);
  const artifact = compile(patch.value, { sampleRate: RATE, maxBlock: BLOCK, latency: 0 });
  return artifact.ok ? [] : artifact.diagnostics.map(({ code, path }) => `${code} ${path}`);
};

const training = (window: number): Training => ({
  estimate: 'estimate',
  target: 'target',
  loss: 'mse',
  window,
  mode: 'auto',
  optimiser: SGD,
  schedule: { kind: 'constant', rate: 0 },
});

const VALUES = [0.5, -1, 2, 0.25, -0.5, 3, 1];
const SIZE = VALUES.length;

/** The polynomial through the values at places around i, of as many as the interpolation takes. */
function between(interpolation: TableInterpolation, i: number, at: (k: number) => number): number {
  const floor = Math.floor(i);
  const [from, to] = { none: [0, 0], linear: [0, 1], cubic: [-1, 2] }[interpolation];
  let sum = 0;
  for (let k = from!; k <= to!; k++) {
    let weight = 1;
    for (let m = from!; m <= to!; m++) if (m !== k) weight *= (i - floor - m) / (k - m);
    sum += weight * at(floor + k);
  }
  return sum;
}

const indices = Float64Array.from({ length: 300 }, (_, n) =>
  n % 4 === 0 ? (n % 20) - 4 : Math.fround(((n * 7919) % 1000) / 40 - 8),
);

describe.each([...TABLE_INTERPOLATIONS])('%s', (interpolation) => {
  test('goes through the values, the table being a cycle', () => {
    const y = render(
      (p) => p.table(p.input(1), { values: VALUES, interpolation }),
      indices.length,
      [indices],
    );
    const at = (k: number): number => VALUES[((k % SIZE) + SIZE) % SIZE]!;
    y.forEach((value, n) => {
      expect(value, `${indices[n]}`).toBeCloseTo(between(interpolation, indices[n]!, at), 4);
    });
  });

  test('or holding the index to the table', () => {
    const y = render(
      (p) => p.table(p.input(1), { values: VALUES, interpolation, wrap: false }),
      indices.length,
      [indices],
    );
    const at = (k: number): number => {
      if (k < 0) return VALUES[0]! + k * (VALUES[1]! - VALUES[0]!);
      if (k < SIZE) return VALUES[k]!;
      return VALUES[SIZE - 1]! + (k - SIZE + 1) * (VALUES[SIZE - 1]! - VALUES[SIZE - 2]!);
    };
    y.forEach((value, n) => {
      const i = Math.max(0, Math.min(SIZE - 1, indices[n]!));
      expect(value).toBeCloseTo(between(interpolation, i, at), 4);
    });
  });

  test('makes a wavetable oscillator', () => {
    const size = 2048;
    const write = (p: PatchBuilder): Signal => {
      const place = p.op('mul', [p.fn('phasor', [441.7]), size]);
      return p.table(place, { waveform: 'sine', size, interpolation });
    };
    const y = render(write, 4000);
    const worst = { none: Math.PI / size, linear: 3e-6, cubic: 1e-6 }[interpolation];
    y.forEach((value, n) => {
      const exact = Math.sin((2 * Math.PI * 441.7 * n) / RATE);
      expect(Math.abs(value - exact)).toBeLessThan(2 * worst + 1e-4 * (n / 4000));
    });
    expect(render(write, 4000, [], [1, 7, 128, 3, 64])).toEqual(y);
  });

  test('learns the phase of a wavetable', () => {
    const patch = patchOf((p) => {
      const phase = p.param('phase', { initial: 3, min: -40, max: 40 });
      const place = p.op('mul', [p.fn('phasor', [750]), 64]);
      p.table(
        p.op('add', [place, phase]),
        { waveform: 'sine', size: 64, interpolation },
        'estimate',
      );
      p.table(p.op('add', [place, 11]), { waveform: 'sine', size: 64 }, 'target');
      return { training: training(64) };
    });
    const artifact = compile(patch, { sampleRate: RATE, maxBlock: BLOCK, latency: 0 });
    if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
    const instance = compiledInstance(artifact.value);
    instance.setSchedule({ kind: 'constant', rate: 20 });
    instance.learning = true;
    for (let step = 0; step < 200; step++) instance.process(64);
    const off = interpolation === 'none' ? 0.51 : 0.01;
    expect(Math.abs(instance.params[0]! - 11)).toBeLessThan(off);
  });
});

describe.each(['linear', 'cubic'] as const)('%s', (interpolation) => {
  test('has the slope of what it plays', () => {
    for (const wrap of [true, false]) {
      const patch = patchOf((p) => {
        const [gain, offset] = ['gain', 'offset'].map((id, k) =>
          p.param(id, { initial: 2.4 + k, min: -9, max: 9 }),
        ) as [Signal, Signal];
        const i = p.op('add', [p.op('mul', [p.input(1), gain]), offset]);
        p.table(i, { values: VALUES, interpolation, wrap }, 'estimate');
        p.op('mul', [p.input(1), 1], 'target');
        return { training: training(64) };
      });
      const report = gradcheck(patch, { sampleRate: RATE, seed: 5 });
      if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
      for (const { maxRelativeError, compiledRelativeError } of report.value.modes) {
        expect(maxRelativeError).toBeLessThan(1e-5);
        expect(compiledRelativeError).toBeLessThan(1e-3);
      }
    }
  });
});

test('without interpolation the slope is that of centred differences', () => {
  const patch = patchOf((p) => {
    p.table(
      p.param('i', { initial: 1, min: 0, max: 6 }),
      { values: VALUES, interpolation: 'none' },
      'estimate',
    );
    p.op('mul', [p.input(1), 0], 'target');
    return { training: { ...training(1), mode: 'forward' } };
  });
  const artifact = compile(patch, { sampleRate: RATE, maxBlock: BLOCK, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  const [at3, at4] = [(VALUES[4]! - VALUES[2]!) / 2, (VALUES[5]! - VALUES[3]!) / 2];
  for (const f of [0, 0.25, 0.75]) {
    instance.params[0] = 3 + f;
    instance.process(1);
    // The loss is the square of the value.
    expect(instance.gradients[0]).toBeCloseTo(2 * VALUES[3]! * ((1 - f) * at3 + f * at4), 6);
  }
});

test('waveforms are those of the oscillators', () => {
  for (const waveform of WAVEFORMS) {
    const size = 64;
    const table = render(
      (p) => p.table(p.input(1), { waveform, size, interpolation: 'none' }),
      size,
      [Float64Array.from({ length: size }, (_, n) => n)],
    );
    const wave = render((p) => p.fn(waveform, [RATE / size]), size);
    // At their jumps, which lie on a sample, the two may stand on different sides.
    wave.forEach((value, n) => {
      if (waveform !== 'saw' || n !== size / 2) expect(table[n]).toBeCloseTo(value, 5);
    });
  }
});

describe.each([...TABLE_INTERPOLATIONS])('a learnt table, %s', (interpolation) => {
  const written = (p: PatchBuilder, values: readonly number[]): Signal =>
    p.param('curve', { size: values.length, initial: [...values], min: -9, max: 9 });

  test.each([1, 2, 3, 7, 8])('of %i values plays what a constant one plays', (size) => {
    const values = VALUES.concat(-2).slice(0, size);
    for (const wrap of [true, false]) {
      const play = (isLearnt: boolean, blocks = [BLOCK]): Float64Array =>
        render(
          (p) =>
            isLearnt
              ? p.tableOf(p.input(1), written(p, values), { interpolation, wrap })
              : p.table(p.input(1), { values, interpolation, wrap }),
          indices.length,
          [indices],
          blocks,
        );
      const learnt = play(true);
      play(false).forEach((value, n) => {
        expect(learnt[n], `${indices[n]}`).toBeCloseTo(value, 5);
      });
      expect(play(true, [1, 7, 128, 3, 64])).toEqual(learnt);
    }
  });

  test('has a gradient to every value and to the index', () => {
    const isSmooth = interpolation !== 'none';
    for (const wrap of [true, false]) {
      for (const precision of ['single', 'double'] as const) {
        const patch = patchOf((p) => {
          const offset = p.param('offset', { initial: 2.4, min: -9, max: 9 });
          const scale = p.param('scale', { initial: 0.7, min: -9, max: 9 });
          const i = p.op('mul', [p.input(1), 9]);
          const moved = isSmooth ? p.op('add', [i, offset]) : i;
          // Made of parameters, and the same table at two places.
          const made = p.op('mul', [written(p, VALUES), scale]);
          const held = p.tableOf(p.input(2), made, { interpolation, wrap });
          p.op('add', [p.tableOf(moved, made, { interpolation, wrap }), held], 'estimate');
          p.op('mul', [p.input(1), 1], 'target');
          return { training: training(64) };
        });
        const report = gradcheck({ ...patch, precision }, { sampleRate: RATE, seed: 5 });
        if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
        for (const { mode, maxRelativeError, compiledRelativeError } of report.value.modes) {
          expect(maxRelativeError, mode).toBeLessThan(1e-5);
          expect(compiledRelativeError, mode).toBeLessThan(precision === 'single' ? 1e-3 : 1e-9);
        }
      }
    }
  });

  test('learns what is played to it, in either mode', () => {
    const hidden = VALUES.map((v) => v / 4);
    for (const mode of ['forward', 'reverse'] as const) {
      const patch = patchOf((p) => {
        const i = p.op('mul', [p.fn('phasor', [331]), SIZE]);
        p.table(i, { values: hidden, interpolation }, 'target');
        const curve = p.param('curve', { size: SIZE, initial: 0, min: -1, max: 1 });
        p.tableOf(i, curve, { interpolation }, 'estimate');
        return { training: { ...training(128), mode } };
      });
      const artifact = compile(patch, { sampleRate: RATE, maxBlock: BLOCK, latency: 0 });
      if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
      const instance = compiledInstance(artifact.value);
      instance.setSchedule({ kind: 'constant', rate: 1.5 });
      instance.learning = true;
      for (let step = 0; step < 400; step++) instance.process(BLOCK);
      hidden.forEach((value, k) => expect(instance.params[k], `${k}`).toBeCloseTo(value, 3));
    }
  });
});

describe('rwTable', () => {
  test('writes, then reads, indices being rounded down and held to the table', () => {
    const next = random(4);
    const [x, wi, ri] = [1, 14, 14].map((scale) =>
      Float64Array.from({ length: 500 }, () => Math.fround((next() - 0.2) * scale)),
    ) as [Float64Array, Float64Array, Float64Array];
    const y = render(
      (p) => p.rwTable(p.input(1), p.input(2), p.input(3), { values: VALUES }),
      500,
      [x, wi, ri],
    );
    const table = [...VALUES];
    const held = (i: number): number => Math.max(0, Math.min(SIZE - 1, Math.floor(i)));
    y.forEach((value, n) => {
      table[held(wi[n]!)] = x[n]!;
      expect(value).toBe(table[held(ri[n]!)]);
    });
  });

  test('is a delay, where a counter writes it and reads behind', () => {
    const x = Float64Array.from({ length: 300 }, (_, n) => Math.fround(Math.sin(n * n)));
    const y = render(
      (p) => {
        const count = p.feedback(1, (past) => p.op('and', [p.op('add', [past, 1]), 15]));
        const behind = p.op('and', [p.op('sub', [count, 9]), 15]);
        return p.rwTable(p.input(1), count, behind, { size: 16 });
      },
      300,
      [x],
    );
    y.forEach((value, n) => expect(value).toBe(x[n - 9] ?? 0));
  });

  test('passes the gradient of what is written, in both modes', () => {
    const patch = patchOf((p) => {
      const [gain, fed] = ['gain', 'fed'].map((id) =>
        p.param(id, { initial: 0.4, min: -1, max: 1 }),
      ) as [Signal, Signal];
      const into = p.op('mul', [p.input(2), 20]);
      p.op('mul', [p.input(1), 0.5], 'target');
      p.feedback(1, (past) => {
        const sum = p.op('add', [p.op('mul', [p.input(1), gain]), p.op('mul', [past, fed])]);
        return p.rwTable(sum, into, p.op('mul', [p.input(1), 20]), { size: 8 }, 'estimate');
      });
      return { training: training(96) };
    });
    const report = gradcheck(patch, { sampleRate: RATE, seed: 3 });
    if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
    for (const { mode, maxRelativeError, compiledRelativeError } of report.value.modes) {
      expect(maxRelativeError, mode).toBeLessThan(1e-6);
      expect(compiledRelativeError, mode).toBeLessThan(1e-4);
    }
  });
});

describe('what is refused', () => {
  const refused = (fields: object): unknown =>
    codesOf((p) => {
      const t = p.table(p.input(1), fields, 't');
      return { outputs: [t] };
    });

  test('a table whose values are said twice, or not at all', () => {
    expect(refused({})).toEqual(['PATCH_INVALID nodes.t']);
    expect(refused({ size: 4 })).toEqual(['PATCH_INVALID nodes.t']);
    expect(refused({ values: [1], size: 4 })).toEqual(['PATCH_INVALID nodes.t']);
    expect(refused({ waveform: 'sine', size: 4 })).toEqual([]);
    const learnt = (fields: object): unknown =>
      codesOf((p) => {
        const curve = p.param('curve', { size: 4, initial: 0, min: -1, max: 1 });
        return { outputs: [p.tableOf(p.input(1), curve, fields, 't')] };
      });
    expect(learnt({})).toEqual([]);
    expect(learnt({ values: [1] })).toEqual(['PATCH_INVALID nodes.t']);
    expect(learnt({ size: 4 })).toEqual(['PATCH_INVALID nodes.t']);
  });

  test('a table of what moves within a window', () => {
    const held = (by: (p: PatchBuilder) => Signal): unknown =>
      codesOf((p) => {
        const curve = p.param('curve', { size: 4, initial: 0, min: -1, max: 1 });
        const moving = p.op('mul', [curve, by(p)]);
        return { outputs: [p.tableOf(p.input(1), moving, {}, 't')] };
      });
    expect(held((p) => p.input(2))).toEqual(['PATCH_RATE nodes.t.in[1]']);
    expect(held((p) => p.slider('s', { initial: 0, min: 0, max: 1 }))).toEqual([
      'PATCH_RATE nodes.t.in[1]',
    ]);
    expect(held((p) => p.param('p', { initial: 0, min: 0, max: 1 }))).toEqual([]);
  });

  test('places in lanes of a table that is written', () => {
    const refusal = codesOf((p) => {
      const v = p.vector('vector', [], { values: [0, 1, 2] });
      const t = p.rwTable(p.input(1), p.input(2), v, { size: 4 }, 't');
      return { outputs: [t] };
    });
    expect(refusal).toEqual(['PATCH_SHAPE nodes.t.in[2]']);
  });

  test('a table without values, or with too many', () => {
    expect(refused({ values: [] })).toEqual(['PATCH_INVALID nodes.t.values']);
    expect(refused({ waveform: 'sine', size: 2 ** 18 + 1 })).toEqual([
      'PATCH_INVALID nodes.t.size',
    ]);
    const many = codesOf((p) => {
      for (let k = 0; k < 5; k++) p.table(p.input(1), { waveform: 'sine', size: 2 ** 18 });
      return {};
    });
    expect(many).toEqual(['PATCH_TOO_LARGE nodes']);
    const wide = codesOf((p) => {
      const v = p.vector('splat', [p.input(1)], { lanes: 5 });
      return { outputs: [p.vector('sumLanes', [p.rwTable(v, 0, 0, { size: 2 ** 18 })], {})] };
    });
    expect(wide).toEqual(['PATCH_TOO_LARGE nodes']);
  });
});

test('a table of 2^18 values compiles without delay', () => {
  const begin = performance.now();
  render(
    (p) => p.table(p.input(1), { waveform: 'saw', size: 2 ** 18, interpolation: 'cubic' }),
    1,
    [new Float64Array(1)],
  );
  expect(performance.now() - begin).toBeLessThan(3000);
});
