/**
 * What was measured, as Markdown for people and as JSON for programs.
 *
 * The JSON is `{node, cpu, kernels: [{name, nsPerSample, nativeNsPerSample, ratio, wideRatio,
 * realTimeFactor, bytes}]}`; `wideRatio` is that of code on eight numbers at a time. A field is null
 * where it was not measured: all but `nativeNsPerSample` for a kernel that the compiler cannot run yet,
 * the ratios where the two sides do not compute the same, `wideRatio` where V8 gets it wrong.
 */
import { cpus } from 'node:os';
import { SAMPLE_RATE } from './kernels/kernel.ts';
import type { Measured } from './measure.ts';

export const cpuName = (): string => cpus()[0]?.model.trim() ?? process.arch;

const realTime = (ns: number | null): number | null =>
  ns === null ? null : 1e9 / ns / SAMPLE_RATE;

export function toJson(measured: readonly Measured[]): string {
  const kernels = measured.map(({ kernel, ...one }) => ({
    name: kernel.name,
    nsPerSample: one.nsPerSample,
    nativeNsPerSample: one.nativeNsPerSample,
    ratio: one.ratio,
    wideRatio: one.wideRatio,
    realTimeFactor: realTime(one.nsPerSample),
    bytes: one.bytes,
  }));
  return JSON.stringify({ node: process.version, cpu: cpuName(), kernels }, null, 2);
}

export function heading(): string {
  return `node ${process.version}, ${process.arch}, ${cpuName()}, ${cpus().length} cores\n`;
}

const HEAD = [
  'kernel',
  'ns/sample',
  'native',
  'ratio',
  'of eight',
  'target',
  'M samples/s',
  'x real time',
  'bytes',
  'compile, ms',
];

export const tableHead = (): string =>
  `| ${HEAD.join(' | ')} |\n|${HEAD.map(() => '---').join('|')}|\n`;

export function tableRow(measured: Measured): string {
  const { kernel, nsPerSample, ratio, bytes, compileMs } = measured;
  const number = (value: number | null, digits: number): string => value?.toFixed(digits) ?? '–';
  const missed = ratio !== null && kernel.target !== undefined && ratio > kernel.target;
  const row = [
    kernel.name,
    number(nsPerSample, 2),
    number(measured.nativeNsPerSample, 2),
    measured.differs ? 'differs' : `${number(ratio, 2)}${missed ? ' *' : ''}`,
    number(measured.wideRatio, 2),
    kernel.target === undefined ? '' : `≤ ${kernel.target}`,
    number(nsPerSample === null ? null : 1e3 / nsPerSample, 2),
    number(realTime(nsPerSample), 0),
    bytes?.toLocaleString('en') ?? '–',
    number(compileMs, 0),
  ];
  return `| ${row.join(' | ')} |\n`;
}

/** What a table cannot say: why a side is missing. */
export function notes(measured: readonly Measured[]): string {
  return measured
    .filter(({ note }) => note !== null)
    .map(({ kernel, note }) => `\n- ${kernel.name}: ${note}\n`)
    .join('');
}
