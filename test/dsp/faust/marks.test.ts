/** What forms with calls of `livegrad.lib` say of a training, and what they may not say. */

import { describe, expect, it } from 'vitest';
import { keyOfWidget, readForm, widgetsOf } from '../../../dsp/faust/form.ts';
import type { Form } from '../../../dsp/faust/form.ts';
import { marksOf, misfitOf } from '../../../dsp/faust/marks.ts';
import type { Marks } from '../../../dsp/faust/marks.ts';
import { Builder } from '../../../dsp/ir/builder.ts';

function formOf(lines: readonly string[], outputs: string): Form {
  const form = readForm([...lines, `SIG = (${outputs});`].join('\n'));
  if (!form.ok) throw new Error('no form');
  return form.value;
}

function marked(lines: readonly string[], outputs = 'ID_0'): Marks {
  const marks = marksOf(formOf(lines, outputs));
  if (!marks.ok) throw new Error(marks.diagnostics[0]!.message);
  return marks.value;
}

function wrong(lines: readonly string[], outputs = 'ID_0'): readonly string[] {
  const marks = marksOf(formOf(lines, outputs));
  return marks.ok ? [] : marks.diagnostics.map(({ code, message }) => `${code} ${message}`);
}

describe('marks', () => {
  it('of a plain program say nothing', () => {
    const { training, signals, learn } = marked(['ID_0 = 0.5*IN[0];']);
    expect([training, signals, learn.size]).toEqual([{}, [], 0]);
  });

  it('name estimate and target wherever they are', () => {
    const lines = [
      'ID_0 = 0.5*IN[0];',
      'ID_1 = lg_estimate(ID_0);',
      'ID_2 = lg_target(IN[1]);',
      'ID_3 = attach(ID_1,ID_2);',
    ];
    const { training, signals } = marked(lines, 'ID_3');
    expect(training).toEqual({ estimate: 'mark1', target: 'mark2' });
    const { nodes } = formOf(lines, 'ID_3');
    expect(signals.map((id) => nodes[id]!.op)).toEqual(['*', 'input']);
  });

  it('may be of one side only', () => {
    expect(marked(['ID_0 = lg_target(IN[1]);']).training).toEqual({ target: 'mark1' });
  });

  it('ask for several losses, each with a weight and options of its own', () => {
    const lines = [
      'ID_0 = lg_mse(IN[0], IN[1]);',
      'ID_1 = lg_weighted(0.5, ID_0);',
      'ID_2 = lg_logSpectral(IN[0], IN[2]);',
      'ID_3 = lg_with_sizes(256.0, ID_2);',
      'ID_4 = lg_with_sizes(1024.0, ID_3);',
      'ID_5 = lg_with_distance_l1(ID_4);',
      'ID_6 = lg_weighted(2.0, ID_5);',
      'ID_7 = lg_weighted(3.0, ID_6);',
      'ID_8 = lg_loss(IN[0]);',
    ];
    expect(marked(lines, 'ID_1, ID_7, ID_8').training).toEqual({
      terms: [
        { estimate: 'mark1', target: 'mark2', loss: 'mse', weight: 0.5 },
        {
          estimate: 'mark1',
          target: 'mark3',
          loss: { kind: 'logSpectral', sizes: [256, 1024], distance: 'l1' },
          weight: 6,
        },
        { estimate: 'mark1', loss: 'value' },
      ],
    });
  });

  it('of one loss are as if it was declared', () => {
    const { training } = marked(
      ['ID_0 = lg_snr(IN[0], IN[1]);', 'ID_1 = lg_with_zeroMean(0.0, ID_0);'],
      'ID_1',
    );
    expect(training).toEqual({
      estimate: 'mark1',
      target: 'mark2',
      loss: { kind: 'snr', zeroMean: false },
    });
  });

  it('make a slider learnable, on a scale', () => {
    const lines = [
      'ID_0 = hslider("a",0.5,0.0,1.0,0.1);',
      'ID_1 = vslider("b",0.5,0.1,1.0,0.1);',
      'ID_2 = lg_learn(ID_0);',
      'ID_3 = lg_learn_log(ID_1);',
    ];
    const keys = widgetsOf(formOf(lines, 'ID_2, ID_3')).map(keyOfWidget);
    expect([...marked(lines, 'ID_2, ID_3').learn]).toEqual([
      [keys[0], true],
      [keys[1], 'log'],
    ]);
  });
});

describe('a sentence refuses', () => {
  it('two estimates', () => {
    expect(
      wrong(['ID_0 = lg_estimate(IN[0]);', 'ID_1 = lg_estimate(IN[1]);'], 'ID_0, ID_1'),
    ).toEqual(['FAUST_METADATA lg.estimate marks more than one signal: expected one']);
  });

  it('losses beside marks', () => {
    expect(
      wrong(['ID_0 = lg_target(IN[0]);', 'ID_1 = lg_mse(IN[1], IN[0]);'], 'ID_0, ID_1')[0],
    ).toMatch(/said twice/u);
  });

  it('options of what is no loss, or of another one', () => {
    expect(wrong(['ID_0 = lg_weighted(0.5, IN[0]);'])[0]).toMatch(/lg.weighted: expected a loss/u);
    expect(
      wrong(['ID_0 = lg_mse(IN[0], IN[1]);', 'ID_1 = lg_with_delta(0.5, ID_0);'], 'ID_1')[0],
    ).toMatch(/lg.mse.*delta/u);
    expect(
      wrong(['ID_0 = lg_huber(IN[0], IN[1]);', 'ID_1 = lg_with_delta(-1.0, ID_0);'], 'ID_1')[0],
    ).toMatch(/lg.huber.*delta/u);
  });

  it('options and weights that move', () => {
    expect(
      wrong(['ID_0 = lg_mse(IN[0], IN[1]);', 'ID_1 = lg_weighted(IN[0], ID_0);'], 'ID_1')[0],
    ).toMatch(/expected a constant/u);
  });

  it('to learn what is no slider', () => {
    expect(wrong(['ID_0 = lg_learn(IN[0]);'])[0]).toMatch(
      /expected a slider .* got another signal/u,
    );
    expect(wrong(['ID_0 = button("b");', 'ID_1 = lg_learn(ID_0);'], 'ID_1')[0]).toMatch(
      /got a button/u,
    );
  });
});

describe('a loss fits its signals', () => {
  const b = new Builder('stream');
  const x = b.node('input', [], [0]);
  const frame = b.node('frames', [x], [32, 64]);
  const other = b.node('frames', [x], [16, 64]);
  const short = b.node('slice', [frame], [0, 8]);
  const said = (estimate: typeof x, target: typeof x | null, loss: 'mse' | 'esr' | 'value') =>
    misfitOf(b, { estimate, target, loss })?.message ?? null;

  it('sounds are compared as samples', () => {
    expect(said(x, x, 'esr')).toBeNull();
    expect(said(x, frame, 'esr')).toMatch(
      /expected samples, got frames every 32 samples \(target\)/u,
    );
  });

  it('frames with frames of the same lanes and hop', () => {
    expect(said(frame, frame, 'mse')).toBeNull();
    expect(said(frame, null, 'value')).toBeNull();
    expect(said(frame, b.real(0), 'mse')).toBeNull();
    expect(said(frame, other, 'mse')).toMatch(/got a hop of 32 and of 16/u);
    expect(said(frame, short, 'mse')).toMatch(/got 64 and 8/u);
  });
});
