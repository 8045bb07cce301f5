/** `history list|show|export|delete`: what a running host has learned when, with its losses. */

import { writeFileSync } from 'node:fs';
import { Argument, Option } from 'commander';
import type { Command } from 'commander';
import { answer, finding, refuse } from '../answer.ts';
import { real, whole, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { count, logSparkline, number, paint, table } from '../style.ts';

interface Range extends HostOptions {
  readonly from?: number;
  readonly to?: number;
  readonly points?: number;
  readonly params?: string;
}

interface Exporting extends Range {
  readonly format: 'csv' | 'json';
  readonly output?: string;
}

const WIDTH = 64;

const runArgument = new Argument('<run>', 'its number, as the list has it').argParser(
  whole(0, 2 ** 52),
);

const withRange = (command: Command): Command =>
  withHost(command)
    .option('--from <s>', 'seconds since the run began', real(0, 1e12))
    .option('--to <s>', 'seconds since the run began', real(0, 1e12))
    .option('--points <n>', 'at most so many', whole(1, 10_000))
    .option('--params <ids>', 'only these parameters, divided by commas');

/** What of the options the host is asked for. */
const rangeOf = ({ from, to, points, params }: Range) => ({
  ...(from === undefined ? {} : { from }),
  ...(to === undefined ? {} : { to }),
  ...(points === undefined ? {} : { points }),
  ...(params === undefined ? {} : { params }),
});

export const history: Register = (program, deliver) => {
  const group = program.command('history').description('what a running host has learned when');
  withHost(group.command('list').description('the runs that are kept, the newest first'))
    .option('--limit <n>', 'how many', whole(1, 1000), 20)
    .action(({ limit, ...options }: HostOptions & { readonly limit: number }) =>
      deliver(({ style }) =>
        withClient(options, async (client) => {
          const listed = await client.history.list({ limit });
          const head = ['RUN', 'PATCH', 'BEGAN', 'STEPS', 'LOSS', 'BEST', 'END'];
          const rows = listed.runs.map((run) => [
            String(run.run),
            run.patch,
            run.began.slice(0, 19).replace('T', ' '),
            count(run.steps),
            run.last === null ? '' : number(run.last),
            run.best === null ? '' : number(run.best),
            run.end ?? 'goes on',
          ]);
          const heading = head.map((text) => paint(style, 'dim', text));
          const text = rows.length === 0 ? 'no runs' : table([heading, ...rows], 'rllrrr');
          return answer(listed, text);
        }),
      ),
    );
  withRange(group.command('show').description('the losses of one, and where it ended'))
    .addArgument(runArgument)
    .action((run: number, options: Range) =>
      deliver(({ style }) =>
        withClient(options, async (client) => {
          const series = await client.history.get({ points: WIDTH, ...rangeOf(options), run });
          const { at, step, loss } = series;
          const losses = loss.flatMap((value) => (value === null ? [] : [value]));
          const ends = [losses[0], losses.at(-1)].map((value) => number(value ?? Number.NaN));
          const last = Object.entries(series.params).map(([id, values]) => {
            const value = values.at(-1);
            return [id, typeof value === 'number' ? number(value) : ''];
          });
          const lines = [
            `${number(at.at(-1) ?? 0)} s, step ${count(step.at(-1) ?? 0)}`,
            `loss ${logSparkline(losses, WIDTH, style)}  ${ends.join(' to ')}`,
            table(last, 'lr'),
          ];
          return answer(series, lines.join('\n').trimEnd());
        }),
      ),
    );
  withRange(group.command('export').description('print or write the series of one'))
    .addArgument(runArgument)
    .addOption(
      new Option('--format <format>', 'of the file').choices(['csv', 'json']).default('csv'),
    )
    .option('--output <file>', 'where to (default: printed)')
    .action((run: number, { format, output, ...options }: Exporting) =>
      deliver(() =>
        withClient(options, async (client) => {
          const made = await client.history.export({ ...rangeOf(options), run, format });
          if (output === undefined) return answer(made, made.text.trimEnd());
          try {
            writeFileSync(output, made.text);
          } catch (error) {
            const reason = error instanceof Error ? error.message : String(error);
            const message = `cannot write ${output}: ${reason}`;
            return refuse([finding('CLI_NOT_WRITTEN', output, message)]);
          }
          return answer({ format, file: output }, `wrote ${output}`);
        }),
      ),
    );
  withHost(group.command('delete').description('delete one for good'))
    .addArgument(runArgument)
    .action((run: number, options: HostOptions) =>
      deliver(() =>
        withClient(options, async (client) =>
          answer(await client.history.delete({ run }), `deleted run ${run}`),
        ),
      ),
    );
};
