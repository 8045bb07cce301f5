/** Faust programs in the compile thread: hostile ones get an answer, and the next one compiles. */

import { afterAll, expect, test } from 'vitest';
import { Compiler, type Compiled } from '../../../server/compile/compiler.ts';

const options = { sampleRate: 48000, maxBlock: 256, latency: 0 };
const limits = { time: 6000, stackMb: 8, heapMb: 512 };
const compiler = new Compiler(undefined, limits);
afterAll(() => compiler.stop());

const compile = (code: string): Promise<Compiled> =>
  compiler.compile({ format: 'livegrad.patch/1', faust: { code } }, options);

async function goesOn(): Promise<void> {
  const answer = await compile('process = _ * hslider("gain", 0.5, 0, 1, 0.1);');
  expect(answer.kind === 'compiled' ? Object.keys(answer.patch.sliders) : answer).toEqual(['gain']);
}

test('a program becomes an artifact, and its patch keeps the source alone', async () => {
  const answer = await compile('declare name "half"; process = *(0.5);');
  if (answer.kind !== 'compiled') throw new Error(JSON.stringify(answer));
  expect(answer.patch.faust).toEqual({ code: 'declare name "half"; process = *(0.5);' });
  expect(answer.artifact.outputs).toBe(1);
});

test('a deep program of the standard library finds room on the stack', async () => {
  const answer = await compile('import("stdfaust.lib"); process = pm.clarinet_ui_MIDI;');
  expect(answer.kind).toBe('compiled');
});

const refused: readonly (readonly [what: string, code: string])[] = [
  ['defines itself without end', 'f(x) = f(x); process = f(1);'],
  ['grows without end', 'f(x) = f(x + 1); process = f(1);'],
  ['is long', `process = _;${'/'.repeat(10 << 20)}`],
  ['is nested', `process = ${'('.repeat(200_000)}_${')'.repeat(200_000)};`],
  ['is one long chain', `process = ${'_ <: '.repeat(30_000)}_;`],
  ['has an endless comment', '/*'.repeat(200_000)],
  ['has an endless text', 'process = "'.repeat(50_001)],
  ['has too many names', `process = ${'a,'.repeat(200_000)}a; a = 1;`],
  ['has groups upon groups', `process = hslider("${'h:a/'.repeat(100_000)}b", 0, 0, 1, 1);`],
];

test.each(refused)(
  'a program that %s is refused, and the next one compiles',
  async (_what, code) => {
    const answer = await compile(code);
    if (answer.kind !== 'refused') throw new Error(JSON.stringify(answer).slice(0, 200));
    expect(answer.diagnostics[0]?.code).toMatch(/^FAUST_(SYNTAX|UNSUPPORTED)$/u);
    expect(answer.diagnostics[0]?.message.length).toBeLessThan(500);
    await goesOn();
  },
);

test('a program that doubles at each step is ended, and the next one compiles', async () => {
  const answer = await compile(
    'f(0, x) = x; f(n, x) = f(n - 1, x + sin(x)) * f(n - 1, x + cos(x)); process = f(20);',
  );
  expect(answer.kind === 'failed' && answer.reason).toContain('did not finish within 6 s');
  await goesOn();
});
