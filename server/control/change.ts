/**
 * Changes of sliders and parameters as values: what is in one, and what is left of it without some.
 *
 * Invariant: pure functions; nothing is checked against a patch here (`state.ts` does), and nothing
 * that is given is changed.
 */

import type { Kept, ParamChange, State } from './state.ts';

/** All that a change is about. */
export const idsIn = ({ values = {}, frozen = {}, rates = {} }: ParamChange): Set<string> =>
  new Set([values, frozen, rates].flatMap((part) => Object.keys(part)));

/** The controls of a change: a drag is at the same ones again and again. */
export const keyOf = ({ values = {}, frozen = {}, rates = {} }: ParamChange): string =>
  JSON.stringify([values, frozen, rates].map((part) => Object.keys(part).toSorted()));

/** A change that leaves some alone. */
export function without(change: ParamChange, ids: ReadonlySet<string>): ParamChange {
  const rest = <T>(part: Readonly<Record<string, T>> = {}): Record<string, T> =>
    Object.fromEntries(Object.entries(part).filter(([id]) => !ids.has(id)));
  return { values: rest(change.values), frozen: rest(change.frozen), rates: rest(change.rates) };
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that are undefined. */
export const defined = <T extends object>(fields: T): Defined<T> =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Defined<T>;

/** What clients have set of a state, by the ids that they touched. */
export function only(
  { values, frozen, rates }: State,
  ids: ReadonlySet<string>,
): Pick<Kept, 'values' | 'frozen' | 'rates'> {
  return {
    values: new Map([...values].filter(([id]) => ids.has(id))),
    frozen: new Set([...frozen].filter((id) => ids.has(id))),
    rates: new Map([...rates].filter(([id]) => ids.has(id))),
  };
}
