/**
 * How often a client may ask, and how often it may be wrong about its token.
 *
 * Requests are counted by address over REST and by socket there, in minutes that begin with the first
 * of them. Wrong tokens are counted by address: after ten different ones in a minute nothing with a
 * token is heard from there until that minute is over. The same wrong one again is no guess but a
 * client that was not told of a new token, and does not count. An address of IPv6 stands for its
 * network of 64 bits, all of which one machine may have.
 *
 * Invariant: memory is bounded, the least recent are forgotten first; nothing is told or logged here.
 */

import { isIP } from 'node:net';
import { problem, type Problem } from '../api/errors.ts';

/** Different wrong tokens per minute and address. */
export const GUESSES = 10;
/** Of whom something is remembered, at most. */
export const REMEMBERED = 4096;
const MINUTE = 60_000;

export interface LimitOptions {
  /** Requests of a client per minute; 0 for no limit. */
  readonly perMinute: number;
  /** Time in ms, from any start. */
  readonly now?: () => number;
}

export class Limits {
  #perMinute: number;
  readonly #now: () => number;
  readonly #requests = new Tally();
  readonly #guesses = new Tally();
  readonly #tried = new Tally();

  constructor({ perMinute, now = () => performance.now() }: LimitOptions) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** @param perMinute  requests of a client from now on; 0 for no limit */
  allow(perMinute: number): void {
    this.#perMinute = perMinute;
  }

  /** Counts a request of somebody: an address, or the name of a socket. Errors: RATE_LIMITED. */
  request(who: string): Problem | undefined {
    if (this.#perMinute === 0) return undefined;
    const { count, left } = this.#requests.add(networkOf(who), this.#now());
    if (count <= this.#perMinute) return undefined;
    return tooOften(`more than ${this.#perMinute} requests in a minute`, left);
  }

  /** Whether there were too many wrong tokens from an address. Errors: RATE_LIMITED. */
  locked(address: string): Problem | undefined {
    const { count, left } = this.#guesses.of(networkOf(address), this.#now());
    if (count < GUESSES) return undefined;
    return tooOften(`${GUESSES} wrong tokens came from your address`, left);
  }

  /** Counts a wrong token. */
  wrong(address: string, digest: Buffer): void {
    const from = networkOf(address);
    const { count } = this.#tried.add(`${from} ${digest.toString('base64')}`, this.#now());
    if (count === 1) this.#guesses.add(from, this.#now());
  }
}

interface Counted {
  readonly count: number;
  /** Until it starts anew, ms. */
  readonly left: number;
}

/** How often each was there in its minute. */
class Tally {
  /** The least recent first. */
  readonly #minutes = new Map<string, { count: number; readonly end: number }>();

  of(who: string, now: number): Counted {
    const minute = this.#minutes.get(who);
    if (minute === undefined || minute.end <= now) return { count: 0, left: MINUTE };
    return { count: minute.count, left: minute.end - now };
  }

  add(who: string, now: number): Counted {
    const { count, left } = this.of(who, now);
    this.#minutes.delete(who);
    this.#minutes.set(who, { count: count + 1, end: now + left });
    if (this.#minutes.size > REMEMBERED) {
      for (const first of this.#minutes.keys()) {
        this.#minutes.delete(first);
        break;
      }
    }
    return { count: count + 1, left };
  }
}

/** The address as it is counted; whatever is none stays what it is. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIP(address) !== 6) return address;
  const [before = '', after] = address.split('%', 1)[0]!.split('::');
  const groups = (text = ''): string[] => (text === '' ? [] : text.split(':'));
  const [left, right] = [groups(before), groups(after)];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].slice(0, 4).join(':');
}

function tooOften(what: string, left: number): Problem {
  const retryAfter = Math.ceil(left / 1000);
  return { ...problem('RATE_LIMITED', `${what}; try again in ${retryAfter} s`), retryAfter };
}
