/**
 * Whatever can be steered over OSC, over UDP and over the WebSocket of OSCQuery: the clients of the
 * API are told, with the revision that it made, and so is every other listener over OSC; who steered
 * hears no echo. Total over the addresses that can be written.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { ChangeKind } from '../../../server/api/socket.ts';
import { decode } from '../../../server/osc/packet.ts';
import { openOsc, type OscServer } from '../../../server/osc/server.ts';
import { treeOf } from '../../../server/osc/tree.ts';
import { bench, type Bench } from '../control/fake.ts';
import { message } from './wire.ts';

interface Steered {
  /** Type tags and values. */
  readonly says: readonly [types: string, ...values: number[]];
  readonly tells: readonly ChangeKind[];
  /** What of the first notification says so. */
  readonly shows: object;
  /** What another listener at this address hears; what happens has no value. */
  readonly hears?: number | boolean;
  readonly arrange?: readonly Buffer[];
}

const STEERED: Readonly<Record<string, Steered>> = {
  '/params/gain': {
    says: ['f', 0.5],
    tells: ['params.changed'],
    shows: { params: [{ id: 'gain', value: 0.5 }] },
    hears: 0.5,
  },
  '/params/hidden/gain': {
    says: ['f', 0.25],
    tells: ['params.changed'],
    shows: { params: [{ id: 'hidden/gain', value: 0.25 }] },
    hears: 0.25,
  },
  '/frozen/gain': {
    says: ['T'],
    tells: ['params.changed'],
    shows: { params: [{ id: 'gain', frozen: true }] },
    hears: true,
  },
  '/rates/gain': {
    says: ['f', 2],
    tells: ['params.changed'],
    shows: { params: [{ id: 'gain', rate: 2 }] },
    hears: 2,
  },
  '/training/running': {
    says: ['F'],
    tells: ['training.changed'],
    shows: { running: false },
    hears: false,
  },
  '/training/learningRate': {
    says: ['f', 0.125],
    tells: ['training.changed'],
    shows: { schedule: { kind: 'constant', rate: 0.125 } },
    hears: 0.125,
  },
  '/training/reset': {
    says: ['I'],
    tells: ['params.changed', 'training.changed'],
    shows: { params: [{ id: 'hidden/gain' }, { id: 'gain' }] },
  },
  '/training/restart': { says: ['I'], tells: ['training.changed'], shows: { step: 0 } },
  '/output/muted': {
    says: ['F'],
    tells: ['output.changed'],
    shows: { muted: false },
    hears: false,
  },
  '/output/gain': {
    says: ['f', -6],
    tells: ['output.changed'],
    shows: { gainDb: -6 },
    hears: -6,
  },
  '/edits/undo': {
    arrange: [message('/params/gain', 'f', 0.5)],
    says: ['I'],
    tells: ['params.changed'],
    shows: { params: [{ id: 'gain', value: 1 }] },
  },
  '/edits/redo': {
    arrange: [message('/params/gain', 'f', 0.5), message('/edits/undo', 'I')],
    says: ['I'],
    tells: ['params.changed'],
    shows: { params: [{ id: 'gain', value: 0.5 }] },
  },
};

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function start(): Promise<{ host: Bench; osc: OscServer }> {
  const host = await bench();
  opened.push(() => host.close());
  await host.listen();
  const address = { host: '127.0.0.1', port: 0, allow: [], replyPort: 0, announce: false };
  const osc = await openOsc(host.host, address);
  opened.push(() => osc.close());
  return { host, osc };
}

type Told = readonly [address: string, value: unknown];

const valuesIn = (bytes: Uint8Array): Told[] => {
  const read = decode(bytes);
  if (!read.ok) throw new Error(read.reason);
  return read.groups.flatMap(({ messages }) =>
    messages.map(({ address, args }) => [address, args[0]] as const),
  );
};

interface Peer {
  readonly told: Told[];
  send(packet: Buffer): void;
  listen(path: string): void;
}

async function overUdp(port: number): Promise<Peer> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  opened.push(() => socket.close());
  const told: Told[] = [];
  socket.on('message', (bytes) => told.push(...valuesIn(bytes)));
  const send = (packet: Buffer): void => socket.send(packet, port, '127.0.0.1');
  return { told, send, listen: (path) => send(message('/osc/listen', 's', path)) };
}

async function overSocket(port: number): Promise<Peer> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  const told: Told[] = [];
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) told.push(...valuesIn(data));
  });
  await once(socket, 'open');
  opened.push(() => socket.terminate());
  return {
    told,
    send: (packet) => socket.send(packet),
    listen: (path) => socket.send(JSON.stringify({ COMMAND: 'LISTEN', DATA: path })),
  };
}

interface Notice {
  readonly method: ChangeKind;
  readonly params: { readonly revision: number };
}

async function clientOf({ http }: Bench): Promise<Notice[]> {
  const { port } = http.server.address() as AddressInfo;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/ws`);
  const notices: Notice[] = [];
  socket.on('message', (data: Buffer) => notices.push(JSON.parse(data.toString()) as Notice));
  await once(socket, 'open');
  opened.push(() => socket.terminate());
  return notices;
}

const until = (check: () => unknown): Promise<unknown> =>
  vi.waitUntil(check, { timeout: 20_000, interval: 5 });

const DOORS = { UDP: overUdp, 'the socket of OSCQuery': overSocket } as const;
const doors = Object.keys(DOORS) as (keyof typeof DOORS)[];

describe.each(doors)('over %s', (door) => {
  test.each(Object.keys(STEERED))('%s is steered, and everyone else is told', async (path) => {
    const { says, tells, shows, hears, arrange = [] } = STEERED[path]!;
    const { host, osc } = await start();
    const { session } = host;
    const hand = await DOORS[door](osc.port);
    for (const packet of arrange) {
      const { revision } = session;
      hand.send(packet);
      await until(() => session.revision > revision);
    }
    const clients = [await clientOf(host), await clientOf(host)];
    const listeners = [await overUdp(osc.port), await overSocket(osc.port)];
    const isHeard = hears !== undefined;
    for (const peer of isHeard ? [...listeners, hand] : []) {
      peer.listen(path);
      await until(() => peer.told.length > 0);
    }
    const { revision } = session;
    const [types, ...values] = says;
    hand.told.splice(0);
    hand.send(message(path, types, ...values));
    for (const notices of clients) {
      const named = (): Notice[] => notices.filter(({ method }) => method !== 'edits.changed');
      await until(() => named().length >= tells.length);
      expect(named().map(({ method }) => method)).toEqual(tells);
      expect(named()[0]?.params).toMatchObject({ ...shows, revision: revision + 1 });
    }
    expect(session.revision).toBe(revision + 1);
    if (!isHeard) return;
    for (const { told } of listeners) {
      await until(() => told.at(-1)?.[1] === hears);
      expect(told.at(-1)).toEqual([path, hears]);
    }
    expect(hand.told).toEqual([]);
  });
});

test('every address that can be written is steered here', async () => {
  const { host } = await start();
  const methods = [...treeOf(host.session.state).methods.values()];
  const writable = methods.filter(({ write }) => write !== undefined).map(({ path }) => path);
  expect(Object.keys(STEERED).sort()).toEqual(writable.sort());
});
