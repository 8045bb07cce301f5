/** The saved session: what comes back, and what does not stop the daemon. */

import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Store } from '../../../server/control/store.ts';
import { stateOf, type State } from '../../../server/control/state.ts';
import { example, silent } from './fake.ts';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'livegrad-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = (): string => join(directory, 'session.json');

const learned = (): State => ({
  ...stateOf(example('one-pole')),
  values: new Map([
    ['feedback', 0.7],
    ['hidden/feedback', 0.6],
  ]),
  frozen: new Set(['feedback']),
  rates: new Map([['feedback', 0.5]]),
  learning: false,
  step: 1234,
});

test('what was saved is restored when the same patch is configured', async () => {
  await new Store(directory, example('gain'), silent).save(learned());
  expect(new Store(directory, example('gain'), silent).restore()).toEqual({
    patch: example('one-pole'),
    isFile: false,
    isEdited: false,
    kept: {
      values: learned().values,
      frozen: learned().frozen,
      rates: learned().rates,
      learning: false,
      step: 1234,
    },
  });
});

test('what was evaluated of a program is not kept, nor does it make another patch', async () => {
  const patch = { ...example('gain'), nodes: {}, faust: { code: 'process = _;' } };
  const program = {
    code: 'process = _;',
    double: false,
    form: 'SIG = (IN[0]);',
    waveforms: [],
    declares: [],
    groups: {},
  };
  const evaluated = { ...patch, faust: { ...patch.faust, program } };
  await new Store(directory, evaluated, silent).save(stateOf(evaluated));
  expect(readFileSync(file(), 'utf8')).not.toContain('SIG');
  expect(new Store(directory, patch, silent).restore()?.patch).toEqual(patch);
});

test('another configured patch starts afresh', async () => {
  await new Store(directory, example('gain'), silent).save(learned());
  expect(new Store(directory, example('gain-dc'), silent).restore()).toBeUndefined();
});

test('the mute is not kept', async () => {
  await new Store(directory, example('gain'), silent).save(learned());
  expect(readFileSync(file(), 'utf8')).not.toMatch(/mute|gainDb/);
});

test('nothing saved is nothing restored', () => {
  expect(new Store(directory, example('gain'), silent).restore()).toBeUndefined();
});

test.each([
  ['no JSON', '{"format":'],
  ['another format', '{"format":"livegrad.session/9"}'],
  ['a broken patch', (text: string) => text.replace('"op": "mul"', '"op": "mull"')],
  ['a value that is no number', (text: string) => text.replace('0.7', '"loud"')],
  ['zeros', '\0'.repeat(100)],
])('%s is moved aside', async (_, damage) => {
  const store = new Store(directory, example('gain'), silent);
  await store.save(learned());
  const text = readFileSync(file(), 'utf8');
  const damaged = typeof damage === 'string' ? damage : damage(text);
  expect(damaged).not.toBe(text);
  writeFileSync(file(), damaged);
  expect(store.restore()).toBeUndefined();
  const [aside, ...others] = readdirSync(directory);
  expect(aside).toMatch(/^session\.json\.damaged-\d+$/);
  expect(others).toEqual([]);
  expect(readFileSync(join(directory, aside ?? ''), 'utf8')).toBe(damaged);
});

test('the file is only written when something changed', async () => {
  const store = new Store(directory, example('gain'), silent);
  await store.save(learned());
  rmSync(file());
  await store.save(learned());
  expect(readdirSync(directory)).toEqual([]);
  await store.save({ ...learned(), step: 1235 });
  expect(readdirSync(directory)).toEqual(['session.json']);
});

test('a directory that cannot be written is complained about once, and nothing throws', async () => {
  writeFileSync(join(directory, 'file'), '');
  const error = vi.fn();
  const log = { debug: error, info: error, warn: error, error };
  const store = new Store(join(directory, 'file', 'state'), example('gain'), log);
  expect(store.restore()).toBeUndefined();
  await store.save(learned());
  await store.save({ ...learned(), step: 1235 });
  expect(error).toHaveBeenCalledTimes(1);
});

test('what is written is on disk before it takes the place of what was there', async () => {
  const order: string[] = [];
  const { fsync, rename } = fs;
  const spies = [
    vi.spyOn(fs, 'fsync').mockImplementation((descriptor, done) => {
      order.push('fsync');
      fsync(descriptor, done);
    }),
    vi.spyOn(fs, 'rename').mockImplementation((from, to, done) => {
      order.push('rename');
      rename(from, to, done);
    }),
  ];
  await new Store(directory, example('gain'), silent).save(learned());
  for (const spy of spies) spy.mockRestore();
  expect(order).toEqual(['fsync', 'rename']);
  expect(readdirSync(directory)).toEqual(['session.json']);
});
