/** The file of the tokens: what is kept, for whom, and what is wrong with a damaged one. */

import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Access } from '../../../server/control/access.ts';
import {
  addToken,
  readTokens,
  removeToken,
  TOKEN_CODES,
  tokenFile,
} from '../../../server/control/tokens.ts';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'livegrad-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function added(name: string, role: 'view' | 'control' | 'admin' = 'view'): Promise<string> {
  const made = await addToken(directory, name, role);
  if (!made.ok) throw new Error(made.diagnostics[0]?.message);
  return made.value;
}

const codeOf = (result: { ok: boolean; diagnostics?: readonly { code: string }[] }): unknown =>
  result.ok ? 'ok' : result.diagnostics?.[0]?.code;

test('a token is long, random, told once and kept as its digest', async () => {
  const [first, second] = [await added('one', 'admin'), await added('two')];
  expect(first).toMatch(/^lg_[\w-]{43}$/);
  expect(second).not.toBe(first);
  const text = readFileSync(tokenFile(directory), 'utf8');
  expect(text).not.toContain(first.slice(3, 20));
  expect(text).toContain(createHash('sha256').update(first).digest('hex'));
  const tokens = readTokens(directory);
  if (!tokens.ok) throw new Error('not read');
  const access = new Access({ token: '', tokens: tokens.value });
  expect(access.grantOf(first)).toMatchObject({ name: 'one', role: 'admin' });
  expect(access.grantOf(second)).toMatchObject({ name: 'two', role: 'view' });
});

test('the file is for its owner alone, also where it was open to others before', async () => {
  const state = join(directory, 'not', 'there', 'yet');
  await addToken(state, 'one', 'view');
  expect(statSync(tokenFile(state)).mode & 0o777).toBe(0o600);
  chmodSync(tokenFile(state), 0o644);
  await addToken(state, 'two', 'view');
  expect(statSync(tokenFile(state)).mode & 0o777).toBe(0o600);
  expect(readdirSync(state)).toEqual(['tokens.json']);
});

test.runIf(process.getuid?.() === 0)(
  'what an administrator makes belongs to whom the state directory belongs to',
  async () => {
    const { chownSync } = await import('node:fs');
    chownSync(directory, 4711, 4712);
    await added('one');
    expect(statSync(tokenFile(directory))).toMatchObject({ uid: 4711, gid: 4712 });
  },
);

test('a removed token is gone, the others stay', async () => {
  await added('one');
  await added('two');
  expect(await removeToken(directory, 'one')).toMatchObject({ ok: true, value: { name: 'one' } });
  expect(readTokens(directory)).toMatchObject({ ok: true, value: [{ name: 'two' }] });
});

test('no file is no token, and asking for them makes none', () => {
  expect(readTokens(join(directory, 'nowhere'))).toEqual({ ok: true, value: [] });
  expect(existsSync(join(directory, 'nowhere'))).toBe(false);
});

test.each(['', 'a b', '../up', 'é', 'x'.repeat(65), 'a\n'])('%j is no name', async (name) => {
  expect(codeOf(await addToken(directory, name, 'view'))).toBe('TOKEN_NAME');
  expect(existsSync(tokenFile(directory))).toBe(false);
});

test('every code is given, and says what to do', async () => {
  await added('one');
  const refused = [
    await addToken(directory, 'one', 'admin'),
    await removeToken(directory, 'oen'),
    await addToken(directory, 'o/ne', 'view'),
  ];
  writeFileSync(tokenFile(directory), '{"format":"livegrad.tokens/1"}');
  refused.push(await addToken(directory, 'two', 'view'));
  expect(new Set(refused.map((result) => codeOf(result)))).toEqual(
    new Set(Object.keys(TOKEN_CODES)),
  );
  expect(refused[1]).toMatchObject({
    diagnostics: [{ message: 'expected one of one, got "oen"' }],
  });
});

test.each([
  ['', 'empty'],
  ['[]', 'a list'],
  ['{"format":"livegrad.tokens/2","tokens":[]}', 'of a newer format'],
  ['{"format":"livegrad.tokens/1","tokens":[{"name":"a","role":"root"}]}', 'of another role'],
])('a file that is %j is an error, not a list without tokens', async (text) => {
  writeFileSync(tokenFile(directory), text);
  expect(codeOf(readTokens(directory))).toBe('TOKENS_UNREADABLE');
  expect(codeOf(await removeToken(directory, 'a'))).toBe('TOKENS_UNREADABLE');
  expect(readFileSync(tokenFile(directory), 'utf8')).toBe(text);
});

test('a folder in the place of the file is an error as well', () => {
  mkdirSync(tokenFile(directory));
  expect(codeOf(readTokens(directory))).toBe('TOKENS_UNREADABLE');
});
