/**
 * The equaliser examples over fifteen seeds: the worst error of six learned bands between 20 Hz and
 * 20 kHz, by the formulae of the cookbook in double precision, apart from all code of the compiler.
 */

import { expect, it } from 'vitest';
import { teach } from '../../../clients/cli/lesson.ts';
import { rigStream } from '../../../clients/cli/sound.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { vary } from '../../../dsp/patch/vary.ts';

const RATE = 48_000;
const SEEDS = 15;
const BANDS = ['low', 'a', 'b', 'c', 'd', 'high'];
const GRID = Array.from({ length: 400 }, (_, k) => 20 * 1000 ** (k / 399));

type Polynomial = readonly [number, number, number];

/** b and a of a band. Source: R. Bristow-Johnson, Audio EQ Cookbook. */
function coefficients(
  band: string,
  f: number,
  q: number,
  gain: number,
): readonly [Polynomial, Polynomial] {
  const a = 10 ** (gain / 40);
  const omega = (2 * Math.PI * f) / RATE;
  const alpha = Math.sin(omega) / (2 * q);
  const cos = Math.cos(omega);
  if (band !== 'low' && band !== 'high') {
    return [
      [1 + alpha * a, -2 * cos, 1 - alpha * a],
      [1 + alpha / a, -2 * cos, 1 - alpha / a],
    ];
  }
  const side = band === 'low' ? 1 : -1;
  const c = side * cos;
  const skirt = 2 * Math.sqrt(a) * alpha;
  const [top, bottom] = [a + 1 - (a - 1) * c, a + 1 + (a - 1) * c];
  return [
    [a * (top + skirt), 2 * side * a * (a - 1 - (a + 1) * c), a * (top - skirt)],
    [bottom + skirt, -2 * side * (a - 1 + (a + 1) * c), bottom - skirt],
  ];
}

function levelAt(polynomial: Polynomial, f: number): number {
  const omega = (2 * Math.PI * f) / RATE;
  const re = polynomial.reduce((sum, c, k) => sum + c * Math.cos(k * omega), 0);
  const im = polynomial.reduce((sum, c, k) => sum + c * Math.sin(k * omega), 0);
  return 10 * Math.log10(re * re + im * im);
}

function curve(knob: (name: string) => number): number[] {
  const bands = BANDS.map((band) =>
    coefficients(band, knob(`${band}/f`), knob(`${band}/q`), knob(`${band}/gain`)),
  );
  return GRID.map((f) => bands.reduce((sum, [b, a]) => sum + levelAt(b, f) - levelAt(a, f), 0));
}

/** dB, of one seed. */
function worstError(name: string, seed: number, seconds: number): number {
  const patch = vary(EXAMPLES[name]!, seed);
  const stream = rigStream(RATE, seed);
  const taught = teach(patch, { sampleRate: RATE, stream, seconds, blockSize: 128, latency: 0 });
  if (!taught.ok) throw new Error(JSON.stringify(taught.findings));
  const { artifact, outcome } = taught.value;
  const learned = new Map(artifact.params.map(({ id }, k) => [id, outcome.params[k]!]));
  const found = curve((knob) => learned.get(knob)!);
  const hidden = curve((knob) => patch.sliders[`hidden/${knob}`]!.initial);
  return Math.max(...found.map((db, k) => Math.abs(db - hidden[k]!)));
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;

it.each([
  ['eq-curve', '500 steps', (500 * 512) / RATE, 0.3],
  ['eq-match', '5 s of noise', 5, 0.9],
] as const)('%s: the median of the worst errors after %s', (name, _, seconds, limit) => {
  const errors = Array.from({ length: SEEDS }, (_, k) => worstError(name, k + 1, seconds));
  expect(median(errors)).toBeLessThan(limit);
});
