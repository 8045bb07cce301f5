/**
 * How a program takes over from another one: which of its values and states go where.
 *
 * A plan is made once, off the audio thread, from the two artifacts; to carry it out is to copy words
 * of memory, which allocates nothing. Invariant: a state is taken over only by one of the same name,
 * type and lanes; all others start as they would have. Of the past of a signal the newest samples are
 * taken, as many as both programs remember. Where one program works in single and the other in double
 * precision, reals are converted.
 *
 * What an optimiser remembers with a lane for each parameter goes along lane by lane, by the ids of
 * the parameters; so do tangents that ride side by side, in whatever company they are.
 *
 * Frames count samples: what comes once a hop, and what is still to come of an overlap, goes along
 * only where a frame ends at the same sample in both programs, and both are of one precision.
 */

import type { Artifact, StateSlot } from '../artifact.ts';
import type { Memory } from './kernel.ts';

/** Plain data that crosses threads by structured clone. */
export interface Adoption {
  /** Pairs of places in the banks, from and to, flat. */
  readonly params: Int32Array;
  readonly sliders: Int32Array;
  /** Of sliders that have become parameters, and of parameters that have become sliders. */
  readonly learnt: Int32Array;
  readonly fixed: Int32Array;
  /** Copies, `COPY` numbers each, in the order in which they are to be made. */
  readonly copies: Int32Array;
  /** Words, hops and bytes a sample, flat: phases that follow from the place in the window. */
  readonly phases: Int32Array;
  /** Whether steps, and what is known of the losses, go along. */
  readonly learning: boolean;
}

/**
 * Of a copy: first word, the word that moves it (0: none), how much that counts, and the step from
 * number to number in words; twice; what a number is; and how many of them.
 */
const COPY = 10;

/** What is copied: words as they are, or reals; those of eight bytes lie at even words. */
const KIND = { words: 0, doubles: 1, widened: 2, narrowed: 3 } as const;

/**
 * What `to` takes over from `from`, or null where nothing fits: they run at different rates.
 *
 * @param scope  `signals`: what is heard goes on, values and learning are those of `to`
 */
export function planAdoption(
  from: Artifact,
  to: Artifact,
  scope: 'all' | 'signals' = 'all',
): Adoption | null {
  if (from.sampleRate !== to.sampleRate) return null;
  const inStep = (hop: number): boolean =>
    hop <= 1 ||
    ((from.window === 0) === (to.window === 0) && from.window % hop === 0 && to.window % hop === 0);
  // A frame ends with the window, whatever the phases were before.
  const isPlaced = ({ kind }: StateSlot): boolean => kind === 'phase' && to.window > 0;
  const known = new Map<string, Piece>();
  for (const slot of from.layout.states) {
    for (const piece of piecesOf(slot)) known.set(piece.key, piece);
  }
  const isAll = scope === 'all';
  const params = places(from.params, to.params);
  const alike = places(from.params, to.params, true);
  const copies = to.layout.states.flatMap((slot) => {
    if (!inStep(slot.hop) || isPlaced(slot) || (slot.graph === 'once' && !isAll)) return [];
    const moves = new Map<string, readonly [Piece, Piece]>();
    for (const into of piecesOf(slot)) {
      const source = known.get(into.key);
      if (source === undefined || !fits(source.slot, slot)) continue;
      // What counts samples counts them in bytes.
      if (slot.hop > 1 && source.slot.bytes !== slot.bytes) continue;
      moves.set(`${source.slot.address} ${source.lane} ${into.lane}`, [source, into]);
    }
    // The longer past first: where two meet in one, the shorter one is the newer.
    return [...moves.values()]
      .toSorted(([a], [b]) => b.slot.frames - a.slot.frames)
      .flatMap(([source, into]) => {
        const isPerParam = source.lanes === from.params.length && into.lanes === to.params.length;
        return slot.graph === 'once' && isPerParam
          ? copyLanes(source.slot, slot, alike)
          : copy(source, into);
      });
  });
  const none = new Int32Array();
  return {
    params: isAll ? params : none,
    sliders: isAll ? places(from.sliders, to.sliders) : none,
    learnt: isAll ? places(from.sliders, to.params) : none,
    fixed: isAll ? places(from.params, to.sliders) : none,
    learning: isAll,
    copies: Int32Array.from(copies),
    phases: Int32Array.from(
      to.layout.states
        .filter(isPlaced)
        .flatMap(({ address, hop, bytes }) => [address / 4, hop, bytes]),
    ),
  };
}

/** A state, or one lane of it: that of one direction, where tangents ride side by side. */
interface Piece {
  readonly slot: StateSlot;
  readonly key: string;
  readonly lane: number;
  readonly lanes: number;
}

function piecesOf(slot: StateSlot): Piece[] {
  const { graph, type, hop, lanes } = slot;
  const kind = type === 'i32' ? 'int' : 'real';
  const keyOf = (name: string): string => `${graph} ${kind} ${hop} ${name}`;
  return slot.names.flatMap((name) => {
    const company = name.lastIndexOf("'") + 1;
    const directions = company === 0 ? [] : name.slice(company).split('+');
    if (directions.length !== lanes) return [{ slot, key: keyOf(name), lane: 0, lanes }];
    return directions.map((direction, lane) => {
      return { slot, key: keyOf(name.slice(0, company) + direction), lane, lanes: 1 };
    });
  });
}

const isPast = ({ kind }: StateSlot): boolean => kind === 'carry' || kind === 'line';

/** A carry is a past of one value; what is no past must be as long. */
const fits = (a: StateSlot, b: StateSlot): boolean =>
  isPast(a) ? isPast(b) : a.kind === b.kind && a.frames === b.frames;

/** Lanes of one value, each to where its parameter is; neighbours that stay so in one copy. */
function copyLanes(from: StateSlot, to: StateSlot, pairs: Int32Array): number[] {
  const copies: number[] = [];
  for (let k = 0; k < pairs.length;) {
    const [source, target] = [pairs[k]!, pairs[k + 1]!];
    let lanes = 1;
    for (k += 2; pairs[k] === source + lanes && pairs[k + 1] === target + lanes; k += 2) lanes++;
    const [read, write] = [from.address / 4 + 2 * source, to.address / 4 + 2 * target];
    copies.push(read, 0, 1, 1, write, 0, 1, 1, KIND.words, 2 * lanes);
  }
  return copies;
}

function copy(from: Piece, to: Piece): number[] {
  if (from.lanes !== to.lanes) return [];
  const frames = Math.min(from.slot.frames, to.slot.frames);
  const isWhole = from.lanes === from.slot.lanes && to.lanes === to.slot.lanes;
  // Values that are alike on both sides go word by word, padding and all.
  const isBlock = isWhole && from.slot.bytes === to.slot.bytes;
  const side = ({ slot, lane }: Piece, next: number): number[] => {
    const words = slot.bytes / 4;
    const first = (slot.frames - frames) * slot.places + lane + next;
    const step = isBlock ? 1 : words * slot.places;
    return [slot.address / 4 + words * first, slot.head / 4, slot.places, step];
  };
  if (isBlock) {
    const { places, bytes } = to.slot;
    return [...side(from, 0), ...side(to, 0), KIND.words, (frames * places * bytes) / 4];
  }
  const kind = kindOf(from.slot, to.slot);
  return Array.from({ length: from.lanes }, (_, next) => {
    return [...side(from, next), ...side(to, next), kind, frames];
  }).flat();
}

function kindOf(from: StateSlot, to: StateSlot): number {
  if (from.type === to.type) return from.type === 'f64' ? KIND.doubles : KIND.words;
  return to.type === 'f64' ? KIND.widened : KIND.narrowed;
}

/** Controls of the same name, or only those that learn in the same scale as well. */
function places(from: Artifact['params'], to: Artifact['params'], isAlike = false): Int32Array {
  const keyOf = ({ id, learn = 'linear' }: Artifact['params'][number]): string =>
    isAlike ? `${learn} ${id}` : id;
  const known = new Map(from.map((control, k) => [keyOf(control), k]));
  return Int32Array.from(
    to.flatMap((control, k) => {
      const place = known.get(keyOf(control));
      return place === undefined ? [] : [place, k];
    }),
  );
}

/** How many words, or numbers that are converted, a plan copies. */
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
  from: Memory,
  to: Memory,
  position: number,
): void {
  for (let k = 0; k < copies.length; k += COPY) {
    let read = copies[k]! + moved(from.words, copies[k + 1]!, copies[k + 2]!);
    let write = copies[k + 4]! + moved(to.words, copies[k + 5]!, copies[k + 6]!);
    const stepFrom = copies[k + 3]!;
    const stepTo = copies[k + 7]!;
    const kind = copies[k + 8]!;
    for (let count = copies[k + 9]!; count > 0; count--) {
      if (kind === KIND.words) to.words[write] = from.words[read]!;
      else if (kind === KIND.doubles) to.doubles[write >> 1] = from.doubles[read >> 1]!;
      else if (kind === KIND.widened) to.doubles[write >> 1] = from.singles[read]!;
      else to.singles[write] = from.doubles[read >> 1]!;
      read += stepFrom;
      write += stepTo;
    }
  }
  for (let k = 0; k < phases.length; k += 3) {
    to.words[phases[k]!] = phases[k + 2]! * (position % phases[k + 1]!);
  }
}

/** How many words further a past has moved. */
const moved = (memory: Int32Array, head: number, places: number): number =>
  head === 0 ? 0 : (memory[head]! >> 2) * places;
