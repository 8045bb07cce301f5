/** `system show|restart-engine|shutdown`: the machine of a running host, its engine, its end. */

import type { Command } from 'commander';
import { answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { table } from '../style.ts';

export const system: Register = (program, deliver) => {
  const group = program.command('system').description('the machine of a running host, and its end');
  const sub = (words: string, doc: string): Command =>
    withHost(group.command(words).description(doc));
  sub('show', 'versions and the machine').action((options: HostOptions) =>
    deliver(() =>
      withClient(options, async (client) => {
        const found = await client.system.get();
        const rows = [
          ['livegrad', found.version],
          ['node', `${found.node}, V8 ${found.v8}`],
          ['machine', `${found.platform} ${found.arch}, ${found.cpus} processors`],
          ['memory', `${Math.round(found.memoryBytes / 2 ** 20)} MiB`],
          ['process', `${found.pid}, since ${found.started.slice(0, 19).replace('T', ' ')} UTC`],
        ];
        return answer(found, table(rows, 'll'));
      }),
    ),
  );
  sub('restart-engine', 'replace the engine process; values and step go on').action(
    (options: HostOptions) =>
      deliver(() =>
        withClient(options, async (client) => {
          const renewed = await client.system.restartEngine();
          return answer(renewed, `the engine is ${renewed.engine.state}`);
        }),
      ),
  );
  sub('shutdown', 'end the daemon').action((options: HostOptions) =>
    deliver(() =>
      withClient(options, async (client) => {
        const ended = await client.system.shutdown();
        return answer(ended, 'the daemon ends');
      }),
    ),
  );
};
