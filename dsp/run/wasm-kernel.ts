/**
 * A compiled module as a Kernel: views into its memory and its exports.
 *
 * Invariant: all views are made once; a call copies nothing and allocates nothing.
 */

import type { Artifact } from '../artifact.ts';
import { COURSE_WORDS, KEPT_NUMBERS } from '../ir/judging.ts';
import { privately } from './kernel.ts';
import type { Kernel } from './kernel.ts';

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  stream(offset: number, position: number, length: number): void;
  backward(): void;
  update(): void;
  reset(): void;
  restart(): void;
  peak(from: number, bytes: number): void;
  course?(offset: number, position: number, length: number): void;
}

export function wasmKernel(artifact: Artifact, module: WebAssembly.Module): Kernel {
  const instance = new WebAssembly.Instance(module);
  // The generator wrote these exports; the host's types cannot know them.
  const exports = instance.exports as unknown as Exports;
  const { buffer } = exports.memory;
  const { layout, params, sliders, meters, maxBlock } = artifact;
  const doubles = (at: number, length: number): Float64Array =>
    new Float64Array(buffer, at, length);
  exports.reset();
  const rates = doubles(layout.rates, params.length);
  rates.fill(1);
  const peaks = new Int32Array(buffer, layout.peak, 4);
  const peak = (channel: number, offset: number, frames: number): number => {
    exports.peak(channel + 4 * offset, 4 * frames);
    const a = peaks[0]! > peaks[1]! ? peaks[0]! : peaks[1]!;
    const b = peaks[2]! > peaks[3]! ? peaks[2]! : peaks[3]!;
    return a > b ? a : b;
  };
  const [bank, next] = [layout.params, layout.next].map((at) => doubles(at, params.length)) as [
    Float64Array,
    Float64Array,
  ];
  const { judged, course, compared } = layout;
  const channel = (at: number): Float32Array => new Float32Array(buffer, at, maxBlock);
  return {
    inputs: layout.inputs.map(channel),
    outputs: layout.outputs.map(channel),
    compared: {
      estimate: compared.estimate === null ? null : channel(compared.estimate),
      target: compared.target === null ? null : channel(compared.target),
    },
    sliders: doubles(layout.sliders, sliders.length),
    params: bank,
    gradients: doubles(layout.gradients, params.length),
    frozen: doubles(layout.frozen, params.length),
    rates,
    loss: doubles(layout.loss, 1),
    learningRate: doubles(layout.learningRate, 1),
    meters: doubles(layout.meters, meters.length),
    judged:
      judged === null
        ? privately(params.length)
        : {
            kept: doubles(judged.kept, KEPT_NUMBERS),
            good: doubles(judged.good, params.length),
            before: doubles(judged.before, params.length),
            sums: doubles(judged.sums, params.length + 1),
          },
    course: course && {
      words: new Int32Array(buffer, course.words, COURSE_WORDS),
      rates: doubles(course.rates, course.steps),
      run: (offset, position, frames) => {
        exports.course!(offset * 4, position * 4, frames * 4);
      },
    },
    memory: {
      words: new Int32Array(buffer),
      singles: new Float32Array(buffer),
      doubles: new Float64Array(buffer),
    },
    peakIn: (channel, offset, frames) => peak(layout.inputs[channel]!, offset, frames),
    peakOut: (channel, offset, frames) => peak(layout.outputs[channel]!, offset, frames),
    stream: (offset, position, frames) => {
      exports.stream(offset * 4, position * 4, frames * 4);
    },
    backward: () => {
      exports.backward();
    },
    update: () => {
      exports.update();
      bank.set(next);
    },
    reset: () => {
      exports.reset();
    },
    restart: () => {
      exports.restart();
    },
  };
}
