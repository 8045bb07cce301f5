/**
 * Our code plays every program of the corpus as libfaust's own WebAssembly does, with its sliders as
 * they come and moved.
 *
 * Double precision: to 1e-12 of the output's peak, but for programs whose rounding errors grow, each
 * with its bound and the reason. Single precision: the error is rounding, so both are compared with
 * the program in double precision, and ours may be six times as far from it as libfaust's.
 */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Precision } from '../../dsp/ir/program.ts';
import { faustProgram, play, soundFolder, start } from '../support/faust.ts';
import { compileReference, playReference } from '../support/libfaust.ts';
import type { Move, Reference } from '../support/libfaust.ts';
import { BLOCK_DEPENDENT, CORPUS, CORPUS_SOUNDS, corpusInputs } from './corpus.ts';
import type { CorpusProgram } from './corpus.ts';

/** An eighth of a second; sliders stay as they come for the first half. */
const FRAMES = 6000;
const MOVED = 3000;
const DOUBLE = 1e-12;
/** Of the output's peak: some roundings of numbers that are ten times as large. */
const SINGLE = 3e-6;
const TIMES = 6;

/** Where rounding in another order is seen, in double precision, and why. */
const GROWING: Readonly<Record<string, { readonly bound: number; readonly why: string }>> = {
  'notch-hum': { bound: 1e-10, why: 'poles close to the unit circle at 50 Hz' },
  'tone-stack': { bound: 1e-10, why: 'a direct form of third order with its poles near 1' },
  sawtooths: { bound: 1e-9, why: 'differences of polynomials, divided by the phase’s step cubed' },
  quadrature: {
    bound: 1e-10,
    why: 'a filter of sixth order with its poles close to the unit circle',
  },
  'flute-and-brass': { bound: 1e-10, why: 'an oscillation that sustains itself' },
  'modal-bell': { bound: 1e-10, why: 'poles close to the unit circle' },
};

let folder = '';
beforeAll(() => {
  folder = soundFolder(CORPUS_SOUNDS);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Every slider to a place in its range, a different one for each. */
const moves = ({ controls }: Reference): Move[] =>
  controls
    .filter(({ kind }) => /slider|nentry/u.test(kind))
    .map(({ path, min, max, step }, k) => {
      const steps = Math.floor((max - min) / step + 1e-9);
      const share = (0.37 + 0.29 * k) % 1;
      return { at: MOVED, path: path.join('/'), value: min + step * Math.floor(share * steps) };
    });

interface Heard {
  readonly theirs: readonly Float64Array[];
  readonly ours: readonly Float64Array[];
}

async function hear(program: CorpusProgram, precision: Precision): Promise<Heard> {
  const reference = await compileReference(program.code, { precision });
  const inputs = corpusInputs(program, FRAMES).map((x) => Float64Array.from(x, Math.fround));
  const options = { frames: FRAMES, inputs, moves: moves(reference) };
  const theirs = playReference(reference, { ...options, sounds: CORPUS_SOUNDS });
  const ours = play(start(await faustProgram(program.code, precision, folder)), options);
  expect(ours).toHaveLength(theirs.length);
  return { theirs, ours };
}

/** The largest distance between two recordings of an output, in units of its peak. */
function distance(x: Float64Array, y: Float64Array, peak: number): number {
  let most = 0;
  for (let n = 0; n < x.length; n++) {
    if (Object.is(x[n], y[n])) continue;
    const far = Math.abs(x[n]! - y[n]!);
    most = Math.max(most, Number.isNaN(far) ? Infinity : far);
  }
  return most === 0 ? 0 : most / peak;
}
const peakOf = (x: Float64Array): number => x.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

const comparable = CORPUS.filter(({ name }) => !BLOCK_DEPENDENT.has(name));

describe('as libfaust plays it', () => {
  it.each(comparable.map((program) => [program.name, program] as const))(
    '%s',
    async (name, program) => {
      const double = await hear(program, 'double');
      const single = await hear(program, 'single');
      const bound = GROWING[name]?.bound ?? DOUBLE;
      double.theirs.forEach((truth, k) => {
        const peak = peakOf(truth);
        const far = (one: Float64Array): number => distance(one, truth, peak);
        expect(far(double.ours[k]!), `output ${k + 1}, double`).toBeLessThan(bound);
        const inherent = far(single.theirs[k]!);
        expect(far(single.ours[k]!), `output ${k + 1}, single`).toBeLessThan(
          TIMES * inherent + SINGLE,
        );
      });
    },
  );
});

describe('what is not compared', () => {
  it('is in the corpus, with its reason', () => {
    const names = new Set(CORPUS.map(({ name }) => name));
    for (const name of [...Object.keys(GROWING), ...BLOCK_DEPENDENT]) {
      expect(names).toContain(name);
    }
  });

  it('the size of a block is an error that says why', async () => {
    const program = CORPUS.find(({ name }) => name === 'block-size')!;
    await expect(async () => start(await faustProgram(program.code, 'single'))).rejects.toThrow(
      'the foreign value "count" is not known: blocks have no fixed size here',
    );
  });
});
