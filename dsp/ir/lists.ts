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

/** A hash of 32 bits; equal for equal numbers, −0 and 0 not being equal. */
export function hashOf(values: readonly number[]): number {
  const known = hashes.get(values);
  if (known !== undefined) return known;
  let hash = values.length | 0;
  for (let k = 0; k < values.length; k++) {
    bits[0] = values[k]!;
    // The multiplier and the shifts of MurmurHash3's mixing step (public domain).
    hash = Math.imul(hash ^ words[0]!, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ words[1]!, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
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

/** Keys that are equal for equal lists, in one graph or module. */
export class ListKeys {
  readonly #byHash = new Map<number, (readonly number[])[]>();

  /** Cost: linear for a list that no node holds yet; else a look-up. */
  keyOf(values: readonly number[]): string {
    if (values.length <= SHORT) return values.map(numberKey).join();
    const hash = hashOf(values);
    const alike = this.#byHash.get(hash) ?? [];
    let place = alike.findIndex((other) => other === values || areEqual(other, values));
    if (place < 0) {
      place = alike.length;
      this.#byHash.set(hash, [...alike, kept(values)]);
    }
    return `#${hash}.${place}`;
  }
}

const areEqual = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, k) => Object.is(value, b[k]));

/** Text that tells all numbers apart, −0 from 0 too. */
export const numberKey = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
