/** Wrong patches and what is said about them; the builder; the deepest legal patch. */

import { describe, expect, test } from 'vitest';
import { CODES, nearest, printDiagnostics } from '../../../dsp/diagnostic.ts';
import { compile } from '../../../dsp/compile.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { buildPatch } from '../../../dsp/patch/builder.ts';
import { SYNONYMS } from '../../../dsp/patch/explain.ts';
import { nodeOps } from '../../../dsp/patch/names.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';

const control = { initial: 0, min: -1, max: 1 };
const base = {
  format: 'livegrad.patch/1',
  name: 'test',
  params: { g: control },
  nodes: {
    x: { op: 'input', channel: 1 },
    y: { op: 'mul', in: ['x', 'g'] },
  },
  outputs: ['y'],
};
const training = {
  estimate: 'y',
  target: 'x',
  loss: 'mse',
  window: 64,
  schedule: { kind: 'constant', rate: 1 },
};
const withNode = (node: unknown) => ({ ...base, nodes: { ...base.nodes, z: node } });

/** Wrong documents: what is wrong, the document, the code, where, and words of the message. */
const WRONG: readonly (readonly [string, unknown, string, string, RegExp])[] = [
  ['no object at all', 7, 'PATCH_INVALID', '', /expected an object, got 7/u],
  [
    'another format',
    { ...base, format: 'x/2' },
    'PATCH_FORMAT',
    'format',
    /livegrad\.patch\/1.*"x\/2"/u,
  ],
  [
    'a meter of nothing',
    { ...base, meters: { level: { in: 'z', min: 0, max: 1 } } },
    'PATCH_UNKNOWN_REFERENCE',
    'meters.level.in',
    /nothing is called "z"/u,
  ],
  [
    'a meter without a range',
    { ...base, meters: { level: { in: 'y', min: 1, max: 1 } } },
    'PATCH_CONTROL_RANGE',
    'meters.level.max',
    /the range is empty/u,
  ],
  [
    'a logarithmic meter from 0',
    { ...base, meters: { level: { in: 'y', min: 0, max: 1, scale: 'log' } } },
    'PATCH_CONTROL_RANGE',
    'meters.level.min',
    /needs min > 0, got 0/u,
  ],
  [
    'a meter of a vector',
    {
      ...withNode({ op: 'concat', in: ['x', 'y'] }),
      meters: { level: { in: 'z', min: 0, max: 1 } },
    },
    'PATCH_SHAPE',
    'meters.level.in',
    /expected 1 lane, got 2/u,
  ],
  [
    'more meters than can be shown',
    {
      ...base,
      meters: Object.fromEntries(
        Array.from({ length: 257 }, (_, k) => [`m${k}`, { in: 'y', min: 0, max: 1 }]),
      ),
    },
    'PATCH_TOO_LARGE',
    'meters',
    /expected at most 256, got 257/u,
  ],
  ['an unknown field', { ...base, frobs: 1 }, 'PATCH_INVALID', 'frobs', /unknown field "frobs"/u],
  [
    'an unknown operation',
    withNode({ op: 'mull', in: ['x', 1] }),
    'PATCH_INVALID',
    'nodes.z.op',
    /mull/u,
  ],
  [
    'two vectors of different lengths',
    {
      ...base,
      nodes: {
        ...base.nodes,
        v: { op: 'concat', in: ['x', 'y'] },
        w: { op: 'concat', in: ['v', 'y'] },
        z: { op: 'add', in: ['v', 'w'] },
      },
    },
    'PATCH_SHAPE',
    'nodes.z.in[1]',
    /expected 2 lanes, got 3 lanes/u,
  ],
  [
    'samples and frames together',
    {
      ...base,
      nodes: {
        ...base.nodes,
        v: { op: 'frames', in: ['x'], size: 1, hop: 64 },
        z: { op: 'add', in: ['x', 'v'] },
      },
    },
    'PATCH_RATE',
    'nodes.z.in[1]',
    /expected samples, as in\[0\], got frames every 64 samples/u,
  ],
  ['a missing channel', withNode({ op: 'input' }), 'PATCH_INVALID', 'nodes.z.channel', /number/u],
  [
    'channel 0',
    withNode({ op: 'input', channel: 0 }),
    'PATCH_INVALID',
    'nodes.z.channel',
    />=1.*got 0/u,
  ],
  [
    'a delay of no frames',
    withNode({ op: 'delay', in: ['x'], frames: 0 }),
    'PATCH_INVALID',
    'nodes.z.frames',
    /got 0/u,
  ],
  [
    'an unusable id',
    { ...base, params: { '1g': control } },
    'PATCH_INVALID',
    'params.1g',
    /starting with a letter/u,
  ],
  [
    'an operand that is no value',
    withNode({ op: 'neg', in: [true] }),
    'PATCH_INVALID',
    'nodes.z.in[0]',
    /got true/u,
  ],
  [
    'an id used twice',
    { ...base, sliders: { g: control } },
    'PATCH_NAME_TAKEN',
    'params.g',
    /already used in sliders/u,
  ],
  [
    'a node named like a param',
    { ...base, nodes: { ...base.nodes, g: { op: 'noise' } } },
    'PATCH_NAME_TAKEN',
    'nodes.g',
    /params/u,
  ],
  [
    'a name that is nobody',
    withNode({ op: 'neg', in: ['xx'] }),
    'PATCH_UNKNOWN_REFERENCE',
    'nodes.z.in[0]',
    /"xx"/u,
  ],
  [
    'an output that is nobody',
    { ...base, outputs: ['q'] },
    'PATCH_UNKNOWN_REFERENCE',
    'outputs[0]',
    /"q"/u,
  ],
  [
    'a target that is nobody',
    { ...base, training: { ...training, target: 'q' } },
    'PATCH_UNKNOWN_REFERENCE',
    'training.target',
    /"q"/u,
  ],
  [
    'an expectation of nobody',
    { ...base, expect: [{ param: 'h', value: 1, tolerance: 1, seconds: 1 }] },
    'PATCH_UNKNOWN_REFERENCE',
    'expect[0].param',
    /one of g/u,
  ],
  [
    'an expectation of two things',
    { ...base, expect: [{ param: 'g', signal: 'x', value: 1, tolerance: 1, seconds: 1 }] },
    'PATCH_INVALID',
    'expect[0]',
    /expected "param" or "signal", got both/u,
  ],
  [
    'an expectation of nothing',
    { ...base, expect: [{ value: 1, tolerance: 1, seconds: 1 }] },
    'PATCH_INVALID',
    'expect[0]',
    /got neither/u,
  ],
  [
    'an expectation of a signal that is nobody',
    { ...base, expect: [{ signal: 'q', value: 1, tolerance: 1, seconds: 1 }] },
    'PATCH_UNKNOWN_REFERENCE',
    'expect[0].signal',
    /"q"/u,
  ],
  [
    'an expectation like a slider that is nobody',
    { ...base, expect: [{ param: 'g', value: 'x', tolerance: 1, seconds: 1 }] },
    'PATCH_UNKNOWN_REFERENCE',
    'expect[0].value',
    /no slider is called "x"/u,
  ],
  [
    'a variation of nobody',
    { ...base, vary: { x: [0, 1] } },
    'PATCH_UNKNOWN_REFERENCE',
    'vary.x',
    /id of a slider or param/u,
  ],
  [
    'a variation out of range',
    { ...base, vary: { g: [0, 1e9] } },
    'PATCH_CONTROL_RANGE',
    'vary.g',
    /within .*, got 0 to 1000000000/u,
  ],
  [
    'too few operands',
    withNode({ op: 'add', in: ['x'] }),
    'PATCH_OPERAND_COUNT',
    'nodes.z.in',
    /takes 2 operands, got 1/u,
  ],
  [
    'a loop without delay',
    withNode({ op: 'add', in: ['z', 'x'] }),
    'PATCH_INSTANT_LOOP',
    'nodes.z',
    /z → z/u,
  ],
  [
    'an empty range',
    { ...base, params: { g: { ...control, max: -1 } } },
    'PATCH_CONTROL_RANGE',
    'params.g.max',
    /max > min/u,
  ],
  [
    'a start outside of the range',
    { ...base, params: { g: { ...control, initial: 3 } } },
    'PATCH_CONTROL_RANGE',
    'params.g.initial',
    /from -1 to 1, got 3/u,
  ],
  [
    'a number that single precision cannot hold',
    withNode({ op: 'mul', in: ['x', 1e39] }),
    'PATCH_INVALID',
    'nodes.z.in[1]',
    /got 1e\+39/u,
  ],
  [
    'a name that objects keep for themselves',
    { ...base, nodes: JSON.parse('{ "__proto__": { "op": "noise" } }') as unknown },
    'PATCH_INVALID',
    'nodes.__proto__',
    /unusable id/u,
  ],
  [
    'a logarithmic range from 0',
    { ...base, params: { g: { initial: 0, min: 0, max: 1, scale: 'log' } } },
    'PATCH_CONTROL_RANGE',
    'params.g.min',
    /min > 0/u,
  ],
  [
    'an unknown schedule',
    { ...base, training: { ...training, schedule: { kind: 'zigzag' } } },
    'PATCH_INVALID',
    'training.schedule.kind',
    /one of constant, exponential/u,
  ],
  [
    'more nodes than allowed',
    {
      ...base,
      nodes: Object.fromEntries(
        Array.from({ length: 20_001 }, (_, k) => [`n${k}`, { op: 'noise' }]),
      ),
    },
    'PATCH_TOO_LARGE',
    'nodes',
    /20000, got 20001/u,
  ],
];

/** Documents that parse but do not compile at 48 kHz. */
const UNCOMPILABLE: typeof WRONG = [
  [
    'a sine above Nyquist',
    withNode({ op: 'sine', in: [30000] }),
    'PATCH_SIGNAL_RANGE',
    'nodes.z.in[0]',
    /< 24000 Hz, got 30000 Hz/u,
  ],
  [
    'bits of a real',
    withNode({ op: 'and', in: ['x', 1] }),
    'PATCH_OPERAND_TYPE',
    'nodes.z.in[0]',
    /whole number/u,
  ],
  [
    'nothing to learn',
    {
      ...base,
      nodes: { ...base.nodes, n: { op: 'noise' } },
      training: { ...training, estimate: 'n' },
    },
    'PATCH_NOTHING_TO_LEARN',
    'training',
    /no parameter has a gradient/u,
  ],
  [
    'an estimate that is its own target',
    { ...base, training: { ...training, target: 'y' } },
    'PATCH_NOTHING_TO_LEARN',
    'training.target',
    /the same signal/u,
  ],
  [
    'forward mode with a million tangents',
    {
      ...base,
      params: Object.fromEntries(Array.from({ length: 1500 }, (_, k) => [`p${k}`, control])),
      nodes: Object.fromEntries([
        ['x', { op: 'input', channel: 1 }],
        ...Array.from({ length: 1500 }, (_, k) => [
          `y${k}`,
          { op: 'mul', in: [k === 0 ? 'x' : `y${k - 1}`, `p${k}`] },
        ]),
      ]),
      outputs: [],
      training: { ...training, estimate: 'y1499', mode: 'forward' },
    },
    'PATCH_TOO_LARGE',
    'training.mode',
    /at most 1000000, got up to/u,
  ],
  [
    'forward mode with a tangent for every lane of a long vector',
    {
      ...base,
      params: { ...base.params, w: { ...control, size: 4096 } },
      nodes: { ...base.nodes, v: { op: 'mul', in: ['w', 'x'] }, z: { op: 'sumLanes', in: ['v'] } },
      outputs: [],
      training: { ...training, estimate: 'z', mode: 'forward' },
    },
    'PATCH_TOO_LARGE',
    'training.mode',
    /at most 1000000, got up to/u,
  ],
  [
    'reverse mode with all lanes of a long vector, each by itself',
    {
      ...base,
      params: { ...base.params, w: { ...control, size: 4096 } },
      nodes: {
        ...base.nodes,
        z0: { op: 'mul', in: ['x', 1] },
        ...Object.fromEntries(
          Array.from({ length: 2000 }, (_, k) => [
            [`v${k}`, { op: 'slice', in: ['w'], from: k, lanes: 1 }],
            [`z${k + 1}`, { op: 'add', in: [`z${k}`, `v${k}`] }],
          ]).flat(),
        ),
      },
      outputs: [],
      training: { ...training, estimate: 'z2000', mode: 'reverse' },
    },
    'PATCH_TOO_LARGE',
    'nodes',
    /at most 1000000 together, got 8192000/u,
  ],
  [
    'a parameter behind bits',
    {
      ...base,
      nodes: {
        ...base.nodes,
        i: { op: 'toInt', in: ['y'] },
        a: { op: 'and', in: ['i', 255] },
        r: { op: 'toReal', in: ['a'] },
      },
      training: { ...training, estimate: 'r' },
    },
    'PATCH_NOT_DIFFERENTIABLE',
    'nodes.a',
    /the parameter "g" reaches "and", which has no gradient/u,
  ],
  [
    'steps of least squares for another loss',
    { ...base, training: { ...training, loss: 'mae', optimiser: { kind: 'nlms' } } },
    'PATCH_OPTIMISER',
    'training.loss',
    /"nlms" takes steps of least squares: expected "mse", got "mae"/u,
  ],
  [
    'more delay than allowed',
    {
      ...base,
      nodes: {
        ...base.nodes,
        ...Object.fromEntries(
          Array.from({ length: 5 }, (_, k) => [
            `d${k}`,
            { op: 'delay', in: ['x'], frames: 2 ** 22 },
          ]),
        ),
      },
    },
    'PATCH_TOO_LARGE',
    'nodes',
    /16777216 frames, got 20971520/u,
  ],
];

describe('a wrong patch', () => {
  test.each(WRONG)('%s is told with its code and place', (_, json, code, path, words) => {
    const result = parsePatch(json);
    if (result.ok) throw new Error('it was accepted');
    const found = result.diagnostics.find((d) => d.code === code && d.path === path);
    expect(found, printDiagnostics(result.diagnostics)).toBeDefined();
    expect(found!.message).toMatch(words);
  });

  test.each(UNCOMPILABLE)('%s is told by the compiler', (_, json, code, path, words) => {
    const patch = parsePatch(json);
    if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
    const result = compile(patch.value, { sampleRate: 48000, maxBlock: 128, latency: 0 });
    if (result.ok) throw new Error('it was accepted');
    const found = result.diagnostics.find((d) => d.code === code && d.path === path);
    expect(found, printDiagnostics(result.diagnostics)).toBeDefined();
    expect(found!.message).toMatch(words);
  });

  test('a parameter that the loss does not feel is known to the compiler, and no error', () => {
    const idle = (nodes: object, params: object): readonly string[] => {
      const patch = parsePatch({
        ...base,
        params: { g: control, ...params },
        nodes: { ...base.nodes, ...nodes },
        training,
      });
      if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
      const made = compile(patch.value, { sampleRate: 48000, maxBlock: 128, latency: 0 });
      return made.ok ? made.value.report.idle : [printDiagnostics(made.diagnostics)];
    };
    const vector = { ...control, size: 2 };
    expect(idle({}, {})).toEqual([]);
    expect(idle({}, { w: vector })).toEqual(['w/0', 'w/1']);
    expect(idle({ z: { op: 'mul', in: ['x', 'h'] } }, { h: control })).toEqual(['h']);
    const cut = { s: { op: 'detach', in: ['h'] }, y: { op: 'fma', in: ['x', 'g', 's'] } };
    expect(idle(cut, { h: control })).toEqual(['h']);
    const used = { s: { op: 'sumLanes', in: ['w'] }, y: { op: 'fma', in: ['x', 'g', 's'] } };
    expect(idle(used, { w: vector })).toEqual([]);
  });

  test('every code of the compiler for patches is provoked here', () => {
    const provoked = new Set([...WRONG, ...UNCOMPILABLE].map(([, , code]) => code));
    const codes = Object.keys(CODES).filter((code) => code.startsWith('PATCH_'));
    expect([...provoked].toSorted()).toEqual(codes.toSorted());
  });

  test('all problems are told at once', () => {
    const result = parsePatch(withNode({ op: 'add', in: ['nobody', 'noone', 'x'] }));
    expect(result.ok ? [] : result.diagnostics.map((d) => d.code)).toEqual([
      'PATCH_OPERAND_COUNT',
      'PATCH_UNKNOWN_REFERENCE',
      'PATCH_UNKNOWN_REFERENCE',
    ]);
  });

  test('however deep a document is, it is answered and not thrown at', () => {
    const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as unknown;
    for (const json of [
      withNode({ op: deep }),
      withNode({ op: 'neg', in: [deep] }),
      { ...base, name: deep },
      { ...base, format: deep },
    ]) {
      expect(parsePatch(json).ok).toBe(false);
    }
  });

  test.each([
    ['@', 'delayBy'],
    ['de.fdelay', 'delayBy'],
    ['rdtable', 'table'],
    ["'", 'mem'],
    ['%', 'fmod'],
    ['^', 'pow'],
    ['<=', 'le'],
    ['log', 'ln'],
    ['int', 'toInt'],
    ['float', 'toReal'],
    ['os.osc', 'sine'],
    ['os.phasor', 'phasor'],
    ['fi.lowpass', 'lowpass'],
    ['ba.db2linear', 'dbToGain'],
    ['ba.midikey2hz', 'mtof'],
    ['si.smoo', 'smooth'],
    ['fi.tf2', 'biquad'],
    ['select2', 'select'],
    ['sqr', 'sqrt'],
  ])('"%s" suggests "%s"', (op, near) => {
    const result = parsePatch(withNode({ op, in: ['x'] }));
    const [first] = result.ok ? [] : result.diagnostics;
    expect(first?.hint).toContain(`did you mean "${near}"?`);
  });

  test.each([
    ['forwrad', 'training.mode', /one of auto, forward, reverse, got "forwrad"/u, 'forward'],
    [7, 'training.mode', /one of auto, forward, reverse, got 7/u, undefined],
    [{ forward: 'g' }, 'training.mode.forward', /expected a list, got "g"/u, undefined],
    [{ forward: ['g'], foward: 1 }, 'training.mode.foward', /unknown field/u, 'forward'],
  ])('a mode %j is told what it may be', (mode, path, words, near) => {
    const result = parsePatch({ ...base, training: { ...training, mode } });
    const [first] = result.ok ? [] : result.diagnostics;
    expect(first?.path).toBe(path);
    expect(first?.message).toMatch(words);
    expect(first?.hint).toBe(near === undefined ? undefined : `did you mean "${near}"?`);
  });

  test('a suggestion says where its operands differ', () => {
    const result = parsePatch(withNode({ op: 'select2', in: ['x', 0, 1] }));
    const [first] = result.ok ? [] : result.diagnostics;
    expect(first?.hint).toMatch(/select2\(c, a, b\) is select\(c, b, a\)/u);
  });

  test('what is suggested exists', () => {
    const suggested = (op: string): string | undefined => {
      const result = parsePatch(withNode({ op, in: ['x'] }));
      const [first] = result.ok ? [] : result.diagnostics;
      return /"(\w+)"/u.exec(first?.hint ?? '')?.[1];
    };
    for (const op of Object.keys(SYNONYMS)) expect(nodeOps(), op).toContain(suggested(op));
  });

  test('a near miss gets a suggestion', () => {
    expect(nearest('hidden/gian', ['gain', 'hidden/gain', 'x'])).toBe('hidden/gain');
    expect(nearest('zzz', ['gain'])).toBeUndefined();
  });
});

test('a patch as deep as it is allowed to be compiles without a stack overflow', () => {
  const nodes: Record<string, unknown> = { n0: { op: 'input', channel: 1 } };
  for (let k = 19_998; k >= 1; k--) nodes[`n${k}`] = { op: 'mul', in: [`n${k - 1}`, 'g'] };
  const deep = { ...training, estimate: 'n19998', target: 'n0', window: 4 };
  const patch = parsePatch({ ...base, nodes, outputs: ['n19998'], training: deep });
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics.slice(0, 3)));
  const options = { sampleRate: 48000, maxBlock: 4, latency: 0, mode: 'reverse' } as const;
  expect(compile(patch.value, options).ok).toBe(true);
});

test('names that every object inherits are names like any other', () => {
  const patch = parsePatch({
    ...base,
    params: { toString: control },
    nodes: {
      constructor: { op: 'input', channel: 1 },
      hasOwnProperty: { op: 'mul', in: ['constructor', 'toString'] },
    },
    outputs: ['hasOwnProperty'],
  });
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  const options = { sampleRate: 48000, maxBlock: 64, latency: 0 };
  expect(compile(patch.value, options).ok).toBe(true);
  expect(parsePatch(withNode({ op: 'neg', in: ['valueOf'] })).ok).toBe(false);
});

describe('the builder', () => {
  test('makes the same document as the shipped file', () => {
    const { gain } = EXAMPLES;
    const built = buildPatch('gain', (p) => {
      const hidden = p.slider('hidden/gain', gain!.sliders['hidden/gain']!);
      const g = p.param('gain', gain!.params['gain']!);
      const x = p.input(1, 'x');
      const target = p.op('mul', [x, hidden], 'target');
      const estimate = p.op('mul', [x, g], 'estimate');
      return {
        title: gain!.title!,
        doc: gain!.doc!,
        outputs: [estimate],
        training: { ...gain!.training!, estimate, target },
        expect: gain!.expect,
        vary: gain!.vary,
      };
    });
    expect(built).toEqual({ ok: true, value: gain });
  });

  test('never uses an id twice', () => {
    buildPatch('ids', (p) => {
      p.input(1, 'n2');
      expect([p.noise(1), p.noise(2), p.noise(3)]).toEqual(['n1', 'n3', 'n4']);
      expect(() => p.input(2, 'n2')).toThrow(/twice/u);
      return {};
    });
  });

  test('writes recursion as a function of the past', () => {
    const built = buildPatch('echo', (p) => {
      const x = p.input(1);
      return { outputs: [p.feedback(480, (past) => p.op('add', [x, p.op('mul', [past, 0.5])]))] };
    });
    if (!built.ok) throw new Error(printDiagnostics(built.diagnostics));
    expect(built.value.nodes['n2']).toEqual({ op: 'delay', in: ['n4'], frames: 480 });
  });
});
