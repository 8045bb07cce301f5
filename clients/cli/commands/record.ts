/** `record start|stop|keep|list|get|delete`: WAV files of what a running host hears, plays and compares. */

import { writeFileSync } from 'node:fs';
import { Argument } from 'commander';
import type { Command } from 'commander';
import { answer, finding, refuse } from '../answer.ts';
import { real, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { paint, table } from '../style.ts';

interface Making extends HostOptions {
  readonly name?: string;
  readonly channels?: string;
}

/** A day. */
const LONGEST = 86_400;
const seconds = real(0.001, LONGEST);

const withMaking = (command: Command): Command =>
  withHost(command)
    .option('--name <name>', 'of the recording (default: the patch and the time)')
    .option('--channels <ids>', 'in1, out2, target, estimate, divided by commas (default: all)');

/** What of the options the host is asked for. */
const wishOf = ({ name, channels }: Making) => ({
  ...(name === undefined ? {} : { name }),
  ...(channels === undefined ? {} : { channels: channels.split(',').map((id) => id.trim()) }),
});

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const nameArgument = new Argument('<name>', 'as the list has it');

/** Why one ended, where nobody asked for it. */
const ENDS = {
  asked: '',
  length: '',
  full: ', for lack of room',
  failed: ', as the file could not be written',
  engine: ', with the engine',
} as const;

export const recordings: Register = (program, deliver) => {
  const group = program
    .command('record')
    .description('record what a running host hears, plays and compares');
  withMaking(group.command('start').description('record from now on'))
    .option('--seconds <s>', 'how long, at most', seconds)
    .action(({ seconds: length, ...options }: Making & { readonly seconds?: number }) =>
      deliver(() =>
        withClient(options, async (client) => {
          const wish = { ...wishOf(options), ...(length === undefined ? {} : { seconds: length }) };
          const begun = await client.recordings.start(wish);
          return answer(begun, `recording "${begun.name}": ${begun.channels.join(', ')}`);
        }),
      ),
    );
  withHost(group.command('stop').description('end the recording')).action((options: HostOptions) =>
    deliver(() =>
      withClient(options, async (client) => {
        const ended = await client.recordings.stop();
        const length = `${ended.seconds.toFixed(1)} s, ${megabytes(ended.bytes)}`;
        return answer(ended, `recorded "${ended.name}": ${length}${ENDS[ended.reason]}`);
      }),
    ),
  );
  withMaking(group.command('keep').description('keep what just happened'))
    .addArgument(new Argument('<seconds>', 'how many of the last ones').argParser(seconds))
    .action((length: number, options: Making) =>
      deliver(() =>
        withClient(options, async (client) => {
          const kept = await client.recordings.keep({ ...wishOf(options), seconds: length });
          return answer(kept, `kept "${kept.name}": ${kept.seconds.toFixed(1)} s`);
        }),
      ),
    );
  withHost(
    group.command('list').description('the recordings that are kept, the newest first'),
  ).action((options: HostOptions) =>
    deliver(({ style }) =>
      withClient(options, async (client) => {
        const listed = await client.recordings.list();
        const { current } = listed;
        const head = ['NAME', 'BEGAN', 'SECONDS', 'SIZE', 'CHANNELS'];
        const all = [...(current === null ? [] : [current]), ...listed.recordings];
        const rows = all.map((one) => [
          one === current ? `${one.name} (now)` : one.name,
          one.began.slice(0, 19).replace('T', ' '),
          one.seconds.toFixed(1),
          megabytes(one.bytes),
          one.channels.join(' '),
        ]);
        const heading = head.map((text) => paint(style, 'dim', text));
        const text = rows.length === 0 ? 'no recordings' : table([heading, ...rows], 'llrrl');
        return answer(listed, text);
      }),
    ),
  );
  withHost(group.command('get').description('fetch one as a WAV file'))
    .addArgument(nameArgument)
    .option('--output <file>', 'where to (default: NAME.wav)')
    .action((name: string, options: HostOptions & { readonly output?: string }) =>
      deliver(() =>
        withClient(options, async (client) => {
          const { output: file = `${name}.wav` } = options;
          const bytes = new Uint8Array(await client.recordings.download({ name }));
          try {
            writeFileSync(file, bytes);
          } catch (error) {
            const reason = error instanceof Error ? error.message : String(error);
            return refuse([finding('CLI_NOT_WRITTEN', file, `cannot write ${file}: ${reason}`)]);
          }
          return answer({ name, file, bytes: bytes.length }, `wrote ${file}`);
        }),
      ),
    );
  withHost(group.command('delete').description('delete one for good'))
    .addArgument(nameArgument)
    .action((name: string, options: HostOptions) =>
      deliver(() =>
        withClient(options, async (client) =>
          answer(await client.recordings.delete({ name }), `deleted "${name}"`),
        ),
      ),
    );
};
