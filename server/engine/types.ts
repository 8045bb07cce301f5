/**
 * The shapes that cross the engine's borders: what the control plane sees of it
 * (EngineStatus, Measurement, EngineEvent), what it is given (Program), and the
 * messages between the supervisor and the engine process.
 *
 * Invariant: plain data only, so that every value survives structured cloning
 * (fork with serialization 'advanced', postMessage). No behaviour lives here.
 */
import type { AudioSettings, Config } from '../../config/schema.ts';
import type { Artifact } from '../../dsp/artifact.ts';
import type { Diagnostic } from '../../dsp/diagnostic.ts';
import type { Schedule } from '../../dsp/learn/schedules/schedule.ts';
import type { Recalled } from '../../dsp/run/recall.ts';

export type { AudioSettings } from '../../config/schema.ts';
export type { Artifact } from '../../dsp/artifact.ts';
export type { Diagnostic, Result } from '../../dsp/diagnostic.ts';
export type { Schedule } from '../../dsp/learn/schedules/schedule.ts';
export type { Recalled } from '../../dsp/run/recall.ts';

/**
 * starting    first open under way
 * running     blocks flow
 * degraded    no device (lost, or it failed to open); reopened every second
 * restarting  the engine process crashed or hung and is being replaced
 * stopped     not started, stopped by the user, or an input file came to its end
 */
export type EngineState = 'starting' | 'running' | 'degraded' | 'restarting' | 'stopped';

/** A back end that can be open; 'auto' in the settings resolves to one of them. */
export type Backend = 'portaudio' | 'virtual' | 'file';

/** Processing time of a block as a share of the block's period, over the last second. */
export interface Load {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}

export interface EngineStatus {
  readonly state: EngineState;
  readonly pid: number | null;
  readonly backend: Backend | 'auto';
  readonly device: { readonly input: string; readonly output: string } | null;
  readonly sampleRate: number;
  readonly blockSize: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Calibrated round trip, frames; 0 until calibrated. */
  readonly latency: number;
  /** Channels of the device, from 1, that the program hears and plays; empty: as they are. */
  readonly inputMap: readonly number[];
  readonly outputMap: readonly number[];
  readonly load: Load;
  /** Underflows and overflows that PortAudio reported since the supervisor started. */
  readonly xruns: number;
  /** Blocks that came or were finished too late, by our own clock. */
  readonly lateBlocks: number;
  /** Blocks silenced because a sample was not finite. */
  readonly nanBlocks: number;
  /** Frames since the supervisor started, restarts of the engine included. */
  readonly framesProcessed: number;
  readonly restarts: number;
  readonly muted: boolean;
  readonly gainDb: number;
  /** Whether the audio thread got real-time scheduling; null while not known. */
  readonly realtime: boolean | null;
  /** Whether the program runs on eight numbers at a time; null while not asked for. */
  readonly revectorized: boolean | null;
  /** Why the state is what it is, for people; null when all is well. */
  readonly reason: string | null;
}

/** One compiled patch with everything needed to start, or to go on, playing and learning. */
export interface Program {
  readonly artifact: Artifact;
  readonly sliders: number[];
  readonly params: number[];
  readonly frozen: boolean[];
  /** Factors of the learning rate. */
  readonly rates: number[];
  readonly schedule: Schedule;
  readonly learning: boolean;
  readonly step: number;
  /** What the schedule remembers of the losses; nothing if absent. */
  readonly paceMemory?: readonly number[];
  /** What the optimiser remembers, as in a recall; nothing if absent. */
  readonly optimiser?: Float64Array;
  /** Values, steps and optimiser are its own: of another version it takes over signals alone. */
  readonly isOwn?: boolean;
}

/** What the audio thread saw in about a sixtieth of a second. */
export interface Measurement {
  /** Frames since the supervisor started. */
  readonly frames: number;
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly learning: boolean;
  /** A code of `dsp/run/faults.ts`, and its numbers. */
  readonly fault: number;
  readonly faultDetail: Float64Array;
  /** What the schedule remembers of the losses. */
  readonly paceMemory: Float64Array;
  readonly params: Float64Array;
  readonly gradients: Float64Array;
  /** Of each parameter how large its last step was beside it: see updates.ts. */
  readonly updates: Float64Array;
  readonly inputPeak: Float32Array;
  readonly inputRms: Float32Array;
  readonly outputPeak: Float32Array;
  readonly outputRms: Float32Array;
  /** What the meters of the patch showed at the last sample, finite or not. */
  readonly meters: Float64Array;
  readonly load: Load;
  /** Blocks of the last second by their load, in bins of `LOAD_BIN`. */
  readonly loadHistogram: Float64Array;
  readonly xruns: number;
  readonly lateBlocks: number;
  readonly nanBlocks: number;
  /** Generation of the program it belongs to, 0 when none is loaded. */
  readonly program: number;
}

export const PICTURES = ['scope', 'spectrum'] as const;
export type PictureTopic = (typeof PICTURES)[number];
/** Pictures a second; 0 where nobody looks. */
export type PictureRates = Readonly<Record<PictureTopic, number>>;

/** Signals at one moment, as the telemetry has them: three numbers, then signal after signal. */
export interface Picture {
  readonly topic: PictureTopic;
  /** Frames since the supervisor started, at its newest sample. */
  readonly frames: number;
  /** Generation of the program it belongs to, 0 when none is loaded. */
  readonly program: number;
  readonly values: Float32Array;
}

/** How late the estimate is. */
export interface Lag {
  /** Frames from target to estimate; null where it is not clear. */
  readonly delay: number | null;
  /** Height of the peak of the normalised cross-correlation, 0 to 1. */
  readonly confidence: number;
}

/** A file to be written of what is heard and played. */
export interface RecordOrder {
  readonly id: number;
  readonly file: string;
  /** Places in the tap (`tracksOf`): a channel of the file each. */
  readonly tracks: readonly number[];
  /** Frames ago that it begins. More than 0: it ends now. */
  readonly back: number;
  /** When it ends, counted from its begin; null: when it is stopped. */
  readonly frames: number | null;
  /** Of the file, at most. */
  readonly bytes: number;
  /** Goes into the file, with how many frames were lost, as JSON. */
  readonly note: Readonly<Record<string, unknown>>;
}

/** How a recording ended. */
export interface RecordEnd {
  readonly id: number;
  readonly frames: number;
  /** Of them, silence in the place of what came too late to be written. */
  readonly lost: number;
  /** `engine`: the engine process ended before it did. */
  readonly reason: 'asked' | 'length' | 'full' | 'failed' | 'engine';
  /** Of a failure. */
  readonly message: string;
}

/** Something worth telling a user once; status carries the lasting part. */
export interface EngineEvent {
  readonly kind:
    | 'crashed' // the engine process ended by itself
    | 'hung' // it made no progress and was killed
    | 'device-lost'
    | 'device-returned'
    | 'ended' // an input file came to its end
    | 'xrun'
    | 'nan'
    | 'fault' // a guard of the training tripped, and learning went off
    | 'realtime' // what became of the request for real-time scheduling
    | 'revectorized' // whether a program runs on eight numbers at a time
    | 'program-refused'; // the remembered program does not fit the device opened
  readonly message: string;
}

export interface AudioDevice {
  readonly id: string;
  readonly name: string;
  readonly hostApi: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly sampleRate: number;
  readonly isDefaultInput: boolean;
  readonly isDefaultOutput: boolean;
  readonly backend: 'portaudio' | 'virtual';
}

/** What a test of the outputs plays. */
export interface TestTone {
  readonly signal: 'sine' | 'noise';
  /** Of a sine, Hz. */
  readonly frequency?: number;
  /** RMS before the output's gain, dBFS. */
  readonly levelDb: number;
  /** On each output. */
  readonly seconds: number;
  /** One after the other, from 0. */
  readonly outputs: readonly number[];
}

export interface Calibration {
  /** Round trip from an output to the input that heard it, frames. */
  readonly latency: number;
  /** Height of the correlation peak over the next highest. */
  readonly confidence: number;
  /** Input channel that heard the probe best, from 0. */
  readonly input: number;
}

/** A device as opened. */
export interface DeviceInfo {
  readonly backend: Backend;
  readonly input: string;
  readonly output: string;
  readonly sampleRate: number;
  readonly blockSize: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** A program with its generation, as it travels to the engine process. */
export interface Loading {
  readonly generation: number;
  readonly program: Program;
}

/** A change to the program that is playing; it takes effect at the next block. */
export type Steering =
  | { readonly what: 'slider'; readonly index: number; readonly value: number }
  | { readonly what: 'param'; readonly index: number; readonly value: number }
  | { readonly what: 'frozen'; readonly index: number; readonly on: boolean }
  | { readonly what: 'rate'; readonly index: number; readonly factor: number }
  | { readonly what: 'learning'; readonly on: boolean }
  | { readonly what: 'schedule'; readonly schedule: Schedule }
  | { readonly what: 'reset' }
  | { readonly what: 'restart' };

/** Supervisor to engine process. */
export type Command =
  | {
      readonly kind: 'open';
      readonly audio: AudioSettings;
      readonly revectorize: Config['engine']['revectorize'];
      readonly muted: boolean;
      readonly gainDb: number;
      readonly load: Loading | null;
      /** Seconds that the tap is to reach back. */
      readonly lookback: number;
    }
  | ({ readonly kind: 'load' } & Loading)
  | ({ readonly kind: 'steer'; readonly generation: number } & Steering)
  | { readonly kind: 'output'; readonly muted: boolean; readonly gainDb: number }
  | {
      readonly kind: 'channels';
      readonly inputs: readonly number[];
      readonly outputs: readonly number[];
    }
  | { readonly kind: 'calibrate' }
  | { readonly kind: 'test'; readonly tone: TestTone }
  | { readonly kind: 'watch'; readonly rates: PictureRates }
  | { readonly kind: 'lag' }
  | { readonly kind: 'recall' }
  | { readonly kind: 'record'; readonly order: RecordOrder }
  | { readonly kind: 'endRecord'; readonly id: number }
  | { readonly kind: 'limitRecord'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'stop' };

/** What became of the request for real-time scheduling. */
export interface Realtime {
  readonly granted: boolean;
  readonly detail: string;
}

/** Engine process to supervisor. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'revectorized'; readonly on: boolean; readonly detail: string }
  | {
      readonly kind: 'opened';
      readonly device: DeviceInfo;
      readonly realtime: Realtime | null;
      /** Seconds that the tap reaches back. */
      readonly lookback: number;
    }
  | { readonly kind: 'failed'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'loaded'; readonly generation: number }
  | {
      readonly kind: 'refused';
      readonly generation: number;
      readonly diagnostics: readonly Diagnostic[];
    }
  | { readonly kind: 'measurement'; readonly measurement: Measurement }
  | { readonly kind: 'picture'; readonly picture: Picture }
  | { readonly kind: 'lag'; readonly lag: Lag }
  | { readonly kind: 'recorded'; readonly end: RecordEnd }
  | { readonly kind: 'calibrated'; readonly calibration: Calibration }
  | { readonly kind: 'uncalibrated'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'tested'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'recalled'; readonly generation: number; readonly recalled: Recalled | null }
  | { readonly kind: 'ended'; readonly message: string };
