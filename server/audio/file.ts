/**
 * The file device: hears a WAV file and records what the host plays to another.
 *
 * The input starts with its first frame when a program is there to hear it, not before.
 * Invariants: the recording is sample-aligned with the input (frame n out was made from the
 * input up to frame n); the last block may be short, so in and out have the same length.
 * Files are read and written on the calling thread: that is a disk access per block, which a
 * page cache answers, and there is no sound card to keep waiting.
 */
import { basename } from 'node:path';
import type { Result } from '../../dsp/diagnostic.ts';
import type { DeviceInfo } from '../engine/types.ts';
import type { Block, Clock, Device, RunEnd } from './device.ts';
import { channels, systemClock } from './device.ts';
import { createPacer } from './pacer.ts';
import { failure, messageOf, success } from './problem.ts';
import { openWav, WavWriter } from './wav.ts';

export interface FileOptions {
  readonly inputFile: string;
  /** Without it the output goes nowhere. */
  readonly outputFile: string | undefined;
  /** `device`: that of the file. */
  readonly sampleRate: number | 'device';
  readonly blockSize: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Starts over at the end of the input instead of ending. */
  readonly loop: boolean;
  /** null runs as fast as the processor can. */
  readonly clock: Clock | null;
  /** Until this says so the file waits: blocks of silence flow, in real time, unrecorded. */
  readonly ready: () => boolean;
}

export function openFile(options: FileOptions): Result<Device> {
  const { blockSize, loop } = options;
  const opened = openWav(options.inputFile);
  if (!opened.ok) return opened;
  const reader = opened.value;
  const refuse = (code: 'AUDIO_FILE_RATE' | 'AUDIO_FILE_FORMAT', message: string) => {
    reader.close();
    return failure(code, 'audio.inputFile', `${message} (${options.inputFile})`);
  };
  const { sampleRate } = reader.format;
  if (options.sampleRate !== 'device' && options.sampleRate !== sampleRate) {
    return refuse(
      'AUDIO_FILE_RATE',
      `expected ${options.sampleRate} Hz as audio.sampleRate says, got ${sampleRate} Hz`,
    );
  }
  if (reader.frames === 0) return refuse('AUDIO_FILE_FORMAT', 'expected sound, got no frames');

  let writer: WavWriter | null = null;
  if (options.outputFile !== undefined) {
    const format = { sampleRate, channels: options.outputs, encoding: 'float32' } as const;
    try {
      writer = new WavWriter(options.outputFile, format);
    } catch (error) {
      reader.close();
      const message = `cannot write ${options.outputFile}: ${messageOf(error)}`;
      return failure('AUDIO_FILE_UNREADABLE', 'audio.outputFile', message);
    }
  }

  const count = Math.min(options.inputs, reader.format.channels);
  const inputs = channels(count, blockSize);
  const outputs = channels(options.outputs, blockSize);
  const period = (blockSize / sampleRate) * 1000;
  const pacer = createPacer(options.clock, period);
  const info: DeviceInfo = {
    backend: 'file',
    input: basename(options.inputFile),
    output: options.outputFile === undefined ? 'none' : basename(options.outputFile),
    sampleRate,
    blockSize,
    inputs: count,
    outputs: options.outputs,
  };

  function fill(): number {
    let frames = reader.read(inputs, 0, blockSize);
    while (loop && frames < blockSize) {
      reader.rewind();
      const more = reader.read(inputs, frames, blockSize - frames);
      if (more === 0) break;
      frames += more;
    }
    return frames;
  }

  return success({
    info,
    inputs,
    outputs,
    get lateBlocks() {
      return pacer.late;
    },
    run(block: Block): RunEnd {
      const waiting = createPacer(options.clock ?? systemClock, period);
      while (!options.ready()) {
        waiting.next();
        if (!block(blockSize)) return 'stopped';
      }
      for (;;) {
        pacer.next();
        const frames = fill();
        if (frames === 0) return 'ended';
        const more = block(frames);
        writer?.write(outputs, frames);
        if (!more) return 'stopped';
        if (frames < blockSize) return 'ended';
      }
    },
    close() {
      reader.close();
      writer?.close();
    },
  });
}
