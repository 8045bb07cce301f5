/** `rename` and `delete` of what a running host keeps under names: the same for snapshots and patches. */

import type { Command } from 'commander';
import { answer } from '../answer.ts';
import type { Deliver, HostOptions } from '../command.ts';
import { withClient } from '../session.ts';

/** A command of a group, with its words and what it does. */
export type Sub = (words: string, doc: string) => Command;

export function addMoving(sub: Sub, deliver: Deliver, shelf: 'library' | 'snapshots'): void {
  sub('rename', 'give one another name')
    .argument('<name>')
    .argument('<to>')
    .action((name: string, to: string, options: HostOptions) =>
      deliver(() =>
        withClient(options, async (client) => {
          const renamed = await client[shelf].rename({ name, to });
          return answer(renamed, `"${name}" is "${renamed.name}" now`);
        }),
      ),
    );
  sub('delete', 'delete one for good')
    .argument('<name>')
    .action((name: string, options: HostOptions) =>
      deliver(() =>
        withClient(options, async (client) => {
          const deleted = await client[shelf].delete({ name });
          return answer(deleted, `deleted "${name}"`);
        }),
      ),
    );
}
