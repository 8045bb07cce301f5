/** The session: transitions, revisions, who is told, and what the engine is told. */

import { afterEach, expect, test } from 'vitest';
import { Pace } from '../../../dsp/learn/schedules/pace.ts';
import { encode } from '../../../dsp/learn/schedules/schedule.ts';
import { FAULT } from '../../../dsp/run/faults.ts';
import { Compiler } from '../../../server/compile/compiler.ts';
import type { Change } from '../../../server/api/socket.ts';
import { bench, example, type Bench, type BenchOptions } from './fake.ts';

let open: Bench | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function start(options: BenchOptions = {}): Promise<Bench & { readonly told: Change[] }> {
  open = await bench(options);
  const told: Change[] = [];
  open.session.listen((change) => {
    if (change.kind !== 'edits.changed') told.push(change);
  });
  open.engine.calls.length = 0;
  return Object.assign(open, { told });
}

const codeOf = (outcome: { ok: boolean; problem?: { code: string } }): string | undefined =>
  outcome.problem?.code;

test('opening compiles the patch for the device and learns at once', async () => {
  const { session, engine } = await start();
  expect(session.ready).toBe(true);
  expect(engine.program).toMatchObject({ sliders: [0.3], params: [1], learning: true, step: 0 });
  expect(engine.program?.artifact).toMatchObject({ sampleRate: 48000, maxBlock: 256, latency: 0 });
});

test('a value goes to the engine by its index, makes one revision and is told', async () => {
  const { session, engine, told } = await start();
  const before = session.revision;
  const set = session.setParams({ values: { 'hidden/gain': 0.5, gain: -1 } }, undefined);
  expect(set).toMatchObject({ ok: true, value: { revision: before + 1 } });
  expect(engine.calls).toEqual(['slider 0 0.5', 'param 0 -1']);
  expect(told).toMatchObject([
    {
      kind: 'params.changed',
      revision: before + 1,
      data: {
        params: [
          { id: 'hidden/gain', value: 0.5 },
          { id: 'gain', value: -1 },
        ],
      },
    },
  ]);
});

test.each([
  ['UNKNOWN_PARAM', { values: { gain: 0, gian: 1 } }],
  ['UNKNOWN_PARAM', { values: { constructor: 1 } }],
  ['VALUE_OUT_OF_RANGE', { values: { gain: 0, 'hidden/gain': 2.5 } }],
  ['VALUE_OUT_OF_RANGE', { values: { gain: Number.NaN } }],
  ['NOT_LEARNABLE', { values: { gain: 0 }, frozen: { 'hidden/gain': true } }],
  ['NOT_LEARNABLE', { values: { gain: 0 }, rates: { 'hidden/gain': 0.5 } }],
  ['UNKNOWN_PARAM', { frozen: { gain: true }, rates: { gian: 0.5 } }],
])('a change refused with %s changes nothing', async (code, change) => {
  const { session, engine, told } = await start();
  const { state, revision } = session;
  expect(codeOf(session.setParams(change as never, undefined))).toBe(code);
  expect(session.state).toBe(state);
  expect(session.revision).toBe(revision);
  expect(engine.calls).toEqual([]);
  expect(told).toEqual([]);
});

test('a refused value names its range and what was given', async () => {
  const { session } = await start();
  const set = session.setParams({ values: { 'hidden/gain': 2.5 } }, undefined);
  expect(set.ok ? '' : set.problem.detail).toBe(
    'hidden/gain: expected a value from 0 to 2, got 2.5',
  );
});

test('the numbers of a vector are parameters like others', async () => {
  const { session, engine } = await start({ patch: example('dense') });
  expect(engine.program?.params).toHaveLength(321);
  const { values } = session.state;
  expect([values.get('b2/15'), values.has('b2')]).toEqual([0, false]);
  session.setParams({ values: { 'b2/15': 0.5 }, frozen: { 'b3/0': true } }, undefined);
  expect(engine.calls).toEqual(['param 303 0.5', 'frozen 320 true']);
  expect(codeOf(session.setParams({ values: { b2: 1 } }, undefined))).toBe('UNKNOWN_PARAM');
  expect(codeOf(session.setParams({ values: { 'w1/16': 1 } }, undefined))).toBe('UNKNOWN_PARAM');
});

test('freezing is told to the engine and kept', async () => {
  const { session, engine } = await start();
  session.setParams({ frozen: { gain: true } }, undefined);
  expect(engine.calls).toEqual(['frozen 0 true']);
  expect([...session.state.frozen]).toEqual(['gain']);
});

test('measurements update values, gradients, loss and step', async () => {
  const { session, engine } = await start();
  engine.frames = 48000;
  engine.program?.params.splice(0, 1, 0.75);
  engine.crank();
  expect(session.state.values.get('gain')).toBe(0.75);
  expect(session.status().training).toMatchObject({ running: true, step: 3, learningRate: 0.5 });
  expect(session.state.gradients.get('gain')).toBe(-0.25);
});

test('a measurement of another program is not taken over', async () => {
  const { session, engine } = await start();
  engine.frames = 48000;
  engine.crank({ program: 99, params: Float64Array.of(7), step: 1000 });
  expect(session.state.values.get('gain')).toBe(1);
  expect(session.state.step).toBe(0);
});

test('a value just set is not overwritten by a measurement that is older', async () => {
  const { session, engine } = await start();
  engine.frames = 48000;
  engine.crank();
  session.setParams({ values: { gain: -0.5 } }, undefined);
  engine.crank({ params: Float64Array.of(0.9) });
  expect(session.state.values.get('gain')).toBe(-0.5);
  for (let i = 0; i < 6; i++) engine.crank({ params: Float64Array.of(-0.4) });
  expect(session.state.values.get('gain')).toBe(-0.4);
});

test('a fault stops learning, once, and is told', async () => {
  const { session, engine, told } = await start();
  engine.frames = 48000;
  const faultDetail = Float64Array.of(12.5, 4, 77, -1);
  engine.crank({ fault: FAULT.rising, faultDetail, learning: false });
  engine.crank({ fault: FAULT.rising, faultDetail, learning: false });
  expect(session.state).toMatchObject({ learning: false, fault: true });
  expect(session.training().cause).toEqual({
    guard: 'rising',
    value: 12.5,
    bound: 4,
    step: 77,
    param: null,
    message:
      'the loss rose step by step to 12.5: expected at most 4, with a lower learning rate (after 77 steps); the last good parameters are back',
  });
  expect(told.map((change) => change.kind)).toEqual(['training.changed']);
  // Out of a fault there is no way that begins with the rate that led into it.
  const constant = { kind: 'constant', rate: 0.01 } as const;
  expect(await session.setSchedule({ ...constant, glideSteps: 10 }, undefined)).toMatchObject({
    ok: true,
    value: { schedule: constant },
  });
  expect(session.state.patch.training?.schedule).toEqual(constant);
  await session.setLearning(true, undefined);
  expect(session.state).toMatchObject({ learning: true, fault: false, cause: null });
  engine.crank({ fault: 1, learning: false });
  expect(session.state.learning).toBe(true);
});

test('an edited patch keeps values by id, within its ranges, and goes on at its step', async () => {
  const { session, engine, told } = await start();
  session.setParams({ values: { 'hidden/gain': 1.5, gain: 0.25 } }, undefined);
  engine.crank();
  told.length = 0;
  const revision = session.revision;
  const patch = { ...structuredClone(example('gain-dc')), name: 'gain', vary: {} };
  const slider = patch.sliders['hidden/gain'];
  if (slider === undefined) throw new Error('the example changed');
  patch.sliders['hidden/gain'] = { ...slider, max: 1 };
  const set = await session.setPatch(patch, undefined);
  expect(set).toMatchObject({ ok: true, value: { name: 'gain', revision: revision + 1 } });
  expect(session.state.values.get('hidden/gain')).toBe(1);
  expect(session.state.values.get('gain')).toBe(0.25);
  expect(engine.program?.step).toBe(3);
  expect(told.map((c) => [c.kind, c.revision])).toEqual([
    ['patch.changed', revision + 1],
    ['params.changed', revision + 1],
    ['training.changed', revision + 1],
  ]);
});

test('another patch starts with its own values', async () => {
  const { session, engine } = await start();
  session.setParams({ values: { 'hidden/gain': 1.5 }, frozen: { gain: true } }, undefined);
  engine.crank();
  await session.setPatch(example('gain-dc'), undefined);
  expect(engine.program?.step).toBe(0);
  expect(session.state.values.get('hidden/gain')).toBe(0.6);
  expect([...session.state.frozen]).toEqual([]);
});

test('a patch that does not compile or load leaves everything as it was', async () => {
  const { session, engine, told } = await start();
  const { state, revision } = session;
  expect(codeOf(await session.setPatch({ format: 'livegrad.patch/1' }, undefined))).toBe(
    'PATCH_INVALID',
  );
  engine.failLoad = 'too big';
  expect(codeOf(await session.setPatch(example('one-pole'), undefined))).toBe('ENGINE_REFUSED');
  expect(session.state).toBe(state);
  expect(session.revision).toBe(revision);
  expect(told).toEqual([]);
});

test('what is set while a patch is on its way reaches the new program', async () => {
  const { session, engine } = await start();
  let release = (): void => {};
  engine.loading = new Promise((resolve) => (release = resolve));
  const setting = session.setPatch(example('gain-dc'), undefined);
  while (engine.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  session.setParams({ values: { 'hidden/gain': 1.25 } }, undefined);
  release();
  expect((await setting).ok).toBe(true);
  expect(session.state.values.get('hidden/gain')).toBe(1.25);
  expect(engine.program?.sliders).toContain(1.25);
});

test('a setting that is compiled goes through the compiler and keeps step and values', async () => {
  const { session, engine } = await start();
  engine.frames = 48000;
  engine.program?.params.splice(0, 1, 0.5);
  engine.crank();
  const updated = await session.updateTraining({ loss: 'mae', window: 128 }, undefined);
  expect(updated).toMatchObject({
    ok: true,
    value: { settings: { loss: 'mae', window: 128 }, step: 3 },
  });
  expect(engine.program).toMatchObject({ step: 3, params: [0.5], artifact: { window: 128 } });
});

test('any setting but the schedule is compiled, and kept', async () => {
  const { session, engine } = await start();
  const updated = await session.updateTraining({ carry: 64, mode: 'reverse' }, undefined);
  expect(updated).toMatchObject({ ok: true, value: { settings: { carry: 64, mode: 'reverse' } } });
  expect(engine.program).toMatchObject({ artifact: { mode: 'reverse' } });
  const again = await session.updateTraining({ carry: 64 }, undefined);
  expect(again).toMatchObject({ ok: true, value: { settings: { carry: 64, mode: 'reverse' } } });
});

test('schedule and learning go to the engine without compiling', async () => {
  const { session, engine } = await start();
  const schedule = { kind: 'cosine', rate: 0.5, final: 0, steps: 100 } as const;
  await session.setSchedule(schedule, undefined);
  await session.setLearning(false, undefined);
  expect(engine.calls).toEqual([
    `training ${JSON.stringify({ schedule })}`,
    `training ${JSON.stringify({ learning: false })}`,
  ]);
  expect(session.state.patch.training?.schedule).toEqual(schedule);
});

test('a training setting that does not compile changes nothing', async () => {
  const { session } = await start();
  const { state, revision } = session;
  expect(codeOf(await session.updateTraining({ target: 'nowhere' }, undefined))).toBe(
    'PATCH_INVALID',
  );
  expect(session.state).toBe(state);
  expect(session.revision).toBe(revision);
});

test('rates of parameters are told to the engine and kept, those of the patch until they are set', async () => {
  const { session, engine } = await start();
  const grouped = {
    ...example('gain'),
    training: { ...example('gain').training, groups: { slow: { params: ['gain'], rate: 0.25 } } },
  };
  await session.setPatch(grouped, undefined);
  expect(engine.program).toMatchObject({ rates: [0.25] });
  engine.calls.length = 0;
  const set = session.setParams({ rates: { gain: 2 } }, undefined);
  expect(set).toMatchObject({ value: { params: [{ id: 'gain', rate: 2 }] } });
  expect(engine.calls).toEqual(['rate 0 2']);
  await session.setPatch({ ...grouped, outputs: [] }, undefined);
  expect(engine.program).toMatchObject({ rates: [2] });
});

test('another optimiser is compiled, with its defaults, and goes on from what was learned', async () => {
  const { session, engine } = await start();
  engine.frames = 48000;
  engine.program?.params.splice(0, 1, 0.75);
  engine.crank();
  const optimiser = { kind: 'adam', clip: { norm: 1 } } as never;
  const updated = await session.updateTraining({ optimiser, every: 4 }, undefined);
  expect(updated).toMatchObject({
    value: { settings: { optimiser: { kind: 'adam', beta1: 0.9 } } },
  });
  expect(engine.program).toMatchObject({ params: [0.75], step: 3, artifact: { every: 4 } });
});

test('a row that was under way does not bring back the step of before a restart', async () => {
  const { session, engine } = await start();
  engine.frames = 48000;
  engine.crank({ step: 5000 });
  await session.restart(undefined);
  engine.crank({ step: 5003 });
  expect(session.state.step).toBe(0);
  const linear = { kind: 'linear', rate: 1, final: 0, steps: 100, begin: 'now' } as const;
  const changed = await session.setSchedule({ ...linear, glideSteps: 10 }, undefined);
  expect(changed).toMatchObject({ ok: true, value: { schedule: { glide: { at: 0 } } } });
  engine.crank({ step: 4 });
  expect(session.state.step).toBe(4);
});

test('a restart counts from 0 and keeps what was learned', async () => {
  const { session, engine } = await start();
  engine.crank();
  const { values } = session.state;
  expect(session.state.step).toBeGreaterThan(0);
  expect(await session.restart(undefined)).toMatchObject({ ok: true, value: { step: 0 } });
  expect(engine.calls).toEqual(['restart']);
  expect(session.state.values).toEqual(values);
});

test('a reset puts learnables back and leaves sliders', async () => {
  const { session, engine } = await start();
  session.setParams({ values: { 'hidden/gain': 1.5, gain: 0.25 } }, undefined);
  await session.reset(undefined);
  expect(engine.calls).toContain('reset');
  expect(session.state.values.get('gain')).toBe(1);
  expect(session.state.values.get('hidden/gain')).toBe(1.5);
  expect(session.state.step).toBe(0);
});

test('a patch without training cannot be trained', async () => {
  const { training: _, ...patch } = example('gain');
  const { session } = await start({ patch: { ...patch, expect: [] } });
  expect(codeOf(await session.setLearning(true, undefined))).toBe('NOT_TRAINABLE');
  expect(codeOf(session.schedule())).toBe('NOT_TRAINABLE');
  expect(session.training()).toMatchObject({ running: false, settings: null, schedule: null });
});

test('a new sample rate, block size or latency of the device compiles the patch anew', async () => {
  const { session, engine } = await start();
  for (const change of [{ sampleRate: 44100 }, { blockSize: 512 }, { latency: 512 }]) {
    engine.set(change);
    await session.reset(undefined);
  }
  expect(engine.program?.artifact).toMatchObject({
    sampleRate: 44100,
    maxBlock: 512,
    latency: 512,
  });
});

test('a patch that does not fit a new device says so in the status, and recovers with it', async () => {
  const compiler = new Compiler();
  const { session, engine, told } = await start({
    compiler: {
      exportFaust: (json, values) => compiler.exportFaust(json, values),
      compile: (json, options) =>
        options.sampleRate === 8000
          ? Promise.resolve({
              kind: 'refused',
              diagnostics: [{ code: 'X', path: 'nodes.x', message: 'too slow for it' }],
            })
          : compiler.compile(json, options),
    },
  });
  engine.set({ sampleRate: 8000 });
  await session.reset(undefined);
  expect(session.ready).toBe(false);
  expect(session.status().engine.reason).toContain('nodes.x: too slow for it');
  expect(told.map((change) => change.kind)).toContain('engine.changed');
  for (const sampleRate of [48000, 44100]) {
    engine.set({ sampleRate });
    await session.reset(undefined);
    expect(session.ready).toBe(true);
  }
  expect(session.status().engine.reason).toBeNull();
  await compiler.stop();
});

test('counters of the engine make no revision, its state does', async () => {
  const { session, engine, told } = await start();
  const { revision } = session;
  engine.set({ xruns: 3, framesProcessed: 1e6, load: { mean: 0.5, p99: 0.5, max: 0.5 } });
  expect(session.revision).toBe(revision);
  engine.set({ state: 'restarting', reason: 'it crashed' });
  expect(session.revision).toBe(revision + 1);
  expect(told).toMatchObject([{ kind: 'engine.changed', data: { state: 'restarting' } }]);
});

test('mute is told as a change of output, with who asked for it', async () => {
  const { session, engine } = await start();
  const origins: unknown[] = [];
  const me = {};
  session.listen((_, origin) => origins.push(origin));
  session.setOutput({ muted: false, gainDb: -6 }, me);
  engine.set({ muted: true });
  expect(origins).toEqual([me, undefined]);
  expect(session.output()).toEqual({ muted: true, gainDb: -6 });
});

test('selecting a device compiles for it, and a refused one changes nothing', async () => {
  const { session, engine } = await start();
  const selected = await session.select({ sampleRate: 44100 }, undefined);
  expect(selected).toMatchObject({ ok: true, value: { engine: { sampleRate: 44100 } } });
  expect(engine.program?.artifact.sampleRate).toBe(44100);
  const { revision, state } = session;
  engine.failSelect = 'no such device';
  expect(codeOf(await session.select({ input: 'nothing' }, undefined))).toBe('DEVICE_REFUSED');
  expect(session.revision).toBe(revision);
  expect(session.state).toBe(state);
});

test('a calibrated latency is compiled in', async () => {
  const { session, engine } = await start();
  expect(await session.calibrate()).toMatchObject({ ok: true, value: { latency: 512 } });
  expect(engine.program?.artifact.latency).toBe(512);
});

test('the preview is the schedule, step by step', async () => {
  const { session } = await start();
  const preview = session.preview({
    schedule: { kind: 'step', rate: 1, factor: 0.5, every: 10 },
    from: 5,
    count: 4,
    stride: 5,
  });
  expect(preview).toEqual({ ok: true, value: [1, 0.5, 0.5, 0.25] });
});

test('values and step of the last run are gone on with', async () => {
  const { engine } = await start({
    kept: {
      values: new Map([
        ['gain', 0.3],
        ['hidden/gain', 99],
        ['gone', 1],
      ]),
      frozen: new Set(['gain', 'gone']),
      rates: new Map([
        ['gain', 0.5],
        ['gone', 2],
      ]),
      learning: false,
      step: 77,
    },
  });
  expect(engine.program).toMatchObject({
    params: [0.3],
    sliders: [2],
    frozen: [true],
    rates: [0.5],
    learning: false,
    step: 77,
  });
});

test('a schedule begins now if it is told to, glides, and its preview is what was put', async () => {
  const { session, engine } = await start();
  engine.frames = 48000;
  engine.crank({ step: 500 });
  const linear = { kind: 'linear', rate: 0.5, final: 0, steps: 100 } as const;
  const change = { ...linear, begin: 'now', glideSteps: 10 } as const;
  const before = session.preview({ schedule: change, from: 500, count: 40, stride: 1 });
  const set = await session.setSchedule(change, undefined);
  const schedule = { ...linear, start: 500, glide: { at: 500, steps: 10, from: 1 } };
  const position = { schedule, step: 500, position: 0, learningRate: 1 };
  expect(set).toMatchObject({ ok: true, value: position });
  const rates = before.ok ? before.value : [];
  expect([rates[0], rates[20]]).toEqual([1, 0.4]);
  const ahead = session.ahead({ count: 40, stride: 1 });
  expect(ahead).toEqual({ ok: true, value: { from: 500, stride: 1, rates } });
  // From step 0 again it is as written.
  await session.reset(undefined);
  expect(session.schedule()).toMatchObject({ value: { schedule: linear, position: 0 } });
  expect(session.state.patch.training?.schedule).toEqual(linear);
});

test('a plateau is previewed from what it has seen, and not through too many steps', async () => {
  const { session, engine } = await start();
  const plateau = { kind: 'plateau', rate: 1, factor: 0.5, patience: 2 } as const;
  await session.setSchedule(plateau, undefined);
  const pace = new Pace();
  pace.follow(encode(plateau));
  for (let t = 0; t < 5; t++) pace.observe(t, Float64Array.of(1));
  engine.frames = 48000;
  engine.crank({ step: 5, paceMemory: pace.memory });
  expect(session.schedule()).toMatchObject({ value: { learningRate: 0.5 } });
  expect(session.preview({ from: 5, count: 4, stride: 1, losses: [1] })).toEqual({
    ok: true,
    value: [0.5, 0.5, 0.25, 0.25],
  });
  const long = session.preview({ from: 5, count: 10_000, stride: 1e6, losses: [1] });
  expect(codeOf(long)).toBe('INVALID_INPUT');
});
