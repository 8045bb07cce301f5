/**
 * The engine and its device: how it does, which device it plays on, how long its round trip is, and
 * how loud it may be.
 *
 * Invariant: what makes a sound or interrupts it says so before it is pressed.
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Input, Output } from '../sdk/client.ts';
import uPlot from 'uplot';
import { duration, number, parseNumber } from './format.ts';
import { useFrame, useModel } from './hooks.ts';
import { Plot } from './plot.tsx';
import type { Model } from './model.ts';
import { histogramOf } from './series.ts';
import type { Device as Found, Engine, EngineEvent } from './types.ts';

export function Device({ model }: { readonly model: Model }) {
  useModel(model);
  // Counters move without a change being told.
  useEffect(() => {
    const timer = setInterval(() => void model.refresh(), 2000);
    return () => clearInterval(timer);
  }, [model]);
  const { host } = model;
  if (host === undefined) return null;
  const { engine } = host.status;
  return (
    <>
      <h1 class="sr">Device</h1>
      <div class="groups">
        <Load model={model} engine={engine} />
        <Health engine={engine} uptime={host.status.uptime} />
        <Choice model={model} engine={engine} />
        <Level model={model} engine={engine} />
        <Latency model={model} engine={engine} />
        <Tone model={model} engine={engine} />
        <ChannelMap model={model} engine={engine} />
        <History model={model} />
      </div>
    </>
  );
}

interface Part {
  readonly model: Model;
  readonly engine: Engine;
}

const LOADS = ['Mean', '99 %', 'Worst'] as const;
const BINS = 20;

function Load({ model, engine }: Part) {
  const bars = useRef<(HTMLDivElement | null)[]>([]);
  const texts = useRef<(HTMLSpanElement | null)[]>([]);
  useFrame(
    model,
    () => {
      LOADS.forEach((_, k) => {
        const load = model.live ? model.load[k] : undefined;
        bars.current[k]?.style.setProperty('--at', String(Math.min(1, load ?? 0)));
        bars.current[k]?.classList.toggle('hot', (load ?? 0) > 0.8);
        const text = texts.current[k];
        if (text) text.textContent = load === undefined ? '–' : (100 * load).toFixed(1);
      });
    },
    4,
  );
  return (
    <section class="panel" aria-labelledby="load">
      <h2 id="load">Load</h2>
      {LOADS.map((label, k) => (
        <div class="meter" key={label}>
          <span class="name">{label}</span>
          <div
            class="bar load"
            aria-hidden="true"
            ref={(bar) => void (bars.current[k] = bar)}
          ></div>
          <span class="value">
            <span ref={(text) => void (texts.current[k] = text)} /> <span class="unit">%</span>
          </span>
        </div>
      ))}
      <p class="said">
        Of the time that a block has, {number((1000 * engine.blockSize) / engine.sampleRate, 3)} ms.
      </p>
      <Loads model={model} />
      <LoadHistogram model={model} />
    </section>
  );
}

const LOAD_HEIGHT = { wide: 110, narrow: 110 };
/** Loads as they come, two a second. */
const percents = ({ loads }: Model): Float64Array => loads.column(0).map((load) => 100 * load);

function Loads({ model }: { readonly model: Model }) {
  const seconds = (): number[] => {
    const count = model.loads.length;
    return Array.from({ length: count }, (_, k) => (k - count + 1) / 2);
  };
  return (
    <Plot
      model={model}
      title="Of 99 % of the blocks, last two minutes"
      name="load"
      shape=""
      rate={2}
      height={LOAD_HEIGHT}
      options={({ axis, colour }) => ({
        scales: { x: { time: false, range: [-120, 0] }, y: { range: [0, 100] } },
        axes: [
          {
            ...axis,
            size: 24,
            values: (_, values) => values.map((t) => `${t} s`.replace('-', '−')),
          },
          { ...axis, size: 46, values: (_, values) => values.map((load) => `${load} %`) },
        ],
        series: [{}, { stroke: colour('--accent'), width: 1.5, points: { show: false } }],
      })}
      data={() => [seconds(), percents(model)]}
      columns={() => ({ seconds: seconds(), 'load percent': percents(model) })}
    />
  );
}

function LoadHistogram({ model }: { readonly model: Model }) {
  const table = () => histogramOf(percents(model), 100, BINS);
  return (
    <Plot
      model={model}
      title="How often it was how high"
      name="load-histogram"
      shape=""
      rate={1}
      height={LOAD_HEIGHT}
      options={({ axis, colour }) => ({
        scales: {
          x: { time: false, range: [0, 100] },
          y: { range: (_, __, high) => [0, Math.max(1, high)] },
        },
        axes: [
          { ...axis, size: 24, values: (_, values) => values.map((load) => `${load} %`) },
          { ...axis, size: 46, incrs: [1, 2, 5, 10, 20, 50, 100] },
        ],
        series: [
          {},
          {
            stroke: colour('--accent'),
            fill: colour('--accent'),
            width: 0,
            points: { show: false },
            ...(uPlot.paths.bars === undefined ? {} : { paths: uPlot.paths.bars({ size: [0.9] }) }),
          },
        ],
      })}
      data={() => [...table()]}
      columns={() => {
        const [at, count] = table();
        return { 'load percent': at, times: count };
      }}
    />
  );
}

function Health({ engine, uptime }: { readonly engine: Engine; readonly uptime: number }) {
  const { state, reason, xruns, lateBlocks, nanBlocks, restarts, realtime } = engine;
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['Engine', reason === null ? state : `${state}: ${reason}`, state !== 'running'],
    ['Device', engine.device?.input ?? '–', false],
    ['Output', engine.device?.output ?? '–', false],
    ['Rate and block', `${engine.sampleRate} Hz, ${engine.blockSize} frames`, false],
    ['Channels', `${engine.inputs} in, ${engine.outputs} out`, false],
    ['Real-time priority', realtime === null ? 'unknown' : realtime ? 'yes' : 'no', false],
    ['Xruns', String(xruns), xruns > 0],
    ['Late blocks', String(lateBlocks), lateBlocks > 0],
    ['Blocks with NaN, silenced', String(nanBlocks), nanBlocks > 0],
    ['Restarts of the engine', String(restarts), restarts > 0],
    ['Host up for', duration(uptime), false],
  ];
  return (
    <section class="panel" aria-labelledby="health">
      <h2 id="health">Engine</h2>
      <dl class="facts">
        {rows.map(([term, value, isBad]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd class={isBad ? 'bad' : ''}>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const RATES = [44_100, 48_000, 88_200, 96_000, 192_000];
const BLOCKS = [32, 64, 128, 256, 512, 1024, 2048];

function Choice({ model, engine }: Part) {
  const [devices, setDevices] = useState<readonly Found[]>();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    model.run(async () => setDevices((await model.client.devices.list()).devices));
  }, [model]);
  const known = devices ?? [];
  const isHardware = engine.backend === 'portaudio';
  const names = (kind: 'inputs' | 'outputs') => known.filter((device) => device[kind] > 0);
  const select = async (form: HTMLFormElement): Promise<void> => {
    const given = new FormData(form);
    const of = (name: string): string => {
      const value = given.get(name);
      return typeof value === 'string' ? value : '';
    };
    setBusy(true);
    try {
      await model.client.devices.select({
        ...(known.length > 0 ? { input: of('input'), output: of('output') } : {}),
        sampleRate: of('sampleRate') === 'device' ? 'device' : Number(of('sampleRate')),
        blockSize: Number(of('blockSize')),
      });
      await model.refresh();
    } finally {
      setBusy(false);
    }
  };
  const numbers = (name: string, label: string, among: readonly number[], now: number) => (
    <label>
      {label}
      <select name={name}>
        {[...new Set([...among, now])]
          .sort((a, b) => a - b)
          .map((value) => (
            <option key={value} value={value} selected={value === now}>
              {value}
            </option>
          ))}
      </select>
    </label>
  );
  const picker = (name: string, label: string, kind: 'inputs' | 'outputs', now = '') => (
    <label>
      {label}
      <select name={name}>
        {isHardware && <option value="">The system’s default</option>}
        {names(kind).map((device) => (
          <option key={device.id} value={device.id} selected={device.name === now}>
            {device.name} ({device[kind]} ch{device.hostApi === '' ? '' : `, ${device.hostApi}`})
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <section class="panel" aria-labelledby="choice">
      <h2 id="choice">Play on</h2>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          model.run(() => select(form));
        }}
      >
        {devices === undefined && <p class="said">Looking for devices …</p>}
        {known.length > 0 && picker('input', 'Input', 'inputs', engine.device?.input)}
        {known.length > 0 && picker('output', 'Output', 'outputs', engine.device?.output)}
        {numbers('sampleRate', 'Sample rate, Hz', RATES, engine.sampleRate)}
        {numbers('blockSize', 'Block, frames', BLOCKS, engine.blockSize)}
        <button type="submit" disabled={busy}>
          {busy ? 'Opening …' : 'Open'}
        </button>
        <p class="said">
          Interrupts the sound. Where it does not open, the present one is opened again.
        </p>
      </form>
    </section>
  );
}

function Level({ model, engine }: Part) {
  const set = (input: Input<'output.set'>): void => model.run(() => model.client.output.set(input));
  return (
    <section class="panel" aria-labelledby="output">
      <h2 id="output">Output</h2>
      <div class="stack">
        <label>
          Gain before the limiter, dB
          <input
            type="text"
            inputMode="decimal"
            value={String(engine.gainDb).replace('-', '−')}
            onChange={(event) => {
              const gainDb = parseNumber(event.currentTarget.value);
              if (gainDb !== undefined) set({ gainDb });
              else event.currentTarget.value = String(engine.gainDb);
            }}
          />
        </label>
        <button
          type="button"
          aria-pressed={engine.muted}
          onClick={() => set({ muted: !engine.muted })}
        >
          {engine.muted ? 'Unmute the output' : 'Mute the output'}
        </button>
        <p class="said">Nothing louder than −1 dBFS leaves the limiter.</p>
      </div>
    </section>
  );
}

function Latency({ model, engine }: Part) {
  const [busy, setBusy] = useState(false);
  const [measured, setMeasured] = useState<Output<'devices.calibrate'>>();
  const measure = async (): Promise<void> => {
    setBusy(true);
    try {
      setMeasured(await model.client.devices.calibrate());
      await model.refresh();
    } finally {
      setBusy(false);
    }
  };
  const ms = (1000 * engine.latency) / engine.sampleRate;
  return (
    <section class="panel" aria-labelledby="latency">
      <h2 id="latency">Round trip</h2>
      <div class="stack">
        <p>
          {engine.latency === 0
            ? 'Not measured: nothing is put in its place.'
            : `${number(engine.latency)} frames, ${number(ms, 3)} ms, taken into account.`}
          {measured !== undefined && ` Peak ${number(measured.confidence, 2)} times the next.`}
        </p>
        <button type="button" disabled={busy} onClick={() => model.run(measure)}>
          {busy ? 'Listening …' : 'Measure it'}
        </button>
        <p class="said">
          Plays a probe on every output, and looks for it on the inputs: turn monitors down.
        </p>
      </div>
    </section>
  );
}

/** Noise or a sine on one output after the other. */
function Tone({ model, engine }: Part) {
  const [busy, setBusy] = useState(false);
  const [output, setOutput] = useState(0);
  const [signal, setSignal] = useState<'sine' | 'noise'>('noise');
  const play = async (): Promise<void> => {
    setBusy(true);
    try {
      await model.client.devices.test({
        signal,
        levelDb: -30,
        ...(output === 0 ? {} : { outputs: [output] }),
      });
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="panel" aria-labelledby="tone">
      <h2 id="tone">Test tone</h2>
      <div class="stack">
        <label>
          Output
          <select
            value={String(output)}
            onChange={({ currentTarget }) => setOutput(Number(currentTarget.value))}
          >
            <option value="0">All, one after the other</option>
            {Array.from({ length: engine.outputs }, (_, k) => (
              <option key={k} value={String(k + 1)}>
                {k + 1}
              </option>
            ))}
          </select>
        </label>
        <label>
          Signal
          <select
            value={signal}
            onChange={({ currentTarget }) =>
              setSignal(currentTarget.value === 'sine' ? 'sine' : 'noise')
            }
          >
            <option value="noise">Pink noise</option>
            <option value="sine">Sine, 1 kHz</option>
          </select>
        </label>
        <button type="button" disabled={busy || engine.muted} onClick={() => model.run(play)}>
          {busy ? 'Playing …' : 'Play it'}
        </button>
        <p class="said">
          {engine.muted
            ? 'The output is muted: unmute it to hear a tone.'
            : 'A second at −30 dBFS; the program waits meanwhile.'}
        </p>
      </div>
    </section>
  );
}

/** Which channels of the device the program hears and plays; typed, in order, from 1. */
function ChannelMap({ model, engine }: Part) {
  const set = (input: Input<'devices.map'>): void =>
    model.run(async () => {
      await model.client.devices.map(input);
      await model.refresh();
    });
  const entry = (
    label: string,
    now: readonly number[],
    count: number,
    take: (map: number[]) => void,
  ) => (
    <label>
      {label}
      <input
        type="text"
        value={(now.length > 0 ? now : Array.from({ length: count }, (_, k) => k + 1)).join(', ')}
        onChange={({ currentTarget }) => {
          const map = currentTarget.value
            .split(/[\s,;]+/u)
            .filter(Boolean)
            .map(Number);
          if (map.every((channel) => Number.isInteger(channel) && channel > 0)) take(map);
          else model.say(`${label}: expected numbers of channels, from 1`);
        }}
      />
    </label>
  );
  return (
    <section class="panel" aria-labelledby="map">
      <h2 id="map">Channels</h2>
      <div class="stack">
        {entry('Inputs of the program hear', engine.inputMap, engine.inputs, (inputs) =>
          set({ inputs }),
        )}
        {entry('Outputs of the program play on', engine.outputMap, engine.outputs, (outputs) =>
          set({ outputs }),
        )}
        <p class="said">
          Channels of the device, from 1, one for each of the program. Nothing: as they are.
        </p>
      </div>
    </section>
  );
}

/** What the host has kept, and what this page has seen; the newest first. */
function History({ model }: { readonly model: Model }) {
  const [events, setEvents] = useState<readonly EngineEvent[]>([]);
  useEffect(() => {
    let isOld = false;
    model.client.events.list().then(
      (answer) => !isOld && setEvents(answer.events),
      () => undefined,
    );
    const end = model.client.on('engine', (event) => setEvents((before) => [...before, event]));
    return () => {
      isOld = true;
      end();
    };
  }, [model]);
  const seen = model.states.map(({ state, reason, at }) => ({
    at,
    text: reason === null ? state : `${state}: ${reason}`,
    isBad: state !== 'running',
  }));
  const kept = events.map(({ time, kind, message }) => ({
    at: Date.parse(time),
    text: `${kind.replaceAll('-', ' ')}: ${message}`,
    isBad: !QUIET.has(kind),
  }));
  const rows = [...seen, ...kept].sort((a, b) => b.at - a.at).slice(0, 60);
  return (
    <section class="panel" aria-labelledby="history">
      <h2 id="history">What happened</h2>
      <ol class="history" tabIndex={0} aria-label="What happened to the engine">
        {rows.map(({ at, text, isBad }, k) => (
          <li key={`${at} ${k}`}>
            <time>{new Date(at).toLocaleTimeString('en-GB')}</time>{' '}
            <span class={isBad ? 'bad' : ''}>{text}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Nothing is wrong with these. */
const QUIET: ReadonlySet<EngineEvent['kind']> = new Set([
  'device-returned',
  'realtime',
  'revectorized',
]);
