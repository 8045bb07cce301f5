/** An evaluated program and its document as one patch: what wins, what is checked, what stays inside. */

import { describe, expect, it } from 'vitest';
import { patchOf, precisionOf } from '../../../dsp/faust/patch.ts';
import type { FaustProgram } from '../../../dsp/faust/program.ts';
import { withoutProgram } from '../../../dsp/patch/faust.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';

/** A one-pole low-pass of input 1 and one with a slider, side by side. */
const LINES = [
  'ID_0 = hslider("pole[learn:1]/[0] model",0.5,0.0,0.99,0.001);',
  'ID_1 = W3;',
  'ID_2 = proj0(ID_1);',
  "ID_3 = ID_2';",
  'ID_4 = ID_0*ID_3;',
  'ID_5 = IN[0]+ID_4;',
  'ID_6 = letrec(W3 = (ID_5));',
  'ID_7 = proj0(ID_6);',
  'ID_8 = hslider("gain[unit:dB]",0.0,-60.0,12.0,0.1);',
  'ID_9 = IN[0]*ID_8;',
  'ID_10 = vbargraph("level",0.0,1.0,ID_9);',
];

const program = (change: Partial<FaustProgram> = {}): FaustProgram => ({
  code: 'process = …;',
  double: false,
  form: [...LINES, 'SIG = (ID_10, ID_7);'].join('\n'),
  waveforms: [],
  declares: [
    ['name', 'Pole of a Filter'],
    ['livegrad', '[rate:0.01][loss:mae]'],
  ],
  groups: { '[0] model': 'horizontal' },
  ...change,
});

const document = (change: object = {}): object => ({
  format: 'livegrad.patch/1',
  faust: { code: 'process = …;' },
  ...change,
});

function made(change?: object, of = program()) {
  const patch = patchOf(of, document(change));
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  return patch.value;
}

const problems = (change: object, of = program()) => {
  const patch = patchOf(of, document(change));
  return patch.ok ? [] : patch.diagnostics.map(({ code, path }) => `${code} ${path}`);
};

describe('a patch of a program', () => {
  it('has its controls, outputs, training and names', () => {
    const patch = made();
    expect(patch).toMatchObject({
      name: 'Pole-of-a-Filter',
      title: 'Pole of a Filter',
      precision: 'single',
      nodes: {},
      outputs: ['out1', 'out2'],
      sliders: { gain: { initial: 0, min: -60, max: 12, unit: 'dB' } },
      meters: { level: { in: 'level', min: 0, max: 1 } },
      params: { pole: { initial: 0.5, min: 0, max: 0.99, rate: 0.99 } },
      training: {
        estimate: 'out2',
        target: 'out1',
        loss: 'mae',
        window: 256,
        mode: 'auto',
        optimiser: { kind: 'adam', beta1: 0.9 },
        schedule: { kind: 'constant', rate: 0.01 },
      },
    });
    expect(patch.ui).toEqual([
      {
        group: 'horizontal',
        label: 'model',
        items: [{ control: 'pole', style: 'horizontal', label: 'pole' }],
      },
      { control: 'gain', style: 'horizontal', label: 'gain' },
      { meter: 'level', style: 'vertical', label: 'level' },
    ]);
    expect(patch.faust?.program).toEqual(program());
  });

  it('is called what the document says, trained as it says, and plays what it says', () => {
    const training = { loss: 'esr', window: 64 };
    const patch = made({
      name: 'mine',
      outputs: ['out2', 'gain', 0],
      training,
      vary: { pole: [0, 0.5] },
    });
    expect(patch).toMatchObject({
      name: 'mine',
      outputs: ['out2', 'gain', 0],
      training: { loss: 'esr', window: 64, schedule: { rate: 0.01 }, estimate: 'out2' },
      vary: { pole: [0, 0.5] },
    });
  });

  it('learns what the document says', () => {
    const faust = { code: '', learn: { pole: false, gain: 'linear' } };
    const patch = made({ faust });
    expect(Object.keys(patch.params)).toEqual(['gain']);
    expect(patch.faust).toMatchObject(faust);
    const nothing = made({
      faust: { code: '', learn: { pole: false } },
      training: { loss: 'mse' },
    });
    expect(nothing.training).toBeUndefined();
  });

  it('is the same from its own document, without what was evaluated', () => {
    const patch = made();
    const text = JSON.stringify(withoutProgram(patch));
    expect(text).not.toContain('letrec');
    const again = patchOf(program(), JSON.parse(text));
    expect(again).toEqual({ ok: true, value: patch });
  });

  it('believes no program that a document brings', () => {
    const form = 'SIG = (ID_404);';
    const faust = { code: '', program: program({ form }) };
    expect(made({ faust }).faust?.program).toEqual(program());
    const parsed = parsePatch(document({ faust }));
    expect(parsed.ok && parsed.value.faust).toEqual({ code: '' });
  });

  it.each<[change: object, problem: string]>([
    [{ outputs: ['out3'] }, 'PATCH_UNKNOWN_REFERENCE outputs[0]'],
    [{ outputs: ['gian'] }, 'PATCH_UNKNOWN_REFERENCE outputs[0]'],
    [{ training: { target: 'in65' } }, 'PATCH_UNKNOWN_REFERENCE training.target'],
    [{ training: { target: 'x' } }, 'PATCH_UNKNOWN_REFERENCE training.target'],
    [{ training: { window: 0.5 } }, 'PATCH_INVALID training.window'],
    [{ training: [] }, 'PATCH_INVALID training'],
    [{ vary: { pole: [0, 2] } }, 'PATCH_CONTROL_RANGE vary.pole'],
    [
      { expect: [{ param: 'gain', value: 1, tolerance: 1, seconds: 1 }] },
      'PATCH_UNKNOWN_REFERENCE expect[0].param',
    ],
    [{ nodes: { x: { op: 'sampleRate' } } }, 'PATCH_INVALID faust'],
    [{ faust: { code: '', learn: { pol: true } } }, 'PATCH_UNKNOWN_REFERENCE faust.learn.pol'],
    [{ faust: { code: '', learn: { pole: 'loud' } } }, 'PATCH_INVALID faust.learn.pole'],
    [{ faust: { code: 1 } }, 'PATCH_INVALID faust.code'],
    [{ faust: { code: '', more: 1 } }, 'PATCH_INVALID faust.more'],
    [{ name: '1' }, 'PATCH_INVALID name'],
    [{ colour: 'red' }, 'PATCH_INVALID colour'],
  ])('with %j is refused: %s', (change, problem) => {
    expect(problems(change)).toContain(problem);
  });

  it('with more outputs than a device may have plays those that the document names', () => {
    const outputs = Array.from({ length: 65 }, () => 'ID_7').join(', ');
    const form = [...LINES, `SIG = (${outputs});`].join('\n');
    const wide = program({ form, declares: [] });
    expect(problems({}, wide)).toEqual(['FAUST_UNSUPPORTED outputs']);
    expect(made({ outputs: ['out65'] }, wide).outputs).toEqual(['out65']);
  });

  it('of a form that is none is refused', () => {
    expect(problems({}, program({ form: 'nonsense' }))).toEqual(['FAUST_UNSUPPORTED ']);
  });
});

describe('a document of a program', () => {
  it('is a patch before it is evaluated, its references believed', () => {
    const training = {
      estimate: 'out2',
      target: 'cutoff',
      loss: 'mse',
      window: 64,
      schedule: { kind: 'constant', rate: 1 },
    };
    const code = 'declare author "me";\ndeclare name "a b";\nprocess = _;';
    const parsed = parsePatch(document({ training, faust: { code } }));
    expect(parsed).toMatchObject({ ok: true, value: { name: 'a-b', nodes: {}, sliders: {} } });
  });

  it('has no nodes, and one without either is told both', () => {
    const [both] = problemsOf(parsePatch(document({ name: 'x', nodes: { a: { op: 'noise' } } })));
    expect(both).toBe('what the patch does is said twice: expected "nodes" or "faust", got both');
    const [none] = problemsOf(parsePatch({ format: 'livegrad.patch/1', name: 'x' }));
    expect(none).toBe('missing: expected an object');
  });

  it.each([
    [{ precision: 'double' }, [], 'double'],
    [{ precision: 'single' }, ['[precision:double]'], 'single'],
    [{}, ['[loss:mae]', '[precision:double]'], 'double'],
    [{}, [], 'single'],
    [null, ['[precision:half]'], 'single'],
  ])('%j that declares %j is evaluated in %s', (said, texts, precision) => {
    const declares = texts.map((text) => ['livegrad', text] as const);
    expect(precisionOf(said, { declares })).toBe(precision);
  });
});

const problemsOf = (parsed: ReturnType<typeof parsePatch>): readonly string[] =>
  parsed.ok ? [] : parsed.diagnostics.map(({ message }) => message);

describe('what a program marks by livegrad.lib', () => {
  const marked = (loss: string, declares: FaustProgram['declares'] = []): FaustProgram =>
    program({
      form: [
        ...LINES.slice(0, 8),
        'ID_8 = lg_target(IN[2]);',
        `ID_9 = ${loss};`,
        'SIG = (IN[0], ID_7, ID_9);',
      ].join('\n'),
      declares,
    });
  const ONE = 'lg_huber(ID_7, IN[1])';
  const TARGET = 'attach(ID_7,ID_8)';

  it('wins over the convention of outputs, which says the rest', () => {
    expect(made({}, marked(ONE)).training).toMatchObject({
      estimate: 'mark1',
      target: 'mark2',
      loss: 'huber',
    });
    const two = {
      ...marked(TARGET),
      form: marked(TARGET).form.replace('IN[0], ID_7, ID_9', 'ID_9'),
    };
    expect(made({}, two).training).toMatchObject({
      estimate: 'out1',
      target: 'mark1',
      loss: 'mse',
    });
  });

  it('yields to a declaration, and that to the document', () => {
    const declared = marked(ONE, [['livegrad', '[loss:mae][target:out 1]']]);
    const training = { estimate: 'mark1', target: 'out1', loss: 'mae' };
    expect(made({}, declared).training).toMatchObject(training);
    const document = { training: { target: 'mark2' } };
    expect(made(document, declared).training).toMatchObject({ ...training, target: 'mark2' });
  });

  it('is no more than there is', () => {
    const document = { training: { target: 'mark3' } };
    expect(problems(document, marked(ONE))).toEqual(['PATCH_UNKNOWN_REFERENCE training.target']);
  });

  it('is refused where it cannot be', () => {
    expect(problems({}, marked('lg_weighted(0.5, ID_7)'))).toEqual(['FAUST_METADATA faust.code']);
  });

  it('makes a slider learnable that its label says nothing of', () => {
    const form = [
      'ID_0 = hslider("g",0.5,0.1,1.0,0.01);',
      'ID_1 = lg_learn_log(ID_0);',
      'SIG = (ID_1);',
    ];
    const of = program({ form: form.join('\n'), declares: [] });
    expect(made({}, of).params).toMatchObject({ g: { learn: 'log' } });
    expect(made({ faust: { code: '', learn: { g: false } } }, of).sliders).toHaveProperty('g');
  });

  it('has a window that its losses can be taken over', () => {
    expect(made({}, marked('lg_stft(ID_7, IN[1])')).training!.window).toBe(4096);
    expect(made({}, marked('lg_multiStft(ID_7, IN[1])')).training!.window).toBe(4800);
  });
});
