/**
 * What waits to be sent on one socket, bounded.
 *
 * Invariants: answers and notifications keep their order and are never dropped; at most `limit`
 * bytes wait, beside the one message that is being added; telemetry gives way first, the oldest of
 * it, and what was dropped is counted; a client so slow that even commands would exceed the limit is
 * disconnected.
 */

import type { WebSocket } from 'ws';
import { HEADER_BYTES, markGap } from '../api/frame.ts';

/** Telemetry is handed to the socket only while less than this waits in it, bytes. */
const WATERMARK = 64 * 1024;
/** "Try again later": the client did not read. */
const TOO_SLOW = 1013;

type Sink = Pick<WebSocket, 'bufferedAmount' | 'send' | 'close' | 'terminate'>;

export class Outbox {
  readonly #socket: Sink;
  readonly #limit: number;
  readonly #waiting: Uint8Array[] = [];
  readonly #gaps = new Set<number>();
  #bytes = 0;
  #dropped = 0;
  #closed = false;

  constructor(socket: Sink, limit: number) {
    this.#socket = socket;
    this.#limit = limit;
  }

  /** Telemetry frames that this client did not get. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether the client reads: nothing but what is on its way. */
  get clear(): boolean {
    return this.#waiting.length === 0 && this.#socket.bufferedAmount < WATERMARK;
  }

  /** Bytes that wait, in the socket and here. */
  get queued(): number {
    return this.#socket.bufferedAmount + this.#bytes;
  }

  command(text: string): void {
    if (this.#closed) return;
    while (this.queued > this.#limit && this.#waiting.length > 0) this.#drop();
    if (this.queued > this.#limit) {
      this.#closed = true;
      this.#socket.close(TOO_SLOW, 'not reading');
      this.#socket.terminate();
      return;
    }
    this.#socket.send(text, () => this.#pump());
  }

  telemetry(frame: Uint8Array): void {
    if (this.#closed) return;
    this.#waiting.push(frame);
    this.#bytes += frame.byteLength;
    this.#pump();
    while (this.queued > this.#limit && this.#waiting.length > 0) this.#drop();
  }

  #pump(): void {
    while (!this.#closed && this.#socket.bufferedAmount < WATERMARK) {
      const frame = this.#take();
      if (frame === undefined) return;
      const topic = frame[3] ?? 0;
      if (this.#gaps.delete(topic)) markGap(frame);
      this.#socket.send(frame, () => this.#pump());
    }
  }

  #drop(): void {
    const frame = this.#take();
    if (frame === undefined || frame.byteLength < HEADER_BYTES) return;
    this.#gaps.add(frame[3] ?? 0);
    this.#dropped++;
  }

  #take(): Uint8Array | undefined {
    const frame = this.#waiting.shift();
    this.#bytes -= frame?.byteLength ?? 0;
    return frame;
  }
}
