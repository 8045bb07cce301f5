/**
 * Lists of numbers that nodes carry, of up to some 100,000 where a table is a constant.
 *
 * Invariant: a long list is copied and hashed once, when it enters a node for the first time; from
 * then on the same array goes from graph to graph and is known by its identity. Equal lists that come
 * by different ways still get equal keys: the hash finds candidates, their numbers decide.
 */

/** Longer lists than this are hashed. */
const SHORT = 32;

/** Hashes of the lists that nodes hold. */
const hashes = new WeakMap<readonly number[], number>();

const bits = new Float64Array(1);
const words = new Int32Array(bits.buffer);

/** Mixes a number into a hash of 32 bits; −0 and 0 are different numbers. */
export function mixed(hash: number, value: number): number {
  bits[0] = value;
  // The multipliers and the shifts of MurmurHash3's mixing step (public domain).
  let mix = Math.imul(hash ^ words[0]!, 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13) ^ words[1]!, 0xc2b2ae35);
  return mix ^ (mix >>> 16);
}

/** A hash of 32 bits; equal for equal numbers. Cost: linear for a long list that no node holds yet. */
export function hashOf(values: readonly number[]): number {
  const known = values.length > SHORT ? hashes.get(values) : undefined;
  if (known !== undefined) return known;
  let hash = values.length | 0;
  for (let k = 0; k < values.length; k++) hash = mixed(hash, values[k]!);
  return hash >>> 0;
}

/** A list that nobody will change: the given one if it is in a node already, else a copy. */
export function kept(values: readonly number[]): readonly number[] {
  if (values.length <= SHORT) return values.slice();
  if (hashes.has(values)) return values;
  const copy = values.slice();
  hashes.set(copy, hashOf(copy));
  return copy;
}

/** Are two lists the same numbers, −0 and 0 being different? */
export function areEqual(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let k = 0; k < a.length; k++) if (!Object.is(a[k], b[k])) return false;
  return true;
}

/** Keys that are equal for equal lists, in one module. */
export class ListKeys {
  readonly #byHash = new Map<number, (readonly number[])[]>();

  /** Cost: linear for a list that no node holds yet; else a look-up. */
  keyOf(values: readonly number[]): string {
    if (values.length <= SHORT) return values.map(numberKey).join();
    const hash = hashOf(values);
    const alike = this.#byHash.get(hash) ?? [];
    let place = alike.findIndex((other) => areEqual(other, values));
    if (place < 0) {
      place = alike.length;
      this.#byHash.set(hash, [...alike, kept(values)]);
    }
    return `#${hash}.${place}`;
  }
}

/** Text that tells all numbers apart, −0 from 0 too. */
const numberKey = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
