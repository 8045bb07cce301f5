/** What is learned, changed while it plays: sliders that become parameters, trainings out of nothing. */

import { afterEach, describe, expect, test } from 'vitest';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { parsePatch, type Patch } from '../../../dsp/patch/schema.ts';
import type { Param } from '../../../server/api/schemas.ts';
import type { Change } from '../../../server/api/socket.ts';
import { bench, example, type Bench, type BenchOptions } from './fake.ts';

let open: Bench | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

type Reply = { readonly status: number; readonly body: Record<string, unknown> };

interface Started extends Bench {
  readonly told: Change[];
  readonly send: (
    method: 'GET' | 'PUT' | 'PATCH' | 'POST',
    path: string,
    payload?: object,
  ) => Promise<Reply>;
  /** A measurement with these parameters, when all that was set counts no more. */
  readonly measure: (...params: number[]) => void;
}

async function start(options: BenchOptions = {}): Promise<Started> {
  const at = await bench({ patch: patchOf(), ...options });
  open = at;
  const told: Change[] = [];
  at.session.listen((change) => {
    if (change.kind !== 'edits.changed') told.push(change);
  });
  at.engine.calls.length = 0;
  return {
    ...at,
    told,
    send: async (method, path, payload) => {
      const url = `/api/v1${path}`;
      const reply = await at.http.inject({ method, url, ...(payload ? { payload } : {}) });
      return { status: reply.statusCode, body: reply.json() };
    },
    measure: (...params) => {
      at.engine.frames += 48_000;
      at.engine.program?.params.splice(0, params.length, ...params);
      at.engine.crank();
    },
  };
}

const training = {
  estimate: 'y',
  target: 't',
  loss: 'mse',
  window: 64,
  optimiser: { kind: 'adam' },
  schedule: { kind: 'constant', rate: 0.01 },
};

/** A filter, a gain, and sliders that no gradient comes through. */
function patchOf(more: object = {}): Patch {
  const parsed = parsePatch({
    format: 'livegrad.patch/1',
    name: 'filter',
    sliders: {
      cutoff: { initial: 1000, min: 100, max: 10_000, unit: 'Hz', scale: 'log' },
      trim: { initial: 0, min: -40, max: 40 },
      monitor: { initial: 0.5, min: 0, max: 1 },
      steps: { initial: 0, min: 0, max: 4, step: 1 },
      bits: { initial: 7, min: 0, max: 255 },
    },
    params: { gain: { initial: 0.5, min: 0, max: 2 }, pole: { initial: 0.1, min: -0.9, max: 0.9 } },
    nodes: {
      x: { op: 'input', channel: 1 },
      t: { op: 'input', channel: 2 },
      f: { op: 'lowpass', in: ['x', 'cutoff', 0.7] },
      p: { op: 'onePole', in: ['f', 'pole'] },
      g: { op: 'fma', in: ['p', 'gain', 'trim'] },
      i: { op: 'toInt', in: ['bits'] },
      m: { op: 'and', in: ['i', 12] },
      r: { op: 'toReal', in: ['m'] },
      s: { op: 'ge', in: ['steps', 2] },
      e: { op: 'fma', in: ['s', 0.1, 'g'] },
      y: { op: 'fma', in: ['r', 0.001, 'e'] },
      z: { op: 'mul', in: ['y', 'monitor'] },
    },
    outputs: ['z', 'x'],
    training,
    ...more,
  });
  if (!parsed.ok) throw new Error(printDiagnostics(parsed.diagnostics));
  return parsed.value;
}
const untrained = (): Patch => {
  const { training: _, ...patch } = patchOf({ params: {}, nodes: { ...NODES } });
  return patch;
};
const NODES = {
  x: { op: 'input', channel: 1 },
  t: { op: 'input', channel: 2 },
  f: { op: 'lowpass', in: ['x', 'cutoff', 0.7] },
  y: { op: 'mul', in: ['f', 'monitor'] },
  z: { op: 'add', in: ['y', 'trim'] },
};

const param = (body: Reply['body'], id: string): Param | undefined =>
  (body['params'] as Param[]).find((one) => one.id === id);

describe('a slider that is to be learned', () => {
  test('is learned from where it is, in one revision, and all else goes on', async () => {
    const { send, session, engine, told, measure } = await start();
    session.setParams(
      {
        values: { cutoff: 4000, trim: 3 },
        frozen: { pole: true },
        rates: { gain: 2 },
      },
      undefined,
    );
    measure(0.75, -0.5);
    const { revision, state } = session;
    told.length = 0;
    const { status, body } = await send('PUT', '/params/cutoff', { learn: true });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: 'cutoff',
      kind: 'learnable',
      index: 2,
      value: 4000,
      learn: 'log',
      frozen: false,
      min: 100,
      max: 10_000,
      unit: 'Hz',
      revision: revision + 1,
    });
    expect(engine.program).toMatchObject({
      params: [0.75, -0.5, 4000],
      sliders: [3, 0.5, 0, 7],
      frozen: [false, true, false],
      rates: [2, 1, 3],
      step: state.step,
      learning: true,
    });
    expect(session.state.loss).toBe(state.loss);
    expect(told.map((change) => [change.kind, change.revision])).toEqual([
      ['patch.changed', revision + 1],
      ['params.changed', revision + 1],
      ['training.changed', revision + 1],
    ]);
    expect((await send('GET', '/patch')).body).toMatchObject({
      params: { cutoff: { initial: 1000, learn: 'log' } },
    });
    measure(0.7, -0.5, 5000);
    expect(session.state.values.get('cutoff')).toBe(5000);
  });

  test('and is a slider again, stays where learning has brought it', async () => {
    const { send, session, engine, measure } = await start();
    await send('PUT', '/params/cutoff', { learn: 'linear' });
    expect(session.state.patch.params['cutoff']).toMatchObject({ rate: 9900 });
    measure(0.75, -0.5, 5000);
    const { body } = await send('PUT', '/params/cutoff', { learn: false });
    expect(body).toMatchObject({ kind: 'slider', value: 5000, learn: null, gradient: null });
    expect(engine.program).toMatchObject({ params: [0.75, -0.5], sliders: [0, 0.5, 0, 7, 5000] });
    // What the engine goes on with is what the record says.
    expect(engine.calls.at(-1)).toBe('slider 4 5000');
    const there = patchOf();
    expect(session.state.patch).toEqual({ ...there, sliders: session.state.patch.sliders });
  });

  test('goes on from what is measured while the patch is on its way', async () => {
    const { send, session, engine, measure } = await start();
    await send('PUT', '/params/cutoff', { learn: true });
    measure(0.75, -0.5, 5000);
    let release = (): void => {};
    engine.loading = new Promise((resolve) => (release = resolve));
    engine.calls.length = 0;
    const setting = send('PATCH', '/params', { learn: { cutoff: false, gain: false } });
    while (engine.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    session.setParams({ values: { gain: 1.5 } }, undefined);
    engine.frames += 48_000;
    engine.crank({ params: Float64Array.of(0.8, -0.4, 6000) });
    release();
    const { body } = await setting;
    expect(param(body, 'cutoff')?.value).toBe(6000);
    expect(param(body, 'pole')?.value).toBe(-0.4);
    expect(param(body, 'gain')).toMatchObject({ kind: 'slider', value: 1.5 });
  });

  test('with values, freezes and rates of the same request, several at once', async () => {
    const { send, session, engine } = await start();
    const { revision } = session;
    const { body } = await send('PATCH', '/params', {
      learn: { cutoff: 'log', trim: true, pole: false },
      values: { cutoff: 200, gain: 1.25, pole: -0.25 },
      frozen: { trim: true },
      rates: { cutoff: 0.5 },
    });
    expect(body['revision']).toBe(revision + 1);
    expect((body['params'] as Param[]).map(({ id }) => id)).toEqual([
      'monitor',
      'steps',
      'bits',
      'pole',
      'gain',
      'cutoff',
      'trim',
    ]);
    expect(param(body, 'cutoff')).toMatchObject({ value: 200, rate: 0.5, index: 1 });
    expect(param(body, 'trim')).toMatchObject({ value: 0, frozen: true, rate: 80 });
    expect(param(body, 'pole')).toMatchObject({ value: -0.25, kind: 'slider' });
    expect(engine.program).toMatchObject({
      params: [1.25, 200, 0],
      frozen: [false, false, true],
      rates: [1, 0.5, 80],
    });
    for (const call of ['param 0 1.25', 'param 1 200', 'frozen 2 true', 'slider 3 -0.25']) {
      expect(engine.calls).toContain(call);
    }
  });

  test('what it is already makes no revision and compiles nothing', async () => {
    const { send, session, engine } = await start();
    const { revision } = session;
    expect((await send('PUT', '/params/gain', { learn: true })).body).toMatchObject({ revision });
    const { body } = await send('PATCH', '/params', { learn: { cutoff: false } });
    expect(body).toMatchObject({ revision });
    expect(param(body, 'cutoff')).toMatchObject({ kind: 'slider', value: 1000 });
    expect(engine.calls).toEqual([]);
    const moved = await send('PUT', '/params/gain', { learn: 'linear', value: 1 });
    expect(moved.body).toMatchObject({ value: 1, revision: revision + 1 });
    expect(engine.calls).toEqual(['param 0 1']);
  });

  test.each([
    ['UNKNOWN_PARAM', { learn: { cutof: true } }, /perhaps cutoff/u],
    [
      'UNKNOWN_PARAM',
      { learn: { cutoff: true }, values: { gian: 1 } },
      /"gian" in patch filter: /u,
    ],
    [
      'VALUE_OUT_OF_RANGE',
      { learn: { cutoff: true }, values: { cutoff: 1 } },
      /from 100 to 10000/u,
    ],
    ['NOT_LEARNABLE', { learn: { trim: 'log' } }, /min > 0, got -40; learn it on another/u],
    ['NOT_LEARNABLE', { learn: { gain: false }, frozen: { gain: true } }, /got a slider/u],
    ['NOT_LEARNABLE', { learn: { gain: false, pole: false } }, /"pole" is all .* freeze it/u],
    ['NOT_LEARNABLE', { learn: { monitor: true } }, /^monitor cannot be learned: "y" and "t"/u],
    ['NOT_LEARNABLE', { learn: { cutoff: true, steps: true } }, /^steps cannot be learned/u],
    ['PATCH_INVALID', { learn: { bits: true } }, /"bits" reaches "and", which has no gradient/u],
    ['PATCH_INVALID', { learn: { trim: true }, training: { target: 'no' } }, /training\.target/u],
  ] as const)('is refused with %s: %j', async (code, change, words) => {
    const { send, session, engine, told } = await start();
    const { state, revision } = session;
    const { status, body } = await send('PATCH', '/params', change);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body['code']).toBe(code);
    expect(body['detail']).toMatch(words);
    expect(session.state).toBe(state);
    expect(session.revision).toBe(revision);
    expect(engine.calls).toEqual([]);
    expect(told).toEqual([]);
  });

  test('and that the engine refuses stays a slider', async () => {
    const { send, session, engine } = await start();
    const { state } = session;
    engine.failLoad = 'there is no room for it';
    const { body } = await send('PUT', '/params/cutoff', { learn: true, value: 200 });
    expect(body['code']).toBe('ENGINE_REFUSED');
    expect(session.state).toBe(state);
  });

  test.each([1, 'lgo', null])('takes no %j for a scale', async (learn) => {
    const { send } = await start();
    const { status, body } = await send('PUT', '/params/cutoff', { learn });
    expect(status).toBe(400);
    expect(body['detail']).toMatch(/expected one of true, false, "linear", "log", "logit"/u);
  });
});

describe('a patch without a training', () => {
  test('says of a slider to learn what is missing', async () => {
    const { send, session } = await start({ patch: untrained() });
    const { state } = session;
    const { status, body } = await send('PUT', '/params/cutoff', { learn: true });
    expect([status, body['code']]).toEqual([409, 'NOT_TRAINABLE']);
    expect(body['detail']).toMatch(
      /patch filter has no training: set what to compare: expected "estimate", .* and "target", .*; any two signals: it plays z, x and hears x, t$/u,
    );
    expect(session.state).toBe(state);
  });

  test('gets one with the first parameter, and learns at once', async () => {
    const { send, session, engine } = await start({ patch: untrained() });
    const { revision } = session;
    const signals = { estimate: 'z', target: 't' };
    const { body } = await send('PUT', '/params/cutoff', { learn: true, training: signals });
    expect(body).toMatchObject({ kind: 'learnable', learn: 'log', revision: revision + 1 });
    const { body: now } = await send('GET', '/training');
    expect(now).toMatchObject({
      running: true,
      settings: { ...signals, loss: 'mse', window: 256, optimiser: { kind: 'adam' } },
      schedule: { kind: 'constant', rate: 0.003 },
    });
    expect(engine.program).toMatchObject({ learning: true, params: [1000] });
  });

  test('may get it for later, with other settings', async () => {
    const { send, engine } = await start({ patch: untrained() });
    const training = {
      estimate: 'z',
      target: 't',
      loss: 'mae',
      optimiser: { kind: 'sgd' },
      schedule: { kind: 'linear', rate: 0.1, final: 0, steps: 10 },
      running: false,
    } as const;
    const { status } = await send('PATCH', '/params', { learn: { trim: 'linear' }, training });
    expect(status).toBe(200);
    expect((await send('GET', '/training')).body).toMatchObject({
      running: false,
      settings: { loss: 'mae' },
      schedule: training.schedule,
    });
    // A share of the range is nothing to plain descent.
    expect(engine.program).toMatchObject({ learning: false, rates: [1] });
  });

  test('gets one from PATCH /training, where it has a parameter', async () => {
    const { training: _, ...patch } = example('gain');
    const { send, session, engine } = await start({ patch: { ...patch, expect: [] } });
    const missing = await send('PATCH', '/training', { loss: 'mae' });
    expect(missing.body).toMatchObject({ code: 'NOT_TRAINABLE' });
    expect(missing.body['detail']).toMatch(/expected "estimate"/u);
    expect((await send('PATCH', '/training', { running: true })).status).toBe(409);
    const { estimate, target } = example('gain').training!;
    const { revision } = session;
    const { status, body } = await send('PATCH', '/training', { estimate, target });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      running: true,
      settings: { loss: 'mse' },
      revision: revision + 1,
    });
    expect(engine.program).toMatchObject({ learning: true, artifact: { window: 256 } });
  });

  test('that has nothing to learn is told what could be', async () => {
    const { send } = await start({ patch: untrained() });
    const { status, body } = await send('PATCH', '/training', { estimate: 'z', target: 't' });
    expect([status, body['code']]).toEqual([409, 'NOT_TRAINABLE']);
    expect(body['detail']).toMatch(/nothing to learn: .*one of cutoff, trim/u);
  });
});

describe('a Faust program', () => {
  const CODE = `import("stdfaust.lib");
// Learnt: the cutoff.
cutoff = hslider("cutoff[unit:Hz][scale:log][learn:1]", 1000, 20, 20000, 1) /* Hz */;
gain = hslider("gain", 0.5, 0, 2, 0.01);
process = fi.lowpass(2, cutoff) * gain * (1 - checkbox("mute"));
`;
  const document = { format: 'livegrad.patch/1', name: 'voice', faust: { code: CODE } };

  test('learns other sliders while it plays, and is exported with what it learned', async () => {
    const { send, session, engine, measure } = await start();
    expect((await send('PUT', '/patch', document)).status).toBe(200);
    expect(engine.program?.artifact.params.map(({ id }) => id)).toEqual(['cutoff']);
    session.setParams({ values: { gain: 0.75 } }, undefined);
    measure(2000);
    const { revision } = session;
    const { body } = await send('PATCH', '/params', { learn: { gain: true } });
    expect(body['revision']).toBe(revision + 1);
    expect(param(body, 'gain')).toMatchObject({ kind: 'learnable', value: 0.75 });
    expect(param(body, 'cutoff')).toMatchObject({ kind: 'learnable', value: 2000 });
    expect((await send('GET', '/patch')).body).toMatchObject({
      faust: { code: CODE, learn: { gain: 'linear' } },
    });
    const places = engine.program!.artifact.params.map(({ id }) => id);
    measure(...places.map((id) => (id === 'gain' ? 1.25 : 3456)));

    const { status, body: made } = await send('GET', '/patch/export');
    expect(status).toBe(200);
    expect(made).toEqual({
      format: 'faust',
      file: 'voice.dsp',
      text: CODE.replace('1000', '3456').replace('0.5', '1.25'),
      notes: [expect.stringMatching(/does not say of gain .*whether it is learnable/u)],
    });
    const { body: asPatch } = await send('GET', '/patch/export?format=patch');
    const again = JSON.parse(asPatch['text'] as string) as Record<string, unknown>;
    expect(again).toMatchObject({
      faust: { code: made['text'], learn: { gain: 'linear' } },
      params: { gain: { initial: 1.25 }, cutoff: { initial: 3456 } },
    });
    expect((await send('PUT', '/patch', { ...again, name: 'again' })).status).toBe(200);
    expect(session.state.values.get('cutoff')).toBe(3456);
  });

  test('has no training where nothing is learned, and its own where something is', async () => {
    const { send, session } = await start();
    await send('PUT', '/patch', document);
    expect((await send('PUT', '/params/cutoff', { learn: false })).status).toBe(200);
    expect((await send('GET', '/training')).body).toMatchObject({ settings: null });
    const training = await send('PATCH', '/training', { loss: 'mae' });
    expect(training.body['detail']).toMatch(/nothing to learn: .*one of /u);
    const { body } = await send('PUT', '/params/gain', { learn: true, training: { loss: 'mae' } });
    expect(body).toMatchObject({ kind: 'learnable' });
    expect((await send('GET', '/training')).body).toMatchObject({
      running: true,
      settings: { estimate: 'out1', target: 'in2', loss: 'mae' },
    });
    expect(session.state.patch.faust?.learn).toEqual({ cutoff: false, gain: 'linear' });
  });

  test('does not learn a switch', async () => {
    const { send, session } = await start();
    await send('PUT', '/patch', document);
    const { state } = session;
    const { status, body } = await send('PUT', '/params/mute', { learn: true });
    expect(status).toBe(422);
    expect(body['detail']).toMatch(/"mute" is a checkbox/u);
    expect(session.state).toBe(state);
  });

  test('says in its notes what it could not hold', async () => {
    const { send, session } = await start();
    const code =
      'process = _ <: par(i, 2, _ * hslider("g%i", 1, 0, 2, 0.1)) : + : *(checkbox("on"));';
    await send('PUT', '/patch', { ...document, faust: { code } });
    session.setParams({ values: { g0: 0.5, on: 1 } }, undefined);
    const { body } = await send('GET', '/patch/export?format=faust');
    expect(body['notes']).toEqual([
      'imports and definitions are put in, for the sake of g0',
      'on is on: no program can say so',
    ]);
    expect(body['text']).toMatch(/hslider\("g0", 0\.5/u);
  });
});

test('a patch is exported with the values of now, and plays on from there', async () => {
  const { send, session, measure } = await start();
  session.setParams({ values: { cutoff: 4000 } }, undefined);
  measure(1.5, -0.25);
  const { status, body } = await send('GET', '/patch/export');
  expect(status).toBe(200);
  expect(body).toMatchObject({ format: 'patch', file: 'filter.json', notes: [] });
  const made = JSON.parse(body['text'] as string) as object;
  const there = patchOf();
  const { sliders, params } = there;
  expect(made).toEqual({
    ...there,
    sliders: { ...sliders, cutoff: { ...sliders['cutoff'], initial: 4000 } },
    params: {
      gain: { ...params['gain'], initial: 1.5 },
      pole: { ...params['pole'], initial: -0.25 },
    },
  });
  const faust = await send('GET', '/patch/export?format=faust');
  expect([faust.status, faust.body['code']]).toEqual([409, 'NOT_EXPORTABLE']);
  expect((await send('GET', '/patch/export?format=wav')).status).toBe(400);
  expect((await send('PUT', '/patch', { ...made, name: 'other' })).status).toBe(200);
  expect(session.state.values.get('gain')).toBe(1.5);
});
