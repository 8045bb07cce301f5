/**
 * Parameters of a patch and their places in the bank: numbers, and vectors of them.
 *
 * Invariant: outside of the compiler a vector is as many controls as it has lanes, named `id/0`,
 * `id/1`, …, next to each other in the bank; a parameter without `size` is one control of its own
 * name. So whoever runs, stores or shows parameters knows numbers only.
 */

import { z } from 'zod';
import { INIT_KINDS, initialValues } from '../blocks/initial.ts';
import type { Control, ControlSpec } from '../control.ts';
import { rateFactor, weightDecaySchema } from '../learn/optimisers/table.ts';
import { idSchema, number } from './operand.ts';

/** Most numbers in one vector that is a parameter or a constant. */
export const MAX_SIZE = 2 ** 16;

const fan = z.number().int().min(1).max(MAX_SIZE);

/** How the lanes of a vector start. */
export const initSchema = z.strictObject({
  init: z.enum(INIT_KINDS),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(0),
  scale: number.default(1),
  /** Inputs of the layer; outputs are size / fanIn if not given. */
  fanIn: fan.optional(),
  fanOut: fan.optional(),
});
type InitSpec = z.infer<typeof initSchema>;

/** A learnable number, or a vector of `size` of them. */
export interface ParamSpec extends Omit<ControlSpec, 'initial'> {
  readonly size?: number | undefined;
  /** A number for all lanes, one per lane, or how they are drawn. */
  readonly initial: number | readonly number[] | InitSpec;
}

export type Params = Readonly<Record<string, ParamSpec>>;

/** Parameters that learn alike: their rate is a factor of each one's own. */
export const groupSchema = z.strictObject({
  params: z.array(idSchema).min(1).max(10_000),
  rate: rateFactor.optional(),
  weightDecay: weightDecaySchema.optional(),
});

type Groups = Readonly<Record<string, z.infer<typeof groupSchema>>>;

/** Kinds of `init` that need to know the layer. */
const WITH_FANS: ReadonlySet<string> = new Set(['glorot', 'he', 'lecun', 'orthogonal']);

/** What is wrong with the starting values of a parameter, as a sentence; null where nothing is. */
export function wrongInitial({ size, initial }: ParamSpec): string | null {
  if (typeof initial === 'number') return null;
  if (size === undefined) return 'a parameter without "size" is one number: expected a number';
  if ('init' in initial) {
    if (!WITH_FANS.has(initial.init)) return null;
    const { fanIn, fanOut } = initial;
    if (fanIn === undefined) return `"${initial.init}" needs "fanIn", the inputs of the layer`;
    const outputs = fanOut ?? size / fanIn;
    if (!Number.isInteger(outputs)) {
      return `expected "fanIn" to divide the size ${size}, got ${fanIn}`;
    }
    if (initial.init === 'orthogonal' && fanIn * outputs !== size) {
      return `an orthogonal matrix has fanIn · fanOut numbers: expected ${fanIn * outputs}, got ${size}`;
    }
    return null;
  }
  return initial.length === size ? null : `expected ${size} numbers, got ${initial.length}`;
}

/** Starting values, one per lane; what is drawn at random is held to the range. */
function startOf({ initial, min, max, size = 1 }: ParamSpec): readonly number[] {
  if (typeof initial === 'number') return new Array<number>(size).fill(initial);
  if (!('init' in initial)) return initial;
  const { init: kind, seed, scale, fanIn = 1, fanOut = size / fanIn } = initial;
  return initialValues({ kind, seed, scale, fanIn, fanOut }, size).map((value) =>
    Math.min(max, Math.max(min, value)),
  );
}

/** Lanes of a parameter. */
export const lanesOfParam = ({ size = 1 }: ParamSpec): number => size;

/** Names of the controls that a parameter is. */
export function controlNames(id: string, { size }: ParamSpec): readonly string[] {
  return size === undefined ? [id] : Array.from({ length: size }, (_, k) => `${id}/${k}`);
}

/** All parameters as controls, in the order of the bank, as their groups learn. */
export function bankOf(params: Params, groups: Groups = {}): readonly Control[] {
  const groupOf = new Map(
    Object.values(groups).flatMap((group) => group.params.map((id) => [id, group] as const)),
  );
  return Object.entries(params).flatMap(([id, spec]) => {
    const { initial: _initial, size: _size, ...rest } = spec;
    const start = startOf(spec);
    const { rate = 1, weightDecay } = groupOf.get(id) ?? {};
    const factor = (spec.rate ?? 1) * rate;
    const own = {
      ...rest,
      ...(factor === 1 ? {} : { rate: factor }),
      ...(weightDecay === undefined ? {} : { weightDecay }),
    };
    return controlNames(id, spec).map((name, k) => ({ ...own, initial: start[k]!, id: name }));
  });
}

/** The first place in the bank of each parameter. */
export function placesOfParams(params: Params): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  let next = 0;
  for (const [id, spec] of Object.entries(params)) {
    places.set(id, next);
    next += lanesOfParam(spec);
  }
  return places;
}
