/**
 * A loss and its gradient between two recordings: what a training window of them would give, to compare
 * with other libraries and to look at losses without a patch.
 *
 * Every sample of the estimate is a learnable number, so the gradient comes through the same stream,
 * backward graph, passes and code as that of a patch. With `edges: "padded"` a recording is padded by
 * its reflection for the STFT losses, as torch.stft does with `center=True`; the frames inside of it
 * are torch's frames then. A live window is not padded.
 */

import { differentiate, objectiveActivity } from '../ad/gradient.ts';
import { assemble } from '../compile.ts';
import { diagnostic, fail, ok } from '../diagnostic.ts';
import type { Result } from '../diagnostic.ts';
import { Builder } from '../ir/builder.ts';
import { withoutTraining } from '../ir/program.ts';
import type { Program } from '../ir/program.ts';
import { lossOf, wrongOptions, wrongWindow } from '../learn/losses/table.ts';
import type { LossChoice } from '../learn/losses/table.ts';
import { resolutions } from '../learn/losses/stft.ts';
import type { Resolution } from '../learn/losses/stft.ts';
import { SGD } from '../learn/optimisers/table.ts';
import { updateGraph } from '../learn/optimisers/update.ts';
import { optimise } from '../passes/pipeline.ts';
import { Instance } from '../run/instance.ts';
import { interpreterKernel } from '../run/interpreter-kernel.ts';

export interface LossOptions {
  /** Hz; 48000 if not given. */
  readonly sampleRate?: number;
  /** The interpreter in double precision (default), or generated code. */
  readonly by?: 'interpreter' | 'code';
  /** How the recordings end: they just do (default), or with their reflection for STFT losses. */
  readonly edges?: 'window' | 'padded';
}

export interface MeasuredLoss {
  readonly loss: number;
  /** By sample of the estimate. */
  readonly gradient: Float64Array;
}

/**
 * @param estimate  samples
 * @param target    as many
 * @returns         PATCH_SIGNAL_RANGE where the loss cannot be taken over so many samples
 * Cost: a program is compiled for every call.
 */
export function measureLoss(
  choice: LossChoice,
  estimate: ArrayLike<number>,
  target: ArrayLike<number>,
  options: LossOptions = {},
): Result<MeasuredLoss> {
  const layouts = options.edges === 'padded' ? paddings(choice, estimate.length) : [];
  if (layouts.length === 0) return measured(choice, estimate, target, options);
  const gradient = new Float64Array(estimate.length);
  let loss = 0;
  for (const { one, places } of layouts) {
    const laid = (x: ArrayLike<number>): Float64Array =>
      Float64Array.from(places, (n) => (n === null ? 0 : x[n]!));
    const part = measured(one, laid(estimate), laid(target), options);
    if (!part.ok) return part;
    loss += part.value.loss / layouts.length;
    places.forEach((n, k) => {
      if (n !== null) gradient[n] = gradient[n]! + part.value.gradient[k]! / layouts.length;
    });
  }
  return ok({ loss, gradient });
}

/** A loss over a padded recording: which sample stands at each place, or null for a zero. */
interface Padding {
  readonly one: LossChoice;
  readonly places: readonly (number | null)[];
}

/** What a loss is the mean of, each with a padding of its own; none for what needs no padding. */
function paddings(choice: LossChoice, samples: number): Padding[] {
  const options = typeof choice === 'string' ? {} : choice;
  return resolutions(choice).map(({ size, hop, length }) => {
    const { sizes: _sizes, hops: _hops, lengths: _lengths, ...rest } = options as Lists;
    const one = { ...rest, kind: 'stft', size, hop, length } as LossChoice;
    return { one, places: reflected({ size, hop }, samples) };
  });
}

type Lists = Partial<Record<'sizes' | 'hops' | 'lengths', unknown>>;

/**
 * As torch.stft with `center=True` lays its frames: 1 + ⌊N/hop⌋ of them, the middle of the first one
 * at sample 0. Zeros in front bring the ends of frames to multiples of the hop, where they are here;
 * no frame begins in them.
 */
function reflected(
  { size, hop }: Pick<Resolution, 'size' | 'hop'>,
  samples: number,
): (number | null)[] {
  const front = (hop - (size % hop)) % hop;
  const frames = 1 + Math.floor(samples / hop);
  return Array.from({ length: front + size + hop * (frames - 1) }, (_, k) => {
    if (k < front) return null;
    const n = Math.abs(k - front - size / 2);
    return n < samples ? n : 2 * (samples - 1) - n;
  });
}

function measured(
  choice: LossChoice,
  estimate: ArrayLike<number>,
  target: ArrayLike<number>,
  options: LossOptions,
): Result<MeasuredLoss> {
  const window = estimate.length;
  if (target.length !== window) {
    const message = `estimate and target: expected ${window} samples of both, got ${target.length} of the target`;
    return fail(diagnostic('PATCH_SIGNAL_RANGE', 'target', message));
  }
  const meter = lossMeter(choice, window, options);
  return meter.ok ? ok(meter.value(estimate, target)) : meter;
}

/** Measures a loss between recordings of one length, as often as it is called. */
export type LossMeter = (estimate: ArrayLike<number>, target: ArrayLike<number>) => MeasuredLoss;

/** @param window  samples of both recordings, which are not padded */
export function lossMeter(
  choice: LossChoice,
  window: number,
  { sampleRate = 48000, by = 'interpreter' }: LossOptions = {},
): Result<LossMeter> {
  const invalid = wrongOptions(choice, sampleRate);
  if (invalid !== null) return fail(diagnostic('PATCH_SIGNAL_RANGE', 'loss', invalid));
  const wrong = wrongWindow(choice, window, sampleRate);
  if (wrong !== null) return fail(diagnostic('PATCH_SIGNAL_RANGE', 'window', wrong));
  const program = programOf(choice, window, sampleRate);
  const artifact = assemble(program, { sampleRate, maxBlock: window, latency: 0 });
  if (!artifact.ok) return artifact;
  const instance = new Instance(
    artifact.value,
    by === 'code'
      ? new WebAssembly.Module(artifact.value.wasm)
      : interpreterKernel(program, window),
  );
  return ok((estimate, target) => {
    instance.resetState();
    instance.params.set(Array.from(estimate));
    instance.inputs[0]!.set(Array.from(target));
    instance.process(window);
    return { loss: instance.loss, gradient: Float64Array.from(instance.gradients) };
  });
}

/** A program that plays its parameters one after the other, and compares them with its input. */
function programOf(choice: LossChoice, window: number, sampleRate: number): Program {
  const b = new Builder('stream');
  const count = b.feedback('int', 1, -1);
  const now = b.node('add', [count, b.int(1)]);
  b.close(count, now);
  const estimate = b.node('lookup', [b.node('param', [], [0, window]), now]);
  const target = b.node('input', [], [0]);
  const graph = b.finish([{ name: 'out:0', node: estimate }]);
  const term = { estimate, target, loss: lossOf(choice, sampleRate) };
  const objective = { terms: [term], window, params: window };
  const { active } = objectiveActivity(graph, objective);
  const made = differentiate(graph, objective, active, 'reverse');
  const params = Array.from({ length: window }, (_, k) => ({
    id: `x/${k}`,
    initial: 0,
    min: -1e30,
    max: 1e30,
  }));
  return {
    ...withoutTraining('loss', 'single', optimise(made.stream)),
    backward: optimise(made.backward),
    update: optimise(updateGraph(SGD, params)),
    window,
    mode: 'reverse',
    inputs: 1,
    outputs: 1,
    params,
  };
}
