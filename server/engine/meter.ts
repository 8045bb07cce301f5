/**
 * What is measured on the audio thread: levels per channel and the load of each block.
 *
 * Invariant: adding a block allocates nothing and takes time independent of the history; reading
 * the load walks a histogram of fixed size. Single-threaded.
 */
import type { Load } from './types.ts';

/** Peak and sum of squares per channel since `clearLevels`. */
export interface Levels {
  readonly peak: Float64Array;
  readonly squares: Float64Array;
  frames: number;
}

export function createLevels(channels: number): Levels {
  return { peak: new Float64Array(channels), squares: new Float64Array(channels), frames: 0 };
}

export function addLevels(levels: Levels, channels: readonly Float32Array[], frames: number): void {
  for (let c = 0; c < channels.length; c++) {
    const channel = channels[c]!;
    let peak = levels.peak[c]!;
    let squares = 0;
    for (let i = 0; i < frames; i++) {
      const x = channel[i]!;
      const size = Math.abs(x);
      if (size > peak) peak = size;
      squares += x * x;
    }
    levels.peak[c] = peak;
    levels.squares[c]! += squares;
  }
  levels.frames += frames;
}

export function clearLevels(levels: Levels): void {
  levels.peak.fill(0);
  levels.squares.fill(0);
  levels.frames = 0;
}

/** What clients see of the load: so many bins, each a tenth of a block's period; the last one is open. */
export const LOAD_BINS = 20;
export const LOAD_BIN = 0.1;

/** Slices of the sliding second, and bins of 1 % of a block's period each; the last one is open. */
const SLICES = 10;
const BINS = 256;
const SLICE_SECONDS = 0.1;

/**
 * Load over the last second: mean, 99th percentile (to 1 % of the period, rounded up) and
 * maximum. The second slides in tenths, measured in frames, so a hand-cranked test sees the
 * same as a sound card.
 */
export class LoadMeter {
  readonly #sliceFrames: number;
  readonly #bins = new Uint32Array(SLICES * BINS);
  readonly #count = new Uint32Array(SLICES);
  readonly #sum = new Float64Array(SLICES);
  readonly #max = new Float64Array(SLICES);
  #slice = 0;
  #frames = 0;

  constructor(sampleRate: number) {
    this.#sliceFrames = Math.round(sampleRate * SLICE_SECONDS);
  }

  /** @param load processing time of the block as a share of its period */
  add(load: number, frames: number): void {
    if (this.#frames >= this.#sliceFrames) this.#turn();
    this.#frames += frames;
    const s = this.#slice;
    const bin = load < BINS / 100 ? Math.floor(load * 100) : BINS - 1;
    this.#bins[s * BINS + bin]!++;
    this.#count[s]!++;
    this.#sum[s]! += load;
    if (load > this.#max[s]!) this.#max[s] = load;
  }

  /** Writes mean, p99 and max to `into` from `offset`. */
  read(into: Float64Array, offset: number): void {
    let count = 0;
    let sum = 0;
    let max = 0;
    for (let s = 0; s < SLICES; s++) {
      count += this.#count[s]!;
      sum += this.#sum[s]!;
      if (this.#max[s]! > max) max = this.#max[s]!;
    }
    into[offset] = count === 0 ? 0 : sum / count;
    into[offset + 1] = Math.min(max, this.#percentile(count * 0.99));
    into[offset + 2] = max;
  }

  /** Writes how many blocks of the last second had which load, bin by bin. */
  readHistogram(into: Float64Array, offset: number): void {
    const perBin = LOAD_BIN * 100;
    into.fill(0, offset, offset + LOAD_BINS);
    for (let s = 0; s < SLICES; s++) {
      for (let b = 0; b < BINS; b++) {
        const bin = Math.min(LOAD_BINS - 1, Math.floor(b / perBin));
        into[offset + bin]! += this.#bins[s * BINS + b]!;
      }
    }
  }

  /** Upper edge of the bin below which `rank` blocks lie. */
  #percentile(rank: number): number {
    let below = 0;
    for (let b = 0; b < BINS - 1; b++) {
      for (let s = 0; s < SLICES; s++) below += this.#bins[s * BINS + b]!;
      if (below >= rank) return (b + 1) / 100;
    }
    return Number.POSITIVE_INFINITY;
  }

  #turn(): void {
    this.#slice = (this.#slice + 1) % SLICES;
    const s = this.#slice;
    this.#bins.fill(0, s * BINS, (s + 1) * BINS);
    this.#count[s] = 0;
    this.#sum[s] = 0;
    this.#max[s] = 0;
    this.#frames = 0;
  }
}

export const NO_LOAD: Load = { mean: 0, p99: 0, max: 0 };
