/**
 * What is kept of the losses from window to window, the numbers that windows are judged by, and the
 * words between the two who judge: shared by the guards that the host runs (`run/guards.ts`) and those that are part of generated
 * code (`wasm/course.ts`). What they mean is told in `run/guards.ts`.
 *
 * Levels of losses are the upper words of their binary64 numbers, which grow by 2²⁰ an octave, in
 * straight lines between the powers of two: never 0.09 octaves from the logarithm, which is nothing
 * beside the factor that makes a rise, and the same bits wherever they are computed.
 *
 * Invariant: plain numbers; whoever computes with them does so in double precision, in the order of
 * `run/guards.ts`, so that both come to the same to the bit.
 */

import type { Control } from '../control.ts';

/** Places of the numbers that are kept from window to window. */
export const KEPT = {
  /** Mean level of the losses. */
  usual: 0,
  /** The last loss. */
  last: 1,
  /** Not 0: the step before carried a parameter over `move` of its range. */
  moved: 2,
  strikes: 3,
  /** Not 0: a negative loss was seen. */
  signed: 4,
  /** Windows judged. */
  seen: 5,
} as const;
export const KEPT_NUMBERS = 6;

/** Share of a window's loss in the usual one: of a usual loss, and of one that is not. */
export const LEARNS = 1 / 32;
export const ADMITS = 1 / 64;
/** Of one that is not, where no long step came before it. */
export const YIELDS = 1 / 2;
/** What a window without a strike takes away. */
export const PARDON = 1 / 16;
/** Losses below this are as good as none. */
export const LEAST = 1e-30;
/** Of a rise, and of a long step, where the guards do not say. */
export const FACTOR = 4;
export const MOVE = 0.05;

/** Places of the words of a course. */
export const COURSE = {
  /** Not 0: steps are taken where it is loud enough. */
  active: 0,
  /** The largest magnitude heard in the present window so far, as the word of a binary32 number. */
  heard: 1,
  /** After a run: why it ended before its time, a value of `STOPPED`. */
  stopped: 2,
  /** Frames done, windows judged, steps taken. */
  frames: 3,
  windows: 4,
  steps: 5,
  /** Windows since the last step whose gradients have been added up. */
  gathered: 6,
} as const;
export const COURSE_WORDS = 7;

export const STOPPED = {
  no: 0,
  /** Before a piece with a sample that is not finite. */
  listening: 1,
  /** A window is over, its gradient is there, and it would not pass: nothing is changed yet. */
  judging: 2,
  /** A step was taken that may be a leap: `before` has the parameters before it. */
  stepping: 3,
} as const;

const OCTAVE = 2 ** 20;
const BIAS = 1023 * OCTAVE;

const number = new Float64Array(1);
const words = new Int32Array(number.buffer);

/** The level of a positive, normal number: allocates nothing. */
export function levelOf(value: number): number {
  number[0] = value;
  return words[1]!;
}

/** How much higher the level is of what is so many times as large. */
export const riseOf = (factor: number): number => levelOf(factor) - BIAS;

/** The loss of a level. */
export function lossAt(level: number): number {
  const octaves = level / OCTAVE - 1023;
  const whole = Math.floor(octaves);
  return 2 ** whole * (1 + octaves - whole);
}

/** How steps of parameters are measured, in the order of the bank. */
export interface Reach {
  /** 1: by the ratio of two values, not by their difference. */
  readonly isLog: Uint8Array;
  /** 1 / range, of a logarithmic one in logarithms; 0 where there is no range. */
  readonly scale: Float64Array;
  /**
   * What carries a parameter over a share of its range: a way, or a ratio. The way has the upper
   * word alone, so that upper words are enough to compare with it. Infinity where nothing does.
   */
  readonly over: (share: number) => Float64Array;
}

export function reachOf(controls: readonly Control[]): Reach {
  const isLog = Uint8Array.from(controls, (c) => (c.scale === 'log' && c.min > 0 ? 1 : 0));
  const ranges = Float64Array.from(controls, ({ min, max }, k) =>
    isLog[k] === 1 ? Math.log(max / min) : max - min,
  );
  return {
    isLog,
    scale: ranges.map((range) => (range > 0 ? 1 / range : 0)),
    over: (share) =>
      ranges.map((range, k) => {
        if (!(range > 0)) return Infinity;
        return isLog[k] === 1 ? Math.exp(share * range) : upper(share * range);
      }),
  };
}

/** A number without its lower word. */
function upper(value: number): number {
  number[0] = value;
  words[0] = 0;
  return number[0];
}
