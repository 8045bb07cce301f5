/**
 * OSC over UDP: messages in from allowed peers, values out to those who asked.
 *
 * A peer is told what changes once it has sent `/osc/listen` (with a port, where it hears elsewhere
 * than it speaks from, and a pattern, where it does not want all), or from its first message on
 * where the configuration names a reply port. Invariants: nothing is ever sent to an address that
 * may not send; a peer that has been silent for LEASE is forgotten; there are at most MAX_PEERS.
 */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Client, Exchange } from './exchange.ts';
import { decode, encode, type Group, type Message } from './packet.ts';
import { isPattern, matcher } from './pattern.ts';
import { plainAddress } from './peers.ts';
import { IGNORE, LISTEN } from './tree.ts';

/** After its last message a peer is told what changes, ms. */
const LEASE = 600_000;
const MAX_PEERS = 32;
/** Patterns of what a peer wants to be told. */
const MAX_WANTED = 8;
/** Bytes that the system may keep for us until they are read. */
const RECEIVE = 1024 * 1024;
/** Bytes that may wait in the socket. */
const WATERMARK = 256 * 1024;

export interface UdpOptions {
  readonly exchange: Exchange;
  readonly allowed: (address: string) => boolean;
  /** Port at which every peer hears what changes; 0: those who ask, where they speak from. */
  readonly replyPort: number;
  onError(error: Error): void;
}

interface Peer {
  readonly client: Client;
  seen: number;
}

export class UdpDoor {
  readonly #options: UdpOptions;
  readonly #socket: Socket;
  /** By address and port, the longest silent first. */
  readonly #peers = new Map<string, Peer>();
  readonly #sweep: NodeJS.Timeout;

  private constructor(socket: Socket, options: UdpOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
    socket.on('error', (error) => options.onError(error));
    // A sequencer sends a whole scene at once; the system gives what it has.
    socket.setRecvBufferSize(RECEIVE);
    this.#sweep = setInterval(() => this.#forget(), LEASE / 10).unref();
  }

  /** Rejects where the port is taken. */
  static async open(host: string, port: number, options: UdpOptions): Promise<UdpDoor> {
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' });
    try {
      socket.bind(port, host);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw error;
    }
    return new UdpDoor(socket, options);
  }

  get peers(): number {
    return this.#peers.size;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  #receive(bytes: Uint8Array, { address, port }: RemoteInfo): void {
    const { exchange, allowed, replyPort } = this.#options;
    if (!allowed(plainAddress(address)) || port === 0 || this.#isOwn(address, port)) return;
    const decoded = decode(bytes);
    if (!decoded.ok) {
      exchange.counts.malformed++;
      return;
    }
    const { peer, isNew } = this.#peer(address, replyPort === 0 ? port : replyPort);
    if (isNew && replyPort !== 0) exchange.listenAll(peer.client, ordinary);
    const groups = decoded.groups.map((group) => this.#steer(group, address, port));
    exchange.receive(peer.client, groups);
  }

  /** What we told ourselves, by a reply port that is our own, must not come back as an order. */
  #isOwn(address: string, port: number): boolean {
    if (port !== this.#socket.address().port) return false;
    const plain = plainAddress(address);
    const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    return plain.startsWith('127.') || own.some((one) => one.address === plain);
  }

  /** Does what is said about telling, and leaves the rest. */
  #steer(group: Group, address: string, port: number): Group {
    const { exchange, replyPort } = this.#options;
    const isOurs = ({ address: path }: Message): boolean => path === LISTEN || path === IGNORE;
    if (!group.messages.some(isOurs)) return group;
    for (const message of group.messages.filter(isOurs)) {
      const given = message.args.find((argument) => typeof argument === 'number');
      const at = given ?? (replyPort === 0 ? port : replyPort);
      if (!Number.isInteger(at) || at < 1 || at > 65535) {
        exchange.counts.refused++;
        continue;
      }
      exchange.counts.taken++;
      const words = message.args.filter((argument) => typeof argument === 'string');
      const { client } = this.#peer(address, at).peer;
      exchange.listenAll(client, message.address === LISTEN ? wanted(words) : undefined);
    }
    return { ...group, messages: group.messages.filter((message) => !isOurs(message)) };
  }

  #peer(address: string, port: number): { readonly peer: Peer; readonly isNew: boolean } {
    const key = `${address} ${port}`;
    const known = this.#peers.get(key);
    const peer = known ?? { client: this.#join(address, port), seen: 0 };
    peer.seen = performance.now();
    this.#peers.delete(key);
    this.#peers.set(key, peer);
    if (this.#peers.size > MAX_PEERS) this.#drop([...this.#peers.keys()][0]!);
    return { peer, isNew: known === undefined };
  }

  #join(address: string, port: number): Client {
    const socket = this.#socket;
    return this.#options.exchange.join({
      get clear() {
        return socket.getSendQueueSize() < WATERMARK;
      },
      // Who has gone does not read: there is nothing to do about it.
      send: (messages) => {
        for (const packet of encode(messages)) socket.send(packet, port, address, () => undefined);
      },
    });
  }

  #drop(key: string): void {
    const peer = this.#peers.get(key);
    this.#peers.delete(key);
    if (peer !== undefined) this.#options.exchange.leave(peer.client);
  }

  #forget(): void {
    const before = performance.now() - LEASE;
    for (const [key, { seen }] of this.#peers) if (seen < before) this.#drop(key);
  }
}

/** What is told where nothing else is said: all that a fader or a lamp shows. */
const ordinary = (path: string): boolean => !/^\/(gradients|engine)\//u.test(path);

function wanted(patterns: readonly string[]): (path: string) => boolean {
  if (patterns.length === 0) return ordinary;
  const fits = patterns
    .slice(0, MAX_WANTED)
    .map((pattern) =>
      isPattern(pattern)
        ? matcher(pattern)
        : (path: string) => path === pattern || path.startsWith(`${pattern}/`),
    );
  return (path) => fits.some((fit) => fit?.(path) === true);
}
