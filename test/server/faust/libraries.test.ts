/** What an import and a soundfile can reach: files in their folders, and nothing else. */

import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Result } from '../../../dsp/diagnostic.ts';
import type { FaustProgram } from '../../../dsp/faust/program.ts';
import { WavWriter } from '../../../server/audio/wav.ts';
import { evaluate } from '../../../server/faust/evaluate.ts';
import { Evaluator } from '../../../server/faust/evaluator.ts';
import { Libfaust } from '../../../server/faust/libfaust.ts';

const libfaust = new Libfaust();
let top = '';
const at = (...names: string[]): string => join(top, ...names);
const folders = (): string[] => [at('first'), at('second')];

beforeAll(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'livegrad-faust-')));
  for (const name of ['first', 'first/sub', 'second', 'outside']) mkdirSync(at(name));
  writeFileSync(at('first', 'gain.lib'), 'gain = *(0.25);\n');
  writeFileSync(at('second', 'gain.lib'), 'gain = *(0.125);\n');
  writeFileSync(at('second', 'other.dsp'), 'import("gain.lib"); process = gain;\n');
  writeFileSync(at('first', 'sub', 'deep.lib'), 'import("near.lib"); deep = near;\n');
  writeFileSync(at('first', 'sub', 'near.lib'), 'near = waveform{5, 6} : !, _;\n');
  writeFileSync(at('first', 'notes.txt'), 'secret = 1;\n');
  writeFileSync(at('outside', 'secret.lib'), 'secret = 1;\n');
  symlinkSync(at('outside', 'secret.lib'), at('first', 'link.lib'));
  symlinkSync(at('outside'), at('first', 'linked'));
  symlinkSync(at('first', 'notes.txt'), at('first', 'named.lib'));
  symlinkSync(at('first', 'gain.lib'), at('first', 'inner.lib'));
  mkdirSync(at('first', 'folder.lib'));
  writeFileSync(at('first', 'large.lib'), '');
  truncateSync(at('first', 'large.lib'), 5 << 20);
  const wav = new WavWriter(at('second', 'two.wav'), {
    sampleRate: 22050,
    channels: 2,
    encoding: 'float32',
  });
  wav.write([Float32Array.of(0, 0.5, 1), Float32Array.of(-1, 0, 0.25)], 3);
  wav.close();
  writeFileSync(at('second', 'noise.wav'), 'no sound');
  symlinkSync(at('second', 'two.wav'), at('first', 'away.wav'));
});
afterAll(() => rmSync(top, { recursive: true }));

const run = (code: string, libraries = folders()): Promise<Result<FaustProgram>> =>
  evaluate(libfaust, code, { double: true, libraries, sounds: folders() });

async function formOf(code: string): Promise<string> {
  const result = await run(code);
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  return result.value.form;
}

async function messageOf(code: string): Promise<string> {
  const result = await run(code);
  return result.ok ? 'nothing' : result.diagnostics.map((d) => `${d.code} ${d.message}`).join('; ');
}

test('libraries are found in the folders, the first one first', async () => {
  expect(await formOf('import("gain.lib"); process = gain;')).toContain('0.25*IN[0]');
  expect(await formOf('process = component("other.dsp");')).toContain('0.25*IN[0]');
  expect(await formOf('g = library("inner.lib"); process = g.gain;')).toContain('0.25*IN[0]');
});

test('a byte order mark begins a text and means nothing', async () => {
  writeFileSync(at('first', 'marked.lib'), '\uFEFFhalf = *(0.5);\n');
  expect(await formOf('\uFEFFimport("marked.lib"); process = half;')).toContain('0.5*IN[0]');
});

test.each(['/dev/null', '/dev/urandom', '/', '/out', '/proc', 'sub', ''])(
  'the import of %j is a library that is not there',
  async (name) => {
    const message = await messageOf(`import("${name}"); process = _;`);
    expect(message).toContain(`FAUST_LIBRARY "${name}" is not there to import`);
  },
);

test('a library in a folder below finds what lies beside it', async () => {
  const result = await run('import("sub/deep.lib"); process = deep;');
  expect(result.ok && result.value.waveforms).toEqual([{ values: [5, 6], isInt: true }]);
});

test.each([
  '../outside/secret.lib',
  'sub/../../outside/secret.lib',
  'linked/secret.lib',
  'link.lib',
  'named.lib',
  'notes.txt',
  'folder.lib',
  'large.lib',
  '/folder0/../outside/secret.lib',
  '/etc/passwd',
  'file:///etc/passwd',
  '',
])('"%s" cannot be imported', async (name) => {
  expect(await messageOf(`import("${name}"); process = secret;`)).toMatch(/^FAUST_LIBRARY /u);
});

test('an absolute path outside of the folders is not there, whatever the disk holds', async () => {
  const message = await messageOf(`import("${at('outside', 'secret.lib')}"); process = secret;`);
  expect(message).toMatch(/^FAUST_LIBRARY /u);
});

test('a refusal says why', async () => {
  expect(await messageOf('import("link.lib"); process = _;')).toContain('it is not in the folder');
  expect(await messageOf('import("large.lib"); process = _;')).toContain('larger than 4 MB');
});

test('a file that has changed is read again, and one that is gone is gone', async () => {
  const code = 'import("change.lib"); process = *(change);';
  const evaluator = new Evaluator({ libraries: folders(), sounds: [] });
  const form = async (): Promise<string> => {
    const result = await evaluator.evaluate(code, true);
    return result.ok ? result.value.form : JSON.stringify(result.diagnostics);
  };
  expect(await form()).toContain('FAUST_LIBRARY');
  writeFileSync(at('second', 'change.lib'), 'change = 3;\n');
  const first = await evaluator.evaluate(code, true);
  expect(await evaluator.evaluate(code, true)).toEqual(first);
  expect(await form()).toContain('3.0*IN[0]');
  writeFileSync(at('second', 'change.lib'), 'change = 45;\n');
  expect(await form()).toMatch(/45\.0\*IN|4\.5e\+01\*IN/u);
  writeFileSync(at('first', 'change.lib'), 'change = 7;\n');
  expect(await form()).toContain('7.0*IN[0]');
  rmSync(at('first', 'change.lib'));
  rmSync(at('second', 'change.lib'));
  expect(await form()).toContain('FAUST_LIBRARY');
});

test('sound files are read from the folders, with their rates', async () => {
  const result = await run(
    `process = 0, int(_) : vgroup("g", soundfile("son[url:{'two.wav';'two.wav'}]", 2)) : !, !, _, _;`,
  );
  const sound = {
    sampleRate: 22050,
    channels: [
      [0, 0.5, 1],
      [-1, 0, 0.25],
    ],
  };
  expect(result.ok && result.value.sounds).toEqual({
    "son[url:{'two.wav';'two.wav'}]/g": [sound, sound],
  });
});

test.each([
  ['absent.wav', 'it is not there'],
  ['noise.wav', 'expected a WAV file'],
  ['../outside/secret.lib', 'it is not in the folder'],
  ['away.wav', 'it is not in the folder'],
  ['gain.lib', 'its name does not end in .wav'],
])('the sound file %s cannot be played', async (name, why) => {
  const message = await messageOf(`process = 0, 0 : soundfile("s[url:{'${name}'}]", 1);`);
  expect(message).toMatch(/^FAUST_UNSUPPORTED the sound file/u);
  expect(message).toContain(why);
  expect(message).not.toContain(top);
});
