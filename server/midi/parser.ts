/**
 * Bytes of one MIDI port become readings of controllers.
 *
 * Invariants: no bytes throw; running status goes on, real-time bytes may stand anywhere, system
 * exclusive is passed over. A reading of 14 bits is never made of halves that do not belong together:
 * once a controller has sent a lower half, its upper half waits for the next one, or for `settle`.
 * A controller that never sends a lower half counts in 7 bits, to the end of its way.
 * It knows neither ports nor maps.
 *
 * Source: MIDI 1.0 Detailed Specification 4.2.1, control change, pages 10 to 18.
 */

import type { ControllerKind } from '../api/midi.ts';

/** Where a controller is. */
export interface Reading {
  /** 1 to 16. */
  readonly channel: number;
  readonly kind: ControllerKind;
  readonly number: number;
  /** Share of its way, 0 to 1. */
  readonly position: number;
  /** Whether it came with a lower half of its own. */
  readonly fine: boolean;
}

/** The largest value of 7 and of 14 bits. */
export const MAX_7 = 127;
export const MAX_14 = 16383;

const CONTROL_CHANGE = 0xb0;
const PITCH_BEND = 0xe0;
/** Data bytes of the messages of a channel, by the upper half of their status from 8 on. */
const LENGTHS = [2, 2, 2, 2, 1, 1, 2] as const;

/** Numbers of control changes that mean something of their own. */
const DATA_ENTRY = 6;
const DATA_ENTRY_FINE = 38;
const NRPN_FINE = 98;
const NRPN = 99;
const RPN_FINE = 100;
const RPN = 101;
const MODE = 120;
const FINE = 32;

/** Two halves of a value. */
interface Pair {
  coarse: number;
  fine: number;
  /** Whether a lower half has ever come. */
  isFine: boolean;
  /** Calls of `settle` for which the upper half waits; undefined where it does not. */
  waits: number | undefined;
}

/** What data entry means on a channel. */
interface Selection {
  kind: 'none' | 'nrpn' | 'rpn';
  coarse: number;
  fine: number;
}

export class Parser {
  #status = 0;
  #first: number | undefined;
  readonly #pairs = new Map<string, Pair>();
  readonly #selections = new Map<number, Selection>();

  /** @returns  what moved, in order; a controller may be there as what it is and as half of a pair */
  push(bytes: Iterable<number>): Reading[] {
    return [...bytes].flatMap((byte) => this.#take(byte));
  }

  /** Whether an upper half waits for `settle`. */
  get waits(): boolean {
    for (const { waits } of this.#pairs.values()) if (waits !== undefined) return true;
    return false;
  }

  /** To be called now and then: an upper half that has waited from one call to the next waits no more. */
  settle(): Reading[] {
    const settled: Reading[] = [];
    for (const [key, pair] of this.#pairs) {
      if (pair.waits === undefined || pair.waits++ === 0) continue;
      pair.fine = 0;
      settled.push(readingOf(key, pair));
    }
    return settled;
  }

  #take(byte: number): Reading[] {
    if (byte >= 0xf8) return [];
    if (byte >= 0x80) {
      // What belongs to no channel ends the running status.
      this.#status = byte < 0xf0 ? byte : 0;
      this.#first = undefined;
      return [];
    }
    const length = LENGTHS[(this.#status >> 4) - 8];
    if (length === undefined) return [];
    if (length === 2 && this.#first === undefined) {
      this.#first = byte;
      return [];
    }
    const first = this.#first ?? 0;
    this.#first = undefined;
    const channel = (this.#status & 0x0f) + 1;
    switch (this.#status & 0xf0) {
      case CONTROL_CHANGE:
        return this.#control(channel, first, byte);
      case PITCH_BEND:
        return [
          {
            channel,
            kind: 'bend',
            number: 0,
            position: ((byte << 7) | first) / MAX_14,
            fine: true,
          },
        ];
      default:
        return [];
    }
  }

  #control(channel: number, number: number, value: number): Reading[] {
    if (number >= MODE) return [];
    if (number >= NRPN_FINE && number <= RPN) return this.#select(channel, number, value);
    const selected = this.#selections.get(channel);
    if (selected !== undefined && selected.kind !== 'none') {
      if (number === DATA_ENTRY || number === DATA_ENTRY_FINE) {
        if (selected.kind === 'rpn') return [];
        const of = (selected.coarse << 7) | selected.fine;
        return this.#half(channel, 'nrpn', of, value, number === DATA_ENTRY_FINE);
      }
    }
    const plain: Reading = { channel, kind: 'cc', number, position: value / MAX_7, fine: false };
    if (number >= 2 * FINE) return [plain];
    const isFine = number >= FINE;
    return [plain, ...this.#half(channel, 'cc14', number % FINE, value, isFine)];
  }

  #select(channel: number, number: number, value: number): Reading[] {
    const kind = number <= NRPN ? 'nrpn' : 'rpn';
    const before = this.#selections.get(channel);
    const selected: Selection =
      before?.kind === kind ? before : { kind, coarse: MAX_7, fine: MAX_7 };
    if (number === NRPN || number === RPN) selected.coarse = value;
    else selected.fine = value;
    this.#selections.set(channel, selected);
    // 127, 127 selects nothing.
    const isNone = selected.coarse === MAX_7 && selected.fine === MAX_7;
    if (isNone && (number === NRPN_FINE || number === RPN_FINE)) selected.kind = 'none';
    return [];
  }

  #half(
    channel: number,
    kind: ControllerKind,
    number: number,
    value: number,
    isFine: boolean,
  ): Reading[] {
    const key = `${channel} ${kind} ${number}`;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      // A lower half alone is a controller of its own, until the upper one comes.
      if (this.#pairs.size >= MAX_PAIRS) this.#pairs.clear();
      this.#pairs.set(key, (pair = { coarse: -1, fine: 0, isFine: false, waits: undefined }));
    }
    if (isFine) {
      pair.isFine = true;
      pair.fine = value;
      return pair.coarse < 0 ? [] : [readingOf(key, pair)];
    }
    pair.coarse = value;
    if (pair.isFine) {
      pair.waits = 0;
      return [];
    }
    return [readingOf(key, pair)];
  }
}

/** Controllers of 14 bits that are remembered: a port that sends nonsense must not eat memory. */
const MAX_PAIRS = 1024;

function readingOf(key: string, pair: Pair): Reading {
  pair.waits = undefined;
  const [channel, kind, number] = key.split(' ');
  const { coarse, fine, isFine } = pair;
  return {
    channel: Number(channel),
    kind: kind as ControllerKind,
    number: Number(number),
    position: isFine ? ((coarse << 7) | fine) / MAX_14 : coarse / MAX_7,
    fine: isFine,
  };
}

/** A place of a controller as it is said over MIDI. */
export const rawOf = (kind: ControllerKind, position: number): number =>
  Math.round(position * (kind === 'cc' ? MAX_7 : MAX_14));

/** The messages that say where a controller is: the upper half first. */
export function messagesOf(
  { kind, channel, number }: Pick<Reading, 'kind' | 'channel' | 'number'>,
  raw: number,
): number[][] {
  const control = (at: number, value: number): number[] => [
    CONTROL_CHANGE | (channel - 1),
    at,
    value,
  ];
  const [coarse, fine] = [raw >> 7, raw & MAX_7];
  switch (kind) {
    case 'cc':
      return [control(number, raw)];
    case 'cc14':
      return [control(number, coarse), control(number + FINE, fine)];
    case 'bend':
      return [[PITCH_BEND | (channel - 1), fine, coarse]];
    case 'nrpn':
      return [
        control(NRPN, number >> 7),
        control(NRPN_FINE, number & MAX_7),
        control(DATA_ENTRY, coarse),
        control(DATA_ENTRY_FINE, fine),
      ];
  }
}
