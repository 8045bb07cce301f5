/**
 * What `watch` knows of a host: the last word of every message, and the losses of the last while.
 *
 * Invariant: frames of another program than the one whose parameters are listed are left out, so a
 * value is never shown under the wrong name. Who holds a WatchState calls the functions here to
 * change it; nothing else does. It does not know sockets or terminals.
 */

import { decodeLevels } from '../../../server/api/frame.ts';
import type { Frame, Levels } from '../../../server/api/frame.ts';
import type { Meter, Param, Status, TrainingState } from '../../../server/api/schemas.ts';
import type { Change, Topic } from '../../../server/api/socket.ts';

/** Frames a second that `watch` asks for. */
export const RATE = 20;
/** One minute of losses. */
const HISTORY = 60 * RATE;

export interface Snapshot {
  readonly status: Status;
  readonly training: TrainingState;
  readonly params: readonly Param[];
  readonly meters: readonly Meter[];
}

export interface WatchState {
  readonly url: string;
  /** null while the connection stands; else since when it does not, and why, for people. */
  lost: { readonly since: number; readonly why: string } | null;
  /** When the connection came back, milliseconds; null if it never went. */
  regained: number | null;
  status: Status;
  training: TrainingState;
  /** Learnables by their telemetry index. */
  learnables: readonly Param[];
  sliders: readonly Param[];
  meters: readonly Meter[];
  /** What they show, by index; null where that is no finite number. */
  shown: readonly (number | null)[];
  loss: number | null;
  learningRate: number | null;
  step: number;
  learning: boolean;
  fault: boolean;
  readonly values: Map<string, number>;
  readonly gradients: Map<string, number>;
  /** Largest gradient met since the program was loaded: a full bar. */
  gradientPeak: number;
  levels: Levels | null;
  load: Status['engine']['load'] | null;
  /** Audio frames since the host started. */
  time: number;
  losses: number[];
  /** How many losses came before the oldest kept. */
  forgotten: number;
  readonly heard: Set<Topic>;
}

export function createState(url: string, snapshot: Snapshot): WatchState {
  const state: WatchState = {
    url,
    lost: null,
    regained: null,
    status: snapshot.status,
    training: snapshot.training,
    learnables: [],
    sliders: [],
    meters: [],
    shown: [],
    loss: null,
    learningRate: null,
    step: 0,
    learning: false,
    fault: false,
    values: new Map(),
    gradients: new Map(),
    gradientPeak: 0,
    levels: null,
    load: null,
    time: 0,
    losses: [],
    forgotten: 0,
    heard: new Set(),
  };
  takeSnapshot(state, snapshot);
  return state;
}

/** Everything anew: at the start, after a reconnection, after another patch. */
export function takeSnapshot(state: WatchState, snapshot: Snapshot): void {
  const changed = state.status.program !== snapshot.status.program;
  state.status = snapshot.status;
  if (changed) {
    state.losses = [];
    state.forgotten = 0;
    state.gradientPeak = 0;
  }
  state.values.clear();
  state.gradients.clear();
  takeTraining(state, snapshot.training);
  takeParams(state, snapshot.params);
  state.meters = snapshot.meters;
  state.shown = snapshot.meters.map(({ value }) => value);
}

/** A change that says what is new; false where a new snapshot is needed. */
export function takeChange(state: WatchState, change: Change): boolean {
  switch (change.kind) {
    case 'params.changed':
      takeParams(state, change.data.params);
      break;
    case 'training.changed':
      takeTraining(state, change.data);
      break;
    case 'output.changed':
      state.status = { ...state.status, engine: { ...state.status.engine, ...change.data } };
      break;
    case 'engine.changed':
      state.status = { ...state.status, engine: change.data };
      break;
    case 'source.changed':
      state.status = { ...state.status, source: change.data };
      break;
    case 'patch.changed':
      return false;
    case 'library.changed':
    case 'audition.changed':
    case 'snapshots.changed':
    case 'morph.changed':
    case 'edits.changed':
    case 'history.changed':
    case 'config.changed':
    case 'recordings.changed':
    case 'midi.changed':
      break;
  }
  state.status = { ...state.status, revision: change.revision };
  return true;
}

function takeTraining(state: WatchState, training: TrainingState): void {
  state.training = training;
  state.loss = training.loss;
  state.learningRate = training.learningRate;
  state.step = training.step;
  state.learning = training.running;
  state.fault = training.fault;
}

function takeParams(state: WatchState, params: readonly Param[]): void {
  const merge = (old: readonly Param[], kind: Param['kind']): Param[] => {
    const byId = new Map([...old, ...params.filter((p) => p.kind === kind)].map((p) => [p.id, p]));
    return [...byId.values()].sort((a, b) => a.index - b.index);
  };
  // After a snapshot the list is complete: what it lacks is gone.
  const fresh = state.values.size === 0;
  state.learnables = merge(fresh ? [] : state.learnables, 'learnable');
  state.sliders = merge(fresh ? [] : state.sliders, 'slider');
  for (const p of params) {
    state.values.set(p.id, p.value);
    if (p.gradient !== null) state.gradients.set(p.id, p.gradient);
  }
}

export function takeFrame(state: WatchState, frame: Frame): void {
  if (frame.program !== state.status.program) return;
  state.heard.add(frame.topic);
  state.time = frame.time;
  state.step = frame.step;
  state.learning = frame.learning;
  state.fault = frame.fault;
  const { values } = frame;
  const known = (value: number | undefined): number | null =>
    value === undefined || !Number.isFinite(value) ? null : value;
  switch (frame.topic) {
    case 'loss':
      state.loss = known(values[0]);
      if (state.loss !== null) remember(state, state.loss);
      break;
    case 'learningRate':
      state.learningRate = known(values[0]);
      break;
    case 'params':
      state.learnables.forEach((p, k) => {
        const value = values[k];
        if (value !== undefined) state.values.set(p.id, value);
      });
      break;
    case 'gradients':
      state.learnables.forEach((p, k) => {
        const value = values[k];
        if (value === undefined || !Number.isFinite(value)) return;
        state.gradients.set(p.id, value);
        state.gradientPeak = Math.max(state.gradientPeak, Math.abs(value));
      });
      break;
    case 'meters':
      state.shown = [...values].map(known);
      break;
    case 'levels':
      state.levels = decodeLevels(values);
      break;
    case 'load':
      state.load = { mean: values[0] ?? 0, p99: values[1] ?? 0, max: values[2] ?? 0 };
      break;
    default:
  }
}

function remember(state: WatchState, loss: number): void {
  state.losses.push(loss);
  if (state.losses.length > HISTORY) {
    state.losses.shift();
    state.forgotten++;
  }
}

/**
 * The losses as at most `width` values, each the mean of equally many neighbours.
 *
 * Groups are counted from the first loss ever and hold 1, 2, 4, … of them, so that a picture moves
 * column by column and does not shimmer.
 */
export function squeeze(state: Pick<WatchState, 'losses' | 'forgotten'>, width: number): number[] {
  const { losses, forgotten } = state;
  if (width < 2) return losses.slice(losses.length - Math.max(0, width));
  let size = 1;
  while (losses.length / size > width - 1) size *= 2;
  const groups = new Map<number, { sum: number; count: number }>();
  losses.forEach((loss, i) => {
    const key = Math.floor((forgotten + i) / size);
    const group = groups.get(key) ?? { sum: 0, count: 0 };
    groups.set(key, { sum: group.sum + loss, count: group.count + 1 });
  });
  return [...groups.values()].map(({ sum, count }) => sum / count).slice(-width);
}
