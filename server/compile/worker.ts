/**
 * The thread that compiles: takes one request at a time, evaluates the Faust program if it is one,
 * checks the patch, compiles it, answers; or writes the program with other defaults.
 *
 * Invariant: always answers, also when the compiler runs out of stack; running out of memory or
 * time ends the thread, and `compiler.ts` replaces it. It knows nothing of devices or sessions.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { hasFusedMultiply } from '../../dsp/wasm/features.ts';
import { compile } from '../../dsp/compile.ts';
import { diagnostic, type Diagnostic } from '../../dsp/diagnostic.ts';
import { withoutProgram } from '../../dsp/patch/faust.ts';
import { translate } from '../engine/translate.ts';
import { Evaluator } from '../faust/evaluator.ts';
import type { CompileAnswer, CompileRequest, CompileThread } from './compiler.ts';

const { faust, translation } = workerData as CompileThread;
const evaluator = new Evaluator(faust);

parentPort?.on('message', (request: CompileRequest) => {
  void answer(request).then((given) => parentPort?.postMessage(given));
});

async function answer(request: CompileRequest): Promise<CompileAnswer> {
  const { id, json } = request;
  try {
    if (request.task === 'export') {
      const written = await evaluator.export(json, request.values);
      if (!written.ok) return { id, kind: 'refused', diagnostics: written.diagnostics };
      return { id, kind: 'written', ...written.value };
    }
    const { options, before } = request;
    const patch = await evaluator.patchOf(json, before);
    if (!patch.ok) return { id, kind: 'refused', diagnostics: patch.diagnostics };
    // What plays may use all that this machine has; it is compiled here anyway.
    const artifact = compile(patch.value, { fused: hasFusedMultiply(), ...options });
    if (!artifact.ok) return { id, kind: 'refused', diagnostics: artifact.diagnostics };
    const slow = tooSlow(artifact.value.wasm);
    if (slow !== null) return { id, kind: 'refused', diagnostics: [slow] };
    return { id, kind: 'compiled', patch: withoutProgram(patch.value), artifact: artifact.value };
  } catch (error) {
    const reason = error instanceof RangeError ? 'it is nested too deeply' : String(error);
    return { id, kind: 'failed', reason };
  }
}

/** Tries what the engine will do, where it disturbs nobody: an engine that is busy counts as hung. */
function tooSlow(wasm: Uint8Array): Diagnostic | null {
  const begin = performance.now();
  translate(wasm);
  const seconds = (performance.now() - begin) / 1000;
  if (seconds < translation) return null;
  const took = `expected less than ${translation} s, got ${seconds.toFixed(1)} s`;
  return diagnostic('PATCH_TOO_LARGE', 'nodes', `it takes too long to translate: ${took}`);
}
