/**
 * How a call fails: one error type with the daemon's code, or why there was no answer.
 *
 * Invariant: every rejection of the SDK is a LivegradError; `code` is a key of the daemon's table of
 * errors, UNREACHABLE when there was no answer, or BAD_ANSWER when it was not livegrad's.
 */

import type { ErrorCode, Problem } from '../../server/api/errors.ts';

type Diagnostics = NonNullable<Problem['diagnostics']>;

export type FailureCode = ErrorCode | 'UNREACHABLE' | 'BAD_ANSWER';

export class LivegradError extends Error {
  override readonly name = 'LivegradError';
  readonly code: FailureCode;
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  readonly diagnostics: Diagnostics;

  constructor(code: FailureCode, message: string, status = 0, diagnostics: Diagnostics = []) {
    super(message);
    this.code = code;
    this.status = status;
    this.diagnostics = diagnostics;
  }
}

export function errorOf(problem: Problem): LivegradError {
  const { code, title, detail, status, diagnostics = [] } = problem;
  return new LivegradError(code, `${title}: ${detail}`, status, diagnostics);
}

/** Whether an answer is the daemon's problem document, and not that of something in between. */
export function isProblem(value: unknown): value is Problem {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    'detail' in value &&
    typeof value.detail === 'string'
  );
}
