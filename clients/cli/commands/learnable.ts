/** `learnable ID...`: lets sliders of a running host be learned, or makes parameters sliders again. */

import { Option } from 'commander';
import { LEARN_SCALES } from '../../../dsp/control.ts';
import type { LearnScale } from '../../../dsp/control.ts';
import type { Input } from '../../../server/api/operations.ts';
import type { Param } from '../../../server/api/schemas.ts';
import { answer } from '../answer.ts';
import { whole, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { compared } from '../objective.ts';
import { withClient } from '../session.ts';
import { number } from '../style.ts';

interface Options extends HostOptions {
  readonly off?: boolean;
  readonly scale?: LearnScale;
  readonly estimate?: string;
  readonly target?: string;
  readonly loss?: string;
  readonly window?: number;
}

const SCALES: Readonly<Record<LearnScale, string>> = {
  linear: '',
  log: ' in octaves',
  logit: ' slower towards either end',
  softplus: ' slower towards its least value',
};

/** As people read it. */
function told({ id, value, unit, learn, min, max, frozen }: Param): string {
  const units = unit === undefined ? '' : ` ${unit}`;
  const at = `${number(value)}${units}`;
  if (learn === null) return `${id} is a slider, at ${at}`;
  const range = `from ${number(min)} to ${number(max)}${units}`;
  return frozen ? `${id} stays at ${at}` : `${id} learns${SCALES[learn]}, now ${at}, ${range}`;
}

export const learnable: Register = (program, deliver) => {
  withHost(
    program
      .command('learnable')
      .description('let sliders of a running host be learned, or make parameters sliders again')
      .argument('<ids...>', 'such as cutoff')
      .option('--off', 'make them sliders')
      .addOption(
        new Option('--scale <scale>', 'in which they are learned (default: as they are shown)')
          .choices(LEARN_SCALES)
          .conflicts('off'),
      )
      .option('--estimate <id>', 'the signal that learns (default: what the patch says)')
      .option('--target <id>', 'what it is to become')
      .option('--loss <kind>', 'how they are compared (default: mse)')
      .option('--window <frames>', 'samples that are compared at once', whole(1, 2 ** 16)),
  ).action((ids: readonly string[], options: Options) =>
    deliver(async () => {
      const { off, scale, estimate, target, loss, window } = options;
      const settings = {
        ...(estimate === undefined ? {} : { estimate }),
        ...(target === undefined ? {} : { target }),
        ...(loss === undefined ? {} : { loss }),
        ...(window === undefined ? {} : { window }),
      };
      const change = {
        learn: Object.fromEntries(ids.map((id) => [id, off === true ? false : (scale ?? true)])),
        ...(Object.keys(settings).length === 0 ? {} : { training: settings }),
        // The host knows which losses there are.
      } as Input<'params.update'>;
      const result = await withClient(options, async (client) => {
        const made = await client.params.update(change);
        const named = made.params.filter(({ id }) => ids.includes(id));
        const { settings } = await client.training.get();
        const lesson = off === true || settings === null ? [] : compared(settings);
        return answer({ ...made, params: named }, [...named.map(told), ...lesson].join('\n'));
      });
      if (result.ok || result.code !== 'NOT_TRAINABLE') return result;
      const way = `livegrad learnable ${ids.join(' ')} --estimate ID --target ID`;
      const findings = result.findings.map(({ hint, ...rest }) => {
        return { ...rest, hint: hint === undefined ? way : `${hint}\n    ${way}` };
      });
      return { ...result, findings };
    }),
  );
};
