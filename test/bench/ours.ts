/**
 * Our side: a kernel through the whole compiler, run by an Instance as the audio thread runs it.
 */
import type { Artifact } from '../../dsp/artifact.ts';
import { assemble } from '../../dsp/compile.ts';
import { printDiagnostics } from '../../dsp/diagnostic.ts';
import type { Precision } from '../../dsp/ir/program.ts';
import { tryRevectorize } from '../../server/engine/revectorize.ts';
import { translate } from '../../server/engine/translate.ts';
import { hasFusedMultiply } from '../../dsp/wasm/features.ts';
import { Instance } from '../../dsp/run/instance.ts';
import { SAMPLE_RATE, noise } from './kernels/kernel.ts';
import type { Kernel } from './kernels/kernel.ts';

export interface Signals {
  /** Input and target, as many frames as the longest block. */
  readonly x: Float32Array;
  readonly d: Float32Array;
}

export const signals = (frames: number): Signals => ({
  x: noise(frames, 1),
  d: noise(frames, 2, 0.3),
});

/** What a kernel has computed: of the last block, and of its last window. */
export interface State {
  readonly loss: number;
  readonly output: readonly number[];
  readonly gradients: readonly number[];
  readonly params: readonly number[];
}

export interface Ours {
  readonly bytes: number;
  readonly compileMs: number;
  check(blocks: number): State;
  /** Median nanoseconds per sample. */
  time(seconds: number): number;
  /** The same on eight numbers at a time; null where V8 gets that wrong. */
  readonly timeWide: ((seconds: number) => number) | null;
}

/** The kernel, ready to run, or the reason why it cannot be. */
export function openOurs(
  kernel: Kernel,
  signals: Signals,
  precision: Precision = 'single',
): Ours | string {
  const { frames, initial } = kernel;
  const begin = performance.now();
  const program = kernel.program(kernel);
  if (!program.ok) return printDiagnostics(program.diagnostics).trim();
  const fused = hasFusedMultiply();
  const options = { sampleRate: SAMPLE_RATE, maxBlock: frames, latency: 0, fused };
  const artifact = assemble({ ...program.value, precision }, options);
  if (!artifact.ok) return printDiagnostics(artifact.diagnostics).trim();
  const module = translate(artifact.value.wasm);
  const compileMs = performance.now() - begin;
  const instance = started(artifact.value, module, kernel, signals);
  const wide = tryRevectorize(artifact.value, module).module;
  const wideInstance = wide && started(artifact.value, wide, kernel, signals);
  const inOrder = (bank: Float64Array): number[] =>
    initial.map((_, k) => bank[kernel.places?.[k] ?? k]!);

  return {
    bytes: artifact.value.layout.bytes,
    compileMs,
    check: (blocks) => {
      instance.reset();
      instance.learning = true;
      for (let k = 0; k < blocks; k++) instance.process(frames);
      return {
        loss: instance.loss,
        output: [...instance.outputs[0]!.subarray(0, frames)],
        gradients: inOrder(instance.gradients),
        params: inOrder(instance.params),
      };
    },
    time: (seconds) => timeOf(instance, kernel, seconds),
    timeWide: wideInstance && ((seconds) => timeOf(wideInstance, kernel, seconds)),
  };
}

function started(
  artifact: Artifact,
  module: WebAssembly.Module,
  { frames, rate }: Kernel,
  { x, d }: Signals,
): Instance {
  const instance = new Instance(artifact, module);
  instance.inputs.forEach((input, k) => input.set((k === 0 ? x : d).subarray(0, frames)));
  instance.setSchedule({ kind: 'constant', rate });
  instance.learning = true;
  return instance;
}

/** As native/main.c: pieces long enough that reading the clock does not count. */
function timeOf(instance: Instance, { name, frames }: Kernel, seconds: number): number {
  const timed = (blocks: number): number => {
    const start = performance.now();
    for (let k = 0; k < blocks; k++) instance.process(frames);
    return 1e6 * (performance.now() - start);
  };
  let blocks = 1;
  while (timed(blocks) < 1e5) blocks *= 2;
  const end = performance.now() + 1000 * seconds;
  const times: number[] = [];
  while (times.length < 3 || performance.now() < end) times.push(timed(blocks));
  if (instance.fault !== 0) throw new Error(`${name} diverged while it was measured`);
  return median(times) / (blocks * frames);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
