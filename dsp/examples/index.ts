/**
 * The shipped patches, checked once when this file is loaded.
 *
 * Invariant: an example that does not parse is a mistake of ours and throws at start, not in front
 * of a user.
 */

import { printDiagnostics } from '../diagnostic.ts';
import { parsePatch } from '../patch/schema.ts';
import type { Patch } from '../patch/schema.ts';
import additive from './additive.json' with { type: 'json' };
import compressor from './compressor.json' with { type: 'json' };
import dcSquared from './dc-squared.json' with { type: 'json' };
import delay from './delay.json' with { type: 'json' };
import dense from './dense.json' with { type: 'json' };
import dense1 from './dense-1.json' with { type: 'json' };
import dense2 from './dense-2.json' with { type: 'json' };
import dense3 from './dense-3.json' with { type: 'json' };
import echoCanceller from './echo-canceller.json' with { type: 'json' };
import eqCurve from './eq-curve.json' with { type: 'json' };
import eqMatch from './eq-match.json' with { type: 'json' };
import equaliser from './equaliser.json' with { type: 'json' };
import fir8 from './fir-8.json' with { type: 'json' };
import firDelays from './fir-delays.json' with { type: 'json' };
import frequencyEstimator from './frequency-estimator.json' with { type: 'json' };
import gain from './gain.json' with { type: 'json' };
import gainDc from './gain-dc.json' with { type: 'json' };
import gainExp from './gain-exp.json' with { type: 'json' };
import gainPowTrig from './gain-pow-trig.json' with { type: 'json' };
import gainScheduler from './gain-scheduler.json' with { type: 'json' };
import iir from './iir.json' with { type: 'json' };
import loopback from './loopback.json' with { type: 'json' };
import lowpass from './lowpass.json' with { type: 'json' };
import multi from './multi.json' with { type: 'json' };
import neuron from './neuron.json' with { type: 'json' };
import notchHum from './notch-hum.json' with { type: 'json' };
import onePole from './one-pole.json' with { type: 'json' };
import onePoleGain from './one-pole-gain.json' with { type: 'json' };
import oscillator from './oscillator.json' with { type: 'json' };
import oscillatorSpectrum from './oscillator-spectrum.json' with { type: 'json' };
import pitchTracker from './pitch-tracker.json' with { type: 'json' };
import resonators from './resonators.json' with { type: 'json' };
import reverb from './reverb.json' with { type: 'json' };
import rig from './rig.json' with { type: 'json' };
import roomEqualiser from './room-equaliser.json' with { type: 'json' };
import spectralLoss from './spectral-loss.json' with { type: 'json' };
import waveshaper from './waveshaper.json' with { type: 'json' };

function checked(json: unknown): Patch {
  const patch = parsePatch(json);
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

/** Patches to learn with, by name, from the simplest on. */
export const EXAMPLES: Readonly<Record<string, Patch>> = Object.fromEntries(
  [
    gain,
    gainScheduler,
    gainDc,
    dcSquared,
    gainExp,
    gainPowTrig,
    onePole,
    onePoleGain,
    iir,
    fir8,
    firDelays,
    lowpass,
    multi,
    neuron,
    dense,
    dense1,
    dense2,
    dense3,
    waveshaper,
    additive,
    spectralLoss,
    equaliser,
    eqCurve,
    eqMatch,
    resonators,
    compressor,
    reverb,
    notchHum,
    delay,
    oscillatorSpectrum,
    oscillator,
    pitchTracker,
    echoCanceller,
    roomEqualiser,
    frequencyEstimator,
    loopback,
  ].map((json) => {
    const patch = checked(json);
    return [patch.name, patch];
  }),
);

/** What the virtual device plays: output 1 a test signal, output 2 the same through a hidden box. */
export const RIG: Patch = checked(rig);
