/**
 * The operations of snapshots and morphs.
 *
 * Invariant: what fits is decided against the state of the moment in which it is set, in one go;
 * everyone else is told the whole list after each change of it.
 */

import type { Snapshot, SnapshotFit, SnapshotHeading } from '../../api/snapshots.ts';
import type { Host, RunnersOf } from '../operations.ts';
import { answer, type Outcome } from '../outcome.ts';
import type { Origin, Session } from '../session.ts';
import { fitTo, hashOf, learnerFor, snapshotOf, type Fitted } from '../snapshot.ts';
import type { Kept } from '../snapshot-files.ts';
import { withParams } from '../state.ts';

type Revised<T> = T & { readonly revision: number };

const headingOf = ({ session }: Host, kept: Kept): SnapshotHeading => ({
  ...kept,
  fits: kept.patch.hash === hashOf(session.state.patch),
});

async function list(host: Host): Promise<{ snapshots: SnapshotHeading[] }> {
  const all = await host.snapshots.list();
  return { snapshots: all.map((kept) => headingOf(host, kept)) };
}

/** The heading of what was changed, once everyone else is told. */
async function told(
  host: Host,
  changed: Outcome<Kept>,
  origin: Origin,
): Promise<Outcome<Revised<SnapshotHeading>>> {
  if (!changed.ok) return changed;
  const revision = host.session.announce('snapshots.changed', await list(host), origin);
  return answer({ ...headingOf(host, changed.value), revision });
}

/** Takes a snapshot with its step and what its optimiser remembers. */
async function resume(
  session: Session,
  snapshot: Snapshot,
  { fit, change }: Fitted,
  origin: Origin,
): Promise<Outcome<Revised<SnapshotFit>>> {
  const learner = learnerFor(session.state, snapshot);
  if (!learner.ok) return learner;
  const { paceMemory, optimiser } = learner.value;
  const next = withParams(session.state, change);
  if (!next.ok) return next;
  const { step, name } = snapshot;
  const state = { ...next.value, step, paceMemory: [...paceMemory], fault: false, cause: null };
  const words = `load "${name}"`;
  const exchanged = await session.exchange(state, { origin, optimiser, words });
  return exchanged.ok ? answer({ ...fit, revision: session.revision }) : exchanged;
}

export const SNAPSHOT_RUNNERS: RunnersOf<'snapshots' | 'morph'> = {
  'snapshots.list': async (host) => answer(await list(host)),
  'snapshots.get': ({ snapshots }, { name }) => snapshots.read(name),
  'snapshots.save': async (host, { name, doc, replace }, origin) => {
    const recalled = await host.session.recall();
    const snapshot = snapshotOf(host.session.state, name, new Date(), doc, recalled);
    return told(host, await host.snapshots.write(snapshot, replace), origin);
  },
  'snapshots.import': async (host, { snapshot, replace }, origin) =>
    told(host, await host.snapshots.write(snapshot, replace), origin),
  'snapshots.load': async ({ session, snapshots }, { name, partial, optimiser }, origin) => {
    const snapshot = await snapshots.read(name);
    if (!snapshot.ok) return snapshot;
    const fitted = fitTo(session.state, snapshot.value, partial);
    if (!fitted.ok) return fitted;
    if (optimiser) return resume(session, snapshot.value, fitted.value, origin);
    const set = session.setParams(fitted.value.change, origin, `load "${name}"`);
    return set.ok ? answer({ ...fitted.value.fit, revision: set.value.revision }) : set;
  },
  'snapshots.rename': async (host, { name, to }, origin) =>
    told(host, await host.snapshots.rename(name, to), origin),
  'snapshots.delete': async (host, { name }, origin) => {
    const deleted = await told(host, await host.snapshots.delete(name), origin);
    return deleted.ok ? answer({ revision: deleted.value.revision }) : deleted;
  },

  'morph.get': ({ morph }) => answer(morph.state),
  'morph.start': async ({ session, snapshots, morph }, input, origin) => {
    const { from, to, seconds, partial } = input;
    const [end, start] = [
      await snapshots.read(to),
      from === undefined ? undefined : await snapshots.read(from),
    ];
    if (!end.ok) return end;
    if (start?.ok === false) return start;
    const ends = fitTo(session.state, end.value, partial);
    if (!ends.ok) return ends;
    const starts = start === undefined ? undefined : fitTo(session.state, start.value, partial);
    if (starts?.ok === false) return starts;
    const began = morph.start(
      {
        from: from ?? null,
        to,
        seconds,
        ...(starts === undefined ? {} : { start: starts.value.change.values }),
        end: ends.value.change.values,
      },
      origin,
    );
    if (!began.ok) return began;
    return answer({ ...began.value, fit: ends.value.fit, revision: session.revision });
  },
  'morph.stop': ({ session, morph }, _, origin) => {
    const stopped = morph.stop(origin);
    return answer({ ...stopped, revision: session.revision });
  },
};
