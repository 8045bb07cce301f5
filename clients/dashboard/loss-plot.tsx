/**
 * Loss over the last minute on a logarithmic axis, the learning rate beside it on another.
 *
 * Invariant: drawn fifteen times a second at most, twice where reduced motion is asked for; time is
 * that of the audio, so what does not come leaves no gap that looks like learning.
 */

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { number } from './format.ts';
import { useFrame } from './hooks.ts';
import type { Model } from './model.ts';
import { csvOf, pictureOf, save } from './save.ts';

const SPAN = 60;
const HEIGHT = { wide: 220, narrow: 150 };

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const dark = matchMedia('(prefers-color-scheme: dark)');

export function LossPlot({ model }: { readonly model: Model }) {
  const ref = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);

  useEffect(() => {
    const box = ref.current;
    if (box === null) return undefined;
    const make = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(box), dataOf(model), box);
    };
    make();
    const size = new ResizeObserver(() => plot.current?.setSize(sizeOf(box)));
    size.observe(box);
    dark.addEventListener('change', make);
    return () => {
      size.disconnect();
      dark.removeEventListener('change', make);
      plot.current?.destroy();
    };
  }, [model]);

  useFrame(model, () => plot.current?.setData(dataOf(model)), calm.matches ? 2 : 15);

  const savePicture = async (): Promise<void> => {
    const canvas = plot.current?.ctx.canvas;
    if (canvas === undefined) return;
    const ground = getComputedStyle(document.documentElement).getPropertyValue('--panel');
    save('loss.png', await pictureOf(canvas, ground));
  };

  return (
    <figure class="plot">
      <figcaption>
        <span class="said">Loss and learning rate over the last minute</span>
        <button type="button" class="quiet" onClick={() => save('loss.csv', table(model))}>
          Save CSV
        </button>
        <button type="button" class="quiet" onClick={() => model.run(savePicture)}>
          Save PNG
        </button>
      </figcaption>
      <div ref={ref} aria-hidden="true" />
    </figure>
  );
}

/** Seconds since the host started, so that two tables can be laid side by side. */
function table({ losses }: Model): Blob {
  const columns = {
    seconds: losses.column(0),
    loss: losses.column(1),
    'learning rate': losses.column(2),
  };
  return new Blob([csvOf(columns)], { type: 'text/csv' });
}

/** Of a loss of exactly 0, which a logarithmic axis has no place for. */
const NOTHING = 1e-12;

function dataOf({ losses }: Model): uPlot.AlignedData {
  const times = losses.column(0);
  const now = times.at(-1) ?? 0;
  const positive = (values: Float64Array): (number | null)[] =>
    Array.from(values, (value) => (value > 0 ? value : value === 0 ? NOTHING : null));
  return [times.map((t) => t - now), positive(losses.column(1)), positive(losses.column(2))];
}

function sizeOf(box: HTMLElement): { width: number; height: number } {
  const width = Math.max(240, box.clientWidth);
  return { width, height: width < 560 ? HEIGHT.narrow : HEIGHT.wide };
}

function optionsOf(box: HTMLElement): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const font = `11px ${style.getPropertyValue('--font').trim()}`;
  const axis = {
    stroke: colour('--dim'),
    font,
    ticks: { show: false },
    grid: { stroke: colour('--grid'), width: 1 },
  };
  /** Lines and words at whole decades alone. */
  const splits = (_: uPlot, __: number, low: number, high: number): number[] => {
    const from = Math.ceil(Math.log10(low) - 1e-9);
    const count = Math.max(0, Math.floor(Math.log10(high) + 1e-9) - from) + 1;
    return Array.from({ length: count }, (_, k) => 10 ** (from + k));
  };
  const labels = (_: uPlot, values: (number | null)[]): string[] =>
    values.map((value) => (value === null ? '' : power(value)));
  return {
    ...sizeOf(box),
    padding: [10, 0, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [-SPAN, 0] },
      loss: { distr: 3, range: (_, low, high) => decades(low, high) },
      rate: { distr: 3, range: (_, low, high) => decades(low, high) },
    },
    axes: [
      {
        ...axis,
        size: 24,
        values: (_, values) => values.map((t) => (t === 0 ? 'now' : `−${-t} s`)),
      },
      { ...axis, scale: 'loss', size: 46, splits, values: labels },
      { ...axis, scale: 'rate', side: 1, size: 46, splits, values: labels, grid: { show: false } },
    ],
    series: [
      {},
      { scale: 'loss', stroke: colour('--accent'), width: 1.5, points: { show: false } },
      {
        scale: 'rate',
        stroke: colour('--second'),
        width: 1,
        dash: [4, 3],
        points: { show: false },
      },
    ],
  };
}

/** Whole decades around what there is, two to nine, so that the axis stands still. */
function decades(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !(low > 0) || !(high > 0)) return [1e-4, 1];
  const to = Math.max(Math.log10(NOTHING) + 2, Math.ceil(Math.log10(high) + 1e-9));
  const from = Math.max(
    to - 9,
    Math.log10(NOTHING),
    Math.min(to - 2, Math.floor(Math.log10(low) - 1e-9)),
  );
  return [10 ** from, 10 ** to];
}

const power = (value: number): string =>
  value < 2 * NOTHING
    ? '0'
    : value >= 1e-3 && value < 1e4
      ? String(Number(value.toPrecision(1)))
      : number(value, 2).replace('.0', '');
