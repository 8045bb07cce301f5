/**
 * What one row of the operations table says, and what rows share. A resource that is more than a few
 * operations has its rows in a file of its own, beside its schemas; `operations.ts` gathers them.
 *
 * Invariant: types and plain schemas only, usable in a browser.
 */

import { z } from 'zod';
import type { ErrorCode } from './errors.ts';

export interface OperationSpec {
  readonly summary: string;
  readonly doc: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  readonly errors: readonly ErrorCode[];
  /** The input is documented here and checked by the compile worker, off the control thread. */
  readonly checkedByWorker?: true;
  /** Over REST the answer is a file of this type, and over the socket there is none. */
  readonly file?: 'audio/wav';
  /** Over REST the input may be the source of a Faust program, or the output is where it is asked for. */
  readonly faust?: 'input' | 'output';
}

/** The input of an operation that takes none. */
export const nothing = z.strictObject({});
