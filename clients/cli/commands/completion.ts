/** `completion bash|zsh|fish`: prints what a shell needs to complete commands, options and names. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Argument } from 'commander';
import { answer } from '../answer.ts';
import type { Register } from '../command.ts';
import { SHELLS, scriptFor, type Shell } from '../completion/scripts.ts';

export const completion: Register = (program, deliver) => {
  program
    .command('completion')
    .description('print a completion script: eval "$(livegrad completion bash)"')
    .addArgument(new Argument('<shell>', 'which').choices(SHELLS))
    .action((shell: Shell) =>
      deliver(() => {
        const script = scriptFor(shell, {
          node: process.execPath,
          helper: fileURLToPath(new URL('../complete.ts', import.meta.url)),
          launcher: join(import.meta.dirname, '..', '..', '..', 'server/launch/livegrad.mjs'),
        });
        return answer({ shell, script }, script.trimEnd());
      }),
    );
};
