/**
 * Constant folding and algebraic identities.
 *
 * Constants are folded in double precision, so a folded expression is at least as exact as one
 * computed at run time in single precision. The identities are exact for every value but for the
 * sign of a zero (x + 0, x · 1, −(−x), x + (−y), (−x) · y, a choice by a constant, division by a
 * power of two, a comparison that was made real and int again, a line or table read at a constant
 * place, a sum over the window of −x, a product with a 1 x 1 matrix, a part of what was joined, a sum of vectors that are 0 in
 * each other's lanes); none assumes that a value is finite, and none trades rounding for speed.
 *
 * When: after differentiation, which leaves many of them; run to a fixpoint, because folding a
 * delay's source can fold the delay. Cost: linear per round, at most `ROUNDS`.
 */

import { rewrite } from '../ir/builder.ts';
import type { Builder } from '../ir/builder.ts';
import { ids, nodeOf } from '../ir/graph.ts';
import type { Graph, Node, NodeId } from '../ir/graph.ts';
import { STRUCTURES, evaluate, isStructureOp, isValueOp } from '../interpret/rules.ts';
import type { StructureOp, ValueOp } from '../interpret/rules.ts';
import { OPS } from '../ir/ops.ts';
import type { OpKind } from '../ir/ops.ts';
import { prune } from './prune.ts';

const ROUNDS = 8;

export function fold(graph: Graph): Graph {
  let current = graph;
  for (let round = 0; round < ROUNDS; round++) {
    const next = rewrite(constantDelays(current), simplify);
    if (next.nodes.length === current.nodes.length && sameShape(next, current)) return next;
    // What has become useless need not be folded again.
    current = prune(next);
  }
  return current;
}

const sameShape = (a: Graph, b: Graph): boolean =>
  a.nodes.every(
    (node, i) =>
      node.op === b.nodes[i]!.op && node.args.every((arg, k) => arg === b.nodes[i]!.args[k]),
  );

/** A delay of a constant that starts at the same constant is that constant. */
function constantDelays(graph: Graph): Graph {
  const constant = new Map<NodeId, NodeId>();
  for (const [id, source] of graph.delays) {
    const { op, attrs } = nodeOf(graph, source);
    const isConstant = op === 'const' || op === 'constInt';
    const [, init] = nodeOf(graph, id).attrs;
    if (isConstant && attrs.every((a) => Object.is(a, init))) constant.set(id, source);
  }
  if (constant.size === 0) return graph;
  // The constant may come after the delay, so it is made anew in the delay's place.
  const nodes = graph.nodes.map((node, id) => {
    const source = constant.get(id as NodeId);
    return source === undefined ? node : nodeOf(graph, source);
  });
  const delays = new Map([...graph.delays].filter(([id]) => !constant.has(id)));
  const states = new Map([...graph.states].filter(([id]) => !constant.has(id)));
  return { ...graph, nodes, delays, states };
}

function simplify(b: Builder, node: Node, args: readonly NodeId[]): NodeId {
  const { op, shape } = node;
  if (isStructureOp(op)) return restructure(b, op, node, args);
  if (op === 'line' || op === 'lineT') return still(b, node, args);
  const [a] = args;
  if (op === 'sum' && a !== undefined && isNeg(b, a)) {
    return b.node('neg', [b.node('sum', [b.nodes[a]!.args[0]!])]);
  }
  if (!isValueOp(op)) return b.node(op, args, node.attrs);
  return b.asLanes(simpler(b, op, node, unsplat(b, args)), shape);
}

/** A number meets a vector in every lane anyway. */
function unsplat(b: Builder, args: readonly NodeId[]): readonly NodeId[] {
  // Numbers alone are the rule.
  if (args.every((a) => b.nodes[a]!.shape === 1)) return args;
  return args.map((a) => {
    const { op, args: of, shape } = b.nodes[a]!;
    if (op === 'splat') return of[0]!;
    const value = shape > 1 && op === 'const' ? b.constant(a) : undefined;
    return value === undefined ? a : b.real(value);
  });
}

/** A line that is always read at the same place is a delay; so is its adjoint, in reversed time. */
function still(b: Builder, { op, attrs }: Node, args: readonly NodeId[]): NodeId {
  const [x, d] = args as [NodeId, NodeId];
  const frames = b.constant(d);
  if (frames === undefined) return b.node(op, args, attrs);
  return frames <= 0 ? x : b.delay(x, Math.min(frames, attrs[0]!));
}

/** The result may have one lane where all lanes are equal. */
function simpler(b: Builder, op: ValueOp, node: Node, args: readonly NodeId[]): NodeId {
  const same = (): NodeId => b.node(op, args, node.attrs);
  if (node.type === 'real' && args.every((a) => b.nodes[a]!.op === 'const')) {
    const constants = args.map((a) => b.nodes[a]!);
    const lane = (k: number, i: number): number => {
      const { attrs } = constants[i] ?? { attrs: [0] };
      return attrs[attrs.length === 1 ? 0 : k]!;
    };
    const lanes = Array.from({ length: node.shape }, (_, k) =>
      evaluate(op, 'real', lane(k, 0), lane(k, 1), lane(k, 2)),
    );
    return b.node('const', [], lanes);
  }

  const [x, y, z] = args as [NodeId, NodeId, NodeId];
  if (args.every((a) => b.shape(a) === 1 && b.constant(a) !== undefined)) {
    const values = args.map((a) => b.constant(a)!);
    const value = evaluate(op, b.type(args.at(-1)!), values[0]!, values[1] ?? 0, values[2] ?? 0);
    return node.type === 'int' ? b.int(value) : b.real(value);
  }
  const u = x === undefined ? undefined : b.constant(x);
  const v = y === undefined ? undefined : b.constant(y);
  switch (op) {
    case 'add':
      if (v === 0) return x;
      if (u === 0) return y;
      if (isNeg(b, y)) return b.node('sub', [x, b.nodes[y]!.args[0]!]);
      if (isNeg(b, x)) return b.node('sub', [y, b.nodes[x]!.args[0]!]);
      return joined(b, x, y) ?? same();
    case 'sub':
      if (v === 0) return x;
      if (u === 0) return b.node('neg', [y]);
      if (isNeg(b, y)) return b.node('add', [x, b.nodes[y]!.args[0]!]);
      break;
    case 'mul':
      if (v === 1) return x;
      if (u === 1) return y;
      if (v === -1) return b.node('neg', [x]);
      if (u === -1) return b.node('neg', [y]);
      // Out of the product, where a sum may take it in.
      if (isNeg(b, x)) return b.node('neg', [b.node('mul', [b.nodes[x]!.args[0]!, y])]);
      if (isNeg(b, y)) return b.node('neg', [b.node('mul', [x, b.nodes[y]!.args[0]!])]);
      break;
    case 'div':
      if (v !== undefined && isPowerOfTwo(v)) return b.node('mul', [x, b.real(1 / v)]);
      break;
    case 'neg': {
      const inner = b.nodes[x]!;
      if (inner.op === 'neg') return inner.args[0]!;
      break;
    }
    case 'toInt': {
      const inner = b.nodes[x]!;
      const source = inner.op === 'toReal' ? inner.args[0]! : x;
      if (isComparison(b.nodes[source]!.op)) return source;
      break;
    }
    case 'select':
      if (u !== undefined) return u === 0 ? z : y;
      if (y === z) return y;
      break;
    case 'min':
    case 'max':
      if (x === y) return x;
      break;
    default:
      break;
  }
  return same();
}

/** Vector operations of constants, and those that only rearrange. */
function restructure(
  b: Builder,
  op: StructureOp,
  { attrs, shape }: Node,
  args: readonly NodeId[],
): NodeId {
  const [first] = args as [NodeId];
  const lanes = args.flatMap((a) => (b.nodes[a]!.op === 'const' ? [b.nodes[a]!.attrs] : []));
  if (lanes.length === args.length) {
    const into = new Float64Array(shape);
    STRUCTURES[op](into, attrs, lanes);
    return b.node('const', [], [...into]);
  }
  const inner = b.nodes[first]!;
  if (op === 'lookup') {
    const index = b.constant(args[1]!);
    if (index === undefined) return b.node(op, args, attrs);
    const lane = Math.max(0, Math.min(b.shape(first) - 1, index));
    if (inner.op === 'const') return b.real(inner.attrs[lane]!);
    return b.shape(first) === 1 ? first : b.node('slice', [first], [lane, 1]);
  }
  if (op === 'concat' && args.length === 1) return first;
  if (op === 'splat' && shape === 1) return first;
  if (op === 'laneSum' && b.shape(first) === 1) return first;
  const scalesMatrix = (op === 'matvec' || op === 'matvecT') && b.shape(args[1]!) === 1;
  const scalesVector = op === 'outer' && args.some((a) => b.shape(a) === 1);
  if (scalesMatrix || scalesVector) return b.node('mul', args);
  if (op === 'slice') {
    if (shape === b.shape(first)) return first;
    if (inner.op === 'splat') return b.asLanes(inner.args[0]!, shape);
    const from = attrs[0]!;
    const part = partsOf(b, first).find((p) => p.from <= from && from + shape <= p.end);
    if (part !== undefined) {
      const isAll = shape === part.end - part.from;
      return isAll ? part.of : b.node('slice', [part.of], [from - part.from, shape]);
    }
  }
  return b.node(op, args, attrs);
}

/** Lanes `from` to `end`, `end` not included, of a vector that was joined. */
interface Part {
  readonly of: NodeId;
  readonly from: number;
  readonly end: number;
}

/** What a vector was joined from; nothing if it was not. */
function partsOf(b: Builder, id: NodeId): readonly Part[] {
  const { op, args } = b.nodes[id]!;
  if (op !== 'concat') return [];
  let end = 0;
  return args.map((of) => {
    const from = end;
    end += b.shape(of);
    return { of, from, end };
  });
}

/**
 * x + y where both were joined and no lane has more than zeros from one of them: joined at once. The
 * adjoint of taking a vector apart is made of these.
 */
function joined(b: Builder, x: NodeId, y: NodeId): NodeId | undefined {
  const lanes = b.shape(x);
  const both = [partsOf(b, x), partsOf(b, y)];
  if (b.shape(y) !== lanes || both.some((parts) => parts.length === 0)) return undefined;
  const parts = both
    .flat()
    .filter(({ of }) => b.constant(of) !== 0)
    .toSorted((p, q) => p.from - q.from);
  const whole: NodeId[] = [];
  let end = 0;
  for (const part of [...parts, { of: null, from: lanes, end: lanes }]) {
    if (part.from < end) return undefined;
    if (part.from > end) whole.push(b.filled(0, part.from - end));
    if (part.of !== null) whole.push(part.of);
    end = part.end;
  }
  return whole.length === 1 ? whole[0] : b.node('concat', whole);
}

/** Is it a real with its sign changed? */
const isNeg = (b: Builder, id: NodeId): boolean =>
  b.nodes[id]!.op === 'neg' && b.type(id) === 'real';

/** Does it give 0 or 1, which every real holds exactly? */
const isComparison = (op: OpKind): boolean => OPS[op].signature === 'same→int';

/** Its reciprocal is exact, in binary32 as well. */
function isPowerOfTwo(value: number): boolean {
  const size = Math.abs(value);
  return size >= 2 ** -100 && size <= 2 ** 100 && Number.isInteger(Math.log2(size));
}

/** How many nodes are not constants: what a run really computes. */
export const liveSize = (graph: Graph): number =>
  ids(graph).filter((id) => nodeOf(graph, id).rate !== 'const').length;
