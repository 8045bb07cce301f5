/** The daemon as a service: the unit, what systemd thinks of it, and where it cannot be. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ACCOUNT_FILE, unitOf } from '../../../clients/cli/service/unit.ts';
import { which } from '../../../server/launch/paths.mjs';
import { livegrad, livegradJson, scratch, textFile, type ErrorDocument } from './run.ts';

const lines = (unit: string): string[] => unit.split('\n');

describe('the unit', () => {
  it('starts this daemon, is told when it is ready, and watches it', async () => {
    const { stdout, exit } = await livegrad(['service', 'install', '--print']);
    expect(exit).toBe(0);
    const unit = lines(stdout);
    const starts = unit.find((line) => line.startsWith('ExecStart='));
    expect(starts).toMatch(/^ExecStart="\S+node" "\S+server\/main\.ts"$/u);
    const wanted = `Type=notify NotifyAccess=all WatchdogSec=30 Restart=on-failure LimitRTPRIO=95
      LimitMEMLOCK=infinity RestartPreventExitStatus=78 User=livegrad SupplementaryGroups=audio
      ProtectSystem=strict NoNewPrivileges=yes CapabilityBoundingSet= WantedBy=multi-user.target`;
    for (const line of wanted.split(/\s+/u)) {
      expect(unit).toContain(line);
    }
    // V8 makes code, audio wants real time and devices.
    expect(stdout).not.toMatch(/^(MemoryDenyWriteExecute|PrivateDevices|RestrictRealtime)=/mu);
  });

  it('of a user has his account, and no hardening that needs the machine', async () => {
    const { document } = await livegradJson<{ file: string; unit: string }>(
      'service',
      'install',
      '--user',
      '--print',
      '--config',
      'studio.yaml',
    );
    expect(document.file).toMatch(/systemd\/user\/livegrad\.service$/u);
    expect(document.unit).toMatch(/"--config" "\/\S+\/studio\.yaml"/u);
    expect(document.unit).toContain('WantedBy=default.target');
    expect(document.unit).not.toMatch(/^(User|ProtectSystem|DeviceAllow)=/mu);
  });

  it('quotes what means something to systemd', () => {
    const options = { isUser: false, node: '/opt/a b/node', main: '/opt/100%/$x/"main".ts' };
    expect(unitOf(options)).toContain('ExecStart="/opt/a b/node" "/opt/100%%/$$x/\\"main\\".ts"');
  });

  const analyze = which('systemd-analyze');
  it.runIf(analyze !== null).each([false, true])(
    'has nothing that systemd objects to',
    (isUser) => {
      const unit = unitOf({ isUser, node: process.execPath, main: import.meta.filename });
      const file = textFile('livegrad.service', unit);
      const args = ['verify', ...(isUser ? ['--user'] : []), file];
      const env = { ...process.env, XDG_RUNTIME_DIR: scratch() };
      const done = spawnSync(analyze!, args, { encoding: 'utf8', env });
      expect(done).toMatchObject({ status: 0, stdout: '', stderr: '' });
    },
  );

  it('comes with an account that may use sound devices', () => {
    expect(lines(ACCOUNT_FILE)).toContain('m livegrad audio');
    expect(lines(ACCOUNT_FILE)).toContainEqual(expect.stringMatching(/^u livegrad - /u));
  });
});

describe.runIf(!existsSync('/run/systemd/system'))('where systemd does not run', () => {
  it.each(['install', 'uninstall'])('%s says so and changes nothing', async (what) => {
    const { exit, document } = await livegradJson<ErrorDocument>('service', what);
    expect(exit).toBe(1);
    expect(document.error.code).toBe('CLI_SERVICE');
    expect(existsSync('/etc/systemd/system/livegrad.service')).toBe(false);
  });

  it('status says that it is not installed', async () => {
    const { exit, document } = await livegradJson('service', 'status', '--user');
    expect(exit).toBe(0);
    expect(document).toMatchObject({ installed: false, running: false });
  });
});
