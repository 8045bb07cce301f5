/**
 * One block on the audio thread: mailbox, input guard and levels, program (or calibration probe),
 * output guard, gain and fade, limiter, output levels, tap, load, measurement row.
 *
 * Invariants: after construction `block` allocates, locks, logs and throws nothing of its own;
 * a program is exchanged only between blocks, and either goes over into the next one, both running,
 * or is faded to silence first; what goes wrong with the signal is counted, never thrown.
 *
 * A new program that fits into a block beside the old one takes over its states at once and its
 * output over SWAP_CROSSFADE, in a straight line: two versions of one program are nearly the same
 * signal then, whose level a straight line keeps and equal powers would raise by 3 dB; and a straight
 * line is never louder than the louder of the two. Programs that have nothing in common dip by 3 dB
 * at most. Without the time for both, the states are taken over in silence.
 * It does not know devices, processes or files: it is given a device's arrays and a clock.
 */
import type { ComparedSamples, Samples } from '../../dsp/run/kernel.ts';
import type { Adoption } from '../../dsp/run/adopt.ts';
import { FAULT } from '../../dsp/run/faults.ts';
import type { Probe } from './calibration.ts';
import { MAX_CHANNELS, type ChannelMap } from './channels.ts';
import type { ControlReader, Steered, Switches } from './controls.ts';
import { addLevels, clearLevels, createLevels, LoadMeter } from './meter.ts';
import {
  aim,
  applyRamp,
  createLimiter,
  createRamp,
  crossfade,
  decibels,
  guard,
  limit,
} from './output.ts';
import type { RecordLayout } from './record.ts';
import { FIELD } from './record.ts';
import type { Ring } from './ring.ts';
import { tracksOf } from './tap.ts';
import type { Tap } from './tap.ts';
import type { Inheritance, RecallRoom } from './thread.ts';

/** Seconds. */
const MUTE_RAMP = 0.05;
const SWAP_FADE = 0.005;
const SWAP_CROSSFADE = 0.02;
/** Share of a block's period that two programs may take together. */
const BUDGET = 0.8;
/** Silence before the probe, so that what was in flight has died away. */
const PROBE_LEAD_IN = 0.1;
/** Milliseconds between measurement rows. */
const ROW_PERIOD = 1000 / 60;

/** What the host needs of a running program; an Instance of dsp/run fits. */
export interface Playable extends Steered {
  readonly inputs: readonly Samples[];
  readonly outputs: readonly Samples[];
  readonly compared: ComparedSamples;
  readonly gradients: Float64Array;
  /** What the patch shows. */
  readonly meters: Float64Array;
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly fault: number;
  /** Numbers of the fault. */
  readonly faultDetail: Float64Array;
  /** What the schedule remembers of the losses. */
  readonly paceMemory: Float64Array;
  /** Set by the host: no optimiser steps for now. */
  held: boolean;
  /** Set by the host: it sounds on while another takes over, and learns no more. */
  retired: boolean;
  /** Goes on where `from` is. */
  adopt(from: Playable, plan: Adoption): void;
  /** A sample that it hears or plays was not finite: it must not learn from it. */
  distrust(fault: number, index: number): void;
  process(frames: number): void;
  resetState(): void;
  /** Copies what it remembers. */
  recall(into: Float64Array): void;
}

/** A program ready to play, with its shared memory. Without `instance` it is silence. */
export interface Deck {
  readonly generation: number;
  readonly instance: Playable | null;
  readonly controls: ControlReader | null;
  readonly ring: Ring;
  readonly layout: RecordLayout;
  /**
   * For a program that compares what it plays with what it hears: frames after a silence or a
   * ramp of the output until its training window is free of it. 0 for any other.
   */
  readonly memory: number;
  /** null: it is not known how long it takes, and it takes nothing over. */
  readonly inherits: Inheritance | null;
  /** Where it leaves what it remembers; null: it is not asked. */
  readonly recall: RecallRoom | null;
}

export interface HostOptions {
  readonly sampleRate: number;
  /** The device's arrays. */
  readonly inputs: readonly Float32Array[];
  readonly outputs: readonly Float32Array[];
  readonly switches: Switches;
  /** Gets every block as it was heard and played; of the shape of the device. */
  readonly tap: Tap;
  /** Without it channels are as they are. */
  readonly channels?: ChannelMap;
  /** What plays before the first program. */
  readonly idle: Deck;
  /** Milliseconds on a monotonic scale. */
  readonly now: () => number;
  /** The device's own count of late blocks. */
  readonly lateBlocks: () => number;
  /** Called between blocks when a message was announced; may allocate. */
  readonly onMail: () => void;
}

export class Host {
  readonly #options: HostOptions;
  readonly #inputs: readonly Float32Array[];
  readonly #outputs: readonly Float32Array[];
  readonly #switches: Switches;
  readonly #tap: Tap;
  readonly #tracks;
  readonly #periodPerFrame: number;
  readonly #inputLevels;
  readonly #outputLevels;
  readonly #load: LoadMeter;
  readonly #limiter;
  readonly #gain = createRamp(0);
  readonly #fade = createRamp(0);
  /** Share of `#deck` in the output while `#leaving` sounds on. */
  readonly #mix = createRamp(1);
  /** What the leaving program puts out, as many channels as the device has. */
  readonly #former: readonly Float32Array[];
  /** Of each input of a program the channel of the device; of each output of the device that of it. */
  readonly #heard = Int32Array.from({ length: MAX_CHANNELS }, (_, c) => c);
  readonly #played = Int32Array.from({ length: MAX_CHANNELS }, (_, c) => c);
  #mapped = 0;
  readonly #recent = new Float64Array(3);
  readonly #muteFrames: number;
  readonly #fadeFrames: number;
  readonly #crossFrames: number;
  readonly #leadIn: number;
  #deck: Deck;
  #next: Deck | null = null;
  #leaving: Deck | null = null;
  #probe: Probe | null = null;
  /** Frames into the probe, negative while leading in. */
  #probeAt = 0;
  #probing = false;
  #mail = 0;
  /** Frames until learning goes on after the output's level moved. */
  #hold = 0;
  #gainMilliDb = 0;
  #gainFactor = 1;
  #frames = 0;
  #nanBlocks = 0;
  #nextRow = Number.NEGATIVE_INFINITY;

  constructor(options: HostOptions) {
    const { sampleRate, inputs, outputs, switches } = options;
    this.#options = options;
    this.#inputs = inputs;
    this.#outputs = outputs;
    this.#switches = switches;
    this.#tap = options.tap;
    this.#tracks = tracksOf({ inputs: inputs.length, outputs: outputs.length });
    this.#periodPerFrame = 1000 / sampleRate;
    this.#inputLevels = createLevels(inputs.length);
    this.#outputLevels = createLevels(outputs.length);
    this.#load = new LoadMeter(sampleRate);
    this.#limiter = createLimiter(sampleRate);
    this.#muteFrames = Math.ceil(MUTE_RAMP * sampleRate);
    this.#fadeFrames = Math.ceil(SWAP_FADE * sampleRate);
    this.#crossFrames = Math.ceil(SWAP_CROSSFADE * sampleRate);
    this.#former = outputs.map((channel) => new Float32Array(channel.length));
    this.#leadIn = Math.ceil(PROBE_LEAD_IN * sampleRate);
    this.#deck = options.idle;
    this.#map();
  }

  /** Whether a program is playing and the output's level does not move. */
  get settled(): boolean {
    if (this.#leaving !== null) return false;
    const { instance } = this.#deck;
    return instance !== null && this.#fade.target === 1 && this.#fade.left + this.#gain.left === 0;
  }

  /**
   * Plays `deck` from the next block on, with a crossfade from the present program; or, where that
   * cannot be, as soon as the present one has faded out. It waits for the end of another crossfade.
   */
  swap(deck: Deck): void {
    this.#next = deck;
  }

  /** Plays and records the probe as soon as the present program has faded out. */
  calibrate(probe: Probe): void {
    this.#probe = probe;
    this.#probeAt = -this.#leadIn;
    aim(this.#fade, 0, this.#fadeFrames);
  }

  /** The device's callback; false when a stop was asked for and the output is silent. */
  readonly block = (frames: number): boolean => {
    const begin = this.#options.now();
    const mail = this.#switches.mail;
    if (mail !== this.#mail) {
      this.#mail = mail;
      this.#options.onMail();
    }
    if (!guard(this.#inputs, frames)) {
      this.#nanBlocks++;
      const { instance } = this.#deck;
      if (instance !== null) instance.distrust(FAULT.input, -1);
    }
    addLevels(this.#inputLevels, this.#inputs, frames);
    if (this.#next !== null && this.#leaving === null) this.#goOver(this.#next);
    const { channels } = this.#options;
    // A channel that jumps to another would crack.
    if (channels !== undefined && channels.version !== this.#mapped) {
      aim(this.#fade, 0, this.#fadeFrames);
    }
    if (this.#fade.target === 0 && this.#fade.left === 0) this.#turn();

    if (this.#probing) {
      this.#playProbe(frames);
    } else {
      this.#play(frames);
      applyRamp(this.#fade, this.#outputs, frames);
    }
    this.#answerRecall();
    const stopping = this.#switches.stop;
    this.#followGain(stopping);
    applyRamp(this.#gain, this.#outputs, frames);
    limit(this.#limiter, this.#outputs, frames);
    addLevels(this.#outputLevels, this.#outputs, frames);
    this.#record(frames);

    this.#frames += frames;
    const end = this.#options.now();
    this.#load.add((end - begin) / (frames * this.#periodPerFrame), frames);
    if (end >= this.#nextRow) {
      this.#nextRow = Math.max(this.#nextRow + ROW_PERIOD, end);
      this.#measure();
    }
    return !(stopping && this.#gain.left === 0);
  };

  /** Begins the crossfade to the next program, or the fade to silence. */
  #goOver(next: Deck): void {
    const { instance } = this.#deck;
    const audible = this.#fade.target === 1 && this.#fade.left === 0;
    if (!audible || instance === null || next.instance === null || !this.#fits(next)) {
      aim(this.#fade, 0, this.#fadeFrames);
      return;
    }
    this.#leaving = this.#deck;
    instance.retired = true;
    this.#take(next);
    this.#mix.value = 0;
    this.#mix.target = 0;
    aim(this.#mix, 1, this.#crossFrames);
  }

  /** Is there time for the next program besides what blocks took lately? */
  #fits({ inherits }: Deck): boolean {
    if (inherits === null) return false;
    this.#load.read(this.#recent, 0);
    return this.#recent[1]! + inherits.cost <= BUDGET;
  }

  /** The next program becomes the one that is steered and measured, and goes on where the last was. */
  #take(next: Deck): void {
    const former = this.#deck;
    this.#deck = next;
    this.#next = null;
    this.#switches.playing = next.generation;
    if (next.instance === null) return;
    next.instance.retired = false;
    if (former.instance === null || next.inherits === null) return;
    const { plans } = next.inherits;
    for (let k = 0; k < plans.length; k++) {
      if (plans[k]!.from !== former.generation) continue;
      if (former.controls !== null) former.controls.apply(former.instance);
      next.instance.adopt(former.instance, plans[k]!.plan);
    }
  }

  /** The output is silent: takes over the next program, starts the probe, or comes back. */
  #turn(): void {
    this.#leaving = null;
    if (this.#next !== null) this.#take(this.#next);
    this.#map();
    if (this.#probe !== null) {
      this.#probing = true;
    } else {
      aim(this.#fade, 1, this.#fadeFrames);
    }
  }

  #map(): void {
    const { channels } = this.#options;
    if (channels === undefined || channels.version === this.#mapped) return;
    this.#mapped = channels.read(this.#heard, this.#played);
  }

  #play(frames: number): void {
    const { instance, controls } = this.#deck;
    const outputs = this.#outputs;
    if (instance === null) {
      for (let c = 0; c < outputs.length; c++) outputs[c]!.fill(0);
      return;
    }
    if (controls !== null) controls.apply(instance);
    this.#holdLearning(instance, frames);
    if (!this.#run(instance, outputs, frames)) {
      instance.distrust(FAULT.output, -1);
      instance.resetState();
    }
    if (this.#leaving !== null) this.#mixLeaving(this.#leaving, frames);
  }

  /** What leaves is heard less and less; when it is not finite, no more. */
  #mixLeaving({ instance }: Deck, frames: number): void {
    const sound = this.#run(instance!, this.#former, frames);
    if (sound) crossfade(this.#mix, this.#outputs, this.#former, frames);
    if (!sound || this.#mix.left === 0) this.#leaving = null;
  }

  /** One block of a program; false, and silence, when it is not finite. */
  #run(instance: Playable, outputs: readonly Float32Array[], frames: number): boolean {
    const into = instance.inputs;
    for (let c = 0; c < into.length; c++) {
      const channel = this.#heard[c]!;
      if (channel >= 0 && channel < this.#inputs.length) {
        copy(this.#inputs[channel]!, into[c]!, frames);
      } else into[c]!.fill(0);
    }
    instance.process(frames);
    const from = instance.outputs;
    for (let c = 0; c < outputs.length; c++) {
      const channel = this.#played[c]!;
      if (channel >= 0 && channel < from.length) copy(from[channel]!, outputs[c]!, frames);
      else outputs[c]!.fill(0);
    }
    const finite = guard(outputs, frames);
    if (!finite) this.#nanBlocks++;
    return finite;
  }

  /**
   * No optimiser steps while what the program hears says nothing of what it plays: muted, faded
   * or on a ramp, and until what was played meanwhile has come back and left the window.
   */
  #holdLearning(instance: Playable, frames: number): void {
    const { memory } = this.#deck;
    if (!this.settled || this.#gain.target === 0) this.#hold = memory;
    else if (this.#hold > 0) this.#hold -= frames;
    instance.held = this.#hold > 0;
  }

  #answerRecall(): void {
    const { instance, recall } = this.#deck;
    if (instance === null || recall === null) return;
    const asked = Atomics.load(recall.words, 0);
    if (asked === Atomics.load(recall.words, 1)) return;
    instance.recall(recall.numbers);
    Atomics.store(recall.words, 1, asked);
  }

  #playProbe(frames: number): void {
    const probe = this.#probe!;
    const { signal, outputs, recordings } = probe;
    const turns = outputs === null ? 1 : outputs.length;
    const total = recordings.length === 0 ? turns * signal.length : recordings[0]!.length;
    for (let c = 0; c < this.#outputs.length; c++) {
      const channel = this.#outputs[c]!;
      for (let i = 0; i < frames; i++) {
        const at = this.#probeAt + i;
        const turn = outputs === null ? 0 : Math.floor(at / signal.length);
        const isOn = at >= 0 && turn < turns && (outputs === null || outputs[turn] === c);
        const place = at - turn * signal.length;
        channel[i] = isOn && place < signal.length ? signal[place]! : 0;
      }
    }
    for (let c = 0; c < recordings.length; c++) {
      const channel = this.#inputs[c]!;
      const recording = recordings[c]!;
      for (let i = 0; i < frames; i++) {
        const at = this.#probeAt + i;
        if (at >= 0 && at < total) recording[at] = channel[i]!;
      }
    }
    this.#probeAt += frames;
    if (this.#probeAt >= total) {
      this.#probe = null;
      this.#probing = false;
      Atomics.store(probe.done, 0, 1);
    }
  }

  #followGain(stopping: boolean): void {
    const milliDb = this.#switches.gainMilliDb;
    if (milliDb !== this.#gainMilliDb) {
      this.#gainMilliDb = milliDb;
      this.#gainFactor = decibels(milliDb / 1000);
    }
    const target = stopping || this.#switches.muted ? 0 : this.#gainFactor;
    aim(this.#gain, target, this.#muteFrames);
  }

  /** The block goes into the tap, with what the program compared while one was heard. */
  #record(frames: number): void {
    const tap = this.#tap;
    const { input, output, target, estimate } = this.#tracks;
    for (let c = 0; c < this.#inputs.length; c++) tap.put(input + c, this.#inputs[c]!, frames);
    for (let c = 0; c < this.#outputs.length; c++) tap.put(output + c, this.#outputs[c]!, frames);
    const { instance } = this.#deck;
    const compared = this.#probing || instance === null ? null : instance.compared;
    if (compared === null || compared.target === null) tap.putSilence(target, frames);
    else tap.put(target, compared.target, frames);
    if (compared === null || compared.estimate === null) tap.putSilence(estimate, frames);
    else tap.put(estimate, compared.estimate, frames);
    tap.advance(frames);
  }

  #measure(): void {
    const { generation, instance, ring, layout } = this.#deck;
    const row = ring.claim();
    if (row !== null) {
      row[FIELD.frames] = this.#frames;
      row[FIELD.program] = generation;
      row[FIELD.lateBlocks] = this.#options.lateBlocks();
      row[FIELD.nanBlocks] = this.#nanBlocks;
      this.#load.read(row, FIELD.load);
      this.#load.readHistogram(row, FIELD.loadHistogram);
      if (instance !== null) {
        row[FIELD.step] = instance.step;
        row[FIELD.loss] = instance.loss;
        row[FIELD.learningRate] = instance.learningRate;
        row[FIELD.learning] = instance.learning ? 1 : 0;
        row[FIELD.fault] = instance.fault;
        row.set(instance.faultDetail, FIELD.faultDetail);
        row.set(instance.paceMemory, FIELD.paceMemory);
        row.set(instance.params, layout.params);
        row.set(instance.gradients, layout.gradients);
        row.set(instance.meters, layout.meters);
      }
      writeLevels(this.#inputLevels, row, layout.inputPeak, layout.inputRms);
      writeLevels(this.#outputLevels, row, layout.outputPeak, layout.outputRms);
      ring.push();
    }
    clearLevels(this.#inputLevels);
    clearLevels(this.#outputLevels);
  }
}

function copy(from: Samples, to: Samples, frames: number): void {
  for (let i = 0; i < frames; i++) to[i] = from[i]!;
}

function writeLevels(
  levels: { readonly peak: Float64Array; readonly squares: Float64Array; readonly frames: number },
  row: Float64Array,
  peakAt: number,
  rmsAt: number,
): void {
  for (let c = 0; c < levels.peak.length; c++) {
    row[peakAt + c] = levels.peak[c]!;
    row[rmsAt + c] = levels.frames === 0 ? 0 : Math.sqrt(levels.squares[c]! / levels.frames);
  }
}
