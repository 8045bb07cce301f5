/** The daemon as a process: start, learning on the virtual rig, messages, signals and restarts. */

import { spawn, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encode } from 'node-osc';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createClient, type Client } from '../../clients/sdk/client.ts';

const main = fileURLToPath(new URL('../../server/main.ts', import.meta.url));

const SCHEDULE = { kind: 'constant', rate: 1 } as const;

let directory: string;
let running: ChildProcess[] = [];
const clients: Client[] = [];

beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'livegrad-'))));
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  for (const child of running) child.kill('SIGKILL');
  running = [];
  rmSync(directory, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Daemon {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** The plain line, once it is there. */
  readonly line: Promise<string>;
}

function launch(...flags: string[]): Daemon {
  const child = spawn(process.execPath, [main, '--http-port', '0', ...flags], {
    cwd: directory,
    env: { PATH: process.env['PATH'], LIVEGRAD_AUDIO_BACKEND: 'virtual' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const line = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
      if (stdout.includes('\n')) resolve(stdout.split('\n')[0] ?? '');
    });
    child.on('exit', () => reject(new Error(stderr)));
  });
  line.catch(() => {});
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended, line };
}

async function ready(daemon: Daemon): Promise<Client> {
  const url = /at (http:\S+)/.exec(await daemon.line)?.[1];
  if (url === undefined) throw new Error(await daemon.line);
  const client = createClient({ url });
  clients.push(client);
  return client;
}

const gainOf = async (client: Client): Promise<number> =>
  (await client.params.get({ id: 'gain' })).value;

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`);

test('it prints one plain line, learns on the virtual rig, and leaves no process behind', async () => {
  const daemon = launch();
  expect(await daemon.line).toMatch(
    /^livegrad \S+ at http:\/\/127\.0\.0\.1:\d+ learns "gain" on .+ \(virtual, 48000 Hz, 256 frames\)$/,
  );
  const client = await ready(daemon);
  await vi.waitUntil(async () => Math.abs((await gainOf(client)) - 0.3) < 0.001, {
    timeout: 20_000,
    interval: 100,
  });
  await client.params.set({ id: 'hidden/gain', value: 1.5 });
  await vi.waitUntil(async () => Math.abs((await gainOf(client)) - 1.5) < 0.001, {
    timeout: 20_000,
    interval: 100,
  });
  const { engine } = await client.status.get();
  expect(engine.state).toBe('running');
  daemon.child.kill('SIGTERM');
  const { code, stdout, stderr } = await daemon.ended;
  expect({ code, lines: stdout.trim().split('\n').length }, stderr).toEqual({ code: 0, lines: 1 });
  expect(alive(engine.pid ?? -1)).toBe(false);
});

test('an oscillator finds its frequency live, and again when it jumps', async () => {
  const daemon = launch();
  const client = await ready(daemon);
  await client.patch.set({ example: 'oscillator-spectrum' });
  const octaves = async (): Promise<number> => (await client.params.get({ id: 'octaves' })).value;
  for (const hidden of [12.3, 4.6, 14.2, 8.5]) {
    await client.params.set({ id: 'hidden/octaves', value: hidden });
    // A quarter of a second on a free machine.
    await vi.waitUntil(async () => Math.abs((await octaves()) - hidden) < 0.002, {
      timeout: 20_000,
      interval: 50,
    });
  }
  expect((await client.status.get()).engine.state).toBe('running');
});

test('a restart goes on with patch, values, step and schedule', async () => {
  const first = launch();
  const before = await ready(first);
  const schedule = { kind: 'cosine', rate: 0.5, final: 0.1, steps: 1e6 } as const;
  await before.patch.set({ example: 'gain-dc' });
  await before.schedule.set(schedule);
  await before.params.set({ id: 'hidden/gain', value: 0.75 });
  await before.params.set({ id: 'gain', frozen: true });
  await vi.waitUntil(async () => (await before.training.get()).step > 50, { timeout: 20_000 });
  const stopped = await before.training.stop();
  first.child.kill('SIGINT');
  expect((await first.ended).code).toBe(0);

  const after = await ready(launch());
  expect(await after.training.get()).toMatchObject({ running: false, schedule });
  expect((await after.training.get()).step).toBeGreaterThanOrEqual(stopped.step);
  expect((await after.patch.get()).name).toBe('gain-dc');
  expect(await after.params.get({ id: 'hidden/gain' })).toMatchObject({ value: 0.75 });
  expect(await after.params.get({ id: 'gain' })).toMatchObject({ frozen: true });
});

test('a kill loses at most what was learned in the last second', async () => {
  const first = launch();
  const before = await ready(first);
  await before.params.set({ id: 'hidden/gain', value: 1.25 });
  const path = join(directory, '.livegrad', 'session.json');
  await vi.waitUntil(
    () => existsSync(path) && readFileSync(path, 'utf8').includes('"hidden/gain": 1.25'),
    { timeout: 20_000 },
  );
  const { engine } = await before.status.get();
  first.child.kill('SIGKILL');
  await first.ended;
  await vi.waitUntil(() => !alive(engine.pid ?? -1), { timeout: 10_000 });
  const after = await ready(launch());
  expect(await after.params.get({ id: 'hidden/gain' })).toMatchObject({ value: 1.25 });
});

test('a damaged session file is moved aside with a message', async () => {
  const state = join(directory, 'state');
  const first = launch('--state-dir', state);
  await first.line;
  first.child.kill('SIGTERM');
  await first.ended;
  writeFileSync(join(state, 'session.json'), '{"format": "livegrad.sess');
  const second = launch('--state-dir', state);
  await second.line;
  second.child.kill('SIGTERM');
  const { stderr } = await second.ended;
  expect(stderr).toContain('could not be read: moved to');
  expect(readdirSync(state).some((name) => name.startsWith('session.json.damaged-'))).toBe(true);
});

test('a session whose patch does not play any more is kept aside', async () => {
  const state = join(directory, 'unplayed');
  const first = launch('--state-dir', state);
  await first.line;
  first.child.kill('SIGTERM');
  await first.ended;
  const path = join(state, 'session.json');
  const saved = JSON.parse(readFileSync(path, 'utf8'));
  const code = 'import("gone.lib"); process = k * hslider("x", 0.5, 0, 1, 0.1);';
  saved.patch = { format: saved.patch.format, name: 'lost', faust: { code } };
  saved.values = { x: 0.7 };
  writeFileSync(path, JSON.stringify(saved));
  const second = launch('--state-dir', state);
  expect(await second.line).toContain('learns "gain"');
  second.child.kill('SIGTERM');
  const { stderr } = await second.ended;
  expect(stderr).toContain('the saved patch does not play: line 1: "gone.lib" is not there');
  const aside = readdirSync(state).find((name) => name.startsWith('session.json.unplayed-'));
  expect(JSON.parse(readFileSync(join(state, aside ?? ''), 'utf8'))).toMatchObject({
    patch: { faust: { code } },
    values: { x: 0.7 },
  });
});

test('a port in use is named, with how to change it, and nothing is started', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as AddressInfo;
  const { code, stdout, stderr } = await launch('--http-port', String(port)).ended;
  holder.close();
  expect(code).toBe(69);
  expect(stdout).toBe('');
  expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use`);
  expect(stderr).toContain('LIVEGRAD_HTTP_PORT');
});

test('a wrong configuration is printed in full, and nothing is started', async () => {
  writeFileSync(join(directory, 'livegrad.yaml'), 'audio:\n  blokSize: 64\n  sampleRate: 1\n');
  const { code, stdout, stderr } = await launch('--http-host', '0.0.0.0').ended;
  expect(code).toBe(78);
  expect(stdout).toBe('');
  expect(stderr).toContain('livegrad.yaml:2  audio.blokSize');
  expect(stderr).toContain('livegrad.yaml:3  audio.sampleRate');
  expect(stderr).toContain('--http-host  http.host');
});

test.each([
  ['no-such-patch', 'no-such-patch'],
  ['broken.json', 'outputs[0]'],
  ['flat.json', 'PATCH_NOTHING_TO_LEARN'],
])('the patch %s is refused with its reason', async (name, reason) => {
  const patch = { format: 'livegrad.patch/1', name: 'broken', nodes: {}, outputs: ['nowhere'] };
  writeFileSync(join(directory, 'broken.json'), JSON.stringify(patch));
  const flat = {
    format: 'livegrad.patch/1',
    name: 'flat',
    nodes: { x: { op: 'input', channel: 1 } },
    training: { estimate: 'x', target: 'x', loss: 'mse', window: 64, schedule: SCHEDULE },
  };
  writeFileSync(join(directory, 'flat.json'), JSON.stringify(flat));
  const { code, stderr } = await launch('--patch', name).ended;
  expect(code).toBe(78);
  expect(stderr).toContain(reason);
});

test('a configuration file that is saved is taken while it runs, a wrong one is not', async () => {
  const file = join(directory, 'livegrad.yaml');
  writeFileSync(file, 'audio:\n  blockSize: 256\n');
  const daemon = launch();
  const client = await ready(daemon);
  await vi.waitUntil(async () => (await client.status.get()).engine.state === 'running', {
    timeout: 20_000,
  });
  writeFileSync(file, 'audio:\n  blokSize: 512\nhttp:\n  rateLimit: 7777\n');
  await sleep(1500);
  writeFileSync(file, 'audio:\n  blockSize: 512\nhttp:\n  port: 1234\npatch: one-pole\n');
  await vi.waitUntil(async () => (await client.status.get()).engine.blockSize === 512, {
    timeout: 20_000,
    interval: 100,
  });
  expect((await client.status.get()).patch).toBe('gain');
  daemon.child.kill('SIGTERM');
  const { code, stderr } = await daemon.ended;
  expect(code).toBe(0);
  expect(stderr).toContain('Did you mean blockSize?');
  expect(stderr).toContain('audio.blockSize is 512: the engine was started anew');
  expect(stderr).toContain('patch is "one-pole", from the next start on');
  // A flag says which port.
  for (const unsaid of ['7777', '1234']) expect(stderr).not.toContain(`is ${unsaid}`);
});

test('settings are changed over the API in the file, with its comments, and hold after a restart', async () => {
  const file = join(directory, 'host.yaml');
  const text = 'log: { level: info } # quiet\naudio:\n  # for the bench\n';
  writeFileSync(file, text);
  const first = launch('--config', 'host.yaml');
  const client = await ready(first);
  const changed = await client.config.update({
    settings: { 'audio.blockSize': 512, 'log.level': 'warn' },
  });
  expect(changed).toMatchObject({ file: 'host.yaml', changed: { length: 2 } });
  expect((await client.status.get()).engine.blockSize).toBe(512);
  expect(readFileSync(file, 'utf8')).toBe(
    'log: { level: "warn" } # quiet\naudio:\n  blockSize: 512\n  # for the bench\n',
  );
  const refused = client.config.update({ settings: { 'audio.blockSize': 3 } });
  await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  await expect(refused).rejects.not.toThrow(directory);
  first.child.kill('SIGTERM');
  await first.ended;

  const second = launch('--config', 'host.yaml');
  const again = await ready(second);
  const { settings } = await again.config.get();
  expect(settings.find(({ key }) => key === 'audio.blockSize')).toMatchObject({ value: 512 });
  second.child.kill('SIGTERM');
  await second.ended;
}, 60_000);

test('settings are changed where there is no file yet', async () => {
  const daemon = launch();
  const client = await ready(daemon);
  expect((await client.config.get()).file).toBeNull();
  await client.config.update({ settings: { 'log.level': 'warn' } });
  expect(readFileSync(join(directory, 'livegrad.yaml'), 'utf8')).toBe('log:\n  level: "warn"\n');
  expect((await client.config.get()).file).toBe('livegrad.yaml');
  daemon.child.kill('SIGTERM');
  await daemon.ended;
}, 60_000);

test('a damaged certificate, or file of tokens, stops the start', async () => {
  writeFileSync(join(directory, 'cert.pem'), 'no certificate');
  const tls = ['--http-tls-cert', 'cert.pem', '--http-tls-key', 'cert.pem'];
  const broken = await launch(...tls).ended;
  expect([broken.code, broken.stdout]).toEqual([78, '']);
  expect(broken.stderr).toContain('CERTIFICATE_UNUSABLE');
  mkdirSync(join(directory, '.livegrad'));
  writeFileSync(join(directory, '.livegrad', 'tokens.json'), '{}');
  const damaged = await launch('--http-host', '0.0.0.0').ended;
  expect([damaged.code, damaged.stdout]).toEqual([78, '']);
  expect(damaged.stderr).toContain('TOKENS_UNREADABLE');
});

test('help names the settings and starts nothing', async () => {
  const { code, stdout } = await launch('--help').ended;
  expect(code).toBe(0);
  expect(stdout).toContain('--audio-sample-rate');
});

test('it speaks OSC where that is configured, and ends with it', async () => {
  const daemon = launch('--osc-enabled', '--osc-port', '0', '--no-log-pretty');
  let log = '';
  daemon.child.stderr?.on('data', (data: Buffer) => (log += data.toString()));
  const client = await ready(daemon);
  const port = Number(/"port":(\d+),"msg":"OSC/.exec(log)?.[1]);
  const found = await fetch(`http://127.0.0.1:${port}/params/hidden/gain?ACCESS`);
  expect(await found.json()).toEqual({ ACCESS: 3 });
  const socket = createSocket('udp4');
  const set = {
    oscType: 'message',
    address: '/params/hidden/gain',
    args: [{ type: 'f', value: 0.5 }],
  };
  socket.send(encode(set), port, '127.0.0.1');
  await vi.waitUntil(async () => (await client.params.get({ id: 'hidden/gain' })).value === 0.5, {
    timeout: 5000,
  });
  socket.close();
  const metrics = await (
    await fetch(`${/at (http:\S+)/.exec(await daemon.line)?.[1]}/metrics`)
  ).text();
  expect(metrics).toContain('livegrad_osc_messages_total{result="taken"} 1\n');
  daemon.child.kill('SIGTERM');
  expect((await daemon.ended).code).toBe(0);
});

test.skipIf(process.platform !== 'linux' || existsSync('/dev/snd/seq'))(
  'where there is no MIDI it says so in one line, and all else works',
  async () => {
    const daemon = launch('--midi-enabled', '--no-log-pretty');
    const client = await ready(daemon);
    await vi.waitUntil(async () => (await client.midi.get()).reason?.includes('/dev/snd/seq'), {
      timeout: 10_000,
    });
    await client.params.set({ id: 'hidden/gain', value: 0.5 });
    await client.midi.map({ id: 'hidden/gain', channel: 1, kind: 'cc', number: 7 });
    expect((await client.midi.get()).map).toHaveLength(1);
    await expect(client.midi.learn({ id: 'gain' })).rejects.toMatchObject({
      code: 'MIDI_UNAVAILABLE',
    });
    daemon.child.kill('SIGTERM');
    const { code, stderr } = await daemon.ended;
    expect(code).toBe(0);
    const lines = stderr.split('\n').filter((line) => /midi|alsa/iu.test(line));
    expect(lines).toEqual([expect.stringMatching(/"MIDI is not available: expected the ALSA/u)]);
  },
);

test('a port for OSC that is in use is named, and nothing is started', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as AddressInfo;
  const { code, stdout, stderr } = await launch('--osc-enabled', '--osc-port', String(port)).ended;
  holder.close();
  expect([code, stdout]).toEqual([69, '']);
  expect(stderr).toContain(`cannot speak OSC: port ${port} of 127.0.0.1 is in use`);
});
