/**
 * Writes what went through the audio thread to WAV files: from some frames ago, or from now on, until
 * somebody says stop, it is long enough, or there is no more room.
 *
 * Runs in a thread of its own (`record-worker.ts`): a disk that hangs holds up nothing else, and for
 * as long as the tap reaches back nothing is lost. Invariants: a file is written from its first frame
 * to its last, in order, as what was heard and played, to the bit; what came too late is silence there,
 * and counted; at any instant the file can be played up to the last second.
 */
import { messageOf } from '../audio/problem.ts';
import { HEAD_BYTES, MAX_WAV_BYTES, WavWriter } from '../audio/wav.ts';
import { TapReader } from './tap.ts';
import type { Tap } from './tap.ts';
import type { RecordEnd, RecordOrder } from './types.ts';

/** Frames that are copied and written at a time. */
const CHUNK = 8192;

interface Job {
  readonly order: RecordOrder;
  readonly writer: WavWriter;
  readonly buffers: readonly Float32Array[];
  /** The next frame to be written, and the one that ends it. */
  at: number;
  until: number;
  /** Why it ends there. */
  reason: RecordEnd['reason'];
  lost: number;
}

export class Recorder {
  readonly #reader: TapReader;
  readonly #sampleRate: number;
  readonly #ended: (end: RecordEnd) => void;
  readonly #jobs = new Map<number, Job>();

  /** @param ended  is told of every order once, whatever becomes of it */
  constructor(tap: Tap, sampleRate: number, ended: (end: RecordEnd) => void) {
    this.#reader = new TapReader(tap);
    this.#sampleRate = sampleRate;
    this.#ended = ended;
  }

  get isBusy(): boolean {
    return this.#jobs.size > 0;
  }

  begin(order: RecordOrder): void {
    const { id, file, tracks, back, frames, bytes, note } = order;
    const { written, oldest } = this.#reader;
    const room = framesIn(bytes, tracks.length);
    // What is oldest is gone by the time it is read.
    const first = oldest === 0 ? 0 : Math.min(oldest + CHUNK, written);
    const at = Math.max(written - back, first);
    const wanted = frames === null ? Infinity : back > 0 ? written - at : frames;
    let writer: WavWriter;
    try {
      const format = { sampleRate: this.#sampleRate, channels: tracks.length } as const;
      writer = new WavWriter(file, { ...format, encoding: 'float32' }, noteOf(note, 0));
    } catch (error) {
      this.#ended({ id, frames: 0, lost: 0, reason: 'failed', message: messageOf(error) });
      return;
    }
    this.#jobs.set(id, {
      order,
      writer,
      buffers: tracks.map(() => new Float32Array(CHUNK)),
      at,
      until: at + Math.min(wanted, room),
      reason: wanted <= room ? 'length' : 'full',
      lost: 0,
    });
    this.advance();
  }

  /** The file may have only so many bytes. */
  limit(id: number, bytes: number): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    const most = job.at + framesIn(bytes, job.order.tracks.length) - job.writer.frames;
    if (most < job.until) Object.assign(job, { until: Math.max(job.at, most), reason: 'full' });
    this.advance();
  }

  /** What has been written so far is all of it. */
  stop(id: number): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    const { written } = this.#reader;
    if (written < job.until) Object.assign(job, { until: written, reason: 'asked' });
    this.advance();
  }

  /** Writes what has come since. Call it more often than the tap reaches back. */
  advance(): void {
    for (const job of this.#jobs.values()) {
      try {
        this.#write(job);
        if (job.at >= job.until) this.#finish(job, job.reason, '');
      } catch (error) {
        this.#finish(job, 'failed', messageOf(error));
      }
    }
  }

  #write(job: Job): void {
    const { order, writer, buffers } = job;
    for (;;) {
      const end = Math.min(job.until, this.#reader.written);
      const count = Math.min(CHUNK, end - job.at);
      if (count <= 0) return;
      if (!this.#reader.read(order.tracks, job.at, count, buffers)) {
        // It is gone: silence keeps the time.
        for (const buffer of buffers) buffer.fill(0);
        job.lost += count;
      }
      writer.write(buffers, count);
      job.at += count;
    }
  }

  #finish(job: Job, reason: RecordEnd['reason'], message: string): void {
    const { order, writer, lost } = job;
    this.#jobs.delete(order.id);
    let [ended, said] = [reason, message];
    try {
      writer.close(noteOf(order.note, lost));
    } catch (error) {
      [ended, said] = ['failed', messageOf(error)];
    }
    this.#ended({ id: order.id, frames: writer.frames, lost, reason: ended, message: said });
  }
}

const framesIn = (bytes: number, tracks: number): number =>
  Math.floor((Math.min(bytes, MAX_WAV_BYTES) - HEAD_BYTES) / (4 * tracks));

const noteOf = (note: RecordOrder['note'], lost: number): string =>
  JSON.stringify({ ...note, lost });
