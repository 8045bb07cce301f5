/**
 * A piece of a function in one form: the code of a loop, or the values between loops.
 *
 * A body holds numbers in its own form, and the lanes of vectors as many at a time as fit. Invariant: constants
 * are in locals before the code starts, each once, as far as there are not thousands; a local that code may read ahead of where it is
 * written is a fresh one, never one that other code of the body uses as well.
 */

import type { NodeId } from '../ir/graph.ts';
import { intType, isVector, realType, splatReal } from './element.ts';
import type { Form } from './element.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import type { Scope } from './rules.ts';
import { splatInt } from './snippets.ts';

/** A number in one local, or a vector in as many as it takes, full to its last one. */
export type Value = readonly Local[];

export interface Body {
  readonly form: Form;
  /** Are real numbers computed in all four lanes of a vector, where products can be fused? */
  readonly wide: boolean;
  /** Values of the outside that may still be kept in vectors all the time. */
  registers: number;
  /** Does its code run once? Then nothing is worth being put in front of it but constants. */
  readonly once: boolean;
  /** Before the loop. */
  readonly prologue: Instr[];
  readonly code: Instr[];
  readonly known: Map<NodeId, Value>;
  /** Numbers in all lanes of a vector; of a wide body, also those that are not in `known`. */
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
  /** How rules write code: for numbers of this form, and for the lanes of vectors. */
  readonly numbers: Scope;
  readonly lanes: Scope;
}

/** Constants that a body has locals for; others stand where they are needed. */
const MOST_CONSTANTS = 8192;

export interface BodyOptions {
  readonly once?: boolean;
  readonly wide?: boolean;
  /** Values of the outside that may be kept in vectors all the time; the others are loaded. */
  readonly registers?: number;
}

/** An empty body of a function. */
export function makeBody(
  func: Func,
  form: Form,
  { once = false, wide = false, registers = Infinity }: BodyOptions = {},
): Body {
  const constants = new Map<string, Local>();
  const prologue: Instr[] = [];
  const code: Instr[] = [];
  const masks = new Map<number, Local>();
  const hoisted: Local[] = [];
  const scratch: Local[] = [];
  const hoist = (key: string, type: Local['type'], make: Instr): Instr => {
    let local = constants.get(key);
    if (local === undefined) {
      if (constants.size >= MOST_CONSTANTS) return make;
      local = func.fresh(type);
      constants.set(key, local);
      hoisted.push(local);
      prologue.push(make, set(local));
    }
    return get(local);
  };
  const scopeOf = (of: Form): Scope => ({
    form: of,
    fused: func.fused && isVector(of),
    local: (type) => {
      const local = func.local(type);
      scratch.push(local);
      return local;
    },
    real: (value) =>
      hoist(
        `${of} r${Object.is(value, -0) ? '-0' : value}`,
        realType(of),
        isVector(of) ? splatReal(func.element, value) : [`${of}.const`, value],
      ),
    int: (value) =>
      hoist(
        `${intType(of)} i${value}`,
        intType(of),
        isVector(of) ? splatInt(value) : ['i32.const', value],
      ),
    before: (made) => {
      for (const instr of made) code.push(instr);
    },
    mask: (operand) => masks.get(operand.index),
  });
  const numbers = scopeOf(form);
  return {
    form,
    wide,
    registers,
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
    lanes: isVector(form) ? numbers : scopeOf(func.element.vector),
  };
}
