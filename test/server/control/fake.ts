/**
 * An engine without sound for tests of the control plane: the supervisor's interface, a clock that
 * is cranked by hand, and a record of what it was told.
 *
 * Invariant: nothing happens between two calls; `crank` is the only source of measurements.
 */

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Result } from '../../../dsp/diagnostic.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { loadConfig } from '../../../config/load.ts';
import { WavWriter } from '../../../server/audio/wav.ts';
import { configSchema, rateIn, type AudioSettings } from '../../../config/schema.ts';
import { Compiler } from '../../../server/compile/compiler.ts';
import { Access, type AccessOptions } from '../../../server/control/access.ts';
import { Audition } from '../../../server/control/audition.ts';
import { createApp, type App, type AppOptions } from '../../../server/control/app.ts';
import { EventTail } from '../../../server/control/event-tail.ts';
import { History } from '../../../server/control/history/history.ts';
import { libraryFiles } from '../../../server/control/library-files.ts';
import { LogTail } from '../../../server/control/log-tail.ts';
import { Metrics } from '../../../server/control/metrics.ts';
import { Morph } from '../../../server/control/morph.ts';
import type { Host } from '../../../server/control/operations.ts';
import { Recordings, type RecordingEngine } from '../../../server/control/recordings.ts';
import { Session, type Engine, type PatchCompiler } from '../../../server/control/session.ts';
import { Settings } from '../../../server/control/settings.ts';
import { Signals, type SignalEngine } from '../../../server/control/signals.ts';
import { snapshotFiles } from '../../../server/control/snapshot-files.ts';
import { mappingFiles } from '../../../server/midi/files.ts';
import { Midi } from '../../../server/midi/midi.ts';
import type { OpenPorts } from '../../../server/midi/ports.ts';
import type { Role } from '../../../server/api/roles.ts';
import type { TokenRecord } from '../../../server/control/tokens.ts';
import type { Kept } from '../../../server/control/state.ts';
import type {
  AudioDevice,
  EngineStatus,
  Lag,
  Measurement,
  Picture,
  PictureRates,
  Program,
  Recalled,
  RecordEnd,
  RecordOrder,
  TestTone,
} from '../../../server/engine/types.ts';

export const refusal = (message: string): Result<never> => ({
  ok: false,
  diagnostics: [{ code: 'FAKE', path: '', message }],
});

export class FakeEngine implements Engine, SignalEngine, RecordingEngine {
  status: EngineStatus = {
    state: 'stopped',
    pid: null,
    backend: 'virtual',
    device: null,
    sampleRate: 48000,
    blockSize: 256,
    inputs: 2,
    outputs: 2,
    latency: 0,
    inputMap: [],
    outputMap: [],
    load: { mean: 0.1, p99: 0.2, max: 0.3 },
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
  program: Program | undefined;
  generation = 0;
  frames = 0;
  step = 0;
  /** What it was told, in order. */
  readonly calls: string[] = [];
  /** Set to make the next call of that name fail, or wait. */
  failLoad: string | undefined;
  failSelect: string | undefined;
  failCalibrate: string | undefined;
  throwOnOutput = false;
  /** What it says that the program remembers. */
  remembers: Recalled | null = null;
  loading: Promise<void> = Promise.resolve();
  onStatus: (status: EngineStatus) => void = () => {};
  onMeasurement: (measurement: Measurement) => void = () => {};
  onPicture: (picture: Picture) => void = () => {};
  lag: Lag = { delay: 12, confidence: 0.9 };

  set(change: Partial<EngineStatus>): void {
    this.status = { ...this.status, ...change };
    this.onStatus(this.status);
  }

  async start(): Promise<void> {
    this.set({ state: 'running', pid: 4242, device: { input: 'rig', output: 'rig' } });
  }

  async stop(): Promise<void> {
    this.set({ state: 'stopped', pid: null });
  }

  async select(audio: AudioSettings): Promise<Result<EngineStatus>> {
    if (this.failSelect !== undefined) return refusal(this.failSelect);
    this.set({ sampleRate: rateIn(audio), blockSize: audio.blockSize });
    return { ok: true, value: this.status };
  }

  async load(program: Program): Promise<Result<number>> {
    this.calls.push(`load ${program.artifact.name}`);
    await this.loading;
    if (this.failLoad !== undefined) return refusal(this.failLoad);
    this.program = program;
    this.step = program.step;
    return { ok: true, value: ++this.generation };
  }

  setSlider(index: number, value: number): void {
    this.calls.push(`slider ${index} ${value}`);
    this.program?.sliders.splice(index, 1, value);
  }

  setParam(index: number, value: number): void {
    this.calls.push(`param ${index} ${value}`);
    this.program?.params.splice(index, 1, value);
  }

  setFrozen(index: number, on: boolean): void {
    this.calls.push(`frozen ${index} ${on}`);
  }

  setRate(index: number, factor: number): void {
    this.calls.push(`rate ${index} ${factor}`);
  }

  setTraining(change: { learning?: boolean; schedule?: unknown }): void {
    this.calls.push(`training ${JSON.stringify(change)}`);
  }

  reset(): void {
    this.calls.push('reset');
  }

  restart(): void {
    this.calls.push('restart');
  }

  setOutput(change: { muted?: boolean; gainDb?: number }): void {
    if (this.throwOnOutput) throw new Error('the fake engine was told to throw');
    this.calls.push(`output ${JSON.stringify(change)}`);
    this.set(change);
  }

  async calibrate(): ReturnType<Engine['calibrate']> {
    if (this.failCalibrate !== undefined) return refusal(this.failCalibrate);
    this.set({ latency: 512 });
    return { ok: true, value: { latency: 512, confidence: 9, input: 0 } };
  }

  watchSignals({ scope, spectrum }: PictureRates): void {
    this.calls.push(`watch ${scope} ${spectrum}`);
  }

  /** Seconds. */
  readonly lookback = 30;
  #orders = 0;
  /** What is being recorded, by its number: a second of silence, or as many frames as were asked for. */
  readonly recording = new Map<number, (reason: RecordEnd['reason']) => void>();

  record(order: Omit<RecordOrder, 'id'>): ReturnType<RecordingEngine['record']> {
    const { file, tracks, frames, note, back } = order;
    const id = ++this.#orders;
    this.calls.push(`record ${tracks.join(' ')} ${frames}`);
    const format = { sampleRate: 48000, channels: tracks.length, encoding: 'float32' } as const;
    const count = frames ?? 48000;
    const writer = new WavWriter(file, format, JSON.stringify({ ...note, lost: 0 }));
    const ended = new Promise<RecordEnd>((resolve) => {
      const end = (reason: RecordEnd['reason']): void => {
        writer.write(
          tracks.map(() => new Float32Array(count)),
          count,
        );
        writer.close();
        resolve({ id, frames: count, lost: 0, reason, message: '' });
        this.recording.delete(id);
      };
      if (back > 0) end('length');
      else this.recording.set(id, end);
    });
    return { id, ended };
  }

  limitRecord(id: number, bytes: number): void {
    this.calls.push(`limit ${id} ${bytes}`);
  }

  endRecord(id: number): void {
    this.recording.get(id)?.('asked');
  }

  async measureLag(): Promise<Lag> {
    this.calls.push('lag');
    return this.lag;
  }

  /** A picture comes. */
  show(topic: Picture['topic'], values: Float32Array): void {
    this.onPicture({ topic, frames: this.frames, program: this.generation, values });
  }

  mapChannels(inputMap: readonly number[], outputMap: readonly number[]): void {
    this.set({ inputMap, outputMap });
  }

  async test(tone: TestTone): ReturnType<Engine['test']> {
    this.calls.push(`test ${JSON.stringify(tone)}`);
    return this.status.muted ? refusal('the output is muted') : { ok: true, value: null };
  }

  async renew(): Promise<Result<EngineStatus>> {
    this.calls.push('renew');
    if (this.failSelect !== undefined) return refusal(this.failSelect);
    this.set({ pid: 4243, restarts: this.status.restarts });
    return { ok: true, value: this.status };
  }

  async recall(): Promise<Recalled | null> {
    return this.remembers;
  }

  /** A sixtieth of a second goes by. */
  crank(change: Partial<Measurement> = {}): void {
    this.frames += 800;
    this.step += 3;
    const params = this.program?.params ?? [];
    this.onMeasurement({
      frames: this.frames,
      step: this.step,
      loss: 1 / this.step,
      learningRate: 0.5,
      learning: true,
      fault: 0,
      faultDetail: new Float64Array(4),
      loadHistogram: Float64Array.from({ length: 20 }, (_, bin) => (bin === 0 ? 7 : 0)),
      paceMemory: new Float64Array(6),
      params: Float64Array.from(params),
      gradients: Float64Array.from(params, (_, i) => -0.25 * (i + 1)),
      updates: Float64Array.from(params, (_, i) => 0.001 * (i + 1)),
      inputPeak: Float32Array.of(0.5, 0.25),
      inputRms: Float32Array.of(0.125, 0.0625),
      outputPeak: Float32Array.of(0.75, 0.5),
      outputRms: Float32Array.of(0.375, 0.25),
      meters: Float64Array.from(this.program?.artifact.meters ?? [], (_, i) => 0.5 + i),
      load: { mean: 0.1, p99: 0.2, max: 0.3 },
      xruns: 0,
      lateBlocks: 0,
      nanBlocks: 0,
      program: this.generation,
      ...change,
    });
  }
}

export const DEVICES: readonly AudioDevice[] = [
  {
    id: 'virtual',
    name: 'virtual rig',
    hostApi: 'livegrad',
    inputs: 2,
    outputs: 2,
    sampleRate: 48000,
    isDefaultInput: false,
    isDefaultOutput: false,
    backend: 'virtual',
  },
];

export const silent = pino({ level: 'silent' });

/** A token as it is kept. */
export const record = (name: string, role: Role, token: string): TokenRecord => ({
  name,
  role,
  sha256: createHash('sha256').update(token).digest('hex'),
  created: '2026-01-01T00:00:00.000Z',
});

export const example = (name: string): Patch => {
  const patch = EXAMPLES[name];
  if (patch === undefined) throw new Error(`no example ${name}`);
  return patch;
};

export interface Bench extends App {
  readonly engine: FakeEngine;
  readonly session: Session;
  readonly host: Host & { devices: Result<AudioDevice[]> };
  readonly stateDir: string;
  /** Where its settings are. */
  readonly disk: { text: string; isFull: boolean };
  /** Where it listens; only after `listen`. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

export interface BenchOptions extends Partial<AppOptions>, Partial<AccessOptions> {
  readonly patch?: Patch;
  readonly kept?: Kept;
  /** That the patch came from. */
  readonly file?: string;
  /** A folder of its own if not given, which is removed in the end. */
  readonly stateDir?: string;
  /** Of all recordings. */
  readonly maxBytes?: number;
  /** Whether measurements make a history. */
  readonly isRecorded?: boolean;
  readonly compiler?: PatchCompiler;
  /** Ports of MIDI; without them it is off. */
  readonly midi?: OpenPorts;
  /** Whether the patch has to play; it has if not given. */
  readonly isOpen?: boolean;
}

/** One compile thread for all tests of a file: it takes longer to start than to compile. */
let shared: Compiler | undefined;

/** A control plane on a fake engine, opened and playing. */
export async function bench(options: BenchOptions = {}): Promise<Bench> {
  const engine = new FakeEngine();
  const metrics = new Metrics('0.0.0');
  const session = new Session({
    engine,
    compiler: metrics.timed(options.compiler ?? (shared ??= new Compiler())),
    audio: configSchema.parse({ audio: { backend: 'virtual' } }).audio,
    log: silent,
    version: '0.0.0',
    patch: options.patch ?? example('gain'),
    kept: options.kept,
    file: options.file,
  });
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'livegrad-'));
  const history = new History({
    stateDir,
    log: silent,
    tell: (change) => void session.announce('history.changed', change, undefined),
  });
  const audition = new Audition(session);
  const disk = { text: '# settings\naudio: { backend: virtual }\n', isFull: false };
  const load = (text = disk.text) =>
    loadConfig({ argv: ['--config', 'livegrad.yaml'], env: {}, readFile: () => text });
  const loaded = load();
  if (!loaded.ok) throw new Error(loaded.diagnostics[0]?.message);
  const ignore = (): void => {};
  const settings = new Settings({
    config: loaded.value.config,
    log: silent,
    load,
    file: {
      name: 'livegrad.yaml',
      read: async () => disk.text,
      write: async (text) => {
        if (disk.isFull) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        disk.text = text;
      },
    },
    live: {
      'http.token': ignore,
      'http.origins': ignore,
      'http.rateLimit': ignore,
      'audio.inputMap': ignore,
      'audio.outputMap': ignore,
      'log.level': ignore,
    },
    restart: (audio) => session.select(audio, undefined),
  });
  const host: Bench['host'] = {
    session,
    settings,
    log: silent,
    snapshots: snapshotFiles(stateDir, silent),
    library: libraryFiles(stateDir, silent),
    morph: new Morph(session),
    audition,
    history,
    logs: new LogTail(),
    events: new EventTail(),
    signals: new Signals(engine, session),
    midi: new Midi({
      session,
      log: silent,
      files: mappingFiles(stateDir, silent),
      open: options.midi,
      hasOutputs: false,
    }),
    recordings: new Recordings({
      engine,
      session,
      stateDir,
      log: silent,
      maxBytes: options.maxBytes ?? 1e9,
    }),
    devices: { ok: true, value: [...DEVICES] },
    listDevices: async () => host.devices,
    keepChannels: async ({ inputMap, outputMap }) =>
      void engine.calls.push(`keep ${inputMap.join()} ${outputMap.join()}`),
    shutDown: () => void engine.calls.push('shut down'),
  };
  const app = await createApp(host, {
    access: new Access({ token: '', ...options }),
    version: '0.0.0',
    metrics,
    ...options,
  });
  engine.onStatus = (status) => session.onStatus(status);
  engine.onMeasurement = (measurement) => {
    session.onMeasurement(measurement);
    audition.feed(measurement);
    if (options.isRecorded === true) history.feed(session.state, measurement);
    app.sockets.feed(measurement);
  };
  engine.onPicture = (picture) => app.sockets.show(picture);
  const opened = await session.open();
  await host.midi.start();
  if (!opened.ok && options.isOpen !== false) throw new Error(opened.problem.detail);
  return {
    ...app,
    engine,
    session,
    host,
    stateDir,
    disk,
    listen: () => app.http.listen({ port: 0, host: '127.0.0.1' }),
    close: async () => {
      await app.http.close();
      await history.close();
      await host.midi.close();
      if (options.stateDir === undefined) rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
