/**
 * How the code of a body computes: one operation at a time, from locals into locals.
 *
 * Invariant: a number is computed in the form of the body, a vector as many lanes at a time as fit; a product of
 * which only one sum is made is made together with it, so that it may be rounded once.
 */

import { isMemory, nodeOf } from '../ir/graph.ts';
import type { MemoryOp, NodeId } from '../ir/graph.ts';
import { isStructureOp, isValueOp } from '../interpret/rules.ts';
import type { StructureOp } from '../interpret/rules.ts';
import type { Body, Value } from './body.ts';
import { chunksOf, intType, isVector as isVectorForm, placesOf, realType } from './element.ts';
import { addBack, addFrame, addSteadily, placeReturns, readLine, readSteadily } from './lines.ts';
import type { Returns } from './lines.ts';
import { call, get, set } from './module.ts';
import type { Instr, Local } from './module.ts';
import type { FunctionContext, Operands } from './operands.ts';
import { COMPARISONS, WASM_RULES } from './rules.ts';
import type { FormRules } from './rules.ts';
import { isFilter } from './schedule.ts';
import { filter, matvec, matvecT, outer } from './matrices.ts';
import { concat, dotProduct, laneSum, slice, spill } from './structures.ts';
import { addAndTake, clear, lookup, scatter, writeAndRead } from './tables.ts';
import type { Table } from './tables.ts';
import { walkOf } from './walks.ts';

export interface Computer {
  /** One value operation on given operands, numbers or vectors. */
  readonly apply: (body: Body, id: NodeId, operands: readonly Local[], isVector: boolean) => Local;
  /** Computes an operation into locals. */
  readonly compute: (body: Body, id: NodeId) => Value;
  /** Computes an operation on whole vectors into locals. */
  readonly restructure: (body: Body, id: NodeId, operand: (arg: NodeId) => Value) => Value;
  /** Finds the products of a loop that are made together with their sums; over the window, if `isAdded`. */
  readonly findProducts: (
    kind: 'vector' | 'serial',
    members: readonly NodeId[],
    isAdded: (sum: NodeId) => boolean,
  ) => void;
  /** The factors of those. */
  readonly products: ReadonlyMap<NodeId, readonly [NodeId, NodeId]>;
  /** In front of a loop: the adjoints of frames, lines and tables start at 0 in every window. */
  readonly beginMemory: (id: NodeId) => void;
}

export function computerOf(c: FunctionContext, o: Operands): Computer {
  const { func, graph, storage, room, sites, heads, values, frames } = c;
  const { at, valueIn, lanesOf, copyOf, matrixIn } = o;
  const { element } = func;
  const chunks = (lanes: number): number => chunksOf(element, lanes);
  const { temps } = room;
  const typeOf = (id: NodeId): 'real' | 'int' => nodeOf(graph, id).type;
  const shapeOf = (id: NodeId): number => nodeOf(graph, id).shape;
  /** Adjoints of lines and tables, which live for one window. */
  const returns = new Map<NodeId, Returns>();
  const returnTables = new Map<NodeId, Table>();
  /** How many operations read a node; of what others read as well, more than can be counted. */
  const users = new Map<NodeId, number>();
  for (const { args } of graph.nodes) {
    for (const arg of args) users.set(arg, (users.get(arg) ?? 0) + 1);
  }
  for (const source of graph.delays.values()) users.set(source, Infinity);
  for (const { node } of graph.outputs) users.set(node, Infinity);

  /** One value operation on given operands, numbers or vectors. */
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

  /** Is it computed in all four lanes, though it is one number? */
  const isWide = (body: Body, id: NodeId): boolean => {
    const { op, args, type, shape } = nodeOf(graph, id);
    if (!body.wide || shape > 1 || type === 'int' || !isValueOp(op)) return false;
    if (op === 'toReal') return true;
    const { vector }: FormRules = WASM_RULES[op];
    return vector !== null && args.every((arg) => typeOf(arg) === 'real');
  };

  /** Computes a value operation into locals. */
  const compute = (body: Body, id: NodeId): Value => {
    const node = nodeOf(graph, id);
    if (isMemory(node.op)) return remember(body, id, node.op);
    if (isVectorForm(body.form) && isFilter(graph, id)) {
      const [weights, frame] = node.args as [NodeId, NodeId];
      const site = sites.sources.get(frame)!;
      const address = matrixIn(body, weights, (arg) => valueIn(body, arg));
      const w = { func, into: body.code };
      const made = filter(w, address, at(body, site), site.address, shapeOf(frame));
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
      if (isWide(body, id)) body.splats.set(id, made[0]!);
      else body.known.set(id, made);
      return made;
    }
    const isSpread = isWide(body, id);
    const isVector = isVectorForm(body.form) || node.shape > 1 || isSpread;
    const value = Array.from({ length: chunks(node.shape) }, (_, chunk) => {
      const operands = node.args.map((a) =>
        isVector ? lanesOf(body, a, chunk) : valueIn(body, a)[0]!,
      );
      return apply(body, id, operands, isVector);
    });
    if (isSpread) body.splats.set(id, value[0]!);
    else body.known.set(id, value);
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
        const spread = typeOf(a) === 'int' ? 'i32x4.splat' : (`${element.vector}.splat` as const);
        return Array.from({ length: chunks(shape) }, () => {
          const four = func.local('v128');
          body.code.push(get(one), [spread], set(four));
          return four;
        });
      }
      case 'laneSum': {
        const product = products.get(a);
        if (product === undefined) return laneSum(w, operand(a), lanes[0]!);
        const [x, y] = product.map((arg) =>
          shapeOf(arg) > 1 ? valueIn(body, arg) : [lanesOf(body, arg, 0)],
        ) as [Value, Value];
        return dotProduct(w, x, y, lanes[0]!);
      }
      case 'matvec': {
        const columns = lanes[1]!;
        const m = { address: matrixIn(body, a, operand), rows: shape, columns };
        return matvec(w, m, operand(b), () => temps(16 * chunks(columns)));
      }
      case 'matvecT': {
        const m = { address: matrixIn(body, a, operand), rows: lanes[1]!, columns: shape };
        return matvecT(w, m, operand(b), () => temps(16 * chunks(shape)));
      }
      case 'outer':
        return outer(w, operand(a), operand(b), lanes[0]!, lanes[1]!);
      case 'solve':
        throw new Error('equations are solved in graphs without time');
      case 'lookup': {
        const [index] = operand(b) as [Local];
        if (lanes[0] === 1) return [copyOf(body, operand(a)[0]!)];
        const table = { address: matrixIn(body, a, operand), size: lanes[0]!, places: 1 };
        return lookup(w, body.numbers, table, index, () => temps(16));
      }
      case 'scatter': {
        const [value, index] = args.map((arg) => operand(arg)[0]!) as [Local, Local];
        const table = { address: temps(16 * chunks(shape)), size: shape, places: 1 };
        return scatter(w, body.numbers, table, value, index);
      }
      case 'cumulate':
      case 'cumulateT':
      case 'transport':
      case 'transportSlope': {
        const into = temps(16 * chunks(shape));
        const walk = walkOf(op, attrs, lanes[0]!, room, element);
        const from = args.map((arg) => {
          const address = temps(16 * chunks(shapeOf(arg)));
          spill(w, operand(arg), address);
          return address;
        });
        for (const address of [...from, into]) body.code.push(['i32.const', address]);
        body.code.push(call(walk));
        const type = shape > 1 ? 'v128' : element.scalar;
        return Array.from({ length: chunks(shape) }, (_, chunk) => {
          const made = func.local(type);
          body.code.push(['i32.const', 0], [`${type}.load`, into + 16 * chunk], set(made));
          return made;
        });
      }
      case 'rfft':
      case 'rfftT': {
        const from = temps(16 * chunks(lanes[0]!));
        const into = temps(16 * chunks(shape));
        spill(w, operand(a), from);
        const { forward, transpose } = room.transform(op === 'rfft' ? shape - 2 : shape);
        body.code.push(['i32.const', from], ['i32.const', into]);
        body.code.push(call(op === 'rfft' ? forward : transpose));
        return Array.from({ length: chunks(shape) }, (_, chunk) => {
          const four = func.local('v128');
          body.code.push(['i32.const', 0], ['v128.load', into + 16 * chunk], set(four));
          return four;
        });
      }
    }
  };

  /** Products of which only one sum is made, in the same loop: made together with it. */
  const products = new Map<NodeId, readonly [NodeId, NodeId]>();

  const findProducts = (
    kind: 'vector' | 'serial',
    members: readonly NodeId[],
    isAdded: (sum: NodeId) => boolean,
  ): void => {
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
      if (op === 'sum' && isOwn(a) && isAdded(id)) take(a);
      if (!func.fused || type === 'int' || (op !== 'add' && op !== 'sub')) continue;
      // Numbers of a serial loop may be held in all lanes, in single precision.
      const isFused = (product: NodeId): boolean =>
        kind === 'vector' || shapeOf(product) > 1 || element.precision === 'single';
      if (isOwn(b) && isFused(b)) take(b);
      else if (op === 'add' && isOwn(a) && isFused(a)) take(a);
    }
  };

  /** c + x·y or c − x·y, rounded once where the form can. */
  const addProductOf = (body: Body, id: NodeId, product: NodeId): Value => {
    const { op, args, shape } = nodeOf(graph, id);
    const [x, y] = products.get(product)!;
    const c = args[0] === product ? args[1]! : args[0]!;
    const isVector = isVectorForm(body.form) || shape > 1 || isWide(body, id);
    const type = isVector ? 'v128' : element.scalar;
    return Array.from({ length: chunks(shape) }, (_, chunk) => {
      const one = (of: NodeId): Instr =>
        get(isVector ? lanesOf(body, of, chunk) : valueIn(body, of)[0]!);
      const [first, second, third] = [one(x), one(y), one(c)];
      const local = func.local(type);
      if (isVector) {
        const fused = op === 'add' ? 'relaxed_madd' : 'relaxed_nmadd';
        body.code.push(first, second, third, [`${element.vector}.${fused}`], set(local));
      } else {
        const f = element.scalar;
        body.code.push(third, first, second, [`${f}.mul`], [`${f}.${op as 'add' | 'sub'}`]);
        body.code.push(set(local));
      }
      return local;
    });
  };

  /** Computes an operation with a memory of its own into locals. */
  const remember = (body: Body, id: NodeId, op: MemoryOp): Value => {
    const { args, attrs, shape, type } = nodeOf(graph, id);
    const w = { func, into: body.code };
    const s = body.numbers;
    const isSpread = body.wide && shape === 1 && type === 'real';
    const index = (k: number): Local => valueIn(body, args[k]!)[0]!;
    const made = (): Value => {
      switch (op) {
        case 'line': {
          const line = storage.lines.get(id)!;
          const head = heads.get(line) ?? null;
          const steady = steadyIndex(args[1]!);
          if (steady !== null && !body.once) {
            const several = isVectorForm(body.form) ? 'several' : 'one';
            const load = isSpread ? 'spread' : several;
            const here = at(body, { address: 0, base: null, places: line.places });
            const max = attrs[0]!;
            return readSteadily(w, body, line, shape, head, here, steady, max, load);
          }
          const site = { address: 0, base: head, places: line.places };
          const d = index(1);
          return readLine(w, s, line, shape, at(body, site), d, attrs[0]!, () => temps(16));
        }
        case 'lineT': {
          const v = valueIn(body, args[0]!);
          const kept = returns.get(id)!;
          const here = at(body, { address: 0, base: null, places: kept.places });
          const steady = steadyIndex(args[1]!);
          return steady === null
            ? addBack(w, s, kept, here, v, shape, index(1))
            : addSteadily(w, body, kept, here, v, shape, steady);
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
    if (isSpread && value[0]!.type === 'v128') body.splats.set(id, value[0]!);
    else body.known.set(id, value);
    return value;
  };

  /** An index that does not change in a loop. */
  const steadyIndex = (id: NodeId): Instr | null => {
    const { op, attrs, hop } = nodeOf(graph, id);
    if (op === 'constInt') return ['i32.const', attrs[0] ?? 0];
    const local = hop === 0 ? values.get(id) : undefined;
    return local === undefined ? null : get(local);
  };

  /** The adjoints of frames, lines and tables start at 0 in every window. */
  const beginMemory = (id: NodeId): void => {
    const { op, attrs, shape } = nodeOf(graph, id);
    const [size = 1] = attrs;
    const places = placesOf(element, shape);
    const overlap = storage.overlaps.get(id);
    if (overlap !== undefined)
      clear(func.body, overlap.base, element.bytes * (overlap.size + frames));
    if (op === 'lineT') {
      const kept = placeReturns(element, size, frames, places, temps);
      returns.set(id, kept);
      clear(func.body, kept.address, kept.bytes);
    } else if (op === 'rwtableT') {
      const bytes = element.bytes * places * size;
      const table = { address: temps(bytes), size, places };
      returnTables.set(id, table);
      clear(func.body, table.address, bytes);
    }
  };

  return { apply, compute, restructure, findProducts, products, beginMemory };
}

/** What is a number itself, or the product of two, where all lanes are one. */
const OF_NUMBERS: ReadonlySet<StructureOp> = new Set<StructureOp>([
  ...(['concat', 'slice', 'splat', 'laneSum'] as const),
  ...(['matvec', 'matvecT', 'outer'] as const),
]);
