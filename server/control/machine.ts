/**
 * The engine and its device, as clients see them and steer them: mute and gain, devices, channels,
 * round trip, and whether what plays was compiled for them.
 *
 * Invariants: a change that a client asked for is told once, to all others; what the engine does by
 * itself is told to all; a patch that does not compile for a device is not tried again and again.
 * It knows no patch: `Ground` is what it needs of the session.
 */

import type { AudioSettings } from '../../config/schema.ts';
import type { Artifact } from '../../dsp/artifact.ts';
import type { CompileOptions } from '../../dsp/compile.ts';
import type { Result } from '../../dsp/diagnostic.ts';
import type { OutputState, Status } from '../api/schemas.ts';
import type { ChangeKind, Changes } from '../api/socket.ts';
import type { EngineStatus, TestTone } from '../engine/types.ts';
import { defined } from './change.ts';
import { misfitting } from './channel-map.ts';
import { withoutFolders } from './discreet.ts';
import type { Gate } from './gate.ts';
import { answer, passOn, refuse, type Outcome } from './outcome.ts';
import type { Engine, Origin } from './session.ts';

type Opened = Outcome<Pick<Status, 'engine'> & { readonly revision: number }>;

/** What it stands on. */
export interface Ground {
  readonly gate: Gate;
  /** What plays; null before the first compilation. */
  artifact(): Artifact | null;
  /** Makes a revision, and tells it. */
  change<K extends ChangeKind>(kind: K, data: Changes[K], origin: Origin): number;
  /** Compiles what plays for the device of now. */
  refit(): Promise<void>;
  revision(): number;
}

/** What of the engine's status is worth a revision; the rest moves all the time. */
const LASTING = [
  'state',
  'pid',
  'backend',
  'device',
  'sampleRate',
  'blockSize',
  'inputs',
  'outputs',
  'latency',
  'inputMap',
  'outputMap',
  'restarts',
  'realtime',
  'revectorized',
  'reason',
] as const satisfies readonly (keyof EngineStatus)[];

export class Machine {
  readonly #engine: Engine;
  readonly #ground: Ground;
  #audio: AudioSettings;
  #told: EngineStatus;
  #steering = false;
  #refitting = false;
  /** Device settings that the patch did not compile for, and why. */
  #misfit: { readonly device: string; readonly reason: string } | undefined;
  /** Decibels that the output has beside what clients have set. */
  #trimDb = 0;

  constructor(engine: Engine, audio: AudioSettings, ground: Ground) {
    this.#engine = engine;
    this.#audio = audio;
    this.#ground = ground;
    this.#told = engine.status;
  }

  /** Of the engine itself, its gain with what was added to it. */
  get status(): EngineStatus {
    return this.#engine.status;
  }

  /** The engine, and what keeps the patch from playing on it. */
  get engine(): Status['engine'] {
    const { status } = this.#engine;
    const reason = status.reason === null ? null : withoutFolders(status.reason);
    return { ...status, ...this.output, reason: reason ?? this.misfit };
  }

  get output(): OutputState {
    const { muted, gainDb } = this.#engine.status;
    return { muted, gainDb: gainDb - this.#trimDb };
  }

  /** What a patch is to be compiled for. */
  get fitting(): CompileOptions {
    const { sampleRate, blockSize, latency } = this.#engine.status;
    return { sampleRate, maxBlock: blockSize, latency };
  }

  /** Why the patch does not compile for the device of now; null when it does, or was not tried. */
  get misfit(): string | null {
    const { device, reason = null } = this.#misfit ?? {};
    return device === JSON.stringify(this.fitting) ? reason : null;
  }

  /** Whether the program was compiled for the device of now, or cannot be. */
  get fits(): boolean {
    const artifact = this.#ground.artifact();
    return this.misfit !== null || (artifact !== null && this.suits(artifact));
  }

  suits(artifact: Artifact): boolean {
    const { sampleRate, maxBlock, latency } = this.fitting;
    return (
      artifact.sampleRate === sampleRate &&
      artifact.maxBlock === maxBlock &&
      artifact.latency === latency
    );
  }

  /** Another patch compiles for the device; or this one does not, which everyone is told. */
  fitted(device: CompileOptions, reason?: string): void {
    this.#misfit = reason === undefined ? undefined : { device: JSON.stringify(device), reason };
    if (reason !== undefined) this.#ground.change('engine.changed', this.engine, undefined);
  }

  setOutput(
    change: { readonly muted?: boolean | undefined; readonly gainDb?: number | undefined },
    origin: Origin,
  ): Outcome<OutputState & { readonly revision: number }> {
    const { muted, gainDb } = change;
    this.#steer(() =>
      this.#engine.setOutput({
        ...(muted === undefined ? {} : { muted }),
        ...(gainDb === undefined ? {} : { gainDb: gainDb + this.#trimDb }),
      }),
    );
    const revision = this.#ground.change('output.changed', this.output, origin);
    return answer({ ...this.output, revision });
  }

  /** Decibels beside the gain that clients set, and see. */
  trim(gainDb: number): void {
    const { gainDb: set } = this.output;
    this.#trimDb = gainDb;
    this.#steer(() => this.#engine.setOutput({ gainDb: set + gainDb }));
  }

  /** Which channels of the device the program hears and plays, from 1; as before where not given. */
  mapChannels(
    change: { readonly inputs?: readonly number[]; readonly outputs?: readonly number[] },
    origin: Origin,
  ): Opened {
    const { status } = this.#engine;
    const { inputs = status.inputMap, outputs = status.outputMap } = change;
    const wrong = misfitting({ inputs, outputs }, status, this.#ground.artifact());
    if (wrong !== null) return refuse('CHANNELS_REFUSED', wrong);
    this.#steer(() => this.#engine.mapChannels(inputs, outputs));
    this.#audio = { ...this.#audio, inputMap: [...inputs], outputMap: [...outputs] };
    const revision = this.#ground.change('engine.changed', this.engine, origin);
    return answer({ engine: this.engine, revision });
  }

  select(
    selection: { readonly [K in keyof AudioSettings]?: AudioSettings[K] | undefined },
    origin: Origin,
  ): Promise<Opened> {
    return this.#reopen(async () => {
      const wanted: AudioSettings = { ...this.#audio, ...defined(selection) };
      const selected = await this.#engine.select(wanted);
      if (selected.ok) this.#audio = wanted;
      return selected;
    }, origin);
  }

  /** Another engine process. */
  renew(origin: Origin): Promise<Opened> {
    return this.#reopen(() => this.#engine.renew(), origin);
  }

  /** A new latency is told by the engine's status, and the patch compiled for it. */
  async calibrate(): Promise<
    Outcome<{ latency: number; confidence: number; readonly revision: number }>
  > {
    const measured = await this.#engine.calibrate();
    if (!measured.ok) return passOn('NOT_CALIBRATED', measured.diagnostics);
    await this.#ground.gate.serially(() => this.#ground.refit());
    const { latency, confidence } = measured.value;
    return answer({ latency, confidence, revision: this.#ground.revision() });
  }

  /** Plays a tone on the outputs, while the program waits. */
  async test(tone: TestTone): Promise<Outcome<null>> {
    const tested = await this.#engine.test(tone);
    return tested.ok ? answer(null) : passOn('NOT_TESTED', tested.diagnostics);
  }

  onStatus(status: EngineStatus): void {
    if (this.#steering) return;
    const before = this.#told;
    this.#told = status;
    const ground = this.#ground;
    if (before.muted !== status.muted || before.gainDb !== status.gainDb) {
      ground.change('output.changed', this.output, undefined);
    }
    if (LASTING.some((key) => JSON.stringify(before[key]) !== JSON.stringify(status[key]))) {
      ground.change('engine.changed', this.engine, undefined);
    }
    if (!this.fits && !this.#refitting && status.state === 'running') {
      this.#refitting = true;
      void ground.gate.serially(() => ground.refit()).finally(() => (this.#refitting = false));
    }
  }

  /** What the engine says meanwhile is the change itself. */
  #steer(change: () => void): void {
    this.#steering = true;
    try {
      change();
    } finally {
      this.#steering = false;
    }
    this.#told = this.#engine.status;
  }

  #reopen(open: () => Promise<Result<EngineStatus>>, origin: Origin): Promise<Opened> {
    return this.#ground.gate.serially(async () => {
      this.#steering = true;
      const opened = await open().finally(() => (this.#steering = false));
      if (!opened.ok) {
        this.onStatus(this.#engine.status);
        return passOn('DEVICE_REFUSED', opened.diagnostics);
      }
      this.#told = this.#engine.status;
      if (!this.fits) await this.#ground.refit();
      this.#told = this.#engine.status;
      const revision = this.#ground.change('engine.changed', this.engine, origin);
      return answer({ engine: this.engine, revision });
    });
  }
}
