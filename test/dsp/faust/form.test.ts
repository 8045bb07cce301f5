/** The reader of normal forms: what is kept of a text, widgets, and texts that are none. */
import { describe, expect, it } from 'vitest';
import { inputsOf, readForm, widgetsOf } from '../../../dsp/faust/form.ts';

const read = (text: string) => {
  const form = readForm(text);
  if (!form.ok) throw new Error(form.diagnostics[0]!.message);
  return form.value;
};

describe('a normal form', () => {
  it('loses its names, projections and delays by nothing', () => {
    const form = read(`// Size = 8
ID_0 = W3;
ID_1 = proj0(ID_0);
ID_2 = ID_1';
ID_3 = IN[1]+ID_2;
ID_4 = letrec(W3 = (ID_3));
ID_5 = proj0(ID_4);
ID_6 = ID_5@0;
SIG = (ID_6);`);
    expect(form.nodes.map(({ op }) => op).toSorted()).toEqual(['+', '@', 'input', 'whole']);
    const sum = form.nodes[form.outputs[0]!]!;
    expect(sum.op).toBe('+');
    expect(form.nodes[sum.args[1]!]!.args[0]).toBe(form.outputs[0]);
    expect(inputsOf(form)).toBe(2);
  });

  it('tells ints from reals by the dot, and knows what is infinite', () => {
    const form = read('SIG = (1, 1.0, 1e+03, -2, inf, -4.5f);');
    expect(form.outputs.map((id) => [form.nodes[id]!.op, form.nodes[id]!.value])).toEqual([
      ['whole', 1],
      ['number', 1],
      ['number', 1000],
      ['whole', -2],
      ['number', Infinity],
      ['number', -4.5],
    ]);
  });

  it('does not take int(x) for a number', () => {
    const form = read('ID_0 = int(IN[0]);\nID_1 = IN[1]@ID_0;\nSIG = (ID_1);');
    expect(form.nodes[form.outputs[0]!]!.op).toBe('@');
  });

  it('has its widgets once, in the order of the text', () => {
    const form = read(`ID_0 = hslider("a[unit:Hz]/g",0.5,0.0,1.0,0.01);
ID_1 = button("b");
ID_2 = ID_0*ID_1;
ID_3 = ID_2+ID_0;
ID_4 = vbargraph("m \\"x\\"",-1.0,1.0,ID_3);
SIG = (ID_4);`);
    expect(widgetsOf(form)).toEqual([
      { kind: 'hslider', path: 'a[unit:Hz]/g', initial: 0.5, min: 0, max: 1, step: 0.01 },
      { kind: 'button', path: 'b', initial: 0, min: 0, max: 1, step: 1 },
      { kind: 'vbargraph', path: 'm \\"x\\"', initial: 0, min: -1, max: 1, step: 0 },
    ]);
  });

  it('deeper than any stack is read', () => {
    const lines = Array.from({ length: 200_000 }, (_, k) => `ID_${k + 1} = ID_${k}*0.5;`);
    const form = read(['ID_0 = IN[0];', ...lines, 'SIG = (ID_200000);'].join('\n'));
    expect(form.nodes).toHaveLength(200_002);
  });

  it.each([
    ['no outputs', 'ID_0 = 1;', 'no line of outputs'],
    ['a name that is not there', 'ID_0 = ID_7+1;\nSIG = (ID_0);', '"ID_7" is not defined'],
    ['signs that are none', 'ID_0 = 1 ? 2;\nSIG = (ID_0);', '? 2'],
    [
      'a loop without a delay',
      'ID_0 = letrec(W = (proj0(W)));\nSIG = (proj0(ID_0));',
      'without a delay',
    ],
  ])('is not %s', (_what, text, said) => {
    const form = readForm(text);
    expect(form).toMatchObject({ ok: false, diagnostics: [{ code: 'FAUST_UNSUPPORTED' }] });
    if (!form.ok) expect(form.diagnostics[0]!.message).toContain(said);
  });
});
