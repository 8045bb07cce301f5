/**
 * Programs that take over while they play, on the virtual device with a hand-cranked clock: no click,
 * the level stays, values and states go on, and where there is no time the old fade is there.
 */
import { expect, test } from 'vitest';

import { compile } from '../../../dsp/compile.ts';
import type { Artifact } from '../../../dsp/artifact.ts';
import type { PatchNode } from '../../../dsp/patch/schema.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import { planAdoption } from '../../../dsp/run/adopt.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { openVirtual } from '../../../server/audio/virtual.ts';
import { ControlReader, ProgramControls, Switches } from '../../../server/engine/controls.ts';
import type { Deck } from '../../../server/engine/host.ts';
import { Host } from '../../../server/engine/host.ts';
import { recordLayout } from '../../../server/engine/record.ts';
import { rehearse } from '../../../server/engine/rehearse.ts';
import { Ring } from '../../../server/engine/ring.ts';
import { Tap } from '../../../server/engine/tap.ts';

const FRAMES = 128;
const RATE = 48000;
const PERIOD = (1000 * FRAMES) / RATE;
const CROSSFADE = 960;

type Nodes = Readonly<Record<string, PatchNode>>;

/** A sine through a resonant filter and an echo. */
const TONE: Nodes = {
  osc: { op: 'sine', in: [333] },
  quiet: { op: 'mul', in: ['osc', 0.2] },
  f: { op: 'lowpass', in: ['quiet', 600, 4] },
  past: { op: 'delay', in: ['y'], frames: 700 },
  fed: { op: 'mul', in: ['past', 'feed'] },
  y: { op: 'add', in: ['f', 'fed'] },
};
/** The same and more, in another order. */
const MORE: Nodes = {
  spare: { op: 'svfHighpass', in: ['y', 2000, 1] },
  ...Object.fromEntries(Object.entries(TONE).toReversed()),
};

interface TestDeck extends Deck {
  readonly instance: Instance;
  readonly artifact: Artifact;
}

let generations = 0;

interface Settings {
  readonly cost?: number;
  readonly feed?: number;
  readonly training?: object;
}

/** @param former  what it takes over from; `cost`: share of the period */
function deckOf(
  nodes: Nodes,
  outputs: readonly string[],
  former: TestDeck | null,
  { cost = 0.1, feed = 0.3, training }: Settings = {},
): TestDeck {
  const params = { feed: { initial: feed, min: 0, max: 0.9 } };
  const patch = parsePatch({
    format: 'livegrad.patch/1',
    name: 'tone',
    params,
    nodes,
    outputs,
    ...(training === undefined ? {} : { training }),
  });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const compiled = compile(patch.value, { sampleRate: RATE, maxBlock: FRAMES, latency: 0 });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const artifact = compiled.value;
  const layout = recordLayout(1, 1, 1);
  const plan = former === null ? null : planAdoption(former.artifact, artifact);
  return {
    generation: ++generations,
    artifact,
    instance: new Instance(artifact, new WebAssembly.Module(artifact.wasm)),
    controls: new ControlReader(new ProgramControls([], 1).buffer, 0, 1),
    ring: Ring.create(layout.length, 16),
    layout,
    memory: 0,
    inherits: {
      cost,
      plans: former === null || plan === null ? [] : [{ from: former.generation, plan }],
    },
    recall: null,
  };
}

interface Rig {
  readonly host: Host;
  readonly switches: Switches;
  /** What is heard of so many blocks. */
  readonly play: (blocks: number) => number[];
}

/** @param busy  milliseconds that a block takes */
function rig(busy = 0): Rig {
  const shape = { sampleRate: RATE, blockSize: FRAMES, inputs: 1, outputs: 1 };
  const device = openVirtual({ ...shape, world: null, clock: null });
  const switches = new Switches();
  const layout = recordLayout(0, 1, 1);
  const ring = Ring.create(layout.length, 16);
  let time = 0;
  const host = new Host({
    sampleRate: RATE,
    inputs: device.inputs,
    outputs: device.outputs,
    switches,
    tap: Tap.create(shape, 4 * FRAMES),
    idle: {
      generation: 0,
      instance: null,
      controls: null,
      ring,
      layout,
      memory: 0,
      inherits: null,
      recall: null,
    },
    now: () => (time += busy),
    lateBlocks: () => 0,
    onMail: () => undefined,
  });
  return {
    host,
    switches,
    play(blocks) {
      const heard: number[] = [];
      let left = blocks;
      void device.run((frames) => {
        host.block(frames);
        time += PERIOD - 2 * busy;
        heard.push(...device.outputs[0]!);
        return --left > 0;
      });
      return heard;
    },
  };
}

/** Plays `before` for a while and `after` for a while. */
function exchange(before: TestDeck, after: TestDeck | null, busy = 0): number[] {
  const { host, play, switches } = rig(busy);
  host.swap(before);
  const first = play(80);
  if (after !== null) host.swap(after);
  const second = play(80);
  expect(switches.playing).toBe((after ?? before).generation);
  return [...first, ...second];
}

const SWAP = 80 * FRAMES;
const LEVEL = 20;

/** Second differences: a jump or a corner of the signal stands out in them. */
const bends = (x: readonly number[], from: number, to: number): number =>
  Math.max(
    ...x.slice(from + 2, to).map((v, n) => Math.abs(v - 2 * x[from + n + 1]! + x[from + n]!)),
  );

function rms(x: readonly number[], from: number, to: number): number {
  const part = x.slice(from, to);
  return Math.sqrt(part.reduce((sum, v) => sum + v * v, 0) / part.length);
}

test('an edit that is not heard leaves the output as it is', () => {
  const expected = exchange(deckOf(TONE, ['y'], null), null);
  const old = deckOf(TONE, ['y'], null);
  const heard = exchange(old, deckOf(MORE, ['y', 'spare'], old));
  const most = Math.max(...heard.map((y, n) => Math.abs(y - expected[n]!)));
  expect(most).toBeLessThan(1e-6);
});

test('an edit that is heard comes in over 20 ms without a click, and the level stays', () => {
  const old = deckOf(TONE, ['y'], null);
  const edited: Nodes = { ...TONE, f: { op: 'lowpass', in: ['quiet', 640, 4] } };
  const heard = exchange(old, deckOf(edited, ['y'], old));
  const before = bends(heard, SWAP / 2, SWAP);
  const after = bends(heard, SWAP + 4800, heard.length);
  expect(bends(heard, SWAP - 10, SWAP + CROSSFADE + 10)).toBeLessThan(
    1.1 * Math.max(before, after),
  );
  for (let at = SWAP; at < SWAP + 2 * CROSSFADE; at += CROSSFADE / LEVEL) {
    const period = Math.round(RATE / 333);
    const level = rms(heard, at, at + 3 * period);
    expect(level / rms(heard, SWAP - 10 * period, SWAP)).toBeGreaterThan(0.85);
    expect(level / rms(heard, heard.length - 10 * period, heard.length)).toBeLessThan(1.15);
  }
});

test('without the states the same exchange would be heard', () => {
  const old = deckOf(TONE, ['y'], null);
  const heard = exchange(old, deckOf(TONE, ['y'], null));
  const expected = exchange(deckOf(TONE, ['y'], null), null);
  expect(Math.max(...heard.map((y, n) => Math.abs(y - expected[n]!)))).toBeGreaterThan(0.05);
});

test('programs that do not fit into a block together go through silence, and keep their states', () => {
  for (const [cost, busy] of [
    [0.9, 0],
    [0.3, 0.6 * PERIOD],
    [Number.POSITIVE_INFINITY, 0],
  ] as const) {
    const expected = exchange(deckOf(TONE, ['y'], null), null);
    const old = deckOf(TONE, ['y'], null);
    const heard = exchange(old, deckOf(MORE, ['y', 'spare'], old, { cost }), busy);
    const silent = heard.slice(SWAP).findIndex((y, n, all) => y === 0 && all[n + 1] === 0);
    expect(silent).toBeGreaterThan(0);
    const most = heard
      .slice(SWAP + 8 * FRAMES)
      .reduce((sum, y, n) => Math.max(sum, Math.abs(y - expected[SWAP + 8 * FRAMES + n]!)), 0);
    expect(most).toBeLessThan(1e-6);
  }
});

test('with the time for both they go over at once', () => {
  const old = deckOf(TONE, ['y'], null);
  const heard = exchange(old, deckOf(MORE, ['y'], old, { cost: 0.3 }), 0.4 * PERIOD);
  const silent = heard.slice(SWAP).findIndex((y, n, all) => y === 0 && all[n + 1] === 0);
  expect(silent).toBe(-1);
});

test('another program has its own values', () => {
  const { host, play } = rig();
  host.swap(deckOf(TONE, ['y'], null, { feed: 0.3 }));
  play(30);
  const other = deckOf(TONE, ['y'], null, { feed: 0.5 });
  host.swap(other);
  play(30);
  expect(other.instance.params[0]).toBe(0.5);
});

const TRAINING = {
  estimate: 'y',
  target: 'osc',
  loss: 'mse',
  window: 128,
  mode: 'forward',
  optimiser: { kind: 'sgd' },
  schedule: { kind: 'constant', rate: 0.05 },
};

test('what was learned goes on in the new program, and the old one learns no more', () => {
  const { host, play } = rig();
  const learner = (former: TestDeck | null, nodes: Nodes): TestDeck => {
    const deck = deckOf(nodes, ['y'], former, { training: TRAINING });
    deck.instance.setSchedule({ kind: 'constant', rate: 0.05 });
    deck.instance.learning = true;
    return deck;
  };
  const old = learner(null, TONE);
  host.swap(old);
  play(50);
  const learned = old.instance.params[0]!;
  expect(learned).not.toBe(0.3);
  const next = learner(old, MORE);
  next.instance.frozen[0] = 0;
  old.instance.frozen[0] = 1;
  host.swap(next);
  play(3);
  expect(old.instance.step).toBe(50);
  expect(next.instance.frozen[0]).toBe(1);
  expect(next.instance.params[0]).toBe(learned);
  next.instance.frozen[0] = 0;
  play(30);
  expect(next.instance.step).toBeGreaterThan(70);
  expect(next.instance.params[0]).not.toBe(learned);
  expect(old.instance.step).toBe(50);
});

test('a program that comes during a crossfade waits for its end; of two the last one plays', () => {
  const { host, play, switches } = rig();
  const one = deckOf(TONE, ['y'], null);
  host.swap(one);
  play(40);
  const two = deckOf(MORE, ['y'], one);
  host.swap(two);
  play(2);
  expect(switches.playing).toBe(two.generation);
  expect(host.settled).toBe(false);
  host.swap(deckOf(TONE, ['y'], two));
  play(2);
  const four = deckOf(TONE, ['y'], two);
  host.swap(four);
  play(3);
  expect(switches.playing).toBe(two.generation);
  play(9);
  expect(switches.playing).toBe(four.generation);
  expect(host.settled).toBe(true);
});

test('a leaving program that is not finite is heard no more', () => {
  const { host, play } = rig();
  const old = deckOf(TONE, ['y'], null);
  host.swap(old);
  play(40);
  host.swap(deckOf(MORE, ['y'], old));
  play(1);
  old.instance.params[0] = Number.NaN;
  const heard = play(2);
  expect(host.settled).toBe(true);
  heard.push(...play(8));
  expect(heard.every(Number.isFinite)).toBe(true);
  expect(rms(heard, 0, heard.length)).toBeGreaterThan(0.05);
});

test('a rehearsal tells a larger program from a smaller one', () => {
  const cost = (nodes: Nodes, outputs: readonly string[]): number => {
    const { artifact } = deckOf(nodes, outputs, null);
    return rehearse({ artifact, module: new WebAssembly.Module(artifact.wasm) });
  };
  const many = Array.from({ length: 60 }, (_, k): [string, PatchNode] => [
    `f${k}`,
    { op: 'lowpass', in: [k === 0 ? 'y' : `f${k - 1}`, 3000, 1] },
  ]);
  const small = cost(TONE, ['y']);
  expect(small).toBeGreaterThan(0);
  expect(small).toBeLessThan(PERIOD);
  expect(cost({ ...TONE, ...Object.fromEntries(many) }, ['f59'])).toBeGreaterThan(2 * small);
});
