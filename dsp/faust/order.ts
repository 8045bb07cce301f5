/**
 * In which order the nodes of a normal form are made, and where its recursions are cut.
 *
 * A recursion of Faust runs through a delay of at least one sample. A delay of fixed length, or
 * `prefix`, can be made before what it delays is known; one of moving length as a fixed one of one
 * sample and the rest. Cost: linear.
 */

import { components } from '../ir/components.ts';
import type { Form, FormId } from './form.ts';

export interface Order {
  /** What the outputs need; operands come first, except for those of what is in `cuts`. */
  readonly order: readonly FormId[];
  /** Delays and prefixes through which a recursion is closed. */
  readonly cuts: ReadonlySet<FormId>;
}

/** Operands that are needed at every sample; a table is filled beforehand. */
export function operandsOf({ nodes }: Form, id: FormId): readonly FormId[] {
  const { op, args } = nodes[id]!;
  return op === 'sigGen' ? [] : args;
}

/** Of those, what a delay or prefix delays: its place among the operands. */
export function delayedPlace(op: string): number | undefined {
  if (op === '@') return 0;
  return op === 'prefix' ? 1 : undefined;
}

/**
 * @param delays  is this delay or prefix one that is never shorter than a sample?
 */
export function arrange(
  form: Form,
  roots: readonly FormId[],
  delays: (id: FormId) => boolean,
): Order {
  const { nodes } = form;
  const needed = new Set(roots);
  for (const id of needed) for (const operand of operandsOf(form, id)) needed.add(operand);
  const list = [...needed];
  const place = new Map(list.map((id, k) => [id, k]));
  const places = (ids: readonly FormId[]): number[] => ids.map((id) => place.get(id)!);

  const cuts = new Set<FormId>();
  const all = list.map((id) => places(operandsOf(form, id)));
  for (const component of components(list.length, (k: number) => all[k]!)) {
    const first = component[0]!;
    if (component.length === 1 && !all[first]!.includes(first)) continue;
    for (const k of component) {
      const id = list[k]!;
      if (delayedPlace(nodes[id]!.op) !== undefined && delays(id)) cuts.add(id);
    }
  }
  const ahead = list.map((id) => {
    const operands = operandsOf(form, id);
    const skipped = cuts.has(id) ? delayedPlace(nodes[id]!.op) : undefined;
    return places(operands.filter((_operand, at) => at !== skipped));
  });
  const order = components(list.length, (k: number) => ahead[k]!).map((c) => list[c[0]!]!);
  return { order, cuts };
}
