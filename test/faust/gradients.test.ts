/**
 * The gradient of every slider of the corpus is the slope that finite differences of the loss
 * measure, to 1e-5, in forward and in reverse mode, by the interpreter and by generated code.
 *
 * Where it is not, a program does something with a slider that has no slope, and the table says what.
 * Nothing is left out in silence: a parameter in the table has to be off, one that is not has to fit.
 */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gradcheck } from '../../dsp/check/gradcheck.ts';
import type { GradcheckReport } from '../../dsp/check/gradcheck.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { faustPatch, faustProgram, given, soundFolder } from '../support/faust.ts';
import { CORPUS, CORPUS_SOUNDS } from './corpus.ts';
import type { CorpusProgram } from './corpus.ts';

const BOUND = 1e-5;
/** Samples of a window; the longer one where nothing of the parameters is heard in the first. */
const WINDOWS = [64, 1024] as const;

const WHY = {
  table:
    'it sets how fast a table is read without interpolation: the gradient follows the curve through its places, a difference sees the steps',
  whole: 'it is rounded to whole samples or numbers, and the gradient goes on as if it were not',
  jump: 'something jumps with it: a choice, a reset or a cycle that ends',
  bits: 'it reaches bits, which have no slope: an error that names it',
  unfelt: 'it only decides when something happens: an error that says that nothing is learned',
  noise: 'the loss hardly feels it, so its differences are rounded to fewer digits than five',
} as const;

/** By program: which parameters, all where none is named, and why. */
const ODD: Readonly<Record<string, readonly [why: keyof typeof WHY, ...ids: string[]]>> = {
  'notch-hum': ['noise', 'mains'],
  'korg-35': ['noise', 'high_pass'],
  sawtooths: ['noise', 'freq'],
  combs: ['whole', 'delay'],
  'delay-integer': ['whole', 'delay'],
  'freeverb-mono': ['whole', 'spread'],
  'reverb-zita': ['whole', 'predelay'],
  vibrato: ['table', 'rate'],
  goertzel: ['table', 'tone'],
  'pitch-tracker': ['jump', 'smoothing'],
  'diode-and-sallen': ['table', 'rate'],
  sines: ['table', 'freq'],
  additive: ['table', 'pitch'],
  'lfo-shapes': ['jump', 'shape'],
  'hard-sync': ['jump', 'master', 'spread'],
  'reverb-greyhole': ['whole', 'size'],
  djembe: ['jump', 'sharpness'],
  marimba: ['jump', 'place'],
  flanger: ['table', 'rate'],
  'bit-crusher': ['whole', 'rate'],
  waveshapers: ['table', 'freq'],
  'table-generated': ['table', 'speed'],
  'wavetable-oscillator': ['table', 'freq'],
  'tabulated-functions': ['table', 'drive'],
  'soundfile-loop': ['table', 'speed'],
  noises: ['jump', 'density'],
  'quantised-melody': ['table', 'root'],
  'integer-division': ['whole', 'divisor'],
  selects: ['jump', 'which'],
  environments: ['table', 'detune'],
  'ui-groups': ['table', 'freq'],
  'ui-modulation': ['table', 'rate'],
  'ping-pong': ['bits'],
  'sample-rate': ['bits'],
  'dual-delay': ['bits'],
  'waveform-melody': ['unfelt'],
  looper: ['unfelt'],
  'shift-register': ['unfelt'],
  'euclidean-rhythm': ['unfelt'],
  comparisons: ['unfelt'],
};

let folder = '';
beforeAll(() => {
  folder = soundFolder(CORPUS_SOUNDS);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Every slider learnable, every output compared with noise; null where there is no slider. */
async function trained(program: CorpusProgram, window: number): Promise<Patch | null> {
  const faust = await faustProgram(program.code, 'double', folder);
  const { sliders, params } = faustPatch(faust);
  const isSwitch = (id: string): boolean =>
    sliders[id]?.step === 1 && sliders[id].min === 0 && sliders[id].max === 1;
  const ids = [...Object.keys(sliders), ...Object.keys(params)].filter((id) => !isSwitch(id));
  if (ids.length === 0) return null;
  const target = `in${program.inputs + 1}`;
  const terms = Array.from({ length: program.outputs }, (_, k) => ({
    estimate: `out${k + 1}`,
    target,
    loss: 'mse',
  }));
  return faustPatch(faust, {
    faust: { code: program.code, learn: Object.fromEntries(ids.map((id) => [id, true])) },
    training: {
      terms,
      window,
      optimiser: { kind: 'sgd' },
      schedule: { kind: 'constant', rate: 0.01 },
    },
  });
}

const check = (patch: Patch): GradcheckReport =>
  given(gradcheck(patch, { sampleRate: 48_000, seed: 3 }));

const isHeard = ({ params }: GradcheckReport): boolean =>
  Object.values(params).some(({ numeric }) => numeric !== 0);

describe('gradients of', () => {
  it.each(
    CORPUS.filter(({ name }) => name !== 'block-size').map((one) => [one.name, one] as const),
  )('%s', async (name, program) => {
    const [why, ...odd] = ODD[name] ?? [];
    const patch = await trained(program, WINDOWS[0]);
    if (patch === null) {
      expect(why).toBeUndefined();
      return;
    }
    if (why === 'bits' || why === 'unfelt') {
      const said = why === 'bits' ? /has no gradient: bits have no slope/u : /has a gradient at/u;
      expect(() => check(patch)).toThrow(said);
      return;
    }
    const short = check(patch);
    const report = isHeard(short) ? short : check((await trained(program, WINDOWS[1]))!);
    for (const [id, { relativeError, analytic }] of Object.entries(report.params)) {
      expect(analytic, id).toSatisfy(Number.isFinite);
      if (odd.includes(id)) expect(relativeError, `${id}: ${WHY[why!]}`).toBeGreaterThan(BOUND);
      else expect(relativeError, id).toBeLessThanOrEqual(BOUND);
    }
    for (const { mode, compiledRelativeError } of report.modes) {
      expect(compiledRelativeError, mode).toBeLessThan(1e-9);
    }
  });
});
