/**
 * A graph without time → the body of one function, in double precision: the optimiser's step.
 *
 * Numbers are straight code; vectors are loops over their lanes, one lane a round, and what has as
 * many lanes and waits for nothing shares one loop. A slice is another address, what is joined is
 * copied before the loops that use it. Invariant: every state is read before the first
 * is written.
 */

import { isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import type { OpKind } from '../ir/ops.ts';
import { isValueOp } from '../interpret/rules.ts';
import { makeBody } from './body.ts';
import type { Body } from './body.ts';
import type { Storage } from './memory.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { WASM_RULES } from './rules.ts';
import type { FormRules } from './rules.ts';
import type { Ports } from './emit.ts';
import type { Room } from './operands.ts';

export function emitOnce(
  func: Func,
  graph: Graph,
  storage: Storage,
  ports: Ports,
  room: Room,
): void {
  const shapeOf = (id: NodeId): number => nodeOf(graph, id).shape;
  const isInt = (id: NodeId): boolean => nodeOf(graph, id).type === 'int';
  const phase = phasesOf(graph);
  const last = Math.max(0, ...phase);
  /** Numbers that have been computed. */
  const values = new Map<NodeId, Local>();
  /** Vectors that another loop, a state or an output needs: [lanes] of doubles. */
  const arrays = new Map<NodeId, number>();
  const needed = new Set<NodeId>(graph.delays.values());
  graph.nodes.forEach(({ op, args }, id) => {
    for (const arg of args) {
      const isElsewhere = phase[arg] !== phase[id] || shapeOf(arg) !== shapeOf(id as NodeId);
      if (isElsewhere || isMoved(op)) needed.add(arg);
    }
  });
  for (const { node } of graph.outputs) needed.add(node);

  /** Where a leaf or a stored vector lies. */
  const addressOf = (id: NodeId): number | undefined => {
    const { op, args, attrs } = nodeOf(graph, id);
    const [index = 0] = attrs;
    if (op === 'slice') {
      const base = addressOf(args[0]!);
      return base === undefined ? undefined : base + 8 * index;
    }
    if (op === 'param') return ports.param(index);
    if (op === 'slider') return ports.slider(index);
    if (op === 'scalar') return ports.scalar(index);
    if (op === 'const') return room.doubles(attrs);
    return storage.carries.get(id) ?? arrays.get(id);
  };
  const isUniform = (id: NodeId): boolean => {
    const { op, attrs } = nodeOf(graph, id);
    return op === 'constInt' || (op === 'const' && attrs.every((a) => Object.is(a, attrs[0])));
  };

  /** The number of an operand, or its lane at byte `at`. */
  const operand = (body: Body, id: NodeId, at: Local | null): Local => {
    const known = body.known.get(id)?.[0] ?? values.get(id);
    if (known !== undefined) return known;
    const { op, attrs } = nodeOf(graph, id);
    const [value = 0] = attrs;
    if (isUniform(id)) {
      const [, index] = op === 'const' ? body.numbers.real(value) : body.numbers.int(value);
      return { index: index!, type: op === 'const' ? 'f64' : 'i32' };
    }
    const address = addressOf(id);
    if (address === undefined) throw new Error(`node ${id} is used before it is computed`);
    const local = func.local(isInt(id) ? 'i32' : 'f64');
    const from: Instr = at === null || shapeOf(id) === 1 ? ['i32.const', 0] : get(at);
    body.code.push(from, [isInt(id) ? 'i32.load' : 'f64.load', address], set(local));
    body.known.set(id, [local]);
    return local;
  };

  const compute = (body: Body, id: NodeId, at: Local | null): void => {
    const { op, args } = nodeOf(graph, id);
    if (!isValueOp(op)) throw new Error(`${op} has no meaning in a graph without time`);
    const rules: FormRules = WASM_RULES[op];
    const rule = isInt(args.at(-1)!) ? rules.intScalar : rules.scalar;
    if (rule === null) throw new Error(`${op} has no form for one`);
    const operands = args.map((a) => operand(body, a, at));
    const local = func.local(isInt(id) ? 'i32' : 'f64');
    const code = rule(operands, body.numbers);
    body.code.push(...code, set(local));
    for (const used of body.scratch.splice(0)) func.release(used);
    body.known.set(id, [local]);
  };

  /** All lanes of its operands, one after the other. */
  const emitJoined = (id: NodeId): void => {
    const body = makeBody(func, 'f64', true);
    const address = room.temps(8 * shapeOf(id));
    let to = address;
    for (const part of nodeOf(graph, id).args) {
      const bytes = 8 * shapeOf(part);
      if (shapeOf(part) === 1) {
        const value = operand(body, part, null);
        body.code.push(['i32.const', 0], get(value), ['f64.store', to]);
      } else {
        const from = addressOf(part);
        if (from === undefined) throw new Error(`node ${part} is used before it is computed`);
        body.code.push(['i32.const', to], ['i32.const', from], ['i32.const', bytes]);
        body.code.push(['memory.copy']);
      }
      to += bytes;
    }
    func.append(body.prologue);
    func.append(body.code);
    arrays.set(id, address);
  };

  const emitNumbers = (members: readonly NodeId[]): void => {
    const body = makeBody(func, 'f64', true);
    for (const id of members) compute(body, id, null);
    func.append(body.prologue);
    func.append(body.code);
    for (const id of members) values.set(id, body.known.get(id)![0]!);
  };

  const emitLanes = (lanes: number, members: readonly NodeId[]): void => {
    const body = makeBody(func, 'f64');
    const at = func.local('i32');
    const sums = new Map<NodeId, Local>();
    for (const id of members) {
      const { op, args } = nodeOf(graph, id);
      if (op === 'laneSum') {
        const sum = func.fresh('f64');
        sums.set(id, sum);
        body.prologue.push(['f64.const', 0], set(sum));
        body.code.push(get(sum), get(operand(body, args[0]!, at)), ['f64.add'], set(sum));
        continue;
      }
      if (op === 'splat') body.known.set(id, [operand(body, args[0]!, at)]);
      else compute(body, id, at);
      if (!needed.has(id)) continue;
      const address = room.temps(8 * lanes);
      arrays.set(id, address);
      const [local] = body.known.get(id) as [Local];
      body.code.push(get(at), get(local), [isInt(id) ? 'i32.store' : 'f64.store', address]);
    }
    func.append(body.prologue);
    func.emit(['i32.const', 0], set(at), ['loop', lanes]);
    func.append(body.code);
    func.emit(get(at), ['i32.const', 8], ['i32.add'], ['local.tee', at.index]);
    func.emit(['i32.const', 8 * lanes], ['i32.lt_u'], ['br_if', 0], ['end']);
    for (const [id, sum] of sums) values.set(id, sum);
    const own = new Set([...body.known.values()].flat());
    for (const local of own) if (![...values.values()].includes(local)) func.release(local);
    func.release(at);
  };

  func.begin('value');
  for (let p = 0; p <= last; p++) {
    const inPhase = graph.nodes.flatMap(({ op }, n) => {
      const id = n as NodeId;
      return isMade(op) && phase[n] === p ? [id] : [];
    });
    graph.nodes.forEach(({ op }, n) => {
      if (op === 'concat' && phase[n] === p) emitJoined(n as NodeId);
    });
    emitNumbers(inPhase.filter((id) => loopLanes(graph, id) === 1));
    const byLanes = new Map<number, NodeId[]>();
    for (const id of inPhase) {
      const lanes = loopLanes(graph, id);
      if (lanes > 1) byLanes.set(lanes, [...(byLanes.get(lanes) ?? []), id]);
    }
    for (const [lanes, members] of byLanes) emitLanes(lanes, members);
  }

  // Outputs and states, when everything has been read.
  func.begin('upkeep');
  const end = makeBody(func, 'f64', true);
  const moves = [
    ...graph.outputs.map(({ name, node }) => ({ from: node, to: ports.value(name) })),
    ...[...graph.delays].map(([id, from]) => ({ from, to: storage.carries.get(id) })),
  ];
  const copies: Instr[] = [];
  for (const { from, to } of moves) {
    if (to === undefined) continue;
    const lanes = shapeOf(from);
    const isLeaf = addressOf(from) !== arrays.get(from) && nodeOf(graph, from).op !== 'const';
    if (lanes > 1 && isLeaf) {
      // What it holds now, not what will have been written there by then.
      const kept = room.temps(8 * lanes);
      end.code.push(['i32.const', kept], ['i32.const', addressOf(from)!]);
      end.code.push(['i32.const', 8 * lanes], ['memory.copy']);
      arrays.set(from, kept);
      copies.push(['i32.const', to], ['i32.const', kept], ['i32.const', 8 * lanes]);
      copies.push(['memory.copy']);
    } else if (lanes === 1 || isUniform(from)) {
      const value = operand(end, from, null);
      for (let k = 0; k < lanes; k++) {
        const store: Instr = [isInt(from) ? 'i32.store' : 'f64.store', to + 8 * k];
        copies.push(['i32.const', 0], get(value), store);
      }
    } else {
      copies.push(['i32.const', to], ['i32.const', addressOf(from)!]);
      copies.push(['i32.const', 8 * lanes], ['memory.copy']);
    }
  }
  func.append(end.prologue);
  func.append(end.code);
  func.append(copies);
}

/** Is it computed, in a loop over lanes if it has several? */
const isMade = (op: OpKind): boolean => isValueOp(op) || op === 'splat' || op === 'laneSum';

/** Does it only say where lanes are? */
const isMoved = (op: OpKind): boolean => op === 'slice' || op === 'concat';

/** Lanes of the loop that computes a node: of what a sum adds up. */
function loopLanes(graph: Graph, id: NodeId): number {
  const { op, args, shape } = nodeOf(graph, id);
  return op === 'laneSum' ? nodeOf(graph, args[0]!).shape : shape;
}

/** The number of sums over lanes, and of changes of lanes, in front of each node. */
function phasesOf(graph: Graph): readonly number[] {
  const phase: number[] = [];
  graph.nodes.forEach(({ op, args }, n) => {
    const id = n as NodeId;
    const own = loopLanes(graph, id);
    let p = 0;
    for (const arg of args) {
      const { op: of } = nodeOf(graph, arg);
      // Numbers of a phase come before its loops; all else waits for a phase of its own.
      const isAhead = isMade(of) && own === 1 && loopLanes(graph, arg) > 1;
      const waits = of === 'laneSum' || isAhead || (isMade(of) && isMoved(op));
      p = Math.max(p, phase[arg]! + (waits ? 1 : 0));
    }
    phase.push(isDelay(op) ? 0 : p);
  });
  return phase;
}
