/**
 * What `faust.ts` measured, as Markdown for people and as JSON for programs.
 *
 * The JSON is `{node, cpu, block, programs}`, each program `{name, single, double, training, evaluated,
 * compiled}`: `{ours, theirs, ratio}` of either precision, in ns per sample; `training` a ratio, or null
 * where nothing can be learnt; the last two in milliseconds. `*` stands behind what falls short.
 */
import { BLOCK } from './faust.ts';
import type { FaustRow } from './faust.ts';
import { median } from './ours.ts';
import { cpuName } from './report.ts';

/** What programs must reach. */
const LEAST_RATIO = 0.9;
const MOST_TRAINING = 4;
const MOST_MS = 150;
/** Of programs that libfaust evaluates in less, ms. */
const QUICKLY = 100;

const isQuick = ({ evaluated }: FaustRow): boolean => evaluated < QUICKLY;
const isSlow = (row: FaustRow): boolean => isQuick(row) && row.evaluated + row.compiled > MOST_MS;

const HEAD = [
  'program',
  'single, ns/sample',
  'libfaust',
  'ratio',
  'double',
  'libfaust',
  'ratio',
  'training',
  'evaluated, ms',
  'compiled',
];

export const faustHead = (): string =>
  `| ${HEAD.join(' | ')} |\n|${HEAD.map(() => '---').join('|')}|\n`;

export function faustRow(row: FaustRow): string {
  const { name, single, double, training, evaluated, compiled } = row;
  const missed = (isMissed: boolean): string => (isMissed ? ' *' : '');
  const times = [single, double].flatMap(({ ours, theirs, ratio }) => [
    ours.toFixed(2),
    theirs.toFixed(2),
    `${ratio.toFixed(2)}${missed(ratio < LEAST_RATIO)}`,
  ]);
  const cost =
    typeof training === 'string'
      ? `– (${training.split('\n')[0]!.slice(0, 60)})`
      : `${training.toFixed(2)}${missed(training > MOST_TRAINING)}`;
  const ms = [evaluated.toFixed(0), `${compiled.toFixed(0)}${missed(isSlow(row))}`];
  return `| ${[name, ...times, cost, ...ms].join(' | ')} |\n`;
}

/** How far the corpus is from where it is to be. */
export function faustSummary(rows: readonly FaustRow[]): string {
  const lines = (['single', 'double'] as const).map((precision) => {
    const ratios = rows.map((row) => row[precision].ratio);
    const logs = ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0);
    const mean = Math.exp(logs / ratios.length);
    const worst = rows.toSorted((a, b) => a[precision].ratio - b[precision].ratio)[0];
    const below = ratios.filter((ratio) => ratio < LEAST_RATIO).length;
    return (
      `- ${precision}: geometric mean ${mean.toFixed(2)}, worst ${worst?.[precision].ratio.toFixed(2)}` +
      ` (${worst?.name}), below ${LEAST_RATIO}: ${below} of ${ratios.length}\n`
    );
  });
  const costs = rows.flatMap(({ training }) => (typeof training === 'number' ? [training] : []));
  const dear = costs.filter((cost) => cost > MOST_TRAINING).length;
  const middle = costs.length > 0 ? median(costs).toFixed(2) : '–';
  const most = costs.length > 0 ? Math.max(...costs).toFixed(2) : '–';
  const quick = rows.filter(isQuick);
  lines.push(
    `- training: median ${middle}, worst ${most}, above ${MOST_TRAINING}: ${dear} of ${costs.length}\n`,
    `- from text to running: above ${MOST_MS} ms: ${quick.filter(isSlow).length} of ${quick.length}\n`,
  );
  return `\n${lines.join('')}`;
}

export function faustJson(rows: readonly FaustRow[]): string {
  const programs = rows.map((row) => ({
    ...row,
    training: typeof row.training === 'string' ? null : row.training,
  }));
  return JSON.stringify({ node: process.version, cpu: cpuName(), block: BLOCK, programs }, null, 2);
}
