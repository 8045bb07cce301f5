/**
 * The shipped patches, checked once when this file is loaded.
 *
 * Invariant: an example that does not parse is a mistake of ours and throws at start, not in front
 * of a user.
 */

import { printDiagnostics } from '../diagnostic.ts';
import { parsePatch } from '../patch/schema.ts';
import type { Patch } from '../patch/schema.ts';
import dcSquared from './dc-squared.json' with { type: 'json' };
import delay from './delay.json' with { type: 'json' };
import dense from './dense.json' with { type: 'json' };
import equaliser from './equaliser.json' with { type: 'json' };
import frequencyEstimator from './frequency-estimator.json' with { type: 'json' };
import gainDc from './gain-dc.json' with { type: 'json' };
import gainScheduler from './gain-scheduler.json' with { type: 'json' };
import gain from './gain.json' with { type: 'json' };
import loopback from './loopback.json' with { type: 'json' };
import onePole from './one-pole.json' with { type: 'json' };
import oscillator from './oscillator.json' with { type: 'json' };
import oscillatorSpectrum from './oscillator-spectrum.json' with { type: 'json' };
import pitchTracker from './pitch-tracker.json' with { type: 'json' };
import rig from './rig.json' with { type: 'json' };

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
    onePole,
    loopback,
    dense,
    equaliser,
    oscillator,
    oscillatorSpectrum,
    frequencyEstimator,
    pitchTracker,
    delay,
  ].map((json) => {
    const patch = checked(json);
    return [patch.name, patch];
  }),
);

/** What the virtual device plays: output 1 a test signal, output 2 the same through a hidden box. */
export const RIG: Patch = checked(rig);
