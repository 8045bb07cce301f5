/**
 * `npm run -s bench`: speed of the compiler's programs against plain C from g++, then in double
 * precision, then against the same by hand in JavaScript. Prints Markdown; with `-- --json` the kernels
 * alone, as JSON (fields in report.ts). `-- --only TEXT` measures the kernels whose name contains it,
 * `-- --smoke` all of them for a moment, on our side alone where there is no g++. `-- --only faust`, or
 * `faust/TEXT`, measures Faust programs against libfaust's own code instead (faust-report.ts);
 * `-- --only compile` measures how long the compiler takes (compiling.ts).
 *
 * Exit status: 1 where there is no g++, or a kernel's two sides do not compute the same; 2 for an
 * unknown argument. The ratio is what counts: machines differ, and this one may be busy.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { say } from '../../server/launch/paths.mjs';
import { compilingReport, measureCompiling } from './compiling.ts';
import { faustHead, faustJson, faustRow, faustSummary } from './faust-report.ts';
import { measureFaust } from './faust.ts';
import { KERNELS } from './kernels/index.ts';
import { measure } from './measure.ts';
import type { Effort, Measured } from './measure.ts';
import { COMPILER, FLAGS, Native, buildNative, hasCompiler } from './native.ts';
import { signals } from './ours.ts';
import { measurePrecisions } from './precisions.ts';
import { measurePrograms } from './programs.ts';
import { heading, notes, tableHead, tableRow, toJson } from './report.ts';

const FULL: Effort = { rounds: 9, seconds: 0.05 };
/** Short turns: of many, one is undisturbed. */
const FAUST_EFFORT: Effort = { rounds: 40, seconds: 0.001 };
const SMOKE: Effort = { rounds: 1, seconds: 0.001 };

const options = readOptions();
const FAUST = 'faust';
const COMPILE = 'compile';
if (options.only === FAUST || options.only.startsWith(`${FAUST}/`)) {
  await benchFaust(options.only.slice(FAUST.length + 1));
  process.exit();
}
if (options.only === COMPILE) {
  const { turns, nodes } = options.smoke
    ? { turns: 1, nodes: 2_000 }
    : { turns: 5, nodes: 100_000 };
  say(`${heading()}\n${compilingReport(measureCompiling(turns, nodes))}`);
  process.exit();
}
if (!hasCompiler() && !options.smoke) {
  say(`the bench compares with C compiled by ${COMPILER} ${FLAGS.join(' ')}, and finds none`);
  say('  install it (Debian: apt-get install g++), then run it again');
  process.exit(1);
}

const kernels = KERNELS.filter(({ name }) => name.includes(options.only));
const input = signals(Math.max(...KERNELS.map(({ frames }) => frames)));
const program = hasCompiler() ? buildNative() : null;
const native = program === null ? null : new Native(program, input);
const print = (text: string): void => {
  if (!options.json) process.stdout.write(text);
};

print(
  `${heading()}native: ${native === null ? 'none' : [COMPILER, ...FLAGS].join(' ')}\n\n${tableHead()}`,
);
const measured: Measured[] = [];
for (const kernel of kernels) {
  const one = await measure(kernel, native, input, options.smoke ? SMOKE : FULL);
  measured.push(one);
  print(tableRow(one));
}
await native?.close();
if (program !== null) rmSync(program);
print(notes(measured));
if (options.json) process.stdout.write(`${toJson(measured)}\n`);
else if (options.only === '' && !options.smoke) {
  print(`\n${measurePrecisions(KERNELS, input, 0.1)}`);
  print(`\n${await measurePrograms()}`);
}
if (measured.some(({ differs }) => differs)) process.exitCode = 1;

async function benchFaust(only: string): Promise<void> {
  const print = (text: string): void => {
    if (!options.json) process.stdout.write(text);
  };
  print(`${heading()}\n${faustHead()}`);
  const effort = options.smoke ? SMOKE : FAUST_EFFORT;
  const rows = await measureFaust(only, effort, (row) => {
    print(faustRow(row));
  });
  if (options.json) process.stdout.write(`${faustJson(rows)}\n`);
  else print(faustSummary(rows));
}

function readOptions(): { json: boolean; smoke: boolean; only: string } {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        smoke: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
      },
    });
    return values;
  } catch (error) {
    say(`${(error as Error).message}: expected --json, --smoke or --only TEXT`);
    process.exit(2);
  }
}
