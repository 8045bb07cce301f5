/**
 * The gate of the session: one thing after the other, and a bar for the time of an audition.
 *
 * Invariant: what was refused has done nothing; a task that throws does not hold up the next.
 */

import { refuse, type Outcome } from './outcome.ts';

export class Gate {
  #tail: Promise<unknown> = Promise.resolve();
  /** Why nobody may exchange what plays; null where everybody may. */
  #barred: string | null = null;

  get isBarred(): boolean {
    return this.#barred !== null;
  }

  /** @param why  in words, what has to be done first; null lets everybody again */
  bar(why: string | null): void {
    this.#barred = why;
  }

  serially<T>(task: () => T | Promise<T>): Promise<T> {
    const run = this.#tail.then(task);
    this.#tail = run.catch(() => undefined);
    return run;
  }

  /** As `serially`, for what would exchange what plays, or how it learns. */
  exclusively<T>(task: () => Outcome<T> | Promise<Outcome<T>>): Promise<Outcome<T>> {
    return this.serially(() =>
      this.#barred === null ? task() : refuse('AUDITION_UNDER_WAY', this.#barred),
    );
  }
}
