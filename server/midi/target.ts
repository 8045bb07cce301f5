/**
 * What a controller can move: sliders and parameters of the patch that plays, learning, the gain.
 *
 * Invariant: everything is done by the session, like the call of any client.
 */

import { HOST_TARGETS } from '../api/midi.ts';
import type { Outcome } from '../control/outcome.ts';
import type { Origin, Session } from '../control/session.ts';
import { specOf } from '../control/state.ts';
import type { Scale } from './travel.ts';

/** A target of the host. */
interface HostTarget {
  readonly scale: Scale;
  read(session: Session): number;
  write(
    session: Session,
    value: number,
    origin: Origin,
  ): Outcome<unknown> | Promise<Outcome<unknown>> | undefined;
}

const HOST: Readonly<Record<(typeof HOST_TARGETS)[number], HostTarget>> = {
  'training/learning': {
    scale: { min: 0, max: 1 },
    read: ({ state }) => Number(state.learning),
    write(session, value, origin) {
      const on = value >= 0.5;
      return on === session.state.learning ? undefined : session.setLearning(on, origin);
    },
  },
  // Below and above, a fader would have no fine ground left.
  'output/gain': {
    scale: { min: -60, max: 12 },
    read: (session) => session.output().gainDb,
    write: (session, gainDb, origin) => session.setOutput({ gainDb }, origin),
  },
};

export interface Target {
  readonly scale: Scale;
  readonly value: number;
  /** Of the host; a control of the patch has none. */
  readonly host: HostTarget | undefined;
}

/** What an id means now; a control of the patch goes before one of the host. */
export function targetOf(session: Session, id: string): Target | undefined {
  const { patch, values } = session.state;
  const spec = specOf(patch, id);
  if (spec !== undefined) {
    return { scale: spec, value: values.get(id) ?? spec.initial, host: undefined };
  }
  const known = HOST_TARGETS.find((name) => name === id);
  if (known === undefined) return undefined;
  const host = HOST[known];
  return { scale: host.scale, value: host.read(session), host };
}
