/**
 * A program of its own (run with --expose-gc): plays blocks through the real host, the virtual
 * device running free, and a real compiled program with its rig, and prints the heap bytes
 * that each block left behind after warm-up. With the argument "leak" the block also makes one
 * small view, which is what a careless `subarray` in the loop would cost; with "exchange" two copies
 * of the program take over from each other again and again.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

import { compile } from '../../dsp/compile.ts';
import { EXAMPLES, RIG } from '../../dsp/examples/index.ts';
import type { Schedule } from '../../dsp/learn/schedules/schedule.ts';
import { recallLength } from '../../dsp/run/recall.ts';
import { planAdoption } from '../../dsp/run/adopt.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { openVirtual } from '../../server/audio/virtual.ts';
import { ControlReader, ProgramControls, Switches } from '../../server/engine/controls.ts';
import { Host } from '../../server/engine/host.ts';
import { recordLayout } from '../../server/engine/record.ts';
import { Ring } from '../../server/engine/ring.ts';
import { Tap } from '../../server/engine/tap.ts';

setFlagsFromString('--no-liftoff');

/** Ten rounds through all kinds of schedules, so that the code of each is compiled. */
const WARM_UP = 120_000;
const BLOCKS = 20_000;
const RATE = 48000;
const FRAMES = 128;
const PERIOD = (1000 * FRAMES) / RATE;

const leak = process.argv.includes('leak');
const exchange = process.argv.includes('exchange');
/** Milliseconds. Not `performance.now`, which boxes its result: that is Node's, 16 bytes a call. */
const time = new Float64Array(1);
const kept: Float32Array[] = new Array<Float32Array>(1);

function instantiate(patch: typeof RIG): Instance {
  const compiled = compile(patch, { sampleRate: RATE, maxBlock: FRAMES, latency: 0 });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  return new Instance(compiled.value, new WebAssembly.Module(compiled.value.wasm));
}

const world = instantiate(RIG);
const shape = { sampleRate: RATE, blockSize: FRAMES, inputs: 2, outputs: 2 };
const device = openVirtual({ ...shape, world, clock: null });
const example = EXAMPLES['gain-dc']!;
/** An optimiser step in every block. */
const patch = {
  ...example,
  training: { ...example.training!, window: FRAMES },
  meters: { heard: { in: 'estimate', min: -1, max: 1 } },
};
const layout = recordLayout(Object.keys(patch.params).length, 2, 2, 1);
const ring = Ring.create(layout.length, 16);
const generations = [1, 2] as const;
const copies = generations.map((generation) => {
  const instance = instantiate(patch);
  const { params, sliders, artifact } = instance;
  instance.learning = true;
  const steer = new ProgramControls(Array.from(sliders), params.length);
  const controls = new ControlReader(steer.buffer, sliders.length, params.length);
  const plan = planAdoption(artifact, artifact)!;
  const plans = generations.filter((g) => g !== generation).map((from) => ({ from, plan }));
  const inherits = { cost: 0, plans };
  const recall = {
    words: new Int32Array(new SharedArrayBuffer(8)),
    numbers: new Float64Array(recallLength(artifact)),
  };
  const deck = { generation, instance, controls, ring, layout, memory: FRAMES, inherits, recall };
  return { deck, steer, instance };
});
const host = new Host({
  sampleRate: RATE,
  inputs: device.inputs,
  outputs: device.outputs,
  switches: new Switches(),
  tap: Tap.create(shape, 8192),
  idle: copies[0]!.deck,
  now: () => time[0]!,
  lateBlocks: () => device.lateBlocks,
  onMail: () => undefined,
});

const SCHEDULES: readonly Schedule[] = [
  { kind: 'constant', rate: 0.5 },
  { kind: 'exponential', rate: 0.5, delta: -0.1, every: 100 },
  { kind: 'step', rate: 0.5, factor: 0.5, every: 1000 },
  { kind: 'cosine', rate: 0.5, final: 0.01, steps: 5000 },
  { kind: 'multiStep', rate: 0.5, factor: 0.5, milestones: [100, 20_000] },
  { kind: 'linear', rate: 0.5, final: 0.1, steps: 50_000, warmup: { steps: 90_000 } },
  { kind: 'polynomial', rate: 0.5, steps: 50_000, power: 1.5 },
  { kind: 'cosineRestarts', rate: 0.5, steps: 50, growth: 2 },
  { kind: 'oneCycle', peak: 0.5, steps: 50_000, start: 1000 },
  { kind: 'cyclic', rate: 0.01, peak: 0.5, up: 70, mode: 'triangular2' },
  { kind: 'plateau', rate: 0.5, factor: 0.9, patience: 3, every: 3 },
];
const { steer, instance } = copies[0]!;
let left = 0;
const block = (frames: number): boolean => {
  time[0]! += PERIOD;
  host.block(frames);
  if (leak) kept[0] = device.inputs[0]!.subarray(1);
  if (ring.peek() !== null) ring.pop();
  // As the main thread does: changes while it plays.
  if (left % 100 === 0) steer.setSlider(0, 0.3 + (left % 300) / 1000);
  if (left % 20 === 0) Atomics.add(copies[(left / 20) % 2]!.deck.recall.words, 0, 1);
  if (left % 1000 === 0) steer.setSchedule(SCHEDULES[(left / 1000) % SCHEDULES.length]!);
  // Eight blocks of every hundred are those of two programs.
  if (exchange && left % 100 === 50) host.swap(copies[((left - 50) / 100) % 2]!.deck);
  return --left > 0;
};

function run(count: number): void {
  left = count;
  void device.run(block);
}

run(WARM_UP);
globalThis.gc!();
run(100);
const before = getHeapStatistics().used_heap_size;
run(BLOCKS);
const after = getHeapStatistics().used_heap_size;
console.log(JSON.stringify({ bytesPerBlock: (after - before) / BLOCKS, step: instance.step }));
