/**
 * What a step is called: the words in which undo says what it took back.
 *
 * Invariant: pure functions of what is to change and of what it is called in the patch; a sentence
 * that is short, whatever the size of the change.
 */

import type { TrainingUpdate } from '../api/schemas.ts';
import { defined } from './change.ts';
import { specOf, type Lesson, type ParamChange, type State } from './state.ts';

/** Names in words. */
const SHOWN = 3;

/** Words of steps that are told once it is known what they mean. */
export const PLAY = '*play';
export const SCHEDULE = '*schedule';

/** What a change of values does: "set cutoff to 1000 Hz", "freeze gain". */
export function wordsOf({ patch }: State, change: ParamChange): string {
  const { values = {}, frozen = {}, rates = {} } = change;
  const [set, kept, paced] = [values, frozen, rates].map((part) => Object.keys(part));
  const parts = [
    ...wordsFor(set!, 'set', (id) => ` to ${quantity(values[id]!, specOf(patch, id)?.unit)}`),
    ...wordsFor(
      kept!.filter((id) => frozen[id]),
      'freeze',
    ),
    ...wordsFor(
      kept!.filter((id) => !frozen[id]),
      'unfreeze',
    ),
    ...wordsFor(paced!, 'set the rate of', (id) => ` to ${quantity(rates[id]!)}`),
  ];
  return parts.join(', ');
}

function wordsFor(
  ids: readonly string[],
  verb: string,
  end: (id: string) => string = () => '',
): string[] {
  const [first] = ids;
  if (first === undefined) return [];
  if (ids.length === 1) return [`${verb} ${first}${end(first)}`];
  return [`${verb} ${namedOf(ids)}`];
}

export const namedOf = (ids: readonly string[]): string =>
  ids.length > SHOWN ? `${ids.length} parameters` : ids.join(', ');

const quantity = (value: number, unit?: string): string =>
  [String(Number(value.toPrecision(5))), ...(unit === undefined ? [] : [unit])].join(' ');

/** What a change of the lesson does. */
export function lessonWords(learn: Lesson['learn'] = {}, training: TrainingUpdate = {}): string {
  const { running: _running, ...settings } = training;
  const [on, off] = [true, false].map((wanted) =>
    Object.keys(learn).filter((id) => (learn[id] !== false) === wanted),
  );
  const keys = Object.keys(defined(settings));
  return [
    ...(on!.length === 0 ? [] : [`make ${namedOf(on!)} learnable`]),
    ...(off!.length === 0 ? [] : [`make ${namedOf(off!)} no longer learnable`]),
    ...(keys.length === 0 ? [] : [`change the training: ${keys.join(', ')}`]),
  ].join(', ');
}
