/**
 * The address space: every control, meter and switch of the session under an OSC address.
 *
 * Invariants: made from the state of record alone, so equal states have equal trees; a method says
 * what it reads and which operation of the API a message to it becomes, and does neither itself; an
 * address is one of one method; at most MAX_CONTROLS controls have addresses. Controls stand where
 * the patch's `ui` shows them, under the words that it shows, and else under their ids.
 */

import {
  learnablesOf,
  metersOf,
  paramsOf,
  type ParamChange,
  type State,
} from '../control/state.ts';
import type { Session } from '../control/session.ts';
import type { Patch } from '../../dsp/patch/schema.ts';
import type { UiControl, UiNode } from '../../dsp/patch/ui.ts';
import type { Input } from '../api/operations.ts';
import type { OperationId } from '../api/routes.ts';

/** More than a person or a page of faders looks at; a network of thousands of numbers has no place. */
export const MAX_CONTROLS = 1024;

/** Type tags in use. `I`: it happens, and has no value. */
export type Tag = 'f' | 'i' | 'T' | 's' | 'I';
export type Value = number | boolean | string | null;

/** What a method reads from. */
export interface View {
  readonly state: State;
  readonly session: Session;
}

/** An operation that a message becomes. Changes of controls that come together are one. */
export type Write =
  | { readonly kind: 'params'; readonly change: ParamChange }
  | { readonly kind: 'call'; readonly operation: OperationId; readonly input: unknown };

export interface Method {
  readonly path: string;
  readonly type: Tag;
  readonly doc: string;
  readonly range?: {
    readonly min?: number;
    readonly max?: number;
    readonly values?: readonly number[];
  };
  /** What becomes of a value outside of the range: it is held to it, or refused. */
  readonly clip?: 'both' | 'none';
  readonly unit?: string;
  readonly tags?: readonly string[];
  readonly initial?: number;
  readonly step?: number;
  readonly scale?: 'linear' | 'log';
  /** Scale in which it is learned; null: a slider. */
  readonly learn?: string | null;
  /** Null: not known. */
  readonly read?: (view: View) => Value;
  /** @param value  of the method's type, within its range */
  readonly write?: (value: number | boolean) => Write;
}

/** A part of an address. */
export interface Node {
  readonly path: string;
  readonly method: Method | undefined;
  readonly children: ReadonlyMap<string, Node>;
  readonly doc: string;
}

export interface Tree {
  readonly methods: ReadonlyMap<string, Method>;
  readonly root: Node;
}

const CONTAINERS: Readonly<Record<string, string>> = {
  '/params': 'sliders and learnable parameters',
  '/frozen': 'which learnable parameters are held',
  '/rates': 'factors of the learning rate, of each learnable parameter by itself',
  '/gradients': 'gradients of the last finished window',
  '/meters': 'what the patch shows',
  '/training': 'the optimiser',
  '/output': 'what is heard',
  '/engine': 'the audio engine',
  '/osc': 'feedback over UDP',
};

export function treeOf(state: State): Tree {
  const methods = new Map<string, Method>();
  const places = new Places(state.patch.ui ?? []);
  const add = (method: Method): void => void methods.set(method.path, method);
  for (const method of [...controlsOf(state, places), ...shownOf(state, places)]) add(method);
  for (const method of trainingOf(state.patch)) add(method);
  for (const method of HOST) add(method);
  return { methods, root: nodesOf(methods, state.patch) };
}

function controlsOf(state: State, places: Places): Method[] {
  const learnables = learnablesOf(state.patch);
  const ids = [...state.values.keys()].slice(0, MAX_CONTROLS);
  return paramsOf(state, ids).flatMap((param): Method[] => {
    const { id, initial, min, max, step, unit, scale, learn, doc } = param;
    const { name, shown } = places.ofControl(id);
    const values = shown?.choices?.map(([, value]) => value);
    const what = shown?.doc ?? doc ?? shown?.label ?? id;
    const own = learnables.has(id);
    const value: Method = {
      path: `/params/${name}`,
      type: 'f',
      doc: what,
      range: { min, max, ...(values === undefined ? {} : { values }) },
      clip: 'both',
      initial,
      scale,
      learn,
      tags: [param.kind, ...(shown?.hidden === true ? ['hidden'] : [])],
      ...(step === undefined ? {} : { step }),
      ...(unit === undefined ? {} : { unit }),
      read: ({ state: now }) => now.values.get(id) ?? null,
      write: (said) => ({ kind: 'params', change: { values: { [id]: Number(said) } } }),
    };
    if (!own) return [value];
    return [
      value,
      {
        path: `/frozen/${name}`,
        type: 'T',
        doc: `hold ${what} while the others learn`,
        read: ({ state: now }) => now.frozen.has(id),
        write: (on) => ({ kind: 'params', change: { frozen: { [id]: Boolean(on) } } }),
      },
      {
        path: `/rates/${name}`,
        type: 'f',
        doc: `factor of the learning rate of ${what}`,
        range: { min: 0, max: MAX_RATE },
        clip: 'none',
        read: ({ state: now }) => now.rates.get(id) ?? learnables.get(id)?.rate ?? 1,
        write: (factor) => ({ kind: 'params', change: { rates: { [id]: Number(factor) } } }),
      },
      {
        path: `/gradients/${name}`,
        type: 'f',
        doc: `gradient of the loss by ${what}`,
        read: ({ state: now }) => finite(now.gradients.get(id)),
      },
    ];
  });
}

function shownOf(state: State, places: Places): Method[] {
  return metersOf(state).map(({ id, index, min, max, unit, scale, doc }): Method => {
    const { name, label } = places.ofMeter(id);
    return {
      path: `/meters/${name}`,
      type: 'f',
      doc: doc ?? label ?? id,
      range: { min, max },
      clip: 'none',
      scale,
      ...(unit === undefined ? {} : { unit }),
      read: ({ state: now }) => finite(now.meters[index]),
    };
  });
}

/** The largest learning rate, and the largest factor of one. */
const MAX_RATE = 1e6;

const training = (name: string, rest: Omit<Method, 'path'>): Method => ({
  path: `/training/${name}`,
  ...rest,
});

function trainingOf(patch: Patch): Method[] {
  if (patch.training === undefined) return [];
  return [
    training('running', {
      type: 'T',
      doc: 'whether it learns',
      read: ({ state }) => state.learning,
      write: (on) => call(on ? 'training.start' : 'training.stop', {}),
    }),
    training('learningRate', {
      type: 'f',
      doc: 'learning rate of the last step; setting it plays a constant schedule',
      range: { min: 0, max: MAX_RATE },
      clip: 'none',
      scale: 'log',
      read: ({ session }) => session.training().learningRate,
      write: (rate) => call('schedule.set', { kind: 'constant', rate: Number(rate) }),
    }),
    training('loss', {
      type: 'f',
      doc: 'loss of the last finished window',
      read: ({ state }) => state.loss,
    }),
    training('step', {
      type: 'i',
      doc: 'optimiser steps done, up to 2147483647',
      read: ({ state }) => Math.min(state.step, 2 ** 31 - 1),
    }),
    training('reset', {
      type: 'I',
      doc: 'forget what was learned',
      write: () => call('training.reset', {}),
    }),
    training('restart', {
      type: 'I',
      doc: 'start the optimiser anew, parameters stay',
      write: () => call('training.restart', {}),
    }),
  ];
}

/** Where a client over UDP says what it wants to be told: see `udp.ts`. */
export const LISTEN = '/osc/listen';
export const IGNORE = '/osc/ignore';

/** What every patch has. */
const HOST: readonly Method[] = [
  {
    path: '/output/muted',
    type: 'T',
    doc: 'whether the output is silent',
    read: ({ session }) => session.output().muted,
    write: (muted) => call('output.set', { muted: Boolean(muted) }),
  },
  {
    path: '/output/gain',
    type: 'f',
    doc: 'gain before the limiter',
    range: { min: -120, max: 24 },
    clip: 'both',
    unit: 'dB',
    initial: 0,
    scale: 'linear',
    read: ({ session }) => session.output().gainDb,
    write: (gainDb) => call('output.set', { gainDb: Number(gainDb) }),
  },
  {
    path: '/edits/undo',
    type: 'I',
    doc: 'undo the last step of any client',
    write: () => call('edits.undo', {}),
  },
  {
    path: '/edits/redo',
    type: 'I',
    doc: 'do again what was undone last',
    write: () => call('edits.redo', {}),
  },
  {
    path: '/engine/state',
    type: 's',
    doc: 'starting, running, degraded, restarting or stopped',
    read: ({ session }) => session.engine().state,
  },
  {
    path: '/engine/load',
    type: 'f',
    doc: "mean processing time as a share of a block's period",
    range: { min: 0, max: 1 },
    clip: 'none',
    read: ({ session }) => session.engine().load.mean,
  },
  {
    path: '/engine/xruns',
    type: 'i',
    doc: 'underflows and overflows that the audio system reported',
    read: ({ session }) => session.engine().xruns,
  },
  {
    path: LISTEN,
    type: 'I',
    doc: 'over UDP: tell the sender what changes, for ten minutes after its last message',
  },
  { path: IGNORE, type: 'I', doc: 'over UDP: tell the sender nothing more' },
];

const call = <K extends OperationId>(operation: K, input: Input<K>): Write => ({
  kind: 'call',
  operation,
  input,
});

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;

// --- addresses ---------------------------------------------------------------------------------

interface Placed {
  readonly name: string;
  readonly shown: UiControl | undefined;
}

/** Where controls and meters stand: the words of the groups around them, and their own. */
class Places {
  readonly #controls = new Map<string, Placed>();
  readonly #meters = new Map<string, { readonly name: string; readonly label: string }>();
  readonly #taken = { control: new Set<string>(), meter: new Set<string>() };

  constructor(ui: readonly UiNode[]) {
    this.#visit(ui, []);
  }

  ofControl(id: string): Placed {
    return (
      this.#controls.get(id) ?? { name: this.#free('control', addressOf(id)), shown: undefined }
    );
  }

  ofMeter(id: string): { readonly name: string; readonly label: string | undefined } {
    const placed = this.#meters.get(id);
    return placed ?? { name: this.#free('meter', addressOf(id)), label: undefined };
  }

  #visit(nodes: readonly UiNode[], above: readonly string[]): void {
    for (const node of nodes) {
      const word = wordOf(node.label);
      if ('group' in node) {
        this.#visit(node.items, word === '' ? above : [...above, word]);
        continue;
      }
      const id = 'control' in node ? node.control : node.meter;
      const own = word === '' ? wordOf(id.split('/').at(-1) ?? id) : word;
      const path = [...above, own].join('/');
      if ('control' in node) {
        this.#controls.set(id, { name: this.#free('control', path), shown: node });
      } else {
        this.#meters.set(id, { name: this.#free('meter', path), label: node.label });
      }
    }
  }

  /** The address, or the first of it with a number behind it that nobody has. */
  #free(kind: 'control' | 'meter', path: string): string {
    const taken = this.#taken[kind];
    let free = path;
    for (let k = 2; taken.has(free); k++) free = `${path}_${k}`;
    taken.add(free);
    return free;
  }
}

/** Printable ASCII that means nothing in a pattern. */
const wordOf = (label: string): string =>
  label.replaceAll(/(?:[^!-~]|[#*,/?[\]{}])+/gu, '_').replaceAll(/^_+|_+$/gu, '');

const addressOf = (id: string): string => id.split('/').map(wordOf).join('/');

function nodesOf(methods: ReadonlyMap<string, Method>, patch: Patch): Node {
  interface Growing extends Node {
    method: Method | undefined;
    readonly children: Map<string, Growing>;
    doc: string;
  }
  const grow = (path: string): Growing => ({
    path,
    method: undefined,
    children: new Map(),
    doc: CONTAINERS[path] ?? '',
  });
  const root = grow('/');
  root.doc = `livegrad plays ${patch.title ?? patch.name}`;
  for (const method of methods.values()) {
    let node = root;
    for (const name of method.path.slice(1).split('/')) {
      const path = node === root ? `/${name}` : `${node.path}/${name}`;
      let child = node.children.get(name);
      if (child === undefined) node.children.set(name, (child = grow(path)));
      node = child;
    }
    node.method = method;
    node.doc = method.doc;
  }
  return root;
}

/** The node at an address. */
export function nodeAt(tree: Tree, path: string): Node | undefined {
  let node: Node | undefined = tree.root;
  for (const name of path.split('/').filter((part) => part !== '')) {
    node = node?.children.get(name);
  }
  return node;
}
