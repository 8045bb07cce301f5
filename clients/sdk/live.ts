/**
 * The live side of a client: telemetry, changes, and the state behind them, over one WebSocket that
 * is opened again whenever it breaks.
 *
 * Invariants: after every opening, the first one too, subscriptions are renewed and a snapshot is
 * delivered before any change, so that whoever applies both is never behind; changes that a
 * snapshot already has are not delivered again. It is opened with the first listener and closed by
 * `close`. It makes no calls that change anything.
 */

import type { Output } from '../../server/api/operations.ts';
import { SOCKET_PATH } from '../../server/api/routes.ts';
import { decodeFrame, type Frame } from '../../server/api/frame.ts';
import type { EventEntry } from '../../server/api/events.ts';
import type { LogEntry } from '../../server/api/logs.ts';
import {
  EVENT_TOPIC,
  LOG_TOPIC,
  type Change,
  type LogWritten,
  type Subscription,
  type ToldTopic,
  type Topic,
} from '../../server/api/socket.ts';
import { errorOf, isProblem, LivegradError } from './errors.ts';
import type { Target } from './methods.ts';

export interface Snapshot {
  readonly status: Output<'status.get'>;
  readonly patch: Output<'patch.get'>;
  readonly params: Output<'params.list'>;
  readonly meters: Output<'meters.list'>;
  readonly training: Output<'training.get'>;
}

export interface Events {
  readonly snapshot: Snapshot;
  readonly change: Change;
  /** Telemetry frames that this client was too slow for, since the socket opened. */
  readonly dropped: number;
  readonly state: 'open' | 'closed';
  /** What the daemon logs while somebody listens; numbers that are missing were too many. */
  readonly log: LogEntry;
  /** What happens to the engine while somebody listens. */
  readonly engine: EventEntry;
}

interface Subscriber extends Subscription {
  readonly listener: (frame: Frame) => void;
}

type Listeners = { readonly [K in keyof Events]: Set<(event: Events[K]) => void> };

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: LivegradError) => void;
}

/** Frames that wait for a loop over them. */
const MAX_WAITING = 256;
const FIRST_WAIT = 250;
const LONGEST_WAIT = 5000;

export class Live {
  readonly #target: Target;
  readonly #subscribers = new Set<Subscriber>();
  readonly #listeners: Listeners = {
    snapshot: new Set(),
    change: new Set(),
    dropped: new Set(),
    state: new Set(),
    log: new Set(),
    engine: new Set(),
  };
  /** Of loops over frames. */
  readonly #endings = new Set<() => void>();
  readonly #pending = new Map<number, Pending>();
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wait = FIRST_WAIT;
  #id = 0;
  #closed = false;
  /** Revision of the last snapshot; undefined until it is here: changes wait for it. */
  #revision: number | undefined;
  #early: Change[] = [];
  /** What the daemon was asked for on this socket. */
  #wishes: Wishes = new Map();

  constructor(target: Target) {
    this.#target = target;
  }

  /**
   * Telemetry of some topics, at most `rate` frames per second of each. When several subscribe to
   * a topic, all get it at the highest rate, and levels rise and fall as the last of them said.
   * @returns a function that ends it
   */
  subscribe(subscription: Subscription, listener: (frame: Frame) => void): () => void {
    const subscriber = { ...subscription, listener };
    this.#subscribers.add(subscriber);
    this.#open();
    this.#renew();
    return () => {
      this.#subscribers.delete(subscriber);
      this.#renew();
    };
  }

  /**
   * Telemetry to be read in a loop, `for await (const frame of ...)`, which ends it by `break` and is
   * ended by `close`. Who is slow misses the oldest of what waits: frames are states, and say what they
   * follow (`sequence`).
   */
  async *frames(subscription: Subscription): AsyncGenerator<Frame, void, undefined> {
    const waiting: Frame[] = [];
    let wake = (): void => {};
    const unsubscribe = this.subscribe(subscription, (frame) => {
      waiting.push(frame);
      if (waiting.length > MAX_WAITING) waiting.shift();
      wake();
    });
    const end = (): void => wake();
    this.#endings.add(end);
    try {
      while (!this.#closed) {
        const frame = waiting.shift();
        if (frame !== undefined) yield frame;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#endings.delete(end);
      unsubscribe();
    }
  }

  /** @returns a function that ends it */
  on<K extends keyof Events>(kind: K, listener: (event: Events[K]) => void): () => void {
    this.#listeners[kind].add(listener);
    this.#open();
    this.#renew();
    return () => {
      this.#listeners[kind].delete(listener);
      this.#renew();
    };
  }

  close(): void {
    this.#closed = true;
    for (const end of this.#endings) end();
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #emit<K extends keyof Events>(kind: K, event: Events[K]): void {
    for (const listener of this.#listeners[kind]) listener(event);
  }

  #open(): void {
    if (this.#closed || this.#socket !== undefined || this.#timer !== undefined) return;
    const url = new URL(SOCKET_PATH, this.#target.url);
    url.protocol = url.protocol.replace('http', 'ws');
    // A browser cannot set a header on a socket.
    if (this.#target.token) url.searchParams.set('token', this.#target.token);
    const socket = new WebSocket(url.href);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => void this.#start(socket));
    socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => this.#receive(data));
    socket.addEventListener('error', () => socket.close());
    socket.addEventListener('close', () => this.#ended(socket));
  }

  #ended(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#revision = undefined;
    this.#early = [];
    this.#wishes.clear();
    for (const { reject } of this.#pending.values()) {
      reject(new LivegradError('UNREACHABLE', 'the socket closed before the answer'));
    }
    this.#pending.clear();
    this.#emit('state', 'closed');
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#open();
    }, this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
  }

  async #start(socket: WebSocket): Promise<void> {
    this.#emit('state', 'open');
    this.#renew();
    try {
      const params = (await this.#request('params.list')) as Snapshot['params'];
      const [status, patch, training, meters] = (await Promise.all([
        this.#request('status.get'),
        this.#request('patch.get'),
        this.#request('training.get'),
        this.#request('meters.list'),
      ])) as [Snapshot['status'], Snapshot['patch'], Snapshot['training'], Snapshot['meters']];
      this.#wait = FIRST_WAIT;
      this.#emit('snapshot', { status, patch, params, training, meters });
      // The oldest of the answers: a change may be told twice, but never missed.
      this.#revision = params.revision;
      const early = this.#early;
      this.#early = [];
      for (const change of early) this.#deliver(change);
    } catch {
      socket.close();
    }
  }

  #request(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket?.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  #receive(data: unknown): void {
    if (data instanceof ArrayBuffer) {
      const frame = decodeFrame(data);
      if (frame === undefined) return;
      for (const { topics, listener } of this.#subscribers) {
        if (topics.includes(frame.topic)) listener(frame);
      }
      return;
    }
    const message = JSON.parse(String(data)) as Message;
    if (message.method === 'telemetry.dropped') {
      this.#emit('dropped', Number(message.params?.['dropped']));
    } else if (message.method === 'log.written') {
      for (const entry of (message.params as unknown as LogWritten).entries) {
        this.#emit('log', entry);
      }
    } else if (message.method === 'engine.event') {
      this.#emit('engine', message.params as unknown as EventEntry);
    } else if (message.method !== undefined) {
      const { revision, ...rest } = message.params ?? {};
      this.#deliver({ kind: message.method, revision, data: rest } as unknown as Change);
    } else {
      this.#settle(message);
    }
  }

  #settle({ id, result, error }: Message): void {
    const pending = this.#pending.get(Number(id));
    this.#pending.delete(Number(id));
    if (error === undefined) pending?.resolve(result);
    else if (isProblem(error.data)) pending?.reject(errorOf(error.data));
    else pending?.reject(new LivegradError('BAD_ANSWER', error.message ?? 'an error without data'));
  }

  #deliver(change: Change): void {
    if (this.#revision === undefined) this.#early.push(change);
    else if (change.revision > this.#revision) this.#emit('change', change);
  }

  /** Asks the daemon for what the subscribers want, where that is not what it sends. */
  #renew(): void {
    if (this.#socket?.readyState !== 1) return;
    const wanted: Wishes = new Map();
    if (this.#listeners.log.size > 0) wanted.set(LOG_TOPIC, { rate: 1 });
    if (this.#listeners.engine.size > 0) wanted.set(EVENT_TOPIC, { rate: 1 });
    for (const { topics, listener: _listener, ...wish } of this.#subscribers) {
      for (const topic of topics) {
        const other = wanted.get(topic);
        wanted.set(topic, { ...other, ...wish, rate: Math.max(wish.rate, other?.rate ?? 0) });
      }
    }
    const ended = [...this.#wishes.keys()].filter((topic) => !wanted.has(topic));
    const ignore = (): void => {};
    if (ended.length > 0) this.#request('unsubscribe', { topics: ended }).catch(ignore);
    const changed = [...wanted].filter(
      ([topic, wish]) => textOf(wish) !== textOf(this.#wishes.get(topic)),
    );
    for (const text of new Set(changed.map(([, wish]) => textOf(wish)))) {
      const alike = changed.filter(([, wish]) => textOf(wish) === text);
      const topics = alike.map(([topic]) => topic);
      this.#request('subscribe', { ...alike[0]![1], topics }).catch(ignore);
    }
    this.#wishes = wanted;
  }
}

/** How each topic is wanted. */
type Wish = Omit<Subscription, 'topics'>;
type Wishes = Map<Topic | ToldTopic, Wish>;

const textOf = (wish: Wish | undefined): string => JSON.stringify(wish) ?? '';

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: { readonly message?: string; readonly data?: unknown };
}
