/** What systemd is told: by a stand-in for `systemd-notify`, and by itself where it is installed. */

import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { which } from '../../server/launch/paths.mjs';
import { Notifier } from '../../server/notify.ts';
import { startDaemon } from '../support/daemon.ts';
import { silent } from './control/fake.ts';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'livegrad-notify-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const until = (check: () => unknown): Promise<unknown> =>
  vi.waitUntil(check, { timeout: 30_000, interval: 20 });

/** Keeps what `systemd-notify` is called with, a line each. */
function standIn(): { readonly env: NodeJS.ProcessEnv; readonly told: () => string[] } {
  const file = join(folder, 'told');
  const script = join(folder, 'systemd-notify');
  writeFileSync(file, '');
  writeFileSync(script, `#!/bin/sh\necho "$*" >> '${file}'\n`);
  chmodSync(script, 0o755);
  const env = { PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: join(folder, 'socket') };
  return { env, told: () => readFileSync(file, 'utf8').split('\n').slice(0, -1) };
}

test('it is ready once, lives as often as the watchdog wants, and stops', async () => {
  const { env, told } = standIn();
  const notifier = new Notifier(silent, { ...env, WATCHDOG_USEC: '200000' });
  await notifier.ready('plays "gain"\non the rig');
  expect(told()).toEqual(['READY=1 STATUS=plays "gain" on the rig']);
  await until(() => told().length >= 3);
  expect(told().slice(1, 3)).toEqual(['WATCHDOG=1', 'WATCHDOG=1']);
  await notifier.stopping();
  const last = told();
  expect(last.at(-1)).toBe('STOPPING=1');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(told()).toEqual(last);
});

test('the watchdog of another process is none of ours', async () => {
  const { env, told } = standIn();
  const notifier = new Notifier(silent, { ...env, WATCHDOG_USEC: '20000', WATCHDOG_PID: '1' });
  await notifier.ready('plays');
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(told()).toHaveLength(1);
});

test('without systemd nothing is said, and where it cannot be told it is logged once', async () => {
  const { env, told } = standIn();
  await new Notifier(silent, { ...env, NOTIFY_SOCKET: '' }).ready('plays');
  expect(told()).toEqual([]);
  const warn = vi.fn();
  const lost = new Notifier(
    { ...silent, warn },
    {
      PATH: '/nonexistent',
      NOTIFY_SOCKET: '/nowhere',
    },
  );
  await lost.ready('plays');
  await lost.stopping();
  expect(warn).toHaveBeenCalledTimes(1);
});

/** Prints what comes to a datagram socket, which Node cannot open. */
const LISTENER = `use Socket; $| = 1;
socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die;
print "listening\\n"; while (defined recv($s, my $m, 4096, 0)) { print "$m\\n"; }`;

const isThere = which('systemd-notify') !== null && which('perl') !== null;
test.runIf(isThere)('the daemon tells systemd through its own program', async () => {
  const socket = join(folder, 'notify');
  const listener = spawn('perl', ['-e', LISTENER, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let heard = '';
  listener.stdout.setEncoding('utf8').on('data', (text: string) => (heard += text));
  await until(() => heard.includes('listening'));
  const daemon = await startDaemon({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '1000000' });
  await until(() => heard.includes('WATCHDOG=1'));
  expect(heard).toMatch(/^READY=1$/mu);
  expect(heard).toMatch(/^STATUS=livegrad \S+ at http:\S+ learns "gain"/mu);
  expect(heard).not.toContain('STOPPING=1');
  expect(await daemon.stop()).toBe(0);
  await until(() => heard.includes('STOPPING=1'));
  listener.kill();
});
