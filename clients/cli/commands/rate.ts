/** `rate ID FACTOR`: lets a parameter of a running host learn faster or slower than the others. */

import { answer } from '../answer.ts';
import { real, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { number } from '../style.ts';

export const rate: Register = (program, deliver) => {
  withHost(
    program
      .command('rate')
      .description('let a parameter of a running host learn faster or slower than the others')
      .argument('<id>', 'such as gain')
      .argument('<factor>', 'of the learning rate', real(0, 1e6)),
  ).action((id: string, factor: number, options: HostOptions) =>
    deliver(() =>
      withClient(options, async (client) => {
        const p = await client.params.set({ id, rate: factor });
        return answer(p, `${p.id} learns at ${number(p.rate ?? 1)} times the learning rate`);
      }),
    ),
  );
};
