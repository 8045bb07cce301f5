/**
 * One block after the other through the host with real compiled programs, without threads or
 * devices: exchange of programs, mute and gain, stop, measurement rows, non-finite input.
 */
import { beforeEach, expect, test } from 'vitest';

import { FAULT } from '../../../dsp/run/faults.ts';
import { compile } from '../../../dsp/compile.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { parsePatch } from '../../../dsp/patch/schema.ts';
import { Instance } from '../../../dsp/run/instance.ts';
import { createProbe, locate } from '../../../server/engine/calibration.ts';
import { ControlReader, ProgramControls, Switches } from '../../../server/engine/controls.ts';
import type { Deck, Playable } from '../../../server/engine/host.ts';
import { Host } from '../../../server/engine/host.ts';
import { CEILING } from '../../../server/engine/output.ts';
import { decode, recordLayout } from '../../../server/engine/record.ts';
import { Ring } from '../../../server/engine/ring.ts';
import { Tap, TapReader } from '../../../server/engine/tap.ts';
import type { Measurement } from '../../../server/engine/types.ts';
import { attenuationPatch } from '../../support/supervised.ts';

const FRAMES = 256;
const RATE = 48000;

/** y = gain·x on one channel; learns `gain` towards `hidden`. */
function gainPatch(gain: number): unknown {
  return {
    format: 'livegrad.patch/1',
    name: 'test',
    sliders: { hidden: { initial: 0.5, min: 0, max: 1 } },
    params: { gain: { initial: gain, min: -10, max: 10 } },
    nodes: {
      x: { op: 'input', channel: 1 },
      target: { op: 'mul', in: ['x', 'hidden'] },
      estimate: { op: 'mul', in: ['x', 'gain'] },
    },
    outputs: ['estimate'],
    training: {
      estimate: 'estimate',
      target: 'target',
      loss: 'mse',
      window: 256,
      mode: 'auto',
      optimiser: { kind: 'sgd' },
      schedule: { kind: 'constant', rate: 0.5 },
    },
  };
}

interface TestDeck extends Deck {
  readonly instance: Instance;
  readonly steer: ProgramControls;
}

function deck(generation: number, gain: number): TestDeck {
  const patch = parsePatch(gainPatch(gain));
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  return deckOf(generation, patch.value, 0);
}

function deckOf(generation: number, patch: Patch, latency: number): TestDeck {
  const options = { sampleRate: RATE, maxBlock: FRAMES, latency };
  const compiled = compile(patch, options);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const instance = new Instance(compiled.value, new WebAssembly.Module(compiled.value.wasm));
  const steer = new ProgramControls([0.5], 1);
  const layout = recordLayout(1, 2, 2, compiled.value.meters.length);
  return {
    generation,
    instance,
    steer,
    controls: new ControlReader(steer.buffer, 1, 1),
    ring: Ring.create(layout.length, 16),
    layout,
    inherits: null,
    recall: null,
    memory: compiled.value.throughDevice ? latency + compiled.value.window : 0,
  };
}

let inputs: Float32Array[];
let outputs: Float32Array[];
let switches: Switches;
let tap: Tap;
let idle: Deck;
let time: number;
let host: Host;

beforeEach(() => start(Tap.create({ inputs: 2, outputs: 2, blockSize: FRAMES }, 4096)));

function start(used: Tap): void {
  inputs = [new Float32Array(FRAMES), new Float32Array(FRAMES)];
  outputs = [new Float32Array(FRAMES), new Float32Array(FRAMES)];
  switches = new Switches();
  tap = used;
  time = 0;
  const layout = recordLayout(0, 2, 2);
  const ring = Ring.create(layout.length, 16);
  idle = {
    generation: 0,
    instance: null,
    controls: null,
    ring,
    layout,
    memory: 0,
    inherits: null,
    recall: null,
  };
  host = new Host({
    sampleRate: RATE,
    inputs,
    outputs,
    switches,
    tap,
    idle,
    now: () => time,
    lateBlocks: () => 3,
    onMail: () => undefined,
  });
}

/** Plays a constant into input 1 for `count` blocks; what came out of both outputs. */
function play(count: number, x = 0.5): number[][] {
  const heard: number[][] = [[], []];
  for (let k = 0; k < count; k++) {
    inputs[0]!.fill(x);
    host.block(FRAMES);
    time += (1000 * FRAMES) / RATE;
    outputs.forEach((channel, c) => heard[c]!.push(...channel));
  }
  return heard;
}

type Row = Omit<Measurement, 'updates'>;

function rows(from: Deck): Row[] {
  const found: Row[] = [];
  for (let row = from.ring.peek(); row !== null; row = from.ring.peek()) {
    found.push(decode(row, from.layout));
    from.ring.pop();
  }
  return found;
}

test('is silent before there is a program, and measures all the same', () => {
  const [left] = play(4);
  expect(left!.every((x) => x === 0)).toBe(true);
  const [row] = rows(idle);
  expect(row).toMatchObject({ program: 0, step: 0, frames: FRAMES, lateBlocks: 3 });
  expect([...row!.inputPeak]).toEqual([0.5, 0]);
  expect([...row!.inputRms]).toEqual([0.5, 0]);
});

test('a program comes up from silence without a jump and leaves unused outputs silent', () => {
  play(2);
  host.swap(deck(1, 1));
  const [left, right] = play(20);
  expect(left!.at(-1)).toBe(0.5);
  expect(right!.every((x) => x === 0)).toBe(true);
  for (let i = 1; i < left!.length; i++)
    expect(Math.abs(left![i]! - left![i - 1]!)).toBeLessThan(0.01);
  expect(switches.playing).toBe(1);
});

test('the old program plays until it has faded out, then the new one fades in', () => {
  host.swap(deck(1, 1));
  play(20);
  host.swap(deck(2, -1));
  expect(switches.playing).toBe(1);
  const [left] = play(20);
  expect(left![0]).toBeGreaterThan(0.49);
  expect(left!.at(-1)).toBe(-0.5);
  for (let i = 1; i < left!.length; i++)
    expect(Math.abs(left![i]! - left![i - 1]!)).toBeLessThan(0.01);
  expect(switches.playing).toBe(2);
});

test('rows of one program never carry the generation of another', () => {
  const one = deck(1, 1);
  const two = deck(2, 1);
  play(20);
  host.swap(one);
  play(20);
  host.swap(two);
  play(20);
  const generations = (from: Deck) => new Set(rows(from).map((row) => row.program));
  expect(generations(idle)).toEqual(new Set([0]));
  expect(generations(one)).toEqual(new Set([1]));
  expect(generations(two)).toEqual(new Set([2]));
});

test('measures sixty times a second', () => {
  const program = deck(1, 1);
  host.swap(program);
  let measured = 0;
  for (let k = 0; k < 188; k++) {
    play(1);
    measured += rows(program).length;
  }
  expect(measured).toBeGreaterThanOrEqual(58);
  expect(measured).toBeLessThanOrEqual(61);
});

test('mute and gain move in 50 ms and end exactly', () => {
  host.swap(deck(1, 1));
  play(20);
  switches.muted = true;
  const [down] = play(12);
  expect(down!.findIndex((x) => x === 0)).toBe(2399);
  expect(down!.slice(2399).every((x) => x === 0)).toBe(true);
  switches.muted = false;
  switches.gainMilliDb = -6000;
  const [up] = play(12);
  expect(up!.at(-1)).toBeCloseTo(0.5 * 10 ** (-6 / 20), 7);
  for (const ramp of [down!.map((x) => -x), up!]) {
    for (let i = 1; i < ramp.length; i++) expect(ramp[i]).toBeGreaterThanOrEqual(ramp[i - 1]!);
  }
});

test('nothing is louder than the ceiling', () => {
  switches.gainMilliDb = 24_000;
  host.swap(deck(1, 10));
  const [left] = play(40, 0.9);
  expect(Math.max(...left!)).toBe(CEILING);
});

test('an input that is not finite is silenced and counted, and learning is not harmed', () => {
  const program = deck(1, 1);
  host.swap(program);
  play(20);
  inputs[0]!.fill(Number.NaN);
  inputs[1]!.fill(0.3);
  host.block(FRAMES);
  expect(outputs[0]!.every((x) => x === 0)).toBe(true);
  play(20);
  const last = rows(program).at(-1)!;
  expect(last.nanBlocks).toBe(1);
  expect(last.fault).toBe(0);
  expect(last.outputPeak[0]).toBe(0.5);
});

test('a row has what the patch shows, and an idle one nothing', () => {
  const patch = parsePatch({
    ...(gainPatch(0.25) as object),
    meters: {
      played: { in: 'estimate', min: -1, max: 1 },
      gain: { in: 'gain', min: -10, max: 10 },
    },
  });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const program = deckOf(1, patch.value, 0);
  play(2);
  expect(rows(idle).at(-1)).toMatchObject({ meters: new Float64Array(0) });
  host.swap(program);
  play(10);
  const last = rows(program).at(-1)!;
  expect([...last.meters]).toEqual([0.125, 0.25]);
  expect(last.outputRms).toHaveLength(2);
});

test('a program that puts out what is not finite is silenced, counted and starts afresh', () => {
  const program = deck(1, 1);
  let resets = 0;
  const faults: number[] = [];
  const instance: Playable = {
    inputs: [new Float32Array(FRAMES)],
    outputs: [new Float32Array(FRAMES).fill(Number.POSITIVE_INFINITY)],
    compared: { estimate: null, target: null },
    sliders: new Float64Array(1),
    params: new Float64Array(1),
    gradients: new Float64Array(1),
    meters: new Float64Array(0),
    frozen: new Float64Array(1),
    rates: new Float64Array(1),
    learning: false,
    step: 0,
    loss: 0,
    learningRate: 0,
    fault: 0,
    faultDetail: new Float64Array(4),
    paceMemory: new Float64Array(6),
    held: false,
    retired: false,
    adopt: () => undefined,
    recall: () => undefined,
    process: () => undefined,
    follow: () => undefined,
    distrust: (fault) => void faults.push(fault),
    reset: () => undefined,
    restart: () => undefined,
    resetState: () => void resets++,
  };
  const broken: Deck = { ...program, instance };
  host.swap(broken);
  const [left] = play(5);
  expect(left!.every((x) => x === 0)).toBe(true);
  expect(resets).toBe(5);
  expect(faults).toEqual(Array.from({ length: 5 }, () => FAULT.output));
});

test('steers and learns: the row tells parameters, gradients, loss and step', () => {
  const program = deck(1, 1);
  host.swap(program);
  program.steer.setLearning(true);
  program.steer.setSchedule({ kind: 'constant', rate: 0.5 });
  program.steer.setSlider(0, 0.25);
  for (let k = 0; k < 60; k++) {
    play(1, 0.8);
    if (k < 59) rows(program);
  }
  play(3);
  const last = rows(program).at(-1)!;
  expect(last.learning).toBe(true);
  expect(last.params[0]).toBeCloseTo(0.25, 4);
  expect(last.step).toBeGreaterThan(50);
  expect(last.learningRate).toBe(0.5);
});

test('what was learned from the output heard through a box is not spoilt by a fade, a ramp or a mute', () => {
  const program = deckOf(1, attenuationPatch(), FRAMES);
  program.instance.setSchedule({ kind: 'constant', rate: 2 });
  program.instance.params[0] = 0.37;
  program.instance.learning = true;
  program.instance.sliders[0] = 0.25;
  const hear = (blocks: number): void => {
    for (let k = 0; k < blocks; k++) {
      inputs[0]!.set(outputs[0]!.map((x) => 0.37 * x));
      host.block(FRAMES);
      time += (1000 * FRAMES) / RATE;
      expect(program.instance.params[0]).toBeCloseTo(0.37, 6);
    }
  };
  host.swap(program);
  hear(40);
  const { step } = program.instance;
  expect(step).toBeGreaterThan(10);
  switches.muted = true;
  hear(100);
  switches.muted = false;
  hear(40);
  expect(program.instance.step).toBeGreaterThan(step + 10);
  switches.gainMilliDb = -6000;
  hear(1);
  const deaf = program.instance.step;
  hear(9);
  expect(program.instance.step).toBe(deaf);
});

test('a program that does not listen to its own output learns while it is muted', () => {
  const program = deck(1, 1);
  switches.muted = true;
  host.swap(program);
  program.steer.setLearning(true);
  program.steer.setSchedule({ kind: 'constant', rate: 0.5 });
  play(40, 0.8);
  expect(program.instance.step).toBeGreaterThan(35);
});

test('plays and records the probe, then goes back to the program', async () => {
  host.swap(deck(1, 1));
  play(20);
  const probe = createProbe(RATE, 2);
  host.calibrate(probe);
  // The world outside: output 1 comes back on input 2, 300 frames later.
  const line = new Float32Array(FRAMES + 300);
  for (let k = 0; k < 400 && Atomics.load(probe.done, 0) === 0; k++) {
    inputs[0]!.fill(0);
    inputs[1]!.set(line.subarray(0, FRAMES));
    host.block(FRAMES);
    line.copyWithin(0, FRAMES);
    line.set(outputs[0]!, 300);
  }
  const found = await locate(probe, RATE);
  expect(found).toMatchObject({ latency: 300 + FRAMES, input: 1 });
  expect(play(20)[0]!.at(-1)).toBe(0.5);
});

test('a stop fades out before it takes effect', () => {
  host.swap(deck(1, 1));
  play(20);
  switches.requestStop();
  let more = true;
  let blocks = 0;
  while (more) {
    inputs[0]!.fill(0.5);
    more = host.block(FRAMES);
    blocks++;
  }
  expect(blocks).toBe(10);
  expect(outputs[0]!.at(-1)).toBe(0);
});

test('the tap has what was heard and played, and what was compared while it was', () => {
  const reader = new TapReader(tap);
  const tracks = [0, 1, 2, 3, 4, 5];
  const read = (count: number): number[][] => {
    const into = tracks.map(() => new Float32Array(count));
    expect(reader.read(tracks, reader.written - count, count, into)).toBe(true);
    return into.map((track) => [...track]);
  };
  const [left] = play(3, 0.25);
  expect(left!.every((x) => x === 0)).toBe(true);
  expect(read(FRAMES).map((track) => track[7])).toEqual([0.25, 0, 0, 0, 0, 0]);
  const program = deck(1, 0.5);
  program.steer.setSlider(0, 0.75);
  host.swap(program);
  play(20, 0.25);
  const heard = play(2, 0.5);
  const [input, , output, , target, estimate] = read(2 * FRAMES);
  expect(new Set(input)).toEqual(new Set([0.5]));
  expect(output).toEqual(heard[0]);
  expect(new Set(target)).toEqual(new Set([0.375]));
  expect(new Set(estimate)).toEqual(new Set([0.25]));
  host.calibrate(createProbe(RATE, 2));
  play(40, 0.5);
  expect(new Set(read(FRAMES)[4])).toEqual(new Set([0]));
  expect(reader.written).toBe(65 * FRAMES);
});

test('what is played does not depend on the tap, to the bit', () => {
  const deaf = Tap.create({ inputs: 2, outputs: 2, blockSize: FRAMES }, 4096);
  for (const name of ['put', 'putSilence', 'advance'] as const) deaf[name] = () => undefined;
  const heard = [tap, deaf].map((used) => {
    start(used);
    const program = deck(1, 0.3);
    program.steer.setLearning(true);
    program.steer.setSchedule({ kind: 'constant', rate: 0.1 });
    host.swap(program);
    return Array.from({ length: 60 }, (_, k) => play(1, Math.sin(k))).flatMap(([left]) => left!);
  });
  expect(heard[0]).toEqual(heard[1]);
  expect(Math.max(...heard[0]!)).toBeGreaterThan(0.1);
});
