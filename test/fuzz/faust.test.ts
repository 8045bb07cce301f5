/**
 * Our code plays random Faust programs as libfaust's own WebAssembly does: to 1e-11 of the peak in
 * double precision, in single precision as near to that as libfaust's own, six times over. The
 * gradients of their sliders are numbers, and generated code has those of the interpreter.
 *
 * Not compared are outputs where libfaust's own two precisions differ by a thousandth, for there the
 * last bit decides, and programs that libfaust refuses or stops at. FUZZ_SEED=N runs one seed again,
 * FUZZ_FAUST=N more of them.
 */

import { expect, test } from 'vitest';
import { gradcheck } from '../../dsp/check/gradcheck.ts';
import type { Precision } from '../../dsp/ir/program.ts';
import { faustPatch, faustProgram, play, start } from '../support/faust.ts';
import { compileReference, playReference } from '../support/libfaust.ts';
import type { Move, Reference } from '../support/libfaust.ts';
import { FAUST_INPUTS, randomFaust } from '../support/random-faust.ts';
import { random } from '../support/random-graph.ts';
import { isOneSeed, seedsOf } from '../support/seeds.ts';

const FRAMES = 400;
const DOUBLE = 1e-11;
const SINGLE = 3e-6;
const TIMES = 6;
const WILD = 1e-3;
/** Samples at which a value may be rounded to another whole number, in single precision. */
const RARE = FRAMES / 20;

const inputs = Array.from({ length: FAUST_INPUTS }, (_, channel) => {
  const next = random(1000 + channel);
  return Float64Array.from({ length: FRAMES }, () => Math.fround(next() - 0.5));
});

/** Every control somewhere else in its range, half way. */
const moves = ({ controls }: Reference): Move[] =>
  controls
    .filter(({ kind }) => !kind.endsWith('bargraph'))
    .map(({ path, kind, min, max, step }, k) => {
      const steps = Math.floor((max - min) / step + 1e-9);
      const moved = min + step * Math.floor(((0.37 + 0.29 * k) % 1) * steps);
      const isSwitch = kind === 'button' || kind === 'checkbox';
      return { at: FRAMES / 2, path: path.join('/'), value: isSwitch ? 1 : moved };
    });

const peakOf = (x: Float64Array): number => x.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** In units of the peak of the second; @param rare  samples that may be farther away */
function distance(x: Float64Array, y: Float64Array, rare = 0): number {
  const far = x.map((value, n) => {
    const d = value === y[n] ? 0 : Math.abs(value - y[n]!);
    return Number.isNaN(d) ? Infinity : d;
  });
  const most = far.toSorted().at(-1 - rare)!;
  return most === 0 ? 0 : most / peakOf(y);
}

/** null where libfaust does not play it: it has asserted, or divided by 0. */
async function reference(code: string, precision: Precision) {
  try {
    const made = await compileReference(code, { precision });
    const options = { frames: FRAMES, inputs, moves: moves(made) };
    return { options, outputs: playReference(made, options) };
  } catch {
    return null;
  }
}

let compared = 0;

test.each(seedsOf('FUZZ_FAUST', 40).map((seed) => [seed] as const))('seed %i', async (seed) => {
  const code = randomFaust(seed);
  const double = await reference(code, 'double');
  const single = await reference(code, 'single');
  if (double === null || single === null) return;
  const hear = async (precision: Precision): Promise<Float64Array[]> =>
    play(start(await faustProgram(code, precision)), double.options);
  const ours = { double: await hear('double'), single: await hear('single') };
  double.outputs.forEach((truth, k) => {
    const inherent = distance(single.outputs[k]!, truth);
    if (inherent > WILD) return;
    compared++;
    const words = `output ${k + 1} of\n${code}\n`;
    expect(distance(ours.double[k]!, truth), `double, ${words}`).toBeLessThan(DOUBLE);
    expect(distance(ours.single[k]!, truth, RARE), `single, ${words}`).toBeLessThan(
      TIMES * inherent + SINGLE,
    );
  });
});

let learned = 0;

test.each(seedsOf('FUZZ_FAUST', 40).map((seed) => [seed] as const))(
  'gradients of seed %i',
  async (seed) => {
    const code = randomFaust(seed);
    const faust = await faustProgram(code, 'double');
    const { sliders, outputs } = faustPatch(faust);
    // Switches are from 0 to 1.
    const learnable = Object.entries(sliders).filter(([, { min, max }]) => max - min !== 1);
    if (learnable.length === 0) return;
    const patch = faustPatch(faust, {
      faust: { code, learn: Object.fromEntries(learnable.map(([id]) => [id, true])) },
      training: {
        terms: outputs.map((estimate) => ({
          estimate,
          target: `in${FAUST_INPUTS + 1}`,
          loss: 'mse',
        })),
        window: 64,
      },
    });
    const checked = gradcheck(patch, { sampleRate: 48_000, seed });
    if (!checked.ok) {
      // Nothing is heard of them, or they reach bits.
      const said = checked.diagnostics.map(({ message }) => message).join();
      expect(said).toMatch(/has a gradient at|bits have no slope/u);
      return;
    }
    learned++;
    const { params, modes } = checked.value;
    for (const { analytic } of Object.values(params)) expect(analytic).toSatisfy(Number.isFinite);
    for (const { mode, compiledRelativeError } of modes) {
      expect(compiledRelativeError, `${mode}, of\n${code}\n`).toBeLessThan(1e-9);
    }
  },
);

test('nearly all of them are compared', () => {
  expect(isOneSeed || compared > 100).toBe(true);
  expect(isOneSeed || learned > 3).toBe(true);
});
