/**
 * What the engine's main thread and its audio thread send each other, all of it rare: opening,
 * a new program, a probe, and how the device's run ended. Everything that happens per block
 * goes through shared memory instead.
 */
import type { MessagePort } from 'node:worker_threads';

import type { Artifact } from '../../dsp/artifact.ts';
import type { Adoption } from '../../dsp/run/adopt.ts';
import type { RunEnd } from '../audio/device.ts';
import type { Probe } from './calibration.ts';
import type { AudioSettings, Backend, DeviceInfo, Diagnostic, Program, Realtime } from './types.ts';

/** A compiled artifact with its module: instantiating it takes a fraction of a millisecond. */
export interface Ready {
  readonly artifact: Artifact;
  readonly module: WebAssembly.Module;
}

/** Settings with a back end that can be opened. */
export type OpenSettings = AudioSettings & {
  readonly backend: Backend;
};

export interface ThreadData {
  readonly audio: OpenSettings;
  readonly switches: SharedArrayBuffer;
  readonly channels: SharedArrayBuffer;
  readonly mailbox: MessagePort;
  /** Seconds that the tap holds at least, if that fits into its memory. */
  readonly lookback: number;
  /** World outside of the virtual device. */
  readonly rig: Ready | null;
}

/** What a program needs to know to take over from another one without a gap. */
export interface Inheritance {
  /** Time for its dearest block and for what it takes over, as a share of the block's period. */
  readonly cost: number;
  /** What it takes over, by the generation that plays at that moment; from any other nothing. */
  readonly plans: readonly { readonly from: number; readonly plan: Adoption }[];
}

/** Shared memory, in which the audio thread leaves what a program remembers when it is asked. */
export interface RecallRoom {
  /** Times it was asked for, and the last of them that was answered. */
  readonly words: Int32Array;
  /** At RECALL of `dsp/run/recall.ts`. */
  readonly numbers: Float64Array;
}

/** To the audio thread, through the mailbox. */
export type Mail =
  | {
      readonly kind: 'program';
      readonly generation: number;
      readonly ready: Ready;
      readonly start: Omit<Program, 'artifact'>;
      readonly inherits: Inheritance;
      readonly controls: SharedArrayBuffer;
      readonly ring: SharedArrayBuffer;
      readonly recall: RecallRoom | null;
    }
  | { readonly kind: 'probe'; readonly probe: Probe };

/** From the audio thread. */
export type ThreadReport =
  | {
      readonly kind: 'opened';
      readonly device: DeviceInfo;
      readonly realtime: Realtime | null;
      /** Ring of the rows measured before the first program. */
      readonly ring: SharedArrayBuffer;
      /** What was heard and played: a Tap with the shape of the device. */
      readonly tap: SharedArrayBuffer;
    }
  | { readonly kind: 'failed'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'refused'; readonly generation: number; readonly message: string }
  | { readonly kind: 'closed'; readonly end: RunEnd };
