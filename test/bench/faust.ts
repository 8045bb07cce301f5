/**
 * The corpus of Faust programs in our code against libfaust's own WebAssembly, in both precisions; what
 * learning all sliders in reverse mode costs; and how long a program takes from its text to running.
 *
 * Both sides are translated by the engine's optimising compiler, hear the same noise in blocks as long
 * as a device's, and are measured in many short turns, of which the quickest counts: others may use the
 * machine. libfaust's code comes with and without its own care for denormals (`-ftz 2`); the quicker one
 * counts. The ratio is theirs by ours, so more is better.
 */
import { rmSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { assemble, programOf } from '../../dsp/compile.ts';
import type { ControlSpec } from '../../dsp/control.ts';
import type { Precision } from '../../dsp/ir/program.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { hasFusedMultiply } from '../../dsp/wasm/features.ts';
import { translate } from '../../server/engine/translate.ts';
import { BLOCK_DEPENDENT, CORPUS, CORPUS_SOUNDS } from '../faust/corpus.ts';
import type { CorpusProgram } from '../faust/corpus.ts';
import { faustPatch, faustProgram, given, soundFolder } from '../support/faust.ts';
import { compileReference, startReference } from '../support/libfaust.ts';
import type { ReferenceInstance } from '../support/libfaust.ts';
import { noise } from './kernels/kernel.ts';
import type { Effort } from './measure.ts';

/** Of the host, and of a training. */
export const BLOCK = 256;
const OPTIONS = { sampleRate: 48_000, maxBlock: BLOCK, latency: 0, fused: hasFusedMultiply() };
/** Blocks before the first measurement. */
const WARM = 50;
const BEGINNINGS = 3;

export interface Compared {
  /** Nanoseconds per sample. */
  readonly ours: number;
  readonly theirs: number;
  /** Theirs by ours. */
  readonly ratio: number;
}

export interface FaustRow {
  readonly name: string;
  readonly single: Compared;
  readonly double: Compared;
  /** What learning all sliders by reverse mode costs, by a plain run; or why there is nothing to learn. */
  readonly training: number | string;
  /** Milliseconds that libfaust takes for the program, and we from there to a running instance. */
  readonly evaluated: number;
  readonly compiled: number;
}

/**
 * A row for each program, as soon as it is measured to `show`.
 *
 * @param only  part of the names of programs to measure
 */
export async function measureFaust(
  only: string,
  effort: Effort,
  show: (row: FaustRow) => void,
): Promise<FaustRow[]> {
  const programs = CORPUS.filter(({ name }) => name.includes(only) && !BLOCK_DEPENDENT.has(name));
  const folder = soundFolder(CORPUS_SOUNDS);
  // What is loaded only once is no program's.
  await begun(CORPUS[0]!, folder);
  const rows: FaustRow[] = [];
  for (const program of programs) {
    const single = await compare(program, 'single', folder, effort);
    const double = await compare(program, 'double', folder, effort);
    const training = await trainingOf(program, folder, effort);
    const { name } = program;
    const row = { name, single, double, training, ...(await begun(program, folder)) };
    rows.push(row);
    show(row);
  }
  rmSync(folder, { recursive: true, force: true });
  return rows;
}

/** How long a program takes until it runs: the quickest of a few. */
async function begun(
  { code }: CorpusProgram,
  folder: string,
): Promise<{ evaluated: number; compiled: number }> {
  let [evaluated, compiled] = [Infinity, Infinity];
  for (let k = 0; k < BEGINNINGS; k++) {
    const begin = performance.now();
    const faust = await faustProgram(code, 'single', folder);
    const middle = performance.now();
    started(plain(faustPatch(faust)));
    evaluated = Math.min(evaluated, middle - begin);
    compiled = Math.min(compiled, performance.now() - middle);
  }
  return { evaluated, compiled };
}

async function compare(
  { code, inputs }: CorpusProgram,
  precision: Precision,
  folder: string,
  effort: Effort,
): Promise<Compared> {
  const references: ReferenceInstance[] = [];
  for (const flush of [false, true]) {
    const reference = await optimised(() => compileReference(code, { precision, flush }));
    references.push(startReference(reference, { blockSize: BLOCK, sounds: CORPUS_SOUNDS }));
  }
  const patch = plain(faustPatch(await faustProgram(code, precision, folder)));
  const ours = started({ ...patch, precision });
  for (let k = 0; k < inputs; k++) {
    const x = noise(BLOCK, 1 + k, 0.5);
    for (const to of [ours, ...references]) to.inputs[k]!.set(x);
  }
  const play = (): void => {
    ours.process(BLOCK);
  };
  const [own, ...others] = quickest([play, ...references.map((one) => one.compute)], effort);
  const theirs = Math.min(...others);
  return { ours: own!, theirs, ratio: theirs / own! };
}

/** Whatever is translated meanwhile is by the optimising compiler, whole, as ours is. */
async function optimised<T>(make: () => Promise<T>): Promise<T> {
  setFlagsFromString('--no-liftoff');
  setFlagsFromString('--no-wasm-lazy-compilation');
  try {
    return await make();
  } finally {
    setFlagsFromString('--liftoff');
    setFlagsFromString('--wasm-lazy-compilation');
  }
}

/** A program as its sliders are, without training. */
function plain(patch: Patch): Patch {
  const { training: _training, ...rest } = patch;
  const still = Object.fromEntries(
    Object.entries(patch.params).map(([id, { initial, size: _size, ...spec }]) => [
      id,
      { ...spec, initial: typeof initial === 'number' ? initial : 0 },
    ]),
  );
  return { ...rest, sliders: { ...patch.sliders, ...still }, params: {} };
}

function started(patch: Patch): Instance {
  const artifact = given(assemble(given(programOf(patch, OPTIONS)), OPTIONS));
  return new Instance(artifact, translate(artifact.wasm));
}

/** All sliders learn, so slowly that they stay: every output is to become what an input more hears. */
async function trainingOf(
  program: CorpusProgram,
  folder: string,
  effort: Effort,
): Promise<number | string> {
  const { code, inputs, outputs } = program;
  const faust = await faustProgram(code, 'single', folder);
  const made = faustPatch(faust);
  // Buttons are on or off.
  const isSwitch = ({ min, max, step }: ControlSpec): boolean =>
    min === 0 && max === 1 && step === 1;
  const sliders = Object.entries(made.sliders).filter(([, spec]) => !isSwitch(spec));
  const ids = [...sliders.map(([id]) => id), ...Object.keys(made.params)];
  if (ids.length === 0) return 'no sliders';
  const terms = Array.from({ length: outputs }, (_, k) => ({
    estimate: `out${k + 1}`,
    target: `in${inputs + 1}`,
    loss: 'mse',
  }));
  try {
    const patch = faustPatch(faust, {
      faust: { code, learn: Object.fromEntries(ids.map((id) => [id, true])) },
      training: {
        terms,
        window: BLOCK,
        mode: 'reverse',
        optimiser: { kind: 'sgd' },
        schedule: { kind: 'constant', rate: 1e-12 },
      },
    });
    const [learning, still] = [started(patch), started(plain(made))];
    learning.learning = true;
    for (const instance of [learning, still]) {
      instance.inputs.forEach((input, k) => input.set(noise(BLOCK, 1 + k, 0.5)));
    }
    const runs = [learning, still].map((instance) => () => {
      instance.process(BLOCK);
    });
    const [own, bare] = quickest(runs, effort) as [number, number];
    return learning.fault === 0 ? own / bare : 'a guard trips';
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * Calls from so many frames further down the stack. Where what a loop spills lies a multiple of 4096
 * bytes from what it reads, the processor takes the one for the other and waits: at one place of the
 * stack in some twenty a program takes up to three times as long. Which one is chance.
 */
const deeper = (frames: number, call: () => number): number =>
  frames > 0 ? deeper(frames - 1, call) : call();

/** Places of the stack that turns are taken at, and the frames from one to the next. */
const PLACES = 8;
const FRAMES_APART = 3;

/** Nanoseconds per sample of each of several runs of a block, measured in turns: the least. */
function quickest(runs: readonly (() => void)[], { rounds, seconds }: Effort): number[] {
  const time = (run: () => void, count: number): number => {
    const begin = performance.now();
    for (let k = 0; k < count; k++) run();
    return (1e6 * (performance.now() - begin)) / (count * BLOCK);
  };
  const counts = runs.map((run) => {
    let count = WARM;
    time(run, count);
    while (time(run, count) * count * BLOCK < 1e9 * seconds) count *= 2;
    return count;
  });
  const least = runs.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    const depth = FRAMES_APART * (round % PLACES);
    runs.forEach((run, k) => {
      least[k] = Math.min(
        least[k]!,
        deeper(depth, () => time(run, counts[k]!)),
      );
    });
  }
  return least;
}
