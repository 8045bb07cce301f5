/**
 * A lesson as a picture: the loss on a logarithmic axis, and the parameters on their way to what is
 * hidden, against seconds of sound. An SVG of a few kilobytes, readable on light and on dark.
 *
 * Invariant: the same lesson gives the same bytes: coordinates are rounded to a tenth, and nothing
 * else is asked than the lesson.
 */

import type { Control } from '../../dsp/control.ts';
import type { Lesson } from '../../clients/cli/lesson.ts';

/** Pixels. */
const PANEL = { width: 300, height: 150, left: 62, top: 26 } as const;
const GAP = 88;
const WIDTH = 2 * PANEL.left + 2 * PANEL.width + GAP - 44;
const COLUMNS = 4;
const ROW = 16;

const COLOURS = '#2f81f7 #d9480f #2b9348 #a855f7 #c59a00 #d6336c #0c8599 #7a6a53'.split(' ');
const STYLE = `text{font:11px system-ui,sans-serif;fill:#57606a}.t{font-weight:600}.e{text-anchor:end}.m{text-anchor:middle}
path{fill:none;stroke-width:1.5;stroke-linejoin:round}.g{stroke:#8b949e;stroke-width:.5;opacity:.6}.h{stroke-dasharray:4 3;stroke-width:1}
@media(prefers-color-scheme:dark){text{fill:#adb5bd}}`;

interface Line {
  readonly control: Control;
  readonly values: readonly number[];
  readonly hidden: number | null;
}

/** From values to pixels, with labelled places. */
interface Axis {
  readonly at: (value: number) => number;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

/** @param sampleRate  Hz, of the lesson */
export function chart(lesson: Lesson, sampleRate: number): string {
  const { outcome, frames } = lesson;
  const seconds = frames / sampleRate;
  const times = outcome.trace.map((point) => point.at / sampleRate);
  const lines = linesOf(lesson);
  const rows = Math.ceil(lines.length / COLUMNS);
  const height = PANEL.top + PANEL.height + 34 + ROW * rows;
  const right = PANEL.left + PANEL.width + GAP;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">`,
    `<style>${STYLE}</style>`,
  ];

  const losses = outcome.trace.map((point) => point.loss);
  const lossAxis = decades(losses);
  parts.push(...frame(PANEL.left, 'loss', lossAxis, seconds));
  parts.push(curve(PANEL.left, times, losses, lossAxis, seconds, COLOURS[0]!));

  const { axis, of, title } = valueAxis(lines);
  parts.push(...frame(right, title, axis, seconds));
  lines.forEach((line, k) => {
    const colour = COLOURS[k % COLOURS.length]!;
    const scaled = line.values.map((value) => of(line, value));
    parts.push(curve(right, [0, ...times], scaled, axis, seconds, colour));
    if (line.hidden !== null) {
      const y = tenth(axis.at(of(line, line.hidden)));
      parts.push(`<path class="h" stroke="${colour}" d="M${right} ${y}h${PANEL.width}"/>`);
    }
    const x = PANEL.left + (k % COLUMNS) * ((WIDTH - PANEL.left) / COLUMNS);
    const y = PANEL.top + PANEL.height + 44 + ROW * Math.floor(k / COLUMNS);
    parts.push(
      `<path stroke="${colour}" d="M${tenth(x)} ${y - 4}h14"/>`,
      `<text x="${tenth(x + 19)}" y="${y}">${line.control.id} ${label(line.values.at(-1)!)}</text>`,
    );
  });
  return `${parts.join('\n')}\n</svg>\n`;
}

/** What is expected, else some of all parameters; a slider `hidden/ID` hides parameter ID. */
function linesOf({ artifact, outcome, exams }: Lesson): Line[] {
  const expected = exams.flatMap(({ param, value }) =>
    param === undefined ? [] : [{ param, value }],
  );
  const hiddenOf = (param: string): number | null =>
    artifact.sliders.find(({ id }) => id === `hidden/${param}`)?.initial ?? null;
  const stride = Math.ceil(artifact.params.length / COLOURS.length);
  const shown: { readonly param: string; readonly value: number | null }[] =
    expected.length > 0
      ? expected.slice(0, COLOURS.length)
      : artifact.params
          .filter((_, k) => k % stride === 0)
          .map(({ id }) => ({ param: id, value: hiddenOf(id) }));
  return shown.map(({ param, value }) => {
    const place = artifact.params.findIndex(({ id }) => id === param);
    const control = artifact.params[place]!;
    const values = [control.initial, ...outcome.trace.map((point) => point.params[place]!)];
    return { control, values, hidden: value };
  });
}

/** Values as they are where they are of one kind, else the part of each one's range. */
function valueAxis(lines: readonly Line[]): {
  readonly axis: Axis;
  readonly of: (line: Line, value: number) => number;
  readonly title: string;
} {
  const all = lines.flatMap(({ values, hidden }) => [
    ...values,
    ...(hidden === null ? [] : [hidden]),
  ]);
  const kinds = new Set(lines.map(({ control: { unit, scale } }) => `${unit} ${scale}`));
  const ranges = lines.map(({ control: { min, max } }) => max - min);
  if (kinds.size === 1 && Math.max(...ranges) <= 4 * Math.min(...ranges)) {
    const { unit, scale } = lines[0]!.control;
    const axis = scale === 'log' && Math.min(...all) > 0 ? octaves(all) : linear(all);
    return {
      axis,
      of: (_, value) => value,
      title: unit === undefined ? 'parameters' : `parameters, ${unit}`,
    };
  }
  const of = ({ control: { min, max, scale } }: Line, value: number): number =>
    100 *
    (scale === 'log' ? Math.log(value / min) / Math.log(max / min) : (value - min) / (max - min));
  const parts = lines.flatMap((line) =>
    [...line.values, ...(line.hidden === null ? [] : [line.hidden])].map((value) =>
      of(line, value),
    ),
  );
  return { axis: linear(parts), of, title: 'parameters, % of their ranges' };
}

const scale =
  (low: number, high: number) =>
  (value: number): number =>
    PANEL.top + PANEL.height * (1 - (value - low) / (high - low || 1));

/** Steps of 1, 2 or 5 times a power of ten, five of them or so. */
function stepFor(span: number): number {
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((k) => k * power >= rough) ?? 10);
}

function linear(values: readonly number[]): Axis {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = 0.06 * (high - low) || 0.5;
  const [from, to] = [low - room, high + room];
  const step = stepFor(to - from);
  const first = Math.ceil(from / step);
  const count = Math.floor(to / step) - first + 1;
  const ticks = Array.from({ length: count }, (_, k) => {
    const value = Number(((first + k) * step).toPrecision(9));
    return { value, label: label(value) };
  });
  return { at: scale(from, to), ticks };
}

/** Of positive values: 1, 2, 5, 10, … */
function octaves(values: readonly number[]): Axis {
  const logs = values.map((value) => Math.log10(value));
  const room = 0.06 * (Math.max(...logs) - Math.min(...logs)) || 0.1;
  const [from, to] = [Math.min(...logs) - room, Math.max(...logs) + room];
  const at = scale(from, to);
  const ticks = Array.from(
    { length: Math.ceil(to) - Math.floor(from) + 1 },
    (_, k) => k + Math.floor(from),
  )
    .flatMap((power) => [1, 2, 5].map((digit) => Number((digit * 10 ** power).toPrecision(3))))
    .filter((value) => Math.log10(value) >= from && Math.log10(value) <= to)
    .map((value) => ({ value, label: label(value) }));
  return { at: (value) => at(Math.log10(value)), ticks };
}

/** Ten decades at most: below them everything is nothing. */
function decades(losses: readonly number[]): Axis {
  const top = Math.max(...losses, 1e-30);
  const lowest = Math.min(...losses.filter((loss) => loss > 0), top);
  const to = Math.ceil(Math.log10(top) + 0.05);
  const from = Math.max(to - 10, Math.min(to - 1, Math.floor(Math.log10(lowest))));
  const at = scale(from, to);
  const step = Math.ceil((to - from) / 5);
  const ticks = Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, k) => ({
    value: 10 ** (to - k * step),
    label: `1e${to - k * step}`,
  }));
  return {
    at: (value) => at(Math.min(to, Math.max(from, Math.log10(Math.max(value, 1e-30))))),
    ticks,
  };
}

/** Title, grid and labels of a panel. */
function frame(x: number, title: string, { at, ticks }: Axis, seconds: number): string[] {
  const bottom = PANEL.top + PANEL.height;
  const step = stepFor(seconds);
  const times = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, k) => k * step);
  return [
    `<text class="t" x="${x}" y="${PANEL.top - 10}">${title}</text>`,
    ...ticks.flatMap(({ value, label: text }) => [
      `<path class="g" d="M${x} ${tenth(at(value))}h${PANEL.width}"/>`,
      `<text class="e" x="${x - 6}" y="${tenth(at(value) + 4)}">${text}</text>`,
    ]),
    ...times.map((time, k) => {
      const text = k === times.length - 1 ? `${label(time)} s` : label(time);
      return `<text class="m" x="${tenth(x + (PANEL.width * time) / seconds)}" y="${bottom + 16}">${text}</text>`;
    }),
  ];
}

function curve(
  x: number,
  times: readonly number[],
  values: readonly number[],
  { at }: Axis,
  seconds: number,
  colour: string,
): string {
  const points = values.map(
    (value, k) => `${tenth(x + (PANEL.width * times[k]!) / seconds)} ${tenth(at(value))}`,
  );
  return `<path stroke="${colour}" d="M${points.join('L')}"/>`;
}

const tenth = (value: number): string => String(Math.round(10 * value) / 10);

/** Four digits. */
const label = (value: number): string => String(Number(value.toPrecision(4)));
