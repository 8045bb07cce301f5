/**
 * What happened to the engine lately, numbered, for clients.
 *
 * Invariants: bounded; no folder of the disk is in a message.
 */

import { MAX_EVENTS, type EventEntry } from '../api/events.ts';
import type { EngineEvent } from '../engine/types.ts';
import { withoutFolders } from './discreet.ts';

export class EventTail {
  readonly #events: EventEntry[] = [];
  readonly #listeners = new Set<(event: EventEntry) => void>();
  #last = 0;

  write({ kind, message }: EngineEvent): void {
    const time = new Date().toISOString();
    const event: EventEntry = {
      number: ++this.#last,
      time,
      kind,
      message: withoutFolders(message),
    };
    this.#events.push(event);
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** @returns a function that ends it */
  listen(listener: (event: EventEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The oldest first. */
  list(after = 0): { events: EventEntry[]; last: number } {
    return { events: this.#events.filter(({ number }) => number > after), last: this.#last };
  }
}
