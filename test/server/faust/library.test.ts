/**
 * `livegrad.lib` through libfaust: its text is that of its table (UPDATE_GOLDEN=1 rewrites it), every
 * function of it comes out of libfaust as what it went in, and is what the same node of a patch is.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COMPOSED, EXTENSIONS } from '../../../dsp/faust/extensions.ts';
import type { Extension } from '../../../dsp/faust/extensions.ts';
import { readForm } from '../../../dsp/faust/form.ts';
import { marksOf } from '../../../dsp/faust/marks.ts';
import { Interpreter } from '../../../dsp/interpret/interpret.ts';
import { outName } from '../../../dsp/ir/program.ts';
import { lower } from '../../../dsp/patch/lower.ts';
import { PATCH_FORMAT, parsePatch } from '../../../dsp/patch/schema.ts';
import { evaluate } from '../../../server/faust/evaluate.ts';
import { Libfaust } from '../../../server/faust/libfaust.ts';
import { exampleOf, libraryText } from '../../support/faust-library.ts';
import { playForm } from '../../support/form.ts';

const FILE = new URL('../../../dsp/faust/livegrad.lib', import.meta.url);
const README = new URL('../../../dsp/faust/README.md', import.meta.url);
const RATE = 48_000;
const FRAMES = 200;

const inputs = [
  (n: number): number => Math.sin(n * 0.37) + 0.3,
  (n: number): number => 0.6 * Math.cos(n * 0.21) - 0.1,
];

const libfaust = new Libfaust();

async function formOf(body: string): Promise<string> {
  const code = `lg = library("livegrad.lib"); process(x, y) = ${body};`;
  const result = await evaluate(libfaust, code, { double: true });
  if (!result.ok)
    throw new Error(`${body}: ${result.diagnostics.map((d) => d.message).join('; ')}`);
  return result.value.form;
}

async function heard(body: string): Promise<readonly number[]> {
  const { outputs, problems } = playForm(await formOf(body), FRAMES, { inputs });
  expect(problems, body).toEqual([]);
  return outputs[0]!;
}

const of = (kind: Extension['does']['kind']): readonly Extension[] =>
  EXTENSIONS.filter(({ does }) => does.kind === kind);

test('the text of the library is that of its table', () => {
  const made = libraryText();
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(FILE, made);
  expect(readFileSync(FILE, 'utf8')).toBe(made);
});

test('the functions that the documentation names are there, and its example is a program', async () => {
  const text = readFileSync(README, 'utf8').split('## livegrad.lib')[1]!;
  const rows = text.split('\n').filter((line) => line.startsWith('| '));
  const named = rows.flatMap((row) =>
    [...row.matchAll(/`(?:lg\.)?(\w+)(?=[(`])/gu)].map(([, name]) => name!),
  );
  const names = new Set([...EXTENSIONS, ...COMPOSED].map(({ name }) => name));
  expect(named.filter((name) => !names.has(name))).toEqual([]);
  const frames = [...EXTENSIONS, ...COMPOSED].filter(({ group }) =>
    ['gradients', 'frames', 'lanes', 'tracking'].includes(group),
  );
  const variants = new Set([
    'rectangular',
    'hamming',
    'blackman',
    'logPowerAbove',
    'frequencyLossAbove',
  ]);
  expect(frames.filter(({ name }) => !named.includes(name) && !variants.has(name))).toEqual([]);
  const code = /```faust\n([\s\S]*?)```/u.exec(text)![1]!;
  expect(await evaluate(libfaust, code, { double: false })).toMatchObject({ ok: true });
});

test('no two functions have one name', () => {
  const names = [...EXTENSIONS, ...COMPOSED].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

// --- functions of lanes ----------------------------------------------------------------------------

/** The nodes of a patch that the call of a function stands for. */
function patchOf(expression: string): Record<string, unknown> {
  const nodes: Record<string, unknown> = {
    x: { op: 'input', channel: 1 },
    y: { op: 'input', channel: 2 },
  };
  const read = (text: string): string | number => {
    const [, name, list] = /^lg\.(\w+)(?:\((.*)\))?$/su.exec(text) ?? [];
    if (name === undefined) return Number.isNaN(Number(text)) ? text : Number(text);
    const { does } = EXTENSIONS.find((one) => one.name === name)!;
    if (does.kind !== 'lanes') throw new Error(`${name} is no node of a patch`);
    const args = splitAt(list ?? '');
    const fields = Object.fromEntries(does.fields.map((field, k) => [field, Number(args[k])]));
    const operands = args.slice(does.fields.length).map(read);
    const id = `n${Object.keys(nodes).length}`;
    const taken = operands.length === 0 ? {} : { in: operands };
    nodes[id] = { op: does.op, ...taken, ...fields, ...does.fixed };
    return id;
  };
  nodes['out'] = { op: 'add', in: [read(expression), 0] };
  return nodes;
}

/** The operands of a call. */
function splitAt(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const sign of text) {
    if (sign === '(') depth++;
    if (sign === ')') depth--;
    if (sign === ',' && depth === 0) {
      parts.push(part.trim());
      part = '';
    } else part += sign;
  }
  return part.trim() === '' ? parts : [...parts, part.trim()];
}

function played(nodes: Record<string, unknown>): readonly number[] {
  const parsed = parsePatch({ format: PATCH_FORMAT, name: 'p', nodes, outputs: ['out'] });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics));
  const lowered = lower(parsed.value, { sampleRate: RATE, latency: 0 });
  if (!lowered.ok) throw new Error(JSON.stringify(lowered.diagnostics));
  const run = new Interpreter(lowered.value.graph).run(
    {
      input: (channel, n) => inputs[channel]!(n),
      slider: () => 0,
      param: () => 0,
      scalar: () => 0,
      tape: () => 0,
    },
    FRAMES,
  );
  return [...run.get(outName(0))!];
}

describe('a function of frames is the node of a patch:', () => {
  test.each(of('lanes').map((one) => [one.name, one] as const))('%s', async (name, one) => {
    const call = exampleOf(one);
    const { does } = one;
    const isStill =
      does.kind === 'lanes' && one.parameters.every((p) => does.fields.includes(p.name));
    const isSamples = name === 'overlapAdd' || name === 'hold';
    // A vector that stands still is heard by what it is multiplied with.
    const frames = isStill ? `lg.dot(${call}, lg.frames(64, 32, x))` : call;
    const sound = isSamples ? frames : `lg.overlapAdd(${frames})`;
    const mine = await heard(sound);
    expect(mine).toEqual(played(patchOf(sound)));
    expect(new Set(mine).size).toBeGreaterThan(1);
  });
});

test('spectra are put together again to what they were made of', async () => {
  const same = await heard('lg.spectra(64, 16, x) : lg.resynthesis(64, 16)');
  const late = await heard('x @ 63');
  same.forEach((value, n) => expect(value).toBeCloseTo(n < 64 ? value : late[n]!, 12));
});

// --- marks and losses --------------------------------------------------------------------------------

async function marked(body: string): Promise<unknown> {
  const form = readForm(await formOf(body));
  if (!form.ok) throw new Error('no form');
  const marks = marksOf(form.value);
  return marks.ok ? marks.value.training : marks.diagnostics.map(({ message }) => message);
}

describe('a loss is one of the training and gives back its estimate:', () => {
  test.each(of('loss').map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const { does } = one;
    const pair = one.parameters.length === 1 ? {} : { target: 'mark2' };
    const kind = does.kind === 'loss' ? does.loss : '';
    expect(await marked(exampleOf(one))).toEqual({ estimate: 'mark1', ...pair, loss: kind });
    expect(await heard(exampleOf(one))).toEqual(await heard('x'));
  });
});

describe('an option is a field of the loss:', () => {
  test.each([...of('option'), ...of('word')].map((one) => [one.name, one] as const))(
    '%s',
    async (_name, one) => {
      const { does, example } = one;
      const value =
        does.kind === 'word'
          ? does.word
          : does.kind === 'option'
            ? { number: Number(example[0]), list: [Number(example[0])], flag: example[0] !== '0' }[
                does.type
              ]
            : undefined;
      const field = 'field' in does ? does.field : '';
      expect(await marked(exampleOf(one))).toMatchObject({ loss: { [field]: value } });
      expect(await heard(exampleOf(one))).toEqual(await heard('x'));
    },
  );
});

describe('what is left', () => {
  test('marks and learnable sliders are what they mark', async () => {
    for (const one of [...of('mark'), ...of('weight'), ...of('align')]) {
      expect(await heard(exampleOf(one))).toEqual(await heard('x'));
    }
    for (const one of of('learn')) {
      expect(await heard(`x * ${exampleOf(one)}`)).toEqual(await heard('x * 0.5'));
    }
    expect(await heard('lg.pair(x, y)')).toEqual(await heard('x'));
  });

  test('gradients of your own change no value', async () => {
    expect(await heard('lg.detach(x)')).toEqual(await heard('x'));
    expect(await heard('lg.straight(floor(x), x)')).toEqual(await heard('floor(x)'));
    expect(await heard('lg.withSlope(floor(x), x, 0.5)')).toEqual(await heard('floor(x)'));
    expect(await heard('lg.above(0.1, x, y)')).toEqual(await heard('float(x > y)'));
  });

  test('every function has a test that says what it is', () => {
    const tested = new Set([
      'lanes',
      'loss',
      'option',
      'word',
      'mark',
      'weight',
      'align',
      'learn',
      'lanewise',
    ]);
    expect(EXTENSIONS.filter(({ does }) => !tested.has(does.kind))).toEqual([]);
    expect(of('lanewise').map(({ name }) => name)).toEqual([
      'detach',
      'straight',
      'withSlope',
      'above',
    ]);
  });
});
