/**
 * The WebSocket of the API: JSON-RPC in both directions, and binary telemetry.
 *
 * Invariants: messages of one socket are run one after the other, in their order; the caller gets
 * the answer and everyone else the notification of a change; every socket is bounded in what it
 * may send and in what may wait for it; one that does not answer pings is closed. It knows the
 * session only through `dispatch` and its changes.
 */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { z } from 'zod';
import { problem, type Problem } from '../api/errors.ts';
import type { EventEntry } from '../api/events.ts';
import type { LogEntry } from '../api/logs.ts';
import { includes } from '../api/roles.ts';
import {
  API_PREFIX,
  FILE_OPERATIONS,
  OPERATION_IDS,
  ROUTES,
  SOCKET_PATH,
  type OperationId,
} from '../api/routes.ts';
import {
  EVENT_TOPIC,
  LOG_TOPIC,
  MAX_MESSAGE,
  MAX_RATE,
  TOLD_TOPICS,
  TOPICS,
  type Change,
  type ToldTopic,
  type Topic,
} from '../api/socket.ts';
import type { Measurement, Picture } from '../engine/types.ts';
import { bearerOf, type Access, type Grant } from './access.ts';
import { errorText, notification, respond } from './jsonrpc.ts';
import type { Limits } from './limits.ts';
import { dispatch, invalidInput, type Host } from './operations.ts';
import { answer, rawAnswer, refuse, type Outcome } from './outcome.ts';
import { Outbox } from './outbox.ts';
import type { Origin } from './session.ts';
import { Telemetry } from './telemetry.ts';

export interface SocketOptions {
  readonly access: Access;
  readonly limits: Limits;
  /** Sockets that may be open. */
  readonly maxSockets: number;
  /** Bytes that may wait for one client. */
  readonly queueLimit: number;
  /** Milliseconds between pings; two without an answer close the socket. */
  readonly heartbeat: number;
}

export const SOCKET_DEFAULTS = {
  queueLimit: MAX_MESSAGE,
  heartbeat: 15_000,
  maxSockets: 128,
} as const;

/** Messages of one client that may wait to be run before it is not read any more. */
const MAX_PENDING = 32;
/** Between two notices of dropped telemetry, ms. */
const NOTICE = 1000;
const GOING_AWAY = 1001;
/** "Policy violation": the token was removed. */
const NOT_GRANTED = 1008;

/** Entries of the log are told together, so many ms after the first, and so many at once. */
const LOG_DELAY = 100;
const MAX_TOLD = 100;

const topics = z
  .array(z.enum([...TOPICS, ...TOLD_TOPICS]))
  .min(1)
  .max(TOPICS.length + TOLD_TOPICS.length);
/** Of a meter, ms. */
const MAX_TIME = 10_000;
const subscribeSchema = z.strictObject({
  topics,
  rate: z.number().min(0.1).max(MAX_RATE).default(30),
  attack: z.number().min(0).max(MAX_TIME).default(0),
  release: z.number().min(0).max(MAX_TIME).default(0),
});
const unsubscribeSchema = z.strictObject({ topics: topics.optional() });

interface Client {
  /** Of this socket alone, for its limit. */
  readonly name: string;
  readonly grant: Grant;
  readonly socket: WebSocket;
  readonly outbox: Outbox;
  readonly telemetry: Telemetry;
  /** What it wants to be told in words. */
  readonly reads: Set<ToldTopic>;
  alive: boolean;
  pending: number;
  tail: Promise<void>;
  toldDropped: number;
  toldAt: number;
}

export class Sockets {
  readonly #host: Host;
  readonly #options: SocketOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE,
    perMessageDeflate: false,
  });
  readonly #clients = new Set<Client>();
  readonly #heartbeat: NodeJS.Timeout;
  readonly #unlisten: (() => void)[];
  /** Of the log, to be told soon. */
  #logged: LogEntry[] = [];
  #telling: NodeJS.Timeout | undefined;
  /** Telemetry frames that clients did not get who are gone. */
  #droppedBefore = 0;
  #count = 0;

  constructor(host: Host, options: SocketOptions) {
    this.#host = host;
    this.#options = options;
    this.#unlisten = [
      host.session.listen((change, origin) => this.#tell(change, origin)),
      host.logs.listen((entry) => this.#log(entry)),
      host.events.listen((event) => this.#happened(event)),
    ];
    options.access.listen(() => this.#review());
    this.#heartbeat = setInterval(() => this.#ping(), options.heartbeat);
    this.#heartbeat.unref();
  }

  get count(): number {
    return this.#clients.size;
  }

  /** Telemetry frames that clients who are connected did not get, and bytes that wait for them. */
  get queues(): readonly { readonly dropped: number; readonly queued: number }[] {
    return [...this.#clients].map(({ outbox }) => ({
      dropped: outbox.dropped,
      queued: outbox.queued,
    }));
  }

  /** Telemetry frames that clients did not get since the daemon started. */
  get dropped(): number {
    return this.queues.reduce((sum, { dropped }) => sum + dropped, this.#droppedBefore);
  }

  /** For the `upgrade` event of the HTTP server. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const admitted = this.#admit(request);
    if (!admitted.ok) {
      refuseUpgrade(stream, admitted.problem);
      return;
    }
    this.#server.handleUpgrade(request, stream, head, (socket) => {
      this.#accept(socket, admitted.value);
    });
  }

  #admit({ url = '/', headers, socket }: IncomingMessage): Outcome<Grant> {
    const { access, limits, maxSockets } = this.#options;
    const address = `http://localhost${url}`;
    const at = URL.canParse(address) ? new URL(address) : undefined;
    if (at?.pathname !== SOCKET_PATH) {
      return refuse('UNKNOWN_ROUTE', `no socket is there: expected ${SOCKET_PATH}`);
    }
    const client = socket.remoteAddress ?? '';
    const refusal = access.foreign(headers) ?? limits.request(client);
    if (refusal !== undefined) return { ok: false, problem: refusal };
    const token = bearerOf(headers) || (at.searchParams.get('token') ?? '');
    const granted = access.admit(limits, client, token);
    if (granted.ok && this.#clients.size >= maxSockets) {
      return refuse('TOO_MANY_CLIENTS', `${maxSockets} sockets are open; close one`);
    }
    return granted;
  }

  /** Gives a measurement to everyone who subscribed. */
  feed(measurement: Measurement): void {
    const now = performance.now();
    for (const client of this.#clients) {
      for (const frame of client.telemetry.frames(measurement, now)) client.outbox.telemetry(frame);
      const { dropped, clear } = client.outbox;
      if (dropped > client.toldDropped && clear && now - client.toldAt >= NOTICE) {
        client.toldDropped = dropped;
        client.toldAt = now;
        client.outbox.command(notification('telemetry.dropped', { dropped }));
      }
    }
  }

  /** Gives a picture of the signals to everyone who is due one. */
  show(picture: Picture): void {
    const now = performance.now();
    for (const { telemetry, outbox } of this.#clients) {
      const frame = telemetry.picture(picture, now);
      if (frame !== undefined) outbox.telemetry(frame);
    }
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const unlisten of this.#unlisten) unlisten();
    clearTimeout(this.#telling);
    for (const { socket } of this.#clients) end(socket, GOING_AWAY, 'the daemon is shutting down');
    this.#server.close();
  }

  #accept(socket: WebSocket, grant: Grant): void {
    const client: Client = {
      name: `socket ${++this.#count}`,
      grant,
      socket,
      outbox: new Outbox(socket, this.#options.queueLimit),
      telemetry: new Telemetry(),
      reads: new Set(),
      alive: true,
      pending: 0,
      tail: Promise.resolve(),
      toldDropped: 0,
      toldAt: Number.NEGATIVE_INFINITY,
    };
    this.#clients.add(client);
    socket.on('close', () => this.#forget(client));
    socket.on('error', (error) => {
      this.#host.log.debug({ err: error }, 'a socket failed');
    });
    socket.on('pong', () => (client.alive = true));
    socket.on('message', (data: Buffer, isBinary) => {
      client.alive = true;
      this.#receive(client, isBinary ? undefined : data.toString('utf8'));
    });
  }

  #forget(client: Client): void {
    if (this.#clients.delete(client)) this.#droppedBefore += client.outbox.dropped;
    this.#look();
  }

  /** Pictures are made of what somebody looks at. */
  #look(): void {
    this.#host.signals.want([...this.#clients].map(({ telemetry }) => telemetry.rates));
  }

  #receive(client: Client, text: string | undefined): void {
    if (++client.pending >= MAX_PENDING) client.socket.pause();
    client.tail = client.tail.then(async () => {
      const reply = await this.#answer(client, text);
      if (reply !== undefined) client.outbox.command(reply);
      if (--client.pending < MAX_PENDING && client.socket.isPaused) client.socket.resume();
    });
  }

  /** Never rejects: a fault of ours costs one answer. */
  async #answer(client: Client, text: string | undefined): Promise<string | undefined> {
    if (text === undefined) {
      return errorText(null, problem('INVALID_REQUEST', 'expected a text message, got binary'));
    }
    try {
      // A message counts also where it asks for nothing that there is; in a batch, every request.
      let refusal = this.#options.limits.request(client.name);
      let isFirst = true;
      return await respond(text, async (method, params) => {
        if (!isFirst) refusal = this.#options.limits.request(client.name);
        isFirst = false;
        return refusal ? { ok: false, problem: refusal } : this.#call(client, method, params);
      });
    } catch (error) {
      this.#host.log.error({ err: error }, 'a message could not be answered');
      return errorText(null, problem('INTERNAL', 'the log of the daemon has the details'));
    }
  }

  async #call(
    client: Client,
    method: string,
    params: unknown,
  ): Promise<Outcome<unknown> | undefined> {
    if (!this.#options.access.holds(client.grant)) {
      return refuse('UNAUTHORIZED', 'the token was removed');
    }
    if (method === 'subscribe' || method === 'unsubscribe') {
      const outcome = (method === 'subscribe' ? subscribe : unsubscribe)(client, params);
      this.#look();
      return outcome;
    }
    const id = OPERATION_IDS.find((operation) => operation === method);
    if (FILE_OPERATIONS.some((operation) => operation === id)) {
      const [verb, path] = ROUTES[id!];
      return refuse('ONLY_REST', `expected ${verb} ${API_PREFIX}${path}`);
    }
    return id && dispatch(this.#host, id satisfies OperationId, params, client, client.grant.role);
  }

  /** Closes the sockets whose token is no more. */
  #review(): void {
    for (const client of this.#clients) {
      if (this.#options.access.holds(client.grant)) continue;
      this.#forget(client);
      end(client.socket, NOT_GRANTED, 'not granted any more');
    }
  }

  #tell(change: Change, origin: Origin): void {
    const { kind, revision, data } = change;
    const text = notification(kind, { revision, ...data });
    for (const client of this.#clients) {
      if (client !== origin) client.outbox.command(text);
    }
  }

  /** A slow client, or a flood, costs entries: their numbers say so. */
  #log(entry: LogEntry): void {
    if (this.#logged.length < MAX_TOLD) this.#logged.push(entry);
    this.#telling ??= setTimeout(() => {
      this.#telling = undefined;
      const text = notification('log.written', { entries: this.#logged });
      this.#logged = [];
      for (const { reads, outbox } of this.#clients) {
        if (reads.has(LOG_TOPIC) && outbox.clear) outbox.command(text);
      }
    }, LOG_DELAY).unref();
  }

  /** A slow client asks `events.list` for what it has missed. */
  #happened(event: EventEntry): void {
    const text = notification('engine.event', event);
    for (const { reads, outbox } of this.#clients) {
      if (reads.has(EVENT_TOPIC) && outbox.clear) outbox.command(text);
    }
  }

  #ping(): void {
    for (const client of this.#clients) {
      if (!client.alive) client.socket.terminate();
      client.alive = false;
      client.socket.ping();
    }
  }
}

/** Says why, and does not wait long for the other side to agree. */
function end(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  setTimeout(() => socket.terminate(), 500).unref();
}

function subscribe(client: Client, params: unknown): Outcome<unknown> {
  const parsed = subscribeSchema.safeParse(params ?? {}, { reportInput: true });
  if (!parsed.success) return invalidInput(parsed.error, Object.keys(subscribeSchema.shape));
  const { topics: wanted, rate, attack, release } = parsed.data;
  const [, , needed] = ROUTES['logs.tail'];
  if (wanted.includes(LOG_TOPIC) && !includes(client.grant.role, needed)) {
    return refuse('FORBIDDEN_ROLE', `the topic log needs the role ${needed}`);
  }
  client.telemetry.subscribe(measured(wanted), rate, { attack, release });
  for (const topic of told(wanted)) client.reads.add(topic);
  return answer({ rates: client.telemetry.rates });
}

function unsubscribe(client: Client, params: unknown): Outcome<unknown> {
  const parsed = unsubscribeSchema.safeParse(params ?? {}, { reportInput: true });
  if (!parsed.success) return invalidInput(parsed.error, Object.keys(unsubscribeSchema.shape));
  const { topics: unwanted = [...TOPICS, ...TOLD_TOPICS] } = parsed.data;
  client.telemetry.unsubscribe(measured(unwanted));
  for (const topic of told(unwanted)) client.reads.delete(topic);
  return answer({ rates: client.telemetry.rates });
}

const told = (wanted: readonly (Topic | ToldTopic)[]): ToldTopic[] =>
  TOLD_TOPICS.filter((topic) => wanted.includes(topic));
const measured = (wanted: readonly (Topic | ToldTopic)[]): Topic[] =>
  TOPICS.filter((topic) => wanted.includes(topic));

function refuseUpgrade(stream: Duplex, refusal: Problem): void {
  stream.on('error', () => stream.destroy());
  stream.end(rawAnswer(refusal));
}
