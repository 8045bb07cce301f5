/** The compile thread: answers, limits, and recovery from patches that break them. */

import { afterAll, expect, test } from 'vitest';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { Compiler, type Compiled } from '../../../server/compile/compiler.ts';

const options = { sampleRate: 48000, maxBlock: 256, latency: 0 };
const compiler = new Compiler();
afterAll(() => compiler.stop());

const reasonOf = (answer: Compiled): string => (answer.kind === 'failed' ? answer.reason : '');

test.each(Object.keys(EXAMPLES))('the example %s compiles to an artifact', async (name) => {
  const answer = await compiler.compile(EXAMPLES[name], options);
  if (answer.kind !== 'compiled') throw new Error(JSON.stringify(answer));
  expect(answer.patch).toEqual(EXAMPLES[name]);
  expect(WebAssembly.validate(answer.artifact.wasm as Uint8Array<ArrayBuffer>)).toBe(true);
});

test.each([[null], [7], ['gain'], [{}], [{ format: 'livegrad.patch/1', nodes: 3 }]])(
  '%j is refused with diagnostics',
  async (json) => {
    const answer = await compiler.compile(json, options);
    expect(answer.kind).toBe('refused');
    expect(answer.kind === 'refused' && answer.diagnostics.length > 0).toBe(true);
  },
);

test('a document too deep to be copied fails, and the next patch compiles', async () => {
  const deep: unknown = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000));
  expect((await compiler.compile(deep, options)).kind).not.toBe('compiled');
  expect((await compiler.compile(EXAMPLES['gain'], options)).kind).toBe('compiled');
});

test('code that would keep the engine busy is refused before it gets there', async () => {
  const limits = { time: 10_000, stackMb: 8, heapMb: 512, translation: 1e-6 };
  const strict = new Compiler(undefined, limits);
  const answer = await strict.compile(EXAMPLES['gain'], options);
  await strict.stop();
  const said = answer.kind === 'refused' ? answer.diagnostics : [];
  expect(said).toMatchObject([{ code: 'PATCH_TOO_LARGE', path: 'nodes' }]);
  expect(said[0]?.message).toMatch(
    /^it takes too long to translate: expected less than 0.000001 s/u,
  );
});

test('thousands of recursions are not too many', async () => {
  const nodes: Record<string, unknown> = { y0: { op: 'input', channel: 1 } };
  for (let k = 1; k <= 2000; k++) {
    nodes[`d${k}`] = { op: 'delay', in: [`y${k}`], frames: 2 + (k % 3) };
    nodes[`m${k}`] = { op: 'mul', in: [`d${k}`, 0.3] };
    nodes[`y${k}`] = { op: 'add', in: [`y${k - 1}`, `m${k}`] };
  }
  const patch = { format: 'livegrad.patch/1', name: 'rings', nodes, outputs: ['y2000'] };
  expect((await compiler.compile(patch, options)).kind).toBe('compiled');
});

test('calls are answered in their order', async () => {
  const order: string[] = [];
  // Fewer than wait in line at most.
  const some = Object.entries(EXAMPLES).slice(0, 8);
  await Promise.all(
    some.map(async ([name, patch]) => {
      await compiler.compile(patch, options);
      order.push(name);
    }),
  );
  expect(order).toEqual(some.map(([name]) => name));
});

test('a compilation over its time limit fails, and the next one gets a fresh thread', async () => {
  const hasty = new Compiler(undefined, { time: 1, stackMb: 8, heapMb: 512 });
  expect(reasonOf(await hasty.compile(EXAMPLES['gain'], options))).toContain('did not finish');
  await hasty.stop();
  expect(reasonOf(await hasty.compile(EXAMPLES['gain'], options))).toContain('shutting down');
});

test('a flood of compilations is refused beyond what may wait', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => compiler.compile(EXAMPLES['gain'], options)),
  );
  expect(answers.map((a) => a.kind)).toEqual([
    ...Array<string>(16).fill('compiled'),
    ...Array<string>(4).fill('failed'),
  ]);
  expect((await compiler.compile(EXAMPLES['gain'], options)).kind).toBe('compiled');
});

test('a chain of 20,000 nodes is answered, whatever the answer is', async () => {
  const nodes: Record<string, unknown> = { n0: { op: 'input', channel: 1 } };
  for (let i = 1; i < 19_999; i++) nodes[`n${i}`] = { op: 'abs', in: [`n${i - 1}`] };
  const chain = { format: 'livegrad.patch/1', name: 'chain', nodes, outputs: ['n19998'] };
  expect(await compiler.compile(chain, options)).toHaveProperty('kind');
  expect((await compiler.compile(EXAMPLES['gain'], options)).kind).toBe('compiled');
});
