/**
 * A measurement as a row of doubles in the ring, and back.
 *
 * Invariant: `layout` alone says where everything is; the audio thread writes rows, the engine's
 * main thread turns them into Measurements. What only the supervisor knows (xruns, frames of
 * earlier engine processes) is added there.
 */
import { REMEMBERED } from '../../dsp/learn/schedules/numbers.ts';
import { LOAD_BINS } from './meter.ts';
import type { Measurement } from './types.ts';

/** Places of the single values at the head of a row. */
export const FIELD = {
  frames: 0,
  step: 1,
  loss: 2,
  learningRate: 3,
  learning: 4,
  fault: 5,
  program: 6,
  lateBlocks: 7,
  nanBlocks: 8,
  load: 9, // mean, p99, max
  faultDetail: 12,
  loadHistogram: 16,
  paceMemory: 16 + LOAD_BINS,
} as const;
const HEAD = FIELD.paceMemory + REMEMBERED;

export interface RecordLayout {
  readonly params: number;
  readonly gradients: number;
  readonly inputPeak: number;
  readonly inputRms: number;
  readonly outputPeak: number;
  readonly outputRms: number;
  readonly meters: number;
  readonly length: number;
}

/** @param meters  of the program: none where nothing plays */
export function recordLayout(
  params: number,
  inputs: number,
  outputs: number,
  meters = 0,
): RecordLayout {
  const gradients = HEAD + params;
  const inputPeak = gradients + params;
  const inputRms = inputPeak + inputs;
  const outputPeak = inputRms + inputs;
  const outputRms = outputPeak + outputs;
  const firstMeter = outputRms + outputs;
  return {
    params: HEAD,
    gradients,
    inputPeak,
    inputRms,
    outputPeak,
    outputRms,
    meters: firstMeter,
    length: firstMeter + meters,
  };
}

/** @returns all but what is told from several rows */
export function decode(row: Float64Array, layout: RecordLayout): Omit<Measurement, 'updates'> {
  const load = FIELD.load;
  return {
    frames: row[FIELD.frames]!,
    step: row[FIELD.step]!,
    loss: row[FIELD.loss]!,
    learningRate: row[FIELD.learningRate]!,
    learning: row[FIELD.learning] === 1,
    fault: row[FIELD.fault]!,
    faultDetail: Float64Array.from(row.subarray(FIELD.faultDetail, FIELD.loadHistogram)),
    paceMemory: Float64Array.from(row.subarray(FIELD.paceMemory, HEAD)),
    params: Float64Array.from(row.subarray(layout.params, layout.gradients)),
    gradients: Float64Array.from(row.subarray(layout.gradients, layout.inputPeak)),
    inputPeak: Float32Array.from(row.subarray(layout.inputPeak, layout.inputRms)),
    inputRms: Float32Array.from(row.subarray(layout.inputRms, layout.outputPeak)),
    outputPeak: Float32Array.from(row.subarray(layout.outputPeak, layout.outputRms)),
    outputRms: Float32Array.from(row.subarray(layout.outputRms, layout.meters)),
    meters: Float64Array.from(row.subarray(layout.meters, layout.length)),
    load: { mean: row[load]!, p99: row[load + 1]!, max: row[load + 2]! },
    loadHistogram: Float64Array.from(row.subarray(FIELD.loadHistogram, FIELD.paceMemory)),
    xruns: 0,
    lateBlocks: row[FIELD.lateBlocks]!,
    nanBlocks: row[FIELD.nanBlocks]!,
    program: row[FIELD.program]!,
  };
}
