/** `tone [outputs...]`: a test tone on the outputs of a running host, one after the other. */

import { Option } from 'commander';
import type { Input } from '../../sdk/client.ts';
import { EXIT, answer, finding, refuse } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';

interface Options extends HostOptions {
  readonly noise?: boolean;
  readonly frequency?: string;
  readonly level?: string;
  readonly seconds?: string;
}

export const tone: Register = (program, deliver) => {
  withHost(
    program
      .command('tone')
      .description('play a test tone on the outputs of a running host')
      .argument('[outputs...]', 'from 1 (default: all, one after the other)')
      .option('--noise', 'pink noise instead of a sine')
      .addOption(new Option('--frequency <hz>', 'of the sine (default: 1000)').conflicts('noise'))
      .option('--level <db>', 'RMS, dBFS (default: -20)')
      .option('--seconds <s>', 'on each output (default: 1)'),
  ).action((outputs: readonly string[], { noise, frequency, level, seconds, ...host }: Options) =>
    deliver(() => {
      const given = { frequency, level, seconds, ...Object.fromEntries(outputs.entries()) };
      const wrong = Object.values(given).find(
        (text) => text !== undefined && (text.trim() === '' || !Number.isFinite(Number(text))),
      );
      if (wrong !== undefined) {
        const message = `expected a number, got "${wrong}"`;
        return Promise.resolve(refuse([finding('CLI_USAGE', '', message)], EXIT.usage));
      }
      const input: Input<'devices.test'> = {
        ...(noise === true ? { signal: 'noise' } : {}),
        ...(frequency === undefined ? {} : { frequency: Number(frequency) }),
        ...(level === undefined ? {} : { levelDb: Number(level) }),
        ...(seconds === undefined ? {} : { seconds: Number(seconds) }),
        ...(outputs.length === 0 ? {} : { outputs: outputs.map(Number) }),
      };
      return withClient(host, async (client) => {
        const played = await client.devices.test(input);
        const where = (played.outputs ?? []).join(', ');
        return answer(played, `played ${played.signal} on output ${where}`);
      });
    }),
  );
};
