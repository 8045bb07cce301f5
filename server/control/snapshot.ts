/**
 * A snapshot as a value: made of a state, and met with another one.
 *
 * Invariant: what fits is decided by ids and ranges, never by the hash: an edit of a patch takes the
 * snapshots of the version before as far as they mean the same. Pure functions; `snapshot-files.ts`
 * has the disk, `runners/snapshots.ts` the session.
 */

import { createHash } from 'node:crypto';
import type { Diagnostic } from '../../dsp/diagnostic.ts';
import { withoutProgram } from '../../dsp/patch/faust.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { SNAPSHOT_FORMAT, type Snapshot, type SnapshotFit } from '../api/snapshots.ts';
import { answer, refuse, type Outcome } from './outcome.ts';
import { learnablesOf, rateOf, specOf, type ParamChange, type State } from './state.ts';

/** Names in a message. */
const SHOWN = 8;

const hashes = new WeakMap<Patch, string>();

/** SHA-256 of what the values of a patch belong to: all but its training and its texts. */
export function hashOf(patch: Patch): string {
  const known = hashes.get(patch);
  if (known !== undefined) return known;
  const { training: _1, title: _2, doc: _3, expect: _4, ...sound } = withoutProgram(patch);
  const hash = createHash('sha256').update(JSON.stringify(sound)).digest('hex');
  hashes.set(patch, hash);
  return hash;
}

export function snapshotOf(state: State, name: string, saved: Date, doc?: string): Snapshot {
  const { patch, values, frozen, rates, step } = state;
  const learnables = learnablesOf(patch);
  const all = [...values];
  return {
    format: SNAPSHOT_FORMAT,
    name,
    ...(doc === undefined ? {} : { doc }),
    saved: saved.toISOString(),
    patch: { name: patch.name, hash: hashOf(patch) },
    step,
    sliders: Object.fromEntries(all.filter(([id]) => !learnables.has(id))),
    params: Object.fromEntries(all.filter(([id]) => learnables.has(id))),
    frozen: [...frozen],
    rates: Object.fromEntries(rates),
  };
}

interface Fitted {
  readonly fit: SnapshotFit;
  readonly change: {
    readonly [K in keyof ParamChange]-?: NonNullable<ParamChange[K]>;
  };
}

/**
 * What a snapshot sets in a state. A freeze or a rate counts for what is learnable on both sides, and
 * is in the change only where it is another.
 *
 * Errors: SNAPSHOT_MISFIT where the state lacks ids or has other ranges, unless `partial`; and where
 * it has none of the ids.
 */
export function fitTo(state: State, snapshot: Snapshot, partial = false): Outcome<Fitted> {
  const { patch } = state;
  const values: Record<string, number> = {};
  const fit = { taken: [], clamped: [], missing: [], untouched: [] } as Record<
    keyof SnapshotFit,
    string[]
  >;
  const misfits: Diagnostic[] = [];
  const misfit = (id: string, message: string): void => {
    misfits.push({ code: 'SNAPSHOT_MISFIT', path: id, message: `${id}: ${message}` });
  };
  const saved = { ...snapshot.sliders, ...snapshot.params };
  for (const [id, value] of Object.entries(saved)) {
    const spec = specOf(patch, id);
    if (spec === undefined) {
      fit.missing.push(id);
      misfit(id, `nothing is called so in patch ${patch.name}`);
      continue;
    }
    values[id] = Math.min(spec.max, Math.max(spec.min, value));
    if (values[id] === value) fit.taken.push(id);
    else {
      fit.clamped.push(id);
      misfit(id, `expected a value from ${spec.min} to ${spec.max}, got ${value}`);
    }
  }
  for (const id of state.values.keys()) if (!Object.hasOwn(saved, id)) fit.untouched.push(id);
  const fits = misfits.length === 0 || (partial && Object.keys(values).length > 0);
  if (!fits) return misfitting(snapshot, patch, fit, misfits);
  const frozen: Record<string, boolean> = {};
  const rates: Record<string, number> = {};
  const wasFrozen = new Set(snapshot.frozen);
  for (const id of Object.keys(snapshot.params)) {
    const spec = learnablesOf(patch).get(id);
    if (spec === undefined) continue;
    if (wasFrozen.has(id) !== state.frozen.has(id)) frozen[id] = wasFrozen.has(id);
    const rate = snapshot.rates[id] ?? spec.rate ?? 1;
    if (rate !== rateOf(state, id)) rates[id] = rate;
  }
  return answer({ fit, change: { values, frozen, rates } });
}

function misfitting(
  { name, patch: owner }: Snapshot,
  patch: Patch,
  { taken, clamped, missing }: SnapshotFit,
  misfits: readonly Diagnostic[],
): ReturnType<typeof refuse> {
  const whose = `snapshot "${name}" is of patch ${owner.name}, and patch ${patch.name}`;
  const some = [...taken, ...clamped];
  if (some.length === 0) {
    return refuse(
      'SNAPSHOT_MISFIT',
      `${whose} has nothing of it: it lacks ${named(missing)}`,
      misfits,
    );
  }
  const lacks = missing.length === 0 ? [] : [`lacks ${named(missing)}`];
  const ranges = clamped.length === 0 ? [] : [`has another range for ${named(clamped)}`];
  const hint = `"partial" takes ${named(some)} and leaves the rest`;
  return refuse(
    'SNAPSHOT_MISFIT',
    `${whose} ${[...lacks, ...ranges].join(' and ')}; ${hint}`,
    misfits.map((found, k) => (k === misfits.length - 1 ? { ...found, hint } : found)),
  );
}

const named = (ids: readonly string[]): string =>
  ids.length > SHOWN
    ? `${ids.slice(0, SHOWN).join(', ')} and ${ids.length - SHOWN} more`
    : ids.join(', ');
