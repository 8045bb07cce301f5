/**
 * `npm run gallery`: teaches every example offline and writes the gallery, `dsp/examples/README.md`
 * and its pictures. `-- NAME...` teaches these alone and writes their pictures only.
 *
 * Exit status: 1 where an example has not learned what it expects; all is written nevertheless.
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { format, resolveConfig } from 'prettier';
import { EXAMPLES } from '../../dsp/examples/index.ts';
import { ROOT, say } from '../../server/launch/paths.mjs';
import { chart } from './chart.ts';
import { SAMPLE_RATE, lessonOf } from './lessons.ts';
import { PAGE, page, pictureOf } from './page.ts';
import type { Shown } from './page.ts';

// As the engine does: optimised code from the first call on.
setFlagsFromString('--no-liftoff');
setFlagsFromString('--no-wasm-lazy-compilation');

/** The fastest of them counts: the machine may be busy. */
const RUNS = 3;

const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(EXAMPLES, name));
if (unknown.length > 0) {
  say(`no example ${unknown.join(', ')}: expected some of ${Object.keys(EXAMPLES).join(', ')}`);
  process.exit(2);
}

const patches = Object.values(EXAMPLES).filter(
  ({ name }) => names.length === 0 || names.includes(name),
);
// The first lesson of a process is slower than any other.
lessonOf(EXAMPLES['gain']!);
const shown = patches.map((patch): Shown => {
  const lessons = Array.from({ length: RUNS }, () => lessonOf(patch));
  const lesson = lessons[0]!;
  const speed = Math.max(...lessons.map((one) => one.frames / one.outcome.secondsTaken));
  const wrong = lesson.exams.filter(({ ok }) => !ok);
  for (const { param, signal, value, learned, tolerance } of wrong) {
    say(`${patch.name}: expected ${param ?? signal} ${value} ± ${tolerance}, got ${learned}`);
    process.exitCode = 1;
  }
  return { patch, lesson, speed };
});

const folder = join(ROOT, dirname(pictureOf('')));
mkdirSync(folder, { recursive: true });
for (const { patch, lesson } of shown) {
  writeFileSync(join(ROOT, pictureOf(patch.name)), chart(lesson, SAMPLE_RATE));
}
if (names.length === 0) {
  for (const file of readdirSync(folder)) {
    if (!Object.hasOwn(EXAMPLES, file.replace(/\.svg$/, ''))) rmSync(join(folder, file));
  }
  const machine = `${cpus()[0]?.model.trim() ?? process.arch}, Node ${process.versions.node}`;
  const options = { ...(await resolveConfig(join(ROOT, PAGE))), parser: 'markdown' };
  writeFileSync(join(ROOT, PAGE), await format(page(shown, machine), options));
}
