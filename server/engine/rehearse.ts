/**
 * How long a program takes, found out before it plays: its dearest block is computed a few times in a
 * memory of its own, off the audio thread.
 *
 * The fastest round counts, because what disturbs this thread does not disturb the audio thread; MARGIN
 * is for caches that are cold there. Cost: LIMIT milliseconds and a few rounds at most.
 */
import { COURSE } from '../../dsp/ir/judging.ts';
import { wasmKernel } from '../../dsp/run/wasm-kernel.ts';
import type { Ready } from './thread.ts';

const ROUNDS = 8;
/** Milliseconds after which no new round is begun. */
const LIMIT = 5;
const MARGIN = 1.5;
/** Bytes: a larger program is not rehearsed. */
const LARGEST = 64 * 2 ** 20;

/** @returns milliseconds for a block in which a training window ends; Infinity where it is too large */
export function rehearse({ artifact, module }: Ready): number {
  const { maxBlock, window, layout } = artifact;
  if (layout.bytes > LARGEST) return Number.POSITIVE_INFINITY;
  const kernel = wasmKernel(artifact, module);
  for (const channel of kernel.inputs) channel.fill(0.1);
  const { course } = kernel;
  const piece = window === 0 ? maxBlock : Math.min(window, maxBlock);
  const end = performance.now() + LIMIT;
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now();
    let done = 0;
    if (course !== null) {
      course.words[COURSE.active] = 1;
      course.run(0, Math.max(0, window - maxBlock), maxBlock);
      // Where a guard stops it the rest is done step by step, as an instance does.
      done = course.words[COURSE.frames]!;
    }
    for (; done < maxBlock; done += piece) {
      kernel.stream(done, 0, Math.min(piece, maxBlock - done));
      if (window > 0) {
        kernel.backward();
        kernel.update();
      }
    }
    const now = performance.now();
    fastest = Math.min(fastest, now - begin);
    if (now > end) break;
  }
  return MARGIN * fastest;
}
