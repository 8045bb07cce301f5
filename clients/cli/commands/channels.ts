/** `channels`: which channels of its device a running host hears and plays. */

import type { Input } from '../../sdk/client.ts';
import { EXIT, answer, finding, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';

interface Options extends HostOptions {
  readonly inputs?: string;
  readonly outputs?: string;
}

export const channels: Register = (program, deliver) => {
  withHost(
    program
      .command('channels')
      .description('show or choose the channels of the device that a running host hears and plays')
      .option('--inputs <list>', 'of the inputs of the program, from 1: 3,4; "all" as they are')
      .option('--outputs <list>', 'of its outputs'),
  ).action((options: Options) => deliver(() => map(options)));
};

async function map({ inputs, outputs, ...host }: Options): Promise<Answer> {
  const input: { -readonly [K in keyof Input<'devices.map'>]: Input<'devices.map'>[K] } = {};
  for (const [direction, text] of Object.entries({ inputs, outputs })) {
    if (text === undefined) continue;
    const list = text === 'all' ? [] : text.split(',').map(Number);
    if (list.some((channel) => !Number.isInteger(channel) || channel < 1)) {
      const message = `--${direction}: expected channels such as 3,4, or all, got "${text}"`;
      return refuse([finding('CLI_USAGE', `--${direction}`, message)], EXIT.usage);
    }
    input[direction as 'inputs' | 'outputs'] = list;
  }
  return withClient(host, async (client) => {
    const { engine } =
      inputs === undefined && outputs === undefined
        ? await client.status.get()
        : await client.devices.map(input);
    const { inputMap, outputMap, inputs: heard, outputs: played } = engine;
    const line = (what: string, list: readonly number[], count: number): string =>
      `${what} ${list.length === 0 ? 'as they are' : list.join(', ')} (of ${count})`;
    const text = [line('hears', inputMap, heard), line('plays', outputMap, played)].join('\n');
    return answer({ inputMap, outputMap, inputs: heard, outputs: played }, text);
  });
}
