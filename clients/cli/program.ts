/**
 * Every command of the client, in the order of `--help`.
 *
 * Invariant: `--json` is understood before and after the command's name. It runs nothing.
 */

import { Command } from 'commander';
import type { Deliver } from './command.ts';
import { check } from './commands/check.ts';
import { compile } from './commands/compile.ts';
import { examples } from './commands/examples.ts';
import { gradcheck } from './commands/gradcheck.ts';
import { train } from './commands/train.ts';

const COMMANDS = [examples, check, compile, gradcheck, train];

export function createProgram(deliver: Deliver): Command {
  const program = new Command('livegrad')
    .description('learn DSP parameters by gradient descent, live and offline')
    .option('--json', 'print exactly one JSON document')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({ writeErr: () => {} })
    .helpCommand('help [command]', 'say more about a command');
  for (const register of COMMANDS) register(program, deliver);
  return program;
}
