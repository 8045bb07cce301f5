/**
 * Keeps an engine running: starts it, watches that audio flows, replaces it when it dies or
 * hangs, and gives every new one the state that the last one had.
 *
 * Invariants: the control plane never waits for audio and survives everything the engine does;
 * a program, its learned parameters, its step, and the output's mute and gain outlive any number
 * of engine processes; `stop` leaves no process behind; one engine at a time.
 * It does not compile, does not open devices, and asks nothing of a process that does not answer.
 */
import { rateIn, type Config } from '../../config/schema.ts';
import type { Result } from '../../dsp/diagnostic.ts';
import { fromTheStart } from '../../dsp/learn/schedules/schedule.ts';
import { causeOf } from '../../dsp/run/faults.ts';
import { failure, problem, success } from '../audio/problem.ts';
import { listDevices } from './devices.ts';
import type { EngineProcess } from './engine-process.ts';
import { countXruns, spawnEngine } from './engine-process.ts';
import { NO_LOAD } from './meter.ts';
import type {
  AudioSettings,
  Backend,
  Calibration,
  DeviceInfo,
  Diagnostic,
  EngineEvent,
  EngineStatus,
  Lag,
  Measurement,
  Picture,
  PictureRates,
  Program,
  Recalled,
  RecordEnd,
  RecordOrder,
  Report,
  Schedule,
  Steering,
  TestTone,
} from './types.ts';

export { listDevices } from './devices.ts';

/** Milliseconds. */
const HEARTBEAT = 500;
const BOOT = 10_000;
const OPENING = 3000;
const WATCH = 50;
const RETRY = 1000;
const GRACE = 1000;
const CALIBRATION = 10_000;
const LAG = 2000;
const RECALL = 3000;
/** Xruns come in bursts: all are counted, one a second is told. */
const XRUN_EVENTS = 1000;
/** Waits before respawning, by consecutive failures; a healthy spell starts over. */
const BACK_OFF = [0, 250, 500, 1000, 2000] as const;
const HEALTHY = 10_000;

/** The part of pino that is used. */
export interface Logger {
  debug(data: object, message: string): void;
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

export interface SupervisorOptions {
  readonly audio: AudioSettings;
  /** Eight numbers at a time: see revectorize.ts. */
  readonly revectorize: Config['engine']['revectorize'];
  /** Seconds of what was heard and played that can be kept later. */
  readonly lookback: number;
  readonly log: Logger;
  onMeasurement(measurement: Measurement): void;
  onPicture(picture: Picture): void;
  onStatus(status: EngineStatus): void;
  onEvent(event: EngineEvent): void;
}

/** A program and everything done to it since, for the next engine process. */
interface Memory {
  readonly generation: number;
  program: Program;
}

interface Waiter<T> {
  resolve(result: Result<T>): void;
}

/** Where nothing was measured. */
const NO_LAG: Lag = { delay: null, confidence: 0 };

type Phase = 'booting' | 'opening' | 'flowing';

export class Supervisor {
  readonly #options: SupervisorOptions;
  #audio: AudioSettings;
  #backend: Backend | null = null;
  #engine: EngineProcess | null = null;
  #phase: Phase = 'booting';
  #status: EngineStatus;
  #memory: Memory | null = null;
  #generation = 0;
  #loading: (Waiter<number> & { readonly memory: Memory }) | null = null;
  #calibrating: (Waiter<Calibration> & { readonly timer: NodeJS.Timeout }) | null = null;
  /** Who waits for the next measurement of the lag: one is for all of them. */
  #measuring: Promise<Lag> | null = null;
  #onLag: ((lag: Lag) => void) | null = null;
  #pictures: PictureRates = { scope: 0, spectrum: 0 };
  #testing: ((result: Result<null>) => void) | null = null;
  readonly #recalling = new Set<(recalled: Recalled | null) => void>();
  /** Recordings that have not ended. */
  readonly #recording = new Map<number, (end: RecordEnd) => void>();
  #recordings = 0;
  #lookback = 0;
  /** null: not chosen, so muted on hardware only. */
  #mutedByUser: boolean | null = null;
  #lastProgress = 0;
  #lastWatch = 0;
  #flowingSince = 0;
  #failures = 0;
  #counted: Counters = NOTHING;
  #earlier: Counters = NOTHING;
  #failed: readonly Diagnostic[] | null = null;
  #ended: string | null = null;
  #hung = false;
  /** An engine has ended by itself: from then on what V8 calls an experiment stays off. */
  #hasCrashed = false;
  #stopping = false;
  #lastFault = 0;
  #lastNan = 0;
  #toldXruns = Number.NEGATIVE_INFINITY;
  #watch: NodeJS.Timeout | null = null;
  #respawn: NodeJS.Timeout | null = null;
  /** Resolved when the state first settles after a start or a change of device. */
  #settled: (() => void) | null = null;
  #whenGone: (() => void) | null = null;
  /** Changes of device and stops, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    const { audio } = options;
    this.#options = options;
    this.#audio = audio;
    this.#status = {
      state: 'stopped',
      pid: null,
      backend: audio.backend,
      device: null,
      sampleRate: rateIn(audio),
      blockSize: audio.blockSize,
      inputs: 0,
      outputs: 0,
      latency: 0,
      inputMap: audio.inputMap,
      outputMap: audio.outputMap,
      load: NO_LOAD,
      xruns: 0,
      lateBlocks: 0,
      nanBlocks: 0,
      framesProcessed: 0,
      restarts: 0,
      muted: true,
      gainDb: 0,
      realtime: null,
      revectorized: null,
      reason: null,
    };
  }

  get status(): EngineStatus {
    return this.#status;
  }

  /** Comes back once audio flows, or it is known why it does not. */
  start(): Promise<void> {
    return this.#enqueue(() => this.#begin());
  }

  /** Ends the engine, by force after a grace period; comes back when no process is left. */
  stop(): Promise<void> {
    return this.#enqueue(() => this.#end());
  }

  /** Reopens with other settings; when that fails, with the old ones again, and says why. */
  select(audio: AudioSettings): Promise<Result<EngineStatus>> {
    return this.#enqueue(async (): Promise<Result<EngineStatus>> => {
      const before = this.#audio;
      const latency = this.#status.latency;
      const muted = this.#mutedByUser;
      await this.#keepLearner();
      await this.#end();
      this.#audio = audio;
      this.#mutedByUser = null;
      const { inputMap, outputMap } = audio;
      this.#set({ latency: 0, inputMap, outputMap });
      await this.#begin();
      if (this.#status.state === 'running' || this.#ended !== null) return success(this.#status);
      const diagnostics = this.#failed ?? [];
      const reason = this.#status.reason ?? 'no audio';
      await this.#end();
      this.#audio = before;
      this.#mutedByUser = muted;
      this.#set({ latency, inputMap: before.inputMap, outputMap: before.outputMap });
      await this.#begin();
      if (diagnostics.length > 0) return { ok: false, diagnostics };
      return failure('AUDIO_OPEN_FAILED', 'audio', `the device did not open: ${reason}`);
    });
  }

  /**
   * Plays a program. Comes back with its generation once the audio thread took it over; without
   * a device it is kept for when there is one. A program that does not fit the device, or takes
   * the engine down, is refused and the one before plays on.
   */
  load(program: Program): Promise<Result<number>> {
    if (this.#status.state === 'stopped') {
      return Promise.resolve(failure('ENGINE_STOPPED', '', 'the engine is not running'));
    }
    this.#loading?.resolve(
      failure('PROGRAM_WASM', '', 'another program was loaded before this one had started'),
    );
    this.#loading = null;
    const memory: Memory = { generation: ++this.#generation, program };
    const engine = this.#engine;
    if (engine === null || this.#status.state === 'degraded') {
      this.#memory = memory;
      return Promise.resolve(success(memory.generation));
    }
    return new Promise((resolve) => {
      this.#loading = { memory, resolve };
      if (this.#phase === 'flowing') engine.send({ kind: 'load', ...memory });
    });
  }

  setSlider(index: number, value: number): void {
    if (!this.#has('sliders', index)) return;
    this.#remember((p) => ({ sliders: p.sliders.with(index, value) }));
    this.#steer({ what: 'slider', index, value });
  }

  setParam(index: number, value: number): void {
    if (!this.#has('params', index)) return;
    this.#remember((p) => ({ params: p.params.with(index, value) }));
    this.#steer({ what: 'param', index, value });
  }

  setFrozen(index: number, on: boolean): void {
    if (!this.#has('params', index)) return;
    this.#remember((p) => ({ frozen: p.frozen.with(index, on) }));
    this.#steer({ what: 'frozen', index, on });
  }

  /** @param factor  of the learning rate */
  setRate(index: number, factor: number): void {
    if (!this.#has('params', index)) return;
    this.#remember((p) => ({ rates: p.rates.with(index, factor) }));
    this.#steer({ what: 'rate', index, factor });
  }

  setTraining(change: { readonly learning?: boolean; readonly schedule?: Schedule }): void {
    const { learning, schedule } = change;
    if (schedule !== undefined) {
      this.#remember(() => ({ schedule, paceMemory: [] }));
      this.#steer({ what: 'schedule', schedule });
    }
    if (learning !== undefined) {
      this.#remember(() => ({ learning }));
      this.#steer({ what: 'learning', on: learning });
    }
  }

  /** Parameters that are not frozen to their initial values, signal state to zero, step 0. */
  reset(): void {
    this.#remember((p) => ({
      schedule: fromTheStart(p.schedule),
      paceMemory: [],
      params: p.artifact.params.map((c, k) => (p.frozen[k] === true ? p.params[k]! : c.initial)),
      step: 0,
    }));
    this.#steer({ what: 'reset' });
  }

  /** The optimiser forgets what it remembers, step 0; parameters and signal state stay. */
  restart(): void {
    this.#remember((p) => ({ step: 0, schedule: fromTheStart(p.schedule), paceMemory: [] }));
    this.#steer({ what: 'restart' });
  }

  setOutput(change: { readonly muted?: boolean; readonly gainDb?: number }): void {
    if (change.muted !== undefined) this.#mutedByUser = change.muted;
    const muted = change.muted ?? this.#status.muted;
    const gainDb = change.gainDb ?? this.#status.gainDb;
    this.#set({ muted, gainDb });
    this.#engine?.send({ kind: 'output', muted, gainDb });
  }

  /** Which channels of the device the program hears and plays, from 1; empty: as they are. */
  mapChannels(inputMap: readonly number[], outputMap: readonly number[]): void {
    this.#audio = { ...this.#audio, inputMap: [...inputMap], outputMap: [...outputMap] };
    this.#set({ inputMap, outputMap });
    this.#engine?.send({ kind: 'channels', inputs: inputMap, outputs: outputMap });
  }

  /** Measures the round trip; it is kept in `status.latency`. */
  calibrate(): Promise<Result<Calibration>> {
    const { state, muted } = this.#status;
    const engine = this.#engine;
    if (state !== 'running' || engine === null) {
      return Promise.resolve(
        failure('ENGINE_STOPPED', '', `expected a running engine, got one that is ${state}`),
      );
    }
    if (muted) {
      const hint = 'Unmute the output first, and mind your ears: the probe is noise at -12 dBFS.';
      return Promise.resolve(
        failure('CALIBRATION_MUTED', '', 'the probe cannot be heard: the output is muted', hint),
      );
    }
    if (this.#calibrating !== null) {
      return Promise.resolve(failure('CALIBRATION_BUSY', '', 'a calibration is under way'));
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#finishCalibration(
          failure('CALIBRATION_UNHEARD', '', 'the engine did not finish the calibration in time'),
        );
      }, CALIBRATION);
      this.#calibrating = { resolve, timer };
      engine.send({ kind: 'calibrate' });
    });
  }

  /** Pictures of the signals, so many a second from now on, whatever becomes of the engine. */
  watchSignals(rates: PictureRates): void {
    this.#pictures = rates;
    this.#engine?.send({ kind: 'watch', rates });
  }

  /** How late the estimate is behind the target, in the newest second. */
  measureLag(): Promise<Lag> {
    const engine = this.#engine;
    if (this.#status.state !== 'running' || engine === null) return Promise.resolve(NO_LAG);
    this.#measuring ??= new Promise<Lag>((resolve) => {
      const timer = setTimeout(() => this.#onLag?.(NO_LAG), LAG);
      this.#onLag = (lag) => {
        clearTimeout(timer);
        this.#measuring = null;
        this.#onLag = null;
        resolve(lag);
      };
      engine.send({ kind: 'lag' });
    });
    return this.#measuring;
  }

  /** Plays a test tone instead of the program; comes back when it is over. */
  test(tone: TestTone): Promise<Result<null>> {
    const { state, muted } = this.#status;
    const engine = this.#engine;
    if (state !== 'running' || engine === null) {
      const message = `expected a running engine, got one that is ${state}`;
      return Promise.resolve(failure('ENGINE_STOPPED', '', message));
    }
    if (muted) {
      const message = 'the tone cannot be heard: the output is muted';
      const hint = 'Unmute the output first, and mind your ears.';
      return Promise.resolve(failure('CALIBRATION_MUTED', '', message, hint));
    }
    if (this.#testing !== null) {
      return Promise.resolve(failure('CALIBRATION_BUSY', '', 'a test is under way'));
    }
    return new Promise((resolve) => {
      this.#testing = resolve;
      engine.send({ kind: 'test', tone });
    });
  }

  /**
   * Another engine process for the same device. It goes on with the values, the step, the optimiser, the
   * mute and the latency of now; the signals begin anew.
   */
  renew(): Promise<Result<EngineStatus>> {
    return this.#enqueue(async (): Promise<Result<EngineStatus>> => {
      const { muted } = this.#status;
      await this.#keepLearner();
      await this.#end();
      this.#mutedByUser = muted;
      await this.#begin();
      const { state, reason } = this.#status;
      if (state === 'running' || this.#ended !== null) return success(this.#status);
      const why = `the device did not open: ${reason ?? 'no audio'}`;
      return failure('AUDIO_OPEN_FAILED', 'audio', why);
    });
  }

  /**
   * What the program that plays remembers, between two blocks: parameters, steps, optimiser. Null
   * where none plays, another takes over meanwhile, or it is too much to be copied at once.
   */
  recall(): Promise<Recalled | null> {
    const engine = this.#engine;
    if (this.#status.state !== 'running' || engine === null) return Promise.resolve(null);
    return new Promise((resolve) => {
      const answered = (recalled: Recalled | null): void => {
        clearTimeout(timer);
        this.#recalling.delete(answered);
        resolve(recalled);
      };
      const timer = setTimeout(answered, RECALL, null);
      this.#recalling.add(answered);
      engine.send({ kind: 'recall' });
    });
  }

  /** Seconds that a recording can begin in the past, on the device that is open. */
  get lookback(): number {
    return Math.min(this.#lookback, this.#options.lookback);
  }

  /**
   * Has a file written of what is heard and played. It may be there already, and is replaced.
   *
   * @returns  its number, and how it ends; null where there is no sound
   */
  record(
    order: Omit<RecordOrder, 'id'>,
  ): { readonly id: number; readonly ended: Promise<RecordEnd> } | null {
    const engine = this.#engine;
    if (this.#status.state !== 'running' || engine === null) return null;
    const id = ++this.#recordings;
    const ended = new Promise<RecordEnd>((resolve) => this.#recording.set(id, resolve));
    engine.send({ kind: 'record', order: { ...order, id } });
    return { id, ended };
  }

  /** A recording may have so many bytes from now on, and ends if it has. */
  limitRecord(id: number, bytes: number): void {
    if (this.#recording.has(id)) this.#engine?.send({ kind: 'limitRecord', id, bytes });
  }

  /** What has been recorded so far is all of it. */
  endRecord(id: number): void {
    if (this.#recording.has(id)) this.#engine?.send({ kind: 'endRecord', id });
  }

  #onRecorded(end: RecordEnd): void {
    this.#recording.get(end.id)?.(end);
    this.#recording.delete(end.id);
  }

  /** What the program remembers is for the next engine, where that can take it. */
  async #keepLearner(): Promise<void> {
    const before = this.#memory;
    const recalled = await this.recall();
    if (recalled === null || this.#memory === null || this.#memory !== before) return;
    const { step, optimiser } = recalled;
    const [params, paceMemory] = [[...recalled.params], [...recalled.paceMemory]];
    this.#remember(() => ({ params, step, paceMemory, optimiser }));
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(task);
    this.#queue = run.catch(() => undefined);
    return run;
  }

  async #begin(): Promise<void> {
    if (this.#status.state !== 'stopped') return;
    this.#stopping = false;
    this.#failures = 0;
    this.#ended = null;
    this.#set({ state: 'starting', reason: null });
    this.#backend = await resolveBackend(this.#audio);
    const muted = this.#mutedByUser ?? this.#backend === 'portaudio';
    this.#set({ backend: this.#backend, muted });
    this.#lastWatch = performance.now();
    this.#watch = setInterval(() => this.#look(), WATCH);
    const settled = new Promise<void>((resolve) => (this.#settled = resolve));
    this.#spawn();
    await settled;
  }

  async #end(): Promise<void> {
    this.#stopping = true;
    if (this.#watch !== null) clearInterval(this.#watch);
    if (this.#respawn !== null) clearTimeout(this.#respawn);
    this.#watch = null;
    this.#respawn = null;
    const engine = this.#engine;
    if (engine !== null) {
      const gone = new Promise<void>((resolve) => (this.#whenGone = resolve));
      engine.send({ kind: 'stop' });
      const force = setTimeout(() => engine.kill(), this.#phase === 'flowing' ? GRACE : 0);
      await gone;
      clearTimeout(force);
    }
    this.#failWaiters('the engine was stopped');
    this.#set({ state: 'stopped', pid: null, reason: null, load: NO_LOAD });
  }

  #spawn(): void {
    this.#respawn = null;
    this.#phase = 'booting';
    this.#failed = null;
    this.#hung = false;
    this.#counted = NOTHING;
    this.#lastNan = 0;
    this.#lastFault = 0;
    this.#lastProgress = performance.now();
    const engine = spawnEngine({
      report: (report) => this.#onReport(report),
      line: (text) => this.#onLine(text),
      gone: (code, signal) => this.#onGone(code, signal),
    });
    this.#engine = engine;
    this.#set({ pid: engine.pid });
  }

  #onReport(report: Report): void {
    switch (report.kind) {
      case 'ready':
        this.#open();
        break;
      case 'revectorized': {
        const { on, detail } = report;
        this.#set({ revectorized: on });
        const message = `the program runs on ${on ? 'eight' : 'four'} numbers at a time: ${detail}`;
        this.#event('revectorized', message);
        break;
      }
      case 'opened':
        this.#onOpened(report.device);
        this.#lookback = report.lookback;
        if (report.realtime !== null) {
          const { granted, detail } = report.realtime;
          this.#set({ realtime: granted });
          const message = `real-time scheduling ${granted ? 'granted' : 'not available'}: ${detail}`;
          this.#event('realtime', message);
        }
        break;
      case 'failed':
        this.#failed = report.diagnostics;
        break;
      case 'loaded':
        this.#onLoaded(report.generation);
        break;
      case 'refused':
        this.#onRefused(report.generation, report.diagnostics);
        break;
      case 'measurement':
        this.#onMeasurement(report.measurement);
        break;
      case 'picture': {
        const { picture } = report;
        const frames = this.#earlier.frames + picture.frames;
        if (!this.#stopping) this.#options.onPicture({ ...picture, frames });
        break;
      }
      case 'recorded':
        this.#onRecorded(report.end);
        break;
      case 'lag':
        this.#onLag?.(report.lag);
        break;
      case 'calibrated':
        this.#set({ latency: report.calibration.latency });
        this.#finishCalibration(success(report.calibration));
        break;
      case 'uncalibrated':
        this.#finishCalibration({ ok: false, diagnostics: report.diagnostics });
        break;
      case 'tested':
        this.#finishTest(report.diagnostics);
        break;
      case 'recalled': {
        const isOurs = report.generation === this.#memory?.generation;
        this.#finishRecall(isOurs ? report.recalled : null);
        break;
      }
      case 'ended':
        this.#ended = report.message;
        break;
    }
  }

  #open(): void {
    this.#phase = 'opening';
    this.#lastProgress = performance.now();
    const { muted, gainDb } = this.#status;
    this.#engine?.send({
      kind: 'open',
      audio: { ...this.#audio, backend: this.#backend ?? this.#audio.backend },
      revectorize: this.#hasCrashed ? 'off' : this.#options.revectorize,
      muted,
      gainDb,
      load: this.#memory,
      lookback: this.#options.lookback,
    });
    if (isLookedAt(this.#pictures)) this.#engine?.send({ kind: 'watch', rates: this.#pictures });
  }

  #onOpened(device: DeviceInfo): void {
    // Frames of another rate are another time.
    const isOther = device.sampleRate !== this.#status.sampleRate;
    this.#set({
      ...(isOther ? { latency: 0 } : {}),
      backend: device.backend,
      device: { input: device.input, output: device.output },
      sampleRate: device.sampleRate,
      blockSize: device.blockSize,
      inputs: device.inputs,
      outputs: device.outputs,
    });
  }

  #onLoaded(generation: number): void {
    const loading = this.#loading;
    if (loading?.memory.generation !== generation) return;
    this.#loading = null;
    this.#memory = loading.memory;
    loading.resolve(success(generation));
  }

  #onRefused(generation: number, diagnostics: readonly Diagnostic[]): void {
    if (this.#memory?.generation === generation) this.#memory = null;
    const loading = this.#loading;
    if (loading?.memory.generation === generation) {
      this.#loading = null;
      loading.resolve({ ok: false, diagnostics });
    } else {
      this.#event('program-refused', diagnostics.map((d) => d.message).join('; '));
    }
  }

  #onMeasurement(raw: Measurement): void {
    const { frames, lateBlocks, nanBlocks, load } = raw;
    const now = performance.now();
    if (this.#stopping) return;
    if (frames > this.#counted.frames) this.#lastProgress = now;
    this.#counted = { frames, lateBlocks, nanBlocks };
    const total = add(this.#earlier, this.#counted);
    const measurement: Measurement = { ...raw, ...total, xruns: this.#status.xruns };
    const memory = this.#memory;
    if (memory !== null && raw.program === memory.generation) {
      const { learning, step } = raw;
      const [params, paceMemory] = [Array.from(raw.params), Array.from(raw.paceMemory)];
      // What the optimiser was given is of the step at which it was.
      const { optimiser, ...program } = memory.program;
      const given = optimiser === undefined || step !== program.step ? {} : { optimiser };
      memory.program = { ...program, ...given, params, learning, step, paceMemory };
    }
    this.#status = {
      ...this.#status,
      load,
      lateBlocks: total.lateBlocks,
      nanBlocks: total.nanBlocks,
      framesProcessed: total.frames,
    };
    if (this.#phase !== 'flowing') this.#onFlow(now);
    this.#options.onMeasurement(measurement);
    if (nanBlocks > this.#lastNan)
      this.#event('nan', 'a block with non-finite samples was silenced');
    if (raw.fault !== 0 && this.#lastFault === 0) {
      const controls = memory?.program.artifact.params ?? [];
      const { message } = causeOf(raw.fault, raw.faultDetail, controls);
      this.#event('fault', `learning was stopped: ${message}`);
    }
    this.#lastNan = nanBlocks;
    this.#lastFault = raw.fault;
  }

  /** The first block of a new engine has been processed. */
  #onFlow(now: number): void {
    this.#phase = 'flowing';
    this.#flowingSince = now;
    if (this.#status.state === 'degraded') {
      this.#failures = 0;
      this.#event('device-returned', 'the device is back');
    }
    this.#set({ state: 'running', reason: null });
    this.#settle();
    if (this.#loading !== null) this.#engine?.send({ kind: 'load', ...this.#loading.memory });
  }

  #onLine(text: string): void {
    const xruns = countXruns(text);
    if (xruns === 0) {
      this.#options.log.debug({ line: text }, 'engine output');
      return;
    }
    this.#status = { ...this.#status, xruns: this.#status.xruns + xruns };
    const now = performance.now();
    if (now - this.#toldXruns < XRUN_EVENTS) return;
    this.#toldXruns = now;
    this.#event('xrun', `PortAudio reports ${text.replace(/^.*status - /, '').trim()}`);
  }

  /** The watchdog. */
  #look(): void {
    const now = performance.now();
    const late = now - this.#lastWatch - WATCH;
    this.#lastWatch = now;
    if (this.#engine === null || this.#hung) return;
    // This process was held up itself: what the engine sent meanwhile is still to be read.
    if (late > WATCH * 2) this.#lastProgress = Math.max(this.#lastProgress, now - HEARTBEAT / 2);
    // A large program takes a while to compile; audio goes on, but nothing tells of it.
    const flowing = this.#loading === null ? HEARTBEAT : OPENING;
    const patience = { booting: BOOT, opening: OPENING, flowing }[this.#phase];
    if (now - this.#lastProgress <= patience) {
      if (this.#phase === 'flowing' && now - this.#flowingSince > HEALTHY) this.#failures = 0;
      return;
    }
    this.#hung = true;
    this.#engine.kill();
  }

  #onGone(code: number | null, signal: NodeJS.Signals | null): void {
    const engine = this.#engine;
    const flowed = this.#phase === 'flowing';
    this.#engine = null;
    this.#earlier = add(this.#earlier, this.#counted);
    this.#counted = NOTHING;
    this.#finishCalibration(failure('ENGINE_STOPPED', '', 'the engine ended during calibration'));
    this.#finishTest([problem('ENGINE_STOPPED', '', 'the engine ended during the test')]);
    this.#onLag?.(NO_LAG);
    this.#finishRecall(null);
    for (const id of this.#recording.keys()) {
      this.#onRecorded({ id, frames: 0, lost: 0, reason: 'engine', message: '' });
    }
    if (this.#stopping) {
      this.#whenGone?.();
      return;
    }
    if (this.#ended !== null) {
      if (this.#watch !== null) clearInterval(this.#watch);
      this.#set({ state: 'stopped', pid: null, reason: this.#ended, load: NO_LOAD });
      this.#event('ended', this.#ended);
      this.#settle();
      return;
    }
    if (flowed && this.#loading !== null) {
      const message =
        'the engine process ended while it loaded the program; the one before is back';
      this.#loading.resolve(failure('PROGRAM_CRASHED', '', message));
      this.#loading = null;
    }
    if (this.#failed !== null) this.#degrade(this.#failed.map((d) => d.message).join('; '), flowed);
    else this.#replace(describe(engine, code, signal, this.#hung, this.#phase), flowed);
  }

  /** No device: try again every second. */
  #degrade(reason: string, flowed: boolean): void {
    const first = this.#status.state !== 'degraded';
    this.#set({ state: 'degraded', pid: null, reason, device: null, load: NO_LOAD });
    if (first && (flowed || this.#failures > 0)) this.#event('device-lost', reason);
    if (first) this.#options.log.warn({ reason }, 'no audio device; trying again every second');
    this.#loading?.resolve(success(this.#loading.memory.generation));
    if (this.#loading !== null) this.#memory = this.#loading.memory;
    this.#loading = null;
    this.#settle();
    this.#respawn = setTimeout(() => this.#spawn(), RETRY);
  }

  /** Died or hung: a new engine at once, then with growing waits while that fails. */
  #replace(reason: string, flowed: boolean): void {
    const wait = BACK_OFF[Math.min(this.#failures, BACK_OFF.length - 1)]!;
    this.#failures++;
    // A lost device makes an engine hang while audio flows: that says nothing about its code.
    if (!(this.#hung && flowed)) this.#hasCrashed = true;
    if (this.#hasCrashed) this.#set({ revectorized: null });
    const degraded = this.#status.state === 'degraded';
    const state = degraded ? 'degraded' : 'restarting';
    this.#set({ state, pid: null, reason, load: NO_LOAD, restarts: this.#status.restarts + 1 });
    this.#options.log.error({ reason, wait }, 'replacing the engine process');
    this.#event(this.#hung ? 'hung' : 'crashed', reason);
    if (!flowed && this.#failures > 1) this.#settle();
    this.#respawn = setTimeout(() => this.#spawn(), degraded ? RETRY : wait);
  }

  #settle(): void {
    this.#settled?.();
    this.#settled = null;
  }

  #finishTest(diagnostics: readonly Diagnostic[]): void {
    this.#testing?.(diagnostics.length === 0 ? success(null) : { ok: false, diagnostics });
    this.#testing = null;
  }

  #finishRecall(recalled: Recalled | null): void {
    for (const answered of this.#recalling) answered(recalled);
  }

  #finishCalibration(result: Result<Calibration>): void {
    const calibrating = this.#calibrating;
    if (calibrating === null) return;
    this.#calibrating = null;
    clearTimeout(calibrating.timer);
    calibrating.resolve(result);
  }

  #failWaiters(message: string): void {
    this.#loading?.resolve(failure('ENGINE_STOPPED', '', message));
    this.#loading = null;
    this.#finishCalibration(failure('ENGINE_STOPPED', '', message));
    this.#finishTest([problem('ENGINE_STOPPED', '', message)]);
    this.#finishRecall(null);
  }

  #has(bank: 'sliders' | 'params', index: number): boolean {
    return index >= 0 && index < (this.#memory?.program[bank].length ?? 0);
  }

  #remember(change: (program: Program) => Partial<Program>): void {
    const memory = this.#memory;
    if (memory !== null) memory.program = { ...memory.program, ...change(memory.program) };
  }

  #steer(change: Steering): void {
    const memory = this.#memory;
    if (memory === null) return;
    this.#engine?.send({ kind: 'steer', generation: memory.generation, ...change });
  }

  #set(change: Partial<EngineStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#options.onStatus(this.#status);
  }

  #event(kind: EngineEvent['kind'], message: string): void {
    this.#options.onEvent({ kind, message });
  }
}

/** What each engine process counts from zero. */
interface Counters {
  readonly frames: number;
  readonly lateBlocks: number;
  readonly nanBlocks: number;
}

const NOTHING: Counters = { frames: 0, lateBlocks: 0, nanBlocks: 0 };

function add(a: Counters, b: Counters): Counters {
  return {
    frames: a.frames + b.frames,
    lateBlocks: a.lateBlocks + b.lateBlocks,
    nanBlocks: a.nanBlocks + b.nanBlocks,
  };
}

const isLookedAt = ({ scope, spectrum }: PictureRates): boolean => scope + spectrum > 0;

function describe(
  engine: EngineProcess | null,
  code: number | null,
  signal: NodeJS.Signals | null,
  hung: boolean,
  phase: Phase,
): string {
  if (hung) {
    return phase === 'flowing'
      ? `no audio for ${HEARTBEAT} ms`
      : `the device did not open within ${(phase === 'opening' ? OPENING : BOOT) / 1000} s`;
  }
  const last = engine?.complaints.at(-1);
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return `the engine process ended with ${how}${last === undefined ? '' : `: ${last}`}`;
}

/** 'auto' is PortAudio when it has a default input and a default output, else the virtual rig. */
async function resolveBackend(audio: AudioSettings): Promise<Backend> {
  if (audio.backend !== 'auto') return audio.backend;
  const listed = await listDevices();
  if (!listed.ok) return 'virtual';
  const input = audio.input !== '' || listed.value.some((d) => d.isDefaultInput && d.inputs > 0);
  const output =
    audio.output !== '' || listed.value.some((d) => d.isDefaultOutput && d.outputs > 0);
  const hardware = listed.value.some((d) => d.backend === 'portaudio');
  return hardware && input && output ? 'portaudio' : 'virtual';
}
