/** Programs and running instances from graphs that a test made by hand. */

import { differentiate, objectiveActivity } from '../../dsp/ad/gradient.ts';
import type { Objective } from '../../dsp/ad/gradient.ts';
import { assemble } from '../../dsp/compile.ts';
import type { Artifact } from '../../dsp/artifact.ts';
import type { Control } from '../../dsp/control.ts';
import type { Graph } from '../../dsp/ir/graph.ts';
import type { Program } from '../../dsp/ir/program.ts';
import { SGD } from '../../dsp/learn/optimisers/table.ts';
import { updateGraph } from '../../dsp/learn/optimisers/update.ts';
import { optimise } from '../../dsp/passes/pipeline.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { wasmKernel } from '../../dsp/run/wasm-kernel.ts';
import { generate } from '../../dsp/wasm/generate.ts';
import { encode } from '../../dsp/wasm/module.ts';

export const controls = (count: number, initial: number): Control[] =>
  Array.from({ length: count }, (_, k) => ({ id: `c${k}`, initial, min: -4, max: 4 }));

/** A program without training. */
export function plainProgram(stream: Graph, sizes: Sizes): Program {
  return {
    name: 'test',
    precision: 'single',
    stream,
    loss: null,
    backward: null,
    update: null,
    window: 0,
    carry: 0,
    mode: 'none',
    throughDevice: false,
    reasons: [],
    inputs: sizes.inputs,
    outputs: stream.outputs.length,
    sliders: controls(sizes.sliders, 0.3),
    params: controls(sizes.params, 0.4),
  };
}

export interface Sizes {
  readonly inputs: number;
  readonly sliders: number;
  readonly params: number;
}

export function trainingProgram(
  stream: Graph,
  objective: Objective,
  mode: 'forward' | 'reverse',
  sizes: Sizes,
  passes: (graph: Graph) => Graph = optimise,
): Program {
  const { active } = objectiveActivity(stream, objective);
  const made = differentiate(stream, objective, active, mode);
  const params = controls(sizes.params, 0.4);
  return {
    ...plainProgram(stream, sizes),
    stream: passes(made.stream),
    loss: made.loss === null ? null : passes(made.loss),
    backward: passes(made.backward),
    update: passes(updateGraph(SGD, params)),
    window: objective.window,
    carry: objective.carry ?? 0,
    mode,
    outputs: stream.outputs.length,
    params,
  };
}

export function assembled(program: Program, maxBlock: number, fused = false): Artifact {
  const artifact = assemble(program, { sampleRate: 48000, maxBlock, latency: 0, fused });
  if (!artifact.ok) throw new Error(JSON.stringify(artifact.diagnostics));
  return artifact.value;
}

/** Tests that compare with the interpreter run in each. */
export const PRECISIONS = ['single', 'double'] as const;

/** Runs generated code and hears its outputs in the precision of the program, not of a device. */
export function exactInstance(program: Program, maxBlock: number, fused = false): Instance {
  const { module, layout, exact } = generate(program, maxBlock, fused, true);
  const artifact = { ...assembled(program, maxBlock, fused), wasm: encode(module), layout };
  const kernel = wasmKernel(artifact, new WebAssembly.Module(artifact.wasm));
  const buffer = kernel.memory!.words.buffer as ArrayBuffer;
  const Numbers = program.precision === 'double' ? Float64Array : Float32Array;
  const outputs = exact.map((at) => new Numbers(buffer, at, maxBlock));
  return new Instance(artifact, { ...kernel, outputs });
}

export const compiledInstance = (artifact: Artifact): Instance =>
  new Instance(artifact, new WebAssembly.Module(artifact.wasm));
