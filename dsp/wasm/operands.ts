/**
 * How the code of a body gets at the values of nodes, and puts them where others find them.
 *
 * Invariant: a value is in locals once it has been asked for, until `forget`; what a loop does not
 * change is loaded in front of it.
 */

import { nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import type { Body, Value } from './body.ts';
import { fromDevice, toDevice } from './border.ts';
import { chunksOf, intType, isVector, numberType, packed, realType } from './element.ts';
import type { Line, Storage } from './memory.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local, WasmType } from './module.ts';
import type { Scope } from './rules.ts';
import type { Site, Sites } from './sites.ts';
import { spill } from './structures.ts';

/** What code generation asks for while it writes. */
/** Functions that transform real signals of one length, by their indices. */
export interface Transforms {
  readonly forward: number;
  readonly transpose: number;
  /** Forward, of the signal times a window; made where it is called first. */
  readonly windowed: () => number;
  /** Back, times a window, and added to what is there. */
  readonly added: () => number;
}

export interface Room {
  /** So many bytes that nothing else uses. */
  readonly temps: (bytes: number) => number;
  /** Where these numbers lie as those of signals do. */
  readonly constants: (values: readonly number[]) => number;
  /** Where these double-precision numbers lie. */
  readonly doubles: (values: readonly number[]) => number;
  readonly transform: (size: number) => Transforms;
  /** The function of this name, made where it is called first. */
  readonly routine: (name: string, make: (name: string) => Func) => number;
}

/** A function under construction: its graph, and where everything is. */
export interface FunctionContext {
  readonly func: Func;
  readonly graph: Graph;
  readonly storage: Storage;
  readonly room: Room;
  readonly sites: Sites;
  /** The newest sample of each line; none in a backward graph. */
  readonly heads: ReadonlyMap<Line, Local>;
  /** Numbers that are not signals, in locals. */
  readonly values: Map<NodeId, Local>;
  /** Those that have no local of their own all the time, and where they lie. */
  readonly slots: ReadonlyMap<NodeId, number>;
  /** Vectors that are not signals: address of their lanes. */
  readonly arrays: Map<NodeId, number>;
  /** Byte offset of the current sample, one place each. */
  readonly i: Local;
  /** Samples of a run at most, or of the window. */
  readonly frames: number;
}

export interface Operands {
  /** Byte offset of the current sample in a site, from its static address. */
  readonly at: (body: Body, site: Site) => Instr[];
  readonly store: (body: Body, site: Site, value: Value) => void;
  /** The locals that hold a node's value in this body. */
  readonly valueIn: (body: Body, id: NodeId) => Value;
  /** One vector of an operand's lanes, a number in each of them. */
  readonly lanesOf: (body: Body, id: NodeId, chunk: number) => Local;
  readonly copyOf: (body: Body, local: Local) => Local;
  /** A number that is no signal has been computed: from now on everyone finds it. */
  readonly keepNumber: (into: Instr[], id: NodeId, local: Local) => void;
  /** Where the lanes of a matrix lie side by side. */
  readonly matrixIn: (body: Body, id: NodeId, operand: (arg: NodeId) => Value) => number;
  /** After a signal's last use in a body: its locals are free for others. */
  readonly forget: (body: Body, id: NodeId) => void;
}

export function operandsOf(c: FunctionContext): Operands {
  const { func, graph, room, sites, values, slots, arrays, i } = c;
  const { element } = func;
  const shapeOf = (id: NodeId): number => nodeOf(graph, id).shape;
  const isSignal = (id: NodeId): boolean => nodeOf(graph, id).hop > 0;

  /** Byte offset of the current frame in a site, from its static address. */
  const at = (body: Body, { base, places, isDevice = false }: Site): Instr[] => {
    if (isDevice) {
      let half = body.offsets.get('device');
      if (half === undefined) {
        half = func.local('i32');
        body.offsets.set('device', half);
        body.kept.push(half);
        body.code.push(get(i), ['i32.const', 1], ['i32.shr_u']);
        if (base !== null) body.code.push(get(base), ['i32.add']);
        body.code.push(set(half));
      }
      return [get(half)];
    }
    const frame: Instr[] = base === null ? [get(i)] : [get(base), get(i), ['i32.add']];
    if (places === 1) return frame;
    const key = `${base?.index} ${places}`;
    let local = body.offsets.get(key);
    if (local === undefined) {
      local = func.local('i32');
      body.offsets.set(key, local);
      body.kept.push(local);
      body.code.push(...frame, ['i32.const', places], ['i32.mul'], set(local));
    }
    return [get(local)];
  };

  const load = (body: Body, site: Site, type: 'real' | 'int'): Instr[] => {
    if (site.isDevice === true)
      return fromDevice(at(body, site), site.address, isVector(body.form));
    if (isVector(body.form)) return [...at(body, site), ['v128.load', site.address]];
    return [...at(body, site), [`${numberType(element, type)}.load`, site.address]];
  };

  const store = (body: Body, site: Site, value: Value): void => {
    value.forEach((local, chunk) => {
      const where = at(body, site);
      if (site.isDevice === true) {
        body.code.push(...toDevice(where, site.address, local));
        return;
      }
      if (local.type === 'v128' && site.places === 1 && !isVector(body.form)) {
        // A number in all lanes.
        body.code.push(...where, get(local), ['v128.store32_lane', site.address, 0]);
        return;
      }
      body.code.push(...where, get(local), [storeOf(local), site.address + 16 * chunk]);
    });
  };

  /** The locals that hold a node's value in this body. */
  const valueIn = (body: Body, id: NodeId): Value => {
    const found = body.known.get(id);
    if (found !== undefined) return found;
    const isReal = nodeOf(graph, id).type === 'real';
    const isSpread = isReal && shapeOf(id) === 1 && isSignal(id);
    const spread = isSpread ? body.splats.get(id) : undefined;
    if (spread !== undefined) {
      const local = func.local(element.scalar);
      body.code.push(get(spread), [`${element.vector}.extract_lane`, 0], set(local));
      body.known.set(id, [local]);
      return [local];
    }
    const made = shapeOf(id) === 1 ? numberIn(body, id) : vectorIn(body, id);
    if (made.keep) body.known.set(id, made.value);
    return made.value;
  };

  const numberIn = (body: Body, id: NodeId): { value: Value; keep: boolean } => {
    const node = nodeOf(graph, id);
    const type = node.type === 'int' ? intType(body.form) : realType(body.form);
    if (node.op === 'const' || node.op === 'constInt') {
      return constantIn(body, body.numbers, node.op, node.attrs[0]!, type);
    }
    if (isSignal(id)) {
      const site = sites.sources.get(id);
      if (site === undefined) throw new Error(`signal ${id} is used before it is computed`);
      const local = func.local(type);
      const code = load(body, site, node.type);
      body.code.push(...code, set(local));
      return { value: [local], keep: true };
    }
    const slot = slots.get(id);
    if (slot !== undefined) return slotIn(body, slot);
    const scalar = values.get(id);
    if (scalar === undefined) throw new Error(`node ${id} is used before it is computed`);
    if (!isVector(body.form)) return { value: [scalar], keep: false };
    const local = func.fresh(type);
    body.hoisted.push(local);
    const splat = node.type === 'int' ? 'i32x4.splat' : (`${element.vector}.splat` as const);
    body.prologue.push(get(scalar), [splat], set(local));
    return { value: [local], keep: true };
  };

  /** A real number that lies in memory: once in front of a loop. */
  const slotIn = (body: Body, slot: number): { value: Value; keep: boolean } => {
    const type = realType(body.form);
    const local = body.once ? func.local(type) : func.fresh(type);
    if (!body.once) body.hoisted.push(local);
    const load = type === 'v128' ? element.loadSplat : (`${type}.load` as const);
    (body.once ? body.code : body.prologue).push(['i32.const', 0], [load, slot], set(local));
    return { value: [local], keep: true };
  };

  const keepNumber = (into: Instr[], id: NodeId, local: Local): void => {
    const slot = slots.get(id);
    if (slot === undefined) values.set(id, local);
    else {
      into.push(['i32.const', 0], get(local), [storeOf(local), slot]);
      func.release(local);
    }
  };

  /** A constant, where the body has a local for it, or one for now. */
  const constantIn = (
    body: Body,
    scope: Scope,
    op: 'const' | 'constInt',
    value: number,
    type: WasmType,
  ): { value: readonly [Local]; keep: boolean } => {
    const made = op === 'const' ? scope.real(value) : scope.int(value);
    if (made[0] === 'local.get') return { value: [{ index: made[1]!, type }], keep: true };
    const local = scope.local(type);
    body.code.push(made, set(local));
    return { value: [local], keep: false };
  };

  const vectorIn = (body: Body, id: NodeId): { value: Value; keep: boolean } => {
    const node = nodeOf(graph, id);
    const chunks = chunksOf(element, node.shape);
    const every = (make: (chunk: number) => Instr[], hoist: boolean): Value =>
      Array.from({ length: chunks }, (_, chunk) => {
        const local = hoist ? func.fresh('v128') : func.local('v128');
        if (hoist) body.hoisted.push(local);
        (hoist ? body.prologue : body.code).push(...make(chunk), set(local));
        return local;
      });
    if (node.op === 'const') {
      const part = (chunk: number): Instr => packed(element, node.attrs, element.width * chunk);
      return { value: every((chunk) => [part(chunk)], true), keep: true };
    }
    if (isSignal(id)) {
      const site = sites.sources.get(id);
      if (site === undefined) throw new Error(`signal ${id} is used before it is computed`);
      const value = every((c) => [...at(body, site), ['v128.load', site.address + 16 * c]], false);
      return { value, keep: true };
    }
    const address = arrays.get(id);
    if (address === undefined) throw new Error(`node ${id} is used before it is computed`);
    const value = every(
      (c) => [
        ['i32.const', 0],
        ['v128.load', address + 16 * c],
      ],
      !body.once,
    );
    return { value, keep: true };
  };

  /** One vector of an operand's lanes, a number in each of them. */
  const lanesOf = (body: Body, id: NodeId, chunk: number): Local => {
    if (shapeOf(id) > 1 || isVector(body.form)) {
      const value = valueIn(body, id);
      return value[chunk] ?? value[0]!;
    }
    const known = body.splats.get(id);
    if (known !== undefined) return known;
    const { op, type, attrs } = nodeOf(graph, id);
    const isHeld = body.known.has(id) || !isSignal(id) || type === 'int';
    const site = isHeld ? undefined : sites.sources.get(id);
    if (site !== undefined && site.isDevice !== true) {
      const local = func.local('v128');
      body.code.push(...at(body, site), [element.loadSplat, site.address], set(local));
      body.splats.set(id, local);
      return local;
    }
    if (op === 'const' || op === 'constInt') {
      return constantIn(body, body.lanes, op, attrs[0]!, 'v128').value[0];
    }
    const value = valueIn(body, id);
    const splat: Instr = [type === 'int' ? 'i32x4.splat' : `${element.vector}.splat`];
    if (!isSignal(id) && !body.once && body.registers-- <= 0) {
      const address = room.temps(16);
      body.prologue.push(['i32.const', 0], get(value[0]!), splat, ['v128.store', address]);
      const local = func.local('v128');
      body.kept.push(local);
      body.code.push(['i32.const', 0], ['v128.load', address], set(local));
      body.splats.set(id, local);
      return local;
    }
    const inPlace = isSignal(id) || body.once;
    const local = inPlace ? func.local('v128') : func.fresh('v128');
    if (!inPlace) body.hoisted.push(local);
    (inPlace ? body.code : body.prologue).push(get(value[0]!), splat, set(local));
    body.splats.set(id, local);
    return local;
  };

  const copyOf = (body: Body, local: Local): Local => {
    const copy = func.local(local.type);
    body.code.push(get(local), set(copy));
    return copy;
  };

  /** Where the lanes of a matrix lie side by side. */
  const matrixIn = (body: Body, id: NodeId, operand: (arg: NodeId) => Value): number => {
    const { op, attrs, shape } = nodeOf(graph, id);
    if (op === 'const') return room.constants(attrs);
    const known = arrays.get(id);
    if (known !== undefined) return known;
    const address = room.temps(16 * chunksOf(element, shape));
    spill({ func, into: body.code }, operand(id), address);
    if (!isSignal(id)) arrays.set(id, address);
    return address;
  };

  /** After a signal's last use in a body: its locals are free for others. */
  const forget = (body: Body, id: NodeId): void => {
    if (!isSignal(id)) return;
    const value = body.known.get(id) ?? [];
    body.known.delete(id);
    const splat = body.splats.get(id);
    body.splats.delete(id);
    if (splat !== undefined) func.release(splat);
    for (const local of new Set(value)) {
      const mask = body.masks.get(local.index);
      body.masks.delete(local.index);
      func.release(local);
      if (mask !== undefined) func.release(mask);
    }
  };

  return { at, store, valueIn, lanesOf, copyOf, keepNumber, matrixIn, forget };
}

/** How a value is stored, by what holds it. */
export const storeOf = ({
  type,
}: Local): 'v128.store' | 'i32.store' | 'f32.store' | 'f64.store' => {
  if (type === 'i64') throw new Error('no value is an i64');
  return `${type}.store`;
};
