/** `logs`: the end of a running host's log; with `--follow` what comes, until Ctrl-C. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Option } from 'commander';
import { LOG_LEVELS, type LogEntry } from '../../../server/api/logs.ts';
import { answer, EXIT, finding, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import { whole, withHost } from '../command.ts';
import type { HostOptions, Register, Surroundings } from '../command.ts';
import { withClient } from '../session.ts';
import { paint, type Style } from '../style.ts';

interface Options extends HostOptions {
  readonly level?: LogEntry['level'];
  readonly limit: number;
  readonly follow?: boolean;
}

/** Between two questions, ms. */
const INTERVAL = 500;

export const logs: Register = (program, deliver) => {
  withHost(
    program
      .command('logs')
      .description("the end of a running host's log")
      .addOption(new Option('--level <level>', 'as severe as this').choices([...LOG_LEVELS]))
      .option('--limit <n>', 'how many entries', whole(1, 1000), 50)
      .option('--follow', 'go on with what comes, until Ctrl-C'),
  ).action((options: Options) => deliver((around) => tail(options, around)));
};

async function tail(options: Options, around: Surroundings): Promise<Answer> {
  const { level, limit, follow, ...host } = options;
  if (follow === true && around.json) {
    const message = '--follow: it goes on for ever: expected no --json';
    return refuse([finding('CLI_USAGE', '--follow', message)], EXIT.usage);
  }
  const { style, stdout } = around;
  const query = level === undefined ? {} : { level };
  return withClient(host, async (client) => {
    let found = await client.logs.tail({ ...query, limit });
    const text = found.entries.map((entry) => line(entry, style)).join('\n');
    if (follow !== true) return answer(found, text);
    if (text !== '') stdout.write(`${text}\n`);
    for (;;) {
      await sleep(INTERVAL);
      const after = found.last;
      found = await client.logs.tail({ ...query, after, limit: 1000 });
      // One that was started anew counts from 1 again.
      if (found.last < after) found = await client.logs.tail({ ...query, limit });
      for (const entry of found.entries) stdout.write(`${line(entry, style)}\n`);
    }
  });
}

const COLOURS = { warn: 'yellow', error: 'red', fatal: 'red' } as const;

function line({ time, level, message, fields }: LogEntry, style: Style): string {
  const clock = new Date(time).toTimeString().slice(0, 8);
  const colour = level in COLOURS ? COLOURS[level as keyof typeof COLOURS] : 'dim';
  const more = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
  const label = paint(style, colour, level.toUpperCase().padEnd(5));
  return `${clock} ${label} ${message}${paint(style, 'dim', more.join(''))}`;
}
