/**
 * The thread that evaluates one document for whoever compiles in a process of its own: it has the
 * stack that deep programs need, and can be ended. `clients/cli/faust.ts` starts it.
 *
 * Invariant: one answer, a checked patch with the evaluated program inside, or diagnostics.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { diagnostic, fail } from '../../dsp/diagnostic.ts';
import { Evaluator, type FaustFolders } from './evaluator.ts';

export interface Evaluation {
  readonly document: unknown;
  readonly folders: FaustFolders;
}

const { document, folders } = workerData as Evaluation;
try {
  parentPort?.postMessage(await new Evaluator(folders).patchOf(document));
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  const message = 'the program is nested too deeply';
  parentPort?.postMessage(fail(diagnostic('FAUST_UNSUPPORTED', 'faust.code', message)));
}
