/**
 * How large the steps of the optimiser are beside what they change: the update-to-weight ratio.
 *
 *     |p − p₀| / steps / max(|p₀|, (max − min) / 1000)
 *
 * over the steps since the last measurement that saw any: where a window is longer than a sixtieth of
 * a second that is the last step itself, else the way that steps made together, for each of them. The
 * thousandth of the range stands in for a weight at 0, where a ratio says nothing. About 10⁻³ is
 * healthy; 10⁻¹ is a rate that is too large.
 * Invariant: a reset, and another program, begin at 0. A value that was set by hand counts as a step
 * once. Cost: of the engine's main thread, a few operations a parameter and measurement.
 */

import type { Control } from '../../dsp/control.ts';

export class UpdateRatios {
  /** Of the newest steps; 0 before the first. */
  #ratios: Float64Array;
  readonly #least: Float64Array;
  #params: Float64Array | null = null;
  #step = 0;

  constructor(controls: readonly Control[]) {
    this.#ratios = new Float64Array(controls.length);
    this.#least = Float64Array.from(controls, ({ min, max }) => (max - min) / 1000);
  }

  /** @returns one ratio per parameter, not to be written into */
  measure(step: number, params: Float64Array): Float64Array {
    const before = this.#params;
    const steps = step - this.#step;
    if (before === null || steps < 0) this.#ratios = new Float64Array(this.#ratios.length);
    else if (steps > 0) {
      this.#ratios = Float64Array.from(before, (from, k) => {
        const weight = Math.max(Math.abs(from), this.#least[k]!);
        const way = Math.abs(params[k]! - from) / steps;
        return way === 0 ? 0 : way / weight;
      });
    }
    if (before === null || steps !== 0) this.#params = params;
    this.#step = step;
    return this.#ratios;
  }
}
