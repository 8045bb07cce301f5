/**
 * Where a graph meets what is outside of its function: addresses that the module lays out, and what a
 * call is told.
 */

import type { Local } from './module.ts';
import type { Channels } from './sites.ts';

/** Static addresses of what a graph reads and writes. */
export interface Ports extends Channels {
  /** Do outputs keep the precision of the program? */
  readonly isExact: boolean;
  /** Binary64 slots. */
  slider(index: number): number;
  param(index: number): number;
  scalar(index: number): number;
  /** Where an output goes that is one value. */
  value(name: string): number | undefined;
  /** The same, if the graph itself reads nothing there. */
  unread(name: string): number | undefined;
  /** Where the largest magnitudes of the gradients go, four words; null where nobody asks. */
  readonly slopes: number | null;
}

/** What a run of a stream is told, in bytes of single precision; they are changed. */
export interface Span {
  readonly offset: Local;
  readonly position: Local;
  readonly length: Local;
}
