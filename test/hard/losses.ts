/**
 * What a loss alone does for a frequency: an oscillator at every sample, compared with a sine over
 * windows of 1024 samples, from anywhere to anywhere between 100 Hz and 10 kHz.
 *
 * Invariant: the same seed gives the same numbers. Nothing here is tuned to a loss: Adam for all of
 * them, and plain descent for the one whose slope is a distance.
 */

import { compile } from '../../dsp/compile.ts';
import type { LossChoice } from '../../dsp/learn/losses/table.ts';
import { parsePatch } from '../../dsp/patch/schema.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { random } from '../support/random-graph.ts';
import { SAMPLE_RATE, centsBetween } from './trials.ts';

const WINDOW = 1024;
const SECONDS = 5;
const TURN = 2 * Math.PI;

const frames = { sizes: [WINDOW], overlap: 1 } as const;

/** By what they are called in the table. */
export const ALONE: Readonly<Record<string, unknown>> = {
  mse: 'mse',
  linearSpectral: { kind: 'linearSpectral', ...frames },
  logSpectral: { kind: 'logSpectral', ...frames },
  multiStft: { kind: 'multiStft', sizes: [1024, 512, 256], hops: [256, 128, 64] },
  klDivergence: { kind: 'klDivergence', ...frames },
  jensenShannon: { kind: 'jensenShannon', ...frames },
  'binSum, FaustNet’s': { kind: 'binSum', ...frames },
  'transport, w1': { kind: 'transport', order: 'w1', ...frames },
  'transport, cramer': { kind: 'transport', order: 'cramer', ...frames },
  'transport, w2': { kind: 'transport', gate: 0.01, ...frames },
};

export interface Found {
  readonly optimiser: string;
  /** Shares of the trials that ended within 50 cent, and within 1 Hz. */
  readonly near: number;
  readonly exact: number;
}

export function alone(name: string, trials: number, seed: number): Found {
  const isDistance = name === 'transport, w2';
  const rate = isDistance ? 0.25 : 0.02;
  const optimiser = { kind: isDistance ? 'sgd' : 'adam' } as const;
  const patch = parsePatch({
    format: 'livegrad.patch/1',
    name: 'alone',
    params: { octaves: { initial: 9, min: 5, max: 14.4 } },
    nodes: {
      x: { op: 'input', channel: 1 },
      frequency: { op: 'exp2', in: ['octaves'] },
      y: { op: 'sine', in: ['frequency'] },
    },
    outputs: ['y'],
    training: {
      estimate: 'y',
      target: 'x',
      loss: ALONE[name] as LossChoice,
      window: WINDOW,
      mode: 'reverse',
      optimiser,
      schedule: { kind: 'constant', rate },
    },
  });
  if (!patch.ok) throw new Error(JSON.stringify(patch.diagnostics));
  const options = { sampleRate: SAMPLE_RATE, maxBlock: WINDOW, latency: 0, fused: false };
  const compiled = compile(patch.value, options);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  const instance = new Instance(compiled.value, new WebAssembly.Module(compiled.value.wasm));
  instance.setSchedule(patch.value.training!.schedule);
  const next = random(seed);
  const anywhere = (): number => 100 * 100 ** next();
  let [near, exact] = [0, 0];
  for (let k = 0; k < trials; k++) {
    const [target, start, phase] = [anywhere(), anywhere(), TURN * next()];
    instance.reset();
    instance.params[0] = Math.log2(start);
    instance.learning = true;
    for (let n = 0; n < SECONDS * SAMPLE_RATE; n += WINDOW) {
      for (let i = 0; i < WINDOW; i++) {
        instance.inputs[0]![i] = Math.sin((TURN * target * (n + i)) / SAMPLE_RATE + phase);
      }
      instance.process(WINDOW);
    }
    const learnt = 2 ** instance.params[0];
    if (centsBetween(learnt, target) < 50) near++;
    if (Math.abs(learnt - target) < 1) exact++;
  }
  const said = `${optimiser.kind}, rate ${rate}`;
  return { optimiser: said, near: near / trials, exact: exact / trials };
}
