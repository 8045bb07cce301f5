/** From the text of a Faust program to its normal form, with waveforms and groups. */

import { expect, test } from 'vitest';
import type { FaustProgram } from '../../../dsp/faust/program.ts';
import { evaluate } from '../../../server/faust/evaluate.ts';
import { Libfaust } from '../../../server/faust/libfaust.ts';

const libfaust = new Libfaust();

async function programOf(code: string, double = true): Promise<FaustProgram> {
  const result = await evaluate(libfaust, code, { double });
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  return result.value;
}

test('a program becomes its shared normal form', async () => {
  const { form, waveforms, groups, declares } = await programOf(
    'declare name "pole"; process = + ~ *(hslider("a", 0.5, 0, 0.99, 0.01));',
  );
  expect(form.split('\n')).toContain('ID_0 = hslider("a",0.5,0.0,0.99,0.01);');
  expect(form).toMatch(/SIG = \(ID_\d+\);$/u);
  expect([waveforms, groups, declares]).toEqual([[], {}, [['name', 'pole']]]);
});

test('constants are evaluated in the precision that is asked for', async () => {
  const code = 'import("stdfaust.lib"); process = _ * ma.PI;';
  expect((await programOf(code)).form).toContain('3.141592653589793*IN[0]');
  expect((await programOf(code, false)).form).toContain('3.1415927*IN[0]');
});

test('the contents of waveforms are kept, equal ones once', async () => {
  const { form, waveforms } = await programOf(`
    w = waveform{1, -2.5, 3e1}; // waveform{7}
    table = rdtable(waveform{1,2, /* three */ 3}, int(_));
    process = (w : !, _), table, rdtable(w, int(_)), button("waveform{4}"), (_ @ (waveform{1,2,3} : !, _));
  `);
  expect(waveforms).toEqual([
    { values: [1, -2.5, 30], isInt: false },
    { values: [1, 2, 3], isInt: true },
  ]);
  expect(form.match(/= lgwave0\(ID_\d+\);/gu)).toHaveLength(1);
  expect(form.match(/= lgwave1\(ID_\d+\);/gu)).toHaveLength(1);
  expect(form).not.toMatch(/waveform\{\.|lgwave_|attach/u);
});

test('whole numbers of a waveform have 32 bits', async () => {
  const { waveforms } = await programOf(
    'process = waveform{2147483647, -2147483648, 2147483648, 4294967295, -0} : !, _;',
  );
  expect(waveforms[0]?.values).toEqual([2147483647, -2147483648, -2147483648, -1, 0]);
});

test('groups have their kinds, whoever names them', async () => {
  const { form, groups } = await programOf(`
    band(i) = hgroup("[1]band %i", hslider("h:x/t:y/gain[style:knob]", 0, 0, 1, .1));
    process = vgroup("eq[tooltip:a/b]", par(i, 2, band(i))), tgroup("in/out", button("on/off"));
  `);
  expect(groups).toEqual({
    'eq[tooltip:a/b]': 'vertical',
    '[1]band 0': 'horizontal',
    '[1]band 1': 'horizontal',
    x: 'horizontal',
    y: 'tab',
    'in∕out': 'tab',
  });
  expect(form).toContain('"gain[style:knob]/y/x/[1]band 1/eq[tooltip:a/b]"');
  expect(form).toContain('"on∕off/in∕out"');
});

test('a label may say from where its groups count', async () => {
  const { form, groups } = await programOf(`
    process = vgroup("a", button("/h:root/x") + button("../t:up/y") + button("./h:here/z"));
  `);
  expect(groups).toEqual({ a: 'vertical', root: 'horizontal', up: 'tab', here: 'horizontal' });
  for (const path of ['x/root', 'y/up', 'z/here/a']) expect(form).toContain(`"${path}"`);
});
