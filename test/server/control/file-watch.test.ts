/** Saves of a file are told once each, however an editor makes them. */

import { mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FileWatch } from '../../../server/control/file-watch.ts';

let directory: string;
let watch: FileWatch | undefined;
let told: string[];
/** What `onSave` waits for. */
let busy: Promise<void>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'livegrad-'));
  told = [];
  busy = Promise.resolve();
});
afterEach(() => {
  watch?.close();
  rmSync(directory, { recursive: true, force: true });
});

const inside = (...parts: string[]): string => join(directory, ...parts);

async function start(folders: string[] = []): Promise<void> {
  mkdirSync(inside('patches'));
  writeFileSync(inside('patches', 'a.dsp'), 'one');
  watch = new FileWatch({
    file: inside('patches', 'a.dsp'),
    folders,
    onSave: async (text) => {
      told.push(text.ok ? text.value : (text.diagnostics[0]?.code ?? ''));
      await busy;
    },
  });
  await sleep(100);
}

const hears = (...texts: string[]) =>
  vi.waitFor(() => expect(told).toEqual(texts), { timeout: 4000, interval: 20 });

test('a burst of saves, a rename and an emptied file are one save each', async () => {
  await start();
  const file = inside('patches', 'a.dsp');
  for (const text of ['t', 'tw', 'two']) writeFileSync(file, text);
  await hears('two');
  writeFileSync(inside('patches', '.a.dsp.swp'), 'three');
  renameSync(inside('patches', '.a.dsp.swp'), file);
  await hears('two', 'three');
  writeFileSync(file, '');
  await sleep(150);
  writeFileSync(file, 'four');
  await hears('two', 'three', 'four');
  await sleep(300);
  expect(told.filter((text) => text !== 'four')).toEqual(['two', 'three']);
});

test('other files are let be, those that it may import are not', async () => {
  mkdirSync(inside('lib', 'deep'), { recursive: true });
  await start([inside('lib')]);
  writeFileSync(inside('lib', 'notes.txt'), 'x');
  writeFileSync(inside('patches', 'b.json'), 'x');
  await sleep(200);
  expect(told).toEqual([]);
  writeFileSync(inside('lib', 'deep', 'my.lib'), 'x');
  await hears('one');
  mkdirSync(inside('lib', 'new'));
  await hears('one', 'one');
  writeFileSync(inside('lib', 'new', 'other.lib'), 'x');
  await hears('one', 'one', 'one');
});

test('a file that goes is told, and again when it is back, in another folder of the same name', async () => {
  await start();
  unlinkSync(inside('patches', 'a.dsp'));
  await hears('PATCH_UNREADABLE');
  rmSync(inside('patches'), { recursive: true });
  mkdirSync(inside('patches'));
  writeFileSync(inside('patches', 'a.dsp'), 'back');
  await vi.waitFor(() => expect(told.at(-1)).toBe('back'), { timeout: 4000 });
});

test('what is saved while somebody is busy is told once after that', async () => {
  await start();
  const file = inside('patches', 'a.dsp');
  let done = (): void => {};
  busy = new Promise((resolve) => (done = resolve));
  writeFileSync(file, 'two');
  await hears('two');
  writeFileSync(file, 'three');
  await sleep(150);
  writeFileSync(file, 'four');
  await sleep(150);
  expect(told).toEqual(['two']);
  done();
  await hears('two', 'four');
});
