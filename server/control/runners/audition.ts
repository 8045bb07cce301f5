/**
 * The operations of the audition.
 *
 * Invariant: a candidate is made of what plays in the moment in which it is taken, and checked whole
 * before anything is heard of it.
 */

import type { Input } from '../../api/operations.ts';
import type { AuditionState, Candidate } from '../../api/audition.ts';
import type { Host, RunnersOf } from '../operations.ts';
import { answer, refuse, type Outcome } from '../outcome.ts';
import { namedPatch } from '../patch-input.ts';
import type { Session } from '../session.ts';
import { fitTo } from '../snapshot.ts';
import { fromStepZero, stateOf, withParams, type State } from '../state.ts';

const KINDS = ['patch', 'library', 'snapshot', 'values'] as const;

/** The state that a patch begins with: a version of what plays goes on with its values. */
async function stateFor(session: Session, json: unknown): Promise<Outcome<State>> {
  const made = await session.compile(json, session.state.patch);
  if (!made.ok) return made;
  const { patch, artifact } = made.value;
  const now = session.state;
  if (patch.name !== now.patch.name) {
    return answer({ ...stateOf(fromStepZero(patch)), artifact, learning: false });
  }
  return answer({ ...stateOf(patch, now), artifact, learning: false, file: null });
}

async function candidateOf(
  { session, library, snapshots }: Host,
  input: Input<'audition.start'>,
): Promise<Outcome<State>> {
  const { patch, library: name, snapshot, values, partial } = input;
  if (patch !== undefined) {
    const named = namedPatch(patch);
    return named.ok ? stateFor(session, named.value) : named;
  }
  if (name !== undefined) {
    const found = await library.read(name);
    return found.ok ? stateFor(session, found.value.document) : found;
  }
  if (snapshot !== undefined) {
    const found = await snapshots.read(snapshot);
    if (!found.ok) return found;
    const fitted = fitTo(session.state, found.value, partial);
    return fitted.ok ? withParams(session.state, fitted.value.change) : fitted;
  }
  return withParams(session.state, { values });
}

/** With the revision of now. */
async function revised(
  { session }: Host,
  done: Promise<Outcome<AuditionState>>,
): Promise<Outcome<AuditionState & { readonly revision: number }>> {
  const state = await done;
  return state.ok ? answer({ ...state.value, revision: session.revision }) : state;
}

export const AUDITION_RUNNERS: RunnersOf<'audition'> = {
  'audition.get': ({ audition }) => answer(audition.state),
  'audition.start': async (host, input, origin) => {
    const given = KINDS.filter((kind) => input[kind] !== undefined);
    const [kind] = given;
    if (kind === undefined || given.length > 1) {
      const got = given.length === 0 ? 'none' : given.join(' and ');
      return refuse('INVALID_INPUT', `expected one of ${KINDS.join(', ')}, got ${got}`);
    }
    const name = kind === 'library' || kind === 'snapshot' ? (input[kind] ?? null) : null;
    const candidate: Candidate = { kind, name };
    const make = (): Promise<Outcome<State>> => candidateOf(host, input);
    return revised(host, host.audition.start(candidate, input.match, make, origin));
  },
  'audition.compare': (host, input, origin) => revised(host, host.audition.compare(input, origin)),
  'audition.commit': (host, _, origin) => revised(host, host.audition.commit(origin)),
  'audition.rollback': (host, _, origin) => revised(host, host.audition.rollback(origin)),
};
