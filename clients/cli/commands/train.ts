/**
 * `train PATCH`: learns offline, as fast as the machine can, with the artifact that the daemon
 * would play, from the built-in rig or from sound files.
 *
 * Invariant: the same command prints the same numbers, `samplesPerSecond` apart.
 */

import { setFlagsFromString } from 'node:v8';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { vary } from '../../../dsp/patch/vary.ts';
import { answer, EXIT, finding, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import { real, sampleRate, setting, whole, withCompiler } from '../command.ts';
import type { Register, Setting, Surroundings } from '../command.ts';
import { withFolders } from '../faust.ts';
import type { FolderOptions } from '../faust.ts';
import { secondsOf, teach } from '../lesson.ts';
import type { Exam } from '../lesson.ts';
import type { Outcome } from '../offline.ts';
import { bad, locateIn, readPatch } from '../patch-source.ts';
import type { Read } from '../patch-source.ts';
import { fileStream, inputsOf, readSound, rigStream } from '../sound.ts';
import type { SoundStream } from '../sound.ts';
import { count, logSparkline, mark, number, paint, table } from '../style.ts';
import type { Style } from '../style.ts';
import { sha256 } from './compile.ts';

const DEFAULT_RATE = 48_000;
const DEFAULT_SECONDS = 10;

interface Options extends FolderOptions {
  readonly input?: string;
  readonly target?: string;
  readonly seconds?: number;
  readonly sampleRate?: number;
  readonly blockSize: number;
  readonly latency: number;
  readonly seed?: number;
  readonly randomStart?: boolean;
  readonly set?: readonly Setting[];
}

export const train: Register = (program, deliver) => {
  withFolders(
    withCompiler(
      program
        .command('train')
        .description('learn offline, from the built-in test signal or from WAV files')
        .argument('<patch>', 'file (JSON, or .dsp in Faust), or name of an example')
        .option('--input <wav>', 'sound for inputs 1, 2, ...; starts over at its end')
        .option('--target <wav>', 'sound for the input that the training target is (its channel 1)')
        .option(
          '--seconds <s>',
          'how long, in seconds of sound (default: what the patch expects, else 10 or the file)',
          real(0.001, 86_400),
        )
        .option('--sample-rate <hz>', `default: that of the file, else ${DEFAULT_RATE}`, sampleRate)
        .option('--seed <n>', 'seed of the test signal (default: 1)', whole(0, 2 ** 31 - 1))
        .option(
          '--random-start',
          'let the seed draw starts, hidden values and noises as the patch says',
        )
        .option('--set <id=value>', 'start a slider or parameter here; repeat for more', setting),
    ),
  ).action((name: string, options: Options) => deliver((around) => run(name, options, around)));
};

/** What a program in Faust lacks. */
function hintFor({ faust, params }: Patch): string | undefined {
  if (faust === undefined) return undefined;
  return Object.keys(params).length === 0
    ? 'Mark in its label what is to be learned, as in hslider("cutoff[learn:1]", …).'
    : 'Say what is compared, as in declare livegrad "[estimate:out 1][target:in 2]";';
}

interface Source {
  readonly sampleRate: number;
  readonly stream: SoundStream;
}

async function run(name: string, options: Options, around: Surroundings): Promise<Answer> {
  const read = await readPatch(name, options);
  if (!read.ok) return refuse(read.findings);
  const patch =
    options.randomStart === true ? vary(read.value.patch, options.seed ?? 1) : read.value.patch;
  if (patch.training === undefined) {
    return refuse(
      locateIn(read.value, [
        finding(
          'CLI_NO_TRAINING',
          'training',
          `"${patch.name}" has nothing to train: expected "training", got nothing`,
          hintFor(patch),
        ),
      ]),
    );
  }
  if (options.target !== undefined && options.input === undefined) {
    return refuse(
      [
        finding(
          'CLI_USAGE',
          '--target',
          'expected --input A.wav together with --target, got --target alone',
        ),
      ],
      EXIT.usage,
    );
  }
  const source = openSource(patch, options);
  if (!source.ok) return refuse(source.findings);
  const { stream, sampleRate } = source.value;

  // Whole and optimised before the first sample, so that the speed measured is the speed kept.
  setFlagsFromString('--no-liftoff');
  setFlagsFromString('--no-wasm-lazy-compilation');
  const seconds = options.seconds ?? defaultSeconds(patch, source.value);
  const taught = teach(patch, {
    sampleRate,
    stream,
    seconds,
    blockSize: options.blockSize,
    latency: options.latency,
    settings: options.set ?? [],
    onProgress: progressTo(around, sampleRate),
  });
  endProgress(around);
  if (!taught.ok) return refuse(locateIn(read.value, taught.findings));
  const { artifact, outcome, frames, exams } = taught.value;
  if (outcome.stoppedAt !== null) {
    const at = outcome.stoppedAt / sampleRate;
    return refuse(
      [
        finding(
          'CLI_LEARNING_STOPPED',
          'training',
          `learning stopped after ${number(at)} s: ${outcome.cause?.message ?? 'a guard tripped'}`,
          'lower the learning rate, or look at the signals for silence and divisions by zero',
        ),
      ],
      EXIT.unmet,
    );
  }

  const learned = new Map(artifact.params.map((c, k) => [c.id, outcome.params[k] ?? NaN]));
  const document = {
    patch: patch.name,
    ...(options.randomStart === true ? { seed: options.seed ?? 1 } : {}),
    seconds: frames / sampleRate,
    samples: frames,
    steps: outcome.steps,
    loss: outcome.loss,
    params: Object.fromEntries(
      artifact.params.map((c) => [c.id, { initial: c.initial, value: learned.get(c.id) ?? NaN }]),
    ),
    expect: exams,
    samplesPerSecond: Math.round(frames / outcome.secondsTaken),
    artifactSha256: sha256(artifact.wasm),
  };
  const edges = artifact.params
    .filter(({ id, min, max }) => learned.get(id) === min || learned.get(id) === max)
    .map(({ id }) => id);
  const changed = options.input !== undefined || (options.set ?? []).length > 0;
  return answer(
    document,
    describe(document, outcome, edges, changed, around.style),
    exams.every((e) => e.ok) ? EXIT.done : EXIT.unmet,
  );
}

function openSource(patch: Patch, options: Options): Read<Source> {
  if (options.input === undefined) {
    const sampleRate = options.sampleRate ?? DEFAULT_RATE;
    const stream = rigStream(sampleRate, options.seed ?? 1);
    const missing = inputsOf(patch).filter((channel) => channel > stream.channels);
    if (missing.length > 0) {
      return bad(
        finding(
          'CLI_SOUND_CHANNELS',
          'input',
          `"${patch.name}" listens to input ${missing.join(', ')}: the test signal has ${stream.channels} channels`,
          'give a sound with more channels with --input A.wav',
        ),
      );
    }
    return { ok: true, value: { sampleRate, stream } };
  }

  const input = readSound(options.input);
  const target = options.target === undefined ? null : readSound(options.target);
  if (!input.ok || target?.ok === false) {
    return bad(
      ...(input.ok ? [] : input.findings),
      ...(target === null || target.ok ? [] : target.findings),
    );
  }
  const sampleRate = options.sampleRate ?? input.value.sampleRate;
  const files = [
    { path: options.input, rate: input.value.sampleRate },
    ...(target === null ? [] : [{ path: options.target ?? '', rate: target.value.sampleRate }]),
  ];
  const others = files.filter(({ rate }) => rate !== sampleRate);
  if (others.length > 0) {
    return bad(
      ...others.map(({ path, rate }) => ({
        code: 'AUDIO_FILE_RATE',
        path,
        message: `${path}: expected ${sampleRate} Hz, got ${rate} Hz`,
        hint: 'files are not resampled: convert it first, or leave out --sample-rate',
      })),
    );
  }
  const stream = fileStream(patch, input.value, target?.value ?? null);
  return stream.ok ? { ok: true, value: { sampleRate, stream: stream.value } } : stream;
}

function defaultSeconds(patch: Patch, { stream, sampleRate }: Source): number {
  const own = stream.frames === null ? DEFAULT_SECONDS : stream.frames / sampleRate;
  return secondsOf(patch) ?? own;
}

/** One line on stderr, drawn over and over; nothing where nobody watches. */
function progressTo({ stderr, json }: Surroundings, sampleRate: number) {
  let drawn = 0;
  return ({ done, frames, loss }: { done: number; frames: number; loss: number | null }): void => {
    if (!stderr.isTTY || json) return;
    const now = performance.now();
    if (done < frames && now - drawn < 100) return;
    drawn = now;
    const percent = Math.floor((100 * done) / frames);
    const said = loss === null ? '' : `  loss ${loss.toExponential(2)}`;
    stderr.write(`\r\x1b[K${percent} %  ${number(done / sampleRate)} s${said}`);
  };
}

function endProgress({ stderr, json }: Surroundings): void {
  if (stderr.isTTY && !json) stderr.write('\r\x1b[K');
}

interface Document {
  readonly patch: string;
  readonly seconds: number;
  readonly steps: number;
  readonly loss: Outcome['loss'];
  readonly params: Readonly<Record<string, { readonly initial: number; readonly value: number }>>;
  readonly expect: readonly Exam[];
  readonly samplesPerSecond: number;
}

/** Most parameters in the table, besides those with an expectation. */
const ROWS = 24;

/** What the numbers say to somebody who has seen a few. */
function warnings(d: Document, edges: readonly string[]): string[] {
  const { first, last } = d.loss;
  const found: string[] = [];
  if (first === null) found.push('No window was finished: give more sound, or a shorter window.');
  // A first window of silence costs nothing, and says nothing.
  if (first !== null && first > 0 && last !== null && last > first) {
    found.push('The loss grew: try a lower learning rate.');
  }
  if (edges.length > 0) found.push(`At the edge of its range: ${edges.join(', ')}.`);
  return found;
}

function describe(
  d: Document,
  outcome: Outcome,
  edges: readonly string[],
  changed: boolean,
  style: Style,
): string {
  const head = ['', 'PARAM', 'START', 'LEARNED', 'EXPECTED'].map((h) => paint(style, 'dim', h));
  const all = Object.entries(d.params);
  const expected = new Set(d.expect.map((e) => e.param));
  const shown = all.filter(([id], k) => k < ROWS || expected.has(id));
  const row = (e: Exam | undefined, id: string, initial: string, value: number): string[] => [
    e === undefined ? '' : mark(style, e.ok),
    id,
    initial,
    paint(style, 'bold', number(value)),
    e === undefined
      ? ''
      : `${number(e.value)} ${style.unicode ? '±' : '+-'} ${number(e.tolerance)}`,
  ];
  const rows = [
    ...shown.map(([id, p]) =>
      row(
        d.expect.find((e) => e.param === id),
        id,
        number(p.initial),
        p.value,
      ),
    ),
    ...d.expect.flatMap((e) =>
      e.signal === undefined ? [] : [row(e, e.signal, 'heard', e.learned)],
    ),
  ];
  const { first, last, best } = d.loss;
  const curve = outcome.trace.map((point) => point.loss);
  const loss =
    first === null || last === null || best === null
      ? 'no window was finished'
      : `${first.toExponential(2)} ${style.unicode ? '→' : '->'} ${last.toExponential(2)}, best ` +
        `${best.toExponential(2)}  ${paint(style, 'cyan', logSparkline(curve, 50, style))}`;
  const lines = [
    `${paint(style, 'bold', d.patch)}: ${number(d.seconds)} s of sound, ${count(d.steps)} steps, ` +
      `${number(d.samplesPerSecond / 1e6)} million samples/s`,
    '',
    table([head, ...rows], 'llrrl'),
    ...(shown.length < all.length
      ? [paint(style, 'dim', `and ${count(all.length - shown.length)} more: --json gives all`)]
      : []),
    '',
    `loss ${loss}`,
  ];
  for (const warning of warnings(d, edges)) {
    lines.push('', paint(style, 'yellow', warning));
  }
  if (changed && d.expect.some((e) => !e.ok)) {
    lines.push(
      '',
      paint(style, 'dim', 'What is expected is for the built-in sound and the initial values.'),
    );
  }
  return lines.join('\n');
}
