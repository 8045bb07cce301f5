/**
 * Sound cards, through naudiodon's raw PortAudio binding.
 *
 * Read one block, process it, write one block, never anything else in between: the binding's
 * callback waits for exactly that, which makes the round trip two periods of the device.
 * The binding must live in one thread of a process only, cannot report a device that vanished
 * (a read then never settles and closing hangs: the supervisor kills the process), and opens
 * the default device for an id it does not know, so ids are checked here before it sees them.
 *
 * Invariant: nothing of ours is allocated per block; the binding's own Buffer and promises are.
 * Under- and overflows are printed by the binding to C stdout, where the supervisor counts them.
 */
import { createRequire } from 'node:module';

import type { Result } from '../../dsp/diagnostic.ts';
import type { AudioDevice, DeviceInfo } from '../engine/types.ts';
import type { Block, Device, RunEnd } from './device.ts';
import { channels, findDevice } from './device.ts';
import { failure, messageOf, success } from './problem.ts';

interface NativeDevice {
  readonly id: number;
  readonly name: string;
  readonly maxInputChannels: number;
  readonly maxOutputChannels: number;
  readonly defaultSampleRate: number;
  readonly hostAPIName: string;
}

interface NativeHosts {
  readonly defaultHostAPI: number;
  readonly HostAPIs: readonly {
    readonly id: number;
    readonly defaultInput: number;
    readonly defaultOutput: number;
  }[];
}

interface NativeOptions {
  readonly deviceId: number;
  readonly sampleRate: number;
  readonly channelCount: number;
  readonly sampleFormat: number;
  readonly framesPerBuffer: number;
  readonly closeOnError: boolean;
}

interface NativeStream {
  start(): void;
  read(bytes: number): Promise<{ readonly buf: Buffer; readonly finished: boolean }>;
  write(buffer: Buffer): Promise<string | undefined>;
  quit(mode: 'WAIT' | 'ABORT'): Promise<void>;
}

export interface Native {
  getDevices(): readonly NativeDevice[];
  getHostAPIs(): NativeHosts;
  create(options: { inOptions: NativeOptions; outOptions: NativeOptions }): NativeStream;
}

const FLOAT32 = 1;

/**
 * Loads the binding itself, not the package around it: the package installs a handler for
 * SIGSEGV, which WebAssembly needs for its bounds checks.
 */
export function loadNative(): Result<Native> {
  try {
    const require = createRequire(import.meta.url);
    return success(require('naudiodon/build/Release/naudiodon.node') as Native);
  } catch (error) {
    return failure(
      'AUDIO_NATIVE_MISSING',
      'audio.backend',
      `the PortAudio binding does not load: ${messageOf(error)}`,
      'Run "npm run setup" to build it, or use the virtual back end.',
    );
  }
}

export function portaudioDevices(native: Native): AudioDevice[] {
  const hosts = native.getHostAPIs();
  const host = hosts.HostAPIs.find((h) => h.id === hosts.defaultHostAPI);
  return native.getDevices().map((d) => ({
    id: String(d.id),
    name: d.name,
    hostApi: d.hostAPIName,
    inputs: d.maxInputChannels,
    outputs: d.maxOutputChannels,
    sampleRate: d.defaultSampleRate,
    isDefaultInput: d.id === host?.defaultInput,
    isDefaultOutput: d.id === host?.defaultOutput,
    backend: 'portaudio',
  }));
}

export interface PortaudioOptions {
  readonly input: string;
  readonly output: string;
  /** `device`: the default rate of the output. */
  readonly sampleRate: number | 'device';
  readonly blockSize: number;
  /** Most channels to open; a device with fewer opens with what it has. */
  readonly inputChannels: number;
  readonly outputChannels: number;
  /** Milliseconds, for counting late blocks. */
  readonly now: () => number;
}

export function openPortaudio(options: PortaudioOptions): Result<Device> {
  const loaded = loadNative();
  if (!loaded.ok) return loaded;
  const native = loaded.value;
  const { blockSize } = options;
  let sampleRate = options.sampleRate === 'device' ? Number.NaN : options.sampleRate;
  let stream: NativeStream;
  let info: DeviceInfo;
  try {
    const devices = portaudioDevices(native);
    const input = findDevice(devices, options.input, 'input');
    const output = findDevice(devices, options.output, 'output');
    if (!input.ok) return input;
    if (!output.ok) return output;
    if (options.sampleRate === 'device') ({ sampleRate } = output.value);
    info = {
      backend: 'portaudio',
      input: input.value.name,
      output: output.value.name,
      sampleRate,
      blockSize,
      inputs: Math.min(options.inputChannels, input.value.inputs),
      outputs: Math.min(options.outputChannels, output.value.outputs),
    };
    const common = {
      sampleRate,
      sampleFormat: FLOAT32,
      framesPerBuffer: blockSize,
      closeOnError: false,
    };
    stream = native.create({
      inOptions: { ...common, deviceId: Number(input.value.id), channelCount: info.inputs },
      outOptions: { ...common, deviceId: Number(output.value.id), channelCount: info.outputs },
    });
  } catch (error) {
    return failure(
      'AUDIO_OPEN_FAILED',
      'audio',
      `input "${options.input || 'default'}" and output "${options.output || 'default'}" did not open ` +
        `at ${sampleRate} Hz with ${blockSize} frames per block: ${messageOf(error)}`,
    );
  }
  return success(wrap(stream, info, options.now));
}

function wrap(stream: NativeStream, info: DeviceInfo, now: () => number): Device {
  const { blockSize } = info;
  const inputs = channels(info.inputs, blockSize);
  const outputs = channels(info.outputs, blockSize);
  const heard = new Float32Array(blockSize * info.inputs);
  const heardBytes = new Uint8Array(heard.buffer);
  const played = Buffer.alloc(blockSize * info.outputs * 4);
  const playedFloats = new Float32Array(played.buffer, played.byteOffset, played.length / 4);
  const twoPeriods = (2000 * blockSize) / info.sampleRate;
  let lateBlocks = 0;

  return {
    info,
    inputs,
    outputs,
    get lateBlocks() {
      return lateBlocks;
    },
    async run(block: Block): Promise<RunEnd> {
      stream.start();
      let last = Number.NaN;
      for (;;) {
        const { buf, finished } = await stream.read(heardBytes.length);
        if (finished || buf.length < heardBytes.length) return 'lost';
        const arrived = now();
        if (arrived - last > twoPeriods) lateBlocks++;
        last = arrived;
        heardBytes.set(buf);
        deinterleave(heard, inputs, blockSize);
        const more = block(blockSize);
        interleave(outputs, playedFloats, blockSize);
        await stream.write(played);
        if (!more) return 'stopped';
      }
    },
    close: () => stream.quit('WAIT'),
  };
}

export function deinterleave(
  from: Float32Array,
  to: readonly Float32Array[],
  frames: number,
): void {
  const count = to.length;
  for (let c = 0; c < count; c++) {
    const channel = to[c]!;
    for (let i = 0, at = c; i < frames; i++, at += count) channel[i] = from[at]!;
  }
}

export function interleave(from: readonly Float32Array[], to: Float32Array, frames: number): void {
  const count = from.length;
  for (let c = 0; c < count; c++) {
    const channel = from[c]!;
    for (let i = 0, at = c; i < frames; i++, at += count) to[at] = channel[i]!;
  }
}
