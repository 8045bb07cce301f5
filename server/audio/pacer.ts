/**
 * Turns a clock into block deadlines for devices that have no hardware behind them.
 *
 * Block k is due at origin + k·period, so rounding and late wake-ups never add up to drift.
 * A block started more than one period late is counted; a thread that was held up for longer
 * than MOST_BEHIND blocks does not run them all at once afterwards: they are dropped, and
 * counted too, as a sound card would have dropped them.
 */
import type { Clock } from './device.ts';

/** Blocks that may be caught up with at full speed, as a sound card's buffers would allow. */
const MOST_BEHIND = 4;

export interface Pacer {
  /** Late and dropped blocks so far. */
  readonly late: number;
  /** Blocks the thread until the next block is due. */
  next(): void;
}

/**
 * @param clock  null runs free: nothing is waited for and nothing is late
 * @param period milliseconds per block
 */
export function createPacer(clock: Clock | null, period: number): Pacer {
  if (clock === null) return { late: 0, next: () => undefined };
  let origin = Number.NaN;
  let blocks = 0;
  let late = 0;
  return {
    get late() {
      return late;
    },
    next() {
      if (blocks === 0) origin = clock.now();
      blocks++;
      const due = origin + blocks * period;
      const behind = clock.now() - due;
      if (behind < 0) {
        clock.wait(due);
      } else if (behind > MOST_BEHIND * period) {
        const dropped = Math.floor(behind / period);
        blocks += dropped;
        late += dropped;
      } else if (behind > period) {
        late++;
      }
    },
  };
}
