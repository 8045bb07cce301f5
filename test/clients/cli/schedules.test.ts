/** Schedules on the command line: every kind is said with its options, previewed without a host, and drawn. */

import { describe, expect, it } from 'vitest';
import { chart } from '../../../clients/cli/chart.ts';
import { PLAIN } from '../../../clients/cli/style.ts';
import { preview } from '../../../dsp/learn/schedules/schedule.ts';
import type { Schedule } from '../../../dsp/learn/schedules/schedule.ts';
import { livegrad, livegradJson } from './run.ts';

const KINDS: readonly (readonly [options: string, schedule: Schedule])[] = [
  ['constant --rate 1', { kind: 'constant', rate: 1 }],
  [
    'multiStep --rate 1 --factor 0.5 --milestones 3,9',
    { kind: 'multiStep', rate: 1, factor: 0.5, milestones: [3, 9] },
  ],
  [
    'oneCycle --peak 1 --steps 30 --final-divide 10 --three-phase',
    { kind: 'oneCycle', peak: 1, steps: 30, finalDivide: 10, threePhase: true },
  ],
  [
    'cyclic --rate 0.1 --peak 1 --up 4 --mode triangular2',
    { kind: 'cyclic', rate: 0.1, peak: 1, up: 4, mode: 'triangular2' },
  ],
  [
    'plateau --rate 1 --patience 2 --absolute',
    { kind: 'plateau', rate: 1, patience: 2, relative: false },
  ],
  [
    'linear --rate 1 --final 0 --steps 9 --warmup 4 --warmup-from 0.5',
    { kind: 'linear', rate: 1, final: 0, steps: 9, warmup: { steps: 4, from: 0.5 } },
  ],
];

describe('schedule preview', () => {
  it.each(KINDS)('of %s is what the schedule will be', async (options, schedule) => {
    const args = ['schedule', 'preview', ...options.split(' '), '--count', '30', '--loss', '1'];
    const { exit, document } = await livegradJson<{ rates: number[] }>(...args);
    expect(exit).toBe(0);
    const rates = preview(schedule, { from: 0, count: 30, stride: 1, losses: [1] });
    expect(document).toEqual({ from: 0, stride: 1, rates });
  });

  it('draws a curve', async () => {
    const { exit, stdout } = await livegrad(
      'schedule preview linear --rate 1 --final 0 --steps 256'.split(' '),
    );
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^linear: 1 to 0 in 256$/m);
    expect(stdout).toContain('█');
    expect(stdout).toMatch(/^step 0 to 255: 1 to /m);
  });

  it('says what a kind does not take, and what it takes but not so', async () => {
    const wrong = await livegrad([
      'schedule',
      'preview',
      'constant',
      '--rate',
      '1',
      '--warmup-from',
      '0.5',
    ]);
    expect(wrong).toMatchObject({ exit: 2 });
    expect(wrong.stderr).toContain('--warmup-from: not taken without --warmup');
    const mode = await livegrad(
      'schedule preview cyclic --rate 1 --peak 2 --up 3 --mode sideways'.split(' '),
    );
    expect(mode).toMatchObject({ exit: 2 });
    expect(mode.stderr).toContain('--mode: ');
  });
});

describe('a chart', () => {
  it('is as high as its values', () => {
    expect(chart([0, 1, 2, 3, 4], { width: 10, rows: 4 }, PLAIN)).toEqual([
      '4     █',
      '     ██',
      '    ███',
      '0  ████',
    ]);
  });

  it('is drawn without Unicode where there is none, and of a constant', () => {
    const plain = { ...PLAIN, unicode: false };
    expect(chart([1, 1], { width: 10, rows: 2 }, plain)).toEqual(['1 ##', '0 ##']);
  });
});
