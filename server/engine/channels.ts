/**
 * Which channels of the device a program hears and plays, in shared memory.
 *
 * Invariants: the engine's main thread writes, the audio thread reads, and only while nothing is heard;
 * a version that is odd while it is written says that there is another map. A channel that the device
 * does not have is silence, and so is an input of the program that no channel is named for.
 */

/** Channels of a device, at most. */
export const MAX_CHANNELS = 64;

const VERSION = 0;
const INPUTS = 1;
const OUTPUTS = INPUTS + MAX_CHANNELS;
const WORDS = OUTPUTS + MAX_CHANNELS;

export class ChannelMap {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(4 * WORDS);
    this.#words = new Int32Array(this.buffer);
    if (buffer === undefined) this.set([], []);
  }

  get version(): number {
    return Atomics.load(this.#words, VERSION);
  }

  /**
   * @param inputs   of each input of the program the channel of the device, from 1; none: as they are
   * @param outputs  of each output of the program
   */
  set(inputs: readonly number[], outputs: readonly number[]): void {
    Atomics.add(this.#words, VERSION, 1);
    for (let c = 0; c < MAX_CHANNELS; c++) {
      this.#words[INPUTS + c] = inputs.length === 0 ? c : (inputs[c] ?? 0) - 1;
      const from = outputs.indexOf(c + 1);
      this.#words[OUTPUTS + c] = outputs.length === 0 ? c : from;
    }
    Atomics.add(this.#words, VERSION, 1);
  }

  /**
   * Copies the map: of each input of the program the channel of the device, and of each output of the
   * device that of the program, from 0, or below where there is none.
   * @returns  its version
   */
  read(inputs: Int32Array, outputs: Int32Array): number {
    const version = this.version;
    for (let c = 0; c < MAX_CHANNELS; c++) {
      inputs[c] = this.#words[INPUTS + c]!;
      outputs[c] = this.#words[OUTPUTS + c]!;
    }
    return version;
  }
}
