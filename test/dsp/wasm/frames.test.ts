/**
 * Frames: collected, transformed, put together again, recorded and differentiated. The interpreter
 * is the oracle of generated code in either precision, finite differences that of gradients.
 */

import { describe, expect, test } from 'vitest';
import type { Loss, Objective } from '../../../dsp/ad/gradient.ts';
import { objectiveActivity } from '../../../dsp/ad/gradient.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import type { Graph, NodeId } from '../../../dsp/ir/graph.ts';
import type { Program } from '../../../dsp/ir/program.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { interpreterKernel } from '../../../dsp/run/interpreter-kernel.ts';
import {
  PRECISIONS,
  assembled,
  compiledInstance,
  exactInstance,
  plainProgram,
  trainingProgram,
} from '../../support/program.ts';
import { random } from '../../support/random-graph.ts';

const BLOCK = 96;

function play(instance: Instance, frames: number, blocks: readonly number[]): number[] {
  const next = random(5);
  const noise = Array.from({ length: frames }, () => Math.fround(next() - 0.5));
  const out: number[] = [];
  for (let n = 0, k = 0; n < frames; k++) {
    const count = Math.min(blocks[k % blocks.length]!, frames - n);
    for (const input of instance.inputs) {
      for (let i = 0; i < count; i++) input[i] = noise[n + i]!;
    }
    instance.process(count);
    out.push(...instance.outputs[0]!.slice(0, count));
    n += count;
  }
  return out;
}

const oracle = (program: Program): Instance =>
  new Instance(assembled(program, BLOCK), interpreterKernel(program, BLOCK));

function near(a: readonly number[], b: readonly number[], tolerance: number): void {
  expect(a.length).toBe(b.length);
  const size = Math.max(...b.map(Math.abs), 1e-6);
  a.forEach((x, n) => {
    const difference = Math.abs(x - b[n]!);
    if (!(difference <= tolerance * size)) expect.fail(`${n}: ${x} against ${b[n]}`);
  });
}

/** Code computes what the interpreter computes. `tolerance` relative, of single precision. */
function isOracle(
  program: Program,
  frames: number,
  blocks: readonly number[],
  tolerance: number,
): void {
  const expected = play(oracle(program), frames, [BLOCK]);
  for (const precision of PRECISIONS) {
    const code = exactInstance({ ...program, precision }, BLOCK);
    near(play(code, frames, blocks), expected, precision === 'single' ? tolerance : 1e-12);
  }
}

const hann = (b: Builder, size: number): NodeId =>
  b.node(
    'const',
    [],
    Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size)),
  );

/** |X| of a spectrum, smoothed so that it has a slope everywhere. */
function magnitude(b: Builder, spectrum: NodeId): NodeId {
  const bins = b.shape(spectrum) / 2;
  const re = b.node('slice', [spectrum], [0, bins]);
  const im = b.node('slice', [spectrum], [bins, bins]);
  const power = b.node('add', [b.node('mul', [re, re]), b.node('mul', [im, im])]);
  return b.node('sqrt', [b.node('add', [power, b.real(1e-6)])]);
}

/** What is done with the spectrum of a frame. */
type Process = (b: Builder, spectrum: NodeId) => NodeId;

function vocoder(size: number, hop: number, process: Process, lanes = size): Graph {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const frame = b.node('mul', [b.node('frames', [x], [hop, lanes]), hann(b, lanes)]);
  const made = lanes === size ? b.node('rfftT', [process(b, b.node('rfft', [frame]))]) : frame;
  const y = b.node('overlap', [b.node('mul', [made, b.real(1 / size)])], [hop]);
  return b.finish([{ name: 'out:0', node: b.node('add', [y, b.real(0.25)]) }]);
}

const SIZES = { inputs: 1, sliders: 0, params: 3 };

const PROCESSES: Readonly<Record<string, Process>> = {
  'as it is': (_, spectrum) => spectrum,
  'scaled by a parameter': (b, s) => b.node('mul', [s, b.node('param', [], [0])]),
  whitened: (b, s) => {
    const m = magnitude(b, s);
    return b.node('div', [s, b.node('concat', [m, m])]);
  },
  'smoothed over frames': (b, s) => {
    const past = b.feedback('real', 1, 0, b.shape(s), b.nodes[s]!.hop);
    const next = b.node('add', [s, b.node('mul', [past, b.real(0.5)])]);
    b.close(past, next);
    return b.node('add', [next, b.delay(s, 3)]);
  },
  'taken apart and joined, its parts in two places and remembered': (b, s) => {
    const bins = b.shape(s) / 2;
    const part = (from: number, gain: number): NodeId =>
      b.node('mul', [b.node('slice', [s], [from, bins]), b.real(gain)]);
    const [re, im] = [part(0, 1.5), part(bins, 0.75)];
    const other = b.node('concat', [b.node('neg', [im]), b.delay(re, 1)]);
    return b.node('add', [b.node('concat', [re, im]), b.node('mul', [other, b.real(0.5)])]);
  },
  'normalised to its sum': (b, s) => {
    const m = magnitude(b, s);
    const level = b.node('add', [b.node('laneSum', [m]), b.real(0.1)]);
    return b.node('mul', [s, b.node('div', [b.real(3), level])]);
  },
};

describe('frames in a stream', () => {
  for (const [name, process] of Object.entries(PROCESSES)) {
    test.each([
      [64, 16],
      [64, 64],
      [128, 48],
      [256, 200],
    ])(`${name}, size %i and hop %i: generated code is the interpreter`, (size, hop) => {
      const program = plainProgram(optimise(vocoder(size, hop, process)), SIZES);
      const expected = play(oracle(program), 1000, [BLOCK]);
      expect(Math.max(...expected)).toBeGreaterThan(0.252);
      for (const blocks of [[BLOCK], [1, 7, 96, 33]]) isOracle(program, 1000, blocks, 1e-5);
      near(play(oracle(program), 1000, [1, 7, 96, 33]), expected, 1e-12);
    });
  }

  test.each([1, 3, 5, 30])('frames of %i lanes keep what lies behind the last one out', (lanes) => {
    const program = plainProgram(optimise(vocoder(64, 10, (_, s) => s, lanes)), SIZES);
    isOracle(program, 400, [5, 90], 1e-5);
  });

  test.each([
    ['frame', 'alone'],
    ['frame', 'heard too'],
    ['result', 'heard too'],
    ['windowed result', 'heard too'],
  ])('a window before a transform and after it, the %s %s', (what, how) => {
    const b = new Builder('stream');
    const window = b.node('mul', [hann(b, 64), b.real(1 / 8)]);
    const frame = b.node('mul', [window, b.node('frames', [b.node('input', [], [0])], [16, 64])]);
    const result = b.node('rfftT', [b.node('mul', [b.node('rfft', [frame]), b.real(2)])]);
    const windowed = b.node('mul', [result, window]);
    const y = b.node('overlap', [windowed], [16]);
    const heard = { frame, result, 'windowed result': windowed }[what]!;
    const other = b.node('overlap', [heard], [16]);
    const node = how === 'alone' ? y : b.node('add', [y, b.node('mul', [other, b.real(0.25)])]);
    const program = plainProgram(optimise(b.finish([{ name: 'out:0', node }])), SIZES);
    isOracle(program, 500, [5, 90], 1e-5);
  });

  test('a window that adds up to one gives the signal back, one frame less a sample later', () => {
    const b = new Builder('stream');
    const x = b.node('input', [], [0]);
    const frame = b.node('mul', [b.node('frames', [x], [32, 64]), hann(b, 64)]);
    const y = b.node('overlap', [frame], [32]);
    const program = plainProgram(optimise(b.finish([{ name: 'out:0', node: y }])), SIZES);
    const out = play(compiledInstance(assembled(program, BLOCK)), 500, [BLOCK]);
    const next = random(5);
    const noise = Array.from({ length: 500 }, () => Math.fround(next() - 0.5));
    near(out.slice(130), noise.slice(130 - 63, 500 - 63), 1e-6);
  });

  describe.each(['an input', 'what was just computed', 'a recursion'])('of %s', (source) => {
    test.each([2, 3, 4, 8, 9, 33, 128, 130, 135])('the last %i samples are a filter', (lanes) => {
      const b = new Builder('stream');
      const past = b.feedback('real', 1);
      const x = b.node('input', [], [0]);
      const computed = b.node('mul', [x, b.node('add', [x, b.real(0.3)])]);
      const recursive = b.node('add', [x, b.node('mul', [past, b.real(0.5)])]);
      b.close(past, recursive);
      const signal = {
        'an input': x,
        'what was just computed': computed,
        'a recursion': recursive,
      };
      const last = b.node('frames', [signal[source as keyof typeof signal]], [1, lanes]);
      const taps = Array.from({ length: lanes }, (_, k) => (k % 5) - 2.1);
      const filtered = b.node('matvec', [b.node('const', [], taps), last]);
      const loudest = b.node('laneSum', [b.node('mul', [last, last])]);
      for (const made of [[filtered], [filtered, loudest]]) {
        const outputs = made.map((node, k) => ({ name: `out:${k}`, node }));
        const program = plainProgram(optimise(b.finish(outputs)), SIZES);
        isOracle(program, 300, [7, 64, 1], 1e-6);
      }
    });
  });
});

/** mean over frames and bins of (ln |X| − ln |Y|)². */
const logSpectrum =
  (size: number, hop: number): Loss =>
  (b, estimate, target, window) => {
    const spectrum = (signal: NodeId): NodeId => {
      const frame = b.node('mul', [b.node('frames', [signal], [hop, size]), hann(b, size)]);
      return b.node('ln', [magnitude(b, b.node('rfft', [frame]))]);
    };
    const error = b.node('sub', [spectrum(estimate), spectrum(target)]);
    const total = b.node('sum', [b.node('laneSum', [b.node('mul', [error, error])])]);
    return b.node('mul', [total, b.real(hop / window / (size / 2 + 1))]);
  };

/** A one-pole filter and a gain, against the sound itself a little later. */
function learner(
  loss: Loss,
  window: number,
  process?: Process,
): { stream: Graph; objective: Objective } {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const [gain, pole, mix] = [0, 1, 2].map((k) => b.node('param', [], [k])) as [
    NodeId,
    NodeId,
    NodeId,
  ];
  const past = b.feedback('real', 1);
  const y = b.node('add', [b.node('mul', [x, gain]), b.node('mul', [past, pole])]);
  b.close(past, y);
  let estimate = y;
  if (process !== undefined) {
    const frame = b.node('frames', [y], [16, 64]);
    const made = b.node('rfftT', [b.node('mul', [process(b, b.node('rfft', [frame])), mix])]);
    estimate = b.node('overlap', [b.node('mul', [made, b.real(1 / 64)])], [16]);
  }
  const target = b.delay(x, 3);
  const stream = b.finish([{ name: 'out:0', node: estimate }]);
  return { stream, objective: { terms: [{ estimate, target, loss }], window, params: 3 } };
}

function firstWindow(instance: Instance, window: number) {
  play(instance, window, [BLOCK]);
  return { loss: instance.loss, gradients: [...instance.gradients] };
}

describe('gradients through frames', () => {
  const mse: Loss = (b, estimate, target, window) => {
    const e = b.node('sub', [estimate, target]);
    return b.node('mul', [b.node('sum', [b.node('mul', [e, e])]), b.real(1 / window)]);
  };
  const cases = [
    ['a spectral loss', logSpectrum(64, 16), 192, undefined],
    ['a spectral loss without overlap', logSpectrum(128, 128), 256, undefined],
    ...Object.entries(PROCESSES).map(
      ([name, process]) => [`a spectrum ${name}`, mse, 160, process] as const,
    ),
    ['both', logSpectrum(64, 32), 192, PROCESSES['whitened']],
  ] as const;

  test.each(cases)(
    '%s: slopes, both modes and generated code agree',
    (_, loss, window, process) => {
      const { stream, objective } = learner(loss, window, process);
      expect(objectiveActivity(stream, objective).obstacles).toEqual([]);
      const programs = (['forward', 'reverse'] as const).map((mode) =>
        trainingProgram(stream, objective, mode, SIZES),
      );
      const [forward, reverse] = programs.map((p) => firstWindow(oracle(p), window)) as [
        { loss: number; gradients: number[] },
        { loss: number; gradients: number[] },
      ];
      near(reverse.gradients, forward.gradients, 1e-9);
      forward.gradients.forEach((g, k) => {
        const at = (h: number): number => {
          const instance = oracle(programs[1]!);
          instance.params[k]! += h;
          return firstWindow(instance, window).loss;
        };
        const slope = (at(1e-5) - at(-1e-5)) / 2e-5;
        expect(Math.abs(slope - g)).toBeLessThan(
          1e-5 * Math.max(1e-2, ...forward.gradients.map(Math.abs)),
        );
      });
      for (const program of programs) {
        for (const precision of PRECISIONS) {
          const artifact = assembled({ ...program, precision }, BLOCK);
          const code = firstWindow(compiledInstance(artifact), window);
          const most = precision === 'single' ? 2e-4 : 1e-9;
          near(code.gradients, forward.gradients, most);
          near([code.loss], [forward.loss], most);
        }
      }
    },
  );
});

describe('frames that are kept', () => {
  const KEPT: Readonly<Record<string, Process>> = {
    'an int of every lane, late': (b, s) => {
      const late = b.delay(b.node('lt', [s, b.real(0)]), 2, 1);
      return b.node('select', [late, s, b.node('neg', [s])]);
    },
    'a part of a late frame, late': (b, s) => {
      const part = b.node('slice', [b.delay(s, 1)], [3, 9]);
      return b.delay(part, 1);
    },
  };

  test.each(Object.entries(KEPT))('%s: generated code is the interpreter', (_, process) => {
    const b = new Builder('stream');
    const frame = b.node('frames', [b.node('input', [], [0])], [8, 16]);
    const y = b.node('overlap', [process(b, b.node('mul', [frame, frame]))], [8]);
    const program = plainProgram(optimise(b.finish([{ name: 'out:0', node: y }])), SIZES);
    isOracle(program, 300, [7, 96], 1e-6);
  });

  test('the last samples meet a frame that comes in a later stage', () => {
    const b = new Builder('stream');
    const x = b.node('input', [], [0]);
    const other = b.node('overlap', [b.node('frames', [x], [12, 5])], [12]);
    const both = b.node('concat', [
      b.node('frames', [b.node('mul', [other, other])], [8, 3]),
      b.node('frames', [x], [8, 6]),
    ]);
    const y = b.node('overlap', [both], [8]);
    const program = plainProgram(optimise(b.finish([{ name: 'out:0', node: y }])), SIZES);
    isOracle(program, 300, [7, 96], 1e-6);
  });
});
