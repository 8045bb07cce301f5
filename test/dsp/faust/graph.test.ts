/**
 * What a normal form computes: each kind of its operations by hand-made values, and what cannot be.
 * That it computes what libfaust computes is the corpus's to say.
 */
import { describe, expect, it } from 'vitest';
import { playForm } from '../../support/form.ts';

const ramp = (n: number): number => n + 1;

/** The only output of a form. */
const heard = (text: string, frames: number, options = {}): readonly number[] => {
  const { outputs, problems } = playForm(text, frames, options);
  expect(problems).toEqual([]);
  return outputs[0]!;
};

describe('arithmetic', () => {
  it('wraps ints and leaves reals', () => {
    expect(heard('ID_0 = 2147483647+1;\nID_1 = float(ID_0);\nSIG = (ID_1);', 1)).toEqual([
      -2147483648,
    ]);
    expect(heard('SIG = (2147483647.0+1.0);', 1)).toEqual([2147483648]);
  });

  it('divides ints with a rest that has the sign of the first', () => {
    expect(
      heard('ID_0 = int(IN[0]);\nID_1 = ID_0%3;\nSIG = (ID_1);', 2, {
        inputs: [(n: number) => (n === 0 ? -7 : 7)],
      }),
    ).toEqual([-1, 1]);
  });

  it('raises ints to ints, to the unit, and what is no whole number is 0', () => {
    const powers = (base: number, exponents: readonly number[]): readonly number[] => {
      const text = `ID_0 = int(IN[0]);\nID_1 = pow(${base},ID_0);\nSIG = (ID_1);`;
      return heard(text, exponents.length, { inputs: [(n: number) => exponents[n]!] });
    };
    expect(powers(7, [0, 1, 3, 11, -1])).toEqual([1, 7, 343, 1977326743, 0]);
    expect(powers(-1, [2, 3, -2, -3, 100, 101])).toEqual([1, -1, 1, -1, 1, -1]);
    expect(powers(0, [0, 1, 33])).toEqual([1, 0, 0]);
    expect(
      heard('ID_0 = int(IN[0]);\nID_1 = pow(ID_0,3);\nSIG = (ID_1);', 4, {
        inputs: [(n: number) => n - 2],
      }),
    ).toEqual([-8, -1, 0, 1]);
  });

  it('truncates, and compares as 0 or 1', () => {
    expect(
      heard('ID_0 = int(IN[0]);\nID_1 = (ID_0<0);\nSIG = (ID_0, ID_1);', 1, {
        inputs: [() => -1.9],
      }),
    ).toEqual([-1]);
  });

  it('chooses the first of select2 for 0', () => {
    const text = 'ID_0 = select2((IN[0]>1.0),10.0,20.0);\nSIG = (ID_0);';
    expect(heard(text, 2, { inputs: [ramp] })).toEqual([10, 20]);
  });
});

describe('recursions', () => {
  it('of reals', () => {
    const text = `ID_0 = W1;
ID_1 = proj0(ID_0);
ID_2 = ID_1';
ID_3 = 0.5*ID_2;
ID_4 = IN[0]+ID_3;
ID_5 = letrec(W1 = (ID_4));
ID_6 = proj0(ID_5);
SIG = (ID_6);`;
    expect(heard(text, 3, { inputs: [() => 1] })).toEqual([1, 1.5, 1.75]);
  });

  it('of ints, exactly: the generator of Faust’s noise', () => {
    const text = `ID_0 = W1;
ID_1 = proj0(ID_0);
ID_2 = ID_1';
ID_3 = 1103515245*ID_2;
ID_4 = 12345+ID_3;
ID_5 = letrec(W1 = (ID_4));
ID_6 = proj0(ID_5);
ID_7 = ID_6@0;
SIG = (ID_7);`;
    const wanted: number[] = [];
    for (let k = 0, s = 0; k < 5; k++) wanted.push((s = (Math.imul(1103515245, s) + 12345) | 0));
    expect(heard(text, 5)).toEqual(wanted);
  });

  it('of two signals through each other', () => {
    const text = `ID_0 = W1;
ID_1 = proj1(ID_0);
ID_2 = ID_1';
ID_3 = ID_2+1.0;
ID_4 = proj0(ID_0);
ID_5 = 2.0*ID_4;
ID_6 = letrec(W1 = (ID_3, ID_5));
ID_7 = proj0(ID_6);
ID_8 = proj1(ID_6);
SIG = (ID_7, ID_8);`;
    const { outputs } = playForm(text, 3);
    expect(outputs).toEqual([
      [1, 3, 7],
      [2, 6, 14],
    ]);
  });

  it('through a delay of moving length, that is never 0', () => {
    const text = `ID_0 = hslider("d",2.0,0.0,10.0,1.0);
ID_1 = int(ID_0);
ID_2 = ID_1+1;
ID_3 = W1;
ID_4 = proj0(ID_3);
ID_5 = ID_4@ID_2;
ID_6 = IN[0]+ID_5;
ID_7 = letrec(W1 = (ID_6));
ID_8 = proj0(ID_7);
SIG = (ID_8);`;
    const impulse = [(n: number): number => (n === 0 ? 1 : 0)];
    expect(heard(text, 7, { inputs: impulse })).toEqual([1, 0, 0, 1, 0, 0, 1]);
    expect(heard(text, 4, { inputs: impulse, values: { d: 0 } })).toEqual([1, 1, 1, 1]);
  });
});

describe('delays', () => {
  it('of fixed and moving length, with zeros before', () => {
    const text = `ID_0 = IN[0]@2;
ID_1 = int(IN[1]);
ID_2 = max(0, ID_1);
ID_3 = min(3, ID_2);
ID_4 = IN[0]@ID_3;
SIG = (ID_0, ID_4);`;
    const { outputs } = playForm(text, 4, { inputs: [ramp, (n) => n] });
    expect(outputs).toEqual([
      [0, 0, 1, 2],
      [1, 1, 1, 1],
    ]);
  });

  it('begin with what prefix says, a number or a control', () => {
    expect(heard('SIG = (prefix(7.0,IN[0]));', 3, { inputs: [ramp] })).toEqual([7, 1, 2]);
    const text = 'ID_0 = hslider("i",5.0,0.0,9.0,1.0);\nSIG = (prefix(ID_0,IN[0]));';
    expect(heard(text, 3, { inputs: [ramp] })).toEqual([5, 1, 2]);
  });

  it.each(['-1', '5000000'])('of %s samples are none', (length) => {
    const { problems } = playForm(`SIG = (IN[0]@${length});`, 1);
    expect(problems[0]?.message).toBe(
      `the length of a delay: expected 0 to 4194304 samples, got ${length}`,
    );
  });

  it('need a limit that can be told', () => {
    const text = `ID_0 = W1;
ID_1 = proj0(ID_0);
ID_2 = ID_1';
ID_3 = ID_2+IN[0];
ID_4 = letrec(W1 = (ID_3));
ID_5 = proj0(ID_4);
ID_6 = int(ID_5);
ID_7 = IN[0]@ID_6;
SIG = (ID_7);`;
    expect(playForm(text, 1).problems).toMatchObject([
      { code: 'FAUST_UNSUPPORTED', message: 'the length of a delay has no limit that can be told' },
    ]);
  });
});

describe('tables', () => {
  const counter = `ID_0 = W1;
ID_1 = proj0(ID_0);
ID_2 = ID_1';
ID_3 = 1+ID_2;
ID_4 = letrec(W1 = (ID_3));
ID_5 = proj0(ID_4);
`;

  it('hold what their signal says', () => {
    const text = `${counter}ID_6 = float(ID_5);
ID_7 = ID_6*ID_6;
ID_8 = sigGen(ID_7);
ID_9 = WRTbl2p(4,ID_8);
ID_10 = int(IN[0]);
ID_11 = sigRDTbl(ID_9,ID_10);
SIG = (ID_11);`;
    expect(heard(text, 5, { inputs: [(n: number) => n] })).toEqual([1, 4, 9, 16, 16]);
  });

  it('are written before they are read', () => {
    const text = `ID_8 = sigGen(0.0);
ID_9 = sigWRTbl4p(4,ID_8,2,IN[0]);
ID_11 = sigRDTbl(ID_9,2);
SIG = (ID_11);`;
    expect(heard(text, 3, { inputs: [ramp] })).toEqual([1, 2, 3]);
  });

  it('keep every bit of an int in single precision', () => {
    const text = `ID_8 = sigGen(0);
ID_9 = sigWRTbl4p(4,ID_8,2,1103527591);
ID_11 = sigRDTbl(ID_9,2);
ID_12 = ID_11&65535;
SIG = (ID_12);`;
    expect(heard(text, 1, { double: false })).toEqual([1103527591 & 0xffff]);
  });

  it('of a waveform, at a place that is held to it', () => {
    const waveforms = [{ values: [3, 5, 8], isInt: true }];
    const text = 'ID_0 = int(IN[0]);\nID_1 = lgwave0(ID_0);\nSIG = (ID_1);';
    expect(heard(text, 4, { inputs: [(n: number) => n], waveforms })).toEqual([3, 5, 8, 8]);
  });

  it('do not depend on a control', () => {
    const text = `ID_7 = hslider("a",1.0,0.0,2.0,0.1);
ID_8 = sigGen(ID_7);
ID_9 = WRTbl2p(4,ID_8);
ID_11 = sigRDTbl(ID_9,2);
SIG = (ID_11);`;
    expect(playForm(text, 1).problems[0]?.message).toContain('cannot depend on a control');
  });
});

describe('what is seen of a program', () => {
  it('bargraphs show what passes through them', () => {
    const text = 'ID_0 = hbargraph("level",0.0,1.0,IN[0]);\nID_1 = 2.0*ID_0;\nSIG = (ID_1);';
    const { outputs, meters } = playForm(text, 2, { inputs: [ramp] });
    expect(outputs).toEqual([[2, 4]]);
    expect(meters).toEqual({ level: [1, 2] });
  });

  it('a soundfile has parts, and repeats its channels', () => {
    const sounds = () => [
      { sampleRate: 8000, channels: [[1, 2]] },
      { sampleRate: 44_100, channels: [[3, 4, 5]] },
    ];
    const text = `ID_0 = soundfile("s[url:{'a.wav';'b.wav'}]");
ID_1 = length(ID_0,1);
ID_2 = rate(ID_0,1);
ID_3 = buffer(ID_0,1,1,2);
SIG = (ID_1, ID_2, ID_3);`;
    expect(playForm(text, 1, { sounds }).outputs).toEqual([[3], [44_100], [5]]);
  });

  it('the parts of a soundfile behind its last one are silent, as libfaust fills them', () => {
    const sounds = () => [{ sampleRate: 8000, channels: [[1, 2]] }];
    const text = `ID_0 = soundfile("s");
ID_1 = int(IN[0]);
ID_2 = length(ID_0,ID_1);
ID_3 = rate(ID_0,ID_1);
ID_4 = buffer(ID_0,0,ID_1,1);
SIG = (ID_2, ID_3, ID_4);`;
    expect(playForm(text, 3, { sounds, inputs: [(n: number) => n] }).outputs).toEqual([
      [2, 1024, 1024],
      [8000, 44_100, 44_100],
      [2, 0, 0],
    ]);
  });

  it('foreign functions that are not known are named, once', () => {
    const text = 'ID_0 = wobble(IN[0]);\nID_1 = wobble(ID_0);\nSIG = (ID_1);';
    expect(playForm(text, 1).problems).toMatchObject([
      { code: 'FAUST_UNSUPPORTED', message: 'the foreign function "wobble" is not known' },
    ]);
  });

  it('what holds its value while it is off cannot be compiled', () => {
    const text = 'ID_0 = enable(IN[0],IN[1]);\nSIG = (ID_0);';
    expect(playForm(text, 1).problems).toMatchObject([
      { code: 'FAUST_UNSUPPORTED', message: expect.stringContaining('"control" and "enable"') },
    ]);
  });

  it('states have names that outlive another number', () => {
    const names = (d: string): string[] =>
      [
        ...playForm(
          `ID_0 = IN[0]@${d};\nID_1 = ID_0*0.${d};\nSIG = (ID_1);`,
          1,
        ).graph.states.values(),
      ].flat();
    expect(names('3')).toEqual(names('4'));
    expect(names('3')).toHaveLength(1);
  });
});
