/**
 * Which signals of a running program can be seen, in which order, and the sizes of their pictures.
 *
 * Invariant: whoever makes pictures of signals, and whoever says what is in them, asks `signalsOf`.
 */
import type { Artifact } from './types.ts';

export interface Signal {
  /** `target`, `estimate`, `error`, or `in1`, `out2`: channels count from 1. */
  readonly id: string;
  readonly kind: 'target' | 'estimate' | 'error' | 'input' | 'output';
  /** Of the device, from 0; null where it is none. */
  readonly channel: number | null;
}

/** In a picture, at most. */
export const MAX_SIGNALS = 8;
/** Samples of each signal in a picture of the wave. */
export const SCOPE_POINTS = 1024;
/** Samples of the window of a spectrum, and bins of it: 0 Hz to half of the sample rate. */
export const SPECTRUM_WINDOW = 1024;
export const SPECTRUM_BINS = SPECTRUM_WINDOW / 2 + 1;
/** Silence, dB. */
export const SPECTRUM_FLOOR = -160;

/** What a program shows of its training: nothing, its estimate, or what is compared with what. */
export type Compared = 'none' | 'estimate' | 'both';

/** What it shows, by what lies in its memory. */
export function comparedIn(artifact: Artifact | null): Compared {
  const { estimate = null, target = null } = artifact?.layout.compared ?? {};
  if (estimate === null) return 'none';
  return target === null ? 'estimate' : 'both';
}

/**
 * The signals that can be seen, in their order: `target`, `estimate` and `error` as far as the program
 * has them, then inputs and outputs, `MAX_SIGNALS` in all. Where there are more channels, inputs and
 * outputs share the places, half and half unless one of them needs fewer.
 *
 * @param inputs   channels of the device
 * @param outputs  channels of the device
 */
export function signalsOf(compared: Compared, inputs: number, outputs: number): Signal[] {
  const own = { none: [], estimate: ['estimate'], both: ['target', 'estimate', 'error'] } as const;
  const first = own[compared].map((kind): Signal => ({ id: kind, kind, channel: null }));
  const places = MAX_SIGNALS - first.length;
  const shownIn = Math.min(inputs, Math.max(Math.ceil(places / 2), places - outputs));
  const shownOut = Math.min(outputs, places - shownIn);
  const channels = (kind: 'input' | 'output', prefix: string, count: number): Signal[] =>
    Array.from({ length: count }, (_, channel) => ({
      id: `${prefix}${channel + 1}`,
      kind,
      channel,
    }));
  return [...first, ...channels('input', 'in', shownIn), ...channels('output', 'out', shownOut)];
}
