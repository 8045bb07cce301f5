/**
 * Whether a map of channels suits what is open and what plays.
 *
 * Invariant: a pure function; the empty list, channels as they are, always suits.
 */

import type { Artifact } from '../../dsp/artifact.ts';
import type { EngineStatus } from '../engine/types.ts';

type Direction = 'inputs' | 'outputs';

/** Why it does not suit, in words; null where it does. */
export function misfitting(
  map: Readonly<Record<Direction, readonly number[]>>,
  status: Pick<EngineStatus, Direction>,
  artifact: Artifact | null,
): string | null {
  for (const direction of ['inputs', 'outputs'] as const) {
    const channels = map[direction];
    if (channels.length === 0) continue;
    const absent = channels.find((channel) => channel > status[direction]);
    if (absent !== undefined) {
      return `${direction}: expected channels from 1 to ${status[direction]}, got ${absent}`;
    }
    if (artifact !== null && artifact[direction] > channels.length) {
      return `${direction}: the program has ${artifact[direction]}, got ${channels.length} channels`;
    }
  }
  const twice = map.outputs.find((channel, k) => map.outputs.indexOf(channel) < k);
  return twice === undefined ? null : `outputs: channel ${twice} is named twice`;
}
