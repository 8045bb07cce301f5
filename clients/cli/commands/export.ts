/** `export`: the patch of a running host with what it has learned, as a document or a Faust program. */

import { writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { answer, finding, refuse } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';

interface Options extends HostOptions {
  readonly format?: 'patch' | 'faust';
  readonly output?: string;
}

export const exportPatch: Register = (program, deliver) => {
  withHost(
    program
      .command('export')
      .description('write the patch of a running host with what it has learned')
      .addOption(
        new Option(
          '--format <format>',
          'a JSON document or the Faust program (default: as it was loaded)',
        ).choices(['patch', 'faust']),
      )
      .option('--output <file>', 'where to (default: printed)'),
  ).action(({ format, output, ...host }: Options) =>
    deliver(({ stderr, json }) =>
      withClient(host, async (client) => {
        const made = await client.patch.export(format === undefined ? {} : { format });
        if (output === undefined) {
          if (!json) for (const note of made.notes) stderr.write(`${note}\n`);
          return answer(made, made.text.replace(/\n$/u, ''));
        }
        try {
          writeFileSync(output, made.text);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          return refuse([finding('CLI_NOT_WRITTEN', output, `cannot write ${output}: ${reason}`)]);
        }
        const { text: _text, ...rest } = made;
        return answer({ ...rest, file: output }, [`wrote ${output}`, ...made.notes].join('\n'));
      }),
    ),
  );
};
