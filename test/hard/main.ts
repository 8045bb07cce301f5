/**
 * `npm run -s hard`: the hard problems, some hundred trials each, as a table in `results.md` beside
 * this file and on the standard output. `-- --seed N` for other trials.
 *
 * Exit status: 1 where a problem is solved less often than it must be.
 */

import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { parseArgs } from 'node:util';
import { ALONE, alone } from './losses.ts';
import { PROBLEMS } from './problems.ts';
import { quantile } from './trials.ts';

// As the engine does: optimised code from the first call on.
setFlagsFromString('--no-liftoff');
setFlagsFromString('--no-wasm-lazy-compilation');

const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } });
const seed = Number(values.seed);
const percent = (share: number): string => `${Number((100 * share).toFixed(2))} %`;
const short = (value: number): string => String(Number(value.toPrecision(2)));

const HEAD = [
  'problem',
  'must be',
  'of the trials',
  'is',
  'trials',
  'median',
  '95 %',
  'worst',
  'x real time',
];
const ALONE_TRIALS = 100;
const rows: string[][] = [];
for (const { name, goal, wanted, trials, run } of PROBLEMS) {
  const tally = run(trials, seed);
  const share = tally.reached / trials;
  if (share < wanted) process.exitCode = 1;
  const errors = [0.5, 0.95, 1].map((q) => `${short(quantile(tally, q))} ${tally.unit}`);
  const counted = [`≥ ${percent(wanted)}`, percent(share), String(trials)];
  rows.push([name, goal, ...counted, ...errors, tally.speed.toFixed(0)]);
  process.stderr.write(`${rows.at(-1)!.join(' | ')}\n`);
}

const ALONE_HEAD = ['loss alone', 'optimiser', 'within 50 cent', 'within 1 Hz'];
const found = Object.keys(ALONE).map((name) => {
  const { optimiser, near, exact } = alone(name, ALONE_TRIALS, seed);
  return [name, optimiser, percent(near), percent(exact)];
});

/** As prettier lays a table out. */
function tableOf(head: readonly string[], body: readonly (readonly string[])[]): string {
  const widths = head.map((_, c) => Math.max(...[head, ...body].map((row) => row[c]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, c) => cell.padEnd(widths[c]!)).join(' | ')} |\n`;
  return [head, widths.map((w) => '-'.repeat(w)), ...body].map(line).join('');
}

const cpu = cpus()[0]?.model.trim() ?? process.arch;
const text = `# Hard problems

Any start to any target, both log-uniform (delays uniform), from seed ${seed}: the shipped examples \`oscillator-spectrum\`, \`pitch-tracker\` and \`delay\`, compiled and run as the daemon runs them, with the sound of each trial on their inputs. Sines from 20 Hz to 20 kHz of random phase and amplitude (0.1 to 1), band-limited saws and squares from 40 to 2000 Hz with random phases of the partials, delays up to 2400 samples at 48 kHz between sounds of different gain with other noise 20 dB below. Errors are what is left at the end; for jumps, the time until it is there to stay. Written by \`npm run -s hard\` (node ${process.version}, ${cpu}); the speed is per second of one core's time.

${tableOf(HEAD, rows)}
## Losses alone

The same with a plain oscillator at every sample and a loss over windows of 1024 samples, in 5 seconds without noise, from anywhere between 100 Hz and 10 kHz to anywhere, ${ALONE_TRIALS} trials each. Transport leads near from afar and stays where its bins let it; all others are local losses: they find a frequency that starts within a bin of its target, and luck otherwise.

${tableOf(ALONE_HEAD, found)}`;
writeFileSync(new URL('results.md', import.meta.url), text);
process.stdout.write(text);
