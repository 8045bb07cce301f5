/** Controllers on ports that are played by hand: the map, learning it, moving, telling, and the disk. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import type { Mapping } from '../../../server/api/midi.ts';
import type { Change } from '../../../server/api/socket.ts';
import { specOf } from '../../../server/control/state.ts';
import { positionOf } from '../../../server/midi/travel.ts';
import type { PortListener } from '../../../server/midi/ports.ts';
import { bench, example, type Bench, type BenchOptions } from '../control/fake.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const ID = 'hidden/gain';
const KNOB: Mapping = { id: ID, channel: 1, kind: 'cc', number: 20, takeover: 'jump' };

interface Desk extends Bench {
  readonly turn: (...bytes: number[]) => void;
  /** Messages that the controller was sent. */
  readonly told: (readonly number[])[];
  readonly lost: (reason: string) => void;
  readonly value: (id?: string) => number | undefined;
  readonly changes: Change[];
}

async function desk(
  options: BenchOptions = {},
  ports: readonly string[] = ['knobs'],
): Promise<Desk> {
  let listener: PortListener | undefined;
  const told: (readonly number[])[] = [];
  const host = await bench({
    ...options,
    midi(asked) {
      listener = asked;
      asked.opened(ports, ports);
      return {
        send: (_, messages) => void told.push(...messages),
        close: () => Promise.resolve(),
      };
    },
  });
  opened.push(() => host.close());
  const changes: Change[] = [];
  host.session.listen((change) => changes.push(change));
  return {
    ...host,
    told,
    changes,
    turn: (...bytes) => listener?.heard('knobs', Uint8Array.from(bytes)),
    lost: (reason) => listener?.lost(reason),
    value: (id = ID) => host.session.state.values.get(id),
  };
}

const of = ({ host }: Bench) => host.midi;
const spec = specOf(example('gain'), ID) ?? { min: 0, max: 1 };
const { min, max } = spec;

test('a controller moves its control, and everyone is told, in one step for undo', async () => {
  const it = await desk();
  const before = it.value();
  await of(it).map(KNOB, undefined);
  it.changes.length = 0;
  for (let k = 0; k <= 127; k++) it.turn(0xb0, 20, k);
  await vi.waitUntil(() => it.value() === max);
  const moved = it.changes.filter(({ kind }) => kind === 'params.changed');
  // Of what came within a tick only the newest was set.
  expect(moved.length).toBeLessThan(5);
  it.turn(0xb0, 20, 0);
  await vi.waitUntil(() => it.value() === min);
  expect(it.session.edits().undo).toHaveLength(1);
  await it.session.undo(undefined);
  expect(it.value()).toBe(before);
});

test('another channel, port or number moves nothing', async () => {
  const it = await desk();
  const before = it.value();
  await of(it).map({ ...KNOB, port: 'faders' }, undefined);
  it.turn(0xb0, 20, 127, 0xb1, 20, 127, 0xb0, 21, 127);
  await sleep(20);
  expect(it.value()).toBe(before);
});

test('learning is switched, and the gain is moved', async () => {
  const it = await desk();
  await of(it).map({ ...KNOB, id: 'training/learning' }, undefined);
  await of(it).map({ ...KNOB, id: 'output/gain', number: 21 }, undefined);
  it.turn(0xb0, 20, 0, 0xb0, 21, 127);
  await vi.waitUntil(() => !it.session.state.learning && it.session.output().gainDb === 12);
  it.turn(0xb0, 20, 127);
  await vi.waitUntil(() => it.session.state.learning);
});

test('a control that waits is moved once its controller has come by', async () => {
  const it = await desk();
  it.session.setParams({ values: { [ID]: min + (max - min) / 2 } }, undefined);
  await of(it).map({ ...KNOB, takeover: 'pickup' }, undefined);
  it.turn(0xb0, 20, 10);
  await sleep(20);
  expect(it.value()).toBe(min + (max - min) / 2);
  it.turn(0xb0, 20, 70);
  await vi.waitUntil(() => it.value() !== min + (max - min) / 2);
  it.turn(0xb0, 20, 127);
  await vi.waitUntil(() => it.value() === max);
});

test('the next controller that moves is learned: 7 bits, 14 bits, bend', async () => {
  const it = await desk();
  const learned = async (...bytes: number[]): Promise<Mapping | undefined> => {
    await of(it).learn({ id: ID, takeover: 'jump' }, undefined);
    it.turn(...bytes);
    await vi.waitUntil(async () => (await of(it).state()).learning === null);
    const state = await of(it).state();
    expect(state.learned).toBe(ID);
    return state.map[0];
  };
  const common = { id: ID, port: 'knobs', takeover: 'jump' };
  expect(await learned(0xb0, 20, 5)).toEqual({ ...common, channel: 1, kind: 'cc', number: 20 });
  expect(await learned(0xb0, 20, 5, 0xb0, 52, 6)).toMatchObject({ kind: 'cc14', number: 20 });
  expect(await learned(0xb0, 52, 6, 0xb0, 20, 5)).toMatchObject({ kind: 'cc14', number: 20 });
  expect(await learned(0xb0, 20, 5, 0xb0, 21, 6)).toMatchObject({ kind: 'cc', number: 20 });
  expect(await learned(0xb1, 70, 5)).toMatchObject({ kind: 'cc', number: 70, channel: 2 });
  expect(await learned(0xe3, 0, 5)).toMatchObject({ kind: 'bend', number: 0, channel: 4 });
  expect(await learned(0xb0, 99, 1, 98, 2, 6, 3)).toMatchObject({ kind: 'nrpn', number: 130 });
});

test('learning ends when it is cancelled, and when the ports are lost', async () => {
  const it = await desk();
  await of(it).learn({ id: ID, takeover: 'jump' }, undefined);
  await of(it).cancel(undefined);
  expect(await of(it).state()).toMatchObject({ learning: null, map: [] });
  await of(it).learn({ id: ID, takeover: 'jump' }, undefined);
  it.lost('it was unplugged');
  expect(await of(it).state()).toMatchObject({
    learning: null,
    available: false,
    reason: 'it was unplugged',
    inputs: [],
  });
  expect(await of(it).learn({ id: ID, takeover: 'jump' }, undefined)).toMatchObject({
    problem: { code: 'MIDI_UNAVAILABLE' },
  });
});

test('a controller is told what others set, in its own bits, and never what it said', async () => {
  const it = await desk();
  await of(it).map({ ...KNOB, kind: 'cc14', number: 7 }, undefined);
  await vi.waitUntil(() => it.told.length > 0);
  it.told.length = 0;
  it.turn(0xb0, 7, 100, 0xb0, 39, 3);
  await vi.waitUntil(() => it.changes.some(({ kind }) => kind === 'params.changed'));
  await sleep(400);
  expect(it.told).toEqual([]);
  it.session.setParams({ values: { [ID]: max } }, undefined);
  await vi.waitUntil(() => it.told.length > 0);
  expect(it.told).toEqual([
    [0xb0, 7, 127],
    [0xb0, 39, 127],
  ]);
});

test('what moves all the time is told 25 times a second at most', async () => {
  const it = await desk();
  await of(it).map(KNOB, undefined);
  const until = performance.now() + 400;
  for (let k = 0; performance.now() < until; k++) {
    it.session.setParams({ values: { [ID]: k % 2 === 0 ? min : max } }, undefined);
    await sleep(1);
  }
  expect(it.told.length).toBeGreaterThan(0);
  expect(it.told.length).toBeLessThanOrEqual(11);
});

test('a controller that waits for its control is told where that is', async () => {
  const it = await desk();
  await of(it).map({ ...KNOB, takeover: 'pickup' }, undefined);
  const place = Math.round(127 * positionOf({}, spec, it.value() ?? 0));
  await vi.waitUntil(() => it.told.some(([, , value]) => value === place));
});

test('the map outlives the daemon; a file that is damaged is set aside', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'livegrad-midi-'));
  opened.push(() => rmSync(stateDir, { recursive: true }));
  const first = await desk({ stateDir });
  await of(first).map(KNOB, undefined);
  await of(first).map({ ...KNOB, id: 'output/gain' }, undefined);
  const folder = join(stateDir, 'midi');
  const [file = ''] = readdirSync(folder).filter((name) => name.startsWith('output'));
  writeFileSync(join(folder, file), '{"format":');
  const second = await desk({ stateDir });
  expect((await of(second).state()).map).toEqual([KNOB]);
  expect(readdirSync(folder).some((name) => name.includes('.damaged-'))).toBe(true);
  await of(second).unmap(ID, undefined);
  expect((await of(await desk({ stateDir })).state()).map).toEqual([]);
});

test('without MIDI the map is kept all the same, and says why nothing moves', async () => {
  const host = await bench();
  opened.push(() => host.close());
  expect(await host.host.midi.map(KNOB, undefined)).toMatchObject({ value: { available: false } });
  expect((await host.host.midi.state()).reason).toContain('midi.enabled');
});
