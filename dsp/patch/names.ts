/**
 * Every operation that a node of a patch may name, from the tables that define them.
 */

import { OPS, OP_KINDS } from '../ir/ops.ts';
import type { OpKind } from '../ir/ops.ts';
import { FUNCTION_NAMES } from './functions.ts';
import { VECTOR_OP_NAMES } from './vectors.ts';

/** Operations of the IR that a patch uses directly, by their IR names. */
export const PLAIN_OPS = OP_KINDS.filter((kind) => OPS[kind].inPatch) as readonly PlainOp[];
export type PlainOp = {
  [K in OpKind]: (typeof OPS)[K]['inPatch'] extends true ? K : never;
}[OpKind];

/** Every operation a patch node may name. */
export function nodeOps(): readonly string[] {
  return [
    'input',
    'delay',
    'delayBy',
    'mem',
    'table',
    'rwTable',
    'noise',
    'sampleRate',
    'runningSum',
    'runningMean',
    'align',
    ...PLAIN_OPS,
    ...FUNCTION_NAMES,
    ...VECTOR_OP_NAMES,
  ];
}
