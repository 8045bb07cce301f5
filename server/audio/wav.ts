/**
 * WAV files in and out, block by block: 16, 24 and 32-bit PCM and 32-bit float, plain or
 * "extensible" headers. Planar Float32 on our side, full scale at 1.
 *
 * Invariants: reading and writing allocate nothing per block; a file being written is a valid
 * WAV of everything up to the last second at any instant, so a kill loses no recording, and `mendWav`
 * finds what came after that. A file may have a note, a line of text in its LIST chunk (ICMT).
 * No compressed kinds, no RF64, no resampling: those are errors that say what the file holds.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';

import type { Result } from '../../dsp/diagnostic.ts';
import { channels } from './device.ts';
import { failure, messageOf, success } from './problem.ts';

export type WavEncoding = 'pcm16' | 'pcm24' | 'pcm32' | 'float32';

const BYTES = { pcm16: 2, pcm24: 3, pcm32: 4, float32: 4 } as const;
/** With the head of the data chunk, and without a note. */
const HEADER = 58;
/** Bytes of a note with the zero at its end, and of the chunk around it. */
const NOTE = 2048;
const NOTE_CHUNK = 8 + 4 + 8 + NOTE;
/** In front of the samples of a file with a note. */
export const HEAD_BYTES = HEADER + NOTE_CHUNK;
/** Of a file at most, by the words in its header. */
export const MAX_WAV_BYTES = 2 ** 32 - 2 ** 16;
/** Frames moved per read or write call. */
const CHUNK = 8192;

export interface WavFormat {
  readonly sampleRate: number;
  readonly channels: number;
  readonly encoding: WavEncoding;
}

export class WavReader {
  readonly format: WavFormat;
  readonly frames: number;
  /** What is said of it in its header; empty if nothing. */
  readonly note: string;
  readonly #file: number;
  readonly #start: number;
  readonly #frameBytes: number;
  readonly #chunk: Buffer;
  readonly #view: DataView;
  #position = 0;

  constructor(file: number, format: WavFormat, start: number, frames: number, note = '') {
    this.#file = file;
    this.note = note;
    this.format = format;
    this.#start = start;
    this.frames = frames;
    this.#frameBytes = format.channels * BYTES[format.encoding];
    this.#chunk = Buffer.alloc(CHUNK * this.#frameBytes);
    this.#view = new DataView(this.#chunk.buffer, this.#chunk.byteOffset, this.#chunk.length);
  }

  /**
   * Fills `into` from `offset` with up to `count` frames; channels that the file lacks are left alone.
   * @returns frames read, fewer than `count` only at the end of the file
   */
  read(into: readonly Float32Array[], offset: number, count: number): number {
    let done = 0;
    while (done < count && this.#position < this.frames) {
      const frames = Math.min(CHUNK, count - done, this.frames - this.#position);
      const at = this.#start + this.#position * this.#frameBytes;
      const bytes = readSync(this.#file, this.#chunk, 0, frames * this.#frameBytes, at);
      const got = Math.floor(bytes / this.#frameBytes);
      if (got === 0) break;
      this.#decode(into, offset + done, got);
      this.#position += got;
      done += got;
    }
    return done;
  }

  rewind(): void {
    this.#position = 0;
  }

  close(): void {
    closeSync(this.#file);
  }

  #decode(into: readonly Float32Array[], offset: number, frames: number): void {
    const { encoding } = this.format;
    const width = BYTES[encoding];
    const view = this.#view;
    const used = Math.min(into.length, this.format.channels);
    for (let c = 0; c < used; c++) {
      const channel = into[c]!;
      let at = c * width;
      for (let i = 0; i < frames; i++, at += this.#frameBytes) {
        channel[offset + i] =
          encoding === 'float32'
            ? view.getFloat32(at, true)
            : encoding === 'pcm16'
              ? view.getInt16(at, true) / 0x8000
              : encoding === 'pcm32'
                ? view.getInt32(at, true) / 0x80000000
                : ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 0x800000;
      }
    }
  }
}

/** Opens a WAV file for reading; every failure says what was expected and what the file holds. */
export function openWav(path: string): Result<WavReader> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    return failure('AUDIO_FILE_UNREADABLE', path, `cannot open ${path}: ${messageOf(error)}`);
  }
  const found = parseHeader(file, path);
  if (!found.ok) closeSync(file);
  return found;
}

function parseHeader(file: number, path: string): Result<WavReader> {
  const found = findData(file, path);
  if (!found.ok) return found;
  const { format, start, bytes, note } = found.value;
  const frames = Math.floor(bytes / (format.channels * BYTES[format.encoding]));
  return success(new WavReader(file, format, start, frames, note));
}

interface Found {
  readonly format: WavFormat;
  readonly note: string;
  /** First byte of the samples, and bytes of them, as the header says but within the file. */
  readonly start: number;
  readonly bytes: number;
  /** Of the file. */
  readonly size: number;
  /** Where the "fact" chunk counts the frames; undefined without. */
  readonly fact: number | undefined;
}

function findData(file: number, path: string): Result<Found> {
  const wrong = (message: string): Result<Found> =>
    failure('AUDIO_FILE_FORMAT', path, `${message} (${path})`);
  const size = fstatSync(file).size;
  const head = Buffer.alloc(40);
  if (readSync(file, head, 0, 12, 0) < 12 || head.toString('latin1', 8, 12) !== 'WAVE') {
    return wrong('expected a WAV file (RIFF/WAVE), got something else');
  }
  const magic = head.toString('latin1', 0, 4);
  if (magic !== 'RIFF') return wrong(`expected a WAV file with a RIFF header, got "${magic}"`);

  let format: WavFormat | undefined;
  let note = '';
  let fact: number | undefined;
  for (let at = 12; at + 8 <= size;) {
    if (readSync(file, head, 0, 8, at) < 8) break;
    const id = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    if (id === 'fmt ') {
      const got = readSync(file, head, 0, Math.min(length, 40), at + 8);
      if (got < 16) return wrong(`expected a "fmt " chunk of 16 bytes or more, got ${got}`);
      const tag = head.readUInt16LE(0);
      const kind = tag === 0xfffe && got >= 26 ? head.readUInt16LE(24) : tag;
      const bits = head.readUInt16LE(14);
      const encoding = encodingOf(kind, bits);
      if (encoding === undefined) {
        return wrong(
          `expected 16, 24 or 32-bit PCM or 32-bit float, got format ${kind} with ${bits} bits`,
        );
      }
      const count = head.readUInt16LE(2);
      const sampleRate = head.readUInt32LE(4);
      if (count === 0 || sampleRate === 0) {
        return wrong(`expected channels and a sample rate, got ${count} and ${sampleRate} Hz`);
      }
      format = { sampleRate, channels: count, encoding };
    } else if (id === 'data') {
      if (format === undefined) return wrong('expected a "fmt " chunk before "data", got none');
      const bytes = Math.min(length, size - at - 8);
      return success({ format, note, start: at + 8, bytes, size, fact });
    } else if (id === 'fact') fact = at + 8;
    else if (id === 'LIST') note = noteIn(file, at + 8, length) || note;
    at += 8 + length + (length & 1);
  }
  return wrong('expected a "data" chunk, got none');
}

/** The comment of a LIST chunk of the kind INFO. */
function noteIn(file: number, start: number, length: number): string {
  const chunk = Buffer.alloc(Math.min(length, 2 * NOTE));
  const got = readSync(file, chunk, 0, chunk.length, start);
  if (chunk.toString('latin1', 0, 4) !== 'INFO') return '';
  for (let at = 4; at + 8 <= got;) {
    const size = chunk.readUInt32LE(at + 4);
    if (chunk.toString('latin1', at, at + 4) === 'ICMT') {
      const [text = ''] = chunk.toString('utf8', at + 8, Math.min(got, at + 8 + size)).split('\0');
      return text;
    }
    at += 8 + size + (size & 1);
  }
  return '';
}

/** Makes a header say how long the file is: the process that wrote it was killed. */
export function mendWav(path: string): Result<null> {
  let file: number;
  try {
    file = openSync(path, 'r+');
  } catch (error) {
    return failure('AUDIO_FILE_UNREADABLE', path, `cannot open ${path}: ${messageOf(error)}`);
  }
  try {
    const found = findData(file, path);
    if (!found.ok) return found;
    const { format, start, size, fact } = found.value;
    const frameBytes = format.channels * BYTES[format.encoding];
    const frames = Math.floor((size - start) / frameBytes);
    const word = (value: number, at: number): void => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(Math.min(0xffffffff, value));
      writeSync(file, bytes, 0, 4, at);
    };
    word(start - 8 + frames * frameBytes, 4);
    if (fact !== undefined) word(frames, fact);
    word(frames * frameBytes, start - 4);
    return success(null);
  } catch (error) {
    return failure('AUDIO_FILE_UNREADABLE', path, `cannot mend ${path}: ${messageOf(error)}`);
  } finally {
    closeSync(file);
  }
}

function encodingOf(kind: number, bits: number): WavEncoding | undefined {
  if (kind === 3 && bits === 32) return 'float32';
  if (kind !== 1) return undefined;
  return bits === 16 ? 'pcm16' : bits === 24 ? 'pcm24' : bits === 32 ? 'pcm32' : undefined;
}

export class WavWriter {
  readonly format: WavFormat;
  readonly #file: number;
  readonly #frameBytes: number;
  readonly #chunk: Buffer;
  readonly #view: DataView;
  readonly #head: Buffer;
  #note: string | undefined;
  #frames = 0;
  #stamped = 0;

  /** @param note  a line of at most 2000 bytes */
  constructor(path: string, format: WavFormat, note?: string) {
    this.format = format;
    this.#note = note;
    this.#head = Buffer.alloc(note === undefined ? HEADER : HEAD_BYTES);
    this.#frameBytes = format.channels * BYTES[format.encoding];
    this.#chunk = Buffer.alloc(CHUNK * this.#frameBytes);
    this.#view = new DataView(this.#chunk.buffer, this.#chunk.byteOffset, this.#chunk.length);
    this.#file = openSync(path, 'w');
    this.#stamp();
  }

  get frames(): number {
    return this.#frames;
  }

  /** Appends `count` frames; PCM is clamped to full scale and rounded to the nearest step. */
  write(from: readonly Float32Array[], count: number): void {
    for (let done = 0; done < count;) {
      const frames = Math.min(CHUNK, count - done);
      this.#encode(from, done, frames);
      const at = this.#head.length + this.#frames * this.#frameBytes;
      writeSync(this.#file, this.#chunk, 0, frames * this.#frameBytes, at);
      this.#frames += frames;
      done += frames;
    }
    if (this.#frames - this.#stamped >= this.format.sampleRate) this.#stamp();
  }

  /** @param note  instead of the one of before, if there was one */
  close(note?: string): void {
    if (this.#note !== undefined) this.#note = note ?? this.#note;
    this.#stamp();
    closeSync(this.#file);
  }

  #encode(from: readonly Float32Array[], offset: number, frames: number): void {
    const { encoding } = this.format;
    const width = BYTES[encoding];
    const view = this.#view;
    for (let c = 0; c < this.format.channels; c++) {
      const channel = from[c]!;
      let at = c * width;
      for (let i = 0; i < frames; i++, at += this.#frameBytes) {
        const x = channel[offset + i]!;
        if (encoding === 'float32') {
          view.setFloat32(at, x, true);
        } else if (encoding === 'pcm16') {
          view.setInt16(at, quantise(x, 0x8000), true);
        } else if (encoding === 'pcm32') {
          view.setInt32(at, quantise(x, 0x80000000), true);
        } else {
          const step = quantise(x, 0x800000);
          view.setUint16(at, step & 0xffff, true);
          view.setInt8(at + 2, step >> 16);
        }
      }
    }
  }

  /** Writes the header for the frames so far. Float files carry the "fact" chunk they must have. */
  #stamp(): void {
    const head = this.#head;
    const { sampleRate, channels: count, encoding } = this.format;
    const bytes = this.#frames * this.#frameBytes;
    head.write('RIFF', 0, 'latin1');
    head.writeUInt32LE(Math.min(0xffffffff, head.length - 8 + bytes), 4);
    head.write('WAVEfmt ', 8, 'latin1');
    head.writeUInt32LE(18, 16);
    head.writeUInt16LE(encoding === 'float32' ? 3 : 1, 20);
    head.writeUInt16LE(count, 22);
    head.writeUInt32LE(sampleRate, 24);
    head.writeUInt32LE(sampleRate * this.#frameBytes, 28);
    head.writeUInt16LE(this.#frameBytes, 32);
    head.writeUInt16LE(BYTES[encoding] * 8, 34);
    head.writeUInt16LE(0, 36);
    head.write('fact', 38, 'latin1');
    head.writeUInt32LE(4, 42);
    head.writeUInt32LE(Math.min(0xffffffff, this.#frames), 46);
    let at = 50;
    if (this.#note !== undefined) {
      head.fill(0, at, at + NOTE_CHUNK);
      head.write('LIST', at, 'latin1');
      head.writeUInt32LE(NOTE_CHUNK - 8, at + 4);
      head.write('INFOICMT', at + 8, 'latin1');
      head.writeUInt32LE(NOTE, at + 16);
      head.write(this.#note, at + 20, NOTE - 1, 'utf8');
      at += NOTE_CHUNK;
    }
    head.write('data', at, 'latin1');
    head.writeUInt32LE(Math.min(0xffffffff, bytes), at + 4);
    writeSync(this.#file, head, 0, head.length, 0);
    this.#stamped = this.#frames;
  }
}

function quantise(x: number, scale: number): number {
  const step = Math.round(x * scale);
  return step >= scale ? scale - 1 : step <= -scale ? -scale : step;
}

export interface Sound {
  readonly sampleRate: number;
  readonly channels: readonly Float32Array[];
}

/** A whole file in memory. */
export function readWav(path: string): Result<Sound> {
  const opened = openWav(path);
  if (!opened.ok) return opened;
  const reader = opened.value;
  const data = channels(reader.format.channels, reader.frames);
  reader.read(data, 0, reader.frames);
  reader.close();
  return success({ sampleRate: reader.format.sampleRate, channels: data });
}
