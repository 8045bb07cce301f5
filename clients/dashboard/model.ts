/**
 * What the page knows of the host: the last word of every message, the losses of the last minute,
 * and what a person is just setting.
 *
 * Invariants: frames of another program than the one whose parameters are listed are left out, so
 * no value is shown under another's name; a value that a person holds is not moved by the host
 * until it has been sent; `live` is false as soon as nothing comes any more, whatever the reason.
 * Two kinds of listeners: `watch` for what changes the shape of the page, `onFrame` for numbers,
 * called at most once per animation frame. It draws nothing.
 */

import { decodeLevels, LivegradError } from '../sdk/client.ts';
import type { Change, Client, Frame, Levels, Snapshot } from '../sdk/client.ts';
import { Series } from './series.ts';
import type { Heading, Meter, Morph, Param, PatchDocument, Status, Training } from './types.ts';

/** Telemetry a second; text is written more slowly than bars. */
const RATE = 30;
/** Without any frame for so long nothing is live, milliseconds. */
const PATIENCE = 1500;
/** How long what is only told stands, milliseconds. */
const TOLD = 6000;
const HISTORY = 60 * RATE;
/** Points of a sparkline, one each half second. */
const TRACE = 120;
const TRACE_EVERY = 500;

export type Connection = 'opening' | 'open' | 'lost' | 'refused';

export interface Host {
  readonly status: Status;
  readonly training: Training;
  readonly patch: PatchDocument;
  /** Generation of the program that the lists below belong to. */
  readonly program: number;
  readonly params: readonly Param[];
  readonly meters: readonly Meter[];
}

export interface EngineState extends Pick<Status['engine'], 'state' | 'reason'> {
  /** Milliseconds since 1970. */
  readonly at: number;
}

export class Model {
  readonly client: Client;
  connection: Connection = 'opening';
  /** When the connection went, milliseconds since 1970. */
  lostAt = 0;
  host: Host | undefined;
  /** What a person should know by now; empty when nothing. */
  notice = '';
  /** Whether it went wrong, or is only told. */
  tone: 'bad' | 'said' = 'bad';

  readonly values = new Map<string, number>();
  readonly gradients = new Map<string, number>();
  /** Largest gradient of each parameter of late: a full bar. */
  readonly peaks = new Map<string, number>();
  readonly traces = new Map<string, Series>();
  /** Time in seconds, loss, learning rate. */
  readonly losses = new Series(3, HISTORY);
  shown: readonly (number | null)[] = [];
  loss: number | null = null;
  learningRate: number | null = null;
  step = 0;
  levels: Levels | undefined;
  /** Shares of a block's period: mean, 99th percentile, largest. */
  load: readonly number[] = [];
  /** The p99 of the last two minutes. */
  readonly loads = new Series(1, 240);
  /** What the engine has been since the page was opened, the newest first. */
  states: readonly EngineState[] = [];
  /** Seconds of audio since the host started. */
  time = 0;
  snapshots: readonly Heading[] = [];
  morph: Morph | undefined;
  /** When the host told of it, on the clock of the page. */
  morphAt = 0;
  /** In words what undo and redo would do; null where there is nothing. */
  edits: { readonly undo: string | null; readonly redo: string | null } = {
    undo: null,
    redo: null,
  };
  /** Values of learnables when learning began; a way back. */
  mark: Readonly<Record<string, number>> | undefined;

  readonly #watchers = new Set<() => void>();
  readonly #frames = new Set<(now: number) => void>();
  readonly #held = new Set<string>();
  readonly #unsent = new Map<string, number>();
  #sending = new Set<string>();
  #learnables: readonly Param[] = [];
  #lastFrame = -Infinity;
  #lastTrace = 0;
  #wasLive = false;
  #asked = false;
  #asking: Promise<void> | undefined;
  #isOld = false;
  #fading: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client) {
    this.client = client;
  }

  /** Whether what is shown is what is. */
  get live(): boolean {
    const state = this.host?.status.engine.state;
    const plays = state === 'running' || state === 'degraded';
    return this.connection === 'open' && plays && performance.now() - this.#lastFrame < PATIENCE;
  }

  async open(onRefused: () => void): Promise<void> {
    if (await this.#isRefused(onRefused)) return;
    this.client.on('state', (state) => {
      if (state === 'closed' && this.connection === 'open') this.lostAt = Date.now();
      if (state === 'closed' && this.connection !== 'lost') {
        if (this.lostAt === 0) this.lostAt = Date.now();
        this.connection = 'lost';
        this.#changed();
      }
      // A socket does not say why it closed: the token may have been removed.
      if (state === 'closed') void this.#isRefused(onRefused);
    });
    this.client.on('snapshot', (snapshot) => {
      this.connection = 'open';
      this.lostAt = 0;
      this.#takeSnapshot(snapshot);
      void this.#askMore();
    });
    this.client.on('change', (change) => this.#takeChange(change));
    this.client.subscribe(
      { topics: ['loss', 'learningRate', 'params', 'gradients', 'levels', 'meters'], rate: RATE },
      (frame) => this.#takeFrame(frame),
    );
    this.client.subscribe({ topics: ['load'], rate: 2 }, (frame) => this.#takeFrame(frame));
    setInterval(() => {
      if (this.live === this.#wasLive) return;
      this.#wasLive = this.live;
      this.#changed();
    }, 250);
  }

  async #isRefused(onRefused: () => void): Promise<boolean> {
    try {
      await this.client.status.get();
      return false;
    } catch (error) {
      if (!(error instanceof LivegradError && error.code === 'UNAUTHORIZED')) return false;
    }
    this.client.close();
    if (this.connection !== 'refused') onRefused();
    this.connection = 'refused';
    this.#changed();
    return true;
  }

  /** Called when what there is changes. @returns a function that ends it */
  watch(listener: () => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  /** Called with the time when numbers have moved. @returns a function that ends it */
  onFrame(listener: (now: number) => void): () => void {
    this.#frames.add(listener);
    return () => this.#frames.delete(listener);
  }

  /** Runs what a person asked for; what goes wrong becomes a notice. */
  run(action: () => Promise<unknown>): void {
    this.say('');
    action().catch((error: unknown) => {
      this.say(error instanceof Error ? error.message : String(error));
    });
  }

  say(notice: string, tone: 'bad' | 'said' = 'bad'): void {
    if (this.notice === notice) return;
    this.notice = notice;
    this.tone = tone;
    clearTimeout(this.#fading);
    if (tone === 'said') this.#fading = setTimeout(() => this.say(''), TOLD);
    this.#changed();
  }

  /** Holds a control: its value is the person's. @returns a function that lets go */
  hold(id: string): () => void {
    this.#held.add(id);
    return () => this.#held.delete(id);
  }

  /** Shown at once, sent as soon as the last one was answered: of many only the newest. */
  set(id: string, value: number): void {
    this.values.set(id, value);
    this.#unsent.set(id, value);
    this.#moved();
    if (this.#sending.size === 0) void this.#send();
  }

  async #send(): Promise<void> {
    while (this.#unsent.size > 0) {
      const values = Object.fromEntries(this.#unsent);
      this.#sending = new Set(this.#unsent.keys());
      this.#unsent.clear();
      try {
        await this.client.params.update({ values });
      } catch (error) {
        this.say(error instanceof Error ? error.message : String(error));
        this.#asked = true;
      }
    }
    this.#sending = new Set();
    if (this.#asked) void this.refresh();
    this.#asked = false;
  }

  /** Asks for everything anew; done when what is known is no older than the call. */
  refresh(): Promise<void> {
    this.#isOld = true;
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<void> {
    const { client } = this;
    while (this.#isOld) {
      this.#isOld = false;
      try {
        const [params, status, patch, training, meters] = await Promise.all([
          client.params.list(),
          client.status.get(),
          client.patch.get(),
          client.training.get(),
          client.meters.list(),
        ]);
        this.#takeSnapshot({ params, status, patch, training, meters });
        if (params.program !== status.program) this.#isOld = true;
      } catch {
        // The socket says it when the connection is lost, and brings a snapshot when it is back.
      }
      if (this.#isOld) await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** What changes are told of, and no snapshot of the host holds. */
  async #askMore(): Promise<void> {
    const { client } = this;
    try {
      const [{ undo, redo }, { snapshots }, morph] = await Promise.all([
        client.edits.list(),
        client.snapshots.list(),
        client.morph.get(),
      ]);
      this.edits = { undo: undo[0] ?? null, redo: redo[0] ?? null };
      this.snapshots = snapshots;
      this.#takeMorph(morph);
    } catch {
      // As above.
    }
    this.#changed();
  }

  #takeMorph(morph: Morph): void {
    this.morph = morph;
    this.morphAt = performance.now();
  }

  #takeSnapshot({ status, patch, params, meters, training }: Snapshot): void {
    const before = this.host;
    this.host = { status, patch, training, program: params.program, ...lists(params, meters) };
    this.#note(status.engine);
    const isOther = before?.status.patch !== status.patch;
    if (isOther) {
      this.losses.clear();
      this.mark = undefined;
    }
    if (isOther || before?.program !== params.program) {
      this.traces.clear();
      this.peaks.clear();
    }
    this.gradients.clear();
    this.#takeParams(params.params);
    const ids = new Set(params.params.map(({ id }) => id));
    for (const id of this.values.keys()) if (!ids.has(id)) this.values.delete(id);
    this.#learnables = learnablesOf(params.params);
    this.shown = meters.meters.map(({ value }) => value);
    this.#takeProgress(training, before);
    this.#changed();
  }

  #takeParams(params: readonly Param[]): void {
    for (const { id, value, gradient } of params) {
      if (!this.#isHeld(id)) this.values.set(id, value);
      if (gradient !== null) this.gradients.set(id, gradient);
    }
  }

  #takeProgress(training: Training, before: Host | undefined): void {
    this.loss = training.loss;
    this.learningRate = training.learningRate;
    this.step = training.step;
    if (training.running && before?.training.running === false) this.setMark();
  }

  /** Remembers where the learnables are. */
  setMark(): void {
    const entries = this.#learnables.map(({ id, value }) => [id, this.values.get(id) ?? value]);
    this.mark = Object.fromEntries(entries) as Record<string, number>;
  }

  #takeChange(change: Change): void {
    const { host } = this;
    if (host === undefined) return;
    const { status } = host;
    switch (change.kind) {
      case 'params.changed': {
        const fresh = new Map(change.data.params.map((param) => [param.id, param]));
        const params = host.params.map((param) => fresh.get(param.id) ?? param);
        this.host = { ...host, params };
        this.#learnables = learnablesOf(params);
        this.#takeParams(change.data.params);
        break;
      }
      case 'training.changed':
        this.host = { ...host, training: { ...host.training, ...change.data } };
        this.#takeProgress(this.host.training, host);
        break;
      case 'output.changed':
        this.host = {
          ...host,
          status: { ...status, engine: { ...status.engine, ...change.data } },
        };
        break;
      case 'engine.changed':
        this.#note(change.data);
        this.host = { ...host, status: { ...status, engine: change.data } };
        if (change.data.state !== status.engine.state) void this.refresh();
        break;
      case 'source.changed':
        this.host = { ...host, status: { ...status, source: change.data } };
        break;
      case 'patch.changed':
        void this.refresh();
        // Others fit by now.
        void this.#askMore();
        break;
      case 'snapshots.changed':
        this.snapshots = change.data.snapshots;
        break;
      case 'morph.changed':
        this.#takeMorph(change.data);
        break;
      case 'edits.changed':
        this.edits = change.data;
        break;
      // Not shown.
      case 'library.changed':
      case 'audition.changed':
      case 'history.changed':
      case 'config.changed':
      case 'recordings.changed':
      case 'midi.changed':
        return;
    }
    this.#changed();
  }

  #note({ state, reason }: Status['engine']): void {
    const [newest] = this.states;
    if (newest?.state === state && newest.reason === reason) return;
    this.states = [{ state, reason, at: Date.now() }, ...this.states].slice(0, 20);
  }

  #takeFrame(frame: Frame): void {
    const { host } = this;
    if (host === undefined) return;
    if (frame.program !== host.program) {
      if (frame.program > host.program) void this.refresh();
      return;
    }
    const { values } = frame;
    this.#lastFrame = performance.now();
    this.time = frame.time / host.status.engine.sampleRate;
    this.step = frame.step;
    switch (frame.topic) {
      case 'loss':
        this.loss = known(values[0]);
        // What stands still is no history.
        if (this.loss !== null && frame.learning) {
          this.losses.push(this.time, this.loss, this.learningRate ?? NaN);
        }
        break;
      case 'learningRate':
        this.learningRate = known(values[0]);
        break;
      case 'params':
        this.#learnables.forEach(({ id }, k) => {
          const value = values[k];
          if (value !== undefined && !this.#isHeld(id)) this.values.set(id, value);
        });
        this.#trace();
        break;
      case 'gradients':
        this.#learnables.forEach(({ id }, k) => {
          const value = values[k];
          if (value === undefined || !Number.isFinite(value)) return;
          this.gradients.set(id, value);
          // Half of it after a second and a half.
          const peak = (this.peaks.get(id) ?? 0) * 0.985;
          this.peaks.set(id, Math.max(peak, Math.abs(value)));
        });
        break;
      case 'meters':
        this.shown = [...values].map(known);
        break;
      case 'levels':
        this.levels = decodeLevels(values);
        break;
      case 'load':
        this.load = [...values.subarray(0, 3)];
        this.loads.push(values[1] ?? 0);
        break;
      default:
    }
    if (frame.learning !== host.training.running || frame.fault !== host.training.fault) {
      void this.refresh();
    }
    this.#moved();
  }

  #trace(): void {
    if (this.#lastFrame - this.#lastTrace < TRACE_EVERY) return;
    this.#lastTrace = this.#lastFrame;
    for (const { id, value } of this.#learnables) {
      let trace = this.traces.get(id);
      if (trace === undefined) this.traces.set(id, (trace = new Series(1, TRACE)));
      trace.push(this.values.get(id) ?? value);
    }
  }

  #isHeld(id: string): boolean {
    return this.#held.has(id) || this.#unsent.has(id) || this.#sending.has(id);
  }

  #changed(): void {
    for (const listener of this.#watchers) listener();
    this.#moved();
  }

  #drawing = false;
  #moved(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame((now) => {
      this.#drawing = false;
      for (const listener of this.#frames) listener(now);
    });
  }
}

const known = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : value;

const learnablesOf = (params: readonly Param[]): Param[] =>
  params.filter(({ kind }) => kind === 'learnable').sort((a, b) => a.index - b.index);

function lists(
  params: Snapshot['params'],
  meters: Snapshot['meters'],
): Pick<Host, 'params' | 'meters'> {
  return { params: params.params, meters: meters.meters };
}
