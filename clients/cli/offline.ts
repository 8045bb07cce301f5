/**
 * An offline training run: the artifact that the daemon would play, fed as fast as it can.
 *
 * Invariant: the same artifact, controls and stream give the same numbers, whatever the machine;
 * only `secondsTaken` differs. It reads no file and prints nothing.
 */

import type { Artifact } from '../../dsp/artifact.ts';
import type { Schedule } from '../../dsp/learn/schedules/schedule.ts';
import { causeOf } from '../../dsp/run/faults.ts';
import type { Cause } from '../../dsp/run/faults.ts';
import { Instance } from '../../dsp/run/instance.ts';
import type { SoundStream } from './sound.ts';

export interface OfflineRun {
  readonly artifact: Artifact;
  readonly schedule: Schedule;
  readonly stream: SoundStream;
  readonly frames: number;
  readonly blockSize: number;
  /** Points of the trace, 50 if not given. */
  readonly points?: number;
  /** Parameters by their place in the bank, and where they should come to rest. */
  readonly goals?: readonly Goal[];
  /** Called now and then. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Goal {
  readonly place: number;
  readonly value: number;
  readonly tolerance: number;
}

export interface Progress {
  readonly done: number;
  readonly frames: number;
  readonly loss: number | null;
}

/** What was seen since the last one. */
export interface TracePoint {
  /** Frames done. */
  readonly at: number;
  /** The mean over the windows in between. */
  readonly loss: number;
  /** In the order of the artifact's parameters. */
  readonly params: readonly number[];
}

export interface Outcome {
  readonly steps: number;
  /** Of the first and last window, and the smallest; null before the end of the first. */
  readonly loss: {
    readonly first: number | null;
    readonly last: number | null;
    readonly best: number | null;
  };
  /** In the order of the artifact's parameters. */
  readonly params: readonly number[];
  /** Evenly spread over the run, for a picture. */
  readonly trace: readonly TracePoint[];
  /** Per goal: frames after which it was met, and stayed met; null where it is not. */
  readonly settled: readonly (number | null)[];
  /** Frames done when a guard stopped learning; null where all went well. */
  readonly stoppedAt: number | null;
  /** Why it did; null where all went well. */
  readonly cause: Cause | null;
  /** Spent in the program, the sound's making left out. */
  readonly secondsTaken: number;
}

/** Frames of sound made at once, outside of the measured time. */
const PIECE = 2 ** 16;
const POINTS = 50;

export function runOffline(run: OfflineRun): Outcome {
  const { artifact, stream, frames, blockSize, points = POINTS, goals = [] } = run;
  const { window } = artifact;
  const instance = new Instance(artifact, new WebAssembly.Module(artifact.wasm.slice()));
  instance.setSchedule(run.schedule);
  instance.learning = true;

  const piece = instance.inputs.map(() => new Float32Array(PIECE));
  const windows = Math.floor(frames / window);
  const every = Math.max(1, Math.ceil(windows / points));
  const trace: TracePoint[] = [];
  const isMet = ({ place, value, tolerance }: Goal): boolean =>
    Math.abs(instance.params[place]! - value) <= tolerance;
  const settled = goals.map((goal) => (isMet(goal) ? 0 : null) as number | null);
  let first: number | null = null;
  let best: number | null = null;
  let sum = 0;
  let summed = 0;
  let milliseconds = 0;
  let done = 0;

  while (done < frames && instance.fault === 0) {
    const count = Math.min(PIECE, frames - done);
    stream.read(piece, count);
    const start = performance.now();
    for (let at = 0; at < count && instance.fault === 0;) {
      // Cut at window ends, so that no window's loss goes by unseen.
      const left = window - (done % window);
      const block = Math.min(blockSize, left, count - at);
      for (let c = 0; c < piece.length; c++) {
        const from = piece[c]!;
        const to = instance.inputs[c]!;
        for (let i = 0; i < block; i++) to[i] = from[at + i]!;
      }
      const seen = instance.windows;
      instance.process(block);
      at += block;
      done += block;
      if (instance.windows > seen && instance.fault === 0) {
        const { loss } = instance;
        first ??= loss;
        if (best === null || loss < best) best = loss;
        sum += loss;
        summed++;
        if (summed === every || instance.windows === windows) {
          trace.push({ at: done, loss: sum / summed, params: [...instance.params] });
          sum = 0;
          summed = 0;
        }
        for (let k = 0; k < goals.length; k++) {
          settled[k] = isMet(goals[k]!) ? (settled[k] ?? done) : null;
        }
      }
    }
    milliseconds += performance.now() - start;
    run.onProgress?.({ done, frames, loss: first === null ? null : instance.loss });
  }

  return {
    steps: instance.step,
    loss: { first, last: first === null ? null : instance.loss, best },
    params: [...instance.params],
    trace,
    settled: first === null ? settled.map(() => null) : settled,
    stoppedAt: instance.fault === 0 ? null : done,
    cause:
      instance.fault === 0 ? null : causeOf(instance.fault, instance.faultDetail, artifact.params),
    secondsTaken: milliseconds / 1000,
  };
}

/**
 * Means of the outputs while nothing is learned, over the second half of so many blocks.
 *
 * @param artifact  of a patch without training, which has the same parameters
 * @param params    in the order of the artifact's parameters
 * @returns         a number per output
 */
export function meansOf(
  artifact: Artifact,
  params: readonly number[],
  stream: SoundStream,
  blocks: number,
): number[] {
  const instance = new Instance(artifact, new WebAssembly.Module(artifact.wasm.slice()));
  instance.params.set(params);
  const { maxBlock } = artifact;
  const sound = instance.inputs.map(() => new Float32Array(maxBlock));
  const sums = new Array<number>(artifact.outputs).fill(0);
  const from = Math.floor(blocks / 2);
  for (let block = 0; block < blocks; block++) {
    stream.read(sound, maxBlock);
    sound.forEach((channel, c) => instance.inputs[c]!.set(channel));
    instance.process(maxBlock);
    if (block < from) continue;
    instance.outputs.forEach((output, c) => {
      for (let n = 0; n < maxBlock; n++) sums[c]! += output[n]!;
    });
  }
  return sums.map((sum) => sum / ((blocks - from) * maxBlock));
}
