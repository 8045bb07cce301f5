/**
 * A patch taught offline and examined: trained on a stream, and what it expects compared with what
 * was learned.
 *
 * Invariant: the same patch, settings and stream give the same lesson, `secondsTaken` apart. The
 * artifact is the one that the daemon would play; signals that are examined are heard through a
 * second one, on sound that was not learned from.
 */

import type { Artifact } from '../../dsp/artifact.ts';
import { compile } from '../../dsp/compile.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { freshNoise } from '../../dsp/patch/vary.ts';
import type { Setting } from './command.ts';
import { withSettings } from './controls.ts';
import { meansOf, runOffline } from './offline.ts';
import type { Goal, Outcome, Progress } from './offline.ts';
import type { Read } from './patch-source.ts';
import type { SoundStream } from './sound.ts';

export interface LessonPlan {
  readonly sampleRate: number;
  readonly stream: SoundStream;
  readonly seconds: number;
  readonly blockSize: number;
  readonly latency: number;
  readonly settings?: readonly Setting[];
  /** Points of the trace. */
  readonly points?: number;
  readonly onProgress?: (progress: Progress) => void;
}

/** What was expected, and what came of it. */
export interface Exam {
  readonly param?: string;
  readonly signal?: string;
  /** The slider that hides the value. */
  readonly hidden?: string;
  readonly value: number;
  readonly learned: number;
  readonly error: number;
  readonly tolerance: number;
  readonly ok: boolean;
  /** Of a parameter: samples of sound after which it was right, and stayed right. */
  readonly samples?: number | null;
}

export interface Lesson {
  readonly artifact: Artifact;
  readonly outcome: Outcome;
  readonly frames: number;
  readonly exams: readonly Exam[];
}

/** Seconds of fresh sound that signals are heard on; the first half is to forget the start. */
const HEARD = 1;

/** @returns the lesson, or what the compiler has against the patch, or what is wrong with a setting */
export function teach(patch: Patch, plan: LessonPlan): Read<Lesson> {
  const { sampleRate, stream, blockSize, latency, settings = [] } = plan;
  const options = { sampleRate, maxBlock: blockSize, latency };
  const made = settled(patch, options, settings);
  if (!made.ok) return made;
  const artifact = made.value;
  const { training } = patch;
  if (training === undefined) throw new Error(`"${patch.name}" has nothing to train`);

  const valueOf = (value: number | string): number =>
    typeof value === 'number' ? value : artifact.sliders.find(({ id }) => id === value)!.initial;
  const places = new Map(artifact.params.map(({ id }, place) => [id, place]));
  const goals = patch.expect.flatMap(({ param, value, tolerance }): Goal[] =>
    param === undefined ? [] : [{ place: places.get(param)!, value: valueOf(value), tolerance }],
  );
  const frames = Math.max(1, Math.round(plan.seconds * sampleRate));
  const outcome = runOffline({
    artifact,
    schedule: training.schedule,
    stream,
    frames,
    blockSize,
    goals,
    ...(plan.points === undefined ? {} : { points: plan.points }),
    ...(plan.onProgress === undefined ? {} : { onProgress: plan.onProgress }),
  });

  const signals = patch.expect.flatMap(({ signal }) => (signal === undefined ? [] : [signal]));
  const heard = heardSignals(patch, signals, plan, outcome);
  if (!heard.ok) return heard;
  const arrivals = [...outcome.settled];
  const means = [...heard.value];
  const exams = patch.expect.map(({ param, signal, value: wanted, tolerance }): Exam => {
    const value = valueOf(wanted);
    const learned =
      param === undefined ? means.shift()! : (outcome.params[places.get(param)!] ?? NaN);
    const error = Math.abs(learned - value);
    return {
      ...(param === undefined ? {} : { param }),
      ...(signal === undefined ? {} : { signal }),
      ...(typeof wanted === 'string' ? { hidden: wanted } : {}),
      value,
      learned,
      error,
      tolerance,
      ok: error <= tolerance,
      ...(param === undefined ? {} : { samples: arrivals.shift()! }),
    };
  });
  return { ok: true, value: { artifact, outcome, frames, exams } };
}

function settled(
  patch: Patch,
  options: Parameters<typeof compile>[1],
  settings: readonly Setting[],
): Read<Artifact> {
  const compiled = compile(patch, options);
  if (!compiled.ok) return { ok: false, findings: compiled.diagnostics };
  return withSettings(compiled.value, settings);
}

/** Their means with the parameters as learned, while nothing more is learned. */
function heardSignals(
  patch: Patch,
  signals: readonly string[],
  { sampleRate, stream, blockSize, latency, settings = [] }: LessonPlan,
  outcome: Outcome,
): Read<readonly number[]> {
  if (signals.length === 0 || outcome.stoppedAt !== null) return { ok: true, value: [] };
  const { training: _training, ...rest } = freshNoise(patch);
  const options = { sampleRate, maxBlock: blockSize, latency };
  const made = settled({ ...rest, outputs: [...signals] }, options, settings);
  if (!made.ok) return made;
  const blocks = Math.ceil((HEARD * sampleRate) / blockSize);
  return { ok: true, value: meansOf(made.value, outcome.params, stream, blocks) };
}

/** How long it is taught: as long as it is expected to take. */
export const secondsOf = ({ expect }: Patch): number | null =>
  expect.length === 0 ? null : Math.max(...expect.map(({ seconds }) => seconds));
