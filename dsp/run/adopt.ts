/**
 * How a program takes over from another one: which of its values and states go where.
 *
 * A plan is made once, off the audio thread, from the two artifacts; to carry it out is to copy words
 * of memory, which allocates nothing. Invariant: a state is taken over only by one of the same name,
 * type and lanes; all others start as they would have. Of the past of a signal the newest samples are
 * taken, as many as both programs remember.
 *
 * What an optimiser remembers with a lane for each parameter goes along lane by lane, by the ids of
 * the parameters; tangents that ride side by side only in the same company.
 *
 * Frames count samples: what comes once a hop, and what is still to come of an overlap, goes along
 * only where a frame ends at the same sample in both programs.
 */

import type { Artifact, StateSlot } from '../artifact.ts';

/** Plain data that crosses threads by structured clone. */
export interface Adoption {
  /** Pairs of places in the banks, from and to, flat. */
  readonly params: Int32Array;
  readonly sliders: Int32Array;
  /** Copies, `COPY` numbers each, in the order in which they are to be made. */
  readonly copies: Int32Array;
  /** Pairs of words and hops, flat: phases that follow from the place in the training window. */
  readonly phases: Int32Array;
}

/** Of a copy: first word, the word that moves it (0: none), how much it counts; twice; words. */
const COPY = 7;

/** What `to` takes over from `from`, or null where nothing fits: they run at different rates. */
export function planAdoption(from: Artifact, to: Artifact): Adoption | null {
  if (from.sampleRate !== to.sampleRate) return null;
  const inStep = (hop: number): boolean =>
    hop <= 1 ||
    ((from.window === 0) === (to.window === 0) && from.window % hop === 0 && to.window % hop === 0);
  // A frame ends with the window, whatever the phases were before.
  const isPlaced = ({ kind }: StateSlot): boolean => kind === 'phase' && to.window > 0;
  const known = new Map<string, StateSlot>();
  for (const slot of from.layout.states) {
    for (const name of slot.names) known.set(keyOf(slot, name), slot);
  }
  const params = places(from.params, to.params);
  const copies = to.layout.states.flatMap((slot) => {
    if (!inStep(slot.hop) || isPlaced(slot)) return [];
    const sources = new Set(slot.names.flatMap((name) => known.get(keyOf(slot, name)) ?? []));
    // The longer past first: where two meet in one, the shorter one is the newer.
    const fitting = [...sources].filter((source) => fits(source, slot));
    return fitting
      .toSorted((a, b) => b.frames - a.frames)
      .flatMap((source) => {
        const isPerParam = source.lanes === from.params.length && slot.lanes === to.params.length;
        return slot.graph === 'once' && isPerParam
          ? copyLanes(source, slot, params)
          : copy(source, slot);
      });
  });
  return {
    params,
    sliders: places(from.sliders, to.sliders),
    copies: Int32Array.from(copies),
    phases: Int32Array.from(
      to.layout.states.filter(isPlaced).flatMap(({ address, hop }) => [address / 4, hop]),
    ),
  };
}

const keyOf = ({ graph, type, hop }: StateSlot, name: string): string =>
  `${graph} ${type} ${hop} ${name}`;

const isPast = ({ kind }: StateSlot): boolean => kind === 'carry' || kind === 'line';

/** A carry is a past of one value; what is no past must be as long. */
const fits = (a: StateSlot, b: StateSlot): boolean =>
  isPast(a) ? isPast(b) : a.kind === b.kind && a.frames === b.frames;

const wordsOf = ({ graph, places: numbers }: StateSlot): number =>
  (graph === 'once' ? 2 : 1) * numbers;

/** Lanes of one value, each to where its parameter is; neighbours that stay so in one copy. */
function copyLanes(from: StateSlot, to: StateSlot, pairs: Int32Array): number[] {
  const copies: number[] = [];
  for (let k = 0; k < pairs.length;) {
    const [source, target] = [pairs[k]!, pairs[k + 1]!];
    let lanes = 1;
    for (k += 2; pairs[k] === source + lanes && pairs[k + 1] === target + lanes; k += 2) lanes++;
    copies.push(from.address / 4 + 2 * source, 0, 1, to.address / 4 + 2 * target, 0, 1, 2 * lanes);
  }
  return copies;
}

function copy(from: StateSlot, to: StateSlot): number[] {
  if (from.lanes !== to.lanes) return [];
  const frames = Math.min(from.frames, to.frames);
  const side = (slot: StateSlot): number[] => [
    slot.address / 4 + (slot.frames - frames) * wordsOf(slot),
    slot.head / 4,
    slot.places,
  ];
  return [...side(from), ...side(to), frames * wordsOf(to)];
}

/** Controls of the same name. */
function places(from: Artifact['params'], to: Artifact['params']): Int32Array {
  const known = new Map(from.map(({ id }, k) => [id, k]));
  return Int32Array.from(
    to.flatMap(({ id }, k) => {
      const place = known.get(id);
      return place === undefined ? [] : [place, k];
    }),
  );
}

/** How many words a plan copies. */
export function wordsIn({ copies }: Adoption): number {
  let words = 0;
  for (let k = COPY - 1; k < copies.length; k += COPY) words += copies[k]!;
  return words;
}

/**
 * Copies the states; `from` and `to` are the memories of the two programs. Allocates nothing.
 *
 * @param position  frame of the training window at which `to` goes on
 */
export function copyStates(
  { copies, phases }: Adoption,
  from: Int32Array,
  to: Int32Array,
  position: number,
): void {
  for (let k = 0; k < copies.length; k += COPY) {
    const read = copies[k]! + moved(from, copies[k + 1]!, copies[k + 2]!);
    const write = copies[k + 3]! + moved(to, copies[k + 4]!, copies[k + 5]!);
    const words = copies[k + 6]!;
    for (let i = 0; i < words; i++) to[write + i] = from[read + i]!;
  }
  for (let k = 0; k < phases.length; k += 2) to[phases[k]!] = 4 * (position % phases[k + 1]!);
}

/** How many words further a past has moved. */
const moved = (memory: Int32Array, head: number, lanes: number): number =>
  head === 0 ? 0 : (memory[head]! >> 2) * lanes;
