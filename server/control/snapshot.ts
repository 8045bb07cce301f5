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
import { named, numbersFor, optimiserLength, type Recalled } from '../../dsp/run/recall.ts';
import {
  MAX_REMEMBERED,
  SNAPSHOT_FORMAT,
  type Snapshot,
  type SnapshotFit,
} from '../api/snapshots.ts';
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

/** A snapshot with what the learner remembers, all of one moment. */
export function snapshotOf(
  now: State,
  name: string,
  saved: Date,
  doc?: string,
  recalled: Recalled | null = null,
): Snapshot {
  const state = recalled === null ? now : withRecalled(now, recalled);
  const { patch, values, frozen, rates, step } = state;
  const learner = recalled === null ? null : learnerOf(now, recalled);
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
    ...(learner === null ? {} : { learner }),
  };
}

/** A state with the parameters and the step of one moment. */
export function withRecalled(state: State, { step, paceMemory, params }: Recalled): State {
  const { artifact } = state;
  if (artifact === null || artifact.params.length !== params.length) return state;
  const values = new Map(state.values);
  artifact.params.forEach(({ id }, k) => values.set(id, params[k]!));
  return { ...state, values, step, paceMemory };
}

function learnerOf({ artifact }: State, recalled: Recalled): Snapshot['learner'] | null {
  const { optimiser, paceMemory } = recalled;
  if (artifact === null || artifact.window === 0) return null;
  if (optimiser.length !== optimiserLength(artifact) || optimiser.length > MAX_REMEMBERED) {
    return null;
  }
  const remembered = Object.entries(named(artifact, optimiser));
  return {
    paceMemory: [...paceMemory],
    optimiser: Object.fromEntries(
      remembered.map(([state, of]) => [state, Array.isArray(of) ? of : { ...of }]),
    ),
  };
}

/**
 * What the optimiser of a state is to remember, as a snapshot has it.
 *
 * Errors: SNAPSHOT_MISFIT where the snapshot has nothing of it, is of another patch, or of another
 * optimiser.
 */
export function learnerFor(
  { patch, artifact }: State,
  snapshot: Snapshot,
): Outcome<{ readonly paceMemory: readonly number[]; readonly optimiser: Float64Array }> {
  const { name, learner } = snapshot;
  const misfit = (why: string): ReturnType<typeof refuse> =>
    refuse('SNAPSHOT_MISFIT', `snapshot "${name}" cannot go on learning: ${why}`);
  if (learner === undefined) return misfit('it does not hold what an optimiser remembers');
  if (snapshot.patch.hash !== hashOf(patch)) return misfit(`it is not of patch ${patch.name}`);
  if (artifact === null || artifact.window === 0) return misfit('the patch has no training');
  const optimiser = numbersFor(artifact, learner.optimiser);
  if (optimiser !== null) return answer({ paceMemory: learner.paceMemory, optimiser });
  if (optimiserLength(artifact) > 0 || Object.keys(learner.optimiser).length > 0) {
    return misfit('it was learning with another optimiser');
  }
  return answer({ paceMemory: learner.paceMemory, optimiser: new Float64Array() });
}

export interface Fitted {
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
      `${whose} has nothing of it: it lacks ${listed(missing)}`,
      misfits,
    );
  }
  const lacks = missing.length === 0 ? [] : [`lacks ${listed(missing)}`];
  const ranges = clamped.length === 0 ? [] : [`has another range for ${listed(clamped)}`];
  const hint = `"partial" takes ${listed(some)} and leaves the rest`;
  return refuse(
    'SNAPSHOT_MISFIT',
    `${whose} ${[...lacks, ...ranges].join(' and ')}; ${hint}`,
    misfits.map((found, k) => (k === misfits.length - 1 ? { ...found, hint } : found)),
  );
}

const listed = (ids: readonly string[]): string =>
  ids.length > SHOWN
    ? `${ids.slice(0, SHOWN).join(', ')} and ${ids.length - SHOWN} more`
    : ids.join(', ');
