/**
 * What `compile --print stats` shows beyond the summary: nodes by rate, instructions per sample by
 * what they are for, memory by what lies in it, and times.
 *
 * Invariant: pure functions; nothing here is counted, only written. Times are of one compilation by
 * a process that has just started, so they are longer than the daemon's.
 */

import type { CompileReport, GraphReport, MemoryReport, Part, Work } from '../../dsp/artifact.ts';
import type { GraphName } from '../../dsp/ir/program.ts';
import { count, table } from './style.ts';

export interface Time {
  readonly phase: 'parse' | 'lower' | 'differentiate' | 'passes' | 'generate' | 'encode';
  readonly milliseconds: number;
}

const PARTS: Readonly<Record<Part, string>> = {
  value: 'values',
  vector: 'loops of several samples',
  serial: 'loops of one sample',
  product: 'products over the window',
  frame: 'loops of one frame',
  upkeep: 'results, lines moved on',
};

const MEMORY: Readonly<Record<keyof MemoryReport, string>> = {
  controls: 'controls and gradients',
  channels: 'inputs and outputs',
  tapes: 'tapes for the gradient',
  lines: 'lines, the past of signals',
  state: 'other state',
  temps: 'room between loops, scratch',
  tables: 'tables of constants',
  reserved: 'kept free',
};

const keysOf = <K extends string>(record: Readonly<Record<K, unknown>>): K[] =>
  Object.keys(record) as K[];

/** Of a graph's function, per sample. */
export const instructionsOf = ({ work }: GraphReport): number =>
  Object.values(work).reduce((sum, { instructions }) => sum + instructions, 0);

/** Whole, unless the digit behind the point tells more. */
export const about = (value: number): string =>
  value < 1 && value > 0 ? value.toFixed(1) : count(value);

export function describeCode(report: CompileReport): string {
  const graphs = Object.entries(report.graphs) as [GraphName, GraphReport][];
  return [
    table([['nodes', ...RATES], ...graphs.map(nodeRow)], 'lrrrr'),
    ['instructions per sample, an estimate', ...workLines(graphs)].join('\n'),
    memoryTable(report),
  ].join('\n\n');
}

const RATES = ['const', 'block', 'frame', 'sample'] as const;

const nodeRow = ([name, { nodes }]: [GraphName, GraphReport]): string[] => [
  name,
  ...RATES.map((rate) => count(nodes[rate])),
];

function workLines(graphs: readonly [GraphName, GraphReport][]): string[] {
  const row = (label: string, w: Work): string[] => [
    label,
    decimal(w.instructions),
    decimal(w.arithmetic),
    decimal(w.memory),
  ];
  const add = (a: Work, b: Work): Work => ({
    instructions: a.instructions + b.instructions,
    arithmetic: a.arithmetic + b.arithmetic,
    memory: a.memory + b.memory,
  });
  const rows = graphs.flatMap(([name, { work }]) => [
    row(name, Object.values(work).reduce(add)),
    ...keysOf(PARTS)
      .filter((part) => work[part].instructions >= LEAST)
      .map((part) => row(`  ${PARTS[part]}`, work[part])),
  ]);
  const all = graphs.flatMap(([, { work }]) => Object.values(work)).reduce(add);
  return [table([['', 'all', 'arithmetic', 'memory'], ...rows, row('together', all)], 'lrrr')];
}

/** Less than this is not worth a line. */
const LEAST = 0.05;

const decimal = (value: number): string =>
  value.toLocaleString('en-GB', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

function memoryTable({ memory, memoryBytes, codeBytes }: CompileReport): string {
  const rows = keysOf(MEMORY)
    .filter((use) => memory[use] > 0)
    .map((use) => [`  ${MEMORY[use]}`, count(memory[use])]);
  return table(
    [
      ['memory', count(memoryBytes), 'bytes'],
      ...rows,
      ['code, without tables', count(codeBytes), 'bytes'],
    ],
    'lr',
  );
}

export function describeTimes(times: readonly Time[]): string {
  const total = times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return table(
    [
      ['time, this once', decimal(total), 'ms'],
      ...times.map(({ phase, milliseconds }) => [`  ${phase}`, decimal(milliseconds)]),
    ],
    'lr',
  );
}
