/**
 * What stands between loops: numbers and vectors that change once a run, and sums over the window of
 * products of two signals.
 *
 * Invariant: everything is computed before the loop that reads it, once; a number that only numbers of
 * the same stage read gives its local back.
 */

import { nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import { isStructureOp, isValueOp } from '../interpret/rules.ts';
import type { OpKind } from '../ir/ops.ts';
import { makeBody } from './body.ts';
import type { Body, Value } from './body.ts';
import type { Computer } from './compute.ts';
import { chunksOf, fromDouble } from './element.ts';
import { sumOuter } from './matrices.ts';
import type { Recording } from './matrices.ts';
import { get, set } from './module.ts';
import type { Local } from './module.ts';
import { storeOf } from './operands.ts';
import type { FunctionContext, Operands } from './operands.ts';
import type { Ports } from './ports.ts';
import type { Schedule } from './stages.ts';
import { demote, spill } from './structures.ts';
import { sumScatter } from './tables.ts';
import type { Operand } from './tables.ts';

export interface Between {
  /** Numbers and vectors of a stage. */
  readonly emitValues: (members: readonly NodeId[]) => void;
  /** Products of two signals, summed over the window. */
  readonly emitProducts: (members: readonly NodeId[]) => void;
}

export function betweenOf(
  { func, graph, room, sites, values, slots, arrays, frames }: FunctionContext,
  schedule: Schedule,
  { valueIn }: Operands,
  { compute }: Computer,
  ports: Ports,
): Between {
  const { element } = func;
  const shapeOf = (id: NodeId): number => nodeOf(graph, id).shape;
  const isSignal = (id: NodeId): boolean => nodeOf(graph, id).hop > 0;
  const chunks = (lanes: number): number => chunksOf(element, lanes);
  const readLater = readBeyond(graph, schedule);

  /** A vector that other loops will read. */
  const keepArray = (body: Body, id: NodeId, value: Value): void => {
    const address = room.temps(16 * chunks(shapeOf(id)));
    spill({ func, into: body.code }, value, address);
    arrays.set(id, address);
  };

  const emitValues = (members: readonly NodeId[]): void => {
    const body = makeBody(func, element.scalar, { once: true });
    const lastUser = new Map<NodeId, NodeId>();
    for (const id of members) for (const arg of nodeOf(graph, id).args) lastUser.set(arg, id);
    /** Locals of a number that nothing else needs, or finds elsewhere, are free for others. */
    const drop = (id: NodeId): void => {
      const { op, shape } = nodeOf(graph, id);
      const isFree = slots.has(id) || (isValueOp(op) && shape === 1 && !readLater.has(id));
      if (!isFree) return;
      const [local] = body.known.get(id) ?? [];
      if (local === undefined) return;
      const held = [local, body.splats.get(id), body.masks.get(local.index)];
      for (const one of held) if (one !== undefined) func.release(one);
      for (const map of [values, body.known, body.splats]) map.delete(id);
      body.masks.delete(local.index);
    };
    /** A number that has been computed just now. */
    const keep = (id: NodeId, local: Local): void => {
      body.known.set(id, [local]);
      const slot = slots.get(id);
      if (slot === undefined) values.set(id, local);
      else body.code.push(['i32.const', 0], get(local), [storeOf(local), slot]);
      if (!lastUser.has(id)) drop(id);
    };
    for (const id of members) {
      const node = nodeOf(graph, id);
      if (node.op === 'const' || node.op === 'constInt') continue;
      if (isValueOp(node.op) || isStructureOp(node.op)) {
        const value = compute(body, id);
        if (node.shape === 1) keep(id, value[0]!);
        else keepArray(body, id, value);
        for (const arg of new Set(node.args)) if (lastUser.get(arg) === id) drop(arg);
        continue;
      }
      if (node.shape > 1) {
        if (node.op !== 'param') throw new Error(`${node.op} has no lanes`);
        const address = room.temps(16 * chunks(node.shape));
        demote({ func, into: body.code }, ports.param(node.attrs[0]!), address, node.shape);
        arrays.set(id, address);
        continue;
      }
      const local = func.local(element.scalar);
      const address = leafAddress(ports, node.op, node.attrs[0]!);
      const code = [['f64.load', address] as const, ...fromDouble(element), set(local)];
      body.code.push(['i32.const', 0], ...code);
      keep(id, local);
    }
    func.append(body.prologue);
    func.append(body.code);
    for (const [id, value] of body.known) {
      if (shapeOf(id) > 1) for (const local of new Set(value)) func.release(local);
    }
    for (const local of [...body.splats.values(), ...body.kept]) func.release(local);
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
        return { address: site.address, stride: element.bytes * site.places, lanes: shapeOf(arg) };
      }) as [Recording, Recording];
      const address = room.temps(16 * chunks(shapeOf(id)));
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
    const local = func.local(element.scalar);
    func.emit(['i32.const', 0], [`${element.scalar}.load`, address], set(local));
    values.set(id, local);
  };

  /** Numbers at indices, summed over the window place by place. */
  const emitScatters = (id: NodeId): void => {
    const { args, shape } = nodeOf(graph, id);
    const body = makeBody(func, element.scalar, { once: true });
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
    const address = room.temps(16 * chunks(shape));
    const w = { func, into: body.code };
    sumScatter(w, body.numbers, pairs, frames, shape, [room.temps(8 * shape), address]);
    func.append(body.prologue);
    func.append(body.code);
    keepTotal(id, address);
  };
  return { emitValues, emitProducts };
}

/** So many numbers can be in locals all the time: more, and engines translate slowly. */
const MANY = 256;

/**
 * Places in memory of numbers that are read beyond their stage, where there are many.
 *
 * @param take  room for one
 */
export function slotsOf(
  graph: Graph,
  schedule: Schedule,
  take: () => number,
): ReadonlyMap<NodeId, number> {
  const numbers = [...readBeyond(graph, schedule)].filter((id) => {
    const { op, type, shape, hop } = nodeOf(graph, id);
    const isNumber = type === 'real' && shape === 1 && hop === 0;
    return isNumber && op !== 'const' && (isValueOp(op) || LEAVES.has(op) || op === 'sum');
  });
  return numbers.length <= MANY ? new Map() : new Map(numbers.map((id) => [id, take()]));
}

/** What comes from outside. */
const LEAVES: ReadonlySet<OpKind> = new Set(['slider', 'param', 'scalar']);

/** What is read by more than the values of its own stage. */
function readBeyond(graph: Graph, { place }: Schedule): ReadonlySet<NodeId> {
  const read = new Set<NodeId>([
    ...graph.delays.values(),
    ...graph.outputs.map(({ node }) => node),
  ]);
  graph.nodes.forEach(({ args }, n) => {
    const user = place.get(n as NodeId);
    for (const arg of args) {
      const made = place.get(arg);
      const isSame = user?.kind === 'value' && user.stage === made?.stage && made.kind === 'value';
      if (!isSame) read.add(arg);
    }
  });
  return read;
}

function leafAddress(ports: Ports, op: string, index: number): number {
  if (op === 'slider') return ports.slider(index);
  if (op === 'param') return ports.param(index);
  if (op === 'scalar') return ports.scalar(index);
  throw new Error(`${op} is not a value`);
}
