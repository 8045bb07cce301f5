/** `devices`: the audio devices of a running host, or of this machine where none runs. */

import { listDevices } from '../../../server/engine/devices.ts';
import type { AudioDevice } from '../../../server/engine/types.ts';
import { createClient, LivegradError } from '../../sdk/client.ts';
import { answer, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import { DEFAULT_URL, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { paint, table } from '../style.ts';
import type { Style } from '../style.ts';

export const devices: Register = (program, deliver) => {
  withHost(
    program.command('devices').description('list the audio devices of a host, or of this machine'),
  ).action((options: HostOptions) =>
    deliver(async ({ style }) => {
      if (options.url !== undefined) {
        return withClient(options, async (client, url) =>
          describe((await client.devices.list()).devices, url, style),
        );
      }
      try {
        const client = createClient({ url: DEFAULT_URL, token: options.token });
        return describe((await client.devices.list()).devices, DEFAULT_URL, style);
      } catch (error) {
        if (!(error instanceof LivegradError)) throw error;
        const listed = await listDevices();
        return listed.ok ? describe(listed.value, null, style) : refuse(listed.diagnostics);
      }
    }),
  );
};

function describe(list: readonly AudioDevice[], host: string | null, style: Style): Answer {
  const head = ['ID', 'NAME', 'IN', 'OUT', 'RATE', 'VIA', ''].map((h) => paint(style, 'dim', h));
  const rows = list.map((d) => [
    d.id,
    d.name,
    String(d.inputs),
    String(d.outputs),
    `${d.sampleRate} Hz`,
    d.hostApi,
    [d.isDefaultInput ? 'default input' : '', d.isDefaultOutput ? 'default output' : '']
      .filter((t) => t !== '')
      .join(', '),
  ]);
  return answer({ host, devices: list }, table([head, ...rows], 'llrrr'));
}
