/** `livegrad token`, and what its tokens open on a real daemon. */

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDaemon } from '../../support/daemon.ts';
import type { Daemon } from '../../support/daemon.ts';
import { livegrad, livegradJson } from './run.ts';
import type { ErrorDocument } from './run.ts';

const state = mkdtempSync(join(tmpdir(), 'livegrad-state-'));
afterAll(() => rmSync(state, { recursive: true, force: true }));

interface Made {
  readonly name: string;
  readonly role: string;
  readonly token: string;
}

const token = <T = Made>(...args: string[]) =>
  livegradJson<T>('token', ...args, '--state-dir', state);

describe('without a daemon', () => {
  it('makes a token, which stands alone on stdout, and lists it without it', async () => {
    const made = await livegrad(['token', 'add', 'phone', '--state-dir', state]);
    expect(made.exit).toBe(0);
    expect(made.stdout).toMatch(/^lg_[\w-]{43}\n$/);
    expect(made.stderr).toContain('phone may control');
    const listed = await livegrad(['token', 'list', '--state-dir', state]);
    expect(listed.stdout).toMatch(/^phone +control +\d{4}-\d\d-\d\d\n$/);
    expect(statSync(join(state, 'tokens.json')).mode & 0o777).toBe(0o600);
  });

  it('finds the state directory as the daemon does, also where that lacks a token', async () => {
    const env = { LIVEGRAD_STATE_DIR: state, LIVEGRAD_HTTP_HOST: '0.0.0.0' };
    expect((await livegrad(['token', 'list'], env)).stdout).toContain('phone');
    const wrong = await livegrad(['token', 'list'], { ...env, LIVEGRAD_STATE_DRI: 'x' });
    expect(wrong).toMatchObject({ exit: 1, stdout: '' });
    expect(wrong.stderr).toContain('Did you mean LIVEGRAD_STATE_DIR?');
  });

  it('refuses names that are none, are taken, or unknown, and roles that are none', async () => {
    const codes = async (...args: string[]): Promise<unknown> => {
      const { exit, document } = await token<ErrorDocument>(...args);
      return [exit, document.error.code];
    };
    expect(await codes('add', 'a b')).toEqual([1, 'TOKEN_NAME']);
    expect(await codes('add', 'phone')).toEqual([1, 'TOKEN_EXISTS']);
    expect(await codes('remove', 'phnoe')).toEqual([1, 'TOKEN_UNKNOWN']);
    expect(await codes('add', 'x', '--role', 'root')).toEqual([2, 'CLI_USAGE']);
  });

  it('removes a token', async () => {
    expect(await token('remove', 'phone')).toMatchObject({ exit: 0, document: { name: 'phone' } });
    expect((await token('list')).document).toEqual({ tokens: [] });
  });
});

describe('a daemon', () => {
  let daemon: Daemon;
  let admin: string;
  beforeAll(async () => {
    admin = (await token('add', 'boss', '--role', 'admin')).document.token;
    daemon = await startDaemon({ LIVEGRAD_STATE_DIR: state });
  });
  afterAll(() => daemon.stop());

  const host = (given: string, ...args: string[]) =>
    livegradJson<ErrorDocument>(...args, '--url', daemon.address, '--token', given);

  it('asks for one of its tokens, by option or by variable', async () => {
    expect(await host('lg_wrong', 'status')).toMatchObject({
      exit: 4,
      document: { error: { code: 'UNAUTHORIZED' } },
    });
    expect(await host(admin, 'status')).toMatchObject({ exit: 0, document: { role: 'admin' } });
    for (const name of ['LIVEGRAD_TOKEN', 'LIVEGRAD_HTTP_TOKEN']) {
      const { exit } = await livegrad(['status', '--url', daemon.address], { [name]: admin });
      expect(exit).toBe(0);
    }
  });

  it('knows a new token at once, in its role, and forgets a removed one', async () => {
    const { token: see } = (await token('add', 'see', '--role', 'view')).document;
    await expect
      .poll(async () => (await host(see, 'status')).exit, { timeout: 20_000, interval: 200 })
      .toBe(0);
    expect(await host(see, 'mute', 'off')).toMatchObject({
      exit: 1,
      document: { error: { code: 'FORBIDDEN_ROLE' } },
    });
    await token('remove', 'see');
    await expect
      .poll(async () => (await host(see, 'status')).exit, { timeout: 20_000, interval: 200 })
      .toBe(4);
  });

  it('tells its log neither tokens nor what was tried', () => {
    for (const secret of [admin, 'lg_wrong', 'token=']) expect(daemon.log()).not.toContain(secret);
  });
});
