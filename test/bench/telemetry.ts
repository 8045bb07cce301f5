/**
 * What clients cost the control process: the real daemon on the virtual rig, with a patch of many
 * parameters and meters, first alone and then with sockets that read all of it.
 *
 * CPU time is that of the process, all of its threads, as it tells it itself in `/metrics`; others on
 * the machine do not count. Of the telemetry each client wants `meters` at 30 and `gradients` at 20
 * frames a second. Frames are counted by their sequence numbers, so that none is lost unseen.
 */

import { WebSocket } from 'ws';
import { decodeFrame } from '../../server/api/frame.ts';
import { startDaemon, type Daemon } from '../support/daemon.ts';

export interface Load {
  readonly clients: number;
  readonly params: number;
  readonly meters: number;
  /** Of each of the two measurements. */
  readonly seconds: number;
}

export const WANTED = { metersRate: 30, gradientsRate: 20, share: 0.1 } as const;

export interface Cost {
  /** CPU time of the control process as a share of one core. */
  readonly share: number;
  readonly bytesPerSecond: number;
  readonly framesPerSecond: number;
  /** Frames that clients did not get. */
  readonly dropped: number;
  /** Blocks of audio that came or were finished too late. */
  readonly lateBlocks: number;
  readonly blocks: number;
}

export interface Measured {
  readonly load: Load;
  readonly alone: Cost;
  readonly watched: Cost;
}

/** Learns the squares of many numbers, and shows many: little to compute, much to tell. */
const patchOf = ({ params, meters }: Load): object => {
  const shown = Array.from({ length: meters }, (_, k) => `shown/${k}`);
  return {
    format: 'livegrad.patch/1',
    name: 'telemetry',
    sliders: { hidden: { initial: 0.3, min: -1, max: 1 } },
    params: { weights: { size: params, initial: 0.01, min: -1, max: 1 } },
    nodes: {
      x: { op: 'input', channel: 1 },
      gain: { op: 'dot', in: ['weights', 'weights'] },
      estimate: { op: 'mul', in: ['x', 'gain'] },
      target: { op: 'mul', in: ['x', 'hidden'] },
      ...Object.fromEntries(
        shown.map((id, k) => [id, { op: 'mul', in: ['estimate', k + 1] }] as const),
      ),
    },
    outputs: ['estimate'],
    meters: Object.fromEntries(shown.map((id) => [`meter/${id}`, { in: id, min: -1, max: 1 }])),
    training: {
      estimate: 'estimate',
      target: 'target',
      loss: 'mse',
      window: 256,
      optimiser: { kind: 'sgd' },
      schedule: { kind: 'constant', rate: 1e-6 },
    },
  };
};

export async function measureTelemetry(load: Load): Promise<Measured> {
  const daemon = await startDaemon();
  try {
    await daemon.request('PUT', '/patch', patchOf(load));
    const alone = await costOf(daemon, load, []);
    const readers = await Promise.all(
      Array.from({ length: load.clients }, () => Reader.open(daemon.address)),
    );
    const watched = await costOf(daemon, load, readers);
    for (const reader of readers) reader.close();
    return { load, alone, watched };
  } finally {
    await daemon.stop();
  }
}

interface Moment {
  readonly at: number;
  readonly cpu: number;
  readonly dropped: number;
  readonly lateBlocks: number;
  readonly blocks: number;
  readonly bytes: number;
  readonly frames: number;
}

async function costOf(daemon: Daemon, load: Load, readers: readonly Reader[]): Promise<Cost> {
  // What has just been compiled, and code that has just begun, is not what it will be.
  await sleep(Math.min(2, load.seconds));
  const before = await momentOf(daemon, readers);
  await sleep(load.seconds);
  const after = await momentOf(daemon, readers);
  const per = (field: 'cpu' | 'bytes' | 'frames'): number =>
    (after[field] - before[field]) / (after.at - before.at);
  const missed = readers.reduce((sum, { missed }) => sum + missed, 0);
  return {
    share: per('cpu'),
    bytesPerSecond: per('bytes'),
    framesPerSecond: per('frames'),
    dropped: Math.max(after.dropped - before.dropped, missed),
    lateBlocks: after.lateBlocks - before.lateBlocks,
    blocks: after.blocks - before.blocks,
  };
}

async function momentOf({ address }: Daemon, readers: readonly Reader[]): Promise<Moment> {
  const text = await (await fetch(`${address}/metrics`)).text();
  const value = (name: string): number => {
    const found = new RegExp(`^${name} (\\S+)$`, 'mu').exec(text)?.[1];
    if (found === undefined) throw new Error(`the daemon tells no ${name}`);
    return Number(found);
  };
  const status = (await (await fetch(`${address}/api/v1/status`)).json()) as {
    engine: { lateBlocks: number; framesProcessed: number; blockSize: number };
  };
  const { lateBlocks, framesProcessed, blockSize } = status.engine;
  return {
    at: performance.now() / 1000,
    cpu: value('process_cpu_seconds_total'),
    dropped: value('livegrad_telemetry_dropped_frames_total'),
    lateBlocks,
    blocks: framesProcessed / blockSize,
    bytes: readers.reduce((sum, { bytes }) => sum + bytes, 0),
    frames: readers.reduce((sum, { frames }) => sum + frames, 0),
  };
}

const sleep = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** A client that reads and counts. */
class Reader {
  bytes = 0;
  frames = 0;
  /** By the gaps between sequence numbers. */
  missed = 0;
  readonly #socket: WebSocket;
  readonly #next = new Map<string, number>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer, isBinary) => {
      this.bytes += data.byteLength;
      const frame = isBinary ? decodeFrame(data) : undefined;
      if (frame === undefined) return;
      this.frames++;
      this.missed += frame.sequence - (this.#next.get(frame.topic) ?? frame.sequence);
      this.#next.set(frame.topic, frame.sequence + 1);
    });
  }

  static async open(address: string): Promise<Reader> {
    const socket = new WebSocket(`${address.replace('http', 'ws')}/api/v1/ws`);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const reader = new Reader(socket);
    const wants = (topic: string, rate: number): void =>
      socket.send(
        JSON.stringify({ jsonrpc: '2.0', method: 'subscribe', params: { topics: [topic], rate } }),
      );
    wants('meters', WANTED.metersRate);
    wants('gradients', WANTED.gradientsRate);
    return reader;
  }

  close(): void {
    this.#socket.terminate();
  }
}
