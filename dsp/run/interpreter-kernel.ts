/**
 * A program as a Kernel, computed by the reference interpreter: the oracle of the WASM kernel.
 *
 * Double precision throughout, or with `round: Math.fround` the arithmetic of the generated code.
 * Slow, and it allocates on every call: for tests and for checking gradients, never for audio.
 */

import { Interpreter } from '../interpret/interpret.ts';
import type { Leaves } from '../interpret/interpret.ts';
import {
  COMPARED,
  comparedName,
  gradientName,
  measureName,
  meterName,
  outName,
  paramName,
  tapeName,
  tapesOf,
  updateScalars,
} from '../ir/program.ts';
import type { Measure, Program } from '../ir/program.ts';
import { privately } from './kernel.ts';
import type { Kernel, Samples } from './kernel.ts';

const identity = (x: number): number => x;

/** The word of the largest magnitude. */
function peakOf(samples: Samples, from: number, count: number): number {
  const singles = Float32Array.from(samples.subarray(from, from + count), Math.abs);
  return new Int32Array(singles.buffer).reduce((a, b) => Math.max(a, b & 0x7fffffff), 0);
}

/**
 * @param maxBlock  most frames per call
 * @param round     applied to every real result of the stream and backward graphs
 */
export function interpreterKernel(
  program: Program,
  maxBlock: number,
  round: (x: number) => number = identity,
): Kernel {
  const P = program.params.length;
  const { measures = [] } = program;
  /** What the backward graph measures besides the gradient. */
  const measured = new Map<Measure, Float64Array>();
  const stream = new Interpreter(program.stream, round);
  const loss = program.loss === null ? null : new Interpreter(program.loss, round);
  const backward = program.backward === null ? null : new Interpreter(program.backward, round);
  const update = program.update === null ? null : new Interpreter(program.update);
  const tapes = tapesOf(program);
  /** What is recorded, with what was before it: [lead + window][lanes]. */
  const recordings = tapes.map(
    ({ lanes, lead, hop }) => new Float64Array(((lead + program.window) / hop) * lanes),
  );
  const bank = (values: readonly { initial: number }[]): Float64Array =>
    Float64Array.from(values, (v) => v.initial);
  const compared = COMPARED.map((which) => {
    const name = comparedName(which);
    return program.stream.outputs.some((output) => output.name === name)
      ? { name, samples: new Float64Array(maxBlock) }
      : null;
  });
  const kernel: Kernel = {
    inputs: Array.from({ length: program.inputs }, () => new Float64Array(maxBlock)),
    outputs: Array.from({ length: program.outputs }, () => new Float64Array(maxBlock)),
    compared: { estimate: compared[0]?.samples ?? null, target: compared[1]?.samples ?? null },
    sliders: bank(program.sliders),
    params: bank(program.params),
    gradients: new Float64Array(P),
    frozen: new Float64Array(P),
    rates: new Float64Array(P).fill(1),
    loss: new Float64Array(1),
    learningRate: new Float64Array(1),
    meters: new Float64Array(program.meters?.length ?? 0),
    judged: privately(P),
    course: null,
    memory: null,
    peakIn: (channel, offset, frames) => peakOf(kernel.inputs[channel]!, offset, frames),
    peakOut: (channel, offset, frames) => peakOf(kernel.outputs[channel]!, offset, frames),
    stream(offset, position, frames) {
      const results = stream.run(leaves(offset), frames);
      kernel.outputs.forEach((out, channel) => {
        const values = results.get(outName(channel));
        for (let n = 0; n < frames; n++) out[offset + n] = valueAt(values, n);
      });
      for (const shown of compared) {
        const values = results.get(shown?.name ?? '');
        for (let n = 0; shown && n < frames; n++) shown.samples[offset + n] = valueAt(values, n);
      }
      for (let k = 0; k < kernel.meters.length; k++) {
        // Without a frame in this run the last one still counts.
        kernel.meters[k] = results.get(meterName(k))?.at(-1) ?? kernel.meters[k]!;
      }
      record(results, position, frames);
    },
    backward() {
      if (backward === null) return;
      const { window, carry } = program;
      const lossResults = loss?.run(leaves(0), window) ?? null;
      if (lossResults !== null) record(lossResults, 0, window);
      const results = backward.run(leaves(0, carry), window + carry);
      kernel.loss[0] = valueAt((lossResults ?? results).get('loss'), 0);
      for (let k = 0; k < P; k++) {
        const values = results.get(gradientName(k));
        if (values !== undefined) kernel.gradients.set(values, k);
      }
      for (const measure of measures) {
        const values = results.get(measureName(measure));
        if (values !== undefined) measured.set(measure, values);
      }
      // The last samples of this window come before the next one.
      recordings.forEach((recording, k) => {
        const { lanes, hop, isKept } = tapes[k]!;
        if (isKept) recording.copyWithin(0, (window / hop) * lanes);
      });
    },
    update() {
      if (update === null) return;
      const results = update.run(leaves(0), 1);
      for (let k = 0; k < P; k++) {
        const values = results.get(paramName(k));
        if (values !== undefined) kernel.params.set(values, k);
      }
    },
    reset() {
      stream.reset();
      kernel.meters.fill(0);
      update?.reset();
      for (const recording of recordings) recording.fill(0);
    },
    restart() {
      update?.reset();
    },
  };
  /** Outputs `tape:K`, from a position of the window on. */
  const record = (
    results: ReadonlyMap<string, Float64Array>,
    position: number,
    frames: number,
  ): void => {
    tapes.forEach(({ lanes, lead, hop }, k) => {
      const values = results.get(tapeName(k));
      if (values === undefined) return;
      if (hop > 1) {
        recordings[k]!.set(values, Math.floor((lead + position) / hop) * lanes);
        return;
      }
      const isSignal = values.length > lanes;
      for (let n = 0; n < frames; n++) {
        for (let lane = 0; lane < lanes; lane++) {
          recordings[k]![(lead + position + n) * lanes + lane] =
            values[isSignal ? n * lanes + lane : lane]!;
        }
      }
    });
  };
  /** @param before  samples before the window at which a run starts */
  const leaves = (offset: number, before = 0): Leaves => ({
    input: (channel, frame) => kernel.inputs[channel]![offset + frame]!,
    slider: (index) => kernel.sliders[index]!,
    param: (index) => kernel.params[index]!,
    scalar: (index) => {
      if (index === updateScalars.learningRate) return kernel.learningRate[0]!;
      const banks = [kernel.gradients, kernel.frozen, kernel.rates];
      const bank = banks[Math.floor((index - 1) / P)];
      if (bank !== undefined) return bank[(index - 1) % P]!;
      const at = (measure: Measure): number => index - updateScalars.measure(measure, measures, P);
      const measure = measures.findLast((one) => at(one) >= 0);
      return measure === undefined ? 0 : (measured.get(measure)?.[at(measure)] ?? 0);
    },
    tape: (index, frame, lane) => {
      const { lanes, lead, hop } = tapes[index]!;
      return recordings[index]![Math.floor((lead + frame - before) / hop) * lanes + lane]!;
    },
  });
  return kernel;
}

function valueAt(values: Float64Array | undefined, frame: number): number {
  if (values === undefined) return 0;
  return values.length === 1 ? values[0]! : values[frame]!;
}
