/**
 * What a learner remembers besides its parameters, as numbers that can be kept and given back: steps
 * done, what the schedule has seen of the losses, what the optimiser has in its states.
 *
 * Invariant: reading and giving back copy words of memory and allocate nothing; which number is whose
 * is said by names, those of `adopt.ts`, so that they mean the same in another compilation. A state
 * with a lane for each parameter is by the ids of the parameters, any other a list.
 */

import type { Artifact, StateSlot } from '../artifact.ts';
import { REMEMBERED } from '../learn/schedules/numbers.ts';
import type { Memory } from './kernel.ts';

/** By the name of a state, `adam.mean#0`. */
export type Remembered = Readonly<Record<string, Readonly<Record<string, number>> | number[]>>;

/** Of a learner at one moment, between two blocks. */
export interface Recalled {
  readonly step: number;
  readonly paceMemory: readonly number[];
  readonly params: readonly number[];
  /** In the order of the artifact's states. */
  readonly optimiser: Float64Array;
}

/** Where the numbers of a recall lie. */
export const RECALL = { step: 0, paceMemory: 1, params: 1 + REMEMBERED } as const;

const slotsOf = ({ layout }: Artifact): StateSlot[] =>
  layout.states.filter(({ graph, type, head }) => graph === 'once' && type === 'f64' && head === 0);

const sizeOf = ({ frames, places }: StateSlot): number => frames * places;

/** How many numbers the optimiser remembers. */
export const optimiserLength = (artifact: Artifact): number =>
  slotsOf(artifact).reduce((sum, slot) => sum + sizeOf(slot), 0);

/** Numbers of a recall. */
export const recallLength = (artifact: Artifact): number =>
  RECALL.params + artifact.params.length + optimiserLength(artifact);

/** First doubles and counts of the optimiser's states, flat. */
export const optimiserPlaces = (artifact: Artifact): Int32Array =>
  Int32Array.from(slotsOf(artifact).flatMap((slot) => [slot.address / 8, sizeOf(slot)]));

/** Copies what the optimiser remembers to `into`, from `at` on. Allocates nothing. */
export function readOptimiser(
  places: Int32Array,
  { doubles }: Memory,
  into: Float64Array,
  at: number,
): void {
  for (let k = 0; k < places.length; k += 2) {
    const first = places[k]!;
    const count = places[k + 1]!;
    for (let i = 0; i < count; i++) into[at + i] = doubles[first + i]!;
    at += count;
  }
}

/** Gives it back; what is not a number stays as it is. Allocates nothing. */
export function writeOptimiser(
  places: Int32Array,
  { doubles }: Memory,
  numbers: Float64Array,
): void {
  let at = 0;
  for (let k = 0; k < places.length; k += 2) {
    const first = places[k]!;
    const count = places[k + 1]!;
    for (let i = 0; i < count; i++) {
      const number = numbers[at + i]!;
      if (number - number === 0) doubles[first + i] = number;
    }
    at += count;
  }
}

/** A recall out of its numbers. */
export function recalledFrom(numbers: Float64Array, params: number): Recalled {
  const { step, paceMemory, params: at } = RECALL;
  return {
    step: numbers[step]!,
    paceMemory: [...numbers.subarray(paceMemory, at)],
    params: [...numbers.subarray(at, at + params)],
    optimiser: numbers.slice(at + params),
  };
}

/** What an optimiser remembers by names; nothing of a state in which a number is not finite. */
export function named(artifact: Artifact, numbers: Float64Array): Remembered {
  const { params } = artifact;
  const found: Record<string, Record<string, number> | number[]> = {};
  let at = 0;
  for (const slot of slotsOf(artifact)) {
    const [name] = slot.names;
    const values = [...numbers.subarray(at, (at += sizeOf(slot)))];
    if (name === undefined || !values.every((value) => Number.isFinite(value))) continue;
    found[name] =
      values.length === params.length
        ? Object.fromEntries(params.map(({ id }, k) => [id, values[k]!]))
        : values;
  }
  return found;
}

/** The numbers for an artifact, NaN where nothing is remembered; null where nothing of it fits. */
export function numbersFor(artifact: Artifact, remembered: Remembered): Float64Array | null {
  const { params } = artifact;
  const numbers = new Float64Array(optimiserLength(artifact)).fill(Number.NaN);
  let at = 0;
  let isAny = false;
  for (const slot of slotsOf(artifact)) {
    const size = sizeOf(slot);
    const [name = ''] = slot.names;
    const values = Object.hasOwn(remembered, name) ? remembered[name]! : [];
    const isList = Array.isArray(values);
    if (isList ? values.length === size : size === params.length) {
      isAny = true;
      for (let k = 0; k < size; k++) {
        const { id } = params[k] ?? { id: '' };
        const value = isList ? values[k] : Object.hasOwn(values, id) ? values[id] : undefined;
        numbers[at + k] = value ?? Number.NaN;
      }
    }
    at += size;
  }
  return isAny ? numbers : null;
}
