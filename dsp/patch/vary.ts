/**
 * The same lesson with another seed: other noise, other starting values, other hidden values.
 *
 * Invariant: the same patch and seed give the same patch on every machine; what is not in `vary`,
 * no noise and no recipe for starting values stays as it is. A control's value depends on its id and
 * the seed alone, not on what else varies.
 */

import { generator } from '../blocks/initial.ts';
import type { ControlSpec } from '../control.ts';
import { lanesOfParam } from './params.ts';
import type { ParamSpec } from './params.ts';
import type { Patch } from './schema.ts';

/**
 * The patch as the seed draws it: each control that `vary` names uniformly from its span, on the
 * scale of the control and in its steps; each noise and each recipe with a seed of its own.
 *
 * @param seed  whole, from 0 on
 * Tested: test/dsp/patch/vary.test.ts
 */
export function vary(patch: Patch, seed: number): Patch {
  const drawn = (id: string, spec: ControlSpec | ParamSpec, count: number): number[] => {
    const [from, to] = patch.vary![id]!;
    const next = generator(seedFor(id, seed));
    return Array.from({ length: count }, () => {
      const at = next();
      const value =
        spec.scale === 'log' ? from * Math.exp(at * Math.log(to / from)) : from + at * (to - from);
      return Math.min(to, Math.max(from, inSteps(value, spec.step)));
    });
  };
  const varies = (id: string): boolean => Object.hasOwn(patch.vary ?? {}, id);
  const sliders = mapped(patch.sliders, (id, spec) =>
    varies(id) ? { ...spec, initial: drawn(id, spec, 1)[0]! } : spec,
  );
  const params = mapped(patch.params, (id, spec): ParamSpec => {
    const { initial } = spec;
    if (varies(id)) {
      const values = drawn(id, spec, lanesOfParam(spec));
      return { ...spec, initial: spec.size === undefined ? values[0]! : values };
    }
    const isRecipe = typeof initial === 'object' && 'init' in initial;
    return isRecipe
      ? { ...spec, initial: { ...initial, seed: seedFor(`${id} ${initial.seed}`, seed) } }
      : spec;
  });
  return {
    ...patch,
    sliders,
    params,
    nodes: withNoise(patch, (old) => seedFor(`noise ${old}`, seed)),
  };
}

/** Other noise, the same controls: what a patch has learned is tried on it. */
export const freshNoise = (patch: Patch): Patch => ({
  ...patch,
  nodes: withNoise(patch, (old) => seedFor('fresh', old)),
});

/** Noises that were one stay one. */
const withNoise = ({ nodes }: Patch, reseed: (old: number) => number): Patch['nodes'] =>
  mapped(nodes, (_, node) =>
    node.op === 'noise' ? { ...node, seed: reseed(node.seed ?? 0) } : node,
  );

const mapped = <T>(
  group: Readonly<Record<string, T>>,
  change: (id: string, one: T) => T,
): Record<string, T> =>
  Object.fromEntries(Object.entries(group).map(([id, one]) => [id, change(id, one)]));

/** In whole steps without the dust of binary fractions: 0.3, not 0.30000000000000004. */
const inSteps = (value: number, step: number | undefined): number =>
  step === undefined ? value : Number((Math.round(value / step) * step).toPrecision(12));

/** 31 bits from a name and a number. Source: G. Fowler, L. Noll, K. Vo, FNV-1a. */
function seedFor(name: string, seed: number): number {
  let hash = 0x811c9dc5;
  for (const character of `${seed} ${name}`) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  return hash >>> 1;
}
