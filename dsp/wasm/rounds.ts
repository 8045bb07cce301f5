/**
 * The loop around a body: over the samples of a run, or backwards over those of a window.
 *
 * Invariant: a loop of several samples and the one-sample rest of a window together take every sample
 * once. A stream has memory for whole vectors, so there the last vector may reach over the end of
 * the run, where it is written again.
 */

import type { Body } from './body.ts';
import { isVector } from './element.ts';
import type { Form } from './element.ts';
import { get, set } from './module.ts';
import type { Func, Local } from './module.ts';

/** How long a run of a stream is, in bytes of one place each. */
export interface Extent {
  readonly length: Local;
  /** Up to the next whole vector. */
  readonly whole: Local;
}

/** Runs vector form and one-sample rest of a loop, or only the one-sample form. */
export type Run = (kind: 'vector' | 'serial', emitBody: (form: Form) => Body) => void;

/**
 * @param i       where the byte offset of the sample is kept
 * @param frames  of a run at most, or of the window
 * @param extent  null in a graph that is no stream
 */
export function roundsOf(func: Func, i: Local, frames: number, extent: Extent | null): Run {
  const { element } = func;
  const bytes = element.bytes * frames;
  const vectorBytes = bytes & ~15;
  const [vectors, rest] = [Math.floor(frames / element.width), frames % element.width];
  let loopLow = 0;

  /** Runs a body's code over the samples that `form` takes. */
  const wrap = (body: Body, rounds: number): void => {
    const step = isVector(body.form) ? 16 : element.bytes;
    func.append(body.prologue);
    for (const local of [...body.hoisted, ...body.kept]) func.release(local);
    if (rounds === 1 && (extent === null || frames === 1)) {
      func.append(body.code);
    } else if (extent !== null) {
      const end = isVector(body.form) ? extent.whole : extent.length;
      func.emit(['block'], get(i), get(end), ['i32.ge_u'], ['br_if', 0]);
      func.emit(['loop', rounds]);
      func.append(body.code);
      func.emit(get(i), ['i32.const', step], ['i32.add'], ['local.tee', i.index]);
      func.emit(get(end), ['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
    } else {
      func.emit(['loop', rounds]);
      func.append(body.code);
      func.emit(get(i), ['i32.const', step], ['i32.sub'], ['local.tee', i.index]);
      // Downwards: the last round leaves i below the first byte of its part.
      const low = isVector(body.form) || loopLow === 0 ? 0 : loopLow;
      func.emit(['i32.const', low], ['i32.ge_s'], ['br_if', 0], ['end']);
    }
  };

  return (kind, emitBody) => {
    const { scalar, vector } = element;
    if (extent !== null) {
      func.emit(['i32.const', 0], set(i));
      if (kind === 'vector') wrap(emitBody(vector), Math.ceil(frames / element.width));
      else wrap(emitBody(scalar), frames);
      return;
    }
    if (kind === 'serial') {
      loopLow = 0;
      func.emit(['i32.const', bytes - element.bytes], set(i));
      wrap(emitBody(scalar), frames);
      return;
    }
    if (vectorBytes < bytes) {
      loopLow = vectorBytes;
      func.emit(['i32.const', bytes - element.bytes], set(i));
      wrap(emitBody(scalar), rest);
    }
    if (vectorBytes > 0) {
      loopLow = 0;
      func.emit(['i32.const', vectorBytes - 16], set(i));
      wrap(emitBody(vector), vectors);
    }
  };
}
