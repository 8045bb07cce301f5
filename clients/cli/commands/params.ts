/** `params`: every slider and learnable parameter of a running host. */

import type { Param } from '../../../server/api/schemas.ts';
import { answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { number, paint, table } from '../style.ts';

const kindOf = ({ kind, frozen, rate }: Param): string => {
  if (kind === 'slider' || frozen) return frozen ? 'frozen' : kind;
  return rate === null || rate === 1 ? kind : `${kind}, ${number(rate)} times as fast`;
};

export const params: Register = (program, deliver) => {
  withHost(
    program.command('params').description('list the sliders and parameters of a running host'),
  ).action((options: HostOptions) =>
    deliver(({ style }) =>
      withClient(options, async (client) => {
        const list = await client.params.list();
        const head = ['ID', 'VALUE', 'MIN', 'MAX', 'GRADIENT', ''].map((h) =>
          paint(style, 'dim', h),
        );
        const rows = list.params.map((p) => [
          p.id,
          number(p.value),
          number(p.min),
          number(p.max),
          p.gradient === null ? '' : number(p.gradient),
          kindOf(p),
        ]);
        return answer(list, table([head, ...rows], 'lrrrr'));
      }),
    ),
  );
};
