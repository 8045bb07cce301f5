/**
 * What a monitoring system reads: counters and gauges in Prometheus' text format.
 *
 * Invariants: names, units and types follow Prometheus' conventions (base units, `_total` on
 * counters and on nothing else); a scrape reads the state of record and changes nothing; the number
 * of series is bounded: of a patch with more than MAX_SERIES parameters the first are given one by
 * one, and all of them count in the norms. What is not known has no sample, rather than a zero. It
 * keeps a registry of its own, so that several daemons in a process do not mix.
 */

import {
  Counter,
  Gauge,
  Histogram,
  Registry,
  collectDefaultMetrics,
  type CounterConfiguration,
  type GaugeConfiguration,
} from 'prom-client';
import type { EngineState } from '../engine/types.ts';
import type { PatchCompiler, Session } from './session.ts';
import { metersOf, paramsOf } from './state.ts';

/** Parameters that have series of their own. */
export const MAX_SERIES = 256;

const STATES = [
  'starting',
  'running',
  'degraded',
  'restarting',
  'stopped',
] as const satisfies readonly EngineState[];

/** Seconds: a small patch takes some milliseconds, the limit is ten seconds. */
const COMPILE_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Named against the conventions: what they say is not what their names promise. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** What a scrape looks at. */
export interface Observed {
  readonly session: Session;
  readonly sockets: {
    readonly count: number;
    /** Bytes that wait, by client. */
    readonly queues: readonly { readonly queued: number }[];
    /** Telemetry frames dropped since the start, also for clients that have gone. */
    readonly dropped: number;
  };
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #compiling: Histogram<'outcome'>;
  readonly #refresh: ((observed: Observed) => void)[] = [];

  /** @param version  of the daemon */
  constructor(version: string) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
    this.#compiling = new Histogram({
      name: 'livegrad_compile_duration_seconds',
      help: 'Time to evaluate and compile a patch, waiting included, by what became of it.',
      labelNames: ['outcome'],
      buckets: COMPILE_BUCKETS,
      registers,
    });
    this.#describeHost(version);
    this.#describeEngine();
    this.#describeTraining();
    this.#describeParams();
    this.#describeSockets();
  }

  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  /** The page that is scraped. Cost: passes over the parameters, as far as they have series. */
  async text(observed: Observed): Promise<string> {
    for (const refresh of this.#refresh) refresh(observed);
    const text = await this.#registry.metrics();
    // A mean of nothing, as of the delays of the event loop just after the start.
    return text.replaceAll(/^[^#\n].* Nan\n/gmu, '');
  }

  /** The same compiler, its work counted and timed. */
  timed(compiler: PatchCompiler): PatchCompiler {
    return {
      compile: async (json, options, before) => {
        const end = this.#compiling.startTimer();
        const compiled = await compiler.compile(json, options, before);
        end({ outcome: compiled.kind });
        return compiled;
      },
      exportFaust: (json, values) => compiler.exportFaust(json, values),
    };
  }

  /** From now on, what became of messages over OSC, by the names of the counts. */
  countOsc(counts: Readonly<Record<'taken' | 'refused' | 'malformed', number>>): void {
    const messages = new Counter({
      name: 'livegrad_osc_messages_total',
      help: 'Messages over OSC that were taken or refused, and packets that were malformed.',
      labelNames: ['result'],
      registers: [this.#registry],
    });
    this.#refresh.push(() => {
      messages.reset();
      for (const [result, count] of Object.entries(counts)) messages.inc({ result }, count);
    });
  }

  #describeHost(version: string): void {
    this.#gauge(
      { name: 'livegrad_build_info', help: 'The version that runs.', labelNames: ['version'] },
      (gauge) => gauge.set({ version }, 1),
    );
    this.#gauge(
      {
        name: 'livegrad_patch_info',
        help: 'The patch that plays, with its differentiation mode.',
        labelNames: ['patch', 'mode'],
      },
      (gauge, { session }) => {
        const { patch, artifact } = session.state;
        gauge.set({ patch: patch.name, mode: artifact?.mode ?? 'none' }, 1);
      },
    );
    this.#gauge(
      { name: 'livegrad_session_revision', help: 'Changes of the session since it started.' },
      (gauge, { session }) => gauge.set(session.revision),
    );
    this.#gauge(
      { name: 'livegrad_ready', help: 'Whether the patch is compiled and audio flows: /readyz.' },
      (gauge, { session }) => gauge.set(Number(unready(session).length === 0)),
    );
  }

  #describeEngine(): void {
    this.#gauge(
      {
        name: 'livegrad_engine_state',
        help: 'State of the engine: 1 for the present one, 0 for the others.',
        labelNames: ['state'],
      },
      (gauge, { session }) => {
        const now = session.engine().state;
        for (const state of STATES) gauge.set({ state }, Number(state === now));
      },
    );
    this.#gauge(
      {
        name: 'livegrad_engine_load_ratio',
        help: "Processing time as a share of a block's period, over the last second.",
        labelNames: ['statistic'],
      },
      (gauge, { session }) => {
        const { load } = session.engine();
        for (const statistic of ['mean', 'p99', 'max'] as const) {
          gauge.set({ statistic }, load[statistic]);
        }
      },
    );
    for (const [name, help, read] of ENGINE_COUNTS) {
      this.#counter({ name: `livegrad_engine_${name}_total`, help }, ({ session }) =>
        read(session.engine()),
      );
    }
    for (const [name, help, read] of ENGINE_VALUES) {
      this.#gauge({ name: `livegrad_${name}`, help }, (gauge, { session }) =>
        gauge.set(read(session.engine())),
      );
    }
  }

  #describeTraining(): void {
    const value = (name: string, help: string, read: (session: Session) => number | null): void =>
      this.#gauge({ name: `livegrad_training_${name}`, help }, (gauge, { session }) => {
        const found = read(session);
        if (found !== null) gauge.set(found);
      });
    value('running', 'Whether the optimiser is at work.', (s) => Number(s.training().running));
    value('waiting', 'Whether it takes no steps because the output is muted.', (s) =>
      Number(s.training().waiting),
    );
    value('fault', 'Whether a guard stopped learning.', (s) => Number(s.training().fault));
    value('step', 'Optimiser steps done since the last reset.', (s) => s.training().step);
    value('loss', 'Loss of the last finished window.', (s) => s.training().loss);
    value(
      'learning_rate',
      'Learning rate of the last step, or of the next one.',
      (s) => s.training().learningRate,
    );
    value('gradient_norm', 'Euclidean norm of the gradient of the last window.', (s) => {
      const gradients = [...s.state.gradients.values()].filter(Number.isFinite);
      return gradients.length === 0 ? null : Math.hypot(...gradients);
    });
  }

  #describeParams(): void {
    this.#gauge(
      {
        name: 'livegrad_parameters',
        help: 'Sliders and learnable parameters of the patch, with or without series of their own.',
        labelNames: ['kind'],
      },
      (gauge, { session }) => {
        const { values, patch } = session.state;
        const sliders = Object.keys(patch.sliders).length;
        gauge.set({ kind: 'slider' }, sliders);
        gauge.set({ kind: 'learnable' }, values.size - sliders);
      },
    );
    const each = (
      name: string,
      help: string,
      read: (param: ReturnType<typeof paramsOf>[number]) => number | null,
    ): void =>
      this.#gauge(
        { name: `livegrad_parameter_${name}`, help, labelNames: ['id', 'kind'] },
        (gauge, { session }) => {
          const ids = [...session.state.values.keys()].slice(0, MAX_SERIES);
          for (const param of paramsOf(session.state, ids)) {
            const found = read(param);
            if (found !== null) gauge.set({ id: param.id, kind: param.kind }, found);
          }
        },
      );
    each('value', 'Value, in the unit of the parameter.', (param) => param.value);
    each('gradient', 'Gradient of the loss of the last window.', (param) => param.gradient);
    each('frozen', 'Whether a learnable parameter is held.', ({ kind, frozen }) =>
      kind === 'learnable' ? Number(frozen) : null,
    );
    this.#gauge(
      {
        name: 'livegrad_meter_value',
        help: 'What the patch shows, in the unit of the meter.',
        labelNames: ['id'],
      },
      (gauge, { session }) => {
        for (const { id, value } of metersOf(session.state))
          if (value !== null) gauge.set({ id }, value);
      },
    );
  }

  #describeSockets(): void {
    this.#gauge(
      { name: 'livegrad_sockets', help: 'WebSocket clients that are connected.' },
      (gauge, { sockets }) => gauge.set(sockets.count),
    );
    this.#gauge(
      {
        name: 'livegrad_socket_queued_bytes',
        help: 'Bytes that wait for WebSocket clients, all together.',
      },
      (gauge, { sockets }) =>
        gauge.set(sockets.queues.reduce((sum, { queued }) => sum + queued, 0)),
    );
    this.#counter(
      {
        name: 'livegrad_telemetry_dropped_frames_total',
        help: 'Telemetry frames that slow clients did not get.',
      },
      ({ sockets }) => sockets.dropped,
    );
  }

  #gauge<L extends string>(
    options: GaugeConfiguration<L>,
    read: (gauge: Gauge<L>, observed: Observed) => void,
  ): void {
    const gauge = new Gauge<L>({ ...options, registers: [this.#registry] });
    this.#refresh.push((observed) => {
      // A gauge without labels keeps a sample of 0 when it is reset; a removed one has none.
      if (options.labelNames === undefined) gauge.remove();
      else gauge.reset();
      read(gauge, observed);
    });
  }

  /** @param read  the whole count: it is kept elsewhere */
  #counter(options: CounterConfiguration<string>, read: (observed: Observed) => number): void {
    const counter = new Counter({ ...options, registers: [this.#registry] });
    this.#refresh.push((observed) => {
      counter.reset();
      counter.inc(read(observed));
    });
  }
}

/** Why the daemon is not ready to play, in sentences; none when it is. */
export function unready(session: Session): string[] {
  const { state, reason } = session.engine();
  const engine =
    state === 'running' ? [] : [`the engine is ${state}${reason === null ? '' : `: ${reason}`}`];
  if (session.ready) return engine;
  const misfit = state === 'running' ? reason : null;
  return [...engine, misfit ?? 'no patch has been compiled yet'];
}

type Engine = ReturnType<Session['engine']>;

const ENGINE_COUNTS: readonly (readonly [string, string, (engine: Engine) => number])[] = [
  ['xruns', 'Underflows and overflows that the audio system reported.', (e) => e.xruns],
  ['late_blocks', 'Blocks that came or were finished too late.', (e) => e.lateBlocks],
  ['nan_blocks', 'Blocks silenced because a sample was not finite.', (e) => e.nanBlocks],
  ['frames', 'Audio frames processed.', (e) => e.framesProcessed],
  ['restarts', 'Engine processes that were replaced.', (e) => e.restarts],
];

const ENGINE_VALUES: readonly (readonly [string, string, (engine: Engine) => number])[] = [
  ['engine_sample_rate_hertz', 'Sample rate of the device.', (e) => e.sampleRate],
  ['engine_block_seconds', 'Period of a block.', (e) => e.blockSize / e.sampleRate],
  [
    'engine_round_trip_seconds',
    'Calibrated round trip; 0 until then.',
    (e) => e.latency / e.sampleRate,
  ],
  ['output_muted', 'Whether the output is muted.', (e) => Number(e.muted)],
  ['output_gain_decibels', 'Gain before the limiter.', (e) => e.gainDb],
];
