/**
 * An offline training run: the artifact that the daemon would play, fed as fast as it can.
 *
 * Invariant: the same artifact, controls and stream give the same numbers, whatever the machine;
 * only `secondsTaken` differs. It reads no file and prints nothing.
 */

import type { Artifact } from '../../dsp/artifact.ts';
import type { Schedule } from '../../dsp/learn/schedule.ts';
import { Instance } from '../../dsp/run/instance.ts';
import type { SoundStream } from './sound.ts';

export interface OfflineRun {
  readonly artifact: Artifact;
  readonly schedule: Schedule;
  readonly stream: SoundStream;
  readonly frames: number;
  readonly blockSize: number;
  /** Called now and then. */
  readonly onProgress: (progress: Progress) => void;
}

export interface Progress {
  readonly done: number;
  readonly frames: number;
  readonly loss: number | null;
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
  /** Up to 50 losses, evenly spread over the run, for a picture. */
  readonly curve: readonly number[];
  /** Frames done when a loss or gradient was not finite and learning stopped; null where all went well. */
  readonly stoppedAt: number | null;
  /** Spent in the program, the sound's making left out. */
  readonly secondsTaken: number;
}

/** Frames of sound made at once, outside of the measured time. */
const PIECE = 2 ** 16;
const CURVE = 50;

export function runOffline(run: OfflineRun): Outcome {
  const { artifact, stream, frames, blockSize } = run;
  const { window } = artifact;
  const instance = new Instance(artifact, new WebAssembly.Module(artifact.wasm.slice()));
  instance.setSchedule(run.schedule);
  instance.learning = true;

  const piece = instance.inputs.map(() => new Float32Array(PIECE));
  const windows = Math.floor(frames / window);
  const every = Math.max(1, Math.ceil(windows / CURVE));
  const curve: number[] = [];
  let first: number | null = null;
  let best: number | null = null;
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
        if (seen % every === 0) curve.push(loss);
      }
    }
    milliseconds += performance.now() - start;
    run.onProgress({ done, frames, loss: first === null ? null : instance.loss });
  }

  return {
    steps: instance.step,
    loss: { first, last: first === null ? null : instance.loss, best },
    params: [...instance.params],
    curve,
    stoppedAt: instance.fault === 0 ? null : done,
    secondsTaken: milliseconds / 1000,
  };
}
