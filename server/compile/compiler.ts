/**
 * Compiles patches in a worker thread with its own stack, memory and time limits, so that no patch
 * can block or overflow the control thread.
 *
 * Invariant: one compilation at a time, in order; every call is answered, also when the thread
 * dies; a thread that took too long is ended and the next call gets a fresh one. It checks the
 * patch too: what comes in is any JSON value.
 */

import { Worker } from 'node:worker_threads';
import type { Artifact } from '../../dsp/artifact.ts';
import type { CompileOptions } from '../../dsp/compile.ts';
import type { Diagnostic } from '../../dsp/diagnostic.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import { LONGEST_TRANSLATION } from '../engine/translate.ts';
import type { FaustFolders } from '../faust/evaluator.ts';
import type { ExportedFaust } from '../faust/export.ts';

export type Task =
  | {
      readonly task: 'compile';
      readonly json: unknown;
      readonly options: CompileOptions;
      readonly before: Patch | undefined;
    }
  | {
      readonly task: 'export';
      readonly json: unknown;
      /** Of controls, by their ids. */
      readonly values: ReadonlyMap<string, number>;
    };

export type CompileRequest = Task & { readonly id: number };

/** refused: the patch is wrong; failed: the compiler gave up. */
export type Compiled =
  | { readonly kind: 'compiled'; readonly patch: Patch; readonly artifact: Artifact }
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'failed'; readonly reason: string };

/** A Faust program as text. */
export type Written =
  ({ readonly kind: 'written' } & ExportedFaust) | Exclude<Compiled, { readonly kind: 'compiled' }>;

export type CompileAnswer = (Compiled | Written) & { readonly id: number };

export interface CompilerLimits {
  /** Milliseconds. */
  readonly time: number;
  readonly stackMb: number;
  readonly heapMb: number;
  /** Seconds that the engine may be busy with the code; as it bears if not given. */
  readonly translation?: number;
}

/** Compilations that may wait; more are refused, so that a flood cannot eat the host. */
const MAX_WAITING = 16;

/** An export evaluates a program so often: named, and as it is given out. */
const EVALUATIONS = 2;

/** What the thread is given. */
export interface CompileThread {
  readonly faust: FaustFolders;
  readonly translation: number;
}

const LIMITS: CompilerLimits = { time: 10_000, stackMb: 8, heapMb: 512 };

export class Compiler {
  readonly #limits: CompilerLimits;
  readonly #faust: FaustFolders;
  #worker: Worker | undefined;
  #settle: ((answer: Compiled | Written) => void) | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #id = 0;
  #waiting = 0;
  #stopped = false;

  /** @param faust  folders that Faust programs may read */
  constructor(
    faust: FaustFolders = { libraries: [], sounds: [] },
    limits: CompilerLimits = LIMITS,
  ) {
    this.#faust = faust;
    this.#limits = limits;
    this.#worker = this.#spawn();
  }

  /**
   * Checks and compiles. Never rejects.
   * @param before  what plays, where the document may be a new text of the same program
   */
  compile(json: unknown, options: CompileOptions, before?: Patch): Promise<Compiled> {
    return this.#queue<Compiled>({ task: 'compile', json, options, before });
  }

  /** The Faust program of a document with these values as its defaults. Never rejects. */
  exportFaust(json: unknown, values: ReadonlyMap<string, number>): Promise<Written> {
    return this.#queue<Written>({ task: 'export', json, values });
  }

  /** @typeParam A  what the worker answers to such a task */
  #queue<A extends Compiled | Written>(task: Task): Promise<A> {
    if (this.#waiting >= MAX_WAITING) {
      const reason = `${MAX_WAITING} compilations are waiting already: try again later`;
      return Promise.resolve({ kind: 'failed', reason } as A);
    }
    this.#waiting++;
    const run = this.#tail.then(() => this.#run(task)).finally(() => this.#waiting--);
    this.#tail = run;
    return run as Promise<A>;
  }

  /** Ends the thread; what was under way fails. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #run(task: Task): Promise<Compiled | Written> {
    if (this.#stopped) return { kind: 'failed', reason: 'the daemon is shutting down' };
    const worker = (this.#worker ??= this.#spawn());
    const id = ++this.#id;
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<Compiled | Written>((resolve) => {
      this.#settle = resolve;
      const time = this.#limits.time * (task.task === 'export' ? EVALUATIONS : 1);
      timer = setTimeout(() => {
        this.#end(worker, `it did not finish within ${time / 1000} s`);
      }, time);
      try {
        worker.postMessage({ id, ...task } satisfies CompileRequest);
      } catch {
        resolve({ kind: 'failed', reason: 'the document is nested too deeply' });
      }
    });
    clearTimeout(timer);
    this.#settle = undefined;
    return answer;
  }

  #spawn(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: {
        faust: this.#faust,
        translation: this.#limits.translation ?? LONGEST_TRANSLATION,
      } satisfies CompileThread,
      resourceLimits: {
        stackSizeMb: this.#limits.stackMb,
        maxOldGenerationSizeMb: this.#limits.heapMb,
      },
    });
    worker.on('message', ({ id, ...answer }: CompileAnswer) => {
      if (id === this.#id) this.#settle?.(answer);
    });
    worker.on('error', (error) => {
      const code = (error as NodeJS.ErrnoException).code;
      const reason = code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'it ran out of memory' : String(error);
      this.#end(worker, reason);
    });
    worker.on('exit', () => this.#end(worker, 'its thread ended'));
    worker.unref();
    return worker;
  }

  #end(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    void worker.terminate();
    this.#settle?.({ kind: 'failed', reason });
  }
}
