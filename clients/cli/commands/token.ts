/**
 * `token add NAME`, `token list`, `token remove NAME`: who may speak to the daemon of this machine.
 *
 * They work on the state directory, with or without a daemon: over SSH on a box without a screen, before
 * its first start as well. One that runs takes a change at once. Invariant: the token is printed once,
 * alone on stdout, and kept nowhere.
 */

import { resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { loadConfig } from '../../../config/load.ts';
import type { Result } from '../../../dsp/diagnostic.ts';
import { ROLE_DOCS, ROLES, type Role } from '../../../server/api/roles.ts';
import { addToken, readTokens, removeToken, tokenFile } from '../../../server/control/tokens.ts';
import { answer, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import type { Deliver, Register, Surroundings } from '../command.ts';
import { table } from '../style.ts';

interface Where {
  readonly stateDir?: string;
  readonly config?: string;
}

type Work<O> = (directory: string, options: O, around: Surroundings) => Promise<Answer>;

export const token: Register = (program, deliver) => {
  const command = program
    .command('token')
    .description('say who may speak to the daemon of this machine, and as what');
  withPlace(
    command
      .command('add')
      .description('make a token, and print it this once')
      .argument('<name>', 'whose it is: letters, digits, ".", "_", "-"')
      .addOption(
        new Option('--role <role>', ROLES.map((role) => `${role}: ${ROLE_DOCS[role]}`).join('; '))
          .choices(ROLES)
          .default('control'),
      ),
  ).action((name: string, options: Where & { role: Role }) => run(deliver, options, add(name)));
  withPlace(command.command('list').description('list tokens by name and role')).action(
    (options: Where) => run(deliver, options, list),
  );
  withPlace(
    command
      .command('remove')
      .description('let a token be one no more; whoever is connected with it is cut off')
      .argument('<name>', 'as it was added'),
  ).action((name: string, options: Where) => run(deliver, options, remove(name)));
};

const withPlace = (command: Command): Command =>
  command
    .option('--state-dir <dir>', "the daemon's state directory, where it is not in its settings")
    .option('--config <file>', "the daemon's configuration file");

const add =
  (name: string): Work<{ role: Role }> =>
  async (directory, { role }, { stderr, json }) => {
    const made = await addToken(directory, name, role);
    if (!made.ok) return refuse(made.diagnostics);
    const said = `${name} may ${role === 'admin' ? 'do everything' : role}; kept as a digest in`;
    if (!json) stderr.write(`${said} ${tokenFile(directory)}. The token is shown only now:\n`);
    return answer({ name, role, token: made.value }, made.value);
  };

const list: Work<object> = async (directory) => {
  const known = readTokens(directory);
  if (!known.ok) return refuse(known.diagnostics);
  const tokens = known.value.map(({ name, role, created }) => ({ name, role, created }));
  const rows = tokens.map(({ name, role, created }) => [name, role, created.slice(0, 10)]);
  const text = rows.length === 0 ? `no tokens in ${directory}` : table(rows, 'lll');
  return answer({ tokens }, text);
};

const remove =
  (name: string): Work<object> =>
  async (directory) => {
    const removed = await removeToken(directory, name);
    if (!removed.ok) return refuse(removed.diagnostics);
    const { role, created } = removed.value;
    return answer({ name, role, created }, `${name} is removed`);
  };

function run<O extends Where>(deliver: Deliver, options: O, work: Work<O>): Promise<void> {
  return deliver(async (around) => {
    const directory = stateDirectory(options, around.env);
    if (!directory.ok) return refuse(directory.diagnostics);
    return work(directory.value, options, around);
  });
}

/** Where the daemon keeps its state, as it would find out itself when started here. */
function stateDirectory({ stateDir, config }: Where, env: Surroundings['env']): Result<string> {
  if (stateDir !== undefined) return { ok: true, value: resolve(stateDir) };
  const argv = config === undefined ? [] : ['--config', config];
  // The first token may be the one that its settings lack.
  const loaded = loadConfig({ argv, env, hasTokens: () => true });
  return loaded.ok ? { ok: true, value: resolve(loaded.value.config.stateDir) } : loaded;
}
