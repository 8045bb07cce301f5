/**
 * The thread that writes recordings: orders come as messages, samples from the tap in shared memory.
 *
 * Invariant: it looks at the tap many times in the time that this reaches back, and only while there
 * is something to write.
 */
import { parentPort, workerData } from 'node:worker_threads';

import { Recorder } from './recorder.ts';
import { Tap } from './tap.ts';
import type { RecordEnd, RecordOrder } from './types.ts';

/** Milliseconds. */
const PERIOD = 50;

export interface RecorderData {
  readonly tap: SharedArrayBuffer;
  readonly tracks: number;
  readonly sampleRate: number;
}

export type RecorderMail =
  | { readonly kind: 'begin'; readonly order: RecordOrder }
  | { readonly kind: 'limit'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'stop'; readonly id: number };

const { tap, tracks, sampleRate } = workerData as RecorderData;
const recorder = new Recorder(new Tap(tap, tracks), sampleRate, (end: RecordEnd) =>
  parentPort!.postMessage(end),
);
let timer: NodeJS.Timeout | null = null;

function look(): void {
  recorder.advance();
  if (recorder.isBusy || timer === null) return;
  clearInterval(timer);
  timer = null;
}

parentPort!.on('message', (mail: RecorderMail) => {
  if (mail.kind === 'begin') recorder.begin(mail.order);
  else if (mail.kind === 'limit') recorder.limit(mail.id, mail.bytes);
  else recorder.stop(mail.id);
  if (recorder.isBusy) timer ??= setInterval(look, PERIOD);
});
