/**
 * Curves on axes, as every view draws them: uPlot in the colours of the page, saved as a picture or
 * as a table, read with a cursor by mouse, touch or arrow keys.
 *
 * Invariants: drawn at most `rate` times a second, and not at all out of sight; made anew only where its `shape`, the page's colours or its size change.
 */

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { number } from './format.ts';
import { useFrame } from './hooks.ts';
import type { Model } from './model.ts';
import { csvOf, pictureOf, save } from './save.ts';

const HEIGHT = { wide: 220, narrow: 150 };

const phone = matchMedia('(max-width: 760px)');
const dark = matchMedia('(prefers-color-scheme: dark)');

/** How the page looks now: its colours by their names, and what all axes share. */
export interface Look {
  readonly colour: (name: `--${string}`) => string;
  readonly axis: uPlot.Axis;
}

/** Where the cursor is: the index of the point and its place on the x axis. */
export interface Place {
  readonly index: number;
  readonly x: number;
}

interface Props {
  readonly model: Model;
  readonly title: string;
  /** Of files, without an ending. */
  readonly name: string;
  readonly options: (look: Look) => Omit<uPlot.Options, 'width' | 'height'>;
  /** What the options depend on, as text. */
  readonly shape: string;
  readonly data: () => uPlot.AlignedData;
  readonly columns: () => Readonly<Record<string, ArrayLike<number>>>;
  /** Drawings a second; 0 where the data changes only with the drawing of the component. */
  readonly rate?: number;
  readonly height?: { readonly wide: number; readonly narrow: number };
  /** What is said of the place under the cursor; without it there is no cursor. */
  readonly onCursor?: (place: Place | undefined) => void;
  /** The place was pressed, or Enter on it. */
  readonly onMark?: (place: Place) => void;
}

export function Plot(props: Props) {
  const { model, title, name, shape, data, columns, rate = 0, onCursor } = props;
  const ref = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const newest = useRef(props);
  newest.current = props;

  useEffect(() => {
    const box = ref.current;
    if (box === null) return undefined;
    const size = (): { width: number; height: number } => {
      const { wide, narrow } = newest.current.height ?? HEIGHT;
      return { width: Math.max(240, box.clientWidth), height: phone.matches ? narrow : wide };
    };
    const make = (): void => {
      plot.current?.destroy();
      const { options, data: dataOf, onCursor: isRead } = newest.current;
      const given = options(lookOf());
      const cursor: uPlot.Cursor =
        isRead === undefined
          ? { show: false }
          : { points: { size: 6 }, drag: { x: false, y: false }, y: false };
      const hooks: uPlot.Hooks.Arrays = {
        setCursor: [(made) => newest.current.onCursor?.(placeOf(made))],
      };
      const all = { legend: { show: false }, padding: PADDING, cursor, ...given };
      plot.current = new uPlot(
        { ...all, ...(isRead === undefined ? {} : { hooks }), ...size() },
        dataOf(),
        box,
      );
    };
    make();
    const watch = new ResizeObserver(() => {
      const { width, height } = size();
      if (plot.current?.width !== width) plot.current?.setSize({ width, height });
    });
    watch.observe(box);
    dark.addEventListener('change', make);
    return () => {
      watch.disconnect();
      dark.removeEventListener('change', make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [model, shape]);

  useFrame(model, () => rate > 0 && plot.current?.setData(data()), rate, ref);
  useEffect(() => {
    if (rate === 0) plot.current?.setData(data());
  });

  const savePicture = async (): Promise<void> => {
    const canvas = plot.current?.ctx.canvas;
    if (canvas === undefined) return;
    save(`${name}.png`, await pictureOf(canvas, lookOf().colour('--panel')));
  };
  const saveTable = (): void =>
    save(`${name}.csv`, new Blob([csvOf(columns())], { type: 'text/csv' }));

  const mark = (): void => {
    const place = plot.current && placeOf(plot.current);
    if (place !== undefined) newest.current.onMark?.(place);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const made = plot.current;
    if (made === undefined || event.ctrlKey || event.metaKey) return;
    if (event.key === 'Enter') return mark();
    const ways: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };
    const way = ways[event.key];
    if (way === undefined) return undefined;
    event.preventDefault();
    const wide = made.over.clientWidth;
    const at = made.cursor.left ?? -1;
    const left = at < 0 ? wide / 2 : at + way * (event.shiftKey ? wide / 20 : 1);
    return made.setCursor({ left: Math.min(wide, Math.max(0, left)), top: 0 }, true);
  };

  const { wide, narrow } = props.height ?? HEIGHT;
  // Its room is there before it is.
  const room = `--wide:${wide}px;--narrow:${narrow}px`;
  return (
    <figure class="plot">
      <figcaption>
        <span class="said">{title}</span>
        <button type="button" class="quiet" aria-label={`Save CSV: ${name}`} onClick={saveTable}>
          Save CSV
        </button>
        <button
          type="button"
          class="quiet"
          aria-label={`Save PNG: ${name}`}
          onClick={() => model.run(savePicture)}
        >
          Save PNG
        </button>
      </figcaption>
      {onCursor === undefined ? (
        <div ref={ref} class="canvas" style={room} aria-hidden="true" />
      ) : (
        <div
          ref={ref}
          class="canvas"
          style={room}
          role="application"
          tabIndex={0}
          aria-label={`${title}; arrow keys move the cursor, Enter marks the place`}
          onKeyDown={onKeyDown}
          onClick={mark}
        />
      )}
    </figure>
  );
}

/** Room for the last word of the lower axis, where there is no other axis on the right. */
const PADDING: uPlot.Padding = [10, 20, 0, 0];

function placeOf({ cursor, data }: uPlot): Place | undefined {
  const { idx } = cursor;
  if (idx === null || idx === undefined || (cursor.left ?? -1) < 0) return undefined;
  const x = data[0][idx];
  return x === undefined ? undefined : { index: idx, x };
}

function lookOf(): Look {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--dim'),
    font: `11px ${colour('--font')}`,
    ticks: { show: false },
    grid: { stroke: colour('--grid'), width: 1 },
  };
  return { colour, axis };
}

// --- logarithmic axes --------------------------------------------------------------------------

/** Of a value of exactly 0, which a logarithmic axis has no place for. */
export const NOTHING = 1e-12;

export const positive = (values: ArrayLike<number | null>): (number | null)[] =>
  Array.from(values, (value) =>
    value === null ? null : value > 0 ? value : value === 0 ? NOTHING : null,
  );

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

export const LOG_SCALE: uPlot.Scale = { distr: 3, range: (_, low, high) => decades(low, high) };

/** Lines and words at whole decades alone. */
export const LOG_AXIS: uPlot.Axis = {
  size: 46,
  splits: (_, __, low, high) => {
    const from = Math.ceil(Math.log10(low) - 1e-9);
    const count = Math.max(0, Math.floor(Math.log10(high) + 1e-9) - from) + 1;
    return Array.from({ length: count }, (_value, k) => 10 ** (from + k));
  },
  values: (_, values) => values.map((value) => (value === null ? '' : power(value))),
};

const power = (value: number): string =>
  value < 2 * NOTHING
    ? '0'
    : value >= 1e-3 && value < 1e4
      ? String(Number(value.toPrecision(1)))
      : number(value, 2).replace('.0', '');
