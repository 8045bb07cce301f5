/**
 * The picture that `watch` draws: a WatchState to lines of text.
 *
 * Invariant: a pure function; never more lines than `rows`, never a line wider than `columns`; what
 * does not fit is scrolled (parameters) or left out (levels), and says so. It does not draw.
 */

import type { Meter, Param } from '../../../server/api/schemas.ts';
import { describeSchedule } from '../schedules.ts';
import {
  clip,
  count,
  logSparkline,
  number,
  padEnd,
  padStart,
  paint,
  visibleLength,
} from '../style.ts';
import type { Colour, Style } from '../style.ts';
import { RATE, squeeze } from './state.ts';
import type { WatchState } from './state.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Picture {
  readonly lines: readonly string[];
  /** The scroll position as it is, after clamping. */
  readonly scroll: number;
}

const LABEL = 7;

export function view(
  state: WatchState,
  size: Size,
  scroll: number,
  style: Style,
  now: number,
): Picture {
  const { columns, rows } = size;
  const head = [
    ...headLines(state, columns, style, now),
    '',
    ...lossLines(state, columns, style),
    '',
    ...meterLines(state, size, style),
    tableHead(columns, [...state.learnables, ...state.sliders], style),
  ];
  const all = [...state.learnables, ...state.sliders];
  const room = Math.max(1, rows - head.length - FOOT);
  const top = Math.max(0, Math.min(scroll, all.length - room));
  const below = Math.max(0, all.length - top - room);
  const body =
    all.length === 0
      ? [dim(style, 'This patch has no parameters and no sliders.')]
      : all.slice(top, top + room).map((p) => paramLine(state, p, columns, all, style));
  const fill = Array.from({ length: Math.max(0, room - body.length) }, () => '');
  const foot = ['', ...footLines(state, columns, { above: top, below }, style)];
  const lines = [...head, ...body, ...fill, ...foot];
  return { lines: lines.slice(0, rows).map((line) => clip(line, columns)), scroll: top };
}

// --- head --------------------------------------------------------------------------------------

const STATE_COLOUR = {
  starting: 'yellow',
  running: 'green',
  degraded: 'red',
  restarting: 'yellow',
  stopped: 'red',
} as const satisfies Record<WatchState['status']['engine']['state'], Colour>;

function headLines(state: WatchState, columns: number, style: Style, now: number): string[] {
  const { engine, patch, version } = state.status;
  const dot = style.unicode ? '●' : '*';
  const left = `${paint(style, 'bold', 'livegrad')}  ${patch}`;
  const device = engine.device === null ? engine.backend : deviceName(engine.device);
  const right = [
    paint(style, STATE_COLOUR[engine.state], `${dot} ${engine.state}`),
    device,
    `${number(engine.sampleRate / 1000)} kHz / ${engine.blockSize}`,
  ].join('  ');
  return [
    apart(left, right, columns),
    apart(secondLine(state, style, now), dim(style, `${state.url}  v${version}`), columns),
  ];
}

function secondLine(state: WatchState, style: Style, now: number): string {
  const { engine, source } = state.status;
  if (state.lost !== null) {
    const seconds = Math.max(0, Math.round((now - state.lost.since) / 1000));
    const text = ` connection lost ${seconds} s ago: ${state.lost.why}; trying again `;
    return paint(style, 'inverse', paint(style, 'red', text));
  }
  if (state.regained !== null && now - state.regained < 5000) {
    return paint(style, 'green', 'connection is back');
  }
  if (engine.state !== 'running' && engine.reason !== null)
    return paint(style, 'yellow', engine.reason);
  const [wrong] = source.diagnostics;
  if (wrong !== undefined) {
    const line = wrong.line === undefined ? '' : `:${wrong.line}`;
    return paint(style, 'red', `${source.file}${line}: ${wrong.message}`);
  }
  if (engine.muted) return paint(style, 'yellow', 'output is muted');
  return engine.gainDb === 0 ? '' : dim(style, `output gain ${number(engine.gainDb)} dB`);
}

const deviceName = ({ input, output }: { input: string; output: string }): string =>
  input === output ? input : `${input} > ${output}`;

// --- loss --------------------------------------------------------------------------------------

function lossLines(state: WatchState, columns: number, style: Style): string[] {
  const loss = state.loss === null ? 'none yet' : scientific(state.loss);
  const width = columns - LABEL - 12;
  const history = squeeze(state, width);
  const positive = history.filter((l) => l > 0);
  const range =
    positive.length === 0
      ? ''
      : `${scientific(Math.min(...positive))} to ${scientific(Math.max(...positive))}, last ${Math.max(1, Math.round(state.losses.length / RATE))} s`;
  const spark = paint(style, 'cyan', logSparkline(history, width, style));
  const rate = state.learningRate === null ? 'none' : number(state.learningRate);
  const schedule =
    state.training.schedule === null ? '' : describeSchedule(state.training.schedule);
  return [
    `${label('loss', style)}${padEnd(loss, 12)}${spark}`,
    `${label('', style)}${padEnd('', 12)}${dim(style, range)}`,
    apart(
      `${label('rate', style)}${padEnd(rate, 12)}${dim(style, schedule)}`,
      `step ${count(state.step)}  ${learning(state, style)}`,
      columns,
    ),
  ];
}

function learning(state: WatchState, style: Style): string {
  if (state.fault) {
    const guard = state.training.cause?.guard;
    return paint(style, 'red', guard === undefined ? 'stopped' : `stopped: ${guard}`);
  }
  if (state.training.settings === null) return dim(style, 'no training');
  return state.learning
    ? paint(style, 'green', 'learning')
    : paint(style, 'yellow', 'not learning');
}

// --- meters --------------------------------------------------------------------------------------

/** Share of the rows that meters may take. */
const METERS = 1 / 3;

/** A line each, as many as leave room for the parameters. */
function meterLines({ meters, shown }: WatchState, size: Size, style: Style): string[] {
  if (meters.length === 0) return [];
  const room = Math.max(1, Math.floor(METERS * size.rows) - 2);
  const some = meters.slice(0, meters.length > room ? Math.max(1, room - 1) : room);
  const c = layout(size.columns, meters);
  const lines = some.map((m) => meterLine(m, shown[m.index] ?? null, c, style));
  const rest = meters.length - some.length;
  const more = rest === 0 ? [] : [dim(style, `${rest} more meter${rest === 1 ? '' : 's'}`)];
  const head = `${padEnd('METER', c.id)} ${padStart('VALUE', VALUE)}  RANGE`;
  return [dim(style, head), ...lines, ...more, ''];
}

function meterLine(m: Meter, value: number | null, c: Columns, style: Style): string {
  const text = value === null ? 'none' : number(value) + (m.unit === undefined ? '' : ` ${m.unit}`);
  const id = padEnd(shortened(m.id, c.id, style), c.id);
  return `${id} ${padStart(clip(text, VALUE), VALUE)}  ${meterBar(m, value, c.range, style)}`;
}

/** A bar from min to the value, with both ends written where there is room. */
export function meterBar(
  m: Pick<Meter, 'min' | 'max' | 'scale'>,
  value: number | null,
  width: number,
  style: Style,
): string {
  const [block, rail] = style.unicode ? ['▇', '·'] : ['=', '.'];
  return ranged(m, width, style, (length) => {
    const full = value === null ? 0 : Math.round(fraction(m, value) * length);
    return paint(style, 'cyan', block.repeat(full)) + dim(style, rail.repeat(length - full));
  });
}

// --- parameters ----------------------------------------------------------------------------------

interface Columns {
  readonly id: number;
  readonly range: number;
  readonly gradient: number;
}

const VALUE = 10;
const GRADIENT = 9;

function layout(columns: number, all: readonly { readonly id: string }[]): Columns {
  const longest = Math.max(8, ...all.map((p) => p.id.length));
  const id = Math.min(longest, Math.max(8, Math.floor(columns / 4)));
  const left = columns - id - VALUE - GRADIENT - 6;
  const gradient = Math.max(5, Math.floor(left * 0.35) | 1);
  return { id, gradient, range: Math.max(8, left - gradient) };
}

function tableHead(columns: number, all: readonly Param[], style: Style): string {
  const c = layout(columns, all);
  const id = padEnd('PARAM', c.id);
  return dim(style, `${id} ${padStart('VALUE', VALUE)}  ${padEnd('RANGE', c.range)}   GRADIENT`);
}

function paramLine(
  state: WatchState,
  p: Param,
  columns: number,
  all: readonly Param[],
  style: Style,
): string {
  const c = layout(columns, all);
  const value = state.values.get(p.id) ?? p.value;
  const shown = number(value) + (p.unit === undefined ? '' : ` ${p.unit}`);
  const id = shortened(p.id, c.id, style);
  const name = p.kind === 'slider' ? dim(style, padEnd(id, c.id)) : padEnd(id, c.id);
  const start = `${name} ${padStart(clip(shown, VALUE), VALUE)}  ${rangeBar(p, value, c.range, style)}`;
  if (p.kind === 'slider') return `${start}  ${dim(style, padStart('slider', GRADIENT))}`;
  if (p.frozen) return `${start}  ${paint(style, 'blue', padStart('frozen', GRADIENT))}`;
  const gradient = state.gradients.get(p.id);
  if (gradient === undefined) return start;
  const bar = signedBar(gradient, state.gradientPeak, c.gradient, style);
  return `${start}  ${padStart(scientific(gradient), GRADIENT)} ${bar}`;
}

/** Where a value is between min and max, with both ends written where there is room. */
export function rangeBar(
  p: Pick<Param, 'min' | 'max' | 'scale'>,
  value: number,
  width: number,
  style: Style,
): string {
  const [rail, knob] = style.unicode ? ['─', '█'] : ['-', '#'];
  return ranged(p, width, style, (length) => {
    const at = Math.round(fraction(p, value) * (length - 1));
    return (
      dim(style, rail.repeat(at)) +
      paint(style, 'green', knob) +
      dim(style, rail.repeat(length - 1 - at))
    );
  });
}

function ranged(
  { min, max }: Pick<Param, 'min' | 'max'>,
  width: number,
  style: Style,
  bar: (length: number) => string,
): string {
  const [low, high] = [short(min), short(max)];
  const inner = width - low.length - high.length - 2;
  return inner >= 6 ? `${dim(style, low)} ${bar(inner)} ${dim(style, high)}` : bar(width);
}

function fraction(p: Pick<Param, 'min' | 'max' | 'scale'>, value: number): number {
  const of = p.scale === 'log' ? Math.log : (x: number): number => x;
  const t = (of(value) - of(p.min)) / (of(p.max) - of(p.min));
  return Number.isFinite(t) ? Math.min(1, Math.max(0, t)) : 0;
}

/** Decades that half a bar shows. */
const DECADES = 6;

/** To the left of the middle where negative, to the right where positive; lengths are logarithmic. */
export function signedBar(value: number, peak: number, width: number, style: Style): string {
  const half = Math.floor((width - 1) / 2);
  const size = Math.abs(value);
  const part = peak > 0 && size > 0 ? 1 + Math.log10(size / peak) / DECADES : 0;
  const length = Math.max(0, Math.min(half, Math.ceil(part * half)));
  const [block, middle] = style.unicode ? ['▇', '│'] : ['=', '|'];
  const bar = block.repeat(length);
  const left = value < 0 ? padStart(bar, half) : ' '.repeat(half);
  const right = value > 0 ? padEnd(bar, half) : ' '.repeat(half);
  return `${paint(style, 'yellow', left)}${dim(style, middle)}${paint(style, 'yellow', right)}`;
}

// --- foot --------------------------------------------------------------------------------------

/** Lines below the parameters, the empty one above them included. */
const FOOT = 5;

function footLines(
  state: WatchState,
  columns: number,
  hidden: { readonly above: number; readonly below: number },
  style: Style,
): string[] {
  const { engine } = state.status;
  const load = state.load ?? engine.load;
  const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
  const counted = (name: string, n: number): string =>
    n === 0 ? `${name} 0` : paint(style, 'red', `${name} ${count(n)}`);
  const health = [
    counted('xruns', engine.xruns),
    counted('late', engine.lateBlocks),
    counted('NaN', engine.nanBlocks),
    counted('restarts', engine.restarts),
  ].join('  ');
  const times = `mean ${percent(load.mean)}  p99 ${percent(load.p99)}  max ${percent(load.max)}`;
  const scrolling =
    hidden.above + hidden.below === 0
      ? ''
      : `, ${style.unicode ? '↑ ↓' : 'up and down'} scroll (${hidden.above} above, ${hidden.below} below)`;
  return [
    ...levelLines(state, columns, style),
    apart(`${label('load', style)}${times}`, health, columns),
    apart(
      dim(style, `q quits${scrolling}`),
      dim(style, `revision ${state.status.revision}`),
      columns,
    ),
  ];
}

/** Inputs on one line and outputs on the next: as many channels as fit. */
function levelLines(state: WatchState, columns: number, style: Style): string[] {
  const levels = state.levels;
  const line = (
    name: string,
    channels: readonly { readonly peak: number; readonly rms: number }[],
  ): string => {
    const room = columns - LABEL;
    const fit = Math.max(1, Math.min(channels.length, Math.floor(room / 19)));
    const width = Math.max(1, Math.min(24, Math.floor(room / fit) - 13));
    const cells = channels.slice(0, fit).map((c, k) => meter(k + 1, c.peak, c.rms, width, style));
    const rest = channels.length > fit ? dim(style, `+${channels.length - fit}`) : '';
    return `${label(name, style)}${cells.join('  ')}${rest}`;
  };
  return [line('in', levels?.inputs ?? []), line('out', levels?.outputs ?? [])];
}

/** Lowest level that a meter shows, dB. */
const FLOOR = -60;

function meter(channel: number, peak: number, rms: number, width: number, style: Style): string {
  const part = (x: number): number =>
    Math.max(0, Math.min(width, Math.round((1 - decibels(x) / FLOOR) * width)));
  const [block, line, rail] = style.unicode ? ['▇', '╵', '·'] : ['=', '|', '.'];
  const body = part(rms);
  const tip = Math.max(body, part(peak));
  const colour: Colour = peak >= 0.999 ? 'red' : peak > 0.5 ? 'yellow' : 'green';
  const beyond = Math.max(0, tip - body - 1);
  const bar =
    paint(style, colour, block.repeat(body)) +
    dim(style, rail.repeat(beyond)) +
    (tip > body ? paint(style, colour, line) : '') +
    dim(style, rail.repeat(width - Math.max(tip, body)));
  const text = peak > 0 ? `${decibels(peak).toFixed(1)} dB` : '-inf dB';
  return `${channel} ${bar}${padStart(text, 9)}`;
}

const decibels = (x: number): number => (x > 0 ? 20 * Math.log10(x) : -Infinity);

// --- small things --------------------------------------------------------------------------------

const dim = (style: Style, text: string): string => paint(style, 'dim', text);
const shortened = (id: string, width: number, style: Style): string =>
  id.length > width ? `${id.slice(0, width - 1)}${style.unicode ? '…' : '~'}` : id;
const label = (text: string, style: Style): string => dim(style, padEnd(text, LABEL));
const scientific = (x: number): string => (x === 0 ? '0' : x.toExponential(2));
const short = (x: number): string => String(Number(x.toPrecision(4)));

/** Left and right at the edges; the right one gives way where both do not fit. */
function apart(left: string, right: string, columns: number): string {
  const gap = columns - visibleLength(left) - visibleLength(right);
  return gap < 1 ? clip(left, columns) : left + ' '.repeat(gap) + right;
}

/** One line for a log: what `watch` prints where there is no terminal. */
export function logLine(state: WatchState): string {
  const { engine } = state.status;
  const values = state.learnables.map(
    (p) => `${p.id}=${number(state.values.get(p.id) ?? p.value)}`,
  );
  const shown = state.meters.map(({ id, index, unit }) => {
    const value = state.shown[index] ?? null;
    return `${id}=${value === null ? 'none' : number(value) + (unit === undefined ? '' : ` ${unit}`)}`;
  });
  return [
    state.lost === null ? engine.state : 'connection lost',
    `step ${state.step}`,
    `loss ${state.loss === null ? 'none' : scientific(state.loss)}`,
    `rate ${state.learningRate === null ? 'none' : number(state.learningRate)}`,
    ...values,
    ...shown,
    `load ${(100 * (state.load ?? engine.load).mean).toFixed(1)} %`,
  ].join('  ');
}
