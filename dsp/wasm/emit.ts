/**
 * One graph → the body of one function.
 *
 * Every loop loads what it needs into locals, computes, and stores what other loops, other graphs
 * or later samples need; a recursion's state stays in locals over the loop. Invariants: constants
 * and values that do not change in a loop are in locals before it starts; nothing is called; the
 * four-samples loop and the one-sample rest compute the same.
 *
 * A stream function takes (offset, position, length) in bytes of single-precision samples: where in
 * the channel arrays to start, where in the training window, and how much.
 */

import { isDelay, isFraming, isMemory, nodeOf } from '../ir/graph.ts';
import type { Graph, MemoryOp, NodeId } from '../ir/graph.ts';
import { isStructureOp, isValueOp } from '../interpret/rules.ts';
import type { StructureOp } from '../interpret/rules.ts';
import { chunksOf, makeBody, placesOf } from './body.ts';
import type { Body, Value } from './body.ts';
import { emitFrames } from './frames.ts';
import type { FrameContext } from './frames.ts';
import { addBack, addFrame, placeReturns, readLine } from './lines.ts';
import type { Returns } from './lines.ts';
import type { Line, Storage } from './memory.ts';
import { call, get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { isFilter } from './schedule.ts';
import { COMPARISONS, WASM_RULES, intType, realType } from './rules.ts';
import type { Form, FormRules } from './rules.ts';
import type { Schedule, Stage } from './schedule.ts';
import { placeSignals } from './sites.ts';
import type { Channels, Site } from './sites.ts';
import { fourReals, sound, soundLanes, splatReal } from './snippets.ts';
import {
  concat,
  demote,
  dotProduct,
  filterFour,
  laneSum,
  matvec,
  matvecT,
  outer,
  promote,
  slice,
  spill,
  sumOuter,
} from './structures.ts';
import type { Recording } from './structures.ts';
import { addAndTake, clear, lookup, scatter, sumScatter, writeAndRead } from './tables.ts';
import type { Operand, Table } from './tables.ts';
import { windowSum } from './sums.ts';
import type { WindowSum } from './sums.ts';

/** Static addresses of what a graph reads and writes. */
export interface Ports extends Channels {
  /** Binary64 slots. */
  slider(index: number): number;
  param(index: number): number;
  scalar(index: number): number;
  /** Where an output goes that is one value. */
  value(name: string): number | undefined;
}

/** What code generation asks for while it writes. */
export interface Room {
  /** So many bytes that nothing else uses. */
  readonly temps: (bytes: number) => number;
  /** Where these single-precision numbers lie. */
  readonly constants: (values: readonly number[]) => number;
  /** Where these double-precision numbers lie. */
  readonly doubles: (values: readonly number[]) => number;
  /** The functions that transform real signals of this length. */
  readonly transform: (size: number) => { readonly forward: number; readonly transpose: number };
}

export function emitGraph(
  func: Func,
  graph: Graph,
  schedule: Schedule,
  storage: Storage,
  ports: Ports,
  room: Room,
  frames: number,
): void {
  const isStream = graph.domain === 'stream';
  const position = isStream ? func.param(1) : null;
  const offset = isStream ? func.param(0) : null;
  const length = isStream ? func.param(2) : null;
  const i = func.local('i32');
  const whole = isStream ? func.local('i32') : null;
  const heads = new Map<Line, Local>();
  if (isStream) for (const line of storage.allLines) heads.set(line, func.local('i32'));
  /** Numbers that are not signals. */
  const values = new Map<NodeId, Local>();
  /** Vectors that are not signals: address of their single-precision lanes. */
  const arrays = new Map<NodeId, number>();

  /** Adjoints of lines and tables, which live for one window. */
  const returns = new Map<NodeId, Returns>();
  const returnTables = new Map<NodeId, Table>();

  const bases = { offset, position, heads };
  const { temps } = room;
  const sites = placeSignals(graph, schedule, storage, ports, bases, temps, frames);
  const typeOf = (id: NodeId): 'real' | 'int' => nodeOf(graph, id).type;
  const shapeOf = (id: NodeId): number => nodeOf(graph, id).shape;
  const isSignal = (id: NodeId): boolean => nodeOf(graph, id).hop > 0;
  /** Frames that a later stage reads. */
  const recorded = new Map<NodeId, number>();
  const recursiveLines = new Set(
    [...schedule.recursive].flatMap((id) => {
      const line = storage.lines.get(id) ?? storage.framed.get(id);
      return line !== undefined && typeOf(line.source) === 'real' ? [line] : [];
    }),
  );

  /** How many operations read a node. */
  const users = new Map<NodeId, number>();
  for (const { args } of graph.nodes) {
    for (const arg of args) users.set(arg, (users.get(arg) ?? 0) + 1);
  }
  for (const source of graph.delays.values()) users.set(source, Infinity);

  // ---- Addresses -----------------------------------------------------------------------------

  /** Byte offset of the current frame in a site, from its static address. */
  const at = (body: Body, { base, places }: Site): Instr[] => {
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
    if (body.form === 'f32x4') return [...at(body, site), ['v128.load', site.address]];
    return [...at(body, site), [type === 'int' ? 'i32.load' : 'f32.load', site.address]];
  };

  const store = (body: Body, site: Site, value: Value): void => {
    value.forEach((local, chunk) => {
      const mnemonic = ({ v128: 'v128.store', i32: 'i32.store', f32: 'f32.store' } as const)[
        local.type as 'v128' | 'i32' | 'f32'
      ];
      const where = at(body, site);
      body.code.push(...where, get(local), [mnemonic, site.address + 16 * chunk]);
    });
  };

  // ---- One body: a loop in one form, or the values of a stage ------------------------------------

  const newBody = (form: Form, once = false): Body => makeBody(func, form, once);

  /** The locals that hold a node's value in this body. */
  const valueIn = (body: Body, id: NodeId): Value => {
    const found = body.known.get(id);
    if (found !== undefined) return found;
    const made = shapeOf(id) === 1 ? numberIn(body, id) : vectorIn(body, id);
    if (made.keep) body.known.set(id, made.value);
    return made.value;
  };

  const numberIn = (body: Body, id: NodeId): { value: Value; keep: boolean } => {
    const node = nodeOf(graph, id);
    const type = node.type === 'int' ? intType(body.form) : realType(body.form);
    if (node.op === 'const' || node.op === 'constInt') {
      const [value = 0] = node.attrs;
      const [, index] = node.op === 'const' ? body.numbers.real(value) : body.numbers.int(value);
      return { value: [{ index: index!, type }], keep: true };
    }
    if (isSignal(id)) {
      const site = sites.sources.get(id);
      if (site === undefined) throw new Error(`signal ${id} is used before it is computed`);
      const local = func.local(type);
      const code = load(body, site, node.type);
      body.code.push(...code, set(local));
      return { value: [local], keep: true };
    }
    const scalar = values.get(id);
    if (scalar === undefined) throw new Error(`node ${id} is used before it is computed`);
    if (body.form !== 'f32x4') return { value: [scalar], keep: false };
    const local = func.fresh(type);
    body.hoisted.push(local);
    const splat = node.type === 'int' ? 'i32x4.splat' : 'f32x4.splat';
    body.prologue.push(get(scalar), [splat], set(local));
    return { value: [local], keep: true };
  };

  const vectorIn = (body: Body, id: NodeId): { value: Value; keep: boolean } => {
    const node = nodeOf(graph, id);
    const chunks = chunksOf(node.shape);
    const every = (make: (chunk: number) => Instr[], hoist: boolean): Value =>
      Array.from({ length: chunks }, (_, chunk) => {
        const local = hoist ? func.fresh('v128') : func.local('v128');
        if (hoist) body.hoisted.push(local);
        (hoist ? body.prologue : body.code).push(...make(chunk), set(local));
        return local;
      });
    if (node.op === 'const') {
      return { value: every((chunk) => [fourReals(node.attrs, 4 * chunk)], true), keep: true };
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

  /** Four lanes of an operand, a number in each of them. */
  const fourOf = (body: Body, id: NodeId, chunk: number): Local => {
    const value = valueIn(body, id);
    if (shapeOf(id) > 1 || body.form === 'f32x4') return value[chunk] ?? value[0]!;
    const known = body.splats.get(id);
    if (known !== undefined) return known;
    const { op, type, attrs } = nodeOf(graph, id);
    if (op === 'const' || op === 'constInt') {
      const [number = 0] = attrs;
      const [, index] = op === 'const' ? body.lanes.real(number) : body.lanes.int(number);
      return { index: index!, type: 'v128' };
    }
    const splat: Instr = [type === 'int' ? 'i32x4.splat' : 'f32x4.splat'];
    const inPlace = isSignal(id) || body.once;
    const local = inPlace ? func.local('v128') : func.fresh('v128');
    if (!inPlace) body.hoisted.push(local);
    (inPlace ? body.code : body.prologue).push(get(value[0]!), splat, set(local));
    body.splats.set(id, local);
    return local;
  };

  /** One value operation on given operands, numbers or four lanes each. */
  const apply = (body: Body, id: NodeId, operands: readonly Local[], isVector: boolean): Local => {
    const node = nodeOf(graph, id);
    if (!isValueOp(node.op)) throw new Error(`${node.op} is not computed from operands`);
    const rules: FormRules = WASM_RULES[node.op];
    const [real, int] = isVector
      ? [rules.vector, rules.intVector]
      : [rules.scalar, rules.intScalar];
    const rule = typeOf(node.args.at(-1)!) === 'int' ? int : real;
    if (rule === null) throw new Error(`${node.op} has no form for ${isVector ? 'lanes' : 'one'}`);
    const scope = isVector ? body.lanes : body.numbers;
    const local = func.local(node.type === 'int' ? intType(scope.form) : realType(scope.form));
    const made = rule(operands, scope);
    body.code.push(...made);
    if (isVector && COMPARISONS.has(node.op)) {
      // Lanes of −1: kept as a mask for select, negated for arithmetic.
      const mask = func.local('v128');
      body.masks.set(local.index, mask);
      body.code.push(set(mask), get(mask), ['i32x4.neg']);
    }
    body.code.push(set(local));
    for (const used of body.scratch.splice(0)) func.release(used);
    return local;
  };

  /** Computes a value operation into locals. */
  const compute = (body: Body, id: NodeId): Value => {
    const node = nodeOf(graph, id);
    if (isMemory(node.op)) return remember(body, id, node.op);
    if (body.form === 'f32x4' && isFilter(graph, id)) {
      const [weights, frame] = node.args as [NodeId, NodeId];
      const site = sites.sources.get(frame)!;
      const address = matrixIn(body, weights, (arg) => valueIn(body, arg));
      const w = { func, into: body.code };
      const made = filterFour(w, address, at(body, site), site.address, shapeOf(frame));
      body.known.set(id, made);
      return made;
    }
    if (node.op === 'overlapT') {
      const { base } = storage.overlaps.get(id)!;
      const here = at(body, { address: 0, base: null, places: 1 });
      const v = valueIn(body, node.args[0]!);
      const made = addFrame({ func, into: body.code }, base, here, v, shapeOf(node.args[0]!));
      body.known.set(id, made);
      return made;
    }
    if (isStructureOp(node.op)) {
      const made = restructure(body, id, (arg) => valueIn(body, arg));
      body.known.set(id, made);
      return made;
    }
    const product = node.args.find((a) => products.has(a));
    if (product !== undefined) {
      const made = addProductOf(body, id, product);
      body.known.set(id, made);
      return made;
    }
    const isVector = body.form === 'f32x4' || node.shape > 1;
    const value = Array.from({ length: chunksOf(node.shape) }, (_, chunk) => {
      const operands = node.args.map((a) =>
        isVector ? fourOf(body, a, chunk) : valueIn(body, a)[0]!,
      );
      return apply(body, id, operands, isVector);
    });
    body.known.set(id, value);
    return value;
  };

  /** Computes an operation on whole vectors into locals. */
  const restructure = (body: Body, id: NodeId, operand: (arg: NodeId) => Value): Value => {
    const { op, args, attrs, shape } = nodeOf(graph, id);
    const [a, b = a] = args as [NodeId, NodeId?];
    const lanes = args.map(shapeOf);
    const w = { func, into: body.code };
    if (!isStructureOp(op)) throw new Error(`${op} works lane by lane`);
    if (shape === 1 && lanes.every((n) => n === 1) && OF_NUMBERS.has(op)) {
      // Numbers alone stay in the form of the body.
      const [x, y] = args.map((arg) => operand(arg)[0]!) as [Local, Local?];
      const result = copyOf(body, x);
      if (y !== undefined) body.code.push(get(x), get(y), [`${body.form}.mul`], set(result));
      return [result];
    }
    switch (op) {
      case 'concat':
        return concat(w, args.map(operand), lanes);
      case 'slice':
        return slice(w, operand(a), attrs[0]!, shape);
      case 'splat': {
        const [one] = operand(a) as [Local];
        const spread = typeOf(a) === 'int' ? 'i32x4.splat' : 'f32x4.splat';
        return Array.from({ length: chunksOf(shape) }, () => {
          const four = func.local('v128');
          body.code.push(get(one), [spread], set(four));
          return four;
        });
      }
      case 'laneSum': {
        const product = products.get(a);
        if (product === undefined) return laneSum(w, operand(a), lanes[0]!);
        const [x, y] = product.map((arg) =>
          shapeOf(arg) > 1 ? valueIn(body, arg) : [fourOf(body, arg, 0)],
        ) as [Value, Value];
        return dotProduct(w, x, y, lanes[0]!);
      }
      case 'matvec': {
        const columns = lanes[1]!;
        const m = { address: matrixIn(body, a, operand), rows: shape, columns };
        return matvec(w, m, operand(b), () => temps(16 * chunksOf(columns)));
      }
      case 'matvecT': {
        const m = { address: matrixIn(body, a, operand), rows: lanes[1]!, columns: shape };
        return matvecT(w, m, operand(b), () => temps(16 * chunksOf(shape)));
      }
      case 'outer':
        return outer(w, operand(a), operand(b), lanes[0]!, lanes[1]!);
      case 'lookup': {
        const [index] = operand(b) as [Local];
        if (lanes[0] === 1) return [copyOf(body, operand(a)[0]!)];
        const table = { address: matrixIn(body, a, operand), size: lanes[0]!, places: 1 };
        return lookup(w, body.numbers, table, index, () => temps(16));
      }
      case 'scatter': {
        const [value, index] = args.map((arg) => operand(arg)[0]!) as [Local, Local];
        const table = { address: temps(16 * chunksOf(shape)), size: shape, places: 1 };
        return scatter(w, body.numbers, table, value, index);
      }
      case 'rfft':
      case 'rfftT': {
        const from = temps(16 * chunksOf(lanes[0]!));
        const into = temps(16 * chunksOf(shape));
        spill(w, operand(a), from);
        const { forward, transpose } = room.transform(op === 'rfft' ? shape - 2 : shape);
        body.code.push(['i32.const', from], ['i32.const', into]);
        body.code.push(call(op === 'rfft' ? forward : transpose));
        return Array.from({ length: chunksOf(shape) }, (_, chunk) => {
          const four = func.local('v128');
          body.code.push(['i32.const', 0], ['v128.load', into + 16 * chunk], set(four));
          return four;
        });
      }
    }
  };

  /** Products of which only one sum is made, in the same loop: made together with it. */
  const products = new Map<NodeId, readonly [NodeId, NodeId]>();

  const findProducts = (kind: 'vector' | 'serial', members: readonly NodeId[]): void => {
    const inLoop = new Set(members);
    const isOwn = (id: NodeId | undefined): id is NodeId =>
      id !== undefined &&
      inLoop.has(id) &&
      nodeOf(graph, id).op === 'mul' &&
      users.get(id) === 1 &&
      !sites.sinks.has(id);
    const take = (id: NodeId): void => {
      products.set(id, nodeOf(graph, id).args as readonly [NodeId, NodeId]);
    };
    for (const id of members) {
      const { op, args, type } = nodeOf(graph, id);
      const [a, b] = args;
      if (op === 'laneSum' && isOwn(a)) take(a);
      if (!func.fused || type === 'int' || (op !== 'add' && op !== 'sub')) continue;
      const isWide = (product: NodeId): boolean => kind === 'vector' || shapeOf(product) > 1;
      if (isOwn(b) && isWide(b)) take(b);
      else if (op === 'add' && isOwn(a) && isWide(a)) take(a);
    }
  };

  /** c + x·y or c − x·y, rounded once where the form can. */
  const addProductOf = (body: Body, id: NodeId, product: NodeId): Value => {
    const { op, args, shape } = nodeOf(graph, id);
    const [x, y] = products.get(product)!;
    const c = args[0] === product ? args[1]! : args[0]!;
    const isVector = body.form === 'f32x4' || shape > 1;
    const type = isVector ? 'v128' : 'f32';
    return Array.from({ length: chunksOf(shape) }, (_, chunk) => {
      const one = (of: NodeId): Instr =>
        get(isVector ? fourOf(body, of, chunk) : valueIn(body, of)[0]!);
      const [first, second, third] = [one(x), one(y), one(c)];
      const local = func.local(type);
      if (isVector) {
        const fused = op === 'add' ? 'f32x4.relaxed_madd' : 'f32x4.relaxed_nmadd';
        body.code.push(first, second, third, [fused], set(local));
      } else {
        body.code.push(third, first, second, ['f32.mul'], [`f32.${op as 'add' | 'sub'}`]);
        body.code.push(set(local));
      }
      return local;
    });
  };

  /** Computes an operation with a memory of its own into locals. */
  const remember = (body: Body, id: NodeId, op: MemoryOp): Value => {
    const { args, attrs, shape } = nodeOf(graph, id);
    const w = { func, into: body.code };
    const s = body.numbers;
    const index = (k: number): Local => valueIn(body, args[k]!)[0]!;
    const made = (): Value => {
      switch (op) {
        case 'line': {
          const line = storage.lines.get(id)!;
          const site = { address: 0, base: heads.get(line) ?? null, places: line.places };
          const d = index(1);
          return readLine(w, s, line, shape, at(body, site), d, attrs[0]!, () => temps(16));
        }
        case 'lineT': {
          const v = valueIn(body, args[0]!);
          const d = index(1);
          const kept = returns.get(id)!;
          const here = at(body, { address: 0, base: null, places: kept.places });
          return addBack(w, s, kept, here, v, shape, d);
        }
        case 'rwtable': {
          const written = valueIn(body, args[1]!);
          return writeAndRead(w, s, storage.tables.get(id)!, written, shape, [index(2), index(3)]);
        }
        case 'rwtableT': {
          const added = valueIn(body, args[0]!);
          return addAndTake(w, s, returnTables.get(id)!, added, shape, [index(1), index(2)]);
        }
      }
    };
    const value = made();
    body.known.set(id, value);
    return value;
  };

  /** The adjoints of frames, lines and tables start at 0 in every window. */
  const beginMemory = (id: NodeId): void => {
    const { op, attrs, shape } = nodeOf(graph, id);
    const [size = 1] = attrs;
    const places = placesOf(shape);
    const overlap = storage.overlaps.get(id);
    if (overlap !== undefined) clear(func.body, overlap.base, 4 * (overlap.size + frames));
    if (op === 'lineT') {
      const kept = placeReturns(size, frames, places, temps);
      returns.set(id, kept);
      clear(func.body, kept.address, kept.bytes);
    } else if (op === 'rwtableT') {
      const bytes = 4 * places * size;
      const table = { address: temps(bytes), size, places };
      returnTables.set(id, table);
      clear(func.body, table.address, bytes);
    }
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
    const address = temps(16 * chunksOf(shape));
    spill({ func, into: body.code }, operand(id), address);
    if (!isSignal(id)) arrays.set(id, address);
    return address;
  };

  /** After a signal's last use in a body: its locals are free for others. */
  const forget = (body: Body, id: NodeId): void => {
    const value = body.known.get(id);
    if (value === undefined || !isSignal(id)) return;
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

  // ---- Loops -----------------------------------------------------------------------------------

  const bytes = 4 * frames;
  const vectorBytes = bytes & ~15;
  const [fours, rest] = [frames >> 2, frames & 3];
  let loopLow = 0;

  /** Runs a body's code over the samples that `form` takes. */
  const wrap = (body: Body, rounds: number): void => {
    const step = body.form === 'f32x4' ? 16 : 4;
    func.append(body.prologue);
    for (const local of [...body.hoisted, ...body.kept]) func.release(local);
    if (isStream) {
      const end = body.form === 'f32x4' ? whole! : length!;
      func.emit(['block'], get(i), get(end), ['i32.ge_u'], ['br_if', 0]);
      func.emit(['loop', rounds]);
      func.append(body.code);
      func.emit(get(i), ['i32.const', step], ['i32.add'], ['local.tee', i.index]);
      func.emit(get(end), ['i32.lt_u'], ['br_if', 0], ['end'], ['end']);
    } else {
      func.emit(['loop', rounds]);
      func.append(body.code);
      func.emit(get(i), ['i32.const', step], ['i32.sub'], ['local.tee', i.index]);
      // Downwards: the last round leaves i below the first byte of its part.
      const low = body.form === 'f32x4' || loopLow === 0 ? 0 : loopLow;
      func.emit(['i32.const', low], ['i32.ge_s'], ['br_if', 0], ['end']);
    }
  };

  /** Runs vector form and one-sample rest of a loop, or only the one-sample form. */
  const run = (kind: 'vector' | 'serial', emitBody: (form: Form) => Body): void => {
    if (isStream) {
      func.emit(['i32.const', 0], set(i));
      if (kind === 'vector') wrap(emitBody('f32x4'), Math.ceil(frames / 4));
      else wrap(emitBody('f32'), frames);
      return;
    }
    if (kind === 'serial') {
      loopLow = 0;
      func.emit(['i32.const', bytes - 4], set(i));
      wrap(emitBody('f32'), frames);
      return;
    }
    if (vectorBytes < bytes) {
      loopLow = vectorBytes;
      func.emit(['i32.const', bytes - 4], set(i));
      wrap(emitBody('f32'), rest);
    }
    if (vectorBytes > 0) {
      loopLow = 0;
      func.emit(['i32.const', vectorBytes - 16], set(i));
      wrap(emitBody('f32x4'), fours);
    }
  };

  const emitLoop = (
    kind: 'vector' | 'serial',
    scheduled: readonly NodeId[],
    copied: readonly NodeId[],
  ): void => {
    // The last samples are read where they lie by whoever needs them.
    const isRead = (id: NodeId): boolean => isFraming(nodeOf(graph, id).op) && !sites.sinks.has(id);
    const members = scheduled.filter((id) => !isRead(id));
    if (members.length === 0 && copied.length === 0) return;
    const sums = new Map<NodeId, WindowSum>();
    for (const id of members) {
      beginMemory(id);
      if (nodeOf(graph, id).op !== 'sum') continue;
      const sum = windowSum(func, shapeOf(id), frames);
      sums.set(id, sum);
      func.append(sum.begin);
    }
    // State of one-frame recursions.
    const states = new Map<NodeId, Value>();
    for (const id of members) {
      const address = storage.carries.get(id);
      if (address === undefined) continue;
      const type = shapeOf(id) > 1 ? 'v128' : typeOf(id) === 'int' ? 'i32' : 'f32';
      const state = Array.from({ length: chunksOf(shapeOf(id)) }, () => func.local(type));
      states.set(id, state);
      state.forEach((local, chunk) => {
        if (isStream) func.emit(['i32.const', 0], [LOADS[type], address + 16 * chunk], set(local));
        else func.emit(type === 'v128' ? splatReal(0) : [`${type}.const`, 0], set(local));
      });
    }

    findProducts(kind, members);
    // Where each signal is read for the last time: by a member's place, or at the end of the loop.
    const lastUse = new Map<NodeId, number>();
    const readBy = (id: NodeId): readonly NodeId[] =>
      nodeOf(graph, id).args.flatMap((arg) => products.get(arg) ?? [arg]);
    members.forEach((id, n) => {
      if (products.has(id)) return;
      lastUse.set(id, n);
      for (const arg of readBy(id)) lastUse.set(arg, n);
    });
    for (const id of states.keys()) lastUse.set(graph.delays.get(id)!, Infinity);

    run(kind, (form) => {
      const body = newBody(form);
      const keep = (id: NodeId, value: Value): void => {
        for (const site of sites.sinks.get(id) ?? []) store(body, site, value);
      };
      for (const id of copied) keep(id, valueIn(body, id));
      members.forEach((id, n) => {
        if (products.has(id)) return;
        const node = nodeOf(graph, id);
        const state = states.get(id);
        if (state !== undefined) {
          const value = state.map((local) => copyOf(body, local));
          body.known.set(id, value);
          keep(id, value);
        } else if (node.op === 'sum') {
          body.code.push(...sums.get(id)!.add(valueIn(body, node.args[0]!)));
        } else {
          keep(id, isDelay(node.op) || isFraming(node.op) ? valueIn(body, id) : compute(body, id));
        }
        for (const used of new Set([id, ...readBy(id)])) {
          if (lastUse.get(used) === n) forget(body, used);
        }
      });
      for (const [id, state] of states) {
        const next = valueIn(body, graph.delays.get(id)!);
        state.forEach((local, chunk) => body.code.push(get(next[chunk]!), set(local)));
      }
      for (const id of body.known.keys()) forget(body, id);
      return body;
    });

    for (const [id, sum] of sums) {
      if (shapeOf(id) === 1) {
        values.set(id, sum.total());
      } else {
        const address = temps(16 * chunksOf(shapeOf(id)));
        sum.store(address);
        arrays.set(id, address);
      }
    }
    if (isStream) {
      for (const [id, state] of states) {
        const address = storage.carries.get(id)!;
        state.forEach((local, chunk) => {
          func.emit(['i32.const', 0]);
          if (local.type === 'i32') func.emit(get(local), ['i32.store', address]);
          else if (typeOf(id) === 'int') {
            // What is sound as a real is not asked of ints.
            func.emit(get(local), ['v128.store', address + 16 * chunk]);
          } else if (local.type === 'f32') func.emit(...sound(local), ['f32.store', address]);
          else func.emit(...soundLanes(local), ['v128.store', address + 16 * chunk]);
        });
      }
    }
    for (const local of [...states.values()].flat()) func.release(local);
  };

  const emitValues = (members: readonly NodeId[]): void => {
    const body = newBody('f32', true);
    for (const id of members) {
      const node = nodeOf(graph, id);
      if (node.op === 'const' || node.op === 'constInt') continue;
      if (isValueOp(node.op) || isStructureOp(node.op)) {
        const value = compute(body, id);
        if (node.shape === 1) values.set(id, value[0]!);
        else keepArray(body, id, value);
        continue;
      }
      if (node.shape > 1) {
        if (node.op !== 'param') throw new Error(`${node.op} has no lanes`);
        const address = temps(16 * chunksOf(node.shape));
        demote({ func, into: body.code }, ports.param(node.attrs[0]!), address, node.shape);
        arrays.set(id, address);
        continue;
      }
      const local = func.local('f32');
      const address = leafAddress(ports, node.op, node.attrs[0]!);
      body.code.push(['i32.const', 0], ['f64.load', address], ['f32.demote_f64'], set(local));
      values.set(id, local);
      body.known.set(id, [local]);
    }
    func.append(body.prologue);
    func.append(body.code);
    for (const [id, value] of body.known) {
      if (shapeOf(id) > 1) for (const local of new Set(value)) func.release(local);
    }
    for (const local of [...body.splats.values(), ...body.kept]) func.release(local);
  };

  /** A vector that other loops will read. */
  const keepArray = (body: Body, id: NodeId, value: Value): void => {
    const address = temps(16 * chunksOf(shapeOf(id)));
    spill({ func, into: body.code }, value, address);
    arrays.set(id, address);
  };

  /** Products of two signals, summed over the window. */
  const emitProducts = (members: readonly NodeId[]): void => {
    for (const id of members) {
      if (nodeOf(graph, id).op === 'sumScatter') {
        emitScatters(id);
        continue;
      }
      const [a, b] = nodeOf(graph, id).args.map((arg): Recording => {
        const site = sites.sources.get(arg);
        if (site === undefined) throw new Error(`signal ${arg} is used before it is computed`);
        return { address: site.address, stride: 4 * site.places, lanes: shapeOf(arg) };
      }) as [Recording, Recording];
      const address = temps(16 * chunksOf(shapeOf(id)));
      sumOuter({ func, into: func.body }, a, b, frames, address);
      keepTotal(id, address);
    }
  };

  /** A reduction over the window that has been made in memory. */
  const keepTotal = (id: NodeId, address: number): void => {
    if (shapeOf(id) > 1) {
      arrays.set(id, address);
      return;
    }
    const local = func.local('f32');
    func.emit(['i32.const', 0], ['f32.load', address], set(local));
    values.set(id, local);
  };

  /** Numbers at indices, summed over the window place by place. */
  const emitScatters = (id: NodeId): void => {
    const { args, shape } = nodeOf(graph, id);
    const body = newBody('f32', true);
    const operands = args.map((arg): Operand => {
      if (!isSignal(arg)) return valueIn(body, arg)[0]!;
      const site = sites.sources.get(arg);
      if (site === undefined) throw new Error(`signal ${arg} is used before it is computed`);
      return { address: site.address };
    });
    const pairs = Array.from({ length: args.length / 2 }, (_, k) => ({
      value: operands[2 * k]!,
      index: operands[2 * k + 1]!,
    }));
    const address = temps(16 * chunksOf(shape));
    const w = { func, into: body.code };
    sumScatter(w, body.numbers, pairs, frames, shape, [temps(8 * shape), address]);
    func.append(body.prologue);
    func.append(body.code);
    keepTotal(id, address);
  };

  // ---- Frames ------------------------------------------------------------------------------------

  const frameContext = (): FrameContext => ({
    func,
    graph,
    storage,
    channels: ports,
    bases,
    sources: sites.sources,
    i: i,
    length,
    frames,
    values,
    arrays,
    recorded,
    temps,
    constants: room.constants,
    transform: room.transform,
    valueIn,
    compute,
    apply,
    restructure,
  });

  /** Is a node read by a stage after this one? */
  const isReadAfter = (stage: number): ((id: NodeId) => boolean) => {
    const late = new Set<NodeId>();
    for (const [user, place] of schedule.place) {
      if (place.stage > stage) for (const arg of nodeOf(graph, user).args) late.add(arg);
    }
    return (id) => late.has(id);
  };

  /** Samples that frames have been added to move up; what comes behind them is empty again. */
  const moveOverlaps = (): void => {
    for (const { base, size } of storage.overlaps.values()) {
      func.emit(['i32.const', base], get(length!), ['i32.const', base], ['i32.add']);
      func.emit(['i32.const', 4 * size], ['memory.copy']);
      func.emit(['i32.const', base + 4 * size], ['i32.const', 0], get(length!), ['memory.fill']);
    }
    for (const [hop, address] of storage.phases) {
      func.emit(['i32.const', 0], ['i32.const', 0], ['i32.load', address], get(length!));
      func.emit(['i32.add'], ['i32.const', 4 * hop], ['i32.rem_u'], ['i32.store', address]);
    }
  };

  // ---- The function ------------------------------------------------------------------------------

  if (isStream) {
    // Four samples at a time to the end and over it: what is behind is written again.
    func.emit(get(length!), ['i32.const', 15], ['i32.add']);
    func.emit(['i32.const', -16], ['i32.and'], set(whole!));
    for (const [line, head] of heads) {
      func.emit(['i32.const', 0], ['i32.load', line.head], set(head));
      func.emit(
        get(head),
        get(length!),
        ['i32.add'],
        ['i32.const', line.capacity - 4 * line.depth],
      );
      func.emit(['i32.gt_u'], ['if']);
      func.emit(['i32.const', line.base]);
      func.emit(get(head), ['i32.const', line.places], ['i32.mul']);
      func.emit(['i32.const', line.base], ['i32.add']);
      func.emit(['i32.const', 4 * line.places * line.depth], ['memory.copy']);
      func.emit(['i32.const', 0], set(head));
      func.emit(['end']);
    }
  }
  const { stages } = schedule;
  (stages.length > 0 ? stages : [EMPTY_STAGE]).forEach((stage, k) => {
    const copied = sites.copies.get(k) ?? [];
    const isNumber = (id: NodeId): boolean => shapeOf(id) === 1;
    func.begin('value');
    emitValues(stage.value);
    func.begin('vector');
    emitLoop('vector', stage.vector, copied.filter(isNumber));
    func.begin('serial');
    emitLoop(
      'serial',
      stage.serial,
      copied.filter((id) => !isNumber(id)),
    );
    func.begin('product');
    emitProducts(stage.product);
    func.begin('frame');
    if (stage.frame.length > 0) emitFrames(frameContext(), stage.frame, isReadAfter(k));
  });

  func.begin('upkeep');
  const last = newBody('f32', true);
  for (const { name, node } of graph.outputs) {
    const address = ports.value(name);
    if (address === undefined) continue;
    if (shapeOf(node) > 1) {
      const from = arrays.get(node) ?? room.constants(nodeOf(graph, node).attrs);
      promote({ func, into: last.code }, from, address, shapeOf(node));
      continue;
    }
    const [value] = valueIn(last, node) as [Local];
    last.code.push(['i32.const', 0], get(value));
    if (value.type === 'f32') last.code.push(['f64.promote_f32']);
    last.code.push(['f64.store', address]);
  }
  func.append(last.prologue);
  func.append(last.code);

  if (isStream) moveOverlaps();
  // What a recursion writes must not end in denormals: one loop for numbers, one for vectors.
  const decaying = [...heads].filter(([line]) => recursiveLines.has(line));
  for (const kind of ['vector', 'serial'] as const) {
    const lines = decaying.filter(([line]) => (line.places === 1) === (kind === 'vector'));
    if (lines.length === 0) continue;
    run(kind, (form) => {
      const body = newBody(form);
      for (const [line, head] of lines) {
        const { places } = line;
        const site: Site = { address: line.base + 4 * places * line.depth, base: head, places };
        const type = places === 1 ? realType(form) : 'v128';
        for (let chunk = 0; chunk < chunksOf(places); chunk++) {
          const value = func.local(type);
          const where = at(body, site);
          const place = site.address + 16 * chunk;
          const quiet = type === 'v128' ? soundLanes(value) : sound(value);
          body.code.push(...where, [LOADS[type as 'v128' | 'f32'], place], set(value));
          body.code.push(...where, ...quiet);
          body.code.push([type === 'v128' ? 'v128.store' : 'f32.store', place]);
          func.release(value);
        }
      }
      return body;
    });
  }
  for (const [line, head] of heads) {
    func.emit(['i32.const', 0], get(head), get(length!), ['i32.add'], ['i32.store', line.head]);
  }
}

/** For a graph that only passes on what it hears. */
const EMPTY_STAGE: Stage = { value: [], vector: [], serial: [], product: [], frame: [] };

/** What is a number itself, or the product of two, where all lanes are one. */
const OF_NUMBERS: ReadonlySet<StructureOp> = new Set<StructureOp>([
  ...(['concat', 'slice', 'splat', 'laneSum'] as const),
  ...(['matvec', 'matvecT', 'outer'] as const),
]);

/** How a state is read. */
const LOADS = { v128: 'v128.load', f32: 'f32.load', i32: 'i32.load' } as const;

function leafAddress(ports: Ports, op: string, index: number): number {
  if (op === 'slider') return ports.slider(index);
  if (op === 'param') return ports.param(index);
  if (op === 'scalar') return ports.scalar(index);
  throw new Error(`${op} is not a value`);
}
