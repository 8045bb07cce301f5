/**
 * Which controller somebody has just moved, to map it.
 *
 * Invariant: a control change below 64 may be half of 14 bits, so it is waited for the other half for
 * WINDOW before it counts as one of 7; all else counts at once. It keeps no time of its own.
 */

import type { ControllerKind } from '../api/midi.ts';
import type { Reading } from './parser.ts';

/** A controller of 14 bits sends its halves within, ms. */
export const WINDOW = 150;

const FINE = 32;

export interface Found {
  readonly port: string;
  readonly channel: number;
  readonly kind: ControllerKind;
  readonly number: number;
}

export class Learner {
  #candidate: Found | undefined;

  /** What is found if no other half comes. */
  get candidate(): Found | undefined {
    return this.#candidate;
  }

  /** @returns  the controller, where that is certain */
  hear(port: string, { channel, kind, number }: Reading): Found | undefined {
    // Both halves come as control changes as well.
    if (kind === 'cc14') return undefined;
    const found: Found = { port, channel, kind, number };
    if (kind !== 'cc') return found;
    const first = this.#candidate;
    if (first === undefined) {
      if (number >= 2 * FINE) return found;
      this.#candidate = found;
      return undefined;
    }
    const isOther =
      first.port === port &&
      first.channel === channel &&
      Math.abs(first.number - number) === FINE &&
      Math.min(first.number, number) < FINE;
    return isOther ? { ...found, kind: 'cc14', number: number % FINE } : undefined;
  }
}
