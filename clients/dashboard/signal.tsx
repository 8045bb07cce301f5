/**
 * What the program hears and makes: target, estimate and error over time and by frequency, how loud
 * they are, and how late one comes after the other.
 *
 * Invariants: pictures are asked for while the view is open, and no longer; frozen, they stay as they
 * were, whatever the host does; frames of another program than the one whose signals are listed are
 * left out.
 */

import type { RefObject } from 'preact';
import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { decodeScope, decodeSpectrum, type Scope, type Spectrum } from '../sdk/client.ts';
import { decibels, number } from './format.ts';
import { paceOf, useFrame, useModel } from './hooks.ts';
import { Levels } from './levels.tsx';
import type { Model } from './model.ts';
import { Plot, type Look, type Place } from './plot.tsx';
import {
  beginOf,
  colourOf,
  firstShown,
  FREQUENCIES,
  frequenciesOf,
  FULL_SCALE,
  fullScale,
  levelsAround,
  linesOf,
  hertz,
  peakOf,
  phaseOf,
  rmsOf,
  shownOf,
  titleOf,
} from './signals.ts';
import type { SignalList } from './types.ts';

const RATE = 30;
/** The delay is measured at every question, milliseconds. */
const ASK_EVERY = 1000;

interface Pictures {
  scope: Scope | undefined;
  spectrum: Spectrum | undefined;
}

export function Signal({ model }: { readonly model: Model }) {
  useModel(model);
  const list = useSignals(model);
  const pictures = useRef<Pictures>({ scope: undefined, spectrum: undefined });
  const [isFrozen, setFrozen] = useState(false);
  const [hidden, setHidden] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [isSteady, setSteady] = useState(true);
  usePictures(model, list?.program, isFrozen, pictures);
  if (list === undefined) return <p class="empty">Looking for signals …</p>;
  const first = firstShown(list.signals);
  const shown = list.signals.map(({ id }) => !(hidden.get(id) ?? !first.has(id)));
  return (
    <>
      <h1 class="sr">Signal</h1>
      <div class="actions" role="group" aria-label="Pictures">
        <button
          type="button"
          class="main freeze"
          aria-pressed={isFrozen}
          onClick={() => setFrozen(!isFrozen)}
        >
          {isFrozen ? 'Go on' : 'Freeze'}
        </button>
        {list.signals.map((signal, k) => (
          <button
            key={signal.id}
            type="button"
            class={`legend c${colourOf(signal, k)}`}
            aria-pressed={shown[k]}
            onClick={() => setHidden(new Map(hidden).set(signal.id, shown[k] === true))}
          >
            <i class="swatch" /> {titleOf(signal)}
            <Loudness model={model} pictures={pictures} place={k} />
          </button>
        ))}
        <label class="switch">
          <input
            type="checkbox"
            checked={isSteady}
            onChange={(event) => setSteady(event.currentTarget.checked)}
          />
          hold still
        </label>
      </div>
      <ScopePlot {...{ model, list, shown, pictures, isSteady }} />
      <SpectrumPlot {...{ model, list, shown, pictures }} />
      <div class="groups">
        <Alignment model={model} list={list} />
        <Levels model={model} title="Channels of the device" />
      </div>
    </>
  );
}

/** Asked for again and again: its delay is of the newest second. */
function useSignals(model: Model): SignalList | undefined {
  const [list, setList] = useState<SignalList>();
  const program = model.host?.program;
  useEffect(() => {
    let isOld = false;
    const ask = (): void => {
      if (document.hidden) return;
      model.client.signals.list().then(
        (answer) => !isOld && setList(answer),
        () => undefined,
      );
    };
    ask();
    const timer = setInterval(ask, ASK_EVERY);
    return () => {
      isOld = true;
      clearInterval(timer);
    };
  }, [model, program]);
  return list;
}

function usePictures(
  model: Model,
  program: number | undefined,
  isFrozen: boolean,
  pictures: RefObject<Pictures>,
): void {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const taken = pictures.current;
    if (taken === null || isFrozen || program === undefined) return undefined;
    let isFirst = true;
    return model.client.subscribe(
      { topics: ['scope', 'spectrum'], rate: paceOf(RATE) },
      (frame) => {
        if (frame.program !== program) return;
        if (frame.topic === 'scope') taken.scope = decodeScope(frame.values);
        else if (frame.topic === 'spectrum') taken.spectrum = decodeSpectrum(frame.values);
        else return;
        if (isFirst) redraw(undefined);
        isFirst = false;
      },
    );
  }, [model, program, isFrozen]);
}

// --- plots -------------------------------------------------------------------------------------

interface PlotProps {
  readonly model: Model;
  readonly list: SignalList;
  readonly shown: readonly boolean[];
  readonly pictures: RefObject<Pictures>;
}

const HEIGHT = { wide: 240, narrow: 180 };

function ScopePlot(props: PlotProps & { readonly isSteady: boolean }) {
  const { model, list, shown, pictures, isSteady } = props;
  const scale = useRef(1);
  const cursor = useRef<Place>(undefined);
  const [mark, setMark] = useState<number>();
  const table = (): readonly [Float64Array, ...Float32Array[]] => {
    const { signals, samplesPerPoint } = pictures.current?.scope ?? NO_SCOPE;
    const points = signals[0]?.length ?? 0;
    const count = isSteady ? shownOf(points) : points;
    // Held by what is learned, else by the first that there is.
    const lead = signals.find((_, k) => shown[k]) ?? signals[0];
    const from = isSteady && lead !== undefined ? beginOf(lead, count) : 0;
    const step = (1000 * samplesPerPoint) / list.sampleRate;
    const xs = Float64Array.from({ length: count }, (_, k) => k * step);
    return [xs, ...signals.map((signal) => signal.subarray(from, from + count))];
  };
  return (
    <section class="panel" aria-label="Scope">
      <Plot
        model={model}
        title="Signals over time"
        name="scope"
        shape={`${shown.join()}|${list.signals.map(({ id }) => id).join()}`}
        rate={RATE}
        height={HEIGHT}
        options={({ axis, colour }) => ({
          scales: { x: { time: false }, y: { range: () => [-scale.current, scale.current] } },
          axes: [
            { ...axis, size: 24, values: (_, values) => values.map((ms) => `${ms} ms`) },
            { ...axis, size: 46 },
          ],
          series: seriesOf(list, shown, colour),
        })}
        data={() => {
          const [xs, ...columns] = table();
          const peak = Math.max(0, ...columns.filter((_, k) => shown[k]).map(peakOf));
          scale.current = fullScale(peak, scale.current);
          return [xs, ...filled(columns, list, xs.length)];
        }}
        columns={() => {
          const [xs, ...columns] = table();
          return namedColumns('ms', xs, columns, list);
        }}
        onCursor={(place) => void (cursor.current = place)}
        onMark={({ x }) => setMark(mark === undefined ? x : undefined)}
      />
      <Reading
        model={model}
        list={list}
        shown={shown}
        hint="Point at the signals to read them; press to measure from there"
        read={() => {
          const at = cursor.current;
          if (at === undefined) return undefined;
          const [xs, ...columns] = table();
          const x = xs[at.index] ?? at.x;
          const away = mark === undefined ? '' : `, ${fixed(x - mark, 2)} ms from the mark`;
          return {
            place: `${fixed(x, 2)} ms${away}`,
            values: columns.map((column) => fixed(column[at.index] ?? NaN, 4)),
          };
        }}
      />
    </section>
  );
}

function SpectrumPlot({ model, list, shown, pictures }: PlotProps) {
  const range = useRef(FULL_SCALE);
  const cursor = useRef<Place>(undefined);
  const [mark, setMark] = useState<number>();
  const table = (): readonly [readonly number[], ...Float32Array[]] => {
    const { signals, binHz } = pictures.current?.spectrum ?? NO_SPECTRUM;
    const xs = frequenciesOf(binHz, signals[0]?.length ?? 0);
    return [xs, ...signals.map((signal) => signal.subarray(1))];
  };
  return (
    <section class="panel" aria-label="Spectrum">
      <Plot
        model={model}
        title="Spectra, dB of full scale"
        name="spectrum"
        shape={`${shown.join()}|${list.signals.map(({ id }) => id).join()}|${list.sampleRate}`}
        rate={RATE}
        height={HEIGHT}
        options={({ axis, colour }) => ({
          scales: {
            x: { time: false, distr: 3, range: () => [40, list.sampleRate / 2] },
            y: { range: () => [...range.current] },
          },
          axes: [
            {
              ...axis,
              size: 24,
              splits: () => FREQUENCIES.filter((hz) => hz < list.sampleRate / 2),
              filter: (_, values) => values,
              values: (_, values) => values.map(hertz),
            },
            {
              ...axis,
              size: 46,
              splits: (_, __, low, high) => linesOf(low, high),
              values: (_, values) => values.map((db) => String(db).replace('-', '−')),
            },
          ],
          series: seriesOf(list, shown, colour),
        })}
        data={() => {
          const [xs, ...columns] = table();
          const peaks = columns.filter((_, k) => shown[k]).map((column) => Math.max(...column));
          range.current = levelsAround(Math.max(-Infinity, ...peaks), range.current);
          return [xs as number[], ...filled(columns, list, xs.length)];
        }}
        columns={() => {
          const [xs, ...columns] = table();
          return namedColumns('Hz', xs, columns, list);
        }}
        onCursor={(place) => void (cursor.current = place)}
        onMark={({ x }) => setMark(mark === undefined ? x : undefined)}
      />
      <Reading
        model={model}
        list={list}
        shown={shown}
        hint="Point at the spectra to read them; press to measure from there"
        read={() => {
          const at = cursor.current;
          if (at === undefined) return undefined;
          const [xs, ...columns] = table();
          const x = xs[at.index] ?? at.x;
          const away =
            mark === undefined ? '' : `, ${fixed(12 * Math.log2(x / mark), 2)} semitones away`;
          const phase =
            list.delay === null
              ? ''
              : `, estimate ${fixed(-phaseOf(x, list.delay, list.sampleRate), 0)}°`;
          return {
            place: `${fixed(x, 1)} Hz${away}${phase}`,
            values: columns.map((column) => `${fixed(column[at.index] ?? NaN, 1)} dB`),
          };
        }}
      />
    </section>
  );
}

const NO_SCOPE: Scope = { samplesPerPoint: 1, signals: [] };
const NO_SPECTRUM: Spectrum = { binHz: 1, signals: [] };

const seriesOf = (
  { signals }: SignalList,
  shown: readonly boolean[],
  colour: Look['colour'],
): uPlot.Series[] => [
  {},
  ...signals.map((signal, k) => ({
    show: shown[k] === true,
    stroke: colour(`--c${colourOf(signal, k)}`),
    width: signal.kind === 'error' ? 1 : 1.5,
    points: { show: false },
  })),
];

/** A column for each signal that is listed, also before there is a picture. */
const filled = (
  columns: readonly Float32Array[],
  { signals }: SignalList,
  points: number,
): Float32Array[] => signals.map((_, k) => columns[k] ?? new Float32Array(points));

const namedColumns = (
  name: string,
  xs: ArrayLike<number>,
  columns: readonly Float32Array[],
  { signals }: SignalList,
): Record<string, ArrayLike<number>> => ({
  [name]: xs,
  ...Object.fromEntries(columns.map((column, k) => [signals[k]?.id ?? `signal ${k + 1}`, column])),
});

/** Always as many digits, and a sign that takes its place. */
function fixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return '–';
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

interface ReadingProps {
  readonly model: Model;
  readonly list: SignalList;
  readonly shown: readonly boolean[];
  readonly hint: string;
  readonly read: () => { readonly place: string; readonly values: readonly string[] } | undefined;
}

/** Written eight times a second: the cursor may stand while signals move. */
function Reading({ model, list, shown, hint, read }: ReadingProps) {
  const place = useRef<HTMLSpanElement>(null);
  const values = useRef<(HTMLElement | null)[]>([]);
  const draw = (): void => {
    const said = read();
    if (place.current) place.current.textContent = said?.place ?? hint;
    place.current?.classList.toggle('said', said === undefined);
    values.current.forEach((value, k) => {
      if (value === null) return;
      value.textContent = said?.values[k] ?? '';
      value.parentElement!.hidden = said === undefined;
    });
  };
  useFrame(model, draw, 8);
  return (
    <p class="reading">
      <span class="at" ref={place} />
      {list.signals.map(
        (signal, k) =>
          shown[k] && (
            <span key={signal.id} class={`c${colourOf(signal, k)}`} hidden>
              <i class="swatch" /> <span ref={(span) => void (values.current[k] = span)} />
            </span>
          ),
      )}
    </p>
  );
}

/** RMS of a picture. */
function Loudness(props: Pick<PlotProps, 'model' | 'pictures'> & { readonly place: number }) {
  const { model, pictures, place } = props;
  const ref = useRef<HTMLElement>(null);
  useFrame(
    model,
    () => {
      const signal = pictures.current?.scope?.signals[place];
      const level = signal === undefined ? NaN : decibels(rmsOf(signal));
      if (ref.current === null) return;
      ref.current.textContent = level === -Infinity ? '−∞ dB' : `${fixed(level, 1)} dB`;
    },
    4,
  );
  return <small ref={ref} class="loudness" />;
}

function Alignment({ model, list }: { readonly model: Model; readonly list: SignalList }) {
  const { delay, confidence, sampleRate } = list;
  const engine = model.host?.status.engine;
  const late =
    delay === null
      ? 'No delay between target and estimate is clear.'
      : delay === 0
        ? 'Target and estimate are in line.'
        : `The estimate is ${delay > 0 ? 'late' : 'early'} by ${number(Math.abs(delay))} samples, ${number((1000 * Math.abs(delay)) / sampleRate, 3)} ms.`;
  return (
    <section class="panel" aria-labelledby="alignment">
      <h2 id="alignment">Alignment</h2>
      <p role="status">{late}</p>
      <div class="meter">
        <span class="name">Confidence</span>
        <div
          class="bar"
          aria-hidden="true"
          style={`--at:${Math.max(0, Math.min(1, confidence))}`}
        ></div>
        <span class="value">{confidence.toFixed(2)}</span>
      </div>
      <p class="said">
        {engine === undefined || engine.latency === 0
          ? 'The round trip of the device has not been measured; Device does it.'
          : `The round trip of the device, ${engine.latency} frames, is taken into account.`}
      </p>
    </section>
  );
}
