/**
 * The lessons of the gallery: what `livegrad train EXAMPLE` does, with more points in between.
 *
 * Invariant: all but the speed is the same on every machine.
 */

import { secondsOf, teach } from '../../clients/cli/lesson.ts';
import type { Lesson } from '../../clients/cli/lesson.ts';
import { rigStream } from '../../clients/cli/sound.ts';
import type { Patch } from '../../dsp/patch/schema.ts';

export const SAMPLE_RATE = 48_000;
const POINTS = 100;

export function lessonOf(patch: Patch): Lesson {
  const taught = teach(patch, {
    sampleRate: SAMPLE_RATE,
    stream: rigStream(SAMPLE_RATE, 1),
    seconds: secondsOf(patch) ?? 10,
    blockSize: 128,
    latency: 0,
    points: POINTS,
  });
  if (!taught.ok) throw new Error(`${patch.name}: ${JSON.stringify(taught.findings)}`);
  return taught.value;
}
