/**
 * A/B audition: two whole states, of which one plays and the other waits.
 *
 * Invariants: A is what played when it began, with what its optimiser remembered, all of one moment
 * between two blocks, and comes back so; neither side learns while it lasts; what clients set belongs
 * to the side that is heard; what is kept on disk is A until somebody commits. `session.ts` refuses
 * what would exchange a side; this knows no other way to the engine.
 *
 * Level match: the mean power over all outputs while each side was heard, before the gain of the
 * output, the last five seconds of it; B gets the difference, at most MAX_MATCH_DB.
 */

import { named, numbersFor } from '../../dsp/run/recall.ts';
import {
  MAX_MATCH_DB,
  type AuditionState,
  type Candidate,
  type SideName,
} from '../api/audition.ts';
import type { Measurement } from '../engine/types.ts';
import { answer, refuse, type Outcome } from './outcome.ts';
import type { Origin, Session } from './session.ts';
import { withRecalled } from './snapshot.ts';
import type { State } from './state.ts';

/** Measurements, sixty a second: until a level counts, and that it looks back on. */
const ENOUGH = 30;
const LOOKED_BACK = 300;
/** Seconds after a change of side or gain that say nothing of a level. */
const SETTLING = 0.15;
/** Between two changes of the match while B is heard, seconds; and from what difference on, dB. */
const PATIENCE = 0.5;
const AUDIBLE_DB = 0.25;
/** Mean power below which nothing is heard. */
const SILENCE = 1e-9;

const WHY =
  'an audition is under way: commit it (POST /audition/commit) or roll it back (POST /audition/rollback) first';

interface Level {
  power: number;
  count: number;
}

interface Side {
  /** As it waits; what plays is the state of the session. */
  state: State;
  /** Of what waits. */
  optimiser: Float64Array | null;
  readonly level: Level;
}

interface Run {
  readonly candidate: Candidate;
  readonly a: Side;
  readonly b: Side;
  /** Whether A was learning. */
  readonly isLearning: boolean;
  heard: SideName;
  match: boolean;
  matchDb: number;
}

const NONE: AuditionState = {
  state: 'none',
  heard: null,
  candidate: null,
  a: null,
  b: null,
  match: false,
  matchDb: 0,
};

export class Audition {
  readonly #session: Session;
  #run: Run | undefined;
  #ended: AuditionState = NONE;
  /** Of what plays, also before anything is compared. */
  #level: Level = { power: 0, count: 0 };
  #program = 0;
  /** Frame until which measurements say nothing of the level, and at which the match may move. */
  #settled = 0;
  #patient = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(session: Session) {
    this.#session = session;
  }

  get state(): AuditionState {
    const run = this.#run;
    if (run === undefined) return this.#ended;
    const { heard, candidate, match, matchDb } = run;
    const side = (name: SideName): AuditionState['a'] => {
      const state = heard === name ? this.#session.state : run[name].state;
      return { patch: state.patch.name, step: state.step, levelDb: levelOf(run[name].level) };
    };
    return { state: 'running', heard, candidate, a: side('a'), b: side('b'), match, matchDb };
  }

  /** What is to be kept on disk: A, as it will go on. */
  get lasting(): State {
    const run = this.#run;
    if (run === undefined) return this.#session.state;
    const { state } = run.heard === 'a' ? this.#session : run.a;
    return { ...state, learning: run.isLearning };
  }

  /** @param make  the state that B begins with, of what plays when its turn comes */
  start(
    candidate: Candidate,
    match: boolean,
    make: () => Promise<Outcome<State>>,
    origin: Origin,
  ): Promise<Outcome<AuditionState>> {
    return this.#serially(async () => {
      if (this.#run !== undefined) return refuse('AUDITION_UNDER_WAY', WHY);
      this.#session.bar(WHY);
      const begun = await this.#begin(candidate, match, make, origin);
      if (!begun.ok) this.#session.bar(null);
      return begun;
    });
  }

  async #begin(
    candidate: Candidate,
    match: boolean,
    make: () => Promise<Outcome<State>>,
    origin: Origin,
  ): Promise<Outcome<AuditionState>> {
    const made = await make();
    if (!made.ok) return made;
    const level = this.#level;
    const now = this.#session.state;
    const recalled = await this.#session.recall();
    const next = { ...made.value, learning: false };
    const exchanged = await this.#session.exchange(next, {
      origin,
      optimiser: recalled === null ? null : carried(now, recalled.optimiser, next),
    });
    if (!exchanged.ok) return exchanged;
    const { state: left, touched } = exchanged.value;
    const { learning: isLearning } = left;
    const still = { ...left, learning: false };
    this.#session.record(left, still, { origin });
    const moment = recalled === null ? still : withRecalled(still, recalled);
    // What somebody set on the way is newer than the moment.
    const values = new Map(moment.values);
    for (const id of touched) values.set(id, left.values.get(id) ?? 0);
    const optimiser = recalled?.optimiser ?? null;
    const a: Side = { state: { ...moment, values }, optimiser, level };
    const b: Side = { state: made.value, optimiser: null, level: { power: 0, count: 0 } };
    this.#run = { candidate, a, b, isLearning, heard: 'b', match, matchDb: 0 };
    this.#session.bar(WHY, true);
    this.#hear(b);
    return this.#tell(origin);
  }

  /** @param heard  the other one if not given */
  compare(
    {
      heard,
      match,
    }: { readonly heard?: SideName | undefined; readonly match?: boolean | undefined },
    origin: Origin,
  ): Promise<Outcome<AuditionState>> {
    return this.#running(async (run) => {
      const wanted = heard ?? (match === undefined ? other(run.heard) : run.heard);
      const gone = await this.#goTo(run, wanted, origin);
      if (!gone.ok) return gone;
      run.match = match ?? run.match;
      this.#match(run);
      return this.#tell(origin);
    });
  }

  commit(origin: Origin): Promise<Outcome<AuditionState>> {
    return this.#running(async (run) => {
      const gone = await this.#goTo(run, 'b', origin);
      if (!gone.ok) return gone;
      const { name, kind } = run.candidate;
      const what = name === null ? `the ${kind === 'values' ? 'values' : 'patch'}` : `"${name}"`;
      const { state } = this.#session;
      const ended = await this.#end(run, 'committed', origin);
      const { learning } = this.#session.state;
      const words = `keep ${what}`;
      this.#session.record(run.a.state, { ...state, learning }, { origin, words });
      return ended;
    });
  }

  rollback(origin: Origin): Promise<Outcome<AuditionState>> {
    return this.#running(async (run) => {
      const gone = await this.#goTo(run, 'a', origin);
      return gone.ok ? this.#end(run, 'rolledBack', origin) : gone;
    });
  }

  feed({ program, frames, outputRms }: Measurement): void {
    const { state, machine } = this.#session;
    const { status } = machine;
    if (program !== this.#program) {
      this.#program = program;
      if (this.#run === undefined) this.#level = { power: 0, count: 0 };
      this.#settled = frames + SETTLING * status.sampleRate;
    }
    if (program !== state.program || frames < this.#settled || status.muted) return;
    const power = outputRms.reduce((sum, rms) => sum + rms * rms, 0) / 10 ** (status.gainDb / 10);
    if (!Number.isFinite(power)) return;
    const level = this.#level;
    level.count = Math.min(level.count + 1, LOOKED_BACK);
    level.power += (power - level.power) / level.count;
    const run = this.#run;
    if (run === undefined || run.heard === 'a' || !run.match || frames < this.#patient) return;
    this.#patient = frames + PATIENCE * status.sampleRate;
    if (Math.abs(matchOf(run) - run.matchDb) < AUDIBLE_DB) return;
    this.#match(run);
    this.#settled = frames + SETTLING * status.sampleRate;
    this.#tell(undefined);
  }

  async #goTo(run: Run, to: SideName, origin: Origin): Promise<Outcome<null>> {
    if (run.heard === to) return answer(null);
    const [from, side] = [run[run.heard], run[to]];
    const recalled = await this.#session.recall();
    const { optimiser } = side;
    const exchanged = await this.#session.exchange(side.state, { origin, optimiser });
    if (!exchanged.ok) return exchanged;
    // A's memory is that of its moment: it has not learned since.
    from.state = exchanged.value.state;
    if (run.heard === 'b') from.optimiser = recalled?.optimiser ?? null;
    run.heard = to;
    this.#session.bar(WHY, to === 'b');
    this.#hear(side);
    this.#match(run);
    return answer(null);
  }

  #hear({ level }: Side): void {
    this.#level = level;
    this.#settled = Number.POSITIVE_INFINITY;
    this.#program = -1;
  }

  #match(run: Run): void {
    const wanted = run.match && run.heard === 'b' ? matchOf(run) : 0;
    if (wanted === run.matchDb) return;
    run.matchDb = wanted;
    this.#session.machine.trim(wanted);
  }

  async #end(
    run: Run,
    state: 'committed' | 'rolledBack',
    origin: Origin,
  ): Promise<Outcome<AuditionState>> {
    run.match = false;
    this.#match(run);
    this.#ended = { ...this.state, state, heard: null };
    this.#run = undefined;
    this.#session.bar(null);
    const { patch } = this.#session.state;
    if (run.isLearning && patch.training !== undefined) {
      await this.#session.setLearning(true, undefined);
    }
    return this.#tell(origin);
  }

  #tell(origin: Origin): Outcome<AuditionState> {
    this.#session.announce('audition.changed', this.state, origin);
    return answer(this.state);
  }

  #running(task: (run: Run) => Promise<Outcome<AuditionState>>): Promise<Outcome<AuditionState>> {
    return this.#serially(async () =>
      this.#run === undefined
        ? refuse('NO_AUDITION', 'nothing is being compared: start an audition first')
        : task(this.#run),
    );
  }

  #serially<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#tail.then(task);
    this.#tail = run.catch(() => undefined);
    return run;
  }
}

const other = (side: SideName): SideName => (side === 'a' ? 'b' : 'a');

/** What the optimiser of another version of a patch takes over, by names. */
function carried(from: State, optimiser: Float64Array, to: State): Float64Array | null {
  if (from.artifact === null || to.artifact === null) return null;
  if (from.patch.name !== to.patch.name) return null;
  if (from.artifact === to.artifact) return optimiser;
  return numbersFor(to.artifact, named(from.artifact, optimiser));
}

/** dBFS; null where it has not been heard for long enough, or nothing was. */
const levelOf = ({ power, count }: Level): number | null =>
  count < ENOUGH || power < SILENCE ? null : 10 * Math.log10(power);

/** What makes B as loud as A, as far as both are known, dB. */
function matchOf({ a, b, matchDb }: Run): number {
  const [wanted, is] = [levelOf(a.level), levelOf(b.level)];
  if (wanted === null || is === null) return matchDb;
  return Math.min(MAX_MATCH_DB, Math.max(-MAX_MATCH_DB, wanted - is));
}
