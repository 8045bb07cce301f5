/**
 * Are the gradients of a patch right? Three computations of the same number, side by side.
 *
 * numeric    central differences of the loss, by the interpreter in double precision
 * analytic   the differentiated program, by the interpreter in double precision
 * compiled   the differentiated program, by the generated code in single precision
 *
 * Forward mode is compared with what a parameter does through all of the past: it is moved from the
 * first sample on. Reverse mode sees one window: the parameter is moved at the start of it, the
 * signal state that earlier windows left behind stays. Of more than `MOST` parameters as many are
 * compared, evenly spread over the bank. Cost: about 2 · params runs of the interpreter over
 * `WINDOWS` windows, per mode, of the program in reverse mode: a loss is the same in both.
 */

import type { Artifact } from '../artifact.ts';
import { assemble, programOf } from '../compile.ts';
import { diagnostic, fail, ok } from '../diagnostic.ts';
import type { Result } from '../diagnostic.ts';
import type { Program } from '../ir/program.ts';
import type { Patch } from '../patch/schema.ts';
import { Instance } from '../run/instance.ts';
import { interpreterKernel } from '../run/interpreter-kernel.ts';
import type { Kernel } from '../run/kernel.ts';

export interface GradcheckOptions {
  /** Hz. */
  readonly sampleRate: number;
  /** Seed of the white noise on every input. */
  readonly seed: number;
}

export interface ModeCheck {
  readonly mode: 'forward' | 'reverse';
  /** Analytic against numeric, worst parameter. */
  readonly maxRelativeError: number;
  /** Compiled against analytic, worst parameter: single-precision rounding. */
  readonly compiledRelativeError: number;
}

export interface ParamCheck {
  readonly analytic: number;
  readonly numeric: number;
  readonly relativeError: number;
}

export interface GradcheckReport {
  readonly patch: string;
  readonly modes: readonly ModeCheck[];
  /** Per parameter, of the mode where it is worst. */
  readonly params: Readonly<Record<string, ParamCheck>>;
}

/** Parameters that are compared. */
const MOST = 64;
/** Windows that run; the last is checked, so that state has built up before it. */
const WINDOWS = 3;
/** Step of the difference, as a part of the parameter's range. */
const STEP = 1e-6;
/** Gradients this much smaller than the largest are compared with the largest. */
const FLOOR = 1e-4;
/**
 * A loss in double precision is off by some 1e-15 of itself; what that makes of a slope must stay
 * below the 1e-4 that gradients are held to.
 */
const ROUNDING = 1e-11;

export function gradcheck(patch: Patch, options: GradcheckOptions): Result<GradcheckReport> {
  const modes: ModeCheck[] = [];
  const params: Record<string, ParamCheck> = {};
  if (patch.training === undefined) {
    return fail(
      diagnostic(
        'PATCH_NOTHING_TO_LEARN',
        'training',
        'the patch has no training, so it has no gradient: expected "training", got nothing',
      ),
    );
  }
  const { sampleRate, seed } = options;
  const common = { sampleRate, maxBlock: patch.training.window, latency: 0 };
  const reverse = programOf(patch, { ...common, mode: 'reverse' });
  if (!reverse.ok) return reverse;
  for (const mode of ['forward', 'reverse'] as const) {
    const compileOptions = { ...common, mode };
    const program = mode === 'reverse' ? reverse : programOf(patch, compileOptions);
    if (!program.ok) return program;
    const artifact = assemble(program.value, compileOptions);
    if (!artifact.ok) return artifact;
    const check = checkMode(program.value, reverse.value, artifact.value, mode, seed);
    modes.push(check.summary);
    for (const [id, entry] of Object.entries(check.params)) {
      const known = Object.hasOwn(params, id) ? params[id]! : undefined;
      if (known === undefined || entry.relativeError > known.relativeError) params[id] = entry;
    }
  }
  return ok({ patch: patch.name, modes, params });
}

/** @param losses  the program whose losses are compared */
function checkMode(
  program: Program,
  losses: Program,
  artifact: Artifact,
  mode: 'forward' | 'reverse',
  seed: number,
): { summary: ModeCheck; params: Record<string, ParamCheck> } {
  const analytic = lossAndGradient(program, artifact, seed, () => {});
  const stride = Math.ceil(program.params.length / MOST);
  const compared = program.params
    .map((spec, k) => ({ spec, k }))
    .filter(({ k }) => k % stride === 0);
  const numeric = compared.map(({ spec, k }) => {
    const step = STEP * (spec.max - spec.min);
    const moved = (by: number): number =>
      lossAndGradient(losses, artifact, seed, (kernel, window) => {
        if (mode === 'forward' ? window === 0 : window === WINDOWS - 1) {
          kernel.params[k] = kernel.params[k]! + by;
        }
      }).loss;
    return (moved(step) - moved(-step)) / (2 * step);
  });
  const compiled = compiledGradient(artifact, seed);

  // A difference of two losses is no more exact than the losses: 2⁻⁵² of them, over the step.
  const noise = Math.max(
    ...compared.map(({ spec }) => (ROUNDING * analytic.loss) / (STEP * (spec.max - spec.min))),
  );
  const floor = Math.max(noise, FLOOR * Math.max(1e-12, ...numeric.map(Math.abs)));
  const relative = (a: number, b: number): number =>
    Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b), floor);
  const params: Record<string, ParamCheck> = {};
  let compiledRelativeError = 0;
  compared.forEach(({ spec, k }, i) => {
    const [a, n] = [analytic.gradients[k]!, numeric[i]!];
    params[spec.id] = { analytic: a, numeric: n, relativeError: relative(a, n) };
    compiledRelativeError = Math.max(compiledRelativeError, relative(compiled[k]!, a));
  });
  const errors = Object.values(params).map((p) => p.relativeError);
  return {
    summary: { mode, maxRelativeError: Math.max(0, ...errors), compiledRelativeError },
    params,
  };
}

/** Loss and gradients of the last window, by the interpreter, as if learning were off. */
function lossAndGradient(
  program: Program,
  artifact: Artifact,
  seed: number,
  beforeWindow: (kernel: Kernel, window: number) => void,
): { loss: number; gradients: Float64Array } {
  const kernel = interpreterKernel(program, artifact.maxBlock);
  const next = noise(seed);
  for (let window = 0; window < WINDOWS; window++) {
    beforeWindow(kernel, window);
    fill(kernel.inputs, next);
    kernel.stream(0, 0, program.window);
    kernel.backward();
  }
  return { loss: kernel.loss[0]!, gradients: kernel.gradients };
}

function compiledGradient(artifact: Artifact, seed: number): Float64Array {
  const instance = new Instance(artifact, new WebAssembly.Module(artifact.wasm));
  const next = noise(seed);
  for (let window = 0; window < WINDOWS; window++) {
    fill(instance.inputs, next);
    instance.process(artifact.window);
  }
  return instance.gradients;
}

function fill(channels: Kernel['inputs'], next: () => number): void {
  const [first] = channels;
  if (first === undefined) return;
  for (let n = 0; n < first.length; n++) for (const channel of channels) channel[n] = next();
}

/** White noise in [−½, ½) that is the same in either precision. */
function noise(seed: number): () => number {
  let state = (seed * 2654435761) | 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >> 12) / 2 ** 20;
  };
}
