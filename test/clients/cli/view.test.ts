/** What `watch` draws, as pure functions of what it knows. */

import { describe, expect, it } from 'vitest';
import {
  createState,
  squeeze,
  takeChange,
  takeFrame,
  takeSnapshot,
} from '../../../clients/cli/watch/state.ts';
import type { WatchState } from '../../../clients/cli/watch/state.ts';
import { difference } from '../../../clients/cli/watch/screen.ts';
import { logLine, meterBar, rangeBar, signedBar, view } from '../../../clients/cli/watch/view.ts';
import {
  clip,
  fields,
  logSparkline,
  number,
  PLAIN,
  runs,
  styleFor,
  visibleLength,
} from '../../../clients/cli/style.ts';
import { frame, learnable, meter, slider, snapshot } from './fixture.ts';

const URL = 'http://127.0.0.1:8440';
const SIZE = { columns: 80, rows: 24 };
const COLOUR = { colour: true, unicode: true };

const draw = (state: WatchState, size = SIZE, style = PLAIN, now = 0): string[] => [
  ...view(state, size, 0, style, now).lines,
];

function lively(): WatchState {
  const state = createState(URL, snapshot());
  for (let i = 0; i < 200; i++) takeFrame(state, frame('loss', [0.05 * Math.exp(-i / 20)]));
  takeFrame(state, frame('learningRate', [0.5]));
  takeFrame(state, frame('params', [0.3125]));
  takeFrame(state, frame('gradients', [-0.25]));
  takeFrame(state, frame('levels', [1, 0.5, 0.25, 1, 0.1]));
  takeFrame(state, frame('load', [0.0123, 0.03, 0.08, 0]));
  return state;
}

describe('the picture', () => {
  it('shows everything about a host in 80 columns and 24 rows', () => {
    const lines = draw(lively());
    const text = lines.join('\n');
    expect(lines).toHaveLength(24);
    expect(lines[0]).toMatch(/^livegrad {2}gain +● running {2}virtual rig {2}48 kHz \/ 256$/);
    expect(lines[1]).toMatch(/http:\/\/127\.0\.0\.1:8440 {2}v0\.1\.0$/);
    expect(text).toMatch(/^loss {3}2\.39e-6 +█[█▇▆▅▄▃▂▁]+▁$/m);
    expect(text).toMatch(/^ +.*e-6 to .*e-2, last 10 s$/m);
    expect(text).toMatch(/^rate {3}0\.5 +constant +step 200 {2}learning$/m);
    expect(text).toMatch(/^gain +0\.3125 {2}-2 ─+█─+ 2 +-2\.50e-1 ▇+│ *$/m);
    expect(text).toMatch(/^hidden\/gain +0\.5 {2}0 ─+█─+ 2 +slider$/m);
    expect(text).toMatch(/^in {5}1 ▇+·*╵·* +-6\.0 dB$/m);
    expect(text).toMatch(/^out {4}1 .* 0\.0 dB$/m);
    expect(text).toMatch(
      /^load {3}mean 1\.2 % {2}p99 3\.0 % {2}max 8\.0 % +xruns 0 {2}late 0 {2}NaN 0/m,
    );
    expect(lines.at(-1)).toMatch(/^q quits +revision 7$/);
  });

  it('shows meters as bars above the parameters', () => {
    const shown = [
      meter('level', 0, { unit: 'dB', min: -60, max: 0, value: -30 }),
      meter('broken', 1),
    ];
    const state = createState(URL, snapshot(undefined, shown));
    expect(draw(state).join('\n')).toMatch(/^level +-30 dB {2}-60 ▇+·+ 0$/m);
    takeFrame(state, frame('meters', [-15, NaN]));
    const lines = draw(state);
    const text = lines.join('\n');
    expect(lines).toHaveLength(24);
    expect(text).toMatch(/^METER +VALUE {2}RANGE$/m);
    expect(text).toMatch(/^level +-15 dB {2}-60 ▇+·+ 0$/m);
    expect(text).toMatch(/^broken +none {2}0 ·+ 1$/m);
    expect(text.indexOf('level')).toBeLessThan(text.indexOf('PARAM'));
    expect(logLine(state)).toMatch(/ {2}level=-15 dB {2}broken=none {2}load/);
  });

  it('leaves room for parameters, however many meters there are', () => {
    const many = Array.from({ length: 256 }, (_, k) => meter(`m${k}`, k));
    const state = createState(URL, snapshot(undefined, many));
    for (const [columns, rows] of [
      [80, 24],
      [200, 60],
      [20, 5],
    ] as const) {
      const lines = draw(state, { columns, rows });
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect(visibleLength(line)).toBeLessThanOrEqual(columns);
    }
    const text = draw(state).join('\n');
    expect(text).toMatch(/^251 more meters$/m);
    expect(text).toMatch(/^gain +0\.5/m);
  });

  it.each([
    [80, 24],
    [40, 12],
    [200, 60],
    [20, 5],
    [1, 1],
  ])('fits %d columns and %d rows, in colour too', (columns, rows) => {
    const state = lively();
    takeParamsOf(state, 30);
    for (const style of [PLAIN, COLOUR]) {
      const lines = draw(state, { columns, rows }, style);
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect(visibleLength(line)).toBeLessThanOrEqual(columns);
    }
  });

  it('scrolls through more parameters than there is room for, and says how many are hidden', () => {
    const state = createState(URL, snapshot());
    takeParamsOf(state, 30);
    const top = view(state, SIZE, 0, PLAIN, 0);
    expect(top.lines.join('\n')).toContain('p0 ');
    expect(top.lines.at(-1)).toMatch(/scroll \(0 above, 19 below\)/);
    const end = view(state, SIZE, 1000, PLAIN, 0);
    expect(end.scroll).toBe(19);
    expect(end.lines.join('\n')).toContain('p29 ');
    expect(end.lines.at(-1)).toMatch(/scroll \(19 above, 0 below\)/);
  });

  it('says that the connection is lost, since when and why, and that it is back', () => {
    const state = lively();
    state.lost = { since: 10_000, why: 'connection refused' };
    expect(draw(state, SIZE, PLAIN, 13_000)[1]).toContain(
      'connection lost 3 s ago: connection refused',
    );
    state.lost = null;
    state.regained = 14_000;
    expect(draw(state, SIZE, PLAIN, 15_000)[1]).toContain('connection is back');
    expect(draw(state, SIZE, PLAIN, 30_000)[1]).not.toContain('connection is back');
  });

  it('says why the engine does not run, and that the output is muted', () => {
    const state = lively();
    const { engine } = state.status;
    const changed = (more: Partial<typeof engine>): boolean =>
      takeChange(state, { kind: 'engine.changed', revision: 8, data: { ...engine, ...more } });
    changed({ state: 'degraded', reason: 'the device is gone', xruns: 1234 });
    expect(draw(state)[0]).toContain('● degraded');
    expect(draw(state)[1]).toContain('the device is gone');
    expect(draw(state).join('\n')).toContain('xruns 1,234');
    changed({ muted: true });
    expect(draw(state)[1]).toContain('output is muted');
  });

  it('says what is wrong with the file that is followed, and where', () => {
    const state = lively();
    const wrong = { code: 'FAUST_SYNTAX', path: 'faust.code', message: 'no such thing', line: 3 };
    const tell = (diagnostics: (typeof wrong)[]): boolean =>
      takeChange(state, {
        kind: 'source.changed',
        revision: 8,
        data: { file: 'x.dsp', diagnostics },
      });
    expect(tell([wrong])).toBe(true);
    expect(draw(state)[1]).toContain('x.dsp:3: no such thing');
    tell([]);
    expect(draw(state)[1]).not.toContain('x.dsp');
  });

  it('says when learning stopped by itself, when it is off, and when there is none', () => {
    const state = lively();
    takeFrame(state, frame('loss', [1], { learning: false }));
    expect(draw(state).join('\n')).toContain('not learning');
    takeFrame(state, frame('loss', [Number.NaN], { learning: false, fault: true }));
    expect(draw(state).join('\n')).toContain('stopped');
    expect(draw(state).join('\n')).toMatch(/^loss {3}none yet/m);
    takeFrame(state, frame('loss', [0]));
    takeChange(state, {
      kind: 'training.changed',
      revision: 9,
      data: { ...snapshot().training, running: false, settings: null, schedule: null },
    });
    expect(draw(state).join('\n')).toContain('no training');
  });

  it('is plain ASCII where the terminal has nothing else', () => {
    const text = draw(lively(), SIZE, { colour: false, unicode: false }).join('\n');
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('becomes one line where there is no terminal', () => {
    const line = logLine(lively());
    expect(line).toMatch(
      /^running {2}step 200 {2}loss 2\.39e-6 {2}rate 0\.5 {2}gain=0\.3125 {2}load 1\.2 %$/,
    );
  });
});

function takeParamsOf(state: WatchState, count: number): void {
  const params = Array.from({ length: count }, (_, k) => learnable(`p${k}`, k));
  takeSnapshot(state, snapshot(params));
}

describe('the state', () => {
  it('leaves out frames of a program whose parameters it does not know', () => {
    const state = createState(URL, snapshot());
    takeFrame(state, frame('params', [1.5], { program: 4 }));
    expect(state.values.get('gain')).toBe(0.5);
    takeFrame(state, frame('params', [1.5]));
    expect(state.values.get('gain')).toBe(1.5);
  });

  it('takes a changed slider and keeps the others, and asks for a snapshot after another patch', () => {
    const state = createState(
      URL,
      snapshot([learnable('gain', 0), slider('a', 0), slider('b', 1)]),
    );
    const known = takeChange(state, {
      kind: 'params.changed',
      revision: 8,
      data: { params: [slider('a', 0, { value: 0.9 })] },
    });
    expect(known).toBe(true);
    expect(state.sliders.map((p) => [p.id, state.values.get(p.id)])).toEqual([
      ['a', 0.9],
      ['b', 0.5],
    ]);
    expect(state.status.revision).toBe(8);
    const next = snapshot([learnable('dc', 0)]);
    takeSnapshot(state, { ...next, status: { ...next.status, program: 4 } });
    expect(state.learnables.map((p) => p.id)).toEqual(['dc']);
    expect(state.sliders).toEqual([]);
    expect([...state.values.keys()]).toEqual(['dc']);
    expect(state.losses).toEqual([]);
  });

  it('keeps a minute of losses, squeezed into columns that do not shimmer', () => {
    const state = createState(URL, snapshot());
    for (let i = 0; i < 2000; i++) takeFrame(state, frame('loss', [i]));
    expect(state.losses).toHaveLength(1200);
    const before = squeeze(state, 50);
    expect(before.length).toBeLessThanOrEqual(50);
    takeFrame(state, frame('loss', [2000]));
    const after = squeeze(state, 50);
    expect(after.slice(2, -2)).toEqual(before.slice(2, -2));
  });
});

describe('bars', () => {
  const style = PLAIN;

  it('show where a value is in its range, linear or logarithmic', () => {
    const at = (value: number, more = {}): number =>
      rangeBar({ min: 0, max: 10, scale: 'linear', ...more }, value, 26, style).indexOf('█') - 2;
    expect([at(0), at(5), at(10)]).toEqual([0, 10, 20]);
    expect([at(-99), at(99), at(Number.NaN)]).toEqual([0, 20, 0]);
    const log = { min: 10, max: 1000, scale: 'log' };
    expect(rangeBar(log as never, 100, 29, style).indexOf('█')).toBe(13);
    const full = (value: number | null): number =>
      meterBar(log as never, value, 30, style).split('▇').length - 1;
    expect([null, 1, 100, 10_000, 1e9, 0].map(full)).toEqual([0, 0, 11, 22, 22, 0]);
  });

  it('show the sign of a gradient by the side and its size by decades', () => {
    expect(signedBar(1, 1, 13, style)).toBe('      │▇▇▇▇▇▇');
    expect(signedBar(-1, 1, 13, style)).toBe('▇▇▇▇▇▇│      ');
    expect(signedBar(1e-3, 1, 13, style)).toBe('      │▇▇▇   ');
    expect(signedBar(0, 0, 13, style)).toBe('      │      ');
    expect(signedBar(1e-30, 1, 13, style)).toBe('      │      ');
  });

  it('draw losses on a logarithmic scale, with nothing where a loss is 0', () => {
    expect(logSparkline([1, 1e-7, 0], 10, style)).toBe('█▁ ');
    expect(logSparkline([5, 5], 10, style)).toBe('▁▁');
    expect(logSparkline([], 10, style)).toBe('');
    expect(logSparkline([1, 1e-3, 1e-6], 2, style)).toBe('█▁');
  });

  it('name the first and last of many', () => {
    const names = ['gain', 'w/0', 'w/1', 'w/2', 'b/0', 'b/2', 'w/3'];
    expect(runs(names)).toEqual(['gain', 'w/0 to w/2', 'b/0', 'b/2', 'w/3']);
  });

  it('break long fields between words, and leave a longer word whole', () => {
    const rows = [
      ['mode', 'forward'],
      ['why', 'one two threefour 0123456789abcdef'],
    ] as const;
    expect(fields(rows, 16).split('\n')).toEqual([
      'mode  forward',
      'why   one two',
      '      threefour',
      '      0123456789abcdef',
    ]);
  });
});

describe('drawing', () => {
  it('writes only the lines that changed', () => {
    expect(difference(['a', 'b', 'c'], ['a', 'B', 'c'], 9)).toBe('\x1b[2;1HB\x1b[0m\x1b[K');
    expect(difference(['a'], ['a'], 9)).toBe('');
    expect(difference(['a', 'b'], ['a'], 9)).toBe('\x1b[2;1H\x1b[J');
  });

  it('keeps the last character of a line that is as wide as the terminal', () => {
    expect(difference(['abc'], ['abd'], 3)).toBe('\x1b[1;1Habd\x1b[0m');
  });

  it('cuts by what is shown and keeps colours', () => {
    expect(clip('\x1b[31mabc\x1b[39m', 2)).toBe('\x1b[31mab\x1b[39m');
    expect(clip('abc', 3)).toBe('abc');
  });

  it('writes numbers as people compare them', () => {
    expect([0, 0.3, -0.00001, 1234567, 0.123456, Number.NaN].map(number)).toEqual([
      '0',
      '0.3',
      '-1.000e-5',
      '1.235e+6',
      '0.12346',
      'NaN',
    ]);
  });

  it('uses colours on a terminal only, and never with NO_COLOR', () => {
    const terminal = { isTTY: true };
    expect(styleFor(terminal, {}).colour).toBe(true);
    expect(styleFor(terminal, { NO_COLOR: '1' }).colour).toBe(false);
    expect(styleFor(terminal, { TERM: 'dumb' }).colour).toBe(false);
    expect(styleFor({}, {}).colour).toBe(false);
    expect(styleFor({}, { FORCE_COLOR: '1' }).colour).toBe(true);
    expect(styleFor(terminal, { LANG: 'C' }).unicode).toBe(false);
    expect(styleFor(terminal, { LC_ALL: 'de_DE.UTF-8', LANG: 'C' }).unicode).toBe(true);
  });
});
