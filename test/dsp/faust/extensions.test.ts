/** What calls of `livegrad.lib` in a form become: gradients of one's own, frames, and what does not fit. */

import { describe, expect, it } from 'vitest';
import { readForm } from '../../../dsp/faust/form.ts';
import { makeGraph } from '../../../dsp/faust/graph.ts';
import { Builder } from '../../../dsp/ir/builder.ts';
import { MEAN, agree } from '../../support/gradients.ts';
import { playForm } from '../../support/form.ts';

const ramp = (n: number): number => n + 1;

/** d mean(SIG)/da at a = 0.5, by every mode. */
function slope(lines: readonly string[], out: string, differences: boolean): number {
  const form = readForm([SLIDER, ...lines, `SIG = (${out});`].join('\n'));
  if (!form.ok) throw new Error('no form');
  const b = new Builder('stream');
  const { outputs } = makeGraph(
    b,
    form.value,
    {
      sampleRate: 48_000,
      double: true,
      waveforms: [],
      control: (builder) => builder.node('param', [], [0, 1]),
      sounds: () => [],
    },
    [],
  );
  const given = { b, estimate: outputs[0]!, target: b.real(0), params: 1, window: 64, at: [0.5] };
  return agree(out, { ...given, loss: MEAN, differences, run: { input: () => 1 } }).gradients[0]!;
}

const SLIDER = 'ID_0 = hslider("a",0.5,0.0,1.0,0.1);';
/** A signal, so that there is something to record. */
const MOVING = 'ID_1 = ID_0*IN[0];';

describe('gradients of one’s own', () => {
  it('detached there is none', () => {
    const lines = [MOVING, 'ID_2 = lg_detach(ID_1);', 'ID_3 = ID_1*ID_2;'];
    expect(slope(lines, 'ID_3', false)).toBeCloseTo(0.5, 9);
  });

  it('straight through a rounding', () => {
    const lines = [
      MOVING,
      'ID_2 = floor(ID_1);',
      'ID_3 = 3.0*ID_1;',
      'ID_4 = lg_straight(ID_2, ID_3);',
    ];
    expect(slope(lines, 'ID_4', false)).toBeCloseTo(3, 9);
  });

  it('with a slope that is said', () => {
    const lines = [MOVING, 'ID_2 = ID_1*ID_1;', 'ID_3 = lg_withSlope(ID_2, ID_1, 7.0);'];
    expect(slope(lines, 'ID_3', false)).toBeCloseTo(7, 9);
  });

  it('of a threshold as of a sigmoid', () => {
    const lines = [MOVING, 'ID_2 = lg_above(0.1, ID_1, 0.5);'];
    expect(slope(lines, 'ID_2', false)).toBeCloseTo(1 / (4 * 0.1), 9);
    const { outputs } = playForm('ID_0 = lg_above(0.1, IN[0], 1.5);\nSIG = (ID_0);', 3, {
      inputs: [ramp],
    });
    expect(outputs[0]).toEqual([0, 1, 1]);
  });

  it('a loss passes its estimate on, with its gradient', () => {
    const lines = [MOVING, 'ID_2 = lg_mse(ID_1, IN[0]);', 'ID_3 = lg_weighted(0.5, ID_2);'];
    expect(slope(lines, 'ID_3', true)).toBeCloseTo(1, 9);
  });
});

describe('frames', () => {
  const FRAME = 'ID_1 = lg_frames(4, 2, IN[0]);';
  const heard = (lines: readonly string[], out: string): readonly number[] => {
    const { outputs, problems } = playForm([...lines, `SIG = (${out});`].join('\n'), 6, {
      inputs: [ramp],
    });
    expect(problems).toEqual([]);
    return outputs[0]!;
  };

  it('go through operators lane by lane, and beside numbers', () => {
    const lines = [
      FRAME,
      'ID_2 = 0.5*ID_1;',
      'ID_3 = pow(ID_2,2.0);',
      'ID_4 = ID_3-ID_1;',
      'ID_5 = lg_sumLanes(ID_4);',
      'ID_6 = lg_hold(ID_5);',
    ];
    const of = (frame: readonly number[]): number =>
      frame.reduce((sum, v) => sum + v * v * 0.25 - v, 0);
    const [first, second, third] = [
      [0, 0, 1, 2],
      [1, 2, 3, 4],
      [3, 4, 5, 6],
    ].map(of);
    expect(heard(lines, 'ID_6')).toEqual([0, first, first, second, second, third]);
  });

  it('are delayed and fed back by frames', () => {
    const sum = ['ID_9 = lg_sumLanes(ID_8);', 'ID_10 = lg_hold(ID_9);'];
    const delayed = heard([FRAME, "ID_8 = ID_1';", ...sum], 'ID_10');
    expect(delayed).toEqual([0, 0, 0, 3, 3, 10]);
    const loop = [
      'ID_2 = W1;',
      'ID_3 = proj0(ID_2);',
      "ID_4 = ID_3';",
      'ID_5 = 0.5*ID_4;',
      'ID_6 = ID_1+ID_5;',
      'ID_7 = letrec(W1 = (ID_6));',
      'ID_8 = proj0(ID_7);',
    ];
    expect(heard([FRAME, ...loop, ...sum], 'ID_10')).toEqual([0, 3, 3, 11.5, 11.5, 23.75]);
  });

  it('begin as prefix says', () => {
    const lines = [
      FRAME,
      'ID_2 = prefix(3.0,ID_1);',
      'ID_3 = lg_sumLanes(ID_2);',
      'ID_4 = lg_hold(ID_3);',
    ];
    expect(heard(lines, 'ID_4')).toEqual([0, 12, 12, 3, 3, 10]);
  });

  it('take sizes that are computed from the sample rate', () => {
    const lines = [
      'ID_0 = float(fSamplingFreq);',
      'ID_1 = ID_0/24000.0;',
      'ID_2 = int(ID_1);',
      'ID_3 = lg_frames(4, ID_2, IN[0]);',
      'ID_4 = lg_sumLanes(ID_3);',
      'ID_5 = lg_hold(ID_4);',
    ];
    expect(heard(lines, 'ID_5')).toEqual([0, 3, 3, 10, 10, 18]);
  });
});

describe('what does not fit is said in a sentence:', () => {
  const FRAME = 'ID_1 = lg_frames(64, 32, IN[0]);';
  it.each([
    [
      'a frame that is played',
      [FRAME],
      'ID_1',
      /an output.*expected a number at every sample, got frames every 32/u,
    ],
    ['a vector that is played', ['ID_1 = lg_hann(64);'], 'ID_1', /an output.*got 64 lanes/u],
    [
      'a frame beside samples',
      [FRAME, 'ID_2 = ID_1*IN[0];', 'ID_3 = lg_overlapAdd(ID_2);'],
      'ID_3',
      /rates of "\*"/u,
    ],
    [
      'frames of two hops',
      [
        FRAME,
        'ID_2 = lg_frames(64, 16, IN[0]);',
        'ID_3 = lg_dot(ID_1, ID_2);',
        'ID_4 = lg_hold(ID_3);',
      ],
      'ID_4',
      /rates of lg.dot/u,
    ],
    [
      'frames of two sizes',
      [
        FRAME,
        'ID_2 = lg_frames(48, 32, IN[0]);',
        'ID_3 = ID_1+ID_2;',
        'ID_4 = lg_overlapAdd(ID_3);',
      ],
      'ID_4',
      /lanes of "\+"/u,
    ],
    [
      'lanes that a transform does not take',
      ['ID_1 = lg_frames(60, 32, IN[0]);', 'ID_2 = lg_rfft(ID_1);', 'ID_3 = lg_overlapAdd(ID_2);'],
      'ID_3',
      /lg.rfft: lanes of "v": expected a power of two/u,
    ],
    [
      'a size that moves',
      ['ID_1 = lg_frames(IN[1], 32, IN[0]);', 'ID_2 = lg_overlapAdd(ID_1);'],
      'ID_2',
      /"size": expected a constant, got a signal/u,
    ],
    [
      'a size out of its range',
      ['ID_1 = lg_frames(100000, 32, IN[0]);', 'ID_2 = lg_overlapAdd(ID_1);'],
      'ID_2',
      /lg.frames: "size"/u,
    ],
    [
      'frames of what is no signal',
      ['ID_1 = lg_frames(64, 32, 1.0);', 'ID_2 = lg_overlapAdd(ID_1);'],
      'ID_2',
      /lg.frames: expected a number at every sample, got what is no signal/u,
    ],
    [
      'frames that move in a delay',
      [FRAME, 'ID_2 = int(IN[1]);', 'ID_3 = ID_1@ID_2;', 'ID_4 = lg_overlapAdd(ID_3);'],
      'ID_4',
      /a delay of moving length/u,
    ],
    [
      'a table that is read by a frame',
      [FRAME, 'ID_2 = int(ID_1);', 'ID_3 = lgwave0(ID_2);', 'ID_4 = lg_overlapAdd(ID_3);'],
      'ID_4',
      /a waveform: expected a number/u,
    ],
    [
      'frames that go through the device',
      [FRAME, 'ID_2 = lg_align(ID_1);', 'ID_3 = lg_overlapAdd(ID_2);'],
      'ID_3',
      /lg.align: expected a number at every sample/u,
    ],
    [
      'bands above Nyquist',
      [
        FRAME,
        'ID_2 = lg_rfft(ID_1);',
        'ID_3 = lg_power(ID_2);',
        'ID_4 = lg_melBands(8, 0.0, 30000.0, ID_3);',
        'ID_5 = lg_overlapAdd(ID_4);',
      ],
      'ID_5',
      /lg.melBands: the bands must end at or below Nyquist/u,
    ],
    [
      'a recursion through frames',
      [
        'ID_1 = W1;',
        'ID_2 = proj0(ID_1);',
        "ID_3 = ID_2';",
        'ID_4 = lg_frames(64, 32, ID_3);',
        'ID_5 = lg_overlapAdd(ID_4);',
        'ID_6 = ID_5+IN[0];',
        'ID_7 = letrec(W1 = (ID_6));',
        'ID_8 = proj0(ID_7);',
      ],
      'ID_8',
      /a recursion through lg/u,
    ],
    [
      'a frame that Faust took for a number',
      ['ID_1 = lg_sumLanes(1.0);', 'ID_2 = lg_hold(ID_1);'],
      'ID_2',
      /lg.sumLanes: expected frames, got the number 1/u,
    ],
    [
      'a loop that gains lanes',
      [
        'ID_1 = W1;',
        'ID_2 = proj0(ID_1);',
        "ID_3 = ID_2';",
        'ID_4 = lg_concat(ID_3, ID_3);',
        'ID_5 = letrec(W1 = (ID_4));',
        'ID_6 = proj0(ID_5);',
        'ID_7 = lg_overlapAdd(ID_6);',
      ],
      'ID_7',
      /a recursion through a delay: expected samples, got 2 lanes/u,
    ],
    [
      'too many lanes',
      [
        FRAME,
        'ID_2 = lg_outer(ID_1, ID_1);',
        'ID_3 = lg_outer(ID_2, ID_1);',
        'ID_4 = lg_sumLanes(ID_3);',
        'ID_5 = lg_hold(ID_4);',
      ],
      'ID_5',
      /too many lanes/u,
    ],
  ] as const)('%s', (_what, lines, out, message) => {
    const waveforms = [{ values: [1, 2], isInt: false }];
    const { problems, outputs } = playForm([...lines, `SIG = (${out});`].join('\n'), 2, {
      waveforms,
    });
    expect(problems.map((problem) => problem.message).join('; ')).toMatch(message);
    expect(outputs).toEqual([[0, 0]]);
  });
});
