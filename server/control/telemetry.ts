/**
 * Turns measurements into frames for one subscriber, at the rate it asked for.
 *
 * Invariant: each topic has its own rate and its own sequence; a frame is made only when it is due,
 * so nothing is averaged or made up. It does not send: `outbox.ts` does.
 */

import { encodeFrame } from '../api/frame.ts';
import { TOPICS, type Topic } from '../api/socket.ts';
import type { Measurement } from '../engine/types.ts';

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

  subscribe(topics: readonly Topic[], rate: number): void {
    for (const topic of topics) this.#topics.set(topic, { rate, due: 0 });
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
    const frames: Uint8Array[] = [];
    for (const [topic, subscribed] of this.#topics) {
      if (now < subscribed.due - EARLY) continue;
      const period = 1000 / subscribed.rate;
      subscribed.due += period;
      if (subscribed.due < now) subscribed.due = now + period;
      const sequence = this.#sequence.get(topic) ?? 0;
      this.#sequence.set(topic, (sequence + 1) % 2 ** 32);
      frames.push(
        encodeFrame({
          topic,
          learning: measurement.learning,
          fault: measurement.fault !== 0,
          gap: false,
          sequence,
          program: measurement.program,
          time: measurement.frames,
          step: measurement.step,
          values: VALUES[topic](measurement),
        }),
      );
    }
    return frames;
  }
}

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
} as const satisfies { readonly [K in Topic]: (m: Measurement) => Float32Array };
