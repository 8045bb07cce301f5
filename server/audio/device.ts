/**
 * The one interface between a source of blocks and whoever processes them.
 *
 * A device owns its loop: `run` calls `block` once per block, with `inputs` filled, and takes
 * `outputs` when it returns. So each back end waits in the way that suits it (PortAudio awaits
 * a promise, the virtual device sleeps on its clock, a native ring would wait on a futex), and
 * the processing is the same synchronous function for all of them.
 *
 * Invariants: `inputs` and `outputs` are the same arrays for the life of the device (planar,
 * `blockSize` long); `block` is never called re-entrantly nor after it returned false; the
 * device allocates nothing of its own per block.
 * It does not know what is processed, nor does it measure, mute or limit.
 */
import type { Result } from '../../dsp/diagnostic.ts';
import type { AudioDevice, DeviceInfo } from '../engine/types.ts';
import { failure, success } from './problem.ts';

/** Processes `frames` frames (at most the block size); false asks the device to stop. */
export type Block = (frames: number) => boolean;

/** Why `run` came back: the block asked for it, the source came to its end, the device went away. */
export type RunEnd = 'stopped' | 'ended' | 'lost';

export interface Device {
  readonly info: DeviceInfo;
  readonly inputs: readonly Float32Array[];
  readonly outputs: readonly Float32Array[];
  /** Blocks that the device started late or had to drop, by its own clock, so far. */
  readonly lateBlocks: number;
  run(block: Block): Promise<RunEnd> | RunEnd;
  /** Releases the device; `run` must have come back. */
  close(): Promise<void> | void;
}

/** Time for devices: milliseconds on a monotonic scale. A test cranks its own by hand. */
export interface Clock {
  readonly now: () => number;
  /** Blocks the thread until `time`; may come back a little late, never early. */
  readonly wait: (time: number) => void;
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

export const systemClock: Clock = {
  now: () => performance.now(),
  wait(time) {
    for (;;) {
      const left = time - performance.now();
      if (left <= 0) return;
      Atomics.wait(sleeper, 0, 0, left);
    }
  },
};

/** `count` zeroed channels of `frames`. */
export function channels(count: number, frames: number): Float32Array[] {
  return Array.from({ length: count }, () => new Float32Array(frames));
}

/**
 * Finds the device a user means: by id, by exact name, or by a part of its name (in any case,
 * with the host API in front of it if wanted: "jack: loop") that fits exactly one.
 * Never falls back to another device than the one asked for.
 *
 * @param wanted '' means the default device of that direction
 */
export function findDevice(
  devices: readonly AudioDevice[],
  wanted: string,
  direction: 'input' | 'output',
): Result<AudioDevice> {
  const usable = devices.filter(
    (d) => d.backend === 'portaudio' && (direction === 'input' ? d.inputs : d.outputs) > 0,
  );
  const path = `audio.${direction}`;
  const list = usable.map((d) => `${d.id} = "${label(d)}"`).join(', ');
  const there = usable.length === 0 ? 'there is none' : `there are: ${list}`;

  if (wanted === '') {
    const found = usable.find((d) =>
      direction === 'input' ? d.isDefaultInput : d.isDefaultOutput,
    );
    if (found !== undefined) return success(found);
    return failure('AUDIO_NO_DEVICE', path, `no default ${direction} device; ${there}`);
  }
  const part = wanted.toLowerCase();
  const rules: readonly ((d: AudioDevice) => boolean)[] = [
    (d) => d.id === wanted,
    (d) => d.name === wanted || label(d) === wanted,
    (d) => label(d).toLowerCase().includes(part),
  ];
  for (const rule of rules) {
    const found = usable.filter(rule);
    const first = found[0];
    if (first === undefined) continue;
    if (found.length === 1) return success(first);
    const which = found.map((d) => `${d.id} = "${label(d)}"`).join(', ');
    return failure(
      'AUDIO_DEVICE_AMBIGUOUS',
      path,
      `expected one ${direction} device, got several for "${wanted}": ${which}`,
      'Use the id, or more of the name.',
    );
  }
  return failure('AUDIO_DEVICE_UNKNOWN', path, `no ${direction} device "${wanted}"; ${there}`);
}

function label(device: AudioDevice): string {
  return `${device.hostApi}: ${device.name}`;
}
