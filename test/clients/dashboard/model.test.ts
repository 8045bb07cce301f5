/** What the page knows, by messages of a host that is played here. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Model } from '../../../clients/dashboard/model.ts';
import { LivegradError, type Client } from '../../../clients/sdk/client.ts';

type Listener = (event: never) => void;

const param = (id: string, index: number, kind: 'learnable' | 'slider' = 'learnable') => ({
  id,
  kind,
  index,
  value: 0.5,
  gradient: null,
  frozen: false,
  rate: 1,
  learn: 'linear',
  initial: 0,
  min: -1,
  max: 1,
  scale: 'linear',
});

/** As a daemon sends it after every opening of the socket. */
const snapshot = (program: number) => ({
  status: {
    patch: 'eq',
    program,
    engine: { state: 'running', sampleRate: 48_000, muted: false },
  },
  patch: { name: 'eq' },
  params: { program, params: [param('a', 1), param('b', 0), param('s', 0, 'slider')] },
  meters: { program, meters: [] },
  training: { running: true, fault: false, loss: 1, learningRate: 0.1, step: 7 },
});

function host() {
  const listeners = new Map<string, Listener>();
  const update = vi.fn<(input: { values: Record<string, number> }) => Promise<unknown>>(
    async () => ({}),
  );
  const list = vi.fn(async () => snapshot(1).params);
  const answers = snapshot(1);
  const status = vi.fn(async (): Promise<unknown> => answers.status);
  const client = {
    status: { get: status },
    close: () => {},
    patch: { get: async () => answers.patch },
    training: { get: async () => answers.training },
    meters: { list: async () => answers.meters },
    params: { list, update },
    edits: { list: async () => ({ undo: ['set a to 1'], redo: [] }) },
    snapshots: { list: async () => ({ snapshots: [] }) },
    morph: { get: async () => ({ state: 'none' }) },
    on: (kind: string, listener: Listener) => listeners.set(kind, listener),
    subscribe: ({ topics }: { topics: string[] }, listener: Listener) =>
      listeners.set(topics.includes('loss') ? 'frame' : 'load', listener),
  };
  const emit = (kind: string, event: unknown) => listeners.get(kind)?.(event as never);
  const frame = (topic: string, values: number[], program = 1) =>
    emit('frame', {
      topic,
      values: Float32Array.from(values),
      program,
      time: 48_000,
      step: 8,
      learning: true,
      fault: false,
    });
  return { model: new Model(client as unknown as Client), emit, frame, update, list, status };
}

async function opened() {
  const all = host();
  await all.model.open(() => {});
  all.emit('snapshot', snapshot(1));
  return all;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('requestAnimationFrame', (draw: (now: number) => void) => {
    setTimeout(() => draw(performance.now()), 16);
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it('is live while frames come and the engine plays, and says when that ends', async () => {
  const { model, emit, frame } = await opened();
  const changed = vi.fn();
  model.watch(changed);
  expect(model.live).toBe(false);
  frame('loss', [0.25]);
  expect(model.live).toBe(true);
  expect([model.loss, model.step, model.time]).toEqual([0.25, 8, 1]);
  await vi.advanceTimersByTimeAsync(300);
  changed.mockClear();
  await vi.advanceTimersByTimeAsync(2000);
  expect(model.live).toBe(false);
  expect(changed).toHaveBeenCalled();
  frame('loss', [0.25]);
  emit('change', { kind: 'engine.changed', data: { state: 'restarting', sampleRate: 48_000 } });
  expect(model.live).toBe(false);
});

it('knows when the connection went, and takes it as open with the next snapshot', async () => {
  const { model, emit } = await opened();
  vi.setSystemTime(5000);
  emit('state', 'closed');
  vi.setSystemTime(9000);
  emit('state', 'closed');
  expect([model.connection, model.lostAt]).toEqual(['lost', 5000]);
  emit('snapshot', snapshot(1));
  expect(model.connection).toBe('open');
});

it('values of a frame belong to the learnables by index, and only to their program', async () => {
  const { model, frame, list } = await opened();
  frame('params', [0.1, 0.2]);
  expect(model.values.get('b')).toBeCloseTo(0.1);
  expect(model.values.get('a')).toBeCloseTo(0.2);
  expect(model.values.get('s')).toBe(0.5);
  frame('params', [0.9, 0.9, 0.9], 2);
  expect(model.values.get('a')).toBeCloseTo(0.2);
  expect(list).toHaveBeenCalled();
});

it('a value that a person holds is the person’s, until it was sent', async () => {
  const { model, frame, update } = await opened();
  let answer = (): void => {};
  update.mockImplementation(() => new Promise<void>((resolve) => (answer = resolve)));
  const letGo = model.hold('a');
  model.set('a', 0.7);
  model.set('a', 0.8);
  model.set('a', 0.9);
  frame('params', [0, 0]);
  expect(model.values.get('a')).toBe(0.9);
  letGo();
  frame('params', [0, 0]);
  expect(model.values.get('a')).toBe(0.9);
  answer();
  await vi.advanceTimersByTimeAsync(0);
  // Of the two that waited only the newest.
  expect(update.mock.calls.map(([{ values }]) => values)).toEqual([{ a: 0.7 }, { a: 0.9 }]);
  answer();
  await vi.advanceTimersByTimeAsync(0);
  frame('params', [0, 0.25]);
  expect(model.values.get('a')).toBe(0.25);
});

it('what goes wrong is said, and what was shown is asked for again', async () => {
  const { model, update, list } = await opened();
  update.mockRejectedValue(new LivegradError('VALUE_OUT_OF_RANGE', 'expected at most 1, got 2'));
  model.set('a', 2);
  await vi.advanceTimersByTimeAsync(0);
  expect(model.notice).toBe('expected at most 1, got 2');
  expect(list).toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(0);
  expect(model.values.get('a')).toBe(0.5);
});

it('what can be undone is known from the start, and told since', async () => {
  const { model, emit } = await opened();
  await vi.advanceTimersByTimeAsync(0);
  expect(model.edits).toEqual({ undo: 'set a to 1', redo: null });
  emit('change', { kind: 'edits.changed', data: { undo: null, redo: 'set a to 1' } });
  expect(model.edits).toEqual({ undo: null, redo: 'set a to 1' });
});

it('a token that was removed while it was used is asked for again', async () => {
  const { model, emit, status } = await opened();
  emit('state', 'closed');
  await vi.advanceTimersByTimeAsync(0);
  expect(model.connection).toBe('lost');
  status.mockRejectedValue(new LivegradError('UNAUTHORIZED', 'unknown', 401));
  emit('state', 'closed');
  await vi.advanceTimersByTimeAsync(0);
  expect(model.connection).toBe('refused');
});

it('a wrong token asks for another one', async () => {
  const refused = vi.fn();
  const client = {
    status: { get: () => Promise.reject(new LivegradError('UNAUTHORIZED', 'wrong', 401)) },
    close: vi.fn(),
  };
  const model = new Model(client as unknown as Client);
  await model.open(refused);
  expect(refused).toHaveBeenCalled();
  expect(model.connection).toBe('refused');
});
