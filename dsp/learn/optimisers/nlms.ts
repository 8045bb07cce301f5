/** Normalised least mean squares: descent whose step does not depend on the level of the signal. */

import { row } from './row.ts';
import { freeOf, powerOptions, runningPower } from './power.ts';
import { termsOf } from './terms.ts';

export const nlms = row({
  doc: 'p ← p − rate·Σ e·x / (Σ|x|² + regularisation·P), e the error and x its derivative at each sample of the window, P the running power, the largest Σ|x|² of late; at best with a window of one sample; a rate of 1 goes all the way',
  source: 'S. Haykin, Adaptive Filter Theory, chapter 7',
  options: powerOptions(1e-3, 0),
  decay: 'decoupled',
  measures: () => ['squares'],
  step(inputs, options) {
    const { b, value, gradient, rate, window, measure } = inputs;
    const { add, sub, mul, div, choose, real } = termsOf(b);
    const power = b.node('laneSum', [mul(measure('squares'), freeOf(inputs))]);
    const { running, isActive } = runningPower(inputs, power, options);
    const size = add(power, mul(running, real(options.regularisation)));
    const scale = choose(isActive, div(real(window / 2), size), real(0));
    return sub(value, mul(mul(rate, scale), gradient));
  },
});
