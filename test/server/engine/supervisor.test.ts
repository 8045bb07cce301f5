/**
 * The supervisor with real engine processes on the virtual device: learning, crashes, hangs,
 * refused programs, changes of device, and the end.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, expect, test, vi } from 'vitest';

import { readWav, WavWriter } from '../../../server/audio/wav.ts';
import { countXruns } from '../../../server/engine/engine-process.ts';
import { listDevices } from '../../../server/engine/supervisor.ts';
import type { Result } from '../../../server/engine/types.ts';
import type { Supervised } from '../../support/supervised.ts';
import { alive, AUDIO, exampleProgram, supervise } from '../../support/supervised.ts';

let run: Supervised | null = null;

async function start(audio = {}): Promise<Supervised> {
  run = await supervise(audio);
  return run;
}

afterEach(async () => {
  await run?.close();
  run = null;
});

function codeOf(result: Result<unknown>): string {
  return result.ok ? 'ok' : result.diagnostics.map((d) => d.code).join();
}

test('starts on the virtual device, unmuted, and hears the rig', async () => {
  const { supervisor, states, until, last } = await start();
  expect(states).toEqual(['starting', 'running']);
  expect(supervisor.status).toMatchObject({
    state: 'running',
    backend: 'virtual',
    device: { input: 'virtual rig', output: 'virtual rig' },
    sampleRate: 48000,
    blockSize: 256,
    inputs: 2,
    outputs: 2,
    muted: false,
    reason: null,
  });
  await until('sound on both inputs', () => last().inputPeak.every((peak) => peak > 0));
  expect(last().program).toBe(0);
});

test('learns, is killed, and is back in under 3 s with everything kept', async () => {
  const { supervisor, until, last, events, states } = await start();
  const loaded = await supervisor.load(exampleProgram('gain'));
  expect(loaded).toMatchObject({ ok: true });
  await until('gain to be learned', () => Math.abs((last().params[0] ?? 1) - 0.3) < 0.001);
  supervisor.setSlider(0, 0.7);
  await until('gain to follow the slider', () => Math.abs(last().params[0]! - 0.7) < 0.001);
  supervisor.setOutput({ gainDb: -6 });
  supervisor.setTraining({ schedule: { kind: 'constant', rate: 0.125 } });
  await until('the rate to change', () => last().learningRate === 0.125);
  supervisor.setTraining({ learning: false });
  await until('learning to stop', () => !last().learning);
  const before = last();
  const { pid } = supervisor.status;

  const killed = performance.now();
  process.kill(pid!, 'SIGKILL');
  await until(
    'the engine to be replaced',
    () => supervisor.status.pid !== pid && states.at(-1) === 'running',
  );
  await until('the program to be back', () => last().program === before.program);
  expect(performance.now() - killed).toBeLessThan(3000);

  expect(states).toEqual(['starting', 'running', 'restarting', 'running']);
  expect(events.map((e) => e.kind)).toEqual(['crashed']);
  const after = last();
  expect(after.params[0]).toBe(before.params[0]);
  expect(after.step).toBe(before.step);
  expect(after.learning).toBe(false);
  expect(after.learningRate).toBe(0.125);
  expect(after.frames).toBeGreaterThan(before.frames);
  expect(supervisor.status).toMatchObject({ gainDb: -6, muted: false, restarts: 1, reason: null });
  supervisor.setTraining({ learning: true });
  await until('learning to go on', () => last().step > before.step);
  expect(Math.abs(last().params[0]! - 0.7)).toBeLessThan(0.001);
});

test('an edit of the program that plays goes on with what it learned; another one does not', async () => {
  const { supervisor, until, last } = await start();
  const first = exampleProgram('gain');
  await supervisor.load(first);
  await until('gain to be learned', () => Math.abs((last().params[0] ?? 1) - 0.3) < 0.001);
  const { step } = last();
  // As on their way since before it was learned: what plays knows better.
  const edited = await supervisor.load({ ...first, learning: false });
  await until('the edit to play', () => edited.ok && last().program === edited.value);
  expect(Math.abs(last().params[0]! - 0.3)).toBeLessThan(0.001);
  expect(last().step).toBeGreaterThanOrEqual(step);
  const artifact = { ...first.artifact, name: 'another' };
  const other = await supervisor.load({ ...first, artifact, learning: false });
  await until('the other one to play', () => other.ok && last().program === other.value);
  expect(last()).toMatchObject({ step: 0, params: Float64Array.of(first.params[0]!) });
  expect(supervisor.status.nanBlocks).toBe(0);
});

test('what a program shows comes with what is measured', async () => {
  const { supervisor, until, last } = await start();
  const { artifact, ...program } = exampleProgram('compressor');
  expect(artifact.meters).toMatchObject([
    { id: 'reduction', unit: 'dB' },
    { id: 'hidden/reduction', unit: 'dB' },
  ]);
  const loaded = await supervisor.load({ ...program, artifact, learning: false });
  await until('the program to play', () => loaded.ok && last().program === loaded.value);
  const seen = new Set<number>();
  await until('both to be reduced, more and less', () => {
    const [learned = 0, hidden = 0] = last().meters;
    if (learned < 0 && hidden < 0) seen.add(learned);
    return seen.size > 2;
  });
  expect(last().meters).toHaveLength(2);
});

test('an engine that hangs is replaced in under 3 s', async () => {
  const { supervisor, until, events } = await start();
  const { pid } = supervisor.status;
  const hung = performance.now();
  process.kill(pid!, 'SIGSTOP');
  await until('it to be noticed', () => events.some((e) => e.kind === 'hung'));
  await until('the engine to be back', () => supervisor.status.state === 'running');
  expect(performance.now() - hung).toBeLessThan(3000);
  expect(supervisor.status.pid).not.toBe(pid);
  expect(alive(pid!)).toBe(false);
});

test('signals to the whole group are left to the supervisor', async () => {
  const { supervisor, until, last } = await start();
  const { pid } = supervisor.status;
  process.kill(pid!, 'SIGINT');
  process.kill(pid!, 'SIGTERM');
  const { frames } = last();
  await until('a second more', () => last().frames > frames + 48_000);
  expect(supervisor.status).toMatchObject({ pid, restarts: 0 });
});

test('stop leaves no process, also when the engine hangs', async () => {
  for (const signal of [null, 'SIGSTOP'] as const) {
    const { supervisor } = await start();
    const { pid } = supervisor.status;
    if (signal !== null) process.kill(pid!, signal);
    await supervisor.stop();
    expect(alive(pid!)).toBe(false);
    expect(supervisor.status).toMatchObject({ state: 'stopped', pid: null });
  }
});

test('a parameter can be set, frozen, and reset while it runs', async () => {
  const { supervisor, until, last } = await start();
  await supervisor.load(exampleProgram('gain'));
  supervisor.setFrozen(0, true);
  supervisor.setParam(0, -0.5);
  await until('the value to be set', () => last().params[0] === -0.5);
  const { step } = last();
  await until('some steps', () => last().step > step + 10);
  expect(last().params[0]).toBe(-0.5);
  supervisor.setTraining({ learning: false });
  supervisor.reset();
  await until('the reset', () => last().step === 0);
  expect(last().params[0]).toBe(-0.5);
  supervisor.setFrozen(0, false);
  supervisor.reset();
  await until('the value to go back', () => last().params[0] === 1);
});

test('a program that does not fit is refused with every reason, and the one before plays on', async () => {
  const { supervisor, until, last } = await start({ inputChannels: 1 });
  const first = await supervisor.load(exampleProgram('gain'));
  if (!first.ok) throw new Error(codeOf(first));
  const wrong = exampleProgram('gain', { sampleRate: 44100, maxBlock: 64 });
  const refused = await supervisor.load(wrong);
  expect(codeOf(refused)).toBe('PROGRAM_RATE,PROGRAM_BLOCK');
  const program = exampleProgram('gain');
  const artifact = { ...program.artifact, inputs: 2 };
  const narrow = await supervisor.load({ ...program, artifact });
  expect(codeOf(narrow)).toBe('PROGRAM_CHANNELS');
  expect(!narrow.ok && narrow.diagnostics[0]!.message).toMatch(/needs 2 inputs.*open with 1/);
  const garbled = { ...program.artifact, wasm: program.artifact.wasm.subarray(0, 40) };
  expect(codeOf(await supervisor.load({ ...program, artifact: garbled }))).toBe('PROGRAM_WASM');
  const { frames } = last();
  await until('more audio', () => last().frames > frames);
  expect(last().program).toBe(first.value);
  expect(supervisor.status.restarts).toBe(0);
});

test('the mute that the user chose outlives a crash', async () => {
  const { supervisor, until, last } = await start();
  await supervisor.load(exampleProgram('gain'));
  await until('sound', () => last().outputPeak[0]! > 0.01);
  supervisor.setOutput({ muted: true });
  await until('silence', () => last().outputPeak[0] === 0);
  const { pid } = supervisor.status;
  const { frames, program } = last();
  process.kill(pid!, 'SIGKILL');
  await until('audio again', () => last().frames > frames && supervisor.status.pid !== pid);
  await until('the program', () => last().program === program);
  expect(last().outputPeak[0]).toBe(0);
  supervisor.setOutput({ muted: false });
  await until('sound again', () => last().outputPeak[0]! > 0.01);
});

test('a probe that nobody hears, or that is muted, is a clear failure', async () => {
  const { supervisor } = await start();
  expect(codeOf(await supervisor.calibrate())).toBe('CALIBRATION_UNHEARD');
  supervisor.setOutput({ muted: true });
  expect(codeOf(await supervisor.calibrate())).toBe('CALIBRATION_MUTED');
  expect(supervisor.status.latency).toBe(0);
});

test('changes to a file and plays it to its end; a bad choice brings the old device back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'select-'));
  const inputFile = join(folder, 'in.wav');
  const outputFile = join(folder, 'out.wav');
  try {
    const writer = new WavWriter(inputFile, { sampleRate: 48000, channels: 1, encoding: 'pcm16' });
    writer.write([new Float32Array(48_000).fill(0.25)], 48_000);
    writer.close();
    const { supervisor, until, events, last } = await start();
    await supervisor.load(exampleProgram('gain'));
    await until('gain to be learned', () => Math.abs((last().params[0] ?? 1) - 0.3) < 0.001);
    supervisor.setTraining({ learning: false });
    await until('learning to stop', () => !last().learning);
    const learned = last().params[0]!;
    const file = { ...AUDIO, backend: 'file' as const, inputFile, outputFile };

    const missing = await supervisor.select({ ...file, inputFile: join(folder, 'no.wav') });
    expect(codeOf(missing)).toBe('AUDIO_FILE_UNREADABLE');
    expect(supervisor.status).toMatchObject({ state: 'running', backend: 'virtual' });
    await until('the program to be back', () => last().program === 1);

    const chosen = await supervisor.select(file);
    expect(chosen).toMatchObject({ ok: true, value: { backend: 'file', inputs: 1 } });
    await until('the end of the file', () => supervisor.status.state === 'stopped');
    expect(events.at(-1)!.kind).toBe('ended');
    expect(supervisor.status.reason).toMatch(/ended/);
    const out = readWav(outputFile);
    if (!out.ok) throw new Error(codeOf(out));
    expect(out.value.channels.map((c) => c.length)).toEqual([48_000, 48_000]);
    const [played] = out.value.channels;
    expect(played![0]).toBeCloseTo(0.25 * learned, 6);
    expect(played!.at(-1)).toBeCloseTo(0.25 * learned, 6);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('without a device the host is degraded, says why, and keeps a program for later', async () => {
  const { supervisor } = await start({ backend: 'file', inputFile: '/nowhere/in.wav' });
  expect(supervisor.status).toMatchObject({ state: 'degraded', device: null });
  expect(supervisor.status.reason).toContain('/nowhere/in.wav');
  expect(await supervisor.load(exampleProgram('gain'))).toMatchObject({ ok: true });
});

test('runs as fast as it can with a free clock', async () => {
  const { supervisor, until, last } = await start({ clock: 'free' });
  await supervisor.load(exampleProgram('gain'));
  await until('a minute of audio', () => last().frames > 60 * 48_000, 30);
  expect(last().params[0]).toBeCloseTo(0.3, 4);
});

test('the engine ends by itself when its parent is killed', async () => {
  const script = fileURLToPath(new URL('../../support/orphan.ts', import.meta.url));
  const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = await new Promise<number>((resolve) =>
    parent.stdout.once('data', (text: Buffer) => resolve(Number(text.toString()))),
  );
  expect(alive(pid)).toBe(true);
  parent.kill('SIGKILL');
  for (let tries = 0; tries < 100 && alive(pid); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(alive(pid)).toBe(false);
});

test('auto takes the virtual rig where there is no sound card', async () => {
  vi.stubEnv('ALSA_CONFIG_PATH', '/nowhere/alsa.conf');
  vi.stubEnv('JACK_DEFAULT_SERVER', `none-${process.pid}`);
  vi.stubEnv('JACK_NO_START_SERVER', '1');
  try {
    const { supervisor } = await start({ backend: 'auto' });
    expect(supervisor.status).toMatchObject({ state: 'running', backend: 'virtual', muted: false });
  } finally {
    vi.unstubAllEnvs();
  }
});

test('the virtual device is always listed', async () => {
  const listed = await listDevices();
  if (listed.ok) expect(listed.value.map((d) => d.id)).toContain('virtual');
  else expect(codeOf(listed)).toBe('AUDIO_NATIVE_MISSING');
});

test('xruns are read from what the binding prints', () => {
  expect(countXruns('AudioIO: portAudio status - input overflow output underflow ')).toBe(2);
  expect(countXruns('AudioIO: portAudio status - priming output ')).toBe(0);
  expect(countXruns('Input device name is output underflow')).toBe(0);
});
