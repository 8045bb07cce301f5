/**
 * Learning-rate schedules on the command line: an option for each field of every kind, what is wrong
 * with those given, and a kind in a few words.
 *
 * Invariant: which fields a kind has and needs is read from its row in `dsp/learn/schedules`.
 */

import { Option } from 'commander';
import type { Command } from 'commander';
import { SCHEDULE_KINDS, fieldsOf, neededOf } from '../../dsp/learn/schedules/kinds.ts';
import type { ScheduleKind } from '../../dsp/learn/schedules/kinds.ts';
import { scheduleSchema } from '../../dsp/learn/schedules/schedule.ts';
import type { Schedule } from '../../dsp/learn/schedules/schedule.ts';
import { finding } from './answer.ts';
import type { Finding } from './answer.ts';
import { real, whole } from './command.ts';
import { count, number } from './style.ts';

export type Given = Readonly<Record<string, unknown>>;

const rate = real(0, 1e6);
const steps = whole(1, 1e12);
const some = whole(0, 1e12);
const list = (text: string): number[] => text.split(',').map((part) => some(part));

/** Flag and meaning of each field; `relative` is written `--absolute`. */
const OPTIONS: readonly (readonly [
  flags: string,
  doc: string,
  parse?: (text: string) => unknown,
])[] = [
  ['--rate <r>', 'learning rate at the start', rate],
  ['--final <r>', 'linear, polynomial, cosines: learning rate at the end', rate],
  ['--peak <r>', 'oneCycle, cyclic: the highest learning rate', rate],
  ['--steps <n>', 'how many optimiser steps it takes', steps],
  ['--every <n>', 'exponential, step, plateau: how often, in optimiser steps', steps],
  ['--delta <d>', 'exponential: grows by e^d', real(-100, 100)],
  ['--factor <f>', 'times f', real(0, 1e6)],
  ['--milestones <n,n,...>', 'multiStep: optimiser steps', list],
  ['--power <p>', 'polynomial', real(0, 100)],
  ['--growth <n>', 'cosineRestarts: each as many times as long', whole(1, 1000)],
  ['--after <what>', 'cosine: hold or return'],
  ['--rise <share>', 'oneCycle: share of the steps upwards', real(0, 1)],
  ['--divide <d>', 'oneCycle: the first rate is the peak / d', real(1, 1e12)],
  ['--final-divide <d>', 'oneCycle: the last rate is the first / d', real(1, 1e12)],
  ['--shape <what>', 'oneCycle: cosine or linear'],
  ['--three-phase', 'oneCycle: down as fast as up, then on'],
  ['--up <n>', 'cyclic: optimiser steps upwards', steps],
  ['--down <n>', 'cyclic: and down', steps],
  ['--mode <what>', 'cyclic: triangular, triangular2, expRange; plateau: min, max'],
  ['--patience <n>', 'plateau: observations without a better loss', some],
  ['--threshold <t>', 'plateau: what is better', real(0, 1e30)],
  ['--absolute', 'plateau: the threshold is a difference, not a share'],
  ['--cooldown <n>', 'plateau: observations that do not count after a fall', some],
  ['--lowest <r>', 'plateau: no rate below', rate],
  ['--epsilon <r>', 'plateau: no fall by less', rate],
];

/** Adds the options of all kinds, and the warm-up. */
export function withSchedule(command: Command): Command {
  for (const [flags, doc, parse] of OPTIONS) {
    const option = new Option(flags, doc);
    command.addOption(parse === undefined ? option : option.argParser(parse));
  }
  return command
    .option('--warmup <n>', 'a straight line of so many steps in front', steps)
    .option(
      '--warmup-from <share>',
      'where the line starts, as a share of the first rate',
      real(0, 1),
    );
}

const ALL = [...new Set(SCHEDULE_KINDS.flatMap((kind) => fieldsOf(kind)))];
const flagOf = (field: string): string =>
  field === 'relative'
    ? '--absolute'
    : `--${field.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
const valueOf = (field: string, given: Given): unknown =>
  field === 'relative' ? (given['absolute'] === true ? false : undefined) : given[field];

/** Options that the kind needs and does not have, and those that it has and does not take. */
export function misfits(kind: ScheduleKind | undefined, given: Given): Finding[] {
  const takes = kind === undefined ? [] : fieldsOf(kind);
  const needs = kind === undefined ? [] : neededOf(kind);
  const what = kind === undefined ? 'without a kind' : `for a ${kind} schedule`;
  const wrong = ALL.flatMap((field) => {
    const flag = flagOf(field);
    const isGiven = valueOf(field, given) !== undefined;
    if (isGiven && !takes.includes(field)) {
      return [finding('CLI_USAGE', flag, `${flag}: not taken ${what}`)];
    }
    if (!isGiven && needs.includes(field)) {
      return [finding('CLI_USAGE', flag, `${flag}: needed ${what}, got nothing`)];
    }
    return [];
  });
  const bare = (['warmup', 'warmupFrom'] as const)
    .filter(
      (name) => given[name] !== undefined && (kind === undefined || given['warmup'] === undefined),
    )
    .map((name) => {
      const flag = flagOf(name);
      const where = kind === undefined ? what : 'without --warmup';
      return finding('CLI_USAGE', flag, `${flag}: not taken ${where}`);
    });
  if (kind === undefined || wrong.length + bare.length > 0) return [...wrong, ...bare];
  const parsed = scheduleSchema.safeParse(documentOf(kind, given));
  if (parsed.success) return [];
  return parsed.error.issues.map((issue) => {
    const flag = flagOf(String(issue.path[0] ?? 'kind'));
    return finding('CLI_USAGE', flag, `${flag}: ${issue.message}`);
  });
}

/** The schedule that the options say; they have no misfits. */
export const scheduleOf = (kind: ScheduleKind, given: Given): Schedule =>
  scheduleSchema.parse(documentOf(kind, given));

function documentOf(kind: ScheduleKind, given: Given): unknown {
  const { warmup, warmupFrom } = given;
  const fields = fieldsOf(kind).flatMap((field) => {
    const value = valueOf(field, given);
    return value === undefined ? [] : [[field, value] as const];
  });
  return {
    kind,
    ...Object.fromEntries(fields),
    ...(warmup === undefined
      ? {}
      : { warmup: { steps: warmup, ...(warmupFrom === undefined ? {} : { from: warmupFrom }) } }),
  };
}

/** A schedule in a few words. */
export function describeSchedule(s: Schedule): string {
  const warm = s.warmup === undefined ? '' : `, after ${count(s.warmup.steps)} to warm up`;
  return `${words(s)}${warm}`;
}

function words(s: Schedule): string {
  switch (s.kind) {
    case 'constant':
      return 'constant';
    case 'exponential':
      return `exponential: ${number(s.rate)}, e^${number(s.delta)} every ${count(s.every)}`;
    case 'step':
      return `step: ${number(s.rate)}, x ${number(s.factor)} every ${count(s.every)}`;
    case 'multiStep':
      return `multiStep: ${number(s.rate)}, x ${number(s.factor)} at ${s.milestones.map(count).join(', ')}`;
    case 'linear':
    case 'cosine':
      return `${s.kind}: ${number(s.rate)} to ${number(s.final)} in ${count(s.steps)}`;
    case 'polynomial':
      return `polynomial: ${number(s.rate)} to ${number(s.final ?? 0)} in ${count(s.steps)}`;
    case 'cosineRestarts':
      return `cosineRestarts: ${number(s.rate)} to ${number(s.final ?? 0)} in ${count(s.steps)}, x ${s.growth ?? 1}`;
    case 'oneCycle':
      return `oneCycle: up to ${number(s.peak)}, in ${count(s.steps)}`;
    case 'cyclic':
      return `cyclic: ${number(s.rate)} to ${number(s.peak)} in ${count(s.up)}`;
    case 'plateau':
      return `plateau: ${number(s.rate)}, x ${number(s.factor ?? 0.1)} after ${count(s.patience ?? 10)}`;
  }
}
