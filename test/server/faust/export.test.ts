/** What was learned, written back into Faust programs: the text evaluates to them, with it. */

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { idsOfWidgets } from '../../../dsp/faust/controls.ts';
import { readForm, widgetsOf, keyOfWidget } from '../../../dsp/faust/form.ts';
import type { ExportedFaust } from '../../../server/faust/export.ts';
import { Evaluator } from '../../../server/faust/evaluator.ts';

const folder = mkdtempSync(join(tmpdir(), 'livegrad-export-'));
const corpus = new URL('../../faust/corpus/', import.meta.url).pathname;
const evaluator = new Evaluator({ libraries: [folder, corpus], sounds: [corpus] });
writeFileSync(
  join(folder, 'mine.lib'),
  '// Ours.\nlevel(x) = x * hslider("level", 0.5, 0, 1, 0.01);\n',
);

/** Defaults of all controls by their ids. */
async function defaultsOf(code: string, double = false): Promise<Record<string, number>> {
  const program = await evaluator.evaluate(code, double);
  if (!program.ok) throw new Error(program.diagnostics[0]!.message);
  const form = readForm(program.value.form);
  if (!form.ok) throw new Error('no form');
  const widgets = widgetsOf(form.value);
  const ids = idsOfWidgets(widgets);
  return Object.fromEntries(
    widgets.map((widget) => [ids.get(keyOfWidget(widget))!, widget.initial]),
  );
}

async function exported(
  code: string,
  values: Record<string, number>,
  precision = 'single',
): Promise<ExportedFaust> {
  const document = { faust: { code }, precision };
  const made = await evaluator.export(document, new Map(Object.entries(values)));
  if (!made.ok) throw new Error(made.diagnostics.map((d) => d.message).join('\n'));
  return made.value;
}

describe('the source itself', () => {
  test('gets the values of its sliders, and keeps everything else', async () => {
    const code = `// A voice.
import("stdfaust.lib");
f = hslider("freq[unit:Hz][scale:log]", 440 /* A4 */, 20, 20000, 0.01); // learnable
amp(x) = x * vslider("v:out/[1]amp[tooltip: how (loud)]",-.5,-1,  1,0.01);
process = os.osc(f) : amp : fi.lowpass(2, nentry("cutoff", 2*500, 20, 20000, 1)) * button("on");
`;
    const values = { freq: 523.25, amp: 0.125, cutoff: 1234.5 };
    const { code: text, expandedFor } = await exported(code, values);
    expect(expandedFor).toEqual([]);
    expect(text).toBe(
      code
        .replace('440 /* A4 */', '523.25 /* A4 */')
        .replace('-.5', '0.125')
        .replace('2*500', '1234.5'),
    );
    expect(await defaultsOf(text)).toMatchObject(values);
  });

  test('is the same text where nothing has changed', async () => {
    const code = 'process = _ * hslider("gain", 0.1, 0, 1, 0.01);';
    expect(await exported(code, { gain: Math.fround(0.1) })).toMatchObject({ code });
    expect(await exported(code, {})).toMatchObject({ code });
  });

  test('holds a slider that is written twice, and two that one call makes alike', async () => {
    const code =
      'g = hslider("gain", 0.5, 0, 1, 0.01); h = hslider("gain", 0.5, 0, 1, 0.01);\n' +
      'b = hslider("in", 1, 0, 2, 0.1); process = _ * g, _ * h, vgroup("A", b), vgroup("B", b);';
    const values = { gain: 0.75, 'A/in': 1.5, 'B/in': 1.5 };
    const { code: text, expandedFor } = await exported(code, values);
    expect(expandedFor).toEqual([]);
    expect(text.match(/0\.75/gu)).toHaveLength(2);
    expect(await defaultsOf(text)).toEqual(values);
  });

  test('holds as many digits as its precision has', async () => {
    const code = 'process = _ * hslider("gain", 0.5, 0, 1, 0.01);';
    expect((await exported(code, { gain: 1 / 3 })).code).toContain('"gain", 0.33333333,');
    const double = await exported(code, { gain: 1 / 3 }, 'double');
    expect(double.code).toContain('"gain", 0.3333333333333333,');
    expect((await defaultsOf(double.code, true))['gain']).toBeCloseTo(1 / 3, 14);
  });
});

describe('imports and definitions are put in', () => {
  test.each([
    [
      'for sliders that one call makes of %i',
      'process = par(i, 3, _ * hslider("g%i", i / 4, 0, 1, 0.01));',
      { g0: 0.125, g1: 0.25, g2: 0.875 },
      ['g2', 'g0'],
    ],
    [
      'for a slider of a library',
      'import("mine.lib"); process = level : *(hslider("gain", 1, 0, 4, 0.1));',
      { level: 0.0625, gain: 2 },
      ['level'],
    ],
    [
      'for one call in two groups',
      'g = hslider("in", 1, 0, 2, 0.1) : *(2); process = _ * vgroup("A", g) + vgroup("B", g);',
      { 'A/in': 0.5, 'B/in': 1.5 },
      ['A/in', 'B/in'],
    ],
    [
      'with what our own library marks',
      'lg = library("livegrad.lib"); process = _ <: par(i, 2, *(hslider("g%i", 1, 0, 2, 0.1))) : lg.pair;',
      { g0: 0.5, g1: 0.75 },
      ['g0', 'g1'],
    ],
    [
      'with recordings of their own',
      'w = waveform{1, 0.5, -2} : !, _; process = w * (par(i, 2, hslider("g%i", 0, 0, 1, 0.01)) : +);',
      { g0: 0.5, g1: 0.75 },
      ['g0', 'g1'],
    ],
  ] as const)('%s', async (_, code, values, reasons) => {
    const { code: text, expandedFor } = await exported(code, values);
    expect([...expandedFor].toSorted()).toEqual([...reasons].toSorted());
    expect(text).toMatch(/^\/\/ Exported by livegrad: all imports and definitions are put in/u);
    expect(text).not.toMatch(/lg:program|library_path|compile_options/u);
    expect(await defaultsOf(text)).toEqual(values);
    // And so it can be exported again.
    const again = await exported(
      text,
      Object.fromEntries(Object.keys(values).map((id) => [id, 1])),
    );
    expect(Object.values(await defaultsOf(again.code))).toEqual(Object.keys(values).map(() => 1));
  });

  test('a switch that is on is no part of a program', async () => {
    const code = 'process = _ * checkbox("on") * hslider("gain", 1, 0, 4, 0.1) * button("hit");';
    expect(await exported(code, { on: 1, gain: 2, hit: 0 })).toEqual({
      code: code.replace('"gain", 1', '"gain", 2'),
      expandedFor: [],
      lost: ['on'],
    });
  });

  test('what does not evaluate is refused', async () => {
    const made = await evaluator.export({ faust: { code: 'process = ;' } }, new Map());
    expect(made).toMatchObject({ ok: false, diagnostics: [{ code: 'FAUST_SYNTAX' }] });
  });
});

test.each([
  'lowpass-orders',
  'graphic-equaliser',
  'perceptron',
  'filterbank',
  'match-harmonics',
  'freeverb-mono',
  'dual-momentum',
  'multitap',
])('%s of the corpus comes back with other defaults', async (name) => {
  const code = readFileSync(join(corpus, `${name}.dsp`), 'utf8');
  const program = await evaluator.evaluate(code, false);
  if (!program.ok) throw new Error(program.diagnostics[0]!.message);
  const form = readForm(program.value.form);
  if (!form.ok) throw new Error('no form');
  const widgets = widgetsOf(form.value).filter(({ kind }) => /slider|nentry/u.test(kind));
  const ids = idsOfWidgets(widgetsOf(form.value));
  const values = widgets.map((widget, k) => {
    const share = 0.1 + ((k * 0.237) % 0.8);
    const value = Math.fround(widget.min + (widget.max - widget.min) * share);
    return [ids.get(keyOfWidget(widget))!, value] as const;
  });
  const { code: text } = await exported(code, Object.fromEntries(values));
  const after = await defaultsOf(text);
  for (const [id, value] of values) expect(Math.fround(after[id]!), id).toBe(value);
});
