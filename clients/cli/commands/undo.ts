/** `undo` and `redo`: the last step of any client on a running host, and back; `--list` shows them. */

import { answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';

interface Options extends HostOptions {
  readonly list?: boolean;
}

const register =
  (direction: 'undo' | 'redo', doc: string): Register =>
  (program, deliver) => {
    withHost(
      program
        .command(direction)
        .description(doc)
        .option('--list', 'say what there is, the next first, and change nothing'),
    ).action(({ list, ...options }: Options) =>
      deliver(() =>
        withClient(options, async (client) => {
          if (list === true) {
            const edits = await client.edits.list();
            return answer(edits, edits[direction].join('\n') || `nothing to ${direction}`);
          }
          const edits = await client.edits[direction]();
          return answer(edits, `${direction === 'undo' ? 'undone' : 'done again'}: ${edits.done}`);
        }),
      ),
    );
  };

export const undo = register('undo', 'undo the last step of any client of a running host');
export const redo = register('redo', 'do again what was undone last');
