/**
 * The output stage, always on: non-finite guard, gain and mute ramps, peak limiter, hard clamp.
 *
 * Invariants: what leaves is finite and never above CEILING; a gain never jumps; a signal at
 * gain 1 below the ceiling passes bit for bit. Functions over caller-owned state and planar
 * channels; nothing here allocates after `createRamp` and `createLimiter`.
 */

/** −1 dBFS. */
export const CEILING = Math.fround(10 ** (-1 / 20));
/** Seconds for the limiter's gain to recover to 1/e of the reduction. */
const RELEASE = 0.1;

/** A gain on its way to a target in a straight line. */
export interface Ramp {
  value: number;
  target: number;
  slope: number;
  /** Frames still to go. */
  left: number;
}

export function createRamp(value: number): Ramp {
  return { value, target: value, slope: 0, left: 0 };
}

/** Starts (or redirects) a ramp from where it is now. */
export function aim(ramp: Ramp, target: number, frames: number): void {
  if (target === ramp.target) return;
  ramp.target = target;
  ramp.left = frames;
  ramp.slope = (target - ramp.value) / frames;
}

/** Multiplies the channels by the ramp and moves it on by `frames`. */
export function applyRamp(ramp: Ramp, channels: readonly Float32Array[], frames: number): void {
  const { target, slope, left } = ramp;
  if (left === 0 && target === 1) return;
  const moving = Math.min(left, frames);
  for (let c = 0; c < channels.length; c++) {
    const channel = channels[c]!;
    for (let i = 0; i < moving; i++) channel[i]! *= target - slope * (left - i - 1);
    if (target !== 1) for (let i = moving; i < frames; i++) channel[i]! *= target;
  }
  ramp.left = left - moving;
  ramp.value = target - slope * ramp.left;
}

/**
 * Goes over from `former` to `channels`, in place: the ramp's value is the share of `channels`, from
 * 0 to 1. y = former + ramp · (channels − former): what is equal in both stays as it is to the bit.
 */
export function crossfade(
  ramp: Ramp,
  channels: readonly Float32Array[],
  former: readonly Float32Array[],
  frames: number,
): void {
  const { target, slope, left } = ramp;
  const moving = Math.min(left, frames);
  for (let c = 0; c < channels.length; c++) {
    const channel = channels[c]!;
    const before = former[c]!;
    for (let i = 0; i < moving; i++) {
      const x = before[i]!;
      channel[i] = x + (target - slope * (left - i - 1)) * (channel[i]! - x);
    }
  }
  ramp.left = left - moving;
  ramp.value = target - slope * ramp.left;
}

export interface Limiter {
  /** Present gain, in (0, 1]. */
  gain: number;
  readonly release: number;
}

export function createLimiter(sampleRate: number): Limiter {
  return { gain: 1, release: Math.exp(-1 / (RELEASE * sampleRate)) };
}

/**
 * Holds the peak over all channels at CEILING: the gain falls at once, as far as needed, and
 * recovers exponentially. Channels share one gain, so a stereo image does not wander. What
 * rounding leaves above the ceiling is clamped.
 */
export function limit(limiter: Limiter, channels: readonly Float32Array[], frames: number): void {
  const { release } = limiter;
  let gain = limiter.gain;
  for (let i = 0; i < frames; i++) {
    let peak = 0;
    for (let c = 0; c < channels.length; c++) {
      const size = Math.abs(channels[c]![i]!);
      if (size > peak) peak = size;
    }
    if (gain < 1) {
      gain = 1 - (1 - gain) * release;
      if (gain > 0.999999) gain = 1;
    }
    if (peak * gain > CEILING) gain = CEILING / peak;
    if (gain === 1) continue;
    for (let c = 0; c < channels.length; c++) {
      const channel = channels[c]!;
      const x = channel[i]! * gain;
      channel[i] = x > CEILING ? CEILING : x < -CEILING ? -CEILING : x;
    }
  }
  limiter.gain = gain;
}

/** Whether every sample is a number; silences all channels when one is not. */
export function guard(channels: readonly Float32Array[], frames: number): boolean {
  let clean = true;
  for (let c = 0; c < channels.length; c++) {
    const channel = channels[c]!;
    let sum = 0; // x - x is 0 for a finite x, else NaN
    for (let i = 0; i < frames; i++) sum += channel[i]! - channel[i]!;
    if (sum !== 0) clean = false;
  }
  if (!clean) for (let c = 0; c < channels.length; c++) channels[c]!.fill(0, 0, frames);
  return clean;
}

export function decibels(gainDb: number): number {
  return 10 ** (gainDb / 20);
}
