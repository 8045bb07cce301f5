/**
 * The reference is what it says: libfaust's own code with its own glue, moves of sliders at their
 * sample, contents of soundfiles where the program reads them, and silence on the console.
 */

import { describe, expect, it, vi } from 'vitest';
import {
  compileReference,
  controlIn,
  expand,
  libfaust,
  normalForm,
  playReference,
  startReference,
} from '../support/libfaust.ts';

const DOUBLE = { precision: 'double' } as const;
const ramp = (frames: number): Float64Array => Float64Array.from({ length: frames }, (_, t) => t);

describe('libfaust', () => {
  it('is the version that the facts about its normal form were found with', async () => {
    expect((await libfaust()).version()).toMatch(/^2\.88\.0/);
  });

  it('prints nothing, neither in order nor in failure', async () => {
    const spies = (['log', 'info', 'warn', 'error'] as const).map((name) =>
      vi.spyOn(console, name),
    );
    await normalForm('process = _;', DOUBLE);
    await compileReference('process = ;', DOUBLE).catch(() => undefined);
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  it('gives its own words and line for what it refuses, and takes the next program', async () => {
    await expect(compileReference('a = 1;\nprocess = ;', DOUBLE)).rejects.toThrow(/:2 : ERROR/);
    await expect(normalForm('process = nowhere;', DOUBLE)).rejects.toThrow('undefined symbol');
    expect(await normalForm('process = _;', DOUBLE)).toBe('SIG = (IN[0]);\n');
  });

  it('imports the files that are given with a program, and only then', async () => {
    const code = 'import("local.lib"); process = half;';
    const files = { 'local.lib': 'half = _ * 0.5;' };
    expect(await expand(code, { ...DOUBLE, files })).toContain('0.5');
    await expect(expand(code, DOUBLE)).rejects.toThrow('local.lib');
  });
});

describe('a reference', () => {
  it('moves a control before the sample it is moved at, whatever the block size', async () => {
    const reference = await compileReference('process = _ * hslider("g", 1, 0, 9, 1);', DOUBLE);
    for (const blockSize of [1, 7, 128]) {
      const [out] = playReference(reference, {
        frames: 20,
        blockSize,
        inputs: [ramp(20)],
        moves: [{ at: 13, path: 'g', value: 2 }],
      });
      expect([...out!]).toEqual([...ramp(20)].map((x) => (x < 13 ? x : 2 * x)));
    }
  });

  it('computes in the precision that is asked for, at the rate that is asked for', async () => {
    const code = 'process = 1.0 / 3, fconstant(int fSamplingFreq, <math.h>) / 1;';
    for (const precision of ['single', 'double'] as const) {
      const reference = await compileReference(code, { precision });
      const outputs = playReference(reference, { frames: 1, sampleRate: 44100 });
      const third = precision === 'single' ? Math.fround(1 / 3) : 1 / 3;
      expect(outputs.map(([x]) => x)).toEqual([third, 44100]);
    }
  });

  it('computes into its own buffers, with state from call to call', async () => {
    const { inputs, outputs, compute } = startReference(
      await compileReference('process = + ~ _;', { precision: 'single' }),
      { blockSize: 4 },
    );
    inputs[0]!.fill(1);
    compute();
    expect([...outputs[0]!]).toEqual([1, 2, 3, 4]);
    compute(2);
    expect([...outputs[0]!]).toEqual([5, 6, 3, 4]);
  });

  it('finds a control as the normal form names it, and says if it cannot', async () => {
    const code =
      'process = hgroup("h", vgroup("a", hslider("g[unit:Hz]", 1, 0, 2, 1)) * vgroup("b", hslider("g", 2, 0, 2, 1)));';
    const reference = await compileReference(code, DOUBLE);
    expect(controlIn(reference, 'g[unit:Hz]/a/h').initial).toBe(1);
    expect(controlIn(reference, 'g/b').initial).toBe(2);
    expect(() => controlIn(reference, 'g')).toThrow('2 controls');
    expect(() => controlIn(reference, 'f')).toThrow('0 controls');
  });

  it('tells a meter', async () => {
    const reference = await compileReference('process = _ : hbargraph("m", 0, 9);', DOUBLE);
    const { inputs, compute, get } = startReference(reference, { blockSize: 4 });
    inputs[0]!.set(ramp(4));
    compute();
    expect(get('m')).toBe(3);
  });

  it.each(['single', 'double'] as const)('reads soundfiles in %s precision', async (precision) => {
    // Two parts and one that is missing; the second has one channel, which stands for both.
    const code = `
      son = soundfile("son[url:{'a.wav';'b.wav';'c.wav'}]", 2);
      process = par(p, 3, (p, (+(1) ~ _) - 1 : son));`;
    const a = {
      sampleRate: 44100,
      channels: [
        [1, 2, 3],
        [4, 5, 6],
      ],
    };
    const b = { sampleRate: 8000, channels: [[7, 8]] };
    const reference = await compileReference(code, { precision });
    const outputs = playReference(reference, {
      frames: 2,
      sounds: { 'a.wav': a, 'b.wav': b },
    });
    const text = outputs.map((signal) => signal.join(' ')).join(', ');
    expect(text).toBe(
      '3 3, 44100 44100, 1 2, 4 5, 2 2, 8000 8000, 7 8, 7 8, 1024 1024, 44100 44100, 0 0, 0 0',
    );
  });
});
