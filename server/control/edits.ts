/**
 * What clients have done, step by step, so that it can be undone and done again.
 *
 * Invariants: a step holds what it changed, before and after, and nothing else, so that undoing it
 * leaves alone what was learned meanwhile; steps and numbers in them are bounded, the oldest go; a
 * new step ends what could be done again. Here nothing is applied: `session.ts` does.
 *
 * Learning moves values all the time and is no step while it does; from its start to its end it is
 * one. What is set by hand meanwhile counts as if it had been so from the start of it.
 */

import { isDeepStrictEqual } from 'node:util';
import { withoutProgram } from '../../dsp/patch/faust.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { COALESCING, MAX_EDITS, type EditsState, type NextEdits } from '../api/edits.ts';
import type { Origin } from './session.ts';
import { learnablesOf, rateOf, type State } from './state.ts';

/** Numbers in all steps together: a network has many, and learning touches each. */
const MAX_VALUES = 1_000_000;
/** Between two notices of a step that grows, ms. */
const NOTICE = 250;
/** One side of a step: what is to be set for it. */
export interface Side {
  readonly patch?: Patch;
  readonly file?: string | null;
  readonly values: Readonly<Record<string, number>>;
  readonly frozen: Readonly<Record<string, boolean>>;
  readonly rates: Readonly<Record<string, number>>;
}

export interface Edit {
  readonly words: string;
  readonly before: Side;
  readonly after: Side;
}

/** Who does what. */
export interface Deed {
  /** Undefined where it is no step. */
  readonly words?: string | undefined;
  readonly origin: Origin;
  /** What is dragged: the same of the same client, soon after, is the same step. */
  readonly key?: string;
  /** Whether somebody wants it to learn, or not to. */
  readonly isAsked?: boolean;
  /** All controls that may have changed, where that is known. */
  readonly ids?: ReadonlySet<string>;
}

interface Recorded extends Edit {
  readonly origin: Origin;
  readonly key: string | undefined;
  readonly at: number;
}

/** Learning, since it began. */
interface Course {
  readonly patch: string;
  readonly values: Map<string, number>;
  step: number;
  /** Somebody started it, and nobody did anything since. */
  isLast: boolean;
}

export type Direction = 'undo' | 'redo';

export class Edits {
  readonly #tell: (next: NextEdits) => void;
  readonly #lists: Record<Direction, Recorded[]> = { undo: [], redo: [] };
  #course: Course | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param tell  called when there is another next step, soon after where a step only grows */
  constructor(tell: (next: NextEdits) => void) {
    this.#tell = tell;
  }

  get state(): EditsState {
    const { undo, redo } = this.#lists;
    return {
      undo: undo.map(({ words }) => words).toReversed(),
      redo: redo.map(({ words }) => words).toReversed(),
    };
  }

  next(direction: Direction): Edit | undefined {
    return this.#lists[direction].at(-1);
  }

  /** Whether the last that somebody did was to start learning, and it has learned since. */
  learnedLast({ learning, step }: State): boolean {
    const course = this.#course;
    return learning && course !== undefined && course.isLast && step > course.step;
  }

  /** A step has been undone, or done again. */
  moved(edit: Edit, direction: Direction): void {
    const from = this.#lists[direction];
    const at = from.findIndex((one) => one === edit);
    const [found] = at < 0 ? [] : from.splice(at, 1);
    if (found === undefined) return;
    this.#lists[direction === 'undo' ? 'redo' : 'undo'].push({ ...found, key: undefined });
    this.#notice(0);
  }

  /** To be called with every change of the state that somebody makes, or learning's end. */
  follow(before: State, after: State, deed: Deed): void {
    const { words, origin, key, isAsked = false, ids } = deed;
    const [was, is] = [sideOf(before, after, ids), sideOf(after, before, ids)];
    this.#followCourse(before, after, is, isAsked, origin);
    if (words === undefined || isEmpty(was, is)) return;
    if (this.#course !== undefined) this.#course.isLast = false;
    this.#record({ words, before: was, after: is, origin, key, at: performance.now() });
  }

  #followCourse(before: State, after: State, is: Side, isAsked: boolean, origin: Origin): void {
    const course = this.#course;
    if (course !== undefined && course.patch === after.patch.name) {
      for (const [id, value] of Object.entries(is.values)) course.values.set(id, value);
      course.step = Math.min(course.step, after.step);
      if (after.learning) return;
      this.#course = undefined;
      this.#learned(course, after, origin);
      return;
    }
    this.#course = undefined;
    if (!after.learning) return;
    const { patch, values, step } = after;
    const ids = [...learnablesOf(patch).keys()];
    this.#course = {
      patch: patch.name,
      values: new Map(ids.map((id) => [id, values.get(id) ?? 0])),
      step,
      isLast: isAsked && !before.learning,
    };
  }

  /** Learning is over: one step. */
  #learned(course: Course, { patch, values, step }: State, origin: Origin): void {
    const ids = [...learnablesOf(patch).keys()].filter(
      (id) => course.values.has(id) && course.values.get(id) !== values.get(id),
    );
    if (ids.length === 0) return;
    const side = (of: ReadonlyMap<string, number>): Side => ({
      values: Object.fromEntries(ids.map((id) => [id, of.get(id) ?? 0])),
      frozen: {},
      rates: {},
    });
    const steps = step - course.step;
    this.#record({
      words: `learn ${steps} ${steps === 1 ? 'step' : 'steps'}`,
      before: side(course.values),
      after: side(values),
      origin,
      key: undefined,
      at: performance.now(),
    });
  }

  #record(edit: Recorded): void {
    const { undo, redo } = this.#lists;
    const last = undo.at(-1);
    const isSame =
      last !== undefined &&
      redo.length === 0 &&
      edit.key !== undefined &&
      last.key === edit.key &&
      last.origin === edit.origin &&
      edit.at - last.at < COALESCING;
    redo.length = 0;
    if (!isSame) {
      undo.push(edit);
      this.#bound();
      this.#notice(0);
      return;
    }
    undo[undo.length - 1] = { ...edit, before: joined(edit.before, last.before) };
    this.#notice(NOTICE);
  }

  #bound(): void {
    const { undo } = this.#lists;
    const size = ({ before, after }: Edit): number =>
      Object.keys(before.values).length + Object.keys(after.values).length;
    let all = undo.reduce((sum, edit) => sum + size(edit), 0);
    while (undo.length > MAX_EDITS || (all > MAX_VALUES && undo.length > 1)) {
      all -= size(undo.shift()!);
    }
  }

  /** @param wait  ms; a notice that waits already is enough */
  #notice(wait: number): void {
    if (wait > 0) {
      this.#timer ??= setTimeout(() => this.#notice(0), wait).unref();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const words = (direction: Direction): string | null => this.next(direction)?.words ?? null;
    this.#tell({ undo: words('undo'), redo: words('redo') });
  }
}

/** @param ids  controls that may differ; all if not given */
function sideOf(state: State, other: State, ids: Iterable<string> = state.values.keys()): Side {
  const { patch, file, values, frozen } = state;
  const isOther = patch !== other.patch && !isDeepStrictEqual(plain(patch), plain(other.patch));
  const learnables = learnablesOf(patch);
  const others = learnablesOf(other.patch);
  const side: {
    values: Record<string, number>;
    frozen: Record<string, boolean>;
    rates: Record<string, number>;
  } = { values: {}, frozen: {}, rates: {} };
  for (const id of ids) {
    const value = values.get(id);
    if (value !== undefined && value !== other.values.get(id)) side.values[id] = value;
    if (!learnables.has(id)) continue;
    const isNew = !others.has(id);
    if (isNew || frozen.has(id) !== other.frozen.has(id)) side.frozen[id] = frozen.has(id);
    const rate = rateOf(state, id);
    if (isNew || rate !== rateOf(other, id)) side.rates[id] = rate;
  }
  return { ...(isOther ? { patch } : {}), ...(file === other.file ? {} : { file }), ...side };
}

const plain = (patch: Patch): unknown => withoutProgram(patch);

const isEmpty = (...sides: readonly Side[]): boolean =>
  sides.every(
    ({ patch, values, frozen, rates }) =>
      patch === undefined &&
      [values, frozen, rates].every((part) => Object.keys(part).length === 0),
  );

/** What was before two steps that are one: the first has the say. */
const joined = (second: Side, first: Side): Side => ({
  ...second,
  ...first,
  values: { ...second.values, ...first.values },
  frozen: { ...second.frozen, ...first.frozen },
  rates: { ...second.rates, ...first.rates },
});
