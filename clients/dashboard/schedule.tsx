/**
 * The learning-rate schedule: where it is, and another one, shaped by its points and numbers before
 * it is used, without a jump.
 *
 * Invariants: every curve is the host's own preview; nothing changes on the host before one says so.
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Input } from '../sdk/client.ts';
import { number, parseNumber } from './format.ts';
import { useFrame, useModel } from './hooks.ts';
import type { Model } from './model.ts';
import { csvOf, pictureOf, save } from './save.ts';
import { draftOf, fieldsOf, KINDS, KIND_NAMES, pointsOf, round, spanOf } from './schedules.ts';
import type { Kind, Place, Point } from './schedules.ts';
import type { Schedule as Document } from './types.ts';

const COUNT = 240;

interface Curve {
  readonly stride: number;
  readonly rates: readonly number[];
}

export function Schedule({ model }: { readonly model: Model }) {
  useModel(model);
  const used = model.host?.training.schedule;
  const [draft, setDraft] = useState<Document>();
  const [isSmooth, setSmooth] = useState(true);
  const shown = draft ?? used ?? undefined;
  const position = Math.max(0, model.step - (used?.start ?? 0));
  const wide = shown === undefined ? 1 : Math.max(spanOf(shown), draft ? 0 : 1.25 * position);
  // In steps of an octave, so that a running curve is asked for now and then only.
  const span = draft === undefined ? spanAbove(wide) : wide;
  const [curve, problem] = usePreview(model, shown, span);
  if (used === undefined || used === null || shown === undefined) {
    return <p class="empty">This patch does not learn, so it has no schedule.</p>;
  }
  const window = windowSeconds(model);
  const glideSteps = Math.max(1, Math.round(1 / Math.max(window, 1e-6)));
  const use = async (): Promise<void> => {
    if (draft === undefined) return;
    const change = { ...draft, begin: 'now', ...(isSmooth ? { glideSteps } : {}) };
    await model.client.schedule.set(change as Input<'schedule.set'>);
    await model.refresh();
    setDraft(undefined);
  };
  return (
    <>
      <h1 class="sr">Schedule</h1>
      <Position model={model} schedule={used} />
      <section class="panel" aria-label="Curve of the learning rate">
        <Plot
          model={model}
          schedule={shown}
          curve={curve}
          span={span}
          window={window}
          position={draft === undefined ? () => model.step - (used.start ?? 0) : undefined}
          onChange={setDraft}
        />
        <div class="saves">
          <button type="button" class="quiet" onClick={() => saveTable(curve, window)}>
            Save CSV
          </button>
          <button
            type="button"
            class="quiet"
            onClick={() => model.run(() => savePicture(curve, span))}
          >
            Save PNG
          </button>
        </div>
        {problem !== '' && <p class="bad">{problem}</p>}
      </section>
      <section class="panel" aria-label="Shape">
        <div class="shape">
          <label>
            Kind
            <select
              value={shown.kind}
              onChange={(event) => setDraft(draftOf(event.currentTarget.value as Kind, shown))}
            >
              {KIND_NAMES.map((kind) => (
                <option key={kind} value={kind}>
                  {KINDS[kind].title}
                </option>
              ))}
            </select>
          </label>
          {fieldsOf(shown).map(({ name, label, isWhole }) => {
            const value = (shown as unknown as Record<string, number | undefined>)[name];
            return (
              <label key={name}>
                {label}
                <input
                  type="text"
                  inputMode="decimal"
                  value={value === undefined ? '' : String(value)}
                  onChange={(event) => {
                    const typed = parseNumber(event.currentTarget.value);
                    if (typed === undefined)
                      return (event.currentTarget.value = String(value ?? ''));
                    const next = isWhole ? Math.round(typed) : typed;
                    return setDraft({ ...shown, [name]: next });
                  }}
                />
              </label>
            );
          })}
        </div>
        <div class="actions">
          <button
            type="button"
            class="main"
            disabled={draft === undefined || problem !== ''}
            onClick={() => model.run(use)}
          >
            Use it from now on
          </button>
          <button type="button" disabled={draft === undefined} onClick={() => setDraft(undefined)}>
            Discard
          </button>
          <label class="switch">
            <input
              type="checkbox"
              checked={isSmooth}
              onChange={(event) => setSmooth(event.currentTarget.checked)}
            />
            go over in a second, without a jump
          </label>
        </div>
      </section>
    </>
  );
}

/** Seconds of a step. */
function windowSeconds({ host }: Model): number {
  const { window = 256, every = 1 } = host?.training.settings ?? {};
  return (window * every) / (host?.status.engine.sampleRate ?? 48_000);
}

function saveTable(curve: Curve | undefined, window: number): void {
  const rates = curve?.rates ?? [];
  const steps = rates.map((_, k) => k * (curve?.stride ?? 1));
  const columns = { step: steps, seconds: steps.map((step) => step * window), rate: rates };
  save('schedule.csv', new Blob([csvOf(columns)], { type: 'text/csv' }));
}

/** As on the page, without its handles, twice as fine. */
async function savePicture(curve: Curve | undefined, span: number): Promise<void> {
  const [width, height, margin] = [1600, 800, 80];
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  if (context === null || curve === undefined) return;
  const axes = axesOf(curve, [], span);
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const yOf = (rate: number): number =>
    height - margin - heightOf(rate, axes) * (height - 2 * margin);
  const xOf = (step: number): number => margin + (step / axes.span) * (width - 2 * margin);
  context.font = `22px ${colour('--font')}`;
  context.fillStyle = colour('--dim');
  context.strokeStyle = colour('--grid');
  for (const rate of decadesOf(axes)) {
    context.strokeRect(margin, yOf(rate), width - 2 * margin, 0);
    context.fillText(number(rate, 2), 4, yOf(rate) + 8);
  }
  context.fillText(`${Math.round(axes.span)} steps`, width - 2 * margin - 40, height - margin / 2);
  context.strokeStyle = colour('--second');
  context.lineWidth = 4;
  context.beginPath();
  curve.rates.forEach((rate, k) => {
    if (k * curve.stride <= axes.span) context.lineTo(xOf(k * curve.stride), yOf(rate));
  });
  context.stroke();
  save('schedule.png', await pictureOf(canvas, colour('--panel')));
}

const spanAbove = (steps: number): number => 2 ** Math.ceil(Math.log2(Math.max(64, steps)));

function Position({ model, schedule }: { readonly model: Model; readonly schedule: Document }) {
  const ref = useRef<HTMLParagraphElement>(null);
  useFrame(
    model,
    () => {
      if (ref.current === null) return;
      const gone = Math.max(0, model.step - (schedule.start ?? 0));
      const { title } = KINDS[schedule.kind];
      ref.current.textContent = `In use: ${title}, rate ${number(model.learningRate, 3)}, ${gone.toLocaleString('en-GB')} steps since it began`;
    },
    4,
  );
  return <p ref={ref} class="lead" />;
}

/** The host's rates of a schedule from its beginning on; asked for when it has stood still. */
function usePreview(
  model: Model,
  schedule: Document | undefined,
  span: number,
): [Curve | undefined, string] {
  const [curve, setCurve] = useState<Curve>();
  const [problem, setProblem] = useState('');
  const key = JSON.stringify([schedule, span]);
  useEffect(() => {
    if (schedule === undefined) return undefined;
    let isOld = false;
    const timer = setTimeout(async () => {
      const stride = Math.max(1, Math.ceil(span / COUNT));
      const { start: _start, glide: _glide, ...bare } = schedule;
      try {
        const rates = await model.client.schedule.preview({
          schedule: bare,
          from: 0,
          count: COUNT + 1,
          stride,
        });
        if (isOld) return;
        setCurve({ stride, rates });
        setProblem('');
      } catch (error) {
        if (!isOld) setProblem(error instanceof Error ? error.message : String(error));
      }
    }, 60);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [key]);
  return [curve, problem];
}

// --- plot --------------------------------------------------------------------------------------

interface PlotProps {
  readonly model: Model;
  readonly schedule: Document;
  readonly curve: Curve | undefined;
  readonly span: number;
  /** Seconds of a step. */
  readonly window: number;
  /** Steps since it began, while it is the one in use. */
  readonly position: (() => number) | undefined;
  readonly onChange: (schedule: Document) => void;
}

function Plot({ model, schedule, curve, span, window, position, onChange }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const marker = useRef<HTMLSpanElement>(null);
  // While a point is dragged the axes stand still.
  const held = useRef<Axes>(undefined);
  const points = pointsOf(schedule);
  const axes = held.current ?? axesOf(curve, points, span);
  useFrame(model, () => {
    if (marker.current === null || position === undefined) return;
    const place = Math.min(1, Math.max(0, position() / axes.span));
    marker.current.style.left = `${(100 * place).toFixed(2)}%`;
  });
  const path = (curve?.rates ?? [])
    .map((rate, k) => [(k * (curve?.stride ?? 1)) / axes.span, heightOf(rate, axes)] as const)
    .filter(([x]) => x <= 1)
    .map(([x, y]) => `${(1000 * x).toFixed(1)},${(1000 * (1 - y)).toFixed(1)}`)
    .join(' ');
  const grab = (k: number) => (event: PointerEvent) => {
    const handle = event.currentTarget as HTMLElement;
    const area = box.current?.getBoundingClientRect();
    if (area === undefined) return;
    held.current = axes;
    handle.setPointerCapture(event.pointerId);
    const onMove = ({ clientX, clientY }: PointerEvent): void => {
      const place = placeAt(
        (clientX - area.left) / area.width,
        1 - (clientY - area.top) / area.height,
        axes,
      );
      const point = points[k];
      if (point !== undefined) onChange(moved(point, place));
    };
    const end = (): void => {
      held.current = undefined;
      handle.removeEventListener('pointermove', onMove);
      handle.removeEventListener('pointerup', end);
      handle.removeEventListener('pointercancel', end);
    };
    handle.addEventListener('pointermove', onMove);
    handle.addEventListener('pointerup', end);
    handle.addEventListener('pointercancel', end);
  };
  const seconds = axes.span * window;
  return (
    <figure class="curve">
      <div class="scale" aria-hidden="true">
        <span>{number(axes.high, 2)}</span>
        <span>{number(axes.low, 2)}</span>
      </div>
      <div ref={box} class="area">
        <svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">
          {decadesOf(axes).map((rate) => {
            const y = 1000 * (1 - heightOf(rate, axes));
            return <line key={rate} class="rule" x1="0" x2="1000" y1={y} y2={y} />;
          })}
          <polyline class="line" points={path} />
        </svg>
        {position !== undefined && <span ref={marker} class="now" />}
        {points.map((point, k) => (
          <button
            type="button"
            key={point.label}
            class={`handle ${point.moves}`}
            style={`left:${100 * Math.min(1, point.step / axes.span)}%;top:${100 * (1 - heightOf(point.rate, axes))}%`}
            aria-label={`${point.label}: step ${Math.round(point.step)}, rate ${number(point.rate, 3)}; arrow keys move it`}
            title={`${point.label}: step ${Math.round(point.step)}, rate ${number(point.rate, 3)}`}
            onPointerDown={grab(k)}
            onKeyDown={(event) => {
              const place = nudged(point, event.key, axes);
              if (place === undefined) return;
              event.preventDefault();
              onChange(moved(point, place));
            }}
          />
        ))}
      </div>
      <figcaption>
        <span>0</span>
        <span>
          {Math.round(axes.span).toLocaleString('en-GB')} steps, {number(seconds, 3)} s
        </span>
      </figcaption>
    </figure>
  );
}

interface Axes {
  readonly span: number;
  readonly low: number;
  readonly high: number;
}

/** Whole decades around what there is; of what is 0, four decades below the highest. */
function axesOf(curve: Curve | undefined, points: readonly Point[], span: number): Axes {
  const rates = [...(curve?.rates ?? []), ...points.map(({ rate }) => rate)].filter((r) => r > 0);
  const top = Math.max(...rates, 1e-9);
  const bottom = Math.max(Math.min(...rates, top), top / 1e4);
  const high = 10 ** Math.ceil(Math.log10(top) + 0.05);
  const low = Math.min(10 ** Math.floor(Math.log10(bottom) - 0.05), high / 100);
  return { span, low, high };
}

const decadesOf = ({ low, high }: Axes): number[] =>
  Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, k) => low * 10 ** k);

const heightOf = (rate: number, { low, high }: Axes): number =>
  Math.min(1, Math.max(0, Math.log(Math.max(rate, low) / low) / Math.log(high / low)));

function placeAt(x: number, y: number, { span, low, high }: Axes): Place {
  const clamped = (share: number): number => Math.min(1, Math.max(0, share));
  return {
    step: Math.max(1, Math.round(clamped(x) * span)),
    rate: round(low * (high / low) ** clamped(y)),
  };
}

const moved = (point: Point, place: Place): Document =>
  point.to({
    step: point.moves === 'rate' ? point.step : place.step,
    rate: point.moves === 'step' ? point.rate : place.rate,
  });

function nudged({ step, rate, moves }: Point, key: string, axes: Axes): Place | undefined {
  const sideways = { ArrowLeft: -1, ArrowRight: 1 }[key];
  const upwards = { ArrowDown: -1, ArrowUp: 1 }[key];
  if (sideways !== undefined && moves !== 'rate') {
    return { step: Math.max(1, step + Math.round((sideways * axes.span) / 100)), rate };
  }
  if (upwards !== undefined && moves !== 'step') {
    return { step, rate: round(Math.max(axes.low, rate) * 1.05 ** upwards) };
  }
  return undefined;
}
