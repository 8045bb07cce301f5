/**
 * Turns measurements and pictures of the signals into frames for one subscriber, at the rate it asked for.
 *
 * Invariant: each topic has its own rate and its own sequence; a frame is made only when it is due,
 * so nothing is averaged or made up, but levels where they are asked for with an attack or a release. It does not send: `outbox.ts` does.
 */

import { encodeFrame, type Frame } from '../api/frame.ts';
import { TOPICS, type SignalTopic, type Topic } from '../api/socket.ts';
import { LOAD_BIN } from '../engine/meter.ts';
import type { Measurement, Picture } from '../engine/types.ts';
import { Ballistics, type Times } from './ballistics.ts';

interface Subscribed {
  readonly rate: number;
  /** When the next frame is due, ms. */
  due: number;
}

/** Measurements come about every 16.7 ms: one that is a little early still counts, ms. */
const EARLY = 4;

export class Telemetry {
  readonly #topics = new Map<Topic, Subscribed>();
  readonly #sequence = new Map<Topic, number>();
  #levels: Ballistics | null = null;
  /** What pictures do not say themselves. */
  #newest: Pick<Frame, 'learning' | 'fault' | 'step'> = { learning: false, fault: false, step: 0 };

  /** @param times  of levels */
  subscribe(
    topics: readonly Topic[],
    rate: number,
    times: Times = { attack: 0, release: 0 },
  ): void {
    for (const topic of topics) this.#topics.set(topic, { rate, due: 0 });
    if (!topics.includes('levels')) return;
    const { attack, release } = times;
    this.#levels = attack === 0 && release === 0 ? null : new Ballistics(times);
  }

  unsubscribe(topics: readonly Topic[]): void {
    for (const topic of topics) this.#topics.delete(topic);
  }

  /** Rate by topic. */
  get rates(): Partial<Record<Topic, number>> {
    return Object.fromEntries(
      TOPICS.flatMap((topic) => {
        const subscribed = this.#topics.get(topic);
        return subscribed === undefined ? [] : [[topic, subscribed.rate] as const];
      }),
    );
  }

  /** @param now  milliseconds of any steady clock */
  frames(measurement: Measurement, now: number): Uint8Array[] {
    const { learning, fault, step, program, frames: time } = measurement;
    this.#newest = { learning, fault: fault !== 0, step };
    const frames: Uint8Array[] = [];
    const levels =
      this.#levels !== null && this.#topics.has('levels')
        ? this.#levels.follow(VALUES.levels(measurement), now)
        : null;
    for (const topic of this.#topics.keys()) {
      if (!isMeasured(topic) || !this.#isDue(topic, now)) continue;
      const isShown = topic === 'levels' && levels !== null;
      const values = isShown ? levels : VALUES[topic](measurement);
      frames.push(this.#encode(topic, { program, time, values }));
    }
    return frames;
  }

  /** A picture of the signals, where it is wanted and due. */
  picture({ topic, program, frames, values }: Picture, now: number): Uint8Array | undefined {
    if (!this.#topics.has(topic) || !this.#isDue(topic, now)) return undefined;
    return this.#encode(topic, { program, time: frames, values });
  }

  #isDue(topic: Topic, now: number): boolean {
    const subscribed = this.#topics.get(topic);
    if (subscribed === undefined || now < subscribed.due - EARLY) return false;
    const period = 1000 / subscribed.rate;
    subscribed.due += period;
    if (subscribed.due < now) subscribed.due = now + period;
    return true;
  }

  #encode(topic: Topic, of: Pick<Frame, 'program' | 'time' | 'values'>): Uint8Array {
    const sequence = this.#sequence.get(topic) ?? 0;
    this.#sequence.set(topic, (sequence + 1) % 2 ** 32);
    return encodeFrame({ topic, gap: false, sequence, ...this.#newest, ...of });
  }
}

type MeasuredTopic = Exclude<Topic, SignalTopic>;
const isMeasured = (topic: Topic): topic is MeasuredTopic => topic in VALUES;

const VALUES = {
  loss: (m) => Float32Array.of(m.loss),
  learningRate: (m) => Float32Array.of(m.learningRate),
  params: (m) => Float32Array.from(m.params),
  gradients: (m) => Float32Array.from(m.gradients),
  levels: (m) => {
    const pairs = (peak: Float32Array, rms: Float32Array): number[] =>
      [...peak].flatMap((value, i) => [value, rms[i] ?? 0]);
    return Float32Array.of(
      m.inputPeak.length,
      ...pairs(m.inputPeak, m.inputRms),
      ...pairs(m.outputPeak, m.outputRms),
    );
  },
  load: (m) => Float32Array.of(m.load.mean, m.load.p99, m.load.max, m.xruns),
  meters: (m) =>
    Float32Array.from(m.meters, (value) => (Number.isFinite(Math.fround(value)) ? value : NaN)),
  updates: (m) => Float32Array.from(m.updates),
  xruns: (m) => Float32Array.of(m.xruns, m.lateBlocks, m.nanBlocks),
  loadHistogram: (m) => Float32Array.of(LOAD_BIN, ...m.loadHistogram),
} as const satisfies { readonly [K in MeasuredTopic]: (m: Measurement) => Float32Array };
