/**
 * The shapes of the WebSocket that are not operations: subscriptions, notifications, topics.
 *
 * Invariant: plain constants and types, usable in a browser. Every notification carries the
 * revision after the change. `frame.ts` has the binary telemetry.
 */

import type { AuditionState } from './audition.ts';
import type { ConfigChanged } from './config.ts';
import type { NextEdits } from './edits.ts';
import type { HistoryChange } from './history.ts';
import type { LibraryHeading } from './library.ts';
import type { LogEntry } from './logs.ts';
import type { MidiState } from './midi.ts';
import type { RecordingChange } from './recordings.ts';
import type {
  OutputState,
  Param,
  PatchInfo,
  SourceState,
  Status,
  TrainingState,
} from './schemas.ts';
import type { MorphState, SnapshotHeading } from './snapshots.ts';

/** Topics of the telemetry; the place in the list is the number in a frame's header: new ones go to the end. */
export const TOPICS = [
  'loss',
  'learningRate',
  'params',
  'gradients',
  'levels',
  'load',
  'meters',
  'updates',
  'xruns',
  'scope',
  'spectrum',
  'loadHistogram',
] as const;
export type Topic = (typeof TOPICS)[number];

/** Topics that are made only while somebody listens: pictures of the signals (`signals.ts`). */
export const SIGNAL_TOPICS = ['scope', 'spectrum'] as const;
export type SignalTopic = (typeof SIGNAL_TOPICS)[number];

/** Not measured, and told as text, `log.written`: what the daemon logs. */
export const LOG_TOPIC = 'log';
/** Likewise, `engine.event`: what happens to the engine. */
export const EVENT_TOPIC = 'events';
/** Topics that are text. */
export const TOLD_TOPICS = [LOG_TOPIC, EVENT_TOPIC] as const;
export type ToldTopic = (typeof TOLD_TOPICS)[number];

/** Frames per second and topic, at most. */
export const MAX_RATE = 60;
/** Bytes of a message, either way, and of everything that may wait in a socket. */
export const MAX_MESSAGE = 2 ** 20;
/** Requests in a batch. */
export const MAX_BATCH = 64;

export interface Subscription {
  readonly topics: readonly Topic[];
  readonly rate: number;
  /** How `levels` rise and fall: time constants in ms; as measured where both are 0. */
  readonly attack?: number;
  readonly release?: number;
}

/** What changed, by the name of its notification. */
export interface Changes {
  readonly 'params.changed': { readonly params: readonly Param[] };
  readonly 'training.changed': TrainingState;
  readonly 'patch.changed': PatchInfo;
  readonly 'source.changed': SourceState;
  readonly 'output.changed': OutputState;
  readonly 'engine.changed': Status['engine'];
  readonly 'audition.changed': AuditionState;
  readonly 'library.changed': { readonly patches: readonly LibraryHeading[] };
  readonly 'snapshots.changed': { readonly snapshots: readonly SnapshotHeading[] };
  readonly 'morph.changed': MorphState;
  readonly 'edits.changed': NextEdits;
  readonly 'history.changed': HistoryChange;
  readonly 'config.changed': ConfigChanged;
  readonly 'recordings.changed': RecordingChange;
  readonly 'midi.changed': MidiState;
}
export type ChangeKind = keyof Changes;

export type Change = {
  readonly [K in ChangeKind]: { readonly kind: K; readonly revision: number } & {
    readonly data: Changes[K];
  };
}[ChangeKind];

/** Params of the notification `log.written`, to those who subscribed to `log`. */
export interface LogWritten {
  readonly entries: readonly LogEntry[];
}

/** Params of the notification `telemetry.dropped`: frames this socket did not get, since it opened. */
export interface Dropped {
  readonly dropped: number;
}
