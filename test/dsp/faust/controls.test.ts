/**
 * Widgets and declarations of Faust programs as parts of a patch. Widgets are as libfaust 2.88 prints
 * them; what its own clients show is from its JSON description of the same programs.
 */

import { describe, expect, it } from 'vitest';
import { controlsOf } from '../../../dsp/faust/controls.ts';
import type { FaustControls, Overrides } from '../../../dsp/faust/controls.ts';
import { keyOfWidget } from '../../../dsp/faust/form.ts';
import type { FaustProgram, Widget, WidgetKind } from '../../../dsp/faust/program.ts';
import { controlSchema, paramSchema, trainingSchema } from '../../../dsp/patch/schema.ts';
import { uiSchema } from '../../../dsp/patch/ui.ts';
import type { UiNode } from '../../../dsp/patch/ui.ts';

const widget = (path: string, range: Partial<Widget> = {}): Widget => ({
  kind: 'hslider',
  path,
  initial: 0,
  min: 0,
  max: 1,
  step: 0.1,
  ...range,
});
const of = (kind: WidgetKind, path: string): Widget =>
  widget(path, { kind, min: 0, max: 1, step: kind.endsWith('bargraph') ? 0 : 1 });

interface Setting extends Partial<Pick<FaustProgram, 'declares' | 'groups' | 'code'>> {
  readonly inputs?: number;
  readonly outputs?: number;
  readonly overrides?: Overrides;
}

const read = (widgets: readonly Widget[], setting: Setting = {}) => {
  const { declares = [], groups = {}, inputs = 1, outputs = 2, overrides, code } = setting;
  const program = { declares, groups, ...(code === undefined ? {} : { code }) };
  return controlsOf(widgets, program, { inputs, outputs }, overrides);
};

/** What is made, which must be what a patch takes. */
function made(widgets: readonly Widget[], setting?: Setting): FaustControls {
  const result = read(widgets, setting);
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  const { sliders, params, ui, training } = result.value;
  for (const spec of Object.values(sliders)) controlSchema.parse(spec);
  for (const spec of Object.values(params)) paramSchema.parse(spec);
  uiSchema.parse(ui);
  if (training !== undefined) trainingSchema.parse(training);
  return result.value;
}

const said = (widgets: readonly Widget[], setting?: Setting): readonly string[] => {
  const result = read(widgets, setting);
  return result.ok ? [] : result.diagnostics.map(({ code, message }) => `${code} ${message}`);
};

describe('a slider', () => {
  it('keeps range, step, unit, scale and tooltip', () => {
    const raw = '[1]cutoff[unit:Hz][scale:log][tooltip: of the low-pass]';
    const { sliders } = made([widget(raw, { initial: 1000, min: 20, max: 20_000, step: 1 })]);
    expect(sliders).toEqual({
      cutoff: {
        initial: 1000,
        min: 20,
        max: 20_000,
        step: 1,
        unit: 'Hz',
        scale: 'log',
        doc: 'of the low-pass',
      },
    });
  });

  it.each<[what: string, range: Partial<Widget>, initial: number, min: number, max: number]>([
    ['an empty range, by its step', { initial: 1, min: 1, max: 1, step: 0.25 }, 1, 1, 1.25],
    ['an empty range without a step, by 1', { initial: 1, min: 1, max: 1, step: 0 }, 1, 1, 2],
    [
      'an empty range far out',
      { initial: 1e30, min: 1e30, max: 1e30 },
      1e30,
      1e30 * (1 - 2 ** -20),
      1e30,
    ],
    ['a range that runs down', { initial: 1, min: 2, max: 0 }, 1, 0, 2],
    ['a start outside of it', { initial: 7, min: 0, max: 2 }, 2, 0, 2],
    ['a range without end', { initial: 5, min: -Infinity, max: Infinity }, 5, -3.4e38, 3.4e38],
    ['what is no number', { initial: Number.NaN, min: 1, max: 2 }, 1, 1, 2],
  ])('mends %s', (_what, range, initial, min, max) => {
    expect(made([widget('x', range)]).sliders['x']).toMatchObject({ initial, min, max });
  });

  it.each([0, -0.1, Infinity, Number.NaN])('has no step where Faust has %d', (step) => {
    expect(made([widget('x', { step })]).sliders['x']).not.toHaveProperty('step');
  });

  it('is linear where a logarithm of its range is none', () => {
    expect(made([widget('x[scale:log]')]).sliders['x']).not.toHaveProperty('scale');
  });

  it('may be a button, a checkbox or a number', () => {
    const { sliders } = made([of('button', 'b'), of('checkbox', 'c'), of('nentry', 'n')]);
    expect(sliders).toEqual({
      b: { initial: 0, min: 0, max: 1, step: 1 },
      c: { initial: 0, min: 0, max: 1, step: 1 },
      n: { initial: 0, min: 0, max: 1, step: 1 },
    });
  });

  it('is known by its widget, whatever else has its path', () => {
    const twins = [widget('a', { max: 2 }), widget('a', { max: 1 })];
    const { idOf, sliders } = made(twins);
    expect(twins.map((one) => sliders[idOf.get(keyOfWidget(one))!]!.max)).toEqual([2, 1]);
    expect(idOf).toEqual(made(twins.toReversed()).idOf);
  });
});

describe('what is learnable', () => {
  const cutoff = { initial: 1000, min: 20, max: 20_000, step: 1 };

  it.each<[what: string, raw: string, range: Partial<Widget>, learn: string, factor: number]>([
    ['a gain', 'gain[learn:1]', {}, 'linear', 1],
    ['a level in dB', 'gain[learn:1][unit:dB]', { min: -60, max: 12 }, 'linear', 72],
    ['a resonance', 'q[learn:1]', { min: 0.5, max: 16 }, 'log', 3],
    ['a feedback', 'fb[learn:1]', { min: 0.01, max: 0.99 }, 'linear', 0.98],
    ['a delay in ms', 'delay[learn:1][unit:ms]', { min: 0, max: 100 }, 'linear', 100],
    ['a narrow range', 'tempo[learn:1]', { min: 60, max: 240 }, 'linear', 180],
    ['a cutoff in Hz', 'f[learn:1]', { min: 20, max: 20_000 }, 'log', 3],
    ['a cutoff that is shown by ratios', 'f[learn:1][scale:log]', { min: 100, max: 400 }, 'log', 2],
    ['a cutoff that says otherwise', 'f[learn:linear]', cutoff, 'linear', 19_980],
    ['one that says how', 'f[learn:log]', { min: 1, max: 2 }, 'log', 1],
    ['a share', 'mix[learn:logit]', {}, 'logit', 4],
    ['one with one end', 'time[learn:softplus]', { max: 5 }, 'softplus', 5],
    ['one that has a rate', 'g[learn:1][lr:0.0006]', {}, 'linear', 0.2],
    ['a huge range', 'seed[learn:1]', { max: 1e9 }, 'linear', 1e6],
  ])('is %s', (_what, raw, range, learn, factor) => {
    const { params, sliders } = made([widget(raw, { initial: range.min ?? 0, ...range })]);
    expect(sliders).toEqual({});
    const [spec] = Object.values(params);
    expect(spec!.learn ?? 'linear').toBe(learn);
    expect(spec!.rate ?? 1).toBeCloseTo(factor, 12);
  });

  it('is what the overrides say, and not what they do not', () => {
    const learn = { a: true, b: false, c: 'log' } as const;
    const widgets = [widget('a'), widget('b[learn:1]'), widget('c', cutoff), widget('d[learn:1]')];
    const { params, sliders } = made(widgets, { overrides: { learn } });
    expect(Object.keys(params)).toEqual(['a', 'c', 'd']);
    expect(Object.keys(sliders)).toEqual(['b']);
    expect(params['c']!.learn).toBe('log');
  });

  it('has its own rate whatever the rate of all is', () => {
    const declares = [['livegrad', '[rate:0.02]']] as const;
    const { params } = made([widget('g[learn:1][lr:0.01]')], { declares });
    expect(params['g']!.rate).toBe(0.5);
    const training = { schedule: { kind: 'constant', rate: 0.1 } };
    const outside = made([widget('g[learn:1][lr:0.01]')], { declares, overrides: { training } });
    expect(outside.params['g']!.rate).toBeCloseTo(0.1, 12);
  });

  it('is in its own unit where steps are not as long as the rate', () => {
    const declares = [['livegrad', '[optimiser:sgd][rate:0.1]']] as const;
    expect(made([widget('g[learn:1]', { max: 100 })], { declares }).params['g']!.rate).toBe(
      undefined,
    );
  });

  it.each<[widget: Widget, message: RegExp]>([
    [widget('x[learn:maybe]'), /\[learn:maybe\] of "x": expected one of 1, 0, linear/u],
    [widget('x[learn:]'), /\[learn:\] of "x"/u],
    [widget('x[lr:-1]'), /\[lr:-1\] of "x": expected a learning rate of 0 or more/u],
    [widget('x[lr:fast]'), /\[lr:fast\] of "x"/u],
    [widget('x[lr:]'), /\[lr:\] of "x"/u],
    [widget('x[learn:log]'), /"x" learns as a logarithm: expected min > 0, got 0/u],
    [widget('x[learn:1]', { max: 0 }), /"x" has nowhere to go/u],
    [of('button', 'b[learn:1]'), /"b" is a button, which is on or off/u],
    [of('checkbox', 'c[learn:1]'), /"c" is a checkbox/u],
    [of('hbargraph', 'm[learn:1]'), /"m" is a bargraph, which nothing can learn/u],
  ])('is not %j', (one, message) => {
    const found = said([one]);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
    expect(found[0]).toMatch(/^FAUST_METADATA/u);
  });

  it('is not what the overrides misspell or cannot have', () => {
    const learn = { gai: true, b: true } as const;
    const result = read([widget('gain'), of('button', 'b')], { overrides: { learn } });
    expect(result).toMatchObject({
      diagnostics: [
        { code: 'PATCH_INVALID', path: 'faust.learn.b' },
        {
          code: 'PATCH_UNKNOWN_REFERENCE',
          path: 'faust.learn.gai',
          hint: 'did you mean "gain"?',
        },
      ],
    });
  });

  it('is said with the line of the source', () => {
    const code = 'import("stdfaust.lib");\nprocess = _ *\n  hslider("x[lr:-1]", 0, 0, 1, .1);';
    const result = read([widget('x[lr:-1]')], { code });
    expect(result).toMatchObject({ diagnostics: [{ line: 3 }] });
  });
});

describe('the training', () => {
  const learnt = [widget('g[learn:1]')];
  const by = (...texts: readonly string[]) => ({
    declares: texts.map((text) => ['livegrad', text] as const),
  });

  it('is there only with something to learn', () => {
    expect(made([widget('g')], by('[loss:mae]')).training).toBeUndefined();
  });

  it('is by default Adam on the mean squared error of the second output against the first', () => {
    expect(made(learnt).training).toEqual({
      estimate: 'out2',
      target: 'out1',
      loss: 'mse',
      window: 256,
      optimiser: { kind: 'adam', epsilon: 1e-15 },
      schedule: { kind: 'constant', rate: 0.003 },
    });
  });

  it('of one output compares it with the next input', () => {
    const { training } = made(learnt, { inputs: 2, outputs: 1 });
    expect(training).toMatchObject({ estimate: 'out1', target: 'in3' });
  });

  it.each([3, 8])('is none for %d outputs of which nothing is said', (outputs) => {
    expect(made(learnt, { outputs })).not.toHaveProperty('training');
    const [message] = said(learnt, { outputs, ...by('[estimate:out 2]') });
    expect(message).toMatch(/^FAUST_METADATA what is target of the training/u);
    const { training } = made(learnt, { outputs, ...by('[estimate:in 2][target:in 1]') });
    expect(training).toMatchObject({ estimate: 'in2', target: 'in1' });
  });

  it('of a program that computes its own loss has no target', () => {
    const { training } = made(learnt, by('[loss:value]'));
    expect(training).toMatchObject({ estimate: 'out2', loss: 'value' });
    expect(training).not.toHaveProperty('target');
  });

  it('is declared field by field', () => {
    const { training } = made(learnt, {
      ...by(
        '[target:in 2] [estimate:Out 1] [loss:huber][loss.delta:0.1] [window:512] [every:4]',
        '[optimiser:adam][optimiser.beta1:0.8][optimiser.clip.norm:1][schedule:cosine]',
        '[rate:0.01][schedule.final:0][schedule.steps:1000][mode:reverse][carry:64]',
        '[guards.leap:false][guards.rising.factor:8][groups.slow.params:g][groups.slow.rate:.1]',
      ),
    });
    expect(training).toEqual({
      estimate: 'out1',
      target: 'in2',
      loss: { kind: 'huber', delta: 0.1 },
      window: 512,
      every: 4,
      optimiser: { kind: 'adam', epsilon: 1e-15, beta1: 0.8, clip: { norm: 1 } },
      schedule: { kind: 'cosine', rate: 0.01, final: 0, steps: 1000 },
      mode: 'reverse',
      carry: 64,
      guards: { leap: false, rising: { factor: 8 } },
      groups: { slow: { params: ['g'], rate: 0.1 } },
    });
  });

  it('is declared in several terms, counted from 1', () => {
    const { training } = made(learnt, {
      outputs: 4,
      ...by(
        '[terms.1.estimate:out 2][terms.1.target:out1][terms.1.loss:mae]' +
          '[terms.2.estimate:out 4][terms.2.target:out 3][terms.2.loss:logSpectral]' +
          '[terms.2.loss.sizes:512, 1024][terms.2.weight:0.5]',
      ),
    });
    expect(training).toMatchObject({
      terms: [
        { estimate: 'out2', target: 'out1', loss: 'mae' },
        {
          estimate: 'out4',
          target: 'out3',
          loss: { kind: 'logSpectral', sizes: [512, 1024] },
          weight: 0.5,
        },
      ],
    });
    expect(training).not.toHaveProperty('estimate');
  });

  it.each<[text: string, optimiser: string, window: number, rate: number]>([
    ['[optimiser:adamw]', 'adamw', 256, 0.003],
    ['[optimiser:rmsprop][optimiser.epsilon:1e-8]', 'rmsprop', 256, 0.003],
    ['[optimiser:lion]', 'lion', 256, 0.001],
    ['[optimiser:nlms]', 'nlms', 1, 0.5],
    ['[optimiser:rls]', 'rls', 256, 1],
    ['[optimiser:sgd][rate:2]', 'sgd', 256, 2],
  ])('of %s has a window and a rate that suit it', (text, kind, window, rate) => {
    expect(made(learnt, by(text)).training).toMatchObject({
      optimiser: { kind },
      window,
      schedule: { kind: 'constant', rate },
    });
  });

  it('of one cycle has its rate as the peak', () => {
    const { training } = made(learnt, by('[schedule:oneCycle][schedule.steps:100][rate:0.1]'));
    expect(training).toMatchObject({ schedule: { kind: 'oneCycle', peak: 0.1, steps: 100 } });
  });

  it('is overridden key by key', () => {
    const training = { loss: 'esr', optimiser: { kind: 'sgd' } };
    const settings = {
      ...by('[loss:mae][window:64][optimiser.beta1:.5]'),
      overrides: { training },
    };
    expect(made(learnt, settings).training).toMatchObject({
      loss: 'esr',
      window: 64,
      optimiser: { kind: 'sgd' },
    });
  });

  it.each<[text: string, message: string]>([
    ['[los:mae]', 'unknown key "los": expected one of estimate, target, loss'],
    ['loss:mae', 'expected [key:value] only, got "loss:mae"'],
    ['[loss:mae][rate:0.1', 'expected "]" at the end of "[rate:0.1"'],
    ['[loss:mea]', 'loss: unknown loss: expected one of'],
    ['[optimiser:adma]', 'optimiser.kind: unknown kind: expected one of sgd, adam'],
    ['[optimiser.beta3:1]', 'optimiser.beta3: unknown field "beta3"'],
    ['[optimiser.beta1:x]', 'optimiser.beta1: expected a number, got "x"'],
    ['[window:0.5]', 'window: expected'],
    ['[rate:-1]', 'schedule.rate: '],
    ['[schedule:cosine]', 'schedule.final: missing'],
    ['[precision:half]', 'precision: expected single or double, got "half"'],
    ['[rate:1][schedule.rate:2]', '"schedule.rate" is said twice: as "1" and as "2"'],
    ['[terms.2.estimate:out 1]', 'terms: expected a list'],
    ['[terms.1.estimate:out 1]', 'terms.1.loss: '],
    ['[__proto__:1]', 'unknown key "__proto__"'],
    ['[optimiser.__proto__.x:1]', 'optimiser.'],
  ])('of %s is refused', (text, message) => {
    const found = said(learnt, by(text));
    expect(found[0]).toContain(`FAUST_METADATA declare livegrad: ${message}`);
  });

  it('is judged though nothing is learnable yet, and its precision taken', () => {
    expect(said([widget('g')], by('[los:mae]'))).toHaveLength(1);
    expect(made([widget('g')], by('[precision:double]')).precision).toBe('double');
  });
});

describe('the tree', () => {
  const outline = (nodes: readonly UiNode[]): readonly unknown[] =>
    nodes.map((node) => {
      if ('group' in node) return { [`${node.group} ${node.label}`]: outline(node.items) };
      return 'control' in node ? node.control : `(${node.meter})`;
    });

  it('is in the order of Faust: by labels as written, groups among widgets', () => {
    const paths = ['z', '[1]b', 'a', 'Z', '[10]c', '[2]d', 'q/[3] g', ' l', 'k[7:foo]', '_u'];
    const { ui } = made(
      [...paths, 'u/[2]kk', 'j[0]'].map((path) => widget(path)),
      {
        groups: { '[3] g': 'vertical', '[2]kk': 'horizontal' },
      },
    );
    const expected = [
      'l',
      'Z',
      'c',
      'b',
      'd',
      { 'horizontal kk': ['kk/u'] },
      { 'vertical g': ['q'] },
    ];
    expect(outline(ui)).toEqual([...expected, 'u', 'a', 'j', 'k', 'z']);
  });

  it('has every group of a label once on its level', () => {
    const groups = { 'g [tooltip:t]': 'tab', h: 'horizontal' } as const;
    const { ui } = made(
      ['b/h/g [tooltip:t]', 'a/g [tooltip:t]', 'c/h/g [tooltip:t]'].map((path) => widget(path)),
      { groups },
    );
    expect(outline(ui)).toEqual([{ 'tab g': ['a', { 'horizontal h': ['b', 'c'] }] }]);
    expect(ui[0]).toMatchObject({ doc: 't' });
  });

  it('shows bargraphs as meters, which are no controls', () => {
    const bar = widget('level[unit:dB][style:numerical]/m', {
      kind: 'vbargraph',
      min: -60,
      max: 0,
    });
    const { ui, meters, sliders } = made([bar, widget('x')], { groups: { m: 'vertical' } });
    expect(outline(ui)).toEqual([{ 'vertical m': ['(level)'] }, 'x']);
    expect(meters).toEqual({ level: { in: 'level', min: -60, max: 0, unit: 'dB' } });
    expect(Object.keys(sliders)).toEqual(['x']);
  });

  it.each<[kind: WidgetKind, meta: string, shown: object]>([
    ['hslider', '', { style: 'horizontal' }],
    ['vslider', '', { style: 'vertical' }],
    ['vslider', '[style:knob]', { style: 'knob' }],
    ['nentry', '', { style: 'number' }],
    ['hslider', '[style:numerical]', { style: 'number' }],
    ['button', '', { style: 'button' }],
    ['checkbox', '[hidden:1]', { style: 'checkbox', hidden: true }],
    [
      'nentry',
      "[style:menu{'low':0;'high one':1}]",
      {
        style: 'menu',
        choices: [
          ['low', 0],
          ['high one', 1],
        ],
      },
    ],
    [
      'hslider',
      "[style:radio{ 'a':-1 ; 'b':2.5 ; }]",
      {
        style: 'radio',
        choices: [
          ['a', -1],
          ['b', 2.5],
        ],
      },
    ],
    ['hslider', '[style:menu{low}]', { style: 'horizontal', meta: { style: 'menu{low}' } }],
    ['hslider', '[style:round]', { style: 'horizontal', meta: { style: 'round' } }],
    ['vbargraph', '[style:led]', { style: 'led' }],
    ['hbargraph', '', { style: 'horizontal' }],
    ['hslider', '[midi:ctrl 7][scale:exp][learn:0]', { meta: { midi: 'ctrl 7', scale: 'exp' } }],
    ['hslider', '[scale:lin][3][hidden:0]', { style: 'horizontal' }],
  ])('shows a %s with %s', (kind, meta, shown) => {
    const [node] = made([of(kind, `x${meta}`)]).ui;
    const id = kind.endsWith('bargraph') ? { meter: 'x' } : { control: 'x' };
    expect(node).toEqual({ ...id, label: 'x', style: 'horizontal', ...shown });
  });

  it('may hold widgets without a label', () => {
    const bars = ['[0]/g', '[1]/g'].map((path) => widget(path, { kind: 'vbargraph' }));
    const { idOf } = made([widget('/g'), ...bars, widget('x/g')], { groups: { g: 'tab' } });
    expect([...idOf.values()].toSorted()).toEqual(['g', 'g/vbargraph', 'g/vbargraph-2', 'x']);
  });

  it('passes over recordings', () => {
    expect(made([of('soundfile', "son[url:{'a.wav'}]")])).toMatchObject({ ui: [], sliders: {} });
  });

  it('may be as large as a patch allows, of widgets that are all called the same', () => {
    const code = 'x'.repeat(2 ** 20);
    const crowd = Array.from({ length: 20_000 }, (_, k) => widget('a/g', { max: k + 1 }));
    expect(Object.keys(made(crowd, { code }).sliders)).toHaveLength(crowd.length);
  });

  it('is not nested without end', () => {
    const path = `x${'/g'.repeat(64)}`;
    expect(said([widget(path)], { groups: { g: 'tab' } })[0]).toMatch(/^FAUST_UNSUPPORTED/u);
  });
});

describe('names of the program', () => {
  it.each<[declares: readonly (readonly [string, string])[], titles: object]>([
    [[['name', 'My Prog!']], { name: 'My-Prog', title: 'My Prog!' }],
    [[['name', 'comb']], { name: 'comb' }],
    [[['name', '2 sines']], { name: 'sines', title: '2 sines' }],
    [[['name', '日本']], { title: '日本' }],
    [[['description', ' A comb. ']], { doc: 'A comb.' }],
    [[], {}],
  ])('of %j are %j', (declares, titles) => {
    const { name, title, doc } = made([], { declares });
    expect({ name, title, doc }).toEqual({
      name: undefined,
      title: undefined,
      doc: undefined,
      ...titles,
    });
  });
});
