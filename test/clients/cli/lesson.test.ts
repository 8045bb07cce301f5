/**
 * Every shipped example finds what is hidden, from its own start and from three seeds, within the
 * samples and the error that it states; and the same run twice is the same to the bit.
 */

import { setFlagsFromString } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { secondsOf, teach } from '../../../clients/cli/lesson.ts';
import type { Lesson } from '../../../clients/cli/lesson.ts';
import { rigStream } from '../../../clients/cli/sound.ts';
import { EXAMPLES } from '../../../dsp/examples/index.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { vary } from '../../../dsp/patch/vary.ts';

// As the command does: optimised code from the first call on.
setFlagsFromString('--no-liftoff');
setFlagsFromString('--no-wasm-lazy-compilation');

const SEEDS = [1, 2, 3];

function lesson(patch: Patch, seed: number): Lesson {
  const taught = teach(patch, {
    sampleRate: 48_000,
    stream: rigStream(48_000, seed),
    seconds: secondsOf(patch) ?? 5,
    blockSize: 128,
    latency: 0,
  });
  if (!taught.ok) throw new Error(JSON.stringify(taught.findings));
  return taught.value;
}

/** All but what a clock says. */
const withoutTime = ({ outcome, exams }: Lesson) => ({ ...outcome, secondsTaken: 0, exams });

describe.each(Object.entries(EXAMPLES))('%s', (_, patch) => {
  it('learns what it expects, twice the same', () => {
    const one = lesson(patch, 1);
    expect(one.outcome.stoppedAt).toBe(null);
    expect(one.exams.filter(({ ok }) => !ok)).toEqual([]);
    expect(withoutTime(lesson(patch, 1))).toEqual(withoutTime(one));
  });

  it.each(SEEDS)('learns it from seed %i', (seed) => {
    const { outcome, exams } = lesson(vary(patch, seed), seed);
    expect(outcome.stoppedAt).toBe(null);
    expect(exams.filter(({ ok }) => !ok)).toEqual([]);
  });

  it('says what it shows', () => {
    expect(patch.title?.length).toBeGreaterThan(0);
    expect(patch.doc).toMatch(/\.$/);
    expect(patch.expect.length).toBeGreaterThan(0);
  });
});
