/**
 * What the rows of nodes with lanes are made of: their schemas, and what is said of each operation.
 *
 * Invariant: what `misfit` and `wrong` let through, `build` can build.
 */

import { z } from 'zod';
import type { Builder } from '../ir/builder.ts';
import type { NodeId } from '../ir/graph.ts';
import { operandSchema } from './operand.ts';

/** Most lanes of a signal, and most operands of a `concat`. */
export const MAX_LANES = 4096;
export const MAX_PARTS = 64;
/** Most samples of a frame; its spectrum has two lanes more. */
export const MAX_FRAME = 8192;

export const lanesSchema = z.number().int().min(1).max(MAX_LANES);

/** A node with operands and fields of its own. */
export const laneNode = <const Op extends string, Fields extends z.ZodRawShape>(
  op: Op,
  fields: Fields,
) =>
  z.strictObject({
    op: z.literal(op),
    in: z.array(operandSchema).max(MAX_PARTS),
    ...fields,
  });

/** An operand with the wrong number of lanes, and what was expected of it. */
export interface Misfit {
  readonly operand: number;
  readonly expected: string;
}

export interface LaneRule<Node> {
  /** What the operands are called; those in brackets may be left out. */
  readonly operands: readonly string[];
  readonly fields?: string;
  readonly doc: string;
  /** Lanes of the result; operands that are not known yet are undefined, and so may it be. */
  readonly lanes: (node: Node, x: readonly (number | undefined)[]) => number | undefined;
  /** The first operand that does not fit. */
  readonly misfit: (node: Node, x: readonly number[]) => Misfit | null;
  /** A field out of its range, for operands of so many lanes at a sample rate in Hz. */
  readonly wrong?: (node: Node, x: readonly number[], sampleRate: number) => Wrong | null;
  readonly build: (b: Builder, node: Node, x: readonly NodeId[], sampleRate: number) => NodeId;
}

/** What, expected, got. */
export interface Wrong {
  readonly field: string;
  readonly message: string;
}

export const fitsAll = (): null => null;

/** Operand `k` has `expected` lanes, or is not there. */
export const wants = (
  x: readonly number[],
  k: number,
  expected: number,
  what: string,
): Misfit | null =>
  x[k] === undefined || x[k] === expected
    ? null
    : { operand: k, expected: `${expected} lane${expected === 1 ? '' : 's'} (${what})` };
