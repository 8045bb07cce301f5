/**
 * `schedule [KIND]`: shows or exchanges the learning-rate schedule of a running host;
 * `schedule preview [KIND]` draws the rates to come, of a kind without a host.
 *
 * A new schedule begins at the present step: who exchanges the schedule of a learner that has run for
 * a day does not mean the end of one that began yesterday. `--from-zero` counts from step 0.
 */

import { Argument } from 'commander';
import type { Command } from 'commander';
import { SCHEDULE_KINDS } from '../../../dsp/learn/schedules/kinds.ts';
import type { ScheduleKind } from '../../../dsp/learn/schedules/kinds.ts';
import { preview } from '../../../dsp/learn/schedules/schedule.ts';
import { answer, EXIT, refuse } from '../answer.ts';
import type { Answer } from '../answer.ts';
import { chart } from '../chart.ts';
import { real, whole, withHost } from '../command.ts';
import type { HostOptions, Register, Surroundings } from '../command.ts';
import { describeSchedule, misfits, scheduleOf, withSchedule } from '../schedules.ts';
import type { Given } from '../schedules.ts';
import { withClient } from '../session.ts';
import { count, number } from '../style.ts';

interface Changing extends HostOptions {
  readonly fromZero?: boolean;
  readonly glide?: number;
}

interface Previewing extends HostOptions {
  readonly count: number;
  readonly stride?: number;
  readonly loss?: number;
}

const kindArgument = (doc: string): Argument => new Argument('[kind]', doc).choices(SCHEDULE_KINDS);

export const schedule: Register = (program, deliver) => {
  const command = withHost(
    withSchedule(
      program
        .command('schedule')
        .description('show or exchange the learning-rate schedule of a running host')
        .addArgument(kindArgument('the new one'))
        .option('--from-zero', 'it counts from optimiser step 0, not from now')
        .option('--glide <n>', 'steps of a straight line from the present rate', whole(1, 1e12)),
    ),
  ).action((kind: ScheduleKind | undefined, options: Changing & Given) =>
    deliver(() => change(kind, options)),
  );
  withHost(
    withSchedule(
      command
        .command('preview')
        .description('draw the learning rates to come: of a running host, or of a kind')
        .addArgument(kindArgument('of this one from its start, not of the host'))
        .option('--count <n>', 'how many rates', whole(1, 10_000), 256)
        .option('--stride <n>', 'optimiser steps from one to the next', whole(1, 1e9))
        .option('--loss <x>', 'plateau: a loss that stays', real(-1e30, 1e30)),
    ),
  ).action((kind: ScheduleKind | undefined, _: unknown, self: Command) => {
    // Options that both commands have may have been taken by either.
    const options = self.optsWithGlobals<Previewing & Given>();
    return deliver((around) => draw(kind, options, around));
  });
};

async function change(kind: ScheduleKind | undefined, options: Changing & Given): Promise<Answer> {
  const wrong = misfits(kind, options);
  if (wrong.length > 0) return refuse(wrong, EXIT.usage);
  return withClient(options, async (client) => {
    const now =
      kind === undefined
        ? await client.schedule.get()
        : await client.schedule.set({
            ...scheduleOf(kind, options),
            begin: options.fromZero === true ? 'keep' : 'now',
            ...(options.glide === undefined ? {} : { glideSteps: options.glide }),
          });
    const { step, position, learningRate } = now;
    const where = `at step ${count(step)}, ${count(position)} of its own: ${number(learningRate)}`;
    return answer(now, `${describeSchedule(now.schedule)}\n${where}`);
  });
}

async function draw(
  kind: ScheduleKind | undefined,
  options: Previewing & Given,
  around: Surroundings,
): Promise<Answer> {
  const wrong = misfits(kind, options);
  if (wrong.length > 0) return refuse(wrong, EXIT.usage);
  const losses = options.loss === undefined ? undefined : [options.loss];
  if (kind !== undefined) {
    const stride = options.stride ?? 1;
    const made = scheduleOf(kind, options);
    const rates = preview(made, { from: 0, count: options.count, stride, losses });
    return shown({ from: 0, stride, rates }, describeSchedule(made), around);
  }
  return withClient(options, async (client) => {
    const { schedule: inUse, step } = await client.schedule.get();
    const stride = options.stride ?? 1;
    const of = { count: options.count, stride };
    const ahead =
      losses === undefined
        ? await client.schedule.ahead(of)
        : {
            from: step,
            stride,
            rates: await client.schedule.preview({ ...of, from: step, losses }),
          };
    return shown(ahead, describeSchedule(inUse), around);
  });
}

interface Ahead {
  readonly from: number;
  readonly stride: number;
  readonly rates: readonly number[];
}

function shown(ahead: Ahead, words: string, { style }: Surroundings): Answer {
  const { from, stride, rates } = ahead;
  const last = from + (rates.length - 1) * stride;
  const lines = chart(rates, { width: 64, rows: 8 }, style);
  const ends = `step ${count(from)} to ${count(last)}: ${number(rates[0]!)} to ${number(rates.at(-1)!)}`;
  return answer(ahead, [words, '', ...lines, '', ends].join('\n'));
}
