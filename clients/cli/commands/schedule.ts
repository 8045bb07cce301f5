/** `schedule [KIND]`: shows or exchanges the learning-rate schedule of a running host. */

import { Argument } from 'commander';
import { scheduleSchema } from '../../../dsp/learn/schedule.ts';
import type { Schedule } from '../../../dsp/learn/schedule.ts';
import { answer, EXIT, finding, refuse } from '../answer.ts';
import type { Finding } from '../answer.ts';
import { real, whole, withHost } from '../command.ts';
import type { HostOptions, Register } from '../command.ts';
import { withClient } from '../session.ts';
import { describeSchedule } from '../watch/view.ts';

/** What each kind takes besides its rate. */
const FIELDS = {
  constant: ['rate'],
  exponential: ['rate', 'delta', 'every'],
  step: ['rate', 'factor', 'every'],
  cosine: ['rate', 'final', 'steps'],
} as const satisfies Record<Schedule['kind'], readonly string[]>;

type Kind = Schedule['kind'];
type Options = HostOptions & Readonly<Record<string, unknown>>;

const rate = real(0, 1e6);
const steps = whole(1, 1e12);

export const schedule: Register = (program, deliver) => {
  withHost(
    program
      .command('schedule')
      .description('show or exchange the learning-rate schedule of a running host')
      .addArgument(new Argument('[kind]', 'the new one').choices(Object.keys(FIELDS)))
      .option('--rate <r>', 'learning rate at the start', rate)
      .option('--delta <d>', 'exponential: grows by e^d', real(-100, 100))
      .option('--factor <f>', 'step: times f', real(0, 10))
      .option('--every <n>', 'exponential, step: how often, in optimiser steps', steps)
      .option('--final <r>', 'cosine: learning rate at the end', rate)
      .option('--steps <n>', 'cosine: how many optimiser steps', steps),
  ).action((kind: Kind | undefined, options: Options) =>
    deliver(async () => {
      const wrong = misfits(kind, options);
      if (wrong.length > 0) return refuse(wrong, EXIT.usage);
      return withClient(options, async (client) => {
        const now =
          kind === undefined
            ? await client.schedule.get()
            : await client.schedule.set(scheduleOf(kind, options));
        const { schedule } = now;
        const told = describeSchedule(schedule);
        return answer(now, schedule.kind === 'constant' ? `${told}: ${schedule.rate}` : told);
      });
    }),
  );
};

/** Options that the kind needs and does not have, and those that it has and does not take. */
function misfits(kind: Kind | undefined, options: Options): Finding[] {
  const takes: readonly string[] = kind === undefined ? [] : FIELDS[kind];
  const all = [...new Set(Object.values(FIELDS).flat())];
  return all.flatMap((field) => {
    const given = options[field] !== undefined;
    if (given === takes.includes(field)) return [];
    const what = kind === undefined ? 'without a kind' : `for a ${kind} schedule`;
    const message = given
      ? `--${field}: not taken ${what}`
      : `--${field}: needed ${what}, got nothing`;
    return [finding('CLI_USAGE', `--${field}`, message)];
  });
}

const scheduleOf = (kind: Kind, options: Options): Schedule =>
  scheduleSchema.parse({
    kind,
    ...Object.fromEntries(FIELDS[kind].map((field) => [field, options[field]])),
  });
