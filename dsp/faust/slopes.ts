/**
 * Through which roundings of a Faust program a gradient goes on.
 *
 * A program that interpolates takes a value apart, its whole part for an index and its fraction for
 * the mix, and the fraction has all of the gradient. One that only rounds has none by itself, so there
 * it passes on as if nothing were rounded. Cost: linear in what an index is made of.
 */

import type { ValueType } from '../ir/ops.ts';
import type { Form, FormId } from './form.ts';

export interface Slopes {
  /** Does the program take the fraction of this value? */
  readonly isInterpolated: (id: FormId) => boolean;
  /** Is this index, an int, one through which a gradient is asked for? */
  readonly isSteep: (id: FormId) => boolean;
}

export function slopesOf(form: Form, types: readonly ValueType[]): Slopes {
  const { nodes } = form;
  const interpolated = interpolatedIn(form);
  const isSteep = (id: FormId): boolean => {
    const open = [id];
    const seen = new Set(open);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { op, args } = nodes[next]!;
      if (op === 'int') {
        if (!interpolated.has(args[0]!) && types[args[0]!] === 'real') return true;
        continue;
      }
      for (const arg of args) {
        if (types[arg] === 'real' || seen.has(arg)) continue;
        seen.add(arg);
        open.push(arg);
      }
    }
    return false;
  };
  return { isInterpolated: (id) => interpolated.has(id), isSteep };
}

/** Values of which the program takes the fraction: x − ⌊x⌋, or x − float(int(x)). */
function interpolatedIn({ nodes }: Form): ReadonlySet<FormId> {
  const found = new Set<FormId>();
  for (const { op, args } of nodes) {
    if (op === 'floor') found.add(args[0]!);
    if (op !== '-') continue;
    const float = nodes[args[1]!]!;
    const whole = float.op === 'float' ? nodes[float.args[0]!] : undefined;
    if (whole?.op === 'int' && whole.args[0] === args[0]) found.add(args[0]!);
  }
  return found;
}
