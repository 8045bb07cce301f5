/**
 * Levels as a meter shows them: they rise to a higher one with one time constant, and fall to a lower
 * one with another, so that a client that looks ten times a second misses no peak.
 *
 * y ← y + (x − y)·(1 − e^(−Δt/τ)), τ the attack where x > y, else the release; τ = 0 follows at once.
 * Invariant: it is fed with every measurement, whether a frame is due or not.
 */

export interface Times {
  /** Milliseconds. */
  readonly attack: number;
  readonly release: number;
}

export class Ballistics {
  readonly times: Times;
  #shown: Float32Array = new Float32Array(0);
  #at = 0;

  constructor(times: Times) {
    this.times = times;
  }

  /**
   * @param measured  peaks and RMS values; as many as the last time, or it begins anew
   * @param now       ms of a steady clock
   */
  follow(measured: Float32Array, now: number): Float32Array {
    const passed = now - this.#at;
    const before = this.#shown;
    this.#at = now;
    this.#shown = measured.map((x, k) => {
      const y = before[k];
      if (y === undefined || before.length !== measured.length) return x;
      const time = x > y ? this.times.attack : this.times.release;
      return time === 0 ? x : y + (x - y) * (1 - Math.exp(-passed / time));
    });
    return this.#shown;
  }
}
