/** `mute on|off`: the output of a running host. */

import { answer } from '../answer.ts';
import { onOff, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { number } from '../style.ts';

export const mute: Register = (program, deliver) => {
  withHost(
    program
      .command('mute')
      .description('mute or unmute the output of a running host')
      .argument('<on|off>', 'whether it is silent', onOff),
  ).action((muted: boolean, options: HostOptions) =>
    deliver(() =>
      withClient(options, async (client) => {
        const output = await client.output.set({ muted });
        return answer(output, output.muted ? 'muted' : `playing at ${number(output.gainDb)} dB`);
      }),
    ),
  );
};
