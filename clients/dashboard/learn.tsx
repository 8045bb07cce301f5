/**
 * The first view: what is learned and how it goes, in plain words, as a curve, and parameter by
 * parameter.
 */

import { useRef, useState } from 'preact/hooks';
import { Fader, place } from './fader.tsx';
import { duration, number, parseNumber, plural } from './format.ts';
import { useFrame, useModel } from './hooks.ts';
import { LossPlot } from './loss-plot.tsx';
import type { Host, Model } from './model.ts';
import { trendOf } from './series.ts';
import type { Param } from './types.ts';

/** Rows drawn before one asks for the others. */
const ROWS = 40;

export function Learn({ model }: { readonly model: Model }) {
  useModel(model);
  const targets = targetsOf(model);
  const [sorted, setSorted] = useState(false);
  const [all, setAll] = useState(false);
  const { host } = model;
  if (host === undefined) return null;
  const learnables = host.params
    .filter(({ kind }) => kind === 'learnable')
    .sort((a, b) => a.index - b.index);
  const ordered = sorted ? bySensitivity(learnables, model) : learnables;
  const rows = all ? ordered : ordered.slice(0, ROWS);
  const hidden = ordered.length - rows.length;

  return (
    <>
      <Headline model={model} host={host} count={learnables.length} />
      <Actions model={model} host={host} />
      {host.training.settings !== null && (
        <section class="panel" aria-label="Loss">
          <Figures model={model} />
          <LossPlot model={model} />
        </section>
      )}
      {learnables.length > 0 && (
        <section class="panel" aria-labelledby="parameters">
          <header>
            <h2 id="parameters">Parameters</h2>
            <label class="switch">
              <input
                type="checkbox"
                checked={sorted}
                onChange={(event) => setSorted(event.currentTarget.checked)}
              />
              most sensitive first
            </label>
          </header>
          <div class="rows">
            <div class="row heads" aria-hidden="true">
              <span>Name</span>
              <span>In its range</span>
              <span class="right">Value</span>
              <span>Gradient</span>
              <span>Last minute</span>
              <span>Learns</span>
              <span class="right">Rate ×</span>
            </div>
            {rows.map((param) => (
              <Row key={param.id} model={model} param={param} target={targets.get(param.id)} />
            ))}
          </div>
          {hidden > 0 && (
            <button type="button" class="quiet" onClick={() => setAll(true)}>
              Show {hidden} more
            </button>
          )}
        </section>
      )}
    </>
  );
}

// --- head --------------------------------------------------------------------------------------

interface Part {
  readonly model: Model;
  readonly host: Host;
}

function Headline({ model, host, count }: Part & { readonly count: number }) {
  const ref = useRef<HTMLHeadingElement>(null);
  const { training } = host;
  useFrame(
    model,
    () => {
      if (ref.current === null) return;
      const text = sentence(model, host, count);
      if (ref.current.textContent !== text) ref.current.textContent = text;
    },
    2,
  );
  return (
    <div class="headline">
      <h1 ref={ref} class={training.fault ? 'bad' : ''} />
      {training.cause !== null && <p class="bad">{training.cause.message}</p>}
      {training.settings === null && count === 0 && (
        <p>Choose a patch that learns, or make one of its sliders learnable, under Patch.</p>
      )}
    </div>
  );
}

/** learning 5 parameters from input 2: loss 0.0031, falling; 12 s */
function sentence(model: Model, host: Host, count: number): string {
  const { training } = host;
  const what = `${plural(count, 'parameter')}${sourceOf(host)}`;
  if (!model.live)
    return model.connection === 'open' ? 'No sound comes from the engine' : 'Offline';
  if (training.settings === null) return `Playing “${host.patch.title ?? host.patch.name}”`;
  const loss = model.loss === null ? '' : `loss ${number(model.loss, 3)}`;
  if (training.fault) return `Stopped by a guard; ${loss}`;
  if (!training.running) return `Not learning: ${what}${loss === '' ? '' : `, ${loss}`}`;
  if (training.waiting) return `Waiting to learn ${what}: unmute the output to begin`;
  const trend = trendOf(model.losses.column(1));
  const { window, every = 1 } = training.settings;
  const seconds = (model.step * window * every) / host.status.engine.sampleRate;
  return `Learning ${what}: ${loss}${trend === undefined ? '' : `, ${trend}`}; ${duration(seconds)}`;
}

/** Where the target comes from, where that is an input. */
function sourceOf({ patch, training }: Host): string {
  const target: unknown = training.settings?.target;
  if (typeof target !== 'string') return '';
  const node = patch.nodes?.[target];
  if (node?.op === 'input') return ` from input ${node.channel}`;
  const faust = /^in(\d+)$/u.exec(target)?.[1];
  return faust === undefined ? ` from “${target}”` : ` from input ${faust}`;
}

function Actions({ model, host }: Part) {
  const { client } = model;
  const { running, settings } = host.training;
  const disabled = settings === null;
  const { undo } = model.edits;
  // Learning that began before the page was opened is one step of the host's, once it has stopped.
  const canGoBack = model.mark !== undefined || running || undo?.startsWith('learn ') === true;
  const rollBack = async (): Promise<void> => {
    const { mark } = model;
    if (running) await client.training.stop();
    if (mark !== undefined) return void (await client.params.update({ values: mark }));
    const { undo } = await client.edits.list();
    if (undo[0]?.startsWith('learn ') === true) await client.edits.undo();
    else model.say('Nothing has been learned since the host started', 'said');
    return undefined;
  };
  const learnables = host.params.filter(({ kind }) => kind === 'learnable');
  const isFrozen = learnables.length > 0 && learnables.every(({ frozen }) => frozen);
  const freeze = (): Promise<unknown> =>
    client.params.update({
      frozen: Object.fromEntries(learnables.map(({ id }) => [id, !isFrozen])),
    });
  return (
    <div class="actions reach" role="group" aria-label="Training">
      <button
        type="button"
        class={running ? 'main on' : 'main'}
        disabled={disabled}
        onClick={() =>
          model.run(() => (running ? client.training.stop() : client.training.start()))
        }
      >
        {running ? 'Stop' : 'Start'}
      </button>
      <button
        type="button"
        disabled={disabled || learnables.length === 0}
        aria-pressed={isFrozen}
        title="All parameters keep their values; the loss is still measured"
        onClick={() => model.run(freeze)}
      >
        {isFrozen ? 'Unfreeze' : 'Freeze'}
      </button>
      <button
        type="button"
        disabled={disabled || !canGoBack}
        title="Stop, and put the parameters back to where they were when learning began"
        onClick={() => model.run(rollBack)}
      >
        Roll back
      </button>
      <button
        type="button"
        disabled={disabled}
        title="The optimiser forgets and its schedule begins again; parameters stay"
        onClick={() => model.run(() => client.training.restart())}
      >
        Restart optimiser
      </button>
      <button
        type="button"
        disabled={disabled}
        title="Parameters that are not frozen go back to their initial values"
        onClick={() => {
          model.setMark();
          model.run(() => client.training.reset());
        }}
      >
        Reset
      </button>
    </div>
  );
}

function Figures({ model }: { readonly model: Model }) {
  const loss = useRef<HTMLElement>(null);
  const rate = useRef<HTMLElement>(null);
  const step = useRef<HTMLElement>(null);
  useFrame(
    model,
    () => {
      if (loss.current) loss.current.textContent = number(model.loss, 3);
      if (rate.current) rate.current.textContent = number(model.learningRate, 3);
      if (step.current) step.current.textContent = model.step.toLocaleString('en-GB');
    },
    6,
  );
  return (
    <dl class="figures">
      <div class="loss">
        <dt>Loss</dt>
        <dd ref={loss} />
      </div>
      <div class="rate">
        <dt>Learning rate</dt>
        <dd ref={rate} />
      </div>
      <div>
        <dt>Steps</dt>
        <dd ref={step} />
      </div>
    </dl>
  );
}

// --- rows --------------------------------------------------------------------------------------

interface RowProps {
  readonly model: Model;
  readonly param: Param;
  readonly target: (() => number | undefined) | undefined;
}

function Row({ model, param, target }: RowProps) {
  const { id, frozen, rate } = param;
  const { client } = model;
  return (
    <div class={frozen ? 'row frozen' : 'row'} role="group" aria-label={id}>
      <span class="name" title={param.doc ?? id}>
        {id}
      </span>
      <Fader model={model} param={param} label={id} target={target} />
      <Gradient model={model} id={id} />
      <Trace model={model} param={param} />
      <label class="switch" title="Off: it keeps its value while the others learn">
        <input
          type="checkbox"
          checked={!frozen}
          aria-label={`${id} learns`}
          onChange={(event) => {
            const frozen = !event.currentTarget.checked;
            model.run(() => client.params.set({ id, frozen }));
          }}
        />
        <span class="narrow">learns</span>
      </label>
      <label class="own-rate">
        <span class="narrow">rate ×</span>
        <input
          class="factor"
          type="text"
          value={String(rate ?? 1)}
          aria-label={`${id}, factor of the learning rate`}
          onChange={(event) => {
            const input = event.currentTarget;
            const factor = parseNumber(input.value);
            if (factor !== undefined) model.run(() => client.params.set({ id, rate: factor }));
            input.value = String(factor ?? rate ?? 1);
          }}
        />
      </label>
    </div>
  );
}

/** To the right where the loss rises with the parameter; full at its largest of late. */
function Gradient({ model, id }: { readonly model: Model; readonly id: string }) {
  const ref = useRef<HTMLSpanElement>(null);
  const draw = (): void => {
    if (ref.current === null) return;
    const peak = model.peaks.get(id) ?? 0;
    place(ref.current, '--at', peak > 0 ? (model.gradients.get(id) ?? 0) / peak : 0);
  };
  useFrame(model, draw, 60, ref);
  return <span ref={ref} class="gradient" aria-hidden="true" />;
}

const WIDTH = 110;
const TALL = 22;
/** Points from one edge to the other: a minute. */
const POINTS = 119;

/** As a line of the page, not a canvas: a hundred canvases are a hundred layers. */
function Trace({ model, param }: { readonly model: Model; readonly param: Param }) {
  const ref = useRef<SVGSVGElement>(null);
  const line = useRef<SVGPolylineElement>(null);
  const draw = (): void => {
    const values = model.traces.get(param.id)?.column(0) ?? new Float64Array();
    const low = Math.min(...values);
    const high = Math.max(...values);
    // Not less than a hundredth of the range: what stands still is a straight line.
    const span = Math.max(high - low, 0.01 * (param.max - param.min));
    const middle = (low + high) / 2;
    const places = Array.from(values, (value, k) => {
      const x = WIDTH - 1.5 - ((values.length - 1 - k) * (WIDTH - 3)) / POINTS;
      return `${x.toFixed(1)},${(TALL / 2 - ((value - middle) / span) * (TALL - 4)).toFixed(1)}`;
    });
    line.current?.setAttribute('points', places.join(' '));
  };
  useFrame(model, draw, 2, ref);
  return (
    <svg ref={ref} class="trace" viewBox={`0 0 ${WIDTH} ${TALL}`} aria-hidden="true">
      <polyline ref={line} />
    </svg>
  );
}

/** A parameter that moves the loss much over its range comes first. */
function bySensitivity(params: readonly Param[], model: Model): Param[] {
  const weight = ({ id, min, max }: Param): number => (model.peaks.get(id) ?? 0) * (max - min);
  return [...params].sort((a, b) => weight(b) - weight(a));
}

/** What the parameters are to become, as far as the patch says it: a number, or a slider's value. */
function targetsOf(model: Model): ReadonlyMap<string, () => number | undefined> {
  return new Map(
    (model.host?.patch.expect ?? []).flatMap(({ param, value }) => {
      if (param === undefined) return [];
      return [
        [param, () => (typeof value === 'number' ? value : model.values.get(value))] as const,
      ];
    }),
  );
}
