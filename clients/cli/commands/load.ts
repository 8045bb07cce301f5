/** `load PATCH`: plays another patch on a running host. */

import { EXAMPLES } from '../../../dsp/examples/index.ts';
import { answer, refuse } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { locateIn, readPatch } from '../patch-source.ts';
import { withClient } from '../session.ts';

export const load: Register = (program, deliver) => {
  withHost(
    program
      .command('load')
      .description('play another patch on a running host')
      .argument('<patch>', 'file, or name of an example'),
  ).action((name: string, options: HostOptions) =>
    deliver(async () => {
      const source = readPatch(name);
      if (!source.ok) return refuse(source.findings);
      const result = await withClient(options, async (client) => {
        const example = Object.hasOwn(EXAMPLES, name);
        const info = await client.patch.set(example ? { example: name } : source.value.patch);
        return answer(info, `playing ${info.name}: ${info.inputs} in, ${info.outputs} out`);
      });
      return result.ok ? result : { ...result, findings: locateIn(source.value, result.findings) };
    }),
  );
};
