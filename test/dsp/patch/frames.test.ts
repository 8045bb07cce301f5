/**
 * Frames and spectra in patches: values against direct sums, signals that come back as they were,
 * gradients against differences, and rates that do not mix.
 */

import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../../dsp/check/gradcheck.ts';
import { compile } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import type { PatchBuilder, PatchEnd, Signal } from '../../../dsp/patch/builder.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { compiledInstance } from '../../support/program.ts';
import { numbers } from '../../support/vectors.ts';

const RATE = 48000;
const BLOCK = 128;
const TRAINING = {
  loss: 'mse',
  window: 128,
  mode: 'auto',
  optimiser: { kind: 'sgd' },
  schedule: { kind: 'constant', rate: 0 },
} as const;
const RANGE = { min: -4, max: 4 };

function built(write: (p: PatchBuilder) => PatchEnd): Patch {
  const patch = buildPatch('t', write);
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

/** [output][sample] of a patch that hears x, in blocks of the given lengths. */
function render(
  write: (p: PatchBuilder) => Signal[],
  x: readonly number[],
  blocks: readonly number[] = [BLOCK],
): number[][] {
  const patch = built((p) => ({ outputs: write(p) }));
  const artifact = compile(patch, { sampleRate: RATE, maxBlock: BLOCK, latency: 0 });
  if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
  const instance = compiledInstance(artifact.value);
  const out: number[][] = instance.outputs.map(() => []);
  for (let n = 0, k = 0; n < x.length; k++) {
    const count = Math.min(blocks[k % blocks.length]!, x.length - n);
    for (const channel of instance.inputs) channel.set(x.slice(n, n + count));
    instance.process(count);
    instance.outputs.forEach((channel, c) => out[c]!.push(...channel.slice(0, count)));
    n += count;
  }
  return out;
}

const framed = (p: PatchBuilder, x: Signal, size: number, hop: number, kind = 'hann' as const) =>
  p.op('mul', [p.vector('frames', [x], { size, hop }), p.vector('window', [], { kind, size })]);

const lane = (p: PatchBuilder, v: Signal, from: number): Signal =>
  p.vector('hold', [p.vector('slice', [v], { from, lanes: 1 })], {});

const lanes = (p: PatchBuilder, v: Signal, count: number): Signal[] =>
  Array.from({ length: count }, (_, k) => lane(p, v, k));

const sine = (cycles: number, frames: number): number[] =>
  Array.from({ length: frames }, (_, n) => Math.fround(Math.sin(2 * Math.PI * cycles * n)));

/** The spectrum of N samples by its definition. */
function dft(x: readonly number[]): { re: number[]; im: number[] } {
  const bins = Array.from({ length: x.length / 2 + 1 }, (_, k) => k);
  const sum = (f: (angle: number) => number) =>
    bins.map((k) =>
      x.reduce((s, v, n) => s + v * f((2 * Math.PI * ((k * n) % x.length)) / x.length), 0),
    );
  return { re: sum(Math.cos), im: sum((a) => -Math.sin(a)) };
}

describe('a spectrum in a patch', () => {
  test('is the transform of the last samples, and what is read off it fits', () => {
    const size = 64;
    const x = numbers(192, 7);
    const y = render((p) => {
      const s = p.vector('rfft', [framed(p, p.input(1), size, 32)], {});
      return [
        ...lanes(p, s, 66),
        lane(p, p.vector('magnitude', [s], {}), 5),
        lane(p, p.vector('power', [s], {}), 5),
        lane(p, p.vector('logPower', [s], { floor: 0.5 }), 5),
        lane(p, p.vector('phase', [s], {}), 5),
      ].slice(-64);
    }, x);
    const last = x
      .slice(192 - size)
      .map((v, n) => v * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size)));
    const { re, im } = dft(last);
    const power = re[5]! ** 2 + im[5]! ** 2;
    const expected = [
      ...re,
      ...im,
      Math.sqrt(power),
      power,
      10 * Math.log10(power + 0.5),
      Math.atan2(im[5]!, re[5]!),
    ].slice(-64);
    expected.forEach((value, k) => expect(y[k]!.at(-1), `output ${k}`).toBeCloseTo(value, 4));
  });

  test.each([3, 10.5, 31])('a sine of %f cycles a frame has its peak in that bin', (cycles) => {
    const size = 128;
    const y = render(
      (p) => {
        const s = p.vector('rfft', [framed(p, p.input(1), size, size)], {});
        const m = p.vector('slice', [p.vector('magnitude', [s], {})], { from: 0, lanes: 64 });
        return lanes(p, m, 64);
      },
      sine(cycles / size, 512),
    );
    const spectrum = y.map((channel) => channel.at(-1)!);
    const peak = spectrum.indexOf(Math.max(...spectrum));
    expect(Math.abs(peak - cycles)).toBeLessThanOrEqual(0.5);
    // A Hann window halves an amplitude of 1, which is N/2 in its bin.
    if (Number.isInteger(cycles)) expect(spectrum[peak]).toBeCloseTo(size / 4, 3);
  });

  test('holds the energy of its frame', () => {
    const size = 256;
    const x = numbers(size, 3);
    const [energy] = render((p) => {
      const s = p.vector('rfft', [p.vector('frames', [p.input(1)], { size, hop: size })], {});
      const power = p.vector('power', [s], {});
      const both = p.op('mul', [p.vector('sumLanes', [power], {}), 2]);
      const ends = [0, 128].map((from) => p.vector('slice', [power], { from, lanes: 1 }));
      const edge = p.op('add', ends);
      return [p.vector('hold', [p.op('mul', [p.op('sub', [both, edge]), 1 / size])], {})];
    }, x);
    expect(energy!.at(-1)).toBeCloseTo(
      x.reduce((s, v) => s + v * v, 0),
      3,
    );
  });

  test.each([
    ['once', 1, 64, 1],
    ['twice, with two windows', 2, 32, 1],
    ['four times, with two windows', 4, 16, 1.5],
  ])('comes back as the signal a frame later, covered %s', (_, overlap, hop, sum) => {
    const size = 64;
    const x = numbers(640, 5);
    const write = (p: PatchBuilder): Signal[] => {
      const kind = overlap === 1 ? 'rectangular' : 'hann';
      const s = p.vector('rfft', [framed(p, p.input(1), size, hop, kind as 'hann')], {});
      let frame = p.vector('irfft', [s], {});
      if (overlap === 4)
        frame = p.op('mul', [frame, p.vector('window', [], { kind: 'hann', size })]);
      return [p.op('mul', [p.vector('overlapAdd', [frame], {}), 1 / sum])];
    };
    const [y] = render(write, x);
    for (let n = 2 * size; n < x.length; n++) expect(y![n]).toBeCloseTo(x[n - size + 1]!, 5);
    const [ragged] = render(write, x, [1, 31, 128, 7]);
    expect(ragged).toEqual(y);
  });

  test('is made of magnitudes and phases, and multiplied', () => {
    const size = 64;
    const [x, h] = [numbers(size, 2), numbers(size, 9)];
    const y = render((p) => {
      const v = p.vector('frames', [p.input(1)], { size, hop: size });
      const s = p.vector('rfft', [v], {});
      const again = p.vector(
        'polar',
        [p.vector('magnitude', [s], {}), p.vector('phase', [s], {})],
        {},
      );
      const fixed = p.vector('rfft', [p.vector('vector', [], { values: h })], {});
      const product = p.vector('irfft', [p.vector('complexMul', [s, fixed], {})], {});
      const turned = p.vector('irfft', [again], {});
      return [...lanes(p, turned, 3), ...lanes(p, product, 3)];
    }, x);
    for (let k = 0; k < 3; k++) {
      expect(y[k]!.at(-1)).toBeCloseTo(x[k]!, 5);
      const cyclic = x.reduce((s, v, n) => s + v * h[(k - n + size) % size]!, 0);
      expect(y[3 + k]!.at(-1)).toBeCloseTo(cyclic, 4);
    }
  });

  test('is summed in mel bands as a matrix would', () => {
    // torchaudio.functional.melscale_fbanks(129, 100, 8000, 6, 16000), bins 2, 20 and 90 of each band.
    const size = 256;
    const bins = 129;
    const mel = (f: number): number => 2595 * Math.log10(1 + f / 700);
    const corner = (k: number): number =>
      700 * (10 ** ((mel(300) + ((mel(20000) - mel(300)) * k) / 7) / 2595) - 1);
    const matrix = Array.from({ length: 6 }, (_, m) =>
      Array.from({ length: bins }, (_bin, k) => {
        const f = (k * RATE) / size;
        const [a, c, e] = [corner(m), corner(m + 1), corner(m + 2)];
        return Math.max(0, Math.min((f - a) / (c - a), (e - f) / (e - c)));
      }),
    );
    const x = numbers(bins, 4);
    const y = render((p) => {
      const v = p.vector('vector', [], { values: x });
      const one = p.vector('frames', [p.input(1)], { size: 1, hop: 8 });
      const m = p.vector('mel', [p.op('mul', [v, one])], { bands: 6, low: 300, high: 20000 });
      return [
        ...lanes(p, m, 6),
        p.vector('hold', [p.vector('maxLanes', [m], {})], {}),
        p.vector('hold', [p.vector('minLanes', [m], {})], {}),
      ];
    }, new Array<number>(16).fill(1));
    const expected = matrix.map((row) => row.reduce((s, w, k) => s + w * x[k]!, 0));
    [...expected, Math.max(...expected), Math.min(...expected)].forEach((value, k) =>
      expect(y[k]!.at(-1)).toBeCloseTo(value, 4),
    );
  });
});

describe('frames in a patch', () => {
  test('are delayed, fed back and held frame by frame, however the stream is cut', () => {
    const x = numbers(300, 1);
    const hop = 10;
    const write = (p: PatchBuilder): Signal[] => {
      const v = p.vector('frames', [p.input(1)], { size: 3, hop });
      const past = p.delay(v, 2);
      const smooth = p.feedback(1, (h) => p.op('add', [p.op('mul', [h, 0.5]), v]));
      const count = p.delay(0, 1, 'count');
      const next = p.op('add', [count, 1], 'next');
      p.nodes[count] = { op: 'delay', in: [next], frames: 1, hop };
      const mean = p.runningMean(v, 4);
      return [lane(p, past, 0), lane(p, smooth, 2), p.vector('hold', [next], {}), lane(p, mean, 1)];
    };
    const y = render(write, x);
    expect(render(write, x, [3, 1, 64, 17])).toEqual(y);
    const at = (n: number): number => (n < 0 ? 0 : x[n]!);
    let smooth = 0;
    for (let n = hop - 1, k = 1; n < 300; n += hop, k++) {
      smooth = smooth * 0.5 + at(n);
      const mean = (at(n - 1) + at(n - 11) + at(n - 21) + at(n - 31)) / 4;
      for (let i = n; i < Math.min(300, n + hop); i++) {
        expect(y[0]![i]).toBeCloseTo(at(n - 22), 6);
        expect(y[1]![i]).toBeCloseTo(smooth, 6);
        expect(y[2]![i]).toBe(k);
        expect(y[3]![i]).toBeCloseTo(mean, 6);
      }
    }
    expect(y[2]!.slice(0, hop - 1)).toEqual(new Array(hop - 1).fill(0));
  });

  test('a constant vector is played again and again, a held control at once', () => {
    const y = render((p) => {
      const g = p.slider('g', { initial: 0.25, min: 0, max: 1 });
      const v = p.vector('vector', [], { values: [1, 2, 3, 4, 5] });
      return [
        p.vector('overlapAdd', [v], { hop: 4 }),
        p.vector('hold', [g], {}),
        p.vector('overlapAdd', [p.vector('splat', [g], { lanes: 4 })], { hop: 4 }),
      ];
    }, new Array<number>(16).fill(0));
    expect(y[0]).toEqual([0, 0, 0, 1, 2, 3, 4, 6, 2, 3, 4, 6, 2, 3, 4, 6]);
    expect(y[1]!.every((v) => v === 0.25)).toBe(true);
    expect(y[2]!.slice(3).every((v) => v === 0.25)).toBe(true);
  });

  test('of one sample at a time are vectors of samples', () => {
    const x = numbers(200, 6);
    const y = render((p) => {
      const v = p.vector('frames', [p.input(1)], { size: 64, hop: 1 });
      const s = p.vector('rfft', [v], {});
      const back = p.vector('irfft', [s], {});
      const [first, overlapped] = [
        p.vector('slice', [back], { from: 0, lanes: 1 }),
        p.vector('overlapAdd', [p.vector('slice', [v], { from: 62, lanes: 2 })], {}),
      ];
      return [first, overlapped];
    }, x);
    for (let n = 64; n < 200; n++) {
      expect(y[0]![n]).toBeCloseTo(x[n - 63]!, 5);
      expect(y[1]![n]).toBeCloseTo(2 * x[n - 1]!, 5);
    }
  });

  test('of the largest size go through', () => {
    const x = numbers(16384 + 256, 8);
    const [y] = render((p) => {
      const s = p.vector('rfft', [framed(p, p.input(1), 8192, 4096)], {});
      const half = p.vector('slice', [s], { from: 0, lanes: 4097 });
      const rest = p.vector('slice', [s], { from: 4097, lanes: 4097 });
      const joined = p.vector('concat', [half, rest], {});
      return [p.vector('overlapAdd', [p.vector('irfft', [joined], {})], {})];
    }, x);
    for (let n = 8192 + 4096; n < x.length; n += 17) expect(y![n]).toBeCloseTo(x[n - 8191]!, 4);
  });
});

describe('gradients through frames', () => {
  const drawn = (size: number, seed: number) => ({
    size,
    initial: { init: 'uniform', seed, scale: 0.6 } as const,
    ...RANGE,
  });
  const size = 64;
  const bins = 33;
  const back = (p: PatchBuilder, s: Signal): Signal =>
    p.vector('overlapAdd', [p.vector('irfft', [s], {})], {});
  /** What is done with the spectrum of a coloured sound. */
  const CASES: Readonly<Record<string, (p: PatchBuilder, s: Signal, x: Signal) => Signal>> = {
    'gains per bin': (p, s) => {
      const gains = p.param('gains', drawn(bins, 1));
      return back(p, p.op('mul', [s, p.vector('concat', [gains, gains], {})]));
    },
    'a learnt window': (p, _, x) => {
      const w = p.param('w', drawn(size, 1));
      const v = p.op('mul', [p.vector('frames', [x], { size, hop: 32 }), w]);
      return p.vector('overlapAdd', [v], {});
    },
    'magnitude and phase': (p, s) => {
      const g = p.param('g', drawn(bins, 1));
      const m = p.op('mul', [p.vector('magnitude', [s], {}), p.fn('sigmoid', [g])]);
      const a = p.op('add', [p.vector('phase', [s], {}), p.op('mul', [g, 0.5])]);
      return back(p, p.vector('polar', [m, a], {}));
    },
    'a learnt impulse response': (p, s) => {
      const h = p.param('h', drawn(size, 2));
      return back(p, p.vector('complexMul', [s, p.vector('rfft', [h], {})], {}));
    },
    'levels in mel bands': (p, s) => {
      const power = p.vector('power', [s], {});
      const level = p.fn('log10', [p.op('add', [p.vector('mel', [power], { bands: 8 }), 1e-3])]);
      const w = p.param('w', drawn(8, 3));
      const total = p.vector('sumLanes', [p.op('mul', [level, w])], {});
      return p.vector('hold', [p.fn('sigmoid', [p.op('mul', [total, 0.1])])], {});
    },
    'a log power and its extremes': (p, s) => {
      const level = p.op('mul', [p.vector('logPower', [s], {}), p.param('w', drawn(bins, 4))]);
      const [high, low] = [p.vector('maxLanes', [level], {}), p.vector('minLanes', [level], {})];
      return p.vector('hold', [p.op('mul', [p.op('sub', [high, low]), 0.01])], {});
    },
    'a choice by conditions that depend on many others': (p, s) => {
      const level = p.vector('power', [s], {});
      let odd = p.op('gt', [level, 0.01]);
      for (let k = 1; k < 12; k++) odd = p.op('xor', [odd, p.op('gt', [level, 0.03 * k])]);
      const g = p.param('g', drawn(bins, 6));
      const chosen = p.op('select', [odd, g, p.op('neg', [g])]);
      return back(p, p.op('mul', [s, p.vector('concat', [chosen, chosen], {})]));
    },
    'a recurrent layer over frames': (p, s) => {
      const few = p.vector('slice', [p.vector('power', [s], {})], { from: 0, lanes: 2 });
      const gru = p.vector(
        'gru',
        [few, p.param('w', drawn(12, 1)), p.param('u', drawn(12, 2)), 0.1],
        {
          units: 2,
        },
      );
      const conv = p.vector('conv1d', [gru, p.param('v', drawn(4, 3))], { units: 1, taps: 2 });
      return p.vector('hold', [conv], {});
    },
    'a dense layer over bins': (p, s) => {
      const m = p.vector('magnitude', [s], {});
      const mask = p.vector('dense', [m, p.param('w', drawn(bins * bins, 5))], {
        units: bins,
        activation: 'sigmoid',
      });
      return back(p, p.op('mul', [s, p.vector('concat', [mask, mask], {})]));
    },
  };

  test.each(Object.entries(CASES))('%s: as differences measure them', (_, process) => {
    const patch = built((p) => {
      const x = p.input(1, 'x');
      const pole = p.param('pole', { initial: 0.3, min: -1, max: 1 });
      const coloured = p.fn('onePole', [x, pole]);
      const s = p.vector('rfft', [framed(p, coloured, size, 16)], {});
      const estimate = p.op('add', [process(p, s, coloured), 0], 'y');
      return { training: { ...TRAINING, estimate, target: p.delay(x, 1, 't') } };
    });
    const report = gradcheck(patch, { sampleRate: RATE, seed: 3 });
    if (!report.ok) throw new Error(printDiagnostics(report.diagnostics));
    for (const { mode, maxRelativeError, compiledRelativeError } of report.value.modes) {
      expect(maxRelativeError, mode).toBeLessThan(1e-3);
      expect(compiledRelativeError, mode).toBeLessThan(2e-2);
    }
  });
});

describe('rates', () => {
  const x = { op: 'input', channel: 1 };
  const v = { op: 'frames', in: ['x'], size: 64, hop: 16 };
  const w = { op: 'frames', in: ['x'], size: 64, hop: 32 };
  const s = { op: 'slice', in: ['v'], from: 0, lanes: 1 };
  const patchOf = (nodes: object, more: object = {}): object => ({
    format: 'livegrad.patch/1',
    name: 't',
    sliders: { g: { initial: 0, ...RANGE } },
    nodes: { x, v, w, s, ...nodes },
    ...more,
  });
  const WRONG: readonly (readonly [string, object, string, RegExp])[] = [
    [
      'frames of two hops',
      patchOf({ y: { op: 'add', in: ['v', 'w'] } }),
      'nodes.y.in[1]',
      /rates of "add": expected frames every 16 samples, as in\[0\], got frames every 32 samples/u,
    ],
    [
      'frames and samples',
      patchOf({ y: { op: 'mul', in: ['x', 'v'] } }),
      'nodes.y.in[1]',
      /expected samples, as in\[0\], got frames every 16 samples/u,
    ],
    [
      'a filter of frames',
      patchOf({ y: { op: 'onePole', in: ['s', 0.5] } }),
      'nodes.y.in[0]',
      /"onePole": expected samples, got frames/u,
    ],
    [
      'a table at frames',
      patchOf({ y: { op: 'table', in: ['s'], values: [1, 2] } }),
      'nodes.y.in[0]',
      /samples/u,
    ],
    [
      'a device delay of frames',
      patchOf({ y: { op: 'align', in: ['s'] } }),
      'nodes.y.in[0]',
      /samples/u,
    ],
    [
      'frames of frames',
      patchOf({ y: { op: 'frames', in: ['s'], size: 2, hop: 2 } }),
      'nodes.y.in[0]',
      /samples/u,
    ],
    [
      'frames of a control',
      patchOf({ y: { op: 'frames', in: ['g'], size: 2, hop: 2 } }),
      'nodes.y.in[0]',
      /expected samples, got no signal/u,
    ],
    [
      'an overlap of another hop',
      patchOf({ y: { op: 'overlapAdd', in: ['v'], hop: 32 } }),
      'nodes.y.in[0]',
      /every 32 samples, as "hop" says, got frames every 16/u,
    ],
    [
      'an overlap of what is no signal',
      patchOf({ y: { op: 'overlapAdd', in: ['g'] } }),
      'nodes.y',
      /expected "hop"/u,
    ],
    [
      'a delay of another hop',
      patchOf({ y: { op: 'delay', in: ['v'], frames: 1, hop: 8 } }),
      'nodes.y.in[0]',
      /every 8 samples, as "hop" says/u,
    ],
    [
      'frames as an output',
      patchOf({}, { outputs: ['s'] }),
      'outputs[0]',
      /expected samples, got frames/u,
    ],
    [
      'frames as an estimate',
      patchOf({}, { training: { ...TRAINING, estimate: 's', target: 'x' } }),
      'training.target',
      /expected frames every \d+ samples, as the estimate, got samples/u,
    ],
    [
      'frames as a sound',
      patchOf({}, { training: { ...TRAINING, estimate: 's', target: 'x', loss: 'logSpectral' } }),
      'training.estimate',
      /"logSpectral" compares sounds: expected samples, got frames/u,
    ],
    [
      'a recursion through frames',
      patchOf({
        past: { op: 'delay', in: ['y'], frames: 512 },
        fed: { op: 'add', in: ['x', 'past'] },
        f: { op: 'frames', in: ['fed'], size: 64, hop: 16 },
        y: { op: 'overlapAdd', in: ['f'] },
      }),
      'nodes.f',
      /a recursion through "frames": .* got "f" that depends on itself/u,
    ],
  ];
  test.each(WRONG)('%s: told', (_, json, path, words) => {
    const result = parsePatch(json);
    if (result.ok) throw new Error('it was accepted');
    expect(result.diagnostics.map((d) => [d.code, d.path])).toEqual([['PATCH_RATE', path]]);
    expect(result.diagnostics[0]!.message).toMatch(words);
  });

  test('lanes that are no spectrum are told', () => {
    const wrong = (node: object): string[] => {
      const result = parsePatch(patchOf({ y: node }));
      return result.ok ? [] : result.diagnostics.map((d) => `${d.code} ${d.message}`);
    };
    const three = { op: 'slice', in: ['v'], from: 0, lanes: 3 };
    const with3 = (node: object) => parsePatch(patchOf({ three, y: node }));
    expect(wrong({ op: 'irfft', in: ['v'] })).toEqual([
      'PATCH_SHAPE lanes of "irfft": expected a power of two from 64 to 8192, and 2, lanes, got 64 lanes',
    ]);
    expect(with3({ op: 'rfft', in: ['three'] }).ok).toBe(false);
    expect(with3({ op: 'magnitude', in: ['three'] }).ok).toBe(false);
    expect(with3({ op: 'complexMul', in: ['v', 'three'] }).ok).toBe(false);
    expect(with3({ op: 'polar', in: ['v', 'three'] }).ok).toBe(false);
    expect(wrong({ op: 'frames', in: ['v'], size: 2, hop: 2 })[0]).toContain('PATCH_SHAPE');
  });

  test.each([
    [{ bands: 80 }, 'nodes.m.bands', /every band must hold a bin/u],
    [{ bands: 4, high: 30000 }, 'nodes.m.high', /expected at most 24000 Hz, got 30000 Hz/u],
    [{ bands: 4, low: 9000, high: 8000 }, 'nodes.m.low', /expected below 8000 Hz, got 9000 Hz/u],
  ])('mel bands of %o are told', (fields, path, words) => {
    const patch = parsePatch(patchOf({ m: { op: 'mel', in: ['v'], ...fields } }));
    if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
    const result = compile(patch.value, { sampleRate: RATE, maxBlock: 64, latency: 0 });
    if (result.ok) throw new Error('it was accepted');
    expect(result.diagnostics.map((d) => [d.code, d.path])).toEqual([['PATCH_SIGNAL_RANGE', path]]);
    expect(result.diagnostics[0]!.message).toMatch(words);
  });

  test('a window that divides frames is told', () => {
    const params = { a: { initial: 0, ...RANGE } };
    const y = { op: 'overlapAdd', in: ['z'] };
    const training = { ...TRAINING, window: 100, estimate: 'y', target: 'x' };
    const json = patchOf({ z: { op: 'mul', in: ['v', 'a'] }, y }, { params, training });
    const patch = parsePatch(json);
    if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
    const result = compile(patch.value, { sampleRate: RATE, maxBlock: 64, latency: 0 });
    expect(result.ok ? [] : result.diagnostics).toMatchObject(
      [
        {
          code: 'PATCH_SIGNAL_RANGE',
          path: 'training.window',
          message: /a multiple of the hop of (16|32) samples, got 100/u,
        },
      ].map(({ message, ...rest }) => ({
        ...rest,
        message: expect.stringMatching(message) as string,
      })),
    );
  });
});
