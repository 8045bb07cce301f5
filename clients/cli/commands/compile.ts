/**
 * `compile PATCH`: what the compiler makes of a patch, and any of its stages as text.
 *
 * faust     the normal form of a Faust program, as libfaust gives it: what is compiled
 * ir        the patch as a graph, before differentiation
 * gradient  the graphs that run: the stream with what the gradient needs of it, the loss where it
 *           is a graph of its own, the backward pass, the optimiser
 * passes    each of them before the passes and after every pass that changes it
 * schedule  which nodes run in which loop, and where signals are kept
 * wat       the WebAssembly module
 * stats     sizes, instructions per sample, memory, and how long this compilation took
 *
 * Invariant: the document of `--json` depends on patch, options and compiler alone, but for the text
 * of `stats`; all of its numbers that are no times are in the document's report.
 */

import { createHash } from 'node:crypto';
import { Option } from 'commander';
import type { Artifact } from '../../../dsp/artifact.ts';
import { assemble, generateProgram, graphOf, programOf } from '../../../dsp/compile.ts';
import type { CompileOptions } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import type { Graph } from '../../../dsp/ir/graph.ts';
import { print } from '../../../dsp/ir/print.ts';
import type { GraphName, Program } from '../../../dsp/ir/program.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import type { Watch } from '../../../dsp/plan.ts';
import { printWat } from '../../../dsp/wasm/module.ts';
import { printSchedule } from '../../../dsp/wasm/print-schedule.ts';
import { answer, finding, refuse } from '../answer.ts';
import { sampleRate, withCompiler } from '../command.ts';
import type { Register } from '../command.ts';
import { withFolders } from '../faust.ts';
import type { FolderOptions } from '../faust.ts';
import { locateIn, readPatch } from '../patch-source.ts';
import { about, describeCode, describeTimes, instructionsOf } from '../stats.ts';
import type { Time } from '../stats.ts';
import { count, fields, runs } from '../style.ts';

const STAGES = ['faust', 'ir', 'passes', 'gradient', 'schedule', 'wat', 'stats'] as const;
type Stage = (typeof STAGES)[number];

interface Options extends FolderOptions {
  readonly sampleRate: number;
  readonly blockSize: number;
  readonly latency: number;
  readonly mode?: 'auto' | 'forward' | 'reverse';
  readonly precision?: 'single' | 'double';
  readonly print?: Stage;
}

export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

export const compile: Register = (program, deliver) => {
  withFolders(
    withCompiler(
      program
        .command('compile')
        .description('show what the compiler makes of a patch')
        .argument('<patch>', 'file (JSON, or .dsp in Faust), or name of an example')
        .addOption(
          new Option('--print <stage>', 'print a stage as text; stats for its sizes').choices(
            STAGES,
          ),
        )
        .addOption(
          new Option('--mode <mode>', 'differentiate this way').choices([
            'auto',
            'forward',
            'reverse',
          ]),
        )
        .addOption(
          new Option('--precision <precision>', 'of signals and gradients').choices([
            'single',
            'double',
          ]),
        )
        .option('--sample-rate <hz>', 'sample rate to compile for', sampleRate, 48_000),
    ),
  ).action((name: string, options: Options) =>
    deliver(async () => {
      const log = new Log();
      const source = await readPatch(name, options);
      if (!source.ok) return refuse(source.findings);
      if (source.value.file !== undefined) log.done('parse');
      const { patch } = source.value;
      if (options.print === 'faust' && patch.faust?.program === undefined) {
        const message = `"${patch.name}" is no Faust program: it has no normal form`;
        return refuse(locateIn(source.value, [finding('CLI_NOT_FAUST', 'nodes', message)]));
      }
      const { sampleRate, latency, mode, precision } = options;
      const compileOptions = {
        sampleRate,
        latency,
        maxBlock: options.blockSize,
        ...(mode === undefined ? {} : { mode }),
        ...(precision === undefined ? {} : { precision }),
      };
      const planned = programOf(patch, compileOptions, log);
      if (!planned.ok) return refuse(locateIn(source.value, planned.diagnostics));
      const artifact = assemble(planned.value, compileOptions, log);
      if (!artifact.ok) return refuse(locateIn(source.value, artifact.diagnostics));

      const summary = summarise(artifact.value);
      const stage = options.print;
      if (stage === undefined) return answer(summary, describe(summary));
      const text =
        stage === 'stats'
          ? `${describe(summary)}\n\n${describeCode(summary.report)}\n`
          : printStage(stage, patch, planned.value, compileOptions, log.changes);
      const shown = stage === 'stats' ? `${text}\n${describeTimes(log.times)}` : text;
      return answer({ ...summary, print: { stage, text } }, shown.trimEnd());
    }),
  );
};

interface Change {
  readonly graph: GraphName;
  /** Null for the graph before the first pass. */
  readonly pass: string | null;
  readonly made: Graph;
}

/** What a compilation says while it goes on. */
class Log implements Watch {
  readonly times: Time[] = [];
  readonly changes: Change[] = [];
  #last = performance.now();

  readonly done = (phase: Time['phase']): void => {
    const now = performance.now();
    this.times.push({ phase, milliseconds: now - this.#last });
    this.#last = now;
  };

  readonly pass = (graph: GraphName, pass: string | null, made: Graph): void => {
    this.changes.push({ graph, pass, made });
  };
}

function printStage(
  stage: Exclude<Stage, 'stats'>,
  patch: Patch,
  program: Program,
  options: CompileOptions,
  changes: readonly Change[],
): string {
  switch (stage) {
    case 'faust':
      return patch.faust?.program?.form ?? '';
    case 'ir': {
      const lowered = graphOf(patch, options);
      if (!lowered.ok) throw new Error(printDiagnostics(lowered.diagnostics));
      return print(optimise(lowered.value.graph));
    }
    case 'passes':
      return printPasses(program, changes);
    case 'gradient':
      return GRAPHS.flatMap((name) => {
        const graph = program[name];
        return graph === null ? [] : [`${heading(name, program)}\n${print(graph)}`];
      }).join('\n');
    case 'schedule':
      return generateProgram(program, options).plans.map(printSchedule).join('\n');
    case 'wat':
      return printWat(generateProgram(program, options).module);
  }
}

const GRAPHS = ['stream', 'loss', 'backward', 'update'] as const satisfies readonly GraphName[];

/** What a graph is, in a line. */
function heading(name: GraphName, { loss, window, carry, mode }: Program): string {
  const ends = loss === null ? 'loss and gradients' : 'gradients';
  const before = carry > 0 ? ` and the ${carry} before it` : '';
  const over = `over a window of ${window} samples`;
  const says: Readonly<Record<GraphName, string>> = {
    stream: mode === 'none' ? 'every sample' : 'every sample; tapes are for the gradient',
    loss: `loss and its cotangents, ${over}`,
    backward: `${ends}, back ${over}${before}`,
    update: 'the optimiser, once a window',
  };
  return `# ${name}: ${says[name]}`;
}

function printPasses(program: Program, changes: readonly Change[]): string {
  const blocks = GRAPHS.flatMap((name) => {
    const own = changes.filter(({ graph }) => graph === name);
    const [first] = own;
    if (first === undefined) return [];
    const size = first.made.nodes.length;
    const made = [heading(name, program), `## ${name}, before the passes: ${size} nodes`];
    const steps = [`${made.join('\n')}\n${print(first.made)}`];
    let idle: string[] = [];
    const note = (): void => {
      if (idle.length > 0) steps.push(`## ${name}, ${idle.join(', ')}: nothing changes\n`);
      idle = [];
    };
    own.slice(1).forEach(({ pass, made: after }, k) => {
      const { made: before } = own[k]!;
      const text = print(after);
      if (text === print(before)) {
        idle.push(pass!);
        return;
      }
      note();
      const [from, to] = [before.nodes.length, after.nodes.length];
      const nodes = from === to ? `${to} nodes, as before` : `${to} nodes of ${from}`;
      steps.push(`## ${name}, ${pass}: ${nodes}\n${text}`);
    });
    note();
    return steps;
  });
  return blocks.join('\n');
}

type Summary = ReturnType<typeof summarise>;

function summarise(artifact: Artifact) {
  const { wasm, layout, name, report, sliders, params, ...rest } = artifact;
  return {
    patch: name,
    ...rest,
    sliders: sliders.map((c) => c.id),
    params: params.map((c) => c.id),
    wasmBytes: wasm.byteLength,
    memoryBytes: layout.bytes,
    report,
    artifactSha256: sha256(wasm),
  };
}

/** That a loop takes at once. */
const SAMPLES = { single: 'four', double: 'two' } as const;

function describe(s: Summary): string {
  const { nodes, loops, mode, graphs } = s.report;
  const has = (list: readonly string[]): string => list.filter((text) => text !== '').join(', ');
  const perGraph = (numberOf: (name: GraphName) => number): string =>
    has(GRAPHS.map((name) => (name in graphs ? `${about(numberOf(name))} ${name}` : '')));
  const instructions = (name: GraphName): number => instructionsOf(graphs[name]!);
  const together = GRAPHS.reduce((sum, n) => sum + (n in graphs ? instructions(n) : 0), 0);
  return fields([
    ['patch', s.patch],
    ['channels', `${s.inputs} in, ${s.outputs} out`],
    ['sliders', runs(s.sliders).join(', ') || 'none'],
    ['params', runs(s.params).join(', ') || 'none'],
    ['compiled for', `${s.sampleRate} Hz, blocks of up to ${s.maxBlock}, latency ${s.latency}`],
    ...(s.precision === 'single' ? [] : [['precision', s.precision] as const]),
    ['mode', s.mode === 'none' ? 'no training' : `${s.mode}, window ${s.window}`],
    ...mode.map((why, i): [string, string] => [i === 0 ? 'because' : '', why]),
    ['nodes', perGraph((name) => nodes[name])],
    ['loops', `${loops.vector} ${SAMPLES[s.precision]} at a time, ${loops.serial} serial`],
    ['instructions', `about ${about(together)} a sample: ${perGraph(instructions)}`],
    ['wasm', `${count(s.wasmBytes)} bytes, memory ${count(s.memoryBytes)} bytes`],
    ['sha256', s.artifactSha256],
  ]);
}
