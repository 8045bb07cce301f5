/**
 * The tokens that are kept in the state directory: a name, a role, and the SHA-256 of each.
 *
 * A token is 256 random bits, so a plain digest is enough to keep: there is no dictionary to try.
 * Invariants: a token is told once, when it is made, and is written nowhere; the file is for its
 * owner alone and is replaced whole; one that cannot be read is an error, never an empty list.
 * The daemon reads it, `livegrad token` writes it.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { z } from 'zod';
import { fail, ok, type Result } from '../../dsp/diagnostic.ts';
import { ROLES, type Role } from '../api/roles.ts';

/** Every code of this file, with its meaning. */
export const TOKEN_CODES = {
  TOKENS_UNREADABLE: 'the file of the tokens cannot be read or written, or is damaged',
  TOKEN_NAME: 'a token is to have a name that is none',
  TOKEN_EXISTS: 'a token of this name exists',
  TOKEN_UNKNOWN: 'no token has this name',
} as const satisfies Record<string, string>;

const name = z.string().regex(/^[\w.-]{1,64}$/);
const savedSchema = z.strictObject({
  format: z.literal('livegrad.tokens/1'),
  tokens: z.array(
    z.strictObject({
      name,
      role: z.enum(ROLES),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      created: z.iso.datetime(),
    }),
  ),
});

export type TokenRecord = z.output<typeof savedSchema>['tokens'][number];

export const tokenFile = (directory: string): string => join(directory, 'tokens.json');

/** Errors: TOKENS_UNREADABLE. A file that is not there has no tokens. */
export function readTokens(directory: string): Result<readonly TokenRecord[]> {
  const file = tokenFile(directory);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? ok([]) : refuse('TOKENS_UNREADABLE', message);
  }
  try {
    const saved = savedSchema.safeParse(JSON.parse(text));
    if (saved.success) return ok(saved.data.tokens);
  } catch {
    // As below.
  }
  return refuse('TOKENS_UNREADABLE', `${file} is damaged: put it right, or remove it`);
}

/**
 * Makes a token.
 * @returns the token itself, which cannot be told again
 */
export async function addToken(
  directory: string,
  given: string,
  role: Role,
): Promise<Result<string>> {
  const wanted = name.safeParse(given);
  if (!wanted.success) {
    const got = JSON.stringify(given);
    return refuse(
      'TOKEN_NAME',
      `expected a name of letters, digits, ".", "_", "-", 64 at most, got ${got}`,
    );
  }
  const known = readTokens(directory);
  if (!known.ok) return known;
  if (known.value.some((token) => token.name === given)) {
    return refuse('TOKEN_EXISTS', `a token is called ${given} already: remove it first`);
  }
  const token = `lg_${randomBytes(32).toString('base64url')}`;
  const sha256 = createHash('sha256').update(token).digest('hex');
  const created = new Date().toISOString();
  const written = await write(directory, [...known.value, { name: given, role, sha256, created }]);
  return written.ok ? ok(token) : written;
}

export async function removeToken(directory: string, given: string): Promise<Result<TokenRecord>> {
  const known = readTokens(directory);
  if (!known.ok) return known;
  const found = known.value.find((token) => token.name === given);
  if (found === undefined) {
    const names = known.value.map((token) => token.name).join(', ');
    const expected = names === '' ? 'there are no tokens' : `expected one of ${names}`;
    return refuse('TOKEN_UNKNOWN', `${expected}, got ${JSON.stringify(given)}`);
  }
  const written = await write(
    directory,
    known.value.filter((token) => token !== found),
  );
  return written.ok ? ok(found) : written;
}

async function write(
  directory: string,
  tokens: readonly TokenRecord[],
): Promise<Result<undefined>> {
  const text = JSON.stringify({ format: 'livegrad.tokens/1', tokens }, null, 2);
  try {
    mkdirSync(directory, { recursive: true });
    await writeFileAtomic(tokenFile(directory), `${text}\n`, { mode: 0o600, ...owner(directory) });
    return ok(undefined);
  } catch (error) {
    return refuse('TOKENS_UNREADABLE', (error as Error).message);
  }
}

/** What an administrator makes is for whoever the daemon runs as. */
function owner(directory: string): { chown?: { uid: number; gid: number } } {
  if (process.getuid?.() !== 0) return {};
  const { uid, gid } = statSync(directory);
  return { chown: { uid, gid } };
}

const refuse = (code: keyof typeof TOKEN_CODES, message: string): Result<never> =>
  fail({ code, path: '', message });
