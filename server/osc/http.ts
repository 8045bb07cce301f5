/**
 * OSCQuery: the address space as JSON over HTTP, and values and its changes over WebSocket.
 *
 * Invariants: only allowed peers get as far as a request; a web page reaches nothing, because its
 * Origin is foreign and a Host that is no address or name of this machine is refused (DNS
 * rebinding); every connection is bounded in number, time and size; a socket that does not read
 * misses values that are overtaken, and is closed when even notices of the address space pile up.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { isIP, type AddressInfo, type Socket as TcpSocket } from 'node:net';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Client, Exchange } from './exchange.ts';
import { decode, encode } from './packet.ts';
import { answer, hostInfo } from './query.ts';
import { nodeAt } from './tree.ts';

const MAX_CONNECTIONS = 64;
const MAX_SOCKETS = 16;
const MAX_TEXT = 64 * 1024;
/** Values go to a socket only while less than this waits in it, bytes. */
const WATERMARK = 64 * 1024;
const LIMIT = 1024 * 1024;
const HEARTBEAT = 15_000;
const TOO_SLOW = 1013;
const GOING_AWAY = 1001;

export interface QueryOptions {
  readonly exchange: Exchange;
  readonly allowed: (address: string | undefined) => boolean;
  /** Of the host, for people. */
  readonly name: string;
}

export class QueryDoor {
  readonly #options: QueryOptions;
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_TEXT,
    perMessageDeflate: false,
  });
  readonly #alive = new WeakSet<WebSocket>();
  readonly #heartbeat: NodeJS.Timeout;

  private constructor(options: QueryOptions) {
    this.#options = options;
    this.#http = createServer(
      { requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 5000 },
      (request, response) => this.#answer(request, response),
    );
    this.#http.maxConnections = MAX_CONNECTIONS;
    this.#http.on('connection', (socket: TcpSocket) => {
      if (!options.allowed(socket.remoteAddress)) socket.destroy();
    });
    this.#http.on('upgrade', (request, stream, head) => this.#upgrade(request, stream, head));
    this.#heartbeat = setInterval(() => this.#ping(), HEARTBEAT).unref();
  }

  /** Rejects where the port is taken. */
  static async open(host: string, port: number, options: QueryOptions): Promise<QueryDoor> {
    const door = new QueryDoor(options);
    try {
      door.#http.listen(port, host);
      await once(door.#http, 'listening');
    } catch (error) {
      clearInterval(door.#heartbeat);
      throw error;
    }
    return door;
  }

  get address(): AddressInfo {
    return this.#http.address() as AddressInfo;
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    for (const socket of this.#sockets.clients) {
      socket.close(GOING_AWAY, 'the daemon is shutting down');
      setTimeout(() => socket.terminate(), 500).unref();
    }
    const closed = once(this.#http, 'close');
    this.#http.close();
    this.#http.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { exchange, name } = this.#options;
    const say = (status: number, body?: unknown): void => {
      const text = body === undefined ? '' : JSON.stringify(body);
      response.writeHead(status, {
        ...(text === '' ? {} : { 'content-type': 'application/json' }),
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
        ...(status === 204 ? {} : { 'content-length': Buffer.byteLength(text) }),
      });
      response.end(request.method === 'HEAD' ? undefined : text);
    };
    request.resume();
    if (isForeign(request)) return say(403);
    if (request.method !== 'GET' && request.method !== 'HEAD') return say(405);
    const [path = '/', query = ''] = (request.url ?? '/').split(/[?#]/u, 2);
    const decoded = decodedPath(path);
    if (decoded === undefined) return say(400);
    const attribute = query.split('&', 1)[0]!.split('=', 1)[0]!;
    if (attribute === 'HOST_INFO') return say(200, hostInfo(name, this.address.port));
    const { status, body } = answer(nodeAt(exchange.tree, decoded), attribute, exchange.view);
    say(status, body);
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    stream.on('error', () => stream.destroy());
    const status = isForeign(request)
      ? '403 Forbidden'
      : this.#sockets.clients.size >= MAX_SOCKETS
        ? '503 Service Unavailable'
        : undefined;
    if (status !== undefined) {
      stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, stream, head, (socket) => this.#accept(socket));
  }

  #accept(socket: WebSocket): void {
    const { exchange } = this.#options;
    const client = exchange.join({
      get clear() {
        return socket.bufferedAmount < WATERMARK;
      },
      send: (messages) => {
        // One message to a packet: what the proposal shows, and all that some clients read.
        for (const message of messages) for (const packet of encode([message])) socket.send(packet);
      },
      notify: (notices) => {
        if (socket.bufferedAmount > LIMIT) {
          socket.close(TOO_SLOW, 'not reading');
          socket.terminate();
          return;
        }
        for (const notice of notices) socket.send(JSON.stringify(notice));
      },
    });
    this.#alive.add(socket);
    socket.on('pong', () => this.#alive.add(socket));
    socket.on('close', () => exchange.leave(client));
    socket.on('error', () => socket.terminate());
    socket.on('message', (data: Buffer, isBinary) => {
      this.#alive.add(socket);
      if (!isBinary) this.#command(client, data.toString('utf8'));
      else {
        const decoded = decode(data);
        if (decoded.ok) exchange.receive(client, decoded.groups);
        else exchange.counts.malformed++;
      }
    });
  }

  #command(client: Client, text: string): void {
    const { exchange } = this.#options;
    const { COMMAND, DATA } = readCommand(text);
    const isPath = typeof DATA === 'string';
    if (COMMAND === 'LISTEN' && isPath && exchange.listen(client, DATA)) return;
    if (COMMAND === 'IGNORE' && isPath) exchange.ignore(client, DATA);
    else exchange.counts.refused++;
  }

  #ping(): void {
    for (const socket of this.#sockets.clients) {
      if (!this.#alive.delete(socket)) socket.terminate();
      else socket.ping();
    }
  }
}

function readCommand(text: string): { readonly COMMAND?: unknown; readonly DATA?: unknown } {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null ? read : {};
  } catch {
    return {};
  }
}

function decodedPath(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** Whether a page of another site asks, or one that calls the daemon by a name that it has not. */
function isForeign({ headers }: IncomingMessage): boolean {
  const host = urlOf(`http://${headers.host ?? ''}`);
  if (host === undefined) return true;
  const name = host.hostname.replaceAll(/^\[|\]$|\.$/gu, '').toLowerCase();
  const own = hostname().toLowerCase();
  const isOurs = isIP(name) !== 0 || ['localhost', own, `${own}.local`].includes(name);
  const { origin } = headers;
  return !isOurs || (origin !== undefined && urlOf(origin)?.host !== host.host);
}

const urlOf = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined);
