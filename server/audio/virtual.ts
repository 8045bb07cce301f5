/**
 * The device for machines without a sound card: a clock, and a small world outside.
 *
 * The world is a compiled patch seen from the other side: its inputs are what the host plays,
 * its outputs are what the host hears. It runs at the head of each block on what the host
 * played in the block before, so the round trip is exactly one block.
 *
 * Invariant: the same world, clock-free, gives the same input blocks for the same output blocks.
 */
import type { Samples } from '../../dsp/run/kernel.ts';
import type { DeviceInfo } from '../engine/types.ts';
import type { Block, Clock, Device, RunEnd } from './device.ts';
import { channels } from './device.ts';
import { createPacer } from './pacer.ts';

/** What is outside; an Instance of dsp/run fits. */
export interface World {
  readonly inputs: readonly Samples[];
  readonly outputs: readonly Samples[];
  process(frames: number): void;
}

export interface VirtualOptions {
  readonly sampleRate: number;
  readonly blockSize: number;
  readonly inputs: number;
  readonly outputs: number;
  /** null hears silence. */
  readonly world: World | null;
  /** null runs as fast as the processor can. */
  readonly clock: Clock | null;
}

export const VIRTUAL_NAME = 'virtual rig';

export function openVirtual(options: VirtualOptions): Device {
  const { sampleRate, blockSize, world } = options;
  const inputs = channels(options.inputs, blockSize);
  const outputs = channels(options.outputs, blockSize);
  const pacer = createPacer(options.clock, (blockSize / sampleRate) * 1000);
  const info: DeviceInfo = {
    backend: 'virtual',
    input: VIRTUAL_NAME,
    output: VIRTUAL_NAME,
    sampleRate,
    blockSize,
    inputs: options.inputs,
    outputs: options.outputs,
  };

  function live(): void {
    if (world === null) return;
    for (let c = 0; c < world.inputs.length && c < outputs.length; c++) {
      copy(outputs[c]!, world.inputs[c]!, blockSize);
    }
    world.process(blockSize);
    for (let c = 0; c < world.outputs.length && c < inputs.length; c++) {
      copy(world.outputs[c]!, inputs[c]!, blockSize);
    }
  }

  return {
    info,
    inputs,
    outputs,
    get lateBlocks() {
      return pacer.late;
    },
    run(block: Block): RunEnd {
      do {
        pacer.next();
        live();
      } while (block(blockSize));
      return 'stopped';
    },
    close: () => undefined,
  };
}

function copy(from: Samples, to: Samples, frames: number): void {
  for (let i = 0; i < frames; i++) to[i] = from[i]!;
}
