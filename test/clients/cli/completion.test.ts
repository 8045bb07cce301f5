/** Completion: what comes next, from the commands themselves and from a host, and in shells. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { candidates } from '../../../clients/cli/completion/candidates.ts';
import { SHELLS, type Shell } from '../../../clients/cli/completion/scripts.ts';
import { NAMES, treeOf } from '../../../clients/cli/completion/tree.ts';
import { createProgram } from '../../../clients/cli/program.ts';
import { which } from '../../../server/launch/paths.mjs';
import { bench, type Bench } from '../../server/control/fake.ts';
import { ROOT } from '../../support/sources.ts';
import { environment, livegrad } from './run.ts';

const program = createProgram(() => Promise.resolve());
const tree = treeOf(program);

const after = async (...words: string[]): Promise<string[]> => {
  const found = await candidates(tree, words, (kind, { url = 'here' }) =>
    Promise.resolve([`${kind}/1`, `${kind}/${url}`]),
  );
  return found.map(({ word }) => word);
};

describe('the next word', () => {
  test('is a command, an option of it, or one of its choices', async () => {
    expect(await after('')).toEqual(program.commands.map((command) => command.name()));
    expect(await after('sn')).toEqual(['snapshot']);
    expect(await after('snapshot', 're')).toEqual(['rename']);
    expect(await after('snapshot', 'save', 'x', '--r')).toEqual(['--replace']);
    expect(await after('mute', '')).toEqual(['on', 'off']);
    expect(await after('schedule', 'cosine', '--f')).toContain('--final');
    expect(await after('compile', 'gain', '--print', 'grad')).toEqual(['gradient']);
    expect(await after('history', 'export', '1', '--format=')).toEqual([
      '--format=csv',
      '--format=json',
    ]);
    expect(await after('--js')).toEqual(['--json']);
  });

  test('is a name that the host knows, of the host that is meant', async () => {
    expect(await after('set', '')).toEqual(['controls/1', 'controls/here']);
    expect(await after('learnable', 'a', 'b', 'controls/1')).toEqual(['controls/1']);
    expect(await after('set', '--url', 'there', 'controls/t')).toEqual(['controls/there']);
    expect(await after('set', '--host', 'there', 'controls/t')).toEqual(['controls/there']);
    expect(await after('morph', 'warm', '--from', '')).toEqual(['snapshots/1', 'snapshots/here']);
  });

  test('is nothing that is known where anything may stand', async () => {
    expect(await after('set', 'gain', '')).toEqual([]);
    expect(await after('status', '--token', '')).toEqual([]);
    expect(await after('nonsense', '')).toEqual([]);
    expect(await after('status', 'too', 'many', '')).toEqual([]);
  });
});

test('it is said of every argument what it names, where a host knows its name', () => {
  const commands = program.commands.flatMap((one) => [one, ...one.commands]);
  const words = (one: (typeof commands)[number]): string =>
    one.parent === program ? one.name() : `${one.parent?.name()} ${one.name()}`;
  const all = commands.flatMap((one) => [
    ...one.registeredArguments.map((argument) => `${words(one)} ${argument.name()}`),
    ...one.options.map((option) => `${words(one)} ${option.long}`),
  ]);
  expect(Object.keys(NAMES).filter((name) => !all.includes(name))).toEqual([]);
  const known = all.filter((name) => / (id|ids|patch|run)$/u.test(name));
  expect(known.filter((name) => NAMES[name] === undefined)).toEqual([]);
});

describe('a shell', () => {
  let host: Bench;
  let folder = '';
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'livegrad-completion-'));
    host = await bench();
    const url = await host.listen();
    env = environment({ LIVEGRAD_URL: url, XDG_CACHE_HOME: folder, HOME: folder });
  });
  afterAll(async () => {
    await host.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What the shell itself offers, where it is asked as its Tab asks. */
  const ASKED: Readonly<Record<Shell, (script: string, words: readonly string[]) => string>> = {
    bash: (script, words) =>
      `source ${script}; COMP_WORDS=(livegrad ${words.map((word) => `'${word}'`).join(' ')}); ` +
      `COMP_CWORD=${words.length}; _livegrad; printf '%s\\n' "\${COMPREPLY[@]}"`,
    zsh: (script, words) =>
      `compdef() { :; }; _files() { print files; }; _describe() { print -l -- "\${(@)found%%:*}"; }; ` +
      `source ${script}; words=(livegrad ${words.map((word) => `'${word}'`).join(' ')}); ` +
      `CURRENT=${words.length + 1}; _livegrad`,
    fish: (script, words) =>
      `source ${script}; complete -C 'livegrad ${words.join(' ')}' | string split -f1 \\t`,
  };

  const offers = async (shell: Shell, ...words: string[]): Promise<string[]> => {
    const printed = await livegrad(['completion', shell]);
    expect(printed).toMatchObject({ exit: 0, stderr: '' });
    const script = join(folder, `livegrad.${shell}`);
    writeFileSync(script, printed.stdout);
    const quiet = { bash: ['--norc', '--noprofile'], zsh: ['-f'], fish: ['--no-config'] }[shell];
    const child = spawn(shell, [...quiet, '-c', ASKED[shell](script, words)], { env });
    const [said, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(complaints).toBe('');
    return said.split('\n').filter((line) => line !== '');
  };

  const there = SHELLS.filter((shell) => which(shell) !== null);
  test.each(there)('%s offers commands, and names of the host', async (shell) => {
    expect((await offers(shell, 'sn')).sort()).toEqual(['snapshot']);
    expect((await offers(shell, 'set', '')).filter((word) => word !== 'files').sort()).toEqual(
      expect.arrayContaining(['gain', 'hidden/gain']),
    );
    expect((await offers(shell, 'mute', 'o')).sort()).toEqual(['off', 'on']);
  });

  test('waits for no host, and says nothing where there is none', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.on('listening', resolve));
    const { port } = silent.address() as AddressInfo;
    const helper = join(ROOT, 'clients', 'cli', 'complete.ts');
    for (const at of [port, 9]) {
      const url = `http://127.0.0.1:${at}`;
      const asked = spawnSync(process.execPath, [helper, 'set', '--url', url, ''], {
        env,
        encoding: 'utf8',
        timeout: 60_000,
      });
      expect(asked).toMatchObject({ status: 0, stdout: '', stderr: '' });
    }
    silent.close();
  });

  test('that is none of ours is refused with those that are', async () => {
    const { exit, stderr } = await livegrad(['completion', 'tcsh']);
    expect(exit).toBe(2);
    expect(stderr).toContain('bash, zsh, fish');
  });
});
