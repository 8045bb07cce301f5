/**
 * The session: the state of record, and the only one who steers the engine.
 *
 * Invariants: a change that fails changes nothing; one that succeeds makes exactly one revision,
 * and everyone who listens is told it in order; a patch becomes the state of record only when the
 * engine has taken it over, until then the old one plays; what is compiled, loaded or trained
 * happens one after the other, values and mute at once.
 * It compiles nothing on this thread, and it knows nothing of HTTP or sockets.
 */

import { isDeepStrictEqual } from 'node:util';
import type { AudioSettings } from '../../config/schema.ts';
import type { Artifact } from '../../dsp/artifact.ts';
import type { CompileOptions } from '../../dsp/compile.ts';
import type { Diagnostic, Result } from '../../dsp/diagnostic.ts';
import { remembered } from '../../dsp/learn/schedules/schedule.ts';
import type { ScheduleChange } from '../../dsp/learn/schedules/schedule.ts';
import type { Patch, Training } from '../../dsp/patch/schema.ts';
import { causeOf } from '../../dsp/run/faults.ts';
import type { EditsState } from '../api/edits.ts';
import type {
  Exported,
  OutputState,
  Param,
  PatchInfo,
  AheadOutput,
  PreviewInput,
  SchedulePosition,
  SourceState,
  Status,
  TrainingState,
  TrainingUpdate,
} from '../api/schemas.ts';
import type { Change, ChangeKind, Changes } from '../api/socket.ts';
import type { Compiled, Written } from '../compile/compiler.ts';
import type { Logger, Supervisor } from '../engine/supervisor.ts';
import type { EngineStatus, Measurement, Recalled } from '../engine/types.ts';
import { defined, idsIn, keyOf, only, without } from './change.ts';
import { aheadOf, meant, positionOf, previewOf } from './ahead.ts';
import { discreet, nameOf, withoutFolders } from './discreet.ts';
import { Edits, type Deed, type Direction, type Side } from './edits.ts';
import { exportOf } from './export.ts';
import { Gate } from './gate.ts';
import { Machine } from './machine.ts';
import { answer, passOn, refuse, summary, type Outcome } from './outcome.ts';
import * as s from './state.ts';
import { lessonWords, PLAY, SCHEDULE, wordsOf } from './words.ts';

/** What the session needs of the supervisor. */
export type Engine = Pick<
  Supervisor,
  | 'status'
  | 'start'
  | 'stop'
  | 'select'
  | 'load'
  | 'setSlider'
  | 'setParam'
  | 'setFrozen'
  | 'setRate'
  | 'setTraining'
  | 'reset'
  | 'restart'
  | 'setOutput'
  | 'calibrate'
  | 'recall'
  | 'test'
  | 'renew'
  | 'mapChannels'
>;

export interface PatchCompiler {
  compile(json: unknown, options: CompileOptions, before?: Patch): Promise<Compiled>;
  exportFaust(json: unknown, values: ReadonlyMap<string, number>): Promise<Written>;
}

/** Who asked for a change, so that everyone else is told; compared by identity. */
export type Origin = object | undefined;

export type Listener = (change: Change, origin: Origin) => void;

export interface SessionOptions {
  readonly engine: Engine;
  readonly compiler: PatchCompiler;
  readonly audio: AudioSettings;
  readonly log: Logger;
  readonly version: string;
  readonly patch: Patch;
  /** Where it comes from, as clients are told; followed by whoever calls `reload`. */
  readonly file?: string | undefined;
  /** What to go on with: values by id, step. */
  readonly kept?: s.Kept | undefined;
}

type Revised<T> = T & { readonly revision: number };

/** How a whole state takes the place of another. */
interface Exchange {
  readonly origin: Origin;
  /** What the optimiser remembers; nothing if not given. */
  readonly optimiser?: Float64Array | null;
  /** What it is as a step; none if not given. */
  readonly words?: string;
}

/** What played, as it was left. */
export interface Left {
  readonly state: s.State;
  /** Set by clients while the other state was on its way to the engine. */
  readonly touched: ReadonlySet<string>;
}

/** A value that was set stays for this long before measurements count again, seconds of audio. */
const SETTLE = 0.1;

export class Session {
  readonly #engine: Engine;
  readonly #compiler: PatchCompiler;
  readonly #log: Logger;
  readonly #version: string;
  readonly #listeners = new Set<Listener>();
  readonly #started = performance.now();
  /** Frame count until which the measured value of a parameter is older than what was set. */
  readonly #held = new Map<string, number>();
  readonly machine: Machine;
  #state: s.State;
  /** What is wrong with the file that is followed, as it was saved last. */
  #wrong: readonly Diagnostic[] = [];
  /** That file, as clients were told. */
  #followed: string | null;
  #revision = 0;
  #frames = 0;
  /** Step at which progress began anew: what was measured before is at it or beyond. */
  #begun = 0;
  readonly #gate = new Gate();
  readonly #edits = new Edits((next) => this.#tell('edits.changed', next, undefined));
  #opened = false;
  /** Set by clients while a program was on its way to the engine. */
  #touched: Set<string> | undefined;
  /** Whether what is set is no step for undo. */
  #isAside = false;
  /** A file that was saved meanwhile, as it was called. */
  #saved: readonly [Result<unknown>, string] | undefined;

  constructor(options: SessionOptions) {
    this.#engine = options.engine;
    this.#compiler = options.compiler;
    this.machine = new Machine(options.engine, options.audio, {
      gate: this.#gate,
      artifact: () => this.#state.artifact,
      revision: () => this.#revision,
      refit: () => this.#refit(),
      change: (kind, data, origin) => this.announce(kind, data, origin),
    });
    this.#log = options.log;
    this.#version = options.version;
    const { patch, kept, file = null } = options;
    this.#state = { ...s.stateOf(patch, kept), file };
    this.#followed = file;
  }

  get state(): s.State {
    return this.#state;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Whether the patch has been compiled and the engine has it. */
  get ready(): boolean {
    return this.#state.artifact !== null && this.machine.misfit === null;
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A change of what is kept beside the session: makes a revision, and everyone else is told. */
  announce<K extends ChangeKind>(kind: K, data: Changes[K], origin: Origin): number {
    const revision = this.#revise();
    this.#tell(kind, data, origin);
    return revision;
  }

  /** Starts the engine, compiles the patch and gives it to the engine. */
  async open(): Promise<Outcome<PatchInfo>> {
    await this.#engine.start();
    this.#opened = true;
    return this.#gate.serially(() => this.#install(this.#state.patch, { origin: undefined }));
  }

  // --- looking -------------------------------------------------------------------------------

  status(): Status {
    return {
      name: 'livegrad',
      version: this.#version,
      uptime: (performance.now() - this.#started) / 1000,
      revision: this.#revision,
      patch: this.#state.patch.name,
      program: this.#state.program,
      source: this.source(),
      engine: this.engine(),
      training: s.progressOf(this.#state, this.output().muted),
    };
  }

  /** The engine, and what keeps the patch from playing on it. */
  engine(): Status['engine'] {
    return this.machine.engine;
  }

  /** The file that the patch comes from, and what is wrong with it now. */
  source(): SourceState {
    const { file } = this.#state;
    return { file: file === null ? null : nameOf(file), diagnostics: discreet(this.#wrong) };
  }

  output(): OutputState {
    return this.machine.output;
  }

  info(): Outcome<Revised<PatchInfo>> {
    const { patch, artifact } = this.#state;
    if (artifact === null) {
      return refuse(
        'ENGINE_REFUSED',
        'no patch has been compiled yet: see the status of the engine',
      );
    }
    return answer({ ...s.infoOf(patch, artifact), revision: this.#revision });
  }

  training(): Revised<TrainingState> {
    return { ...s.trainingOf(this.#state, this.output().muted), revision: this.#revision };
  }

  schedule(): Outcome<Revised<SchedulePosition>> {
    const position = positionOf(this.#state);
    return position.ok ? answer({ ...position.value, revision: this.#revision }) : position;
  }

  ahead(input: Omit<PreviewInput, 'schedule' | 'from' | 'losses'>): Outcome<AheadOutput> {
    return aheadOf(this.#state, input);
  }

  preview(input: PreviewInput): Outcome<number[]> {
    return previewOf(this.#state, input);
  }

  /** What can be undone, and done again. */
  edits(): EditsState {
    return this.#edits.state;
  }

  /** Compiles for the device of now, and plays nothing. */
  check(json: unknown): Promise<Compiled> {
    return this.#compiler.compile(json, this.machine.fitting);
  }

  /** As `check`, where a patch that cannot be played is an error. */
  async compile(json: unknown, before?: Patch): Promise<Outcome<s.Fitted>> {
    const compiled = await this.#compiler.compile(json, this.machine.fitting, before);
    if (compiled.kind === 'failed') {
      return refuse('COMPILE_FAILED', `the compiler gave up: ${withoutFolders(compiled.reason)}`);
    }
    if (compiled.kind === 'refused') {
      return refuse('PATCH_INVALID', summary(compiled.diagnostics), compiled.diagnostics);
    }
    return answer(compiled);
  }

  /** The patch with the values of now as its initial ones, as text. */
  export(format?: Exported['format']): Promise<Outcome<Exported>> {
    return exportOf(this.#state, this.#compiler, format);
  }

  // --- values and output: at once ------------------------------------------------------------

  /** @param deed  what it is as a step, in words; null where it is none */
  setParams(
    change: s.ParamChange,
    origin: Origin,
    deed?: string | null,
  ): Outcome<Revised<{ params: Param[] }>> {
    const next = s.withParams(this.#state, change);
    if (!next.ok) return next;
    const before = this.#state;
    this.#state = next.value;
    const { values = {} } = change;
    const ids = idsIn(change);
    for (const id of Object.keys(values)) {
      this.#held.set(id, this.#frames + SETTLE * this.#engine.status.sampleRate);
    }
    for (const id of ids) {
      this.#touched?.add(id);
      this.#steer(id, before, Object.hasOwn(values, id));
    }
    const params = s.paramsOf(this.#state, ids);
    const revision = ids.size === 0 ? this.#revision : this.#revise();
    if (ids.size > 0) this.#tell('params.changed', { params }, origin);
    this.#follow(before, next.value, {
      words: deed === null ? undefined : (deed ?? wordsOf(before, change)),
      origin,
      key: deed ?? keyOf(change),
      ids,
    });
    return answer({ revision, params });
  }

  /**
   * As `setParams`; where other parameters are to be learned, or from something else, all of it once
   * the patch that does so is compiled and plays.
   * @returns  of such a change all sliders and parameters, since their places may be others
   */
  updateParams(
    change: s.ParamChange & Teaching,
    origin: Origin,
  ): Outcome<Revised<{ params: Param[] }>> | Promise<Outcome<Revised<{ params: Param[] }>>> {
    const { learn, training, ...values } = change;
    if (learn === undefined && training === undefined) return this.setParams(values, origin);
    return this.#gate.exclusively(async () => {
      const { running, ...settings } = training ?? {};
      const lesson = s.withLesson(this.#state, {
        learn,
        training: training === undefined ? undefined : this.#settingsIn(settings),
      });
      if (!lesson.ok) return lesson;
      const patch = lesson.value;
      if (patch === this.#state.patch) {
        const set = this.setParams(values, origin);
        return set.ok ? answer({ ...set.value, params: s.paramsOf(this.#state) }) : set;
      }
      const words = lessonWords(learn, training);
      const installed = await this.#install(patch, {
        origin,
        words,
        change: values,
        learn,
        running,
      });
      if (!installed.ok) return installed;
      return answer({ revision: this.#revision, params: s.paramsOf(this.#state) });
    });
  }

  setOutput(
    change: { readonly muted?: boolean | undefined; readonly gainDb?: number | undefined },
    origin: Origin,
  ): Outcome<Revised<OutputState>> {
    return this.machine.setOutput(change, origin);
  }

  // --- patch, training, devices: one after the other -----------------------------------------

  /** @param file  that it came from, where that is to be followed */
  setPatch(
    json: unknown,
    origin: Origin,
    file: string | null = null,
  ): Promise<Outcome<Revised<PatchInfo>>> {
    return this.#gate.exclusively(async () => {
      const installed = await this.#install(json, { origin, words: PLAY, fresh: true, file });
      if (installed.ok) this.#blame([]);
      return installed;
    });
  }

  /**
   * Plays what a file holds now. While another patch plays, one that a client brought, the file is
   * let be; a faulty one leaves what plays as it is, and everyone is told.
   *
   * @param json  its document, or why it cannot be read
   * @param file  as it is called to clients
   */
  reload(json: Result<unknown>, file: string): Promise<void> {
    return this.#gate.serially(async () => {
      if (this.#gate.isBarred) {
        this.#saved = [json, file];
        return;
      }
      if (this.#state.file !== file) return;
      if (!json.ok) {
        this.#blame(json.diagnostics);
        return;
      }
      const program = this.#state.program;
      const installed = await this.#install(json.value, {
        origin: undefined,
        words: `save ${file}`,
        fresh: true,
        file,
        changed: true,
      });
      if (installed.ok) {
        const isOther = this.#state.program !== program;
        if (isOther) this.#log.info({ file }, `${file} was saved, and plays`);
        this.#blame([]);
        return;
      }
      const { code, detail, diagnostics } = installed.problem;
      this.#blame(diagnostics ?? [{ code, path: '', message: detail }]);
    });
  }

  updateTraining(change: TrainingUpdate, origin: Origin): Promise<Outcome<Revised<TrainingState>>> {
    return this.#gate.exclusively(async () => {
      const { running, ...settings } = change;
      const lesson = s.withLesson(this.#state, { training: this.#settingsIn(settings) });
      if (!lesson.ok) return lesson;
      const { training } = this.#state.patch;
      const wanted = lesson.value.training;
      // The schedule is data that the program reads: all else is compiled into it.
      if (
        training === undefined ||
        wanted === undefined ||
        !isDeepStrictEqual({ ...wanted, schedule: null }, { ...training, schedule: null })
      ) {
        const words = lessonWords({}, change);
        const installed = await this.#install(lesson.value, { origin, words, running });
        return installed.ok ? answer(this.training()) : installed;
      }
      const learning = running ?? this.#state.learning;
      const scheduled = s.withSchedule(this.#state, wanted.schedule);
      if (!scheduled.ok) return scheduled;
      const next = s.withLearning(scheduled.value, learning);
      return this.#train(next, { origin, isAsked: running !== undefined, words: SCHEDULE });
    });
  }

  setLearning(learning: boolean, origin: Origin): Promise<Outcome<Revised<TrainingState>>> {
    return this.#gate.exclusively(() =>
      this.#train(s.withLearning(this.#state, learning), { origin, isAsked: true }),
    );
  }

  setSchedule(change: ScheduleChange, origin: Origin): Promise<Outcome<Revised<SchedulePosition>>> {
    return this.#gate.serially(() => {
      const scheduled = s.withSchedule(this.#state, meant(this.#state, change));
      const trained = this.#train(scheduled, { origin, words: SCHEDULE });
      return trained.ok ? this.schedule() : trained;
    });
  }

  reset(origin: Origin): Promise<Outcome<Revised<TrainingState>>> {
    return this.#gate.exclusively(() => {
      const before = this.#state;
      this.#begun = before.step;
      this.#state = s.withReset(before);
      this.#holdAll();
      this.#hold(s.PROGRESS);
      this.#engine.reset();
      this.#revise();
      this.#tell('params.changed', { params: s.paramsOf(this.#state) }, origin);
      this.#tell('training.changed', s.trainingOf(this.#state, this.output().muted), origin);
      this.#follow(before, this.#state, { words: 'forget what was learned', origin });
      return answer(this.training());
    });
  }

  /** A warm restart: the optimiser forgets, the parameters stay. */
  restart(origin: Origin): Promise<Outcome<Revised<TrainingState>>> {
    return this.#gate.exclusively(() => {
      const restarted = s.withRestart(this.#state);
      if (!restarted.ok) return restarted;
      this.#begun = this.#state.step;
      this.#state = restarted.value;
      this.#hold(s.PROGRESS);
      this.#engine.restart();
      this.#revise();
      this.#tell('training.changed', s.trainingOf(this.#state, this.output().muted), origin);
      return answer(this.training());
    });
  }

  /**
   * Undoes the last step, whoever made it, or does again what was undone last. Where the last was to
   * start learning, it stops, and that is undone.
   */
  undo(
    origin: Origin,
    direction: Direction = 'undo',
  ): Promise<Outcome<Revised<EditsState & { done: string }>>> {
    return this.#gate.exclusively(async () => {
      if (direction === 'undo' && this.#edits.learnedLast(this.#state)) {
        this.#train(s.withLearning(this.#state, false), { origin, isAsked: true });
      }
      const edit = this.#edits.next(direction);
      if (edit === undefined) {
        const what = direction === 'undo' ? 'undone' : 'done again';
        return refuse('NOTHING_TO_UNDO', `there is no step that could be ${what}`);
      }
      const applied = await this.#apply(direction === 'undo' ? edit.before : edit.after, origin);
      if (!applied.ok) return applied;
      this.#edits.moved(edit, direction);
      return answer({ done: edit.words, ...this.edits(), revision: this.#revision });
    });
  }

  select(
    selection: { readonly [K in keyof AudioSettings]?: AudioSettings[K] | undefined },
    origin: Origin,
  ): Promise<Outcome<Revised<Pick<Status, 'engine'>>>> {
    return this.machine.select(selection, origin);
  }

  /** A new latency is told by the engine's status, and the patch compiled for it. */
  calibrate(): Promise<Outcome<Revised<{ latency: number; confidence: number }>>> {
    return this.machine.calibrate();
  }

  // --- a whole state in the place of another --------------------------------------------------

  /** What plays remembers, between two blocks; null where that cannot be told. */
  recall(): Promise<Recalled | null> {
    return this.#engine.recall();
  }

  /**
   * Makes a whole state the one that plays, in a crossfade, with values, steps and memory of its own:
   * of what played signals alone go on. Values that clients set on the way are of what played.
   */
  exchange(next: s.State, how: Exchange): Promise<Outcome<Left>> {
    const task = (): Promise<Outcome<Left>> => this.#exchange(next, how);
    return how.words === undefined ? this.#gate.serially(task) : this.#gate.exclusively(task);
  }

  /**
   * Lets nobody exchange what plays, and says why; null lets everybody again.
   * @param isAside  what is set meanwhile is no step for undo
   */
  bar(why: string | null, isAside = false): void {
    this.#gate.bar(why);
    this.#isAside = isAside;
    if (why !== null || this.#saved === undefined) return;
    const saved = this.#saved;
    this.#saved = undefined;
    void this.reload(...saved);
  }

  /** A step that was made elsewhere. */
  record(before: s.State, after: s.State, deed: Deed): void {
    this.#edits.follow(before, after, deed);
  }

  // --- from the engine -----------------------------------------------------------------------

  onMeasurement(measurement: Measurement): void {
    this.#frames = measurement.frames;
    if (measurement.program !== this.#state.program) return;
    const touched = this.#touched;
    if (touched !== undefined) {
      const isSet = (id: string): boolean => this.#held.has(id) || touched.has(id);
      this.#state = s.withMeasurement(this.#state, measurement, isSet);
      return;
    }
    for (const [id, until] of this.#held) {
      if (measurement.frames >= until) this.#held.delete(id);
    }
    if (measurement.step < this.#begun) this.#held.delete(s.PROGRESS);
    this.#state = s.withMeasurement(this.#state, measurement, (id) => this.#held.has(id));
    const settled = !this.#held.has(LEARNING);
    if (settled && measurement.fault !== 0 && this.#state.learning) {
      const { fault, faultDetail } = measurement;
      const cause = causeOf(fault, faultDetail, this.#state.artifact?.params ?? []);
      const before = this.#state;
      this.#state = { ...before, learning: false, fault: true, cause };
      this.#engine.setTraining({ learning: false });
      this.#log.warn({ cause }, `learning was stopped: ${cause.message}`);
      this.#revise();
      this.#tell('training.changed', s.trainingOf(this.#state, this.output().muted), undefined);
      this.#follow(before, this.#state, { origin: undefined });
    }
  }

  onStatus(status: EngineStatus): void {
    this.machine.onStatus(status);
  }

  // --- inside --------------------------------------------------------------------------------

  /** Compiles what plays for the device of now. */
  async #refit(): Promise<void> {
    const { machine } = this;
    if (!this.#opened || machine.fits) return;
    const device = machine.fitting;
    const installed = await this.#install(this.#state.patch, { origin: undefined });
    if (installed.ok) return;
    const { detail, diagnostics = [] } = installed.problem;
    const reason = `the patch does not fit the device: ${detail}`;
    this.#log.error({ diagnostics }, reason);
    machine.fitted(device, reason);
  }

  /** What a client says of the training, with the schedule that it means. */
  #settingsIn({ schedule, ...settings }: Omit<TrainingUpdate, 'running'>): Partial<Training> {
    return {
      ...defined(settings),
      ...(schedule === undefined ? {} : { schedule: meant(this.#state, schedule) }),
    };
  }

  async #install(json: unknown, how: Installation): Promise<Outcome<Revised<PatchInfo>>> {
    const made = await this.compile(json, how.fresh === true ? this.#state.patch : undefined);
    if (!made.ok) return made;
    const compiled = made.value;
    const { artifact } = compiled;
    const { change = {}, file = this.#state.file } = how;
    if (how.changed === true && this.#plays(compiled)) {
      const info = s.infoOf(compiled.patch, artifact);
      const before = this.#state;
      const isOther = !isDeepStrictEqual(compiled.patch, before.patch);
      this.#state = { ...before, patch: compiled.patch };
      if (isOther) this.#revise();
      if (isOther) this.#tell('patch.changed', info, how.origin);
      this.#follow(before, this.#state, how);
      return answer({ ...info, revision: this.#revision });
    }
    const felt = s.unfelt(artifact, compiled.patch, how.learn);
    if (!felt.ok) return felt;
    const learning =
      how.running ?? (this.#state.learning || this.#state.patch.training === undefined);
    // An edit of what plays goes on where it was; another patch starts as it is written.
    const isEdit = compiled.patch.name === this.#state.patch.name;
    const patch = isEdit ? compiled.patch : s.fromStepZero(compiled.patch);
    const step = isEdit ? this.#state.step : 0;
    const kept = isEdit ? this.#state : only(this.#state, new Set());
    const paceMemory = isEdit
      ? remembered(
          this.#state.paceMemory,
          this.#state.patch.training?.schedule,
          patch.training?.schedule,
        )
      : [];
    const wanted = s.withParams(s.stateOf(patch, { ...kept, learning, step, paceMemory }), change);
    if (!wanted.ok) return wanted;
    this.#touched = new Set();
    const loaded = await this.#engine.load(s.programOf(wanted.value, artifact));
    const touched = this.#touched;
    this.#touched = undefined;
    if (!loaded.ok) {
      return passOn('ENGINE_REFUSED', loaded.diagnostics);
    }
    const { loss, rate, gradients } = this.#state;
    const before = this.#state;
    const next = s.stateOf(patch, {
      ...(isEdit ? before : only(before, touched)),
      learning,
      step,
      paceMemory,
      file,
    });
    // What was asked for with it, but for what somebody has said since.
    const asked = without(change, touched);
    const changed = s.withParams(next, asked);
    this.#state = {
      ...(changed.ok ? changed.value : next),
      artifact,
      program: loaded.value,
      ...(how.fresh ? {} : { loss, rate, gradients }),
    };
    this.machine.fitted(this.machine.fitting);
    this.#holdAll();
    // The engine goes on from its own values, and with those of the record where they are not learned.
    const fixed = artifact.sliders.filter(({ id }) => s.learnablesOf(before.patch).has(id));
    const steered = new Set([...touched, ...idsIn(asked), ...fixed.map(({ id }) => id)]);
    for (const id of steered) this.#steer(id, before, true);
    this.#revise();
    this.#tell('patch.changed', s.infoOf(patch, artifact), how.origin);
    this.#tell('params.changed', { params: s.paramsOf(this.#state) }, how.origin);
    this.#tell('training.changed', s.trainingOf(this.#state, this.output().muted), how.origin);
    const isAsked = how.running !== undefined;
    const verb = isEdit ? 'edit' : 'play';
    const words = how.words === PLAY ? `${verb} ${patch.name}` : how.words;
    this.#follow(before, this.#state, { origin: how.origin, words, isAsked });
    return answer({ ...s.infoOf(patch, artifact), revision: this.#revision });
  }

  async #exchange(
    next: s.State,
    { origin, optimiser = null, words }: Exchange,
  ): Promise<Outcome<Left>> {
    const isFit = next.artifact !== null && this.machine.suits(next.artifact);
    const made = isFit
      ? answer({ patch: next.patch, artifact: next.artifact })
      : await this.compile(next.patch);
    if (!made.ok) return made;
    const { artifact } = made.value;
    this.#touched = new Set();
    const loaded = await this.#engine.load({
      ...s.programOf(next, artifact),
      isOwn: true,
      ...(optimiser === null ? {} : { optimiser }),
    });
    const touched = this.#touched;
    this.#touched = undefined;
    if (!loaded.ok) return passOn('ENGINE_REFUSED', loaded.diagnostics);
    const state = this.#state;
    this.#state = { ...next, artifact, program: loaded.value };
    this.machine.fitted(this.machine.fitting);
    this.#holdAll();
    this.#revise();
    this.#tell('patch.changed', s.infoOf(next.patch, artifact), origin);
    this.#tell('params.changed', { params: s.paramsOf(this.#state) }, origin);
    this.#tell('training.changed', s.trainingOf(this.#state, this.output().muted), origin);
    if (words !== undefined) this.#follow(state, this.#state, { origin, words });
    return answer({ state, touched });
  }

  /** Sets what a step is to have set, as far as it is there. */
  async #apply({ patch, file, ...side }: Side, origin: Origin): Promise<Outcome<unknown>> {
    if (patch !== undefined && !s.differsInSchedule(patch, this.#state.patch)) {
      const isFresh = patch.name !== this.#state.patch.name;
      const how = { origin, change: side, fresh: isFresh, ...(file === undefined ? {} : { file }) };
      return this.#install(patch, how);
    }
    const schedule = patch?.training?.schedule;
    if (schedule !== undefined) {
      const trained = this.#train(s.withSchedule(this.#state, schedule), { origin });
      if (!trained.ok) return trained;
    }
    return this.setParams(s.applicable(this.#state, side), origin, null);
  }

  /** Tells what is wrong with the file now, where that is something else than before. */
  #blame(diagnostics: readonly Diagnostic[]): void {
    const { file } = this.#state;
    const isSame = isDeepStrictEqual(diagnostics, this.#wrong);
    if (isSame && file === this.#followed) return;
    this.#wrong = diagnostics;
    this.#followed = file;
    for (const { line, message, hint } of isSame ? [] : diagnostics) {
      const where = line === undefined ? file : `${file}:${line}`;
      this.#log.warn(
        { file, line },
        `${where}: ${message}${hint === undefined ? '' : `; ${hint}`}`,
      );
    }
    this.#revise();
    this.#tell('source.changed', this.source(), undefined);
  }

  /** Whether a program is the one that plays, also if its text is another. */
  #plays({ artifact, patch }: { readonly artifact: Artifact; readonly patch: Patch }): boolean {
    const { artifact: now, patch: played } = this.#state;
    const source = (one: Patch): Patch => ({ ...one, faust: undefined });
    return (
      now !== null &&
      Buffer.compare(now.wasm, artifact.wasm) === 0 &&
      isDeepStrictEqual(source(patch), source(played))
    );
  }

  /**
   * Makes a new training state the state of record and tells the engine; whether it learns only when
   * somebody said so, because a guard may have tripped that is not known here yet.
   */
  #train(
    next: Outcome<s.State>,
    { origin, isAsked = false, words }: Deed,
  ): Outcome<Revised<TrainingState>> {
    if (!next.ok) return next;
    const before = this.#state;
    this.#state = next.value;
    const { learning, patch } = next.value;
    const schedule = patch.training?.schedule;
    if (learning && !before.learning) this.#hold(LEARNING);
    this.#engine.setTraining({
      ...(isAsked || learning !== before.learning ? { learning } : {}),
      ...(schedule === undefined || schedule === before.patch.training?.schedule
        ? {}
        : { schedule }),
    });
    this.#revise();
    this.#tell('training.changed', s.trainingOf(this.#state, this.output().muted), origin);
    const kind = schedule?.kind ?? '';
    const named = words === SCHEDULE ? `take a schedule: ${kind}` : words;
    this.#follow(before, next.value, { origin, isAsked, words: named });
    return answer(this.training());
  }

  #hold(id: string): void {
    this.#held.set(id, this.#frames + SETTLE * this.#engine.status.sampleRate);
  }

  #holdAll(): void {
    for (const id of s.learnablesOf(this.#state.patch).keys()) this.#hold(id);
    this.#hold(LEARNING);
  }

  /** Sends the value (where it was set), the freeze and the rate (where they changed) of one control. */
  #steer(id: string, before: s.State, valueSet: boolean): void {
    const { artifact, values, frozen } = this.#state;
    if (artifact === null) return;
    const value = values.get(id);
    const slider = artifact.sliders.findIndex((control) => control.id === id);
    const param = artifact.params.findIndex((control) => control.id === id);
    if (slider >= 0 && value !== undefined && valueSet) this.#engine.setSlider(slider, value);
    if (param < 0) return;
    if (value !== undefined && valueSet) this.#engine.setParam(param, value);
    if (frozen.has(id) !== before.frozen.has(id) || this.#state.program !== before.program) {
      this.#engine.setFrozen(param, frozen.has(id));
    }
    const rate = s.rateOf(this.#state, id);
    if (rate !== s.rateOf(before, id) || this.#state.program !== before.program) {
      this.#engine.setRate(param, rate);
    }
  }

  #revise(): number {
    return ++this.#revision;
  }

  #tell<K extends ChangeKind>(kind: K, data: Changes[K], origin: Origin): void {
    const change = { kind, revision: this.#revision, data } as Change;
    for (const listener of this.#listeners) listener(change, origin);
  }

  #follow(before: s.State, after: s.State, deed: Deed): void {
    if (!this.#isAside) this.#edits.follow(before, after, deed);
  }
}

/** Not an id: what was said about learning, held like a value. */
const LEARNING = '*learning';

/** How a patch comes to play. */
interface Installation {
  readonly origin: Origin;
  /** What it is as a step; none if not given. */
  readonly words?: string;
  /** Loss and gradients of what played before are not shown any more. */
  readonly fresh?: boolean;
  /** Where it comes from, if that is another place than before. */
  readonly file?: string | null;
  /** Only where something is other than before. */
  readonly changed?: boolean;
  /** Whether it learns; as before if not given. */
  readonly running?: boolean | undefined;
  /** Set with it. */
  readonly change?: s.ParamChange;
  /** What somebody wants to be learned, and must be felt by the loss. */
  readonly learn?: s.Lesson['learn'];
}

/** What a client says of the lesson. */
interface Teaching extends Pick<s.Lesson, 'learn'> {
  readonly training?: TrainingUpdate | undefined;
}
