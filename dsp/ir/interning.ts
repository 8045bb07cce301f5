/**
 * Finds the node that stands for an operation already, by the numbers that it is made of.
 *
 * Invariant: a hash finds candidates, `isSame` decides, so equal operations are one node and
 * different ones never are. Open addressing with linear probing in typed arrays: a look-up allocates
 * nothing, which matters because every pass looks up every node of a graph. Cost: constant in the
 * mean, as at most half of the places are taken.
 */

import type { NodeId } from './graph.ts';

const LEAST_PLACES = 64;
/** Of a free place. */
const FREE = -1;

export class Interning {
  #ids = new Int32Array(LEAST_PLACES).fill(FREE);
  #hashes = new Int32Array(LEAST_PLACES);
  #count = 0;

  /** The node of this hash for which `isSame` holds. */
  find(hash: number, isSame: (id: NodeId) => boolean): NodeId | undefined {
    const last = this.#ids.length - 1;
    for (let at = hash & last; ; at = (at + 1) & last) {
      const id = this.#ids[at]!;
      if (id === FREE) return undefined;
      if (this.#hashes[at] === hash && isSame(id as NodeId)) return id as NodeId;
    }
  }

  /** A node that `find` did not find. */
  add(hash: number, id: NodeId): void {
    if (2 * ++this.#count > this.#ids.length) this.#grow();
    this.#put(hash, id);
  }

  #put(hash: number, id: number): void {
    const last = this.#ids.length - 1;
    let at = hash & last;
    while (this.#ids[at] !== FREE) at = (at + 1) & last;
    this.#ids[at] = id;
    this.#hashes[at] = hash;
  }

  #grow(): void {
    const [ids, hashes] = [this.#ids, this.#hashes];
    this.#ids = new Int32Array(2 * ids.length).fill(FREE);
    this.#hashes = new Int32Array(2 * ids.length);
    ids.forEach((id, at) => {
      if (id !== FREE) this.#put(hashes[at]!, id);
    });
  }
}
