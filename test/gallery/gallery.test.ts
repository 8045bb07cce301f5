/**
 * The gallery is whole and true: every example has its row, its sentence and its picture, and those
 * of some quick ones are what they teach today. `npm run gallery` writes it again.
 */

import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import { ROOT, read } from '../support/sources.ts';
import { chart } from './chart.ts';
import { SAMPLE_RATE, lessonOf } from './lessons.ts';
import { PAGE, pictureOf, tableRows } from './page.ts';

const text = read(PAGE);
/** Without the spaces that line a table up. */
const rows = text.split('\n').flatMap((line) => (line.startsWith('|') ? [cellsOf(line)] : []));

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

describe('the gallery', () => {
  it('has a section for every example, in order, and none besides', () => {
    const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(['What was learned', ...Object.keys(EXAMPLES)]);
  });

  it('has a picture for every example, and none besides', () => {
    const pictures = readdirSync(join(ROOT, dirname(pictureOf('')))).sort();
    expect(pictures).toEqual(
      Object.keys(EXAMPLES)
        .map((name) => `${name}.svg`)
        .sort(),
    );
  });

  it.each(Object.values(EXAMPLES))('says what $name shows', ({ name, title, doc }) => {
    // Prettier may escape what Markdown would take for its own.
    const plain = text.replaceAll('\\', '');
    expect(plain).toContain(`**${title}.** ${doc}`);
    expect(plain).toContain(`](gallery/${name}.svg)`);
    expect(existsSync(join(ROOT, pictureOf(name)))).toBe(true);
  });

  it.each(['gain', 'gain-dc', 'one-pole'])('shows of %s what it teaches today', (name) => {
    const patch = EXAMPLES[name]!;
    const lesson = lessonOf(patch);
    expect(read(pictureOf(name))).toBe(chart(lesson, SAMPLE_RATE));
    for (const row of tableRows({ patch, lesson, speed: 1 })) {
      const withoutSpeed = cellsOf(row).slice(0, -1);
      expect(rows.map((cells) => cells.slice(0, -1))).toContainEqual(withoutSpeed);
    }
  });
});
