/** Editing a configuration file: what is said changes, and nothing else. */

import { expect, test } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { withSettings, type NewValue } from '../../config/edit.ts';
import { read } from '../support/sources.ts';

const STUDIO = `# The bench in the basement.
audio:   # an interface
  backend: portaudio
  input:  "USB  Audio"   # with two spaces, as it says
  blockSize: 128         # 64 clicks
  # sampleRate: 96000

http: { port: 8440, rateLimit: 0 } # behind a wall

# the end
`;

test.each<[string, Record<string, NewValue>, string, string]>([
  ['a number', { 'audio.blockSize': 256 }, 'blockSize: 128 ', 'blockSize: 256 '],
  ['a text', { 'audio.input': 'Line 1/2' }, '"USB  Audio"', '"Line 1/2"'],
  ['a word', { 'audio.backend': 'virtual' }, 'portaudio', '"virtual"'],
  ['a value in one line with others', { 'http.rateLimit': 600 }, 'rateLimit: 0', 'rateLimit: 600'],
])('%s is exchanged in its place, to the byte', (_, change, before, after) => {
  expect(withSettings(STUDIO, change)).toBe(STUDIO.replace(before, after));
});

const COMMENTS = STUDIO.split('\n').flatMap((line) => /#.*$/u.exec(line) ?? []);

test.each<[string, Record<string, NewValue>]>([
  ['added to its section', { 'audio.sampleRate': 44100 }],
  ['added with a section', { 'log.level': 'warn' }],
  ['added deep', { 'http.tls.cert': 'a.pem' }],
  ['added to a line', { 'http.host': 'localhost' }],
  ['taken out', { 'audio.backend': null, 'http.rateLimit': null }],
  ['added and exchanged', { 'audio.blockSize': 64, 'osc.announce': false }],
])('comments and all else stay where a setting is %s', (_, change) => {
  const edited = withSettings(STUDIO, change);
  for (const comment of COMMENTS) expect(edited).toContain(comment);
  const load = (text: string) =>
    loadConfig({
      argv: ['--config', 'a.yaml'],
      env: {},
      readFile: () => text,
      hasTokens: () => true,
    });
  const [before, after] = [load(STUDIO), load(edited)];
  if (!before.ok) throw new Error(before.diagnostics[0]?.message);
  // A certificate wants its key: that is for whoever reads it.
  if (!after.ok) {
    expect(change).toHaveProperty(['http.tls.cert']);
    return;
  }
  const flat = (value: unknown, path = ''): [string, unknown][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([k, v]) => flat(v, path === '' ? k : `${path}.${k}`))
      : [[path, value]];
  const now = new Map(flat(after.value.config));
  for (const [key, value] of flat(before.value.config)) {
    const wanted = change[key];
    if (wanted === undefined) expect(now.get(key), key).toEqual(value);
    else if (wanted !== null) expect(now.get(key), key).toEqual(wanted);
  }
});

test('a file that is empty, or holds comments alone, takes settings and gives them back', () => {
  expect(withSettings('', { 'log.level': 'warn' })).toBe('log:\n  level: "warn"\n');
  const commented = read('config/livegrad.yaml');
  const edited = withSettings(commented, {
    'audio.blockSize': 512,
    'http.tls.cert': 'a',
    patch: 'iir',
  });
  const added = ['  blockSize: 512\n', '    cert: "a"\n', 'patch: "iir"\n'];
  const without = added.reduce((text, line) => {
    expect(text).toContain(line);
    return text.replace(line, '');
  }, edited);
  expect(without).toBe(commented);
  const back = withSettings(edited, {
    'audio.blockSize': null,
    'http.tls.cert': null,
    patch: null,
  });
  expect(back).toBe(commented);
  expect(withSettings('# mine\n', { 'log.level': null })).toBe('# mine\n');
});

test.each([
  ['log:', 'log:\n  level: 1\n'],
  ['log: ~ # none\n', 'log:  # none\n  level: 1\n'],
  ['log: {}', 'log: { level: 1 }'],
  ['{ patch: gain }', '{ log: { level: 1 }, patch: gain }'],
  ['log:\n    pretty: true\n', 'log:\n    level: 1\n    pretty: true\n'],
  ['log:\n  level:\n', 'log:\n  level: 1\n'],
  ['log:\n  level: # which\n', 'log:\n  level: 1 # which\n'],
  ['patch: gain', 'patch: gain\nlog:\n  level: 1\n'],
])('a section written as %j becomes %j', (before, after) => {
  expect(withSettings(before, { 'log.level': 1 })).toBe(after);
});

test('a list over several lines is exchanged and taken out whole', () => {
  const text =
    'faust:\n  libraries:\n    - lib # ours\n    - /srv/faust\n  sounds: [wav]\npatch: gain\n';
  const exchanged = withSettings(text, { 'faust.libraries': ['a'], 'faust.sounds': null });
  const loaded = loadConfig({ argv: ['--config', 'a.yaml'], env: {}, readFile: () => exchanged });
  expect(loaded).toMatchObject({ ok: true, value: { config: { faust: { sounds: [] } } } });
  expect(exchanged).toContain('["a"]');
  expect(withSettings(text, { 'faust.libraries': null })).toBe(
    'faust:\n  sounds: [wav]\npatch: gain\n',
  );
});
