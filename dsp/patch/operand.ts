/**
 * The smallest pieces of a patch document: ids, numbers, operands.
 *
 * Invariant: every schema that reads an id, a number or an operand is made of these, so that they
 * mean the same everywhere.
 */

import { z } from 'zod';

/** Ids of sliders, params and nodes: `gain`, `hidden/gain`, `band-1/q`. */
export const idSchema = z
  .string()
  .max(120)
  .regex(
    /^[A-Za-z][\w-]*(\/[A-Za-z0-9][\w-]*)*$/u,
    'expected letters, digits, "-" and "_", in parts divided by "/", starting with a letter',
  );

/** What a binary32 can hold: a larger one would be infinite in the running program. */
export const number = z.number().min(-3.4e38).max(3.4e38);

/** A node by its id, a control by its id, or a number. */
export const operandSchema = z.union([idSchema, number]);
export type Operand = z.infer<typeof operandSchema>;
