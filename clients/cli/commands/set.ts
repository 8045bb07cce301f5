/** `set ID VALUE`: moves a slider or a parameter of a running host. */

import { answer } from '../answer.ts';
import { real, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { number } from '../style.ts';

export const set: Register = (program, deliver) => {
  withHost(
    program
      .command('set')
      .description('move a slider or parameter of a running host')
      .argument('<id>', 'such as hidden/gain')
      .argument('<value>', 'within its range', real(-Number.MAX_VALUE, Number.MAX_VALUE)),
  ).action((id: string, value: number, options: HostOptions) =>
    deliver(() =>
      withClient(options, async (client) => {
        const p = await client.params.set({ id, value });
        const unit = p.unit === undefined ? '' : ` ${p.unit}`;
        return answer(
          p,
          `${p.id} = ${number(p.value)}${unit}, from ${number(p.min)} to ${number(p.max)}`,
        );
      }),
    ),
  );
};
