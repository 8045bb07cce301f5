/**
 * The binary telemetry frame: one topic at one moment, little-endian, 32 bytes of header and then
 * binary32 values. README.md explains it byte by byte.
 *
 * Invariant: `decodeFrame(encodeFrame(f))` is f to binary32; a frame says by `program` which
 * compiled patch its values belong to, so banks of different patches are never mixed up. No
 * Node.js import: the browser decodes with this file.
 */

import { TOPICS, type Topic } from './socket.ts';

export const FRAME_VERSION = 1;
export const HEADER_BYTES = 32;
/** 'L' 'G' */
const MAGIC = 0x474c;

const LEARNING = 1;
const FAULT = 2;
const GAP = 4;

export interface Frame {
  readonly topic: Topic;
  /** Whether the optimiser was at work. */
  readonly learning: boolean;
  /** Whether learning was stopped by a value that is not finite. */
  readonly fault: boolean;
  /** Frames of this socket were dropped since the last one of this topic. */
  readonly gap: boolean;
  /** Counts the frames of the topic on the socket, dropped ones included, modulo 2^32. */
  readonly sequence: number;
  /** Generation of the compiled patch. */
  readonly program: number;
  /** Audio frames since the daemon started. */
  readonly time: number;
  /** Optimiser steps done. */
  readonly step: number;
  readonly values: Float32Array;
}

/** Cost: one allocation of 32 + 4 · values bytes. */
export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + 4 * frame.values.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, FRAME_VERSION);
  view.setUint8(3, TOPICS.indexOf(frame.topic));
  const learning = frame.learning ? LEARNING : 0;
  const fault = frame.fault ? FAULT : 0;
  view.setUint16(4, learning | fault | (frame.gap ? GAP : 0), true);
  view.setUint16(6, frame.values.length, true);
  view.setUint32(8, frame.sequence, true);
  view.setUint32(12, frame.program, true);
  view.setFloat64(16, frame.time, true);
  view.setFloat64(24, frame.step, true);
  frame.values.forEach((value, i) => view.setFloat32(HEADER_BYTES + 4 * i, value, true));
  return bytes;
}

/** Says in an encoded frame that others before it were dropped. */
export function markGap(frame: Uint8Array): void {
  frame[4] = (frame[4] ?? 0) | GAP;
}

/** The frame, or undefined when the bytes are not a frame of this version. */
export function decodeFrame(bytes: ArrayBuffer | Uint8Array): Frame | undefined {
  const view =
    bytes instanceof Uint8Array
      ? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new DataView(bytes);
  if (view.byteLength < HEADER_BYTES) return undefined;
  const topic = TOPICS[view.getUint8(3)];
  const count = view.getUint16(6, true);
  if (view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== FRAME_VERSION) return undefined;
  if (topic === undefined || view.byteLength !== HEADER_BYTES + 4 * count) return undefined;
  const flags = view.getUint16(4, true);
  return {
    topic,
    learning: (flags & LEARNING) !== 0,
    fault: (flags & FAULT) !== 0,
    gap: (flags & GAP) !== 0,
    sequence: view.getUint32(8, true),
    program: view.getUint32(12, true),
    time: view.getFloat64(16, true),
    step: view.getFloat64(24, true),
    values: Float32Array.from({ length: count }, (_, i) =>
      view.getFloat32(HEADER_BYTES + 4 * i, true),
    ),
  };
}

export interface Levels {
  readonly inputs: readonly { readonly peak: number; readonly rms: number }[];
  readonly outputs: readonly { readonly peak: number; readonly rms: number }[];
}

/** The values of a `levels` frame: number of inputs, then peak and rms of each input and output. */
export function decodeLevels(values: Float32Array): Levels {
  const inputs = values[0] ?? 0;
  const channels = Array.from({ length: (values.length - 1) / 2 }, (_, i) => ({
    peak: values[1 + 2 * i] ?? 0,
    rms: values[2 + 2 * i] ?? 0,
  }));
  return { inputs: channels.slice(0, inputs), outputs: channels.slice(inputs) };
}

/** Some signals over the newest samples, at the same times. */
export interface Scope {
  /** From point to point. */
  readonly samplesPerPoint: number;
  /** [signal][point], in the order of `signals.list`. */
  readonly signals: readonly Float32Array[];
}

/**
 * The values of a `scope` frame: numbers of signals and of points, samples per point; then signal
 * after signal. What is cut off is not there.
 */
export function decodeScope(values: Float32Array): Scope {
  const [count = 0, points = 0, samplesPerPoint = 1] = values;
  return { samplesPerPoint, signals: rowsOf(values, count, points) };
}

/** Power by frequency of some signals. */
export interface Spectrum {
  /** Hz from bin to bin; bin 0 is at 0 Hz. */
  readonly binHz: number;
  /** dB, 0 for a sine of full scale; [signal][bin], in the order of `signals.list`. */
  readonly signals: readonly Float32Array[];
}

/** The values of a `spectrum` frame: numbers of signals and of bins, Hz per bin; then signal after signal. */
export function decodeSpectrum(values: Float32Array): Spectrum {
  const [count = 0, bins = 0, binHz = 0] = values;
  return { binHz, signals: rowsOf(values, count, bins) };
}

/** Views of what follows three numbers, row by row. */
function rowsOf(values: Float32Array, rows: number, length: number): Float32Array[] {
  if (length < 1) return [];
  const whole = Math.min(rows, Math.floor((values.length - 3) / length));
  return Array.from({ length: Math.max(0, whole) }, (_, k) =>
    values.subarray(3 + k * length, 3 + (k + 1) * length),
  );
}
