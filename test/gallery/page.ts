/**
 * `dsp/examples/README.md`: every example with its sentence, its curves and a row of the table of
 * what was learned.
 *
 * Invariant: the page follows from the patches and their lessons; the speeds alone depend on the
 * machine, and stand in the last column.
 */

import type { Exam, Lesson } from '../../clients/cli/lesson.ts';
import { secondsOf } from '../../clients/cli/lesson.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { SAMPLE_RATE } from './lessons.ts';

/** From the root. */
export const PAGE = 'dsp/examples/README.md';
export const pictureOf = (name: string): string => `dsp/examples/gallery/${name}.svg`;

export interface Shown {
  readonly patch: Patch;
  readonly lesson: Lesson;
  /** Samples a second. */
  readonly speed: number;
}

/** Rows of one example's expectations; more of the same kind say little. */
const ROWS = 4;

/** @param machine  on which the speeds were measured */
export function page(all: readonly Shown[], machine: string): string {
  return `# Examples

Each is a patch that learns what its sliders hide, made to be loaded, heard and changed: \`npm run -s livegrad -- load NAME\` plays one, \`npm run -s livegrad -- set hidden/… VALUE\` hides something else, \`npm run -s livegrad -- train NAME\` learns offline what this page shows, and \`--random-start --seed 7\` something that nobody has seen. Made by \`npm run gallery\`; the tests teach every example from three more seeds.

## What was learned

Hidden and learned values; the samples after which each was right and stayed right (of a signal that is examined after the lesson: all); the sound of the whole lesson; samples a second of one core, the sound's own making left out (${machine}).

| example | what | hidden | learned | error allowed | samples | sound, s | million samples/s |
| --- | --- | --: | --: | --: | --: | --: | --: |
${all.flatMap(tableRows).join('\n')}

${all.map(section).join('\n')}`;
}

/** One per expectation. */
export function tableRows({ patch, lesson, speed }: Shown): string[] {
  const seconds = secondsOf(patch) ?? 0;
  const more = lesson.exams.length - ROWS;
  return lesson.exams.slice(0, ROWS).map((exam, k) => {
    const first = k === 0;
    const cells = [
      first ? `[${patch.name}](#${patch.name})` : '',
      (exam.param ?? exam.signal ?? '') + (k === ROWS - 1 && more > 0 ? ` (${more} more)` : ''),
      value(exam.value),
      valueBeside(exam),
      value(exam.tolerance),
      exam.samples === undefined
        ? thousands(seconds * SAMPLE_RATE)
        : exam.samples === null
          ? 'not found'
          : thousands(exam.samples),
      first ? String(seconds) : '',
      first ? String(Number((speed / 1e6).toPrecision(2))) : '',
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

function section({ patch }: Shown): string {
  return `## ${patch.name}

**${patch.title}.** ${patch.doc}

![Loss and parameters of ${patch.name} over seconds of sound](gallery/${patch.name}.svg)
`;
}

const value = (x: number): string => String(Number(x.toPrecision(4)));

/** As many digits as the tolerance makes sense of, and one more; of what should be 0, the first. */
function valueBeside({ value: wanted, learned, tolerance }: Exam): string {
  if (wanted === 0) return String(Number(learned.toPrecision(2)));
  const digits = Math.min(9, Math.max(0, 1 - Math.floor(Math.log10(tolerance))));
  return learned.toFixed(digits);
}

const thousands = (count: number): string => count.toLocaleString('en');
