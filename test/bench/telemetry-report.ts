/** What telemetry costs, as Markdown. */

import { WANTED, type Cost, type Measured } from './telemetry.ts';

const ROWS: readonly (readonly [string, (cost: Cost) => string])[] = [
  ['CPU of the control process, of one core', ({ share }) => `${(100 * share).toFixed(1)} %`],
  ['sent, kB/s', ({ bytesPerSecond }) => (bytesPerSecond / 1000).toFixed(0)],
  ['frames/s', ({ framesPerSecond }) => framesPerSecond.toFixed(0)],
  ['frames dropped', ({ dropped }) => String(dropped)],
  ['late blocks', ({ lateBlocks, blocks }) => `${lateBlocks} of ${blocks.toFixed(0)}`],
];

export function telemetryTable({ load, alone, watched }: Measured): string {
  const { clients, meters, params, seconds } = load;
  const { metersRate, gradientsRate, share } = WANTED;
  const head = ['', 'no client', `${clients} clients`];
  const rows = ROWS.map(([title, text]) => [title, text(alone), text(watched)]);
  const missed = watched.share > share ? ': missed' : '';
  return [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
    '',
    `Each client: ${meters} meters ${metersRate} times and ${params} gradients ${gradientsRate} times a ` +
      `second, for ${seconds} s. Wanted: less than ${100 * share} % of one core${missed}.`,
    '',
  ].join('\n');
}
