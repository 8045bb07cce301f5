/**
 * Patch → Artifact: the whole compiler as one function, and its stages for those who print them.
 *
 * Pure: no clock, no randomness, no files. Whoever compiles a stranger's patch does so in a thread
 * with a time limit; the compiler bounds memory, not time.
 */

import type { Artifact, GraphReport } from './artifact.ts';
import { diagnostic, fail, ok } from './diagnostic.ts';
import type { Result } from './diagnostic.ts';
import { lowerProgram } from './faust/lower.ts';
import { plan } from './plan.ts';
import type { Mode, Watch } from './plan.ts';
import type { Graph } from './ir/graph.ts';
import { NO_GUARDS, listensTo } from './ir/program.ts';
import type { GraphName, Precision, Program } from './ir/program.ts';
import { liveSize } from './passes/fold.ts';
import { lower, type Lowered } from './patch/lower.ts';
import type { Patch } from './patch/schema.ts';
import { generate } from './wasm/generate.ts';
import type { Generated } from './wasm/generate.ts';
import { encode } from './wasm/module.ts';
import { workOf } from './wasm/work.ts';

export interface CompileOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Most frames one call may process. */
  readonly maxBlock: number;
  /** Device round trip that `align` makes up for, frames. */
  readonly latency: number;
  /**
   * Multiply and add with one rounding where the machine can (`hasFusedMultiply` says whether the
   * engine takes such code): faster, but the last bits depend on the machine. Default: off.
   */
  readonly fused?: boolean;
  /** Instead of what the patch asks for. */
  readonly mode?: Mode;
  /** Of signals and gradients, instead of what the patch asks for. */
  readonly precision?: Precision;
}

const MAX_BYTES = 256 * 2 ** 20;
/** Engines refuse a function with more than 50,000 locals, or of more than 7,654,321 bytes. */
const MAX_LOCALS = 50_000;
const MAX_CODE_BYTES = 7_500_000;

/** The patch as a graph, before differentiation: what `compile --print ir` shows. */
export function graphOf(patch: Patch, options: CompileOptions): Result<Lowered> {
  const program = patch.faust?.program;
  return program === undefined ? lower(patch, options) : lowerProgram(patch, program, options);
}

/** The program before code generation: what `compile --print gradient` shows. */
export function programOf(
  patch: Patch,
  options: CompileOptions,
  watch: Watch = {},
): Result<Program> {
  const lowered = graphOf(patch, options);
  watch.done?.('lower');
  if (!lowered.ok) return lowered;
  const { mode = patch.training?.mode ?? 'auto', precision = patch.precision } = options;
  return plan({ ...patch, precision }, lowered.value, mode, watch);
}

/** The module before encoding: what `compile --print wat` shows. */
export const generateProgram = (program: Program, options: CompileOptions): Generated =>
  generate(program, options.maxBlock, options.fused ?? false);

export function compile(patch: Patch, options: CompileOptions): Result<Artifact> {
  const program = programOf(patch, options);
  if (!program.ok) return program;
  return assemble(program.value, options);
}

/** Program → Artifact. */
export function assemble(
  program: Program,
  options: CompileOptions,
  watch: Watch = {},
): Result<Artifact> {
  const generated = generateProgram(program, options);
  watch.done?.('generate');
  const { module, layout, loops, memory } = generated;
  if (layout.bytes > MAX_BYTES) {
    return fail(
      diagnostic(
        'PATCH_TOO_LARGE',
        '',
        `memory: expected at most ${MAX_BYTES} bytes, got ${layout.bytes}`,
        'shorten delays or the training window',
      ),
    );
  }
  const locals = Math.max(...module.functions.map((f) => f.locals.length));
  if (locals > MAX_LOCALS) {
    return fail(
      diagnostic(
        'PATCH_TOO_LARGE',
        'nodes',
        `the generated code needs too many variables: expected at most ${MAX_LOCALS}, got ${locals}`,
      ),
    );
  }
  const wasm = encode(module);
  watch.done?.('encode');
  if (wasm.length > MAX_CODE_BYTES) {
    return fail(
      diagnostic(
        'PATCH_TOO_LARGE',
        'nodes',
        `the generated code is too long: expected at most ${MAX_CODE_BYTES} bytes, got ${wasm.length}`,
      ),
    );
  }
  return ok({
    format: 'livegrad.artifact/1',
    name: program.name,
    wasm,
    layout,
    sampleRate: options.sampleRate,
    maxBlock: options.maxBlock,
    window: program.window,
    every: program.every ?? 1,
    latency: options.latency,
    mode: program.mode,
    precision: program.precision,
    throughDevice: program.throughDevice,
    inputs: program.inputs,
    outputs: program.outputs,
    sliders: program.sliders,
    params: program.params,
    meters: program.meters ?? [],
    listens: listensTo(program.stream),
    guards: program.guards ?? NO_GUARDS,
    report: {
      nodes: {
        stream: liveSize(program.stream),
        loss: program.loss === null ? 0 : liveSize(program.loss),
        backward: program.backward === null ? 0 : liveSize(program.backward),
        update: program.update === null ? 0 : liveSize(program.update),
      },
      graphs: reportGraphs(generated, options.maxBlock, program),
      memoryBytes: layout.bytes,
      memory,
      codeBytes: wasm.length - module.data.reduce((sum, { bytes }) => sum + bytes.length, 0),
      loops,
      mode: program.reasons,
      idle: program.idle ?? [],
    },
  });
}

function reportGraphs(
  { module, plans }: Generated,
  maxBlock: number,
  { window, every = 1 }: Program,
): Partial<Record<GraphName, GraphReport>> {
  const reports = plans.map(({ name, graph }) => {
    const func = module.functions.find((f) => f.name === name)!;
    const samples = name === 'stream' ? maxBlock : name === 'update' ? every * window : window;
    return [name, { nodes: countRates(graph), work: workOf(module, func, samples) }] as const;
  });
  return Object.fromEntries(reports);
}

function countRates({ nodes }: Graph): GraphReport['nodes'] {
  const counts = { const: 0, block: 0, frame: 0, sample: 0 };
  for (const { rate } of nodes) counts[rate]++;
  return counts;
}
