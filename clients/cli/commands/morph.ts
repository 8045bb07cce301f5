/**
 * `morph NAME`: goes over to a snapshot of a running host in some time; `morph stop` ends where it is,
 * without a name it shows where it is.
 */

import { answer } from '../answer.ts';
import { real, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import type { MorphState } from '../../../server/api/snapshots.ts';
import { withClient } from '../session.ts';
import { number } from '../style.ts';
import { describeFit, PARTIAL } from './snapshot.ts';

interface Options extends HostOptions {
  readonly from?: string;
  readonly seconds: number;
  readonly partial?: boolean;
  readonly stop?: boolean;
}

export const morph: Register = (program, deliver) => {
  withHost(
    program
      .command('morph')
      .description('go over to a snapshot of a running host in some time')
      .argument('[name]', 'the snapshot to end at; without it, where a morph is')
      .option('--from <name>', 'the snapshot to begin at (default: the values of now)')
      .option('--seconds <s>', 'how long it takes', real(0, 3600), 5)
      .option('--stop', 'stop the one that runs where it is')
      .option(...PARTIAL),
  ).action((name: string | undefined, { from, seconds, partial, stop, ...host }: Options) =>
    deliver(() =>
      withClient(host, async (client) => {
        if (name === undefined || stop === true) {
          const at = await (stop === true ? client.morph.stop() : client.morph.get());
          return answer(at, describe(at));
        }
        const began = await client.morph.start({
          to: name,
          seconds,
          ...(from === undefined ? {} : { from }),
          ...(partial === undefined ? {} : { partial }),
        });
        return answer(began, [describe(began), ...describeFit(began.fit)].join('\n'));
      }),
    ),
  );
};

function describe({ state, from, to, seconds, position }: MorphState): string {
  if (to === null) return 'there was no morph';
  const way = from === null ? `to "${to}"` : `from "${from}" to "${to}"`;
  return `${way} in ${number(seconds)} s: ${state}, ${Math.round(100 * position)} %`;
}
