/** The commands that talk to a running host, against the real daemon on the virtual rig. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { startDaemon } from '../../support/daemon.ts';
import type { Daemon } from '../../support/daemon.ts';
import { environment, livegrad, livegradJson, MAIN, scratch, textFile } from './run.ts';
import type { ErrorDocument } from './run.ts';

let daemon: Daemon;
let url: string;

beforeAll(async () => {
  daemon = await startDaemon();
  url = daemon.address;
});
afterAll(async () => {
  await daemon.stop();
});

const host = (...args: string[]) => livegradJson<Record<string, unknown>>(...args, '--url', url);
const NOBODY = 'http://127.0.0.1:9';

describe('a running host', () => {
  it('tells its status, as text and as JSON, by option and by variable', async () => {
    const { exit, document } = await host('status');
    expect(exit).toBe(0);
    expect(document).toMatchObject({
      name: 'livegrad',
      patch: 'gain',
      engine: { state: 'running' },
    });
    const { stdout } = await livegrad(['status'], { LIVEGRAD_URL: url });
    expect(stdout).toMatch(/^engine +running$/m);
    expect(stdout).toMatch(/^learning +on, step /m);
  });

  it('takes slider values, negative ones too', async () => {
    const moved = await host('set', 'hidden/gain', '0.75');
    expect(moved.exit).toBe(0);
    expect(moved.document).toMatchObject({ id: 'hidden/gain', value: 0.75 });
    expect((await host('set', 'gain', '-0.5')).exit).toBe(0);
    const { document } = await host('params');
    expect(document['params']).toContainEqual(
      expect.objectContaining({ id: 'hidden/gain', value: 0.75 }),
    );
  });

  it('refuses unknown ids, values out of range and words for numbers, and changes nothing', async () => {
    const before = (await host('params')).document['params'] as { id: string; value: number }[];
    const unknown = await host('set', 'hidden/gian', '1');
    expect(unknown).toMatchObject({ exit: 1, document: { error: { code: 'UNKNOWN_PARAM' } } });
    const range = await host('set', 'hidden/gain', '99');
    expect(range).toMatchObject({ exit: 1, document: { error: { code: 'VALUE_OUT_OF_RANGE' } } });
    expect(await host('set', 'hidden/gain', 'much')).toMatchObject({ exit: 2 });
    const after = (await host('params')).document['params'] as { id: string; value: number }[];
    const value = (list: typeof before) => list.find((p) => p.id === 'hidden/gain')!.value;
    expect(value(after)).toBe(value(before));
  });

  it('learns, stops, forgets, freezes and mutes on demand', async () => {
    expect((await host('learn', 'off')).document).toMatchObject({ running: false });
    expect((await host('learn', 'reset')).document).toMatchObject({ step: 0 });
    expect((await host('learn', 'on')).document).toMatchObject({ running: true });
    expect((await host('freeze', 'gain', 'on')).document).toMatchObject({ frozen: true });
    expect((await host('freeze', 'gain', 'off')).document).toMatchObject({ frozen: false });
    expect((await host('rate', 'gain', '0.5')).document).toMatchObject({ rate: 0.5 });
    expect(await host('rate', 'gain', '-1')).toMatchObject({ exit: 2 });
    expect((await host('learn', 'restart')).document).toHaveProperty('step');
    expect((await host('mute', 'on')).document).toMatchObject({ muted: true });
    expect((await host('mute', 'off')).document).toMatchObject({ muted: false });
    expect(await host('learn', 'fast')).toMatchObject({ exit: 2 });
    const { document } = await host('learn', 'hidden/gain');
    expect(JSON.stringify(document)).toContain('after \\"learnable hidden/gain\\"');
    expect(await host('mute', 'maybe')).toMatchObject({ exit: 2 });
  });

  it('shows the signals: levels, the loudest frequency, and how late the estimate is', async () => {
    const { document } = await host('signals');
    expect(document).toMatchObject({ telemetry: true, delay: 0 });
    const levels = document['levels'] as { id: string; peak: number; loudest: number }[];
    expect(levels.map(({ id }) => id).join(' ')).toBe('target estimate error in1 in2 out1 out2');
    expect(levels[3]!.peak).toBeGreaterThan(0.1);
    const { stdout } = await livegrad(['signals', '--url', url]);
    expect(stdout).toMatch(/^in1 +-\d+\.\d +-\d+\.\d +\d+ +\S+/m);
    expect(stdout).toMatch(/^the estimate is 0 samples \(0\.00 ms\) late$/m);
  });

  it('records, keeps what just happened, and writes the file', async () => {
    const begun = await host('record', 'start', '--name', 'take', '--channels', 'in1,out1');
    expect(begun.document).toMatchObject({ name: 'take', channels: ['in1', 'out1'] });
    expect(await host('record', 'start')).toMatchObject({ exit: 1 });
    const kept = await host('record', 'keep', '0.2', '--name', 'before');
    expect(kept.document).toMatchObject({ seconds: 0.2, frames: 9600, lost: 0 });
    expect((await host('record', 'stop')).document).toMatchObject({ reason: 'asked', lost: 0 });
    const { stdout } = await livegrad(['record', 'list', '--url', url]);
    expect(stdout).toMatch(/^before .* 0\.2 .* in1 in2 out1 out2 target estimate$/m);
    const file = join(scratch(), 'take.wav');
    const got = await host('record', 'get', 'take', '--output', file);
    expect(got.document).toMatchObject({ file });
    expect(readFileSync(file).toString('latin1', 0, 4)).toBe('RIFF');
    expect((await host('record', 'delete', 'take')).exit).toBe(0);
    expect(await host('record', 'get', 'take')).toMatchObject({
      exit: 1,
      document: { error: { code: 'UNKNOWN_RECORDING' } },
    });
  });

  it('keeps patches in its library, plays them, and says what is wrong with one', async () => {
    expect((await host('library', 'put', 'now')).document).toMatchObject({ ok: true });
    const faulty = textFile('faulty.dsp', '\nprocess = nothing;\n');
    const kept = await host('library', 'put', 'faulty', faulty);
    expect(kept).toMatchObject({ exit: 0, document: { ok: false, kind: 'faust' } });
    const text = await livegrad(['library', 'put', 'faulty', faulty, '--replace', '--url', url]);
    expect(text.stdout).toMatch(/^kept "faulty", which does not compile:\n.*faulty\.dsp:2: /m);
    expect(await host('library', 'play', 'faulty')).toMatchObject({ exit: 1 });
    expect((await host('library', 'play', 'now')).document).toMatchObject({ name: 'gain' });
    expect((await host('library', 'rename', 'faulty', 'later')).document).toMatchObject({
      name: 'later',
    });
    const got = await livegrad(['library', 'get', 'later', '--url', url]);
    expect(got.stdout).toBe('\nprocess = nothing;\n');
    expect((await host('library', 'delete', 'later')).exit).toBe(0);
    expect((await host('library', 'list')).document['patches']).toMatchObject([{ name: 'now' }]);
  });

  it('compares a candidate with what plays, and goes back or keeps it', async () => {
    expect((await host('audition', 'status')).document).toMatchObject({ state: 'none' });
    expect(await host('audition', 'start', '--set', 'gain')).toMatchObject({ exit: 2 });
    const set = ['--set', 'gain=-0.5', 'hidden/gain=1'];
    expect((await host('audition', 'start', ...set, '--match')).document).toMatchObject({
      heard: 'b',
      match: true,
    });
    const { stdout } = await livegrad(['audition', 'status', '--url', url]);
    expect(stdout).toMatch(/^ {2}A {2}gain.*\n> B {2}gain, values/m);
    expect((await host('audition', 'swap')).document).toMatchObject({ heard: 'a' });
    expect((await host('audition', 'b')).document).toMatchObject({ heard: 'b' });
    expect((await host('audition', 'back')).document).toMatchObject({ state: 'rolledBack' });
    expect((await host('audition', 'start', '--patch', 'one-pole')).exit).toBe(0);
    expect((await host('audition', 'keep')).document).toMatchObject({ state: 'committed' });
    expect((await host('load', 'gain')).exit).toBe(0);
  });

  it('plays a test tone, chooses channels, and replaces its engine', async () => {
    const tone = await host('tone', '2', '--seconds', '0.1', '--level', '-40');
    expect(tone.document).toMatchObject({ signal: 'sine', levelDb: -40, outputs: [2] });
    expect((await host('tone', '--noise', '--seconds', '0.1')).document).toMatchObject({
      signal: 'noise',
      outputs: [1, 2],
    });
    expect(await host('tone', '7')).toMatchObject({ exit: 1 });
    expect(await host('tone', '--level', 'loud')).toMatchObject({ exit: 2 });
    expect((await host('channels', '--inputs', '2,1')).document).toMatchObject({
      inputMap: [2, 1],
    });
    expect((await livegrad(['channels', '--url', url])).stdout).toMatch(/^hears 2, 1 \(of 2\)$/m);
    expect((await host('channels', '--inputs', 'all')).document).toMatchObject({ inputMap: [] });
    expect(await host('channels', '--inputs', '0')).toMatchObject({ exit: 2 });
    expect((await host('system', 'show')).document).toHaveProperty('v8');
    expect((await host('system', 'restart-engine')).document).toMatchObject({
      engine: { state: 'running' },
    });
  });

  it('shows and exchanges its schedule, and says what a kind needs', async () => {
    const step = ['schedule', 'step', '--rate', '0.9', '--factor', '0.5', '--every', '1000'];
    const wanted = { schedule: { kind: 'step', rate: 0.9, factor: 0.5, every: 1000 } };
    expect((await host(...step)).document).toMatchObject(wanted);
    expect((await host('schedule')).document).toMatchObject(wanted);
    const wrong = await host('schedule', 'cosine', '--rate', '1', '--every', '3');
    expect(wrong.exit).toBe(2);
    const messages = (wrong.document as unknown as ErrorDocument).error.diagnostics.map(
      (d) => d.message,
    );
    expect(messages.sort()).toEqual([
      '--every: not taken for a cosine schedule',
      '--final: needed for a cosine schedule, got nothing',
      '--steps: needed for a cosine schedule, got nothing',
    ]);
    const now = await host(
      'schedule',
      'linear',
      '--rate',
      '1',
      '--final',
      '0',
      '--steps',
      '1000',
      '--glide',
      '7',
    );
    const { schedule } = now.document as { schedule: { start: number; glide: object } };
    expect(schedule.glide).toMatchObject({ at: schedule.start, steps: 7 });
    const zero = await host(...step, '--from-zero');
    expect(zero.document).toMatchObject({ ...wanted, position: expect.any(Number) });
    const ahead = await host('schedule', 'preview', '--count', '3');
    expect(ahead.document).toMatchObject({
      stride: 1,
      rates: [0, 1, 2].map(() => expect.any(Number)),
    });
  });

  it('gives one snapshot of telemetry to watch --json', async () => {
    const { exit, document } = await host('watch');
    expect(exit).toBe(0);
    expect(document).toMatchObject({
      url,
      telemetry: true,
      status: { engine: { state: 'running' } },
      training: { running: true, fault: false },
      levels: { inputs: [{}, {}], outputs: [{}, {}] },
      load: { mean: expect.any(Number) },
    });
    expect(document['params']).toContainEqual(
      expect.objectContaining({ id: 'gain', gradient: expect.any(Number) }),
    );
  });

  it('lists its devices', async () => {
    const { document } = await host('devices');
    expect(document).toMatchObject({ host: url });
    expect(document['devices']).toContainEqual(expect.objectContaining({ id: 'virtual' }));
  });

  it('plays another patch, by name or from a file, and refuses a faulty one', async () => {
    expect((await host('load', 'gain-dc')).document).toMatchObject({ name: 'gain-dc' });
    const wire = {
      format: 'livegrad.patch/1',
      name: 'wire',
      nodes: { x: { op: 'input', channel: 1 } },
      outputs: ['x'],
    };
    expect((await host('load', textFile('w.json', JSON.stringify(wire)))).document).toMatchObject({
      name: 'wire',
    });
    const faulty = textFile('w.json', JSON.stringify({ ...wire, outputs: ['y'] }));
    expect(await host('load', faulty)).toMatchObject({
      exit: 1,
      document: { error: { code: 'PATCH_UNKNOWN_REFERENCE' } },
    });
    expect((await host('status')).document).toMatchObject({ patch: 'wire' });
    expect((await host('load', 'gain')).exit).toBe(0);
  });
});

describe('what a host has learned', () => {
  it('is printed or written as a patch that can be loaded, and is no Faust program', async () => {
    await host('set', 'hidden/gain', '1.75');
    const printed = await livegrad(['export', '--url', url]);
    const document = JSON.parse(printed.stdout) as Patch;
    expect(document.sliders['hidden/gain']).toMatchObject({ initial: 1.75 });
    expect(document.params['gain']?.initial).not.toBe(1);
    const file = join(scratch(), 'learned.json');
    const written = await host('export', '--format', 'patch', '--output', file);
    expect(written.document).toEqual({ format: 'patch', file, notes: [] });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ sliders: document.sliders });
    expect((await host('load', file)).document).toMatchObject({ name: 'gain' });
    const faust = await host('export', '--format', 'faust');
    expect(faust).toMatchObject({ exit: 1, document: { error: { code: 'NOT_EXPORTABLE' } } });
    const nowhere = await host('export', '--output', join(file, 'x.json'));
    expect(nowhere).toMatchObject({ exit: 1, document: { error: { code: 'CLI_NOT_WRITTEN' } } });
  });
});

describe('a host that is to learn something else', () => {
  const control = { initial: 0.25, min: 0, max: 2 };
  const wire = {
    format: 'livegrad.patch/1',
    name: 'levels',
    sliders: { level: control, other: { ...control, min: 0.125, scale: 'log' } },
    nodes: {
      x: { op: 'noise' },
      y: { op: 'mul', in: ['x', 'level'] },
      z: { op: 'mul', in: ['y', 'other'] },
    },
    outputs: ['z'],
  };

  it('says what is missing, then learns a slider and makes it one again', async () => {
    await host('load', textFile('levels.json', JSON.stringify(wire)));
    const refused = await host('learnable', 'level');
    expect(refused).toMatchObject({ exit: 1, document: { error: { code: 'NOT_TRAINABLE' } } });
    const { diagnostics } = (refused.document as unknown as ErrorDocument).error;
    expect(diagnostics[0]!.message).toMatch(/levels has no training: set what to compare/u);
    expect(diagnostics[0]!.hint).toMatch(/plays z .*\n.*learnable level --estimate ID/u);

    const signals = ['--estimate', 'y', '--target', 'x'];
    const made = await livegrad(['learnable', 'level', ...signals, '--window', '64', '--url', url]);
    expect(made.stdout).toMatch(
      /^level learns, now 0\.25, from 0 to 2\ny is to become x \(mse\)$/mu,
    );
    await host('mute', 'off');
    const until = Date.now() + 10_000;
    let value = 0;
    while (Math.abs(value - 1) > 0.05 && Date.now() < until) {
      const { params } = (await host('params')).document as {
        params: { id: string; value: number }[];
      };
      value = params.find(({ id }) => id === 'level')!.value;
    }
    expect(value).toBeCloseTo(1, 1);

    expect(await host('learnable', 'other')).toMatchObject({
      exit: 1,
      document: { error: { code: 'NOT_LEARNABLE' } },
    });
    await host('learnable', 'other', '--estimate', 'z', '--scale', 'log');
    const off = await host('learnable', 'level', '--off');
    expect(off.document).toMatchObject({ params: [{ id: 'level', kind: 'slider' }] });
    const [{ value: kept }] = off.document['params'] as [{ value: number }];
    expect(kept).toBeGreaterThan(0.5);
    expect((await host('load', 'gain')).exit).toBe(0);
  });

  it('takes no scale for what is not learned', async () => {
    expect((await host('learnable', 'gain', '--off', '--scale', 'log')).exit).toBe(2);
    expect((await host('learnable', 'gain', '--scale', 'octaves')).exit).toBe(2);
  });
});

describe('no host', () => {
  it.each([[['status']], [['watch']], [['set', 'gain', '1']], [['devices']], [['load', 'gain']]])(
    '%j says so with exit code 4',
    async (args) => {
      const { exit, document } = await livegradJson<ErrorDocument>(...args, '--url', NOBODY);
      expect(exit).toBe(4);
      expect(document.error.code).toBe('CLI_HOST_UNREACHABLE');
      expect(document.error.message).toContain(NOBODY);
    },
  );

  it('is no obstacle to listing the devices of this machine', async () => {
    const { exit, document } = await livegradJson<{ devices: unknown[] }>('devices');
    expect(exit).toBe(0);
    expect(document.devices).toContainEqual(expect.objectContaining({ id: 'virtual' }));
  });

  it('has an address that is none', async () => {
    const { exit, document } = await livegradJson<ErrorDocument>('status', '--url', 'studio');
    expect(exit).toBe(2);
    expect(document.error.code).toBe('CLI_USAGE');
  });
});

describe('a host with a token', () => {
  it('lets in who brings it, by option or by variable', async () => {
    const guarded = await startDaemon({ LIVEGRAD_HTTP_TOKEN: 'sesame' });
    try {
      const at = ['status', '--json', '--url', guarded.address];
      expect((await livegrad([...at, '--token', 'sesame'])).exit).toBe(0);
      expect((await livegrad(at, { LIVEGRAD_HTTP_TOKEN: 'sesame' })).exit).toBe(0);
      const { exit, document } = await livegradJson<ErrorDocument>(
        ...at.slice(0, 1),
        ...at.slice(2),
      );
      expect(exit).toBe(4);
      expect(document.error).toMatchObject({
        code: 'UNAUTHORIZED',
        diagnostics: [{ hint: expect.stringContaining('give one with --token') as string }],
      });
      const watched = await livegrad(['watch', ...at.slice(1), '--token', 'sesame']);
      expect(JSON.parse(watched.stdout)).toMatchObject({ telemetry: true });
    } finally {
      await guarded.stop();
    }
  });
});

describe('start', () => {
  it('runs the daemon, says where it is in one document, and ends with a signal', async () => {
    const settings = ['--http-port', '0', '--audio-backend', 'virtual', '--state-dir', scratch()];
    const child = spawn(process.execPath, [MAIN, 'start', '--json', ...settings], {
      // The client's own variable is none of the daemon's settings.
      env: environment({ LIVEGRAD_URL: NOBODY }),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
    let stdout = '';
    const document = await new Promise<{ url: string; pid: number }>((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        if (stdout.endsWith('}\n')) resolve(JSON.parse(stdout) as { url: string; pid: number });
      });
      void closed.then(() => reject(new Error(stdout)));
    });
    expect(document.pid).toBe(child.pid);
    expect((await livegrad(['status', '--url', document.url])).exit).toBe(0);
    child.kill('SIGTERM');
    expect(await closed).toBe(0);
    expect(JSON.parse(stdout)).toEqual(document);
  });

  it('explains the settings of the daemon, and refuses others', async () => {
    const help = await livegrad(['start', '--help']);
    expect(help.exit).toBe(0);
    expect(help.stdout).toContain('--audio-backend');
    const { exit, document } = await livegradJson<ErrorDocument>(
      'start',
      '--audio-backnd',
      'virtual',
    );
    expect(exit).toBe(78);
    expect(document.error.code).toBe('CLI_NOT_STARTED');
    expect(document.error.message).toContain('--audio-backnd');
  });
});
