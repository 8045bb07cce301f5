/** What answers leave out of what the system says, and what they keep. */

import { expect, test } from 'vitest';
import { discreet, nameOf, withoutFolders } from '../../../server/control/discreet.ts';

test.each([
  [
    "ENOENT: no such file or directory, open '/srv/ada/my takes/in.wav'",
    "ENOENT: no such file or directory, open 'in.wav'",
  ],
  ['cannot open /srv/ada/in.wav: EACCES', 'cannot open in.wav: EACCES'],
  [
    'expected 48000 Hz, got 44100 Hz (/srv/takes/in.wav)',
    'expected 48000 Hz, got 44100 Hz (in.wav)',
  ],
  [
    "Cannot find module '/opt/livegrad/x.node'\nRequire stack:\n- /opt/livegrad/y.ts",
    "Cannot find module 'x.node'\nRequire stack:\n- y.ts",
  ],
  ['at file:///opt/livegrad/server/main.ts:10:3', 'at main.ts:10:3'],
  ['"C:\\Users\\ada\\in.wav" is no WAV', '"in.wav" is no WAV'],
  ['cannot open C:\\Users\\ada\\in.wav', 'cannot open in.wav'],
])('%j is told as %j', (said, told) => {
  expect(withoutFolders(said)).toBe(told);
});

test.each([
  'no audio device: the virtual one plays',
  'expected a number, got 1/2/3 (params.hidden/gain)',
  'see http://127.0.0.1:8440/docs/static for more',
  '48000 Hz / 256 frames',
  "expected 'a/b'",
])('%j stays as it is', (text) => {
  expect(withoutFolders(text)).toBe(text);
});

test('diagnostics lose folders in all of their texts, and nothing else', () => {
  const found = {
    code: 'X',
    path: '/srv/a.wav',
    message: 'in /srv/a.wav',
    hint: 'look at /srv/b',
    line: 3,
  };
  expect(discreet([found])).toEqual([
    { code: 'X', path: 'a.wav', message: 'in a.wav', hint: 'look at b', line: 3 },
  ]);
  expect(nameOf('C:\\takes\\a.wav')).toBe('a.wav');
});
