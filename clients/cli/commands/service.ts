/**
 * `service install|uninstall|status`: the daemon as a service of systemd, of the machine or, with
 * `--user`, of whoever asks.
 *
 * Invariant: `install` says what it writes and runs; with `--print` it does neither. State, tokens and
 * the account outlive `uninstall`.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { answer, finding, refuse, type Answer } from '../answer.ts';
import type { Register } from '../command.ts';
import { ACCOUNT, ACCOUNT_FILE, UNIT, unitOf } from '../service/unit.ts';

interface Options {
  readonly user?: boolean;
  readonly print?: boolean;
  readonly config?: string;
}

const MAIN = join(import.meta.dirname, '..', '..', '..', 'server', 'main.ts');
const USER = ['--user', 'of your own account, not of the machine'] as const;
const ACCOUNTS = '/etc/sysusers.d/livegrad.conf';

export const service: Register = (program, deliver) => {
  const group = program
    .command('service')
    .description('run the daemon as a service of systemd, from every start of the machine');
  group
    .command('install')
    .description('write the unit, enable and start it')
    .option(...USER)
    .option('--config <file>', "the daemon's configuration file")
    .option('--print', 'print the unit and change nothing')
    .action((options: Options) => deliver(() => install(options)));
  group
    .command('uninstall')
    .description('stop it and remove the unit; its state stays')
    .option(...USER)
    .action((options: Options) => deliver(() => uninstall(options)));
  group
    .command('status')
    .description('whether it is installed and runs')
    .option(...USER)
    .action((options: Options) => deliver(() => status(options)));
};

const unitFile = (isUser: boolean): string =>
  isUser
    ? join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'systemd', 'user', UNIT)
    : join('/etc/systemd/system', UNIT);

/** What systemd says; its exit code is that of the command. */
function systemctl(isUser: boolean, ...args: string[]): { ok: boolean; said: string } {
  const all = [...(isUser ? ['--user'] : []), ...args];
  const done = spawnSync('systemctl', all, { encoding: 'utf8' });
  const said = `${done.stdout ?? ''}${done.stderr ?? ''}`.trim();
  return { ok: done.status === 0, said: done.error === undefined ? said : done.error.message };
}

const failed = (message: string, hint?: string): Answer =>
  refuse([finding('CLI_SERVICE', '', message, hint)]);

/** Why there can be no service here, or none for who asks. */
function hindrance(isUser: boolean): Answer | undefined {
  if (!existsSync('/run/systemd/system')) {
    return failed('systemd does not run this machine', '--print shows the unit all the same');
  }
  if (!isUser && process.getuid?.() !== 0) {
    return failed('a service of the machine is made by root', 'sudo, or --user for your own');
  }
  return undefined;
}

function install({ user = false, print = false, config }: Options): Answer {
  const unit = unitOf({
    isUser: user,
    node: process.execPath,
    main: MAIN,
    config: config === undefined ? undefined : resolve(config),
  });
  const file = unitFile(user);
  if (print) return answer({ file, unit }, unit.trimEnd());
  const none = hindrance(user);
  if (none !== undefined) return none;
  const closed = user ? undefined : [MAIN, process.execPath].map(closedFolder).find(Boolean);
  if (closed !== undefined) {
    return failed(
      `the account ${ACCOUNT} cannot read ${closed}`,
      'put livegrad where everybody may read, such as /opt, or use --user',
    );
  }
  if (!user) {
    write(ACCOUNTS, ACCOUNT_FILE);
    const made = spawnSync('systemd-sysusers', [ACCOUNTS], { encoding: 'utf8' });
    if (made.status !== 0) return failed(`no account ${ACCOUNT}: ${made.stderr || made.error}`);
  }
  write(file, unit);
  for (const args of [['daemon-reload'], ['enable', UNIT], ['restart', UNIT]]) {
    const done = systemctl(user, ...args);
    if (!done.ok) {
      const logs = `journalctl ${user ? '--user ' : ''}-u ${UNIT} says more`;
      return failed(`systemctl ${args.join(' ')}: ${done.said}`, logs);
    }
  }
  return answer({ file, unit, running: true }, `${file}: enabled, and running`);
}

function uninstall({ user = false }: Options): Answer {
  const none = hindrance(user);
  if (none !== undefined) return none;
  const file = unitFile(user);
  if (!existsSync(file)) return failed(`there is no ${file}`);
  const done = systemctl(user, 'disable', '--now', UNIT);
  if (!done.ok) return failed(`systemctl disable: ${done.said}`);
  rmSync(file);
  systemctl(user, 'daemon-reload');
  return answer({ file, removed: true }, `${file} is removed; the state stays where it is`);
}

function status({ user = false }: Options): Answer {
  const file = unitFile(user);
  const installed = existsSync(file);
  const properties = ['ActiveState', 'SubState', 'MainPID', 'NRestarts', 'StatusText'];
  const shown = installed
    ? systemctl(user, 'show', UNIT, `--property=${properties.join(',')}`)
    : undefined;
  if (shown?.ok === false) return failed(`systemctl show: ${shown.said}`);
  const found = Object.fromEntries(
    (shown?.said ?? '').split('\n').map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)] as const;
    }),
  );
  const { ActiveState: state = null, MainPID: pid, NRestarts: restarts, StatusText: words } = found;
  const running = state === 'active';
  const document = {
    file,
    installed,
    running,
    state,
    pid: Number(pid ?? 0) || null,
    restarts: Number(restarts ?? 0),
    status: words ?? '',
  };
  const told = words === undefined || words === '' ? '' : `\n${words}`;
  return answer(document, installed ? `${file}: ${state}${told}` : 'not installed');
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** The first folder on the way to a file, or the file, that not everybody may read. */
function closedFolder(file: string): string | undefined {
  if ((statSync(file).mode & 0o4) === 0) return file;
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o1) === 0) return folder;
  }
  return undefined;
}
