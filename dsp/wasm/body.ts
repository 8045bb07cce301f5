/**
 * A piece of a function in one form: the code of a loop, or the values between loops.
 *
 * A body holds numbers in its own form, and the lanes of vectors four at a time. Invariant: constants
 * are in locals before the code starts, each once; a local that code may read ahead of where it is
 * written is a fresh one, never one that other code of the body uses as well.
 */

import type { NodeId } from '../ir/graph.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { intType, realType } from './rules.ts';
import type { Form, Scope } from './rules.ts';
import { splatInt, splatReal } from './snippets.ts';

/** A number in one local, or a vector in as many as it takes, four lanes each. */
export type Value = readonly Local[];

/** Four lanes to a local; what is behind the last lane does not matter. */
export const chunksOf = (lanes: number): number => Math.ceil(lanes / 4);

/** Single-precision places that a value takes in memory: vectors are padded to whole chunks. */
export const placesOf = (lanes: number): number => (lanes === 1 ? 1 : 4 * chunksOf(lanes));

export interface Body {
  readonly form: Form;
  /** Does its code run once? Then nothing is worth being put in front of it but constants. */
  readonly once: boolean;
  /** Before the loop. */
  readonly prologue: Instr[];
  readonly code: Instr[];
  readonly known: Map<NodeId, Value>;
  /** Numbers of `known` in all lanes of a vector. */
  readonly splats: Map<NodeId, Local>;
  readonly masks: Map<number, Local>;
  /** Locals of constants and copies made before the loop. */
  readonly hoisted: Local[];
  /** Locals that a rule took for itself. */
  readonly scratch: Local[];
  /** Locals that are needed until the end of the body. */
  readonly kept: Local[];
  /** Where frames of several places lie: by what moves them and how many places. */
  readonly offsets: Map<string, Local>;
  /** How rules write code: for numbers of this form, and for four lanes. */
  readonly numbers: Scope;
  readonly lanes: Scope;
}

/** An empty body of a function. */
export function makeBody(func: Func, form: Form, once = false): Body {
  const constants = new Map<string, Local>();
  const prologue: Instr[] = [];
  const code: Instr[] = [];
  const masks = new Map<number, Local>();
  const hoisted: Local[] = [];
  const scratch: Local[] = [];
  const hoist = (key: string, type: Local['type'], make: Instr): Instr => {
    let local = constants.get(key);
    if (local === undefined) {
      local = func.fresh(type);
      constants.set(key, local);
      hoisted.push(local);
      prologue.push(make, set(local));
    }
    return get(local);
  };
  const scopeOf = (of: Form): Scope => ({
    form: of,
    fused: func.fused && of === 'f32x4',
    local: (type) => {
      const local = func.local(type);
      scratch.push(local);
      return local;
    },
    real: (value) =>
      hoist(
        `${of} r${Object.is(value, -0) ? '-0' : value}`,
        realType(of),
        of === 'f32x4' ? splatReal(value) : [`${of}.const`, value],
      ),
    int: (value) =>
      hoist(
        `${intType(of)} i${value}`,
        intType(of),
        of === 'f32x4' ? splatInt(value) : ['i32.const', value],
      ),
    before: (made) => {
      for (const instr of made) code.push(instr);
    },
    mask: (operand) => masks.get(operand.index),
  });
  const numbers = scopeOf(form);
  return {
    form,
    once,
    prologue,
    code,
    known: new Map(),
    splats: new Map(),
    masks,
    hoisted,
    scratch,
    kept: [],
    offsets: new Map(),
    numbers,
    lanes: form === 'f32x4' ? numbers : scopeOf('f32x4'),
  };
}
