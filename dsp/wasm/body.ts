/**
 * A piece of a function in one form: the code of a loop, or the values between loops.
 *
 * Invariant: constants are in locals before the code starts, each once; a local that code may read
 * ahead of where it is written is a fresh one, never one that other code of the body uses as well.
 */

import type { NodeId } from '../ir/graph.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { intType, realType } from './rules.ts';
import type { Form, Scope } from './rules.ts';
import { splatInt, splatReal } from './snippets.ts';

export interface Body extends Scope {
  /** Before the loop. */
  readonly prologue: Instr[];
  readonly code: Instr[];
  readonly known: Map<NodeId, Local>;
  readonly masks: Map<number, Local>;
  /** Locals of constants and copies made before the loop. */
  readonly hoisted: Local[];
  /** Locals that a rule took for itself. */
  readonly scratch: Local[];
}

/** An empty body of a function. */
export function makeBody(func: Func, form: Form): Body {
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
  return {
    form,
    prologue,
    code,
    known: new Map(),
    masks,
    hoisted,
    scratch,
    local: (type) => {
      const local = func.local(type);
      scratch.push(local);
      return local;
    },
    real: (value) =>
      hoist(
        `r${Object.is(value, -0) ? '-0' : value}`,
        realType(form),
        form === 'f32x4' ? splatReal(value) : [`${form}.const`, value],
      ),
    int: (value) =>
      hoist(`i${value}`, intType(form), form === 'f32x4' ? splatInt(value) : ['i32.const', value]),
    before: (made) => {
      for (const instr of made) code.push(instr);
    },
    mask: (operand) => masks.get(operand.index),
  };
}
