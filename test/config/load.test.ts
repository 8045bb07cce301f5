/**
 * The configuration loader: precedence, every diagnostic, the shipped examples and the reference
 * table.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EFFECT_DOCS, EFFECTS, type SettingKey } from '../../config/changes.ts';
import {
  CONFIG_CODES,
  loadConfig,
  printConfigDiagnostics,
  printConfigHelp,
  type ConfigDiagnostic,
} from '../../config/load.ts';
import { CONFIG_KEYS, configSchema, type Config } from '../../config/schema.ts';

const root = new URL('../../config/', import.meta.url);

interface Given {
  readonly yaml?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
}

function load({ yaml, env = {}, argv = [] }: Given) {
  return loadConfig({
    argv,
    env,
    readFile(path) {
      if (yaml === undefined || path !== 'livegrad.yaml') {
        throw Object.assign(new Error(path), { code: 'ENOENT' });
      }
      return yaml;
    },
  });
}

function good(given: Given): Config {
  const result = load(given);
  if (!result.ok) throw new Error(printConfigDiagnostics(result.diagnostics));
  return result.value.config;
}

function bad(given: Given): readonly ConfigDiagnostic[] {
  const result = load(given);
  if (result.ok) throw new Error('expected diagnostics');
  return result.diagnostics as readonly ConfigDiagnostic[];
}

test('nothing configured gives the defaults', () => {
  const config = good({});
  expect(config).toEqual(configSchema.parse({}));
  expect(config.http).toEqual({
    host: '127.0.0.1',
    port: 8440,
    token: '',
    origins: [],
    rateLimit: 12_000,
    tls: { cert: '', key: '' },
  });
  expect(config.audio).toMatchObject({ backend: 'auto', sampleRate: 48000, blockSize: 256 });
  expect(config.patch).toBe('gain');
});

test('files and folders that the file names are beside it, others in the working directory', () => {
  const from = (path: string, yaml: string, more: Omit<Given, 'yaml'> = {}): Config => {
    const argv = ['--config', path, ...(more.argv ?? [])];
    const result = loadConfig({ argv, env: more.env ?? {}, readFile: () => yaml });
    if (!result.ok) throw new Error(printConfigDiagnostics(result.diagnostics));
    return result.value.config;
  };
  const yaml = (patch: string): string =>
    `patch: ${patch}\nfaust: { libraries: [lib, /srv/faust], sounds: [../wav] }\nstateDir: state\n`;
  expect(from('studio/x.yaml', yaml('live.dsp'))).toMatchObject({
    patch: 'studio/live.dsp',
    faust: { libraries: ['studio/lib', '/srv/faust'], sounds: ['wav'] },
    stateDir: 'state',
  });
  expect(from('studio/x.yaml', yaml('one-pole')).patch).toBe('one-pole');
  expect(from('studio/x.yaml', yaml('/tmp/live.dsp')).patch).toBe('/tmp/live.dsp');
  const outside = from('studio/x.yaml', yaml('live.dsp'), {
    argv: ['--patch', 'other.dsp'],
    env: { LIVEGRAD_FAUST_LIBRARIES: 'near' },
  });
  expect(outside).toMatchObject({ patch: 'other.dsp', faust: { libraries: ['near'] } });
});

test('flags win over the environment, and the environment over the file', () => {
  const yaml = 'http:\n  port: 1\naudio:\n  blockSize: 64\n  sampleRate: 44100\n';
  const env = { LIVEGRAD_HTTP_PORT: '2', LIVEGRAD_AUDIO_BLOCK_SIZE: '128', HOME: '/' };
  const config = good({ yaml, env, argv: ['--http-port', '3'] });
  expect(config.http.port).toBe(3);
  expect(config.audio.blockSize).toBe(128);
  expect(config.audio.sampleRate).toBe(44100);
});

test('every key can be set by its variable and by its flag', () => {
  const sample: Record<string, string> = {
    'http.host': '::1',
    'http.token': 'secret',
    'http.origins': 'https://studio.example',
    'audio.backend': 'virtual',
    'audio.inputMap': '3,4',
    'audio.outputMap': '2',
    'audio.clock': 'free',
    'engine.revectorize': 'auto',
    'osc.host': '::1',
    'osc.allow': '10.0.0.0/8',
    'log.level': 'debug',
  };
  for (const key of CONFIG_KEYS) {
    const raw =
      sample[key.key] ??
      (key.kind === 'number'
        ? String(Number(key.fallback) + 1)
        : key.kind === 'boolean'
          ? String(!key.fallback)
          : 'x');
    const read = (config: Config): unknown =>
      key.path.reduce<unknown>((node, part) => (node as Record<string, unknown>)[part], config);
    // Neither file of HTTPS comes alone.
    const yaml = 'http:\n  tls:\n    cert: host.pem\n    key: host.key\n';
    const from = (given: Given): string => String(read(good({ yaml, ...given })));
    expect(from({ env: { [key.variable]: raw } }), key.variable).toBe(raw);
    expect(from({ argv: [key.flag, raw] }), key.flag).toBe(raw);
    expect(from({ argv: [`${key.flag}=${raw}`] }), key.flag).toBe(raw);
  }
});

test('a switch needs no value and can be negated', () => {
  expect(good({ argv: ['--no-log-pretty', '--patch', 'one-pole'] })).toMatchObject({
    log: { pretty: false },
    patch: 'one-pole',
  });
  const config = good({ argv: ['--log-pretty', '--http-port', '0'], yaml: 'log: {pretty: false}' });
  expect(config).toMatchObject({ log: { pretty: true }, http: { port: 0 } });
});

test('a list is one in the file, and divided by colons in a variable or a flag', () => {
  const yaml = 'faust:\n  libraries: [lib, "/a:b"]\n  sounds:\n    - recordings\n';
  expect(good({ yaml }).faust).toEqual({ libraries: ['lib', '/a:b'], sounds: ['recordings'] });
  const env = { LIVEGRAD_FAUST_LIBRARIES: '/srv/faust::../lib', LIVEGRAD_FAUST_SOUNDS: '' };
  expect(good({ yaml, env }).faust).toEqual({ libraries: ['/srv/faust', '../lib'], sounds: [] });
  expect(good({ yaml, argv: ['--faust-libraries=x'] }).faust.libraries).toEqual(['x']);
});

test('the variables of the documentation have their documented names', () => {
  expect(CONFIG_KEYS.map((key) => key.variable)).toEqual(
    expect.arrayContaining([
      'LIVEGRAD_HTTP_PORT',
      'LIVEGRAD_HTTP_HOST',
      'LIVEGRAD_HTTP_TOKEN',
      'LIVEGRAD_AUDIO_BACKEND',
      'LIVEGRAD_AUDIO_INPUT',
      'LIVEGRAD_AUDIO_OUTPUT',
      'LIVEGRAD_AUDIO_SAMPLE_RATE',
      'LIVEGRAD_AUDIO_BLOCK_SIZE',
      'LIVEGRAD_PATCH',
      'LIVEGRAD_STATE_DIR',
    ]),
  );
});

interface Case {
  readonly name: string;
  readonly given: Given;
  readonly expected: Partial<ConfigDiagnostic>;
}

const cases: readonly Case[] = [
  {
    name: 'a file that was asked for and is not there',
    given: { argv: ['--config', 'missing.yaml'] },
    expected: { code: 'CONFIG_UNREADABLE', source: 'missing.yaml', got: 'ENOENT' },
  },
  {
    name: 'text that is not YAML',
    given: { yaml: 'http:\n  port: [1\n' },
    expected: { code: 'CONFIG_SYNTAX', source: 'livegrad.yaml', line: 3 },
  },
  {
    name: 'a section that is not a mapping',
    given: { yaml: '\nhttp: 8440\n' },
    expected: { code: 'CONFIG_SYNTAX', path: 'http', line: 2, got: '8440' },
  },
  {
    name: 'an unknown key, with the nearest one',
    given: { yaml: 'audio:\n  sampleRate: 48000\n  blokSize: 64\n' },
    expected: {
      code: 'CONFIG_UNKNOWN_KEY',
      path: 'audio.blokSize',
      line: 3,
      hint: 'Did you mean blockSize?',
    },
  },
  {
    name: 'an unknown section',
    given: { yaml: 'htp: {}\n' },
    expected: { code: 'CONFIG_UNKNOWN_KEY', path: 'htp', line: 1, hint: 'Did you mean http?' },
  },
  {
    name: 'an unknown variable',
    given: { env: { LIVEGRAD_AUDIO_SAMPLERATE: '48000' } },
    expected: {
      code: 'CONFIG_UNKNOWN_KEY',
      source: 'LIVEGRAD_AUDIO_SAMPLERATE',
      hint: 'Did you mean LIVEGRAD_AUDIO_SAMPLE_RATE?',
    },
  },
  {
    name: 'an unknown flag',
    given: { argv: ['--http-prot=1'] },
    expected: {
      code: 'CONFIG_UNKNOWN_KEY',
      source: '--http-prot',
      hint: 'Did you mean --http-port?',
    },
  },
  {
    name: 'a number out of its range in the file',
    given: { yaml: 'http:\n\n  port: 70000\n' },
    expected: {
      code: 'CONFIG_INVALID',
      path: 'http.port',
      source: 'livegrad.yaml',
      line: 3,
      expected: 'whole number, 0 to 65535',
      got: '70000',
    },
  },
  {
    name: 'a word for a number in the environment',
    given: { env: { LIVEGRAD_HTTP_PORT: 'eighty' } },
    expected: { code: 'CONFIG_INVALID', source: 'LIVEGRAD_HTTP_PORT', got: '"eighty"' },
  },
  {
    name: 'a word that is not one of the choices in a flag',
    given: { argv: ['--audio-backend', 'alsa'] },
    expected: {
      code: 'CONFIG_INVALID',
      source: '--audio-backend',
      expected: 'auto | portaudio | virtual | file',
      got: '"alsa"',
    },
  },
  {
    name: 'a text where a list belongs',
    given: { yaml: 'faust:\n  libraries: lib\n' },
    expected: {
      code: 'CONFIG_INVALID',
      path: 'faust.libraries',
      line: 2,
      expected: 'list, 16 at most',
      got: '"lib"',
    },
  },
  {
    name: 'an item of a list that is none',
    given: { yaml: 'faust:\n  sounds: [a, 3]\n' },
    expected: {
      code: 'CONFIG_INVALID',
      path: 'faust.sounds.1',
      line: 2,
      expected: 'text, not empty',
      got: '3',
    },
  },
  {
    name: 'a flag without its value',
    given: { argv: ['--http-port', '--log-pretty'] },
    expected: { code: 'CONFIG_MISSING_VALUE', source: '--http-port', path: 'http.port' },
  },
  {
    name: 'a public address without a token',
    given: { env: { LIVEGRAD_HTTP_HOST: '0.0.0.0' } },
    expected: { code: 'CONFIG_TOKEN_REQUIRED', source: 'LIVEGRAD_HTTP_HOST', got: '"0.0.0.0"' },
  },
  {
    name: 'OSC on a public address without a list of peers',
    given: { yaml: 'osc:\n  host: 0.0.0.0\n' },
    expected: { code: 'CONFIG_PEERS_REQUIRED', source: 'livegrad.yaml', line: 2 },
  },
  {
    name: 'a page that is no origin',
    given: { env: { LIVEGRAD_HTTP_ORIGINS: 'studio.example' } },
    expected: {
      code: 'CONFIG_INVALID',
      source: 'LIVEGRAD_HTTP_ORIGINS',
      expected: 'an origin such as https://studio.example',
      got: '"studio.example"',
    },
  },
  {
    name: 'a certificate without its key',
    given: { yaml: 'http:\n  tls:\n    cert: host.pem\n' },
    expected: { code: 'CONFIG_TLS_INCOMPLETE', line: 3, path: 'http.tls.key' },
  },
  {
    name: 'the file backend without a file',
    given: { yaml: 'audio:\n  backend: file\n' },
    expected: { code: 'CONFIG_FILE_REQUIRED', source: 'livegrad.yaml', line: 2 },
  },
];

test.each(cases)('$name is a diagnostic that says where', ({ given, expected }) => {
  const [first, ...others] = bad(given);
  expect(others).toEqual([]);
  expect(first).toMatchObject(expected);
  expect(first?.message).toContain(first?.source);
  expect(first?.message).toContain(`expected ${first?.expected}, got ${first?.got}`);
});

test('every code of the configuration is produced by a case above', () => {
  expect(new Set(cases.map((c) => c.expected.code))).toEqual(new Set(Object.keys(CONFIG_CODES)));
});

test('all mistakes of all sources are reported together', () => {
  const diagnostics = bad({
    yaml: 'http:\n  host: 10.0.0.1\naudio:\n  blockSize: 1\n  colour: red\n',
    env: { LIVEGRAD_NO_SUCH: '1', LIVEGRAD_LOG_PRETTY: 'maybe' },
    argv: ['--audio-clock', 'fast', 'stray'],
  });
  expect(diagnostics.map((d) => d.code).sort()).toEqual([
    'CONFIG_INVALID',
    'CONFIG_INVALID',
    'CONFIG_INVALID',
    'CONFIG_TOKEN_REQUIRED',
    'CONFIG_UNKNOWN_KEY',
    'CONFIG_UNKNOWN_KEY',
    'CONFIG_UNKNOWN_KEY',
  ]);
});

test('the variables of clients and of the file are no settings', () => {
  good({ env: { LIVEGRAD_URL: 'http://127.0.0.1:9' } });
});

test('a faulty token is reported without showing it', () => {
  const [diagnostic] = bad({ env: { LIVEGRAD_HTTP_TOKEN: 'two words' } });
  expect(diagnostic?.message).not.toContain('two words');
});

test('a public address with a token is accepted', () => {
  const config = good({ argv: ['--http-host', '0.0.0.0', '--http-token', 'secret'] });
  expect(config.http).toMatchObject({ host: '0.0.0.0', port: 8440, token: 'secret' });
});

test('a public address with a token in the state directory is accepted', () => {
  const asked: string[] = [];
  const result = loadConfig({
    argv: ['--http-host', '0.0.0.0', '--state-dir', 'state'],
    env: { LIVEGRAD_CONFIG: '/dev/null' },
    hasTokens: (directory) => asked.push(directory) > 0,
  });
  expect(result.ok).toBe(true);
  expect(asked).toEqual(['state']);
});

test('every shipped example loads', () => {
  const files = readdirSync(root).filter((name) => name.endsWith('.yaml'));
  expect(files).toContain('livegrad.yaml');
  for (const name of files) {
    // One of them listens on a network: the token is the user's own.
    const env = { LIVEGRAD_HTTP_TOKEN: 'a-token-of-my-own' };
    expect(good({ yaml: readFileSync(new URL(name, root), 'utf8'), env }), name).toBeDefined();
  }
});

test('OSC on a network asks for a list of peers, and reads it', () => {
  const open = 'osc:\n  enabled: true\n  host: 0.0.0.0\n';
  expect(bad({ yaml: open })).toMatchObject([
    { code: 'CONFIG_PEERS_REQUIRED', path: 'osc.host', line: 3 },
  ]);
  const allow = ['192.168.1.20', '10.0.0.0/8', 'fd00::/8'];
  expect(good({ yaml: `${open}  allow: [${allow.join(', ')}]\n` }).osc).toEqual({
    enabled: true,
    host: '0.0.0.0',
    port: 8441,
    allow,
    replyPort: 0,
    announce: true,
  });
  for (const wrong of ['phone.local', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0/8', 'fd00::/129']) {
    expect(bad({ yaml: `${open}  allow: ['${wrong}']\n` })).toMatchObject([
      { code: 'CONFIG_INVALID', path: 'osc.allow', line: 4, got: `"${wrong}"` },
    ]);
  }
});

test('the example for a network does not start without a token', () => {
  const yaml = readFileSync(new URL('headless.yaml', root), 'utf8');
  expect(bad({ yaml }).map((d) => d.path)).toEqual(['http.host']);
});

test('the commented example shows every key with its default', () => {
  const yaml = readFileSync(new URL('livegrad.yaml', root), 'utf8');
  const uncommented = yaml
    .split('\n')
    .filter((line) => /^\s*# [A-Za-z]+: /.test(line) || /^\s*[a-z]+:/.test(line))
    .map((line) => line.replace('# ', ''))
    .join('\n');
  const { inputFile, outputFile, ...audio } = good({ yaml: uncommented }).audio;
  expect([inputFile, outputFile]).toEqual(['in.wav', 'out.wav']);
  expect({ ...good({ yaml: uncommented }), audio }).toEqual(configSchema.parse({}));
  for (const key of CONFIG_KEYS) expect(uncommented).toContain(`${key.path.at(-1)}: `);
});

test('a rate may be that of the device, and channels are lists of numbers', () => {
  const yaml = 'audio:\n  sampleRate: device\n  inputMap: [3, 4]\n';
  const env = { LIVEGRAD_AUDIO_OUTPUT_MAP: '2,1' };
  const { audio } = good({ yaml, env });
  expect(audio).toMatchObject({ sampleRate: 'device', inputMap: [3, 4], outputMap: [2, 1] });
  expect(good({ argv: ['--audio-sample-rate', '44100'] }).audio.sampleRate).toBe(44100);
  expect(good({ argv: ['--audio-sample-rate', 'device'] }).audio.sampleRate).toBe('device');
  expect(bad({ argv: ['--audio-input-map', '1,two'] })[0]?.message).toContain(
    'expected whole number, 1 to 64, got "two"',
  );
  expect(bad({ argv: ['--audio-sample-rate', 'fast'] })[0]?.message).toContain(
    'expected whole number, 8000 to 384000, or device, got "fast"',
  );
});

test('the reference table lists exactly the keys of the schema', () => {
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  const rows = readme.split('\n').filter((line) => line.startsWith('| `'));
  const expected = CONFIG_KEYS.map(
    (key) =>
      `| \`${key.key}\` | \`${key.variable}\` | ${key.expected.replaceAll(' | ', ', ')} | ${
        key.fallback === undefined || key.fallback === '' ? '' : `\`${key.fallback}\``
      } | ${EFFECT_DOCS[EFFECTS[key.key as SettingKey]]} | ${key.doc} |`,
  );
  expect(rows.map((row) => row.replace(/\s+/g, ' '))).toEqual(
    expected.map((row) => row.replace(/\s+/g, ' ')),
  );
});

test('the help names every flag', () => {
  const help = printConfigHelp();
  for (const key of CONFIG_KEYS) expect(help).toContain(`${key.flag} `);
});
