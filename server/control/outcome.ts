/**
 * How an operation ends: with its answer, or with a problem out of the table of errors.
 *
 * Invariant: what a client did wrong is a value, never an exception; an exception is our fault and
 * becomes INTERNAL at the border.
 */

import type { Diagnostic } from '../../dsp/diagnostic.ts';
import { problem, type ErrorCode, type Problem } from '../api/errors.ts';
import { discreet } from './discreet.ts';

export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

export const answer = <T>(value: T): Outcome<T> => ({ ok: true, value });

export function refuse(
  code: ErrorCode,
  detail: string,
  diagnostics: readonly Diagnostic[] = [],
): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: problem(code, detail, diagnostics) };
}

/** Refuses with what the engine or the system said. */
export function passOn(
  code: ErrorCode,
  said: readonly Diagnostic[],
): { readonly ok: false; readonly problem: Problem } {
  const diagnostics = discreet(said);
  return refuse(code, summary(diagnostics), diagnostics);
}

/** Several diagnostics in one sentence: the first with its hint, and how many more. */
export function summary(diagnostics: readonly Diagnostic[]): string {
  const [first, ...others] = diagnostics;
  if (first === undefined) return 'no reason was given';
  const where =
    first.line === undefined
      ? first.path === ''
        ? ''
        : `${first.path}: `
      : `line ${first.line}: `;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  const hint = first.hint === undefined ? '' : `; ${first.hint}`;
  return `${where}${first.message}${hint}${more}`;
}

/** A problem as bytes of HTTP, where no server writes it: to a stream that ends with it. */
export function rawAnswer(refusal: Problem): string {
  const body = JSON.stringify(refusal);
  return [
    `HTTP/1.1 ${refusal.status} ${refusal.title}`,
    'Content-Type: application/problem+json',
    ...(refusal.retryAfter === undefined ? [] : [`Retry-After: ${refusal.retryAfter}`]),
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
