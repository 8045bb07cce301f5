/**
 * `compile PATCH`: what the compiler makes of a patch, and any of its stages as text.
 *
 * ir        the patch as a graph, before differentiation
 * gradient  the graphs that run: the stream with what the gradient needs of it, the backward pass,
 *           the optimiser
 * wat       the WebAssembly module
 */

import { createHash } from 'node:crypto';
import { Option } from 'commander';
import type { Artifact } from '../../../dsp/artifact.ts';
import { assemble, generateProgram, programOf } from '../../../dsp/compile.ts';
import type { CompileOptions } from '../../../dsp/compile.ts';
import { printDiagnostics } from '../../../dsp/diagnostic.ts';
import { print } from '../../../dsp/ir/print.ts';
import type { Program } from '../../../dsp/ir/program.ts';
import { optimise } from '../../../dsp/passes/pipeline.ts';
import { lower } from '../../../dsp/patch/lower.ts';
import type { Patch } from '../../../dsp/patch/schema.ts';
import { printWat } from '../../../dsp/wasm/module.ts';
import { answer, refuse } from '../answer.ts';
import { sampleRate, withCompiler } from '../command.ts';
import type { Register } from '../command.ts';
import { locateIn, readPatch } from '../patch-source.ts';
import { count, table } from '../style.ts';

const STAGES = ['ir', 'gradient', 'wat'] as const;
type Stage = (typeof STAGES)[number];

interface Options {
  readonly sampleRate: number;
  readonly blockSize: number;
  readonly latency: number;
  readonly mode?: 'auto' | 'forward' | 'reverse';
  readonly print?: Stage;
}

export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

export const compile: Register = (program, deliver) => {
  withCompiler(
    program
      .command('compile')
      .description('show what the compiler makes of a patch')
      .argument('<patch>', 'file, or name of an example')
      .addOption(new Option('--print <stage>', 'print a stage as text').choices(STAGES))
      .addOption(
        new Option('--mode <mode>', 'differentiate this way').choices([
          'auto',
          'forward',
          'reverse',
        ]),
      )
      .option('--sample-rate <hz>', 'sample rate to compile for', sampleRate, 48_000),
  ).action((name: string, options: Options) =>
    deliver(() => {
      const source = readPatch(name);
      if (!source.ok) return refuse(source.findings);
      const { patch } = source.value;
      const { sampleRate, latency, mode } = options;
      const base = { sampleRate, latency, maxBlock: options.blockSize };
      const compileOptions = mode === undefined ? base : { ...base, mode };
      const planned = programOf(patch, compileOptions);
      if (!planned.ok) return refuse(locateIn(source.value, planned.diagnostics));
      const artifact = assemble(planned.value, compileOptions);
      if (!artifact.ok) return refuse(locateIn(source.value, artifact.diagnostics));

      const stage = options.print;
      const text =
        stage === undefined ? null : printStage(stage, patch, planned.value, compileOptions);
      const summary = summarise(artifact.value);
      return answer(
        text === null ? summary : { ...summary, print: { stage, text } },
        text?.trimEnd() ?? describe(summary),
      );
    }),
  );
};

function printStage(stage: Stage, patch: Patch, program: Program, options: CompileOptions): string {
  switch (stage) {
    case 'ir': {
      const lowered = lower(patch, options);
      if (!lowered.ok) throw new Error(printDiagnostics(lowered.diagnostics));
      return print(optimise(lowered.value.graph));
    }
    case 'gradient':
      return [program.stream, program.backward, program.update]
        .flatMap((graph) => (graph === null ? [] : [print(graph)]))
        .join('\n');
    case 'wat':
      return printWat(generateProgram(program, options).module);
  }
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

function describe(s: Summary): string {
  const { nodes, loops, mode } = s.report;
  return table([
    ['patch', s.patch],
    ['channels', `${s.inputs} in, ${s.outputs} out`],
    ['sliders', s.sliders.join(', ') || 'none'],
    ['params', s.params.join(', ') || 'none'],
    ['compiled for', `${s.sampleRate} Hz, blocks of up to ${s.maxBlock}, latency ${s.latency}`],
    ['mode', s.mode === 'none' ? 'no training' : `${s.mode}, window ${s.window}`],
    ...mode.map((why, i) => [i === 0 ? 'because' : '', why]),
    ['nodes', `${nodes.stream} stream, ${nodes.backward} backward, ${nodes.update} update`],
    ['loops', `${loops.vector} four at a time, ${loops.serial} serial`],
    ['wasm', `${count(s.wasmBytes)} bytes, memory ${count(s.memoryBytes)} bytes`],
    ['sha256', s.artifactSha256],
  ]);
}
