/** The hard problems by name, and how often each must be solved: one list for the table and the test. */

import { delays, frequencies, jumps, pitches } from './trials.ts';
import type { Tally } from './trials.ts';

export interface Problem {
  readonly name: string;
  readonly goal: string;
  /** Share of the trials that must reach it. */
  readonly wanted: number;
  readonly trials: number;
  /** So few show in a moment that nothing is broken. */
  readonly few: number;
  readonly run: (trials: number, seed: number) => Tally;
}

const sine = (snr: number, wanted: number, few: number): Problem => ({
  name: `frequency of a sine, SNR ${snr} dB`,
  goal: '1 Hz and 5 cent in 0.5 s',
  wanted,
  trials: 400,
  few,
  run: (trials, seed) => frequencies(trials, snr, seed),
});

const harmonic = (wave: 'saw' | 'square'): Problem => ({
  name: `pitch of a ${wave}, SNR 40 dB`,
  goal: '5 cent in 0.5 s',
  wanted: 0.95,
  trials: 400,
  few: 10,
  run: (trials, seed) => pitches(wave, trials, 40, seed),
});

const lag = (noise: 'white' | 'pink'): Problem => ({
  name: `delay, ${noise} noise`,
  goal: '0.05 sample in 1 s',
  wanted: 0.99,
  trials: 400,
  few: 10,
  run: (trials, seed) => delays(noise, trials, seed),
});

export const PROBLEMS: readonly Problem[] = [
  sine(60, 0.99, 20),
  sine(20, 0.99, 40),
  sine(0, 0.97, 40),
  {
    name: 'a sine that jumps, SNR 40 dB',
    goal: 'there again in 200 ms',
    wanted: 0.95,
    trials: 400,
    few: 20,
    run: (trials, seed) => jumps(trials, 40, seed),
  },
  harmonic('saw'),
  harmonic('square'),
  lag('white'),
  lag('pink'),
];
