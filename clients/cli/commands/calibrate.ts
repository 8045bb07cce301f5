/** `calibrate`: measures the round trip of a running host's device and compiles the patch for it. */

import { answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { number } from '../style.ts';

export const calibrate: Register = (program, deliver) => {
  withHost(
    program
      .command('calibrate')
      .description('measure the round trip of the device with a short noise, so that both line up'),
  ).action((options: HostOptions) =>
    deliver(() =>
      withClient(options, async (client) => {
        const measured = await client.devices.calibrate();
        const { engine } = await client.status.get();
        const ms = (1000 * measured.latency) / engine.sampleRate;
        const found = `round trip ${measured.latency} frames (${number(ms)} ms)`;
        return answer(
          measured,
          `${found}, ${number(measured.confidence)} times clearer than the rest`,
        );
      }),
    ),
  );
};
