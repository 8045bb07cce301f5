/**
 * The state of record as a value, and its transitions as pure functions.
 *
 * Invariant: a transition gives a whole new state or a refusal, never half of either. `values` has
 * exactly the sliders and learnable parameters of `patch`, each within its range. Nothing here
 * talks to the engine or counts revisions: `session.ts` does.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Artifact } from '../../dsp/artifact.ts';
import type { ControlSpec } from '../../dsp/control.ts';
import { nearest } from '../../dsp/diagnostic.ts';
import {
  fromTheStart,
  preview,
  remembered,
  type Schedule,
} from '../../dsp/learn/schedules/schedule.ts';
import { withValues } from '../../dsp/patch/export.ts';
import { withoutProgram } from '../../dsp/patch/faust.ts';
import { withLearnable, type Learn } from '../../dsp/patch/learnable.ts';
import { termsOf, withObjective } from '../../dsp/patch/objective.ts';
import { bankOf } from '../../dsp/patch/params.ts';
import type { Params } from '../../dsp/patch/params.ts';
import type { Patch, Training } from '../../dsp/patch/schema.ts';
import { newTraining } from '../../dsp/patch/training.ts';
import type { Cause } from '../../dsp/run/faults.ts';
import type { Exported, Meter, Param, PatchInfo, TrainingState } from '../api/schemas.ts';
import type { Measurement, Program } from '../engine/types.ts';
import { answer, refuse, summary, type Outcome } from './outcome.ts';

export interface State {
  /** As it plays, with the training settings and the schedule of now. */
  readonly patch: Patch;
  /** Null until the first compilation. */
  readonly artifact: Artifact | null;
  /** The file that the patch came from and that is followed; null where a client brought it. */
  readonly file: string | null;
  /** Generation that the engine gave to the artifact; 0 before the first. */
  readonly program: number;
  readonly values: ReadonlyMap<string, number>;
  /** Of the last finished window, by learnable parameter. */
  readonly gradients: ReadonlyMap<string, number>;
  /** Of the newest measurement, in the order of the artifact; empty before the first. */
  readonly meters: ArrayLike<number>;
  readonly frozen: ReadonlySet<string>;
  /** Factors of the learning rate that clients have set; all others are the patch's. */
  readonly rates: ReadonlyMap<string, number>;
  readonly learning: boolean;
  readonly step: number;
  readonly loss: number | null;
  /** Of the last step; null before the first. */
  readonly rate: number | null;
  /** Of the last step taken: what the schedule remembers of the losses. */
  readonly paceMemory: readonly number[];
  /** Whether a guard stopped learning, and why. */
  readonly fault: boolean;
  readonly cause: Cause | null;
}

/** A patch with what was compiled of it. */
export interface Fitted {
  readonly patch: Patch;
  readonly artifact: Artifact;
}

/** What a client wants of sliders and parameters. */
export interface ParamChange {
  readonly values?: Readonly<Record<string, number>> | undefined;
  readonly frozen?: Readonly<Record<string, boolean>> | undefined;
  readonly rates?: Readonly<Record<string, number>> | undefined;
}

/** What a client wants to be learned, and from what. */
export interface Lesson {
  /** By id; `true` is the scale on which it is shown. */
  readonly learn?: Readonly<Record<string, Learn>> | undefined;
  readonly training?: Partial<Training> | undefined;
}

/** What of a state outlives a change of patch or a restart of the daemon. */
export interface Kept {
  readonly values: ReadonlyMap<string, number>;
  readonly frozen: ReadonlySet<string>;
  readonly rates: ReadonlyMap<string, number>;
  readonly learning: boolean;
  readonly step: number;
  readonly paceMemory?: readonly number[] | undefined;
  readonly file?: string | null | undefined;
}

const NOTHING_KEPT: Kept = {
  values: new Map(),
  frozen: new Set(),
  rates: new Map(),
  learning: true,
  step: 0,
};

/** A patch before it is compiled: initial values, or those kept by id, clamped to their ranges. */
export function stateOf(patch: Patch, kept: Kept = NOTHING_KEPT): State {
  const values = new Map(
    controls(patch).map(({ id, spec }) => [id, clamp(kept.values.get(id) ?? spec.initial, spec)]),
  );
  return {
    patch,
    artifact: null,
    file: kept.file ?? null,
    program: 0,
    values,
    gradients: new Map(),
    meters: [],
    frozen: new Set([...kept.frozen].filter((id) => learnablesOf(patch).has(id))),
    rates: new Map([...kept.rates].filter(([id]) => learnablesOf(patch).has(id))),
    learning: kept.learning && patch.training !== undefined,
    step: kept.step,
    loss: null,
    rate: null,
    paceMemory: kept.paceMemory ?? [],
    fault: false,
    cause: null,
  };
}

/** What the engine needs to play a state with an artifact. */
export function programOf(state: State, artifact: Artifact): Program {
  const valueOf = (id: string): number => state.values.get(id) ?? 0;
  return {
    artifact,
    sliders: artifact.sliders.map((control) => valueOf(control.id)),
    params: artifact.params.map((control) => valueOf(control.id)),
    frozen: artifact.params.map((control) => state.frozen.has(control.id)),
    rates: artifact.params.map(({ id, rate = 1 }) => state.rates.get(id) ?? rate),
    schedule: state.patch.training?.schedule ?? { kind: 'constant', rate: 0 },
    learning: state.learning,
    step: state.step,
    paceMemory: [...state.paceMemory],
  };
}

/** Sets values, freezes and rates, all or none. */
export function withParams(state: State, change: ParamChange): Outcome<State> {
  const values = new Map(state.values);
  const frozen = new Set(state.frozen);
  const rates = new Map(state.rates);
  for (const [id, value] of Object.entries(change.values ?? {})) {
    const spec = specOf(state.patch, id);
    if (spec === undefined) return unknownParam(state, id);
    if (!(value >= spec.min && value <= spec.max)) {
      const unit = spec.unit === undefined ? '' : ` ${spec.unit}`;
      return refuse(
        'VALUE_OUT_OF_RANGE',
        `${id}: expected a value from ${spec.min} to ${spec.max}${unit}, got ${value}`,
      );
    }
    values.set(id, value);
  }
  const { frozen: freezes = {}, rates: factors = {} } = change;
  for (const id of [...Object.keys(freezes), ...Object.keys(factors)]) {
    if (specOf(state.patch, id) === undefined) return unknownParam(state, id);
    if (!learnablesOf(state.patch).has(id)) {
      return refuse('NOT_LEARNABLE', `${id}: expected a learnable parameter, got a slider`);
    }
  }
  for (const [id, on] of Object.entries(freezes)) {
    if (on) frozen.add(id);
    else frozen.delete(id);
  }
  for (const [id, factor] of Object.entries(factors)) rates.set(id, factor);
  return answer({ ...state, values, frozen, rates });
}

/**
 * The patch with another lesson, which has to be compiled; the patch itself where it is the same. A
 * patch without a training gets one, if it is said what is compared; a Faust program says that itself
 * where nobody else does.
 */
export function withLesson(state: State, lesson: Lesson): Outcome<Patch> {
  const { learn = {}, training } = lesson;
  const isThere = (id: string): boolean =>
    specOf(state.patch, id) !== undefined || Object.hasOwn(state.patch.params, id);
  const unknown = Object.keys(learn).find((id) => !isThere(id));
  if (unknown !== undefined) return unknownParam(state, unknown);
  const isAsked = Object.values(learn).some((wanted) => wanted !== false);
  // Which scale and rate suit a control, the optimiser decides.
  const taught = withTraining(state, training, isAsked);
  if (!taught.ok) return taught;
  let patch = taught.value;
  for (const [id, wanted] of Object.entries(learn)) {
    const made = withLearnable(patch, id, wanted);
    if (!made.ok) return refuse('NOT_LEARNABLE', summary(made.diagnostics), made.diagnostics);
    patch = made.value;
  }
  return answer(patch);
}

/** @param isAsked  somebody wants a parameter to be learned */
function withTraining(
  { patch }: State,
  settings: Partial<Training> | undefined,
  isAsked: boolean,
): Outcome<Patch> {
  if (patch.training !== undefined) {
    if (settings === undefined) return answer(patch);
    return answer({ ...patch, training: withObjective(patch.training, settings) });
  }
  if (settings === undefined && !isAsked) return answer(patch);
  if (!isAsked && Object.keys(patch.params).length === 0) {
    const some = Object.keys(patch.sliders).slice(0, SHOWN).join(', ');
    const what = some === '' ? 'it has no slider' : `make a slider learnable: one of ${some}`;
    return refuse('NOT_TRAINABLE', `patch ${patch.name} has nothing to learn: ${what}`);
  }
  if (patch.faust !== undefined) {
    return answer(settings === undefined ? patch : { ...patch, training: settings as Training });
  }
  const made = newTraining(patch, settings ?? {});
  if (!made.ok) return refuse('NOT_TRAINABLE', summary(made.diagnostics), made.diagnostics);
  return answer({ ...patch, training: made.value });
}

/** Refuses parameters that somebody wants to be learned and that the loss does not feel. */
export function unfelt(
  { report }: Artifact,
  patch: Patch,
  learn: Lesson['learn'] = {},
): Outcome<null> {
  const idle = report.idle.filter((id) => Object.hasOwn(learn, id) && learn[id] !== false);
  if (idle.length === 0 || patch.training === undefined) return answer(null);
  const signals = termsOf(patch.training).flatMap(({ estimate, target }) => [estimate, target]);
  const names = [...new Set(signals)].flatMap((id) => (id === null ? [] : [`"${id}"`]));
  return refuse(
    'NOT_LEARNABLE',
    `${idle.join(', ')} cannot be learned: ${names.join(' and ')} would not change with it, or only by jumps`,
  );
}

export function withSchedule(state: State, schedule: Schedule): Outcome<State> {
  const { training } = state.patch;
  if (training === undefined) return untrainable(state);
  const patch = { ...state.patch, training: { ...training, schedule } };
  const paceMemory = remembered(state.paceMemory, training.schedule, schedule);
  return answer({ ...state, patch, paceMemory });
}

/** Whether two patches differ in nothing that is compiled. */
export function differsInSchedule(a: Patch, b: Patch): boolean {
  const plain = (patch: Patch): unknown => ({
    ...withoutProgram(patch),
    training: patch.training && { ...patch.training, schedule: null },
  });
  return isDeepStrictEqual(plain(a), plain(b));
}

/** What of a change can be set in a state: what is there, within its range. */
export function applicable({ patch }: State, change: ParamChange): ParamChange {
  const { values = {}, frozen = {}, rates = {} } = change;
  const learnables = learnablesOf(patch);
  const some = <T>(part: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(part).filter(([id]) => learnables.has(id)));
  const set = Object.entries(values).flatMap(([id, value]) => {
    const spec = specOf(patch, id);
    return spec === undefined ? [] : [[id, clamp(value, spec)] as const];
  });
  return { values: Object.fromEntries(set), frozen: some(frozen), rates: some(rates) };
}

/** A patch whose schedule begins at step 0, as it does for a learner that begins. */
export function fromStepZero(patch: Patch): Patch {
  const { training } = patch;
  if (training === undefined) return patch;
  return { ...patch, training: { ...training, schedule: fromTheStart(training.schedule) } };
}

/** The learning rate of the next step; null without training. */
export function learningRateOf({ patch, step, paceMemory }: State): number | null {
  const schedule = patch.training?.schedule;
  if (schedule === undefined) return null;
  return preview(schedule, { from: step, count: 1, stride: 1, memory: paceMemory })[0] ?? null;
}

export function withLearning(state: State, learning: boolean): Outcome<State> {
  if (learning && state.patch.training === undefined) return untrainable(state);
  const { fault, cause } = learning ? { fault: false, cause: null } : state;
  return answer({ ...state, learning, fault, cause });
}

/** Learnable parameters that are not frozen to their initial values, progress to its start; sliders stay. */
export function withReset(state: State): State {
  const values = new Map(state.values);
  for (const [id, spec] of learnablesOf(state.patch)) {
    if (!state.frozen.has(id)) values.set(id, spec.initial);
  }
  return {
    ...state,
    patch: fromStepZero(state.patch),
    values,
    gradients: new Map(),
    step: 0,
    loss: null,
    rate: null,
    paceMemory: [],
    fault: false,
    cause: null,
  };
}

/** The optimiser as at the start, what was learned stays. */
export function withRestart(state: State): Outcome<State> {
  if (state.patch.training === undefined) return untrainable(state);
  const patch = fromStepZero(state.patch);
  return answer({ ...state, patch, step: 0, loss: null, rate: null, paceMemory: [] });
}

/** The factor of the learning rate of a learnable parameter: as set, else the patch's. */
export const rateOf = (state: State, id: string): number =>
  state.rates.get(id) ?? learnablesOf(state.patch).get(id)?.rate ?? 1;

/**
 * Takes over what was measured, except for the values in `held`: those were just set, and the
 * measurement may be older.
 */
export function withMeasurement(
  state: State,
  measurement: Measurement,
  held: (id: string) => boolean,
): State {
  const { artifact } = state;
  if (artifact === null || measurement.program !== state.program) return state;
  const values = new Map(state.values);
  const gradients = new Map<string, number>();
  artifact.params.forEach(({ id }, i) => {
    const value = measurement.params[i];
    if (value !== undefined && Number.isFinite(value) && !held(id)) values.set(id, value);
    gradients.set(id, measurement.gradients[i] ?? Number.NaN);
  });
  return {
    ...state,
    values,
    gradients,
    meters: measurement.meters,
    ...(held(PROGRESS) ? {} : progressIn(measurement)),
  };
}

/** Not an id: step, loss and rate, held like a value where they began anew. */
export const PROGRESS = '*progress';

const progressIn = ({ step, paceMemory, loss, learningRate }: Measurement) => ({
  step,
  paceMemory: Array.from(paceMemory),
  loss: step > 0 ? finite(loss) : null,
  rate: step > 0 ? finite(learningRate) : null,
});

// --- what clients see --------------------------------------------------------------------------

export function paramOf(state: State, id: string): Outcome<Param> {
  const { patch } = state;
  const learnable = learnablesOf(patch).get(id);
  const spec = specOf(patch, id);
  if (spec === undefined) return unknownParam(state, id);
  const kind = learnable === undefined ? 'slider' : 'learnable';
  const { initial, min, max, step, unit, scale, doc } = spec;
  return answer({
    id,
    kind,
    index: learnable?.index ?? Object.keys(patch.sliders).indexOf(id),
    value: state.values.get(id) ?? initial,
    gradient: learnable === undefined ? null : finite(state.gradients.get(id)),
    frozen: state.frozen.has(id),
    rate: learnable === undefined ? null : rateOf(state, id),
    learn: learnable === undefined ? null : (learnable.learn ?? 'linear'),
    initial,
    min,
    max,
    scale: scale ?? 'linear',
    ...(step === undefined ? {} : { step }),
    ...(unit === undefined ? {} : { unit }),
    ...(doc === undefined ? {} : { doc }),
  });
}

/** Sliders, then learnables, or only those of `ids`. */
export function paramsOf(state: State, ids: Iterable<string> = state.values.keys()): Param[] {
  return [...ids].flatMap((id) => {
    const param = paramOf(state, id);
    return param.ok ? [param.value] : [];
  });
}

/** What the program that plays shows. */
export const metersOf = ({ artifact, meters }: State): Meter[] =>
  (artifact?.meters ?? []).map(({ scale = 'linear', ...spec }, index) => ({
    ...spec,
    scale,
    index,
    value: finite(meters[index]),
  }));

/** @param muted  whether nothing of what is played can be heard */
export function progressOf(
  state: State,
  muted: boolean,
): Omit<TrainingState, 'settings' | 'schedule'> {
  const { learning, step, loss, rate, fault, cause, artifact } = state;
  const waiting = learning && muted && artifact?.throughDevice === true;
  const learningRate = rate ?? learningRateOf(state);
  return { running: learning, waiting, step, loss, learningRate, fault, cause };
}

export function trainingOf(state: State, muted: boolean): TrainingState {
  const { training } = state.patch;
  const progress = progressOf(state, muted);
  if (training === undefined) return { ...progress, settings: null, schedule: null };
  const { schedule, ...settings } = training;
  return { ...progress, settings, schedule };
}

export function infoOf(patch: Patch, artifact: Artifact): PatchInfo {
  return {
    name: patch.name,
    ...(patch.title === undefined ? {} : { title: patch.title }),
    ...(patch.doc === undefined ? {} : { doc: patch.doc }),
    sampleRate: artifact.sampleRate,
    maxBlock: artifact.maxBlock,
    latency: artifact.latency,
    window: artifact.window,
    mode: artifact.mode,
    inputs: artifact.inputs,
    outputs: artifact.outputs,
    sliders: artifact.sliders.map((control) => control.id),
    params: artifact.params.map((control) => control.id),
    meters: artifact.meters.map((meter) => meter.id),
    wasmBytes: artifact.wasm.byteLength,
    memoryBytes: artifact.report.memoryBytes,
    why: [...artifact.report.mode],
  };
}

/** A document that begins with these values. */
export function exportedPatch(patch: Patch, values: State['values']): Exported {
  const document = withValues(withoutProgram(patch), (id) => values.get(id));
  const text = `${JSON.stringify(document, null, 2)}\n`;
  return { format: 'patch', file: `${patch.name}.json`, text, notes: [] };
}

export const untrainable = (state: State): ReturnType<typeof refuse> =>
  refuse('NOT_TRAINABLE', `patch ${state.patch.name}: expected a training section, got none`);

/** Names in a message. */
const SHOWN = 20;

function unknownParam(state: State, id: string): ReturnType<typeof refuse> {
  const near = nearest(id, state.values.keys());
  const all = [...state.values.keys()];
  const some = all.length > SHOWN ? `${all.slice(0, SHOWN).join(', ')}, …` : all.join(', ');
  const known = near === undefined ? some : `perhaps ${near}`;
  return refuse(
    'UNKNOWN_PARAM',
    `nothing is called "${id}" in patch ${state.patch.name}: ${known}`,
  );
}

interface Learnable extends ControlSpec {
  /** Its place in the bank. */
  readonly index: number;
}

interface Learnables {
  readonly groups: unknown;
  readonly byId: ReadonlyMap<string, Learnable>;
}

/** Made once per patch: a vector can be thousands of numbers. */
const learnables = new WeakMap<Params, Learnables>();

/** What a patch learns, number by number, in the order of the bank. */
export function learnablesOf({ params, training }: Patch): ReadonlyMap<string, Learnable> {
  const groups = training?.groups;
  const known = learnables.get(params);
  if (known !== undefined && known.groups === groups) return known.byId;
  const byId = new Map(
    bankOf(params, groups).map(({ id, ...spec }, index) => [id, { ...spec, index }] as const),
  );
  learnables.set(params, { groups, byId });
  return byId;
}

export function specOf(patch: Patch, id: string): ControlSpec | undefined {
  const learnable = learnablesOf(patch).get(id);
  if (learnable !== undefined) return learnable;
  return Object.hasOwn(patch.sliders, id) ? patch.sliders[id] : undefined;
}

function controls(patch: Patch): { readonly id: string; readonly spec: ControlSpec }[] {
  return [...Object.entries(patch.sliders), ...learnablesOf(patch)].map(([id, spec]) => ({
    id,
    spec,
  }));
}

const clamp = (value: number, { min, max }: ControlSpec): number =>
  Math.min(max, Math.max(min, value));

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;
