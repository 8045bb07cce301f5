/**
 * A graph without time → the body of one function, in double precision: the optimiser's step.
 *
 * Numbers are straight code; vectors are loops over their lanes, two lanes a round where every
 * operation has a form for two, and what has as many lanes and waits for nothing shares one loop.
 * What works on whole vectors and matrices comes behind the loops of its phase. Invariant: every
 * state is read before the first is written.
 */

import { isDelay, nodeOf } from '../ir/graph.ts';
import type { Graph, NodeId } from '../ir/graph.ts';
import type { OpKind } from '../ir/ops.ts';
import { isStructureOp, isValueOp } from '../interpret/rules.ts';
import { makeBody } from './body.ts';
import type { Body } from './body.ts';
import { matvecDouble, matvecTDouble, outerDouble, solveDouble, solveScratch } from './doubles.ts';
import type { Mnemonic } from './instructions.ts';
import type { Storage } from './memory.ts';
import { get, set } from './module.ts';
import type { Func, Instr, Local } from './module.ts';
import { COMPARISONS, WASM_RULES } from './rules.ts';
import type { FormRules } from './rules.ts';
import type { Ports } from './ports.ts';
import type { Room } from './operands.ts';
import { move } from './snippets.ts';

/** Sees every lane of the parameters that a step makes, beside the one that it was made of. */
export type Watch = (step: {
  readonly into: Instr[];
  readonly value: Local;
  readonly past: Local;
  /** Where the lanes lie: bytes on the stack, none for 0, behind byte `byte` of a bank. */
  readonly at: readonly Instr[];
  readonly byte: number;
  /** Of the vector that they are lanes of. */
  readonly count: number;
}) => void;

/** @param watch  only where `isWatchable`; nothing else is done with the parameters then */
export function emitOnce(
  func: Func,
  graph: Graph,
  storage: Storage,
  ports: Ports,
  room: Room,
  watch: Watch | null = null,
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
  const watched = watch === null ? new Map<NodeId, Stepped>() : stepsOf(graph);
  for (const { node } of graph.outputs) if (!watched.has(node)) needed.add(node);
  /** Comparisons of vectors are made again wherever they decide something: nothing to store. */
  const again = new Set<NodeId>();
  graph.nodes.forEach(({ op, args, shape }, n) => {
    const isReal = args.every((arg) => !isInt(arg));
    if (shape > 1 && isReal && COMPARISONS.has(op) && !needed.has(n as NodeId)) {
      again.add(n as NodeId);
    }
  });
  for (const { op, args } of graph.nodes) {
    if (op !== 'select') for (const arg of args) again.delete(arg);
    else for (const arg of args.slice(1)) again.delete(arg);
  }
  graph.nodes.forEach(({ args: direct }, id) => {
    const args = direct.flatMap((arg) => (again.has(arg) ? nodeOf(graph, arg).args : [arg]));
    for (const arg of args) {
      const isElsewhere =
        phase[arg] !== phase[id] ||
        shapeOf(arg) !== shapeOf(id as NodeId) ||
        isWhole(nodeOf(graph, id as NodeId).op);
      if (isElsewhere) needed.add(arg);
    }
  });

  /** A vector that is an output and nobody reads there is made where it goes. */
  const placeOf = (id: NodeId, lanes: number): number => {
    const output = graph.outputs.find(({ node }) => node === id);
    const to = output && ports.unread(output.name);
    return to ?? room.temps(8 * lanes);
  };

  /** Where a leaf or a stored vector lies. */
  const addressOf = (id: NodeId): number | undefined => {
    const { op, attrs } = nodeOf(graph, id);
    const [index = 0] = attrs;
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
    if (again.has(id)) {
      compute(body, id, at);
      return body.known.get(id)![0]!;
    }
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

  const emitNumbers = (members: readonly NodeId[]): void => {
    const body = makeBody(func, 'f64', { once: true });
    for (const id of members) compute(body, id, null);
    func.append(body.prologue);
    func.append(body.code);
    for (const id of members) values.set(id, body.known.get(id)![0]!);
  };

  /** Two lanes of an operand: loaded at byte `at`, or in front of the loop where all are alike. */
  const pairOf = (body: Body, id: NodeId, at: Local): Local => {
    const known = body.known.get(id)?.[0];
    if (known !== undefined) return known;
    if (again.has(id)) {
      computePair(body, id, at);
      return body.known.get(id)![0]!;
    }
    const number = values.get(id);
    const { attrs } = nodeOf(graph, id);
    const address = addressOf(id);
    if (number === undefined && !isUniform(id) && shapeOf(id) > 1) {
      if (address === undefined) throw new Error(`node ${id} is used before it is computed`);
      const local = func.local('v128');
      body.code.push(get(at), ['v128.load', address], set(local));
      body.known.set(id, [local]);
      return local;
    }
    const local = func.fresh('v128');
    const from: Instr[] =
      number !== undefined
        ? [get(number), ['f64x2.splat']]
        : isUniform(id)
          ? [['f64.const', attrs[0]!], ['f64x2.splat']]
          : [
              ['i32.const', 0],
              ['v128.load64_splat', address!],
            ];
    body.prologue.push(...from, set(local));
    body.known.set(id, [local]);
    return local;
  };

  const computePair = (body: Body, id: NodeId, at: Local): void => {
    const { op, args } = nodeOf(graph, id);
    const operands = args.map((a) => pairOf(body, a, at));
    const local = func.local('v128');
    const [first, second, third] = operands as [Local, Local?, Local?];
    body.code.push(
      ...(op === 'select' ? [second!, third!, first] : operands).map(get),
      [PAIRED.get(op)!],
      set(local),
    );
    body.known.set(id, [local]);
  };

  /** Has every operation of a loop a form for two lanes? What compares must then be for a choice. */
  const isPaired = (members: readonly NodeId[]): boolean =>
    members.every((id) => {
      const { op, args } = nodeOf(graph, id);
      if (isInt(id) && needed.has(id)) return false;
      if (op === 'splat' || op === 'laneSum') return !args.some(isInt);
      const choice = op === 'select' ? args[0]! : null;
      if (choice !== null && !again.has(choice)) return false;
      return PAIRED.has(op) && args.every((a) => !isInt(a) || a === choice);
    });

  const emitLanes = (lanes: number, members: readonly NodeId[]): void => {
    const totals = new Map<NodeId, Local>();
    for (const id of members) {
      if (nodeOf(graph, id).op !== 'laneSum') continue;
      const total = func.fresh('f64');
      totals.set(id, total);
      func.emit(['f64.const', 0], set(total));
    }
    for (const id of members) {
      if (needed.has(id) && !totals.has(id)) arrays.set(id, placeOf(id, lanes));
    }
    const paired = isPaired(members) ? lanes - (lanes % 2) : 0;
    emitLoop(members, 'v128', 0, paired, totals);
    emitLoop(members, 'f64', paired, lanes, totals);
    for (const [id, total] of totals) values.set(id, total);
  };

  /** The lanes from one to another, two at a time or one. */
  const emitLoop = (
    members: readonly NodeId[],
    type: 'v128' | 'f64',
    from: number,
    to: number,
    totals: ReadonlyMap<NodeId, Local>,
  ): void => {
    if (from === to) return;
    const isPair = type === 'v128';
    const body = makeBody(func, 'f64');
    const at = func.local('i32');
    const pairTotals = new Map<NodeId, Local>();
    for (const id of members) {
      const { op, args } = nodeOf(graph, id);
      const one = (arg: NodeId): Local => (isPair ? pairOf(body, arg, at) : operand(body, arg, at));
      const total = totals.get(id);
      if (total !== undefined && isPair) {
        const pair = func.fresh('v128');
        pairTotals.set(id, pair);
        body.prologue.push(['f64.const', 0], ['f64x2.splat'], set(pair));
        body.code.push(get(pair), get(one(args[0]!)), ['f64x2.add'], set(pair));
        continue;
      }
      if (total !== undefined) {
        const lane = one(args[0]!);
        body.code.push(get(total), get(lane), ['f64.add'], set(total));
        continue;
      }
      if (op === 'splat') body.known.set(id, [one(args[0]!)]);
      else if (isPair) computePair(body, id, at);
      else compute(body, id, at);
      const [local] = body.known.get(id) as [Local];
      const seen = watched.get(id);
      if (seen !== undefined) {
        const past = one(seen.param);
        const { code: into } = body;
        watch!({ into, value: local, past, at: [get(at)], byte: seen.byte, count: shapeOf(id) });
      }
      const address = needed.has(id) ? arrays.get(id) : undefined;
      if (address === undefined) continue;
      const store = isPair ? 'v128.store' : isInt(id) ? 'i32.store' : 'f64.store';
      body.code.push(get(at), get(local), [store, address]);
    }
    const step = isPair ? 2 : 1;
    const rounds = (to - from) / step;
    func.append(body.prologue);
    func.emit(['i32.const', 8 * from], set(at));
    if (rounds > 1) func.emit(['loop', rounds]);
    func.append(body.code);
    if (rounds > 1) {
      func.emit(get(at), ['i32.const', 8 * step], ['i32.add'], ['local.tee', at.index]);
      func.emit(['i32.const', 8 * to], ['i32.lt_u'], ['br_if', 0], ['end']);
    }
    for (const [id, pair] of pairTotals) {
      const total = totals.get(id)!;
      for (const lane of [0, 1]) {
        func.emit(get(total), get(pair), ['f64x2.extract_lane', lane], ['f64.add'], set(total));
      }
    }
    const own = new Set([...body.known.values()].flat());
    for (const local of own) if (![...values.values()].includes(local)) func.release(local);
    func.release(at);
  };

  /** Where all lanes of an operand lie; a number is put there. */
  const wholeOf = (id: NodeId): number => {
    const number = values.get(id);
    const address = number === undefined ? addressOf(id) : undefined;
    if (address !== undefined) return address;
    if (number === undefined) throw new Error(`node ${id} is used before it is computed`);
    const spilled = room.temps(8);
    func.emit(['i32.const', 0], get(number), ['f64.store', spilled]);
    return spilled;
  };

  /** An operation on whole vectors, from memory to memory. */
  const emitWhole = (id: NodeId): void => {
    const { op, args, attrs, shape } = nodeOf(graph, id);
    const into = shape > 1 ? placeOf(id, shape) : room.temps(8);
    const copy = (from: number, to: number, lanes: number): void => {
      func.append(move(to, from, 8 * lanes));
    };
    const operands = args.map(wholeOf) as [number, number, number];
    const [first, second, third] = operands;
    const lanes = args.map(shapeOf) as [number, number];
    if (op === 'concat') {
      let to = into;
      operands.forEach((from, k) => {
        copy(from, to, lanes[k]!);
        to += 8 * lanes[k]!;
      });
    } else if (op === 'slice') copy(first + 8 * attrs[0]!, into, shape);
    else if (op === 'matvec') matvecDouble(func, into, [first, second], shape, lanes[1]);
    else if (op === 'matvecT') matvecTDouble(func, into, [first, second], lanes[1], shape);
    else if (op === 'outer') outerDouble(func, into, [first, second], lanes[0], lanes[1]);
    else if (op === 'solve') {
      const scratch = room.temps(solveScratch(shape));
      solveDouble(func, into, [first, second, third], shape, scratch);
    } else throw new Error(`${op} has no form in double precision`);
    if (shape > 1) {
      arrays.set(id, into);
      return;
    }
    const local = func.fresh('f64');
    func.emit(['i32.const', 0], ['f64.load', into], set(local));
    values.set(id, local);
  };

  func.begin('value');
  for (let p = 0; p <= last; p++) {
    const inPhase = graph.nodes.flatMap(({ op }, n) => {
      const id = n as NodeId;
      return isLanewise(op) && phase[n] === p && !again.has(id) ? [id] : [];
    });
    emitNumbers(inPhase.filter((id) => loopLanes(graph, id) === 1));
    const byLanes = new Map<number, NodeId[]>();
    for (const id of inPhase) {
      const lanes = loopLanes(graph, id);
      if (lanes > 1) byLanes.set(lanes, [...(byLanes.get(lanes) ?? []), id]);
    }
    for (const [lanes, members] of byLanes) emitLanes(lanes, members);
    graph.nodes.forEach(({ op }, n) => {
      if (isWhole(op) && phase[n] === p) emitWhole(n as NodeId);
    });
  }

  // Outputs and states, when everything has been read.
  func.begin('upkeep');
  const end = makeBody(func, 'f64', { once: true });
  const moves = [
    ...graph.outputs.map(({ name, node }) => ({
      from: node,
      to: ports.value(name),
      isOutput: true,
    })),
    ...[...graph.delays].map(([id, from]) => ({
      from,
      to: storage.carries.get(id),
      isOutput: false,
    })),
  ];
  const copies: Instr[] = [];
  for (const [id, { param, byte }] of watched) {
    if (shapeOf(id) > 1) continue;
    const [value, past] = [operand(end, id, null), operand(end, param, null)];
    watch!({ into: end.code, value, past, at: [], byte, count: 1 });
  }
  for (const { from, to, isOutput } of moves) {
    if (to === undefined || (isOutput && watched.has(from))) continue;
    const lanes = shapeOf(from);
    const isLeaf = addressOf(from) !== arrays.get(from) && nodeOf(graph, from).op !== 'const';
    if (lanes > 1 && isLeaf) {
      // What it holds now, not what will have been written there by then.
      const kept = room.temps(8 * lanes);
      end.code.push(...move(kept, addressOf(from)!, 8 * lanes));
      arrays.set(from, kept);
      copies.push(...move(to, kept, 8 * lanes));
    } else if (lanes === 1 || isUniform(from)) {
      const value = operand(end, from, null);
      for (let k = 0; k < lanes; k++) {
        const store: Instr = [isInt(from) ? 'i32.store' : 'f64.store', to + 8 * k];
        copies.push(['i32.const', 0], get(value), store);
      }
    } else {
      const made = addressOf(from)!;
      if (made !== to) copies.push(...move(to, made, 8 * lanes));
    }
  }
  func.append(end.prologue);
  func.append(end.code);
  func.append(copies);
}

/** What a step makes of a parameter, or of a vector of them. */
interface Stepped {
  readonly param: NodeId;
  /** Of its first lane in the bank. */
  readonly byte: number;
}

/** By output. */
function stepsOf(graph: Graph): Map<NodeId, Stepped> {
  const params = new Map<number, NodeId>();
  graph.nodes.forEach(({ op, attrs: [index = 0] }, n) => {
    if (op === 'param') params.set(index, n as NodeId);
  });
  return new Map(
    graph.outputs.flatMap(({ name, node }) => {
      const index = Number(name.split(':')[1]);
      const param = params.get(index);
      return param === undefined ? [] : [[node, { param, byte: 8 * index }] as const];
    }),
  );
}

/**
 * Can the parameters be overwritten lane by lane as a step makes them? Then each is made in a loop
 * over its own lanes, and read nowhere after that but in this loop.
 */
export function isWatchable(graph: Graph): boolean {
  const steps = stepsOf(graph);
  const phase = phasesOf(graph);
  const outputs = new Set(graph.outputs.map(({ node }) => node));
  const params = graph.nodes.filter(({ op }) => op === 'param').length;
  if (outputs.size !== graph.outputs.length || steps.size !== outputs.size) return false;
  if (params !== outputs.size) return false;
  const kept = new Set(graph.delays.values());
  for (const [id, { param }] of steps) {
    const { op, shape } = nodeOf(graph, id);
    const isMade =
      isLanewise(op) && op !== 'laneSum' && op !== 'splat' && shape === loopLanes(graph, id);
    if (!isMade || shape !== nodeOf(graph, param).shape || kept.has(param)) return false;
    const isSafe = graph.nodes.every(({ args, op: user }, n) => {
      if (!args.includes(param)) return true;
      // A comparison may be made again later on.
      if (shape > 1 && COMPARISONS.has(user)) return false;
      if (phase[n]! < phase[id]!) return true;
      return isLanewise(user) && phase[n] === phase[id] && loopLanes(graph, n as NodeId) === shape;
    });
    if (!isSafe) return false;
  }
  return true;
}

/** Lanes of the loop that computes a node: of what a sum adds up. */
function loopLanes(graph: Graph, id: NodeId): number {
  const { op, args, shape } = nodeOf(graph, id);
  return op === 'laneSum' ? nodeOf(graph, args[0]!).shape : shape;
}

/** What a loop over lanes computes. */
const isLanewise = (op: OpKind): boolean => isValueOp(op) || op === 'splat' || op === 'laneSum';

/** What works on whole vectors. */
const isWhole = (op: OpKind): boolean => isStructureOp(op) && !isLanewise(op);

/** What computes two lanes at once; a comparison makes a mask of them, which `select` takes. */
const PAIRED: ReadonlyMap<OpKind, Mnemonic> = new Map([
  ['add', 'f64x2.add'],
  ['sub', 'f64x2.sub'],
  ['mul', 'f64x2.mul'],
  ['div', 'f64x2.div'],
  ['neg', 'f64x2.neg'],
  ['abs', 'f64x2.abs'],
  ['sqrt', 'f64x2.sqrt'],
  ['min', 'f64x2.pmin'],
  ['max', 'f64x2.pmax'],
  ['eq', 'f64x2.eq'],
  ['ne', 'f64x2.ne'],
  ['lt', 'f64x2.lt'],
  ['le', 'f64x2.le'],
  ['gt', 'f64x2.gt'],
  ['ge', 'f64x2.ge'],
  ['select', 'v128.bitselect'],
]);

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
      const isFromLoop = isLanewise(of) && own === 1 && loopLanes(graph, arg) > 1;
      const waits = of === 'laneSum' || isWhole(of) || (isFromLoop && !isWhole(op));
      p = Math.max(p, phase[arg]! + (waits ? 1 : 0));
    }
    phase.push(isDelay(op) ? 0 : p);
  });
  return phase;
}
