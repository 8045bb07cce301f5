/**
 * Single-producer single-consumer ring of fixed-size records of doubles, in shared memory.
 *
 * Invariants: one thread pushes, one thread pops, neither waits or locks; a record is seen whole
 * or not at all, in order, once; a full ring refuses the newest record and counts it, so a
 * stalled reader costs nothing on the audio thread. Neither side allocates after construction.
 * Both sides build a Ring over the same buffer with the same record length.
 */

/** Int32 words in front of the records: records pushed, popped, dropped; one spare for alignment. */
const PUSHED = 0;
const POPPED = 1;
const DROPPED = 2;
const HEADER = 16;

export class Ring {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  readonly #counts: Int32Array;
  readonly #records: readonly Float64Array[];

  /** @param length doubles per record */
  constructor(buffer: SharedArrayBuffer, length: number) {
    this.buffer = buffer;
    this.slots = (buffer.byteLength - HEADER) / (length * 8);
    if (!Number.isInteger(Math.log2(this.slots))) {
      throw new Error(`a ring needs a power of two of slots, got ${this.slots}`);
    }
    this.#counts = new Int32Array(buffer, 0, HEADER / 4);
    this.#records = Array.from(
      { length: this.slots },
      (_, i) => new Float64Array(buffer, HEADER + i * length * 8, length),
    );
  }

  /** @param slots a power of two */
  static create(length: number, slots: number): Ring {
    return new Ring(new SharedArrayBuffer(HEADER + length * 8 * slots), length);
  }

  /** Producer: the record to fill, or null (and one more dropped) when the ring is full. */
  claim(): Float64Array | null {
    const pushed = this.#counts[PUSHED]!;
    if (((pushed - Atomics.load(this.#counts, POPPED)) | 0) >= this.slots) {
      Atomics.add(this.#counts, DROPPED, 1);
      return null;
    }
    return this.#records[pushed & (this.slots - 1)]!;
  }

  /** Producer: hands over the record last claimed. */
  push(): void {
    Atomics.store(this.#counts, PUSHED, (this.#counts[PUSHED]! + 1) | 0);
  }

  /** Consumer: the oldest record, valid until `pop`, or null when there is none. */
  peek(): Float64Array | null {
    const popped = this.#counts[POPPED]!;
    if (Atomics.load(this.#counts, PUSHED) === popped) return null;
    return this.#records[popped & (this.slots - 1)]!;
  }

  /** Consumer: gives the record last seen by `peek` back to the producer. */
  pop(): void {
    Atomics.store(this.#counts, POPPED, (this.#counts[POPPED]! + 1) | 0);
  }

  get dropped(): number {
    return Atomics.load(this.#counts, DROPPED);
  }
}
