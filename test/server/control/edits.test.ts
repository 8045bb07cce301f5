/** Undo and redo: what is a step, what goes back, in which words, and what is left alone. */

import { afterEach, expect, test, vi } from 'vitest';
import { createClient, type Change } from '../../../clients/sdk/client.ts';
import type { Outcome } from '../../../server/control/outcome.ts';
import { FAULT } from '../../../dsp/run/faults.ts';
import { MAX_EDITS } from '../../../server/api/edits.ts';
import { bench, example, type Bench, type BenchOptions } from './fake.ts';

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

async function start(options: BenchOptions = {}) {
  const host = await bench(options);
  opened.push(host);
  const { session, engine } = host;
  const values = (): Record<string, number> => Object.fromEntries(session.state.values);
  const undo = async (): Promise<string> => done(await session.undo(undefined));
  const redo = async (): Promise<string> => done(await session.undo(undefined, 'redo'));
  /** Learning moves the parameter, some frames after it was set by hand. */
  const learn = (value: number, steps = 3): void => {
    engine.frames += 48000;
    engine.step += steps - 3;
    engine.crank();
    engine.program?.params.splice(0, 1, value);
    engine.step -= 3;
    engine.crank();
  };
  return Object.assign(host, { values, undo, redo, learn });
}

const done = (outcome: Outcome<{ done: string }>): string =>
  outcome.ok ? outcome.value.done : outcome.problem.code;

const set = ({ session }: Bench, values: Record<string, number>, origin?: object): void => {
  expect(session.setParams({ values }, origin).ok).toBe(true);
};

test('undo and redo: steps of all clients go back and forth, in words, and everyone is told', async () => {
  const host = await start();
  const url = await host.listen();
  const [one, two] = [createClient({ url }), createClient({ url })];
  opened.push(one, two);
  const told: Change[] = [];
  const ready = new Promise((resolve) => two.on('snapshot', resolve));
  two.on('change', (change) => told.push(change));
  await ready;
  await one.params.set({ id: 'hidden/gain', value: 1.25 });
  await two.params.set({ id: 'gain', frozen: true });
  await one.params.update({ values: { gain: 0.5 }, rates: { gain: 0.25 } });
  expect(await two.edits.list()).toEqual({
    undo: [
      'set gain to 0.5, set the rate of gain to 0.25',
      'freeze gain',
      'set hidden/gain to 1.25',
    ],
    redo: [],
  });
  const undone = await two.edits.undo();
  expect(undone).toMatchObject({
    done: 'set gain to 0.5, set the rate of gain to 0.25',
    revision: host.session.revision,
  });
  expect(await one.params.get({ id: 'gain' })).toMatchObject({ value: 1, rate: 1, frozen: true });
  await one.edits.undo();
  expect((await one.edits.undo()).undo).toEqual([]);
  expect(await one.params.get({ id: 'gain' })).toMatchObject({ frozen: false });
  expect(host.values()).toEqual({ 'hidden/gain': 0.3, gain: 1 });
  for (let k = 0; k < 3; k++) await two.edits.redo();
  expect(host.values()).toEqual({ 'hidden/gain': 1.25, gain: 0.5 });
  expect(await one.params.get({ id: 'gain' })).toMatchObject({ frozen: true, rate: 0.25 });
  const last = { undo: 'set gain to 0.5, set the rate of gain to 0.25', redo: null };
  await vi.waitUntil(() => {
    const change = told.findLast(({ kind }) => kind === 'edits.changed');
    return JSON.stringify(change?.data) === JSON.stringify(last);
  });
});

test('a new step ends what could be done again, and a bad change is no step', async () => {
  const host = await start();
  set(host, { gain: 0 });
  await host.undo();
  expect(host.session.setParams({ values: { gain: 99 } }, undefined).ok).toBe(false);
  set(host, { gain: 1 });
  expect(host.session.edits()).toEqual({ undo: [], redo: ['set gain to 0'] });
  set(host, { gain: 0.5 });
  expect(host.session.edits()).toEqual({ undo: ['set gain to 0.5'], redo: [] });
  expect(await host.redo()).toBe('NOTHING_TO_UNDO');
});

test('a drag is one step: the same controls, the same client, within a second', async () => {
  const host = await start();
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  const [one, two] = [{}, {}];
  for (const gain of [0.9, 0.8, 0.7, 0.6]) {
    set(host, { gain }, one);
    vi.advanceTimersByTime(900);
  }
  expect(host.session.edits().undo).toEqual(['set gain to 0.6']);
  set(host, { gain: 0.5 }, two);
  set(host, { 'hidden/gain': 0.5 }, two);
  set(host, { gain: 0.4 }, two);
  vi.advanceTimersByTime(1001);
  set(host, { gain: 0.3 }, two);
  expect(host.session.edits().undo).toEqual([
    'set gain to 0.3',
    'set gain to 0.4',
    'set hidden/gain to 0.5',
    'set gain to 0.5',
    'set gain to 0.6',
  ]);
  for (const gain of [0.4, 0.5, 0.5, 0.6, 1]) {
    await host.undo();
    expect(host.values()['gain']).toBe(gain);
  }
});

test('the words of a drag are told while it goes on, at most four times a second', async () => {
  const host = await start();
  const told: Change[] = [];
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  host.session.listen((change) => told.push(change));
  for (let k = 0; k <= 60; k++) {
    set(host, { gain: k / 100 }, host);
    vi.advanceTimersByTime(16);
  }
  vi.advanceTimersByTime(300);
  const words = told.flatMap((change) => (change.kind === 'edits.changed' ? [change.data] : []));
  expect(words.length).toBeLessThan(7);
  expect(words.at(-1)).toEqual({ undo: 'set gain to 0.6', redo: null });
});

test('undoing leaves alone what was learned meanwhile', async () => {
  const host = await start();
  set(host, { 'hidden/gain': 0.75 });
  host.learn(0.7);
  expect(await host.undo()).toBe('set hidden/gain to 0.75');
  expect(host.values()).toEqual({ 'hidden/gain': 0.3, gain: 0.7 });
});

test('learning is a step when it stops, and the values of before come back', async () => {
  const host = await start();
  const { session } = host;
  await session.setLearning(false, undefined);
  set(host, { gain: 0.9 });
  await session.setLearning(true, undefined);
  host.learn(0.4, 12);
  set(host, { 'hidden/gain': 0.5 });
  host.learn(0.5, 6);
  await session.setLearning(false, undefined);
  expect(session.edits().undo).toEqual([
    'learn 18 steps',
    'set hidden/gain to 0.5',
    'set gain to 0.9',
  ]);
  expect(await host.undo()).toBe('learn 18 steps');
  expect(host.values()).toEqual({ 'hidden/gain': 0.5, gain: 0.9 });
  expect(session.state.learning).toBe(false);
  expect(await host.redo()).toBe('learn 18 steps');
  expect(host.values()).toEqual({ 'hidden/gain': 0.5, gain: 0.5 });
  expect(session.state.learning).toBe(false);
});

test('what is set by hand while it learns stays when learning is undone', async () => {
  const host = await start();
  host.learn(0.4);
  set(host, { gain: -1 });
  host.learn(0.2);
  await host.session.setLearning(false, undefined);
  await host.undo();
  expect(host.values()['gain']).toBe(-1);
});

test('undo right after learning was started stops it, and takes it back', async () => {
  const host = await start();
  const { session } = host;
  await session.setLearning(false, undefined);
  set(host, { gain: 0.9 });
  await session.setLearning(true, undefined);
  host.learn(0.1, 30);
  expect(await host.undo()).toBe('learn 30 steps');
  expect(session.state.learning).toBe(false);
  expect(host.values()['gain']).toBe(0.9);
  await session.setLearning(true, undefined);
  host.learn(0.2);
  set(host, { 'hidden/gain': 2 });
  expect(await host.undo()).toBe('set hidden/gain to 2');
  expect(session.state.learning).toBe(true);
});

test('when a guard stops learning, that is a step as well', async () => {
  const host = await start();
  host.learn(0.7, 9);
  host.engine.crank({ fault: FAULT.rising, learning: false });
  expect(host.session.edits().undo).toEqual(['learn 12 steps']);
  await host.undo();
  expect(host.values()['gain']).toBe(1);
});

test('another patch goes back to the one before, with its values', async () => {
  const host = await start();
  const { session } = host;
  session.setParams({ values: { gain: 0.25, 'hidden/gain': 2 }, frozen: { gain: true } }, {});
  await session.setPatch(example('one-pole'), undefined);
  set(host, { feedback: 0.125 });
  expect(session.edits().undo).toEqual([
    'set feedback to 0.125',
    'play one-pole',
    'set gain, hidden/gain, freeze gain',
  ]);
  await host.undo();
  expect(await host.undo()).toBe('play one-pole');
  expect(session.state.patch.name).toBe('gain');
  expect(host.values()).toEqual({ 'hidden/gain': 2, gain: 0.25 });
  expect(session.state.frozen.has('gain')).toBe(true);
  expect(await host.redo()).toBe('play one-pole');
  await host.redo();
  expect(session.state.patch.name).toBe('one-pole');
  expect(host.values()['feedback']).toBe(0.125);
});

test('what is learned, and how, goes back', async () => {
  const host = await start();
  const { session } = host;
  const before = session.state.patch;
  await session.updateParams({ learn: { 'hidden/gain': true } }, undefined);
  await session.updateTraining({ window: 64 }, undefined);
  await session.setSchedule({ kind: 'constant', rate: 0.01 }, undefined);
  await session.updateTraining({ running: true }, undefined);
  expect(session.edits().undo).toEqual([
    'take a schedule: constant',
    'change the training: window',
    'make hidden/gain learnable',
  ]);
  await host.undo();
  expect(session.state.patch.training?.schedule).toEqual(before.training?.schedule);
  await host.undo();
  expect(session.state.patch.training?.window).toBe(before.training?.window);
  await host.undo();
  expect(Object.keys(session.state.patch.sliders)).toEqual(['hidden/gain']);
  await host.redo();
  expect(Object.keys(session.state.patch.params)).toEqual(['gain', 'hidden/gain']);
});

test('forgetting what was learned is a step, mute and an empty change are none', async () => {
  const host = await start();
  const { session } = host;
  host.learn(0.4);
  session.setOutput({ muted: false }, undefined);
  session.setParams({ values: { 'hidden/gain': 0.3 } }, undefined);
  await session.reset(undefined);
  expect(session.edits().undo).toEqual(['forget what was learned']);
  expect(host.values()['gain']).toBe(1);
  await host.undo();
  expect(host.values()['gain']).toBe(0.4);
});

test('a hundred steps are kept, the oldest go', async () => {
  const host = await start();
  for (let k = 1; k <= MAX_EDITS + 5; k++) set(host, { gain: k / 200 }, { k });
  const { undo } = host.session.edits();
  expect(undo).toHaveLength(MAX_EDITS);
  expect(undo.at(-1)).toBe('set gain to 0.03');
});

test('a step that cannot be applied stays', async () => {
  const host = await start();
  const { session, engine } = host;
  await session.setPatch(example('one-pole'), undefined);
  engine.failLoad = 'no room';
  expect(await host.undo()).toBe('ENGINE_REFUSED');
  expect(session.edits().undo).toEqual(['play one-pole']);
  engine.failLoad = undefined;
  expect(await host.undo()).toBe('play one-pole');
});

test('a snapshot that is loaded is one step, and so is a morph', async () => {
  const host = await start();
  const { session, http } = host;
  const call = (method: 'PUT' | 'POST', path: string, payload: object) =>
    http.inject({ method, url: `/api/v1${path}`, payload });
  await call('PUT', '/snapshots/warm', {});
  set(host, { gain: -1, 'hidden/gain': 2 });
  await call('POST', '/snapshots/warm/load', {});
  expect(await host.undo()).toBe('load "warm"');
  expect(host.values()).toEqual({ gain: -1, 'hidden/gain': 2 });
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  await call('POST', '/morph', { to: 'warm', seconds: 3 });
  vi.advanceTimersByTime(3100);
  expect(session.edits().undo).toEqual(['morph to "warm"', 'set gain, hidden/gain']);
  await host.undo();
  expect(host.values()).toEqual({ gain: -1, 'hidden/gain': 2 });
});
