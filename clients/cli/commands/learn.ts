/** `learn on|off|reset|restart`: the training of a running host. */

import { Argument, InvalidArgumentError } from 'commander';
import { answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { count } from '../style.ts';

const CALLS = { on: 'start', off: 'stop', reset: 'reset', restart: 'restart' } as const;

function called(text: string): keyof typeof CALLS {
  if (Object.hasOwn(CALLS, text)) return text as keyof typeof CALLS;
  const known = Object.keys(CALLS).join(', ');
  throw new InvalidArgumentError(
    `Expected one of ${known}. A slider is learned after "learnable ${text}".`,
  );
}

export const learn: Register = (program, deliver) => {
  withHost(
    program
      .command('learn')
      .description(
        'start or stop learning on a running host, forget what it learned, or restart its optimiser',
      )
      .addArgument(
        new Argument(`<${Object.keys(CALLS).join('|')}>`, 'what to do').argParser(called),
      ),
  ).action((what: keyof typeof CALLS, options: HostOptions) =>
    deliver(() =>
      withClient(options, async (client) => {
        const t = await client.training[CALLS[what]]();
        return answer(t, `${t.running ? 'learning' : 'not learning'}, step ${count(t.step)}`);
      }),
    ),
  );
};
