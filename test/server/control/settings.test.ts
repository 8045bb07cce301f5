/** A configuration file that is saved while the daemon runs. */

import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { loadConfig } from '../../../config/load.ts';
import type { AudioSettings } from '../../../config/schema.ts';
import { answer, refuse } from '../../../server/control/outcome.ts';
import { Access } from '../../../server/control/access.ts';
import { Settings } from '../../../server/control/settings.ts';
import { bench } from './fake.ts';

/** What is followed, and what became of it. */
function followed(start: string, more: Readonly<Record<string, string>> = {}) {
  let yaml = start;
  const lines: string[] = [];
  const live: string[] = [];
  const restarts: Partial<AudioSettings>[] = [];
  const opens = { ok: true };
  const log = pino(
    {},
    new Writable({
      write(line: Buffer, _, done) {
        lines.push((JSON.parse(line.toString()) as { msg: string }).msg);
        done();
      },
    }),
  );
  const env = { LIVEGRAD_HTTP_PORT: '9999', ...more };
  const load = (text = yaml) =>
    loadConfig({ argv: ['--config', 'a.yaml'], env, readFile: () => text });
  const disk = { isFull: false };
  const first = load();
  if (!first.ok) throw new Error(first.diagnostics[0]?.message);
  const settings = new Settings({
    config: first.value.config,
    log,
    load,
    file: {
      name: 'a.yaml',
      read: async () => yaml,
      write: async (text) => {
        if (disk.isFull) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        yaml = text;
      },
    },
    live: {
      'http.token': ({ http }) => live.push(`token ${http.token}`),
      'http.origins': ({ http }) => live.push(`origins ${http.origins.join()}`),
      'http.rateLimit': ({ http }) => live.push(`limit ${http.rateLimit}`),
      'audio.inputMap': ({ audio }) => live.push(`inputs ${audio.inputMap.join()}`),
      'audio.outputMap': ({ audio }) => live.push(`outputs ${audio.outputMap.join()}`),
      'log.level': (config) => live.push(`level ${config.log.level}`),
    },
    restart: async (audio) => {
      restarts.push(audio);
      return opens.ok ? answer({}) : refuse('DEVICE_REFUSED', 'it is busy');
    },
  });
  const save = async (text: string): Promise<string[]> => {
    yaml = text;
    lines.length = 0;
    await settings.reload();
    return [...lines];
  };
  return { save, live, restarts, opens, disk, settings, text: () => yaml };
}

test('settings that can be taken at once are, each once, and a token is not told', async () => {
  const { save, live } = followed('http:\n  rateLimit: 10\n');
  const next = 'http:\n  rateLimit: 20\n  token: secret-of-mine\nlog:\n  level: warn\n';
  const said = await save(next);
  expect(live).toEqual(['token secret-of-mine', 'limit 20', 'level warn']);
  expect(said).toEqual([
    'http.token is another one, from now on',
    'http.rateLimit is 20, from now on',
    'log.level is "warn", from now on',
  ]);
  expect(await save(next)).toEqual([]);
});

test('settings of the device restart the engine, together and once', async () => {
  const { save, restarts } = followed('');
  const said = await save('audio:\n  blockSize: 512\n  backend: virtual\n');
  expect(restarts).toEqual([{ backend: 'virtual', blockSize: 512 }]);
  expect(said).toEqual([
    'audio.backend is "virtual"; audio.blockSize is 512: the engine was started anew',
  ]);
});

test('a device that does not open is told, and tried again at the next save', async () => {
  const { save, restarts, opens } = followed('');
  opens.ok = false;
  const said = await save('audio:\n  input: USB\n');
  expect(said).toEqual(['audio.input is "USB": not taken: it is busy']);
  opens.ok = true;
  expect(await save('audio:\n  input: USB\n')).toHaveLength(1);
  expect(restarts).toHaveLength(2);
});

test('what waits for the next start is said at every save, and undone by taking it back', async () => {
  const { save, live, restarts } = followed('');
  const waiting = ['stateDir is "/srv/state", from the next start on'];
  expect(await save('stateDir: /srv/state\n')).toEqual(waiting);
  expect(await save('stateDir: /srv/state\n# a note\n')).toEqual(waiting);
  expect(await save('')).toEqual([]);
  expect([live, restarts]).toEqual([[], []]);
});

test('a file with a mistake changes nothing, and says where and what may be meant', async () => {
  const { save, live } = followed('');
  const said = await save('http:\n  rateLimt: 5\n  origins: [https://a.example]\n');
  expect(said[0]).toContain('a.yaml:2  http.rateLimt: expected a setting that exists');
  expect(said[0]).toContain('Did you mean rateLimit?');
  expect(said.at(-1)).toContain('going on with what was there before');
  expect(live).toEqual([]);
});

test('variables win over the file also while it runs', async () => {
  const { save } = followed('');
  expect(await save('http:\n  port: 1234\n')).toEqual([]);
});

test('another token, origin or limit holds from then on, and cuts off who came with the old one', async () => {
  const access = new Access({ token: 'old' });
  const host = await bench({ access });
  try {
    const status = async (token: string, more: object = {}): Promise<number> => {
      const headers = { authorization: `Bearer ${token}`, ...more };
      return (await host.http.inject({ url: '/api/v1/status', headers })).statusCode;
    };
    const url = (await host.listen()).replace('http', 'ws');
    const socket = new WebSocket(`${url}/api/v1/ws?token=old`);
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    const origin = 'https://studio.example';
    expect([await status('old'), await status('old', { origin })]).toEqual([200, 403]);
    access.configure({ token: 'new', origins: [origin] });
    expect(await closed).toBe(1008);
    expect([await status('old'), await status('new', { origin })]).toEqual([401, 200]);
    host.limit(1);
    expect([await status('new'), await status('new')]).toEqual([200, 429]);
    host.limit(0);
    expect(await status('new')).toBe(200);
  } finally {
    await host.close();
  }
});

const COMMENTED = `# mine
audio:
  blockSize: 128 # small
`;

test('a client changes the file and nothing else in it, and what counts at once does', async () => {
  const { settings, live, restarts, text } = followed(COMMENTED);
  const taken = await settings.update({ 'audio.blockSize': 256, 'log.level': 'warn' });
  expect(taken).toEqual(
    answer({
      file: 'a.yaml',
      changed: [
        { key: 'audio.blockSize', effect: 'engine' },
        { key: 'log.level', effect: 'live' },
      ],
    }),
  );
  expect(text()).toBe(`${COMMENTED.replace('128', '256')}log:\n  level: "warn"\n`);
  expect(live).toEqual(['level warn']);
  expect(restarts).toEqual([{ blockSize: 256 }]);
  expect(await settings.update({ 'osc.announce': false })).toMatchObject({
    value: { changed: [{ key: 'osc.announce', effect: 'start' }] },
  });
  const announce = settings.state.settings.find(({ key }) => key === 'osc.announce');
  expect(announce).toMatchObject({ value: true, next: false });
  await settings.update({ 'log.level': null });
  expect(live.at(-1)).toBe('level info');
  expect(await settings.update({ 'audio.blockSize': 256 })).toMatchObject({
    value: { changed: [] },
  });
});

test.each<[Record<string, string | number>, string]>([
  [{ 'audio.blokSize': 256 }, 'did you mean "audio.blockSize"?'],
  [{ 'http.token': 'mine' }, 'can be changed over the API'],
  [{ 'audio.outputFile': '/etc/passwd' }, 'can be changed over the API'],
  [{ 'audio.backend': 'file' }, 'for who starts the daemon'],
  [{ 'audio.blockSize': 3 }, 'expected whole number, 16 to 8192'],
  [{ 'audio.blockSize': 256, 'log.level': 'loud' }, 'log.level'],
])('%j is refused, and nothing is changed', async (wanted, words) => {
  const { settings, live, restarts, text } = followed(COMMENTED);
  const refused = await settings.update(wanted);
  if (refused.ok) throw new Error('it was taken');
  expect(refused.problem.code).toBe('INVALID_INPUT');
  expect(JSON.stringify(refused.problem)).toContain(words.replaceAll('"', '\\"'));
  expect([text(), live, restarts]).toEqual([COMMENTED, [], []]);
});

test('what a variable decides, a disk refuses or a device does not take changes nothing', async () => {
  const { settings, live, opens, disk, text } = followed(COMMENTED, {
    LIVEGRAD_AUDIO_SAMPLE_RATE: '96000',
  });
  expect(await settings.update({ 'audio.sampleRate': 44100 })).toMatchObject({
    problem: { code: 'INVALID_INPUT', detail: expect.stringContaining('a variable or flag') },
  });
  disk.isFull = true;
  expect(await settings.update({ 'log.level': 'warn' })).toMatchObject({
    problem: { code: 'NOT_KEPT', detail: expect.stringContaining('ENOSPC') },
  });
  disk.isFull = false;
  opens.ok = false;
  const both = { 'log.level': 'warn', 'audio.blockSize': 512 };
  expect(await settings.update(both)).toMatchObject({ problem: { code: 'DEVICE_REFUSED' } });
  expect(text()).toBe(COMMENTED);
  expect(live).toEqual(['level warn', 'level info']);
});
