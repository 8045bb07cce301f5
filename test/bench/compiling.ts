/**
 * How long it takes from a document to an artifact: of every example, and of graphs of about 100,000
 * nodes in several shapes.
 *
 * What counts are processor seconds of the compiling thread, the quickest of a few turns after one
 * that does not count, so that a busy machine disturbs little. The engine's own translation of the
 * code to the machine's is apart.
 */

import { EXAMPLES } from '../../dsp/examples/index.ts';
import { assemble, programOf } from '../../dsp/compile.ts';
import type { CompileOptions } from '../../dsp/compile.ts';
import { printDiagnostics } from '../../dsp/diagnostic.ts';
import type { Program } from '../../dsp/ir/program.ts';
import { buildPatch } from '../../dsp/patch/builder.ts';
import type { PatchBuilder, PatchEnd, Signal } from '../../dsp/patch/builder.ts';
import { parsePatch } from '../../dsp/patch/schema.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { translate } from '../../server/engine/translate.ts';
import { BLOCK, SAMPLE_RATE } from './kernels/kernel.ts';
import { median } from './ours.ts';

const OPTIONS: CompileOptions = {
  sampleRate: SAMPLE_RATE,
  maxBlock: BLOCK,
  latency: 0,
  fused: true,
};

export interface Compiled {
  readonly name: string;
  /** Of all graphs, after the passes. */
  readonly nodes: number;
  /** Milliseconds: of the document, to the program, to the artifact. */
  readonly parsing: number;
  readonly planning: number;
  readonly generating: number;
  /** Milliseconds of the engine, to machine code; on the wall. */
  readonly translating: number;
  readonly bytes: number;
}

export const totalOf = ({ parsing, planning, generating }: Compiled): number =>
  parsing + planning + generating;

/** How large the large graphs are: nodes, about. */
const LARGE = 100_000;
/** Of a low-pass filter with numbers for its frequency and resonance. */
const LOWPASS_NODES = 15;
/** Of a learnable one, in all graphs. */
const LEARNABLE_NODES = 165;
/** A document holds no more. */
const MOST_OPERATIONS = 19_900;

/** A graph of a shape. @param nodes  how many, about */
type Shape = (nodes: number) => Patch;

const SHAPES: Readonly<Record<string, Shape>> = {
  'low-passes side by side': (nodes) => lowpasses(nodes / LOWPASS_NODES, false),
  'low-passes in series': (nodes) => lowpasses(nodes / LOWPASS_NODES, true),
  'low-passes that learn, reverse mode': (nodes) => learnable(nodes / LEARNABLE_NODES),
  'operations in any order': (nodes) => operations(Math.min(nodes, MOST_OPERATIONS)),
};

function built(name: string, write: (p: PatchBuilder) => PatchEnd): Patch {
  const patch = buildPatch(name, write);
  if (!patch.ok) throw new Error(printDiagnostics(patch.diagnostics));
  return patch.value;
}

const sumOf = (p: PatchBuilder, parts: readonly Signal[]): Signal =>
  parts.reduce((sum, part) => p.op('add', [sum, part]));

const lowpasses = (count: number, inSeries: boolean): Patch =>
  built('lowpasses', (p) => {
    const x = p.input(1);
    const made: Signal[] = [];
    for (let k = 0; k < count; k++) {
      const from = inSeries ? (made.at(-1) ?? x) : x;
      made.push(p.fn('lowpass', [from, 100 + k, 0.5 + k / count]));
    }
    return { outputs: [inSeries ? made.at(-1)! : sumOf(p, made)] };
  });

const learnable = (count: number): Patch =>
  built('learnable', (p) => {
    const [x, target] = [p.input(1), p.input(2)];
    const made: Signal[] = [];
    for (let k = 0; k < count; k++) {
      const frequency = p.param(`f${k}`, { initial: 100 + 10 * k, min: 20, max: 20_000 });
      const q = p.param(`q${k}`, { initial: 0.7, min: 0.1, max: 10 });
      made.push(p.fn('lowpass', [x, frequency, q]));
    }
    const y = sumOf(p, made);
    return {
      outputs: [y],
      training: {
        mode: 'reverse',
        window: BLOCK,
        estimate: y,
        target,
        loss: { kind: 'mse' },
        optimiser: { kind: 'adam' },
        schedule: { kind: 'constant', rate: 0.01 },
      },
    };
  });

/** Sums, products, larger and smaller ones, tanh, of any of the last 200 that were made. */
const operations = (count: number): Patch =>
  built('operations', (p) => {
    const made: Signal[] = [p.input(1)];
    let seed = 1;
    const any = (of: number): number => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * of);
    };
    const recent = (): Signal => made[made.length - 1 - any(Math.min(made.length, 200))]!;
    const kinds = ['add', 'mul', 'sub', 'max', 'min'] as const;
    for (let k = 0; k < count; k++) {
      made.push(
        any(10) === 0
          ? p.op('tanh', [recent()])
          : p.op(kinds[any(kinds.length)]!, [recent(), recent()]),
      );
    }
    return { outputs: [sumOf(p, made.slice(-50))] };
  });

/** @param turns  that count */
export function measureCompiling(
  turns: number,
  nodes = LARGE,
): { readonly examples: readonly Compiled[]; readonly large: readonly Compiled[] } {
  const examples = Object.entries(EXAMPLES).map(([name, patch]) => compiled(name, patch, turns));
  const large = Object.entries(SHAPES).map(([name, shape]) => compiled(name, shape(nodes), turns));
  return { examples, large };
}

function compiled(name: string, patch: Patch, turns: number): Compiled {
  const document: unknown = JSON.parse(JSON.stringify(patch));
  const all: Compiled[] = [];
  for (let turn = -1; turn < turns; turn++) {
    const started = processorTime();
    const parsed = parsePatch(document);
    const parsing = processorTime() - started;
    if (!parsed.ok) throw new Error(printDiagnostics(parsed.diagnostics));
    const program = programOf(parsed.value, OPTIONS);
    const planning = processorTime() - started - parsing;
    if (!program.ok) throw new Error(printDiagnostics(program.diagnostics));
    const artifact = assemble(program.value, OPTIONS);
    const generating = processorTime() - started - parsing - planning;
    if (!artifact.ok) throw new Error(printDiagnostics(artifact.diagnostics));
    const { wasm } = artifact.value;
    // The engine keeps the code of equal modules: once is enough.
    const translating = turn < 0 ? translationOf(wasm) : all[0]!.translating;
    const nodes = nodesOf(program.value);
    all.push({ name, nodes, parsing, planning, generating, translating, bytes: wasm.length });
  }
  const counted = all.slice(1);
  return counted.reduce((best, one) => (totalOf(one) < totalOf(best) ? one : best));
}

const nodesOf = ({ stream, loss, backward, update }: Program): number =>
  [stream, loss, backward, update].reduce((sum, graph) => sum + (graph?.nodes.length ?? 0), 0);

/** Milliseconds that this thread has worked for. */
function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function translationOf(wasm: Uint8Array): number {
  const started = performance.now();
  translate(wasm);
  return performance.now() - started;
}

/** Markdown tables. */
export function compilingReport({ examples, large }: ReturnType<typeof measureCompiling>): string {
  const row = (one: Compiled): string =>
    `| ${[
      one.name,
      one.nodes.toLocaleString('en'),
      one.parsing.toFixed(1),
      one.planning.toFixed(1),
      one.generating.toFixed(1),
      `**${totalOf(one).toFixed(1)}**`,
      one.bytes.toLocaleString('en'),
      one.translating.toFixed(0),
    ].join(' | ')} |\n`;
  const heading =
    '| patch | nodes | document | program | code | compile, ms | bytes | translate, ms |\n' +
    '|---|---|---|---|---|---|---|---|\n';
  const totals = examples.map(totalOf);
  const slowest = examples.toSorted((a, b) => totalOf(b) - totalOf(a)).slice(0, 5);
  const most = Math.max(...totals).toFixed(1);
  return (
    `${heading}${large.map(row).join('')}` +
    `\n${examples.length} examples: median ${median(totals).toFixed(1)} ms, at most ${most} ms\n\n` +
    `${heading}${slowest.map(row).join('')}`
  );
}
