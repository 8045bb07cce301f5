/**
 * MIDI controllers: the map, learning it, moving controls by it, and telling controllers where
 * controls are.
 *
 * Invariants: the one way in is the session, as for every client. Positions are states, not events:
 * of each control only the newest within TICK is set, so no queue can grow. A controller is told a
 * place only if it is not the one that it has, said or was told last, so it hears no echo; not while
 * somebody's hand is on it; and once in ROUND at most. What is told is spread over rounds, since a
 * cable carries a thousand messages a second. Without ports all else works, and `reason` says why.
 */

import { LEARNING_TIME, type Mapping, type MidiState } from '../api/midi.ts';
import { answer, refuse, type Outcome } from '../control/outcome.ts';
import type { Origin, Session } from '../control/session.ts';
import { paramOf } from '../control/state.ts';
import type { Logger } from '../engine/supervisor.ts';
import { fileOf, mappingOf, type MappingFiles } from './files.ts';
import { Learner, WINDOW, type Found } from './learner.ts';
import { messagesOf, Parser, rawOf, type Reading } from './parser.ts';
import type { OpenPorts, Ports } from './ports.ts';
import { targetOf } from './target.ts';
import { isPickedUp, positionOf, valueAt } from './travel.ts';

/** Between two changes, ms: under a block of 256 frames. */
const TICK = 4;
/** Between two rounds of telling, ms. */
const ROUND = 40;
/** For so long after a controller moved it is not told where its control is, ms. */
const HOLD = 250;
/** Controllers that are told in one round; the others come next. */
const MAX_TOLD = 8;

export interface MidiOptions {
  readonly session: Session;
  readonly files: MappingFiles;
  readonly log: Logger;
  /** Undefined where MIDI is not configured. */
  readonly open: OpenPorts | undefined;
  /** Whether outputs were named: then those that are no inputs are told as well. */
  readonly hasOutputs: boolean;
}

/** Somebody waits for a controller. */
interface Learning {
  readonly id: string;
  readonly takeover: Mapping['takeover'];
  readonly learner: Learner;
  readonly timer: NodeJS.Timeout;
  window: NodeJS.Timeout | undefined;
  /** Whether it is being kept. */
  isFound: boolean;
}

type Revised = Outcome<MidiState & { readonly revision: number }>;

const OFF = 'MIDI is off: expected midi.enabled to be true, got false';

export class Midi {
  readonly #options: MidiOptions;
  /** Who moves things, for undo. */
  readonly #hand = {};
  readonly #parsers = new Map<string, Parser>();
  readonly #pending = new Map<string, { readonly port: string; readonly position: number }>();
  /** Where a control's controller was last. */
  readonly #positions = new Map<string, number>();
  /** What a controller has, by output and control. */
  readonly #known = new Map<string, number>();
  /** When the hand is off a control, ms. */
  readonly #held = new Map<string, number>();
  #map: ReadonlyMap<string, Mapping> = new Map();
  /** Those whose controllers are told. */
  #shown: readonly Mapping[] = [];
  #loading: Promise<void> | undefined;
  #ports: Ports | undefined;
  #inputs: readonly string[] = [];
  #outputs: readonly string[] = [];
  #reason: string | null;
  #learning: Learning | undefined;
  #learned: string | null = null;
  #tick: NodeJS.Timeout | undefined;
  #rounds: NodeJS.Timeout | undefined;
  #cursor = 0;

  constructor(options: MidiOptions) {
    this.#options = options;
    this.#reason = options.open === undefined ? OFF : 'the MIDI ports are being opened';
  }

  /** Reads the map and opens the ports, where MIDI is configured. */
  async start(): Promise<void> {
    const { open } = this.#options;
    if (open === undefined) return;
    await this.#load();
    this.#ports = open({
      opened: (inputs, outputs) => this.#opened(inputs, outputs),
      heard: (port, bytes) => this.#heard(port, bytes),
      lost: (reason) => this.#lost(reason),
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#tick);
    clearInterval(this.#rounds);
    this.#endLearning();
    await this.#ports?.close();
  }

  async state(): Promise<MidiState> {
    await this.#load();
    return this.#state;
  }

  // --- the map -------------------------------------------------------------------------------------

  async map(mapping: Mapping, origin: Origin): Promise<Revised> {
    const known = this.#isThere(mapping.id);
    return known.ok ? this.#keep(mapping, origin) : known;
  }

  async unmap(id: string, origin: Origin): Promise<Revised> {
    await this.#load();
    const deleted = await this.#options.files.delete(id);
    if (!deleted.ok) return deleted;
    const map = new Map(this.#map);
    map.delete(id);
    this.#adopt(map);
    this.#forget(id);
    return this.#tell(origin);
  }

  async learn(
    { id, takeover }: Pick<Mapping, 'id' | 'takeover'>,
    origin: Origin,
  ): Promise<Revised> {
    await this.#load();
    if (this.#reason !== null) return refuse('MIDI_UNAVAILABLE', this.#reason);
    const known = this.#isThere(id);
    if (!known.ok) return known;
    this.#endLearning();
    const timer = setTimeout(() => {
      this.#endLearning();
      this.#tell(undefined);
    }, LEARNING_TIME * 1000).unref();
    this.#learned = null;
    this.#learning = {
      id,
      takeover,
      learner: new Learner(),
      timer,
      window: undefined,
      isFound: false,
    };
    return this.#tell(origin);
  }

  async cancel(origin: Origin): Promise<Revised> {
    await this.#load();
    const { revision } = this.#options.session;
    if (this.#learning === undefined) return answer({ ...this.#state, revision });
    this.#endLearning();
    return this.#tell(origin);
  }

  /** Whether there is something of this id to be moved. */
  #isThere(id: string): Outcome<unknown> {
    const { session } = this.#options;
    if (targetOf(session, id) !== undefined) return answer(null);
    return paramOf(session.state, id);
  }

  /** @param learning  that ends with it */
  async #keep(mapping: Mapping, origin: Origin, learning?: Learning): Promise<Revised> {
    await this.#load();
    const { id } = mapping;
    const kept = await this.#options.files.write(fileOf(mapping), true);
    if (learning !== undefined && this.#learning === learning) {
      this.#endLearning();
      this.#learned = kept.ok ? id : null;
    }
    if (!kept.ok) return kept;
    const others = [...this.#map].filter(([other]) => other !== id);
    const all = [...others, [id, mapping] as const];
    this.#adopt(new Map(all.toSorted(([a], [b]) => a.localeCompare(b, 'en'))));
    this.#forget(id);
    // The hand is on what was just learned.
    if (learning !== undefined) this.#held.set(id, performance.now() + HOLD);
    return this.#tell(origin);
  }

  #adopt(map: ReadonlyMap<string, Mapping>): void {
    this.#map = map;
    this.#shown = firstOfEach(map.values());
  }

  /** Where the controller of a control is, and what it was told. */
  #forget(id: string): void {
    for (const memory of [this.#pending, this.#positions, this.#held]) memory.delete(id);
    for (const output of this.#outputs) this.#known.delete(keyOf(output, id));
  }

  #load(): Promise<void> {
    return (this.#loading ??= this.#options.files.list().then((files) => {
      this.#adopt(new Map(files.map((file) => [file.name, mappingOf(file)])));
    }));
  }

  get #state(): MidiState {
    return {
      available: this.#reason === null,
      reason: this.#reason,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      map: [...this.#map.values()],
      learning: this.#learning?.id ?? null,
      learned: this.#learned,
    };
  }

  #tell(origin: Origin): Revised {
    const state = this.#state;
    const revision = this.#options.session.announce('midi.changed', state, origin);
    return answer({ ...state, revision });
  }

  // --- ports ---------------------------------------------------------------------------------------

  #opened(inputs: readonly string[], outputs: readonly string[]): void {
    // One that was away may be anywhere.
    this.#known.clear();
    this.#reason = null;
    this.#inputs = inputs;
    this.#outputs = outputs;
    for (const port of this.#parsers.keys()) if (!inputs.includes(port)) this.#parsers.delete(port);
    clearInterval(this.#rounds);
    if (outputs.length > 0) this.#rounds = setInterval(() => this.#round(), ROUND).unref();
    this.#options.log.info({ inputs, outputs }, 'MIDI');
    this.#tell(undefined);
  }

  #lost(reason: string): void {
    this.#options.log.warn({}, `MIDI is not available: ${reason}`);
    this.#reason = reason;
    this.#inputs = [];
    this.#outputs = [];
    this.#parsers.clear();
    clearInterval(this.#rounds);
    this.#endLearning();
    this.#tell(undefined);
  }

  // --- moving --------------------------------------------------------------------------------------

  #heard(port: string, bytes: Uint8Array): void {
    let parser = this.#parsers.get(port);
    if (parser === undefined) this.#parsers.set(port, (parser = new Parser()));
    for (const reading of parser.push(bytes)) this.#take(port, reading);
    this.#plan();
  }

  #take(port: string, reading: Reading): void {
    if (this.#learning !== undefined) {
      this.#consider(this.#learning, port, reading);
      return;
    }
    for (const mapping of this.#map.values()) {
      if (!isOf(mapping, port, reading)) continue;
      this.#pending.set(mapping.id, { port, position: reading.position });
    }
  }

  #plan(): void {
    this.#tick ??= setTimeout(() => {
      this.#tick = undefined;
      for (const [port, parser] of this.#parsers) {
        for (const reading of parser.settle()) this.#take(port, reading);
        if (parser.waits) this.#plan();
      }
      this.#apply();
    }, TICK);
  }

  #apply(): void {
    const { session } = this.#options;
    const values: Record<string, number> = {};
    for (const [id, { port, position }] of this.#pending) {
      const mapping = this.#map.get(id);
      const target = targetOf(session, id);
      if (mapping === undefined || target === undefined) continue;
      const { scale, host } = target;
      const before = this.#positions.get(id);
      this.#positions.set(id, position);
      this.#held.set(id, performance.now() + HOLD);
      for (const output of this.#outputsOf(mapping)) {
        // Another controller of the same map has not said it.
        if (output !== port && this.#inputs.includes(output)) continue;
        this.#known.set(keyOf(output, id), rawOf(mapping.kind, position));
      }
      const at = positionOf(mapping, scale, target.value);
      if (mapping.takeover === 'pickup' && !isPickedUp(before, position, at)) continue;
      const value = valueAt(mapping, scale, position);
      if (host === undefined) values[id] = value;
      else this.#settle(host.write(session, value, this.#hand));
    }
    this.#pending.clear();
    if (Object.keys(values).length > 0) this.#settle(session.setParams({ values }, this.#hand));
  }

  #settle(outcome: Outcome<unknown> | Promise<Outcome<unknown>> | undefined): void {
    void Promise.resolve(outcome).then((done) => {
      if (done === undefined || done.ok) return;
      this.#options.log.debug({}, `a MIDI controller was refused: ${done.problem.detail}`);
    });
  }

  // --- learning ------------------------------------------------------------------------------------

  #consider(learning: Learning, port: string, reading: Reading): void {
    const { learner } = learning;
    const found = learner.hear(port, reading);
    if (found !== undefined) {
      this.#choose(learning, found);
      return;
    }
    if (learner.candidate === undefined) return;
    learning.window ??= setTimeout(() => {
      if (learner.candidate !== undefined) this.#choose(learning, learner.candidate);
    }, WINDOW);
  }

  #choose(learning: Learning, found: Found): void {
    if (this.#learning !== learning || learning.isFound) return;
    learning.isFound = true;
    const { id, takeover } = learning;
    void this.#keep({ id, ...found, takeover }, undefined, learning).then((kept) => {
      if (!kept.ok) this.#tell(undefined);
    });
  }

  #endLearning(): void {
    clearTimeout(this.#learning?.timer);
    clearTimeout(this.#learning?.window);
    this.#learning = undefined;
  }

  // --- telling -------------------------------------------------------------------------------------

  /** Outputs of the same name as the input, else those that were named. */
  #outputsOf({ port }: Mapping): readonly string[] {
    if (port === undefined) return this.#outputs;
    if (this.#outputs.includes(port)) return [port];
    return this.#options.hasOutputs ? this.#outputs : [];
  }

  #round(): void {
    const now = performance.now();
    const all = this.#shown;
    let told = 0;
    let k = 0;
    for (; k < all.length && told < MAX_TOLD; k++) {
      const mapping = all[(this.#cursor + k) % all.length]!;
      if (this.#tellController(mapping, now)) told++;
    }
    this.#cursor = all.length === 0 ? 0 : (this.#cursor + k) % all.length;
  }

  #tellController(mapping: Mapping, now: number): boolean {
    const { id, kind } = mapping;
    const target = targetOf(this.#options.session, id);
    if (target === undefined || now < (this.#held.get(id) ?? 0)) return false;
    const raw = rawOf(kind, positionOf(mapping, target.scale, target.value));
    const outputs = this.#outputsOf(mapping).filter(
      (output) => this.#known.get(keyOf(output, id)) !== raw,
    );
    for (const output of outputs) {
      this.#known.set(keyOf(output, id), raw);
      this.#ports?.send(output, messagesOf(mapping, raw));
    }
    return outputs.length > 0;
  }
}

const keyOf = (output: string, id: string): string => `${output}\n${id}`;

const isOf = (mapping: Mapping, port: string, reading: Reading): boolean =>
  mapping.channel === reading.channel &&
  mapping.kind === reading.kind &&
  mapping.number === reading.number &&
  (mapping.port === undefined || mapping.port === port);

/** A controller that moves several controls shows the first of them. */
function firstOfEach(map: Iterable<Mapping>): Mapping[] {
  const first = new Map<string, Mapping>();
  for (const mapping of map) {
    const { port = '', channel, kind, number } = mapping;
    const key = `${channel} ${kind} ${number} ${port}`;
    if (!first.has(key)) first.set(key, mapping);
  }
  return [...first.values()];
}
