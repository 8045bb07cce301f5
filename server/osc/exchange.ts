/**
 * What clients say and what they are told, whatever carries it.
 *
 * Invariants: the one way in is `dispatch`, as for REST. Values are states, not events: of those
 * that wait, in either direction, only the newest of each address is kept, so no queue can grow; a
 * client is told a value only if it is not the one that it has, said or was told last, so nobody
 * hears an echo, and whoever said something that was held to its range or refused hears what is.
 * At most one change per client in PACE ms goes to the session, and one round of telling per ROUND.
 */

import { dispatch, type Host } from '../control/operations.ts';
import type { ParamChange } from '../control/state.ts';
import type { Group, Message, Outgoing } from './packet.ts';
import { isPattern, matcher } from './pattern.ts';
import { fingerprint } from './query.ts';
import { treeOf, type Method, type Tree, type Value, type View, type Write } from './tree.ts';

/** Between two changes of one client, ms: under a block of 256 frames. */
const PACE = 4;
/** Between two rounds of telling what moved, ms; after a change of a client sooner. */
const ROUND = 40;
const SOON = 10;
/** For so long after a client moved something it is not told where that is now, ms: it has its hand on it. */
const HOLD = 250;
/** Bundles that may wait for their time, and how far ahead that may be, ms. */
const MAX_LATER = 256;
const MAX_AHEAD = 10_000;
/** Patterns in one bundle: each is compared with every address. */
const MAX_PATTERNS = 8;
/** Values told to one client in one round; the others come next. */
export const MAX_TOLD = 256;
/** Notices of single paths; where more come and go, everything is to be read again. */
const MAX_NOTICES = 64;

/** A change of the address space. */
export interface Notice {
  readonly COMMAND: 'PATH_ADDED' | 'PATH_REMOVED' | 'PATH_CHANGED';
  readonly DATA: string;
}

/** How a client is reached. */
export interface Line {
  /** Whether it takes more: one that is slow misses what is overtaken by newer values. */
  readonly clear: boolean;
  send(messages: readonly Outgoing[]): void;
  notify?(notices: readonly Notice[]): void;
}

export class Client {
  readonly line: Line;
  /** Addresses that it is told, in the order of telling. */
  readonly listens = new Set<string>();
  /** What it listens to, also in the address space of another patch. */
  wants: ((path: string) => boolean) | undefined;
  /** Addresses that it asked for once. */
  readonly asked = new Set<string>();
  /** What it has, by address. */
  readonly known = new Map<string, Value>();
  /** When its hand is off an address, ms. */
  readonly held = new Map<string, number>();
  /** What it said and nobody has heard yet. */
  readonly said = new Map<string, number | boolean>();
  at = Number.NEGATIVE_INFINITY;
  applying = false;
  gone = false;
  cursor = 0;

  constructor(line: Line) {
    this.line = line;
  }
}

export interface Counts {
  /** Messages that changed something or asked for something. */
  taken: number;
  /** Messages to no address, of a wrong type, out of range, or refused by the session. */
  refused: number;
  /** Packets that are none of OSC. */
  malformed: number;
}

export class Exchange {
  readonly counts: Counts = { taken: 0, refused: 0, malformed: 0 };
  readonly #host: Host;
  readonly #clients = new Set<Client>();
  readonly #later = new Set<NodeJS.Timeout>();
  readonly #unlisten: () => void;
  #tree: Tree;
  #round: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #told = Number.NEGATIVE_INFINITY;

  constructor(host: Host) {
    this.#host = host;
    this.#tree = treeOf(host.session.state);
    this.#unlisten = host.session.listen(({ kind }) => {
      if (kind === 'patch.changed') this.#rebuild();
      this.#plan(SOON);
    });
  }

  get tree(): Tree {
    return this.#tree;
  }

  get view(): View {
    const { session } = this.#host;
    return { state: session.state, session };
  }

  join(line: Line): Client {
    const client = new Client(line);
    this.#clients.add(client);
    return client;
  }

  leave(client: Client): void {
    client.gone = true;
    this.#clients.delete(client);
  }

  close(): void {
    this.#unlisten();
    clearTimeout(this.#round);
    for (const timer of this.#later) clearTimeout(timer);
    for (const client of this.#clients) client.gone = true;
    this.#clients.clear();
  }

  /** From now on the client is told this value, at once and when it moves. */
  listen(client: Client, path: string): boolean {
    if (this.#tree.methods.get(path)?.read === undefined) return false;
    client.listens.add(path);
    client.known.delete(path);
    this.#plan(0);
    return true;
  }

  ignore(client: Client, path: string): void {
    client.listens.delete(path);
  }

  /** All that fits, of this patch and of those that follow it. */
  listenAll(client: Client, wants: ((path: string) => boolean) | undefined): void {
    client.wants = wants;
    client.listens.clear();
    if (wants === undefined) return;
    for (const path of this.#tree.methods.keys()) if (wants(path)) this.listen(client, path);
  }

  /** Takes what a client sent; what is for later is kept until then. */
  receive(client: Client, groups: readonly Group[]): void {
    for (const { at, messages } of groups) {
      const wait = at - Date.now();
      if (!(wait > 1)) this.#take(client, messages);
      else if (wait > MAX_AHEAD || this.#later.size >= MAX_LATER) {
        this.counts.refused += messages.length;
      } else {
        const timer = setTimeout(() => {
          this.#later.delete(timer);
          this.#take(client, messages);
        }, wait);
        this.#later.add(timer);
      }
    }
  }

  #take(client: Client, messages: readonly Message[]): void {
    if (client.gone) return;
    let patterns = 0;
    for (const message of messages) {
      const { address } = message;
      const isTooMany = isPattern(address) && ++patterns > MAX_PATTERNS;
      const methods = isTooMany ? [] : this.#methodsAt(address);
      if (methods.length === 0) this.counts.refused++;
      for (const method of methods) this.#hear(client, method, message);
    }
    if (client.said.size > 0) this.#apply(client);
  }

  #methodsAt(address: string): readonly Method[] {
    const { methods } = this.#tree;
    if (!isPattern(address)) return [methods.get(address)].filter((found) => found !== undefined);
    const fits = matcher(address);
    if (fits === undefined) return [];
    return [...methods.values()].filter(({ path }) => fits(path));
  }

  #hear(client: Client, method: Method, { args }: Message): void {
    const { path, read, write, type } = method;
    if (args.length === 0 && type !== 'I') {
      if (read === undefined) return;
      client.known.delete(path);
      client.asked.add(path);
      this.counts.taken++;
      this.#plan(0);
      return;
    }
    const heard = write === undefined ? undefined : meant(method, args[0]);
    if (heard === undefined) {
      this.counts.refused++;
      return;
    }
    if (heard.said !== undefined) {
      client.known.set(path, rounded(heard.said, type));
      client.held.set(path, performance.now() + HOLD);
    }
    if (heard.value === undefined) {
      if (heard.said !== undefined) this.counts.refused++;
      return;
    }
    this.counts.taken++;
    client.said.delete(path);
    client.said.set(path, heard.value);
  }

  #apply(client: Client): void {
    if (client.applying) return;
    client.applying = true;
    const wait = client.at + PACE - performance.now();
    const run = async (): Promise<void> => {
      client.at = performance.now();
      const said = client.gone ? [] : [...client.said];
      client.said.clear();
      for (const { operation, input, count } of this.#operationsOf(said)) {
        const outcome = await dispatch(this.#host, operation, input, client, 'control');
        if (outcome.ok) continue;
        this.counts.refused += count;
        const { code, detail } = outcome.problem;
        this.#host.log.debug({ code, operation }, `a client over OSC was refused: ${detail}`);
      }
      client.applying = false;
      this.#plan(SOON);
      if (client.said.size > 0 && !client.gone) this.#apply(client);
    };
    if (wait > 0) setTimeout(() => void run(), wait);
    else void run();
  }

  /** What was said, as operations in its order: controls that come together in one of them. */
  #operationsOf(said: readonly (readonly [string, number | boolean])[]): Asked[] {
    const asked: Asked[] = [];
    for (const [path, value] of said) {
      const write = this.#tree.methods.get(path)?.write?.(value);
      if (write === undefined) continue;
      const last = asked.at(-1);
      if (write.kind === 'params' && last?.operation === 'params.update') {
        last.input = merged(last.input as ParamChange, write.change);
        last.count++;
      } else asked.push(operationOf(write));
    }
    return asked;
  }

  // --- telling -----------------------------------------------------------------------------------

  /** The next round, so many milliseconds from now at the latest. */
  #plan(within: number): void {
    const now = performance.now();
    const due = Math.max(now + within, this.#told + SOON);
    if (due >= this.#due) return;
    clearTimeout(this.#round);
    this.#due = due;
    this.#round = setTimeout(() => this.#tell(), due - now);
  }

  #tell(): void {
    this.#due = Number.POSITIVE_INFINITY;
    this.#told = performance.now();
    const values = new Map<string, Value>();
    const view = this.view;
    const read = (path: string): Value => {
      let value = values.get(path);
      if (value === undefined) {
        const method = this.#tree.methods.get(path);
        value = rounded(method?.read?.(view) ?? null, method?.type ?? 'f');
        values.set(path, value);
      }
      return value;
    };
    let waiting = false;
    for (const client of this.#clients) {
      waiting ||= client.listens.size > 0 || client.asked.size > 0;
      if (!client.line.clear) continue;
      const messages = this.#newsFor(client, read);
      if (messages.length > 0) client.line.send(messages);
    }
    if (waiting) this.#plan(ROUND);
  }

  #newsFor(client: Client, read: (path: string) => Value): Outgoing[] {
    const messages: Outgoing[] = [];
    const now = this.#told;
    const tell = (path: string): void => {
      const value = read(path);
      if (value === null || client.known.get(path) === value) return;
      const until = client.held.get(path);
      if (until !== undefined && now < until && client.known.has(path)) return;
      client.held.delete(path);
      client.known.set(path, value);
      const type = this.#tree.methods.get(path)?.type ?? 'f';
      if (type === 'I') return;
      messages.push({ address: path, type: type === 'T' && value === false ? 'F' : type, value });
    };
    for (const path of client.asked) tell(path);
    client.asked.clear();
    const paths = [...client.listens];
    let k = 0;
    for (; k < paths.length && messages.length < MAX_TOLD; k++) {
      tell(paths[(client.cursor + k) % paths.length]!);
    }
    client.cursor = paths.length === 0 ? 0 : (client.cursor + k) % paths.length;
    return messages;
  }

  /** Another patch plays: another address space, and those who listen hear what is other. */
  #rebuild(): void {
    const before = this.#tree.methods;
    this.#tree = treeOf(this.#host.session.state);
    const { methods } = this.#tree;
    const notices = noticesOf(before, methods);
    for (const client of this.#clients) {
      for (const map of [client.listens, client.asked, client.known, client.held, client.said]) {
        for (const path of map.keys()) if (!methods.has(path)) map.delete(path);
      }
      if (client.wants !== undefined) this.listenAll(client, client.wants);
      if (notices.length > 0) client.line.notify?.(notices);
    }
  }
}

interface Asked {
  readonly operation: Parameters<typeof dispatch>[1];
  input: unknown;
  count: number;
}

const operationOf = (write: Write): Asked =>
  write.kind === 'params'
    ? { operation: 'params.update', input: write.change, count: 1 }
    : { operation: write.operation, input: write.input, count: 1 };

const merged = (a: ParamChange, b: ParamChange): ParamChange => ({
  values: { ...a.values, ...b.values },
  frozen: { ...a.frozen, ...b.frozen },
  rates: { ...a.rates, ...b.rates },
});

/** As it goes over the wire: numbers are binary32, and what none can hold is not known. */
function rounded(value: Value, type: Method['type']): Value {
  if (type !== 'f' || typeof value !== 'number') return value;
  const single = Math.fround(value);
  return Number.isFinite(single) ? single : null;
}

/**
 * What an argument means for a method: what was said, and the value that it becomes; undefined where
 * it is of no use at all.
 */
function meant(
  { type, range, clip }: Method,
  argument: unknown,
): { readonly said?: number | boolean; readonly value?: number | boolean } | undefined {
  // A button that is let go sends 0.
  if (type === 'I') return argument === 0 || argument === false ? {} : { value: true };
  if (typeof argument !== 'number' && typeof argument !== 'boolean') return undefined;
  if (type === 'T') {
    if (Number.isNaN(argument)) return undefined;
    const on = Boolean(argument);
    return { said: on, value: on };
  }
  const said = Number(argument);
  if (!Number.isFinite(said)) return undefined;
  const { min = -Infinity, max = Infinity } = range ?? {};
  const held = Math.min(max, Math.max(min, said));
  if (held !== said && clip !== 'both') return { said };
  return { said, value: held };
}

/** What came, went, and is other than it was; and the whole of it as one path to read again. */
export function noticesOf(
  before: ReadonlyMap<string, Method>,
  after: ReadonlyMap<string, Method>,
): Notice[] {
  const removed = [...before.keys()].filter((path) => !after.has(path));
  const added = [...after.keys()].filter((path) => !before.has(path));
  const changed = [...after].flatMap(([path, method]) => {
    const old = before.get(path);
    return old === undefined || fingerprint(old) === fingerprint(method) ? [] : [path];
  });
  const moved = [...removed, ...added];
  const single: Notice[] = [
    ...removed.map((path) => ({ COMMAND: 'PATH_REMOVED', DATA: path }) as const),
    ...added.map((path) => ({ COMMAND: 'PATH_ADDED', DATA: path }) as const),
    ...changed.map((path) => ({ COMMAND: 'PATH_CHANGED', DATA: path }) as const),
  ];
  if (single.length === 0) return [];
  if (single.length > MAX_NOTICES) return [{ COMMAND: 'PATH_CHANGED', DATA: '/' }];
  if (moved.length === 0) return single;
  return [...single, { COMMAND: 'PATH_CHANGED', DATA: commonPath(moved) }];
}

/** The container of all of them. */
function commonPath(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => path.split('/').slice(1, -1));
  const until = first.findIndex((name, k) => others.some((other) => other[k] !== name));
  return `/${(until < 0 ? first : first.slice(0, until)).join('/')}`;
}
