/** `status`: engine, training and patch of a running host. */

import type { Output } from '../../../server/api/operations.ts';
import { answer } from '../answer.ts';
import { withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { count, number, table } from '../style.ts';

/** The file that the patch follows, and what is wrong with it. */
function followed({ file, diagnostics }: Output<'status.get'>['source']): string[][] {
  if (file === null) return [];
  const [first] = diagnostics;
  if (first === undefined) return [['file', `${file}, played at every save`]];
  const line = first.line === undefined ? '' : `:${first.line}`;
  return [['file', `${file}${line} does not play as it was saved: ${first.message}`]];
}

export const status: Register = (program, deliver) => {
  withHost(program.command('status').description('show how a running host is doing')).action(
    (options: HostOptions) =>
      deliver(() =>
        withClient(options, async (client, url) => {
          const s = await client.status.get();
          const { engine, training } = s;
          const device =
            engine.device === null ? 'none' : `${engine.device.input} / ${engine.device.output}`;
          const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
          const known = (x: number | null): string => (x === null ? 'none yet' : number(x));
          const learning = training.fault
            ? `stopped: ${training.cause?.message ?? 'a guard tripped'}`
            : training.waiting
              ? 'waits until the output is unmuted'
              : training.running
                ? 'on'
                : 'off';
          return answer(
            s,
            table([
              [
                'host',
                `${url}, version ${s.version}, up ${count(s.uptime)} s, revision ${s.revision}`,
              ],
              ['engine', `${engine.state}${engine.reason === null ? '' : `: ${engine.reason}`}`],
              ['device', `${device} (${engine.backend})`],
              [
                'format',
                `${engine.sampleRate} Hz, ${engine.blockSize} frames, ${engine.inputs} in, ${engine.outputs} out`,
              ],
              ['output', engine.muted ? 'muted' : `${number(engine.gainDb)} dB`],
              [
                'load',
                `mean ${percent(engine.load.mean)}, p99 ${percent(engine.load.p99)}, max ${percent(engine.load.max)}`,
              ],
              [
                'trouble',
                `${engine.xruns} xruns, ${engine.lateBlocks} late blocks, ${engine.nanBlocks} NaN blocks, ${engine.restarts} restarts`,
              ],
              ['code', `${engine.revectorized === true ? 'eight' : 'four'} numbers at a time`],
              ['patch', s.patch],
              ...followed(s.source),
              [
                'learning',
                `${learning}, step ${count(training.step)}, loss ${known(training.loss)}, rate ${known(training.learningRate)}`,
              ],
            ]),
          );
        }),
      ),
  );
};
