/** `freeze ID on|off`: keeps a parameter of a running host where it is while the others learn. */

import { answer } from '../answer.ts';
import { onOff, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { number } from '../style.ts';

export const freeze: Register = (program, deliver) => {
  withHost(
    program
      .command('freeze')
      .description('keep a parameter of a running host where it is')
      .argument('<id>', 'such as gain')
      .argument('<on|off>', 'whether it stays', onOff),
  ).action((id: string, frozen: boolean, options: HostOptions) =>
    deliver(() =>
      withClient(options, async (client) => {
        const p = await client.params.set({ id, frozen });
        return answer(p, `${p.id} ${p.frozen ? `stays at ${number(p.value)}` : 'learns'}`);
      }),
    ),
  );
};
