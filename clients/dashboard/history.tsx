/**
 * What was learned before: the runs of the host, their curves over each other, their ends side by
 * side, and the values that were kept.
 *
 * Invariants: a run keeps its colour while it is chosen; what is deleted is asked for twice.
 */

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { Audition } from './audition.tsx';
import { duration, number, plural } from './format.ts';
import { useModel } from './hooks.ts';
import type { Model } from './model.ts';
import { LOG_AXIS, LOG_SCALE, Plot, positive, type Look } from './plot.tsx';
import { AXES, endOf, finalParams, firstChoice, MOST, overlay } from './runs.ts';
import { quantitiesOf, secondsOf, type Axis } from './runs.ts';
import { save } from './save.ts';
import { Snapshots } from './snapshots.tsx';
import { Delete } from './sure.tsx';
import type { Run, RunSeries } from './types.ts';

/** Points of a curve. */
const POINTS = 800;
/** While a run goes on it is asked for again, milliseconds. */
const AGAIN = 4000;
const PAGE = 50;

/** Places of colours, by run. */
type Chosen = ReadonlyMap<number, number>;

export function History({ model }: { readonly model: Model }) {
  useModel(model);
  const [runs, setRuns] = useState<readonly Run[]>();
  const [limit, setLimit] = useState(PAGE);
  const [chosen, setChosen] = useState<Chosen>(new Map());
  const asked = useRuns(model, limit, setRuns);
  const series = useSeries(model, chosen, runs ?? []);
  const [quantity, setQuantity] = useState('loss');
  const [axis, setAxis] = useState<Axis>('at');
  const patch = model.host?.patch.name;
  // As long as nobody has chosen, the newest are.
  const [isTouched, setTouched] = useState(false);
  const first = isTouched || runs === undefined ? [] : firstChoice(runs, patch);
  useEffect(() => {
    if (first.length > 0) setChosen((before) => chosenOf(first, before));
  }, [first.join()]);

  if (runs === undefined) return <p class="empty">{asked}</p>;
  const shown = runs.filter(({ run }) => chosen.has(run) && series.has(run));
  // All at once, so that nothing is pushed down.
  if (first.length > 0 && shown.length === 0) return <p class="empty">Reading curves …</p>;
  const curves = shown.map(({ run }) => series.get(run)!);
  const quantities = quantitiesOf(curves);
  const what = quantities.includes(quantity) ? quantity : 'loss';
  const colours = shown.map(({ run }) => chosen.get(run) ?? 0);
  const toggle = (run: number): void => {
    setTouched(true);
    setChosen(toggled(chosen, run));
  };

  return (
    <>
      <h1 class="sr">History</h1>
      {runs.length === 0 && <p class="empty">Nothing has been learned yet.</p>}
      {shown.length > 0 && (
        <section class="panel" aria-label="Curves">
          <div class="actions">
            <Choice label="Curve of" value={what} names={quantities} onChange={setQuantity} />
            <Choice
              label="over"
              value={axis}
              names={Object.keys(AXES)}
              words={AXES}
              onChange={(name) => setAxis(name as Axis)}
            />
          </div>
          <Curves
            model={model}
            curves={curves}
            colours={colours}
            names={shown.map(nameOf)}
            what={what}
            axis={axis}
          />
          <Comparison runs={shown} curves={curves} colours={colours} />
        </section>
      )}
      {runs.length > 0 && (
        <section class="panel" aria-labelledby="runs">
          <header>
            <h2 id="runs">Runs</h2>
            <span class="said">at most {MOST} are drawn</span>
          </header>
          <ul class="runs">
            {runs.map((run) => (
              <Row
                key={run.run}
                model={model}
                run={run}
                colour={chosen.get(run.run)}
                isFull={chosen.size >= MOST}
                onToggle={() => toggle(run.run)}
              />
            ))}
          </ul>
          {runs.length >= limit && (
            <button type="button" class="quiet" onClick={() => setLimit(limit + PAGE)}>
              Show older ones
            </button>
          )}
        </section>
      )}
      <Audition model={model} />
      <Snapshots model={model} />
    </>
  );
}

/** A run takes the first colour that is free. */
function toggled(chosen: Chosen, run: number): Chosen {
  const next = new Map(chosen);
  if (next.delete(run)) return next;
  const taken = new Set(next.values());
  const free = Array.from({ length: MOST }, (_, k) => k).find((k) => !taken.has(k));
  return free === undefined ? chosen : next.set(run, free);
}

/** These runs; those that were chosen before keep their colours. */
function chosenOf(runs: readonly number[], before: Chosen): Chosen {
  const kept: Chosen = new Map([...before].filter(([run]) => runs.includes(run)));
  return runs.reduce((all, run) => (all.has(run) ? all : toggled(all, run)), kept);
}

const timeOf = ({ began }: Run): string =>
  new Date(began).toLocaleString('en-GB', {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });

const nameOf = (run: Run): string => `${run.patch} ${run.began.slice(0, 19)}`;

/** @returns what is said while there are none */
function useRuns(model: Model, limit: number, take: (runs: readonly Run[]) => void): string {
  const [problem, setProblem] = useState('');
  useEffect(() => {
    let isOld = false;
    const ask = async (): Promise<void> => {
      try {
        const { runs } = await model.client.history.list({ limit });
        if (!isOld) take(runs);
      } catch (error) {
        setProblem(error instanceof Error ? error.message : String(error));
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), AGAIN);
    const end = model.client.on('change', ({ kind }) => kind === 'history.changed' && void ask());
    return () => {
      isOld = true;
      clearInterval(timer);
      end();
    };
  }, [model, limit]);
  return problem === '' ? 'Looking for runs …' : problem;
}

/** Asked for once, and again as long as a run goes on. */
function useSeries(
  model: Model,
  chosen: Chosen,
  runs: readonly Run[],
): ReadonlyMap<number, RunSeries> {
  const [known, setKnown] = useState<ReadonlyMap<number, RunSeries>>(new Map());
  const wanted = runs.filter(({ run }) => chosen.has(run));
  const key = wanted.map(({ run, points }) => `${run}:${points}`).join();
  useEffect(() => {
    let isOld = false;
    for (const { run, points } of wanted) {
      const had = known.get(run);
      if (had !== undefined && had.at.length >= Math.min(points, POINTS) && points <= POINTS)
        continue;
      model.client.history.get({ run, points: POINTS }).then(
        (series) => !isOld && setKnown((before) => new Map(before).set(run, series)),
        () => undefined,
      );
    }
    return () => void (isOld = true);
  }, [model, key]);
  return known;
}

// --- curves ------------------------------------------------------------------------------------

interface CurvesProps {
  readonly model: Model;
  readonly curves: readonly RunSeries[];
  readonly colours: readonly number[];
  readonly names: readonly string[];
  readonly what: string;
  readonly axis: Axis;
}

function Curves({ model, curves, colours, names, what, axis }: CurvesProps) {
  const [place, setPlace] = useState<number>();
  const isLog = what === 'loss' || what === 'rate';
  const [xs, ...columns] = overlay(curves, what, axis);
  const read = (column: readonly (number | null | undefined)[], index: number): number | null =>
    column.slice(0, index + 1).findLast((value) => value !== undefined) ?? null;
  return (
    <>
      <Plot
        model={model}
        title={`${what === 'loss' ? 'Loss' : what === 'rate' ? 'Learning rate' : what} of ${plural(curves.length, 'run')}, over ${AXES[axis]}`}
        name={`history-${what.replaceAll('/', '-')}`}
        shape={`${what}|${axis}|${colours.join()}`}
        height={{ wide: 320, narrow: 220 }}
        options={(look) => optionsOf(look, colours, isLog, axis)}
        data={() =>
          [
            xs,
            ...columns.map((column) =>
              isLog
                ? // What is not there stays so: a line passes over it.
                  column.map((value) =>
                    value === undefined ? value : (positive([value])[0] ?? null),
                  )
                : column,
            ),
          ] as uPlot.AlignedData
        }
        columns={() => ({
          [axis === 'step' ? 'steps' : 'seconds']: xs,
          ...Object.fromEntries(
            columns.map((column, k) => [names[k]!, column.map((value) => value ?? NaN)]),
          ),
        })}
        onCursor={(at) => setPlace(at?.index)}
      />
      <p class="reading" aria-live="off">
        {place === undefined || xs[place] === undefined ? (
          <span class="said">Point at the curves to read them</span>
        ) : (
          <>
            <span class="at">
              {axis === 'step' ? `step ${xs[place]}` : `${number(xs[place])} s`}
            </span>
            {columns.map((column, k) => (
              <span key={k} class={`c${colours[k] ?? 0}`}>
                <i class="swatch" /> {number(read(column, place))}
              </span>
            ))}
          </>
        )}
      </p>
    </>
  );
}

/** What hardly moves is not blown up: a hundredth of its size at least. */
const NEVER_FLAT: uPlot.Scale = {
  range: (_, low, high) => {
    const span = Math.max(high - low, 0.01 * Math.max(Math.abs(low), Math.abs(high)), 1e-9);
    const middle = (low + high) / 2;
    return [middle - 0.55 * span, middle + 0.55 * span];
  },
};
/** As many decimals as tell one line from the next. */
const PLAIN_AXIS: uPlot.Axis = {
  size: 64,
  values: (_, values, __, ___, step) => {
    const decimals = Math.min(9, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
    return values.map((value) => value.toFixed(decimals).replace('-', '−'));
  },
};
const FROM_ZERO: uPlot.Scale = { time: false, range: (_, __, high) => [0, Math.max(1, high)] };
/** The first points of a run are a tenth of a second in. */
const FROM_FIRST: uPlot.Scale = {
  time: false,
  distr: 3,
  range: (_, __, high) => [0.1, Math.max(1, high)],
};

function optionsOf(
  { axis, colour }: Look,
  colours: readonly number[],
  isLog: boolean,
  over: Axis,
): Omit<uPlot.Options, 'width' | 'height'> {
  return {
    scales: {
      x: over === 'log' ? FROM_FIRST : FROM_ZERO,
      y: isLog ? LOG_SCALE : NEVER_FLAT,
    },
    axes: [
      {
        ...axis,
        ...(over === 'log' ? { splits: LOG_AXIS.splits!, filter: (_, values) => values } : {}),
        size: 24,
        values: (_, values) =>
          values.map((x) => `${x.toLocaleString('en-GB')}${over === 'step' ? '' : ' s'}`),
      },
      { ...axis, ...(isLog ? LOG_AXIS : PLAIN_AXIS), scale: 'y' },
    ],
    series: [
      {},
      ...colours.map((k) => ({
        scale: 'y',
        stroke: colour(`--c${k}`),
        width: 1.5,
        spanGaps: true,
        points: { show: false },
      })),
    ],
  };
}

// --- ends --------------------------------------------------------------------------------------

interface ComparisonProps {
  readonly runs: readonly Run[];
  readonly curves: readonly RunSeries[];
  readonly colours: readonly number[];
}

function Comparison({ runs, curves, colours }: ComparisonProps) {
  const [all, setAll] = useState(false);
  const params = finalParams(curves);
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['Final loss', runs.map(({ last }) => number(last))],
    ['Lowest loss', runs.map(({ best }) => number(best))],
    ['Steps', runs.map(({ steps }) => steps.toLocaleString('en-GB'))],
    ['Duration', runs.map((run) => duration(secondsOf(run)))],
    ['Ended', runs.map(endOf)],
    ...params
      .slice(0, all ? params.length : 12)
      .map(([id, values]) => [id, values.map((value) => number(value))] as const),
  ];
  return (
    <div class="wide" tabIndex={0} role="group" aria-label="Comparison of runs">
      <table class="compare">
        <thead>
          <tr>
            <td />
            {runs.map((run, k) => (
              <th key={run.run} scope="col" class={`c${colours[k] ?? 0}`}>
                <i class="swatch" /> {run.patch}
                <small>{timeOf(run)}</small>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([term, values]) => (
            <tr key={term}>
              <th scope="row">{term}</th>
              {values.map((value, k) => (
                <td key={k}>{value}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {!all && params.length > 12 && (
        <button type="button" class="quiet" onClick={() => setAll(true)}>
          Show {params.length - 12} more
        </button>
      )}
    </div>
  );
}

// --- list --------------------------------------------------------------------------------------

interface RowProps {
  readonly model: Model;
  readonly run: Run;
  readonly colour: number | undefined;
  readonly isFull: boolean;
  readonly onToggle: () => void;
}

function Row({ model, run, colour, isFull, onToggle }: RowProps) {
  const { client } = model;
  const name = `${run.patch}, ${timeOf(run)}`;
  const save_ = (format: 'csv' | 'json') => () =>
    model.run(async () => {
      const { file, text } = await client.history.export({ run: run.run, format });
      save(file, new Blob([text], { type: format === 'csv' ? 'text/csv' : 'application/json' }));
    });
  return (
    <li class={colour === undefined ? '' : `c${colour}`}>
      <label class="switch">
        <input
          type="checkbox"
          aria-label={`Draw ${name}`}
          checked={colour !== undefined}
          disabled={colour === undefined && isFull}
          onChange={onToggle}
        />
        <i class="swatch" />
        <Name patch={run.patch}>{timeOf(run)}</Name>
      </label>
      <span class="facts">
        {number(run.last, 3)} after {plural(run.steps, 'step')}, {duration(secondsOf(run))},{' '}
        {endOf(run)}
      </span>
      <span class="tools">
        <button type="button" class="quiet" aria-label={`CSV of ${name}`} onClick={save_('csv')}>
          CSV
        </button>
        <button type="button" class="quiet" aria-label={`JSON of ${name}`} onClick={save_('json')}>
          JSON
        </button>
        <Delete
          name={name}
          onSure={() => model.run(() => client.history.delete({ run: run.run }))}
        />
      </span>
    </li>
  );
}

const Name = ({ patch, children }: { patch: string; children: ComponentChildren }) => (
  <span class="name">
    {patch} <small>{children}</small>
  </span>
);

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly names: readonly string[];
  readonly words?: Readonly<Record<string, string>>;
  readonly onChange: (name: string) => void;
}

function Choice({ label, value, names, words = {}, onChange }: ChoiceProps) {
  return (
    <label class="choice">
      {label}{' '}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {names.map((name) => (
          <option key={name} value={name}>
            {words[name] ?? name}
          </option>
        ))}
      </select>
    </label>
  );
}
