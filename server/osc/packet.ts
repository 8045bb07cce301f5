/**
 * Packets of Open Sound Control 1.0, with the types of 1.1: bytes in, messages out, and back.
 *
 * Invariants: whatever bytes come, `decode` ends and gives messages or a reason; nesting and number
 * of messages are bounded; the time of a bundle counts for all that is in it. Written here, because
 * node-osc's decoder refuses doubles, 64-bit integers, impulses and arrays and forgets the types;
 * its encoder writes what goes out.
 *
 * Source: opensoundcontrol.stanford.edu/spec-1_0.html.
 */

import { encode as encodeOsc } from 'node-osc';

export type Argument = number | string | boolean | null | Uint8Array | readonly Argument[];

export interface Message {
  readonly address: string;
  /** Type tags without their comma. */
  readonly types: string;
  readonly args: readonly Argument[];
}

/** Messages that take effect together. */
export interface Group {
  /** Milliseconds since 1970; 0: at once. */
  readonly at: number;
  readonly messages: readonly Message[];
}

export type Decoded =
  | { readonly ok: true; readonly groups: readonly Group[] }
  | { readonly ok: false; readonly reason: string };

/** What is sent: one value of a method. */
export interface Outgoing {
  readonly address: string;
  readonly type: 'f' | 'i' | 's' | 'T' | 'F';
  readonly value: number | string | boolean;
}

const MAX_NESTING = 8;
const MAX_MESSAGES = 1024;
/** Seconds from 1900 to 1970. */
const EPOCH = 2_208_988_800;
const BUNDLE = '#bundle';
/** Fits into one Ethernet frame, with the headers of IPv6 and UDP. */
const PACKET_BYTES = 1400;

class Malformed extends Error {}

export function decode(bytes: Uint8Array): Decoded {
  const groups: Group[] = [];
  let count = 0;
  const element = (from: number, to: number, at: number, depth: number): Message | undefined => {
    const reader = new Reader(bytes, from, to);
    const address = reader.text();
    if (address !== BUNDLE) {
      if (++count > MAX_MESSAGES) throw new Malformed(`more than ${MAX_MESSAGES} messages`);
      return readMessage(reader, address);
    }
    if (depth > MAX_NESTING) throw new Malformed(`bundles nested more than ${MAX_NESTING} deep`);
    const time = Math.max(at, reader.time());
    const messages: Message[] = [];
    // Bundles in the bundle come after its messages; their own time is theirs.
    const place = groups.push({ at: time, messages }) - 1;
    while (!reader.done) {
      const size = reader.int();
      if (size <= 0 || size % 4 !== 0) throw new Malformed(`an element of ${size} bytes`);
      const message = element(reader.at, reader.skip(size), time, depth + 1);
      if (message !== undefined) messages.push(message);
    }
    if (messages.length === 0) groups.splice(place, 1);
    return undefined;
  };
  try {
    const message = element(0, bytes.byteLength, 0, 1);
    if (message !== undefined) groups.push({ at: 0, messages: [message] });
    return { ok: true, groups };
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, reason: error.message };
    throw error;
  }
}

/** Messages as packets: alone as it is, several as bundles that fit into a frame each. */
export function encode(messages: readonly Outgoing[]): Buffer[] {
  const packets: Buffer[] = [];
  let waiting: OscMessage[] = [];
  let bytes = 0;
  const close = (): void => {
    const [first] = waiting;
    if (first === undefined) return;
    const isBundle = waiting.length > 1;
    const bundle = { oscType: 'bundle', timetag: 0, elements: waiting };
    packets.push(encodeOsc(isBundle ? bundle : first));
    waiting = [];
    bytes = 0;
  };
  for (const { address, type, value } of messages) {
    const size = 4 + padded(address.length) + 4 + (type === 's' ? padded(String(value).length) : 4);
    if (bytes + size > PACKET_BYTES - 16) close();
    waiting.push({ oscType: 'message', address, args: [{ type, value }] });
    bytes += size;
  }
  close();
  return packets;
}

interface OscMessage {
  readonly oscType: 'message';
  readonly address: string;
  readonly args: readonly { readonly type: string; readonly value: unknown }[];
}

/** With its ending zero. */
const padded = (length: number): number => (length + 4) & ~3;

function readMessage(reader: Reader, address: string): Message {
  if (!address.startsWith('/')) throw new Malformed('an address without its slash');
  // Old senders leave the types out where there is nothing to send.
  if (reader.done) return { address, types: '', args: [] };
  const tags = reader.text();
  if (!tags.startsWith(',')) throw new Malformed('types without their comma');
  const types = tags.slice(1);
  const open: Argument[][] = [[]];
  for (const tag of types) {
    if (tag === '[') {
      open.push([]);
      if (open.length > MAX_NESTING) throw new Malformed('arrays nested too deeply');
    } else if (tag === ']') {
      const array = open.pop() ?? [];
      if (open.length === 0) throw new Malformed('an array that was never opened');
      open.at(-1)?.push(array);
    } else {
      open.at(-1)?.push(reader.argument(tag));
    }
  }
  const [args = [], ...unclosed] = open;
  if (unclosed.length > 0) throw new Malformed('an array that is never closed');
  if (!reader.done) throw new Malformed('bytes after the last argument');
  return { address, types, args };
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, from: number, to: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = from;
    this.#end = to;
  }

  get done(): boolean {
    return this.at >= this.#end;
  }

  /** @returns where the next one begins */
  skip(size: number): number {
    if (this.at + size > this.#end) throw new Malformed('it ends too early');
    this.at += size;
    return this.at;
  }

  int(): number {
    return this.#view.getInt32(this.skip(4) - 4);
  }

  text(): string {
    const end = this.#bytes.indexOf(0, this.at);
    if (end < 0 || end >= this.#end) throw new Malformed('a text without its end');
    const text = Buffer.from(this.#bytes.subarray(this.at, end)).toString('utf8');
    this.skip(padded(end - this.at));
    return text;
  }

  /** Of a bundle, ms since 1970; 0: at once. */
  time(): number {
    const at = this.skip(8) - 8;
    const seconds = this.#view.getUint32(at);
    const fraction = this.#view.getUint32(at + 4) / 2 ** 32;
    return seconds === 0 ? 0 : Math.max(0, (seconds - EPOCH + fraction) * 1000);
  }

  argument(tag: string): Argument {
    switch (tag) {
      case 'i':
        return this.int();
      case 'f':
        return this.#view.getFloat32(this.skip(4) - 4);
      case 'd':
        return this.#view.getFloat64(this.skip(8) - 8);
      case 'h':
        return Number(this.#view.getBigInt64(this.skip(8) - 8));
      case 's':
      case 'S':
        return this.text();
      case 'T':
      case 'I':
        return true;
      case 'F':
        return false;
      case 'N':
        return null;
      case 'b': {
        const size = this.int();
        if (size < 0) throw new Malformed('a blob of less than nothing');
        const from = this.at;
        this.skip((size + 3) & ~3);
        return this.#bytes.slice(from, from + size);
      }
      case 'c':
      case 'r':
      case 'm':
        return this.#bytes.slice(this.skip(4) - 4, this.at);
      case 't':
        return this.#bytes.slice(this.skip(8) - 8, this.at);
      default:
        throw new Malformed(`the type ${JSON.stringify(tag)} is not one of OSC`);
    }
  }
}
