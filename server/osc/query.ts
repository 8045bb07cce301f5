/**
 * The address space as OSCQuery describes it: JSON of a node with all that is in it, or one
 * attribute of one node.
 *
 * Invariants: attributes of values are lists in the order of the type tags, here always of one; an
 * attribute that means nothing for a node is absent, never null. Beside the proposal's own there are
 * DEFAULT, STEP, SCALE and LEARN of the same shape. Plain data in and out: it answers nothing.
 *
 * Source: github.com/Vidvox/OSCQueryProposal (2018).
 */

import type { Method, Node, View } from './tree.ts';

type Json = Record<string, unknown>;

/** Attributes that can be asked for one by one. */
const ATTRIBUTES = {
  FULL_PATH: (node) => node.path,
  CONTENTS: (node, view) =>
    node.children.size === 0
      ? undefined
      : Object.fromEntries(
          [...node.children].map(([name, child]) => [name, describe(child, view)]),
        ),
  TYPE: ({ method }) => method?.type,
  ACCESS: ({ method }) => (method === undefined ? 0 : accessOf(method)),
  VALUE: ({ method }, view) => {
    const value = method?.read?.(view) ?? null;
    return value === null ? undefined : [value];
  },
  RANGE: ({ method }) => {
    if (method?.range === undefined) return undefined;
    const { min, max, values } = method.range;
    return [{ MIN: min, MAX: max, VALS: values }];
  },
  CLIPMODE: ({ method }) => one(method?.clip),
  UNIT: ({ method }) => (method?.unit === undefined ? undefined : [unitOf(method.unit)]),
  DESCRIPTION: ({ doc }) => (doc === '' ? undefined : doc),
  TAGS: ({ method }) => method?.tags,
  DEFAULT: ({ method }) => one(method?.initial),
  STEP: ({ method }) => one(method?.step),
  SCALE: ({ method }) => one(method?.scale),
  LEARN: ({ method }) => (method?.learn === undefined ? undefined : [method.learn ?? false]),
} as const satisfies Record<string, (node: Node, view: View) => unknown>;

type Attribute = keyof typeof ATTRIBUTES;

/** Attributes and commands of the proposal that are not here. */
const ABSENT = ['EXTENDED_TYPE', 'CRITICAL', 'OVERLOADS', 'HTML', 'PATH_RENAMED'] as const;
const COMMANDS = ['LISTEN', 'PATH_CHANGED', 'PATH_ADDED', 'PATH_REMOVED'] as const;
const REQUIRED: ReadonlySet<string> = new Set(['FULL_PATH', 'CONTENTS', 'TYPE']);

/** Units that the proposal has words for. */
const UNITS: Readonly<Record<string, string>> = {
  Hz: 'time.hz',
  s: 'time.second',
  ms: 'time.ms',
  samples: 'time.samples',
  cents: 'time.cents',
  BPM: 'time.bpm',
  dB: 'gain.db',
  deg: 'angle.degree',
  '°': 'angle.degree',
  rad: 'angle.radian',
  m: 'distance.m',
};

const one = <T>(value: T | undefined): readonly [T] | undefined =>
  value === undefined ? undefined : [value];

const unitOf = (unit: string): string => (Object.hasOwn(UNITS, unit) ? UNITS[unit]! : unit);

/** Bit 1: it can be read, bit 2: it can be written. */
export const accessOf = ({ read, write, type }: Method): number =>
  (read === undefined ? 0 : 1) + (write === undefined && type !== 'I' ? 0 : 2);

/** A node and everything in it. */
export function describe(node: Node, view: View): Json {
  const json: Json = {};
  for (const name of Object.keys(ATTRIBUTES) as Attribute[]) {
    const value = ATTRIBUTES[name](node, view);
    if (value !== undefined) json[name] = value;
  }
  return json;
}

/** What a request for a node is answered with. */
export interface Answer {
  readonly status: 200 | 204 | 400 | 404;
  readonly body?: Json;
}

/**
 * @param query  what stands behind the question mark; empty for all of the node
 */
export function answer(node: Node | undefined, query: string, view: View): Answer {
  if (node === undefined) return { status: 404 };
  if (query === '') return { status: 200, body: describe(node, view) };
  if ((ABSENT as readonly string[]).includes(query)) return { status: 204 };
  if (!Object.hasOwn(ATTRIBUTES, query)) return { status: 400 };
  const readable = node.method === undefined || (accessOf(node.method) & 1) === 1;
  if (query === 'VALUE' && (!readable || node.method === undefined)) return { status: 204 };
  const value = ATTRIBUTES[query as Attribute](node, view);
  return { status: 200, body: value === undefined ? {} : { [query]: value } };
}

/** The answer to HOST_INFO. */
export function hostInfo(name: string, port: number): Json {
  const optional = Object.keys(ATTRIBUTES).filter((attribute) => !REQUIRED.has(attribute));
  return {
    NAME: name,
    OSC_PORT: port,
    OSC_TRANSPORT: 'UDP',
    EXTENSIONS: {
      ...Object.fromEntries([...optional, ...COMMANDS].map((known) => [known, true])),
      ...Object.fromEntries(ABSENT.map((unknown) => [unknown, false])),
    },
  };
}

/** A method but for its value, to see whether it is another one. */
export const fingerprint = (method: Method): string => {
  const { path: _path, read: _read, write: _write, ...rest } = method;
  return JSON.stringify([rest, accessOf(method)]);
};
